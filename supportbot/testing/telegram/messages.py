"""Sending, changing and deleting messages at the stand-in for Telegram."""

from __future__ import annotations

import time
from typing import Any

from supportbot.testing.telegram.book import Book
from supportbot.testing.telegram.ledger import Chat, Draft, Edit, File, Sent
from supportbot.testing.telegram.params import Params, Upload
from supportbot.testing.telegram.queue import Bell
from supportbot.testing.telegram.rules import (
    PHOTO_LIMIT,
    UPLOAD_LIMIT,
    Pace,
    Refused,
    inline_only,
    is_link,
    keyboard,
    too_many_requests,
)
from supportbot.testing.telegram.text import Formatted, formatted, message_text

_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)


class Messages:
    """The ledger and the methods that write to it. A method raises `Refused`, or takes effect and gives its result."""

    def __init__(self, book: Book, pace: Pace | None) -> None:
        self._book = book
        self._pace = pace
        self.sent: list[Sent] = []
        self._by_id: dict[tuple[int, int], Sent] = {}
        self.drafts: list[Draft] = []
        self.rate_limited = 0
        self.bell = Bell()

    def send_message(self, params: Params) -> dict[str, Any]:
        """sendMessage"""
        text = message_text(params.text("text"), params.text("parse_mode"), params.object("entities"))
        return self._accept("sendMessage", params, text, params.text("text"))

    def send_photo(self, params: Params) -> dict[str, Any]:
        """sendPhoto"""
        return self._send_file("sendPhoto", "photo", params)

    def send_document(self, params: Params) -> dict[str, Any]:
        """sendDocument"""
        return self._send_file("sendDocument", "document", params)

    def send_draft(self, params: Params) -> bool:
        """sendMessageDraft"""
        text = formatted(params.text("text"), params.text("parse_mode"), params.object("entities"))
        chat = self._book.chat(params.text("chat_id"))
        chat.check()
        draft_id = params.number("draft_id")
        if not chat.private:
            raise Refused("TEXTDRAFT_PEER_INVALID")
        if not draft_id:
            raise Refused("TEXTDRAFT_ID_INVALID")
        thread = chat.thread(params.number("message_thread_id"))
        self.drafts.append(Draft(chat.id, thread, draft_id, text.text))
        return True

    def edit_text(self, params: Params) -> dict[str, Any]:
        """editMessageText"""
        text = message_text(params.text("text"), params.text("parse_mode"), params.object("entities"))
        sent = self._mine(params)
        if sent.method != "sendMessage":
            raise Refused("there is no text in the message to edit")
        return self._edit(sent, text, params)

    def edit_markup(self, params: Params) -> dict[str, Any]:
        """editMessageReplyMarkup"""
        sent = self._mine(params)
        return self._edit(sent, Formatted(sent.text, sent.entities), params)

    def delete(self, params: Params) -> bool:
        """deleteMessage"""
        chat = self._book.chat(params.text("chat_id"))
        chat.check()
        message_id = params.number("message_id") or 0
        sent = self.find(chat.id, message_id)
        if sent is not None:
            sent.deleted = True
        elif message_id not in chat.incoming:
            raise Refused("message to delete not found")
        elif not chat.private:
            raise Refused("message can't be deleted")
        else:
            chat.incoming.discard(message_id)
        return True

    def find(self, chat_id: int, message_id: int) -> Sent | None:
        """The message if it was sent and not deleted."""
        sent = self._by_id.get((chat_id, message_id))
        return None if sent is None or sent.deleted else sent

    def _send_file(self, method: str, kind: str, params: Params) -> dict[str, Any]:
        raw = params.text("caption")
        caption = formatted(raw, params.text("parse_mode"), params.object("caption_entities"), caption=True)
        file = self._stored(kind, params.upload(kind))
        return self._accept(method, params, caption, raw, file=file)

    def _stored(self, kind: str, given: Upload | str) -> File:
        """The file that is sent: uploaded now, known by its id, or fetched from an address."""
        if isinstance(given, str):
            if not given:
                raise Refused(f"there is no {kind} in the request")
            if given in self._book.files:
                return self._book.files[given]
            if given.startswith(("http://", "https://")) and is_link(given):
                return File(given, b"", "application/octet-stream", given.rsplit("/", 1)[-1], 0)
            raise Refused("wrong file identifier/HTTP URL specified")
        size = len(given.content)
        if size > UPLOAD_LIMIT:
            raise Refused("Request Entity Too Large", 413)
        if not size:
            raise Refused("file must be non-empty")
        if kind == "photo" and size > PHOTO_LIMIT:
            said = f"file of size {size} bytes is too big for a photo"
            raise Refused(f"{said}; the maximum size is {PHOTO_LIMIT} bytes")
        id = f"sent-{kind}-{len(self._book.files) + 1}"
        file = self._book.files[id] = File(id, given.content, given.mime, given.name, size)
        return file

    def _accept(
        self, method: str, params: Params, text: Formatted, raw: str, file: File | None = None
    ) -> dict[str, Any]:
        chat = self._book.chat(params.text("chat_id"))
        chat.check()
        markup = keyboard(params.object("reply_markup"), private=chat.private)
        thread = chat.thread(params.number("message_thread_id"))
        self._book.writes_into(chat, thread)
        reply_to = self._reply_to(chat, params)
        self._keep_pace(chat)
        sent = Sent(
            method=method,
            chat_id=chat.id,
            thread=thread,
            message_id=chat.next_id(),
            text=text.text,
            raw=raw,
            parse_mode=params.text("parse_mode"),
            entities=text.entities,
            reply_markup=markup,
            reply_to=reply_to,
            file_name=file.name if file else "",
            file_digest=file.digest if file else "",
        )
        self.sent.append(sent)
        self._by_id[chat.id, sent.message_id] = sent
        self.bell.ring()
        return self._shown(sent, chat, file)

    def _reply_to(self, chat: Chat, params: Params) -> int | None:
        """The message that is replied to, None if there is none or a missing one is allowed."""
        given = params.object("reply_parameters") or {}
        wanted = given.get("message_id") or params.number("reply_to_message_id")
        if not wanted:
            return None
        other = given.get("chat_id")
        place = chat if other is None else self._book.chat(str(other))
        if int(wanted) in place.incoming or self.find(place.id, int(wanted)):
            return int(wanted)
        if given.get("allow_sending_without_reply") or params.flag("allow_sending_without_reply"):
            return None
        raise Refused("message to be replied not found")

    def _keep_pace(self, chat: Chat) -> None:
        wait = self._pace.too_early(chat.id, chat.private, time.monotonic()) if self._pace else 0.0
        if wait > 0:
            self.rate_limited += 1
            raise too_many_requests(wait)

    def _mine(self, params: Params) -> Sent:
        chat = self._book.chat(params.text("chat_id"))
        chat.check()
        message_id = params.number("message_id") or 0
        sent = self.find(chat.id, message_id)
        if sent is None:
            known = message_id in chat.incoming
            raise Refused("message can't be edited" if known else "message to edit not found")
        return sent

    def _edit(self, sent: Sent, text: Formatted, params: Params) -> dict[str, Any]:
        chat = self._book.chats[sent.chat_id]
        markup = inline_only(keyboard(params.object("reply_markup"), private=chat.private))
        if (text.text, text.entities, markup) == (sent.text, sent.entities, sent.reply_markup):
            raise Refused(_NOT_MODIFIED)
        sent.text, sent.entities, sent.reply_markup = text.text, text.entities, markup
        sent.edits.append(Edit(text.text, text.entities, markup))
        self.bell.ring()
        return {**self._shown(sent, chat, None), "edit_date": int(time.time())}

    def _shown(self, sent: Sent, chat: Chat, file: File | None) -> dict[str, Any]:
        """The message as the API gives it back (#message)."""
        shown: dict[str, Any] = {
            "message_id": sent.message_id,
            "from": self._book.bot,
            "chat": chat.part(),
            "date": int(sent.at),
        }
        kind = {"sendPhoto": "caption", "sendDocument": "caption"}.get(sent.method, "text")
        if sent.text:
            shown[kind] = sent.text
        if sent.entities:
            shown["entities" if kind == "text" else "caption_entities"] = sent.entities
        if sent.thread is not None:
            shown |= {"message_thread_id": sent.thread, "is_topic_message": True}
        if sent.reply_markup and "inline_keyboard" in sent.reply_markup:
            shown["reply_markup"] = sent.reply_markup
        if file is not None:
            about = {"file_id": file.id, "file_unique_id": f"u-{file.id}", "file_size": file.size}
            if sent.method == "sendPhoto":
                shown["photo"] = [{**about, "width": 640, "height": 480}]
            else:
                shown["document"] = {**about, "file_name": file.name, "mime_type": file.mime}
        return shown
