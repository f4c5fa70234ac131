"""How a command that writes reaches the store: through the running server, or straight into it when none runs."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from supportbot.errors import UsageError
from supportbot.stores import SqliteStore
from supportbot.types import Address, Message
from supportbot.types.console import Account, AccountChange
from supportbot.web import control


async def address_of(path: Path, conversation: str) -> Address:
    store = SqliteStore.read_only(path)
    await store.open()
    try:
        return (await store.conversation(conversation)).address
    finally:
        await store.close()


async def deliver(path: Path, message: Message) -> bool:
    """Stores the message; whether a server runs that acts on it now."""
    with contextlib.suppress(UsageError):
        await control.send_to_server(path.with_suffix(".sock"), message)
        return True
    writable = SqliteStore(path, enqueue=lambda transaction, job: None)
    await writable.open()
    try:
        now = time.time()
        await writable.receive(message, now=now, ready_at=now)
    finally:
        await writable.close()
    return False


async def change_account(path: Path, change: AccountChange) -> Account:
    """Changes an account of the console, and makes the database if there is none yet; the account as it is now."""
    with contextlib.suppress(UsageError):
        return await control.change_account(path.with_suffix(".sock"), change)
    writable = SqliteStore(path, enqueue=lambda transaction, job: None)
    await writable.open()
    try:
        return await writable.console.apply(change, now=time.time())
    finally:
        await writable.close()
