"""What an operator may write about handoffs: business hours, and rules for when a human is called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sized
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator
from pydantic_core import PydanticCustomError

from supportbot import hours
from supportbot.heard import phrase
from supportbot.hours import WEEKDAYS, Hours, Span
from supportbot.quantities import Whole, amount
from supportbot.shapes import Section, Text, misplaced
from supportbot.triggers import Rule, compile_when, compile_words
from supportbot.types import Priority

_RULE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
_LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
_TAG = re.compile(r"[^\s,]{1,40}\Z")
CLOSED = "closed"
"""In the place of hours: closed on that day."""


# --- hours ---------------------------------------------------------------------------------------------------


def _days(text: str) -> str:
    hours.weekdays(text)
    return text


def _holiday(text: str) -> str:
    hours.calendar_day(text)
    return text


def _special_day(text: str) -> str:
    if not isinstance(hours.calendar_day(text), date):
        raise ValueError(f"'{text}' needs its year, such as 2026-{text}")
    return text


def _listed(value: object) -> object:
    """One span of hours as a list of one."""
    if value == CLOSED:
        return ()
    return value if isinstance(value, list | tuple) else (value,)


def _span(value: object) -> Span:
    if not isinstance(value, str):
        raise ValueError("must be hours such as 09:00-18:00, or closed")
    return hours.span(value)


_SPAN_SCHEMA = {"type": "string", "pattern": r"^\s*\d{1,2}:\d{2}\s*[-–]\s*\d{1,2}:\d{2}\s*$"}
_TIMES_SCHEMA: dict[str, Any] = {
    "anyOf": [_SPAN_SCHEMA, {"type": "array", "items": _SPAN_SCHEMA}, {"const": CLOSED}]
}
OneSpan = Annotated[Span, BeforeValidator(_span)]
Times = Annotated[
    tuple[OneSpan, ...],
    BeforeValidator(_listed),
    AfterValidator(hours.apart),
    WithJsonSchema(_TIMES_SCHEMA),
]


class HoursSettings(Section):
    """When humans work."""

    timezone: Annotated[str, AfterValidator(hours.zone)]
    """Where the clock hangs: the IANA name of a timezone, such as Europe/Berlin."""
    weekly: Annotated[Mapping[Annotated[str, AfterValidator(_days)], Times], Field(min_length=1)]
    """Days -> hours, such as {mon-fri: "09:00-18:00", sat: ["10:00-13:00", "14:00-16:00"]}. A day that is not named is
    closed; "22:00-02:00" goes over midnight."""
    holidays: tuple[Annotated[str, AfterValidator(_holiday)], ...] = ()
    """Days on which it is closed: 2026-12-25, or 12-25 for every year."""
    special: Mapping[Annotated[str, AfterValidator(_special_day)], Times] = Field(default_factory=dict)
    """Days with hours of their own, such as {2026-12-24: "09:00-12:00"}."""

    @field_validator("weekly")
    @classmethod
    def _each_day_once(cls, weekly: Mapping[str, tuple[Span, ...]]) -> Mapping[str, tuple[Span, ...]]:
        keys: dict[int, str] = {}
        for key in weekly:
            for day in hours.weekdays(key):
                if day in keys:
                    raise misplaced(f"{WEEKDAYS[day]} has hours under '{keys[day]}' already", key)
                keys[day] = key
        found = hours.clash(_by_day(weekly))
        if found is not None:
            raise misplaced(found[1], keys[found[0]])
        return weekly

    @model_validator(mode="after")
    def _opens_and_closes(self) -> HoursSettings:
        if not any(self.weekly.values()) and not any(self.special.values()):
            raise misplaced("it is closed on every day: write the hours of at least one", "weekly")
        both = next((day for day in self.special if day in self.holidays), None)
        if both is not None:
            raise misplaced(f"{both} is a holiday and has special hours: keep one of them", "special")
        return self


def compile_hours(settings: HoursSettings) -> Hours:
    """The hours to ask."""
    days = [hours.calendar_day(text) for text in settings.holidays]
    special = {hours.calendar_day(text): spans for text, spans in settings.special.items()}
    return Hours(
        settings.timezone,
        _by_day(settings.weekly),
        frozenset(day for day in days if isinstance(day, date)),
        frozenset(day for day in days if not isinstance(day, date)),
        {day: spans for day, spans in special.items() if isinstance(day, date)},
    )


def _by_day(weekly: Mapping[str, tuple[Span, ...]]) -> tuple[tuple[Span, ...], ...]:
    days: list[tuple[Span, ...]] = [()] * len(WEEKDAYS)
    for key, spans in weekly.items():
        for day in hours.weekdays(key):
            days[day] = spans
    return tuple(days)


# --- rules ---------------------------------------------------------------------------------------------------


def _rule_name(text: str) -> str:
    if not _RULE.match(text):
        raise ValueError("must be a name of small letters, digits, _ and -, at most 64")
    return text


def _locale(text: str) -> str:
    if text and not _LOCALE.match(text):
        raise ValueError(f"'{text[:40]}' is not a language code such as en, de or pt-BR")
    return text


def _phrase(text: str) -> str:
    phrase(text)
    return text


def _per_language(value: object) -> object:
    """{language: [phrases]} of any of the forms; "" stands for all languages."""
    if not isinstance(value, dict):
        return {"": _many(value)}
    return {key: _many(entry) for key, entry in value.items()}


def _many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _some(value: Sized) -> Any:
    """Checked after the entries: an entry that is wrong is told alone."""
    if not value:
        raise ValueError("must not be empty")
    return value


def _one_per_language(value: object) -> object:
    return value if isinstance(value, dict) else {"": value}


def _when(text: str) -> str:
    compile_when(text)
    return text


def _tag(text: str) -> str:
    if not _TAG.match(text):
        raise ValueError("must be one word of at most 40 letters")
    return text


_TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}
_ONE_OR_MORE = [{"type": "string", "minLength": 1}, _TEXTS]
_WORDS_SCHEMA: dict[str, Any] = {
    "anyOf": [
        *_ONE_OR_MORE,
        {"type": "object", "additionalProperties": {"anyOf": _ONE_OR_MORE}, "minProperties": 1},
    ]
}
_SAY_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}, "minProperties": 1},
    ]
}
Language = Annotated[str, AfterValidator(_locale)]
PhraseText = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_phrase)]
PhraseLists = Annotated[
    Mapping[Language, Annotated[tuple[PhraseText, ...], AfterValidator(_some)]],
    AfterValidator(_some),
    BeforeValidator(_per_language),
    WithJsonSchema(_WORDS_SCHEMA),
]
Say = Annotated[
    Mapping[Language, Text], AfterValidator(_some), BeforeValidator(_one_per_language), WithJsonSchema(_SAY_SCHEMA)
]
Share = Annotated[float, BeforeValidator(amount), Field(gt=0, le=1)]
Count = Annotated[Whole, Field(ge=1, le=100)]
Tag = Annotated[str, AfterValidator(_tag)]


class RuleSettings(Section):
    """One rule for when a human is called: all its conditions must hold."""

    name: Annotated[str, AfterValidator(_rule_name)]
    """Its name, in reports and traces: small letters, digits, _ and -."""
    words: PhraseLists | None = None
    """Words and phrases, a list or one per language. Whole words count, whatever their case and accents; smok* stands for
    all words that begin so."""
    anger: bool = False
    """true: the customer sounds angry."""
    misunderstood: Count | None = None
    """Turns in a row in which the bot did not understand the customer."""
    unsourced: Count | None = None
    """Answers in a row that rest on no article, tool or flow."""
    confidence_below: Share | None = None
    """The best article's score in this turn's search, from 0 to 1, is lower."""
    when: Annotated[Text, AfterValidator(_when)] | None = None
    """A condition in the language of flows, such as `money > 500` or `identity.claims.tier == 'gold'`."""
    customers: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Ids of customers, or of users of a channel."""
    channels: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Only on these channels; needs another condition beside it."""
    priority: Priority = "normal"
    """How urgent it is for the humans."""
    tags: tuple[Tag, ...] = ()
    """Tags of the handoff."""
    desk: Text | None = None
    """The desk that it goes to."""
    say: Say | None = None
    """What the customer is told in the place of the standard notice, a text or one per language."""

    @model_validator(mode="after")
    def _has_a_condition(self) -> RuleSettings:
        limits = (self.misunderstood, self.unsourced, self.confidence_below)
        if not (self.words or self.anger or self.when or self.customers) and all(each is None for each in limits):
            known = "words, anger, misunderstood, unsourced, confidence_below, when or customers"
            here = "channels" if self.channels else "name"
            beside = " beside 'channels'" if self.channels else ""
            raise misplaced(f"the rule '{self.name}' needs a condition{beside}: {known}", here)
        return self


def _named_once(rules: tuple[RuleSettings, ...]) -> tuple[RuleSettings, ...]:
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        if rule.name in seen:
            message = f"the rule name '{rule.name}' stands here twice: each rule needs its own"
            raise PydanticCustomError("misplaced", "{message}", {"message": message, "at": index})
        seen.add(rule.name)
    return rules


RuleList = Annotated[tuple[RuleSettings, ...], AfterValidator(_named_once)]
"""The rules in their order."""


def compile_rules(rules: Iterable[RuleSettings]) -> tuple[Rule, ...]:
    """The rules to judge by, in their order."""
    return tuple(_compiled(rule) for rule in rules)


def _compiled(rule: RuleSettings) -> Rule:
    return Rule(
        name=rule.name,
        words=compile_words(rule.words or {}),
        anger=rule.anger,
        when=compile_when(rule.when) if rule.when else None,
        customers=frozenset(rule.customers or ()),
        channels=frozenset(rule.channels or ()),
        misunderstood=rule.misunderstood,
        unsourced=rule.unsourced,
        confidence_below=rule.confidence_below,
        priority=rule.priority,
        tags=rule.tags,
        desk=rule.desk or "",
        say=rule.say or {},
    )
