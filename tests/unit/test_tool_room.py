"""All tools of a bot checked against one another, and one kind's missing package."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from supportbot.config import load
from supportbot.errors import ConfigError
from supportbot.testing.site import write_bot
from supportbot.toolroom import ToolRoom

TOOLS = '''
from supportbot import Limit, tool

@tool(effects=True, limits=[Limit(times=1, per="order")])
def refund(order: str) -> str:
    """Refunds."""
    return order
'''
FILE = """
base: http://127.0.0.1:9
tools:
  - {name: NAME, request: GET /a}
"""


def room(folder: Path, name: str = "look", **config: Any) -> ToolRoom:
    (folder / "shop.py").write_text(TOOLS)
    (folder / "look.yaml").write_text(FILE.replace("NAME", name))
    tools = {"modules": ["shop.py"], "files": ["look.yaml"], **config.pop("tools", {})}
    path = write_bot(folder, callback_url="http://127.0.0.1:9", config={"tools": tools, **config})
    return ToolRoom(load(path, env={}), lambda *args, **facts: None)


def problems(folder: Path, *given: Any, **config: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        room(folder, *given, **config)
    return [problem.message for problem in caught.value.problems]


def test_tools_of_every_kind_lie_in_one_box(tmp_path: Path) -> None:
    found = room(tmp_path, tools={"rules": {"look": {"public": True}}})
    assert {name: (tool.source, tool.public) for name, tool in found.box.tools.items()} == {
        "refund": ("shop.py", False),
        "look": ("look.yaml", True),
    }


@pytest.mark.parametrize(
    ("name", "config", "told"),
    [
        ("refund", {}, "more than one tool is named 'refund' (shop.py, look.yaml): rename one of them"),
        ("hand_over", {}, "the tool name 'hand_over' is the bot's own: choose another one"),
        ("check_code", {}, "the tool name 'check_code' is the bot's own: choose another one"),
        ("look", {"tools": {"rules": {"lok": {"public": True}}}}, "there is no tool 'lok'"),
        ("look", {"identity": {"send_code": "mail"}}, "there is no tool 'mail'"),
        ("look", {"identity": {"flow": "verify"}}, "there is no flow 'verify'"),
        (
            "look",
            {"tools": {"rules": {"refund": {"limits": [{"times": 1, "per": "oder"}]}}}},
            "a limit of refund counts per 'oder', which is no argument of it",
        ),
        (
            "look",
            {"tools": {"rules": {"refund": {"bind": {"customer": "customer.id"}}}}},
            "refund binds 'customer', which is no argument of it",
        ),
    ],
)
def test_what_does_not_fit_together_is_told(tmp_path: Path, name: str, config: Any, told: str) -> None:
    assert problems(tmp_path, name, **config) == [told]


def test_a_missing_package_takes_only_its_own_tools_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith(("mcp.", "supportbot.tools.mcp.connection", "supportbot.tools.mcp.transport")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("supportbot.tools.mcp.connection", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    servers = {"warehouse": {"command": ["python", "-c", "0"], "allow": {"stock": {}}}}
    found = room(tmp_path, tools={"mcp": json.loads(json.dumps(servers))})
    assert set(found.box.tools) == {"refund", "look"}
    assert found.missing == (
        "MCP servers need a package that is not installed: pip install 'supportbot-framework[mcp]'"
    )


async def test_without_a_model_only_servers_that_a_flow_calls_are_started(tmp_path: Path) -> None:
    server = {"command": ["python", "-c", "open('started', 'w')"], "allow": ["stock"], "timeout": "2s"}
    plain = room(tmp_path, tools={"mcp": {"a": server}})
    files = load(tmp_path / "config.yaml", env={})
    for model, flow, started in ((False, "", False), (False, "stock", True), (True, "", True)):
        (tmp_path / "started").unlink(missing_ok=True)
        (tmp_path / "flows" / "f.yaml").write_text(f"flow: f\nsteps:\n  - call: {flow or 'look'}\n")
        files = load(tmp_path / "config.yaml", env={})
        opened = ToolRoom(files, lambda *args, **facts: None, model=model)
        await opened.open()
        await opened.close()
        assert (tmp_path / "started").exists() == started
    await plain.close()
