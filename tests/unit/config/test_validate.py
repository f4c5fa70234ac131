"""Pydantic's complaints, said as places and sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from supportbot.config.interpolate import interpolate
from supportbot.config.validate import validate
from supportbot.config.yamlfile import parse
from supportbot.errors import ConfigError


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Button(Strict):
    label: str
    id: str


class Say(Strict):
    text: str
    buttons: tuple[Button, ...] = ()


class Step(Strict):
    say: str | Say | Mapping[str, str] | None = None
    if_: str | None = Field(default=None, alias="if")
    then: tuple[Step, ...] = ()


class Shape(Strict):
    name: Annotated[str, Field(min_length=1, max_length=10)] = "x"
    count: Annotated[int, Field(ge=1, le=10)] = 1
    part: Annotated[float, Field(gt=0, lt=1)] = 0.5
    on: bool = False
    kind: Literal["small", "large"] = "small"
    tags: tuple[str, ...] = ()
    pair: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)] = ("a", "b")
    words: Mapping[str, int] = Field(default_factory=dict)
    code: Annotated[str, StringConstraints(pattern=r"^[A-Z]-\d+$")] = "A-1"
    token: SecretStr | None = None
    token_digits: Annotated[SecretStr, Field(min_length=9)] = SecretStr("123456789")
    steps: tuple[Step, ...] = ()
    burst_wait: str = ""
    even: int = 0
    either: bool | tuple[int, ...] | Literal["never"] = False

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value == 7:
            raise PydanticCustomError("seven", "Seven is odd, and {{ odd }} numbers are not.")
        if value % 2:
            raise ValueError(f"must be even, unlike {value}")
        return value

    @field_validator("burst_wait")
    @classmethod
    def _known(cls, value: str) -> str:
        if value == "bad":
            raise ValueError(f"{value} is a bad value.")
        return value


def problems(text: str, env: Mapping[str, str] | None = None, model: type[BaseModel] = Shape) -> list[str]:
    document = interpolate(parse(text.encode(), "f"), env or {})
    with pytest.raises(ConfigError) as caught:
        validate(model, document)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f:1:1: the file is empty"),
        ("- a", "f:1:1: the file must be a mapping (key: value), not a list"),
        ("hello", "f:1:1: the file must be a mapping (key: value), not 'hello'"),
        ("name: 42", "f:1:7: 'name' must be text: put 42 in quotes"),
        ("name: true", "f:1:7: 'name' must be text: put true in quotes"),
        ("name:", "f:1:6: 'name' is empty: it must be text"),
        ("name: ''", "f:1:7: 'name' must not be empty"),
        ("name: abcdefghijklm", "f:1:7: 'name' must have at most 10 characters"),
        ("name: [a]", "f:1:7: 'name' must be text, not a list"),
        ("name: {a: b}", "f:1:7: 'name' must be text, not a mapping (key: value)"),
        ("count: many", "f:1:8: 'count' must be a whole number, not 'many'"),
        ("count: 1.5", "f:1:8: 'count' must be a whole number, not 1.5"),
        ("count: 0", "f:1:8: 'count' must be 1 or more, not 0"),
        ("count: 11", "f:1:8: 'count' must be 10 or less, not 11"),
        ("count: 010", None),
        ("part: 0", "f:1:7: 'part' must be more than 0, not 0"),
        ("part: 1.0", "f:1:7: 'part' must be less than 1, not 1.0"),
        ("part: half", "f:1:7: 'part' must be a number, not 'half'"),
        ("on: maybe", "f:1:5: 'on' must be true or false, not 'maybe'"),
        ("on: yes", None),
        ("kind: smal", "f:1:7: 'kind' must be 'small' or 'large', not 'smal': did you mean 'small'?"),
        ("kind: 3", "f:1:7: 'kind' must be 'small' or 'large', not 3"),
        ("tags: a", "f:1:7: 'tags' must be a list: write ['a']"),
        ("tags:\n- a\n- 2", "f:3:3: entry 2 of 'tags' must be text: put 2 in quotes"),
        ("pair: [a]", "f:1:7: 'pair' must have at least 2 entries"),
        ("pair: [a, b, c]", "f:1:7: 'pair' must have at most 2 entries"),
        ("pair: [a, 1]", "f:1:11: entry 2 of 'pair' must be text: put 1 in quotes"),
        ("words: {a: x}", "f:1:12: 'a' must be a whole number, not 'x'"),
        ("words: a", "f:1:8: 'words' must be a mapping (key: value), not 'a'"),
        ("words:", "f:1:7: 'words' is empty: its keys stand below it, indented"),
        ("code: b", "f:1:7: 'code' must have the form ^[A-Z]-\\d+$, not 'b'"),
        ("token: 12345678", "f:1:8: 'token' must be text: put it in quotes"),
        ("token: [hunter2]", "f:1:8: 'token' must be text"),
        ("token_digits: hunter2", "f:1:15: 'token_digits' must have at least 9 characters"),
        ("even: 3", "f:1:7: 'even' must be even, unlike 3"),
        ("even: 7", "f:1:7: Seven is odd, and {{ odd }} numbers are not."),
        ("burst_wait: bad", "f:1:13: bad is a bad value."),
        ("burst_wiat: 1s", "f:1:1: unknown key 'burst_wiat': did you mean 'burst_wait'?"),
        ("BURST_WAIT: 1s", "f:1:1: unknown key 'BURST_WAIT': did you mean 'burst_wait'?"),
        ("label: x", "f:1:1: unknown key 'label'"),
        ("either: 'x'", "f:1:9: 'either' must be true or false, a list or 'never', not 'x'"),
        ("either: [a]", "f:1:10: entry 1 of 'either' must be a whole number, not 'a'"),
        ("steps: [{say: 5}]", "f:1:15: 'say' must be text or a mapping (key: value), not 5"),
        ("steps: [{say: {text: 5}}]", "f:1:22: 'text' must be text: put 5 in quotes"),
        ("steps: [{say: {txt: a}}]", None),
        (
            "steps:\n- if: a\n  then:\n  - say: {text: a, buttons: [{label: b, idd: c}]}",
            "f:4:41: unknown key 'idd': did you mean 'id'?",
        ),
        (
            "steps:\n- say:\n    text: a\n    buttons:\n    - label: b",
            "f:5:7: the key 'id' is missing in entry 1 of 'buttons'",
        ),
        ("steps:\n- iff: a", "f:2:3: unknown key 'iff': did you mean 'if'?"),
        ("steps:\n- then: x\n", "f:2:9: 'then' must be a list: write ['x']"),
    ],
)
def test_each_mistake_has_one_place_and_one_sentence(text: str, expected: str | None) -> None:
    if expected is None:
        assert isinstance(validate(Shape, parse(text.encode(), "f")), Shape)
    else:
        assert problems(text) == [expected]


def test_problems_stand_in_the_order_of_the_file() -> None:
    assert problems("part: 2\nnope: 1\ncount: x\nname: 3\n") == [
        "f:1:7: 'part' must be less than 1, not 2",
        "f:2:1: unknown key 'nope'",
        "f:3:8: 'count' must be a whole number, not 'x'",
        "f:4:7: 'name' must be text: put 3 in quotes",
    ]


class Section(Strict):
    host: str
    port: int = 1


class Sections(Strict):
    web: Section
    other: Mapping[str, Section] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("other: {}", ["f:1:1: the key 'web' is missing"]),
        ("web: {}", ["f:1:1: the key 'host' is missing in 'web'"]),
        ("web: {hots: a}", ["f:1:7: unknown key 'hots': did you mean 'host'?"]),
        ("web:", ["f:1:5: 'web' is empty: its keys stand below it, indented"]),
        ("web: {host: a}\nport: 3", ["f:2:1: unknown key 'port' here: it belongs under 'web'"]),
        ("web: {host: a, zzz: 3}", ["f:1:16: unknown key 'zzz': known here are host, port"]),
        ("web: {host: a}\nother:\n  b:\n    port: 3", ["f:3:3: the key 'host' is missing in 'b'"]),
    ],
)
def test_missing_and_unknown_keys_point_at_keys(text: str, expected: list[str]) -> None:
    assert problems(text, model=Sections) == expected


ENV = {"SECRET": "hunter2", "DIGITS": "0012345678", "NUMBER": "12345678", "BAD": "bad", "ODD": "3"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("count: ${SECRET}", "f:1:8: 'count' must be a whole number, not '${SECRET}'"),
        ("count: ${NUMBER}", "f:1:8: 'count' must be 10 or less, not '${NUMBER}'"),
        ("kind: ${SECRET}", "f:1:7: 'kind' must be 'small' or 'large', not '${SECRET}'"),
        ("code: x-${SECRET}", "f:1:7: 'code' must have the form ^[A-Z]-\\d+$, not 'x-${SECRET}'"),
        ("tags: ${SECRET}", "f:1:7: 'tags' must be a list: write ['${SECRET}']"),
        ("either: ${SECRET}", "f:1:9: 'either' must be true or false, a list or 'never', not '${SECRET}'"),
        ("burst_wait: ${BAD}", "f:1:13: ${BAD} is a ${BAD} value."),
        ("even: ${ODD}", "f:1:7: 'even' must be even, unlike ${ODD}"),
        ("steps: ${SECRET}", "f:1:8: 'steps' must be a list: write ['${SECRET}']"),
    ],
)
def test_what_the_environment_holds_is_never_shown(text: str, expected: str) -> None:
    assert problems(text, ENV) == [expected]


def test_a_variable_that_looks_like_a_number_is_text_where_text_is_wanted() -> None:
    document = interpolate(parse(b"token: ${NUMBER}\nname: ${ODD}\ncount: ${ODD}", "f"), ENV)
    shape = validate(Shape, document)
    assert shape.token is not None
    assert (shape.token.get_secret_value(), shape.name, shape.count) == ("12345678", "3", 3)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 20) | st.sampled_from(["", "a", "small", "1s", "never"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["say", "text", "buttons", "label", "id", "if", "then", "steps", "either", "str", "Say", "0"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*Shape.model_fields, "x", "stesp"]), _VALUES, max_size=4))
def test_any_values_are_taken_or_refused_with_places_in_the_file(data: dict[str, Any]) -> None:
    text = json.dumps(data, indent=1)
    try:
        validate(Shape, parse(text.encode(), "f"))
    except ConfigError as error:
        assert error.problems
        for problem in error.problems:
            assert 1 <= problem.line <= text.count("\n") + 1
            assert problem.column >= 1
            assert problem.message and "Input should" not in problem.message and "\n" not in problem.message
