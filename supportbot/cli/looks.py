"""How the flows' fixed texts look on each channel: what `check` warns of, and what `preview` shows."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from supportbot import assembly, channels, texts
from supportbot.config import BotFiles, Finding, load
from supportbot.dialogue import Flow, Specimen, specimens
from supportbot.errors import UsageError
from supportbot.protocols import Adapter
from supportbot.replies import fit
from supportbot.types import Capabilities, Rendering, Reply

_SHARED = ("yes", "no", "share_phone", "share_location")


@dataclass(frozen=True, slots=True)
class Look:
    """One fixed text as a channel sends it, in one message or more."""

    specimen: Specimen
    parts: tuple[Rendering, ...]
    warnings: tuple[str, ...]


def looks(flow: Flow, files: BotFiles, kind: type[Adapter] | Adapter) -> Iterator[Look]:
    """Every fixed text of the flow on a channel."""
    known = {"bot.name": files.config.bot.name, "persona.name": files.persona.name}
    for specimen in specimens(flow, _texts(files), known):
        parts = fit(specimen.reply, kind.capabilities)
        rendered = tuple(kind.render(part) for part in parts)
        told = [warning for part in rendered for warning in part.warnings]
        yield Look(
            specimen, rendered, (*_degraded(specimen.reply, parts, kind.capabilities), *dict.fromkeys(told))
        )


def warnings(files: BotFiles, adapters: Mapping[str, Adapter]) -> Iterator[Finding]:
    """What does not fit on a configured channel, at its place in the flow."""
    for flow in files.flows.flows.values():
        document = files.documents[flow.file]
        for name, adapter in adapters.items():
            for look in looks(flow, files, adapter):
                for warning in look.warnings:
                    problem = document.problem(look.specimen.place, f"on the channel {name} {warning}")
                    yield Finding("warning", problem)


def _texts(files: BotFiles) -> Mapping[str, str]:
    return {key: texts.text(key, files.config.bot.locale, files.persona.texts) for key in _SHARED}


def _degraded(reply: Reply, parts: tuple[Reply, ...], able: Capabilities) -> Iterator[str]:
    if len(parts) > 1:
        yield f"this is sent in {len(parts)} messages, because it is longer than one may be"
    shown = parts[-1].choices
    if able.buttons and reply.choices and not shown:
        most = (
            f"more than {able.button_limit}"
            if able.button_limit and len(reply.choices) > able.button_limit
            else ""
        )
        longest = max(reply.choices, key=lambda button: len(button.label)).label
        why = most or f"{longest!r} has more than {able.label_limit} characters"
        yield f"the buttons become numbered choices: {why}"


# --- supportbot preview --------------------------------------------------------------------------------------


def preview(config: Path, name: str, channel: str, locale: str, *, as_json: bool) -> int:
    files = load(config, env=os.environ)
    flow = files.flows.flows.get(name)
    if flow is None:
        raise UsageError(f"there is no flow {name!r}; there are {', '.join(sorted(files.flows.flows))}")
    found = [
        look
        for look in looks(flow, files, _kind(files, channel))
        if not locale or look.specimen.locale in (locale, "")
    ]
    if as_json:
        typer.echo(json.dumps([_plain(look) for look in found], ensure_ascii=False))
        return 0
    for look in found:
        _show(look)
    if not found:
        typer.echo(f"the flow {name} says nothing in fixed words{f' in {locale}' if locale else ''}")
    return 0


def _kind(files: BotFiles, channel: str) -> type[Adapter] | Adapter:
    """The configured channel of that name, else the type of channel, which needs no account to be looked at."""
    if channel in files.config.channels:
        return assembly.adapters(files)[channel]
    return channels.load(channel)


def _show(look: Look) -> None:
    specimen = look.specimen
    place = ".".join(str(step) for step in specimen.place[:-1])
    typer.echo(f"── {specimen.kind} ({place}{f', {specimen.locale}' if specimen.locale else ''})")
    for part in look.parts:
        typer.echo(part.text)
        typer.echo("")
    for warning in look.warnings:
        typer.echo(f"   ! {warning}")


def _plain(look: Look) -> dict[str, object]:
    return {
        "place": list(look.specimen.place),
        "locale": look.specimen.locale,
        "messages": [{"text": part.text, "requests": [dict(one) for one in part.requests]} for part in look.parts],
        "warnings": list(look.warnings),
    }
