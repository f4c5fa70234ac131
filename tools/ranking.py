"""Ranks products by what somebody says they need, in English and German, without a model.

How it counts:
- Words are compared by their stems, so that "Lampen" finds "Lampe" and "shelves" finds "shelf".
- A compound counts as itself and as its parts: "Schreibtischlampe" finds what is said of "Lampe" and "Schreibtisch".
- A word that few products have counts more than one that many have; what a product is for counts more than what its
  description mentions in passing.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches

WEIGHTS = {"name": 3.0, "category": 3.0, "for": 2.5, "materials": 2.0, "colours": 2.0, "styles": 1.5, "rooms": 1.5}
DESCRIPTION = 1.0
HEAD, MODIFIER, MISSPELT = 0.8, 0.5, 0.6  # what the parts of a compound count, and a word that is only similar
LEAST = 0.4  # hits that have less than this part of the best one's score are left out

ENDINGS = ("ing", "ern", "em", "en", "er", "es", "ed", "e", "n", "s")
STOP_WORDS = """
a about after all also am an and any are as at be been but by can could do does for from get give good got had has have
help her him his how i if im in is it its ive just like long looking many me more most my nice need of on one or our out
over own please put really recommend room rooms search see set she show so some something suggest than that the their them then
there these they thing things this to too under up us use using very want was we well what when where which who will with
would you your

aber alle als am an auch auf aus bei beim bin bis bitte bräuchte brauche das dass dein dem den der des die dies diese du
ein eine einem einen einer eines empfehlen er es etwas fürs für gern gerne gibt gute guter gutes habe haben hat ich ihr
ihre ihren im in ins ist ja kann kannst können mal man mein meine meinem meinen meiner mich mir mit möchte nach neue neuen
neuer neues nicht noch nur ob oder passende passt schöne schönen schöner schönes sehr sein sich sie sind so soll sollte
suche über überm um und uns unser unsere vom von vor war was welche welcher welches wenn wer wie will wir wo würde zu zum zur
"""


def fold(text: str) -> str:
    """Small letters without accents, and "ae" as "ä" is: "Küche", "Kueche" and "kuche" are the same."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.sub("([aou])e", r"\1", "".join(letter for letter in plain if not unicodedata.combining(letter)))


def stem(word: str) -> str:
    """A folded word without its endings, in either language; at least three letters stay."""
    for ending in ENDINGS:
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= 3:
            return stem(word.removesuffix(ending))
    return word[:-1] + "f" if word.endswith("v") else word  # shelves, shelf


UNTOLD = frozenset(fold(word) for word in STOP_WORDS.split())


def stems(text: str) -> list[str]:
    """The stems of a text's words, without those that tell nothing."""
    return [stem(word) for word in re.findall(r"\w{2,}", fold(text)) if word not in UNTOLD]


def parts(word: str, known: Container[str]) -> Iterator[tuple[str, float]]:
    """What a compound is made of, with what each part counts: its last one, then those before it."""
    for cut in range(3, len(word) - 3):
        if word[cut:] in known:
            yield word[cut:], HEAD
            modifier = stem(word[:cut])
            yield modifier, MODIFIER
            yield from ((part, MODIFIER * factor) for part, factor in parts(modifier, known))
            return


@dataclass(frozen=True, slots=True)
class Product:
    """One line of the catalogue. `values` has, by column, what it says there, each in English, German and other words."""

    sku: str
    name: str
    name_de: str
    price: Decimal
    url: str
    description: str = ""
    description_de: str = ""
    again: bool = False
    values: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def texts(self) -> Iterator[tuple[str, float]]:
        """Everything that is said of it, with what a word in there counts."""
        yield f"{self.name} {self.name_de}", WEIGHTS["name"]
        yield f"{self.description} {self.description_de}", DESCRIPTION
        for column, values in self.values.items():
            yield " ".join(word for value in values for word in value), WEIGHTS[column]


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a product fits, and which of its values (column, words) were asked for."""

    product: Product
    score: float
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Ranking:
    """The products, ready to be searched."""

    def __init__(self, products: Sequence[Product]) -> None:
        self.products = products
        # Compounds are made of these; what a description mentions in passing would find too much.
        texts = [text for product in products for text, weight in product.texts() if weight > DESCRIPTION]
        self._known = dict.fromkeys(word for text in texts for word in stems(text))
        self._terms = {product.sku: self._weighed(product) for product in products}
        self._spread = Counter(term for terms in self._terms.values() for term in terms)

    def search(self, needs: str) -> list[Fit]:
        """The products that have a word of `needs`, best first."""
        asked = self._asked(needs)
        fits = [Fit(one, self._score(one, asked), tuple(self._named(one, asked))) for one in self.products]
        return sorted((fit for fit in fits if fit.score > 0), key=lambda fit: -fit.score)

    def having(self, column: str, words: str) -> set[str]:
        """The skus of the products that have one of these words in a column."""
        return {fit.product.sku for fit in self.search(words) if any(name == column for name, _ in fit.values)}

    def shared(self, column: str, value: str) -> int:
        """How many products have this value in a column."""
        return sum(value == one[0] for product in self.products for one in product.values.get(column, ()))

    def _weighed(self, product: Product) -> dict[str, float]:
        """What each stem counts for a product: the most that any place gives it."""
        terms: dict[str, float] = {}
        for text, weight in product.texts():
            for word in stems(text):
                for term, factor in ((word, 1.0), *parts(word, self._known)):
                    terms[term] = max(terms.get(term, 0.0), weight * factor)
        return terms

    def _asked(self, needs: str) -> dict[str, float]:
        """The stems to look for, with what each counts: a word, its parts, or the one that was probably meant."""
        asked: dict[str, float] = {}
        for word in stems(needs):
            found = dict(parts(word, self._known))
            if word in self._spread:
                found[word] = 1.0
            elif not found and len(word) >= 5:
                found = dict.fromkeys(get_close_matches(word, self._known, 1, 0.8), MISSPELT)
            for term, factor in found.items():
                asked[term] = max(asked.get(term, 0.0), factor)
        return asked

    def _score(self, product: Product, asked: Mapping[str, float]) -> float:
        terms = self._terms[product.sku]
        return sum(factor * terms[term] * self._rarity(term) for term, factor in asked.items() if term in terms)

    def _rarity(self, term: str) -> float:
        return math.log(1 + len(self.products) / self._spread[term])

    def _named(self, product: Product, asked: Mapping[str, float]) -> Iterator[tuple[str, tuple[str, ...]]]:
        for column, values in product.values.items():
            for value in values:
                if not asked.keys().isdisjoint(stems(" ".join(value))):
                    yield column, value


def best(fits: Sequence[Fit], limit: int) -> list[Fit]:
    """The first ones, without those that are far behind the best."""
    return [fit for fit in fits if fit.score >= LEAST * fits[0].score][:limit]
