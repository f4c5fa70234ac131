"""What the Bot API refuses in a request, in the API's own words: keyboards, commands, webhooks, rates. Pure."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
TOPIC_NAME_LIMIT = 128
TOPIC_COLOURS = (0x6FB9F0, 0xFFD67E, 0xCB86DB, 0x8EEE98, 0xFF93B2, 0xFB6F5F)
DOWNLOAD_LIMIT = 20_000_000
PHOTO_LIMIT = 10 * 1024 * 1024
UPLOAD_LIMIT = 50_000_000
ACTIONS = frozenset(
    [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    ]
)
_COMMAND = re.compile(r"[a-z0-9_]{1,32}\Z")
_SECRET = re.compile(r"[A-Za-z0-9_-]*\Z")
_LANGUAGE = re.compile(r"([a-z]{2})?\Z")
_SCOPES: Mapping[str, frozenset[str]] = {
    "default": frozenset(),
    "all_private_chats": frozenset(),
    "all_group_chats": frozenset(),
    "all_chat_administrators": frozenset(),
    "chat": frozenset({"chat_id"}),
    "chat_administrators": frozenset({"chat_id"}),
    "chat_member": frozenset({"chat_id", "user_id"}),
}
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_OTHER_BUTTONS = (
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
)


class Refused(Exception):
    """The API's refusal: an error code with its description and parameters."""

    def __init__(self, description: str, code: int = 400, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.parameters = parameters
        prefix = {400: "Bad Request: ", 403: "Forbidden: ", 409: "Conflict: "}.get(code, "")
        self.description = prefix + description


def too_many_requests(seconds: float) -> Refused:
    """The refusal of a request that comes `seconds` too early."""
    wait = max(1, math.ceil(seconds))
    return Refused(f"Too Many Requests: retry after {wait}", 429, retry_after=wait)


def utf16_length(text: str) -> int:
    """The length in UTF-16 code units, in which Telegram counts."""
    return len(text) + sum(character > "\uffff" for character in text)


def keyboard(markup: Any, *, private: bool) -> dict[str, Any] | None:
    """The reply markup as it takes effect, None if there is none; raises `Refused`."""
    if markup in (None, ""):
        return None
    if not isinstance(markup, Mapping):
        raise Refused("object expected as reply markup")
    inline, rows = markup.get("inline_keyboard"), markup.get("keyboard")
    for row in (inline or []) + (rows or []):
        if not isinstance(row, list):
            raise Refused("can't parse keyboard: row must be an Array")
    if sum(len(row) for row in (inline or []) + (rows or [])) > 100:
        raise Refused("reply markup is too long")
    for row in inline or ():
        for button in row:
            _inline_button(button)
    for row in rows or ():
        for button in row:
            _reply_button(button, private)
    if not (inline or rows or markup.get("remove_keyboard") or markup.get("force_reply")):
        return None
    return dict(markup)


def inline_only(markup: dict[str, Any] | None) -> dict[str, Any] | None:
    """The markup if it can stand under a message that is edited; raises `Refused`."""
    if markup is not None and "inline_keyboard" not in markup:
        raise Refused("inline keyboard expected")
    return markup


def _inline_button(button: Any) -> None:
    if not isinstance(button, Mapping):
        raise Refused("can't parse inline keyboard button: InlineKeyboardButton must be an Object")
    if not isinstance(button.get("text"), str):
        raise Refused('can\'t parse inline keyboard button: Field "text" must be of type String')
    if not button["text"].strip():
        raise Refused("inline keyboard button text must be non-empty")
    if button.get("url"):
        if not is_link(str(button["url"])):
            raise Refused("BUTTON_URL_INVALID")
    elif button.get("callback_data"):
        if len(str(button["callback_data"]).encode()) > 64:
            raise Refused("BUTTON_DATA_INVALID")
    elif not any(kind in button for kind in _OTHER_BUTTONS):
        raise Refused("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")


def _reply_button(button: Any, private: bool) -> None:
    label = button.get("text") if isinstance(button, Mapping) else button
    if not isinstance(label, str):
        raise Refused("can't parse keyboard button: KeyboardButton must be a String or an Object")
    if not label.strip():
        raise Refused("keyboard button text must be non-empty")
    if isinstance(button, Mapping) and not private:
        if button.get("request_contact"):
            raise Refused("phone number can be requested in private chats only")
        if button.get("request_location"):
            raise Refused("location can be requested in private chats only")


def is_link(url: str) -> bool:
    """Whether a button or a text link may lead there."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
    except ValueError:
        return False
    if parts.scheme == "tg":
        return bool(parts.netloc)
    host = parts.hostname or ""
    return parts.scheme in ("http", "https", "ton") and "." in host.strip(".") and not re.search(r"\s", url)


def commands(given: Any) -> list[dict[str, str]]:
    """The bot's commands; raises `Refused`."""
    if not isinstance(given, list):
        raise Refused("expected an Array of BotCommand")
    if len(given) > 100:
        raise Refused("BOT_COMMANDS_TOO_MUCH")
    found = []
    for one in given:
        if not isinstance(one, Mapping) or not isinstance(one.get("command"), str):
            raise Refused('can\'t parse BotCommand: Field "command" must be of type String')
        name, description = one["command"].removeprefix("/"), str(one.get("description", "")).strip()
        if not _COMMAND.match(name):
            raise Refused("BOT_COMMAND_INVALID")
        if not 1 <= utf16_length(description) <= 256:
            raise Refused("BOT_COMMAND_DESCRIPTION_INVALID")
        found.append({"command": name, "description": description})
    return found


def scope_key(scope: Any, language: str) -> tuple[str, str, str, str]:
    """Where a list of commands belongs: type, chat, user, language; raises `Refused`."""
    given = scope if scope not in (None, "") else {"type": "default"}
    kind = given.get("type") if isinstance(given, Mapping) else None
    if not isinstance(kind, str) or kind not in _SCOPES:
        raise Refused("can't parse BotCommandScope: Unsupported type specified")
    for field in sorted(_SCOPES[kind]):
        if not given.get(field):
            raise Refused(f"can't parse BotCommandScope: Empty {field} specified")
    if not _LANGUAGE.match(language):
        raise Refused("invalid language code specified")
    return kind, str(given.get("chat_id", "")), str(given.get("user_id", "")), language


def webhook(url: str, secret: str) -> None:
    """Refuses a webhook that Telegram would not set; plain HTTP may lead to this machine."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if not parts.hostname:
        raise Refused("invalid webhook URL specified")
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise Refused("bad webhook: An HTTPS URL must be provided for webhook")
    if len(secret) > 256:
        raise Refused("secret token is too long")
    if not _SECRET.match(secret):
        raise Refused("secret token contains unallowed characters")


class Pace:
    """The sending limits: 30 messages a second, one a second to a person, twenty a minute to a group.

    `burst` is by how many seconds a message may come too early, so that a sender at the exact pace is never refused
    for the network's jitter.
    """

    def __init__(self, burst: float) -> None:
        self._burst = burst
        self._due: dict[int, float] = {}
        self._groups: dict[int, deque[float]] = {}
        self._all: deque[float] = deque()

    def too_early(self, chat: int, private: bool, now: float) -> float:
        """How many seconds too early a message to the chat is; 0 counts it as sent."""
        windows = [(self._all, 30, 0.9)]
        if not private:
            windows.append((self._groups.setdefault(chat, deque()), 20, 60 - self._burst))
        wait = max(_full(sent, most, seconds, now) for sent, most, seconds in windows)
        due = self._due.get(chat, 0.0)
        if private and now < due - self._burst:
            wait = max(wait, due - now)
        if wait > 0:
            return wait
        for sent, _, _ in windows:
            sent.append(now)
        if private:
            self._due[chat] = max(now, due) + 1.0
        return 0.0


def _full(sent: deque[float], most: int, seconds: float, now: float) -> float:
    """How long until one of the `most` messages in the window has left it."""
    while sent and sent[0] <= now - seconds:
        sent.popleft()
    return sent[0] + seconds - now if len(sent) >= most else 0.0


def allowed(kind: str, types: Sequence[str]) -> bool:
    """Whether updates of the kind are wanted; an empty list means what the API sends by default."""
    if types:
        return kind in types
    return kind not in ("chat_member", "message_reaction", "message_reaction_count")
