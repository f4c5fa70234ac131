"""What answers a question, and what value it gives."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.dialogue.patterns import compile_pattern
from supportbot.dialogue.slots import Choice, Invalid, SlotSpec, Valid, validate, validate_value
from supportbot.dialogue.wording import Wording
from supportbot.types import Action

TODAY = date(2026, 5, 6)  # a Wednesday
CHOICES = (
    Choice("small", Wording({"en": ("Small",), "de": ("Klein",)})),
    Choice("l", Wording({"": ("Large",)})),
    Choice("xl", Wording({"": ("Extra large",)})),
)


def value(kind: str, text: str, locale: str = "en", region: str = "", **bounds: Any) -> Any:
    result = validate(SlotSpec("s", kind, **bounds), text, locale, TODAY, region)
    return result.value if isinstance(result, Valid) else None


@pytest.mark.parametrize(
    ("text", "locale", "expected"),
    [
        ("1.234,5", "de", 1234.5),
        ("1.234", "de", 1234),
        ("1.234", "en", 1.234),
        ("1,234", "en", 1234),
        ("1,5", "en", 1.5),
        ("0.500", "de", 0.5),
        ("1 234,50 €", "fr", 1234.5),
        ("1'234.50", "de", 1234.5),
        ("1.234.567", "en", 1234567),
        ("about 5 pieces", "en", 5),
        ("-3", "en", -3),
        ("٣", "ar", 3),
        ("1.2.3", "en", None),
        ("3 or 4", "en", None),
        ("12:30", "en", None),
        ("9" * 20, "en", None),
        ("", "en", None),
        ("five", "en", None),
    ],
)
def test_numbers_are_read_as_the_language_writes_them(text: str, locale: str, expected: float | None) -> None:
    assert value("number", text, locale) == expected


@pytest.mark.parametrize(
    ("text", "locale", "expected"),
    [
        ("yes please", "en", True),
        ("No, thanks!", "en", False),
        ("Ja", "de", True),
        ("nö", "de", False),
        ("bien sûr", "fr", True),
        ("Sí", "es", True),
        ("não", "pt", False),
        ("yes", "de", True),
        ("はい", "ja", True),
        ("👍", "en", True),
        ("yes but no", "en", None),
        ("maybe", "en", None),
        ("please", "en", None),
    ],
)
def test_yes_and_no_are_understood_in_the_language(text: str, locale: str, expected: bool | None) -> None:
    assert value("yes_no", text, locale) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SMALL", "small"),
        ("klein", "small"),
        ("2", "l"),
        ("#3", "xl"),
        ("ex", "xl"),
        ("the klein one please", "small"),
        ("4", None),
        ("0", None),
        ("", None),
        ("?", None),
    ],
)
def test_a_choice_is_matched_by_value_label_number_or_beginning(text: str, expected: str | None) -> None:
    assert value("choice", text, choices=CHOICES) == expected


def test_a_numeric_choice_is_its_value_before_it_is_an_ordinal() -> None:
    choices = tuple(Choice(number, Wording({"": (number,)})) for number in ("3", "2", "1"))
    assert value("choice", "1", choices=choices) == "1"


@pytest.mark.parametrize(
    ("text", "locale", "region", "expected"),
    [
        ("2026-05-03", "en", "", "2026-05-03"),
        ("3.5.2026", "de", "", "2026-05-03"),
        ("3 May 2026", "en", "", "2026-05-03"),
        ("May 3rd, 2026", "en", "", "2026-05-03"),
        ("le 1er août", "fr", "", "2026-08-01"),
        ("3 de mayo de 2026", "es", "", "2026-05-03"),
        ("tomorrow", "en", "", "2026-05-07"),
        ("it came yesterday", "en", "", "2026-05-05"),
        ("übermorgen", "de", "", "2026-05-08"),
        ("aujourd’hui", "fr", "", "2026-05-06"),
        ("Freitag", "de", "", "2026-05-08"),
        ("Wednesday", "en", "", "2026-05-06"),
        ("last friday", "en", "", "2026-05-01"),
        ("last Wednesday", "en", "", "2026-04-29"),
        ("3/5/2026", "en", "US", "2026-03-05"),
        ("3/5/2026", "en-US", "", "2026-03-05"),
        ("3/5/2026", "en", "GB", "2026-05-03"),
        ("3/5/2026", "en", "", None),
        ("31.2.2026", "de", "", None),
        ("monday or friday", "en", "", None),
        ("May", "en", "", None),
    ],
)
def test_dates_are_read_as_people_write_them(text: str, locale: str, region: str, expected: str | None) -> None:
    assert value("date", text, locale, region) == expected


def test_a_date_without_a_year_takes_the_year_that_fits_the_bounds() -> None:
    assert value("date", "3 May", min="today") == "2027-05-03"
    assert value("date", "3 June", max="today") == "2025-06-03"


@pytest.mark.parametrize(
    ("kind", "text", "bounds", "reason"),
    [
        ("number", "0", {"min": 1}, "too_small"),
        ("number", "11", {"max": 10}, "too_large"),
        ("text", "ab", {"min": 3}, "too_short"),
        ("text", "abcd", {"max": 3}, "too_long"),
        ("text", "x" * 10_001, {}, "too_long"),
        ("text", "   ", {}, "text"),
        ("date", "2026-05-05", {"min": "today"}, "too_early"),
        ("date", "2026-05-31", {"max": "2026-05-30"}, "too_late"),
    ],
)
def test_bounds_say_what_is_wrong(kind: str, text: str, bounds: dict[str, Any], reason: str) -> None:
    assert validate(SlotSpec("s", kind, **bounds), text, "en", TODAY, "") == Invalid(reason)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ana@example.com", "Ana@example.com"),
        ("it is <ana@example.com>, thanks", "ana@example.com"),
        ("a@example.com or b@example.com", None),
        ("ana@localhost", None),
        ("none", None),
    ],
)
def test_an_email_address_is_found_in_a_sentence(text: str, expected: str | None) -> None:
    assert value("email", text) == expected


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("+49 30 901820", "", "+4930901820"),
        ("030 901820", "DE", "+4930901820"),
        ("0049 30 901820", "", "+4930901820"),
        ("call (650) 253-0000", "US", "+16502530000"),
        ("030 901820", "", None),
        ("12", "DE", None),
    ],
)
def test_a_telephone_number_becomes_international(text: str, region: str, expected: str | None) -> None:
    assert value("phone", text, region=region) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A-10002", "A-10002"),
        (" a-10002 ", "a-10002"),
        ("it is A-10002.", "A-10002"),
        ("A-100023", None),
        ("XA-10002", None),
    ],
)
def test_a_pattern_is_found_in_a_sentence_but_not_inside_a_word(text: str, expected: str | None) -> None:
    assert value("pattern", text, pattern=compile_pattern(r"A-\d{5}")) == expected


def test_only_this_questions_buttons_count() -> None:
    spec = SlotSpec("size", "choice", choices=CHOICES)
    assert validate(spec, Action("size:l"), "en", TODAY, "") == Valid("l")
    assert validate(spec, Action("colour:l"), "en", TODAY, "") == Invalid("button")
    assert validate(SlotSpec("size"), Action("size:l"), "en", TODAY, "") == Invalid("button")


KINDS = ("text", "number", "choice", "yes_no", "email", "phone", "date", "pattern")


@given(st.sampled_from(KINDS), st.text(max_size=80), st.sampled_from(["en", "de", "fr", "ja", "", "xx-YY"]))
def test_no_text_makes_validation_raise_and_a_value_validates_again(kind: str, text: str, locale: str) -> None:
    spec = SlotSpec(
        "s", kind, compile_pattern(r"\w{1,5}") if kind == "pattern" else None, CHOICES if kind == "choice" else ()
    )
    result = validate(spec, text, locale, TODAY, "DE")
    if isinstance(result, Valid):
        assert validate_value(spec, result.value, locale, TODAY, "DE") == result


@given(
    st.sampled_from(KINDS),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3),
    ),
)
def test_no_json_value_makes_validation_raise(kind: str, given_value: Any) -> None:
    validate_value(SlotSpec("s", kind, choices=CHOICES), given_value, "en", TODAY, "")
