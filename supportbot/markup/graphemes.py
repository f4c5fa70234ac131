"""What looks like one letter though it is several characters."""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"


def torn(text: str, start: int, place: int) -> bool:
    """Whether a cut would part a letter from its accent, an emoji or flag in two, or an escape from its letter."""
    if not start < place < len(text):
        return False
    before, after = text[place - 1], text[place]
    if after.isascii():
        return before == "\\" or before == _JOINER or (before == "\r" and after == "\n")
    if _flag(before) and _flag(after):
        return _flags_before(text, start, place) % 2 == 1
    return before in (_JOINER, "\\") or _joins(after)


def _joins(letter: str) -> bool:
    return (
        unicodedata.category(letter) in ("Mn", "Me", "Mc")
        or letter == _JOINER
        or "\U0001f3fb" <= letter <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= letter <= "\U000e007f"  # the letters in the flags of regions
        or "\u1160" <= letter <= "\u11ff"  # Hangul vowels and finals
        or "\udc00" <= letter <= "\udfff"
    )


def _flag(letter: str) -> bool:
    return "\U0001f1e6" <= letter <= "\U0001f1ff"


def _flags_before(text: str, start: int, place: int) -> int:
    first = place
    while first > start and _flag(text[first - 1]):
        first -= 1
    return place - first
