"""The methods of the Bot API at the stand-in for Telegram, by their names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from supportbot.testing.telegram import rules
from supportbot.testing.telegram.book import Book
from supportbot.testing.telegram.forum import Forum
from supportbot.testing.telegram.ledger import Action, CallbackAnswer
from supportbot.testing.telegram.messages import Messages
from supportbot.testing.telegram.params import Params
from supportbot.testing.telegram.queue import UpdateQueue, Webhook
from supportbot.testing.telegram.rules import Refused

Result = Any
Method = Callable[[Params], Result | Awaitable[Result]]


class Methods:
    """All methods. `table` has them by name as the documentation spells them."""

    def __init__(self, book: Book, messages: Messages, queue: UpdateQueue) -> None:
        self._book = book
        self._queue = queue
        self.actions: list[Action] = []
        self.answers: list[CallbackAnswer] = []
        self.commands: dict[tuple[str, str, str, str], list[dict[str, str]]] = {}
        forum = Forum(book, queue)
        self.table: Mapping[str, Method] = {
            "getMe": lambda _: book.bot,
            "getUpdates": self._get_updates,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._webhook_info,
            "sendMessage": messages.send_message,
            "sendPhoto": messages.send_photo,
            "sendDocument": messages.send_document,
            "sendMessageDraft": messages.send_draft,
            "sendChatAction": self._chat_action,
            "editMessageText": messages.edit_text,
            "editMessageReplyMarkup": messages.edit_markup,
            "deleteMessage": messages.delete,
            "createForumTopic": forum.create,
            "editForumTopic": forum.edit,
            "closeForumTopic": forum.close,
            "reopenForumTopic": forum.reopen,
            "answerCallbackQuery": self._answer_callback,
            "setMyCommands": self._set_commands,
            "getMyCommands": self._get_commands,
            "deleteMyCommands": self._delete_commands,
            "getFile": self._get_file,
            "getChat": self._get_chat,
            "getChatMember": self._get_member,
        }
        self._spelling = {name.lower(): name for name in self.table}

    def spelling(self, name: str) -> str | None:
        """The method's name as documented (the API ignores case), None if there is no such method."""
        return self._spelling.get(name.lower())

    async def _get_updates(self, params: Params) -> Result:
        self._remember_types(params)
        limit = min(max(params.number("limit") or 100, 1), 100)
        timeout = min(max(params.number("timeout") or 0, 0), 50)
        return await self._queue.poll(params.number("offset") or 0, limit, timeout)

    async def _set_webhook(self, params: Params) -> Result:
        url, secret = params.text("url"), params.text("secret_token")
        if not url:
            return await self._delete_webhook(params)
        rules.webhook(url, secret)
        connections = params.number("max_connections")
        if connections is not None:
            connections = min(max(connections, 1), 100)
        self._remember_types(params)
        self._drop(params)
        await self._queue.set_webhook(Webhook(url, secret, connections))
        return True

    async def _delete_webhook(self, params: Params) -> Result:
        self._drop(params)
        await self._queue.set_webhook(None)
        return True

    def _webhook_info(self, params: Params) -> Result:
        webhook, queue = self._queue.webhook, self._queue
        info: dict[str, Any] = {"url": "", "has_custom_certificate": False}
        info["pending_update_count"] = len(queue.pending)
        if webhook is not None:
            connections = webhook.connections or 40
            info |= {"url": webhook.url, "max_connections": connections, "ip_address": "127.0.0.1"}
        if queue.last_error is not None:
            info |= {"last_error_date": int(queue.last_error[0]), "last_error_message": queue.last_error[1]}
        if queue.types:
            info["allowed_updates"] = list(queue.types)
        return info

    def _remember_types(self, params: Params) -> None:
        types = params.object("allowed_updates")
        if isinstance(types, list):
            self._queue.types = tuple(str(one) for one in types)

    def _drop(self, params: Params) -> None:
        if params.flag("drop_pending_updates"):
            self._queue.forget(*list(self._queue.pending))

    def _chat_action(self, params: Params) -> Result:
        action = params.text("action")
        if action not in rules.ACTIONS:
            raise Refused("wrong parameter action in request")
        chat = self._book.chat(params.text("chat_id"))
        chat.check()
        thread = chat.thread(params.number("message_thread_id"))
        self.actions.append(Action(chat.id, thread, action))
        return True

    def _answer_callback(self, params: Params) -> Result:
        id, text = params.text("callback_query_id"), params.text("text")
        self._book.query(id)
        if rules.utf16_length(text) > 200:
            raise Refused("MESSAGE_TOO_LONG")
        self.answers.append(CallbackAnswer(id, text, params.flag("show_alert"), params.text("url")))
        return True

    def _set_commands(self, params: Params) -> Result:
        key = rules.scope_key(params.object("scope"), params.text("language_code"))
        self.commands[key] = rules.commands(params.object("commands"))
        return True

    def _get_commands(self, params: Params) -> Result:
        key = rules.scope_key(params.object("scope"), params.text("language_code"))
        return self.commands.get(key, [])

    def _delete_commands(self, params: Params) -> Result:
        key = rules.scope_key(params.object("scope"), params.text("language_code"))
        self.commands.pop(key, None)
        return True

    def _get_file(self, params: Params) -> Result:
        file = self._book.file(params.text("file_id"))
        about = {"file_id": file.id, "file_unique_id": f"u-{file.id}", "file_size": file.size}
        return {**about, "file_path": file.path}

    def _get_chat(self, params: Params) -> Result:
        gifts = "unlimited_gifts limited_gifts unique_gifts premium_subscription gifts_from_channels"
        chat = self._book.chat(params.text("chat_id"))
        if chat.state == "kicked":
            chat.check()
        full = {"accent_color_id": 0, "max_reaction_count": 11}
        return {**chat.part(), **full, "accepted_gift_types": dict.fromkeys(gifts.split(), False)}

    def _get_member(self, params: Params) -> Result:
        chat = self._book.chat(params.text("chat_id"))
        return self._book.member(chat, params.number("user_id") or 0)
