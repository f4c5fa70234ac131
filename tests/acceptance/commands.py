"""The command line as somebody at a shell meets it: real processes, their exit codes and what they print."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from supportbot.testing.receiver import signed_headers
from supportbot.testing.site import SECRET

COMMAND = (sys.executable, "-m", "supportbot")
_FOREIGN = ("OPENAI_", "SLACK_", "TELEGRAM_", "NO_COLOR")
_LOG = re.compile(r"\{|\d{4}-\d\d-\d\dT")
_LISTENING = re.compile(r'"port": (\d+).*"event": "listening"|listening .*\bport=(\d+)')


def environment(**more: str) -> dict[str, str]:
    """This environment without anything that would configure a bot."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return kept | {"PYTHONWARNINGS": "default"} | more


@dataclass(frozen=True, slots=True)
class Done:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def sentences(self) -> list[str]:
        """The lines on standard error that are no log."""
        return [line for line in self.err.splitlines() if line.strip() and not _LOG.match(line)]

    @property
    def rows(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


def run(folder: Path, *args: str, stdin: bytes = b"", seconds: float = 60, **env: str) -> Done:
    """Runs one command in the folder to its end."""
    done = subprocess.run(
        [*COMMAND, *args], cwd=folder, input=stdin, capture_output=True, timeout=seconds, env=environment(**env)
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


def assert_refused(done: Done, *fragments: str, problems: int = 1) -> None:
    """Exit code 2, one sentence per problem on standard error, nothing else and never a traceback."""
    assert done.code == 2, done
    assert "Traceback" not in done.out + done.err
    assert len(done.sentences) == problems, done.err
    assert done.sentences[0].startswith("supportbot: ")
    for fragment in fragments:
        assert fragment in done.err, done.err


@dataclass
class Server:
    """A running `supportbot serve`; `log` grows while it runs."""

    process: subprocess.Popen[str]
    port: int
    log: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def post(
        self,
        id: str,
        text: str = "hi",
        *,
        wait: float = 0,
        raw: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> httpx2.Response:
        """Sends a signed webhook on channel `desk`, or `raw` bytes, or with other headers."""
        body = {"id": id, "conversation": f"c-{id}", "user": {"id": "u"}, "text": text, **fields}
        raw = json.dumps(body).encode() if raw is None else raw
        headers = signed_headers(SECRET, id, raw) if headers is None else headers
        query = f"?wait={wait:g}" if wait else ""
        with httpx2.Client(trust_env=False, timeout=40) as client:
            return client.post(f"{self.url}/webhook/desk{query}", content=raw, headers=headers)

    def get(self, path: str) -> httpx2.Response:
        with httpx2.Client(trust_env=False, timeout=40) as client:
            return client.get(self.url + path)

    def answers(self, id: str = "good", text: str = "hi") -> list[str]:
        """What the bot says to a good message, waited for."""
        response = self.post(id, text, wait=20)
        assert response.status_code == 200, response.text
        return [reply["text"] for reply in response.json()["replies"]]

    def stop(self, how: signal.Signals = signal.SIGTERM, seconds: float = 30) -> int:
        """Ends it and gives its exit code."""
        self.process.send_signal(how)
        return self.process.wait(seconds)


@contextmanager
def serving(folder: Path, *args: str, **env: str) -> Iterator[Server]:
    """`supportbot serve` on a free port while the block runs."""
    command = [*COMMAND, "serve", "--port", "0", *args]
    with subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, env=environment(**env)
    ) as process:
        assert process.stderr is not None
        log: list[str] = []
        try:
            for line in process.stderr:
                log.append(line)
                if found := _LISTENING.search(line):
                    break
            else:
                raise AssertionError("the server did not start: " + "".join(log))
            reader = threading.Thread(target=log.extend, args=(process.stderr,))
            reader.start()
            yield Server(process, int(found[1] or found[2]), log)
        finally:
            if process.poll() is None:
                process.kill()
        process.wait()
        reader.join()
    assert "Traceback" not in "".join(log), "".join(log)
