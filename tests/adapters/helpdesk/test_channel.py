"""A helpdesk as a channel: the bot is the first line, and people take over in the helpdesk itself."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from helpdesk_house import BRIEF, House, reply, row

from supportbot.errors import ChannelBusy, ChannelRefused, StoreBusy
from supportbot.testing.adapter_stage import error_of
from supportbot.testing.helpdesk.core import AGENT, BOT, Fault


async def test_a_customer_writes_and_the_bots_reply_stands_in_the_helpdesk_once(house: House) -> None:
    ticket = await house.fake.customer_writes("Where is my lamp?")
    await house.settle()
    (message,) = house.inbox.messages
    assert (message.kind, message.text, message.address.chat) == ("message", "Where is my lamp?", str(ticket))
    assert message.user.id == str(house.fake.tickets[ticket].customer)

    await house.adapter.send(reply(str(ticket), "In **Hamburg** & on its way."))
    await house.settle()
    (text,) = house.fake.texts(ticket, by=BOT)
    assert "Hamburg" in text and "on its way" in text
    assert len(house.inbox.messages) == 1, "our own reply came back as somebody's"
    assert house.desks.acts == []


async def test_the_same_message_in_two_deliveries_is_one_message(house: House) -> None:
    house.fake.paused = True
    ticket = await house.fake.customer_writes("Where is my lamp?")
    (first,) = house.fake.waiting
    for delivery in (first, first, house.fake.again(first)):
        assert await house.fake.deliver(delivery) == 200
    assert house.said == [("message", "Where is my lamp?")]
    assert house.inbox.messages[0].address.chat == str(ticket)


async def test_two_messages_of_the_same_words_are_two_messages(house: House) -> None:
    ticket = await house.fake.customer_writes("Yes")
    await house.fake.customer_writes("yes, please", ticket)
    await house.fake.customer_writes("Yes", ticket)
    assert house.said == [("message", "Yes"), ("message", "yes, please"), ("message", "Yes")]


async def test_messages_keep_the_order_in_which_they_are_delivered(house: House) -> None:
    ticket = await house.fake.customer_writes("one")
    house.fake.paused = True
    for text in ("two", "three", "four"):
        await house.fake.customer_writes(text, ticket)
    house.inbox.hold()
    sending = []
    for delivery in house.fake.waiting:
        sending.append(asyncio.create_task(house.fake.deliver(delivery)))
        await asyncio.sleep(0.05)
    house.inbox.release()
    assert await asyncio.gather(*sending) == [200, 200, 200]
    assert [text for _, text in house.said] == ["one", "two", "three", "four"]


async def test_our_own_reply_is_no_echo_even_if_its_delivery_comes_before_our_answer(house: House) -> None:
    ticket = await house.fake.customer_writes("Hello")
    house.fake.early = True
    await house.adapter.send(reply(str(ticket), "Good day."))
    await house.adapter.send(row("handoff.requested", str(ticket), **BRIEF))
    await house.settle()
    assert len(house.fake.deliveries) > 1
    assert house.said == [("message", "Hello")]


async def test_a_handoff_opens_the_ticket_and_leaves_the_brief_for_agents_only(house: House) -> None:
    ticket = await house.fake.customer_writes("I want a human")
    await house.adapter.send(row("handoff.requested", str(ticket), **BRIEF))
    await house.settle()
    (note,) = house.fake.texts(ticket, public=False)
    for words in ("asked for a human", "lamp of order 17", "Offered a replacement", "order: 17", "Send a new one"):
        assert words in note.replace("\\", ""), words
    assert house.fake.texts(ticket, by=BOT) == []
    found = house.fake.tickets[ticket]
    assert found.status == "open" and found.assignee is None
    assert found.team is not None or house.fake.preset == "zammad"
    assert house.said == [("message", "I want a human")]


async def test_what_people_do_in_the_ticket_comes_as_theirs_and_was_seen_by_the_customer(house: House) -> None:
    ticket = await house.fake.customer_writes("I want a human")
    await house.adapter.send(row("handoff.requested", str(ticket), **BRIEF))
    await house.settle()
    await house.fake.agent_takes(ticket)
    await house.fake.agent_replies(ticket, "I am looking into it.")
    await house.fake.agent_notes(ticket, "Ask the warehouse.")
    await house.fake.agent_solves(ticket)
    await house.settle()
    assert house.said[1:] == [
        ("handoff.claimed", ""),
        ("human.message", "I am looking into it."),
        ("human.note", "Ask the warehouse."),
        ("handoff.resolved", ""),
    ]
    claimed, answered, noted, _ = house.inbox.messages[1:]
    assert {claimed.user.id, answered.user.id, noted.user.id} == {str(AGENT)}
    assert answered.shown and answered.user.name.startswith("Grace")


async def test_an_agent_gives_the_conversation_back_to_the_bot(house: House) -> None:
    ticket = await house.fake.customer_writes("I want a human")
    await house.adapter.send(row("handoff.requested", str(ticket), **BRIEF))
    await house.fake.agent_takes(ticket)
    await house.settle()
    await house.fake.agent_returns(ticket, by=AGENT)
    await house.settle()
    assert house.said[-1] == ("handoff.returned", "")
    assert [kind for kind, _ in house.said].count("handoff.returned") == 1


async def test_what_ended_in_the_helpdesk_is_not_told_to_it_again(house: House) -> None:
    ticket = await house.fake.customer_writes("I want a human")
    await house.adapter.send(row("handoff.requested", str(ticket), **BRIEF))
    await house.fake.agent_takes(ticket)
    await house.fake.agent_solves(ticket)
    await house.settle()
    asked = len(house.fake.journal)
    by = {"agent": "Grace", "agent_id": str(AGENT)}
    await house.adapter.send(row("handoff.claimed", str(ticket), status="claimed", **by))
    await house.adapter.send(row("handoff.resolved", str(ticket), status="resolved", **by))
    assert len(house.fake.journal) == asked


async def test_what_an_agent_did_to_no_handoff_hides_no_later_change(house: House) -> None:
    """A conversation is solved and becomes the bot's again with nobody waiting; much later a customer has enough."""
    ticket = await house.fake.customer_writes("Hello")
    await house.fake.agent_takes(ticket)
    await house.fake.agent_returns(ticket)
    await house.settle()
    await house.adapter.send(row("handoff.requested", str(ticket), id="o-2", **BRIEF))
    asked = len(house.fake.texts(ticket, public=False))
    by = {"agent": "Grace", "agent_id": str(AGENT)}
    await house.adapter.send(row("handoff.returned", str(ticket), status="cancelled", **by))
    await house.settle()
    assert len(house.fake.texts(ticket, public=False)) == asked + 1
    if house.fake.preset in ("chatwoot", "zendesk"):
        assert house.fake.tickets[ticket].status == "pending"


async def test_a_change_of_ours_that_failed_swallows_nothing_of_theirs(house: House) -> None:
    ticket = await house.fake.customer_writes("I want a human")
    await house.adapter.send(row("handoff.requested", str(ticket), **BRIEF))
    await house.fake.agent_takes(ticket)
    await house.settle()
    house.fake.fails(Fault(503))
    assert (
        type(await error_of(house.adapter.send(row("handoff.resolved", str(ticket), status="resolved"))))
        is ChannelBusy
    )
    await house.fake.agent_solves(ticket)
    await house.settle()
    assert [kind for kind, _ in house.said].count("handoff.resolved") == 1


async def test_an_agent_may_give_it_back_right_after_the_house_did(house: House) -> None:
    """A status that was set already, or one that the helpdesk tells of with our name, is not waited for."""
    ticket = await house.fake.customer_writes("I want a human")
    await house.adapter.send(row("handoff.requested", str(ticket), **BRIEF))
    await house.settle()
    await house.adapter.send(row("handoff.returned", str(ticket), status="cancelled"))
    await house.settle()
    await house.adapter.send(row("handoff.requested", str(ticket), id="o-2", **BRIEF))
    await house.fake.agent_takes(ticket)
    await house.settle()
    await house.fake.agent_returns(ticket, by=AGENT)
    await house.settle()
    assert [kind for kind, _ in house.said].count("handoff.returned") == 1


@pytest.mark.parametrize(("kind", "status"), [("handoff.resolved", "solved"), ("handoff.returned", None)])
async def test_what_ends_in_the_house_shows_in_the_helpdesk_and_does_not_come_back(
    house: House, kind: Any, status: str | None
) -> None:
    ticket = await house.fake.customer_writes("I want a human")
    await house.adapter.send(row("handoff.requested", str(ticket), **BRIEF))
    await house.settle()
    await house.adapter.send(row(kind, str(ticket), agent="Ana <i>Lima</i>"))
    await house.settle()
    assert len(house.fake.texts(ticket, public=False)) == 2
    if status is not None:
        assert house.fake.tickets[ticket].status == status
        assert "<i>" not in house.fake.texts(ticket, public=False)[1].replace("\\<", "")
    assert house.said == [("message", "I want a human")], "the change of ours came back"


async def test_a_customer_who_writes_into_a_solved_ticket_takes_nothing_over(house: House) -> None:
    ticket = await house.fake.customer_writes("I want a human")
    await house.adapter.send(row("handoff.requested", str(ticket), **BRIEF))
    await house.fake.agent_takes(ticket)
    await house.fake.agent_solves(ticket)
    await house.settle()
    before = len(house.said)
    await house.fake.customer_writes("Thanks. When are you open?", ticket)
    await house.settle()
    came = [kind for kind, _ in house.said[before:]]
    assert house.fake.tickets[ticket].status != "solved"
    assert came[0] == "message" and "handoff.claimed" not in came


# --- trouble ---------------------------------------------------------------------------------------------------


async def test_a_busy_helpdesk_is_asked_again_after_the_time_that_it_names(house: House) -> None:
    ticket = await house.fake.customer_writes("Hello")
    reset = (
        {"x-ratelimit-reset": str(int(time.time()) + 9)}
        if house.fake.preset == "intercom"
        else {"retry-after": "9"}
    )
    house.fake.fails(Fault(429, reset))
    error = await error_of(house.adapter.send(reply(str(ticket), "Good day.")))
    assert isinstance(error, ChannelBusy) and error.retry_after == pytest.approx(9, abs=1.5)
    await house.adapter.send(reply(str(ticket), "Good day.", attempt=1))
    assert len(house.fake.texts(ticket, by=BOT)) == 1


async def test_a_helpdesk_that_is_down_for_a_while_delays_and_loses_nothing(house: House) -> None:
    ticket = await house.fake.customer_writes("Hello")
    for fault in (Fault(500), Fault(503), Fault(way="break")):
        house.fake.always(fault)
        for made in (reply(str(ticket), "Good day."), row("handoff.requested", str(ticket), **BRIEF)):
            assert type(await error_of(house.adapter.send(made))) is ChannelBusy
    house.fake.always(None)
    await house.adapter.send(reply(str(ticket), "Good day.", attempt=3))
    assert len(house.fake.texts(ticket, by=BOT)) == 1
    assert sum(house.adapter.capabilities.retry_delays) > 24 * 3600


async def test_a_token_that_is_not_accepted_is_named_and_not_shown(house: House) -> None:
    ticket = await house.fake.customer_writes("Hello")
    for status in (401, 403):
        house.fake.fails(Fault(status))
        error = await error_of(house.adapter.send(reply(str(ticket), "Good day.")))
        assert type(error) is ChannelBusy
        assert "channels.help.token" in str(error) and house.fake.token not in str(error)


async def test_a_ticket_that_is_gone_or_a_text_that_is_wrong_is_not_tried_again(house: House) -> None:
    error = await error_of(house.adapter.send(reply("999999", "Good day.")))
    assert type(error) is ChannelRefused and "gone" in str(error)
    ticket = await house.fake.customer_writes("Hello")
    house.fake.fails(Fault(422))
    assert type(await error_of(house.adapter.send(reply(str(ticket), "Good day.")))) is ChannelRefused


async def test_a_redirect_is_not_followed(house: House) -> None:
    ticket = await house.fake.customer_writes("Hello")
    house.fake.fails(Fault(302, {"location": "http://127.0.0.1:9/elsewhere"}))
    error = await error_of(house.adapter.send(reply(str(ticket), "Good day.")))
    assert type(error) is ChannelBusy and "channels.help.url" in str(error)


async def test_what_cannot_be_stored_is_not_acknowledged(house: House) -> None:
    house.inbox.error = StoreBusy("another process owns it")
    house.fake.paused = True
    await house.fake.customer_writes("Hello")
    (delivery,) = house.fake.waiting
    assert await house.fake.deliver(delivery) == 503
    house.inbox.error = None
    assert await house.fake.deliver(delivery) == 200
    assert house.said == [("message", "Hello")]


async def test_a_reply_whose_answer_was_lost_stands_there_once_where_the_helpdesk_can_be_asked(
    house: House,
) -> None:
    ticket = await house.fake.customer_writes("Hello")
    house.fake.fails(Fault(way="do and break"))
    assert type(await error_of(house.adapter.send(reply(str(ticket), "Good day.")))) is ChannelBusy
    await house.adapter.send(reply(str(ticket), "Good day.", attempt=1))
    copies = len(house.fake.texts(ticket, by=BOT))
    assert copies == (1 if house.fake.preset == "zendesk" else 2)
