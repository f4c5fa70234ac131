"""The files that customers sent: each is kept once, under the SHA-256 of its content, in a folder beside the database.

1. A file is complete or not there: it is written beside its place, synced, and renamed.
2. A file that nobody has used for the time to keep is deleted.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from supportbot.errors import NotFound, StoreFull

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class FileStore:
    """Files in `folder`, which is made with the first one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def keep(self, content: bytes) -> str:
        """The digest of the content, once it is safely on the disk. Raises StoreFull."""
        return await asyncio.to_thread(self._keep, content)

    async def read(self, digest: str) -> bytes:
        return await asyncio.to_thread(self._read, digest)

    async def sweep(self, keep: float, *, spare: Collection[str] = ()) -> int:
        """Deletes what nobody has kept or read for `keep` seconds, apart from the digests in `spare`; how many."""
        return await asyncio.to_thread(self._sweep, time.time() - keep, frozenset(spare))

    def _path(self, digest: str) -> Path:
        if not _DIGEST.match(digest):
            raise NotFound("That is no digest of a file.")
        return self.folder / digest[:2] / digest

    def _keep(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(digest)
        try:
            with suppress(FileNotFoundError):  # it may be swept away just now
                os.utime(path)
                return digest
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial = path.with_name(f"{digest}.{secrets.token_hex(4)}.partial")
            try:
                _write(partial, content)
                partial.rename(path)
                _sync(path.parent)
            finally:
                partial.unlink(missing_ok=True)
        except OSError as error:
            raise StoreFull(f"A file could not be kept in {self.folder}: {error.strerror}.") from error
        return digest

    def _read(self, digest: str) -> bytes:
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except OSError:
            raise NotFound(f"The file {digest[:12]} is not kept any more.") from None
        with suppress(OSError):
            os.utime(path)
        return content

    def _sweep(self, before: float, spare: frozenset[str]) -> int:
        removed = 0
        for path in self.folder.glob("??/*"):
            with suppress(OSError):
                if path.name not in spare and path.stat().st_mtime < before:
                    path.unlink()
                    removed += 1
        return removed


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """A new name in a folder is on the disk only with the folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
