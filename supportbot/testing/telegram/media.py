"""Updates that bring something else than text. Each `file_id` is one to give to `FakeTelegram.file`."""

from __future__ import annotations

from typing import Any

from supportbot.testing.telegram.parts import Part, Update, fresh, message


def photo(file_id: str = "photo-1", caption: str = "", chat: Part | None = None, **more: Any) -> Update:
    """A photo in three sizes, the largest last (#photosize)."""
    sizes = [
        {**_file(f"{file_id}-s", 1_200), "width": 90, "height": 67},
        {**_file(f"{file_id}-m", 14_000), "width": 320, "height": 240},
        {**_file(file_id, 68_000), "width": 1280, "height": 960},
    ]
    return _media("photo", sizes, caption, chat, more)


def document(
    file_id: str = "document-1",
    name: str = "invoice.pdf",
    mime: str = "application/pdf",
    caption: str = "",
    chat: Part | None = None,
    **more: Any,
) -> Update:
    """A file (#document)."""
    return _media(
        "document", {**_file(file_id, 32_000), "file_name": name, "mime_type": mime}, caption, chat, more
    )


def voice(file_id: str = "voice-1", caption: str = "", chat: Part | None = None, **more: Any) -> Update:
    """A voice note (#voice)."""
    return _media("voice", {**_file(file_id, 9_000), "duration": 3, "mime_type": "audio/ogg"}, caption, chat, more)


def audio(file_id: str = "audio-1", caption: str = "", chat: Part | None = None, **more: Any) -> Update:
    """A piece of music (#audio)."""
    sound = {"duration": 180, "mime_type": "audio/mpeg", "file_name": "song.mp3", "title": "Song"}
    return _media("audio", {**_file(file_id, 900_000), **sound}, caption, chat, more)


def video(file_id: str = "video-1", caption: str = "", chat: Part | None = None, **more: Any) -> Update:
    """A video (#video)."""
    seen = {"width": 640, "height": 360, "duration": 12, "mime_type": "video/mp4", "file_name": "clip.mp4"}
    return _media("video", {**_file(file_id, 800_000), **seen}, caption, chat, more)


def video_note(file_id: str = "video-note-1", chat: Part | None = None, **more: Any) -> Update:
    """A round video message (#videonote)."""
    return _media("video_note", {**_file(file_id, 300_000), "length": 240, "duration": 5}, "", chat, more)


def animation(file_id: str = "animation-1", caption: str = "", chat: Part | None = None, **more: Any) -> Update:
    """A GIF (#animation); the same file stands under `document` too."""
    moving = {**_file(file_id, 120_000), "file_name": "wave.mp4", "mime_type": "video/mp4"}
    again = {"document": moving, **more}
    return _media("animation", {**moving, "width": 320, "height": 240, "duration": 2}, caption, chat, again)


def sticker(file_id: str = "sticker-1", emoji: str = "👍", chat: Part | None = None, **more: Any) -> Update:
    """A sticker (#sticker)."""
    looks = {"type": "regular", "width": 512, "height": 512, "is_animated": False, "is_video": False}
    return _media("sticker", {**_file(file_id, 20_000), **looks, "emoji": emoji}, "", chat, more)


def location(latitude: float = 52.52, longitude: float = 13.405, chat: Part | None = None, **more: Any) -> Update:
    """A point on the map (#location)."""
    return _media("location", {"latitude": latitude, "longitude": longitude}, "", chat, more)


def venue(title: str = "The shop", chat: Part | None = None, **more: Any) -> Update:
    """A place with a name (#venue); its point stands under `location` too."""
    point = {"latitude": 52.52, "longitude": 13.405}
    place = {"location": point, "title": title, "address": "1 Main Street"}
    return _media("venue", place, "", chat, {"location": point, **more})


def contact(
    phone: str = "+4930123456", user_id: int | None = None, chat: Part | None = None, **more: Any
) -> Update:
    """A phone number (#contact); with `user_id` that of a Telegram user."""
    card: Part = {"phone_number": phone, "first_name": "Anna"}
    return _media("contact", card | ({"user_id": user_id} if user_id else {}), "", chat, more)


def poll(question: str = "Which colour?", chat: Part | None = None, **more: Any) -> Update:
    """A poll (#poll)."""
    options = [{"text": text, "voter_count": 0, "persistent_id": text} for text in ("Red", "Blue")]
    rules: Part = {"total_voter_count": 0, "is_closed": False, "is_anonymous": True, "type": "regular"}
    rules |= {"allows_multiple_answers": False, "allows_revoting": True, "members_only": False}
    return _media("poll", {"id": str(fresh()), "question": question, "options": options, **rules}, "", chat, more)


def dice(value: int = 4, chat: Part | None = None, **more: Any) -> Update:
    """A thrown die (#dice)."""
    return _media("dice", {"emoji": "🎲", "value": value}, "", chat, more)


def _file(file_id: str, size: int) -> Part:
    return {"file_id": file_id, "file_unique_id": f"u-{file_id}", "file_size": size}


def _media(kind: str, what: Any, caption: str, chat: Part | None, more: Part) -> Update:
    said: Part = {"caption": caption} if caption else {}
    return {"message": message(chat, **{kind: what}, **said, **more)}
