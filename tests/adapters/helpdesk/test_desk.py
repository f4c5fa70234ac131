"""A helpdesk as a desk: handoffs of other channels become tickets, and what agents do there goes to the customer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from helpdesk_house import BRIEF, House, opened, row

from supportbot.errors import ChannelBusy, ChannelRefused, StoreBusy
from supportbot.testing.adapter_stage import error_of
from supportbot.testing.helpdesk import FakeChatwoot, FakeZendesk
from supportbot.testing.helpdesk.core import AGENT, BOT, Fault


async def handed_over(house: House, **data: object) -> int:
    """A ticket that stands at the desk."""
    made = row("handoff.requested", "C-slack", **{**BRIEF, **data})
    place = await house.desk.send(made)
    house.desks.places.add(("tickets", place))
    await house.settle()
    return int(place)


async def test_a_handoff_becomes_a_ticket_with_the_brief_for_the_customer_it_is_about(house: House) -> None:
    ticket = await handed_over(house)
    found = house.fake.tickets[ticket]
    person = house.fake.people[found.customer]
    assert person["external"] in ("slack:U7", "slack-u7")
    words = " ".join(house.fake.texts(ticket, public=False)).replace("\\", "")
    for wanted in ("Ada asked for a human", "lamp of order 17", "order: 17", "h_1x2y3z"):
        assert wanted in words, wanted
    assert "<b>Byron</b>" not in " ".join(house.fake.texts(ticket, public=False)).replace("\\<", "")
    assert not any("lamp of order 17" in text for text in [*house.fake.texts(ticket), found.first])
    assert house.said == [] and house.desks.acts == [], "the ticket that we made came back"


async def test_a_second_handoff_of_the_same_customer_finds_them_again(house: House) -> None:
    first = await handed_over(house)
    made = replace(row("handoff.requested", "C-slack", id="o-2", **{**BRIEF, "handoff": "h_other"}))
    second = int(await house.desk.send(made))
    assert second != first
    assert house.fake.tickets[first].customer == house.fake.tickets[second].customer
    stranger = {"customer": {"id": "U", "name": "Ben"}, "handoff": "h_third"}
    third = int(await house.desk.send(row("handoff.requested", "C-3", id="o-3", **{**BRIEF, **stranger})))
    assert house.fake.tickets[third].customer != house.fake.tickets[first].customer


async def test_a_request_that_comes_again_makes_no_second_ticket(house: House) -> None:
    made = row("handoff.requested", "C-slack", **BRIEF)
    before = {"chatwoot": 2, "intercom": 2, "zammad": 2, "zendesk": 1, "freshdesk": 0}[house.fake.preset]
    house.fake.fails(*[None] * before, Fault(way="do and break"))
    assert type(await error_of(house.desk.send(made))) is ChannelBusy
    assert len(house.fake.tickets) == 1
    place = await house.desk.send(replace(made, attempt=1))
    again = await house.desk.send(replace(made, attempt=2))
    assert place == again and len(house.fake.tickets) == 1


async def test_what_the_customer_writes_meanwhile_is_a_note_of_theirs_and_no_echo(house: House) -> None:
    ticket = await handed_over(house)
    house.fake.early = True
    whom = {"role": "customer", "id": "U7", "name": "Ada <i>"}
    before = len(house.fake.texts(ticket, public=False))
    said = row("handoff.message", "C-slack", place=str(ticket), text="Hello? *cold* <b>x</b>", **{"from": whom})
    await house.desk.send(said)
    note = row("handoff.note", "C-slack", place=str(ticket), by="Ben", note="He has moved.")
    await house.desk.send(note)
    await house.settle()
    words, noted = house.fake.texts(ticket, public=False)[before:]
    assert "Ada" in words and "Hello?" in words and "<b>x</b>" not in words.replace("\\<", "")
    assert "Ben" in noted and "He has moved" in noted
    assert house.desks.acts == [] and house.said == []


async def test_what_agents_do_in_the_ticket_goes_to_the_handoff_and_not_into_a_conversation(house: House) -> None:
    ticket = await handed_over(house)
    await house.fake.agent_takes(ticket)
    await house.fake.agent_replies(ticket, "A new lamp is on its way.")
    await house.fake.agent_notes(ticket, "Told the warehouse.")
    await house.fake.agent_solves(ticket)
    await house.settle()
    assert house.acts == [
        ("claim", str(AGENT), ""),
        ("message", str(AGENT), "A new lamp is on its way."),
        ("note", str(AGENT), "Told the warehouse."),
        ("resolve", house.acts[-1][1], ""),
    ]
    assert not any(act.shown for _, act in house.desks.acts)
    assert {act.place for _, act in house.desks.acts} == {str(ticket)}
    assert house.said == []


async def test_the_same_act_in_two_deliveries_is_one_act(house: House) -> None:
    ticket = await handed_over(house)
    house.fake.paused = True
    await house.fake.agent_replies(ticket, "A new lamp is on its way.")
    (delivery,) = house.fake.waiting
    for one in (delivery, delivery, house.fake.again(delivery)):
        assert await house.fake.deliver(one) == 200
    assert [kind for kind, _, _ in house.acts] == ["message"]


async def test_an_agent_gives_the_customer_back_to_the_bot(house: House) -> None:
    ticket = await handed_over(house)
    if house.fake.preset == "chatwoot":  # pending is how a conversation is given to a bot there
        house.fake.tickets[ticket].status = "open"
    await house.fake.agent_returns(ticket, by=AGENT)
    await house.settle()
    assert [kind for kind, _, _ in house.acts] == ["return"]


async def test_a_customers_own_words_in_the_ticket_start_no_conversation_of_the_bot(house: House) -> None:
    ticket = await handed_over(house)
    await house.fake.customer_writes("I answer by mail.", ticket)
    assert house.said == []
    ((kind, _, text),) = house.acts
    assert kind == "note" and "I answer by mail." in text


async def test_changes_elsewhere_show_in_the_ticket_and_do_not_come_back(house: House) -> None:
    ticket = await handed_over(house)
    before = len(house.fake.texts(ticket, public=False))
    at = {"place": str(ticket)}
    await house.desk.send(row("handoff.claimed", "C", agent="Ana", id="o-a", **at))
    await house.desk.send(row("handoff.updated", "C", change="late", id="o-b", **at))
    await house.desk.send(
        row("handoff.updated", "C", change="refused", by="Ana", why="it is closed", id="o-c", **at)
    )
    await house.desk.send(row("handoff.resolved", "C", agent="Ana", id="o-d", **at))
    await house.settle()
    notes = house.fake.texts(ticket, public=False)[before:]
    assert len(notes) == 4
    for note, words in zip(
        notes, ("Ana has taken", "waiting for an answer", "it is closed", "Ana has resolved"), strict=True
    ):
        assert words in note.replace("\\", "")
    assert house.fake.tickets[ticket].status == "solved"
    assert house.acts == [] and house.said == []
    again = row("handoff.requested", "C", id="o-e", reopened=True, **BRIEF, **at)
    assert await house.desk.send(again) == str(ticket)
    assert house.fake.tickets[ticket].status == "open"


async def test_a_ticket_whose_place_is_not_known_yet_is_waited_for(house: House) -> None:
    ticket = await handed_over(house)
    house.desks.error = StoreBusy("the place is on its way")
    house.fake.paused = True
    await house.fake.agent_replies(ticket, "So fast?")
    (delivery,) = house.fake.waiting
    began = time.monotonic()
    sending = asyncio.create_task(house.fake.deliver(delivery))
    await asyncio.sleep(0.3)
    house.desks.error = None
    assert await sending == 200 and time.monotonic() - began < 3
    assert [kind for kind, _, _ in house.acts] == ["message"] and house.said == []

    house.desks.error = StoreBusy("the place is on its way")
    assert await house.fake.deliver(house.fake.again(delivery)) == 503
    assert house.fake.deliveries[-1].seconds < 5, "the helpdesk has given up by then"
    house.desks.error = None


async def test_a_handoff_that_comes_again_gets_a_new_ticket_if_its_own_is_gone(house: House) -> None:
    ticket = await handed_over(house)
    del house.fake.tickets[ticket]
    again = row("handoff.requested", "C", id="o-again", reopened=True, place=str(ticket), **BRIEF)
    house.fake.loses_next_post = house.fake.preset == "zendesk"  # the others make no difference to a lost answer
    if house.fake.loses_next_post:
        await error_of(house.desk.send(again))
    place = await house.desk.send(replace(again, attempt=1))
    (made,) = house.fake.tickets
    assert place == str(made) != str(ticket)
    assert "lamp of order 17" in " ".join(house.fake.texts(made, public=False))
    assert await house.desk.send(replace(again, place=place, attempt=2)) == place and len(house.fake.tickets) == 1
    lost = row("handoff.message", "C", place=str(ticket), text="Hello?", **{"from": {"role": "customer"}})
    error = await error_of(house.desk.send(lost))
    assert isinstance(error, ChannelRefused) and "gone" in str(error)


async def test_a_ticket_that_is_closed_for_good_is_followed_by_a_new_one() -> None:
    fake = FakeZendesk()
    async with opened(fake) as house:
        ticket = await handed_over(house)
        fake.closed.add(ticket)
        again = row("handoff.requested", "C", id="o-again", reopened=True, place=str(ticket), **BRIEF)
        place = await house.desk.send(replace(again, attempt=1))
        assert place != str(ticket) and int(place) in fake.tickets


async def test_what_agents_write_before_the_brief_has_come_goes_to_the_handoff(house: House) -> None:
    """The house learns the ticket's place only when all of `handoff.requested` is done."""
    requests = {"chatwoot": 3, "intercom": 3, "freshdesk": 1}.get(house.fake.preset)
    if requests is None:
        return  # its brief is in `create`
    house.desks.handoffs.add("h_1x2y3z")
    house.fake.fails(*[None] * requests, Fault(503))
    made = row("handoff.requested", "C-slack", **BRIEF)
    assert type(await error_of(house.desk.send(made))) is ChannelBusy
    (ticket,) = house.fake.tickets
    await house.fake.agent_replies(ticket, "Which order is it?")
    assert house.acts == [("message", str(AGENT), "Which order is it?")]
    ((desk, act),) = house.desks.acts
    assert (desk, act.handoff, act.place) == ("tickets", "h_1x2y3z", str(ticket))
    assert house.said == []


async def test_a_handoff_on_its_way_holds_up_nobody_else() -> None:
    async with opened(FakeChatwoot()) as house:
        known = await house.fake.customer_writes("Where is my lamp?")
        house.adapter.desk("other", {})
        house.desks.busy.add("tickets")
        other = house.fake.ticketed(31).id
        house.desks.places.add(("other", str(other)))

        await house.fake.customer_writes("It is order 17", known)
        await house.fake.agent_replies(other, "Hello from the other desk")
        assert max(one.seconds for one in house.fake.deliveries) < 1, "somebody waited for another's ticket"
        house.adapter.patience = 0.3
        await house.fake.customer_writes("And where is mine?")
        assert [one.status for one in house.fake.deliveries] == [200] * 4
        assert house.said == [
            ("message", "Where is my lamp?"),
            ("message", "It is order 17"),
            ("message", "And where is mine?"),
        ]
        assert [(desk, act.text) for desk, act in house.desks.acts] == [("other", "Hello from the other desk")]


async def test_a_conversation_of_the_bots_own_is_none_of_the_desk(house: House) -> None:
    await handed_over(house)
    other = await house.fake.customer_writes("Hello")
    await house.fake.agent_replies(other, "Hi, Grace here.")
    assert [kind for kind, _ in house.said] == ["message", "human.message"]
    assert house.acts == []
    assert house.fake.texts(other, by=BOT) == []
