"""Where a channel's options come from: the config, else the environment; and that no log shows them."""

from __future__ import annotations

import io
import json
import logging
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import structlog
from crashing import Shop

from supportbot import assembly, logs
from supportbot.config import load
from supportbot.errors import ConfigError, UsageError
from supportbot.options import Options
from supportbot.testing.site import write_bot

TOKEN = "tok-of-the-environment-1234567890"


class Keyed(Shop):
    """A channel that wants a token."""

    environment: ClassVar[Mapping[str, str]] = {"token": "KEYED_TOKEN", "mode": "KEYED_MODE"}

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        super().__init__(name, options)
        found = Options(name, options, ("token", "mode"), self.environment)
        self.token = found.text("token", pattern=r"\S+", like="the token of the app")
        self.mode = found.choice("mode", ("quiet", "loud"))


def built(folder: Path, env: Mapping[str, str], **options: Any) -> Keyed:
    channels = {"keyed": {"type": f"{__name__}:Keyed", **options}}
    files = load(write_bot(folder, callback_url="http://127.0.0.1:9/", config={"channels": channels}), env=env)
    found = assembly.adapters(files)["keyed"]
    assert isinstance(found, Keyed)
    return found


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the config name a class of this file."""
    module = types.ModuleType(__name__)
    module.Keyed = Keyed  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, __name__, module)


@pytest.mark.parametrize("options", [{}, {"token": None}])
def test_an_option_that_the_config_leaves_open_comes_from_the_environment(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    found = built(tmp_path, {"KEYED_TOKEN": TOKEN, "KEYED_MODE": ""}, **options)
    assert (found.token, found.mode) == (TOKEN, "quiet")


def test_the_config_comes_before_the_environment(tmp_path: Path) -> None:
    found = built(tmp_path, {"KEYED_TOKEN": TOKEN, "KEYED_MODE": "quiet"}, token="mine", mode="loud")
    assert (found.token, found.mode) == ("mine", "loud")


def test_an_option_that_is_nowhere_is_named_with_its_variable_at_the_channel(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        built(tmp_path, {})
    (problem,) = caught.value.problems
    assert problem.message.startswith("channels.keyed.token is missing and the environment has no KEYED_TOKEN")


def test_a_wrong_value_of_the_environment_is_named_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises((ConfigError, UsageError)) as caught:
        built(tmp_path, {"KEYED_TOKEN": f"{TOKEN} with a blank"})
    assert "channels.keyed.token" in str(caught.value) and TOKEN not in str(caught.value)


# --- logs ----------------------------------------------------------------------------------------------------

VARIABLES = (
    "SLACK_BOT_TOKEN",
    "SLACK_SIGNING_SECRET",
    "SLACK_APP_TOKEN",
    "TELEGRAM_BOT_TOKEN",
    "TELEGRAM_WEBHOOK_SECRET",
)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    logging.getLogger().handlers.clear()
    yield io.StringIO()
    logging.getLogger().handlers[:] = before[0]
    logging.getLogger().setLevel(before[1])
    structlog.reset_defaults()


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_secret_of_the_environment_stands_in_no_log(tmp_path: Path, variable: str, stream: io.StringIO) -> None:
    value = f"plain words of {variable} nobody would recognise"
    kind = variable.partition("_")[0].lower()
    path = write_bot(tmp_path, callback_url="http://127.0.0.1:9/", config={"channels": {kind: {"type": kind}}})
    files = load(path, env={variable: value, "HOME": "no secret"})
    found = tuple(assembly.secrets(files))
    assert value in found and "no secret" not in found
    logs.setup("info", "json", stream=stream, secrets=found)
    logs.get("x").info("came", address=f"https://platform.example/bot{value}/send", text=value)
    (line,) = stream.getvalue().splitlines()
    assert value not in line and json.loads(line)["event"] == "came"
