"""The door of a channel that is called over HTTP: capped bodies, refusals of one sentence, callers that leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from supportbot import doors
from supportbot.doors import CallerLeft, Door, Refused, answer, headers_of, read_body

Event = MutableMapping[str, Any]
GONE: Event = {"type": "http.disconnect"}


def receiving(*events: Event) -> Receive:
    left: Iterator[Event] = iter(events)

    async def receive() -> Event:
        found = next(left, None)
        if found is None:
            await asyncio.Event().wait()
        assert found is not None
        return found

    return receive


def chunks(*pieces: bytes) -> list[Event]:
    last = len(pieces) - 1
    return [{"type": "http.request", "body": piece, "more_body": at < last} for at, piece in enumerate(pieces)]


async def called(door: Door) -> list[Event]:
    sent: list[Event] = []

    async def send(event: Event) -> None:
        sent.append(event)

    await door({"type": "http", "headers": []}, receiving(), send)
    return sent


# --- bodies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pieces", [[b""], [b"12345678"], [b"1234", b"", b"5678"]])
async def test_a_body_up_to_the_limit_is_read_whole(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert await read_body(str(len(whole)), receiving(*chunks(*pieces)), 8) == whole


@pytest.mark.parametrize("length", ["9", "", "-1", "1e3", " 1", "0x1", "9" * 16, "²", "٣", "1, 1"])
async def test_a_length_that_is_too_large_or_no_number_is_refused_before_anything_is_read(length: str) -> None:
    with pytest.raises(Refused) as caught:
        await read_body(length, receiving(), 8)
    assert (caught.value.status, str(caught.value)) == (413, "The body is larger than 8 bytes.")


async def test_a_body_that_is_longer_than_it_said_is_refused_at_the_limit() -> None:
    events = chunks(b"12345", b"6789", b"never read")
    with pytest.raises(Refused) as caught:
        await read_body("3", receiving(*events[:2]), 8)
    assert caught.value.status == 413


async def test_a_caller_that_leaves_before_the_end_is_told_apart() -> None:
    with pytest.raises(CallerLeft):
        await read_body("8", receiving(*chunks(b"1234", b"")[:1], GONE), 8)


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "BODY_SECONDS", 0.05)
    with pytest.raises(Refused) as caught:
        await read_body("8", receiving(*chunks(b"1234", b"")[:1]), 8)
    assert (caught.value.status, caught.value.headers) == (408, ((b"connection", b"close"),))


# --- answers -------------------------------------------------------------------------------------------------


async def test_a_refusal_is_one_json_sentence_with_its_headers() -> None:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        raise Refused(503, "Not now, ä.", doors.RETRY_AFTER)

    start, end = await called(Door(serve))
    assert start["status"] == 503
    headers = dict(start["headers"])
    assert headers[b"content-type"] == b"application/json" and headers[b"retry-after"] == b"5"
    assert headers[b"content-length"] == str(len(end["body"])).encode()
    assert json.loads(end["body"]) == {"error": "Not now, ä."} and not end["more_body"]


async def test_nothing_is_answered_to_a_caller_that_left() -> None:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        raise CallerLeft

    assert await called(Door(serve)) == []


async def test_an_answer_may_be_plain_text_and_may_leave_its_end_open() -> None:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, "challenge é", more=True)

    start, end = await called(Door(serve))
    assert dict(start["headers"])[b"content-type"] == b"text/plain; charset=utf-8"
    assert (end["body"], end["more_body"]) == ("challenge é".encode(), True)


async def test_half_a_character_in_an_answer_is_replaced() -> None:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 400, {"error": "a\ud800b"})

    assert json.loads((await called(Door(serve)))[1]["body"]) == {"error": "a?b"}


def test_headers_are_found_by_small_letters_and_the_last_one_counts() -> None:
    scope = {"headers": [(b"x-one", b"1"), (b"x-two", b"\xe9"), (b"x-one", b"2")]}
    assert headers_of(scope) == {"x-one": "2", "x-two": "é"}
