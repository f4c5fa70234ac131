"""A group with topics as a desk: one topic for each handoff.

1. A row goes on where its last try ended: in the topic that it made, after the messages that stand there. This is
   remembered for as long as the process lives.
2. Telegram tells a bot of the topics that it made, so one whose answer was lost is found again by its name.
3. What agents need comes first; buttons and names follow, and may fail.
4. What people can mend (rights, topics turned off, the bot removed) is tried again, and nothing is lost meanwhile.
5. Twenty messages a minute in the group, over all handoffs. A topic is made once there is room for its brief.
6. What agents do in a topic that we made is about its handoff, whether or not the house knows the place yet. In one that
   nobody knows, it holds up everybody's updates for half a minute at most.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from telegram.error import BadRequest, ChatMigrated, TelegramError

from supportbot import (
    Act,
    Attachment,
    Capabilities,
    ChannelBusy,
    ChannelContext,
    ChannelError,
    ChannelRefused,
    Desk,
    Outgoing,
    StoreBusy,
    UsageError,
)
from supportbot_telegram import desk_steps, desk_words, files
from supportbot_telegram.api import Api, reason
from supportbot_telegram.compose import Request
from supportbot_telegram.desk_faults import CLOSED, NO_TOPIC, RIGHTS, SAME, desk_failure, mending, says
from supportbot_telegram.desk_inbound import COMMANDS, Seen
from supportbot_telegram.desk_steps import Step, Topic
from supportbot_telegram.entities import Rendered
from supportbot_telegram.intake import Intake
from supportbot_telegram.recent import Recent
from supportbot_telegram.sending import Sender
from supportbot_telegram.tasks import Tasks

MOST, WINDOW = 20, 60.0
"""Messages that a group takes in so many seconds."""

_PATIENCE = 30.0
_MOST_TRIES = 6
_PLACE = re.compile(r"-\d{1,20}\Z")
_TAKEN: Mapping[str, str] = {
    "claim": "Claiming…",
    "release": "Putting it back…",
    "return": "Giving it back to the bot…",
    "resolve": "Resolving…",
}
_UNKNOWN = "There is no such handoff any more."
_HINTS: Mapping[str, str] = {
    "command": "Not sent: what begins with a command does not go to the customer. Here there are "
    + ", ".join(f"/{name}" for name in COMMANDS)
    + ".",
    "hidden": "Not sent: who writes as the group is no colleague by name. Write as yourself.",
    "unusable": "Not sent: this cannot be passed on to the customer.",
    "edited": "The customer has the first version: a change does not reach them.",
    "nowhere": "Not sent: no handoff stands in this topic.",
}


@dataclass(frozen=True, slots=True)
class Room:
    """What a started desk works with."""

    api: Api
    intake: Intake
    sender: Sender
    tasks: Tasks
    context: ChannelContext


@dataclass(slots=True)
class Progress:
    """How far a row has come. `topic` 0 is none yet; `steps` is None until they are known; `turns` are those of the
    group's messages that are the row's already."""

    topic: int = 0
    steps: Sequence[Step] | None = None
    done: int = 0
    turns: int = 0


class TelegramDesk(Desk):
    """A forum group. Option: `place`, the group's chat id."""

    capabilities = Capabilities(
        buttons=True,
        files=True,
        channel_rate=MOST / WINDOW,
        send_timeout=60.0,
        # a week: neither an outage nor rights that somebody has to give cost a handoff
        retry_delays=(2.0, 5.0, 15.0, 60.0, 300.0, 900.0, *(1800.0,) * 334),
    )

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        super().__init__(name)
        self.chat = _chat(options)
        self._room: Room | None = None
        self._pace = Pace()
        self._complaint = ""
        self._progress: Recent[str, Progress] = Recent()
        self._made: Recent[str, int] = Recent()
        """Topics that Telegram says we made, by their name."""
        self._asked: Recent[str, str] = Recent()
        """The handoffs for which a topic was asked, by its name."""
        self._handoffs: Recent[int, str] = Recent()
        """The handoff of a topic that we made."""
        self._ours: Recent[int, bool] = Recent()
        """Whether a handoff stands in a topic; False for those that people made."""
        self._boards: Recent[int, int] = Recent()
        """The message with the buttons, by topic."""
        self._closed: Recent[int, bool] = Recent()
        self._names: Recent[str, str] = Recent()
        self._told: Recent[int, bool] = Recent()
        """Messages about whose change was spoken."""
        self._tries: Recent[int, int] = Recent()
        """How often an act was put off, by its topic."""

    def open(self, room: Room) -> None:
        self._room = room

    def close(self) -> None:
        self._room = None

    # --- out -------------------------------------------------------------------------------------------------

    async def send(self, outgoing: Outgoing) -> str:
        """See `Desk.send`; the place is the topic's number."""
        room = self._open()
        progress = self._progress.get(outgoing.id) or Progress(_topic(outgoing.place))
        self._progress.keep(outgoing.id, progress)
        progress.turns = 0  # what an earlier try left over has passed
        try:
            if outgoing.kind == "handoff.requested":
                await self._request(room, outgoing, progress)
            elif progress.topic:
                await self._perform(room, outgoing, progress, desk_steps.later)
            else:
                raise ChannelRefused("This handoff has no topic here.")
        except TelegramError as error:
            sentence = mending(error, self.name, self.chat)
            self._complain(room, sentence)
            raise desk_failure(error, sentence) from None
        self._complaint = ""
        progress.steps = ()
        return str(progress.topic)

    async def _request(self, room: Room, outgoing: Outgoing, progress: Progress) -> None:
        """Makes the topic, or opens the old one again, and puts the brief into it."""
        if not progress.topic:
            await self._new_topic(room, outgoing, progress)
        self._handoffs.keep(progress.topic, str(outgoing.data.get("handoff") or ""))
        try:
            await self._perform(room, outgoing, progress, desk_steps.opening)
        except BadRequest as error:
            if not says(error, NO_TOPIC):
                raise
            # somebody deleted it meanwhile
            progress.topic, progress.steps, progress.done = 0, None, 0
            await self._new_topic(room, outgoing, progress)
            await self._perform(room, replace(outgoing, place=""), progress, desk_steps.opening)

    async def _new_topic(self, room: Room, outgoing: Outgoing, progress: Progress) -> None:
        """Makes the row's topic, or takes the one of an earlier try. It comes with its brief, so it waits for room."""
        data, handoff = outgoing.data, str(outgoing.data.get("handoff") or "")
        steps = desk_steps.opening(replace(outgoing, place=""), Topic(self.chat, 0))
        messages = sum(step.request.method.startswith("send") for step in steps)
        await self._pace.turn(messages)
        progress.turns = messages
        name = desk_words.title(data, "waiting")
        topic = self._made.pop(name, 0)
        if not topic:
            self._asked.keep(name, handoff)
            fields = {"chat_id": self.chat, "name": name, "icon_color": desk_words.colour(data)}
            made = await self._call(room, Request("createForumTopic", fields))
            if not isinstance(made, dict) or not isinstance(made.get("message_thread_id"), int):
                raise TelegramError("the new topic has no number")
            topic = made["message_thread_id"]
            self._made.pop(name, None)  # Telegram may tell of it before it answers
        progress.topic = topic
        self._ours.keep(topic, True)
        self._handoffs.keep(topic, handoff)

    async def _perform(
        self, room: Room, outgoing: Outgoing, progress: Progress, plan: Callable[[Outgoing, Topic], list[Step]]
    ) -> None:
        """Carries out what is left of a row's steps."""
        if progress.steps is None:
            progress.steps = plan(outgoing, self._known(progress.topic))
            self._ours.keep(progress.topic, True)
        for step in progress.steps[progress.done :]:
            try:
                sent = await self._carry_out(room, step.request, progress)
            except (TelegramError, ChannelError) as error:
                if step.needed and not says(error, SAME):
                    raise
                sent = None
            progress.done += 1
            self._note(step, progress.topic, sent)

    def _known(self, topic: int) -> Topic:
        return Topic(self.chat, topic, self.name, self._boards.get(topic, 0), topic in self._closed, self._names)

    def _note(self, step: Step, topic: int, sent: object) -> None:
        """Remembers what the step has done to the topic."""
        if step.board and isinstance(sent, dict) and isinstance(sent.get("message_id"), int):
            self._boards.keep(topic, sent["message_id"])
        if step.request.method == "closeForumTopic":
            self._closed.keep(topic, True)
        elif step.request.method == "reopenForumTopic":
            self._closed.pop(topic, None)

    async def _carry_out(self, room: Room, request: Request, progress: Progress | None = None) -> Any:
        """One call; a topic that is closed is opened first, and what Telegram does not like is made simpler."""
        closed = False
        if request.method.startswith("send"):
            if progress is not None and progress.turns:
                progress.turns -= 1
            else:
                await self._pace.turn()
        while True:
            try:
                return await self._call(room, request)
            except BadRequest as error:
                if says(error, CLOSED) and not closed:
                    closed = True
                    place = {key: request.fields[key] for key in ("chat_id", "message_thread_id")}
                    await self._call(room, Request("reopenForumTopic", place))
                    continue
                fatal = says(error, (*CLOSED, *NO_TOPIC, *RIGHTS))
                lesser = None if fatal else desk_steps.lesser(request, error)
                if lesser is None:
                    raise
                room.intake.log("telegram.simplified", channel=room.intake.channel, error=error.message[:200])
                request = lesser
            except ChannelRefused:  # the file is not kept any more
                request = desk_steps.only_named(request)

    async def _call(self, room: Room, request: Request) -> Any:
        """The result, wherever the group has moved to."""
        try:
            return await room.api.call(request.method, await room.sender.filled(request))
        except ChatMigrated as error:
            new = room.intake.moved[self.chat] = error.new_chat_id
            self._complain(room, f"The group's chat id is {new} now: write it into desks.{self.name}.place.")
            return await room.api.call(request.method, await room.sender.filled(request))

    def _complain(self, room: Room, sentence: str) -> None:
        """Says in the log what is to be mended, once."""
        if sentence and sentence != self._complaint:
            self._complaint = sentence
            room.intake.log("telegram.desk", channel=room.intake.channel, desk=self.name, error=sentence)

    # --- in --------------------------------------------------------------------------------------------------

    async def take(self, what: Seen, raw: Mapping[str, Any]) -> None:
        """Returns once the update, whose JSON is `raw`, may be forgotten. Raises StoreError."""
        room = self._open()
        self._learn(what, room.intake.me.id)
        act, known = what.act, self._ours.get(what.topic)
        if act is not None and known is not False:
            known = await self._act(room, act, what.topic, raw)
            if known:
                self._ours.keep(what.topic, True)
                self._names.keep(act.agent.id, act.agent.name)
            elif what.topic in self._ours and not what.query:
                what = replace(what, hint="nowhere")
            if known and what.keyboard:
                self._boards.keep(what.topic, what.keyboard)
        self._follow(room, what, known=bool(known))

    async def _act(self, room: Room, act: Act, topic: int, raw: Mapping[str, Any]) -> bool:
        """Whether the house has taken it. Where it need not look for the place it is busy with itself only; else it says
        "come again" for every topic that it does not know, as long as a handoff is on its way."""
        handoff = self._handoffs.get(topic, "")
        if handoff:
            return await room.context.desks.act(self.name, replace(act, handoff=handoff, place=""))
        try:
            known = await room.context.desks.act(self.name, act)
        except StoreBusy:
            tries = self._tries.get(topic, 0) + 1
            if tries < _MOST_TRIES:
                self._tries.keep(topic, tries)
                raise
            await room.intake.set_aside(raw, "The handoff of its topic was not known for half a minute.")
            self._tries.keep(topic, tries)
            room.intake.log("telegram.desk_unknown_topic", channel=room.intake.channel, desk=self.name, id=act.id)
            return False
        self._tries.pop(topic, None)
        return known

    def _learn(self, what: Seen, me: int) -> None:
        if what.maker == -1:
            self._ours.keep(what.topic, False)
        elif what.maker == me and what.topic not in self._ours:
            self._ours.keep(what.topic, True)
            if what.event == "made":
                self._made.keep(what.title, what.topic)
                self._handoffs.keep(what.topic, self._asked.get(what.title, ""))
        if what.event == "closed":
            self._closed.keep(what.topic, True)
        elif what.event == "reopened":
            self._closed.pop(what.topic, None)

    def _follow(self, room: Room, what: Seen, *, known: bool) -> None:
        """Answers a press, and tells a writer whose words did not go where they may think."""
        if what.query:
            text = _TAKEN.get(what.act.kind, "") if known and what.act is not None else _UNKNOWN
            room.tasks.start(self._answer(room, what.query, text), "press")
        told = known or what.hint == "nowhere"
        if not told or not what.hint or what.message in self._told:
            return
        self._told.keep(what.message, True)
        answered = {"message_id": what.message, "allow_sending_without_reply": True}
        hint = self._known(what.topic).message(Rendered(_HINTS[what.hint]), reply_parameters=answered)
        room.tasks.start(self._hint(room, hint), "hint")

    async def _answer(self, room: Room, query: str, text: str) -> None:
        try:
            await room.api.call("answerCallbackQuery", {"callback_query_id": query, "text": text})
        except BadRequest:
            return  # too old to be answered

    async def _hint(self, room: Room, request: Request) -> None:
        try:
            await self._carry_out(room, request)
        except (BadRequest, ChannelError):
            return  # the topic is gone, or the group is full for now

    async def fetch(self, attachment: Attachment, *, limit: int) -> bytes:
        return await files.fetch(self._open().api, attachment, limit)

    # --- the start -------------------------------------------------------------------------------------------

    async def check(self) -> None:
        """Finds out whether the group can be a desk, says in the log what is missing, and sets the commands there."""
        room = self._open()
        try:
            # writing is what shows that a group has moved
            await self._call(room, Request("sendChatAction", {"chat_id": self.chat, "action": "typing"}))
            chat = await self._call(room, Request("getChat", {"chat_id": self.chat}))
            about = {"chat_id": self.chat, "user_id": room.intake.me.id}
            member = await self._call(room, Request("getChatMember", about))
            if not chat.get("is_forum"):
                raise BadRequest("the chat is not a forum")
            if not member.get("can_manage_topics"):
                raise BadRequest("not enough rights to manage topics")
            await room.api.call("setMyCommands", _commands(room.intake.moved.get(self.chat, self.chat)))
        except TelegramError as error:
            self._complain(room, mending(error, self.name, self.chat) or reason(error))

    def _open(self) -> Room:
        if self._room is None:
            raise ChannelBusy(f"The channel of desk {self.name} is not running.")
        return self._room


class Pace:
    """When the next message may go into the group: `MOST` in each `WINDOW`, at once while there is room."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=MOST)

    async def turn(self, messages: int = 1) -> None:
        """Waits for room for so many. Raises ChannelBusy if that would take too long."""
        now = asyncio.get_running_loop().time()
        last = len(self._times) + min(messages, MOST) - MOST - 1
        at = max(now, self._times[last] + WINDOW) if last >= 0 else now
        if at - now > _PATIENCE:
            raise ChannelBusy("The group has as many messages as Telegram allows.", retry_after=at - now)
        self._times.extend([at] * messages)
        if at > now:
            await asyncio.sleep(at - now)


def _chat(options: Mapping[str, Any]) -> int:
    """The group of the options. Raises UsageError."""
    for name in options:
        if name != "place":
            raise UsageError(f"{name} is not known; a desk on Telegram has place.")
    place = options.get("place")
    if isinstance(place, bool) or not _PLACE.match(str(place)):
        raise UsageError(
            "place must be the chat id of the agents' group, a negative number such as -1001234567890."
        )
    return int(str(place))


def _topic(place: str) -> int:
    """The topic of a place, 0 if it names none."""
    return int(place) if place.isascii() and place.isdigit() else 0


def _commands(chat: int) -> dict[str, Any]:
    listed = [{"command": name, "description": text} for name, text in COMMANDS.items()]
    return {"commands": listed, "scope": {"type": "chat", "chat_id": chat}}
