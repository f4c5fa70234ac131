"""Every fixed text of a flow as a Reply, in each of its languages and variants, with a mark where a value would stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from supportbot.dialogue.asking import Scene, buttons, files, put, put_again, say
from supportbot.dialogue.flow import Ask, Flow, HandOver, Path, Say
from supportbot.dialogue.wording import Wording
from supportbot.types import Reply

_VALUE = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_CODE = re.compile(r"\{[%#].*?[%#]\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_LONGEST_MARK = 30


@dataclass(frozen=True, slots=True)
class Specimen:
    """`place` is the text's path in the flow's file."""

    place: Path
    kind: str
    locale: str
    reply: Reply


def specimens(flow: Flow, texts: Mapping[str, str], known: Mapping[str, str]) -> Iterator[Specimen]:
    """In the order of the file; `texts` are the fixed texts that questions use (see Scene), `known` the values that are
    the same for every customer, such as "bot.name".
    """
    stage = _Stage(texts, known)
    for place, step in flow.places.items():
        at = ("steps", *place)
        if isinstance(step, Say):
            for locale, seed in _versions(step.wording):
                scene = stage.scene(locale, seed)
                shown = buttons(scene, step.buttons, {})
                reply = Reply(say(scene, step.wording, {}), shown, files(scene, step.files, {}), menu=step.menu)
                yield Specimen((*at, "say"), "say", locale, reply)
        elif isinstance(step, Ask):
            for locale, seed in _versions(step.question):
                yield Specimen((*at, "question"), "ask", locale, put(stage.scene(locale, seed), step, {}))
            for locale, seed in _versions(step.invalid or Wording()):
                reply = put_again(stage.scene(locale, seed), step, {}, "invalid")
                yield Specimen((*at, "invalid"), "ask", locale, reply)
        elif isinstance(step, HandOver) and step.say is not None:
            for locale, seed in _versions(step.say):
                reply = Reply(say(stage.scene(locale, seed), step.say, {}))
                yield Specimen((*at, "handoff", "say"), "handoff", locale, reply)


def _versions(wording: Wording) -> Iterator[tuple[str, int]]:
    for locale, variants in wording.by_locale.items():
        yield from ((locale, seed) for seed in range(len(variants)))


@dataclass(frozen=True, slots=True)
class _Stage:
    texts: Mapping[str, str]
    known: Mapping[str, str]

    def scene(self, locale: str, seed: int) -> Scene:
        return Scene({}, self._marked, locale, locale, seed, date(2026, 1, 1), "", self.texts)

    def _marked(self, template: str, values: Mapping[str, Any]) -> str:
        """The template with what is known, or ‹name›, in the place of each value; its code is left out."""
        return _CODE.sub(
            "", _VALUE.sub(lambda found: self.known.get(found[1]) or f"‹{_shown(found[1])}›", template)
        )


def _shown(expression: str) -> str:
    names = _NAME.findall(re.sub(r"'[^']*'|\"[^\"]*\"", "", expression))
    return (names[0] if names else "…")[:_LONGEST_MARK]
