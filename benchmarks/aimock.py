"""Starts aimock, an independent mock of the OpenAI API (npm package @copilotkit/aimock), on loopback.

    with aimock([{"match": {"userMessage": "hello"}, "response": {"content": "Hi there!"}}]) as base_url:
        ...

Its author knows nothing of this project, so it checks our reading of the wire against somebody else's. It is installed
once into a folder of its own under the temporary directory, or into $AIMOCK_HOME.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import npm

VERSION = "1.43.0"
PACKAGE = "@copilotkit/aimock"
_LISTENING = re.compile(r"listening on (http://127\.0\.0\.1:\d+)")
_START_SECONDS = 20.0


def installed() -> Path:
    """The folder of the installed package, installing it first if need be. Raises npm.Missing."""
    return npm.installed(PACKAGE, VERSION, "AIMOCK_HOME")


@contextmanager
def aimock(fixtures: Sequence[Mapping[str, Any]], *, key: str = "", options: Sequence[str] = ()) -> Iterator[str]:
    """The base_url of a server with these fixtures that takes only `key` ("" = any). Raises npm.Missing."""
    cli = installed() / "dist" / "cli.js"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "fixtures.json"
        file.write_text(json.dumps({"fixtures": list(fixtures)}))
        command = ["node", str(cli), "--port", "0", "--fixtures", str(file), "--strict", *options]
        env = {**os.environ, **({"AIMOCK_API_KEYS": key} if key else {})}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        try:
            yield f"{_address(process)}/v1"
        finally:
            process.terminate()
            process.wait(timeout=10)
            assert process.stdout is not None
            process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    """Reads the log until the server listens, then drains it in a thread; a silent server is ended after a while."""
    assert process.stdout is not None
    watchdog = threading.Timer(_START_SECONDS, process.kill)
    watchdog.start()
    try:
        for line in process.stdout:
            found = _LISTENING.search(line)
            if found:
                threading.Thread(target=_drain, args=(process,), daemon=True).start()
                return found.group(1)
    finally:
        watchdog.cancel()
    raise npm.Missing("aimock ended before it listened")


def _drain(process: subprocess.Popen[str]) -> None:
    """Keeps the pipe empty, so that the server never blocks on its own log."""
    assert process.stdout is not None
    try:
        for _ in process.stdout:
            pass
    except ValueError:
        pass  # closed at the end
