"""Whether an agent's words are for colleagues only: `note:` or `//` stands before them. Pure.

Bold, a list, a quote or a mention may stand before the mark, and in it what nobody sees. Who means a note and is not
understood has told the customer, so in doubt it is a note.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_UNSEEN = (
    r"\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
_SLASH, _COLON, NOTE = r"[/\uff0f\u2044\u2215]", r"[:\uff1a\ufe13\ufe55\u2236\ua789]", "[nｎ][oｏ][tｔ][eｅ]"
_BEFORE = (
    r"\d{1,3}[.)\ufe0f\u20e3]",
    rf"[_{_UNSEEN}]",
    r"[^\w/\uff0f\u2044\u2215]",
)
_MARKS = (
    rf"{_SLASH}[{_UNSEEN}]*{_SLASH}+",
    rf"{_SLASH}[{_UNSEEN}]*{NOTE}\b{_COLON}?",
    rf"{NOTE}[*_~`{_UNSEEN}]*{_COLON}",
    rf"{NOTE}[*_~`{_UNSEEN}]*[-\u2013\u2014](?=\s|\Z)",
)


def reader(*before: str) -> Callable[[str], str | None]:
    """Reads notes where also `before` (patterns, such as that of the platform's mentions) may stand before the mark.

    What it gives has the words of a note without its mark; None if the text is none.
    """
    mark = re.compile(
        rf"(?:{'|'.join((*before, *_BEFORE))})*+(?:{'|'.join(_MARKS)})[*_~`]*[{_UNSEEN}]*", re.IGNORECASE
    )

    def noted(text: str) -> str | None:
        found = mark.match(text)
        return None if found is None else text[found.end() :]

    return noted
