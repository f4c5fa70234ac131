"""A stand-in for a Mattermost server on loopback: strict as the original, and faulty on demand."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from aiohttp import web

TEXT_LIMIT = 16_383
PROPS_LIMIT = 800_000
FILES_LIMIT = 10
BOT_TOKEN = "bot-token-that-does-not-exist"


def id_of(name: str) -> str:
    """An id as Mattermost makes them: 26 small letters and digits."""
    return hashlib.sha256(name.encode()).hexdigest()[:26]


ME, ADA, BEN, OTHER_BOT, TOWN, FILE = map(id_of, ("me", "ada", "ben", "other bot", "town", "file"))
DESK, DESK2 = map(id_of, ("desk", "second desk"))
PEOPLE = {
    ME: {"id": ME, "username": "mia"},  # a person's account with a token of its own will do too
    ADA: {"id": ADA, "username": "ada", "locale": "de"},
    BEN: {"id": BEN, "username": "ben"},
    OTHER_BOT: {"id": OTHER_BOT, "username": "standup", "is_bot": True},
}


@dataclass(frozen=True)
class Fault:
    """How writing a post fails: a status with headers, or the line breaks before or after the post is taken."""

    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    way: Literal["answer", "reset", "reset after taking"] = "answer"


class Refusal(Exception):
    def __init__(self, status: int, id: str) -> None:
        super().__init__(id)
        self.status = status
        self.id = id


class FakeMattermost:
    """The server. `posts` are all posts as they are now, in order; `typing` are the channels where the bot typed.

    Without `remembers` it is always long after the try before: a `pending_post_id` is not known again.
    """

    def __init__(self, *, remembers: bool = True) -> None:
        self.posts: list[dict[str, Any]] = []
        self.typing: list[str] = []
        self.files = {FILE: b"a picture"}
        self.names: dict[str, str] = {}
        self.channels = {TOWN, DESK, DESK2}
        self._remembers = remembers
        self._made = 0
        self.always: Fault | None = None
        self.next: list[Fault] = []
        self.url = ""
        self._pending: dict[str, dict[str, Any]] = {}

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/api/v4/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    def pressed(self, label: str, by: str = ADA) -> bytes:
        """What Mattermost posts when a user presses the newest button of that label."""
        for post in reversed(self.posts):
            for attachment in post["props"].get("attachments", []):
                for action in attachment["actions"]:
                    if action["name"] == label:
                        return json.dumps(
                            {
                                "user_id": by,
                                "user_name": PEOPLE[by]["username"],
                                "channel_id": post["channel_id"],
                                "channel_name": "town" if post["channel_id"] == TOWN else f"{by}__{ME}",
                                "post_id": post["id"],
                                "type": "button",
                                "context": action["integration"]["context"],
                            }
                        ).encode()
        raise AssertionError(f"nobody can press {label!r}")

    def post(self, id: str) -> dict[str, Any]:
        return next(post for post in self.posts if post["id"] == id)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("authorization") != f"Bearer {BOT_TOKEN}":
            return refused(401, "api.context.session_expired.app_error")
        path = request.match_info["path"]
        raw = await request.read()
        if request.method == "POST" and path == "files":
            return self._keep(request.query, raw)
        body = json.loads(raw or b"null")
        fault = None
        if request.method != "GET" and path.startswith("posts"):
            fault = self.next.pop(0) if self.next else self.always
        if fault is not None and fault.way != "reset after taking":
            return broken(request) if fault.way == "reset" else refused(fault.status, "fault", fault.headers)
        try:
            if path.startswith("channels/") and path.endswith("/posts"):
                return self._since(path.split("/")[1], int(request.query["since"]))
            response = self._answer(request.method, path, body)
        except Refusal as refusal:
            return refused(refusal.status, refusal.id)
        return response if fault is None else broken(request)

    def _answer(self, method: str, path: str, body: Any) -> web.Response:
        match method, path.split("/"):
            case "GET", ["users", id]:
                id = ME if id == "me" else id
                if id not in PEOPLE:
                    raise Refusal(404, "app.user.missing_account.const")
                return web.json_response(PEOPLE[id])
            case "POST", ["users", "me", "typing"]:
                self.typing.append(body["channel_id"])
                return web.json_response({"status": "OK"})
            case "POST", ["channels", "direct"]:
                if len(body) != 2 or ME not in body or not all(id in PEOPLE for id in body):
                    raise Refusal(400, "api.context.invalid_body_param.app_error")
                self.channels.add(id_of("__".join(sorted(body))))
                return web.json_response({"id": id_of("__".join(sorted(body))), "type": "D"}, status=201)
            case "GET", ["files", id] if id in self.files:
                return web.Response(body=self.files[id])
            case "POST", ["posts"]:
                return web.json_response(self._create(body), status=201)
            case "PUT", ["posts", id]:
                return web.json_response(self._edit(id, body))
        raise Refusal(404, "api.context.404.app_error")

    def _keep(self, query: Mapping[str, str], content: bytes) -> web.Response:
        if query["channel_id"] not in self.channels:
            return refused(403, "api.context.permissions.app_error")
        id = id_of(f"upload {len(self.files)}")
        self.files[id], self.names[id] = content, query["filename"]
        return web.json_response({"file_infos": [{"id": id, "name": query["filename"]}]}, status=201)

    def _since(self, channel: str, since: int) -> web.Response:
        posts = [post for post in self.posts if post["channel_id"] == channel and post["create_at"] >= since]
        return web.json_response(
            {"order": [post["id"] for post in reversed(posts)], "posts": {p["id"]: p for p in posts}}
        )

    def _create(self, body: dict[str, Any]) -> dict[str, Any]:
        known = self._pending.get(body.get("pending_post_id", ""))
        if known is not None:
            return known
        check_post(body)
        if not re.fullmatch("[a-z0-9]{26}", body.get("channel_id", "")):
            raise Refusal(400, "api.context.invalid_body_param.app_error")
        if body["channel_id"] not in self.channels:
            raise Refusal(403, "api.context.permissions.app_error")
        root = body.get("root_id", "")
        if root and not any(post["id"] == root and not post["root_id"] for post in self.posts):
            raise Refusal(400, "api.post.create_post.root_id.app_error")
        if len(body.get("file_ids", ())) > FILES_LIMIT or not set(body.get("file_ids", ())) <= set(self.files):
            raise Refusal(400, "api.context.invalid_body_param.app_error")
        given = {"props": {}, "root_id": "", "file_ids": [], **body}
        self._made += 1
        post = {**given, "id": id_of(f"post {self._made}"), "user_id": ME, "create_at": int(time.time() * 1000)}
        self.posts.append(post)
        if body.get("pending_post_id") and self._remembers:
            self._pending[body["pending_post_id"]] = post
        return post

    def _edit(self, id: str, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("id") != id:
            raise Refusal(400, "api.context.invalid_body_param.app_error")
        check_post(body)
        for post in self.posts:
            if post["id"] == id:
                post.update(message=body["message"], props=body.get("props", {}))
                return post
        raise Refusal(404, "app.post.get.app_error")


def check_post(body: dict[str, Any]) -> None:
    """What Mattermost looks at in a post."""
    attachments = body.get("props", {}).get("attachments", [])
    if len(body["message"]) > TEXT_LIMIT or len(json.dumps(body.get("props", {}))) > PROPS_LIMIT:
        raise Refusal(400, "model.post.is_valid.message_length.app_error")
    if not body["message"].strip() and not attachments and not body.get("file_ids"):
        raise Refusal(400, "api.context.invalid_body_param.app_error")
    for action in (action for attachment in attachments for action in attachment["actions"]):
        if not re.fullmatch("[A-Za-z0-9]+", action["id"]) or not action["integration"]["url"].startswith("http"):
            raise Refusal(400, "api.post.action.app_error")


def refused(status: int, id: str, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.json_response({"id": id, "message": id, "status_code": status}, status=status, headers=headers)


def broken(request: web.Request) -> web.Response:
    """The line breaks without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
