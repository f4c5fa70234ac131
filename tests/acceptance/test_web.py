"""The HTTP application, its server and the control socket, as somebody outside meets them."""

from __future__ import annotations

import asyncio
import signal
import socket
import stat
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from supportbot.errors import Conflict, StoreFull, UsageError
from supportbot.testing.fake_inbox import FakeInbox
from supportbot.types import Action, Address, Attachment, Event, Message, User
from supportbot.web import control, server
from supportbot.web.app import build


async def crash(request: Request) -> Response:
    raise RuntimeError("the inside of the house: token=abc")


async def echo(request: Request) -> Response:
    return Response(await request.body(), headers={"content-security-policy": "default-src 'self'"})


async def slow(request: Request) -> Response:
    await asyncio.sleep(float(request.query_params["seconds"]))
    return Response(b"done")


ROUTES = [Route("/crash", crash), Route("/echo", echo, methods=["POST"]), Route("/slow", slow)]


async def good() -> Mapping[str, str]:
    return {"store": "ok", "config": "ok"}


async def bad() -> Mapping[str, str]:
    return {"store": "The disk is full.", "config": "ok"}


async def broken() -> Mapping[str, str]:
    raise OSError("path /secret/place")


def application(routes: Sequence[BaseRoute] = ROUTES, ready: object = good, body_limit: int = 1000) -> Starlette:
    return build(routes, ready=ready, body_limit=body_limit)  # type: ignore[arg-type]


@asynccontextmanager
async def running(app: Starlette, *, grace: float = 2.0) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """The app on a free port; gives the port and the event that stops it."""
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    task = asyncio.create_task(
        server.serve(
            app, "127.0.0.1", 0, started=lambda host, number: port.set_result(number), stop=stop, grace=grace
        )
    )
    try:
        yield await port, stop
    finally:
        stop.set()
        await task


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as one:
        yield one


# --- the application -----------------------------------------------------------------------------------------


async def test_healthz_and_readyz_say_how_it_stands(client: httpx2.AsyncClient) -> None:
    async with running(application()) as (port, _):
        alive = await client.get(f"http://127.0.0.1:{port}/healthz")
        ready = await client.get(f"http://127.0.0.1:{port}/readyz")
    assert (alive.status_code, ready.status_code) == (200, 200)
    assert ready.json() == {"ready": True, "checks": {"store": "ok", "config": "ok"}}


@pytest.mark.parametrize(("check", "says"), [(bad, "The disk is full."), (broken, "OSError")])
async def test_readyz_is_503_with_the_check_that_failed(
    client: httpx2.AsyncClient, check: object, says: str
) -> None:
    async with running(application(ready=check)) as (port, _):
        response = await client.get(f"http://127.0.0.1:{port}/readyz")
    assert response.status_code == 503
    assert says in response.text and "/secret/place" not in response.text


async def test_errors_are_one_sentence_of_json_and_never_a_trace(client: httpx2.AsyncClient) -> None:
    async with running(application()) as (port, _):
        url = f"http://127.0.0.1:{port}"
        answers = [
            await client.get(f"{url}/nothing"),
            await client.get(f"{url}/echo"),
            await client.get(f"{url}/crash"),
            await client.post(f"{url}/echo", content=b"x" * 1001),
            await client.post(f"{url}/echo", content=_chunks()),
        ]
    assert [answer.status_code for answer in answers] == [404, 405, 500, 413, 413]
    for answer in answers:
        assert list(answer.json()) == ["error"] and answer.json()["error"].endswith(".")
        assert not any(word in answer.text for word in ("Traceback", "RuntimeError", "token", ".py"))


async def _chunks() -> AsyncIterator[bytes]:
    for _ in range(11):
        yield b"x" * 100


async def test_every_answer_has_security_headers_and_none_names_the_server(client: httpx2.AsyncClient) -> None:
    async with running(application()) as (port, _):
        url = f"http://127.0.0.1:{port}"
        answers = [await client.get(url + path) for path in ("/healthz", "/nothing", "/crash")]
        own = await client.post(f"{url}/echo", content=b"hi")
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers
    assert own.headers.get_list("content-security-policy") == ["default-src 'self'"]
    assert own.headers["referrer-policy"] == "no-referrer"


# --- the server ----------------------------------------------------------------------------------------------


async def test_stopping_lets_a_running_request_finish_and_takes_no_new_one(client: httpx2.AsyncClient) -> None:
    async with running(application(), grace=5) as (port, stop):
        request = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/slow?seconds=0.5"))
        await asyncio.sleep(0.1)
        stop.set()
        await asyncio.sleep(0.1)
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/healthz")
        assert (await request).text == "done"


async def test_stopping_does_not_wait_for_ever(client: httpx2.AsyncClient) -> None:
    loop = asyncio.get_running_loop()
    async with running(application(), grace=1) as (port, _):
        request = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/slow?seconds=60"))
        await asyncio.sleep(0.1)
        began = loop.time()
    assert loop.time() - began < 4
    with pytest.raises(httpx2.HTTPError):
        (await request).raise_for_status()


async def test_an_idle_connection_does_not_hold_up_the_end() -> None:
    loop = asyncio.get_running_loop()
    async with running(application(), grace=10) as (port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)
        began = loop.time()
    assert loop.time() - began < 2
    writer.close()
    await writer.wait_closed()


async def test_a_port_in_use_is_a_sentence_that_names_it_and_the_option() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} .*--port"):
            await server.serve(
                application(), "127.0.0.1", port, started=lambda host, number: None, stop=asyncio.Event()
            )


@pytest.mark.parametrize(
    ("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70_000), ("203.0.113.1", 0)]
)
async def test_an_address_that_cannot_be_had_is_a_sentence(host: str, port: int) -> None:
    with pytest.raises(UsageError, match=r"--(host|port)"):
        await server.serve(application(), host, port, started=lambda host, number: None, stop=asyncio.Event())


async def test_signals_stay_with_the_caller(client: httpx2.AsyncClient) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with running(application()) as (port, _):
        await client.get(f"http://127.0.0.1:{port}/healthz")
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


async def test_a_request_head_without_end_is_cut_off() -> None:
    async with running(application()) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        sent = 0
        with pytest.raises(OSError):
            for _ in range(5_000):
                writer.write(b"x-filler: " + b"x" * 1000 + b"\r\n")
                sent += 1012
                await writer.drain()
                await asyncio.sleep(0)
            await reader.read()
        assert sent < 4_000_000
        writer.close()


async def test_a_request_head_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.2)
    async with running(application()) as (port, _):
        for start in (
            b"",
            b"GET /healthz HTTP/1.1\r\nhost: x\r\n",
            b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\nGET /",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(start)
            async with asyncio.timeout(3):
                with suppress(ConnectionResetError):
                    await reader.read()
            writer.close()


async def test_no_http_at_all_is_answered_400_and_the_server_lives_on(client: httpx2.AsyncClient) -> None:
    async with running(application()) as (port, _):
        for nonsense in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET\r\n\r\n",
            b"\r\n\0\r\n\r\n",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(nonsense)
            async with asyncio.timeout(3):
                assert b" 400 " in await reader.readline()
            writer.close()
            await writer.wait_closed()
        assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200


# --- the control socket --------------------------------------------------------------------------------------

MESSAGE = Message(
    Address("desk", "c-1", "t"),
    "m-1",
    User("u", "Ada 🙂"),
    "hello",
    "action",
    Action("a", "1"),
    Event("e", {"x": [1, None]}),
    (Attachment("f.png", "image/png", 3, "https://files.example/f.png"),),
    "en",
    "digest",
)


def test_a_message_survives_the_way_over_the_socket() -> None:
    assert control.from_json(control.to_json(MESSAGE)) == MESSAGE


async def test_a_command_hands_its_message_to_the_running_server(tmp_path: Path) -> None:
    path, inbox = tmp_path / "bot.sock", FakeInbox()
    async with control.listening(path, inbox):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        first = await control.send_to_server(path, MESSAGE)
        again = await control.send_to_server(path, MESSAGE)
    assert inbox.messages == [MESSAGE]
    assert (first.fresh, again.fresh, first.position) == (True, False, again.position)
    assert not path.exists()


@pytest.mark.parametrize("error", [Conflict("other content"), StoreFull("the disk is full")])
async def test_what_the_servers_store_raises_is_raised_in_the_command(
    tmp_path: Path, error: Conflict | StoreFull
) -> None:
    inbox = FakeInbox()
    inbox.error = error
    async with control.listening(tmp_path / "bot.sock", inbox):
        with pytest.raises(type(error), match=str(error)):
            await control.send_to_server(tmp_path / "bot.sock", MESSAGE)


async def test_without_a_server_the_command_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="supportbot serve"):
        await control.send_to_server(tmp_path / "bot.sock", MESSAGE)


async def test_a_dead_servers_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "bot.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(UsageError):
        await control.send_to_server(path, MESSAGE)
    async with control.listening(path, FakeInbox()):
        assert (await control.send_to_server(path, MESSAGE)).fresh


async def test_a_database_deep_in_folders_can_be_reached_too(tmp_path: Path) -> None:
    folder = tmp_path / ("deep" * 20) / ("deeper" * 10)
    folder.mkdir(parents=True)
    async with control.listening(folder / "bot.sock", FakeInbox()):
        assert (await control.send_to_server(folder / "bot.sock", MESSAGE)).fresh


async def test_the_socket_refuses_what_is_no_message(tmp_path: Path) -> None:
    path = tmp_path / "bot.sock"
    async with control.listening(path, FakeInbox()):
        transport = httpx2.AsyncHTTPTransport(uds=str(path))
        async with httpx2.AsyncClient(transport=transport) as client:
            for body in (b"", b"{}", b"[]", b"[" * 5000, b'{"address": 1, "user": 2}', b"\xff"):
                assert (await client.post("http://x/receive", content=body)).status_code == 400
            assert (await client.get("http://x/elsewhere")).status_code == 404


async def test_where_people_look_an_error_is_a_page_and_elsewhere_json() -> None:
    def page(request: Request, status: int, sentence: str) -> Response:
        return Response(f"<p>{status} {sentence}</p>", status, media_type="text/html")

    routes = [Route("/desk/crash", crash), *ROUTES]
    app = build(routes, ready=good, body_limit=1_000, pages={"/desk": page})
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bot") as http:
        assert (await http.get("/desk/none")).text == "<p>404 There is nothing at this address.</p>"
        assert (await http.get("/desk/crash")).text.startswith("<p>500 ")
        for path in ("/none", "/desks", "/crash"):
            assert "error" in (await http.get(path)).json()


async def test_a_path_may_have_a_larger_limit_for_bodies() -> None:
    routes = [Route("/files/{id}", echo, methods=["POST"]), *ROUTES]
    app = build(routes, ready=good, body_limit=10, larger={"/files/": 100})
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://bot") as http:
        assert (await http.post("/files/a", content=b"x" * 100)).status_code == 200
        assert (await http.post("/files/a", content=b"x" * 101)).status_code == 413
        assert (await http.post("/echo", content=b"x" * 11)).status_code == 413


async def test_a_body_that_does_not_arrive_in_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supportbot.web.app.BODY_SECONDS", 0.2)
    async with running(build(ROUTES, ready=good, body_limit=1_000)) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: bot\r\nContent-Length: 10\r\n\r\nhalf")
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readline()
        writer.close()


async def test_a_caller_who_leaves_in_the_middle_of_a_body_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async with running(build(ROUTES, ready=good, body_limit=1_000)) as (port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: bot\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.transport.abort()
        await asyncio.sleep(0.2)
        async with httpx2.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    assert not [record for record in caplog.records if record.exc_info]
