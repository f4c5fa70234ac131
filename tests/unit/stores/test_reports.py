"""The figures behind the dashboards: small known data, exact figures."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from counted import conversation, database, handoff, letter, reports, row
from hypothesis import given
from hypothesis import strategies as st

from supportbot.stores import passing
from supportbot.stores.figures import spread
from supportbot.stores.reports import LISTED, normalised
from supportbot.testing.pairs import NOW
from supportbot.types.reports import Handoffs, Period, Question, Spending, Spread, Times, Volume

DAY = date(2023, 11, 14)
"""The day of NOW."""
ONE = Period(DAY, DAY)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path) as opened:
        yield opened


def at(zone: str, *when: int) -> float:
    return datetime(*when, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[misc,arg-type]


def tally(connection: sqlite3.Connection, when: float, name: str, amount: int, channel: str = "shop") -> None:
    row(connection, "tallies", hour=int(when // 3600), channel=channel, name=name, amount=amount)


# --- periods -------------------------------------------------------------------------------------------------


def test_a_day_has_23_or_25_hours_when_the_clocks_change() -> None:
    spring = Period(date(2026, 3, 28), date(2026, 3, 30), "Europe/Berlin").bounds
    autumn = Period(date(2026, 10, 25), date(2026, 10, 25), "Europe/Berlin").bounds
    assert [(b - a) / 3600 for a, b in pairwise(spring)] == [24, 23, 24]
    assert (autumn[1] - autumn[0]) / 3600 == 25


def test_the_period_before_is_as_long_and_ends_the_day_before() -> None:
    before = Period(date(2026, 3, 1), date(2026, 3, 30), "Europe/Berlin", "web").before
    assert before == Period(date(2026, 1, 30), date(2026, 2, 28), "Europe/Berlin", "web")
    assert len(before.days) == 30


@given(
    st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    st.integers(1, 40),
    st.sampled_from(["UTC", "America/Havana", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Apia"]),
)
def test_days_follow_each_other_without_gaps_in_every_zone(first: date, days: int, zone: str) -> None:
    period = Period(first, date.fromordinal(first.toordinal() + days - 1), zone)
    bounds = period.bounds
    assert len(bounds) == days + 1
    assert all(a <= b for a, b in pairwise(bounds))
    assert period.before.bounds[-1] == bounds[0]


# --- volume --------------------------------------------------------------------------------------------------


async def test_an_empty_database_has_empty_figures(connection: sqlite3.Connection) -> None:
    found = reports(connection)
    assert await found.channels() == ()
    assert await found.volume(ONE) == () and await found.spending(ONE) == ()
    none = await found.handoffs(ONE)
    assert (none.total, none.rated, none.average, none.overall, none.waits) == (0, 0, None, Times(), (0,) * 6)
    assert (await found.unanswered(ONE)).newest == ()
    assert (await found.deliveries()).dead == 0


async def test_volume_is_by_day_and_channel(connection: sqlite3.Connection) -> None:
    tally(connection, NOW, "conversations", 4)
    tally(connection, NOW, "handed_over", 1)
    tally(connection, NOW + 86_400, "messages", 7)
    tally(connection, NOW, "replies", 5, "web")
    tally(connection, NOW, "calls:gpt-5", 9)
    period = Period(DAY, date(2023, 11, 15))
    assert await reports(connection).volume(period) == (
        Volume(DAY, "shop", conversations=4, handed_over=1),
        Volume(DAY, "web", replies=5),
        Volume(date(2023, 11, 15), "shop", messages=7),
    )
    totals = await reports(connection).totals(period)
    assert {name: amount for name, amount in totals.items() if amount} == {
        "conversations": 4,
        "handed_over": 1,
        "messages": 7,
        "replies": 5,
    }
    only = await reports(connection).volume(Period(DAY, DAY, channel="web"))
    assert only == (Volume(DAY, "web", replies=5),)


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("Europe/Berlin", (2026, 3, 28, 22, 59), date(2026, 3, 28)),
        ("Europe/Berlin", (2026, 3, 28, 23, 0), date(2026, 3, 29)),
        ("Europe/Berlin", (2026, 3, 29, 21, 59), date(2026, 3, 29)),
        ("Europe/Berlin", (2026, 3, 29, 22, 0), date(2026, 3, 30)),
        ("America/New_York", (2026, 11, 1, 4, 0), date(2026, 11, 1)),
        ("America/New_York", (2026, 11, 2, 4, 59), date(2026, 11, 1)),
        ("Asia/Kolkata", (2026, 3, 1, 18, 5), date(2026, 3, 1)),
        ("Asia/Kolkata", (2026, 3, 1, 19, 5), date(2026, 3, 2)),
    ],
)
async def test_an_hour_belongs_to_the_day_that_the_zones_clock_shows(
    connection: sqlite3.Connection, zone: str, moment: tuple[int, ...], day: date
) -> None:
    tally(connection, at("UTC", *moment), "messages", 1)
    period = Period(date.fromordinal(day.toordinal() - 2), date.fromordinal(day.toordinal() + 2), zone)
    assert [found.day for found in await reports(connection).volume(period)] == [day]


async def test_spending_is_by_day_and_model_over_all_channels(connection: sqlite3.Connection) -> None:
    for channel, cost in (("shop", 40), ("web", 2)):
        tally(connection, NOW, "cost:gpt:x", cost, channel)
        tally(connection, NOW, "calls:gpt:x", 1, channel)
    tally(connection, NOW, "unpriced:local", 3)
    assert await reports(connection).spending(ONE) == (
        Spending(DAY, "gpt:x", calls=2, cost=42),
        Spending(DAY, "local", unpriced=3),
    )
    assert await reports(connection).spending(Period(DAY, DAY, channel="web")) == (
        Spending(DAY, "gpt:x", calls=1, cost=2),
    )
    assert await reports(connection).cost(ONE) == 42
    assert await reports(connection).cost(Period(DAY, DAY, channel="web")) == 2
    assert await reports(connection).cost(ONE.before) == 0


async def test_channels_are_named_once_each(connection: sqlite3.Connection) -> None:
    for channel in ("web", "shop", "web", "@", "shop"):
        conversation(connection, NOW, channel)
    assert await reports(connection).channels() == ("@", "shop", "web")


# --- handoffs ------------------------------------------------------------------------------------------------


def some_handoffs(connection: sqlite3.Connection) -> None:
    shop, web = conversation(connection, NOW), conversation(connection, NOW, "web")
    ana = {"agent": "Ana", "desk": "front"}
    handoff(connection, shop, NOW, claimed_at=NOW + 30, answered_at=NOW + 60, ended_at=NOW + 600, rating=5, **ana)
    handoff(connection, web, NOW, claimed_at=NOW + 90, answered_at=NOW + 120, ended_at=NOW + 1200, rating=2, **ana)
    handoff(connection, web, NOW + 1, reason="no_answer", status="returned", desk="back", agent="Ben",
            claimed_at=NOW + 1001, answered_at=NOW + 2001, ended_at=NOW + 3001)  # fmt: skip
    handoff(connection, shop, NOW, reason="rule", status="waiting", desk="front")
    handoff(connection, shop, NOW, reason="rule", status="expired", desk="front", ended_at=NOW + 9000)
    handoff(connection, shop, NOW, reason="human", claimed_at=NOW, answered_at=NOW, ended_at=NOW + 400, **ana)
    handoff(connection, shop, NOW - 86_400, claimed_at=NOW, ended_at=NOW + 5, rating=1, **ana)  # the day before


async def test_handoffs_are_counted_by_reason_desk_status_and_agent(connection: sqlite3.Connection) -> None:
    some_handoffs(connection)
    found = await reports(connection).handoffs(ONE)
    assert found.total == 6
    assert found.reasons == {"requested": 2, "rule": 2, "no_answer": 1, "human": 1}
    assert found.by_day == (found.reasons,)
    assert found.desks == {"front": 5, "back": 1}
    assert found.statuses == {"resolved": 3, "returned": 1, "waiting": 1, "expired": 1}
    ana, ben = found.agents
    assert (ana.name, ana.handoffs, ana.resolved, ana.ratings, ana.average) == ("Ana", 3, 3, 2, 3.5)
    assert ana.answer == Spread(2, 90.0, 114.0)
    assert (ben.name, ben.desk, ben.resolved, ben.answer) == ("Ben", "back", 0, Spread(1, 2000.0, 2000.0))


async def test_times_run_from_the_request_and_leave_out_what_has_not_happened(
    connection: sqlite3.Connection,
) -> None:
    some_handoffs(connection)
    overall = (await reports(connection).handoffs(ONE)).overall
    assert overall.waiting == Spread(3, 90.0, pytest.approx(818.0))
    assert overall.answer == Spread(3, 120.0, pytest.approx(1624.0))
    assert overall.resolution == Spread(4, 900.0, pytest.approx(2460.0))
    assert overall.open_waiting == overall.waiting


async def test_waiting_times_are_told_apart_and_measured_in_open_hours(connection: sqlite3.Connection) -> None:
    some_handoffs(connection)
    found = await reports(connection).handoffs(ONE, lambda since, until: (until - since) / 2)
    assert found.waits == (1, 1, 0, 1, 0, 0)
    assert found.overall.open_waiting == Spread(3, 45.0, pytest.approx(409.0))


async def test_ratings_are_those_of_the_handoffs_that_were_requested_in_the_period(
    connection: sqlite3.Connection,
) -> None:
    some_handoffs(connection)
    found = await reports(connection).handoffs(ONE)
    assert (found.ratings, found.average, found.rated, found.asked) == ((0, 1, 0, 0, 1), 3.5, 2, 3)
    two = await reports(connection).handoffs(Period(date(2023, 11, 13), DAY))
    assert (two.ratings, two.average_by_day, two.ratings_by_day) == ((1, 1, 0, 0, 1), (1.0, 3.5), (1, 2))


async def test_a_channel_has_its_own_handoffs(connection: sqlite3.Connection) -> None:
    some_handoffs(connection)
    found: Handoffs = await reports(connection).handoffs(Period(DAY, DAY, channel="web"))
    assert (found.total, found.desks) == (2, {"front": 1, "back": 1})


async def test_a_handoff_that_was_opened_again_has_no_answer_before_its_question(
    connection: sqlite3.Connection,
) -> None:
    key = conversation(connection, NOW)
    handoff(connection, key, NOW + 100, status="waiting", answered_at=NOW)
    assert (await reports(connection).handoffs(ONE)).overall == Times()


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_a_spread_lies_within_its_values(values: list[float]) -> None:
    found = spread(values)
    assert min(values) <= found.median <= found.p90 <= max(values)
    assert found.count == len(values)


# --- questions -----------------------------------------------------------------------------------------------


def question(connection: sqlite3.Connection, *words: str, when: float, channel: str = "shop") -> str:
    key = conversation(connection, when, channel)
    for text in words:
        row(connection, "messages", conversation=key, turn=3, role=1, tokens=1, content=text)
    row(connection, "messages", conversation=key, turn=3, role=2, tokens=1, content="I am not sure.")
    row(connection, "unanswered", conversation=key, turn=3, at=when)
    public: str = connection.execute("SELECT public FROM conversations WHERE id = ?", (key,)).fetchone()[0]
    return public


async def test_open_questions_come_newest_first_and_alike_ones_are_counted(connection: sqlite3.Connection) -> None:
    question(connection, "Do you ship to Zürich?", when=NOW)
    question(connection, "Is it dimmable?", when=NOW + 1)
    last = question(connection, "do you", "ship to zurich", when=NOW + 2, channel="web")
    question(connection, "[deleted by the customer]", when=NOW + 3)
    question(connection, "Yesterday?", when=NOW - 86_400)
    found = await reports(connection).unanswered(ONE)
    newest = Question("do you ship to zurich", last, "web", NOW + 2)
    assert [one.text for one in found.newest] == [
        "do you ship to zurich",
        "Is it dimmable?",
        "Do you ship to Zürich?",
    ]
    assert [(one.latest, one.count) for one in found.frequent] == [(newest, 2)]
    assert (found.total, found.looked_at) == (4, 4)
    assert (await reports(connection).unanswered(Period(DAY, DAY, channel="web"))).newest == (newest,)


async def test_a_long_question_is_cut_and_a_long_list_ends(connection: sqlite3.Connection) -> None:
    for number in range(LISTED + 5):
        question(connection, f"{number} " + "why " * 1000, when=NOW + number)
    found = await reports(connection).unanswered(ONE)
    assert (len(found.newest), found.total) == (LISTED, LISTED + 5)
    assert len(found.newest[0].text) == 300


def test_questions_are_alike_without_case_accents_and_punctuation() -> None:
    assert normalised("  Où est MA commande ?!") == normalised("ou est ma commande") == "ou est ma commande"
    assert normalised("???") == "???" and normalised("火星に届きますか？") == normalised("火星に届きますか")


# --- deliveries ----------------------------------------------------------------------------------------------


async def test_dead_letters_are_listed_newest_first_with_what_went_wrong(connection: sqlite3.Connection) -> None:
    shop, web = conversation(connection, NOW), conversation(connection, NOW, "web")
    letter(connection, shop, "msg_1", attempt=3)
    letter(connection, web, "msg_2", channel="@desk.front", kind="handoff.requested", text=None)
    letter(connection, web, "msg_3", channel="web", dead=0)
    row(connection, "aside", channel="web", message="u1", content="{}", reason="It has no chat.", at=NOW)
    found = await reports(connection).deliveries()
    assert found.dead == 2 and found.set_aside == 1 and found.refused[0].reason == "It has no chat."
    assert [(one.id, one.may_retry, one.attempts) for one in found.failed] == [
        ("msg_2", False, 0),
        ("msg_1", True, 3),
    ]
    assert found.by_channel == {("shop", "message.reply"): 1, ("@desk.front", "handoff.requested"): 1}
    only = await reports(connection).deliveries("shop")
    assert (only.dead, [one.id for one in only.failed], only.set_aside) == (1, ["msg_1"], 0)


async def test_a_dead_letter_goes_back_before_what_waits_in_its_lane(connection: sqlite3.Connection) -> None:
    key, other = conversation(connection, NOW), conversation(connection, NOW)
    letter(connection, key, "dead", attempt=12)
    letter(connection, key, "arrived", dead=0, error=None)
    letter(connection, key, "waits", dead=0, error=None, finished_at=None)
    letter(connection, other, "elsewhere", dead=0, error=None, finished_at=None)
    assert [one.id for one in passing.due(connection, NOW, 9, ())] == ["waits", "elsewhere"]
    assert await reports(connection).retry("dead", now=NOW + 5)
    again = passing.due(connection, NOW + 5, 9, ())
    assert [(one.id, one.attempt) for one in again] == [("dead", 0), ("elsewhere", 0)]
    passing.delivered(connection, ["dead"], "", NOW + 6)
    assert [one.id for one in passing.due(connection, NOW + 7, 9, ())] == ["waits", "elsewhere"]
    assert (await reports(connection).deliveries()).dead == 0


async def test_a_letter_that_dies_again_is_listed_again(connection: sqlite3.Connection) -> None:
    letter(connection, conversation(connection, NOW), "dead")
    assert await reports(connection).retry("dead", now=NOW)
    passing.bury(connection, "dead", "blocked again", NOW + 1)
    (failed,) = (await reports(connection).deliveries()).failed
    assert (failed.id, failed.error) == ("dead", "blocked again")


@pytest.mark.parametrize("id", ["alive", "arrived", "desk", "unknown", ""])
async def test_only_a_dead_letter_to_a_channel_can_be_sent_again(connection: sqlite3.Connection, id: str) -> None:
    key = conversation(connection, NOW)
    letter(connection, key, "alive", dead=0, finished_at=None)
    letter(connection, key, "arrived", dead=0)
    letter(connection, key, "desk", channel="@desk.front")
    before = connection.execute("SELECT * FROM outbox ORDER BY id").fetchall()
    assert not await reports(connection).retry(id, now=NOW)
    assert connection.execute("SELECT * FROM outbox ORDER BY id").fetchall() == before


# --- costs ---------------------------------------------------------------------------------------------------


async def test_no_figure_scans_what_was_said_traced_or_used(connection: sqlite3.Connection) -> None:
    conversation(connection, NOW)
    plans: list[str] = []
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    found = reports(connection)
    for period in (ONE, Period(DAY, DAY, channel="shop")):
        await found.volume(period)
        await found.totals(period)
        await found.cost(period)
        await found.spending(period)
        await found.handoffs(period)
        await found.unanswered(period)
        await found.deliveries(period.channel)
    await found.channels()
    connection.set_trace_callback(None)
    for query in asked:
        plans += [step[3] for step in connection.execute(f"EXPLAIN QUERY PLAN {query}")]
    scans = {step for step in plans if step.startswith("SCAN")}
    assert len(asked) >= 15 and plans
    assert not {
        step
        for step in scans
        if step.split()[1] in ("messages", "traces", "usage", "tallies", "conversations", "handoffs")
    }
