"""A real helpdesk, django-helpdesk, joined to the bot by `djangodesk/mapping.yaml` alone.

Customers fill in its public form and write mails, agents sign in and use its pages; the bot is `supportbot serve`.
Nothing here stands in for the helpdesk: what it stores, posts and refuses is its own doing.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from djangodesk.helpdesk import OPEN, RESOLVED, Helpdesk, install, running
from djangodesk.house import MAPPING, SECRET, House, until, write

from supportbot.testing.telegram import updates
from supportbot.testing.telegram.server import FakeTelegram
from supportbot_helpdesk.checking import try_mapping

EVA = "eva@customers.example"
QUESTION = "How long do I have to return a lamp?"
AWKWARD = (
    "{{ ticket.secret_key }} {% if %} {# gone #} %} }} {{ <b>bold</b> & 'quotes' \\ { X-HELPDESK-COMMENT-VERBATIM"
)
NOBODY = "http://127.0.0.1:9/"
QUIET = 1.5


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a helpdesk in which nothing has happened yet."""
    return install(tmp_path_factory.mktemp("installed") / "helpdesk")


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory, installed: Path) -> Iterator[House]:
    """The helpdesk is a channel of the bot; each test has a ticket of its own."""
    folder = tmp_path_factory.mktemp("channel")
    shutil.copytree(installed, folder / "helpdesk")
    with running(folder / "helpdesk") as desk, ExitStack() as stack:
        house = House(write(folder / "bot", desk, {}), desk, stack)
        house.start()
        yield house


@pytest.fixture
def house(channel: House) -> House:
    """The same, also if the test before has left something dead."""
    if not channel.desk.runs:
        channel.desk.start()
    if not channel.runs:
        channel.start()
    channel.desk.posts_to(channel.hook)
    return channel


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with FakeTelegram(limits=False) as telegram:
        yield telegram


@pytest.fixture
async def front(tmp_path: Path, installed: Path, telegram: FakeTelegram) -> AsyncIterator[House]:
    """Customers are on Telegram, and the helpdesk is where humans work."""
    shutil.copytree(installed, tmp_path / "helpdesk")
    with running(tmp_path / "helpdesk") as desk, ExitStack() as stack:
        agents = {name.capitalize(): {"id": desk.made["users"][name]} for name in ("ana", "ben")}
        more = {
            "channels": {"telegram": {"type": "telegram", "burst_wait": "0s"}},
            "desks": {"front": {"channel": "support", "agents": agents}},
        }
        environment = {"TELEGRAM_BOT_TOKEN": telegram.token, "TELEGRAM_API_URL": telegram.url}
        house = House(write(tmp_path / "bot", desk, more), desk, stack, **environment)
        await asyncio.to_thread(house.start)
        yield house


def test_the_mapping_understands_what_django_helpdesk_sends() -> None:
    assert try_mapping(MAPPING) == []


# --- the helpdesk is a channel -------------------------------------------------------------------------------


async def test_a_ticket_is_answered_in_public_and_by_the_helpdesks_own_mail(house: House) -> None:
    desk = house.desk
    ticket = desk.submit("A lamp", QUESTION, EVA)
    await until(lambda: len(desk.said(ticket, by="bot")) == 1, house)
    (answer,) = desk.said(ticket, by="bot")
    assert "45 days" in answer
    assert any("45 days" in mail for mail in desk.mails_to(EVA)), "the customer reads it where they wrote"
    desk.mail(ticket, QUESTION, EVA)
    await until(lambda: len(desk.said(ticket, by="bot")) == 2, house)
    await asyncio.sleep(QUIET)
    assert len(desk.said(ticket, by="bot")) == 2, "its own words came back to it and were not answered"
    assert desk.ticket(ticket)["title"] == "A lamp", "an answer renames no ticket"


async def test_a_human_takes_a_ticket_over_and_gives_it_back_by_resolving_it(house: House) -> None:
    desk = house.desk
    ticket = desk.submit("A lamp", QUESTION, EVA)
    await until(lambda: len(desk.said(ticket, by="bot")) == 1, house)
    assert desk.ticket(ticket)["assigned_to"] == desk.bot, "the queue gives new tickets to the bot"

    desk.mail(ticket, "I want to talk to a human", EVA)
    await until(lambda: desk.ticket(ticket)["assigned_to"] is None, house)
    await until(lambda: len(desk.said(ticket, public=False, by="bot")) == 1, house)
    (brief,) = desk.said(ticket, public=False, by="bot")
    assert "asked for a human" in brief and QUESTION in brief and "45 days" in brief
    assert desk.ticket(ticket)["status"] == OPEN
    assert await house.stands(ticket, "waiting")
    assert brief not in "".join(desk.mails_to(EVA)), "the brief is for colleagues alone"

    desk.take(ticket, "ana")
    await until(lambda: house.stands(ticket, "claimed"), house)
    desk.answer(ticket, "Is the lamp still in its box?", "ana")
    desk.answer(ticket, "She is an old customer.", "ben", public=False)
    desk.mail(ticket, QUESTION, EVA)
    await until(lambda: house.heard_last(ticket, QUESTION), house)
    await asyncio.sleep(QUIET)
    public = desk.said(ticket)
    assert public[-2].startswith("Is the lamp") and public[-1].strip() == QUESTION, "the bot is silent"
    assert public.count("Is the lamp still in its box?") == 1, "what stands there already is not posted again"
    (asked,) = (one for one in await house.history(ticket) if one.content == "Is the lamp still in its box?")
    assert (asked.role, asked.name) == ("assistant", f"agent {desk.made['users']['ana']}")
    assert "old customer" not in str(await house.history(ticket)), "a note is for colleagues alone"

    desk.answer(ticket, "You have 45 days.", "ana", status=RESOLVED)
    await until(lambda: house.stands(ticket, "resolved"), house)
    assert any(one.content == "You have 45 days." for one in await house.history(ticket))
    said = len(desk.said(ticket, by="bot"))
    desk.mail(ticket, QUESTION, EVA)
    await until(lambda: len(desk.said(ticket, by="bot")) > said, house)
    assert "45 days" in desk.said(ticket, by="bot")[-1], "the bot answers again"
    assert desk.said(ticket).count("You have 45 days.") == 1
    assert len(desk.said(ticket, public=False, by="bot")) == 1, desk.said(ticket, public=False, by="bot")


async def test_who_a_ticket_is_assigned_to_says_who_has_it(house: House) -> None:
    desk = house.desk
    ticket = desk.submit("A lamp", "I want to talk to a human", EVA)
    await until(lambda: house.stands(ticket, "waiting"), house)
    await until(lambda: desk.ticket(ticket)["assigned_to"] is None, house)
    desk.take(ticket, "ana")
    await until(lambda: house.stands(ticket, "claimed"), house)
    desk.assign(ticket, "ana", to="")
    await until(lambda: house.stands(ticket, "waiting"), house)
    desk.assign(ticket, "ana", to="ben")
    await until(lambda: house.stands(ticket, "claimed"), house)
    desk.assign(ticket, "ben", to="bot")
    await until(lambda: house.stands(ticket, "returned"), house)
    desk.mail(ticket, QUESTION, EVA)
    await until(lambda: "45 days" in desk.said(ticket, by="bot")[-1], house)


async def test_what_would_be_a_template_in_the_helpdesk_arrives_as_it_was_written(house: House) -> None:
    desk = house.desk
    ticket = desk.submit("A lamp", QUESTION, EVA)
    await until(lambda: len(desk.said(ticket, by="bot")) == 1, house)
    desk.mail(ticket, AWKWARD, EVA)
    await until(lambda: len(desk.said(ticket, by="bot")) == 2, house)
    desk.mail(ticket, "I want to talk to a human", EVA)
    await until(lambda: desk.said(ticket, public=False, by="bot") != [], house)
    (brief,) = desk.said(ticket, public=False, by="bot")
    assert AWKWARD in brief


async def test_what_a_customer_mailed_while_the_bot_was_dead_is_answered_after_it_and_once(house: House) -> None:
    desk = house.desk
    ticket = desk.submit("A lamp", QUESTION, EVA)
    await until(lambda: len(desk.said(ticket, by="bot")) == 1, house)
    house.kill()  # most likely before it has noted that the helpdesk took the answer
    desk.mail(ticket, QUESTION, EVA)
    house.start()
    desk.read_mail()
    assert sum(words.strip() == QUESTION for words in desk.said(ticket)) == 3, "the helpdesk reads that mail twice"
    await until(lambda: len(desk.said(ticket, by="bot")) == 2, house)
    await asyncio.sleep(QUIET)
    assert len(desk.said(ticket, by="bot")) == 2


async def test_a_mail_that_the_helpdesk_reads_twice_is_answered_once(house: House) -> None:
    desk = house.desk
    ticket = desk.submit("A lamp", QUESTION, EVA)
    await until(lambda: len(desk.said(ticket, by="bot")) == 1, house)
    desk.posts_to(house.hook, NOBODY)
    desk.mail(ticket, QUESTION, EVA)
    await until(lambda: len(desk.said(ticket, by="bot")) == 2, house)
    desk.posts_to(house.hook)
    desk.read_mail()
    await asyncio.sleep(QUIET)
    assert sum(words.strip() == QUESTION for words in desk.said(ticket)) == 3, "it stands in the ticket twice"
    assert len(desk.said(ticket, by="bot")) == 2


async def test_an_answer_waits_for_a_helpdesk_that_is_down(house: House) -> None:
    desk = house.desk
    ticket = desk.submit("A lamp", QUESTION, EVA)
    await until(lambda: len(desk.said(ticket, by="bot")) == 1, house)
    desk.stop()
    desk.mail(ticket, QUESTION, EVA)
    await until(lambda: house.remembers(ticket, 4), house)
    house.kill()
    desk.start()
    house.start()
    await until(lambda: len(desk.said(ticket, by="bot")) == 2, house)
    await asyncio.sleep(QUIET)
    assert len(desk.said(ticket, by="bot")) == 2


async def test_a_hook_without_the_secret_is_refused_and_tells_nobody_the_right_one(house: House) -> None:
    desk = house.desk
    desk.posts_to(house.hook.replace(SECRET, "another"), house.hook.partition("?")[0])
    ticket = desk.submit("A lamp", QUESTION, EVA)
    await asyncio.sleep(QUIET)
    assert desk.said(ticket, by="bot") == [] and await house.history(ticket) == []
    desk.posts_to(house.hook)
    desk.mail(ticket, QUESTION, EVA)
    await until(lambda: desk.said(ticket, by="bot") != [], house)
    assert SECRET not in house.log and desk.made["token"] not in house.log


# --- the helpdesk is a desk ----------------------------------------------------------------------------------


async def test_a_customer_elsewhere_is_served_from_the_helpdesk(front: House, telegram: FakeTelegram) -> None:
    desk = front.desk
    telegram.add(updates.text(QUESTION))
    await heard(telegram, "45 days", front)
    telegram.add(updates.text("I want to talk to a human"))
    await until(lambda: len(desk.tickets()) == 1, front)
    ticket = int(desk.tickets()[0]["id"])
    await until(lambda: desk.said(ticket, public=False) != [], front)
    (brief,) = desk.said(ticket, public=False)
    assert "asked for a human" in brief and QUESTION in brief and "45 days" in brief
    assert desk.ticket(ticket)["status"] == OPEN and desk.ticket(ticket)["assigned_to"] is None

    desk.take(ticket, "ana")
    await until(lambda: front.stands(updates.ANNA, "claimed"), front)
    desk.answer(ticket, "Is the lamp still in its box?", "ana")
    await heard(telegram, "Is the lamp still in its box?", front)
    desk.answer(ticket, "She is an old customer.", "ben", public=False)
    telegram.add(updates.text(f"Yes, it is. {AWKWARD}"))
    await until(lambda: times(desk, ticket, f"Yes, it is. {AWKWARD}") == 1, front)
    assert "old customer" not in "".join(telegram.texts())

    desk.answer(ticket, "Then send it back.", "ana", status=RESOLVED)
    await heard(telegram, "Then send it back.", front)
    await until(lambda: front.stands(updates.ANNA, "resolved"), front)
    assert times(desk, ticket, "Then send it back.") == times(desk, ticket, "Is the lamp still in its box?") == 1
    said = len(telegram.texts())
    telegram.add(updates.text(QUESTION))
    await until(lambda: len(telegram.texts()) > said, front)
    assert "45 days" in telegram.texts()[-1], "the bot goes on"
    await asyncio.sleep(QUIET)
    assert times(desk, ticket, QUESTION) == 1 and desk.ticket(ticket)["status"] == RESOLVED
    answer, told, *others = telegram.texts()
    assert others == ["Is the lamp still in its box?", "Then send it back.", answer], (
        "and nothing of the helpdesk's"
    )
    assert told.startswith("I've passed your conversation on")


async def test_a_killed_bot_and_a_helpdesk_that_is_down_lose_and_double_nothing(
    front: House, telegram: FakeTelegram
) -> None:
    desk = front.desk
    telegram.add(updates.text(QUESTION))
    await heard(telegram, "45 days", front)
    desk.stop()
    telegram.add(updates.text("I want to talk to a human"))
    await heard(telegram, "passed your conversation on", front)
    front.kill()
    await asyncio.to_thread(front.start)
    desk.start()
    await until(lambda: len(desk.tickets()) == 1, front)
    front.kill()  # with the ticket made, and most likely before its number is stored and the brief stands in it
    ticket = int(desk.tickets()[0]["id"])
    await asyncio.to_thread(front.start)
    await until(lambda: times(desk, ticket, "Transcript") == 1, front)
    desk.answer(ticket, "Hello from Ana.", "ana")
    await heard(telegram, "Hello from Ana.", front)
    await asyncio.sleep(
        QUIET
    )  # killed between Telegram's yes and its own note of it, it would rightly say it again

    front.kill()
    telegram.add(updates.text("It came in pieces."))
    await asyncio.to_thread(front.start)
    await until(lambda: times(desk, ticket, "It came in pieces.") == 1, front)
    front.kill()
    desk.answer(
        ticket, "In how many?", "ana", heard=False
    )  # her page says 500, and the helpdesk never posts it again
    await asyncio.to_thread(front.start)
    desk.stop()
    telegram.add(updates.text("In three pieces."))
    await until(lambda: front.heard_last(updates.ANNA, "In three pieces."), front)
    desk.start()
    await until(lambda: times(desk, ticket, "In three pieces.") == 1, front)
    await heard(telegram, "In how many?", front)  # with the next word of ours, which brings the last of hers
    desk.answer(ticket, "", "ana", status=RESOLVED)
    await until(lambda: front.stands(updates.ANNA, "resolved"), front)
    await asyncio.sleep(QUIET)

    assert len(desk.tickets()) == 1 and await front.stands(updates.ANNA, "resolved")
    for words in ("Transcript", "Hello from Ana.", "It came in pieces.", "In how many?", "In three pieces."):
        assert times(desk, ticket, words) == 1, words
    assert [words for words in telegram.texts() if words in ("Hello from Ana.", "In how many?")] == [
        "Hello from Ana.",
        "In how many?",
    ]


async def heard(telegram: FakeTelegram, words: str, house: House) -> None:
    """Waits until the customer has read the words."""
    await until(lambda: words in "\n".join(telegram.texts()), house)


def times(desk: Helpdesk, ticket: int, words: str) -> int:
    """In how many of the ticket's follow-ups the words stand."""
    return sum(words in (one["comment"] or "") for one in desk.ticket(ticket)["followup_set"])
