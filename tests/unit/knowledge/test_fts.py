from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supportbot.knowledge import ArticleIndex
from supportbot.knowledge.articles import parse

TEXTS = {
    "shipping.md": """# Shipping
## How long does delivery take?
Standard delivery takes 3 to 5 working days.
## Costs
Delivery is free from 50 euros, below that it costs 4.90 euros.
""",
    "returns.md": "# Returns and refunds\nYou can return anything within 30 days.\n\nWe refund to your card.",
    "account.md": "# Your account\nForgot your password? Press **Forgot password** on the sign-in page.",
    "café.md": "# Café in Zürich\nOur café opens at 9:00. Die Rückgabe ist dort möglich.",
}


@pytest.fixture(scope="module")
def index() -> Iterator[ArticleIndex]:
    made = ArticleIndex([parse(text, source) for source, text in TEXTS.items()])
    yield made
    made.close()


@pytest.mark.parametrize(
    ("question", "source"),
    [
        ("How long does shipping take?", "shipping.md"),
        ("what does delivery cost", "shipping.md"),
        ("returning things", "returns.md"),
        ("I forgot my pasword", "account.md"),
        ("pass word forgotten", "account.md"),
        ("CAFE zurich", "café.md"),
        ("rueckgabe Rückgabe", "café.md"),
        ("what is your", "account.md"),  # nothing but stop words: they are searched for as they are
    ],
)
async def test_the_fitting_article_comes_first(index: ArticleIndex, question: str, source: str) -> None:
    assert (await index.search(question, limit=3))[0].source == source


async def test_scores_are_ordered_and_between_nought_and_one(index: ArticleIndex) -> None:
    hits = await index.search("delivery refund account password café days", limit=10)
    scores = [hit.score for hit in hits]
    assert len(hits) == 4
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


async def test_a_question_that_no_article_answers_scores_far_below_one_that_is_answered(
    index: ArticleIndex,
) -> None:
    answered = await index.search("How long does delivery take?", limit=1)
    foreign = await index.search("how many days has a leap year on mars", limit=1)
    assert answered[0].score > 0.5
    assert all(hit.score < 0.25 for hit in foreign)
    assert await index.search("who won the world cup", limit=3) == ()


async def test_one_article_alone_is_found_with_a_useful_score() -> None:
    index = ArticleIndex([parse(TEXTS["shipping.md"], "shipping.md")])
    assert (await index.search("How long does delivery take?", limit=4))[0].score > 0.5
    assert await index.search("password", limit=4) == ()
    index.close()


async def test_a_hit_shows_the_passages_that_fit_under_their_headings(index: ArticleIndex) -> None:
    (hit,) = await index.search("delivery time", limit=1)
    assert hit.title == "Shipping"
    assert "## How long does delivery take?\n\nStandard delivery takes 3 to 5 working days." in hit.text


async def test_limit_is_kept_and_no_article_is_named_twice(index: ArticleIndex) -> None:
    assert len(await index.search("delivery account return", limit=2)) == 2
    assert await index.search("delivery", limit=0) == ()
    sources = [hit.source for hit in await index.search("delivery euros days card", limit=9)]
    assert len(sources) == len(set(sources))


async def test_searches_may_run_side_by_side(index: ArticleIndex) -> None:
    alone = await index.search("delivery", limit=3)
    together = await asyncio.gather(*(index.search("delivery", limit=3) for _ in range(40)))
    assert set(together) == {alone}


async def test_an_index_without_articles_finds_nothing() -> None:
    index = ArticleIndex([])
    assert len(index) == 0
    assert await index.search("delivery", limit=4) == ()
    index.close()


@given(query=st.text() | st.text(alphabet='"*()^:+-{}~ NEAR AND OR NOT title\x00\ud800é’_') | st.binary().map(str))
@example(query='"')
@example(query='title : "x" AND NOT (y* NEAR/3 z)')
@example(query="delivery\x00return")
@example(query="\ud800 delivery")
@example(query="a" * 100_000)
@example(query="de li very " * 20_000)
@example(query="'; drop table article; --")
def test_no_query_ever_raises_or_leaves_the_scale(index: ArticleIndex, query: str) -> None:
    hits = index.find(query, limit=3)
    assert all(0 <= hit.score <= 1 for hit in hits)


@given(query=st.text(alphabet="deliver yrtnAND OR\"*()'", min_size=1))
def test_full_text_operators_are_words_like_others(index: ArticleIndex, query: str) -> None:
    index.find(f"{query} title: account", limit=3)
    assert index.find("password", limit=1)[0].source == "account.md"
