"""Help articles: read from files, cut into passages, found by words."""

from __future__ import annotations

from supportbot.knowledge.articles import Article, load
from supportbot.knowledge.fts import ArticleIndex

__all__ = ["Article", "ArticleIndex", "load"]
