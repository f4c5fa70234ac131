"""Models: OpenAI and compatible servers, retries and fallbacks around them, extracts without one, and a script."""

from __future__ import annotations

from supportbot.models.offline import OfflineModel
from supportbot.models.openai import OpenAIModel
from supportbot.models.prices import Price
from supportbot.models.resilience import ResilientModel, RetryPolicy
from supportbot.models.scripted import Line, ScriptedModel

__all__ = ["Line", "OfflineModel", "OpenAIModel", "Price", "ResilientModel", "RetryPolicy", "ScriptedModel"]
