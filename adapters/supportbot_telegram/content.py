"""What a customer's message says: its text, and whatever else it brings as attachments.

Nothing a customer can send is dropped: what has no text becomes an attachment with a fitting media type, so that the
engine can say what it can do with it. Only service messages ("Anna joined") have no content.
"""

from __future__ import annotations

from typing import Any

import telegram
from telegram.helpers import effective_message_type

from supportbot import Attachment

PHOTO_LIMIT = 20_000_000
"""Bytes that the Bot API hands over at most."""

Content = tuple[str, tuple[Attachment, ...]]

# (field, media type if Telegram names none, file name if it names none); an animation stands under `document` too
_FILES = (
    ("animation", "video/mp4", "animation.mp4"),
    ("document", "application/octet-stream", "document"),
    ("voice", "audio/ogg", "voice.ogg"),
    ("audio", "audio/mpeg", "audio.mp3"),
    ("video", "video/mp4", "video.mp4"),
    ("video_note", "video/mp4", "video-note.mp4"),
)
_OTHERS = (
    *("live_photo", "paid_media", "story", "poll", "dice", "game", "checklist"),
    *("giveaway", "giveaway_winners", "invoice"),
)


def content(message: telegram.Message) -> Content | None:
    """Text and attachments, None for a service message."""
    if message.text is not None:
        return message.text, ()
    attachment = _file(message) or _photo(message)
    if attachment is not None:
        return message.caption or "", (attachment,)
    if message.sticker is not None:
        return _sticker(message.sticker)
    text = _contact(message) or _place(message)
    if text:
        return text, ()
    for kind in _OTHERS:
        if getattr(message, kind, None):
            return message.caption or "", (_other(kind),)
    if effective_message_type(message) is None and message.api_kwargs:
        return message.caption or "", (_other("message"),)  # of a kind that is newer than the library
    return None


def _file(message: telegram.Message) -> Attachment | None:
    for field, media_type, name in _FILES:
        found = getattr(message, field)
        if found is not None:
            media_type = getattr(found, "mime_type", None) or media_type
            return _attachment(found, getattr(found, "file_name", None) or name, media_type)
    return None


def _photo(message: telegram.Message) -> Attachment | None:
    """The largest size that can be had."""
    if not message.photo:
        return None
    sizes = sorted(message.photo, key=lambda size: size.width * size.height)
    fitting = [size for size in sizes if (size.file_size or 0) <= PHOTO_LIMIT]
    return _attachment((fitting or sizes)[-1], "photo.jpg", "image/jpeg")


def _sticker(sticker: telegram.Sticker) -> Content:
    if sticker.emoji:
        return sticker.emoji, ()
    kind = "video/webm" if sticker.is_video else "application/x-tgsticker" if sticker.is_animated else "image/webp"
    return "", (_attachment(sticker, "sticker", kind),)


def _attachment(found: Any, name: str, media_type: str) -> Attachment:
    size = found.file_size
    return Attachment(
        name=name, media_type=media_type, size=size if isinstance(size, int) else -1, ref=found.file_id
    )


def _other(kind: str) -> Attachment:
    name = kind.replace("_", "-")
    return Attachment(name, f"application/x-{name}")


def _contact(message: telegram.Message) -> str:
    """The customer's own number alone, as an answer; somebody else's with the name."""
    contact = message.contact
    if contact is None:
        return ""
    if message.from_user is not None and contact.user_id == message.from_user.id:
        number = contact.phone_number
        return (
            f"+{number}" if number.isdigit() else number
        )  # own numbers are international, often without the plus
    name = " ".join(part for part in (contact.first_name, contact.last_name) if part)
    return f"{name}: {contact.phone_number}"


def _place(message: telegram.Message) -> str:
    """`latitude, longitude`, with the venue's name and address if there are any."""
    point = message.venue.location if message.venue else message.location
    if point is None:
        return ""
    text = f"{point.latitude}, {point.longitude}"
    if message.venue:
        text += f" ({', '.join(part for part in (message.venue.title, message.venue.address) if part)})"
    return text
