"""What a customer's message has in it, read without a model: words and phrases, sums of money, the same again.

1. Words are compared without case, accents, apostrophes, width and signs that nobody sees.
2. Of a very long text its beginning and its end are read, so that no text takes long. All patterns are linear.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate

from supportbot.consent import in_sight

MAX_TEXT = 10_000
"""Characters of a message that are read: the first and the last half of them."""
QUOTED = 60
"""Characters of a customer's words that are shown as the finding."""

# Scripts written without spaces: each character counts as one word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_UNSEEN = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0'’`´‘ʼ")
"""Apostrophes, and letters and signs by their class that show nothing."""
_UNFOLDS = 6  # there are signs that stand for whole sentences
_GONE = ("Mn", "Me", "Cf", "Cs", "Co")


@dataclass(frozen=True, slots=True)
class Word:
    """One word as it is compared, and where it stands in the text."""

    folded: str
    start: int
    end: int


@dataclass(frozen=True)
class Heard:
    """A message; everything is read when it is first asked for."""

    original: str

    @cached_property
    def text(self) -> str:
        """What of the message is read."""
        half = MAX_TEXT // 2
        short = len(self.original) <= MAX_TEXT
        return self.original if short else f"{self.original[:half]} … {self.original[-half:]}"

    @cached_property
    def _letters(self) -> Mapping[str, str]:
        return {letter: folded(letter) for letter in set(self.text)}

    @cached_property
    def folded(self) -> str:
        """The text in the form in which it is compared."""
        return "".join(map(self._letters.__getitem__, self.text))

    @cached_property
    def words(self) -> tuple[Word, ...]:
        """Its words in order."""
        ends = list(accumulate(len(self._letters[letter]) for letter in self.text))
        return tuple(_placed(_WORD.finditer(self.folded), ends))

    @cached_property
    def money(self) -> float:
        """The largest sum of money that it names, in whatever currency; 0 if there is none."""
        return max(sums(self.folded), default=0.0)

    def quote(self, first: int, last: int) -> str:
        """The customer's own spelling from one word to another, both included, with every sign in sight."""
        spelled = " ".join(self.text[self.words[first].start : self.words[last].end].split())
        return in_sight(spelled if len(spelled) <= QUOTED else spelled[: QUOTED - 1] + "…")


def _placed(found: Iterable[re.Match[str]], ends: Sequence[int]) -> Iterator[Word]:
    """The words with their places in the original: `ends` says where each of its characters ends in the folded text."""
    place = 0
    for match in found:
        while ends[place] <= match.start():
            place += 1
        start = place
        while ends[place] < match.end():
            place += 1
        yield Word(match.group(), start, place + 1)


@lru_cache(maxsize=8192)
def folded(letter: str) -> str:
    """One character as it is compared: small, plain, and nothing for what is not seen."""
    if letter.isascii():
        return "" if letter in _UNSEEN or not (letter.isprintable() or letter.isspace()) else letter.lower()
    plain = unicodedata.normalize("NFKD", letter).casefold()[:_UNFOLDS]
    return "".join(part for part in plain if not _is_gone(part))


def _is_gone(part: str) -> bool:
    kind = unicodedata.category(part)
    return part in _UNSEEN or kind in _GONE or (kind == "Cc" and not part.isspace())


def plain_words(text: str) -> tuple[str, ...]:
    """The words of a text as they are compared."""
    return tuple(word.folded for word in Heard(text).words)


# --- phrases -------------------------------------------------------------------------------------------------

_PHRASE_WORD = re.compile(rf"(?:[{_UNSPACED}]|[^\W_{_UNSPACED}]+)\*?")
_STAR = re.compile(r"(?<=[^\W_])\*(?![^\W_*])")
_OPEN_LETTERS = 3
_PLURAL_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase as written, and its words; a word with a star stands for all that begin so.

    A word of four letters and more is also found with an s behind it (shocks, lawyer's).
    """

    text: str
    words: tuple[str, ...]

    def at(self, heard: Sequence[Word], place: int) -> bool:
        """Whether the message has this phrase from its word number `place` on."""
        if place + len(self.words) > len(heard):
            return False
        return all(fits(wanted, heard[place + step].folded) for step, wanted in enumerate(self.words))


def fits(wanted: str, word: str) -> bool:
    """Whether a phrase's word is found in this word of a message."""
    if wanted.endswith("*"):
        return word.startswith(wanted[:-1])
    return word == wanted or (len(wanted) >= _PLURAL_LETTERS and word == f"{wanted}s")


def phrase(text: str) -> Phrase:
    """The phrase. Raises ValueError if it has no word, or a star that stands for almost anything."""
    plain = "".join(folded(letter) for letter in text)
    words = tuple(_PHRASE_WORD.findall(plain))
    if not words:
        raise ValueError(f"'{text[:40]}' has no word in it")
    if plain.count("*") != len(_STAR.findall(plain)):
        raise ValueError(f"'{text[:40]}' has a * that ends no word: it stands for any ending, such as refund*")
    short = next((word for word in words if word.endswith("*") and len(word) <= _OPEN_LETTERS), None)
    if short is not None:
        raise ValueError(f"'{short}' stands for too much: write {_OPEN_LETTERS} letters or more before the *")
    return Phrase(text, words)


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases to look for all at once; the time does not grow with their number."""

    phrases: tuple[Phrase, ...]
    _by_word: Mapping[str, Sequence[Phrase]] = field(init=False, repr=False, compare=False)
    _stars: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _starts: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_word: dict[str, list[Phrase]] = {}
        for entry in self.phrases:
            by_word.setdefault(entry.words[0], []).append(entry)
        stars = {len(word) - 1 for word in by_word if word.endswith("*")}
        object.__setattr__(self, "_by_word", by_word)
        object.__setattr__(self, "_stars", tuple(sorted(stars)))
        object.__setattr__(self, "_starts", frozenset(word[:_OPEN_LETTERS] for word in by_word))

    def find(self, heard: Sequence[Word]) -> Iterator[tuple[int, Phrase]]:
        """(number of its first word, phrase), of those that begin at the same word only the longest, none overlapping."""
        free = 0
        for place, word in enumerate(heard):
            if place < free or word.folded[:_OPEN_LETTERS] not in self._starts:
                continue
            found = max(self._at(heard, place), key=_length, default=None)
            if found is not None:
                yield place, found
                free = place + len(found.words)

    def _at(self, heard: Sequence[Word], place: int) -> Iterator[Phrase]:
        word = heard[place].folded
        keys = [word, *(f"{word[:size]}*" for size in self._stars if size <= len(word))]
        if word.endswith("s") and len(word) > _PLURAL_LETTERS:
            keys.append(word[:-1])
        for key in keys:
            yield from (entry for entry in self._by_word.get(key, ()) if entry.at(heard, place))


def _length(entry: Phrase) -> tuple[int, int]:
    return len(entry.words), sum(map(len, entry.words))


# --- money ---------------------------------------------------------------------------------------------------

_GROUPED = r"\d{1,3}(?:[., ]\d{3}){1,4}(?:[.,]\d{1,2})?(?!\d)"
_AMOUNT = rf"(?:{_GROUPED}|\d{{1,15}}(?:[.,]\d{{1,2}})?(?!\d))(?:k\b)?"
_SIGNS = "$€£¥₹₽₩₺₴₪฿₫₱"
_CODES = "eur|usd|gbp|chf|cad|aud|nzd|jpy|cny|inr|sek|nok|dkk|pln|czk|huf|mxn|brl|ars|clp|zar|sgd|hkd|aed"
_NAMES = (
    "euros?|dollars?|dolares|dolar|bucks|quid|pounds?|franken|francs?|pesos?|yen|rupees?|rupien|rupias|zloty|kronor"
    "|kroner|kronen|reais"
)
_MONEY = re.compile(
    rf"(?:[{_SIGNS}]|(?<![^\W\d_])(?:{_CODES})(?![^\W\d_])) ?(?P<after>{_AMOUNT})"
    rf"|(?<![\w#.,])(?P<before>{_AMOUNT})(?:[.,][-–—]+)?"
    rf"(?:€(?!\d)| €(?!\d)|[{_SIGNS}](?!\d)| [{_SIGNS}](?! ?\d)|[ -]?(?:{_CODES}|{_NAMES})\b)"
)


def sums(folded: str) -> Iterator[float]:
    """Each sum of money that a folded text names: $1,200.50, 1.200,50 €, EUR 500, 500 euros, £2k.

    A number without a currency is none: order and phone numbers, years, counts.
    """
    for match in _MONEY.finditer(folded):
        yield amount(match["after"] or match["before"])


def amount(text: str) -> float:
    """The value of a number as people write it: of two kinds of separators the last is the decimal one, a single one
    before three digits parts thousands."""
    thousand = text.endswith("k")
    text = text.removesuffix("k").replace(" ", "")
    whole, _, cents = text.rpartition(max(".,", key=text.rfind)) if re.search("[.,]", text) else (text, "", "")
    if len(cents) == 3 and whole.strip("0"):
        whole, cents = whole + cents, ""
    return float(f"{re.sub('[.,]', '', whole) or '0'}.{cents or '0'}") * (1000 if thousand else 1)


# --- the same again ------------------------------------------------------------------------------------------

SIMILAR = 0.8
"""Share of the three-letter pieces in common from which on two messages say the same."""
_COMPARED = 1_000
_REMEMBERED = 10
_NEGATIONS = """
    no not dont cant wont never without nein nicht kein keine keinen nie ohne ne pas non jamais sans nunca tampoco sin
"""
_SMALL_TALK = """
    yes yeah yep okay fine sure thanks thank please hello good great nice next back more done none cool right
    danke bitte hallo genau gerne passt weiter stimmt merci bonjour daccord parfait gracias hola vale bueno perfecto
    claro favor
"""
_ANSWERS = "yes yeah yep nope ok okay thanks thank ja doch danke oui merci gracias"
"""A message that begins so answers a question of the bot's."""
_ANSWERING = frozenset(_ANSWERS.split())
_NEGATING = frozenset(_NEGATIONS.split())
_SMALL = frozenset(_SMALL_TALK.split())


def is_repeat(text: str, earlier: Sequence[str]) -> bool:
    """Whether the customer says (nearly) the same as in one of their earlier messages, of which the last ten count.

    Not for small talk and answers (yes, that is right), and not if a number is another one or only one of the two has
    a "not" in it.
    """
    words = plain_words(text[:_COMPARED])
    if words[:1] and words[0] in _ANSWERING:
        return False
    if not any(len(word) > 3 or not word.isascii() for word in words if word not in _SMALL):
        return False
    return any(_alike(words, plain_words(other[:_COMPARED])) for other in earlier[-_REMEMBERED:])


def _alike(words: Sequence[str], other: Sequence[str]) -> bool:
    if words == other:
        return True
    if min(len(words), len(other)) < 3 or _fixed(words) != _fixed(other):
        return False
    one, two = _pieces(words), _pieces(other)
    common = (one & two).total()
    alike = 2 * common / (one.total() + two.total())
    again = common / two.total() if one.total() <= 2 * two.total() else 0.0  # "I said: …"
    return alike >= SIMILAR or again >= 0.95


def _fixed(words: Sequence[str]) -> tuple[frozenset[str], bool]:
    """What must be the same in both."""
    return frozenset(word for word in words if any(map(str.isdigit, word))), not _NEGATING.isdisjoint(words)


def _pieces(words: Sequence[str]) -> Counter[str]:
    text = f" {' '.join(words)} "
    return Counter(text[place : place + 3] for place in range(len(text) - 2))
