"""A helpdesk channel's options: those that every helpdesk has, and those that its mapping declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supportbot import UsageError
from supportbot.options import Options
from supportbot.webhooks import check_secret
from supportbot_helpdesk.mapping import RESERVED, HelpdeskMapping, OptionRule
from supportbot_helpdesk.reading import preset, presets, read

BODY_LIMIT = 1_000_000
TEXT_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What is configured; `options` are the mapping's own, as text."""

    mapping: HelpdeskMapping
    url: str
    secrets: tuple[str, ...] = field(repr=False)
    options: Mapping[str, str] = field(repr=False)
    hidden: tuple[str, ...] = field(repr=False)
    first_line: bool
    allow_private: bool
    body_limit: int
    text_limit: int
    burst_wait: float


def settings(name: str, options: Mapping[str, Any]) -> Settings:
    """The options of the channel `name`. Raises UsageError, or ConfigError for a mapping file."""
    mapping = _mapping(name, options)
    read_ = Options(name, options, (*RESERVED[:-1], *mapping.options))
    secrets = read_.words("secrets", needed=True)
    if mapping.signature.family == "standard":
        for at, secret in enumerate(secrets):
            check_secret(secret, f"{read_.place('secrets')}[{at}]")
    url = read_.url("url", mapping.url)
    own = {key: _own(read_, key, rule) for key, rule in mapping.options.items()}
    return Settings(
        mapping,
        url,
        secrets,
        own,
        (*secrets, *(own[key] for key, rule in mapping.options.items() if rule.secret)),
        read_.flag("first_line", True),
        read_.flag("allow_private"),
        read_.count("body_limit", BODY_LIMIT),
        read_.count("text_limit", TEXT_LIMIT),
        read_.duration("burst_wait", 0.8),
    )


def desk_options(settings: Settings, options: Mapping[str, Any]) -> Mapping[str, str]:
    """The channel's options with those of one desk in their place. Raises UsageError that begins with the option."""
    rules = {key: rule for key, rule in settings.mapping.options.items() if not rule.secret}
    for key, value in options.items():
        if key not in rules:
            known = ", ".join(rules) or "none"
            raise UsageError(f"{key} is not known; a desk on this channel may set: {known}.")
        if not _plain(value):
            raise UsageError(f"{key} must be text or a number.")
    return {**settings.options, **{key: _text(value) for key, value in options.items()}}


def lacking(mapping: HelpdeskMapping, own: Mapping[str, str]) -> list[str]:
    """The options without which no ticket is made, and that have no value."""
    needed = [request.needs for request in (mapping.requests.create, mapping.requests.note) if request]
    return [option for options in needed for option in options if not own.get(option)]


def _mapping(name: str, options: Mapping[str, Any]) -> HelpdeskMapping:
    shipped, own = options.get("preset"), options.get("mapping")
    place = f"channels.{name}"
    if bool(shipped) == bool(own):
        raise UsageError(
            f"{place}.preset names a helpdesk ({', '.join(presets())}), or {place}.mapping a file of your own: "
            "write one of the two."
        )
    if not shipped:
        if not isinstance(own, str | Path):
            raise UsageError(f"{place}.mapping must be the path of a YAML file.")
        return read(Path(own))
    if shipped not in presets():
        raise UsageError(
            f"{place}.preset must be one of {', '.join(presets())}; another helpdesk has a `mapping`."
        )
    return preset(str(shipped))


def _own(read_: Options, key: str, rule: OptionRule) -> str:
    found = read_.get(key)
    if found is None or found == "":
        if rule.default is None and rule.needed:
            raise UsageError(f"{read_.place(key)} is missing{f': {rule.about}' if rule.about else '.'}")
        return "" if rule.default is None else _text(rule.default)
    if not _plain(found):
        raise UsageError(f"{read_.place(key)} must be text or a number.")
    return _text(found)


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
