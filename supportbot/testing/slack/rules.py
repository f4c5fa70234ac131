"""What Slack refuses in a message: lengths of texts, and Block Kit as its reference pages describe it. Pure.

`refusal` gives the error that Slack answers with. Limits: docs.slack.dev/reference/block-kit and /reference/methods.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

POST_TEXT = 40_000  # chat.postMessage cuts a longer text and says so in a warning
UPDATE_TEXT = 4_000
MARKDOWN = 12_000
BLOCKS = 50
ALL_BLOCKS = 13_000  # found by its users (bolt-js issue 2509), not in the reference


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


# What may stand in a message; those without a rule below are only looked at from outside.
_KNOWN_BLOCKS = _set(
    "actions alert call card carousel container context context_actions data_table divider file header image input "
    "markdown plan rich_text section table task_card video"
)
_IN_ACTIONS = _set(
    "button checkboxes channels_select conversations_select datepicker datetimepicker external_select overflow "
    "radio_buttons static_select timepicker users_select workflow_button"
)
_IN_SECTION = _IN_ACTIONS | _set(
    "image multi_channels_select multi_conversations_select multi_external_select multi_static_select "
    "multi_users_select"
)
_FIELDS: Mapping[str, frozenset[str]] = {
    "section": _set("text fields accessory expand"),
    "header": _set("text level"),
    "divider": _set(""),
    "actions": _set("elements"),
    "context": _set("elements"),
    "image": _set("image_url slack_file alt_text title"),
    "markdown": _set("text"),
}
_BUTTON = _set("type text action_id url value style confirm accessibility_label agent_prompt")
_SELECT = _set("type placeholder action_id options option_groups initial_option confirm focus_on_load")
Problems = Iterator[str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer with ok:false; `messages` is what stands in its response_metadata."""

    error: str
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer of a rate limit: come back after so many seconds."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Content:
    """What a message says. A text that was too long for Slack is cut, and `cut` says so."""

    text: str = ""
    blocks: tuple[dict[str, Any], ...] = ()
    markdown: str = ""
    cut: bool = False


def content(params: Mapping[str, Any], *, longest: int = POST_TEXT, cuts: bool = False) -> Content | Refusal:
    """The content of a posting method's parameters, or why Slack refuses it."""
    text, markdown = str(params.get("text") or ""), str(params.get("markdown_text") or "")
    blocks = from_json(params.get("blocks"))
    if blocks is None:
        blocks = []
    if not isinstance(blocks, list):
        return Refusal("invalid_blocks_format")
    if markdown and (text or blocks):
        return Refusal("markdown_text_conflict")
    if not (text.strip() or markdown.strip() or blocks or params.get("attachments")):
        return Refusal("no_text")
    if len(markdown) > MARKDOWN or (len(text) > longest and not cuts):
        return Refusal("msg_too_long")
    return refusal(blocks) or Content(text[:longest], tuple(blocks), markdown, len(text) > longest)


def from_json(value: Any) -> Any:
    """A parameter that forms carry as JSON text; the text itself if it is none."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def refusal(blocks: Sequence[Any]) -> Refusal | None:
    """Why Slack refuses these blocks, None if it takes them."""
    found = tuple(_blocks(blocks))
    if found:
        return Refusal("invalid_blocks", tuple(f"[ERROR] {problem}" for problem in found[:10]))
    if sum(_letters(blocks)) > ALL_BLOCKS:
        return Refusal("msg_blocks_too_long")
    return None


def _letters(value: Any) -> Iterator[int]:
    """The lengths of all texts inside blocks."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("text", "alt_text") and isinstance(inner, str):
                yield len(inner)
            else:
                yield from _letters(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from _letters(inner)


def _blocks(blocks: Sequence[Any]) -> Problems:
    if len(blocks) > BLOCKS:
        yield f"no more than {BLOCKS} items allowed [json-pointer:/blocks]"
    ids: set[str] = set()
    for at, block in enumerate(blocks):
        where = f"/blocks/{at}"
        kind = block.get("type") if isinstance(block, Mapping) else None
        if kind not in _KNOWN_BLOCKS:
            yield f"unsupported type: {kind} [json-pointer:{where}/type]"
            continue
        yield from _words(block, where, "block_id", 255, needed=False)
        id = block.get("block_id")
        if id is not None and id in ids:
            yield f"block_id {id} already exists [json-pointer:{where}/block_id]"
        ids.add(str(id))
        if kind in _RULES:
            yield from _no_other(block, where, _FIELDS[kind] | {"type", "block_id"})
            yield from _RULES[kind](block, where)
    whole = sum(len(str(block.get("text"))) for block in blocks if _kind(block) == "markdown")
    if whole > MARKDOWN:
        yield f"markdown blocks must be less than {MARKDOWN + 1} characters together [json-pointer:/blocks]"


def _section(block: Mapping[str, Any], where: str) -> Problems:
    fields = block.get("fields")
    if "text" not in block and fields is None:
        yield f"missing required field: text [json-pointer:{where}]"
    if "text" in block:
        yield from _text(block["text"], f"{where}/text", 3000)
    if fields is not None:
        yield from _count(fields, f"{where}/fields", 10)
        for at, one in enumerate(fields if isinstance(fields, list) else ()):
            yield from _text(one, f"{where}/fields/{at}", 2000)
    if "accessory" in block:
        yield from _element(block["accessory"], f"{where}/accessory", _IN_SECTION)


def _header(block: Mapping[str, Any], where: str) -> Problems:
    yield from _text(block.get("text"), f"{where}/text", 150, plain=True)


def _divider(block: Mapping[str, Any], where: str) -> Problems:
    yield from ()


def _actions(block: Mapping[str, Any], where: str) -> Problems:
    elements = block.get("elements")
    yield from _count(elements, f"{where}/elements", 25)
    seen: set[Any] = set()
    for at, element in enumerate(elements if isinstance(elements, list) else ()):
        yield from _element(element, f"{where}/elements/{at}", _IN_ACTIONS)
        id = element.get("action_id") if isinstance(element, Mapping) else None
        if id is not None and id in seen:
            yield f"action_id {id} already exists [json-pointer:{where}/elements/{at}/action_id]"
        seen.add(id)


def _context(block: Mapping[str, Any], where: str) -> Problems:
    elements = block.get("elements")
    yield from _count(elements, f"{where}/elements", 10)
    for at, element in enumerate(elements if isinstance(elements, list) else ()):
        if _kind(element) == "image":
            yield from _image(element, f"{where}/elements/{at}")
        else:
            yield from _text(element, f"{where}/elements/{at}", 3000)


def _image(block: Mapping[str, Any], where: str) -> Problems:
    if ("image_url" in block) == ("slack_file" in block):
        yield f"must provide one of image_url and slack_file [json-pointer:{where}]"
    yield from _words(block, where, "image_url", 3000, needed=False)
    yield from _words(block, where, "alt_text", 2000)
    if "title" in block:
        yield from _text(block["title"], f"{where}/title", 2000, plain=True)


def _markdown(block: Mapping[str, Any], where: str) -> Problems:
    yield from _words(block, where, "text", MARKDOWN)


def _element(element: Any, where: str, allowed: frozenset[str]) -> Problems:
    kind = _kind(element)
    if kind not in allowed:
        yield f"unsupported type: {kind} [json-pointer:{where}/type]"
        return
    yield from _words(element, where, "action_id", 255, needed=False)
    if kind == "button":
        yield from _button(element, where)
    elif kind == "image":
        yield from _image(element, where)
    elif kind == "static_select":
        yield from _select(element, where)
    elif kind == "overflow":
        yield from _options(element.get("options"), f"{where}/options", 5)


def _button(element: Mapping[str, Any], where: str) -> Problems:
    yield from _no_other(element, where, _BUTTON)
    yield from _text(element.get("text"), f"{where}/text", 75, plain=True)
    yield from _words(element, where, "value", 2000, needed=False)
    yield from _words(element, where, "url", 3000, needed=False)
    yield from _words(element, where, "accessibility_label", 75, needed=False)
    if element.get("style") not in (None, "primary", "danger"):
        yield f"must be a valid enum value [json-pointer:{where}/style]"


def _select(element: Mapping[str, Any], where: str) -> Problems:
    yield from _no_other(element, where, _SELECT)
    if "placeholder" in element:
        yield from _text(element["placeholder"], f"{where}/placeholder", 150, plain=True)
    options, groups = element.get("options"), element.get("option_groups")
    if (options is None) == (groups is None):
        yield f"must provide one of options and option_groups [json-pointer:{where}]"
    if options is not None:
        yield from _options(options, f"{where}/options", 100)
        initial = element.get("initial_option")
        if initial is not None and isinstance(options, list) and initial not in options:
            yield f"initial option must match one of the options [json-pointer:{where}/initial_option]"
    if groups is not None:
        yield from _count(groups, f"{where}/option_groups", 100)
        for at, group in enumerate(groups if isinstance(groups, list) else ()):
            inner = group if isinstance(group, Mapping) else {}
            yield from _text(inner.get("label"), f"{where}/option_groups/{at}/label", 75, plain=True)
            yield from _options(inner.get("options"), f"{where}/option_groups/{at}/options", 100)


def _options(options: Any, where: str, most: int) -> Problems:
    yield from _count(options, where, most)
    for at, option in enumerate(options if isinstance(options, list) else ()):
        inner = option if isinstance(option, Mapping) else {}
        yield from _text(inner.get("text"), f"{where}/{at}/text", 75, plain=True)
        yield from _words(inner, f"{where}/{at}", "value", 150)
        if "description" in inner:
            yield from _text(inner["description"], f"{where}/{at}/description", 75, plain=True)


def _text(value: Any, where: str, most: int, *, plain: bool = False) -> Problems:
    """What is wrong with a text object."""
    kind = _kind(value)
    if kind not in (("plain_text",) if plain else ("plain_text", "mrkdwn")):
        yield f"failed to match a text object of a known type, got {kind} [json-pointer:{where}/type]"
        return
    yield from _no_other(
        value, where, frozenset({"type", "text", "emoji" if kind == "plain_text" else "verbatim"})
    )
    yield from _words(value, where, "text", most)


def _words(owner: Mapping[str, Any], where: str, name: str, most: int, *, needed: bool = True) -> Problems:
    value = owner.get(name)
    if name not in owner:
        if needed:
            yield f"missing required field: {name} [json-pointer:{where}]"
    elif not isinstance(value, str):
        yield f"expected a string [json-pointer:{where}/{name}]"
    elif not value:
        yield f"must be more than 0 characters [json-pointer:{where}/{name}]"
    elif len(value) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{where}/{name}]"


def _count(values: Any, where: str, most: int) -> Problems:
    if not isinstance(values, list) or not values:
        yield f"no fewer than 1 items allowed [json-pointer:{where}]"
    elif len(values) > most:
        yield f"no more than {most} items allowed [json-pointer:{where}]"


def _no_other(owner: Mapping[str, Any], where: str, known: frozenset[str]) -> Problems:
    for name in owner:
        if name not in known:
            yield f"invalid additional property: {name} [json-pointer:{where}]"


def _kind(value: Any) -> Any:
    return value.get("type") if isinstance(value, Mapping) else None


_RULES: Mapping[str, Callable[[Mapping[str, Any], str], Problems]] = {
    "section": _section,
    "header": _header,
    "divider": _divider,
    "actions": _actions,
    "context": _context,
    "image": _image,
    "markdown": _markdown,
}
