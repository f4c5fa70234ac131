"""Files, options and environments that are wrong: exit code 1 or 2, one clear sentence each, never a traceback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import COMMAND, Done, assert_refused, environment, run, serving

SECRET_TEXT = "hunter2-not-to-be-shown"
FLOW = "flow: {}\ndescription: A flow.\nstart:\n  - phrases: [{}]\nsteps:\n{}"


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example") / "bot"
    assert run(folder.parent, "init", "bot").code == 0
    return folder


@pytest.fixture
def bot(example: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(example, tmp_path / "bot"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def write(name: str, content: str | bytes) -> Callable[[Path], object]:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(data)


def config(old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "config.yaml", old, new)


def folder_instead(folder: Path) -> None:
    (folder / "config.yaml").unlink()
    (folder / "config.yaml").mkdir()


def channel(line: str) -> Callable[[Path], None]:
    return config("channels:\n", f"channels:\n  desk: {line}\n")


UNUSABLE: list[tuple[str, Callable[[Path], object], str]] = [
    ("a config that does not parse", write("config.yaml", "bot: {name: [x\nfoo: : bar\n"), "config.yaml:2:4: "),
    ("no config", lambda folder: (folder / "config.yaml").unlink(), "config.yaml: there is no such file"),
    ("a folder as config", folder_instead, "config.yaml: this is not a file"),
    ("an empty config", write("config.yaml", ""), "config.yaml:1:1: the file is empty"),
    ("a binary config", write("config.yaml", b"\x89PNG\r\n\xff\x00\xfe" * 40), "not UTF-8"),
    ("a config that is a list", write("config.yaml", "- a\n- b\n"), "must be a mapping"),
    ("an unknown key", config("bot:\n", "bott: 3\nbot:\n"), "did you mean 'bot'?"),
    ("a key twice", config("bot:\n", "store: x\nbot:\n"), "store"),
    ("an alias bomb", write("config.yaml", "a: &a [x]\nb: &b [*a,*a]\n" + "c: [*b]\n" * 2), "config.yaml:"),
    ("a persona that does not parse", write("prompts/persona.yaml", "name: [\n"), "prompts/persona.yaml:2:1: "),
    ("a persona with a wrong value", write("prompts/persona.yaml", "name: Mia\nlanguages: 3\n"), "must be a list"),
    ("no persona", lambda folder: (folder / "prompts/persona.yaml").unlink(), "there is no persona file"),
    ("no template", lambda folder: (folder / "prompts/system.j2").unlink(), "there is no template 'system.j2'"),
    ("a flow that does not parse", write("flows/x.yaml", "flow: [\n"), "flows/x.yaml:2:1: "),
    (
        "a flow with an unknown step",
        write("flows/x.yaml", FLOW.format("x", "zz", "  - aks: y\n")),
        "flows/x.yaml:6",
    ),
    ("a tool module with a mistake", write("shop_tools.py", "def x(:\n"), "shop_tools.py:1:7: SyntaxError"),
    ("a tool module that fails", write("shop_tools.py", "import no_such_package\n"), "no_such_package"),
    (
        "a tool module that leaves",
        write("shop_tools.py", "raise SystemExit(0)\n"),
        "shop_tools.py:1:1: SystemExit",
    ),
    ("no tool module", lambda folder: (folder / "shop_tools.py").unlink(), "there is no file 'shop_tools.py'"),
    ("a binary article", write("knowledge/x.md", b"\xff\xfe\x00bad"), "knowledge/x.md:1:1: not UTF-8"),
    ("a dangling article", lambda folder: (folder / "knowledge/x.md").symlink_to("nowhere"), "knowledge/x.md: "),
    ("an unknown channel type", channel("{type: pigeon}"), "there is no channel type 'pigeon'"),
    ("a channel of no module", channel("{type: 'no_such:Adapter'}"), "there is no module 'no_such'"),
    ("a channel that is no adapter", channel("{type: 'json:dumps'}"), "is not an Adapter class"),
    ("a channel without secrets", channel("{type: webhook}"), "config.yaml:71:16: channels.desk.secrets is empty"),
    ("a wrong secret", channel(f"{{type: webhook, secrets: [{SECRET_TEXT}]}}"), "channels.desk.secrets[0]"),
    ("a missing variable", channel('{type: webhook, secrets: ["${NO_SUCH}"]}'), "variable NO_SUCH is not set"),
    (
        "a missing secret file",
        channel("{type: webhook, secrets_file: s}"),
        "the secret file 's': there is no such",
    ),
    ("a folder as secret file", channel("{type: webhook, secrets_file: flows}"), "'flows': this is not a file"),
    ("a missing key file", config("api_key_file: null", "api_key_file: k"), "the secret file 'k'"),
    ("another database", config("sqlite:///data/supportbot.db", f"postgres://u:{SECRET_TEXT}@h/d"), ":39:8: "),
    ("a store that is no address", config("sqlite:///data/supportbot.db", "data.db"), "config.yaml:39:8: "),
]


@pytest.mark.parametrize(("break_it", "says"), [case[1:] for case in UNUSABLE], ids=[case[0] for case in UNUSABLE])
def test_a_file_that_cannot_be_used_is_one_sentence_with_its_place(
    bot: Path, break_it: Callable[[Path], object], says: str
) -> None:
    break_it(bot)
    done = run(bot, "serve", "--port", "0")
    assert_refused(done, says)
    assert SECRET_TEXT not in done.err
    rows = run(bot, "check", "--json")
    assert rows.code == 2 and len(rows.rows) == 1 and says in rows.rows[0]["problem"]


def test_several_mistakes_are_told_together(bot: Path) -> None:
    edit(bot / "config.yaml", "channels:\n", "channels:\n  a: {type: pigeon}\n  b: {type: webhook}\n")
    write("shop_tools.py", "1 / 0\n")(bot)
    assert_refused(run(bot, "check"), "pigeon", "channels.b.secrets", "ZeroDivisionError", problems=3)


def test_an_adapter_that_fails_while_it_loads_is_told_with_its_place(bot: Path) -> None:
    write("my_channel.py", f"password = '{SECRET_TEXT}'\n1 / 0\n")(bot)
    channel("{type: 'my_channel:Adapter'}")(bot)
    done = run(bot, "check")
    assert_refused(done, "ZeroDivisionError in ", "my_channel.py:2")
    assert SECRET_TEXT not in done.err


FINDINGS: list[tuple[str, Callable[[Path], object], str]] = [
    (
        "a template that loops for ever",
        write("prompts/system.j2", "{% for i in range(10**12) %}x{% endfor %}"),
        "prompts/system.j2:1:1: its range has more than",
    ),
    ("a template that does not parse", write("prompts/system.j2", "{% for i in %}"), "prompts/system.j2:1:1: "),
    ("a name that no template has", write("prompts/context.j2", "\n{{ nonsense.x }}"), "prompts/context.j2:2:1: "),
    ("a missing flow", write("flows/x.yaml", FLOW.format("x", "zz", "  - flow: nowhere\n")), "nowhere"),
    ("a missing tool", write("flows/x.yaml", FLOW.format("x", "zz", "  - call: nowhere\n")), "nowhere"),
    ("a missing key", config("required: false", "required: true"), "config.yaml:29:13: a key is required"),
]


@pytest.mark.parametrize(("break_it", "says"), [case[1:] for case in FINDINGS], ids=[case[0] for case in FINDINGS])
def test_a_mistake_in_a_file_that_loads_is_a_finding(
    bot: Path, break_it: Callable[[Path], object], says: str
) -> None:
    break_it(bot)
    done = run(bot, "check")
    found = [line for line in done.out.splitlines() if says in line]
    assert (done.code, len(found), done.err) == (1, 1, ""), done
    rows = run(bot, "check", "--json")
    assert rows.code == 1 and any(says in row["problem"] for row in rows.rows)


def test_a_required_key_that_is_missing_stops_what_would_need_it(bot: Path) -> None:
    edit(bot / "config.yaml", "required: false", "required: true")
    assert_refused(run(bot, "ask", "hi"), "a key is required")
    assert run(bot, "ask", "hi", "--offline").code == 0
    assert run(bot, "check", OPENAI_API_KEY=SECRET_TEXT).code == 0


def test_a_sound_bot_has_no_findings(bot: Path) -> None:
    done = run(bot, "check", "--strict")
    assert (done.code, done.err) == (0, "") and done.out.startswith("no findings: ")
    assert run(bot, "check", "--strict", "--json").rows == []


# --- the command line ----------------------------------------------------------------------------------------


def is_usage(done: Done) -> bool:
    return done.code == 2 and "Usage: " in done.err and "Error: " in done.err and "Traceback" not in done.err


@pytest.mark.parametrize(
    "command",
    [
        ("nonsense",),
        ("ask",),
        ("check", "--nonsense"),
        ("serve", "--port", "70000"),
        ("serve", "--port", "-5"),
        ("serve", "--port", "x"),
        ("conversations", "--limit", "0"),
        ("handoffs", "show"),
        ("db", "backup"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_explained_and_exits_2(tmp_path: Path, command: tuple[str, ...]) -> None:
    assert is_usage(run(tmp_path, *command))


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("ask", " "), "nothing to ask"),
        (("ask", "hi", "--store", "flows"), "Is a directory"),
        (("ask", "hi", "--store", "config.yaml"), "no SQLite database"),
        (("ask", "hi", "--config", "elsewhere/config.yaml"), "elsewhere/config.yaml: there is no such file"),
        (("conversations",), "There is no database at data/supportbot.db"),
        (("conversations", "--store", "flows"), "flows is a folder"),
        (("usage",), "There is no database"),
        (("why", "c_1"), "There is no database"),
        (("handoffs", "list"), "There is no database"),
        (("handoffs", "claim", "h_1"), "There is no database"),
        (("db", "check"), "There is no database"),
        (("db", "backup", "x.db"), "There is no database"),
        (("db", "restore", "x.db"), "There is no backup at x.db"),
        (("db", "migrate"), "There is no database"),
        (("init", "."), "is not an empty folder"),
        (("init", "config.yaml/x"), "cannot be written: Not a directory"),
        (("serve", "--host", "no.such.host.invalid"), "check --host"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_one_sentence(bot: Path, command: tuple[str, ...], says: str) -> None:
    before = (bot / "config.yaml").read_bytes()
    assert_refused(run(bot, *command), says)
    assert (bot / "config.yaml").read_bytes() == before


def test_who_has_only_chatted_is_told_where_that_is_kept(bot: Path) -> None:
    assert run(bot, "ask", "hi").code == 0
    assert_refused(run(bot, "conversations"), "--store data/chat.db")


def test_a_port_in_use_is_one_sentence_and_leaves_the_database_free(bot: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert_refused(run(bot, "serve", "--port", port), f"Port {port} on 127.0.0.1 is in use", "--port")
    with serving(bot) as server:
        assert server.stop() == 0


@pytest.mark.parametrize(
    "text", ["\ud83d alone", "🙂" * 3000, "x" * 100_000, "\x1b]0;title\x07", "'; DROP TABLE--"]
)
def test_any_text_can_be_asked(bot: Path, text: str) -> None:
    done = run(bot, "ask", os.fsdecode(text.encode("utf-8", "surrogatepass")))
    assert done.code == 0 and done.out.strip() and done.err == ""
    assert "\x1b" not in done.out
    (row,) = run(bot, "conversations", "--store", "data/chat.db", "--json").rows
    shown = run(bot, "conversations", row["id"], "--store", "data/chat.db")
    assert shown.code == 0 and "\x1b" not in shown.out


def test_an_output_that_is_full_is_one_sentence(bot: Path) -> None:
    with Path("/dev/full").open("wb") as out:
        done = subprocess.run(
            [*COMMAND, "adapters"], cwd=bot, stdout=out, stderr=subprocess.PIPE, env=environment()
        )
    assert (done.returncode, done.stderr) == (2, b"supportbot: No space left on device.\n")
