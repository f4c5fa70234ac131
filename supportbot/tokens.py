"""How many tokens a text has. Counted offline; the encodings are loaded at the first count, which takes half a second."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpe_openai import Encoding

OVERHEAD = 4
"""Tokens that one chat message costs beside its content."""

IMAGE = 1_000
"""What a picture is taken to cost in the history's budget, whatever the provider counts."""

_SLICE = 100_000
_FALLBACK = "o200k_base"


def count(text: str, model: str = "") -> int:
    """The tokens of the text as the model reads it; a model that is not known counts as the newest encoding."""
    encoding = _encoding(model)
    # a slice may cut one token in two: at most one too many for each hundred thousand characters
    return sum(
        len(encoding.encode_ordinary(text[start : start + _SLICE])) for start in range(0, len(text), _SLICE)
    )


def encoding_name(model: str = "") -> str:
    """The name of the encoding that `count` uses for the model."""
    return str(_encoding(model).name)


@lru_cache(maxsize=64)
def _encoding(model: str) -> Encoding:
    # a fine-tuned model is named ft:base:owner:…
    base = model.split(":")[1] if model.startswith("ft:") else model
    with warnings.catch_warnings():
        # the package reads its tables through a function that Python 3.11 calls deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        import bpe_openai

        try:
            name = bpe_openai.encoding_name_for_model(base)
        except KeyError:
            name = _FALLBACK
        return _named(name)


@lru_cache(maxsize=8)
def _named(name: str) -> Encoding:
    import bpe_openai

    return bpe_openai.get_encoding(name)
