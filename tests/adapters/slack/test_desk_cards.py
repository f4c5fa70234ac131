"""What a desk posts, whatever a customer wrote, is what Slack takes. Nothing runs here."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from supportbot.testing.desk_stage import BRIEF, FACTS
from supportbot.testing.slack.rules import refusal
from supportbot_slack.brief import brief, fallback, written
from supportbot_slack.card import NOTICE, card, closed_elsewhere, date, notice, who
from supportbot_slack.lines import author, line, note
from supportbot_slack.mrkdwn import literal, literals

WORDS = st.one_of(
    st.text(max_size=80),
    st.text("&<>*_~`\n \t#|", max_size=80),
    st.sampled_from(["<!channel>", "<@U0ANA1>", "&amp;", "*", "```", "> x", "- y", "note:"]),
).flatmap(lambda text: st.sampled_from([text, text * 40, text * 400]))
ODD = st.one_of(st.none(), st.integers(), st.booleans(), st.lists(st.integers(), max_size=2), WORDS)
LISTS = st.lists(WORDS, max_size=100)
LINES = st.lists(st.fixed_dictionaries({"role": WORDS, "name": WORDS, "text": WORDS}), max_size=60)
EARLIER = st.lists(
    st.fixed_dictionaries(
        {"at": st.floats() | ODD, "channel": WORDS, "summary": WORDS, "outcome": WORDS},
    ),
    max_size=20,
)
DATA = st.fixed_dictionaries(
    {
        "handoff": st.just("h_1"),
        "status": st.sampled_from(["waiting", "claimed", "resolved", "returned", "cancelled", "expired", "odd"]),
    },
    optional={
        "reason": WORDS,
        "detail": WORDS,
        "agent": WORDS,
        "assignee": WORDS,
        "tags": LISTS | ODD,
        "priority": WORDS,
        "channel": WORDS,
        "customer": st.fixed_dictionaries({"id": WORDS, "name": WORDS}) | ODD,
        "locale": WORDS,
        "requested_at": st.floats() | ODD,
        "deadline": st.floats() | ODD,
        "summary": WORDS,
        "why": WORDS,
        "cause": st.dictionaries(WORDS, ODD, max_size=5) | ODD,
        "tried": LISTS | ODD,
        "slots": st.dictionaries(WORDS, ODD, max_size=100) | ODD,
        "identity": st.fixed_dictionaries({"customer": WORDS, "name": WORDS, "verified": ODD}) | ODD,
        "earlier": EARLIER | ODD,
        "transcript": LINES | ODD,
        "suggestion": WORDS,
        "change": st.sampled_from(
            ["assigned", "released", "transferred", "late", "refused", "undelivered", "gathered", "rated", "odd"]
        ),
        "to": WORDS,
        "by": st.fixed_dictionaries({"id": WORDS, "name": WORDS}) | ODD,
        "error": WORDS,
        "rating": ODD,
        "from": st.fixed_dictionaries({"role": WORDS, "id": WORDS, "name": WORDS}) | ODD,
    },
)
LIVE = re.compile(r"<(?!!date\^\d+\^\{date_short_pretty\}, \{time\}\|[-\d: ]+ UTC>|@[UW][A-Z0-9]{5,20}>)")
WHOLE = {**FACTS, **BRIEF, "handoff": "h_1", "requested_at": 1_790_000_000.0, "deadline": 1_790_000_900.0}


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [str(value["text"])] if value.get("type") == "mrkdwn" else []
        return own + [text for inner in value.values() for text in _texts(inner)]
    return [text for inner in value for text in _texts(inner)] if isinstance(value, list | tuple) else []


@given(DATA, st.floats(), WORDS)
def test_the_first_message_is_always_taken_and_calls_nobody_whom_the_house_did_not_name(
    data: dict[str, Any], at: float, to: str
) -> None:
    for away in ("", to):
        drawn = card(data, at=at, to=away)
        assert refusal(drawn.blocks) is None
        assert len(drawn.text) <= NOTICE + 1
        assert not [text for text in (*_texts(drawn.blocks), drawn.text) if LIVE.search(text)]


@given(DATA)
def test_the_brief_is_always_taken_and_says_all_or_has_a_file_that_does(data: dict[str, Any]) -> None:
    told = brief(data)
    assert refusal(told.blocks) is None
    assert not [text for text in (*_texts(told.blocks), fallback(told.blocks)) if LIVE.search(text)]
    suggestion = data.get("suggestion", "").strip()
    if told.file:
        assert told.file == written(data) and suggestion in told.file
    else:
        assert literal(suggestion, 10_000) in "\n".join(_texts(told.blocks))


@given(DATA)
def test_every_line_fits_and_calls_nobody_whom_the_house_did_not_name(data: dict[str, Any]) -> None:
    for words in (line(data), line(data, "billing"), note(data), author(data).line):
        assert len(words) <= 3000 and not LIVE.search(words)


@given(WORDS, st.integers(10, 3000))
def test_words_are_cut_to_their_limit_and_pieces_hold_all_of_them(text: str, limit: int) -> None:
    assert len(literal(text, limit)) <= limit
    pieces = literals(text, limit)
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(literal(text, 10**7).split())


@given(st.text("&<>;ab", max_size=400), st.integers(0, 3))
def test_a_notification_is_not_cut_inside_an_entity_or_a_mention(text: str, mentions: int) -> None:
    whole = "<@U0ANA1> " * mentions + literal(text, 10_000)
    cut = notice(whole)
    assert len(cut) <= NOTICE + 1
    assert re.search(r"&(?!amp;|lt;|gt;)|<(?!@U0ANA1>)", cut) is None


def test_slacks_own_library_reads_the_same_blocks() -> None:
    for blocks in (card(WHOLE, at=1.0).blocks, brief(WHOLE).blocks):
        read = Block.parse_all(list(blocks))
        for block in read:
            block.validate_json()
        assert [block.to_dict()["type"] for block in read] == [block["type"] for block in blocks]
        assert sum(len(block.to_dict().get("elements", [])) for block in read if block.type == "actions") == sum(
            len(block["elements"]) for block in blocks if block["type"] == "actions"
        )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("U0ANA1X", "<@U0ANA1X>"),
        ({"id": "W0ANA1X", "name": "Ana"}, "<@W0ANA1X>"),
        ({"id": "ana", "name": "Ana <b>"}, "Ana &lt;b&gt;"),
        ("Ana Lima", "Ana Lima"),
        ({"id": "ana"}, "ana"),
        (None, ""),
        ("USA", "USA"),
    ],
)
def test_an_agent_is_called_if_slack_knows_them(value: object, shown: str) -> None:
    assert who(value) == shown


@pytest.mark.parametrize("at", [None, "soon", float("nan"), float("inf"), -1, 0, True])
def test_what_is_no_time_is_left_out(at: object) -> None:
    assert date(at) == ""


@pytest.mark.parametrize(
    ("data", "away"),
    [
        ({"to": "billing"}, "billing"),
        ({"to": "front"}, ""),
        ({"to": ""}, ""),
        ({"to": "U0ANA1X"}, ""),
        ({"to": "ana", "assignee": "ana"}, ""),
        ({"to": "Ana", "agent": "Ana"}, ""),
    ],
)
def test_a_transfer_leaves_the_desk_if_it_goes_to_another(data: dict[str, str], away: str) -> None:
    assert closed_elsewhere(data, "front") == away
