from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.errors import NoAnswer
from supportbot.models.offline import OfflineModel, extract, sentences
from supportbot.types import Hit, ModelRequest

SHIPPING = """## Delivery

We ship with DHL, Mon. to Fri., from our store in Berlin. Standard delivery takes 3 to 5 working days. Express takes \
one day, e.g. Monday to Tuesday. You get a tracking link by e-mail. We cannot ship to P.O. boxes. Islands need longer.

## Costs

Delivery is free from 50 euros. Below that it costs 4.90 euros."""

RETURNS = """You can return anything within 30 days.

To send something back:

1. Open *My orders*.
2. Press **Return**.

3. Print the label.

We refund within 5 days after the parcel has arrived."""


def _request(*hits: Hit, question: str = "How long does delivery take?", **more: str) -> ModelRequest:
    return ModelRequest((), hits=hits, question=question, **more)  # type: ignore[arg-type]  # plain words for literals


def _hit(score: float, source: str = "shipping.md", text: str = SHIPPING, title: str = "Shipping") -> Hit:
    return Hit(source, title, text, score)


async def test_the_best_hit_is_quoted_with_its_source() -> None:
    answer = await OfflineModel().complete(_request(_hit(0.3, "other.md"), _hit(0.9)), seconds=1)
    assert answer.text.startswith("> ")
    assert "Standard delivery takes 3 to 5 working days." in answer.text
    assert answer.text.endswith("\n\nFrom: **Shipping** (shipping.md)")
    assert (answer.model, answer.sources) == ("offline", ("shipping.md",))


@pytest.mark.parametrize(
    ("locale", "word"),
    [("en", "From:"), ("de-AT", "Aus:"), ("fr_FR", "Source:"), ("ES", "Fuente:"), ("ja", "From:"), ("", "From:")],
)
async def test_the_connecting_words_are_the_customers_language(locale: str, word: str) -> None:
    answer = await OfflineModel().complete(_request(_hit(0.9), locale=locale), seconds=1)
    assert f"\n\n{word} **Shipping**" in answer.text


async def test_an_article_that_fits_nearly_as_well_is_named_too() -> None:
    answer = await OfflineModel().complete(
        _request(_hit(0.9), _hit(0.88, "x.md", title="X"), _hit(0.5, "y.md")), seconds=1
    )
    assert answer.text.endswith("(shipping.md)\nSee also: **X** (x.md)")
    assert answer.sources == ("shipping.md", "x.md")


@pytest.mark.parametrize(
    "hits", [(), (_hit(0.39),), (_hit(0.9, text=""),), (_hit(0.9, text="## Only a heading"),)]
)
async def test_without_a_fitting_extract_there_is_no_answer(hits: tuple[Hit, ...]) -> None:
    with pytest.raises(NoAnswer):
        await OfflineModel(threshold=0.4).complete(_request(*hits), seconds=1)


@pytest.mark.parametrize("purpose", ["summary", "slots", "understand"])
async def test_other_purposes_have_no_answer(purpose: str) -> None:
    with pytest.raises(NoAnswer):
        await OfflineModel().complete(_request(_hit(1.0), purpose=purpose), seconds=1)


async def test_a_stream_gets_the_whole_text_once() -> None:
    pieces: list[str] = []

    async def on_text(piece: str) -> None:
        pieces.append(piece)

    answer = await OfflineModel().complete(_request(_hit(0.9)), seconds=1, on_text=on_text)
    assert pieces == [answer.text]


@pytest.mark.parametrize(
    ("text", "question", "quoted", "left_out"),
    [
        (SHIPPING, "How long does delivery take?", "Standard delivery takes 3 to 5 working days.", "free from"),
        (SHIPPING, "what does delivery cost", "Below that it costs 4.90 euros.", "DHL"),
        (SHIPPING, "do you ship to po boxes", "We cannot ship to P.O. boxes.", "Standard"),
        (RETURNS, "when will I be refunded", "We refund within 5 days after the parcel has arrived.", "label"),
        (RETURNS, "how do I send shoes back", "To send something back:\n\n1. Open *My orders*.", "refund"),
        (SHIPPING, "how long does delievry take", "Standard delivery takes 3 to 5 working days.", "free from"),
    ],
)
def test_the_sentence_that_answers_is_chosen(text: str, question: str, quoted: str, left_out: str) -> None:
    found = extract(text, question)
    assert quoted in found
    assert left_out not in found


def test_a_list_is_quoted_whole() -> None:
    assert extract(RETURNS, "print a label").endswith(
        "1. Open *My orders*.\n2. Press **Return**.\n\n3. Print the label."
    )


def test_a_heading_that_asks_stands_above_its_answer() -> None:
    assert extract("## Do you ship abroad?\n\nYes.", "ship abroad?") == "**Do you ship abroad?**\nYes."


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Ask Dr. Who, e.g. on Monday. Then go.", ["Ask Dr. Who, e.g. on Monday.", "Then go."]),
        ("Am 3. Mai ist zu. Am 4. Mai nicht.", ["Am 3. Mai ist zu.", "Am 4. Mai nicht."]),
        (
            "It costs 4.90 euros. See www.example.org for more.",
            ["It costs 4.90 euros.", "See www.example.org for more."],
        ),
        ('He said "no." Then "yes."', ['He said "no."', 'Then "yes."']),
        ("no end", ["no end"]),
    ],
)
def test_sentences_end_only_where_one_surely_ends(paragraph: str, expected: list[str]) -> None:
    assert sentences(paragraph) == expected


@given(
    st.lists(
        st.sampled_from(["Delivery takes days.", "Costs are 4.90 euros!", "Is it so?", "E.g. Monday."]),
        max_size=12,
    ),
    st.text(max_size=40),
)
def test_an_extract_never_ends_inside_a_sentence(parts: list[str], question: str) -> None:
    found = extract(" ".join(parts), question)
    assert found in " ".join(parts)
    assert not found or found.endswith((".", "!", "?"))


@given(st.text(max_size=300), st.text(max_size=60))
def test_any_text_and_question_can_be_read(text: str, question: str) -> None:
    assert isinstance(extract(text, question), str)
