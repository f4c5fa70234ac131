"""What a message means, without a model."""

from __future__ import annotations

import pytest
from helping import Walk, book
from hypothesis import given
from hypothesis import strategies as st

from supportbot.dialogue import Words, understand
from supportbot.dialogue.understand import in_order, same, similarity
from supportbot.types import (
    Action,
    Address,
    Cancel,
    Command,
    Event,
    FlowState,
    HandOff,
    Help,
    Message,
    StartFlow,
    User,
)

FLOWS = book(
    """
flow: order_status
start:
  - phrases: {en: [where is my order, track my parcel], de: [wo ist meine Bestellung]}
  - keywords: [tracking]
  - pattern: 'order\\s+#?(?P<order_number>A-\\d{5})'
  - command: /order
  - button: order_status
  - event: conversation.started
steps: [{ask: order_number, question: Which, pattern: 'A-\\d{5}'}]
""",
    "{flow: refund, start: [{phrases: [refund, i want a refund for my order]}, {keywords: [money back, tracking]}], steps: [{ask: why, question: Why}]}",
    "{flow: size, start: [{button: size}], steps: [{ask: size, question: Size, choices: [small, cancel]}]}",
)
WORDS = Words(
    cancel={"en": ["cancel", "never mind", "stop"], "de": ["abbrechen"]},
    help={"en": ["help"]},
    human={"en": ["talk to a human", "real person", "agent"], "de": ["mit einem Menschen sprechen"]},
)


def meaning(
    text: str, *, locale: str = "en", state: FlowState | None = None, action: Action | None = None
) -> Command | None:
    kind = "action" if action else "message"
    message = Message(Address("web", "c"), "1", User("u"), text, kind, action)  # type: ignore[arg-type]
    return understand(message, state or FlowState(), FLOWS, WORDS, locale)


HUMAN = HandOff("requested", "The customer asked for a human.")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/cancel", Cancel()),
        ("/HELP@AcmeBot", Help()),
        ("/human now", HUMAN),
        ("/start", Help()),
        ("/order A-10002", StartFlow("order_status")),
        ("/order order A-10002", StartFlow("order_status", {"order_number": "A-10002"})),
        ("/nothing", None),
        ("Cancel!", Cancel()),
        ("never mind, thanks", Cancel()),
        ("please cancel my subscription", None),
        ("help", Help()),
        ("help me with something", None),
        ("I'd like to talk to a human, please", HUMAN),
        ("ich will mit einem Menschen sprechen", HUMAN),
        ("agent", HUMAN),
        ("my travel agent said so", None),
        ("Where is my order?", StartFlow("order_status")),
        ("hi, where is my damn order", StartFlow("order_status")),
        ("WO IST MEINE BESTELLUNG", StartFlow("order_status")),
        ("wheres my order", StartFlow("order_status")),
        ("my order where is", StartFlow("order_status")),
        ("where can I find the shop that is in my town", None),
        ("something about order #A-10002 here", StartFlow("order_status", {"order_number": "A-10002"})),
        ("i want a refund for my order", StartFlow("refund")),
        ("give me my money back", StartFlow("refund")),
        ("tracking", StartFlow("order_status")),
        ("", None),
        ("?!", None),
    ],
)
def test_a_message_means(text: str, command: Command | None) -> None:
    assert meaning(text) == command


@pytest.mark.parametrize(
    ("id", "command"),
    [
        ("order_status", StartFlow("order_status")),
        ("cancel", Cancel()),
        ("human", HUMAN),
        ("size:small", None),
        ("", None),
    ],
)
def test_a_button_means_what_its_id_says(id: str, command: Command | None) -> None:
    assert meaning("where is my order", action=Action(id)) == command


def test_phrases_for_cancel_are_those_of_the_language_and_english() -> None:
    assert meaning("abbrechen", locale="de") == Cancel()
    assert meaning("stop", locale="de-AT") == Cancel()
    assert meaning("abbrechen", locale="en") is None
    assert meaning("abbrechen", locale="") == Cancel()


def test_events_start_flows_and_nothing_else_does() -> None:
    event = Message(Address("web", "c"), "1", User("u"), kind="event", event=Event("conversation.started"))
    other = Message(Address("web", "c"), "1", User("u"), kind="event", event=Event("cart.left"))
    human = Message(Address("web", "c"), "1", User("u"), "where is my order", "human.message")
    assert understand(event, FlowState(), FLOWS, WORDS, "en") == StartFlow("order_status")
    assert understand(other, FlowState(), FLOWS, WORDS, "en") is None
    assert understand(human, FlowState(), FLOWS, WORDS, "en") is None


def test_an_open_flow_is_not_started_again_by_words() -> None:
    walk = Walk(FLOWS)
    walk.start("order_status")
    assert meaning("where is my order", state=walk.state) is None
    assert meaning("refund", state=walk.state) == StartFlow("refund")
    assert meaning("/order", state=walk.state) == StartFlow("order_status")


def test_an_exact_label_of_the_open_question_is_no_command() -> None:
    walk = Walk(FLOWS)
    walk.start("size")
    assert meaning("Cancel", state=walk.state) is None
    assert meaning("stop", state=walk.state) == Cancel()


def test_a_long_free_answer_that_mentions_a_human_is_not_a_request() -> None:
    walk = Walk(FLOWS)
    walk.start("refund")
    assert meaning("I tried to talk to a human yesterday but nobody came to the phone", state=walk.state) is None
    assert meaning("let me talk to a human", state=walk.state) == HUMAN


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("order", "ordre", True),
        ("parcel", "parcels", True),
        ("parcel", "parsel", True),
        ("cat", "car", False),
        ("order", "odd", False),
        ("10002", "10003", False),
    ],
)
def test_long_words_may_have_one_slip(one: str, other: str, equal: bool) -> None:
    assert same(one, other) is equal
    assert same(other, one) is equal


def test_words_in_order_may_have_two_words_between() -> None:
    assert in_order(["a", "x", "y", "b"], ["a", "b"])
    assert not in_order(["a", "x", "y", "z", "b"], ["a", "b"])
    assert in_order(["a", "x", "x", "x", "a", "b"], ["a", "b"])
    assert not in_order([], ["a"])


def test_similarity_counts_words_in_common() -> None:
    assert similarity(["a", "b"], ["b", "a"]) == 1
    assert similarity(["a"], ["a"]) == 0
    assert similarity([], ["a", "b"]) == 0


@given(st.text(max_size=200), st.sampled_from(["", "en", "de", "xx"]))
def test_no_text_makes_it_raise(text: str, locale: str) -> None:
    meaning(text, locale=locale)


def test_the_longest_phrase_wins_and_then_the_flows_name() -> None:
    flows = book(
        "{flow: b, start: [{phrases: [new order]}], steps: [end]}",
        "{flow: a, start: [{phrases: [new order]}], steps: [end]}",
        "{flow: z, start: [{phrases: [a new order please]}], steps: [end]}",
    )
    for text, name in (("new order", "a"), ("a new order please", "z")):
        message = Message(Address("web", "c"), "1", User("u"), text)
        assert understand(message, FlowState(), flows, WORDS, "en") == StartFlow(name)
