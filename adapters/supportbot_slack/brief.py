"""What a colleague should know, as the first message of a handoff's thread, and all of it as a file if it is long. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from supportbot_slack.blocks import section
from supportbot_slack.card import BLOCK, SUMMARY, Data, Json, button, date, name, notice
from supportbot_slack.mrkdwn import escape, literal, literals

FILE = "transcript.txt"
VALUE = 2_000
"""What a button can carry."""
_NAME, _LINE, _SAID, _SUGGESTION = 150, 500, 800, 2_900
_MOST = {"tried": 1_200, "slots": 2_000, "earlier": 1_200, "transcript": 2_400}
"""How much of each the message shows; all together have to stay below 13,000 characters."""


@dataclass(frozen=True, slots=True)
class Brief:
    """`file` is the content of the file, "" if the message says all."""

    text: str
    blocks: tuple[Json, ...]
    file: str


@dataclass(frozen=True, slots=True)
class _Part:
    title: str
    lines: tuple[str, ...]
    whole: bool = True
    more: tuple[Json, ...] = ()

    def blocks(self) -> Iterator[Json]:
        if self.lines:
            yield section("\n".join([f"*{self.title}*", *self.lines]))
            yield from self.more


def brief(data: Data) -> Brief:
    """The brief of a `handoff.requested` row; without blocks if there is nothing more to know."""
    parts = [part for part in _parts(data) if part.lines]
    summary = data.get("summary")
    whole = all(part.whole for part in parts) and _fits(str(summary or ""), SUMMARY)
    blocks = [block for part in parts for block in part.blocks()]
    if not whole and not blocks:
        blocks = [section(f"All of it is in `{FILE}`.")]
    return Brief(notice(f"About {name(data)}"), tuple(blocks), "" if whole else written(data))


def facts(slots: object, most: int = _MOST["slots"]) -> tuple[str, ...]:
    """Gathered facts as lines of mrkdwn, `most` characters together."""
    return _some("slots", "", _slots(slots), most).lines


def written(data: Data) -> str:
    """The whole brief as plain text."""
    listed = [
        ("Why", [str(data.get("why") or data.get("detail") or "")]),
        ("In short", [str(data.get("summary") or "")]),
        ("Tried", _sentences(data.get("tried"))),
        ("Known", [f"{key}: {value}" for key, value in _slots(data.get("slots"))]),
        (
            "Earlier",
            [" · ".join(part for part in line if part) for line in _earlier(data.get("earlier"), plain=True)],
        ),
        ("Suggested answer", [str(data.get("suggestion") or "")]),
        ("Conversation", [f"{who}: {text}" for who, text in _said(data)]),
    ]
    parts = ["\n".join((title, "=" * len(title), *lines)) for title, lines in listed if any(lines)]
    return "\n\n".join(parts) + "\n"


def _parts(data: Data) -> Iterator[_Part]:
    why = data.get("why")
    yield _Part("Why", _only(why if why != data.get("detail") else ""))
    yield _Part("Identity", _only(_identity(data.get("identity"))))
    yield _some("slots", "Decided by", _cause(data), _LINE)
    yield _some("tried", "Tried already", (("", line) for line in _sentences(data.get("tried"))))
    yield _some("slots", "Known", _slots(data.get("slots")))
    earlier = [" · ".join(filter(None, line)) for line in _earlier(data.get("earlier"))]
    shown = tuple(_until(_MOST["earlier"], earlier))
    yield _Part("Earlier", shown, len(shown) == len(earlier))
    yield _transcript(data)
    yield _suggestion(data)


def _some(key: str, title: str, pairs: Iterable[tuple[str, str]], most: int = 0) -> _Part:
    """Lines with bullets, as many as there is room for."""
    listed = list(pairs)
    lines = (
        f"• {literal(label, _LINE)}: {literal(text, _LINE)}" if label else f"• {literal(text, _LINE)}"
        for label, text in listed
    )
    shown = tuple(_until(most or _MOST[key], lines))
    whole = len(shown) == len(listed) and all(_fits(text, _LINE) for _, text in listed)
    if len(shown) < len(listed):
        shown = (*shown, f"… and {len(listed) - len(shown)} more")
    return _Part(title, shown, whole)


def _until(most: int, lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        most -= len(line) + 1
        if most < 0:
            return
        yield line


def _fits(text: str, most: int) -> bool:
    return sum(map(len, literals(text))) <= most


def _transcript(data: Data) -> _Part:
    """The end of the conversation, all of it if it is short."""
    listed = list(_said(data))
    lines = [f"*{literal(who, _NAME) or '…'}*: {literal(text, _SAID)}" for who, text in listed]
    last = tuple(_until(_MOST["transcript"], reversed(lines)))[::-1]
    whole = len(last) == len(lines) and all(_fits(text, _SAID) for _, text in listed)
    before = () if len(last) == len(lines) else (f"… {len(lines) - len(last)} more before this, in `{FILE}`",)
    return _Part("Conversation", (*before, *last), whole)


def _suggestion(data: Data) -> _Part:
    """The answer that somebody may send, by a button if it can carry all of it."""
    text = str(data.get("suggestion") or "")
    shown = literal(text, _SUGGESTION)
    whole = _fits(text, _SUGGESTION)
    row: Json = {
        "type": "actions",
        "block_id": f"{BLOCK}:{str(data.get('handoff') or '')[:200]}",
        "elements": [button("suggestion", text, "Send this answer")],
    }
    return _Part(
        "Suggested answer", _only(shown, raw=True), whole, (row,) if whole and 0 < len(text) <= VALUE else ()
    )


def _only(text: object, *, raw: bool = False) -> tuple[str, ...]:
    shown = str(text or "") if raw else literal(str(text or ""), _LINE)
    return (shown,) if shown.strip() else ()


def _identity(found: object) -> str:
    if not isinstance(found, Mapping) or not (found.get("name") or found.get("customer")):
        return ""
    known = ", ".join(str(found[key]) for key in ("name", "customer") if found.get(key))
    return f"{known} ({'proven' if found.get('verified') is True else 'not proven'})"


def _cause(data: Data) -> list[tuple[str, str]]:
    """What explains the decision, beside the reason's name."""
    return [
        (key, value) for key, value in _slots(data.get("cause")) if (key, value) != ("reason", data.get("reason"))
    ]


def _sentences(found: object) -> list[str]:
    return [str(one) for one in found] if isinstance(found, Sequence) and not isinstance(found, str) else []


def _slots(found: object) -> Iterator[tuple[str, str]]:
    for key, value in found.items() if isinstance(found, Mapping) else ():
        yield str(key), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _earlier(found: object, *, plain: bool = False) -> Iterator[tuple[str, ...]]:
    """The fields of each earlier conversation, as text or as mrkdwn."""
    for one in found if isinstance(found, Sequence) and not isinstance(found, str) else ():
        if isinstance(one, Mapping):
            at = date(one.get("at"))
            told = [str(one.get(key) or "") for key in ("channel", "summary", "outcome")]
            if plain:
                yield (at.rpartition("|")[2].rstrip(">"), *told)
            else:
                yield (f"• {at}", *(literal(text, _LINE // 2) for text in told))


def _said(data: Data) -> Iterator[tuple[str, str]]:
    """(who, text) of each message."""
    listed = data.get("transcript")
    for one in listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ():
        if isinstance(one, Mapping):
            role = str(one.get("role") or "")
            spoken = {"user": "Customer", "assistant": "Bot"}.get(role, role)
            yield str(one.get("name") or spoken), str(one.get("text") or "")


def fallback(blocks: Sequence[Mapping[str, object]]) -> str:
    """What blocks say, as escaped text without formatting, for when Slack does not take them."""
    words = [text for block in blocks for text in _texts(block)]
    return "\n\n".join(words) or escape("…")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if value.get("type") == "mrkdwn":
            yield str(value.get("text"))
        elif value.get("type") != "actions":
            for inner in value.values():
                yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
