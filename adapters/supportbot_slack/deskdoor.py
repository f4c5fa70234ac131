"""The way in for agents: from a payload in a desk's channel to the house, before Slack's acknowledgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from supportbot.protocols import ChannelContext
from supportbot.types import Act, User
from supportbot_slack import agents
from supportbot_slack.agents import Pressed, TakenBack
from supportbot_slack.cache import Cache
from supportbot_slack.inbound import Own
from supportbot_slack.people import People
from supportbot_slack.tasks import Tasks
from supportbot_slack.web import Web

_HAS_IT = (
    "The customer has your message as it was when you sent it; what you change here does not reach them. "
    "Write another one to put it right."
)


class DeskDoor:
    """`desks` has the desks' names by channel, `handoffs` the ids of those whose place is known by it. What is taken in
    raises StoreBusy or StoreFull, and Unreadable."""

    def __init__(
        self,
        desks: Mapping[str, str],
        context: ChannelContext,
        web: Web,
        people: People,
        tasks: Tasks,
        *,
        handoffs: Cache[str, str],
    ) -> None:
        self._desks = desks
        self._handoffs = handoffs
        self._house = context.desks
        self._web = web
        self._people = people
        self._tasks = tasks
        self._told: Cache[tuple[str, str], bool] = Cache()

    async def event(self, body: Mapping[str, Any], own: Own, names: Mapping[str, str]) -> bool:
        """Whether it happened at a desk; then it is dealt with."""
        desk = self._desks.get(agents.channel_of(body))
        if desk is None:
            return False
        found = agents.said(body, own, names)
        if isinstance(found, TakenBack):
            self._cannot_take_back(found)
        elif found is not None:
            await self._act(desk, found)
        return True

    async def action(self, body: Mapping[str, Any], own: Own) -> bool:
        """Whether a button was pressed at a desk; then it is dealt with."""
        desk = self._desks.get(agents.channel_of(body))
        if desk is None:
            return False
        press = agents.pressed(body, own)
        if press is not None and await self._act(desk, press.act) and press.suggested and press.blocks:
            self._settle(press)
        return True

    async def _act(self, desk: str, act: Act) -> bool:
        person = await self._people.who(act.agent.id)
        handoff = act.handoff or self._handoffs.get(act.place) or ""
        # the house may not know the place yet, and need not
        place = "" if handoff else act.place
        agent = User(act.agent.id, person.name or act.agent.name)
        return await self._house.act(desk, replace(act, agent=agent, handoff=handoff, place=place))

    def _settle(self, press: Pressed) -> None:
        work = self._web.call(
            "chat.update",
            channel=press.channel,
            ts=press.ts,
            text=press.text or "…",
            blocks=agents.settled(press),
        )
        self._tasks.run("suggestion", work)

    def _cannot_take_back(self, change: TakenBack) -> None:
        """Said once for each message."""
        if self._told.get((change.channel, change.ts)):
            return
        self._told.put((change.channel, change.ts), True)
        work = self._web.call(
            "chat.postEphemeral",
            channel=change.channel,
            user=change.user,
            thread_ts=change.thread,
            text=_HAS_IT,
        )
        self._tasks.run("cannot take back", work)
