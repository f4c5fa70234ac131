"""The webhook as a desk: what leaves for agents, what they send, and what of it is turned down."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from supportbot.errors import (
    ChannelBusy,
    ChannelRefused,
    FileTooLarge,
    StoreBusy,
    StoreError,
    StoreFull,
    UsageError,
)
from supportbot.protocols import Desk
from supportbot.testing.adapter_stage import context, served
from supportbot.testing.desk_stage import BRIEF, FACTS, STATES, DeskHooks, HeldDesks
from supportbot.testing.fake_inbox import FakeFiles, FakeInbox
from supportbot.testing.receiver import Answer, signed_headers
from supportbot.types import Act, Attachment, Event, User
from supportbot_webhook import WebhookAdapter
from supportbot_webhook.desk import FILE_LIMIT, FILES_LIMIT
from supportbot_webhook.inbound import _ACTS

from .conftest import SECRET
from .conftest import Desk as Channel
from .helpdesk import Helpdesk

ROWS = DeskHooks()
PAGE = Path(__file__).parents[3] / "docs" / "webhook.md"
SAID = {"handoff": "h_1", "desk": "front", "from": {"role": "customer", "id": "u-1", "name": "Ada"}}


@dataclass(slots=True)
class Desks:
    """A started channel with two desks, "front" and "billing", of which the house knows h_1 at front."""

    adapter: WebhookAdapter
    front: Desk
    desks: HeldDesks
    inbox: FakeInbox
    files: FakeFiles
    helpdesk: Helpdesk
    url: str
    client: httpx2.AsyncClient

    async def post(self, query: str = "", **fields: Any) -> httpx2.Response:
        body = json.dumps({"id": "a-1", "handoff": "h_1", "user": {"id": "ana", "name": "Ana"}} | fields).encode()
        headers = signed_headers(SECRET, "w-1", body)
        return await self.client.post(f"{self.url}/webhook/desk{query}", content=body, headers=headers)


@pytest.fixture
async def at() -> AsyncIterator[Desks]:
    async with Helpdesk(SECRET) as helpdesk:
        options = {"secrets": [SECRET], "callback_url": helpdesk.url, "allow_private": True}
        adapter, desks, inbox, files = WebhookAdapter("desk", options), HeldDesks(), FakeInbox(), FakeFiles()
        front, _ = adapter.desk("front", {}), adapter.desk("billing", {})
        desks.handoffs, desks.at = {"h_1"}, {"h_1": "front"}
        await adapter.start(context(inbox, desks=desks, files=files))
        async with served(adapter) as url, httpx2.AsyncClient(trust_env=False) as client:
            yield Desks(adapter, front, desks, inbox, files, helpdesk, url, client)
        await adapter.stop()


# --- out -----------------------------------------------------------------------------------------------------


async def test_a_request_leaves_with_everything_that_is_known(at: Desks) -> None:
    row = ROWS.requested("h_1")
    assert await at.front.send(row) == "h_1"
    (delivery,) = at.helpdesk.accepted
    times = {"requested_at": row.data["requested_at"], "deadline": row.data["deadline"]}
    assert delivery.payload == {
        **{"type": "handoff.requested", "id": "o-h_1", "conversation": "chat-of-h_1"},
        **{"user": {"id": "u-7", "name": "Ada Lovelace"}, "handoff": "h_1", "desk": "front"},
        **(times | dict(FACTS) | dict(BRIEF)),
    }


async def test_words_leave_with_who_said_them(at: Desks) -> None:
    assert await at.front.send(ROWS.said("o-2", "h_1", "h_1", "Hello <b>", role="agent", name="Ben")) == ""
    payload = at.helpdesk.accepted[0].payload
    assert (payload["type"], payload["handoff"], payload["text"]) == ("handoff.message", "h_1", "Hello <b>")
    assert payload["from"] == {"role": "agent", "id": "u-7", "name": "Ben"}
    assert payload["attachments"] == []


async def test_a_small_file_travels_inside_and_a_large_one_is_only_named(at: Desks) -> None:
    small, exact, large = b"%PDF-1.7", b"e" * FILE_LIMIT, b"l" * (FILE_LIMIT + 1)
    kept = [Attachment("a.pdf", "application/pdf", -1, digest=at.files.add(content)) for content in (small, exact)]
    over = Attachment("big.bin", size=len(large), digest=at.files.add(large))
    lost = Attachment("lost.txt", "text/plain", 4, "https://files.example/lost.txt", digest="0" * 64)
    await at.front.send(ROWS.said("o-2", "h_1", "h_1", "", files=(*kept, over, lost)))
    first, second, third, fourth = at.helpdesk.accepted[0].payload["attachments"]
    encoded = base64.b64encode(small).decode()
    assert first == {"name": "a.pdf", "media_type": "application/pdf", "size": 8, "content": encoded}
    assert base64.b64decode(second["content"]) == exact
    named = {"name": "big.bin", "media_type": "application/octet-stream", "size": FILE_LIMIT + 1}
    assert third == named | {"truncated": True}
    assert fourth == {
        **{"name": "lost.txt", "media_type": "text/plain", "size": 4},
        **{"url": "https://files.example/lost.txt", "truncated": True},
    }


async def test_the_files_of_one_message_are_limited_together(at: Desks) -> None:
    files = [Attachment(f"{n}", digest=at.files.add(bytes([n]) * FILE_LIMIT)) for n in range(7)]
    await at.front.send(ROWS.said("o-2", "h_1", "h_1", "", files=tuple(files)))
    sent = at.helpdesk.accepted[0].payload["attachments"]
    assert ["content" in one for one in sent] == [True] * (FILES_LIMIT // FILE_LIMIT) + [False, False]


async def test_what_the_helpdesk_calls_wrong_is_given_up_after_some_tries(at: Desks) -> None:
    at.helpdesk.always(Answer(422))
    row = ROWS.said("o-2", "h_1", "h_1", "hello")
    with pytest.raises(ChannelBusy):
        await at.front.send(replace(row, attempt=1))
    with pytest.raises(ChannelRefused, match="422"):
        await at.front.send(replace(row, attempt=2))


# --- in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "kind", "more"),
    [
        ({"type": "human.message", "text": "Hi"}, "message", {"text": "Hi"}),
        ({"type": "human.message", "text": "Hi", "shown": True}, "message", {"text": "Hi", "shown": True}),
        ({"type": "human.note", "text": "VIP"}, "note", {"text": "VIP"}),
        ({"type": "handoff.claimed"}, "claim", {}),
        ({"type": "handoff.released", "to": "billing"}, "release", {}),
        ({"type": "handoff.transferred", "to": "billing"}, "transfer", {"to": "billing"}),
        ({"type": "handoff.transferred", "to": None}, "transfer", {}),
        ({"type": "handoff.returned", "text": "Back"}, "return", {"text": "Back"}),
        ({"type": "handoff.resolved", "text": "Bye"}, "resolve", {"text": "Bye"}),
    ],
)
async def test_an_agents_object_is_an_act(
    at: Desks, fields: dict[str, Any], kind: Any, more: dict[str, Any]
) -> None:
    response = await at.post(**fields)
    assert (response.status_code, response.json()) == (202, {"accepted": True, "id": "a-1"})
    assert at.desks.acts == [("front", Act("a-1", User("ana", "Ana"), kind, handoff="h_1", **more))]
    assert at.inbox.log == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"text": "hello"}, "type must be one of human.message, human.note, handoff.claimed"),
        ({"type": "event", "event": {"name": "x"}}, "or name a conversation"),
        ({"type": "approval.granted", "call": "c"}, "type must be one of"),
        ({"type": "human.message"}, "text is missing"),
        ({"type": "human.note", "text": ""}, "text is missing or empty: a human.note"),
        ({"type": "handoff.claimed", "user": None}, "user is missing"),
        ({"type": "handoff.claimed", "user": {"name": "Ana"}}, "user.id is missing"),
        ({"type": "handoff.claimed", "id": ""}, "id is missing"),
        ({"type": "handoff.claimed", "handoff": ["h_1"]}, "handoff must be text"),
        ({"type": "handoff.claimed", "handoff": "h" * 256}, "handoff must have at most 255"),
        ({"type": "handoff.claimed", "handoff": None}, "conversation is missing"),
        ({"type": "handoff.transferred", "to": 7}, "to must be text"),
        ({"type": "handoff.transferred", "to": "a\nb"}, "to must have at most 255 characters and no control"),
        ({"type": "human.message", "text": "x", "shown": "yes"}, "shown must be true or false"),
    ],
)
async def test_what_cannot_be_used_gets_one_sentence(at: Desks, fields: dict[str, Any], says: str) -> None:
    response = await at.post(**fields)
    assert response.status_code == 400
    sentence = response.json()["error"]
    assert says in sentence and sentence.endswith(".") and "\n" not in sentence
    assert at.desks.asked == 0 and at.inbox.log == []


async def test_an_act_needs_an_agent(at: Desks) -> None:
    body = b'{"type": "handoff.claimed", "id": "a-1", "handoff": "h_1"}'
    headers = signed_headers(SECRET, "w-1", body)
    response = await at.client.post(f"{at.url}/webhook/desk", content=body, headers=headers)
    assert (response.status_code, response.json()["error"]) == (400, "user is missing.")


async def test_a_handoff_that_stands_at_no_desk_of_the_channel_gets_404(at: Desks) -> None:
    response = await at.post(type="handoff.claimed", handoff="h_2")
    assert response.status_code == 404
    assert response.json()["error"] == "There is no handoff 'h_2' at a desk of this channel."
    assert at.desks.acts == []


async def test_a_handoff_is_found_at_whichever_desk_it_stands(at: Desks) -> None:
    at.desks.at = {"h_1": "billing"}
    assert (await at.post(type="handoff.claimed")).status_code == 202
    assert [desk for desk, _ in at.desks.acts] == ["billing"]


@pytest.mark.parametrize(
    "error", [StoreFull("the disk is full"), StoreError("I/O error"), StoreBusy("on its way")]
)
async def test_an_act_that_cannot_be_stored_gets_503_and_a_time(at: Desks, error: StoreError) -> None:
    at.desks.error = error
    response = await at.post(type="handoff.claimed")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0


async def test_a_desk_that_waits_for_a_place_holds_up_no_act_at_another(at: Desks) -> None:
    class Waiting(HeldDesks):
        async def act(self, desk: str, act: Act) -> bool:
            if desk == "front":
                raise StoreBusy("a handoff is on its way here")
            return await super().act(desk, act)

    waiting = Waiting()
    waiting.handoffs = {"h_1"}
    assert at.adapter.context is not None
    at.adapter.context = replace(at.adapter.context, desks=waiting)
    assert (await at.post(type="handoff.claimed")).status_code == 202
    assert (await at.post(type="handoff.claimed", handoff="h_2")).status_code == 503


async def test_the_same_id_again_changes_nothing_whatever_is_in_it(at: Desks) -> None:
    for text in ("one", "one", "two"):
        assert (await at.post(type="human.message", text=text)).status_code == 202
    assert [act.text for _, act in at.desks.acts] == ["one"]


async def test_nobody_waits_for_a_reply_to_what_an_agent_did(at: Desks) -> None:
    response = await at.post("?wait=5", type="handoff.claimed")
    assert response.status_code == 202
    assert (await at.post("?wait=99", type="handoff.claimed")).status_code == 400


async def test_a_conversation_is_meant_where_both_are_named(at: Desks) -> None:
    response = await at.post(type="handoff.claimed", conversation="c-1")
    assert response.status_code == 202
    assert [message.address.chat for message in at.inbox.messages] == ["c-1"]
    assert at.desks.asked == 0


async def test_a_channel_without_a_desk_has_no_handoffs(desk: Channel) -> None:
    response = await desk.post(b'{"type": "handoff.claimed", "id": "a", "handoff": "h_1", "user": {"id": "ana"}}')
    assert response.status_code == 404


# --- the channel's own conversations -------------------------------------------------------------------------


async def test_agents_can_note_release_and_transfer_in_the_channels_own_conversations(desk: Channel) -> None:
    sent = (
        {"type": "human.note", "text": "VIP"},
        {"type": "handoff.released"},
        {"type": "handoff.transferred", "to": "billing"},
        {"type": "handoff.transferred"},
        {"type": "human.message", "text": "Hi", "shown": True},
    )
    for at, fields in enumerate(sent):
        whole = {"id": f"m-{at}", "conversation": "c-1", "user": {"id": "ana", "name": "Ana"}} | fields
        assert (await desk.post(json.dumps(whole).encode())).status_code == 202
    messages = desk.inbox.messages
    assert [message.kind for message in messages] == [fields["type"] for fields in sent]
    transfers = [message.event for message in messages if message.kind == "handoff.transferred"]
    assert transfers == [Event("transfer", {"to": "billing"}), Event("transfer", {"to": ""})]
    assert [message.shown for message in messages] == [False, False, False, False, True]
    assert messages[0].text == "VIP" and messages[0].event is None


async def test_a_customer_cannot_say_that_words_were_shown(desk: Channel) -> None:
    assert (
        await desk.post(b'{"id": "m", "conversation": "c", "user": {"id": "u"}, "text": "x", "shown": true}')
    ).status_code == 202
    assert not desk.inbox.messages[0].shown


# --- files of agents -----------------------------------------------------------------------------------------


async def test_a_file_is_fetched_from_where_the_callback_stands(at: Desks) -> None:
    url = at.helpdesk.keep("label.pdf", b"twelve bytes")
    assert await at.front.fetch(Attachment("label.pdf", url=url), limit=12) == b"twelve bytes"
    with pytest.raises(FileTooLarge, match="more than 11 bytes"):
        await at.front.fetch(Attachment("label.pdf", url=url), limit=11)
    asked = at.helpdesk.asked
    with pytest.raises(FileTooLarge, match="more than 11 bytes"):
        await at.front.fetch(Attachment("label.pdf", size=12, url=url), limit=11)
    assert at.helpdesk.asked == asked == 2


async def test_a_large_file_is_not_read_to_its_end(at: Desks) -> None:
    url = at.helpdesk.keep("film.mp4", b"x" * 8_000_000)
    with pytest.raises(FileTooLarge):
        await at.front.fetch(Attachment("film.mp4", url=url), limit=1_000)


@pytest.mark.parametrize(
    ("status", "error"),
    [(302, ChannelRefused), (403, ChannelRefused), (404, ChannelRefused), (429, ChannelBusy), (503, ChannelBusy)],
)
async def test_how_the_files_server_failed_is_told_without_its_address(
    at: Desks, status: int, error: type[Exception]
) -> None:
    at.helpdesk.missing["/files/x"] = status
    url = at.helpdesk.url.replace("/callback", "/files/x")
    with pytest.raises(error, match=str(status)) as caught:
        await at.front.fetch(Attachment("x", url=url), limit=1_000)
    assert "/files" not in str(caught.value)


async def test_no_private_address_is_reached_but_the_callbacks(at: Desks) -> None:
    async with Helpdesk(SECRET) as elsewhere:
        with pytest.raises(ChannelRefused, match="public internet"):
            await at.front.fetch(Attachment("x", url=elsewhere.keep("x", b"secret")), limit=1_000)
        assert elsewhere.connections == 0


@pytest.mark.parametrize("url", ["", "http://", "http://[", "ftp://x/y", "http://u:p@x/", "http://\udfff/"])
async def test_a_file_without_a_readable_url_is_refused(at: Desks, url: str) -> None:
    with pytest.raises(ChannelRefused):
        await at.front.fetch(Attachment("x", url=url), limit=1_000)


# --- options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("callback", "options", "says"),
    [
        (None, {}, r"^channel: channels\.desk needs a callback_url"),
        ("https://desk.example/", {"place": "x"}, r"^place is not known; a desk on a webhook has no options"),
    ],
)
def test_what_is_wrong_with_a_desk_is_one_sentence(callback: str | None, options: Any, says: str) -> None:
    adapter = WebhookAdapter("desk", {"secrets": [SECRET], "callback_url": callback})
    with pytest.raises(UsageError, match=says):
        adapter.desk("front", options)


# --- the page ------------------------------------------------------------------------------------------------


def written() -> list[dict[str, Any]]:
    """The objects on the page that belong to a desk."""
    section = PAGE.read_text("utf-8").partition("## The webhook as a desk")[2]
    return [json.loads(block) for block in re.findall(r"^```text\n(\{.*?)^```$", section, re.M | re.S)]


async def test_what_the_page_has_agents_send_is_taken(at: Desks) -> None:
    sent = [fields for fields in written() if "desk" not in fields]
    for fields in sent:
        assert (await at.post(**fields | {"handoff": "h_1"})).status_code == 202
    assert [act.kind for _, act in at.desks.acts] == ["claim", "message", "transfer"]
    assert len(sent) == 3


async def test_what_the_page_shows_of_a_handoff_is_what_is_sent(at: Desks) -> None:
    requested, said = [fields for fields in written() if "desk" in fields]
    files = [Attachment(name, kind, 1) for name, kind in (("a.pdf", "application/pdf"), ("b.mp4", "video/mp4"))]
    kept = replace(files[0], digest=at.files.add(b"%PDF-1.7\n"))
    await at.front.send(ROWS.requested("h_1"))
    await at.front.send(replace(ROWS.said("o-2", "h_1", "h_1", "Hi", files=(kept, files[1])), data=SAID))
    for shown, delivery in zip((requested, said), at.helpdesk.ledger, strict=True):
        assert set(shown) == set(delivery.payload), shown["type"]
    assert [set(file) for file in said["attachments"]] == [
        set(file) for file in at.helpdesk.ledger[1].payload["attachments"]
    ]
    assert base64.b64decode(said["attachments"][0]["content"]) == b"%PDF-1.7\n"


def test_the_page_names_every_limit_type_and_change() -> None:
    text = PAGE.read_text("utf-8").partition("## The webhook as a desk")[2]
    assert (FILE_LIMIT, FILES_LIMIT) == (1_000_000, 5_000_000)
    assert "at most 1 MB" in text and "5 MB in one object" in text
    changes = [name for name, (kind, _, _) in STATES.items() if kind == "handoff.updated"]
    for name in (*changes, *(kind for kind, _, _ in STATES.values()), *_ACTS):
        assert f"`{name}`" in text, name
