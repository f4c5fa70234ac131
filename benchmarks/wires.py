"""The other side of the benchmarks, as cheap as it can be: a model that answers at once or after a delay, and a load.

python benchmarks/wires.py model DELAY_MS        prints its port, answers until killed
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SECRET = "whsec_" + base64.b64encode(b"a secret for benchmarks only").decode()
ANSWER = "Your parcel left our warehouse this morning and should be with you within two to three working days."
QUESTION = "Hello, I ordered a lamp last week and would like to know when it is going to arrive at my place."


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def completion() -> bytes:
    message = {"role": "assistant", "content": ANSWER, "refusal": None}
    return json.dumps(
        {
            "id": "chatcmpl-benchmark",
            "object": "chat.completion",
            "created": 1760000000,
            "model": "gpt-4.1-mini",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": {"prompt_tokens": 900, "completion_tokens": 21, "total_tokens": 921},
        }
    ).encode()


class Model(asyncio.Protocol):
    """Answers every POST with the same completion."""

    def __init__(self, delay: float) -> None:
        body = completion()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        self._answer = head + body
        self._delay = delay
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._data[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self._data) < end + 4 + length:
            return
        self._data = self._data[end + 4 + length :]
        if self._delay:
            asyncio.get_running_loop().call_later(self._delay, self._send)
        else:
            self._send()

    def _send(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(self._answer)  # type: ignore[attr-defined]


async def serve_model(delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Model(delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def signed_request(secret: str, path: str, id: str, body: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    now = str(int(time.time()))
    digest = hmac.digest(key, f"{id}.{now}.".encode() + body, hashlib.sha256)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        f"webhook-id: {id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: v1,{base64.b64encode(digest).decode()}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Sent:
    """What a load measured: seconds per request, and how many were answered in full."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)


async def send(port: int, lanes: list[list[Callable[[], bytes]]]) -> Sent:
    """Each lane is one connection that sends its requests one after the other; all lanes at once."""
    sent = Sent()
    await asyncio.gather(*(_lane(port, lane, sent) for lane in lanes))
    return sent


async def _lane(port: int, requests: list[Callable[[], bytes]], sent: Sent) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for make in requests:
        began = time.perf_counter()
        writer.write(make())
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        await reader.readexactly(int(head[at + 15 :].split(b"\r\n", 1)[0]))
        sent.seconds.append(time.perf_counter() - began)
        status = int(head[9:12])
        sent.statuses[status] = sent.statuses.get(status, 0) + 1
    writer.close()


class Callbacks(asyncio.Protocol):
    """Takes callbacks and counts them."""

    count = 0
    wanted = 0
    complete: asyncio.Event

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            at = head.find(b"content-length:")
            total = end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._data) < total:
                return
            self._data = self._data[total:]
            self._transport.write(b"HTTP/1.1 204 No Content\r\n\r\n")  # type: ignore[attr-defined]
            Callbacks.count += 1
            if Callbacks.count >= Callbacks.wanted:
                Callbacks.complete.set()


if __name__ == "__main__" and sys.argv[1:2] == ["model"]:
    asyncio.run(serve_model(float(sys.argv[2]) / 1000))
