"""The engine: a state machine without I/O. It is handed a conversation and what happened, yields effects (ask the
model, call a tool, search the articles), is sent their results, and returns the Outcome to be committed.

Rules:

1. The same input and the same results give the same effects and outcome, so a turn can be replayed from its journal,
   tested as a table and explained afterwards.
2. Every turn over a customer's message ends with a reply, an open handoff or an honest notice.
3. Understanding yields Commands; `apply` in turn.py is the only place where they take effect.
"""

from supportbot.engine.arriving import batch
from supportbot.engine.handing import CEILING, DEADLINE
from supportbot.engine.script import MAX_ATTEMPTS, Moment, Script
from supportbot.engine.turn import take_turn

__all__ = ["CEILING", "DEADLINE", "MAX_ATTEMPTS", "Moment", "Script", "batch", "take_turn"]
