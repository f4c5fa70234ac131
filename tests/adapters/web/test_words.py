"""The widget's own words: whole in every language, and all that the widget asks for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import supportbot_web.words as module
from supportbot_web.words import WORDS, words

_APP = Path(module.__file__).parent / "static" / "app"
_ASKED = re.compile(r'\bsay\(\s*"([a-z_]+)"')
_SLOT = re.compile(r"\{(\w+)\}")


@pytest.mark.parametrize("locale", WORDS)
def test_every_language_has_every_key_and_no_empty_words(locale: str) -> None:
    assert WORDS[locale].keys() == WORDS["en"].keys()
    assert all(text.strip() for text in WORDS[locale].values())


@pytest.mark.parametrize("locale", WORDS)
def test_every_language_has_the_same_slots_to_fill_in(locale: str) -> None:
    for key, text in WORDS[locale].items():
        assert sorted(_SLOT.findall(text)) == sorted(_SLOT.findall(WORDS["en"][key])), key


def test_the_widget_asks_for_no_words_that_are_not_there() -> None:
    sources = [path.read_text(encoding="utf-8") for path in _APP.glob("*.js")]
    asked = {key for source in sources for key in _ASKED.findall(source)}
    assert len(asked) > 30
    assert asked <= WORDS["en"].keys()


def test_no_words_are_there_that_the_widget_never_asks_for() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in _APP.glob("*.js"))
    unused = {key for key in WORDS["en"] if not key.startswith("sign_") and f'"{key}"' not in source}
    assert unused == set()


@pytest.mark.parametrize(
    ("locale", "spoken", "direction"),
    [
        ("de", "de", "ltr"),
        ("de-AT", "de", "ltr"),
        ("FR_ca", "fr", "ltr"),
        ("ar-EG", "ar", "rtl"),
        ("iw", "he", "rtl"),
        ("fi", "en", "ltr"),
        ("", "en", "ltr"),
    ],
)
def test_a_locale_is_spoken_in_its_language_or_in_english(locale: str, spoken: str, direction: str) -> None:
    assert words(locale) == (spoken, direction, WORDS[spoken])
