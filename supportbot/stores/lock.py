"""One process owns a database: a lock file beside it, let go by the kernel however the process ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from supportbot.errors import StoreBusy
from supportbot.stores.failures import translated_os


class DatabaseLock:
    """Owns `<database>.lock` from construction until `release()`; raises StoreBusy naming the owner's pid.

    The file itself stays: removing it would let two processes lock two files of one name.
    """

    def __init__(self, database: Path) -> None:
        self._descriptor = -1
        path = database.with_name(database.name + ".lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise translated_os(error, path) from error
        try:
            _take(descriptor, database)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Lets go; harmless a second time."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _take(descriptor: int, database: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
        raise StoreBusy(
            f"{database} belongs to the running process {owner}: stop that one first, or use another database."
        ) from error
    except OSError as error:
        raise translated_os(error, database) from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise translated_os(error, database) from error
