"""What a turn did is written so that a crash repeats nothing that changes something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supportbot.errors import StaleLease
from supportbot.journal import STARTED, UNKNOWN, Diverged, Journal, Opening, digest, left_open
from supportbot.testing.local_pair import local_pairs
from supportbot.testing.pairs import NOW, Pair, message, receive, soon
from supportbot.types import (
    AskModel,
    CallTool,
    Charge,
    ChatMessage,
    Effect,
    Hit,
    JournalEntry,
    ModelAnswer,
    ModelFailed,
    ModelRequest,
    Result,
    Search,
    SearchResult,
    ToolCall,
    ToolResult,
    TurnInput,
    Usage,
    User,
)

ANNA = User("u-anna", "Anna")
ASK = AskModel(ModelRequest((ChatMessage("user", "refund me"),)))
REFUND = CallTool("refund", '{"order": "A-1"}', ANNA, "call-1")
LOOK_UP = CallTool("look_up", {"order": "A-1"}, ANNA)
FIND = Search("refunds")
ANSWER = ModelAnswer("", (ToolCall("call-1", "refund", "{}"),), "gpt", (Usage("gpt", "reply", 3),))
DONE = ToolResult("refunded", {"id": 7})
OPENING = Opening(NOW, "h_1", (1,))


class Turn:
    """One turn in a real store, whose attempts crash and come again."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.start: TurnInput | None = None

    async def attempt(self) -> Journal:
        """A new attempt's journal; the one before is as good as dead."""
        lease = await self.pair.store.seize((await self._conversation()), until=NOW + 90)
        self.start = await self.pair.store.begin(lease, now=NOW)
        assert self.start is not None
        journal = Journal(self.pair.store, lease, self.start.journal)
        journal.open(Journal.opening_of(self.start.journal) or OPENING)
        return journal

    async def _conversation(self) -> str:
        (only,) = await self.pair.store.conversations()
        return only.id

    @property
    def entries(self) -> tuple[JournalEntry, ...]:
        assert self.start is not None
        return self.start.journal


@asynccontextmanager
async def turn(tmp_path: Path) -> AsyncIterator[Turn]:
    async with local_pairs(tmp_path / "store.db")() as pair:
        await receive(pair, message("a"))
        await soon(pair.queue.claim())
        yield Turn(pair)


async def act(journal: Journal, effect: CallTool, result: ToolResult | None, *, acts: bool = True) -> None:
    """A call as the worker makes it; without a result the process dies in its midst."""
    assert journal.recall(effect) is None
    key = f"k-{journal.position}"
    assert await journal.before(effect, charge(key) if acts else None) is None
    if result is not None:
        await journal.after(effect, result, (key, "done", NOW) if acts else None)


def charge(key: str) -> Charge:
    return Charge(key, "refund", "c_1", "u-anna", "{}", NOW)


async def test_a_turn_without_tools_writes_nothing(tmp_path: Path) -> None:
    async with turn(tmp_path) as one:
        journal = await one.attempt()
        assert journal.recall(ASK) is None
        journal.note(ASK, ANSWER)
        await one.attempt()
        assert (one.entries, journal.acted) == ((), False)
        assert left_open(one.entries) == ""


async def test_a_replay_gives_what_was_answered_and_does_not_act_again(tmp_path: Path) -> None:
    async with turn(tmp_path) as one:
        first = await one.attempt()
        for effect, result in ((FIND, SearchResult((Hit("a.md", "A", "text", 0.5),))), (ASK, ANSWER)):
            assert first.recall(effect) is None
            first.note(effect, result)
        await act(first, REFUND, DONE)
        again = await one.attempt()
        assert Journal.opening_of(one.entries) == OPENING
        assert again.recall(FIND) == SearchResult((Hit("a.md", "A", "text", 0.5),))
        assert again.recall(ASK) == ANSWER
        assert again.acted is False
        assert again.recall(REFUND) == DONE
        assert again.acted is True
        assert again.recall(ASK) is None, "what comes after the crash is carried out"


async def test_an_action_that_was_started_and_not_finished_has_an_unknown_outcome(tmp_path: Path) -> None:
    async with turn(tmp_path) as one:
        await act(await one.attempt(), REFUND, None)
        again = await one.attempt()
        assert again.recall(REFUND) == STARTED
        assert (again.acted, UNKNOWN.error) == (True, "unknown_outcome")


async def test_a_call_that_changes_nothing_is_simply_made_again(tmp_path: Path) -> None:
    async with turn(tmp_path) as one:
        await act(await one.attempt(), LOOK_UP, None, acts=False)
        again = await one.attempt()
        assert (again.recall(LOOK_UP), again.acted, left_open(one.entries)) == (None, False, "")


async def test_a_call_that_changed_nothing_is_recalled_too(tmp_path: Path) -> None:
    async with turn(tmp_path) as one:
        await act(await one.attempt(), LOOK_UP, DONE, acts=False)
        again = await one.attempt()
        assert (again.recall(LOOK_UP), again.acted) == (DONE, False)


@pytest.mark.parametrize("result", [None, DONE])
async def test_another_effect_before_an_action_means_that_a_human_must_look(
    tmp_path: Path, result: ToolResult | None
) -> None:
    async with turn(tmp_path) as one:
        first = await one.attempt()
        assert first.recall(ASK) is None
        first.note(ASK, ANSWER)
        await act(first, REFUND, result)
        again = await one.attempt()
        with pytest.raises(Diverged, match="An action was carried out"):
            again.recall(replace(ASK, rung="offline"))
        assert again.recall(ASK) is None, "nothing of the old journal is left after that"


async def test_another_effect_without_an_action_behind_it_just_goes_its_own_way(tmp_path: Path) -> None:
    async with turn(tmp_path) as one:
        first = await one.attempt()
        assert first.recall(ASK) is None
        first.note(ASK, ANSWER)
        await act(first, LOOK_UP, DONE, acts=False)
        again = await one.attempt()
        assert again.recall(replace(ASK, stream=True)) is None
        assert again.recall(LOOK_UP) is None, "what followed the other way is void"
        assert again.acted is False


async def test_who_lost_the_turn_can_no_longer_start_an_action(tmp_path: Path) -> None:
    async with turn(tmp_path) as one:
        frozen = await one.attempt()
        assert frozen.recall(REFUND) is None
        await one.attempt()
        with pytest.raises(StaleLease):
            await frozen.before(REFUND, charge("k"))
        await one.attempt()
        assert one.entries == ()


async def test_what_is_left_open_is_said_in_a_sentence(tmp_path: Path) -> None:
    async with turn(tmp_path) as one:
        journal = await one.attempt()
        await act(journal, REFUND, DONE)
        await act(journal, replace(REFUND, call_id="call-2"), None)
        await one.attempt()
        assert "2 action(s)" in left_open(one.entries)
        assert "1 of them" in left_open(one.entries)


DIFFERENT: tuple[Effect, ...] = (
    ASK,
    replace(ASK, rung="offline"),
    replace(ASK, request=replace(ASK.request, locale="de")),
    FIND,
    replace(FIND, limit=5),
    REFUND,
    replace(REFUND, user=User("u-ben")),
    replace(REFUND, call_id="call-2"),
    replace(REFUND, arguments={"order": "A-1"}),
    LOOK_UP,
)


def test_effects_that_differ_in_anything_have_different_digests() -> None:
    assert len({digest(effect) for effect in DIFFERENT}) == len(DIFFERENT)
    assert digest(replace(REFUND, user=User("u-anna", "Anna"))) == digest(REFUND)


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
results: st.SearchStrategy[Result] = st.one_of(
    st.builds(ToolResult, words, json_values, st.sampled_from(["", "failed", "timeout"])),
    st.builds(
        ModelFailed, words, words, st.tuples(st.builds(Usage, words, words, cost=st.none() | st.integers(0)))
    ),
    st.builds(
        ModelAnswer, words, st.tuples(st.builds(ToolCall, words, words, words)), words, sources=st.tuples(words)
    ),
    st.builds(SearchResult, st.tuples(st.builds(Hit, words, words, words, st.floats(0, 1)))),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(results, min_size=1, max_size=4))
def test_any_result_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, given_results: list[Result]
) -> None:
    async def there_and_back() -> list[Result | None]:
        async with turn(tmp_path_factory.mktemp("journal")) as one:
            first = await one.attempt()
            for result in given_results:
                assert first.recall(ASK) is None
                first.note(ASK, result)
            await act(first, LOOK_UP, DONE, acts=False)
            again = await one.attempt()
            return [again.recall(ASK) for _ in given_results]

    assert asyncio.run(there_and_back()) == given_results
