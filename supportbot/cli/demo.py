"""`supportbot demo`: the example bot in the terminal, in a folder that is thrown away afterwards."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from supportbot.cli.chat import talk
from supportbot.cli.init import copy
from supportbot.config import load

HINT = (
    'Try: "where\'s my parcel" (order A-10002, postcode 10115) · "I want to send it back" (A-10014, 20457) · '
    '"how do I wash linen?" · "talk to a human". What you change here is forgotten when you leave.'
)


def run(*, with_model: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="supportbot-demo-") as name:
        folder = Path(name) / "bot"
        copy(folder)
        files = load(folder / "config.yaml", env=os.environ)
        model = None if with_model else "offline"
        return talk(files, store=None, name="", conversation="demo", model=model, hint=HINT)
