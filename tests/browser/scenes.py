"""What happens in the house before somebody looks at it: flows, a model, customers who write, agents who act."""

from __future__ import annotations

import itertools
import json
import re
import secrets
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page, expect

from supportbot.testing.openai_payloads import Fault, Say
from tests.browser.people import Agent, Customer
from tests.browser.stage import PASSWORD, Stage

RICH = """# How to wash linen

Wash it **at 40 degrees**, *gently*, and ~~never~~ rarely bleach it. See [our care page](https://shop.example/care).

- First the whites
  1. sorted
  2. soaked
- then `colours`

> Grandmother knew that already.

```python
wash("linen", degrees=40, detergent="mild", with_a_line_that_is="longer than the bubble is wide, by far")
```

| Cloth | Degrees | Detergent that we would take for it |
|:------|--------:|:-----------------------------------:|
| Linen | 40      | mild                                |
| Wool  | 30      | for wool                            |

---

That is all."""
PLAIN = "Linen is washed at 40 degrees, with a mild detergent."
_numbers = itertools.count()
_CHOICES = {
    "flow": "choices",
    "title": "Something else",
    "start": [{"phrases": {"en": ["give me choices"]}}, {"button": "choices"}],
    "steps": [
        {
            "say": {
                "text": "What would you like to do?",
                "buttons": [
                    {"id": "colours", "label": "Choose a colour", "style": "primary"},
                    {"id": "drop", "label": "Cancel everything", "style": "danger"},
                    {"id": "look", "label": "Look around"},
                    {"label": "Our shop", "url": "https://shop.example/"},
                ],
            }
        }
    ],
}
_MENU = {
    "flow": "colours",
    "title": "A colour",
    "start": [{"phrases": {"en": ["which colours"]}}, {"button": "colours"}],
    "steps": [
        {
            "say": {
                "text": "Which colour shall it be?",
                "menu": True,
                "buttons": [
                    {"id": f"colour{n}", "label": f"{name} linen"}
                    for n, name in enumerate(("White", "Grey", "Blue", "Green", "Red", "Sand", "Black", "Rose"))
                ],
            }
        }
    ],
}
CONFIG: Mapping[str, Any] = {
    "web": {
        "greeting": {"en": "Hello, this is Acme. How can I help?", "de": "Hallo, hier ist Acme.", "ar": "مرحبا"},
        "prompts": ["choices", {"en": "How do I wash linen?", "de": "Wie wasche ich Leinen?"}],
        "rate": 600,
    },
    "handoff": {
        "rating": True,
        "reopen": "1h",
        "rules": [
            {"name": "safety", "words": {"en": ["smoke"]}, "priority": "urgent", "tags": ["safety"]},
            {"name": "money", "words": {"en": ["refund"]}, "priority": "high", "tags": ["billing"]},
        ],
    },
    "desks": {
        "front": {"channel": "console", "agents": {"Maya Brand": {"id": "maya"}, "Jonas Weber": {"id": "jonas"}}},
        "billing": {"channel": "console"},
    },
}


def write_flows(folder: Path) -> None:
    (folder / "flows").mkdir(parents=True, exist_ok=True)
    for flow in (_CHOICES, _MENU):
        (folder / "flows" / f"{flow['flow']}.yaml").write_text(json.dumps(flow), "utf-8")


def model(body: Mapping[str, Any]) -> Say | Fault:
    """Knows linen; "everything" is answered in all that Markdown has, "slowly" takes its time."""
    said = str(body["messages"][-1].get("content", "")).lower()
    if "firework" in said:
        return Fault("server_error")
    if "slowly" in said:
        return Say(PLAIN, delay=1.5, pace=0.2)
    return Say(RICH if "everything" in said else PLAIN)


def png(width: int = 240, height: int = 160) -> bytes:
    """A picture in one colour."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = (b"\0" + b"\x23\x58\x3f" * width) * height
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def file(name: str, kind: str, content: bytes) -> Any:
    """A file as playwright gives it to a page."""
    return {"name": name, "mimeType": kind, "buffer": content}


PICTURE = file("broken lamp.png", "image/png", png())
NOTE = file("receipt of the lamp, which has a rather long name.txt", "text/plain", b"Paid: 20 EUR\n")


async def sends_files(customer: Customer, text: str, *files: Any) -> None:
    """Chooses files in the chat and sends them with the text."""
    await customer.page.locator("[part=picker]").set_input_files(list(files))
    await expect(customer.page.locator("[part=upload] progress")).to_have_count(0, timeout=10_000)
    await customer.says(text)


async def asks(stage: Stage, chat: str, name: str, *texts: str, answered: bool = True) -> None:
    """A customer of another channel writes, one text after the other; a human who has them does not answer at once."""
    for text in texts:
        id = f"{chat}-{next(_numbers)}"
        await stage.place.post(text, conversation=chat, id=id, user={"id": f"u-{chat}", "name": name})
        if answered:
            await stage.place.answered({id})


async def signed_in(context: BrowserContext, stage: Stage, login: str, password: str = PASSWORD) -> Page:
    """A page of the console with somebody signed in."""
    page = await context.new_page()
    await Agent(page, stage).signs_in(login, password)
    return page


async def conversation(page: Page, stage: Stage, words: str) -> str:
    """The id of the conversation in which these words were said."""
    found = await page.request.get(f"{stage.bot}/console/conversations", params={"q": words})
    match = re.search(r'data-item href="/console/c/([A-Za-z0-9_-]+)"', await found.text())
    assert match is not None, f"nobody said {words!r}"
    return match[1]


async def does(page: Page, stage: Stage, id: str, act: str, *, files: Sequence[Any] = (), **fields: str) -> None:
    """What the conversation's page sends when somebody presses a button on it."""
    text = await (await page.request.get(f"{stage.bot}/console/c/{id}")).text()
    shown = {name: _hidden(text, name) for name in ("csrf", "handoff")}
    form = {"act": secrets.token_urlsafe(18), **shown, **fields, **({"files": files[0]} if files else {})}
    headers = {"Origin": stage.bot, "Sec-Fetch-Site": "same-origin", "HX-Request": "true"}
    answer = await page.request.post(f"{stage.bot}/console/c/{id}/{act}", multipart=form, headers=headers)
    assert answer.ok, await answer.text()


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    return found[1] if found else ""
