"""Who is called angry, and who is not; the benchmark counts on larger sets."""

from __future__ import annotations

import pytest
from angry_messages import ANGRY, CALM, HELD_ANGRY, HELD_CALM

from supportbot.anger import ENOUGH, LEXICON, WEIGHTS, Anger, anger
from supportbot.heard import Heard


def of(text: str) -> Anger:
    return anger(Heard(text))


@pytest.mark.parametrize(("language", "text"), ANGRY)
def test_an_angry_message_is_heard(language: str, text: str) -> None:
    assert of(text).enough, of(text)


@pytest.mark.parametrize(("language", "text"), CALM)
def test_a_calm_message_is_left_alone(language: str, text: str) -> None:
    assert not of(text).enough, of(text)


def test_words_that_nobody_thought_of_are_missed_rather_than_calm_ones_taken_for_angry() -> None:
    heard = sum(of(text).enough for _, text in HELD_ANGRY)
    alarms = sum(of(text).enough for _, text in HELD_CALM)
    assert heard / len(HELD_ANGRY) >= 0.5
    assert alarms == 0


def test_anger_is_explained_by_the_customers_own_words() -> None:
    assert of("This is RIDICULOUS, the third time!!!") == Anger(16, ("“RIDICULOUS”", "“third time”", "“!!!”"))
    assert of("Du ídi\u200bot") == Anger(10, ("“ídi\\u{200b}ot”",))
    assert of("Where is it 😡 damn") == Anger(12, ("“damn”", "😡"))
    assert of("Where do I find my invoice?") == Anger()


def test_shape_alone_is_no_anger() -> None:
    assert of("PLEASE HELP ME RIGHT NOW MY CARD IS GONE!!!!!!! ???").points < ENOUGH
    assert of("THE KETTLE LEAKS").points == 4
    assert of("ABC123 USB HDMI cable").points == 0
    assert of("Thanks!!").points == 2


def test_saying_one_thing_often_counts_once() -> None:
    assert of("damn damn damn damn") == Anger(6, ("“damn”",))
    assert of("still nothing, still no reply, yet again").points == 5


@pytest.mark.parametrize(
    "text",
    [
        "Do you have the “Go to hell” doormat?",
        'the mug "you idiot"',
        "the book «Bande d'idiots»",
        "is the Stupid Deaths game in stock",
        "I want the Angry Furious Birds set",
        "a poster of The Fast And The Furious",
    ],
)
def test_names_and_quotations_count_nothing(text: str) -> None:
    assert not of(text).enough, of(text)


def test_the_lists_have_no_entry_that_is_another_ones_twin() -> None:
    for language, kinds in LEXICON.items():
        assert set(kinds) == set(WEIGHTS), language
        texts = [" ".join(text.split()) for kind in kinds.values() for text in kind.split(",")]
        assert sorted(text for text in set(texts) if texts.count(text) > 1) == [], language
        for text in texts:
            assert text.isascii() and text == text.lower() and "'" not in text, text
