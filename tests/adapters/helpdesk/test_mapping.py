"""A mapping of one's own: what it can say, how mistakes in it are told, and that words never become templates."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from helpdesk_house import BRIEF, FACTS, House, opened, reply, row

from supportbot.errors import ChannelBusy, ChannelError, ChannelRefused, ConfigError, FileTooLarge, UsageError
from supportbot.testing.adapter_stage import context, error_of, served
from supportbot.testing.fake_inbox import FakeDesks, FakeInbox
from supportbot.testing.helpdesk import FakeChatwoot, FakeZendesk
from supportbot.testing.helpdesk.core import AGENT, BOT
from supportbot.testing.receiver import Answer, Receiver, signed_headers
from supportbot.types import Attachment
from supportbot.web import egress
from supportbot_helpdesk import HelpdeskAdapter
from supportbot_helpdesk.checking import findings, try_mapping
from supportbot_helpdesk.fromhtml import from_html
from supportbot_helpdesk.inbound import holds, search
from supportbot_helpdesk.mapping import Signature
from supportbot_helpdesk.reading import parse, preset, presets
from supportbot_helpdesk.requests import filled, path
from supportbot_helpdesk.signatures import Unsigned, verify
from supportbot_helpdesk.words import brief, escaped, rendered, said

TINY = Path(__file__).parent / "tiny.yaml"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEXT = "whsec_" + "A" * 32


class Api(Receiver):
    """Answers like the tiny helpdesk, and takes requests that nobody signed."""

    def _judge(self, headers: Mapping[str, str], body: bytes, answer: Answer) -> Any:
        found = super()._judge(headers, body, answer)
        return type(found)(
            **{name: getattr(found, name) for name in found.__slots__} | {"genuine": True, "accepted": True}
        )


@asynccontextmanager
async def tiny(
    *, reach: bool = False, **options: Any
) -> AsyncIterator[tuple[HelpdeskAdapter, Api, FakeInbox, FakeDesks, str]]:
    async with Api() as api:
        given = {
            "mapping": str(TINY),
            "url": api.url,
            "secrets": [SECRET, NEXT],
            "token": "t-1",
            "allow_private": True,
        }
        adapter = HelpdeskAdapter("help", given | options)
        adapter.desk("tickets", {"queue": 8})
        inbox, desks = FakeInbox(), FakeDesks()
        more = {"http": lambda private, most, **_: egress.client(True, most=most)} if reach else {}
        await adapter.start(context(inbox, desks=desks, **more))
        async with served(adapter) as url:
            yield adapter, api, inbox, desks, f"{url}/webhook/help"
        await adapter.stop()


async def post(url: str, body: Any, secret: str = SECRET) -> int:
    content = json.dumps(body).encode()
    async with httpx2.AsyncClient(trust_env=False) as client:
        return (await client.post(url, content=content, headers=signed_headers(secret, "w", content))).status_code


async def test_a_mapping_file_of_a_users_own_is_a_whole_channel_and_desk() -> None:
    async with tiny() as (adapter, api, inbox, _, url):
        said = {
            "what": "note",
            "role": "client",
            "case": "K/1",
            "by": "u",
            "note": {"id": 7, "words": "{{ options.token }}"},
        }
        assert [await post(url, said, secret) for secret in (SECRET, NEXT, "whsec_" + "B" * 32)] == [200, 200, 401]
        assert [(message.text, message.address.chat) for message in inbox.messages] == [
            ("{{ options.token }}", "K/1")
        ]

        api.always(Answer(200, body=b'{"id": 99}'))
        assert await adapter.send(reply("K-1", "Hello {{ options.token }}")) == "99"
        sent = api.ledger[-1]
        assert sent.payload == {"words": "Hello {{ options.token }}", "key": "o-1"}
        assert (sent.headers["authorization"], sent.headers["x-queue"]) == ("Bearer t-1", "3")

        place = await adapter.desks[0].send(row("handoff.requested", "C", why="cold & <b>"))
        assert place == "99"
        created, memo = api.ledger[-2:]
        assert created.payload == {"title": "Ada <b>Byron</b>: cold & <b>", "queue": 8}
        assert memo.headers["content-type"] == "application/x-www-form-urlencoded"


async def test_one_delivery_can_be_several_things() -> None:
    async with tiny() as (_, _, inbox, desks, url):
        desks.places.add(("tickets", "K-2"))
        done = {
            "what": "note",
            "case": "K-2",
            "by": "a",
            "name": "Ana",
            "done": True,
            "note": {"id": 8, "words": "Bye"},
        }
        assert [await post(url, done), await post(url, done)] == [200, 200]
        assert [(act.kind, act.text, act.agent.name) for _, act in desks.acts] == [
            ("message", "Bye", "Ana"),
            ("resolve", "", "Ana"),
        ]
        assert inbox.messages == []


async def test_a_part_of_a_path_cannot_leave_it() -> None:
    async with tiny() as (adapter, api, _, _, _):
        for place in ("..", "a/../../admin", "", "a\nb"):
            assert type(await error_of(adapter.send(reply(place, "hi")))) is ChannelRefused
        assert api.ledger == []
        assert path("GET /x/{{ a }}/y.json", {"a": "ü ?#"}, "p") == ("GET", "/x/%C3%BC%20%3F%23/y.json")


async def test_a_status_that_the_mapping_does_not_name_is_a_failure() -> None:
    async with tiny() as (adapter, api, _, _, _):
        api.always(Answer(200, body=b'{"id": 1}'))
        error = await error_of(adapter.send(row("handoff.resolved", "K-1")))
        assert type(error) is ChannelRefused and "`status`" in str(error)


def test_a_value_that_is_one_expression_keeps_its_type_and_none_is_left_out() -> None:
    values = {"n": 7, "t": "x", "list": [1, "{{ n }}"]}
    body = {
        "a": "{{ n }}",
        "b": "n{{ n }}",
        "c": "{{ none }}",
        "d": None,
        "e": ["{{ list }}", "{{ none }}"],
        "f": 1.5,
    }
    assert filled(body, values, "p") == {"a": 7, "b": "n7", "d": None, "e": [[1, "{{ n }}"]], "f": 1.5}


def test_an_expression_that_does_not_fit_gives_nothing() -> None:
    assert search("contains(body.x, 'a')", {"body": {"x": None}}) is None
    assert not holds("length(body)", {"body": 7})
    assert not holds("body.list", {"body": {"list": []}}) and holds("body.n", {"body": {"n": 0}})


# --- mistakes ---------------------------------------------------------------------------------------------------

GOOD = TINY.read_text()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("markup: plain", "markup: rtf", ":2:9: markup: "),
        ("is: agent.message}", "is: agent.shout}", "events.2.is"),
        ("body.what == 'note'\", is", "body.what = 'note'\", is", "is no JMESPath expression"),
        ("POST /cases/{{ ticket }}/notes", "SEND /cases", "must be a method and a path"),
        ('"{{ text }}", key', '"{{ text ", key', "is no template"),
        ("family: standard", "family: hmac", "needs the `header`"),
        ("  create:", "  creates:", "requests.creates: is not known here"),
        ("    gives: body.id\nsamples", "samples", "needs `gives`"),
        ("helpdesk: Tiny Desk\n", "", "helpdesk: is missing"),
        ("queue: {default: 3}", "url: {default: 3}", "must be a name of small letters"),
        ("markup: plain", "markup: plain\nmarkup: html", "stands here twice"),
        ("options:", "options: [", "this is no YAML"),
        ("  conversation: body.case\n", "", "where the `conversation` stands"),
        ("family: standard", 'family: hmac, header: X, signed: "{body}{x}"', "`signed` has {body} once"),
    ],
)
def test_a_mistake_in_a_mapping_is_one_sentence_with_its_place(old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        parse(GOOD.replace(old, new, 1).encode(), "mine.yaml")
    assert told in str(caught.value) and str(caught.value).startswith("mine.yaml:")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"preset": "chatwoot", "mapping": "x.yaml"}, "write one of the two"),
        ({}, "write one of the two"),
        ({"preset": "otrs"}, "channels.help.preset must be one of chatwoot, freshdesk"),
        (
            {"preset": "chatwoot", "url": "https://x.example", "secrets": ["s"]},
            "channels.help.token is missing: the access token",
        ),
        ({"preset": "chatwoot", "url": "x", "secrets": ["s"], "token": "t"}, "channels.help.url must be"),
        ({"preset": "chatwoot", "url": "https://x.example", "token": "t"}, "channels.help.secrets is missing"),
        (
            {"preset": "chatwoot", "url": "https://x.example", "secrets": ["s"], "tokn": "t"},
            "channels.help.tokn is not known",
        ),
        (
            {"mapping": str(TINY), "url": "https://x.example", "secrets": ["s"], "token": "t"},
            "channels.help.secrets[0]",
        ),
    ],
)
def test_a_wrong_option_is_one_sentence_that_begins_with_its_name(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        HelpdeskAdapter("help", options)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_mapping_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: there is no such file"):
        HelpdeskAdapter("help", {"mapping": "nowhere.yaml"})


def test_a_desk_needs_a_mapping_that_can_make_tickets_and_known_options() -> None:
    given = {"preset": "chatwoot", "url": "https://x.example", "secrets": ["s"], "token": "t"}
    adapter = HelpdeskAdapter("help", given)
    with pytest.raises(UsageError, match=r"^inboxx is not known"):
        adapter.desk("tickets", {"inboxx": 3})
    with pytest.raises(UsageError, match=r"^token is not known"):
        adapter.desk("tickets", {"token": "other"})


# --- samples ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", presets())
def test_every_preset_passes_its_own_samples(name: str) -> None:
    assert try_mapping(name) == []
    words = {word for sample in preset(name).samples for word in sample.expect.is_}
    assert {"customer.message", "agent.message", "agent.note", "resolved", "returned", "claimed", "ours"} <= words


def test_a_sample_that_becomes_something_else_is_told() -> None:
    assert try_mapping(TINY) == []
    wrong = GOOD.replace(
        "expect: {is: customer.message, conversation: K-1", "expect: {is: agent.note, conversation: K-1"
    )
    (told,) = findings(parse(wrong.encode(), "x"))
    assert told == "sample 'a client writes': it is customer.message, but agent.note was expected"
    (told,) = findings(parse(GOOD.replace("id: 1, text", "id: 2, text").encode(), "x"))
    assert "its id is '1', but '2' was expected" in told
    (told,) = findings(parse(GOOD.replace('{{ text }}"}}', '{{ txt }}"}}').encode(), "x"))
    assert "`note` cannot be written" in told and "txt" in told
    adapter = HelpdeskAdapter(
        "help", {"preset": "zammad", "url": "https://x.example", "secrets": ["s"], "token": "t", "bot": 4}
    )
    assert adapter.check() == []


# --- who may speak ----------------------------------------------------------------------------------------------


async def test_what_people_do_in_tickets_that_the_bot_does_not_know_is_left_alone() -> None:
    async with opened(FakeZendesk()) as house:
        house.fake.hook, hook = "", house.fake.hook
        ticket = await house.fake.customer_writes("An old matter")
        house.fake.hook = hook
        await house.fake.agent_replies(ticket, "Grace here.")
        await house.fake.agent_takes(ticket)
        await house.fake.agent_solves(ticket)
        await house.fake.customer_writes("Thanks, Grace", ticket)
        await house.settle()
        assert house.said == [] and house.desks.acts == []


async def test_a_helpdesk_that_is_only_a_desk_starts_no_conversation() -> None:
    async with opened(FakeChatwoot(), first_line=False) as house:
        ticket = await house.fake.customer_writes("Hello")
        await house.fake.agent_replies(ticket, "Hi")
        assert house.said == []
        house.desks.places.add(("tickets", str(ticket)))
        await house.fake.agent_replies(ticket, "Hi again")
        assert [kind for kind, _, _ in house.acts] == ["message"]


async def test_a_name_that_cannot_be_asked_for_does_not_hold_up_an_act(house: House) -> None:
    ticket = await house.fake.customer_writes("Hello")
    await house.fake.agent_takes(ticket, by=4711)
    assert house.said[-1][0] == "handoff.claimed" and house.inbox.messages[-1].user.id == "4711"


# --- signatures -------------------------------------------------------------------------------------------------


def test_the_other_families_are_verified_too() -> None:
    body = b'{"a": 1}'
    mac = hmac.new(b"k", body, hashlib.sha512).hexdigest()
    hmac_512 = Signature.model_validate({"family": "hmac", "header": "X-Sig", "algorithm": "sha512"})
    in_query = Signature.model_validate({"family": "query", "query": "key"})
    in_header = Signature.model_validate({"family": "header", "header": "X-Key", "prefix": "Bearer "})
    verify(hmac_512, ["old", "k"], {"x-sig": mac.upper()}, {}, body, now=0)
    verify(in_query, ["old", "k"], {}, {"key": "k"}, body, now=0)
    verify(in_header, ["k"], {"x-key": "Bearer k"}, {}, body, now=0)
    for signature, headers, query in (
        (hmac_512, {"x-sig": mac[:-1]}, {}),
        (hmac_512, {}, {}),
        (in_query, {}, {"key": ""}),
        (in_query, {"key": "k"}, {}),
        (in_header, {"x-key": "k"}, {}),
    ):
        with pytest.raises(Unsigned):
            verify(signature, ["k"], headers, query, body, now=0)


async def test_a_secret_in_the_address_lets_in_and_is_nothing_that_expressions_see(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        GOOD.replace("family: standard", "family: query, query: key").replace(
            "text: body.note.words", "text: join('', [query.key || 'unseen', query.other || ''])"
        )
    )
    async with tiny(mapping=str(mine), secrets=["s3cret"]) as (_, _, inbox, _, url):
        said = {"what": "note", "role": "client", "case": "K-1", "by": "u", "note": {"id": 7}}
        assert [await post(url + query, said) for query in ("", "?key=x", "?key=s3cret&other=o")] == [
            401,
            401,
            200,
        ]
        assert [message.text for message in inbox.messages] == ["unseeno"]


# --- words and files --------------------------------------------------------------------------------------------


def test_html_becomes_the_words_that_people_read() -> None:
    source = (
        "<style>p {}</style><div>Where is<br>my <b>lamp</b>?</div><ul><li>one</li><li>two &amp; three</li></ul>"
        '<p><a href="https://shop.example/x">here</a> <a href="javascript:x">or here</a></p><script>alert(1)</script>'
        "<blockquote>On Monday you wrote</blockquote><pre>a  b\nc</pre>"
    )
    words = from_html(source)
    assert words.startswith("Where is\nmy lamp?") and "- one" in words and "two & three" in words
    assert "here (https://shop.example/x)" in words and "javascript" not in words and "alert" not in words
    assert "On Monday you wrote" in words and from_html("plain < text") == "plain < text"


@pytest.mark.parametrize("markup", ["html", "markdown", "plain"])
@pytest.mark.parametrize("limit", [2_000, 20_000, 60_000])
def test_nothing_is_longer_than_the_helpdesk_takes(markup: Any, limit: int) -> None:
    loud = "<\"'&*_" * 20_000
    big = {
        "summary": loud,
        "why": loud,
        "detail": "'" + loud,
        "tried": [loud] * 60,
        "suggestion": loud,
        "slots": {f"k{at}": loud for at in range(300)},
        "earlier": [{"channel": "c", "summary": loud, "outcome": "o"}] * 50,
        "customer": {"id": loud, "name": loud},
        "identity": {"verified": True, "name": loud},
        "transcript": [{"role": "user", "text": loud}] * 40,
    }
    for data in (big, *({**BRIEF, key: value} for key, value in big.items())):
        made = brief({**FACTS, **data}, markup, limit)
        assert len(made) <= limit and "h_1x2y3z" in made.replace("\\", "")
    small = brief({**FACTS, **BRIEF}, markup, limit)
    assert "It is" in small and "Offered a replacement" in small and "left out" not in small
    for text in (loud, loud[:limit], "x" * limit, "x" * (limit * 2)):
        assert limit * 0.9 < len(said("Ada", text, markup, limit)) <= limit
    assert "\u2026" not in said("Ada", "x" * (limit - 40), markup, limit)


async def test_a_long_note_or_reply_fits_into_a_zendesk_comment() -> None:
    async with opened(FakeZendesk()) as house:
        ticket = await house.fake.customer_writes("Hello")
        whom = {"from": {"role": "customer", "id": "u", "name": "Ada"}}
        csv = '"",' * 6600
        await house.desk.send(row("handoff.message", "C", place=str(ticket), text=csv, **whom))
        await house.desk.send(row("handoff.note", "C", id="o-2", place=str(ticket), by="Ben", note="<" * 60_000))
        await house.adapter.send(reply(str(ticket), '"' * house.adapter.capabilities.text_limit))
        assert [len(text) > 50_000 for text in house.fake.texts(ticket, public=False)] == [True, True]
        assert len(house.fake.texts(ticket, by=BOT)) == 1


def test_words_after_something_that_nobody_closed_do_not_vanish() -> None:
    for source in (
        "<head><title>x</title><body><p>Hello</p>",
        "<p>a</p><title>b<p>Hello</p>",
        "<p>5 <template> x</p><p>Hello</p>",
        "<script>x<p>Hello</p>",
        "<!-- x <p>Hello</p>",
        '<a href="x <p>Hello</p>',
        "<style>p{}</STYLE ><p>Hello",
    ):
        assert "Hello" in from_html(source), source
    assert from_html("<title>b</title><p>Hello</p>") == "Hello"
    assert from_html("<!DOCTYPE html><!-- > <b> --><p>a &lt;b&gt; &#8364; &#" + "9" * 5000 + ";</p>").startswith(
        "a <b> €"
    )


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        "</",
        "<",
        "<!",
        "<!--",
        "<?",
        "&#",
        "&",
        "<a>x",
        "<script>",
        "<title>",
        "<a href=",
        '<a "',
        "<a '\"",
        "<p>",
        " ",
        '"',
        "<a b=\"'",
        "\u0130<title>",
    ],
)
def test_hostile_html_takes_no_longer_than_other_text(piece: str) -> None:
    began = time.process_time()
    from_html(piece * (1_000_000 // len(piece)))
    assert time.process_time() - began < 3, "a second or so for a million characters; quadratic is hours"


def test_markdown_of_the_bot_is_safe_html_and_words_of_others_are_only_words() -> None:
    made = rendered(
        "**Yes** <img src=x onerror=y> [a](javascript:x) ![p](https://x.example/p.png)\n\n| a |\n|---|\n| b |",
        "html",
    )
    assert (
        "<strong>Yes</strong>" in made
        and "<img" not in made
        and 'href="javascript' not in made
        and "<table>" in made
    )
    for text in ("<b>&", "*x* [y](z) @here `c` # h", "1. a\n- b"):
        assert "<b>" not in escaped(text, "html")
        assert escaped(text, "plain") == text
    assert escaped("*x* [y](z)", "markdown") == "\\*x\\* \\[y\\]\\(z\\)"


async def test_a_file_is_fetched_with_our_credentials_only_from_the_helpdesk_itself() -> None:
    async with Receiver() as elsewhere, tiny(reach=True) as (adapter, api, _, _, _):
        elsewhere.always(Answer(200, body=b"content"))
        api.next(Answer(302, {"location": f"http://127.0.0.1:{elsewhere.port}/blob"}))
        file = Attachment("a.png", ref=f"http://127.0.0.1:{api.port}/files/1")
        assert api.url.startswith(f"http://127.0.0.1:{api.port}")
        error = await error_of(adapter.fetch(file, limit=100))  # type: ignore[arg-type]
        assert api.ledger[0].headers["authorization"] == "Bearer t-1"
        assert "authorization" not in elsewhere.ledger[0].headers
        assert error is not None and "401" in str(error)  # the receiver takes nothing unsigned

        api.always(Answer(200, body=b"x" * 200))
        assert isinstance(await error_of(adapter.fetch(file, limit=100)), FileTooLarge)  # type: ignore[arg-type]
        assert await adapter.fetch(file, limit=200) == b"x" * 200


async def test_a_file_in_the_operators_network_is_read_from_the_helpdesk_alone() -> None:
    async with Receiver() as elsewhere, tiny() as (adapter, api, _, _, _):
        other = f"http://127.0.0.1:{elsewhere.port}"
        api.always(Answer(200, body=b"x"))
        for ref in (f"{api.url}/files/1", "/files/1", f"@127.0.0.1:{elsewhere.port}/x", "files/ü 1"):
            assert await adapter.fetch(Attachment("a", ref=ref), limit=9) == b"x"
        bad = ("http://[::1/x", "http://\0/", "file:///etc/passwd", "javascript:alert(1)", "http://exa mple/")
        for ref in (f"{other}/x", f"//127.0.0.1:{elsewhere.port}/x", *bad):
            assert isinstance(await error_of(adapter.fetch(Attachment("a", ref=ref), limit=9)), ChannelError), ref  # type: ignore[arg-type]
        for location in (f"{other}/x", "http://[::1/x", "ftp://x/y"):
            api.always(Answer(302, {"location": location}))
            error = await error_of(adapter.fetch(Attachment("a", ref="/files/1"), limit=9))  # type: ignore[arg-type]
            assert type(error) is ChannelRefused, location
        assert elsewhere.ledger == []


async def test_a_file_may_be_as_large_as_its_reader_takes() -> None:
    async with tiny(body_limit="10KB") as (adapter, api, _, _, _):
        api.always(Answer(200, body=b"x" * 200_000))
        assert len(await adapter.fetch(Attachment("a", ref="/files/1"), limit=300_000)) == 200_000


# --- answers that are none -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"<html>We will be back soon</html>", b'"We will be back soon"'])
async def test_a_page_about_maintenance_is_no_success(body: bytes) -> None:
    async with tiny() as (adapter, api, _, _, _):
        api.always(Answer(200, body=body))
        for sent in (
            adapter.send(reply("K-1", "Your refund is done.")),
            adapter.desks[0].send(row("handoff.requested", "C")),
        ):
            assert type(await error_of(sent)) is ChannelBusy
        api.always(Answer(200, {"content-type": "text/html"}, b"<p>We will be back soon</p>"))
        note = row("handoff.note", "C", place="K-1", by="Ben", note="He has moved.")
        assert type(await error_of(adapter.desks[0].send(note))) is ChannelBusy
        api.always(Answer(200, body=b""))
        assert await adapter.desks[0].send(note) == ""


# --- set-ups that would fail ---------------------------------------------------------------------------------------


def test_a_desk_without_what_its_tickets_need_is_told_at_the_start() -> None:
    given = {"preset": "chatwoot", "url": "https://x.example", "secrets": ["s"], "token": "t"}
    with pytest.raises(UsageError, match=r"^channel: a desk needs channels\.help\.inbox, which is missing: .*API"):
        HelpdeskAdapter("help", given).desk("tickets", {})
    with pytest.raises(UsageError, match=r"channels\.help\.agent_token"):
        HelpdeskAdapter("help", given).desk("tickets", {"inbox": 3})
    HelpdeskAdapter("help", given | {"agent_token": "a"}).desk("tickets", {"inbox": 3})


def test_a_change_that_has_no_id_is_a_finding() -> None:
    source = GOOD.replace('delivery: headers."webhook-id"\n', "") + (
        "  - name: it is done\n"
        "    body: {what: note, case: K-1, by: a, done: true, note: {id: 3, words: x}}\n"
        "    expect: {is: [agent.message, resolved]}\n"
    )
    assert findings(parse(source.encode(), "x")) == []
    (told,) = findings(
        parse(
            source.replace(
                "    is: [agent.message, resolved]\n", "    is: resolved\n    fields: {id: body.event}\n", 1
            )
            .replace("expect: {is: [agent.message, resolved]}", "expect: {is: resolved}")
            .encode(),
            "x",
        )
    )
    assert told.startswith("sample 'it is done': neither `fields.id` nor `delivery`")


async def test_a_header_that_cannot_be_written_is_refused_in_a_sentence(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        GOOD.replace('headers: {X-Queue: "{{ options.queue }}"}', 'headers: {X-Who: "{{ customer.name }}"}')
    )
    async with tiny(mapping=str(mine)) as (adapter, api, _, _, _):
        made = row("handoff.requested", "C", customer={"id": "u", "name": "Zo\u00eb"})
        error = await error_of(adapter.desks[0].send(made))
        assert type(error) is ChannelRefused and "X-Who" in str(error) and "ASCII" in str(error)
        assert api.ledger == []


async def test_chatwoots_other_inboxes_belong_to_others() -> None:
    async with opened(FakeChatwoot(), bot_inbox=77) as house:
        await house.fake.customer_writes("A question for the sales bot")
        assert house.said == []
    async with opened(FakeChatwoot(), bot_inbox=5) as house:
        await house.fake.customer_writes("Where is my lamp?")
        assert house.said == [("message", "Where is my lamp?")]


async def test_a_handoff_takes_a_zendesk_ticket_from_the_bot_also_without_a_group() -> None:
    async with opened(FakeZendesk(), group="") as house:
        ticket = await house.fake.customer_writes("I want a human")
        await house.fake.set_assignee(house.fake.tickets[ticket], BOT, AGENT)
        await house.adapter.send(row("handoff.requested", str(ticket)))
        await house.settle()
        assert house.fake.tickets[ticket].assignee is None


async def test_a_zendesk_comment_that_is_only_a_file_is_not_passed_over() -> None:
    async with opened(FakeZendesk()) as house:
        ticket = await house.fake.customer_writes("")
        await house.fake.agent_replies(ticket, "")
        assert [kind for kind, text in house.said if "file" in text] == ["message", "human.message"]
