from __future__ import annotations

import sys
from pathlib import Path

import pytest

from supportbot.errors import ConfigError
from supportbot.protocols import ToolContext
from supportbot.tools import load_modules
from supportbot.types import User

HEAD = "from __future__ import annotations\nfrom supportbot.tools import tool\nfrom supportbot.protocols import Tool\n"
CONTEXT = ToolContext("c", User("u"), "web", "en", "key")


def _write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(HEAD + text, "utf-8")
    return Path(name)


def _told(folder: Path, *names: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_modules([Path(name) for name in names], folder)
    return [str(problem) for problem in caught.value.problems]


def test_tools_are_collected_from_the_module_and_from_its_list(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "shop.py",
        "@tool\ndef first() -> str:\n    return 'a'\n"
        "TOOLS = [first, Tool('second', 'd', {'type': 'object'}, lambda arguments, context: 'b')]\n",
    )
    tools = load_modules([Path("shop.py"), Path("./shop.py")], tmp_path)
    assert list(tools) == ["first", "second"]
    assert tools["second"].call({}, CONTEXT) == "b"


def test_an_edit_within_the_same_second_counts_and_nothing_is_left_behind(tmp_path: Path) -> None:
    for answer in ("one", "two"):
        _write(tmp_path, "quick.py", f"@tool\ndef quick() -> str:\n    return '{answer}'\n")
        path = list(sys.path)
        assert load_modules([Path("quick.py")], tmp_path)["quick"].call({}, CONTEXT) == answer
        assert sys.path == path
    assert "quick" not in sys.modules
    assert [file.name for file in tmp_path.iterdir()] == ["quick.py"]


def test_neighbours_may_import_each_other_and_share_their_tools(tmp_path: Path) -> None:
    _write(tmp_path, "neighbour_base.py", "@tool\ndef shared() -> str:\n    return 'x'\n")
    _write(tmp_path, "neighbour_user.py", "from neighbour_base import shared\n@tool\ndef own() -> None: ...\n")
    for order in (["neighbour_base.py", "neighbour_user.py"], ["neighbour_user.py", "neighbour_base.py"]):
        assert set(load_modules([Path(name) for name in order], tmp_path)) == {"shared", "own"}
    assert not {"neighbour_base", "neighbour_user"} & set(sys.modules)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("\nraise RuntimeError('no database')\n", 5, "RuntimeError: no database"),
        ("def broken(:\n", 4, "SyntaxError: "),
        ("def deep():\n    return 1 / 0\ndeep()\n", 5, "ZeroDivisionError: division by zero"),
        ("import no_such_package_here\n", 4, "ModuleNotFoundError: No module named 'no_such_package_here'"),
        ("import sys\nsys.exit(3)\n", 5, "SystemExit: 3"),
        ("@tool\ndef rest(*names): ...\n", 4, "TypeError: tool rest: parameter *names"),
    ],
)
def test_an_error_in_a_module_is_told_with_its_place(tmp_path: Path, text: str, line: int, told: str) -> None:
    _write(tmp_path, "bad.py", text)
    (problem,) = _told(tmp_path, "bad.py")
    assert problem.startswith(f"{tmp_path / 'bad.py'}:{line}:")
    assert told in problem
    assert "bad" not in sys.modules


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    _write(tmp_path, "a.py", "@tool\ndef same() -> None: ...\n")
    _write(tmp_path, "b.py", "@tool\ndef same() -> None: ...\n")
    _write(tmp_path, "c.py", "")
    _write(tmp_path, "d.py", "TOOLS = ['same']\n")
    told = _told(tmp_path, "a.py", "b.py", "c.py", "d.py", "e.py")
    assert [line.partition(": ")[2] for line in told] == [
        "b.py defines the tool 'same', which a.py defines too: give one of them another name",
        "no tool in this file: put @tool above a function",
        "TOOLS has to be a list of tools",
        "no such file (tools.modules)",
    ]


def test_a_file_named_like_a_library_does_not_replace_it(tmp_path: Path) -> None:
    import json

    _write(tmp_path, "json.py", "@tool\ndef mine() -> None: ...\n")
    assert list(load_modules([Path("json.py")], tmp_path)) == ["mine"]
    assert sys.modules["json"] is json
