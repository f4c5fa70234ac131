"""Who follows a link to the bot: the flow that waits for it, else any beginning, else help."""

from __future__ import annotations

import pytest
from turning import ANNA, Chat, event, said, script


def flow(name: str, on: str) -> str:
    return (
        f"flow: {name}\ndescription: Waits.\nstart: [{{event: {on}}}]\n"
        f'steps: [{{say: "{name}, {{{{ payload }}}}."}}, {{ask: more, question: "More?"}}]\n'
    )


SUMMER, START = flow("summer", "start.summer"), flow("start", "start")
OPENED, LATE = flow("opened", "conversation.started"), flow("late", "order.late")


@pytest.mark.parametrize(
    ("flows", "payload", "first"),
    [
        ((OPENED, START, SUMMER), "summer", "summer, summer."),
        ((OPENED, START, SUMMER), "winter", "start, winter."),
        ((OPENED, START), "summer", "start, summer."),
        ((OPENED, SUMMER), "winter", "opened, winter."),
        ((OPENED,), "", "opened, ."),
        ((START,), "", "start, ."),
    ],
)
def test_the_nearest_flow_takes_the_link_with_its_payload(
    flows: tuple[str, ...], payload: str, first: str
) -> None:
    data = {"payload": payload} if payload else {}
    chat = Chat(script(*flows))
    assert chat.take(event("start", **data)).texts == [first, "More?"]
    assert chat.states[ANNA.id].slots["payload"] == payload


def test_a_link_that_no_flow_waits_for_is_answered_with_help() -> None:
    played = Chat(script(LATE)).take(event("start", payload="summer"))
    assert played.texts == [said("help", bot="Acme")]
    assert played.outcome.handoff is None


def test_another_event_brings_its_payload_too_and_falls_back_to_nothing() -> None:
    chat = Chat(script(LATE, START, OPENED))
    assert chat.take(event("order.late", payload="A-1")).texts[0] == "late, A-1."
    assert Chat(script(START, OPENED)).take(event("order.late")).texts == []


@pytest.mark.parametrize("payload", [7, None, ["x"], {"a": 1}])
def test_a_payload_that_is_no_text_still_starts_the_flow(payload: object) -> None:
    plain = "flow: start\ndescription: Waits.\nstart: [{event: start}]\nsteps: [{say: Hello.}]\n"
    assert Chat(script(plain)).take(event("start", payload=payload)).texts == ["Hello."]


def test_a_payload_cannot_name_another_event() -> None:
    assert Chat(script(LATE)).take(event("start", payload="order.late")).texts == [said("help", bot="Acme")]


@pytest.mark.parametrize("moment", [{"overdue": True}, {"attempt": 9}])
def test_a_link_is_answered_with_help_when_its_flow_cannot_run(moment: dict[str, object]) -> None:
    assert Chat(script(START)).take(event("start"), **moment).texts == [said("help", bot="Acme")]


def test_a_link_while_a_human_has_the_conversation_starts_nothing() -> None:
    chat = Chat(script(START))
    chat.say("/human")
    assert chat.take(event("start")).texts == []
