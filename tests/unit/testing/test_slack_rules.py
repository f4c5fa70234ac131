"""The limits of Slack: each is reached by what is good and passed by what is bad."""

from __future__ import annotations

from typing import Any

import pytest

from supportbot.testing.slack.faults import Pace
from supportbot.testing.slack.rules import refusal


def section(text: str = "Hi", **others: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **others}


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def pressable(**others: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain("Yes"), "action_id": "a", **others}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def menu(*options: dict[str, Any]) -> dict[str, Any]:
    return {"type": "static_select", "action_id": "m", "options": list(options)}


def option(text: str = "One", value: str = "1") -> dict[str, Any]:
    return {"text": plain(text), "value": value}


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ([section()] * 50, [section()] * 51),
        ([section("a" * 3000)], [section("a" * 3001)]),
        ([section("a")], [section("")]),
        ([section(block_id="b" * 255)], [section(block_id="b" * 256)]),
        ([section(block_id="a"), section(block_id="b")], [section(block_id="a"), section(block_id="a")]),
        ([section(accessory=pressable())], [section(accessory={"type": "slider"})]),
        ([{"type": "header", "text": plain("a" * 150)}], [{"type": "header", "text": plain("a" * 151)}]),
        ([{"type": "header", "text": plain("a")}], [{"type": "header", "text": {"type": "mrkdwn", "text": "a"}}]),
        (
            [actions(*(pressable(action_id=str(n)) for n in range(25)))],
            [actions(*(pressable(action_id=str(n)) for n in range(26)))],
        ),
        ([actions(pressable())], [actions()]),
        ([actions(pressable(), pressable(action_id="b"))], [actions(pressable(), pressable())]),
        ([actions(pressable(text=plain("a" * 75)))], [actions(pressable(text=plain("a" * 76)))]),
        ([actions(pressable(value="a" * 2000))], [actions(pressable(value="a" * 2001))]),
        ([actions(pressable(action_id="a" * 255))], [actions(pressable(action_id="a" * 256))]),
        ([actions(pressable(url="a" * 3000))], [actions(pressable(url="a" * 3001))]),
        ([actions(pressable(style="primary"))], [actions(pressable(style="default"))]),
        ([actions(pressable())], [actions(pressable(colour="red"))]),
        ([actions(menu(*[option()] * 100))], [actions(menu(*[option()] * 101))]),
        ([actions(menu(option()))], [actions(menu())]),
        ([actions(menu(option("a" * 75)))], [actions(menu(option("a" * 76)))]),
        ([actions(menu(option(value="a" * 150)))], [actions(menu(option(value="a" * 151)))]),
        ([{"type": "markdown", "text": "a" * 6000}] * 2, [{"type": "markdown", "text": "a" * 6001}] * 2),
        (
            [{"type": "context", "elements": [plain("a")] * 10}],
            [{"type": "context", "elements": [plain("a")] * 11}],
        ),
        (
            [{"type": "image", "image_url": "h" * 3000, "alt_text": "a" * 2000}],
            [{"type": "image", "image_url": "h" * 3001, "alt_text": "a"}],
        ),
        ([{"type": "image", "image_url": "h", "alt_text": "a"}], [{"type": "image", "image_url": "h"}]),
        ([{"type": "divider"}], [{"type": "ruler"}]),
        ([section()], [{"type": "section", "text": {"type": "html", "text": "a"}}]),
        ([section()], ["section"]),
    ],
)
def test_blocks_are_taken_up_to_the_limit_and_no_further(good: list[Any], bad: list[Any]) -> None:
    assert refusal(good) is None
    found = refusal(bad)
    assert found is not None and found.error == "invalid_blocks" and "json-pointer:/blocks" in found.messages[0]


@pytest.mark.parametrize("jitter", [0.0, 0.05, -0.05])
def test_one_message_a_second_never_trips_and_two_always_do(jitter: float) -> None:
    def waits(step: float) -> list[int]:
        pace = Pace(burst=1, seconds=1, tiers={})
        return [pace.message("m", "D1", 100 + n * step + (jitter if n % 2 else -jitter)) for n in range(60)]

    assert not any(waits(1.0))
    assert waits(0.5)[1] == 1 and sum(map(bool, waits(0.5))) >= 20


def test_a_burst_is_allowed_once_and_then_the_pace_holds() -> None:
    pace = Pace(burst=3, seconds=1, tiers={"chat.update": 50})
    assert [pace.message("m", "D1", 100.0) for _ in range(5)] == [0, 0, 0, 1, 1]
    assert [pace.message("m", "D1", 101.0) for _ in range(2)] == [0, 1]
    assert [bool(pace.call("chat.update", 100.0)) for _ in range(51)].count(True) == 1
    assert pace.refused == {"m": 3, "chat.update": 1}
