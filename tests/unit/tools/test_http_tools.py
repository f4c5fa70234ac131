from __future__ import annotations

import asyncio
import gc
import json
import logging
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serviced import CONTEXT, CUT, HANG, Says, Service, free_port, loaded, tools

from supportbot.errors import ConfigError, ToolError
from supportbot.protocols import NotDone, OutcomeUnknown, Tool
from supportbot.tools import Toolbox
from supportbot.tools.http.answer import HttpTrouble, Reading, Silence
from supportbot.tools.http.request import Body, Endpoint, Place, written

ANYTHING = "{type: object}"
SECRET = "s3cr et/value"
AUTH = f"auth: {{bearer: b-{SECRET}, header: {{X-Api: h-{SECRET}}}, query: {{api_key: 'q-{SECRET}'}}}}"


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with Service() as running:
        yield running


def one(request: str, more: str = "", parameters: str = ANYTHING, top: str = "") -> str:
    """A tool file with one tool, `t`."""
    lines = ["base: BASE/v1", "timeout: 1s", top, "tools:", "- name: t", f"  request: {request}"]
    return "\n".join([*lines, f"  parameters: {parameters}", *(f"  {line}" for line in more.splitlines())]) + "\n"


async def called(text: str, service: Service, arguments: dict[str, Any] | None = None) -> Any:
    async with tools(text, service.url) as by_name:
        return await by_name["t"].call(arguments or {}, CONTEXT)


async def raised(text: str, service: Service, arguments: dict[str, Any] | None = None) -> Exception:
    with pytest.raises((ToolError, OutcomeUnknown, HttpTrouble)) as caught:
        await called(text, service, arguments)
    return caught.value


def endpoint(path: str = "/a", **more: Any) -> Endpoint:
    places = {"id": Place("path", "id")} if "{id}" in path else {}
    return Endpoint(
        "https://shop.test/v1/", more.pop("method", "GET"), path, places | more.pop("places", {}), **more
    )


# ---------------------------------------------------------------- where arguments go


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("A 1-2?x=3#y&z", "A%201-2%3Fx%3D3%23y%26z"),
        ("@evil.test", "%40evil.test"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("%2e%2e", "%252e%252e"),
        ("...", "..."),
        (7, "7"),
        (7.0, "7"),
        (True, "true"),
        (["a", "b c"], "a%2Cb%20c"),
    ],
)
def test_an_argument_in_the_path_stays_one_part_of_it(value: Any, path: str) -> None:
    found = written(endpoint("/orders/{id}/items"), {"id": value}, reserved={})
    assert found.url == f"https://shop.test/v1/orders/{path}/items"


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "/",
        "a/b",
        "a\\b",
        "//evil.test",
        "../admin",
        "a/../b",
        "..\\admin",
        "a/..",
        "a\r\nb",
        "\0",
        None,
        {},
        [],
    ],
)
def test_an_argument_that_would_lead_elsewhere_is_refused_without_being_repeated(value: Any) -> None:
    with pytest.raises(ToolError) as caught:
        written(endpoint("/orders/{id}"), {"id": value}, reserved={})
    assert "admin" not in str(caught.value)


def test_two_arguments_cannot_make_a_step_upwards_together() -> None:
    places = {"a": Place("path", "a"), "b": Place("path", "b")}
    for a, b in ((".", "."), ("", ".."), ("..", "x"), ("x/.", ".")):
        with pytest.raises(ToolError):
            written(endpoint("/{a}{b}/x", places=places), {"a": a, "b": b}, reserved={})


@given(st.text(min_size=1))
def test_whatever_stands_in_the_path_the_host_and_the_other_parts_stay(value: str) -> None:
    try:
        url = httpx2.URL(written(endpoint("/orders/{id}/items"), {"id": value}, reserved={}).url)
    except ToolError:
        return
    assert (url.host, url.query, url.fragment) == ("shop.test", b"", "")
    raw = url.raw_path.decode().split("/")
    assert (raw[:3], raw[4:], len(raw)) == (["", "v1", "orders"], ["items"], 5)


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({}, ""),
        ({"q": None}, ""),
        ({"q": "a b&c=d"}, "?q=a%20b%26c%3Dd"),
        ({"q": True, "n": 2.5}, "?q=true&n=2.5"),
        ({"q": ["a", None, 2]}, "?q=a&q=2"),
        ({"q": []}, ""),
        ({"q": {"a": 1}}, "?q=%7B%22a%22%3A%201%7D"),
        ({"deep": {"a": 1, "b": ["x", "y"]}}, "?deep%5Ba%5D=1&deep%5Bb%5D=x&deep%5Bb%5D=y"),
        ({"comma": ["a", "b"]}, "?comma=a%2Cb"),
        ({"form": {"a": 1, "key": "mine"}}, "?a=1"),
        ({"form": {"customer": "x"}, "customer": "u"}, "?customer=u"),
        ({"deep": {"a": "x"}, "deep[a]": "u"}, "?deep%5Ba%5D=u"),
        ({"key": "mine"}, ""),
    ],
)
def test_the_query_is_written_as_services_read_it_and_never_takes_our_names(
    arguments: dict[str, Any], query: str
) -> None:
    places = {name: Place("query", name, name) for name in ("deep", "comma", "form")}  # type: ignore[arg-type]
    assert (
        written(endpoint(places=places), arguments, reserved={"key": ""}).url == f"https://shop.test/v1/a{query}"
    )


@pytest.mark.parametrize(
    ("body", "arguments", "content"),
    [
        (None, {}, None),
        (Body(), {}, b"{}"),
        (Body(optional=True), {}, None),
        (Body(), {"a": None, "b": ["é"]}, '{"a": null, "b": ["é"]}'.encode()),
        (Body(whole="all"), {"all": [1, 2]}, b"[1, 2]"),
        (Body(whole="all"), {}, None),
        (Body("application/x-www-form-urlencoded"), {"a": ["1", "2"], "b": True, "c": None}, b"a=1&a=2&b=true"),
    ],
)
def test_what_is_not_placed_elsewhere_is_the_content(
    body: Body | None, arguments: dict[str, Any], content: bytes | None
) -> None:
    assert written(endpoint(method="POST", rest="body", body=body), arguments, reserved={}).content == content


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\x00", "\x7f", ["a", "b\rc"]])
def test_no_line_break_reaches_a_header(value: Any) -> None:
    for found in (
        endpoint(places={"h": Place("header", "X-H")}),
        endpoint(places={"h": Place("template", "h")}, headers={"X-H": "v={h}"}),
    ):
        with pytest.raises(ToolError, match="argument h cannot have line breaks"):
            written(found, {"h": value}, reserved={})


def test_arguments_that_are_too_long_for_an_address_are_refused() -> None:
    with pytest.raises(ToolError, match="too long"):
        written(endpoint(), {"q": "x" * 9000}, reserved={})


async def test_a_get_has_its_arguments_in_path_header_and_query(service: Service) -> None:
    text = one("GET /orders/{id}", "headers: {X-Lang: 'lang={lang}', X-No: '{nothing}', X-Json: '{\"a\": 1}'}")
    text = text.replace(ANYTHING, "{id: {}, lang: {}, nothing: {}, q: {}}")
    await called(text, service, {"id": "4 2", "lang": "dé", "q": ["a", "b"]})
    (asked,) = service.asked
    assert (asked.method, asked.target, asked.body) == ("GET", "/v1/orders/4%202?q=a&q=b", b"")
    assert asked.headers["x-lang"] == "lang=dé"
    assert asked.headers["x-json"] == '{"a": 1}'
    assert "x-no" not in asked.headers
    assert "idempotency-key" not in asked.headers


async def test_a_post_has_the_rest_as_json_and_its_key(service: Service) -> None:
    await called(
        one("POST /orders/{id}", "query: [dry]", "{id: {}, dry: {}, a: {}}"),
        service,
        {"id": 1, "dry": True, "a": [1]},
    )
    (asked,) = service.asked
    assert (asked.target, asked.json) == ("/v1/orders/1?dry=true", {"a": [1]})
    assert asked.headers["content-type"] == "application/json"
    assert asked.headers["idempotency-key"] == "key-1"


@pytest.mark.parametrize(
    ("request_", "more", "target", "body"),
    [
        ("DELETE /orders/{id}", "", "/v1/orders/1?a=x%20y", b""),
        ("PUT /orders/{id}", "body: form", "/v1/orders/1", b"a=x%20y"),
        ("PATCH /orders", "", "/v1/orders", b'{"id": 1, "a": "x y"}'),
    ],
)
async def test_the_rest_goes_where_the_method_has_it(
    service: Service, request_: str, more: str, target: str, body: bytes
) -> None:
    await called(one(request_, more, "{id: {}, a: {}}"), service, {"id": 1, "a": "x y"})
    assert (service.asked[0].target, service.asked[0].body) == (target, body)


async def test_a_post_without_arguments_has_no_content(service: Service) -> None:
    await called(one("POST /orders/{id}", parameters="{id: {}}"), service, {"id": 1})
    assert service.asked[0].body == b""
    assert "content-type" not in service.asked[0].headers


async def test_a_bound_argument_that_is_no_parameter_is_sent_and_unseen(service: Service) -> None:
    bind = "bind: {customer: customer.id, tenant: channel}"
    text = one("GET /customers/{customer}/orders", bind, "{state: {type: string}}")
    async with tools(text, service.url) as by_name:
        box = Toolbox(by_name)
        (spec,) = box.specs()
        assert set(spec.parameters["properties"]) == {"state"}
        result = await box.call("t", '{"state": "open"}', CONTEXT, seconds=5)
        assert result.value == {"fine": True}
        assert service.asked[0].target == "/v1/customers/u/orders?state=open&tenant=web"


async def test_a_content_type_of_the_operators_wins(service: Service) -> None:
    await called(one("PATCH /a", "headers: {Content-Type: application/merge-patch+json}"), service, {"a": 1})
    assert service.asked[0].headers["content-type"] == "application/merge-patch+json"


# ---------------------------------------------------------------- who we are


async def test_credentials_are_sent_and_win_over_headers_of_the_same_name(service: Service) -> None:
    more = "headers: {authorization: mine, X-API: '{a}', Idempotency-Key: '{a}'}"
    await called(one("POST /a", more, "{a: {}}", f"{AUTH}\nheaders: {{X-Shop: '7'}}"), service, {"a": "mine"})
    (asked,) = service.asked
    assert asked.target == "/v1/a?api_key=q-s3cr%20et%2Fvalue"
    assert asked.headers["authorization"] == f"Bearer b-{SECRET}"
    assert (asked.headers["x-api"], asked.headers["x-shop"]) == (f"h-{SECRET}", "7")
    assert asked.headers["idempotency-key"] == "key-1"


async def test_credentials_in_the_query_stand_behind_the_arguments(service: Service) -> None:
    await called(one("GET /a", "", "{q: {}}", AUTH), service, {"q": 1})
    assert service.asked[0].target == "/v1/a?q=1&api_key=q-s3cr%20et%2Fvalue"


async def test_basic_authentication(service: Service) -> None:
    await called(one("GET /a", top="auth: {user: mia, password: pä}"), service)
    assert service.asked[0].headers["authorization"] == "Basic bWlhOnDDpA=="


@pytest.mark.parametrize(
    "says",
    [
        Says(500, {"detail": f"no {SECRET} q-{SECRET}"}),
        Says(400, {"detail": f"you sent h-{SECRET} and b-{SECRET} and q-s3cr%20et%2Fvalue"}),
        Says(401, {"detail": f"q-{SECRET}"}),
        Says(302, b"", {"location": f"http://127.0.0.1:1/?api_key=q-{SECRET}".replace(" ", "%20")}),
        Says(200, b"x" * 3_000_000),
        CUT,
        HANG,
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_no_secret_is_in_an_error_or_a_log(
    service: Service, says: Says, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logged: list[Any] = []
    service.next(says)
    text = one(f"{method} /a", top=f"{AUTH}\nretries: 0").replace("timeout: 1s", "timeout: 300ms")
    async with tools(text, service.url) as by_name:
        box = Toolbox(by_name, log=lambda event, **details: logged.append((event, details)))
        result = await box.call("t", {}, CONTEXT, seconds=5)
        shown = f"{result!r} {logged!r} {by_name!r} {box!r} {caplog.text}"
    for secret in (f"q-{SECRET}", f"b-{SECRET}", f"h-{SECRET}", "q-s3cr%20et"):
        assert secret not in shown
    assert result.error in ("failed", "timeout", "unknown_outcome")


async def test_a_cookie_of_one_customer_is_not_sent_for_the_next(service: Service) -> None:
    service.next(Says(headers={"set-cookie": "session=first; Path=/"}))
    async with tools(one("GET /a"), service.url) as by_name:
        await by_name["t"].call({}, CONTEXT)
        await by_name["t"].call({}, CONTEXT)
    assert "cookie" not in service.asked[1].headers


# ---------------------------------------------------------------- trying again


@pytest.mark.parametrize(
    "fails", [Says(500), Says(503), Says(429), Says(408), Says(425), CUT], ids=lambda s: f"{s.way}{s.status}"
)
async def test_a_request_that_changes_nothing_is_sent_again(service: Service, fails: Says) -> None:
    service.next(fails, fails)
    assert await called(one("GET /a"), service) == {"fine": True}
    assert len(service.asked) == 3


async def test_no_answer_is_a_reason_to_ask_again(service: Service) -> None:
    service.next(HANG)
    assert await called(one("GET /a").replace("1s", "200ms"), service) == {"fine": True}


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422])
async def test_a_refusal_is_not_asked_again(service: Service, status: int) -> None:
    service.next(Says(status))
    await raised(one("GET /a"), service)
    assert len(service.asked) == 1


async def test_the_tries_come_to_an_end(service: Service) -> None:
    service.next(*[Says(503)] * 9)
    error = await raised(one("GET /a", top="retries: 1"), service)
    assert isinstance(error, HttpTrouble)
    assert len(service.asked) == 2


async def test_all_tries_end_before_the_tools_time_does(service: Service) -> None:
    service.next(*[HANG] * 9)
    text = one("GET /a", "timeout: 1s", top="retries: 5").replace("timeout: 1s", "timeout: 200ms", 1)
    async with tools(text, service.url) as by_name:
        assert by_name["t"].timeout == 1.0
        begun = time.monotonic()
        with pytest.raises(HttpTrouble, match="no answer within"):
            await by_name["t"].call({}, CONTEXT)
        assert time.monotonic() - begun < 1.0
    assert len(service.asked) > 1


@pytest.mark.parametrize(
    ("wish", "count"), [("1", 2), ("6", 1), ("Wed, 21 Oct 2015 07:28:00 GMT", 2), ("soon", 2)]
)
async def test_a_service_says_when_to_ask_again(service: Service, wish: str, count: int) -> None:
    service.next(Says(429, headers={"retry-after": wish, "date": "Wed, 21 Oct 2015 07:27:59 GMT"}))
    begun = time.monotonic()
    text = one("GET /a", "timeout: 20s")
    if count == 1:
        assert "busy" in str(await raised(text, service))
    else:
        await called(text, service)
    assert len(service.asked) == count
    if wish[0] in "1W":
        assert time.monotonic() - begun >= 1.0


async def test_a_request_with_effects_is_sent_again_if_nobody_was_there(service: Service) -> None:
    port = free_port()
    text = one("POST /a").replace("BASE", f"http://127.0.0.1:{port}")
    async with tools(text, "") as by_name:
        call = asyncio.create_task(by_name["t"].call({"a": 1}, CONTEXT))
        await asyncio.sleep(0.05)
        late = await asyncio.start_server(service._serve, "127.0.0.1", port)
        assert await call == {"fine": True}
        late.close()
    assert len(service.asked) == 1


async def test_a_request_with_effects_that_never_arrived_is_a_plain_failure(service: Service) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        text = one("POST /a").replace("BASE", f"http://127.0.0.1:{probe.getsockname()[1]}")
        error = await raised(text, service)
    assert isinstance(error, HttpTrouble)
    assert "no connection" in str(error)


UNCLEAR = [CUT, HANG, *(Says(status) for status in (500, 502, 503, 504, 520, 302, 303))]


@pytest.mark.parametrize("says", UNCLEAR, ids=lambda s: f"{s.way}{s.status}")
async def test_what_may_have_arrived_is_no_plain_failure_and_not_sent_again(service: Service, says: Says) -> None:
    service.next(says)
    text = one("POST /a", "errors: {503: 'The desk is closed.'}").replace("1s", "300ms")
    assert isinstance(await raised(text, service), OutcomeUnknown)
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    ("effects", "arrived", "doubt", "kind"),
    [
        (False, True, True, HttpTrouble),
        (True, False, False, HttpTrouble),
        (True, True, False, OutcomeUnknown),
        (True, False, True, OutcomeUnknown),
    ],
)
def test_no_answer_is_unknown_if_any_try_may_have_arrived(
    effects: bool, arrived: bool, doubt: bool, kind: type[Exception]
) -> None:
    reading = Reading("POST /a", effects, hide=lambda told: told.replace("secret", "***"))
    with pytest.raises(kind) as caught:
        reading.value(Silence("no secret connection", arrived), doubt=doubt)
    assert str(caught.value) == "POST /a: no *** connection"


async def test_an_answer_that_breaks_off_after_its_head_is_unknown_too(service: Service) -> None:
    service.next(Says(200, headers={"content-length": "1000"}))
    assert isinstance(await raised(one("POST /a").replace("1s", "300ms"), service), OutcomeUnknown)


async def test_the_toolbox_tells_of_an_unknown_outcome(service: Service) -> None:
    service.next(CUT)
    async with tools(one("POST /a"), service.url) as by_name:
        result = await Toolbox(by_name).call("t", {}, CONTEXT, seconds=5)
    assert result.error == "unknown_outcome"


@pytest.mark.parametrize("says", [CUT, HANG, Says(503), Says(429)], ids=lambda s: f"{s.way}{s.status}")
async def test_with_recover_again_it_is_sent_again_with_the_same_key(service: Service, says: Says) -> None:
    service.next(says, says)
    text = one("POST /a", "recover: again\ntimeout: 5s", "{a: {}}").replace("timeout: 1s", "timeout: 200ms")
    assert await called(text, service, {"a": 1}) == {"fine": True}
    assert [asked.headers["idempotency-key"] for asked in service.asked] == ["key-1"] * 3
    assert [asked.json for asked in service.asked] == [{"a": 1}] * 3


@pytest.mark.parametrize(
    ("status", "kind"), [(429, OutcomeUnknown), (409, OutcomeUnknown), (401, OutcomeUnknown), (422, ToolError)]
)
async def test_after_a_try_that_may_have_arrived_a_refusal_at_the_door_proves_nothing(
    service: Service, status: int, kind: type[Exception]
) -> None:
    service.next(CUT, Says(status), Says(status))
    assert isinstance(await raised(one("POST /a", "recover: again"), service), kind)


@pytest.mark.parametrize(
    ("request_", "more", "effects"),
    [
        ("GET /a", "", False),
        ("HEAD /a", "", False),
        ("DELETE /a", "", True),
        ("POST /a", "", True),
        ("POST /a", "effects: false", False),
        ("GET /a", "effects: true", True),
    ],
)
async def test_what_changes_something_is_the_methods_or_the_operators_to_say(
    service: Service, request_: str, more: str, effects: bool
) -> None:
    service.next(Says(503))
    async with tools(one(request_, more), service.url) as by_name:
        assert by_name["t"].effects is effects
        if effects:
            with pytest.raises(OutcomeUnknown):
                await by_name["t"].call({}, CONTEXT)
        else:
            await by_name["t"].call({}, CONTEXT)
    assert ["idempotency-key" in asked.headers for asked in service.asked] == [effects] * (1 if effects else 2)


# ---------------------------------------------------------------- what an answer means


@pytest.mark.parametrize(
    ("says", "kind", "sentence"),
    [
        (Says(404), ToolError, "There is no such parcel."),
        (Says(403), ToolError, "Not for you."),
        (Says(422, {}), ToolError, "The service did not accept the request."),
        (Says(418, b"<html>"), ToolError, "The service refused this."),
        (Says(409, {"message": "is\n shipped"}), ToolError, 'at the service. It says: "is shipped"'),
        (Says(422, {"detail": [{"loc": ["a"], "msg": "too small"}]}), ToolError, 'It says: "too small"'),
        (Says(400, {"error": {"message": "nope"}}), ToolError, 'It says: "nope"'),
        (Says(400, b"{", {"content-type": "application/problem+json"}), ToolError, "did not accept the request."),
        (Says(401), HttpTrouble, "GET /parcels/{id} answered 401: the service does not accept the credentials"),
        (Says(501), HttpTrouble, "answered 501"),
        (
            Says(301, b"", {"location": "https://www.shop.test/v1/a"}),
            HttpTrouble,
            "301 and points to https://www.shop.test: redirects",
        ),
    ],
)
async def test_a_status_is_somebodys_fault(
    service: Service, says: Says, kind: type[Exception], sentence: str
) -> None:
    service.next(says, says, says)
    text = one("GET /parcels/{id}", "errors: {404: There is no such parcel., 403: Not for you.}", "{id: {}}")
    error = await raised(text, service, {"id": "secret-id"})
    assert type(error) is kind
    assert sentence in str(error)
    assert "secret-id" not in str(error)


@pytest.mark.parametrize("status", [400, 401, 404, 409, 429, 501, 307, 308])
async def test_a_clear_no_to_a_request_with_effects_is_a_plain_failure(service: Service, status: int) -> None:
    service.next(Says(status))
    assert not isinstance(await raised(one("POST /a"), service), OutcomeUnknown)
    assert len(service.asked) == 1


async def test_the_other_sides_words_are_cut(service: Service) -> None:
    service.next(Says(400, {"detail": "x" * 1000}))
    assert len(str(await raised(one("GET /a"), service))) < 400


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(service: Service, status: int) -> None:
    async with Service() as other:
        service.next(Says(status, b"", {"location": f"{other.url}/elsewhere"}))
        async with tools(one("GET /a"), service.url) as by_name:
            result = await Toolbox(by_name).call("t", {}, CONTEXT, seconds=5)
        assert result.content == "t failed because of a technical problem."
        assert other.asked == []


@pytest.mark.parametrize(
    ("says", "value"),
    [
        (Says(200, {"a": [1, None]}), {"a": [1, None]}),
        (Says(200, b"[1e999, NaN, 2.5]"), [None, None, 2.5]),
        (Says(200, b"null"), None),
        (Says(200, b'{"a"', {"content-type": "application/hal+json"}), '{"a"'),
        (Says(200, b"g\xf6", {"content-type": "text/plain; charset=latin-1"}), "gö"),
        (Says(200, b"g\xf6", {"content-type": "text/plain; charset=nonsense"}), "g\ufffd"),
        (Says(200, b"g\xf6", {"content-type": ""}), "g\ufffd"),
        (Says(204, b""), {"ok": True}),
        (Says(201, b""), {"ok": True}),
        (
            Says(200, b"%PDF", {"content-type": "application/pdf"}),
            {"ok": True, "content_type": "application/pdf", "bytes": 4},
        ),
    ],
)
async def test_an_answer_becomes_a_result(service: Service, says: Says, value: Any) -> None:
    service.next(says)
    assert await called(one("GET /a"), service) == value


async def test_a_result_is_what_the_expression_takes(service: Service) -> None:
    service.next(Says(200, {"items": [{"id": 1, "x": 2}], "n": None}))
    text = one("GET /a", "result: '{ids: items[].id, gone: n.a}'")
    assert await called(text, service) == {"ids": [1], "gone": None}


@pytest.mark.parametrize("says", [Says(200, {"n": None}), Says(200, b"<html>", {"content-type": "text/html"})])
@pytest.mark.parametrize(("method", "kind"), [("GET", HttpTrouble), ("POST", OutcomeUnknown)])
async def test_an_answer_that_the_expression_does_not_fit(
    service: Service, says: Says, method: str, kind: type[Exception]
) -> None:
    service.next(says)
    assert type(await raised(one(f"{method} /a", "result: length(n)"), service)) is kind


async def test_an_answer_that_is_too_large_is_not_asked_for_again(service: Service) -> None:
    service.next(Says(200, b"x" * 3_000_000))
    assert "more than 2,000,000 bytes" in str(await raised(one("GET /a"), service))
    assert len(service.asked) == 1


# ---------------------------------------------------------------- finding out


async def recovering(by_name: dict[str, Tool], arguments: dict[str, Any]) -> Any:
    recover = by_name["t"].recover
    assert recover is not None
    return await recover(arguments, replace(CONTEXT, key="key 2"))


REFUND = one("POST /refunds", "recover: GET /orders/{order}/refunds/{key}\nresult: id", "{order: {}, a: {}}", AUTH)


async def test_an_interrupted_call_is_asked_after(service: Service) -> None:
    service.next(Says(503), Says(200, {"id": "r1"}))
    async with tools(REFUND, service.url) as by_name:
        assert await recovering(by_name, {"order": "o 1", "a": 2}) == "r1"
    asked = service.asked[-1]
    assert (asked.method, asked.body) == ("GET", b"")
    assert asked.target == "/v1/orders/o%201/refunds/key%202?api_key=q-s3cr%20et%2Fvalue"
    assert asked.headers["authorization"] == f"Bearer b-{SECRET}"


async def test_nothing_there_means_not_done(service: Service) -> None:
    service.next(Says(404))
    async with tools(REFUND, service.url) as by_name:
        with pytest.raises(NotDone):
            await recovering(by_name, {"order": "o"})


@pytest.mark.parametrize("says", [Says(400), Says(401), Says(410), Says(500), Says(302), CUT])
async def test_anything_else_means_unknown(service: Service, says: Says) -> None:
    service.next(says, says, says)
    async with tools(REFUND, service.url) as by_name:
        with pytest.raises((HttpTrouble, OutcomeUnknown)):
            await recovering(by_name, {"order": "o"})


@pytest.mark.parametrize("arguments", [{"order": ".."}, {}])
async def test_a_question_that_cannot_be_asked_means_unknown(service: Service, arguments: dict[str, Any]) -> None:
    async with tools(REFUND, service.url) as by_name:
        with pytest.raises(OutcomeUnknown):
            await recovering(by_name, arguments)
    assert service.asked == []


async def test_recover_again_sends_the_same_with_the_same_key(service: Service) -> None:
    async with tools(one("POST /a/{id}", "recover: again", "{id: {}, b: {}}"), service.url) as by_name:
        assert await recovering(by_name, {"id": 1, "b": 2}) == {"fine": True}
        service.next(Says(404))
        with pytest.raises(OutcomeUnknown):
            await recovering(by_name, {"id": 1, "b": 2})
    first, second = service.asked
    assert (first.method, first.target, first.body, first.headers["idempotency-key"]) == (
        *("POST", "/v1/a/1", b'{"b": 2}'),
        "key 2",
    )
    assert second.headers["idempotency-key"] == "key 2"


# ---------------------------------------------------------------- what is wrong with a file


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (one("GET /a", "query: [colour]", "{color: {}}"), "8:11: colour is no argument: did you mean color?"),
        (one("GET /a", "headers: {X-A: '{idd}'}", "{id: {}}"), "8:18: {idd} is no argument: did you mean id?"),
        (one("GET /a", "headers: {'X A': b}"), "8:20: 'X A' is no name of a header"),
        (
            one("GET /a", "headers: {Host: '{a}'}", "{a: {}}"),
            "8:19: the header Host is set by the connection itself",
        ),
        (one("GET /a", 'headers: {X-A: "a\\nb"}'), "8:18: a header cannot have line breaks"),
        (one("GET /a", "result: 'a['"), "8:11: this is no JMESPath expression: Invalid jmespath expression"),
        (one("GET /a", "result: lenght(@)"), "8:11: JMESPath has no function lenght()"),
        (one("GET /a", parameters="{a: {type: strnig}}"), "7:15: The parameters of tool t are no JSON Schema"),
        (one("GET /a", parameters="{type: array}"), "7:15: the arguments have to be a schema of `type: object`"),
        (one("GET /a", parameters="{a: {$ref: '#/$defs/b'}}"), "7:15: the $ref #/$defs/b leads to nothing"),
        (one("GET /a", parameters="{a: {$ref: 'http://x/y'}}"), "7:15: the $ref http://x/y leads out of the file"),
        (
            one("GET /a", parameters="{a: {pattern: '(['}}"),
            "7:15: The parameters of tool t are no JSON Schema: '(['",
        ),
        (one("POST /a", "recover: GET /b/{Key}"), "8:12: {Key} is neither an argument nor {key}"),
        (one("GET /a") + "- {name: t, request: GET /b}\n", "8:3: another tool of this file is named t too"),
        (one("GET /a", top="auth: {password: x}"), "3:18: a password needs a `user`"),
        (one("GET /a", top="auth: {bearer: x, user: y}"), "3:7: only one of `bearer`, `user`"),
        (one("GET /a", top='auth: {bearer: "x\\ny"}'), "3:16: a header cannot have line breaks"),
        (one("GET /a", top="headers: {X-L: '{locale}'}"), "3:16: {locale} is not filled in here"),
        (one("GET /a", top="key_header: 'a b'"), "3:13: 'a b' is no name of a header"),
        (one("GET /a").replace("BASE", "http://u:p@x.test"), "1:7: the base address ends before any ? or #"),
        (one("GET /a").replace("BASE", "http://1.2.3.999"), "1:7: the base address has a host that cannot be"),
        (one("GET /a").replace("/v1", "?key=1"), "1:7: the base address ends before any ? or #"),
    ],
)
def test_a_mistake_in_a_file_has_its_place(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(text.replace("BASE", "http://x.test"), tmp_path)
    (found,) = caught.value.problems
    assert str(found).startswith(f"tools/t.yaml:{problem}")


def test_every_mistake_is_found_at_once(tmp_path: Path) -> None:
    text = one("GET /a", "query: [x, y]\nresult: 'a['", "{a: {}}").replace("BASE", "http://x.test")
    with pytest.raises(ConfigError) as caught:
        loaded(text, tmp_path)
    assert len(caught.value.problems) == 3


def test_a_tool_has_what_the_file_says(tmp_path: Path) -> None:
    more = "description: Where a parcel is.\nprivate: true\nrequires: verified\nlimits: [{times: 2}]"
    text = one("GET /a", more).replace("BASE", "http://x.test") + "- {name: other_one, request: POST /b}\n"
    first, second = loaded(text, tmp_path).tools
    assert (first.description, first.private, first.requires) == ("Where a parcel is.", True, "verified")
    assert (first.limits[0].times, first.source, first.timeout) == (2, "tools/t.yaml", 3.0)
    assert (second.description, second.effects, second.recover) == ("other one", True, None)


@pytest.mark.parametrize(("top", "timeout"), [("10s", 30.0), ("2s", 6.0), ("45s", 45.0)])
def test_a_tools_time_is_that_of_all_tries_up_to_half_a_minute(tmp_path: Path, top: str, timeout: float) -> None:
    text = one("GET /a").replace("BASE", "http://x.test").replace("1s", top)
    assert loaded(text, tmp_path).tools[0].timeout == timeout


async def test_a_service_can_be_closed_twice_and_unused(service: Service, tmp_path: Path) -> None:
    await loaded(one("GET /a").replace("BASE", service.url), tmp_path).close()
    used = loaded(one("GET /a").replace("BASE", service.url), tmp_path)
    await used.tools[0].call({}, CONTEXT)
    await used.close()
    await used.close()
    gc.collect()


def test_half_a_character_is_replaced() -> None:
    found = written(endpoint(method="POST", rest="body", body=Body()), {"a": "\ud800"}, reserved={})
    assert json.loads(found.content or b"") == {"a": "?"}
