"""What goes into columns comes out the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supportbot.errors import StoreError
from supportbot.stores import codec
from supportbot.types import (
    Action,
    Address,
    Attachment,
    Button,
    ChatMessage,
    Event,
    FlowState,
    Frame,
    Inbound,
    Message,
    Reply,
    ToolCall,
    Trace,
    Turn,
    User,
)

WORDS = st.text(max_size=20)
HALVES = st.text(st.characters(categories=("Cs", "L", "So", "Cc")), max_size=12)
PLAIN: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
DATA = st.dictionaries(WORDS, PLAIN, max_size=3)
FILES = st.lists(st.builds(Attachment, WORDS, WORDS, st.integers(), WORDS, WORDS, WORDS), max_size=2).map(tuple)
BUTTONS = st.lists(
    st.builds(
        Button,
        WORDS,
        WORDS,
        WORDS,
        WORDS,
        WORDS,
        st.sampled_from(["", "primary", "danger"]),
        st.sampled_from(["", "phone", "location"]),
    ),
    max_size=3,
).map(tuple)
REPLIES = st.builds(Reply, WORDS, BUTTONS, FILES, menu=st.booleans(), private=st.booleans())
MESSAGES = st.builds(
    Message,
    address=st.just(Address("shop", "anna")),
    id=WORDS,
    user=st.builds(User, WORDS, WORDS),
    text=WORDS,
    kind=st.sampled_from(["message", "message.edited", "message.deleted", "action", "event", "timer"]),
    action=st.none() | st.builds(Action, WORDS, WORDS, WORDS),
    event=st.none() | st.builds(Event, WORDS, DATA),
    attachments=FILES,
    locale=WORDS,
    digest=WORDS,
    target=WORDS,
    shared=st.booleans(),
)
FRAMES = st.builds(
    Frame, WORDS, WORDS, st.lists(st.integers() | WORDS, max_size=3).map(tuple), WORDS, st.integers()
)
CHAT = st.builds(
    ChatMessage,
    st.sampled_from(["system", "user", "assistant", "tool"]),
    WORDS,
    st.integers(0, 10**6),
    WORDS,
    st.lists(st.builds(ToolCall, WORDS, WORDS, WORDS), max_size=2).map(tuple),
    WORDS,
    st.lists(WORDS, max_size=2).map(tuple),
    WORDS,
    WORDS,
)


@given(MESSAGES)
def test_a_message_survives_its_columns(message: Message) -> None:
    _, *columns = codec.inbound_columns(message)
    assert codec.inbound((7, *columns, 1.5), message.address) == Inbound(7, message, 1.5)


@given(REPLIES)
def test_a_reply_survives_its_columns(reply: Reply) -> None:
    text, extra = codec.reply_columns(reply)
    row = (
        "o1",
        "c1",
        "shop",
        "anna",
        "",
        "message.reply",
        "u",
        "U",
        "[]",
        1,
        1,
        1.5,
        text,
        extra,
        0,
        "",
        None,
        None,
    )
    assert codec.outgoing(row).reply == reply


@given(REPLIES, DATA)
def test_what_goes_to_a_desk_survives_with_its_words_and_its_data(reply: Reply, data: dict[str, Any]) -> None:
    text, extra = codec.reply_columns(reply, data)
    row = (
        "o1",
        "c1",
        "@desk.x",
        "anna",
        "",
        "handoff.message",
        "u",
        "U",
        "[]",
        1,
        1,
        1.5,
        text,
        extra,
        0,
        "",
        "C/1",
        None,
    )
    found = codec.outgoing(row)
    assert (found.reply, found.data, found.place) == (reply, data, "C/1")


@given(
    st.builds(
        FlowState,
        st.lists(FRAMES, max_size=3).map(tuple),
        DATA,
        BUTTONS,
        missed=st.integers(0, 9),
        unsourced=st.integers(0, 9),
    )
)
def test_a_flow_state_survives_its_json_and_the_empty_one_is_not_stored(state: FlowState) -> None:
    body = codec.state_body(state)
    assert (body is None) == (state == FlowState())
    assert body is None or codec.state(body) == state


@given(st.lists(CHAT, min_size=1, max_size=4))
def test_a_turn_survives_its_rows(messages: list[ChatMessage]) -> None:
    rows = [(3, *codec.chat_columns(message)) for message in messages]
    assert codec.turns(rows) == (Turn(3, tuple(messages)),)


@given(st.builds(Trace, st.lists(DATA, max_size=4).map(tuple), WORDS))
def test_a_trace_survives_packing(trace: Trace) -> None:
    body = codec.trace_body(trace)
    assert (body is None) == (trace == Trace())
    assert body is None or codec.trace(body) == trace


@given(HALVES)
@settings(max_examples=300)
def test_cleaned_text_can_be_encoded_and_sound_text_is_left_alone(text: str) -> None:
    cleaned = codec.clean(text)
    cleaned.encode()
    assert codec.clean(cleaned) == cleaned
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert cleaned == text


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("x\ud83d", "x\ufffd"),
        ("a\x00", "a\x00"),
    ],
)
def test_halves_are_joined_or_replaced(text: str, cleaned: str) -> None:
    assert codec.clean(text) == cleaned


def test_what_is_no_json_is_refused_with_a_sentence() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (object(), {"a": {1, 2}}, deep):
        with pytest.raises(StoreError, match="no plain JSON"):
            codec.dump(value)
