"""The shape of `config.yaml`. Times are seconds (float), sizes bytes (int), prices dollars per million tokens.

A key that is left empty means its default. `docs/configuration.md` describes every key for people.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from supportbot.config.consolesettings import ConsoleSettings
from supportbot.handofffiles import HoursSettings, RuleList
from supportbot.quantities import DURATION_SCHEMA, Dollars, NoWait, Size, Wait, Whole, seconds
from supportbot.shapes import Secret, Section, Text, Url, misplaced
from supportbot.toolfiles import McpServer, Rules, ServerName, ToolName

_CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,63}\Z")
_LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*\Z")
_STORE = re.compile(r"(sqlite:///.+|postgres(ql)?://.+)\Z")


def _channel_name(text: str) -> str:
    if not _CHANNEL.match(text):
        raise ValueError(
            f"the channel name '{text[:64]}' cannot be used: begin with a small letter; small letters, digits, _ and -"
            " may follow"
        )
    return text


def _locale(text: str) -> str:
    if not _LOCALE.match(text):
        raise ValueError("must be a language code such as en, de or pt-BR")
    return text


def _store(text: str) -> str:
    if not _STORE.match(text):
        raise ValueError("must be an address such as sqlite:///data/supportbot.db")
    return text


def _network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError("must be an address or a network such as 10.0.0.0/8") from None
    return text


def _id(value: object) -> object:
    """Ids may be written as numbers."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


ChannelName = Annotated[str, AfterValidator(_channel_name)]
AgentName = Annotated[str, Field(min_length=1, max_length=100)]


class BotSettings(Section):
    name: Text
    """The company's or bot's name, as customers see it."""
    persona: Text = "prompts/persona.yaml"
    """The persona file."""
    flows: Text = "flows"
    """The folder with the flows, one YAML file each."""
    locale: Annotated[str, AfterValidator(_locale)] = "en"
    """The language used when nothing is known of the customer's."""


class Price(Section):
    """Dollars per million tokens."""

    input: Dollars
    """For what is sent."""
    cached: Dollars | None = None
    """For what is sent again and was kept by the provider; as `input` if it is left out."""
    output: Dollars
    """For what comes back."""


class ModelSettings(Section):
    name: Text = "gpt-4.1-mini"
    """The model that answers."""
    fallback: tuple[Text, ...] = ()
    """Models to ask when it fails, in this order."""
    base_url: Url | None = None
    """Another server that speaks the same protocol; empty means OPENAI_BASE_URL, or OpenAI itself."""
    api_key: Secret | None = None
    """The key; empty means OPENAI_API_KEY. Write ${NAME} here, never the key itself."""
    api_key_file: Text | None = None
    """A file that has the key in it."""
    timeout: Wait = 20.0
    """How long to wait for one answer."""
    retries: Whole = Field(default=2, ge=0, le=10)
    """How often one question is asked again after a passing failure."""
    required: bool = False
    """true: without a key the bot does not start; false: it runs without a model and says so."""
    prices: Mapping[str, Price] = Field(default_factory=dict)
    """What each model costs, for the reports."""


class HistorySettings(Section):
    max_tokens: Whole = Field(default=6000, ge=200, le=10_000_000)
    """When the past of a conversation is longer than this, the oldest turns are taken out."""
    keep_tokens: Whole = Field(default=3000, ge=100, le=10_000_000)
    """How much of it stays then; less than `max_tokens`, and half of it if left out."""
    summary: Literal["off", "extract", "model"] = "extract"
    """What stands in for the turns taken out: nothing, their most telling sentences, or a summary by the model."""

    @model_validator(mode="before")
    @classmethod
    def _keep_half(cls, data: Any) -> Any:
        maximum = data.get("max_tokens") if isinstance(data, dict) else None
        if isinstance(maximum, int) and data.get("keep_tokens") is None:
            return {**data, "keep_tokens": maximum // 2}
        return data

    @field_validator("keep_tokens")
    @classmethod
    def _below_maximum(cls, value: int, info: ValidationInfo) -> int:
        maximum = info.data.get("max_tokens")
        if maximum is not None and value >= maximum:
            raise ValueError(f"must be less than max_tokens, which is {maximum}")
        return value


class KnowledgeSettings(Section):
    paths: tuple[Text, ...] = ()
    """Folders and files with the help articles."""


class ToolsSettings(Section):
    modules: tuple[Text, ...] = ()
    """Python files with the bot's tools."""
    files: tuple[Text, ...] = ()
    """YAML files with tools that are HTTP requests."""
    mcp: Mapping[ServerName, McpServer] = Field(default_factory=dict)
    """MCP servers whose tools the bot may use, by name."""
    rules: Mapping[ToolName, Rules] = Field(default_factory=dict)
    """What holds for a tool, by its name, in the place of what the tool itself says."""
    secrets: Mapping[ToolName, Secret] = Field(default_factory=dict)
    """Secrets that tools find in their context; never shown to a model."""
    hosts: tuple[Url, ...] = ()
    """Addresses in your own network that the tools' own http client may reach, such as http://erp.internal:8080."""
    max_result: Whole = Field(default=50_000, ge=200, le=1_000_000)
    """Longer results are cut here, in characters."""


class IdentitySettings(Section):
    flow: Text | None = None
    """The flow that finds out who a customer is when a tool needs to know."""
    send_code: ToolName | None = None
    """The tool that sends a one-time code; flows then have `request_code` and `check_code`."""
    code_lasts: Wait = 600.0
    """How long a one-time code can be used."""
    lasts: Wait = 1800.0
    """How long a proof holds."""
    secrets: tuple[Secret, ...] = ()
    """Check the identities that your own site signs (JWT, HS256); the first that fits counts."""
    audience: Text | None = None
    """Signed identities must be made for this audience, if it is given."""


_CHANNEL_SCHEMA: dict[str, Any] = {
    "additionalProperties": True,
    "properties": {
        "type": {
            "description": "The kind of channel: webhook, slack, telegram, or module:attribute of an adapter.",
            "minLength": 1,
            "type": "string",
        },
        "burst_wait": {
            **DURATION_SCHEMA,
            "description": "How long to wait for more messages before answering; the adapter's own choice if left out.",
        },
    },
}


class ChannelSettings(BaseModel):
    """One channel; `options` are the adapter's own keys, as they stand in the file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        json_schema_extra=lambda schema: schema.update(_CHANNEL_SCHEMA),
    )

    type: Text
    options: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.keys() == {"type", "options"}:
            return data
        options = {key: value for key, value in data.items() if key != "type"}
        return {**({"type": data["type"]} if "type" in data else {}), "options": options}

    @field_validator("options")
    @classmethod
    def _wait_is_a_duration(cls, options: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            seconds(options.get("burst_wait") or 0)
        except ValueError as error:
            raise misplaced(str(error), "burst_wait") from None
        return options

    @property
    def burst_wait(self) -> float | None:
        """Seconds to wait for more messages before a turn starts; None leaves it to the adapter."""
        value = self.options.get("burst_wait")
        return None if value is None else seconds(value)


class HandoffSettings(Section):
    deadline: Wait = 900.0
    """How long a customer waits for a human before the bot speaks up again; in business hours, if there are any."""
    ceiling: Wait = 86400.0
    """How long the bot stays silent at most once a human has taken over."""
    answer: NoWait = 3600.0
    """How long a customer waits for a word once a human has claimed it, before others are called; 0 for ever."""
    reopen: NoWait = 0.0
    """How long after a resolve the customer's words open the handoff again; 0 for never."""
    rating: bool = False
    """true: the customer is asked how content they are once a human has resolved it."""
    contact: Text | None = None
    """The flow in which a customer who waits can leave a contact."""
    brief: Literal["off", "extract", "model"] = "extract"
    """The suggested reply that the human gets: none, out of the articles, or with the summary by the model."""
    hours: HoursSettings | None = None
    """When humans are there; around the clock if left out."""
    rules: RuleList = ()
    """What calls a human by itself; the first rule that holds decides."""
    notify_url: Url | None = None
    """An address that is told of every handoff."""
    notify_secret: Secret | None = None
    """Signs what is sent there."""
    notify_secret_file: Text | None = None
    """A file that has this secret in it."""
    allow_private: bool = False
    """true: `notify_url` may be an address in your own network."""

    @model_validator(mode="after")
    def _notices_are_signed(self) -> HandoffSettings:
        if self.notify_url and self.notify_secret is None:
            raise misplaced("'notify_url' needs a notify_secret or notify_secret_file beside it", "notify_url")
        return self


class AgentSettings(Section):
    """A human agent of a desk."""

    id: Annotated[str, BeforeValidator(_id), Field(min_length=1)]
    """Their id where they work: a Slack or Telegram user id, an agent's number in the helpdesk."""
    languages: tuple[Annotated[str, AfterValidator(_locale)], ...] = ()
    """What they speak; every language if left out."""
    tags: tuple[Text, ...] = ()
    """What they know; everything if left out."""
    capacity: Whole = Field(default=0, ge=0, le=1000)
    """How many conversations they may have at once; 0 for any number."""


_DESK_SCHEMA: dict[str, Any] = {"additionalProperties": True}


class DeskSettings(Section):
    """A desk; `options` are its channel's own keys, as they stand in the file."""

    model_config = ConfigDict(
        json_schema_extra=lambda schema: (schema["properties"].pop("options", None), schema.update(_DESK_SCHEMA))[
            1
        ]
    )

    channel: Text
    """The channel on which its agents work, or `console`."""
    tags: tuple[Text, ...] = ()
    """It takes handoffs that have one of these tags; all if left out."""
    languages: tuple[Annotated[str, AfterValidator(_locale)], ...] = ()
    """It takes customers of these languages; all if left out."""
    channels: tuple[ChannelName, ...] = ()
    """It takes customers of these channels; all if left out."""
    hours: HoursSettings | None = None
    """When its agents are there; as `handoff.hours` if left out."""
    deadline: Wait | None = None
    """How long a customer waits here before `otherwise`; as `handoff.deadline` if left out."""
    otherwise: Text = "wait"
    """What happens then: wait, contact (the customer is asked for one), return (the bot goes on), or another desk."""
    assign: Literal["claim", "round_robin", "least_busy"] = "claim"
    """Who gets it: who claims it first, or whoever is chosen in turn or has the fewest."""
    agents: Mapping[AgentName, AgentSettings] = Field(default_factory=dict)
    """The agents with their languages, tags and capacity, by name."""
    told: Mapping[str, Text] = Field(default_factory=dict)
    """What the customer is told, by language, in the place of the bot's own words."""
    options: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _split(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "options" in data:
            return data
        own = {key: value for key, value in data.items() if key not in cls.model_fields}
        return {key: value for key, value in data.items() if key in cls.model_fields} | {"options": own}


class LimitsSettings(Section):
    turn_deadline: Wait = 45.0
    """After this time the bot stops trying for the best answer and gives the next best."""
    answer_deadline: Wait = 60.0
    """After this time every customer has heard something; more than `turn_deadline`."""
    workers: Whole = Field(default=256, ge=1, le=10_000)
    """How many conversations are worked on at the same time."""
    message_chars: Whole = Field(default=8000, ge=100, le=1_000_000)
    """Longer messages are cut here."""
    model_calls: Whole = Field(default=24, ge=1, le=200)
    """How often the model may be asked for one answer."""
    tool_calls: Whole = Field(default=60, ge=1, le=1000)
    """How many tools it may call for one answer."""
    consent: Wait = 900.0
    """How long a customer's yes can be given to what they were asked."""
    approval: Wait = 86400.0
    """How long a person has to allow a call before the customer is told that nobody did."""
    overdue: Literal["handoff", "notice"] = "handoff"
    """What happens at the `answer_deadline`: a human is called, or the customer gets an honest notice."""


class AttachmentSettings(Section):
    max_size: Size = 10_000_000
    """Larger files that customers send are not taken."""
    types: tuple[Text, ...] = ("image/*", "audio/*", "video/mp4", "application/pdf", "text/plain", "text/csv")
    """Kinds of files that are kept, `image/*` for all images; of others only the name is."""
    keep: Wait = 90 * 86400.0
    """Files that nobody has looked at for this long are deleted."""


class PrivacySettings(Section):
    keep_finished: Wait = 7 * 86400.0
    """How long delivered messages stay in the queues' records; conversations are not touched."""


class WebSettings(Section):
    host: Text = "127.0.0.1"
    """127.0.0.1 for this machine only, 0.0.0.0 for the whole network."""
    port: Whole = Field(default=8080, ge=0, le=65535)
    """0 picks a free one."""
    public_url: Url | None = None
    """How the bot is reached from outside."""
    proxies: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Reverse proxies in front of the bot, addresses or networks, that are believed who a caller is."""
    body_limit: Size = 1_000_000
    """Larger requests are refused."""


class LoggingSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important lines that are written."""
    format: Literal["text", "json"] = "json"
    """text for people, json for machines."""


class Config(Section):
    """A bot's `config.yaml`."""

    bot: BotSettings
    """The bot itself."""
    model: ModelSettings = ModelSettings()
    """The language model."""
    history: HistorySettings = HistorySettings()
    """How much of a conversation the model sees."""
    store: Annotated[str, AfterValidator(_store)] = Field(default="sqlite:///data/supportbot.db", repr=False)
    """Where conversations are kept."""
    knowledge: KnowledgeSettings = KnowledgeSettings()
    """The help articles."""
    tools: ToolsSettings = ToolsSettings()
    """What the bot can do."""
    identity: IdentitySettings = IdentitySettings()
    """How customers prove who they are."""
    channels: Mapping[ChannelName, ChannelSettings] = Field(default_factory=dict)
    """Where customers write, by name; the rest of a channel's keys belong to its adapter."""
    handoff: HandoffSettings = HandoffSettings()
    """Handing a conversation to a human."""
    desks: Mapping[ChannelName, DeskSettings] = Field(default_factory=dict)
    """Where humans work, by name; the keys that are not told here belong to the desk's channel."""
    limits: LimitsSettings = LimitsSettings()
    """Time and size."""
    attachments: AttachmentSettings = AttachmentSettings()
    """The files that customers send."""
    privacy: PrivacySettings = PrivacySettings()
    """What is kept, and for how long."""
    web: WebSettings = WebSettings()
    """The one port for webhooks and health checks."""
    console: ConsoleSettings = ConsoleSettings()
    """The pages at /console where agents work."""
    logging: LoggingSettings = LoggingSettings()
    """What the bot writes about itself."""
