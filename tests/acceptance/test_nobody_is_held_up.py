"""What goes wrong for one message, channel or caller does not hold up another."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from supportbot import Adapter, ChannelContext, Outgoing
from supportbot.bot import Bot
from supportbot.models import Line, ScriptedModel
from supportbot.testing.receiver import Answer
from supportbot.testing.site import serving, write_bot


async def test_several_callers_who_wait_for_one_turn_all_get_its_reply(tmp_path: Path) -> None:
    model = ScriptedModel([Line(("first",), delay=0.5), "both"])
    async with serving(tmp_path, model=model) as site:
        first = asyncio.create_task(site.say("one"))
        await asyncio.sleep(0.15)
        assert await asyncio.wait_for(site.say("two"), 5) == ["both"]
        assert await asyncio.wait_for(first, 5) == ["both"]
        assert site.receiver.accepted == ()


async def test_a_repeat_of_a_message_that_was_answered_by_silence_returns_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        await site.say("/human")
        assert await site.say("anyone?", id="quiet") == []
        async with asyncio.timeout(5):
            assert (await site.post("anyone?", id="quiet", wait=20)).status_code == 202


@pytest.mark.parametrize(("status", "sent"), [(422, 3), (400, 3)])
async def test_a_message_that_the_endpoint_calls_wrong_soon_lets_the_next_one_pass(
    tmp_path: Path, status: int, sent: int
) -> None:
    async with serving(tmp_path, model=ScriptedModel(["Bad.", "Good."])) as site:
        desk = site.bot.adapters["desk"]
        desk.capabilities = replace(desk.capabilities, retry_delays=(0.1,) * 9)
        site.receiver.next(*[Answer(status=status)] * sent)
        await site.post("a")
        await asyncio.sleep(0.05)
        await site.post("b")
        (reply,) = await site.replies(1)
        ((dead, _),) = await site.bot.store.dead_letters()
        tries = len(site.receiver.ledger)
    assert (reply["text"], dead.reply.text if dead.reply else "", tries) == ("Good.", "Bad.", sent + 1)


class Broken(Adapter):
    """A channel that cannot start, or cannot stop."""

    async def start(self, context: ChannelContext) -> None:
        if self.options["fails"] == "start":
            raise OSError("no network")

    async def stop(self) -> None:
        if self.options["fails"] == "stop":
            raise OSError("no network")

    async def send(self, outgoing: Outgoing) -> str:
        return ""


@pytest.mark.parametrize("when", ["start", "stop"])
async def test_a_channel_that_breaks_at_opening_or_closing_leaves_the_database_free(
    tmp_path: Path, when: str
) -> None:
    path = write_bot(tmp_path, callback_url="http://127.0.0.1:9/")
    with pytest.raises(OSError, match="no network"):
        async with Bot.from_config(
            path, env={}, model="offline", channels={"bad": Broken("bad", {"fails": when})}
        ):
            pass
    async with Bot.from_config(path, env={}, model="offline") as bot:
        assert set((await bot.ready()).values()) == {"ok"}


async def test_a_loop_that_has_ended_makes_the_server_unready(tmp_path: Path) -> None:
    async with serving(tmp_path) as site:
        assert (await site.http.get(f"{site.url}/readyz")).status_code == 200
        site.bot._loops["outbox"].cancel()
        await asyncio.sleep(0.05)
        answer = await site.http.get(f"{site.url}/readyz")
    assert answer.status_code == 503
    assert "outbox" in answer.json()["checks"]["loops"]


async def test_a_late_message_does_not_throw_away_an_answer_that_there_is_no_time_to_give_again(
    tmp_path: Path,
) -> None:
    model = ScriptedModel([Line(("kept",), delay=1.8), "next"])
    config = {"limits": {"turn_deadline": "3s", "answer_deadline": "20s"}}
    async with serving(tmp_path, model=model, config=config) as site:
        await site.post("a hard question", id="a")
        await asyncio.sleep(0.3)
        await site.post("are you there?", id="b")
        replies = await site.replies(2)
    assert [(reply["text"], reply["in_reply_to"]) for reply in replies] == [("kept", ["a"]), ("next", ["b"])]
