"""Answers without a model: the sentences of the articles that fit the question best, quoted, with their source.

Rules:
1. Only what the request's `hits` say is quoted, word for word. Below the threshold nothing is: NoAnswer.
2. An extract ends where a sentence ends. Lists, tables and code are quoted whole, with the line that announces them.
3. A sentence answers directly if it has the question's rarer words, and a time, an amount or a number if asked for.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

from supportbot.errors import NoAnswer
from supportbot.types import Hit, ModelAnswer, ModelRequest

THRESHOLD = 0.25
"""Of questions that an article answers about 9 in 10 reach it, of foreign ones 1 in 10 (benchmarks/retrieval.py)."""

SENTENCES = 3
BRIEF = 400  # characters: a paragraph up to this is quoted whole
CLOSE = 0.85  # another article that fits nearly as well is named too
KIND_BONUS = 0.5  # of its own score: the sentence has the kind of thing that was asked for, such as a time
PLACE_BONUS = 0.15  # the first sentence under a heading usually answers it

_PHRASES = {
    "en": ("From", "See also"),
    "de": ("Aus", "Siehe auch"),
    "fr": ("Source", "Voir aussi"),
    "es": ("Fuente", "Véase también"),
}
_WORD = re.compile(r"[^\W_]+")
_ENDING = re.compile(r"(?<=\w{3})(?:ations?|ings?|ed|ies|es|en|[seyn])\Z")
_DOUBLED = re.compile(r"([b-df-hj-np-tv-z])\1\Z")
_FENCE = re.compile(r" {0,3}(?:`{3,}|~{3,})")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|\Z)")
_STOP = re.compile(r"[.!?…]+[\"'”’»)\]*_]*(?=\s+[\"'“‘«(\[¿¡*_]*[^\W\d_a-zà-öø-ÿ]|\s+\d|\s*\Z)|[。！？]")
_ABBREVIATION = re.compile(
    r"(?:\b(?:\w|e\.g|i\.e|etc|vs|approx|incl|max|min|no|nr|st|mr|mrs|ms|dr|prof|bzw|ca|ggf|inkl|usw|str|tel|abs|art"
    r"|p\.\s?ej|sr|sra|ud|uds|ej|env|av)|\d)\.\Z",
    re.IGNORECASE,
)
_UNIT = (
    r"day|hour|week|month|minute|year|tage?n?\b|stunde|woche|monat|jahr|jour|heure|semaine|mois\b|d[ií]as?\b|hora|semana"
    r"|mes(?:es)?\b|\d[:.]\d\d|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
)
_MONEY = r"[€$£]|\beuro|\bdollar|\bpound|\bfree\b|kostenlos|gratis|gratuit|%"
_ASKED_FOR = tuple(
    (re.compile(rf"\b(?:{question})\b", re.IGNORECASE), re.compile(answer, re.IGNORECASE))
    for question, answer in (
        ("how long|how soon|when|wie lange|wann|quand|combien de temps|cuándo|cuánto (?:tiempo|tarda)", _UNIT),
        ("how much|costs?|price|fees?|wie ?viel|kostet|kosten|combien|prix|coûte|cuánto|cuesta|precio", _MONEY),
        ("how (?:many|often|far|big|old)|what time|wie (?:viele|oft|hoch)|cuánt[oa]s", r"\d"),
    )
)


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence, or a whole list, table or code block; `block` counts the blocks, `first` opens one."""

    text: str
    block: int
    whole: bool = False
    first: bool = False
    heading: str = ""


class OfflineModel:
    """Quotes the articles. `threshold` in 0..1 is the least score of a hit that is taken for an answer."""

    def __init__(self, *, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold

    async def complete(
        self,
        request: ModelRequest,
        *,
        seconds: float,
        on_text: Callable[[str], Awaitable[None]] | None = None,
    ) -> ModelAnswer:
        """The best extract, in one piece. Raises NoAnswer if no hit reaches the threshold, or for any other purpose."""
        if request.purpose != "reply" or request.schema is not None:
            raise NoAnswer(f"The offline model only quotes articles; it cannot do {request.purpose!r}.")
        hits = sorted((hit for hit in request.hits if hit.score >= self.threshold), key=lambda hit: -hit.score)
        quoted = extract(hits[0].text, request.question) if hits else ""
        if not quoted:
            raise NoAnswer("No article fits the question well enough.")
        also = tuple(
            hit for hit in hits[1:3] if hit.score >= CLOSE * hits[0].score and hit.source != hits[0].source
        )
        text = _worded(quoted, hits[0], also, request.locale)
        if on_text is not None:
            await on_text(text)
        return ModelAnswer(text, model="offline", sources=(hits[0].source, *(hit.source for hit in also)))

    async def close(self) -> None:
        """Nothing is held open."""


def extract(text: str, question: str) -> str:
    """The one to three sentences, or the list, table or code, of a Markdown text that fit a question most.

    "" only if the text has none.
    """
    units = _units(text)
    if not units:
        return ""
    weights = _weights(question, units)
    wanted = next((answer for asked, answer in _ASKED_FOR if asked.search(question)), None)
    scores = [_score(unit, weights, wanted) for unit in units]
    best = max(range(len(units)), key=lambda at: (scores[at], -at))
    chosen = _widened(units, scores, best)
    return _joined([units[at] for at in chosen])


def _worded(quoted: str, hit: Hit, also: Sequence[Hit], locale: str) -> str:
    origin, see = _PHRASES.get(re.split(r"[-_]", locale.lower())[0], _PHRASES["en"])
    quote = "\n".join(f"> {line}".rstrip() for line in quoted.split("\n"))
    more = "".join(f"\n{see}: **{other.title}** ({other.source})" for other in also)
    return f"{quote}\n\n{origin}: **{hit.title}** ({hit.source}){more}"


def _weights(question: str, units: Sequence[_Unit]) -> dict[str, float]:
    """What each word of the question is worth: the fewer sentences have it, the more."""
    having = Counter(root for unit in units for root in _roots(f"{unit.heading} {unit.text}"))
    known = [root if root in having else _near(root, having) for root in _roots(question)]
    return {root: math.log1p(len(units) / having[root]) for root in known if root}


def _near(root: str, known: Collection[str]) -> str:
    """The known root that a misspelt one stands for, "" if none is near."""
    return next(iter(difflib.get_close_matches(root, known, n=1, cutoff=0.8)), "") if len(root) > 3 else ""


def _score(unit: _Unit, weights: dict[str, float], wanted: re.Pattern[str] | None) -> float:
    """The share of the question's worth that a sentence has, its heading counting half, with what speaks for it."""
    inside, above = _roots(unit.text), _roots(unit.heading)
    worth = sum(weight for root, weight in weights.items() if root in inside)
    worth += sum(weight for root, weight in weights.items() if root in above - inside) / 2
    score = worth / (sum(weights.values()) or 1.0)
    score += PLACE_BONUS if unit.first else 0.0
    if wanted is not None and wanted.search(unit.text):
        score += KIND_BONUS * min(score, 1.0)
    return score / 2 if unit.text.rstrip().endswith("?") else score


def _widened(units: Sequence[_Unit], scores: Sequence[float], best: int) -> list[int]:
    """The best sentence with its neighbours: a short paragraph whole, else what follows while it still fits."""
    block = [at for at, unit in enumerate(units) if unit.block == units[best].block]
    if len(block) > SENTENCES or sum(len(units[at].text) for at in block) > BRIEF:
        block = _window(block, scores, best)
    announced = block[-1] + 1
    if units[block[-1]].text.endswith(":") and announced < len(units) and units[announced].whole:
        block.append(announced)
    elif units[best].whole and block[0] and units[block[0] - 1].text.endswith(":"):
        block.insert(0, block[0] - 1)
    return block


def _window(block: Sequence[int], scores: Sequence[float], best: int) -> list[int]:
    """Up to SENTENCES neighbours in a long paragraph, around the best: those that fit at least half as well."""
    low = high = best
    while high - low + 1 < SENTENCES:
        after = scores[high + 1] if high < block[-1] else -1.0
        before = scores[low - 1] if low > block[0] else -1.0
        if max(after, before) < scores[best] / 2:
            break
        low, high = (low, high + 1) if after >= before else (low - 1, high)
    return list(range(low, high + 1))


def _joined(chosen: Sequence[_Unit]) -> str:
    """Units word for word: sentences of one paragraph after each other, blocks apart.

    A heading that asks stands before the first answer to it: "Yes." alone would say nothing.
    """
    parts = [f"**{chosen[0].heading}**\n"] if chosen[0].first and chosen[0].heading.endswith("?") else []
    for at, unit in enumerate(chosen):
        if at:
            parts.append(" " if unit.block == chosen[at - 1].block else "\n\n")
        parts.append(unit.text)
    return "".join(parts)


def _units(text: str) -> list[_Unit]:
    units: list[_Unit] = []
    heading, opens = "", True
    for number, block in enumerate(_blocks(text)):
        if _HEADING.match(block):
            heading, opens = block.lstrip("# ").strip(), True
            continue
        if _FENCE.match(block) or any(_ITEM.match(line) or "|" in line for line in block.split("\n")):
            units.append(_Unit(block, number, whole=True, first=opens, heading=heading))
        else:
            for sentence in sentences(block):
                units.append(_Unit(sentence, number, first=opens, heading=heading))
                opens = False
        opens = False
    return units


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph; in doubt, as after an abbreviation or a number, two stay one."""
    found, start = [], 0
    for match in _STOP.finditer(paragraph):
        if match.end() < len(paragraph.rstrip()) and _ABBREVIATION.search(paragraph, start, match.end()):
            continue
        found.append(paragraph[start : match.end()].strip())
        start = match.end()
    return [sentence for sentence in (*found, paragraph[start:].strip()) if sentence]


def _blocks(text: str) -> list[str]:
    """The text cut at blank lines and headings, but not inside code, nor between the items of a list."""
    found: list[list[str]] = [[]]
    fenced, lines = False, text.split("\n")
    for at, line in enumerate(lines):
        starts = _HEADING.match(line) and not fenced
        following = lines[at + 1] if at + 1 < len(lines) else ""
        inside = fenced or (any(map(_ITEM.match, found[-1])) and _continues(following))
        fenced ^= _FENCE.match(line) is not None
        if starts or (not line.strip() and not inside):
            found += [[line], []] if starts else [[]]
        else:
            found[-1].append(line)
    return [block for block in ("\n".join(lines).strip("\n") for lines in found) if block.strip()]


def _continues(line: str) -> bool:
    return bool(_ITEM.match(line)) or line.startswith(("  ", "\t"))


def _roots(text: str) -> set[str]:
    """The text's words without common endings, so that "returns" finds "returned"."""
    return {_DOUBLED.sub(r"\1", _ENDING.sub("", word)) for word in _WORD.findall(text.casefold()) if len(word) > 1}
