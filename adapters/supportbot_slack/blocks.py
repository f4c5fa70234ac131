"""A reply as Slack's Block Kit: text in sections, buttons in rows or a menu, images. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supportbot.markup import plain
from supportbot.types import Attachment, Button, Rendering, Reply
from supportbot_slack.mrkdwn import escape, sections

Json = dict[str, Any]

ROW, MANY, OPTIONS = 5, 10, 100
LABEL, BLOCKS = 75, 50
NOTICE = 3000
_URL = 3000
_CHOICE = "for"
_LINKS = "links"


@dataclass(frozen=True, slots=True)
class Shown:
    """What is posted: blocks, the same as plain text for notifications, and what did not fit and why.

    `below` are the blocks after the text, `uploads` the files that have to be uploaded.
    """

    text: str
    blocks: tuple[Json, ...]
    below: tuple[Json, ...] = ()
    uploads: tuple[Attachment, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def whole(self) -> tuple[Json, ...]:
        return self.blocks + self.below


def shown(reply: Reply, *, user: str = "", thread: str = "", origin: str = "", first: str = "") -> Shown:
    """The reply for a user (its buttons are for nobody else) in a thread; `first` is a line of mrkdwn above it.

    `origin` is the channel whose conversation goes on in the user's direct messages.
    """
    above = [context(first)] if first else []
    words = [section(piece) for piece in sections(reply.text)]
    pictures = [_picture(file) for file in reply.files if _is_picture(file)]
    linked = [section(_file_link(file)) for file in reply.files if _is_link(file)]
    buttons = list(_buttons(reply, f"{_CHOICE}:{user}:{thread}:{origin}"))
    return Shown(
        text=_notice(reply),
        blocks=(*above, *words),
        below=(*pictures, *linked, *buttons)[: BLOCKS - len(above) - len(words)],
        uploads=tuple(file for file in reply.files if not _is_picture(file) and not _is_link(file)),
        warnings=tuple(_warnings(reply)),
    )


def without_blocks(reply: Reply) -> str:
    """The whole reply as escaped text, with its choices as a list, for when Slack takes no blocks."""
    choices = "\n".join(
        f"• {button.label}" + (f": {button.url}" if button.url else "") for button in reply.buttons
    )
    files = "\n".join(f"{file.name}: {file.url}" for file in reply.files if file.url)
    return escape("\n\n".join(part for part in (plain(reply.text), choices, files) if part))


def settled(blocks: Sequence[Mapping[str, Any]], label: str) -> list[Json]:
    """A message's blocks after a choice: the choice itself in the place of the buttons."""
    found: list[Json] = []
    for block in blocks:
        if not str(block.get("block_id", "")).startswith(f"{_CHOICE}:"):
            found.append(dict(block))
        elif not any(one.get("block_id") == _CHOICE for one in found):
            found.append({**context(f"✓ {escape(label)}"), "block_id": _CHOICE})
    return found


def preview(reply: Reply) -> Rendering:
    """What a person sees, in words, and what is posted."""
    posted = shown(reply, user="U0CUSTOMER")
    lines = [plain(reply.text)]
    lines += [f"[image: {file.name}]" for file in reply.files if _is_picture(file)]
    lines += [f"[file: {file.name}]" for file in reply.files if not _is_picture(file)]
    choices = [button for button in reply.buttons if not button.url]
    if _as_menu(reply, choices):
        lines += ["[ … ▾ ]", *(f"  {_label(button)}" for button in choices)]
    else:
        lines += [" ".join(f"[ {_label(button)} ]" for button in row) for row in _rows(choices, ROW)]
    lines += [f"[ {_label(button)} ↗ ] {button.url}" for button in reply.buttons if button.url]
    request = {"method": "chat.postMessage", "text": posted.text, "blocks": list(posted.whole)}
    files = [{"method": "files.completeUploadExternal", "title": file.name} for file in posted.uploads]
    return Rendering("\n".join(line for line in lines if line), (request, *files), posted.warnings)


# --- text ----------------------------------------------------------------------------------------------------


def _notice(reply: Reply) -> str:
    """The text of the notification; never blank if there is anything to say."""
    text = plain(reply.text).strip() or ", ".join(file.name for file in reply.files)
    text = text or " / ".join(button.label for button in reply.buttons)
    return escape(text if len(text) <= NOTICE else text[: NOTICE - 1] + "…")


def section(text: str) -> Json:
    """A paragraph of mrkdwn."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def context(text: str) -> Json:
    """A line of mrkdwn in small letters."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _label(button: Button) -> str:
    label = " ".join(button.label.split()) or "…"
    return label if len(label) <= LABEL else label[: LABEL - 1] + "…"


def plain_text(text: str) -> Json:
    """The text object of a label."""
    return {"type": "plain_text", "text": text, "emoji": False}


# --- files ---------------------------------------------------------------------------------------------------


def _has_url(file: Attachment) -> bool:
    return not file.digest and file.url.startswith(("https://", "http://")) and len(file.url) <= _URL


def _is_picture(file: Attachment) -> bool:
    return _has_url(file) and file.media_type.startswith("image/")


def _is_link(file: Attachment) -> bool:
    return _has_url(file) and not _is_picture(file)


def _picture(file: Attachment) -> Json:
    return {"type": "image", "image_url": file.url, "alt_text": file.name[:2000] or "image"}


def _file_link(file: Attachment) -> str:
    address = escape(file.url).replace("|", "%7C").replace("&lt;", "%3C").replace("&gt;", "%3E")
    return f"<{address}|{escape(file.name[:200] or 'file')}>" if len(address) < 2500 else escape(file.name[:200])


# --- buttons -------------------------------------------------------------------------------------------------


def _as_menu(reply: Reply, choices: Sequence[Button]) -> bool:
    return bool(choices) and (reply.menu or len(choices) > MANY)


def _buttons(reply: Reply, prefix: str) -> Iterator[Json]:
    """Rows of at most five buttons, or menus; links stand apart, as they stay when a choice is made."""
    choices = [button for button in reply.buttons if not button.url]
    links = [button for button in reply.buttons if button.url]
    if _as_menu(reply, choices):
        elements = [[_menu(part)] for part in _rows(choices, OPTIONS)]
    else:
        elements = [[_button(button) for button in row] for row in _rows(choices, ROW)]
    for number, row in enumerate(elements):
        for place, element in enumerate(row):
            element["action_id"] = f"choice:{number}:{place}"
        yield {"type": "actions", "block_id": f"{prefix}:{number}", "elements": row}
    for number, row in enumerate([_link(button) for button in part] for part in _rows(links, ROW)):
        for place, element in enumerate(row):
            element["action_id"] = f"link:{number}:{place}"
        yield {"type": "actions", "block_id": f"{_LINKS}:{number}", "elements": row}


def _button(button: Button) -> Json:
    found: Json = {"type": "button", "text": plain_text(_label(button)), "value": _value(button, 2000)}
    return found | ({"style": button.style} if button.style else {})


def _link(button: Button) -> Json:
    found: Json = {"type": "button", "text": plain_text(_label(button)), "url": button.url[:_URL]}
    return found | ({"style": button.style} if button.style else {})


def _menu(buttons: Sequence[Button]) -> Json:
    options = [{"text": plain_text(_label(button)), "value": _value(button, 150)} for button in buttons]
    return {"type": "static_select", "placeholder": plain_text("…"), "options": options}


def _rows(buttons: Sequence[Button], size: int) -> Iterator[Sequence[Button]]:
    return (buttons[at : at + size] for at in range(0, len(buttons), size))


def _value(button: Button, most: int) -> str:
    return (button.press or button.id or _label(button))[:most]


def _warnings(reply: Reply) -> Iterator[str]:
    for button in reply.buttons:
        if len(button.label) > LABEL:
            yield f"the button {button.label[:30]!r}… has {len(button.label)} characters; Slack shows {LABEL}"
        if len(button.url) > _URL:
            yield f"the link of the button {button.label[:30]!r} has more than {_URL:,} characters"
        if button.asks:
            yield f"the button {button.label[:30]!r} asks for the customer's {button.asks}, which Slack cannot"
    choices = sum(not button.url for button in reply.buttons)
    if choices > OPTIONS:
        yield f"there are {choices} choices; a menu in Slack has at most {OPTIONS}, so there will be several"
    if len(sections(reply.text)) > BLOCKS - 5:
        yield "the text is too long for one message"
