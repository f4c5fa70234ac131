"""The network between a browser and the bot, to be cut and mended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Cable:
    """A TCP relay on a port of its own; `target` is the port of the server behind it, which may change."""

    def __init__(self) -> None:
        self.target = 0
        self.port = 0
        self.cut = False
        self.answers_lost = False
        """Requests arrive, and what comes back does not."""
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def sever(self) -> None:
        """Ends every connection; new ones end at once until `mend`."""
        self.cut = True
        self.drop()

    def drop(self) -> None:
        """Ends every connection that is open now."""
        for writer in list(self._open):
            writer.transport.abort()

    def mend(self) -> None:
        self.cut = self.answers_lost = False

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut:
            writer.transport.abort()
            return
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, there_writer}
        try:
            await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer, back=True))
        finally:
            self._open -= {writer, there_writer}

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool = False
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while piece := await reader.read(65_536):
                if back and self.answers_lost:
                    break
                writer.write(piece)
                await writer.drain()
        if back and self.answers_lost:
            self.drop()
        with contextlib.suppress(OSError):
            writer.close()


@contextlib.asynccontextmanager
async def cable() -> AsyncIterator[Cable]:
    made = Cable()
    server = await asyncio.start_server(made._relay, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        made.sever()
        await asyncio.sleep(0.05)
