"""The pieces of a streamed completion -> one completion, in the shape of an answer that was not streamed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from supportbot.errors import ModelMalformed
from supportbot.models.failures import Origin, StreamCut


@dataclass(slots=True)
class _Growing:
    """A tool call while its pieces come in; arguments are text, but for servers that send an object."""

    index: Any
    id: Any = None
    name: Any = None
    arguments: list[Any] = field(default_factory=list)

    def whole(self) -> dict[str, Any]:
        as_text = all(isinstance(piece, str) for piece in self.arguments)
        arguments = "".join(self.arguments) if as_text else self.arguments[-1]
        return {"id": self.id, "function": {"name": self.name, "arguments": arguments}}


class Collector:
    """Gathers the first choice of a stream's chunks.

    Servers differ in how they number tool calls: some leave `index` out, some send every call with index 0 and a
    new id. A new id therefore always begins a new call.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: list[_Growing] = []
        self._finish: str | None = None
        self._usage: Any = None

    def add(self, chunk: Any) -> str:
        """The new visible text in this chunk, often ""."""
        if not isinstance(chunk, Mapping):
            raise ModelMalformed(f"{self._origin.server} streams something that is no chat completion")
        self._usage = chunk.get("usage") or self._usage
        choice = next((entry for entry in chunk.get("choices") or () if _first(entry)), None)
        if choice is None:
            return ""
        self._finish = choice.get("finish_reason") or self._finish
        delta = choice.get("delta")
        return self._delta(delta) if isinstance(delta, Mapping) else ""

    def completion(self) -> dict[str, Any]:
        """The whole completion; StreamCut if the stream ended without saying why."""
        if self._finish is None:
            raise StreamCut(f"the stream of {self._origin.model} ended before the answer was complete")
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self._text)}
        if self._refusal:
            message["refusal"] = "".join(self._refusal)
        if self._calls:
            message["tool_calls"] = [call.whole() for call in self._calls]
        return {"choices": [{"message": message, "finish_reason": self._finish}], "usage": self._usage}

    @property
    def usage(self) -> dict[str, Any]:
        """What is known of the usage so far, as a completion without an answer."""
        return {"usage": self._usage}

    def _delta(self, delta: Mapping[str, Any]) -> str:
        refusal = delta.get("refusal")
        if isinstance(refusal, str):
            self._refusal.append(refusal)
        for entry in delta.get("tool_calls") or ():
            if isinstance(entry, Mapping):
                self._add_call(entry)
        piece = delta.get("content")
        if not isinstance(piece, str) or not piece:
            return ""
        self._text.append(piece)
        return piece

    def _add_call(self, entry: Mapping[str, Any]) -> None:
        function = entry.get("function")
        part: Mapping[str, Any] = function if isinstance(function, Mapping) else {}
        call = self._call_for(entry.get("index"), entry.get("id"))
        call.id = call.id or entry.get("id")
        call.name = call.name or part.get("name")
        if part.get("arguments"):
            call.arguments.append(part["arguments"])

    def _call_for(self, index: Any, given: Any) -> _Growing:
        """The call that a piece belongs to, a new one if it begins one."""
        for known in reversed(self._calls):
            same_id = not given or not known.id or known.id == given
            if same_id and (index is None or known.index == index):
                return known
        self._calls.append(_Growing(index))
        return self._calls[-1]


def _first(choice: Any) -> bool:
    return isinstance(choice, Mapping) and choice.get("index", 0) == 0
