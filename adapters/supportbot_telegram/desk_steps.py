"""From a row for a desk to the calls that show it in its topic. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from telegram.error import BadRequest

from supportbot import Attachment, Outgoing, Reply
from supportbot_telegram import desk_words
from supportbot_telegram.compose import Place, Request, requests, simpler
from supportbot_telegram.desk_inbound import PressKind, press_data
from supportbot_telegram.entities import Rendered

LONGEST_FILE = 50_000_000
"""Bytes of a file that Telegram takes."""

_LABELS: Mapping[PressKind, str] = {
    "claim": "Claim",
    "release": "Put back",
    "return": "Return to the bot",
    "resolve": "Resolve",
}
_FIRST: Mapping[str, PressKind] = {"waiting": "claim", "claimed": "release"}
_NO_PREVIEW = {"is_disabled": True}


@dataclass(frozen=True, slots=True)
class Step:
    """One call. `needed`: without it the row has failed. `board`: the message has the handoff's buttons."""

    request: Request
    needed: bool = True
    board: bool = False


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and what is known of it: `board` is the message with the buttons, 0 if nobody remembers.

    `names` are the agents who have been seen: {id: name}.
    """

    chat: int
    id: int
    desk: str = ""
    board: int = 0
    closed: bool = False
    names: Mapping[str, str] = field(default_factory=dict)

    def about(self, method: str, **more: Any) -> Request:
        return Request(method, {"chat_id": self.chat, "message_thread_id": self.id, **more})

    def message(self, shown: Rendered, **more: Any) -> Request:
        fields = {"text": shown.text or "…", "link_preview_options": _NO_PREVIEW, **more}
        if shown.entities:
            fields["entities"] = list(shown.entities)
        return self.about("sendMessage", **fields)

    def text_file(self, name: str, text: str) -> Request:
        file = Attachment(name, "text/plain")
        return replace(self.about("sendDocument"), file=file, content=text.encode("utf-8", "replace"))


def opening(outgoing: Outgoing, topic: Topic) -> list[Step]:
    """The brief with the buttons, and what was said before; an old topic is opened again."""
    data = outgoing.data
    *first, last = desk_words.brief(data)
    said, whole = desk_words.transcript(data)
    steps = [Step(topic.message(one)) for one in first]
    steps.append(Step(topic.message(last, reply_markup=_keyboard("waiting", topic.id)), board=True))
    if whole:
        steps.append(Step(topic.text_file("transcript.txt", whole)))
    elif said is not None:
        steps.append(Step(topic.message(said)))
    if not outgoing.place:
        return steps
    return [Step(topic.about("reopenForumTopic")), *steps, _renamed(data, topic, "waiting")]


def later(outgoing: Outgoing, topic: Topic) -> list[Step]:
    """The steps of every other row."""
    if outgoing.kind == "handoff.message":
        return _words(outgoing, topic)
    if outgoing.kind == "handoff.note":
        return [Step(topic.message(one)) for one in desk_words.note(outgoing.data)]
    return _changed(outgoing, topic)


def _words(outgoing: Outgoing, topic: Topic) -> list[Step]:
    shown, whole = desk_words.words(outgoing)
    ended = outgoing.data.get("status", "waiting") not in _FIRST
    steps = [Step(topic.about("reopenForumTopic"))] if ended or topic.closed else []
    steps += [Step(topic.message(one)) for one in shown]
    if whole:
        steps.append(Step(topic.text_file("message.txt", whole)))
    for file in outgoing.reply.files if outgoing.reply else ():
        fits = (file.digest or file.url) and file.size <= LONGEST_FILE
        made = requests(Reply("", files=(file,)), Place(topic.chat, topic.id)) if fits else ()
        steps.append(Step(made[0] if made else only_named(topic.text_file(file.name, ""))))
    return steps


def _changed(outgoing: Outgoing, topic: Topic) -> list[Step]:
    status = _status(outgoing, topic)
    line = desk_words.change(outgoing, topic.names)
    if not status:
        return [Step(topic.message(line))]
    keyboard = _keyboard(status, topic.id)
    if topic.board or status == "ended":
        steps = [Step(topic.message(line))]
    else:  # nobody remembers where the buttons are: the line has new ones
        steps = [Step(topic.message(line, reply_markup=keyboard), board=True)]
    if topic.board:
        fields = {"chat_id": topic.chat, "message_id": topic.board, "reply_markup": keyboard}
        steps.append(Step(Request("editMessageReplyMarkup", fields), needed=False))
    steps.append(_renamed(outgoing.data, topic, status))
    return [*steps, Step(topic.about("closeForumTopic"))] if status == "ended" else steps


def _status(outgoing: Outgoing, topic: Topic) -> str:
    """The state that the row brings: waiting, claimed or ended (here), "" if it brings none."""
    kind, data = outgoing.kind, outgoing.data
    if kind == "handoff.claimed":
        return "claimed"
    if kind in ("handoff.resolved", "handoff.returned"):
        return "ended"
    if data.get("change") == "transferred":
        return "ended"
    return "waiting" if data.get("change") in ("released", "transferred") else ""


def _renamed(data: Mapping[str, Any], topic: Topic, status: str) -> Step:
    return Step(topic.about("editForumTopic", name=desk_words.title(data, status)), needed=False)


def _keyboard(status: str, topic: int) -> dict[str, Any]:
    """The buttons that fit the state; none when it is over."""
    if status not in _FIRST:
        return {"inline_keyboard": []}
    kinds: tuple[PressKind, ...] = (_FIRST[status], "return", "resolve")
    row = [{"text": _LABELS[kind], "callback_data": press_data(kind, topic)} for kind in kinds]
    return {"inline_keyboard": [row]}


def only_named(request: Request) -> Request:
    """A line in the place of a file that cannot be had or sent."""
    name = desk_words.clipped(request.file.name if request.file else "", 200)
    fields = {key: request.fields[key] for key in ("chat_id", "message_thread_id")}
    text = desk_words.styled(f"A file that cannot be shown here: {name}").text
    return Request("sendMessage", {**fields, "text": text})


def lesser(request: Request, error: BadRequest) -> Request | None:
    """The request without what Telegram refused in it; a file that is refused is at least named."""
    found = simpler(request, error.message)
    return only_named(request) if found is None and request.file is not None else found
