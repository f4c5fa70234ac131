"""`supportbot demo` as a person starts it: a shop with the chat and the console on one port, gone afterwards."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import jwt

from tests.acceptance.processes import ROOT


@dataclass
class Demo:
    process: subprocess.Popen[str]
    url: str
    console: str
    login: str
    password: str
    said: str


@contextmanager
def demo(folder: Path) -> Iterator[Demo]:
    path = f"{ROOT}{os.pathsep}{ROOT / 'adapters'}"
    process = subprocess.Popen(
        [sys.executable, "-m", "supportbot", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": path},
        cwd=ROOT,
    )
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Ctrl-C" in line:
                break
        found = re.search(r"(http://\S+)/\n.*(http://\S+/console)\s+as (\S+) with the password (\S+)", said)
        assert found is not None, said
        yield Demo(process, *found.groups(), said)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)  # it ends the carrier's service too
        process.wait(20)
        process.stdout.close()


def test_the_demo_shows_a_shop_its_chat_and_the_console_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with demo(tmp_path) as running, httpx2.Client(trust_env=False, timeout=20) as http:
        assert "without a model" in running.said and running.said.count(running.password) == 1
        shop = http.get(running.url + "/")
        assert 'src="/chat/widget.js"' in shop.text and "Table lamp Fjord" in shop.text
        assert http.get(running.url + "/chat/widget.js").headers["content-type"].startswith("text/javascript")
        assert http.get(running.url + "/chat/config").json()["bot"] == "Acme Home"
        form = {"login": running.login, "password": running.password}
        origin = {"origin": running.url, "sec-fetch-site": "same-origin"}
        assert http.post(running.console + "/sign-in", data=form, headers=origin).status_code == 303
        assert "Nobody waits" in http.get(running.console + "/queue").text
        token = http.post(running.url + "/sign-in").json()["token"]
        made = http.post(running.url + "/chat/sessions", json={"user_token": token}).json()
        assert made["identified"] and made["name"] == "Jana Berger"
        forged = jwt.encode({"sub": "1", "exp": time.time() + 60}, "x" * 32, "HS256")
        assert http.post(running.url + "/chat/sessions", json={"user_token": forged}).status_code == 401
        began = time.monotonic()
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(20) == 0
        assert time.monotonic() - began < 10
    assert list(tmp_path.iterdir()) == []


def test_a_second_demo_finds_another_port(tmp_path: Path) -> None:
    with demo(tmp_path) as first, demo(tmp_path) as second:
        assert first.url != second.url
        for one in (first, second):
            assert httpx2.get(one.url + "/healthz", trust_env=False).json() == {"alive": True}
