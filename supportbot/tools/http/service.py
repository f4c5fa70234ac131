"""Tools that are HTTP requests to one service, made from a tool file.

1. Where requests go is the operator's, what is in them the model's: see `http_request`.
2. What may be sent again, and when, see `http_send`; what an answer means, see `http_answer`.
3. Everything that is wrong with a tool file is found before the first request: see `http_drafts`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from supportbot.errors import ConfigError, Problem, ToolError
from supportbot.protocols import OutcomeUnknown, Tool, ToolContext
from supportbot.toolfiles import SAFE, ToolFile
from supportbot.tools.http.answer import Reading
from supportbot.tools.http.drafts import At, Complain, Draft, drafts
from supportbot.tools.http.request import Endpoint
from supportbot.tools.http.send import Credentials, Line, Plan
from supportbot.tools.rules import ruled

if TYPE_CHECKING:
    import httpx2

LONGEST = 30.0
"""Seconds of one call with all its tries, unless a single try, or the operator, takes longer."""


class HttpService:
    """The tools of one tool file.

    `name` is its path for people, `folder` where an OpenAPI description is looked for, `problem(path, message)` a mistake
    at a path in the file, and `client(allow_private, most=)` makes an HTTP client. Raises ConfigError with every
    mistake. Close it after use.
    """

    def __init__(
        self,
        file: ToolFile,
        name: str,
        folder: Path,
        *,
        problem: Callable[[At, str], Problem],
        client: Callable[..., httpx2.AsyncClient],
    ) -> None:
        problems: list[Problem] = []
        self._line = Line(
            Credentials.of(file.auth),
            headers=file.headers,
            key_header=file.key_header,
            timeout=file.timeout,
            retries=file.retries,
        )

        def complain(at: At, message: str) -> None:
            problems.append(problem(at, message))

        found: dict[str, Tool] = {}
        try:
            for draft in drafts(file, folder, complain):
                if draft.name in found:
                    complain(draft.at, f"another tool of this file is named {draft.name} too")
                tool = self._tool(draft, file, name, complain)
                found |= {tool.name: tool} if tool is not None else {}
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(problems)
        self.tools: tuple[Tool, ...] = tuple(found.values())
        self._line.open(client)

    async def close(self) -> None:
        await self._line.close()

    def _tool(self, draft: Draft, file: ToolFile, source: str, complain: Complain) -> Tool | None:
        rules = draft.rules
        result = _expression(rules.result, (*draft.at, "result"), complain)
        effects = draft.endpoint.method not in SAFE if rules.effects is None else rules.effects
        timeout = rules.timeout or min(file.timeout * (file.retries + 1), max(LONGEST, file.timeout))
        plan = Plan(timeout - min(0.5, timeout * 0.1), effects, not effects or rules.recover == "again")
        reading = Reading(str(draft.endpoint), effects, rules.errors, result, self._line.credentials.hide)
        action = _Action(self._line, draft.endpoint, plan, reading, draft.recovery)
        recover = action.recover if rules.recover is not None else None
        try:
            tool = Tool(
                draft.name,
                draft.description,
                draft.parameters,
                action.call,
                effects=effects,
                timeout=timeout,
                recover=recover,
                source=source,
            )
        except ValueError as error:
            complain(draft.at, f"{error}, by writing a `name`")
            return None
        return ruled(tool, rules)


@dataclass(frozen=True, slots=True)
class _Action:
    """What one tool does; `recovery` is the request that finds out what an interrupted call came to."""

    line: Line
    endpoint: Endpoint
    plan: Plan
    reading: Reading
    recovery: Endpoint | None = None

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        came, doubt = await self.line.send(self.endpoint, arguments, context.key, self.plan)
        return self.reading.value(came, doubt=doubt)

    async def recover(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        try:
            return await self._recovered(arguments, context)
        except ToolError as error:  # here it would mean that the call itself certainly failed
            raise OutcomeUnknown(f"{self.reading.what}: {error}") from None

    async def _recovered(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        if self.recovery is None:
            came, _ = await self.line.send(self.endpoint, arguments, context.key, self.plan)
            return self.reading.repeated(came)
        given = {"key": context.key, **arguments}
        asked = {name: given.get(name) for name in self.recovery.places}
        plan = Plan(self.plan.seconds, effects=False, repeatable=True)
        came, _ = await self.line.send(self.recovery, asked, context.key, plan)
        return self.reading.found(came)


def _expression(written: str | None, at: At, complain: Complain) -> ParsedResult | None:
    if written is None:
        return None
    try:
        found = jmespath.compile(written)
    except JMESPathError as error:
        complain(at, f"this is no JMESPath expression: {str(error).splitlines()[0].rstrip(':')}")
        return None
    for name in _functions(found.parsed):
        if name not in Functions.FUNCTION_TABLE:
            complain(at, f"JMESPath has no function {name}()")
    return found


def _functions(node: Mapping[str, Any]) -> list[str]:
    own = [node["value"]] if node["type"] == "function_expression" else []
    return own + [name for child in node.get("children", ()) for name in _functions(child)]
