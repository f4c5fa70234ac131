"""Standard Webhooks: the published vector, what is refused, and what leaves."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot import webhooks
from supportbot.errors import SupportbotError, UsageError
from supportbot.testing.receiver import is_genuine, signature, signed_headers
from supportbot.types import Address, Button, Outgoing, Reply, User
from supportbot.web import egress

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "B" * 32
BODY = b'{"test": 2432232314}'
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
VECTOR = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_published_vector_is_reproduced() -> None:
    headers = webhooks.sign(SECRET, ID, BODY, 1614265330)
    assert headers == {"webhook-id": ID, "webhook-timestamp": "1614265330", "webhook-signature": VECTOR}
    assert signature(SECRET, ID, "1614265330", BODY) == VECTOR


def test_signing_does_not_depend_on_the_machines_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        for zone in ("America/Los_Angeles", "Asia/Kolkata"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert webhooks.sign(SECRET, ID, BODY, 1614265330.9)["webhook-signature"] == VECTOR
            webhooks.verify([SECRET], webhooks.sign(SECRET, ID, BODY, time.time()), BODY)
    finally:
        monkeypatch.undo()
        time.tzset()


@given(
    st.text(alphabet=st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=40),
    st.text(max_size=200),
)
def test_what_is_signed_verifies_here_and_by_an_independent_hand(id: str, text: str) -> None:
    body = text.encode("utf-8", "replace")
    headers = webhooks.sign(SECRET, id, body, time.time())
    assert is_genuine(SECRET, headers, body)
    webhooks.verify([OTHER, SECRET], signed_headers(SECRET, id, body), body)
    with pytest.raises(webhooks.Unsigned):
        webhooks.verify([SECRET], headers, body + b"x")


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "Webhook-Id"]),
        st.text(max_size=60),
    ),
    st.binary(max_size=60),
)
def test_nothing_but_unsigned_escapes_from_any_header_and_body(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(webhooks.Unsigned):
        webhooks.verify([SECRET, OTHER], headers, body)


def test_headers_count_in_any_case() -> None:
    headers = {name.title(): value for name, value in signed_headers(SECRET, "m", BODY).items()}
    webhooks.verify([SECRET], headers, BODY)


def test_the_five_minutes_hold_both_ways() -> None:
    now = time.time()
    for at in (now - 298, now + 298):
        webhooks.verify([SECRET], signed_headers(SECRET, "m", BODY, at=at), BODY)
    for at in (now - 302, now + 303):
        with pytest.raises(webhooks.Unsigned, match="5 minutes"):
            webhooks.verify([SECRET], signed_headers(SECRET, "m", BODY, at=at), BODY)


def test_no_secret_opens_nothing() -> None:
    with pytest.raises(webhooks.Unsigned):
        webhooks.verify([], signed_headers(SECRET, "m", BODY), BODY)


def test_unsigned_is_one_of_ours() -> None:
    assert issubclass(webhooks.Unsigned, SupportbotError)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_not base64!", "päss", None, 7, "whsec_A", "whsec_AAAA\n"])
def test_a_secret_that_is_none_is_a_sentence_without_its_value(secret: object) -> None:
    with pytest.raises(UsageError, match=r"the_key .*make one with: python3 -c") as caught:
        webhooks.check_secret(secret, "the_key")
    assert not secret or secret == "whsec_" or str(secret).strip() not in str(caught.value)


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_"), "whsec_QUJDREVGR0hJSktMTU5PUA"])
def test_secrets_may_lack_the_prefix_or_the_padding(secret: str) -> None:
    assert webhooks.check_secret(secret) == secret
    webhooks.verify([secret], webhooks.sign(secret, "m", BODY, time.time()), BODY)


def test_the_retry_schedule_is_the_published_one() -> None:
    minutes, hours = 60, 3600
    assert (
        *(5, 5 * minutes, 30 * minutes),
        *(2 * hours, 5 * hours, 10 * hours, 14 * hours, 20 * hours, 24 * hours),
    ) == webhooks.RETRY_DELAYS


async def test_an_endpoint_signs_with_every_secret_of_a_rotation() -> None:
    async with egress.client(False) as client:
        endpoint = webhooks.SignedEndpoint(
            "https://desk.example/in", [OTHER, SECRET], client, clock=lambda: 1614265330
        )
        headers = endpoint._headers(ID, BODY)
    assert headers["webhook-signature"].split(" ")[1] == VECTOR


@pytest.mark.parametrize(
    "url", ["", "desk.example", "ftp://desk.example", "https://", "http://[", "https://u:p@h/"]
)
async def test_an_endpoint_needs_a_whole_url(url: str) -> None:
    async with egress.client(False) as client:
        with pytest.raises(UsageError):
            webhooks.SignedEndpoint(url, SECRET, client)


def test_half_a_character_in_a_reply_does_not_stop_it() -> None:
    row = Outgoing(
        id="o",
        conversation="ours",
        address=Address("desk", "theirs"),
        lane="l",
        kind="message.reply",
        user=User("u"),
        in_reply_to=("a", "b"),
        part=2,
        parts=3,
        created_at=0,
        reply=Reply("half \ud83d", (Button("b", "B", "hidden"),)),
    )
    assert webhooks.encode(webhooks.outgoing_object(row)).decode() == (
        '{"type":"message.reply","id":"o","conversation":"theirs","in_reply_to":["a","b"],"part":2,"parts":3,'
        '"text":"half ?","buttons":[{"id":"b","label":"B"}]}'
    )
    event = replace(row, kind="handoff.claimed", reply=None, data={"agent": "Grace"})
    assert webhooks.outgoing_object(event)["agent"] == "Grace"
