"""Customers change or delete what they wrote, before it is answered and after."""

from __future__ import annotations

from dataclasses import replace

import pytest
from turning import ANNA, BEN, Chat, Played, answer, message, press, said, script

from supportbot.engine import batch
from supportbot.types import Attachment, Fetched, Inbound, Message, User

ASKING = """
flow: order_status
description: Tells where an order is.
start: [{phrases: [where is my order]}]
steps:
  - {ask: order_number, question: "Which order?", pattern: 'A-\\d{5}'}
  - {ask: reason, question: "Why?"}
  - say: "{{ order_number }}, because {{ reason }}."
"""


def edited(target: Message, words: str, *, user: User | None = None) -> Message:
    return message(words, kind="message.edited", target=target.id, user=user or target.user)


def deleted(target: Message, *, user: User | None = None) -> Message:
    return message(kind="message.deleted", target=target.id, user=user or target.user)


def heard(played: Played) -> list[str]:
    return [one.content for one in played.outcome.turn if one.role == "user"]


def waits_for_reason() -> tuple[Chat, Message]:
    """A flow that has gone on from the answer A-10002."""
    chat = Chat(script(ASKING))
    chat.say("where is my order")
    first = message("A-10002")
    assert chat.take(first).texts == ["Why?"]
    return chat, first


# --- which rows belong together ------------------------------------------------------------------------------

A, B = message("one"), message("two", user=BEN)
CASES: dict[str, tuple[list[Message], int]] = {
    "a change belongs to the burst": ([A, edited(A, "uno"), A], 3),
    "a deletion belongs to the burst": ([A, deleted(A), A], 3),
    "a change may begin it": ([edited(A, "uno"), A], 2),
    "a deletion may begin it": ([deleted(A), A], 2),
    "another's change begins a turn of its own": ([A, edited(A, "uno", user=BEN)], 1),
    "another's deletion begins a turn of its own": ([A, deleted(A, user=BEN)], 1),
    "a press ends the burst": ([A, deleted(A), press("x")], 2),
    "a message changed into a command is that command": ([A, edited(A, "/help")], 2),
}


@pytest.mark.parametrize("name", CASES)
def test_changes_are_part_of_their_authors_burst(name: str) -> None:
    messages, size = CASES[name]
    rows = tuple(Inbound(at, one, 0.0) for at, one in enumerate(messages, 1))
    assert batch(rows) == rows[:size]


def test_a_change_is_found_behind_what_another_wrote() -> None:
    change = deleted(A)
    rows = tuple(Inbound(at, one, 0.0) for at, one in enumerate((A, B, change), 1))
    assert batch(rows) == (rows[0], rows[2])
    played = Chat(script()).take(A, B, change)
    assert (played.texts, played.outcome.consumed) == ([], (1, 3))


# --- edits ---------------------------------------------------------------------------------------------------


def test_an_edit_of_a_message_that_waits_is_one_message_with_the_new_words() -> None:
    first = message("where is my odrer")
    played = Chat(script(ASKING)).take(first, edited(first, "where is my order"))
    assert (played.texts, heard(played)) == (["Which order?"], ["where is my order"])
    assert played.outcome.consumed == (1, 2)


def test_the_last_of_several_edits_counts_and_the_message_keeps_its_place_and_files() -> None:
    first = message("one", attachments=(Attachment("a.pdf"),))
    played = Chat(script()).take(
        first, message("two"), edited(first, "uno"), edited(first, "eins"), results=[answer("Fine.")]
    )
    assert heard(played) == ["eins [file: a.pdf]", "two"]
    assert played.asked[0].question == "eins\ntwo [file: a.pdf]"


def test_an_edit_of_an_answered_message_is_answered_anew_and_history_says_that_it_was_changed() -> None:
    chat = Chat(script())
    first = message("is it red?")
    chat.take(first, results=[answer("Yes.")])
    played = chat.take(edited(first, "is it blue?"), results=[answer("No.")])
    assert (played.texts, heard(played)) == (["No."], ["[changed an earlier message to:] is it blue?"])
    assert played.asked[0].question == "is it blue?"


def test_an_edited_message_may_start_a_flow() -> None:
    chat = Chat(script(ASKING))
    first = message("hm")
    chat.take(first, results=[answer("Yes?")])
    assert chat.take(edited(first, "where is my order")).texts == ["Which order?"]


def test_an_edit_inside_a_flow_changes_nothing_and_the_question_is_asked_again() -> None:
    chat, first = waits_for_reason()
    played = chat.take(edited(first, "A-10003"))
    assert played.texts == [said("edited_late"), "Why?"]
    assert chat.states[ANNA.id].slots["order_number"] == "A-10002"
    assert chat.say("broken").texts == ["A-10002, because broken."]


def test_an_edit_by_another_author_is_their_own_words_and_changes_nobodys() -> None:
    first = message("hello")
    one = Chat(script()).take(first, edited(first, "forged", user=BEN), results=[answer("Hello Anna.")])
    assert (heard(one), one.outcome.consumed) == (["hello"], (1,))
    owned = Chat(script())
    owned.say("/human")
    played = owned.take(first, edited(first, "forged", user=BEN), deleted(first, user=BEN))
    assert heard(played) == ["hello"]
    theirs = owned.take(edited(first, "forged", user=BEN), deleted(first, user=BEN))
    assert heard(theirs) == ["[changed an earlier message to:] forged"]


def test_an_edit_while_a_human_has_the_conversation_is_heard_in_silence() -> None:
    chat = Chat(script())
    chat.say("/human")
    first = message("it is red")
    chat.take(first)
    played = chat.take(edited(first, "it is blue"))
    assert (played.texts, heard(played)) == ([], ["[changed an earlier message to:] it is blue"])


# --- deletions -----------------------------------------------------------------------------------------------


def test_a_message_deleted_before_its_answer_was_never_said() -> None:
    first = message("oops")
    played = Chat(script()).take(first, deleted(first))
    assert (played.texts, played.effects, played.outcome.turn) == ([], (), ())
    assert (played.outcome.consumed, played.outcome.withdrawn, played.outcome.handoff) == ((1, 2), (), None)


def test_what_was_edited_first_and_then_deleted_was_never_said_either() -> None:
    first = message("oops")
    played = Chat(script()).take(first, edited(first, "ooops"), deleted(first))
    assert (played.outcome.turn, played.outcome.withdrawn) == ((), ())


def test_files_of_a_message_deleted_before_its_answer_are_not_fetched() -> None:
    first = message("look", attachments=(Attachment("a.png", "image/png", ref="r"),))
    assert Chat(script()).take(first, deleted(first)).effects == ()


def test_deleting_an_answered_message_takes_it_back_in_silence() -> None:
    chat = Chat(script())
    first = message("my pin is 1234")
    chat.take(first, results=[answer("Do not tell me.")])
    played = chat.take(deleted(first))
    assert (played.outcome.withdrawn, played.outcome.consumed) == ((first.id,), (1,))
    assert (played.texts, played.effects, played.outcome.turn, played.steps) == ([], (), (), ["silent"])


@pytest.mark.parametrize("moment", [{"attempt": 9}, {"overdue": True}, {"unsure": "An action was started."}])
def test_only_deletions_never_call_a_human(moment: dict[str, object]) -> None:
    first, second = message("one"), message("two")
    played = Chat(script()).take(deleted(first), second, deleted(second), **moment)
    assert (played.texts, played.outcome.handoff, played.outcome.withdrawn) == ([], None, (first.id,))


def test_a_deletion_inside_a_flow_leaves_the_question_open() -> None:
    chat, first = waits_for_reason()
    assert chat.take(deleted(first)).texts == []
    assert chat.say("broken").texts == ["A-10002, because broken."]


def test_what_stays_of_a_burst_is_answered_and_what_was_answered_before_is_taken_back() -> None:
    chat = Chat(script())
    old = message("old")
    chat.take(old, results=[answer("Fine.")])
    gone, kept = message("gone"), message("kept")
    played = chat.take(gone, deleted(old), kept, deleted(gone), results=[answer("Kept.")])
    assert (played.texts, heard(played), played.asked[0].question) == (["Kept."], ["kept"], "kept")
    assert (played.outcome.withdrawn, played.outcome.consumed) == ((old.id,), (1, 2, 3, 4))


def test_a_deletion_while_a_human_has_the_conversation_takes_back_in_silence() -> None:
    chat = Chat(script())
    first = message("my pin is 1234")
    chat.take(first, results=[answer("Oh.")])
    chat.say("/human")
    played = chat.take(deleted(first))
    assert (played.outcome.withdrawn, played.texts) == ((first.id,), [])


def test_a_deletion_is_not_read_by_the_model() -> None:
    chat = Chat(script())
    first = message("old")
    chat.take(first, results=[answer("Fine.")])
    played = chat.take(deleted(first), message("new"), results=[answer("Newer.")])
    assert "" not in [one.content for one in played.asked[0].messages]


def test_an_edit_keeps_the_digest_of_a_picture_that_came_with_the_message() -> None:
    picture = Attachment("a.png", "image/png", ref="r")
    first = message("look", attachments=(picture,))
    results = [Fetched(replace(picture, digest="d1")), answer("Nice.")]
    played = Chat(script(sees=True)).take(first, edited(first, "look here"), results=results)
    (spoken,) = [one for one in played.outcome.turn if one.role == "user"]
    assert (spoken.content, spoken.images) == ("look here [file: a.png]", ("d1",))


def test_an_edit_that_changes_no_words_is_not_answered_again() -> None:
    chat = Chat(script())
    first = message("do you sell lamps?")
    chat.take(first, results=[answer("We do.")])
    played = chat.take(edited(first, "do you sell lamps?"))
    assert (played.texts, played.effects, played.outcome.turn) == ([], (), ())
    assert chat.take(edited(first, "do you sell pots?"), results=[answer("We do.")]).texts == ["We do."]
    assert chat.take(edited(first, "do you sell pots?")).texts == []
