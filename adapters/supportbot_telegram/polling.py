"""Long polling, for a bot that Telegram cannot reach: fetch, store, and only then move the offset.

The library's own Updater keeps updates in memory and confirms them before anybody has stored them, so it is not used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from telegram.error import TelegramError

from supportbot import StoreError
from supportbot_telegram.api import Api, reason
from supportbot_telegram.inbound import ALLOWED_UPDATES
from supportbot_telegram.intake import Intake
from supportbot_telegram.tasks import Backoff

SECONDS = 25
_BATCH = 100


async def poll(api: Api, intake: Intake) -> None:
    """Takes in updates until it is cancelled. Whatever Telegram or the store does, it goes on."""
    offset: int | None = None
    backoff = Backoff()
    while True:
        try:
            for update in await _fetch(api, offset):
                await intake.take(update)
                offset = update["update_id"] + 1
            backoff.reset()
        except TelegramError as error:
            intake.log("telegram.polling_failed", channel=intake.channel, error=reason(error))
            await asyncio.sleep(backoff.seconds(error))
        except StoreError as error:
            intake.log("telegram.not_stored", channel=intake.channel, error=str(error))
            await asyncio.sleep(backoff.seconds())
        except Exception as error:  # noqa: BLE001 - named boundary: the loop must outlive any one update
            intake.log(
                "telegram.polling_failed", channel=intake.channel, error=type(error).__name__, exc_info=True
            )
            await asyncio.sleep(backoff.seconds())


async def _fetch(api: Api, offset: int | None) -> Sequence[dict[str, Any]]:
    """The next updates, () if none came."""
    fields: dict[str, Any] = {"timeout": SECONDS, "limit": _BATCH, "allowed_updates": list(ALLOWED_UPDATES)}
    if offset is not None:
        fields["offset"] = offset
    found = await api.call("getUpdates", fields, seconds=SECONDS + 10)
    if not isinstance(found, list) or not all(_numbered(update) for update in found):
        raise TelegramError("the updates are no list of numbered updates")
    return found


def _numbered(update: object) -> bool:
    return isinstance(update, dict) and isinstance(update.get("update_id"), int)
