"""Whether what a customer said answers a question, and the value it gives.

Values are plain JSON, so that they can be stored: text, whole or decimal numbers, true/false, and dates as
"2026-05-03". A value that went through once goes through again unchanged.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from supportbot.dialogue.dates import find_dates
from supportbot.dialogue.patterns import Pattern
from supportbot.dialogue.wording import Wording, base, contains, words
from supportbot.types import Action

MAX_TEXT = 10_000
MAX_SEARCHED = 500
_NUMBER = re.compile(r"(?<![\w.,])[-+]?\d(?:[\d.,' ]*\d)?(?![\d])")
_DECIMAL_COMMA = frozenset(
    [
        "de",
        "fr",
        "es",
        "it",
        "nl",
        "pt",
        "pl",
        "ru",
        "uk",
        "cs",
        "sk",
        "da",
        "sv",
        "nb",
        "nn",
        "no",
        "fi",
        "tr",
        "el",
        "hu",
        "ro",
        "bg",
        "hr",
        "sl",
        "id",
        "vi",
    ]
)
_EMAIL = re.compile(r"[^\s<>()\[\]\",;:]{1,64}@[^\s<>()\[\]\",;:]{1,250}")
_ORDINAL = re.compile(r"#?\s*(\d{1,3})\s*[.)]?\Z")
_YES_NO: Mapping[str, tuple[str, str]] = {
    "en": ("yes y yeah yep yup sure ok okay correct right definitely absolutely", "no n nope nah not never"),
    "de": ("ja j jo jawohl klar genau gerne richtig ok okay", "nein n ne nee nö niemals nicht"),
    "fr": ("oui o ouais bien sur daccord ok exact", "non n pas jamais"),
    "es": ("si s claro vale correcto ok", "no n nunca"),
    "it": ("si s certo esatto va bene ok", "no n mai"),
    "nl": ("ja j jawel zeker graag ok oke", "nee n neen niet"),
    "pt": ("sim s claro certo ok", "nao n nunca"),
    "pl": ("tak t jasne", "nie n"),
    "sv": ("ja j japp", "nej n"),
    "da": ("ja j", "nej n"),
    "nb": ("ja j", "nei n"),
    "fi": ("kylla joo k", "ei e"),
    "cs": ("ano a jo", "ne n"),
    "tr": ("evet e tamam", "hayir h yok"),
    "ru": ("да д конечно", "нет н"),
    "uk": ("так т", "ні н"),
    "ja": ("はい", "いいえ"),
    "zh": ("是 好 对", "不 否"),
}
_POLITE = frozenset(
    [
        "please",
        "pls",
        "thanks",
        "thank",
        "you",
        "bitte",
        "danke",
        "merci",
        "gracias",
        "por",
        "favor",
        "grazie",
        "prego",
        "obrigado",
    ]
)
_PLAIN = re.compile(r"[\w\s.,!'’´`]+\Z")
"""Words and what ends a sentence; a question mark, a quotation or a second sign can turn a yes round."""
_THUMBS = {"👍": True, "👎": False, "✅": True, "❌": False}


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer to choose from; `value` goes into the slot."""

    value: str
    label: Wording


@dataclass(frozen=True, slots=True)
class SlotSpec:
    """What a slot takes. `min` and `max` bound a number, a date or a text's length; `slot` names it for button ids."""

    slot: str
    type: str = "text"
    pattern: Pattern | None = None
    choices: tuple[Choice, ...] = ()
    min: float | str | None = None
    max: float | str | None = None


@dataclass(frozen=True, slots=True)
class Valid:
    value: Any


@dataclass(frozen=True, slots=True)
class Invalid:
    """`reason` is the type that was expected, or too_short, too_long, too_small, too_large, too_early, too_late."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Asked:
    spec: SlotSpec
    locale: str
    today: date | None
    region: str


def validate(spec: SlotSpec, heard: str | Action, locale: str, today: date | None, region: str) -> Valid | Invalid:
    """The slot's value, or why there is none. A button counts only if it is one of this question's."""
    asked = _Asked(spec, locale, today, region)
    if isinstance(heard, Action):
        return _pressed(asked, heard)
    text = heard.strip()
    if not text or len(text) > MAX_TEXT:
        return Invalid("too_long" if text else spec.type)
    short = text if spec.type in ("text", "pattern") else text[:MAX_SEARCHED]
    return _BY_TYPE[spec.type](asked, short)


def validate_value(spec: SlotSpec, value: Any, locale: str, today: date | None, region: str) -> Valid | Invalid:
    """The same for a value that came as JSON, from a model or a tool."""
    if isinstance(value, bool):
        return Valid(value) if spec.type == "yes_no" else Invalid(spec.type)
    if isinstance(value, int | float) and spec.type == "number":
        fits = abs(value) < 10**15  # false for nan too
        return _bounded(spec, int(value) if value == int(value) else value) if fits else Invalid("number")
    if not isinstance(value, str | int | float):
        return Invalid(spec.type)
    return validate(spec, str(value), locale, today, region)


def button_ids(spec: SlotSpec) -> Mapping[str, Any]:
    """The ids of the buttons shown with the question, and the value each stands for."""
    if spec.type == "yes_no":
        return {f"{spec.slot}:yes": True, f"{spec.slot}:no": False}
    return {f"{spec.slot}:{choice.value}": choice.value for choice in spec.choices}


def _pressed(asked: _Asked, action: Action) -> Valid | Invalid:
    known = button_ids(asked.spec)
    return Valid(known[action.id]) if action.id in known else Invalid("button")


def _text(asked: _Asked, text: str) -> Valid | Invalid:
    return _within(text, len(text), asked.spec.min, asked.spec.max, ("too_short", "too_long"))


def _pattern(asked: _Asked, text: str) -> Valid | Invalid:
    pattern = asked.spec.pattern
    match = (pattern.fullmatch(text) or pattern.find(text)) if pattern else None
    return Valid(match.group()) if match else Invalid("pattern")


def _within(value: Any, size: Any, low: Any, high: Any, reasons: tuple[str, str]) -> Valid | Invalid:
    if low is not None and size < low:
        return Invalid(reasons[0])
    if high is not None and size > high:
        return Invalid(reasons[1])
    return Valid(value)


# --- numbers -------------------------------------------------------------------------------------------------


def _number(asked: _Asked, text: str) -> Valid | Invalid:
    plain = "".join(_plain_digit(char) for char in text)
    found = _NUMBER.findall(plain)
    if len(found) != 1:
        return Invalid("number")
    value = _read_number(found[0], comma=base(asked.locale) in _DECIMAL_COMMA)
    return Invalid("number") if value is None else _bounded(asked.spec, value)


def _bounded(spec: SlotSpec, value: float) -> Valid | Invalid:
    return _within(value, value, spec.min, spec.max, ("too_small", "too_large"))


def _plain_digit(char: str) -> str:
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    same = {"٫": ".", "٬": ",", "−": "-", "–": "-", "’": "'", "\u00a0": " ", "\u202f": " ", "\u2009": " "}
    return same.get(char, char)


def _read_number(text: str, *, comma: bool) -> int | float | None:
    """`1.234,5` and `1,234.5`: the last of two different marks is the decimal one; a lone mark goes by the language."""
    sign = -1 if text.startswith("-") else 1
    digits = re.sub(r"(?<=\d)[' ](?=\d{3}(?!\d))", "", text.lstrip("+-"))
    mark = _decimal_mark(digits, "," if comma else ".")
    group = "." if mark == "," else ","
    whole, _, fraction = digits.partition(mark) if mark else (digits, "", "")
    if not re.fullmatch(rf"\d+|\d{{1,3}}(?:{re.escape(group)}\d{{3}})+", whole) or not re.fullmatch(
        r"\d*", fraction
    ):
        return None
    whole = whole.replace(group, "")
    if len(whole) > 15 or len(fraction) > 15:
        return None
    return sign * (float(f"{whole}.{fraction}") if fraction else int(whole))


def _decimal_mark(digits: str, usual: str) -> str:
    dots, commas = digits.count("."), digits.count(",")
    if dots and commas:
        return "." if digits.rindex(".") > digits.rindex(",") else ","
    mark = "." if dots else "," if commas else usual
    if dots + commas > 1:
        return "," if mark == "." else "."
    grouped = re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", digits)
    return ("," if mark == "." else ".") if grouped and mark != usual else mark


# --- words ---------------------------------------------------------------------------------------------------


def _yes_no(asked: _Asked, text: str) -> Valid | Invalid:
    if text in _THUMBS:
        return Valid(_THUMBS[text])
    heard = [word for word in words(text) if word not in _POLITE]
    if words(text) and words(text)[0] in ("true", "false"):
        return Valid(words(text)[0] == "true")
    for locale in dict.fromkeys((base(asked.locale), "en")):
        sides = _YES_NO.get(locale, _YES_NO["en"])
        yes, no = ({"".join(words(part)) for part in side.split()} for side in sides)
        answer = _side(heard, yes, no)
        if answer is not None:
            return Valid(answer)
    return Invalid("yes_no")


def consent(text: str, locale: str) -> bool | None:
    """True for a message that says yes and nothing else, False for one that begins with a no; None for any other."""
    if text.strip() in _THUMBS:
        return _THUMBS[text.strip()]
    if not _PLAIN.match(text):
        return None
    heard = [word for word in words(text) if word not in _POLITE]
    for language in dict.fromkeys((base(locale), "en")):
        yes, no = (
            {"".join(words(part)) for part in side.split()} for side in _YES_NO.get(language, _YES_NO["en"])
        )
        if heard and (set(heard) <= yes or "".join(heard) in yes):
            return True
        if heard and heard[0] in no and not yes & set(heard):
            return False
    return None


def _side(heard: list[str], yes: set[str], no: set[str]) -> bool | None:
    """True or False if the sentence begins with one side's word and has none of the other's."""
    if not heard or len(heard) > 8:
        return None
    for side, other, answer in ((yes, no, True), (no, yes, False)):
        if (heard[0] in side or "".join(heard) in side) and not other & set(heard):
            return answer
    return None


def _choice(asked: _Asked, text: str) -> Valid | Invalid:
    heard = words(text)
    choices = asked.spec.choices
    names = [{words(name) for name in (choice.value, *choice.label.every())} for choice in choices]
    exact = [choice for choice, own in zip(choices, names, strict=True) if heard in own or text == choice.value]
    if len(exact) == 1:
        return Valid(exact[0].value)
    ordinal = _ORDINAL.match(text)
    if ordinal and 1 <= int(ordinal.group(1)) <= len(choices):
        return Valid(choices[int(ordinal.group(1)) - 1].value)
    for fits in (_begins, _within_sentence):
        found = [
            choice for choice, own in zip(choices, names, strict=True) if any(fits(heard, name) for name in own)
        ]
        if len(found) == 1:
            return Valid(found[0].value)
    return Invalid("choice")


def _begins(heard: tuple[str, ...], name: tuple[str, ...]) -> bool:
    return bool(heard) and " ".join(name).startswith(" ".join(heard))


def _within_sentence(heard: tuple[str, ...], name: tuple[str, ...]) -> bool:
    return len("".join(name)) > 1 and contains(heard, name)


# --- addresses, numbers to call, days ------------------------------------------------------------------------


def _email(_asked: _Asked, text: str) -> Valid | Invalid:
    found = {match.removeprefix("mailto:").rstrip(".!?'") for match in _EMAIL.findall(text)}
    if len(found) != 1:
        return Invalid("email")
    try:
        return Valid(validate_email(found.pop(), check_deliverability=False).normalized)
    except EmailNotValidError:
        return Invalid("email")


def _phone(asked: _Asked, text: str) -> Valid | Invalid:
    plain = re.sub(r"^\s*00(?=[1-9])", "+", text)
    region = asked.region.upper() or None
    matcher = phonenumbers.PhoneNumberMatcher(plain, region, leniency=phonenumbers.Leniency.VALID)
    numbers = {phonenumbers.format_number(m.number, phonenumbers.PhoneNumberFormat.E164) for m in matcher}
    return Valid(numbers.pop()) if len(numbers) == 1 else Invalid("phone")


def _date(asked: _Asked, text: str) -> Valid | Invalid:
    today = asked.today
    low, high = (_bound(bound, today) for bound in (asked.spec.min, asked.spec.max))
    days = find_dates(text, today or date(2000, 1, 1), asked.locale, asked.region)
    if not days or (today is None and (len(days) > 1 or not re.search(r"\d{4}", text))):
        return Invalid("date")
    results = [_within(day.isoformat(), day, low, high, ("too_early", "too_late")) for day in days]
    return next((result for result in results if isinstance(result, Valid)), results[0])


def _bound(bound: float | str | None, today: date | None) -> date | None:
    shift = {"today": 0, "tomorrow": 1, "yesterday": -1}.get(str(bound))
    if shift is not None:
        return None if today is None else today + timedelta(days=shift)
    try:
        return None if bound is None else date.fromisoformat(str(bound))
    except ValueError:
        return None


_BY_TYPE: Mapping[str, Callable[[_Asked, str], Valid | Invalid]] = {
    "text": _text,
    "number": _number,
    "choice": _choice,
    "yes_no": _yes_no,
    "email": _email,
    "phone": _phone,
    "date": _date,
    "pattern": _pattern,
}
