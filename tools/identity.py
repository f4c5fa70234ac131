"""Sends a customer the code that proves who they are. The flow `verify` has it sent and checks what they type.

Two rules:
- Whether somebody is a customer is not told: the caller answers the same when nobody has this address.
- The code goes to the address that the shop knows, never to one that was typed in the chat.

Here "sending" writes a file to the folder `mail` beside the shop's database, to be read while you try the bot. A real
shop hands `_text(…)` to its mail service at that place.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

from shop_tools import language, open_shop, shop_file
from supportbot import Limit, ToolContext, tool

MINUTES = 10  # how long the code can be used; `identity.code_lasts` in the config

MAILS = (
    """\
To: {name} <{address}>
Subject: Your code for Acme Home: {code}

Hello {name},

your code is {code}

Type it into the chat in which you have asked for it. It can be used for {minutes} minutes.

Never tell it to anyone who asks you for it, on the phone, by e-mail or elsewhere; we never will. If you have not asked
for a code, you need not do anything.

Acme Home
""",
    """\
To: {name} <{address}>
Subject: Ihr Code für Acme Home: {code}

Guten Tag, {name},

Ihr Code lautet {code}

Geben Sie ihn in dem Chat ein, in dem Sie ihn angefordert haben. Er gilt {minutes} Minuten.

Nennen Sie ihn niemandem, der Sie danach fragt, weder am Telefon noch per E-Mail noch anderswo; wir fragen nie danach.
Wenn Sie keinen Code angefordert haben, müssen Sie nichts tun.

Acme Home
""",
)


# whoever asks, and whatever the address: nobody has codes sent by the hundred
@tool(effects=True, private=True, limits=[Limit(times=5), Limit(times=5, per="contact")])
def send_code(contact: str, code: str, context: ToolContext) -> dict[str, str] | None:
    """Sends the code to the customer with this e-mail address: {customer, name}; None if nobody has it.

    Args:
        contact: The e-mail address that was given.
        code: The code to send.
    """
    with open_shop(context.locale) as shop:
        sql = "SELECT id, name, email FROM customers WHERE lower(email) = ?"
        found = shop.execute(sql, (contact.strip().lower(),)).fetchone()
    if found is None:
        return None
    _write(found["email"], _text(found["name"], found["email"], code, context.locale))
    return {"customer": str(found["id"]), "name": found["name"]}


def _text(name: str, address: str, code: str, locale: str) -> str:
    mail = MAILS[language(locale) == "de"]
    return mail.format(name=name, address=address, code=code, minutes=MINUTES)


def _write(address: str, text: str) -> None:
    """Puts the mail into a file that nobody else on this machine can read."""
    folder = shop_file().parent / "mail"
    folder.mkdir(parents=True, exist_ok=True)
    time = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    path = folder / f"{time}-{re.sub(r'[^A-Za-z0-9@._+-]', '_', address)}.txt"
    with open(path, "x", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
