"""What Slack is told beside the answer: prompts, titles, the choice that was made, and that a choice is not yours."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supportbot.protocols import Menu
from supportbot.types import Address, Message, Receipt
from supportbot_slack.blocks import settled
from supportbot_slack.cache import Cache
from supportbot_slack.faults import Refusal
from supportbot_slack.inbound import STARTED, Incoming
from supportbot_slack.interactions import Press
from supportbot_slack.mrkdwn import escape
from supportbot_slack.tasks import Tasks
from supportbot_slack.web import Web
from supportbot_slack.words import say

PROMPTS = 4
_TITLE, _PROMPT = 80, 200


class Beside:
    """Everything here is started in the background and may fail without harm. `dms` has each user's channel."""

    def __init__(self, web: Web, tasks: Tasks, menu: Menu, locale: Callable[[str], str]) -> None:
        self._web = web
        self._tasks = tasks
        self._menu = menu
        self._locale = locale
        self._prompts_work = True
        self._untitled: Cache[Address, str] = Cache()
        self.dms: Cache[str, str] = Cache()

    def met(self, user: str, channel: str) -> None:
        """Remembers where this user's direct messages are."""
        self.dms.put(user, channel)

    def after(self, incoming: Incoming, receipt: Receipt) -> None:
        """What is to be done once it is stored."""
        message = incoming.message
        if message.event is not None and message.event.name == STARTED:
            if incoming.assistant and receipt.fresh:
                self._untitled.put(message.address, incoming.dm)
            self._prompts(incoming)
        elif message.kind == "message" and message.text.strip():
            self._entitle(message)

    def _entitle(self, message: Message) -> None:
        """A new conversation of the assistant is named after its first message."""
        channel = self._untitled.pop(message.address)
        if channel is not None:
            title = " ".join(message.text.split())[:_TITLE]
            work = self._web.call(
                "assistant.threads.setTitle", channel_id=channel, thread_ts=message.address.thread, title=title
            )
            self._tasks.run("title", work)

    def opened_again(self, incoming: Incoming) -> None:
        """The customer came back to a conversation that exists; prompts help there too."""
        self._prompts(incoming)

    def _prompts(self, incoming: Incoming) -> None:
        locale = self._locale(incoming.message.user.id)
        titles = [_in(texts, locale) or name for name, texts in self._menu.prompts[:PROMPTS]]
        if titles and self._prompts_work:
            self._tasks.run("prompts", self._set_prompts(incoming, [title[:_PROMPT] for title in titles]))

    async def _set_prompts(self, incoming: Incoming, titles: list[str]) -> None:
        try:
            await self._web.call(
                "assistant.threads.setSuggestedPrompts",
                channel_id=incoming.dm,
                thread_ts=incoming.message.address.thread or None,
                prompts=[{"title": title, "message": title} for title in titles],
            )
        except Refusal as refusal:
            self._prompts_work = refusal.code not in ("not_agent_app", "unknown_method", "missing_scope")
            raise

    def not_yours(self, press: Press, locale: str) -> None:
        """Tells whoever pressed somebody else's button, and nobody else."""
        work = self._web.call(
            "chat.postEphemeral",
            channel=press.channel,
            user=press.incoming.message.user.id,
            thread_ts=press.thread or None,
            text=say("not_yours", locale),
        )
        self._tasks.run("not yours", work)

    def chosen(self, press: Press) -> None:
        """Shows the choice in the place of the buttons."""
        if press.blocks:
            work = self._web.call(
                "chat.update",
                channel=press.channel,
                ts=press.ts,
                text=press.text or escape(f"✓ {press.label}"),
                blocks=settled(press.blocks, press.label),
            )
            self._tasks.run("choice", work)
        else:  # an ephemeral message, which can neither be read nor changed
            work = self._web.call(
                "chat.postEphemeral",
                channel=press.channel,
                user=press.incoming.message.user.id,
                thread_ts=press.thread or None,
                text=escape(f"✓ {press.label}"),
            )
            self._tasks.run("choice", work)


def _in(texts: Mapping[str, str], locale: str) -> str:
    """The text in this language, or in the first that there is."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    for wanted in (locale, language, "en"):
        if wanted in texts:
            return texts[wanted]
    return next(iter(texts.values()), "")
