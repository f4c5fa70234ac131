"""What a customer sees after pressing a button: the wait ends, and the message shows what was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from telegram.error import BadRequest

from supportbot_telegram.api import Api
from supportbot_telegram.compose import TEXT_LIMIT, Request
from supportbot_telegram.entities import utf16
from supportbot_telegram.inbound import Press
from supportbot_telegram.words import say

_MARK = "✓"


async def answer(api: Api, press: Press, *, fresh: bool) -> None:
    """Ends the wait on the customer's phone, and marks the choice if it is the first one here."""
    fields: dict[str, Any] = {"callback_query_id": press.query}
    if press.foreign:
        fields |= {"text": say("not_yours", press.locale), "show_alert": True}
    elif press.data and not fresh:
        fields["text"] = say("chosen", press.locale)
    await _try(api, Request("answerCallbackQuery", fields))
    change = marked(press) if fresh and not press.foreign else None
    if change is not None:
        await _try(api, change)


def marked(press: Press) -> Request | None:
    """The change that shows the choice below the text, or on the button where there is no room. Links stay."""
    rows: Sequence[Sequence[Mapping[str, Any]]] = press.under.get("reply_markup", {}).get("inline_keyboard", ())
    label = next((str(one["text"]) for row in rows for one in row if one.get("callback_data") == press.data), None)
    if label is None:
        return None
    links = [kept for row in rows if (kept := [dict(one) for one in row if one.get("url")])]
    place = {"chat_id": press.chat, "message_id": press.message}
    shown = f"{_MARK} {label}"
    text = press.under.get("text")
    if isinstance(text, str) and utf16(longer := f"{text}\n\n{shown}") <= TEXT_LIMIT:
        fields = {**place, "text": longer, "link_preview_options": {"is_disabled": True}}
        if entities := press.under.get("entities"):
            fields["entities"] = list(entities)
        if links:
            fields["reply_markup"] = {"inline_keyboard": links}
        return Request("editMessageText", fields)
    keyboard = [[{"text": shown, "callback_data": press.data}], *links]
    return Request("editMessageReplyMarkup", {**place, "reply_markup": {"inline_keyboard": keyboard}})


async def _try(api: Api, request: Request) -> None:
    """A press that is too old to be answered, or a message that is gone, is no reason to stop."""
    try:
        await api.call(request.method, request.fields)
    except BadRequest:
        return
