"""`supportbot demo`: the example bot in the terminal, in a folder that is thrown away afterwards."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from supportbot.cli.chat import talk
from supportbot.cli.init import copy
from supportbot.config import load

HINT = """
Try, for example:
  where is my order?          (A-10002, mila@example.com)
  I want to send something back
  how long does delivery take?
  can I talk to a human?
The shop's orders are real rows in a small database: what you cancel is cancelled.
"""


def run(*, with_model: bool) -> int:
    with tempfile.TemporaryDirectory(prefix="supportbot-demo-") as name:
        folder = Path(name) / "bot"
        copy(folder)
        files = load(folder / "config.yaml", env=os.environ)
        model = None if with_model else "offline"
        return talk(files, store=None, name="", conversation="demo", model=model, hint=HINT)
