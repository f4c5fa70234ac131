"""All desks of a bot: what the config says of them, the senders of the outbox, and the way from an act to the inbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from supportbot import consoledesk
from supportbot.changes import Changes
from supportbot.config import BotFiles
from supportbot.config.settings import DeskSettings
from supportbot.consoledesk import ConsoleDesk
from supportbot.dialogue.stepkinds import HandOver
from supportbot.engine.terms import CONTACT, RETURN, WAIT, AgentTerms, DeskTerms, HandoffTerms
from supportbot.errors import ConfigError, Problem, StoreBusy, UsageError
from supportbot.handofffiles import compile_hours, compile_rules
from supportbot.protocols import Adapter, Desk, Store
from supportbot.types import Act, ActKind, Event, Message, MessageKind

CHANNEL = "@desk."
"""Begins the name under which the outbox knows a desk."""
_KINDS: Mapping[ActKind, MessageKind] = {
    "claim": "handoff.claimed",
    "release": "handoff.released",
    "message": "human.message",
    "note": "human.note",
    "transfer": "handoff.transferred",
    "return": "handoff.returned",
    "resolve": "handoff.resolved",
}


def desks(files: BotFiles, adapters: Mapping[str, Adapter], changes: Changes | None = None) -> dict[str, Desk]:
    """The desks by name; `changes` is told of what comes to those in the console. ConfigError has what is wrong in each
    of them, with its place."""
    problems = [*_crossed(files), *_of_console(files)]
    made: dict[str, Desk] = {}
    for name, one in files.config.desks.items():
        adapter = adapters.get(one.channel)
        options = {key: value for key, value in one.options.items() if value is not None}
        try:
            if one.channel == consoledesk.CHANNEL:
                made[name] = ConsoleDesk(name, options, changes or Changes())
            elif adapter is not None:
                made[name] = adapter.desk(name, options)
            else:
                problems.append(files.problem(("desks", name, "channel"), f"there is no channel {one.channel!r}"))
        except UsageError as error:
            problems.append(_desk_problem(files, name, one, str(error)))
    if problems:
        raise ConfigError(problems)
    return made


def _crossed(files: BotFiles) -> Iterator[Problem]:
    """Names that belong to nothing."""
    config = files.config
    handoff = config.handoff
    if handoff.contact is not None and handoff.contact not in files.flows.flows:
        yield files.problem(("handoff", "contact"), f"there is no flow {handoff.contact!r}")
    for at, rule in enumerate(handoff.rules):
        if rule.desk and rule.desk not in config.desks:
            yield files.problem(("handoff", "rules", at, "desk"), f"there is no desk {rule.desk!r}")
    for flow in files.flows.flows.values():
        for place, step in flow.places.items():
            if isinstance(step, HandOver) and step.desk and step.desk not in config.desks:
                keys = ("steps", *place, "handoff", "desk")
                yield files.documents[flow.file].problem(keys, f"there is no desk {step.desk!r}")
    for name, desk in config.desks.items():
        if desk.otherwise not in (WAIT, CONTACT, RETURN, *config.desks) or desk.otherwise == name:
            known = ", ".join((WAIT, CONTACT, RETURN, *(other for other in config.desks if other != name)))
            yield files.problem(("desks", name, "otherwise"), f"must be one of {known}")
        if desk.otherwise == CONTACT and handoff.contact is None:
            yield files.problem(
                ("desks", name, "otherwise"), "contact needs handoff.contact, the flow that asks for one"
            )
        if desk.assign != "claim" and not desk.agents:
            yield files.problem(("desks", name, "assign"), f"{desk.assign} needs `agents` to choose from")


def _of_console(files: BotFiles) -> Iterator[Problem]:
    """What stands in the way of desks in the console."""
    config, name = files.config, consoledesk.CHANNEL
    if name in config.channels:
        why = "the name console is the built-in console's: give this channel another name"
        yield files.problem(("channels", name), why, key=True)
    for desk, one in config.desks.items():
        if one.channel != name:
            continue
        if not config.console.enabled:
            yield files.problem(("desks", desk, "channel"), "there is no console: console.enabled is false")
        for agent, settings in one.agents.items():
            if settings.id != settings.id.strip().casefold():
                place = ("desks", desk, "agents", agent, "id")
                yield files.problem(place, "the id of an agent in the console is their login, in small letters")


def _desk_problem(files: BotFiles, name: str, desk: DeskSettings, sentence: str) -> Problem:
    """The sentence at the key that it begins with."""
    key = sentence.partition(" ")[0].partition(":")[0].removeprefix(f"desks.{name}.").partition("[")[0]
    return files.problem(("desks", name, key if key in desk.options else "channel"), sentence)


def terms(files: BotFiles, adapters: Mapping[str, Adapter]) -> HandoffTerms:
    """What the engine must know."""
    handoff = files.config.handoff
    hours = compile_hours(handoff.hours) if handoff.hours is not None else None
    return HandoffTerms(
        deadline=handoff.deadline,
        ceiling=handoff.ceiling,
        answer=handoff.answer,
        reopen=handoff.reopen,
        rating=handoff.rating,
        contact=handoff.contact or "",
        brief=handoff.brief,
        hours=hours,
        rules=compile_rules(handoff.rules),
        desks=tuple(
            DeskTerms(
                name=name,
                tags=desk.tags,
                languages=tuple(language.partition("-")[0] for language in desk.languages),
                channels=desk.channels,
                hours=compile_hours(desk.hours) if desk.hours is not None else hours,
                deadline=handoff.deadline if desk.deadline is None else desk.deadline,
                otherwise=desk.otherwise,
                order="" if desk.assign == "claim" else desk.assign,
                agents=tuple(
                    AgentTerms(one.id, agent, tuple(_base(it) for it in one.languages), one.tags, one.capacity)
                    for agent, one in desk.agents.items()
                ),
                told=dict(desk.told),
            )
            for name, desk in files.config.desks.items()
        ),
        own=frozenset(name for name, adapter in adapters.items() if adapter.capabilities.humans),
    )


def _base(locale: str) -> str:
    return locale.partition("-")[0].partition("_")[0]


async def message(store: Store, desk: str, act: Act) -> Message | None:
    """The act as a message to the customer's conversation; None if no handoff stands there.

    Raises StoreBusy while one is on its way to the desk whose place is not known yet.
    """
    found = await store.placed(desk, place=act.place, handoff=act.handoff)
    if found is None:
        if act.place and await store.unplaced(CHANNEL + desk):
            raise StoreBusy("a handoff is on its way to this desk; try again in a moment")
        return None
    data: dict[str, Any] = {"handoff": found.handoff}
    if act.to:
        data["to"] = act.to
    return Message(
        found.address,
        f"desk.{desk}.{act.id}",
        act.agent,
        act.text,
        _KINDS[act.kind],
        event=Event(act.kind, data),
        attachments=act.attachments,
        via=desk,
        shown=act.shown,
    )
