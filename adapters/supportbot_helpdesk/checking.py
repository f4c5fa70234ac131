"""Tries a mapping without a helpdesk: its samples must become what they expect, and every request must be writable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from supportbot import ConfigError
from supportbot_helpdesk.inbound import (
    MESSAGES,
    Delivery,
    Happened,
    Unreadable,
    conversation_of,
    happened,
    is_ours,
    opened,
    search,
    text_of,
)
from supportbot_helpdesk.mapping import HelpdeskMapping, Requests, Sample
from supportbot_helpdesk.outbound import blank
from supportbot_helpdesk.reading import preset, presets, read
from supportbot_helpdesk.requests import Unwritable, credentials, found, written

TEXT_LIMIT = 20_000


def try_mapping(path_or_preset: str | Path) -> list[str]:
    """What is wrong with a mapping file or preset, a sentence each; [] if nothing is."""
    try:
        named = isinstance(path_or_preset, str) and path_or_preset in presets()
        mapping = preset(str(path_or_preset)) if named else read(Path(path_or_preset))
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return findings(mapping)


def findings(mapping: HelpdeskMapping) -> list[str]:
    """The same for a mapping that was read."""
    options = {name: text_of(rule.sample) for name, rule in mapping.options.items()}
    told = [
        f"sample {sample.name!r}: {problem}"
        for sample in mapping.samples
        for problem in _tried(mapping, sample, options)
    ]
    told += [f"the request {problem}" for problem in _unwritable(mapping, options)]
    if not mapping.samples:
        told.append("there are no `samples`, so nothing shows that what arrives is understood")
    return told


def _tried(mapping: HelpdeskMapping, sample: Sample, options: Mapping[str, str]) -> Iterator[str]:
    headers = {name.lower(): value for name, value in sample.headers.items()}
    try:
        delivery = opened(mapping, options, json.dumps(sample.body).encode(), headers, sample.query)
        if delivery.rule is not None and delivery.rule.look is not None:
            values = {**blank(), **delivery.root, "ticket": conversation_of(mapping, delivery)}
            written(mapping, delivery.rule.look, values, "look")
            looked = found(delivery.rule.look, values, {"body": sample.answer, "headers": {}})
            delivery = replace(delivery, root={**delivery.root, **looked})
        ours = is_ours(mapping, delivery.root)
        came = () if ours else happened(mapping, delivery, text_limit=TEXT_LIMIT)
    except (Unreadable, Unwritable) as error:
        yield str(error)
        return
    words = ("ours",) if ours and delivery.rule else tuple(one.word for one in came) or ("ignore",)
    if words != sample.expect.is_:
        yield f"it is {' and '.join(words)}, but {' and '.join(sample.expect.is_)} was expected"
    elif came:
        yield from _differences(came[0], sample)
    if any(one.word not in MESSAGES for one in came) and not _known_again(mapping, delivery):
        yield "neither `fields.id` nor `delivery` gives an id, so the same change is taken for a repeat the next time"


def _known_again(mapping: HelpdeskMapping, delivery: Delivery) -> bool:
    """Whether a change can be told from the same change later."""
    own = delivery.rule.fields if delivery.rule else mapping.fields
    given = (search(own.id or mapping.fields.id, delivery.root), search(mapping.delivery, delivery.root))
    return any(map(text_of, given))


def _differences(one: Happened, sample: Sample) -> Iterator[str]:
    given: dict[str, Any] = {
        "conversation": one.conversation,
        "id": one.id,
        "text": one.text,
        "author": one.author.id,
        "agent": one.agent.id,
    }
    for name, value in given.items():
        wanted = getattr(sample.expect, name)
        if wanted is not None and text_of(wanted) != value:
            yield f"its {name} is {_short(value)}, but {_short(text_of(wanted))} was expected"
    files = tuple(file.name for file in one.files)
    if sample.expect.files is not None and files != sample.expect.files:
        yield f"its files are {list(files)}, but {list(sample.expect.files)} were expected"


def _unwritable(mapping: HelpdeskMapping, options: Mapping[str, str]) -> Iterator[str]:
    """Requests whose templates fail with plain values, such as a name that does not exist."""
    values = blank()
    texts = {name: "1" for name, value in values.items() if value == ""}
    handoff = {**values["handoff"], "id": "h_1"}
    values |= {**texts, "options": dict(options), "customer": {"id": "u-1", "name": "Ada"}, "handoff": handoff}
    for name in Requests.model_fields:
        request = getattr(mapping.requests, name)
        if request is None:
            continue
        try:
            written(mapping, request, values, f"requests.{name}")
            credentials(request.auth or mapping.auth, values)
        except Unwritable as error:
            yield f"`{name}` cannot be written: {error}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
