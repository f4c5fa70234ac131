"""The bot's commands for Telegram's own menu, in each language that they have. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from supportbot import Menu
from supportbot_telegram.words import say

_NAME = re.compile(r"[a-z0-9_]{1,32}\Z")
_OWN = ("help", "human", "cancel")
_MOST = 100
_LONGEST = 256

Commands = list[dict[str, str]]


def lists(menu: Menu, locale: str) -> Sequence[tuple[str, Commands]]:
    """(language, commands) to set; the first, with the language "", is for everybody else and in the bot's own."""
    offered = [(name, texts) for name, texts in menu.commands if _NAME.match(name)]
    languages = {_language(locale)}
    for _, texts in offered:
        languages |= {_language(one) for one in texts}
    named = sorted(language for language in languages if len(language) == 2)
    return [("", _commands(offered, locale, locale)), *((one, _commands(offered, one, locale)) for one in named)]


def _commands(offered: Sequence[tuple[str, Mapping[str, str]]], locale: str, default: str) -> Commands:
    own = [name for name in _OWN if name not in dict(offered)]
    found = [(name, _text(texts, locale, default) or name) for name, texts in offered]
    found = [*found[: _MOST - len(own)], *((name, say(name, locale)) for name in own)]
    return [{"command": name, "description": text[:_LONGEST]} for name, text in found]


def _text(texts: Mapping[str, str], locale: str, default: str) -> str:
    """The text in the locale or its language, else in the bot's own, else any."""
    by_language = {_language(name): text for name, text in texts.items()}
    found = (texts.get(locale), by_language.get(_language(locale)), by_language.get(_language(default)))
    text = next(filter(None, found), None) or next(iter(texts.values()), "")
    return " ".join(text.split())


def _language(locale: str) -> str:
    return locale.replace("_", "-").split("-")[0].lower()
