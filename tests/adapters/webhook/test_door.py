"""What the webhook's route answers, over real HTTP and, where it matters, over raw sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from supportbot import doors
from supportbot.errors import StoreError, StoreFull
from supportbot.testing.receiver import signed_headers
from supportbot.types import Action, Address, Attachment, Event, User

from .conftest import OTHER, SECRET, Desk, body, reply

PAYLOADS = Path(__file__).parent / "payloads"
NO_CALLBACK = pytest.mark.parametrize("desk", [{"callback_url": None}], indirect=True)


async def read_all(port: int, request: bytes, seconds: float = 5.0) -> bytes:
    """Everything the server says to one raw request; the client closes its side only at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(seconds):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            return head + await reader.readexactly(length)
    finally:
        writer.close()
        await writer.wait_closed()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    await asyncio.sleep(0)


# --- accepting -----------------------------------------------------------------------------------------------


async def test_a_signed_message_is_stored_and_answered_202(desk: Desk) -> None:
    content = body(locale="pt-BR")
    response = await desk.post(content)
    assert (response.status_code, response.json()) == (202, {"accepted": True, "id": "m-1"})
    (message,) = desk.inbox.messages
    assert message.address == Address("desk", "c-1")
    assert (message.user, message.text, message.locale) == (User("u-1", "Ada"), "hello", "pt-BR")
    assert len(message.digest) == 64


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("message", "message"),
        ("message_with_attachment", "message"),
        ("action", "action"),
        ("event", "event"),
        ("human_message", "human.message"),
        ("handoff_claimed", "handoff.claimed"),
        ("handoff_resolved", "handoff.resolved"),
        ("handoff_returned", "handoff.returned"),
    ],
)
async def test_every_type_of_the_documentation_is_accepted(desk: Desk, name: str, kind: str) -> None:
    response = await desk.post((PAYLOADS / f"{name}.json").read_bytes())
    assert response.status_code == 202
    assert [message.kind for message in desk.inbox.messages] == [kind]


async def test_actions_events_and_attachments_keep_their_values(desk: Desk) -> None:
    for name in ("action", "event", "message_with_attachment"):
        await desk.post((PAYLOADS / f"{name}.json").read_bytes().replace(b'"m-1"', b'"%s"' % name.encode()))
    action, event, attached = desk.inbox.messages
    assert action.action == Action("order_status", "1")
    assert event.event == Event("conversation.started", {"page": "/pricing"})
    assert attached.attachments == (
        Attachment("photo.jpg", "image/jpeg", 120000, "https://files.example/photo.jpg"),
    )


async def test_every_malformed_payload_gets_one_sentence_of_its_own(desk: Desk) -> None:
    for path in sorted(PAYLOADS.glob("bad_*")):
        response = await desk.post(path.read_bytes())
        assert response.status_code == (401 if "utf16" in path.name else 400), path.name
        sentence = response.json()["error"]
        assert sentence.endswith(".") and "Traceback" not in sentence, path.name
        if "_is_" in path.name:
            field = path.name.removeprefix("bad_").split("_is_")[0].split("_")[0]
            assert field in sentence, (path.name, sentence)
    assert desk.inbox.log == []


async def test_nul_and_control_characters_are_cleaned_out_of_text_and_name(desk: Desk) -> None:
    content = body(text="a\0b", user={"id": "u", "name": "Ada\n\x1b[31m"})
    assert (await desk.post(content)).status_code == 202
    assert desk.inbox.messages[0].text == "ab"
    assert desk.inbox.messages[0].user.name == "Ada  [31m"


@pytest.mark.parametrize(("text", "status"), [("\\u0000 written out", 202), ("a real \0", 400)])
async def test_only_a_real_nul_in_an_events_data_is_refused(desk: Desk, text: str, status: int) -> None:
    content = body(type="event", event={"name": "e", "data": {"deep": [text]}})
    assert (await desk.post(content)).status_code == status


async def test_a_text_that_is_too_long_is_refused_with_413(desk: Desk) -> None:
    assert (await desk.post(body(text="x" * 20_000))).status_code == 202
    response = await desk.post(body(id="m-2", text="x" * 20_001))
    assert response.status_code == 413
    assert "text is longer than 20,000" in response.json()["error"]


# --- repeats -------------------------------------------------------------------------------------------------


async def test_the_same_id_with_the_same_bytes_is_accepted_again_and_changes_nothing(desk: Desk) -> None:
    for _ in range(3):
        assert (await desk.post(body())).status_code == 202
    assert len(desk.inbox.messages) == 1


async def test_the_same_id_with_other_bytes_is_refused_with_409(desk: Desk) -> None:
    await desk.post(body(text="one"))
    response = await desk.post(body(text="two"))
    assert response.status_code == 409
    assert "'m-1'" in response.json()["error"]
    assert [message.text for message in desk.inbox.messages] == ["one"]


async def test_the_id_in_the_body_decides_and_not_the_header(desk: Desk) -> None:
    content = body()
    for header_id in ("w-1", "w-2"):
        response = await desk.post(content, headers=signed_headers(SECRET, header_id, content))
        assert response.status_code == 202
    assert len(desk.inbox.messages) == 1


# --- refusing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("desk", [{"secrets": [OTHER, SECRET]}], indirect=True)
async def test_each_secret_of_a_rotation_opens_the_door(desk: Desk) -> None:
    assert (await desk.post(body("m-1"), secret=OTHER)).status_code == 202
    assert (await desk.post(body("m-2"), secret=SECRET)).status_code == 202


async def test_a_signature_list_with_one_good_signature_is_enough(desk: Desk) -> None:
    headers = signed_headers(SECRET, "w-1", body())
    wrong = signed_headers(OTHER, "w-1", body())["webhook-signature"]
    headers["webhook-signature"] = f"{wrong} v1a,AAAA {headers['webhook-signature']}"
    assert (await desk.post(body(), headers=headers)).status_code == 202


async def test_401_says_what_is_wrong_with_the_signature(desk: Desk) -> None:
    content = body()
    missing = await desk.post(content, headers={})
    stale = await desk.post(content, headers=signed_headers(SECRET, "w-1", content, at=1_614_265_330))
    wrong = await desk.post(content, secret=OTHER)
    assert [one.status_code for one in (missing, stale, wrong)] == [401, 401, 401]
    assert "webhook-id is missing" in missing.json()["error"]
    assert "5 minutes" in stale.json()["error"]
    assert "does not match" in wrong.json()["error"]
    assert not any(OTHER[6:] in one.text or SECRET[6:] in one.text for one in (missing, stale, wrong))


@pytest.mark.parametrize("error", [StoreFull("the disk is full"), StoreError("I/O error")])
async def test_503_with_retry_after_when_it_cannot_be_stored(desk: Desk, error: StoreError) -> None:
    desk.inbox.error = error
    response = await desk.post(body())
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0


@NO_CALLBACK
async def test_without_a_callback_a_request_without_wait_is_refused_and_not_stored(desk: Desk) -> None:
    response = await desk.post(body())
    assert response.status_code == 400
    assert "?wait=30" in response.json()["error"]
    assert desk.inbox.log == []


@pytest.mark.parametrize("wait", ["0", "-1", "31", "30.01", "nan", "inf", "abc", "", "1&wait=2", "1e9", "0x1"])
async def test_a_wait_that_makes_no_sense_is_refused(desk: Desk, wait: str) -> None:
    response = await desk.post(body(), query=f"?wait={wait}")
    assert response.status_code == 400
    assert "wait must be a number" in response.json()["error"]
    assert desk.inbox.log == []


async def test_other_methods_and_channels_get_405_and_404_as_json(desk: Desk) -> None:
    other_method = await desk.client.get(f"{desk.url}/webhook/desk")
    other_channel = await desk.client.post(f"{desk.url}/webhook/nobody")
    assert (other_method.status_code, other_channel.status_code) == (405, 404)
    assert other_method.headers["allow"] == "POST"
    assert "error" in other_method.json() and "error" in other_channel.json()


# --- bodies that misbehave -----------------------------------------------------------------------------------


async def test_a_ten_megabyte_body_is_refused_before_it_is_read(desk: Desk) -> None:
    head = desk.raw(b"", length=10_000_000)
    answer = await read_all(desk.port, head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"1,000,000 bytes" in answer


async def test_a_ten_megabyte_body_sent_whole_is_answered_413(desk: Desk) -> None:
    response = await desk.post(b"x" * 10_000_000)
    assert response.status_code == 413
    assert (await desk.post(body())).status_code == 202


async def test_a_chunked_body_is_read_and_capped_as_it_comes(desk: Desk) -> None:
    content = body()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (content[:7], content[7:])) + b"0\r\n\r\n"
    head = desk.raw(content, extra="transfer-encoding: chunked").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert (await read_all(desk.port, head + chunks)).startswith(b"HTTP/1.1 202 ")
    flood = b"".join(b"10000\r\n" + b"x" * 65_536 + b"\r\n" for _ in range(20))
    assert (await read_all(desk.port, head + flood)).startswith(b"HTTP/1.1 413 ")


async def test_a_body_that_does_not_come_is_given_up_with_408(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "BODY_SECONDS", 0.2)
    answer = await read_all(desk.port, desk.raw(body(), length=5_000))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert desk.inbox.log == []


async def test_a_body_in_single_bytes_arrives_whole(desk: Desk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    request = desk.raw(body())
    for at in range(len(request)):
        writer.write(request[at : at + 1])
        await asyncio.sleep(0)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 202 ")
    writer.close()
    await writer.wait_closed()


async def test_a_caller_who_breaks_off_in_the_body_leaves_nothing_behind(desk: Desk) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(desk.raw(body(), length=5_000))
    await writer.drain()
    await asyncio.sleep(0.05)
    await hang_up(writer)
    assert (await desk.post(body("m-2"))).status_code == 202
    assert [message.id for message in desk.inbox.messages] == ["m-2"]


async def test_a_caller_who_closes_its_half_after_the_body_has_its_message_stored(desk: Desk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(desk.raw(body()))
    writer.write_eof()
    await reader.read()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(3):
        while not desk.inbox.messages:
            await asyncio.sleep(0.01)
    assert desk.inbox.messages[0].id == "m-1"


# --- waiting -------------------------------------------------------------------------------------------------


@NO_CALLBACK
async def test_wait_returns_the_replies_as_message_reply_objects(desk: Desk) -> None:
    desk.inbox.will_answer("m-1", reply("o-1", "Hello Ada"))
    response = await desk.post(body(), query="?wait=5")
    assert response.status_code == 200
    assert response.json() == {
        "replies": [
            {
                "type": "message.reply",
                "id": "o-1",
                "conversation": "c-1",
                "in_reply_to": ["m-1"],
                "part": 1,
                "parts": 1,
                "text": "Hello Ada",
                "buttons": [{"id": "yes", "label": "Yes"}],
            }
        ]
    }
    assert await desk.left_or_taken() == ("taken", "m-1")
    assert [entry[0] for entry in desk.inbox.log] == ["waiting", "asked", "stored", "taken"]


async def test_wait_gives_202_when_time_runs_out_and_leaves_the_reply_to_the_callback(desk: Desk) -> None:
    response = await desk.post(body(), query="?wait=0.1")
    assert (response.status_code, response.json()) == (202, {"accepted": True, "id": "m-1"})
    assert await desk.left_or_taken() == ("left", "m-1")


async def test_the_longest_wait_is_taken_as_it_is(desk: Desk) -> None:
    desk.inbox.will_answer("m-1", reply("o-1", "at once"))
    assert (await desk.post(body(), query="?wait=30")).status_code == 200


async def test_a_caller_who_hangs_up_while_waiting_has_not_taken_the_reply(desk: Desk) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(desk.raw(body(), query="?wait=20"))
    await desk.inbox.arrived.wait()
    await hang_up(writer)
    assert await desk.left_or_taken() == ("left", "m-1")


async def test_a_caller_who_closes_its_half_while_waiting_counts_as_gone(desk: Desk) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
    writer.write(desk.raw(body(), query="?wait=20"))
    await desk.inbox.arrived.wait()
    writer.write_eof()
    assert await desk.left_or_taken() == ("left", "m-1")
    writer.close()
    await writer.wait_closed()


async def test_a_reply_that_is_ready_just_as_the_caller_hangs_up_is_not_taken(desk: Desk) -> None:
    for at in range(20):
        id = f"m-{at}"
        desk.inbox.arrived.clear()
        _, writer = await asyncio.open_connection("127.0.0.1", desk.port)
        writer.write(desk.raw(body(id), query="?wait=20"))
        await desk.inbox.arrived.wait()
        writer.transport.abort()
        desk.inbox.will_answer(id, reply(f"o-{at}", "too late", to=id))
        assert await desk.left_or_taken() == ("left", id)
        desk.inbox.log.clear()


async def test_a_repeat_with_wait_gets_the_answer_that_exists(desk: Desk) -> None:
    await desk.post(body())
    desk.inbox.answered["m-1"] = (reply("o-1", "as before"),)
    response = await desk.post(body(), query="?wait=5")
    assert response.status_code == 200
    assert [one["text"] for one in response.json()["replies"]] == ["as before"]


async def test_a_repeat_with_wait_and_no_answer_yet_waits_for_it(desk: Desk) -> None:
    await desk.post(body())
    waiting = asyncio.create_task(desk.post(body(), query="?wait=5"))
    await asyncio.sleep(0.05)
    desk.inbox.will_answer("m-1", reply("o-1", "now"))
    assert (await waiting).json()["replies"][0]["text"] == "now"


async def test_a_conflict_and_a_full_disk_are_told_to_a_waiting_caller_too(desk: Desk) -> None:
    await desk.post(body())
    assert (await desk.post(body(text="other"), query="?wait=5")).status_code == 409
    desk.inbox.error = StoreFull("the disk is full")
    desk.inbox.log.clear()
    assert (await desk.post(body("m-2"), query="?wait=5")).status_code == 503
    assert await desk.left_or_taken() == ("left", "m-2")


async def test_many_callers_wait_at_once_and_each_gets_its_own(desk: Desk) -> None:
    calls = [asyncio.create_task(desk.post(body(f"m-{at}"), query="?wait=10")) for at in range(50)]
    await asyncio.sleep(0.1)
    for at in reversed(range(50)):
        desk.inbox.will_answer(f"m-{at}", reply(f"o-{at}", f"answer {at}", to=f"m-{at}"))
    texts = [response.json()["replies"][0]["text"] for response in await asyncio.gather(*calls)]
    assert texts == [f"answer {at}" for at in range(50)]
