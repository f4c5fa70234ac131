"""The grammar of a mapping: one YAML file that says how one helpdesk talks. See docs/helpdesks/your-own.md.

1. What arrives is read by JMESPath expressions over {body, headers, query, options}; header names are in small letters.
   An expression that does not fit what arrived gives nothing.
2. What leaves is written by sandboxed Jinja templates in the leaves of `query`, `headers`, `json` and `form`. A value
   that is one template expression and nothing else keeps its type; one that comes to none is left out.
3. Whatever people wrote is a value in a template, never a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from supportbot.quantities import DURATION_SCHEMA, Whole, seconds
from supportbot.sandbox import TemplateFailed, Templates
from supportbot.shapes import Section, Text, Url, misplaced

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
RESERVED = (
    "url",
    "preset",
    "mapping",
    "secrets",
    "first_line",
    "allow_private",
    "body_limit",
    "text_limit",
    "burst_wait",
)
"""Options that every helpdesk channel has; a mapping cannot declare them."""

_REQUEST = re.compile(rf"({'|'.join(METHODS)}) (/\S*( \S+)*)\Z")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z")
_CHECKER = Templates({})


def _expression(text: str) -> str:
    try:
        jmespath.compile(text)
    except (JMESPathError, RecursionError) as error:
        told = " ".join(str(error).split())[:200]
        raise ValueError(f"is no JMESPath expression: {told}") from None
    return text


def _template(text: Any) -> Any:
    if isinstance(text, str):
        try:
            _CHECKER.check_text(text)
        except TemplateFailed as error:
            raise ValueError(f"is no template: {error.reason}") from None
    return text


def _templates(value: Any) -> Any:
    """Checks every text in a body."""
    if isinstance(value, Mapping):
        return {key: _templates(item) for key, item in value.items()}
    return [_templates(item) for item in value] if isinstance(value, list | tuple) else _template(value)


def _request(text: str) -> str:
    if not _REQUEST.match(text) or "?" in text or "{%" in text:
        raise ValueError(
            "must be a method and a path, such as `POST /tickets/{{ ticket }}/notes`; what follows a ? is written as "
            "`query`"
        )
    return str(_template(text))


def _option_name(text: str) -> str:
    if not _NAME.match(text) or text in RESERVED:
        raise ValueError(
            f"must be a name of small letters, digits and _ that is none of {', '.join(RESERVED)}, which every "
            "helpdesk has"
        )
    return text


def _header(text: str) -> str:
    if not _HEADER.match(text):
        raise ValueError("is no name of a header")
    return text


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _statuses(value: Any) -> Any:
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


Expression = Annotated[Text, AfterValidator(_expression)]
"""A JMESPath expression."""
Template = Annotated[str, AfterValidator(_template)]
"""Jinja in a text."""
Leaves = Annotated[Any, AfterValidator(_templates)]
"""Any YAML, with Jinja in its texts."""
HeaderName = Annotated[Text, AfterValidator(_header)]
OptionName = Annotated[Text, AfterValidator(_option_name)]
Scalar = str | int | float | bool
Span = Annotated[float, BeforeValidator(seconds), WithJsonSchema(DURATION_SCHEMA)]

Word = Literal[
    "customer.message",
    "agent.message",
    "agent.note",
    "claimed",
    "released",
    "resolved",
    "returned",
    "reopened",
    "ignore",
]
"""What an event can be."""

Status = Literal["open", "pending", "solved", "closed"]
"""A status as the house knows it: `open` waits for people, `pending` is the bot's, `solved` is done; `closed` is set
when a conversation of the bot's own ends, and only if it is named."""


Made = Literal["open", "pending", "solved", "closed", "assign", "unassign"]
"""A change of ours: a status that we set, or one of these requests."""


class OptionRule(Section):
    """An option that the mapping needs beside those that every helpdesk has. Its value is text, also if a number is
    written."""

    about: str = ""
    """What it is and where to find it; shown when it is missing."""
    default: Scalar | None = None
    """Its value if nothing is written; without one it is needed, unless `needed` says no."""
    needed: bool = True
    """false: it may be left out, and is then empty text."""
    secret: bool = False
    """It is never shown."""
    sample: Scalar = "sample"
    """Its value for the samples."""


class Signature(Section):
    """How a delivery proves where it comes from. The secrets stand in the channel's `secrets`."""

    family: Literal["standard", "hmac", "header", "query"]
    """standard: Standard Webhooks. hmac: a header has the HMAC of the body. header: a header has the secret itself.
    query: the address has it, for a helpdesk that can only call an address; it then stands in logs on the way."""
    header: HeaderName | None = None
    """The header with the signature, or with the secret."""
    query: Text | None = None
    """The name in the query that has the secret."""
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    """The HMAC's hash."""
    encoding: Literal["hex", "base64"] = "hex"
    """How the HMAC is written."""
    prefix: str = ""
    """What stands before it in the header, such as `sha256=`."""
    signed: str = "{body}"
    """What is signed: `{body}`, with `{timestamp}` where it goes, such as `{timestamp}.{body}`."""
    timestamp: HeaderName | None = None
    """The header with the time of the delivery: seconds or milliseconds since 1970, or ISO 8601."""
    tolerance: Span = 300.0
    """How far that time may be off, either way."""

    @model_validator(mode="after")
    def _fits(self) -> Signature:
        if self.family in ("hmac", "header") and not self.header:
            raise misplaced(f"the family `{self.family}` needs the `header` to look at", "family")
        if self.family == "query" and not self.query:
            raise misplaced("the family `query` needs the name in the query, as `query`", "family")
        if self.signed.count("{body}") != 1 or re.search(r"\{(?!body\}|timestamp\})", self.signed):
            raise misplaced("`signed` has {body} once, and nothing else in braces but {timestamp}", "signed")
        if "{timestamp}" in self.signed and not self.timestamp:
            raise misplaced(
                "`signed` has {timestamp}, so the header with the time goes under `timestamp`", "signed"
            )
        return self


class Person(Section):
    """Who did it."""

    id: Expression | None = None
    """Their id at the helpdesk; what is not text is written as JSON."""
    name: Expression | None = None
    """Their name."""


class Files(Section):
    """The files of a message."""

    list: Expression
    """Gives the list of them; the others are read in each."""
    name: Expression | None = None
    """The file's name."""
    url: Expression | None = None
    """Where it can be had; read with our credentials if that is at the helpdesk itself."""
    type: Expression | None = None
    """Its media type."""
    size: Expression | None = None
    """Its size in bytes."""


class Fields(Section):
    """Where the parts of an event stand."""

    conversation: Expression | None = None
    """The conversation's or ticket's id. Needed."""
    id: Expression | None = None
    """The message's own id, the same however often it is delivered; for events without a message the event's. Without
    one it is the delivery's."""
    text: Expression | None = None
    """The words. Of events that are no message they are taken only where the rule itself names them."""
    html: bool | Expression | None = None
    """true, or an expression that holds: the words are HTML, and are made plain."""
    author: Person = Person()
    """The customer who wrote it."""
    agent: Person = Person()
    """The human agent who did it."""
    files: Files | None = None
    """Its files."""
    locale: Expression | None = None
    """The customer's language."""


class Look(Section):
    """A request that fetches what a thin delivery leaves out, before its fields are read: they then see `found` (an item
    of `among`) or else `answer` ({body, headers})."""

    request: Annotated[str, AfterValidator(_request)]
    """A GET with the same grammar as `requests`; its templates have options, ticket, body, headers and query."""
    query: Mapping[Text, Leaves] = Field(default_factory=dict)
    """The query."""
    among: Expression | None = None
    """Where the list stands, over {body, headers} of the answer."""
    where: Expression | None = None
    """What is compared in each item; the one that fits best is taken, of several the last; if none fits the last."""
    has: Template | None = None
    """The text as the delivery quotes it; HTML, white space and a name before it do not matter."""

    @model_validator(mode="after")
    def _fits(self) -> Look:
        if not self.request.startswith("GET "):
            raise misplaced("what is only looked at is a GET", "request")
        if (self.where is None) != (self.has is None) or (self.where is not None and self.among is None):
            raise misplaced("`where` and `has` go together, and with `among`", "request")
        return self


class EventRule(Section):
    """One kind of event. The first rule whose `when` holds is taken; what no rule takes is ignored, and acknowledged."""

    when: Expression
    """Holds if it gives anything but false, null or something empty."""
    is_: Annotated[tuple[Word, ...], Field(min_length=1, alias="is"), BeforeValidator(_several)]
    """customer.message, agent.message (a reply that the customer has seen there), agent.note, claimed (a human has it
    now), released (nobody has it now), resolved, returned (given to the bot), reopened, ignore. A list if one delivery
    is several."""
    look: Look | None = None
    """What has to be asked for first."""
    fields: Fields = Fields()
    """What stands elsewhere than `fields` at the top says."""


class Auth(Section):
    """How the helpdesk knows us; templates over `options`. One of the keys."""

    bearer: Template | None = None
    """Sent as `Authorization: Bearer …`."""
    header: Mapping[HeaderName, Template] = Field(default_factory=dict)
    """Sent as these headers."""
    user: Template | None = None
    """The name for basic authentication."""
    password: Template | None = None
    """The password for it."""


class Request(Section):
    """One request to the helpdesk. `docs/helpdesks/your-own.md` lists the values that its templates have."""

    request: Annotated[str, AfterValidator(_request)]
    """Method and path below the channel's `url`: `POST /tickets/{{ ticket }}/notes`. What a template gives is one part
    of the path, percent-encoded."""
    query: Mapping[Text, Leaves] = Field(default_factory=dict)
    """The query."""
    headers: Mapping[HeaderName, Template] = Field(default_factory=dict)
    """Headers of this request."""
    json_: Annotated[Leaves, Field(alias="json")] = None
    """The body, sent as JSON."""
    form: Mapping[Text, Leaves] | None = None
    """The body, sent as a form."""
    auth: Auth | None = None
    """Instead of the mapping's."""
    ok: Annotated[tuple[Annotated[Whole, Field(ge=100, le=599)], ...], BeforeValidator(_statuses)] = ()
    """Statuses that mean it worked; any 2xx if none is named."""
    none: Annotated[tuple[Annotated[Whole, Field(ge=400, le=499)], ...], BeforeValidator(_statuses)] = ()
    """Statuses of a search that mean there is nothing."""
    gives: Expression | None = None
    """The id in the answer: over {body, headers} of the answer, or over one item of `among`."""
    among: Expression | None = None
    """A search gives a list: where it stands, over {body, headers} of the answer."""
    where: Expression | None = None
    """What is compared in each item; the first that fits is taken."""
    equals: Template | None = None
    """The text that it is, or that is one of its elements."""
    has: Template | None = None
    """A text that is a part of it; only for what nobody can guess, such as {{ handoff.id }}."""
    needs: tuple[OptionName, ...] = ()
    """Options without which the request is not made."""

    @model_validator(mode="after")
    def _fits(self) -> Request:
        if self.json_ is not None and self.form is not None:
            raise misplaced("a body is either `json` or `form`", "form")
        if self.equals is not None and self.has is not None:
            raise misplaced("write either `equals` or `has`", "has")
        compared = self.equals is not None or self.has is not None
        if len({self.among is not None, self.where is not None, compared}) > 1:
            raise misplaced("`among`, `where` and `equals` (or `has`) go together", "request")
        return self


class Requests(Section):
    """What we can ask of the helpdesk. A reply is needed for a channel, `create` and `note` for a desk."""

    reply: Request | None = None
    """Words of the bot (or of a colleague at another desk) for the customer. `gives` the message's id."""
    note: Request | None = None
    """Words for the agents only. `gives` the message's id."""
    status: Request | None = None
    """Sets the status to {{ status }}, as `statuses` spells it."""
    assign: Request | None = None
    """Gives the conversation to people, when a human is needed."""
    unassign: Request | None = None
    """Gives it back to the bot."""
    find_customer: Request | None = None
    """Looks for the customer of another channel. `gives` {{ contact }}, or nothing."""
    customer: Request | None = None
    """Makes that customer, if the search found none. `gives` {{ contact }}."""
    create: Request | None = None
    """Makes a ticket for a handoff of another channel. `gives` its id."""
    find: Request | None = None
    """Looks for the ticket of this handoff before `create` is tried again. `gives` its id, or nothing."""
    agent: Request | None = None
    """Looks for the agent {{ person }}, where a delivery has only their id. `gives` their name."""
    sent: Request | None = None
    """Looks for the message {{ key }} before a reply or note is tried again. `gives` its id, or nothing."""

    @field_validator("create", "find", "customer", "find_customer", "agent")
    @classmethod
    def _gives(cls, value: Request | None) -> Request | None:
        if value is not None and value.gives is None:
            raise ValueError("needs `gives`: where the id stands in the answer")
        return value


class Sample(Section):
    """A delivery as the helpdesk sends it, and what becomes of it; `supportbot check` tries them."""

    name: Text
    """What it is."""
    headers: Mapping[Text, str] = Field(default_factory=dict)
    """Its headers, without the signature."""
    query: Mapping[Text, str] = Field(default_factory=dict)
    """Its query."""
    body: Any
    """Its body, as YAML."""
    answer: Any = None
    """What `look` is answered, as YAML."""
    expect: Expected
    """What becomes of it."""


class Expected(Section):
    """What becomes of a sample; what is left out is not compared."""

    is_: Annotated[tuple[Word | Literal["ours"], ...], Field(alias="is"), BeforeValidator(_several)]
    """Its words, or `ours` if we did it ourselves; `ignore` also if no rule takes it."""
    conversation: Scalar | None = None
    id: Scalar | None = None
    text: str | None = None
    author: Scalar | None = None
    """The customer's id."""
    agent: Scalar | None = None
    """The agent's id."""
    files: tuple[str, ...] | None = None
    """The names of the files."""


class HelpdeskMapping(Section):
    """A mapping file."""

    helpdesk: Text
    """The product's name, for messages."""
    url: Url | None = None
    """The address of its API, if it is the same for everybody."""
    markup: Literal["markdown", "html", "plain"] = "plain"
    """What {{ text }} and {{ brief }} are written in."""
    text_limit: Annotated[Whole, Field(ge=0)] = 0
    """The most characters of a reply; 0 for no limit."""
    options: Mapping[OptionName, OptionRule] = Field(default_factory=dict)
    """Further options of the channel."""
    signature: Signature
    """How a delivery proves where it comes from."""
    delivery: Expression | None = None
    """The delivery's id, for the log and for events without an id of their own."""
    ours: Expression | None = None
    """Holds for what we did ourselves: nothing echoes. Such as author's id == our own."""
    echoes: Mapping[Made, Word] = Field(default_factory=dict)
    """What the delivery about a change of ours is, where it does not say who made it, so that `ours` cannot know it:
    `{solved: resolved, unassign: returned}`. Such a delivery is expected once, for a minute."""
    begins: Expression | None = None
    """Holds for a customer's message that may begin a conversation with the bot, such as in a ticket that is assigned to
    nobody. In one that the bot does not know everything else is left alone."""
    fields: Fields
    """Where the parts of an event stand."""
    events: Annotated[tuple[EventRule, ...], Field(min_length=1)]
    """What arrives, and what it is."""
    auth: Auth = Auth()
    """How the helpdesk knows us."""
    headers: Mapping[HeaderName, Template] = Field(default_factory=dict)
    """Headers of every request."""
    statuses: Mapping[Status, Scalar] = Field(default_factory=dict)
    """How the helpdesk spells a status; one that is left out is never set."""
    requests: Requests
    """What we can ask of the helpdesk."""
    brief: Literal["create", "note"] = "note"
    """Where the brief of a ticket goes: into `create` as {{ brief }}, or into a note after it."""
    samples: tuple[Sample, ...] = ()
    """Deliveries to try it on."""

    @field_validator("requests")
    @classmethod
    def _known(cls, value: Requests) -> Requests:
        if value.reply is None and value.create is None:
            raise ValueError("a channel needs `reply`, a desk `create`: there is neither")
        return value

    @model_validator(mode="after")
    def _fits(self) -> HelpdeskMapping:
        for name in Requests.model_fields:
            request: Request | None = getattr(self.requests, name)
            for option in request.needs if request else ():
                if option not in self.options:
                    raise misplaced(
                        f"the request `{name}` needs `{option}`, which is none of the `options`", "requests"
                    )
        if self.fields.conversation is None and any(rule.fields.conversation is None for rule in self.events):
            raise misplaced("`fields` has to say where the `conversation` stands", "fields")
        if self.statuses and self.requests.status is None:
            raise misplaced("there are `statuses` but no request `status` that would set them", "statuses")
        if self.requests.create and self.brief == "note" and self.requests.note is None:
            raise misplaced("the brief goes into a note, so a request `note` is needed", "requests")
        return self


Sample.model_rebuild()
