"""The language of `if`, `switch` and `check`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.dialogue.expr import ExprError, compile_expr

NAMES: dict[str, Any] = {
    "order": {"status": "shipped", "items": ["lamp", "pot"], "total": 12.5},
    "n": 3,
    "name": "Ana",
    "yes": True,
    "day": "2026-05-01",
    "today": "2026-05-06",
    "slots": {"n": 3},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('order.status == "shipped" and not gift', True),
        ("order['total'] * 2", 25.0),
        ("order.items[0]", "lamp"),
        ("order.items[9]", None),
        ("order.nothing.at.all", None),
        ("1 + 2 * 3 - -1", 8),
        ("(1 + 2) * 3", 9),
        ("7 % 4", 3),
        ("'a' + \"b\"", "ab"),
        ("[1] + [2]", [1, 2]),
        ("n in [1, 2, 3]", True),
        ("'lamp' in order.items", True),
        ("'x' not in missing", True),
        ("missing == null", True),
        ("missing > 3", False),
        ("n != null or false", True),
        ("missing or 'nobody'", "nobody"),
        ("len(order.items) >= 2", True),
        ("len(missing)", 0),
        ("lower(name)", "ana"),
        ("days_since(day) <= 14", True),
        ("days_since(missing)", None),
        ("slots.n", 3),
        ("not yes == false", True),
        ("true and null", None),
        (r"'it\'s'", "it's"),
    ],
)
def test_expressions_are_computed(text: str, value: Any) -> None:
    assert compile_expr(text).evaluate(NAMES) == value


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("{{ a }}", 1, "without braces"),
        ("a = 1", 3, "use =="),
        ("a && b", 3, "use `and`"),
        ("a | upper", 3, "filters work only in templates"),
        ("a is null", 3, "use == or !="),
        ("1 < a < 3", 7, "join two comparisons"),
        ("open('x')", 1, "not a function"),
        ("len(1, 2)", 1, "takes one value"),
        ("a.__class__", 3, "begins with a letter"),
        ("__import__", 1, "begins with a letter"),
        ("'a", 1, "not closed"),
        ("(a", 3, r"`\)` is missing"),
        ("a b", 3, "not expected"),
        ("", 1, "a value is missing"),
        ("a +", 4, "a value is missing"),
        ("9999999999999999999", 1, "too large"),
        ("(" * 200, 32, "nested too deeply"),
        ("not " * 120, 125, "nested too deeply"),
        ("a" * 501, 501, "longer than"),
        ("a; b", 2, "not understood"),
    ],
)
def test_a_mistake_has_its_column(text: str, column: int, words: str) -> None:
    with pytest.raises(ExprError, match=words) as caught:
        compile_expr(text)
    assert caught.value.column == column


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 / 0", "division by zero"),
        ("null + 1", "needs two numbers, here are null and a number"),
        ("'a' * 1000000", "needs two numbers"),
        ("999999999 * 999999999", "too large"),
        ("len(3)", "cannot use"),
        ("days_since('soon')", "cannot use"),
    ],
)
def test_what_cannot_be_computed_is_an_error(text: str, words: str) -> None:
    with pytest.raises(ExprError, match=words):
        compile_expr(text).evaluate(NAMES)


def test_strict_expressions_need_a_value_for_each_name() -> None:
    with pytest.raises(ExprError, match="`missing` has no value"):
        compile_expr("missing").evaluate(NAMES, strict=True)
    with pytest.raises(ExprError, match="no `x` in it"):
        compile_expr("order.x").evaluate(NAMES, strict=True)


def test_names_are_those_that_are_read() -> None:
    assert compile_expr("a.b + slots.c + slots['d'] + len(e[f])").names == {"a", "c", "d", "e", "f"}


def test_results_do_not_grow_without_bound() -> None:
    with pytest.raises(ExprError, match="too long"):
        compile_expr("a + a").evaluate({"a": "x" * 6000})


PIECES = st.sampled_from(
    [
        "a",
        "n",
        "order",
        ".",
        "[",
        "]",
        "(",
        ")",
        "+",
        "*",
        "/",
        "==",
        "<",
        "in",
        "not",
        "and",
        "or",
        "1",
        "'x'",
        ",",
        "len",
        "null",
    ]
)


@given(st.lists(PIECES, max_size=25))
def test_no_text_makes_anything_but_an_expression_error(pieces: list[str]) -> None:
    try:
        compile_expr(" ".join(pieces)).evaluate(NAMES)
    except ExprError as error:
        assert error.column >= 1
