"""Desks in the console: routing works for people who sign in there, as it does for those at any other desk."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from searching import Signed, said, searched, signed

from supportbot.bot import Bot
from supportbot.changes import Changes
from supportbot.consoledesk import ConsoleDesk
from supportbot.errors import ConfigError, UsageError
from supportbot.testing.site import SECRET, Site, write_bot
from supportbot.types import Address, Handoff, Outgoing, Reply, User

_acts = itertools.count(1)
FRONT = {
    "channel": "console",
    "assign": "least_busy",
    "agents": {"Maya": {"id": "maya", "capacity": 1}, "Bob": {"id": "bob", "capacity": 1}},
}


async def handoff_of(site: Site, conversation: str) -> Handoff:
    return next(one for one in await site.bot.store.handoffs() if one.conversation == conversation)


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


async def act(person: Signed, conversation: str, name: str, **fields: str) -> int:
    """Presses a button on the conversation's page; the status of the answer."""
    fields = {"act": f"act-of-the-tests-{next(_acts):08}", **fields}
    return (await person.post(f"/console/c/{conversation}/{name}", **fields)).status_code


async def test_handoffs_are_given_to_agents_by_their_logins_up_to_their_capacity(tmp_path: Path) -> None:
    async with searched(tmp_path, desks={"front": FRONT}) as (site, _):
        ids = [await said(site, "/human", conversation=f"c{n}") for n in range(3)]
        assert sorted([(await handoff_of(site, id)).assignee for id in ids]) == ["", "bob", "maya"]
        assert {(await handoff_of(site, id)).desk for id in ids} == {"front"}


async def test_an_agent_claims_what_was_offered_and_has_room_for_no_other(tmp_path: Path) -> None:
    async with searched(tmp_path, desks={"front": FRONT}) as (site, maya), signed(site, login="bob") as bob:
        ids = [await said(site, "/human", conversation=f"c{n}") for n in range(2)]
        (mine,) = [id for id in ids if (await handoff_of(site, id)).assignee == "maya"]
        (other,) = set(ids) - {mine}
        assert await act(maya, mine, "claim") == 303
        assert (await handoff_of(site, mine)).agent_id == "maya"
        assert await act(bob, other, "claim") == 303
        assert await act(maya, other, "claim") == 409
        assert (await handoff_of(site, other)).agent_id == "bob"
        await said(site, "/human", conversation="c9")
        third = await site.bot.store.find("desk", "c9", "")
        assert third is not None
        assert await act(maya, third.id, "claim") == 409
        assert (await handoff_of(site, third.id)).status == "waiting"
        assert await act(maya, mine, "resolve") == 303
        await until(lambda: _is_assigned(site, third.id, "maya"))


async def _is_assigned(site: Site, conversation: str, login: str) -> bool:
    return (await handoff_of(site, conversation)).assignee == login


async def test_what_goes_to_the_desk_is_delivered_and_stands_at_its_own_id(tmp_path: Path) -> None:
    async with searched(tmp_path, desks={"front": {"channel": "console"}}) as (site, maya):
        id = await said(site, "/human")
        handoff = await handoff_of(site, id)
        await until(lambda: site.bot.store.placed("front", place=handoff.id, handoff=""))
        assert await act(maya, id, "claim") == 303
        assert await act(maya, id, "reply", text="I am **here**.") == 303
        await site.post("Thank you!", conversation="c1", user={"id": "u-c1"})
        await until(lambda: _nothing_waits(site))
        counts = await site.bot.store.counts()
        assert counts["outbox_dead"] == 0
        assert any("I am" in reply["text"] for reply in await site.replies(1))


async def _nothing_waits(site: Site) -> bool:
    counts = await site.bot.store.counts()
    return counts["outbox_pending"] + counts["inbox_pending"] == 0


async def test_desks_take_the_channels_that_they_are_for_and_transfers_go_between_them(tmp_path: Path) -> None:
    desks = {
        "shopfront": {"channel": "console", "channels": ["shop"]},
        "office": {"channel": "console", "channels": ["desk"]},
    }
    async with searched(tmp_path, desks=desks) as (site, maya):
        id = await said(site, "/human")
        assert (await handoff_of(site, id)).desk == "office"
        assert await act(maya, id, "transfer", to="shopfront") == 303
        await until(lambda: _stands_at(site, id, "shopfront"))


async def _stands_at(site: Site, conversation: str, desk: str) -> bool:
    return (await handoff_of(site, conversation)).desk == desk


async def test_a_desk_in_the_console_tells_open_pages_and_nothing_else() -> None:
    changes = Changes()
    desk = ConsoleDesk("front", {}, changes)
    row = Outgoing(
        "o-1",
        "c_1",
        Address("@desk.front", "chat"),
        "lane",
        "handoff.message",
        User("u"),
        (),
        1,
        1,
        0.0,
        Reply("words"),
        data={"handoff": "h_1"},
    )
    async with changes.watch(["queue", "c:c_1", "c:c_2"]) as watch:
        assert await desk.send(row) == "h_1"
        assert await anext(watch) == {"queue", "c:c_1"}


CHANNEL = {"type": "webhook", "secrets": [SECRET], "callback_url": "https://shop.example/"}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"channels": {"console": CHANNEL}},
            "the name console is the built-in console's: give this channel another name",
        ),
        (
            {"desks": {"front": {"channel": "console", "place": "C1"}}},
            "place is not known; a desk in the console has no options of its own.",
        ),
        (
            {"desks": {"front": {"channel": "console"}}, "console": {"enabled": False}},
            "there is no console: console.enabled is false",
        ),
        (
            {"desks": {"front": {"channel": "console", "agents": {"Maya": {"id": "Maya"}}}}},
            "the id of an agent in the console is their login, in small letters",
        ),
        ({"desks": {"front": {"channel": "konsole"}}}, "there is no channel 'konsole'"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_its_place(
    tmp_path: Path, config: dict[str, Any], sentence: str
) -> None:
    path = write_bot(tmp_path, callback_url="https://helpdesk.example/", config=config)
    with pytest.raises(ConfigError) as caught:
        Bot.from_config(path, env={})
    (problem,) = caught.value.problems
    assert problem.message == sentence and problem.line > 0


def test_options_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"^colour is not known"):
        ConsoleDesk("front", {"colour": "red"}, Changes())
