"""The search: any text is a question, what is found is marked, pages are whole, and their work has a bound."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supportbot.errors import NotFound, UsageError
from supportbot.stores import connect, customers, finding, migrations, queries, typed
from supportbot.stores.finding import choices, search
from supportbot.types.finding import Found, Hit, Wanted

NOW = 1_700_000_000.0
_ids = itertools.count(1)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "store.db"
    connect.create_file(path)
    opened, _ = migrations.open_migrated(path)
    with closing(opened):
        opened.execute("PRAGMA synchronous = OFF")
        yield opened


def talk(
    db: sqlite3.Connection,
    *said: str,
    channel: str = "web",
    user: str = "u-1",
    name: str = "Ada",
    at: float | None = None,
) -> str:
    """A conversation whose customer said this; its id."""
    number = next(_ids)
    at = NOW + number if at is None else at
    public = f"c_{number:06}"
    values = (public, channel, f"chat-{number}", user, name, at - 0.5, at)
    query = """INSERT INTO conversations (public, channel, chat, thread, customer, customer_name, created_at, updated_at)
        VALUES (?, ?, ?, '', ?, ?, ?, ?)"""
    key = db.execute(query, values).lastrowid
    for turn, text in enumerate(said, 1):
        say(db, key, text, turn=turn)
    return public


def say(
    db: sqlite3.Connection, key: int | None, text: str, *, turn: int = 1, role: int = 1, source: str = ""
) -> None:
    query = "INSERT INTO messages (conversation, turn, role, tokens, content, source) VALUES (?, ?, ?, 1, ?, ?)"
    db.execute(query, (key, turn, role, text, source or None))


def key_of(db: sqlite3.Connection, public: str) -> int:
    found: int = db.execute("SELECT id FROM conversations WHERE public = ?", (public,)).fetchone()[0]
    return found


def handed(
    db: sqlite3.Connection, public: str, *, status: str = "resolved", agent: str = "Ana", rating: int = 0
) -> str:
    id = f"h_{next(_ids):06}"
    more = f'{{"rating":{rating},"agent_id":"{agent.lower()}"}}'
    values = (id, key_of(db, public), NOW, status, agent, more)
    query = """INSERT INTO handoffs (public, conversation, reason, detail, summary, requested_at, deadline, ceiling,
        status, agent, noticed, notes, user, user_name, more)
        VALUES (?, ?, 'requested', '', '', ?, 0, 0, ?, ?, 0, '[]', '', '', ?)"""
    db.execute(query, values)
    return id


def found(db: sqlite3.Connection, text: str = "", **wanted: object) -> list[str]:
    return [row.conversation for row in search(db, Wanted(text, **wanted)).rows]  # type: ignore[arg-type]


def every(db: sqlite3.Connection, wanted: Wanted, most: int = 200) -> list[Found]:
    """All pages together."""
    rows: list[Found] = []
    after = ""
    for _ in range(most):
        page = search(db, Wanted(**{**_fields(wanted), "after": after}))  # type: ignore[arg-type]
        rows += page.rows
        after = page.next
        if not after:
            return rows
    raise AssertionError("the pages have no end")


def _fields(wanted: Wanted) -> dict[str, object]:
    return {name: getattr(wanted, name) for name in wanted.__slots__}


# --- the question --------------------------------------------------------------------------------------------

_SIGNS = [
    "(",
    ")",
    '"',
    "'",
    "*",
    "^",
    ":",
    "+",
    "-",
    "{",
    "}",
    "\\",
    ",",
    ";",
    "“",
    "„",
    "»",
    "ä",
    "灯",
    "%",
    "?",
    "--",
    "/*",
    "AND",
    "OR",
    "NOT",
    "NEAR",
    "NEAR(",
    "content",
    "said",
    "lamp",
]
_SYNTAX = st.lists(st.sampled_from([*_SIGNS, " ", "\0", "\n", "\u0301", "\ud800"]), max_size=20).map("".join)


@given(st.text(max_size=60) | _SYNTAX)
@example('"')
@example('"" lamp')
@example('lamp "')
@example("content: lamp")
@example("lamp*")
@example("\0lamp")
def test_whatever_is_typed_is_a_question_without_errors(text: str) -> None:
    question = typed.match(text)
    with typed.scratch() as index:
        index.execute("INSERT INTO said (rowid, content) VALUES (1, 'a lamp said: the content AND more')")
        if question:
            index.execute("SELECT rowid FROM said WHERE said MATCH ?", (question,)).fetchall()
    if any(sign.isalnum() for sign in text.replace("\ud800", "")):
        assert question


@given(st.lists(st.from_regex(r"[a-zäöü]{3,8}", fullmatch=True), min_size=1, max_size=8))
def test_words_that_were_said_are_found_by_themselves_in_any_order_and_by_a_beginning(words: list[str]) -> None:
    said = [(1, " ".join(words)), (2, "something else entirely 7")]
    for question in (" ".join(words), " ".join(reversed(words)), " ".join([*words[:-1], words[-1][:3]])):
        assert 1 in typed.hits(typed.match(question), said)
    assert 1 in typed.hits(typed.match(f'"{" ".join(words)}"'), said)


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("blue lamp", '"blue" "lamp"*'),
        ('"blue lamp"', '"blue lamp"'),
        ("„blue lamp“ sto", '"blue lamp" "sto"*'),
        ("to go", '"to" "go"'),
        ("灯", '"灯"*'),
        ("SB-1042", '"SB-1042"*'),
        ("NOT lamp", '"NOT" "lamp"*'),
        ("  ?!  ", ""),
        ("", ""),
    ],
)
def test_a_question_is_made_of_words_phrases_and_one_beginning(text: str, question: str) -> None:
    assert typed.match(text) == question


def test_a_question_is_read_up_to_its_limits() -> None:
    assert typed.match("word " * 500).count('"word"') == 12
    assert len(typed.match("x" * 10_000)) < typed.LONGEST + 5


# --- marks ---------------------------------------------------------------------------------------------------


def test_marks_are_positions_of_what_was_found() -> None:
    hit = typed.hits(typed.match("müll lamp"), [(1, "The MULL lamps are <b>here</b>.")])[1]
    assert hit.text == "The MULL lamps are <b>here</b>."
    assert [hit.text[start:end] for start, end in hit.marks] == ["MULL", "lamps"]
    assert hit.pieces == (("The ", False), ("MULL", True), (" ", False), ("lamps", True), (hit.text[14:], False))


@given(st.text(max_size=400), st.sampled_from(["lamp", "a", "灯"]), st.text(max_size=400))
def test_marks_lie_in_the_text_in_order_whatever_stands_around(before: str, word: str, after: str) -> None:
    text = f"{before} {word} {after}".encode("utf-8", "replace").decode()
    for hit in typed.hits(f'"{word}"', [(1, text)]).values():
        assert len(hit.text) <= 245
        assert "".join(piece for piece, _ in hit.pieces) == hit.text
        edges = [edge for mark in hit.marks for edge in mark]
        assert edges == sorted(edges) and all(0 <= edge <= len(hit.text) for edge in edges)


def test_words_that_look_like_marks_are_words() -> None:
    text = "\x02 \x02deadbeefdeadbeef lamp </mark>"
    hit = typed.hits('"lamp"', [(1, text)])[1]
    assert (hit.text, [hit.text[a:b] for a, b in hit.marks]) == (text, ["lamp"])


def test_a_long_text_is_cut_around_what_was_found() -> None:
    (hit,) = typed.hits('"lamp"', [(1, "灯" * 1_000 + " lamp " + "灯" * 1_000)]).values()
    assert "lamp" in [piece for piece, marked in hit.pieces if marked] and len(hit.text) < 250
    assert typed.short("x" * 1_000) == Hit("x" * 240 + "…")


# --- what is found -------------------------------------------------------------------------------------------


def test_words_of_people_and_the_bot_are_found_and_none_of_tools_or_notes(db: sqlite3.Connection) -> None:
    id = talk(db, "hello")
    for role, text in ((0, "systemword"), (1, "userword"), (2, "botword"), (3, "toolword")):
        say(db, key_of(db, id), text, role=role)
    assert [found(db, text) for text in ("userword", "botword", "systemword", "toolword")] == [[id], [id], [], []]
    (row,) = search(db, Wanted("botword")).rows
    assert row.said is not None and row.said.role == "assistant"


def test_letters_with_signs_are_found_without_them_and_the_other_way_round(db: sqlite3.Connection) -> None:
    id = talk(db, "Wo ist die Müllabfuhr? ¿Dónde está el ÁRBOL?")
    for text in ("mullabfuhr", "MÜLLABFUHR", "donde", "arbol", "müll"):
        assert found(db, text) == [id], text


def test_words_that_were_taken_back_are_not_found_any_more(db: sqlite3.Connection) -> None:
    id = talk(db)
    key = key_of(db, id)
    say(db, key, "my secret quagga", source="m-1")
    say(db, key, "another lamp", source="m-2")
    assert found(db, "quagga") == [id]
    db.execute(queries.WITHDRAW_MESSAGE, ("[taken back]", key, "m-1"))
    assert found(db, "quagga") == [] and found(db, "lamp") == [id] and found(db, '"taken back"') == [id]
    db.execute("INSERT INTO said (said) VALUES ('integrity-check')")
    db.execute("DELETE FROM messages WHERE conversation = ?", (key,))
    assert found(db, "lamp") == []
    db.execute("INSERT INTO said (said) VALUES ('integrity-check')")


def test_a_conversation_that_was_found_often_stands_on_one_page_only(db: sqlite3.Connection) -> None:
    ids = [talk(db, "first walrus") for _ in range(30)]
    for turn in range(2, 9):  # all of them say it again and again, mixed up
        for id in ids:
            say(db, key_of(db, id), f"walrus {turn}", turn=turn)
    for text in ("walrus", '"walrus"', "wal"):
        shown = [row.conversation for row in every(db, Wanted(text, limit=7))]
        assert shown == ids[::-1], text


def test_pages_show_everything_once_also_where_many_changed_at_the_same_moment(db: sqlite3.Connection) -> None:
    ids = [talk(db, "hello", at=NOW + number // 10) for number in range(50)]
    assert [row.conversation for row in every(db, Wanted(limit=7))] == ids[::-1]
    shown = [row.conversation for row in every(db, Wanted(limit=7, until=NOW + 3))]
    assert shown == ids[29::-1]


def test_what_arrives_meanwhile_moves_nothing_between_pages(db: sqlite3.Connection) -> None:
    ids = [talk(db, "walrus") for _ in range(10)]
    for text in ("", "walrus"):
        first = search(db, Wanted(text, limit=4))
        talk(db, "a new walrus", at=NOW + 1e6 + next(_ids))
        second = search(db, Wanted(text, limit=6, after=first.next))
        assert {row.conversation for row in (*first.rows, *second.rows)} >= set(ids[2:])
        assert not {row.conversation for row in first.rows} & {row.conversation for row in second.rows}


def test_filters(db: sqlite3.Connection) -> None:
    plain = talk(db, "hello lamp", channel="web")
    resolved = talk(db, "hello lamp", channel="slack")
    open_ = talk(db, "hello lamp", channel="slack")
    handed(db, resolved, status="expired", agent="", rating=0)
    handed(db, resolved, agent="Ana", rating=5)
    handed(db, open_, status="waiting", agent="")
    for text in ("", "lamp"):
        for wanted, expected in (
            ({"handoff": "any"}, [open_, resolved]),
            ({"handoff": "open"}, [open_]),
            ({"handoff": "none"}, [plain]),
            ({"channel": "slack"}, [open_, resolved]),
            ({"channel": "slack", "handoff": "open", "agent": "Ana"}, []),
            ({"agent": "ANA"}, [resolved]),
            ({"agent": "ana", "rating": 5, "reason": "requested"}, [resolved]),
            ({"rating": 4}, []),
            ({"reason": "x"}, []),
            ({"since": NOW, "until": NOW}, []),
        ):
            rows = sorted(search(db, Wanted(text, **wanted)).rows, key=lambda row: -row.updated_at)  # type: ignore[arg-type]
            assert [row.conversation for row in rows] == expected, (text, wanted)
    (row,) = search(db, Wanted(rating=5)).rows
    assert row.handoff is not None and (row.handoff.rating, row.handoff.agent) == (5, "Ana")


def test_words_before_a_day_are_found_behind_any_number_of_later_ones(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = talk(db, "walrus", at=NOW)
    for number in range(30):
        talk(db, "walrus", at=NOW + 1_000 + number)
    monkeypatch.setattr(finding, "_BATCH", 5)
    monkeypatch.setattr(finding, "_BATCHES", 1)
    assert found(db, "walrus", until=NOW + 500) == [old]


def test_a_page_that_found_too_little_says_where_it_goes_on(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rare = talk(db, "walrus", channel="slack")
    handed(db, rare, rating=1)
    for _ in range(50):
        handed(db, talk(db, "walrus"), rating=5)
    monkeypatch.setattr(finding, "BUDGET", 10)
    monkeypatch.setattr(finding, "_BATCH", 5)
    monkeypatch.setattr(finding, "_BATCHES", 2)
    for wanted in (Wanted(channel="slack"), Wanted(rating=1), Wanted("walrus", channel="slack")):
        first = search(db, wanted)
        assert (first.rows, first.partly) == ((), True) and first.next
        assert [row.conversation for row in every(db, wanted)] == [rare]


def test_what_was_typed_without_any_word_finds_nothing(db: sqlite3.Connection) -> None:
    talk(db, "hello")
    assert found(db, "?!") == [] and len(found(db, "  ")) == 1


@pytest.mark.parametrize(
    "after", ["x", "c", "c1", "c1~", "h-1", "w", "wx", "w" + "9" * 30, "h٣", "c1~1; DROP", "c~1", "c1~" + "9" * 19]
)
def test_a_page_that_was_never_given_is_refused(db: sqlite3.Connection, after: str) -> None:
    for wanted in (Wanted(after=after), Wanted("lamp", after=after), Wanted(rating=1, after=after)):
        try:
            search(db, wanted)
        except UsageError as error:
            assert "begin the search again" in str(error)
        else:
            pytest.fail(f"{after!r} was taken")
    with pytest.raises(UsageError):
        customers.customer(db, talk(db), after)


# --- people and ids ------------------------------------------------------------------------------------------


def test_people_are_found_by_any_part_of_their_name_and_the_beginning_of_their_id(db: sqlite3.Connection) -> None:
    first = talk(db, "hello", user="cust-7", name="Çiğdem Yılmaz")
    newest = talk(db, "hello", user="cust-7", name="Çiğdem Yılmaz")
    talk(db, "hello", user="cust-70", name="100% Bob_")
    for text in ("çiğdem", "ÇIĞDEM", "Çiğdem Y", "cust-7", "cust-7 "):
        people = search(db, Wanted(text)).people
        assert newest in [row.conversation for row in people], text
        assert first not in [row.conversation for row in people], text
    assert [row.customer.name for row in search(db, Wanted("0% Bo")).people] == ["100% Bob_"]
    assert search(db, Wanted("%%")).people == () and search(db, Wanted("b")).people == ()


def test_conversations_are_found_by_the_beginning_of_an_id(db: sqlite3.Connection) -> None:
    id = talk(db, "hello")
    handoff = handed(db, id)
    for text in (id, handoff):
        assert [row.conversation for row in search(db, Wanted(text)).direct] == [id]
    assert search(db, Wanted("c_")).direct == () and search(db, Wanted("c_zzzz")).direct == ()


def test_choices_are_what_there_is(db: sqlite3.Connection) -> None:
    assert choices(db).channels == ()
    for channel in ("web", "slack", "web"):
        handed(db, talk(db, channel=channel), agent="Ana")
    assert choices(db) == finding.Choices(("slack", "web"), ("Ana",), ("requested",))


def test_a_customer_of_nothing_is_not_found(db: sqlite3.Connection) -> None:
    with pytest.raises(NotFound):
        customers.customer(db, "c_nothing")


# --- the work ------------------------------------------------------------------------------------------------


def work(db: sqlite3.Connection, wanted: Wanted) -> int:
    """Virtual machine steps in hundreds: the work SQLite did, whatever the machine's speed."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    db.set_progress_handler(count, 100)
    try:
        search(db, wanted)
    finally:
        db.set_progress_handler(None, 0)
    return counted


def test_a_page_costs_no_more_when_ten_times_as_much_is_stored(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "BUDGET", 100)
    monkeypatch.setattr(finding, "_NAMES_OF", 100)

    def fill(count: int) -> None:
        db.execute("BEGIN")
        for number in range(count):
            id = talk(db, "the walrus", "and the lamp", channel=("web", "slack")[number % 2])
            if number % 10 == 0:
                handed(db, id, rating=number % 5 + 1)
        db.execute("COMMIT")

    asked = (Wanted(), Wanted("walrus"), Wanted("the lam"), Wanted(channel="web"), Wanted(handoff="any"))
    fill(400)
    before = [work(db, wanted) for wanted in asked]
    fill(4_000)
    after = [work(db, wanted) for wanted in asked]
    for wanted, few, many in zip(asked, before, after, strict=True):
        assert many <= few * 1.5 + 20, (wanted, few, many)
