"""Log lines: their shape, and that no secret gets into one by any way."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
import structlog

from supportbot import logs

KNOWN = 'pa"ss\\wörd+/=42'
SHAPES = [
    "Bearer abcdefghijklmnop",
    "authorization: Basic dXNlcjpwYXNzd29yZA==",
    "sk-proj-abcdefghijklmnop",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "xoxb-123456789012-abcdefghij",
    "xapp-1-A0123-456-abcdef",
    "https://api.telegram.org/bot123456789:AAEhBOweik6ad9r_QXMENQjcrGbqCr4K-bc/sendMessage",
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    "sha256=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    "https://user:hunter22hunter22@db.example/x",
    "https://desk.example/in?x=1&access_token=hunter22hunter22&y=2",
]
PARTS = ["abcdefghij", "dXNlcjpw", "MfKQ9r8G", "AAEhBOwe", "g0hM9SsE", "a2114d57", "hunter22"]

Lines = Callable[[], list[str]]


@pytest.fixture
def start() -> Iterator[Callable[..., Lines]]:
    before = logging.getLogger().handlers[:], logging.getLogger().level

    def begin(format: Literal["json", "text"] = "json", level: logs.Level = "info") -> Lines:
        stream = io.StringIO()
        logging.getLogger().handlers.clear()  # the test runner's own, which fail loudly
        logs.setup(level, format, secrets=[KNOWN, "abc", ""], stream=stream)
        return lambda: stream.getvalue().splitlines()

    yield begin
    logging.getLogger().handlers[:] = before[0]
    logging.getLogger().setLevel(before[1])
    structlog.reset_defaults()


def test_a_line_of_json_has_the_event_its_level_logger_and_values(start: Callable[..., Lines]) -> None:
    lines = start()
    logs.get("outbox").warning("not delivered", id="o-1", attempt=2, ok=False, nothing=None, more={"a": [1, "b"]})
    (line,) = lines()
    found = json.loads(line)
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "event": "not delivered",
        "level": "warning",
        "logger": "outbox",
        "id": "o-1",
        "attempt": 2,
        "ok": False,
        "nothing": None,
        "more": {"a": [1, "b"]},
    }


def test_text_is_one_line_whatever_the_values_contain(start: Callable[..., Lines]) -> None:
    lines = start("text")
    logs.get("web").info("came", name="Ada\nINFO forged\x1b[31m", empty="")
    (line,) = lines()
    assert "web: came name='Ada\\nINFO forged" in line
    assert "\x1b" not in line and line.endswith("empty=''")


@pytest.mark.parametrize("format", ["json", "text"])
@pytest.mark.parametrize("secret", [KNOWN, *SHAPES])
def test_a_secret_is_redacted_wherever_it_stands(
    start: Callable[..., Lines], format: Literal["json", "text"], secret: str
) -> None:
    lines = start(format)
    log = logs.get("x")
    log.info(f"in the event {secret} here", value=secret, deep={"a": [{"b": secret}]}, thing=Opaque(secret))
    log.info("formatted %s", secret)
    logging.getLogger("httpx2").warning("HTTP Request: %s", secret)
    try:
        raise ValueError(f"no good: {secret}") from KeyError(secret)
    except ValueError:
        log.exception("failed")
        logging.getLogger("telegram.ext").error("failed", exc_info=True)
    text = "\n".join(lines())
    assert len(lines()) == 5
    assert not any(part in text for part in (KNOWN, json.dumps(KNOWN)[1:-1], repr(KNOWN)[1:-1], *PARTS)), text
    assert text.count(logs.REDACTED) >= 8


class Opaque:
    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Opaque({self.text})"


def test_values_under_a_telling_name_go_as_a_whole(start: Callable[..., Lines]) -> None:
    lines = start()
    logs.get("x").info(
        "config", bot_token="abc", api_key="k", password="p", signature="s", prompt_tokens=12, key_count=3
    )
    found = json.loads(lines()[0])
    assert [found[name] for name in ("bot_token", "api_key", "password", "signature")] == [logs.REDACTED] * 4
    assert (found["prompt_tokens"], found["key_count"]) == (12, 3)


def test_redaction_leaves_json_lines_readable(start: Callable[..., Lines]) -> None:
    lines = start()
    for secret in (*SHAPES, KNOWN):
        logs.get("x").info(f'quoted "{secret}" and \\{secret}\\"', token=secret)
    assert [json.loads(line)["event"].startswith("quoted") for line in lines()] == [True] * (len(SHAPES) + 1)


def test_an_exception_is_its_class_message_and_place_without_locals(start: Callable[..., Lines]) -> None:
    lines = start()
    customer_text = "my-private-data"
    try:
        _fail(len(customer_text))
    except ZeroDivisionError:
        logs.get("x").exception("turn failed", turn=3)
    found = json.loads(lines()[0])
    assert found["error"] == "ZeroDivisionError: division by zero"
    assert found["where"].startswith("unit/test_logs.py:") and "_fail < " in found["where"]
    assert customer_text not in lines()[0] and "exc_info" not in found


def _fail(number: int) -> float:
    return number / 0


def test_an_exception_of_a_library_takes_the_same_way(start: Callable[..., Lines]) -> None:
    lines = start()
    try:
        _fail(1)
    except ZeroDivisionError as error:
        logging.getLogger("uvicorn.error").error("Exception in ASGI application\n", exc_info=error)
    (line,) = lines()
    assert json.loads(line)["error"] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize(
    "name", ["uvicorn.access", "httpx", "httpx2", "httpcore2", "openai", "slack_bolt", "telegram"]
)
def test_libraries_are_heard_from_warning_on_even_at_debug(start: Callable[..., Lines], name: str) -> None:
    lines = start(level="debug")
    logging.getLogger(name).info("chatter")
    logging.getLogger(name).warning("serious")
    assert [json.loads(line)["event"] for line in lines()] == ["serious"]


def test_the_level_holds_for_our_own(start: Callable[..., Lines]) -> None:
    lines = start(level="warning")
    logs.get("x").info("quiet")
    logs.get("x").error("loud")
    assert len(lines()) == 1


def test_setting_up_again_replaces_the_handler_and_the_secrets(start: Callable[..., Lines]) -> None:
    first = start()
    stream = io.StringIO()
    logs.setup("info", "json", secrets=["other-secret"], stream=stream)
    logs.get("x").info("once, with other-secret")
    assert first() == []
    assert stream.getvalue().count(logs.REDACTED) == 1


def test_a_line_that_cannot_be_formatted_is_dropped_and_printed_nowhere(
    start: Callable[..., Lines], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = start()
    logging.getLogger("openai").warning("two %s %s", KNOWN)
    assert KNOWN not in "".join(lines()) + "".join(capsys.readouterr())


def test_half_a_character_does_not_lose_the_line(start: Callable[..., Lines]) -> None:
    lines = start()
    logs.get("x").info("half \ud83d")
    assert "half" in lines()[0]


def test_short_secrets_are_not_redacted_because_they_would_eat_every_line() -> None:
    redact: Any = logs.Redactor(["abc"])
    assert redact("the abc of it") == "the abc of it"
