"""Every error that supportbot raises on purpose, split by whose fault it is.

SupportbotError
├── OperatorError          the operator's files, command line or machine; one sentence says what to do
│   ├── ConfigError        a YAML, Markdown or template file; carries file, line and column of each problem
│   └── UsageError         a wrong command, a missing key, a port in use
├── ModelError             the model did not give a usable answer; the ladder goes on
│   ├── ModelUnavailable   connection, timeout, 408/409/429/5xx: trying again helps
│   ├── ModelRefused       400/401/403/404/422: trying again does not help
│   ├── ModelBilling       quota or credit is spent: never retried
│   ├── ModelMalformed     the answer is no JSON, no completion, or breaks the schema
│   ├── ModelEmpty         an answer with neither text nor tool calls
│   ├── ModelTruncated     finish_reason "length" or a stream without an end
│   ├── ModelFiltered      finish_reason "content_filter" or a refusal
│   ├── ModelDeadline      the turn's time is up
│   └── NoAnswer           the offline model found no fitting extract
├── ChannelError           the platform, or the customer's side of it
│   ├── ChannelBusy        rate limited or down: try again, after `retry_after` seconds if given
│   ├── ChannelRefused     this message will never be taken: a dead letter
│   │   └── FileTooLarge   a customer's file has more bytes than are taken
│   └── ChannelGone        the customer or endpoint is gone: stop sending there
├── ToolError              a tool's call failed; the model or flow is told
├── StoreError             the database
│   ├── StoreBusy          another process owns it
│   ├── StoreNewer         written by a newer supportbot
│   ├── StoreFull          disk full, or read-only
│   ├── StaleLease         the turn was taken away from this worker; nothing was written
│   └── Conflict           the same message id with other content
└── NotFound               no such conversation, handoff or message
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class SupportbotError(Exception):
    """Base of all; `str()` is one clear sentence without secrets."""


class OperatorError(SupportbotError):
    """The operator can mend this."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file: `file:line:column: message`; line and column count from 1, 0 means unknown."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        if not self.line:
            return f"{self.file}: {self.message}"
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class ConfigError(OperatorError):
    """Files that cannot be used; `problems` has every mistake found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(OperatorError):
    """A wrong command, option, environment or machine state."""


class ModelError(SupportbotError):
    """No usable answer from the model; `name` is the stable word used in logs, usage and `why`.

    `usage` has one `supportbot.types.Usage` for each call that was made on the way, so that failures are paid for too.
    """

    name = "model_error"
    usage: tuple[Any, ...] = ()


class ModelUnavailable(ModelError):
    """Trying again may help; `retry_after` (seconds) is the server's wish, if it had one."""

    name = "unavailable"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelRefused(ModelError):
    """The server understood and said no: wrong key, unknown model, bad request."""

    name = "refused"


class ModelBilling(ModelError):
    """Quota, credit or a spend limit is used up."""

    name = "billing"


class ModelMalformed(ModelError):
    """The answer is not a completion, or breaks the schema asked for."""

    name = "malformed"


class ModelEmpty(ModelError):
    """A completion with neither text nor tool calls."""

    name = "empty"


class ModelTruncated(ModelError):
    """The answer was cut off."""

    name = "truncated"


class ModelFiltered(ModelError):
    """The provider's content filter, or the model's refusal, stands in for an answer."""

    name = "filtered"


class ModelDeadline(ModelError):
    """The turn's deadline passed while waiting for the model."""

    name = "deadline"


class NoAnswer(ModelError):
    """Without a model nothing in the articles fits the question."""

    name = "no_answer"


class ChannelError(SupportbotError):
    """A platform did not take a message."""


class ChannelBusy(ChannelError):
    """Try again later; `retry_after` in seconds is the platform's wish, if it had one.

    Also for what the operator can mend, such as a token that was revoked: nothing is lost meanwhile.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ChannelRefused(ChannelError):
    """The platform will never take this message; others it may."""


class FileTooLarge(ChannelRefused):
    """A file that a customer sent has more bytes than the bot takes."""


class ChannelGone(ChannelError):
    """The chat, the customer or the endpoint no longer takes messages: the next ones will fail in the same way."""


class ToolError(SupportbotError):
    """A tool says why it could not do what was asked; the sentence is shown to the model or the flow."""


class StoreError(SupportbotError):
    """The database could not do it."""


class StoreBusy(StoreError):
    """Another process owns this database."""


class StoreNewer(StoreError):
    """The database was written by a newer supportbot."""


class StoreFull(StoreError):
    """The disk is full or the database is read-only."""


class StaleLease(StoreError):
    """Another worker has this turn now; nothing was written."""


class Conflict(StoreError):
    """The same id came before with other content, or a change does not go with what stands there."""


class NotFound(SupportbotError):
    """No such thing."""
