"""The Mattermost desk passes the suite that every desk passes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from fake_mattermost import ADA, BEN, BOT_TOKEN, DESK, DESK2, ME, TOWN, FakeMattermost, Fault, id_of
from mattermost_supportbot import MattermostAdapter

from supportbot import ChannelBusy, ChannelError, ChannelGone, ChannelRefused, UsageError, User
from supportbot.testing import DeskContract, Wire

TOKEN = "webhook-token-of-nobody"
CODE = re.compile(r"(`{3,})\n.*?\n\1|(`+) .*? \2(?!`)", re.S)
LIVE = re.compile(r"@\w+|\]\(|<\S+>|https?://|~\w+|\|.*\|")


def wire(fields: Mapping[str, Any], token: str = TOKEN) -> Wire:
    body = json.dumps({"token": token, **fields}).encode()
    return Wire("/mattermost/contract", body, {"content-type": "application/json"})


def posted(channel: str, root: str, id: str, text: str, user: User, token: str = TOKEN, **post: Any) -> Wire:
    """What the relay passes on when somebody posts."""
    fields = {"id": id_of(id), "channel_id": channel, "root_id": root, "user_id": user.id, "message": text}
    data = {"post": json.dumps({**fields, "type": "", "props": {}, **post}), "sender_name": f"@{user.name}"}
    return wire({"event": "posted", "data": data}, token)


class TestMattermostDesk(DeskContract):
    agents = (User(ADA, "ada"), User(BEN, "ben"))
    failures: Mapping[Any, type[ChannelError]] = {
        "down": ChannelBusy,
        "busy": ChannelBusy,
        "refused": ChannelRefused,
        "gone": ChannelGone,
    }
    busy_seconds = 7.0
    secrets = (TOKEN, BOT_TOKEN)
    transfer_to = "billing"
    closing_words = True

    def platform(self) -> FakeMattermost:
        return FakeMattermost(remembers=False)  # more than half a minute lies between two tries

    def adapter(self, platform: FakeMattermost) -> MattermostAdapter:
        options = {"url": platform.url, "bot_token": BOT_TOKEN, "webhook_tokens": TOKEN, "allow_private": True}
        return MattermostAdapter("contract", options)

    def desk_options(self, platform: FakeMattermost) -> Mapping[str, Any]:
        return {"place": DESK}

    def other_options(self, platform: FakeMattermost) -> Mapping[str, Any]:
        return {"place": DESK2}

    def act_wire(self, platform: FakeMattermost, kind: Any, place: str, id: str, text: str, agent: User) -> Wire:
        words = text if kind == "message" else f"!{kind} {self.transfer_to if kind == 'transfer' else text}"
        return posted(platform.post(place)["channel_id"], place, id, words.rstrip(" "), agent)

    def file_wire(self, platform: Any, place: str, id: str, agent: User, name: str, content: bytes) -> Wire:
        platform.files[id_of(name)] = content
        file = {"id": id_of(name), "name": name, "mime_type": "application/pdf", "size": len(content)}
        return posted(DESK, place, id, "", agent, file_ids=[file["id"]], metadata={"files": [file]})

    def places(self, platform: FakeMattermost) -> Sequence[str]:
        return [post["id"] for post in platform.posts if not post["root_id"]]

    def thread(self, platform: FakeMattermost, place: str) -> Sequence[Mapping[str, Any]]:
        return [post for post in platform.posts if place in (post["id"], post["root_id"])]

    def shown(self, platform: FakeMattermost, place: str) -> Sequence[str]:
        return [post["message"] for post in self.thread(platform, place)]

    def live(self, platform: FakeMattermost, place: str) -> Sequence[str]:
        return [found for text in self.shown(platform, place) for found in LIVE.findall(CODE.sub("", text))]

    def files_at(self, platform: FakeMattermost, place: str) -> Sequence[tuple[str, bytes]]:
        ids = [id for post in self.thread(platform, place) for id in post["file_ids"]]
        return [(platform.names[id], platform.files[id]) for id in ids]

    def echoes(self, platform: FakeMattermost, place: str) -> Sequence[Wire]:
        return [
            posted(DESK, place, "e-1", "ours", User(ME, "mia")),
            posted(DESK, place, "e-2", "a bot's", User(ADA, "ada"), props={"from_bot": "true"}),
            posted(DESK, place, "e-3", "ada joined", User(ADA, "ada"), type="system_join_channel"),
            posted(DESK, "", "e-4", "beside the threads", User(ADA, "ada")),
        ]

    def unknown_place_wire(self, platform: FakeMattermost) -> Wire:
        return posted(DESK, id_of("another thread"), "a-1", "lunch?", self.agents[0])

    def customer_wire(self, platform: FakeMattermost) -> Wire:
        return posted(TOWN, "", "m-1", "hello", User(ADA, "ada"))

    def unauthentic(self, platform: FakeMattermost, place: str) -> Sequence[Wire]:
        return [posted(DESK, place, "a-1", "hi", self.agents[0], token) for token in ("", "wrong", TOKEN.upper())]

    def fail(self, platform: FakeMattermost, failure: str) -> None:
        faults = {"down": Fault(way="reset"), "busy": Fault(429, {"retry-after": "7"})}
        platform.always = faults | {"refused": Fault(400), "gone": Fault(403)}
        platform.always = platform.always[failure]

    def lose_answer(self, platform: FakeMattermost) -> bool:
        platform.next = [Fault(way="reset after taking")]
        return True

    def remove(self, platform: FakeMattermost, place: str) -> bool:
        platform.posts = [post for post in platform.posts if place not in (post["id"], post["root_id"])]
        return True


@pytest.mark.parametrize("place", ["", None, 7, "town-square"])
def test_a_desk_needs_a_channel(place: object) -> None:
    adapter = MattermostAdapter("town", {"url": "https://chat.example", "bot_token": "b", "webhook_tokens": "w"})
    with pytest.raises(UsageError, match=r"^place must be the id"):
        adapter.desk("front", {"place": place})


def test_two_desks_do_not_share_a_channel() -> None:
    adapter = MattermostAdapter("town", {"url": "https://chat.example", "bot_token": "b", "webhook_tokens": "w"})
    adapter.desk("front", {"place": DESK})
    with pytest.raises(UsageError, match=r"^place is the channel of the desk front already"):
        adapter.desk("other", {"place": DESK})
