"""Random flows, states, answers and edits: nothing raises, everything ends, states survive being stored."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from helping import drive, scene
from hypothesis import given, settings
from hypothesis import strategies as st

from supportbot.dialogue import FlowBook, Heard, advance, build, check, enter, fits, question, waiting
from supportbot.dialogue.grammar import FlowFile
from supportbot.types import Action, FlowState, Frame, ModelAnswer, ModelFailed, ToolResult

SLOTS = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["Hi.", "{{ a }}", "{{ user.name }} {{ b }}", "{{ slots.c }}", "{{ 1/0 }}"])
CONDITIONS = st.sampled_from(["a", "a == 1", "b > 3", "a + b", "not c", "len(c) > 1"])
VALUES = st.sampled_from([1, "x", None, True, "{{ a }}", "{{ b }} more", ["{{ c }}"], {"k": "{{ a }}"}])
NAMES = st.sampled_from(["one", "two", "gone"])
TYPES = st.sampled_from(
    [
        {"type": "number"},
        {"type": "text"},
        {"type": "yes_no"},
        {"type": "choice", "choices": ["1", "x"]},
        {"type": "date"},
    ]
)


def _simple() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.builds(lambda text: {"say": text}, TEXTS),
        st.builds(lambda slot, kind, again, tries: {"ask": slot, "question": "Q", "again": again, "tries": tries, **kind}, SLOTS, TYPES, st.booleans(), st.integers(1, 2)),
        st.builds(lambda slot, value: {"set": {slot: value}}, SLOTS, VALUES),
        st.builds(lambda slot, value: {"call": "t", "with": {"x": value}, "into": slot}, SLOTS, VALUES),
        st.builds(lambda slot, kind: {"model": {"instruction": "x", "into": {slot: kind}}}, SLOTS, TYPES),
        st.just({"model": "Say it."}),
        st.builds(lambda name: {"flow": name}, NAMES),
        st.builds(lambda name: {"goto": name}, SLOTS),
        st.builds(lambda name: {"name": name, "say": "Here."}, SLOTS),
        st.just({"handoff": "why"}),
        st.just("end"),
    )  # fmt: skip


def _nested(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    block = st.lists(steps, max_size=3)
    return st.one_of(
        st.builds(lambda test, then, other: {"if": test, "then": then, "else": other}, CONDITIONS, block, block),
        st.builds(
            lambda test, case, other: {"switch": test, "cases": {"1": case, "x": other}}, CONDITIONS, block, block
        ),
        st.builds(
            lambda slot, other: {"ask": slot, "question": "Q", "type": "number", "otherwise": other}, SLOTS, block
        ),
        st.builds(lambda other: {"call": "t", "otherwise": other}, block),
    )


STEPS = st.lists(st.recursive(_simple(), _nested, max_leaves=6), min_size=1, max_size=5)
BOOKS = st.builds(
    lambda one, two: build(
        {
            name: FlowFile.model_validate({"flow": name, "steps": steps})
            for name, steps in (("one", one), ("two", two))
        }
    ),
    STEPS,
    STEPS,
)
SAID = st.one_of(
    st.none(),
    st.builds(Heard, st.sampled_from(["1", "x", "yes", "no", "", "tomorrow", "what?"])),
    st.builds(lambda id: Heard("", Action(id)), st.sampled_from(["a:1", "b:yes", "c:x", "other"])),
)
RESULTS = st.lists(
    st.sampled_from(
        [
            ToolResult("{}", {"k": [1, {"x": None}]}),
            ToolResult("", None),
            ToolResult("no", error="failed"),
            ToolResult("?", error="unknown_outcome"),
            ModelAnswer("Dear."),
            ModelAnswer('{"a": 1, "b": "x", "c": null}'),
            ModelFailed("unavailable", "down"),
        ]
    ),
    max_size=4,
)


def stored(state: FlowState) -> FlowState:
    """The state after it was written as JSON and read again."""
    plain = json.loads(json.dumps(asdict(state)))
    frames = tuple(Frame(**{**frame, "at": tuple(frame["at"])}) for frame in plain["frames"])
    return FlowState(frames, plain["slots"])


@settings(max_examples=150, deadline=None)
@given(BOOKS, BOOKS, st.lists(st.tuples(SAID, RESULTS), min_size=1, max_size=6), st.integers(0, 5))
def test_any_talk_with_any_flow_ends_also_when_the_flows_are_edited_midway(
    book: FlowBook, edited: FlowBook, talk: list[tuple[Heard | None, list[Any]]], change: int
) -> None:
    state = enter(FlowState(), book, "one", {"a": "1"})
    current = scene(max_steps=60)
    for turn, (heard, results) in enumerate(talk):
        flows = edited if turn >= change else book
        if heard is not None:
            fits(state, flows, current, heard)
        question(state, flows, current)
        needs: list[Any] = []
        advanced = drive(advance(state, flows, current, heard), results, needs)
        assert len(needs) <= 60
        assert stored(advanced.state) == advanced.state
        assert (advanced.status == "waiting") == bool(advanced.state.frames)
        if advanced.state.frames:
            assert waiting(advanced.state, flows) is not None
        assert advanced.state.frames or not advanced.state.slots
        json.dumps(list(advanced.trace))
        state = enter(advanced.state, flows, "two") if turn == 2 else advanced.state


FRAMES = st.lists(
    st.builds(
        Frame,
        st.sampled_from(["one", "two", "gone"]),
        st.sampled_from(["", "old"]),
        st.lists(st.one_of(st.integers(-1, 3), st.sampled_from(["then", "cases", "1"])), max_size=4).map(tuple),
        st.sampled_from(["", "a", "b", "zzz"]),
        st.integers(0, 5),
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(BOOKS, FRAMES, st.booleans(), SAID, RESULTS)
def test_no_state_however_broken_makes_it_raise(
    book: FlowBook, frames: list[Frame], current: bool, heard: Heard | None, results: list[Any]
) -> None:
    if current:
        frames = [
            replace(frame, digest=book.flows[frame.flow].digest) if frame.flow in book.flows else frame
            for frame in frames
        ]
    state = FlowState(tuple(frames), {"a": 1, "b": {"x": [1]}})
    waiting(state, book)
    drive(advance(state, book, scene(max_steps=60), heard), results, [])


@settings(max_examples=100, deadline=None)
@given(BOOKS)
def test_checking_any_flows_never_raises(book: FlowBook) -> None:
    assert check(book, {}, languages=["en"]) == check(book, {}, languages=["en"])
