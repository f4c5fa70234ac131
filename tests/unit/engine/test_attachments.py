"""Files in a turn: fetched, shown to a model that sees, and spoken of honestly where nobody can look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from turning import BEN, DOWN, Answers, Chat, Played, answer, call, message, said, script

from supportbot import tokens
from supportbot.types import AskModel, Attachment, Effect, Fetch, Fetched, ModelAnswer, ModelFailed, SearchResult
from supportbot.types import Hit as Passage

PICTURE = Attachment("lamp.png", "image/png", 10, ref="r1")
BILL = Attachment("bill.pdf", "application/pdf", 10, ref="r2")
VOICE = Attachment("voice.ogg", "audio/ogg", 10, ref="r3")
VIDEO = Attachment("clip.mp4", "video/mp4", 10, ref="r4")
REFUSED = ModelFailed("refused", "The model takes no images.")
ASKING = """
flow: complain
description: Takes a complaint.
start: [{command: /complain}]
steps:
  - {ask: what, question: "What is broken?"}
  - {ask: where, question: "Where?"}
  - handoff: Look at it.
"""


def kept(attachment: Attachment, digest: str = "d1") -> Fetched:
    return Fetched(replace(attachment, digest=digest))


def failed(attachment: Attachment, error: str = "failed") -> Fetched:
    return Fetched(attachment, error)


def fetches(played: Played) -> list[str]:
    return [effect.attachment.ref for effect in played.effects if isinstance(effect, Fetch)]


def send(
    *files: Attachment, words: str = "", results: Answers = (), chat: Chat | None = None, **changes: object
) -> Played:
    chat = chat or Chat(script(**changes))
    return chat.take(message(words, attachments=files), results=results)


# --- what is fetched -----------------------------------------------------------------------------------------


def test_what_has_a_reference_and_no_digest_is_fetched_before_the_model_is_asked() -> None:
    known, named = replace(BILL, digest="d0"), Attachment("elsewhere.pdf", url="https://example.org/elsewhere.pdf")
    results = [kept(PICTURE), kept(VOICE, "d2"), answer("Thanks.")]
    played = send(PICTURE, known, named, VOICE, words="see here", results=results)
    assert fetches(played) == ["r1", "r3"]
    assert [type(effect) for effect in played.effects] == [Fetch, Fetch, AskModel]


def test_eight_files_of_a_turn_are_fetched_and_all_are_named() -> None:
    files = [replace(BILL, name=f"{n}.pdf", ref=f"r{n}") for n in range(10)]
    chat = Chat(script())
    results = [*(kept(one, f"d{n}") for n, one in enumerate(files[:8])), answer("Many.")]
    played = chat.take(*(message("here", attachments=tuple(files[at : at + 5])) for at in (0, 5)), results=results)
    assert fetches(played) == [f"r{n}" for n in range(8)]
    assert all(f"[file: {n}.pdf]" in played.asked[0].question for n in range(10))


def test_the_digests_of_pictures_stand_in_history_with_their_weight_and_those_of_other_files_do_not() -> None:
    played = send(PICTURE, BILL, words="see", results=[kept(PICTURE), kept(BILL, "d2"), answer("Ok.")], sees=True)
    (spoken,) = [one for one in played.outcome.turn if one.role == "user"]
    assert spoken.images == ("d1",)
    assert spoken.tokens == len(spoken.content.split()) + tokens.IMAGE


def test_what_only_calls_itself_a_picture_is_none() -> None:
    garbled = Fetched(replace(PICTURE, media_type="application/octet-stream", digest="d1"))
    played = send(PICTURE, words="see", results=[garbled, answer("I cannot look into it.")], sees=True)
    assert played.outcome.turn[0].images == ()


@pytest.mark.parametrize("moment", [{"overdue": True}, {"attempt": 9}, {"unsure": "An action was started."}])
def test_nothing_is_fetched_for_a_turn_that_is_given_up(moment: dict[str, object]) -> None:
    played = Chat(script()).take(message("see", attachments=(PICTURE,)), **moment)
    assert played.effects == () and played.outcome.handoff is not None


def test_while_a_human_has_the_conversation_everyones_files_are_fetched_and_nothing_is_said() -> None:
    chat = Chat(script())
    chat.say("/human")
    played = chat.take(message(attachments=(BILL,)), results=[kept(BILL)])
    assert (fetches(played), played.texts) == (["r2"], [])
    other = chat.take(message("mine", user=BEN, attachments=(VOICE,)), results=[failed(VOICE, "too_large")])
    assert (fetches(other), other.texts) == (["r3"], [])
    assert [one.content for one in other.outcome.turn] == ["mine [file: voice.ogg]"]


def test_a_human_gets_more_files_than_a_model_is_shown() -> None:
    chat = Chat(script())
    chat.say("/human")
    photos = tuple(replace(PICTURE, ref=f"p{number}") for number in range(12))
    played = chat.take(message(attachments=photos), results=[kept(photo) for photo in photos])
    assert len(fetches(played)) == 12


# --- what the model is shown ---------------------------------------------------------------------------------


def test_a_picture_without_words_is_asked_about_if_the_model_sees() -> None:
    played = send(PICTURE, results=[kept(PICTURE), answer("A lamp.")], sees=True)
    assert played.texts == ["A lamp."]
    assert played.asked[0].messages[-1].images == ("d1",)
    assert played.asked[0].question == "[file: lamp.png]"


def test_a_picture_of_an_earlier_turn_stays_in_view() -> None:
    chat = Chat(script(sees=True))
    send(PICTURE, results=[kept(PICTURE), answer("A lamp.")], chat=chat)
    played = chat.say("which colour?", results=[answer("Red.")])
    assert [one.images for one in played.asked[0].messages if one.images] == [("d1",)]


def test_beside_words_the_model_reads_that_there_is_a_file_and_nothing_more_is_said() -> None:
    played = send(BILL, words="is this right?", results=[kept(BILL), answer("A colleague will look.")])
    assert played.texts == ["A colleague will look."]
    assert played.asked[0].question == "is this right? [file: bill.pdf]"


def test_a_model_that_takes_no_pictures_is_asked_again_with_the_words_alone() -> None:
    chat = Chat(script(sees=True))
    send(PICTURE, words="see", results=[kept(PICTURE), answer("A lamp.")], chat=chat)
    second = replace(PICTURE, ref="r9")
    played = send(second, words="and?", results=[kept(second, "d9"), REFUSED, answer("In words?")], chat=chat)
    assert played.texts == ["In words?"]
    first, again = played.asked
    assert [one.images for one in first.messages if one.images] == [("d1",), ("d9",)]
    assert not any(one.images for one in again.messages)
    assert [one.content for one in again.messages] == [one.content for one in first.messages]
    assert not any(one.images for one in played.outcome.turn)


@pytest.mark.parametrize(("words", "file"), [("hi", None), ("see", PICTURE)])
def test_a_refusal_that_is_about_no_picture_goes_down_the_ladder(words: str, file: Attachment | None) -> None:
    files = () if file is None else (file,)
    results = [*(kept(one) for one in files), REFUSED]
    played = send(*files, words=words, results=results, sees=False)
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "model_failed"


def test_a_model_that_refuses_the_words_alone_too_goes_down_the_ladder() -> None:
    played = send(PICTURE, words="see", results=[kept(PICTURE), REFUSED, REFUSED], sees=True)
    assert played.outcome.handoff is not None and played.outcome.handoff.reason == "model_failed"


# --- what is said of what nobody looked at -------------------------------------------------------------------

ALONE: dict[str, tuple[Sequence[Attachment], Sequence[Fetched], str]] = {
    "a picture": ([PICTURE], [kept(PICTURE)], "attachment_unread"),
    "a document": ([BILL], [kept(BILL)], "attachment_unread"),
    "a document that is only named": ([Attachment("a.pdf")], [], "attachment_unread"),
    "a voice note": ([VOICE], [kept(VOICE)], "voice_unread"),
    "a video": ([VIDEO], [failed(VIDEO)], "voice_unread"),
    "what is too large": ([BILL], [failed(BILL, "too_large")], "attachment_too_large"),
    "a voice note that is too large": ([VOICE], [failed(VOICE, "too_large")], "attachment_too_large"),
    "what is not allowed": ([BILL], [failed(BILL, "not_allowed")], "attachment_unread"),
}


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("has_model", [True, False])
def test_a_file_without_words_is_spoken_of_honestly(name: str, has_model: bool) -> None:
    files, results, key = ALONE[name]
    played = send(*files, results=list(results), has_model=has_model)
    assert (played.texts, played.asked, played.outcome.handoff) == ([said(key)], [], None)


BESIDE: dict[str, tuple[Attachment, Fetched, str]] = {
    "a picture": (PICTURE, kept(PICTURE), "attachment_beside"),
    "a document": (BILL, kept(BILL), "attachment_beside"),
    "a voice note": (VOICE, kept(VOICE), "voice_beside"),
    "what could not be had": (BILL, failed(BILL), "attachment_unread"),
    "what is too large": (BILL, failed(BILL, "too_large"), "attachment_too_large"),
}
PASSAGE = SearchResult((Passage("d.md", "D", "Two days.", 0.9),))


@pytest.mark.parametrize("name", BESIDE)
def test_without_a_model_the_words_are_answered_and_the_file_is_spoken_of_after(name: str) -> None:
    file, result, key = BESIDE[name]
    results: list[Fetched | SearchResult | ModelAnswer] = [result, PASSAGE, answer("Two days.")]
    played = send(file, words="how long?", results=results, has_model=False, has_articles=True)
    assert played.texts == ["Two days.", said(key)]


def test_a_file_beside_words_that_a_human_gets_is_not_spoken_of() -> None:
    played = send(BILL, words="/human", results=[kept(BILL)])
    assert played.texts == [said("handoff_told")]


def test_a_file_beside_the_answer_to_a_flow_is_spoken_of_after_the_next_question() -> None:
    chat = Chat(script(ASKING))
    chat.say("/complain")
    played = send(BILL, words="the lamp", results=[kept(BILL)], chat=chat)
    assert played.texts == ["Where?", said("attachment_beside")]


def test_a_file_that_the_model_read_of_while_a_flow_began_is_not_spoken_of_again() -> None:
    results = [kept(BILL), answer("", call("start_flow", '{"flow": "complain"}'))]
    played = send(BILL, words="it is broken", results=results, chat=Chat(script(ASKING)))
    assert played.texts == ["What is broken?"]


def test_while_the_model_is_down_the_extract_is_followed_by_a_word_on_the_file() -> None:
    results: list[object] = [kept(BILL), PASSAGE, DOWN, answer("Two days.")]
    played = send(BILL, words="how long?", results=results, has_articles=True)  # type: ignore[arg-type]
    assert played.texts == ["Two days.", said("attachment_beside")]


def test_a_picture_that_came_in_several_messages_of_a_burst_is_one_question() -> None:
    chat = Chat(script(sees=True))
    second = replace(PICTURE, ref="r9")
    played = chat.take(
        message("see", attachments=(PICTURE,)),
        message(attachments=(second,)),
        results=[kept(PICTURE), kept(second, "d9"), answer("Two lamps.")],
    )
    assert [one.images for one in played.asked[0].messages if one.images] == [("d1",), ("d9",)]
    effects: tuple[Effect, ...] = played.effects
    assert len(effects) == 3
