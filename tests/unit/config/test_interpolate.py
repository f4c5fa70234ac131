"""Variables of the environment in a config."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.config.interpolate import interpolate
from supportbot.config.yamlfile import parse
from supportbot.errors import ConfigError

ENV = {"PORT": "8080", "EMPTY": "", "NAME": "Acme: Home", "FLAG": "true", "ZIP": "01067", "NESTED": "${PORT}"}


def filled(text: str) -> object:
    return interpolate(parse(text.encode(), "f"), ENV).data["a"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: ${PORT}", 8080),
        ('a: "${PORT}"', "8080"),
        ("a: '${PORT}'", "8080"),
        ("a: |\n  ${PORT}", "8080"),
        ("a: ${FLAG}", True),
        ("a: ${ZIP}", "01067"),
        ("a: ${NAME}", "Acme: Home"),
        ("a: http://${NAME}:${PORT}/", "http://Acme: Home:8080/"),
        ("a: ${EMPTY}", None),
        ('a: "${EMPTY}"', ""),
        ("a: ${EMPTY:-x}", "x"),
        ("a: ${UNSET:-5}", 5),
        ("a: ${UNSET:-}", None),
        ("a: ${UNSET:-a:-b}", "a:-b"),
        ("a: $${PORT}", "${PORT}"),
        ("a: $$${PORT}", "$${PORT}"),
        ("a: $PORT", "$PORT"),
        ("a: ${NESTED}", "${PORT}"),
        ('a: ["${PORT}", {b: "x${PORT}"}]', ["8080", {"b": "x8080"}]),
    ],
)
def test_a_variable_is_replaced(text: str, value: object) -> None:
    assert filled(text) == value


def test_keys_are_left_alone() -> None:
    assert interpolate(parse(b'"${PORT}": 1', "f"), ENV).data == {"${PORT}": 1}


def test_every_missing_variable_is_named_with_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        interpolate(parse(b"a: ${ONE}\nb:\n- x ${TWO} ${PORT}\n", "f"), ENV)
    assert str(caught.value).splitlines() == [
        "f:1:4: the environment variable ONE is not set: set it, or write ${ONE:-default}",
        "f:3:3: the environment variable TWO is not set: set it, or write ${TWO:-default}",
    ]


@pytest.mark.parametrize("text", ["${", "${}", "${1A}", "${A B}", "${PORT", "${PORT-x}", "${PORT:x}"])
def test_a_marker_that_is_not_one_is_explained(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        filled(f"a: {text}")
    assert str(caught.value) == (
        "f:1:4: this ${ is not closed or has no name: write ${NAME}, or $${ for a literal ${"
    )


@given(st.text(alphabet="${}:-AB a", max_size=20))
def test_any_text_is_filled_or_refused(text: str) -> None:
    document = parse(("a: '" + text + "'").encode(), "f")
    try:
        found = interpolate(document, {"A": "1"}).data["a"]
    except ConfigError as error:
        assert all(problem.line == 1 for problem in error.problems)
    else:
        assert found is not None or text == ""


def test_what_came_from_the_environment_is_not_in_the_representation() -> None:
    document = interpolate(parse(b"a: ${NAME}", "f"), ENV)
    assert "Acme" not in repr(document)
    assert "Acme" not in repr(document.marks)
