"""`supportbot demo`: the example bot in the terminal, in a folder that is thrown away afterwards."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from supportbot.cli.chat import talk
from supportbot.cli.init import copy
from supportbot.config import load

HINT = (
    'Try: "where\'s my parcel" (order A-10002, postcode 10115) · "can you recommend a light for reading" · "show my '
    'orders" (jana.berger@example.org) · "how do I wash linen?" · "talk to a human". What you change here is forgotten '
    "when you leave.\nMail that the shop sends: {mail}"
)
_END_SECONDS = 5.0


def run(*, with_model: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="supportbot-demo-") as name:
        folder = Path(name) / "bot"
        copy(folder)
        with _carrier(folder) as address:
            files = load(folder / "config.yaml", env={**os.environ, "DELIVERY_URL": address})
            model = None if with_model else "offline"
            hint = HINT.format(mail=folder / "data" / "mail")
            return talk(files, store=None, name="", conversation="demo", model=model, hint=hint)


@contextlib.contextmanager
def _carrier(folder: Path) -> Iterator[str]:
    """The example's delivery service on a free port of this machine; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = (sys.executable, str(folder / "tools" / "delivery_service.py"), "--port", str(port))
    quiet = subprocess.DEVNULL
    service = subprocess.Popen(command, cwd=folder, stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603 - our own file
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        service.terminate()
        try:
            service.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()
