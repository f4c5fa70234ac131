"""The web chat passes the suite that every adapter passes; its platform is the house's own shelf."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, ClassVar

from supportbot.errors import ChannelBusy, StoreFull
from supportbot.markup import plain
from supportbot.testing.adapter_contract import AdapterContract, Failure, Stage, Wire, context
from supportbot.testing.fake_inbox import FakeInbox, FakeShelf
from supportbot.types import Address, Button, Entry, User
from supportbot_web import WebAdapter
from supportbot_web.sessions import Session, _key

TOKEN = "the-token-that-the-page-has"
CHAT = "v_contract"
BASE = "/chat/contract"
BAD = (
    b"",
    b"\xff\xfe no text",
    b"[",
    b"[]",
    b"null",
    b"1",
    b'"text"',
    b"{}",
    b'{"text": "no id"}',
    b'{"id": 5, "text": "x"}',
    b'{"id": "short", "text": "x"}',
    b'{"id": "' + b"i" * 65 + b'", "text": "x"}',
    b'{"id": "../../../../etc/passwd", "text": "x"}',
    *(
        b'{"id": "0123456789abcdef", ' + rest + b"}"
        for rest in (
            b'"text": null',
            b'"text": 1',
            b'"text": ["a"]',
            b'"text": ""',
            b'"text": "  \\n "',
            b'"text": "\\u0000"',
            b'"text": "x", "files": {}',
            b'"text": "x", "files": "f_1"',
            b'"text": "x", "files": [[[]]]',
            b'"text": "x", "files": ["f_none"]',
            b'"text": "x", "files": ' + json.dumps(["f"] * 11).encode(),
            b'"text": "x", "locale": {}',
            b'"press": null',
            b'"press": []',
            b'"press": {}',
            b'"press": {"entry": "1", "button": 0}',
            b'"press": {"entry": true, "button": 0}',
            b'"press": {"entry": -1, "button": 0}',
            b'"press": {"entry": 1e3, "button": 0}',
            b'"press": {"entry": 1e999, "button": 0}',
            b'"press": {"entry": NaN, "button": 0}',
            b'"press": {"entry": 99999999999999999999999, "button": 0}',
            b'"press": {"entry": ' + b"9" * 5000 + b', "button": 0}',
            b'"press": {"entry": 1, "button": 0}',
        )
    ),
    b"[" * 10_000,
    b'{"a":' * 3_000,
)


class Full(FakeShelf):
    """The house's shelf, which can be full."""

    full = False

    async def append(self, chat: str, key: str, body: Mapping[str, Any]) -> Entry:
        if self.full:
            raise StoreFull("the disk is full")
        return await super().append(chat, key, body)


def message(id: str, text: str) -> bytes:
    return json.dumps({"id": f"{id}-0123456789abcdef", "text": text}).encode()


class TestWeb(AdapterContract):
    failures: ClassVar = {"busy": ChannelBusy}

    def platform(self) -> AbstractAsyncContextManager[Full]:
        @asynccontextmanager
        async def made() -> AsyncIterator[Full]:
            yield Full()

        return made()

    def adapter(self, platform: Full) -> WebAdapter:
        made = WebAdapter("contract", {"rate": 6_000})
        start = made.start

        async def begin(given: Any) -> None:
            inbox: FakeInbox = given.inbox
            inbox._shelves["contract"] = platform
            await start(context(inbox))
            session = Session(_key(TOKEN), CHAT, "self", "", "", 0.0)
            await made.sessions._put(session, made.now() + 1e6)

        made.start = begin  # type: ignore[method-assign]  # a page has been there before
        return made

    def address(self) -> Address:
        return Address("contract", CHAT)

    def user(self) -> User:
        return User(CHAT)

    def asked(self, body: bytes, **headers: str) -> Wire:
        return Wire(f"{BASE}/messages", body, {"Authorization": f"Bearer {TOKEN}", **headers})

    def wire(self, id: str, text: str) -> Wire:
        return self.asked(message(id, text))

    def unauthentic(self) -> Sequence[Wire]:
        good = message("m-1", "hello")
        paths = ("messages", "seen", "typing", "files")
        return [
            Wire(f"{BASE}/messages", good, {}),
            *(
                Wire(f"{BASE}/messages", good, {"Authorization": value})
                for value in (
                    "",
                    "Bearer",
                    f"Basic {TOKEN}",
                    TOKEN,
                    f"Bearer {TOKEN}x",
                    f"Bearer {TOKEN[:-1]}",
                    f"Bearer {_key(TOKEN).removeprefix('session:')}",
                    "Bearer " + "x" * 5_000,
                    "Bearer \xe9\xff",
                )
            ),
            self.asked(good, Origin="https://evil.example"),
            self.asked(good, Origin="null"),
            self.asked(good, Origin=""),
            self.asked(good, **{"Sec-Fetch-Site": "cross-site"}),
            self.asked(good, **{"Sec-Fetch-Site": "same-site"}),
            *(Wire(f"{BASE}/{path}", b"{}", {}) for path in paths),
        ]

    def malformed(self) -> Sequence[Wire]:
        return [self.asked(body) for body in BAD]

    def oversize(self) -> Wire:
        return self.asked(message("m-1", "x" * 100_000))

    def press(self, platform: Full, button: Button) -> Wire | None:
        entry = platform.feed[-1][1] if platform.feed[-1][1].body["from"] == "bot" else platform.feed[0][1]
        labels = [one["label"] for one in entry.body["buttons"]]
        pressed = {"entry": entry.position, "button": labels.index(button.label)}
        # the id of the page is the message's own: pressed again, another one comes
        return self.asked(json.dumps({"id": f"press-{button.id}-0123456789", "press": pressed}).encode())

    async def deliver(self, stage: Stage, wire: Wire) -> int:
        """A choice that was made before is no: the page shows the one that was made."""
        status = await super().deliver(stage, wire)
        return 200 if status == 409 and b'"press"' in wire.body else status

    def fail(self, platform: Full, failure: Failure) -> None:
        platform.full = True

    def sent(self, platform: Full) -> Sequence[str]:
        bodies = [entry.body for _, entry in platform.feed if entry.body["from"] == "bot"]
        links = [[f" {one['label']} {one.get('url', '')}" for one in body.get("buttons", ())] for body in bodies]
        return [plain(body["text"]) + "".join(link) for body, link in zip(bodies, links, strict=True)]
