"""Desks in a running house: rows in order, places, many agents at once, and desks that fail."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from crashing import Shop, message, write
from working import Clock, quiet, running, sent

from supportbot import Act, ChannelBusy, ChannelRefused, ConfigError, Desk, StoreBusy, User
from supportbot.bot import Bot
from supportbot.models import Line, ScriptedModel
from supportbot.types import Attachment, Capabilities, Outgoing

ANA = User("1", "Ana")


class Counting(Desk):
    """A desk in memory: each handoff gets a place; `rows` are what it took."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.rows: list[Outgoing] = []
        self.places: dict[str, str] = {}
        self.error: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.capabilities = Capabilities(retry_delays=(0.0, 0.05, 0.05, 0.05, 0.05, 0.05))

    async def send(self, outgoing: Outgoing) -> str:
        await self.open.wait()
        if self.error is not None:
            raise self.error
        self.rows.append(outgoing)
        if outgoing.kind != "handoff.requested":
            assert outgoing.place == self.places[outgoing.data["handoff"]]
            return ""
        return self.places.setdefault(outgoing.data["handoff"], f"place {len(self.places) + 1}")

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        return b"%PDF-1.4 " + attachment.ref.encode()

    def at(self, place: str) -> list[str]:
        """What stands at the place, as kinds or words."""
        return [
            row.reply.text if row.reply else row.data.get("change") or row.kind
            for row in self.rows
            if self.places.get(row.data["handoff"]) == place
        ]


class Hall(Shop):
    """The channel in memory, with desks."""

    def __init__(self) -> None:
        super().__init__()
        self.capabilities = Capabilities(files=True)
        self.desks: dict[str, Counting] = {}

    def desk(self, name: str, options: Mapping[str, Any]) -> Desk:
        self.desks[name] = Counting(name)
        return self.desks[name]


def config(**more: Any) -> dict[str, Any]:
    return {"desks": {"front": {"channel": "shop"}}, **more}


async def until(done: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.005)


def silent() -> ScriptedModel:
    return ScriptedModel(lambda request: Line("Hello."))


async def test_words_go_both_ways_in_order_and_stay_apart(tmp_path: Path) -> None:
    hall = Hall()
    async with running(tmp_path, silent(), shop=hall, **config()) as (bot, _):
        desk = hall.desks["front"]
        desk.open.clear()
        for chat in ("anna", "ben"):
            await bot.receive(message(f"{chat}-1", "/human", chat=chat))
        await sent(hall, 2)
        for number in range(2, 6):
            for chat in ("anna", "ben"):
                await bot.receive(message(f"{chat}-{number}", f"{chat} {number}", chat=chat))
        await quiet()
        assert desk.rows == []
        desk.open.set()
        await until(lambda: len(desk.rows) == 10)
        by_customer = {row.data["customer"]["id"]: row.place for row in desk.rows if row.place}
        for chat in ("anna", "ben"):
            place = by_customer[f"u-{chat}"]
            assert desk.at(place) == ["handoff.requested", *(f"{chat} {number}" for number in range(2, 6))]
        assert await bot.act("front", Act("a1", ANA, "message", by_customer["u-ben"], text="Hello Ben."))
        assert await bot.act("front", Act("a1", ANA, "message", by_customer["u-ben"], text="Hello Ben."))
        assert (await sent(hall, 3))[-1] == "Hello Ben."
        await quiet()
        assert len(hall.sent) == 3 and hall.sent[-1].address.chat == "ben"
        assert desk.at(by_customer["u-ben"])[-1] == "handoff.claimed"
        assert not await bot.act("front", Act("a2", ANA, "message", "nowhere", text="Hello?"))
        assert not await bot.act("front", Act("a3", ANA, "claim", handoff="h_nowhere"))


async def test_while_the_place_is_not_known_the_platform_has_to_come_again(tmp_path: Path) -> None:
    hall = Hall()
    async with running(tmp_path, silent(), shop=hall, **config()) as (bot, _):
        desk = hall.desks["front"]
        desk.open.clear()
        await bot.receive(message("m1", "/human"))
        await sent(hall, 1)
        with pytest.raises(StoreBusy):
            await bot.act("front", Act("a1", ANA, "message", "place 1", text="Quick."))
        desk.open.set()
        await until(lambda: len(desk.rows) == 1)
        await quiet()
        assert await bot.act("front", Act("a1", ANA, "message", "place 1", text="Quick."))
        assert (await sent(hall, 2))[-1] == "Quick."


async def test_a_desk_that_is_down_delays_and_loses_nothing(tmp_path: Path) -> None:
    hall = Hall()
    async with running(tmp_path, silent(), shop=hall, **config()) as (bot, _):
        desk = hall.desks["front"]
        desk.error = ChannelBusy("down")
        await bot.receive(message("m1", "/human"))
        await sent(hall, 1)
        await bot.receive(message("m2", "hello?"))
        await quiet()
        desk.error = None
        await until(lambda: len(desk.rows) == 2, 15)
        assert desk.at("place 1") == ["handoff.requested", "hello?"]


async def test_an_agents_file_reaches_the_customer(tmp_path: Path) -> None:
    hall = Hall()
    async with running(tmp_path, silent(), shop=hall, **config()) as (bot, _):
        await bot.receive(message("m1", "/human"))
        await until(lambda: bool(hall.desks["front"].places))
        await quiet()
        file = Attachment("label.pdf", "application/pdf", ref="F1")
        await bot.act("front", Act("a1", ANA, "message", "place 1", text="Your label.", attachments=(file,)))
        await sent(hall, 2)
        reply = hall.sent[-1].reply
        assert reply is not None and reply.files[0].name == "label.pdf"
        assert await bot._kept.read(reply.files[0].digest) == b"%PDF-1.4 F1"


async def test_the_agent_hears_of_words_that_could_not_be_delivered(tmp_path: Path) -> None:
    hall = Hall()
    async with running(tmp_path, silent(), shop=hall, **config()) as (bot, _):
        await bot.receive(message("m1", "/human"))
        await until(lambda: bool(hall.desks["front"].places))
        await quiet()

        async def blocked(outgoing: Outgoing) -> str:
            raise ChannelRefused("the customer has blocked the bot")

        hall.send = blocked  # type: ignore[method-assign]
        await bot.act("front", Act("a1", ANA, "message", "place 1", text="Hello."))
        bot.house.timers_set()
        await until(
            lambda: hall.desks["front"].at("place 1")[-1:] == ["claimed"] or len(hall.desks["front"].rows) > 1
        )
        async with asyncio.timeout(5):
            while "undelivered" not in hall.desks["front"].at("place 1"):
                bot.house.timers_set()
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("capacity", [0, 5])
async def test_of_many_agents_who_claim_at_once_each_handoff_has_one(tmp_path: Path, capacity: int) -> None:
    """Two hundred handoffs wait; twenty agents press Claim on all of them, in an order of their own."""
    hall = Hall()
    names = [f"agent {number}" for number in range(20)]
    agents = {name: {"id": str(at), "capacity": capacity} for at, name in enumerate(names)}
    desks = {"front": {"channel": "shop", "agents": agents}}
    async with running(tmp_path, silent(), shop=hall, desks=desks) as (bot, _):
        for number in range(200):
            await bot.receive(message(f"m-{number}", "/human", chat=f"c{number}"))
        desk = hall.desks["front"]
        await until(lambda: len(desk.places) == 200, 60)
        await quiet()
        places = list(desk.places.values())

        async def press(at: int) -> None:
            mine = random.Random(at).sample(places, len(places))
            for place in mine:
                await bot.act("front", Act(f"{at} {place}", User(str(at), names[at]), "claim", place))

        await asyncio.gather(*(press(at) for at in range(20)))
        await until(lambda: len(desk.rows) == 200 + 200 * 20, 120)
        claims = Counter(row.data["handoff"] for row in desk.rows if row.kind == "handoff.claimed")
        refused = [row for row in desk.rows if row.data.get("change") == "refused"]
        open_ = await bot.store.handoffs(limit=500)
        claimed = [handoff for handoff in open_ if handoff.status == "claimed"]
        assert max(claims.values()) == 1, "one handoff has one agent"
        assert len(claimed) == sum(claims.values()) == (200 if not capacity else 20 * capacity)
        assert len(claims) + len(refused) == 200 * 20, "everybody is told what became of their claim"
        has = Counter(handoff.agent_id for handoff in claimed)
        assert not capacity or set(has.values()) == {capacity}, has


async def test_a_freed_agent_is_given_the_one_who_waits_longest(tmp_path: Path) -> None:
    hall = Hall()
    agents = {"Ana": {"id": 1, "capacity": 1}, "Bob": {"id": 2, "capacity": 1}}
    desks = {"front": {"channel": "shop", "assign": "round_robin", "agents": agents}}
    async with running(tmp_path, silent(), shop=hall, desks=desks) as (bot, _):
        for number in range(1, 5):
            await bot.receive(message(f"m-{number}", "/human", chat=f"c{number}"))
            await sent(hall, number)
        given = {one.user.id: one.assignee for one in await bot.store.handoffs()}
        assert given == {"u-c1": "1", "u-c2": "2", "u-c3": "", "u-c4": ""}
        assert hall.sent[3].reply is not None and "number 4 in line" in hall.sent[3].reply.text
        first = next(one for one in await bot.store.handoffs() if one.user.id == "u-c1")
        await until(lambda: first.id in hall.desks["front"].places)
        await quiet()
        await bot.act("front", Act("a1", ANA, "resolve", handoff=first.id))
        async with asyncio.timeout(5):
            while {one.user.id: one.assignee for one in await bot.store.handoffs()}.get("u-c3") != "1":
                await asyncio.sleep(0.02)
        assert {one.user.id: one.assignee for one in await bot.store.handoffs()}["u-c4"] == ""


async def test_a_line_in_which_nobody_ever_answers(tmp_path: Path) -> None:
    """Every customer hears the truth, is moved on, asked for a contact, and has the bot back in the end."""
    hall, clock = Hall(), Clock()
    desks = {
        "front": {"channel": "shop", "deadline": "5m", "otherwise": "tickets"},
        "tickets": {"channel": "shop", "deadline": "10m", "told": {"en": "I have opened a ticket for you."}},
    }
    terms = {"ceiling": "2h"}
    async with running(tmp_path, silent(), shop=hall, clock=clock, desks=desks, handoff=terms) as (bot, _):
        for number in range(30):
            await bot.receive(message(f"m-{number}", "/human", chat=f"c{number}"))
        await sent(hall, 30)
        for step, minutes in enumerate((6, 11, 125), start=2):
            clock.ahead += minutes * 60
            bot.house.timers_set()
            await sent(hall, 30 * step, 30)
        await quiet()
        heard: dict[str, list[str]] = {}
        for one in hall.sent:
            heard.setdefault(one.address.chat, []).append(one.reply.text if one.reply else "")
        assert len(heard) == 30
        for texts in heard.values():
            told, moved, waiting, back = texts
            assert "A colleague" in told and moved.startswith("I have opened a ticket for you.")
            assert waiting.startswith("I'm sorry for the wait") and "I'm the assistant again" in back
        assert await bot.store.handoffs() == ()
        await bot.receive(message("again", "hello", chat="c7"))
        assert (await sent(hall, 121))[-1] == "Hello."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"desks": {"front": {"channel": "nowhere"}}}, "there is no channel 'nowhere'"),
        ({"desks": {"front": {"channel": "shop", "otherwise": "else"}}}, "must be one of wait, contact, return"),
        ({"desks": {"front": {"channel": "shop", "otherwise": "contact"}}}, "contact needs handoff.contact"),
        ({"desks": {"front": {"channel": "shop", "assign": "least_busy"}}}, "needs `agents` to choose from"),
        ({"handoff": {"contact": "nope"}}, "there is no flow 'nope'"),
    ],
)
def test_what_makes_no_sense_together_is_said_with_its_place(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    path = write(tmp_path, **changes)
    with pytest.raises(ConfigError) as caught:
        Bot.from_config(path, env={}, model="offline", channels={"shop": Hall()}, only_channels=True)
    (problem,) = caught.value.problems
    assert sentence in str(problem) and "config.yaml:" in str(problem)
