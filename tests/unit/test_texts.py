"""Every fixed text exists in every language and says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

import supportbot.engine
from supportbot.texts import LANGUAGES, TEXTS, WORDS, placeholders, text

ENGINE = Path(supportbot.engine.__file__).parent


WITH_VALUES = {"help", "confirm_call", "handoff_closed", "handoff_place", "handoff_wait"}


def test_no_text_is_there_in_vain() -> None:
    code = "".join(file.read_text("utf-8") for file in (*ENGINE.glob("*.py"), ENGINE.parent / "previews.py"))
    unused = {key for key in TEXTS if f'"{key}"' not in code and not key.startswith(("invalid_", "share_"))}
    assert unused == set()


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_a_text_has_every_language_and_the_same_placeholders_in_each(key: str) -> None:
    assert tuple(sorted(TEXTS[key])) == tuple(sorted(LANGUAGES))
    assert all(words.strip() == words and words for words in TEXTS[key].values())
    assert len({placeholders(words) for words in TEXTS[key].values()}) == 1
    assert key == "no" or len(set(TEXTS[key].values())) == len(LANGUAGES)  # English and Spanish share that word


@pytest.mark.parametrize("key", sorted(set(TEXTS) - WITH_VALUES))
def test_texts_that_are_sent_without_values_need_none(key: str) -> None:
    assert placeholders(TEXTS[key]["en"]) == frozenset()


@pytest.mark.parametrize(
    ("locale", "overrides", "expected"),
    [
        ("de", {}, TEXTS["cancelled"]["de"]),
        ("de-AT", {}, TEXTS["cancelled"]["de"]),
        ("DE_at", {}, TEXTS["cancelled"]["de"]),
        ("it", {}, TEXTS["cancelled"]["en"]),
        ("", {}, TEXTS["cancelled"]["en"]),
        ("de", {"cancelled": "Gone."}, "Gone."),
        ("de", {"cancelled": {"en": "Gone."}}, TEXTS["cancelled"]["de"]),
        ("it", {"cancelled": {"en": "Gone.", "it": "Via."}}, "Via."),
        ("nl", {"cancelled": {"en": "Gone.", "it": "Via."}}, "Gone."),
        ("pt-BR", {"cancelled": {"pt": "Foi.", "pt-BR": "Já era."}}, "Já era."),
        ("pt-PT", {"cancelled": {"pt": "Foi.", "pt-BR": "Já era."}}, "Foi."),
    ],
)
def test_the_nearest_language_is_chosen_and_the_operators_wording_first(
    locale: str, overrides: dict[str, str | dict[str, str]], expected: str
) -> None:
    assert text("cancelled", locale, overrides) == expected


def test_placeholders_are_filled_once_and_never_evaluated() -> None:
    assert text("help", "en", None, bot="{bot} {0.__class__} {{ x }}").startswith(
        "I'm the assistant of {bot} {0.__class__} {{ x }}."
    )
    assert "{bot}" in text("help", "en")


def test_a_key_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(KeyError):
        text("nothing", "en")


@pytest.mark.parametrize("kind", ["cancel", "help", "human"])
def test_customers_words_are_known_in_seven_languages(kind: str) -> None:
    lists = getattr(WORDS, kind)
    assert set(lists) == {"en", "de", "fr", "es", "it", "nl", "pt"}
    for phrases in lists.values():
        assert len(phrases) == len(set(phrases)) >= 6
        assert all(phrase and phrase == phrase.strip() for phrase in phrases)


def test_a_phrase_for_a_human_is_more_than_one_word_because_it_is_found_inside_a_message() -> None:
    assert all(len(phrase.split()) >= 2 for phrases in WORDS.human.values() for phrase in phrases)
