"""What sqlite3 raises, said in this house's errors: whose fault, which file, what to do."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from supportbot.errors import StoreBusy, StoreError, StoreFull

_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FULL = {sqlite3.SQLITE_FULL}
_NOT_WRITABLE = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_CANTOPEN,
}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def translated(error: sqlite3.Error, path: Path) -> StoreError:
    """The StoreError that says the same; its cause stays the sqlite3 error."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    found = _sentence(code & 0xFF, getattr(error, "sqlite_errorname", ""), path)
    said = found or StoreError(f"{path}: the database refused: {error}. Run `supportbot db check`.")
    said.__cause__ = error
    return said


def _sentence(primary: int, name: str, path: Path) -> StoreError | None:
    if primary in _BUSY:
        return StoreBusy(
            f"{path} is locked by a program outside supportbot (a database browser, a copy job): "
            "close it and try again."
        )
    if primary in _FULL:
        return StoreFull(f"{path} cannot grow, the disk is full: free some space. Nothing was written.")
    if primary in _NOT_WRITABLE:
        return StoreFull(
            f"{path} cannot be written ({name}): look at the disk's space and health, "
            "and at the rights of the file and its folder. Nothing was written."
        )
    if primary in _DAMAGED:
        return StoreError(
            f"{path} is damaged or no SQLite database ({name}): run `supportbot db check`, "
            "then `supportbot db restore` with a backup."
        )
    return None


def translated_os(error: OSError, path: Path) -> StoreError:
    """The same for what the operating system says about the file or its folder."""
    reason = error.strerror or type(error).__name__
    kind = StoreFull if error.errno in _NO_ROOM else StoreError
    said = kind(f"{path} cannot be opened ({reason}): look at the path, its rights and the disk's space.")
    said.__cause__ = error
    return said


_NO_ROOM = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
