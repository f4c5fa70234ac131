"""Files from customers and to them: docs.slack.dev/messaging/working-with-files."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from supportbot.errors import ChannelBusy, ChannelRefused, FileTooLarge
from supportbot.types import Attachment
from supportbot_slack.faults import Refusal
from supportbot_slack.fields import or_empty
from supportbot_slack.web import Web, proxy_for

_HOSTS = (".slack.com", ".slack-edge.com")
_SECONDS = 60.0
_PIECE = 64 * 1024


async def fetch(web: Web, attachment: Attachment, token: str, limit: int) -> bytes:
    """The content of a customer's file; raises ChannelRefused, ChannelBusy, or Refusal of files.info."""
    if not attachment.ref:
        raise ChannelRefused("This is nothing that Slack keeps as a file.")
    if attachment.size > limit:
        raise _too_large(limit)
    found = (await web.call("files.info", file=attachment.ref)).get("file")
    about = found if isinstance(found, dict) else {}
    url = or_empty(about.get("url_private_download")) or or_empty(about.get("url_private"))
    size = about.get("size")
    if isinstance(size, int) and size > limit:
        raise _too_large(limit)
    if not trusted(url, web.api_url):
        raise ChannelRefused("The file is not kept by Slack itself, so it is not fetched.")
    page = or_empty(about.get("mimetype")) in ("text/html", "application/xhtml+xml")
    return await _download(url, token, limit, page=page)


def trusted(url: str, api_url: str) -> bool:
    """Whether the bot token may be shown there: to Slack's own hosts, and to the host of the API."""
    try:
        parts, api = urlsplit(url), urlsplit(api_url)
        port = parts.port
    except ValueError:
        return False
    if parts.username is not None or not parts.hostname:
        return False
    if (parts.scheme, parts.netloc) == (api.scheme, api.netloc):
        return True
    return parts.scheme == "https" and port in (None, 443) and parts.hostname.endswith(_HOSTS)


async def _download(url: str, token: str, limit: int, *, page: bool) -> bytes:
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    timeout = aiohttp.ClientTimeout(total=_SECONDS, sock_connect=10, sock_read=15)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
            session.get(url, headers=headers, allow_redirects=False, proxy=proxy_for(url)) as answer,
        ):
            _check(answer, page=page)
            content = bytearray()
            async for piece in answer.content.iter_chunked(_PIECE):
                content += piece
                if len(content) > limit:
                    raise _too_large(limit)
            return bytes(content)
    except (aiohttp.ClientError, OSError, TimeoutError):
        raise ChannelBusy("Slack's file server could not be reached.") from None


def _check(answer: aiohttp.ClientResponse, *, page: bool) -> None:
    if answer.status == 429 or answer.status >= 500:
        raise ChannelBusy(f"Slack's file server answered with {answer.status}.")
    if 300 <= answer.status < 400 or (answer.content_type == "text/html" and not page):
        raise ChannelRefused(
            "Slack asks for a login instead of giving the file: the app lacks the scope files:read."
        )
    if answer.status != 200:
        raise ChannelRefused(f"Slack's file server answered with {answer.status}.")


def _too_large(limit: int) -> FileTooLarge:
    return FileTooLarge(f"The file has more than {limit:,} bytes.")


async def upload(web: Web, file: Attachment, content: bytes) -> str:
    """Hands the content to Slack and returns its id, not shown to anyone yet. Raises Refusal."""
    about = await web.call("files.getUploadURLExternal", filename=file.name or "file", length=len(content))
    url = or_empty(about.get("upload_url"))
    try:
        async with web.session.post(url, data=content, allow_redirects=False, proxy=proxy_for(url)) as answer:
            if answer.status != 200:
                raise Refusal("upload", "http", status=answer.status)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        raise Refusal("upload", "connection") from None
    return or_empty(about.get("file_id"))
