"""From a portable reply to the requests that show it, and to simpler ones when Telegram refuses. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from supportbot import Attachment, Rendering, Reply
from supportbot_telegram.entities import Rendered, render, utf16
from supportbot_telegram.keyboards import BUTTON_LIMIT, Keyboard, keyboard
from supportbot_telegram.words import say

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
_PHOTOS = ("image/jpeg", "image/png", "image/webp")
_PHOTO_SIZE = 10_000_000
_ONLY_BUTTONS = "…"
_NO_PREVIEW = {"is_disabled": True}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reply goes: `chat` 0 is nowhere (a preview), `thread` and `reply_to` 0 are none.

    `origin` and `topic` are the group and its topic whose conversation is answered here, in private.
    """

    chat: int = 0
    thread: int = 0
    reply_to: int = 0
    user: str = ""
    origin: int = 0
    topic: int = 0
    key: bytes = field(default=b"", repr=False)

    @property
    def private(self) -> bool:
        return self.chat >= 0

    def fields(self) -> dict[str, Any]:
        """What every request says about it."""
        found: dict[str, Any] = {"chat_id": self.chat} if self.chat else {}
        if self.thread:
            found["message_thread_id"] = self.thread
        return found


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the Bot API. `file` is to be put into the field `slot`, by its content or its URL.

    `content` is what is in a file of our own making.
    """

    method: str
    fields: Mapping[str, Any]
    file: Attachment | None = None
    content: bytes = b""

    @property
    def slot(self) -> str:
        return "photo" if self.method == "sendPhoto" else "document"

    def payload(self) -> dict[str, Any]:
        """The request as a JSON value."""
        found = {"method": self.method, **self.fields}
        if self.file is not None:
            found[self.slot] = self.file.url or f"attach://{self.file.name}"
        return found


def requests(reply: Reply, place: Place, *, remove_keyboard: bool = False) -> tuple[Request, ...]:
    """The calls that show the reply, in order; () if there is nothing to show.

    A text that fits stands under the first file. The buttons are below the last message.
    """
    buttons = keyboard(
        reply.buttons,
        private=place.private,
        user=place.user,
        thread=place.topic or place.thread,
        origin=place.origin,
        key=place.key,
    )
    texts = _texts(reply, buttons)
    files = [file for file in reply.files if file.digest or file.url]
    made = [_message(text, place) for text in texts[:-1]]
    last = texts[-1] if texts else Rendered("")
    if files and utf16(last.text) <= CAPTION_LIMIT:
        made.append(_file(files.pop(0), last, place))
    elif last.text:
        made.append(_message(last, place))
    made += [_file(file, Rendered(""), place) for file in files]
    if not made:
        return ()
    if place.reply_to:
        made[0] = _with(made[0], reply_parameters=_answering(place))
    if buttons.markup:
        made[-1] = _with(made[-1], reply_markup=buttons.markup)
    elif remove_keyboard:
        made[0] = _with(made[0], reply_markup={"remove_keyboard": True})
    return tuple(made)


def _texts(reply: Reply, buttons: Keyboard) -> list[Rendered]:
    """What is to be read: one text, or two when the lines for what cannot be shown do not fit any more."""
    shown = render(reply.text)
    lines = "\n".join((*buttons.lines, *(file.name for file in reply.files if not file.digest and not file.url)))
    together = "\n\n".join(filter(None, (shown.text, lines)))
    if not together and buttons.markup and not reply.files:
        return [Rendered(_ONLY_BUTTONS)]
    if shown.text and utf16(together) > TEXT_LIMIT:
        return [shown, Rendered(lines)] if lines else [shown]
    return [Rendered(together, shown.entities)] if together else []


def _answering(place: Place) -> dict[str, Any]:
    return {"message_id": place.reply_to, "allow_sending_without_reply": True}


def _message(shown: Rendered, place: Place) -> Request:
    fields = {**place.fields(), "text": shown.text, "link_preview_options": _NO_PREVIEW}
    if shown.entities:
        fields["entities"] = list(shown.entities)
    return Request("sendMessage", fields)


def _file(file: Attachment, shown: Rendered, place: Place) -> Request:
    photo = file.media_type in _PHOTOS and file.size <= _PHOTO_SIZE
    fields = place.fields()
    if shown.text:
        fields["caption"] = shown.text
    if shown.entities:
        fields["caption_entities"] = list(shown.entities)
    return Request("sendPhoto" if photo else "sendDocument", fields, file)


def _with(request: Request, **more: Any) -> Request:
    return replace(request, fields={**request.fields, **more})


def _without(request: Request, *names: str) -> Request:
    return replace(request, fields={name: value for name, value in request.fields.items() if name not in names})


def notice(place: Place, username: str, locale: str) -> Request:
    """Tells a customer in a group that the answer is only for them, without saying it."""
    button = {"text": say("open", locale), "url": f"https://t.me/{username}?start=personal"}
    fields = {**place.fields(), "text": say("personal", locale), "reply_markup": {"inline_keyboard": [[button]]}}
    if place.reply_to:
        fields["reply_parameters"] = _answering(place)
    return Request("sendMessage", fields)


def simpler(request: Request, refusal: str) -> Request | None:
    """The request without what Telegram refused in it; None if that was something else."""
    said, fields = refusal.lower(), request.fields
    if "entit" in said and ("entities" in fields or "caption_entities" in fields):
        return _without(request, "entities", "caption_entities")
    if "thread" in said and "message_thread_id" in fields:
        return _without(request, "message_thread_id")
    if ("button" in said or "keyboard" in said or "markup" in said) and "reply_markup" in fields:
        return _buttons_as_text(request)
    if request.file is None:
        return None
    if request.method == "sendPhoto":
        return replace(request, method="sendDocument")
    return _link(request, request.file) if request.file.url else None


def _buttons_as_text(request: Request) -> Request:
    markup = request.fields["reply_markup"]
    rows = markup.get("inline_keyboard") or markup.get("keyboard") or ()
    buttons = [button for row in rows for button in row]
    lines = "\n".join(f"{one['text']}: {one['url']}" if one.get("url") else f"• {one['text']}" for one in buttons)
    name = "text" if request.file is None else "caption"
    text = f"{request.fields.get(name, '')}\n\n{lines}".strip()
    most = TEXT_LIMIT if request.file is None else CAPTION_LIMIT
    bare = _without(request, "reply_markup")
    return _with(bare, **{name: text}) if lines and utf16(text) <= most else bare


def _link(request: Request, file: Attachment) -> Request:
    """The file's address as text, when Telegram cannot get the file itself."""
    fields = dict(request.fields)
    fields.pop("caption_entities", None)
    text = "\n\n".join(filter(None, (fields.pop("caption", ""), f"{file.name}: {file.url}")))
    return Request("sendMessage", {**fields, "text": text, "link_preview_options": _NO_PREVIEW})


def rendering(reply: Reply) -> Rendering:
    """How the reply looks in a private chat, and what does not fit."""
    made = requests(reply, Place())
    shown = render(reply.text)
    labels = "  ".join(f"[{button.label}]" for button in reply.buttons)
    files = "\n".join(f"({file.name})" for file in reply.files)
    warnings = []
    if len(reply.buttons) > BUTTON_LIMIT:
        warnings.append(f"{len(reply.buttons)} buttons: Telegram shows {BUTTON_LIMIT} at most.")
    if (length := utf16(shown.text)) > TEXT_LIMIT:
        warnings.append(f"The text has {length:,} characters: it goes out in parts of at most {TEXT_LIMIT:,}.")
    elif reply.files and length > CAPTION_LIMIT:
        warnings.append(
            f"The text has {length:,} characters: more than {CAPTION_LIMIT:,} cannot stand under a file, so it comes "
            "before it."
        )
    if reply.buttons and not shown.text and not reply.files:
        warnings.append("Buttons without a text: Telegram needs one, so the message says only “…”.")
    text = "\n\n".join(filter(None, (shown.text, files, labels)))
    return Rendering(text, tuple(request.payload() for request in made), tuple(warnings))
