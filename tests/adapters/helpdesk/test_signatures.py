"""Nobody but the helpdesk is listened to."""

from __future__ import annotations

import time

import httpx2
from helpdesk_house import House

STALE = ("chatwoot", "zendesk")
"""The helpdesks whose deliveries have a signed time."""


async def _post(house: House, content: bytes, headers: dict[str, str], query: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.post(house.fake.hook + query, content=content, headers=headers)


async def _delivery(house: House) -> tuple[bytes, str]:
    house.fake.paused = True
    await house.fake.customer_writes("Hello")
    return house.fake.waiting[0].body, house.fake.waiting[0].query


async def test_a_delivery_without_or_with_a_wrong_signature_is_turned_away(house: House) -> None:
    content, query = await _delivery(house)
    good = house.fake.signed(content)
    wrong = [house.fake.signed(content, secret="another secret"), {}]
    for name in ("X-Chatwoot-Signature", "X-Zendesk-Webhook-Signature", "X-Hub-Signature", "X-Supportbot-Secret"):
        if name in good:
            wrong += [
                {**good, name: value} for value in ("", "sha256=", "sha1=", "é", good[name][:-1], good[name] + "0")
            ]
            wrong.append({key: value for key, value in good.items() if key != name})
    for headers in wrong:
        raw = {key: value.encode("latin-1") for key, value in headers.items()}
        response = await _post(house, content, raw, query)  # type: ignore[arg-type]
        assert response.status_code == 401, headers
        assert response.json() == {"error": "The request is not authentic."}
    assert (await _post(house, content, good, query)).status_code == 200
    assert len(house.inbox.messages) == 1


async def test_a_changed_body_is_turned_away(house: House) -> None:
    if house.fake.preset == "freshdesk":  # its secret signs nothing
        return
    content, query = await _delivery(house)
    assert (await _post(house, content + b" ", house.fake.signed(content), query)).status_code == 401


async def test_a_stale_delivery_is_turned_away_where_it_has_a_time(house: House) -> None:
    content, query = await _delivery(house)
    for off in (-400, 400):
        status = (await _post(house, content, house.fake.signed(content, at=time.time() + off), query)).status_code
        assert status == (401 if house.fake.preset in STALE else 200)


async def test_what_is_not_json_is_turned_away_and_what_is_unknown_is_ignored(house: House) -> None:
    _, query = await _delivery(house)
    for content in (b"", b"{", b"\xff\xfe", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[" * 100_000):
        assert (await _post(house, content, house.fake.signed(content), query)).status_code == 400, content[:20]
    for content in (b"{}", b"[]", b"null", b'"text"', b'{"event": "tomorrow", "type": "x", "topic": "y"}'):
        assert (await _post(house, content, house.fake.signed(content), "?event=tomorrow")).status_code == 200
    assert house.inbox.messages == [] and house.inbox.aside == []


async def test_a_body_that_is_too_large_is_turned_away(house: House) -> None:
    content = b'{"x": "' + b"x" * 1_000_001 + b'"}'
    assert (await _post(house, content, house.fake.signed(content), "")).status_code == 413
