"""Texts in several languages and variants, and how words are compared whatever their case, accents and marks."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

# Scripts written without spaces: each character counts as one word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_APOSTROPHES = str.maketrans("", "", "'’`´")


@dataclass(frozen=True, slots=True)
class Wording:
    """One text to say: locale -> variants; the locale "" stands for all."""

    by_locale: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def pick(self, locale: str, default_locale: str, seed: int) -> str:
        """The variant that belongs to `seed`, in the best language there is; "" if there is no text."""
        variants = best(self.by_locale, locale, default_locale) or ("",)
        return variants[seed % len(variants)]

    @property
    def locales(self) -> frozenset[str]:
        return frozenset(self.by_locale)

    def every(self) -> tuple[str, ...]:
        """All its texts, in all languages."""
        return tuple(text for variants in self.by_locale.values() for text in variants)


def base(locale: str) -> str:
    """The language of a locale: `de` for `de-AT`."""
    return re.split(r"[-_]", locale, maxsplit=1)[0].casefold()


def best(by_locale: Mapping[str, T], locale: str, default_locale: str) -> T | None:
    """What is there for the locale, else its language, the default's, all languages, else the first."""
    for wanted in (locale, base(locale), default_locale, base(default_locale), ""):
        if wanted in by_locale:
            return by_locale[wanted]
    return next(iter(by_locale.values()), None)


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[str, ...]:
    """The words of a text for comparing: casefolded, without accents and punctuation."""
    plain = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES).casefold())
    return tuple(_WORD.findall("".join(char for char in plain if not unicodedata.combining(char))))


def contains(message: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the phrase's words stand together somewhere in the message; never for an empty phrase."""
    return bool(phrase) and spaced(phrase) in spaced(message)


def spaced(words: Sequence[str]) -> str:
    """The words between blanks: one such text lies in another just when its words stand together there."""
    return f" {' '.join(words)} "
