"""The owner's rules for when a human is called.

1. Rules are judged in order; the first whose conditions all hold decides.
2. A rule is judged "before" the bot answers, unless it has a condition that only the answer settles (how often it did
   not understand, what the answer rests on): then "after".
3. A `when` that cannot be computed does not hold, and is told as a problem; nothing here raises.
4. A verdict explains itself: a sentence for the human, and plain facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from supportbot.anger import ENOUGH, Anger, anger
from supportbot.consent import in_sight
from supportbot.dialogue.compute import Node
from supportbot.dialogue.expr import Expr, ExprError, compile_expr
from supportbot.dialogue.values import plain
from supportbot.dialogue.wording import base
from supportbot.heard import Heard, Phrases, is_repeat, phrase
from supportbot.types import Priority

Phase = Literal["before", "after"]

NAMES: Mapping[str, tuple[str, ...] | None] = {
    "text": (),
    "money": (),
    "slots": None,
    "user": ("id", "name"),
    "identity": ("customer", "name", "verified", "claims"),
    "channel": (),
    "locale": (),
    "turns": (),
    "tags": None,
    "today": (),
}
"""What a `when` may read, with the parts of each: () has none, None any."""

_SHOWN = 3  # findings told of one condition
_LONG = 60


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be judged; a condition that is not given holds. `words` and `say`: language -> …, "" is any.

    `misunderstood` and `unsourced` hold from that many in a row on, `confidence_below` for a lower score of the best
    article. `customers` are ids, of the channel's user or of the proven customer.
    """

    name: str
    words: Mapping[str, Phrases] = field(default_factory=dict)
    anger: bool = False
    when: Expr | None = None
    customers: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    misunderstood: int | None = None
    unsourced: int | None = None
    confidence_below: float | None = None
    priority: Priority = "normal"
    tags: tuple[str, ...] = ()
    desk: str = ""
    say: Mapping[str, str] = field(default_factory=dict)

    @property
    def phase(self) -> Phase:
        late = (self.misunderstood, self.unsourced, self.confidence_below)
        return "before" if all(limit is None for limit in late) else "after"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules are judged by. `text` is what the customer wrote in this turn, `turns` how often they have written.

    `identity` has customer, name, verified and claims; customer is "" or missing while nothing is proven. `confidence`
    is the best article's score (0 to 1) in this turn's search, None if there was none. `today` is an ISO date where
    the bot is at home, "" if unknown.
    """

    text: str
    locale: str = ""
    channel: str = ""
    user_id: str = ""
    user_name: str = ""
    identity: Mapping[str, Any] = field(default_factory=dict)
    slots: Mapping[str, Any] = field(default_factory=dict)
    misunderstood: int = 0
    unsourced: int = 0
    confidence: float | None = None
    turns: int = 0
    tags: tuple[str, ...] = ()
    today: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A human is called because of `rule`.

    `reason` is one English sentence for the human, with a customer's words as data: every sign in sight, but no markup
    escaped. `cause` is {"rule", "because": [{"condition", "found" or "value", "limit"?}]}. `say` is empty for the
    standard notice; a language that is missing from it means the standard one too.
    """

    rule: str
    reason: str
    cause: Mapping[str, Any]
    tags: tuple[str, ...] = ()
    priority: Priority = "normal"
    desk: str = ""
    say: Mapping[str, str] = field(default_factory=dict)


class Judged(NamedTuple):
    """The verdict, if a rule holds, and a sentence for each `when` that could not be computed."""

    verdict: Verdict | None
    problems: tuple[str, ...]


def judge(rules: Sequence[Rule], facts: Facts, phase: Phase) -> Judged:
    """What the rules of this phase come to."""
    case = _Case(facts)
    problems = []
    for rule in rules:
        if rule.phase != phase:
            continue
        try:
            because = _because(rule, case)
        except _BROKEN as error:
            problems.append(f"Rule `{rule.name}`: its `when` could not be computed: {_failure(error)}.")
            continue
        if because is not None:
            return Judged(_verdict(rule, because), tuple(problems))
    return Judged(None, tuple(problems))


def compile_words(words: Mapping[str, Sequence[str]]) -> Mapping[str, Phrases]:
    """The phrases ready to be looked for. Raises ValueError for one that cannot be."""
    return {locale: Phrases(tuple(phrase(text) for text in texts)) for locale, texts in words.items()}


def compile_when(text: str) -> Expr:
    """The condition. Raises ExprError (a ValueError) with the column of what cannot be read or is not known."""
    expr = compile_expr(text)
    for path in _reads(expr.root):
        _check(path)
    return expr


# --- what a `when` reads -------------------------------------------------------------------------------------


def _reads(node: Node) -> Iterator[tuple[Node, ...]]:
    """Each name in it, with the parts of it that are written out: `identity.claims.tier` is three nodes."""
    path = _path(node)
    if path:
        yield path
        return
    for part in node.parts:
        yield from _reads(part)


def _path(node: Node) -> tuple[Node, ...]:
    if node.kind == "name":
        return (node,)
    if node.kind == "item" and node.parts[1].kind == "literal":
        inside = _path(node.parts[0])
        return (*inside, node.parts[1]) if inside else ()
    return ()


def _check(path: Sequence[Node]) -> None:
    name, inside = path[0], path[1:]
    if name.value not in NAMES:
        known = f"known are {', '.join(NAMES)}; a slot is written slots.{name.value}"
        raise ExprError(f"`{name.value}` is not known here; {known}", name.column)
    parts = NAMES[name.value]
    if not inside or parts is None or inside[0].value in parts:
        return
    if not parts:
        raise ExprError(f"`{name.value}` has no parts", inside[0].column)
    known = ", ".join(f"{name.value}.{part}" for part in parts)
    raise ExprError(f"`{name.value}.{inside[0].value}` is not known here; there are {known}", inside[0].column)


# --- judging -------------------------------------------------------------------------------------------------

_BROKEN = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""What computing an expression can raise: ExprError, and what odd values in slots and claims lead to."""


class _Case:
    """The facts, and what is read out of them once for all rules."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.heard = Heard(facts.text)
        self._anger: Anger | None = None

    @property
    def anger(self) -> Anger:
        if self._anger is None:
            self._anger = anger(self.heard)
        return self._anger

    def names(self, expr: Expr) -> dict[str, Any]:
        facts = self.facts
        return {
            "text": facts.text,
            "money": self.heard.money if "money" in expr.names else 0.0,
            "slots": facts.slots,
            "user": {"id": facts.user_id, "name": facts.user_name},
            "identity": facts.identity,
            "channel": facts.channel,
            "locale": facts.locale,
            "turns": facts.turns,
            "tags": list(facts.tags),
            "today": facts.today,
        }


class _Because(NamedTuple):
    """Why a condition holds: a clause of a sentence, and facts."""

    clause: str
    facts: Mapping[str, Any]


def _because(rule: Rule, case: _Case) -> list[_Because] | None:
    """Why each of the rule's conditions holds; None if one of them does not."""
    found = []
    for given, holds in _CONDITIONS:
        if given(rule):
            because = holds(rule, case)
            if because is None:
                return None
            found.append(because)
    return found


def _verdict(rule: Rule, because: Sequence[_Because]) -> Verdict:
    reason = f"Rule `{rule.name}`: {', and '.join(each.clause for each in because)}."
    cause = {"rule": rule.name, "because": [dict(each.facts) for each in because]}
    return Verdict(rule.name, reason, cause, rule.tags, rule.priority, rule.desk, rule.say)


def _on_channel(rule: Rule, case: _Case) -> _Because | None:
    channel = case.facts.channel
    if channel not in rule.channels:
        return None
    return _Because(f"the channel is {channel}", {"condition": "channels", "found": channel})


def _of_customer(rule: Rule, case: _Case) -> _Because | None:
    ids = (case.facts.user_id, str(case.facts.identity.get("customer") or ""))
    found = next((id for id in ids if id and id in rule.customers), None)
    if found is None:
        return None
    return _Because(f"the customer is {in_sight(found)}", {"condition": "customers", "found": found})


def _in_words(rule: Rule, case: _Case) -> _Because | None:
    heard = case.heard
    found = {
        heard.quote(place, place + len(entry.words) - 1): None
        for phrases in _spoken(rule.words, case.facts.locale)
        for place, entry in phrases.find(heard.words)
    }
    if not found:
        return None
    told = list(found)[:_SHOWN]
    quoted = ", ".join(f"“{words}”" for words in told)
    return _Because(f"the customer wrote {quoted}", {"condition": "words", "found": told})


def _spoken(words: Mapping[str, Phrases], locale: str) -> Iterator[Phrases]:
    """The lists for all, the customer's language and English; every one if there is none for the customer's language."""
    wanted = {base(locale), "en", ""}
    every = not locale or not any(base(key) in (base(locale), "") for key in words)
    yield from (phrases for key, phrases in words.items() if every or base(key) in wanted)


def _angry(_rule: Rule, case: _Case) -> _Because | None:
    if not case.anger.enough:
        return None
    shown = ", ".join(case.anger.found[:_SHOWN])
    facts = {"condition": "anger", "found": list(case.anger.found), "value": case.anger.points, "limit": ENOUGH}
    return _Because(f"the customer sounds angry ({shown})", facts)


def _when(rule: Rule, case: _Case) -> _Because | None:
    expr = rule.when
    if expr is None:
        return None
    names = case.names(expr)
    if not expr.evaluate(names):
        return None
    values = dict(_values(expr, names))
    told = ", ".join(f"{name} is {_short(value)}" for name, value in values.items())
    facts = {"condition": "when", "value": expr.text, "found": values}
    return _Because(f"`{expr.text}` holds{f' ({told})' if told else ''}", facts)


def _values(expr: Expr, names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What the condition has read; the message itself stands in the transcript."""
    for path in _reads(expr.root):
        value: Any = names
        for part in path:
            value = value.get(part.value) if isinstance(value, Mapping) else None
        if path[0].value != "text" and not isinstance(value, Mapping):
            yield ".".join(str(part.value) for part in path), plain(value)


def _short(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else str(value)
    return in_sight(text if len(text) <= _LONG else text[: _LONG - 1] + "…")


def _not_understood(rule: Rule, case: _Case) -> _Because | None:
    count = case.facts.misunderstood
    if rule.misunderstood is None or count < rule.misunderstood:
        return None
    clause = f"the bot did not understand the customer {_times(count)}"
    return _Because(clause, {"condition": "misunderstood", "value": count, "limit": rule.misunderstood})


def _without_source(rule: Rule, case: _Case) -> _Because | None:
    count = case.facts.unsourced
    if rule.unsourced is None or count < rule.unsourced:
        return None
    answers = f"the bot's last {count} answers rest" if count > 1 else "the bot's last answer rests"
    clause = f"{answers} on no article, tool or flow"
    return _Because(clause, {"condition": "unsourced", "value": count, "limit": rule.unsourced})


def _unsure(rule: Rule, case: _Case) -> _Because | None:
    score, limit = case.facts.confidence, rule.confidence_below
    if limit is None or score is None or not score < limit:
        return None
    clause = f"the best article's score is {score:.2f}, below {limit:g}"
    return _Because(clause, {"condition": "confidence_below", "value": round(score, 4), "limit": limit})


_CONDITIONS: Sequence[tuple[Callable[[Rule], Any], Callable[[Rule, _Case], _Because | None]]] = (
    (lambda rule: rule.channels, _on_channel),
    (lambda rule: rule.customers, _of_customer),
    (lambda rule: rule.misunderstood is not None, _not_understood),
    (lambda rule: rule.unsourced is not None, _without_source),
    (lambda rule: rule.confidence_below is not None, _unsure),
    (lambda rule: rule.words, _in_words),
    (lambda rule: rule.anger, _angry),
    (lambda rule: rule.when, _when),
)
"""Whether a rule has the condition, and why it holds; the cheap ones first."""


def _times(count: int) -> str:
    return {1: "once", 2: "twice in a row"}.get(count, f"{count} times in a row")


def _failure(error: Exception) -> str:
    return (
        str(error) if isinstance(error, ExprError) else f"a value in it is of an odd kind ({type(error).__name__})"
    )


__all__ = [
    "NAMES",
    "Facts",
    "Judged",
    "Phase",
    "Rule",
    "Verdict",
    "compile_when",
    "compile_words",
    "is_repeat",
    "judge",
]
