"""A bot killed in the midst of a turn: nothing is lost, nothing that changes something is done twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from crashing import REFUND, message
from working import Clock, answering, ledger, quiet, running, sent

from supportbot.models import ScriptedModel
from supportbot.testing.local_pair import local_pairs
from supportbot.types import Handoff, Turn

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a bot that killed itself at that place; crashed once for each place."""

    @cache
    def crash(where: str) -> Path:
        folder = tmp_path_factory.mktemp("crashed")
        command = [sys.executable, str(Path(__file__).with_name("crashing.py")), str(folder), where]
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'adapters'}"}
        done = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
        (folder / "die").unlink(missing_ok=True)
        return folder

    return crash


@pytest.fixture
def crash(crashed: Callable[[str], Path], tmp_path: Path) -> Callable[[str], None]:
    """Leaves in `tmp_path` what such a bot left behind."""

    def copy(where: str) -> None:
        shutil.copytree(crashed(where), tmp_path, dirs_exist_ok=True)

    return copy


async def after(folder: Path, model: Any, **options: Any) -> tuple[list[str], list[Handoff], tuple[Turn, ...]]:
    """What the customer gets after the restart, the open handoffs, and the transcript."""
    async with running(folder, model, **options) as (bot, shop):
        texts = await sent(shop, 1)
        await quiet()
        assert len(shop.sent) == 1
        (conversation,) = await bot.store.conversations()
        return texts, list(await bot.store.handoffs()), await bot.store.transcript(conversation.id)


async def test_an_action_cut_off_by_a_crash_is_not_repeated_and_a_human_looks(
    tmp_path: Path, crash: Callable[[str], None]
) -> None:
    crash("in the tool")
    assert ledger(tmp_path) == ["A-10002"]
    model = ScriptedModel(["never asked"])
    texts, (handoff,), (turn,) = await after(tmp_path, model)
    assert ledger(tmp_path) == ["A-10002"], "it was called once"
    assert (handoff.reason, model.requests) == ("unknown_outcome", [])
    assert "passed your conversation on" in texts[0]
    (told,) = [one.content for one in turn.messages if one.role == "tool"]
    assert "unknown" in told and "Do not repeat it" in told


async def test_after_a_long_downtime_the_human_still_learns_of_the_action(
    tmp_path: Path, crash: Callable[[str], None]
) -> None:
    crash("in the tool")
    _, (handoff,), _ = await after(tmp_path, ScriptedModel(["never asked"]), clock=Clock(3600.0))
    assert handoff.reason == "unknown_outcome" and "unknown outcome" in handoff.detail
    assert ledger(tmp_path) == ["A-10002"]


async def test_a_turn_goes_on_from_its_journal_behind_a_finished_action(
    tmp_path: Path, crash: Callable[[str], None]
) -> None:
    crash("after the tool")
    model = ScriptedModel(["Refunded."])
    texts, handoffs, (turn,) = await after(tmp_path, model)
    assert (texts, handoffs, ledger(tmp_path)) == (["Refunded."], [], ["A-10002"])
    (asked,) = model.requests
    assert [one.content for one in asked.messages if one.role == "tool"] == ["refunded A-10002"]
    assert [one.role for one in turn.messages] == ["user", "assistant", "tool", "assistant"]


async def test_a_config_edited_between_makes_a_human_look_and_nothing_is_done_again(
    tmp_path: Path, crash: Callable[[str], None]
) -> None:
    crash("after the tool")
    (tmp_path / "prompts" / "persona.yaml").write_text("name: Otto\nlanguages: [en]\n")
    model = ScriptedModel([REFUND, "Refunded."])
    _, (handoff,), _ = await after(tmp_path, model)
    assert (handoff.reason, ledger(tmp_path), model.requests) == ("unknown_outcome", ["A-10002"], [])


async def test_a_turn_without_actions_simply_begins_again_after_a_crash(
    tmp_path: Path, crash: Callable[[str], None]
) -> None:
    crash("in the model")
    texts, handoffs, _ = await after(tmp_path, ScriptedModel(["Here I am."]))
    assert (texts, handoffs) == (["Here I am."], [])


async def test_what_arrived_after_the_crash_is_the_next_turn(tmp_path: Path, crash: Callable[[str], None]) -> None:
    crash("after the tool")
    async with local_pairs(tmp_path / "data" / "supportbot.db")() as pair:
        await pair.store.receive(message("m2", "hello?"), now=time.time(), ready_at=time.time())
    async with running(tmp_path, ScriptedModel(["Refunded.", "Yes?"])) as (_, shop):
        assert await sent(shop, 2) == ["Refunded.", "Yes?"]
    assert answering(shop) == [("m1",), ("m2",)]
    assert ledger(tmp_path) == ["A-10002"]
