"""Requests, databases, signals: what is bad is refused in one sentence, and nothing else breaks."""

from __future__ import annotations

import json
import resource
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from signal import SIGKILL

import pytest
from commands import Done, Server, assert_refused, run, serving

from supportbot.testing.receiver import signed_headers
from supportbot.testing.site import SECRET, write_bot

ARTICLE = "# Delivery\n\n## How long it takes\n\nDelivery within Germany takes two to four working days.\n"
QUESTION = "how long does delivery take?"
KEY = "sk-a-key-that-is-wrong"


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    folder = tmp_path / "bot"
    folder.mkdir()
    write_bot(folder, callback_url="http://127.0.0.1:9/nobody")
    (folder / "knowledge" / "delivery.md").write_text(ARTICLE, "utf-8")
    return folder


def body(**fields: object) -> bytes:
    return json.dumps({"id": "m", "conversation": "c", "user": {"id": "u"}, "text": "hi", **fields}).encode()


def signed(at: float, **more: str) -> dict[str, str]:
    return signed_headers(SECRET, "m", body(), at=at) | more


MALFORMED: Mapping[str, tuple[bytes, int]] = {
    "no JSON": (b"{no", 400),
    "no object": (b"[]", 400),
    "nothing": (b"", 400),
    "10 MB": (body(text="x" * 10_000_000), 413),
    "deep lists": (b"[" * 20_000, 400),
    "deep objects": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, 400),
    "half a character": (body()[:-1] + b',"x":"\\ud800"}', 400),
    "NaN": (body()[:-1] + b',"x":NaN}', 400),
    "a number without end": (body()[:-1] + b',"x":1e999}', 400),
    "no user": (b'{"id":"m","conversation":"c","text":"hi"}', 400),
    "no text": (body(text=""), 400),
    "an unknown type": (body(type="nonsense"), 400),
}


def test_a_bad_request_gets_its_status_and_a_good_one_its_answer(bot: Path) -> None:
    with serving(bot) as server:
        for name, (raw, status) in MALFORMED.items():
            assert_answered(server, name, status, raw=raw)
        now = time.time()
        for name, headers in {
            "unsigned": {},
            "stale": signed(now - 3600),
            "from the future": signed(now + 3600),
            "a wrong signature": signed(now, **{"webhook-signature": "v1,AAAA"}),
            "a strange signature": signed(now, **{"webhook-signature": "~" * 99}),
            "no time": signed(now, **{"webhook-timestamp": "abc"}),
            "another id": signed(now, **{"webhook-id": "other"}),
        }.items():
            assert_answered(server, name, 401, raw=body(), headers=headers)
        assert server.get("/webhook/desk").status_code == 405
        assert server.get("/webhook/nobody").status_code == 404
        assert server.get("/readyz").status_code == 200
        assert any("two to four" in text for text in server.answers("last", QUESTION))
        assert server.stop() == 0


def assert_answered(
    server: Server, name: str, status: int, *, raw: bytes, headers: Mapping[str, str] | None = None
) -> None:
    refused = server.post("m", raw=raw, headers=headers)
    assert refused.status_code == status, (name, refused.text)
    assert list(refused.json()) == ["error"] and refused.json()["error"].endswith((".", ")")), (name, refused.text)
    assert "two to four" in server.answers(f"good-{name}", QUESTION)[0], name


def test_a_replay_changes_nothing_and_other_content_under_its_id_is_409(bot: Path) -> None:
    with serving(bot) as server:
        first = server.post("same", QUESTION, wait=20).json()
        assert server.post("same", QUESTION, wait=20).json() == first
        assert server.post("same", "something else").status_code == 409
        conversations = run(bot, "conversations", "--json").rows
        assert [row["turn"] for row in conversations] == [1]


# --- the model -----------------------------------------------------------------------------------------------


@contextmanager
def silent_model() -> Iterator[dict[str, str]]:
    """A model's address that takes connections and never answers, as environment."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        yield {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url}


def test_a_wrong_address_of_the_model_still_gives_an_answer_and_shows_no_key(bot: Path) -> None:
    with serving(bot, OPENAI_API_KEY=KEY, OPENAI_BASE_URL="http://127.0.0.1:9/v1") as server:
        assert "two to four" in server.answers("m", QUESTION)[0]
        assert server.stop() == 0
    assert KEY not in "".join(server.log)


def test_a_prompt_that_loops_for_ever_still_gives_an_answer(bot: Path) -> None:
    (bot / "prompts" / "system.j2").write_text("{% for i in range(10**12) %}x{% endfor %}", "utf-8")
    persona = bot / "prompts" / "persona.yaml"
    persona.write_text(persona.read_text("utf-8") + "system: system.j2\n", "utf-8")
    with silent_model() as model, serving(bot, **model) as server:
        assert server.answers("m", QUESTION)
        assert server.get("/readyz").status_code == 200


def test_a_terminated_server_leaves_while_the_model_is_slow_and_answers_after_the_restart(bot: Path) -> None:
    with silent_model() as model, serving(bot, **model) as server:
        assert server.post("slow", QUESTION).status_code == 202
        time.sleep(0.5)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 25
    with serving(bot) as server:
        replies = wait_for_answer(server, "slow")
        assert "two to four" in replies[0]


def wait_for_answer(server: Server, id: str) -> list[str]:
    """What was answered to a message that came before a restart."""
    for _ in range(40):
        response = server.post(id, QUESTION, wait=5)
        if response.status_code == 200:
            return [reply["text"] for reply in response.json()["replies"]]
        time.sleep(0.25)
    raise AssertionError("no answer after the restart")


def test_a_killed_server_finds_everything_again(bot: Path) -> None:
    with serving(bot) as server:
        before = server.answers("one", QUESTION)
        assert server.post("two", QUESTION).status_code == 202
        server.stop(SIGKILL)
    with serving(bot) as server:
        assert wait_for_answer(server, "one") == before
        assert wait_for_answer(server, "two")
        assert server.stop() == 0
    assert run(bot, "db", "check").code == 0
    assert len(run(bot, "conversations", "--json").rows) == 2


# --- the database --------------------------------------------------------------------------------------------

DATABASE = Path("data/supportbot.db")


@pytest.fixture
def used(bot: Path) -> Path:
    """A bot whose database has one conversation."""
    with serving(bot) as server:
        server.answers("first", QUESTION)
        assert server.stop() == 0
    return bot


def test_a_second_server_on_the_same_database_names_the_first(bot: Path) -> None:
    with serving(bot) as server:
        assert_refused(run(bot, "serve", "--port", "0"), f"the running process {server.process.pid}")
        assert_refused(run(bot, "db", "migrate"), f"the running process {server.process.pid}")
        assert_refused(run(bot, "db", "restore", str(copy_of(bot))), f"the running process {server.process.pid}")
        assert server.answers()


def copy_of(bot: Path) -> Path:
    backup = bot / "copy.db"
    assert run(bot, "db", "backup", str(backup)).code == 0
    return backup


def test_a_newer_database_is_refused_and_left_alone(used: Path) -> None:
    with closing(sqlite3.connect(used / DATABASE)) as connection:
        row = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('supportbot', 'm99', '')"
        connection.execute(row)
        connection.commit()
    before = (used / DATABASE).read_bytes()
    for command in (("serve", "--port", "0"), ("conversations",), ("db", "check"), ("db", "migrate")):
        assert_refused(run(used, *command), "newer supportbot")
    assert (used / DATABASE).read_bytes() == before


def test_a_damaged_database_is_found_and_a_backup_puts_it_right(used: Path) -> None:
    backup = copy_of(used)
    path = used / DATABASE
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))
    found = run(used, "db", "check")
    assert found.code in (1, 2) and "damage" in found.out + found.err and "Traceback" not in found.err
    path.write_bytes(b"this is no database" * 500)
    for command in (("serve", "--port", "0"), ("db", "check"), ("conversations",), ("db", "backup", "b.db")):
        assert_refused(run(used, *command), "no SQLite database")
    restored = run(used, "db", "restore", str(backup))
    assert restored.code == 0 and "before-restore" in restored.out
    assert len(run(used, "conversations", "--json").rows) == 1


def test_a_backup_is_taken_while_the_server_runs_and_nothing_is_overwritten(bot: Path) -> None:
    with serving(bot) as server:
        server.answers("one", QUESTION)
        backup = copy_of(bot)
        assert_refused(run(bot, "db", "backup", str(backup)), "exists already")
        server.answers("two", QUESTION)
        assert server.stop() == 0
    assert run(bot, "db", "restore", str(backup)).code == 0
    assert len(run(bot, "conversations", "--json").rows) == 1
    assert_refused(run(bot, "db", "restore", "config.yaml"), "no SQLite database")


def test_a_database_that_another_program_locks_is_503_and_recovers(used: Path) -> None:
    with serving(used) as server, closing(sqlite3.connect(used / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = server.post("while-locked", QUESTION)
        assert refused.status_code == 503 and "later" in refused.json()["error"]
        assert server.get("/healthz").status_code == 200
        other.execute("ROLLBACK")
        assert server.answers("while-locked", QUESTION)


def test_a_command_on_a_database_that_another_program_locks_is_one_sentence(used: Path) -> None:
    with closing(sqlite3.connect(used / DATABASE, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert_refused(run(used, "ask", "hi", "--store", str(DATABASE)), "is locked by a program")


def test_a_full_disk_is_503_until_there_is_room_again(bot: Path) -> None:
    with serving(bot) as server:
        server.answers("first", QUESTION)
        most = max(path.stat().st_size for path in (bot / "data").iterdir()) + 200_000
        pid, free = server.process.pid, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
        statuses = [server.post(f"m{n}", "x" * 15_000).status_code for n in range(60)]
        assert set(statuses) == {202, 503}
        assert server.get("/healthz").status_code == 200
        resource.prlimit(pid, resource.RLIMIT_FSIZE, free)
        assert server.post("room-again", QUESTION, wait=20).status_code == 200
        assert server.stop() == 0
    stored = {row["address"]["chat"] for row in run(bot, "conversations", "--limit", "1000", "--json").rows}
    accepted = {f"c-m{n}" for n, status in enumerate(statuses) if status == 202}
    assert stored == {"c-first", "c-room-again", *accepted}


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A mount that can be remounted read-only, also against root."""
    folder.mkdir(exist_ok=True)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if mount.returncode:
        pytest.skip("no right to mount here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_read_only_disk_is_one_sentence_and_can_still_be_read(used: Path) -> None:
    backup = copy_of(used)
    with small_disk(used / "disk") as disk:
        shutil.copyfile(backup, disk / "bot.db")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        store = str(disk / "bot.db")
        assert_refused(run(used, "ask", "hi", "--store", store), "Read-only file system")
        assert_refused(run(used, "db", "migrate", "--store", store), "Read-only file system")
        assert len(run(used, "conversations", "--store", store, "--json").rows) == 1
        assert run(used, "init", str(disk / "new")).code == 2


# --- listings and handoffs -----------------------------------------------------------------------------------


def handoffs(bot: Path, *args: str) -> Done:
    return run(bot, "handoffs", *args)


def test_every_listing_is_json_on_request(used: Path) -> None:
    with serving(used) as server:
        server.answers("h", "talk to a human")
        (row,) = handoffs(used, "list", "--json").rows
        rows = run(used, "conversations", "--json").rows
        assert len(rows) == 2
        assert run(used, "conversations", rows[0]["id"], "--json").rows["turns"]
        assert run(used, "why", rows[0]["id"], "--json").rows[0]["steps"]
        assert run(used, "usage", "--json").rows == []
        assert run(used, "adapters", "--json").rows == ["helpdesk", "slack", "telegram", "web", "webhook"]
        assert handoffs(used, "show", row["id"], "--json").rows["handoff"]["id"] == row["id"]
        assert isinstance(run(used, "db", "check", "--json").rows, list)
        assert run(used, "db", "aside", "--json").rows == []
        for command in (("conversations",), ("usage",), ("handoffs", "list"), ("handoffs", "show", row["id"])):
            shown = run(used, *command)
            assert shown.code == 0 and shown.out.strip() and shown.err == ""


def test_a_human_works_through_the_running_server_and_without_one(used: Path) -> None:
    with serving(used) as server:
        server.answers("h", "talk to a human")
        (row,) = handoffs(used, "list", "--json").rows
        assert_refused(handoffs(used, "claim", "h_nothing"), "there is no handoff")
        assert_refused(handoffs(used, "reply", row["id"], " "), "the text is empty")
        claimed = handoffs(used, "claim", row["id"][:8], "--as", "Ann")
        assert (claimed.code, claimed.err) == (0, "")
        assert status(used, row["id"]) == ("claimed", "Ann")
        assert server.stop() == 0
    replied = handoffs(used, "reply", row["id"], "Hello, this is Ann.", "--as", "Ann")
    assert replied.code == 0 and "supportbot serve" in replied.err
    assert handoffs(used, "return", row["id"], "--as", "Ann").code == 0
    with serving(used) as server:
        assert status(used, row["id"]) == ("returned", "Ann")
        assert "Hello, this is Ann." in handoffs(used, "show", row["id"]).out
        assert_refused(handoffs(used, "reply", row["id"], "late"), "has ended (returned)")
        assert handoffs(used, "list", "--json").rows == []
        assert server.answers("after", QUESTION)


def status(bot: Path, id: str) -> tuple[str, str]:
    """The handoff's status and agent, once it is no longer what it was (at most 5 s)."""
    found = ("", "")
    for _ in range(20):
        (row,) = [one for one in handoffs(bot, "list", "--all", "--json").rows if one["id"] == id]
        found = (row["status"], row["agent"])
        if found[0] in ("claimed", "returned"):
            break
        time.sleep(0.25)
    return found


def test_what_cannot_be_done_with_a_handoff_is_said_at_once(used: Path) -> None:
    with serving(used) as server:
        server.answers("h", "talk to a human")
        (row,) = handoffs(used, "list", "--json").rows
        refused = handoffs(used, "transfer", row["id"], "nowhere")
        assert_refused(refused, "no desk or agent 'nowhere'", "write `desks` in the config")
        assert handoffs(used, "claim", row["id"], "--as", "Ana").code == 0
        for _ in range(100):
            if handoffs(used, "list", "--json").rows[0]["status"] == "claimed":
                break
        assert_refused(handoffs(used, "claim", row["id"], "--as", "Ben"), "Ana has", "handoffs release")
        assert handoffs(used, "list", "--json").rows[0]["agent"] == "Ana"
