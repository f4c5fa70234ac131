"""The config's shape, its example, its documentation and its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import BaseModel, ValidationError

from supportbot.config import editor
from supportbot.config.bundled import bundled
from supportbot.config.settings import ChannelSettings, Config, DeskSettings
from supportbot.config.validate import validate
from supportbot.config.yamlfile import parse, read
from supportbot.errors import ConfigError
from supportbot.handofffiles import HoursSettings, RuleSettings
from supportbot.quantities import seconds, size

EXAMPLE = bundled("config.example.yaml")
BARE = """
bot: {name: Acme Home}
knowledge: {paths: [knowledge]}
tools:
  modules: [shop_tools.py, tools/catalogue.py, tools/identity.py]
  files: [tools/delivery.yaml]
  mcp:
    warehouse:
      command: [python, tools/warehouse_mcp.py]
      allow: {stock: {public: true}, reserve: {confirm: true, limits: [{times: 3}]}}
identity: {flow: verify, send_code: send_code}
channels:
  web:
    type: web
    origins: []
    accent: "#23583f"
    greeting:
      en: "Hi, Mia from Acme Home here. How can I help?"
      de: "Hallo, hier ist Mia von Acme Home. Wobei kann ich helfen?"
    prompts:
      - order_status
      - return_and_refund
      - change_address
      - item_damaged
      - {en: Talk to a person, de: Mit einem Menschen sprechen}
handoff:
  reopen: 24h
  rating: true
  contact: leave_contact
  rules:
    - name: safety
      words: {en: [smoke, on fire, sparks, electric shock], de: [rauch, brennt, funken, stromschlag]}
      priority: urgent
      tags: [safety]
      say:
        en: "Please switch off the power and do not touch it. A colleague is being called and answers you here."
        de: "Bitte schalten Sie den Strom ab und fassen Sie nichts an. Wir holen jemanden, der Ihnen hier antwortet."
    - {name: lost, misunderstood: 3}
"""
"""What the example has beside the defaults."""
DOCS = Path(__file__).resolve().parents[3] / "docs" / "configuration.md"


def config(text: str) -> Config:
    return validate(Config, parse(text.encode(), "config.yaml"))


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config(text)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in caught.value.problems]


def keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key of the config, as docs/configuration.md writes it."""
    for name, field in model.model_fields.items():
        models = list(parts(field.annotation))
        if model is DeskSettings and name == "options":
            continue
        if models == [ChannelSettings]:
            yield from (f"{prefix}{name}.*.type", f"{prefix}{name}.*.burst_wait")
        elif models == [field.annotation]:
            yield from keys(models[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
            if models and not _elsewhere(name, models[0]):
                step = "" if field.annotation == models[0] | None else "*."
                yield from keys(models[0], f"{prefix}{name}.{step}")


def _elsewhere(name: str, model: type[BaseModel]) -> bool:
    """Described in another place: a server's rules under tools.rules, hours and rules in docs/handoff.md."""
    return name == "allow" or model in (HoursSettings, RuleSettings)


def parts(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections that a key's value is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from parts(inner)


def test_only_the_name_is_needed() -> None:
    found = config("bot: {name: Acme}")
    assert (found.model.name, found.model.timeout, found.model.retries) == ("gpt-4.1-mini", 20.0, 2)
    assert (found.handoff.deadline, found.handoff.ceiling) == (900.0, 86400.0)
    assert (found.web.host, found.web.port, found.web.body_limit) == ("127.0.0.1", 8080, 1_000_000)
    assert found.store == "sqlite:///data/supportbot.db"


def test_the_example_is_the_default_and_names_every_key() -> None:
    example = read(EXAMPLE)
    bare = config(BARE)
    assert validate(Config, example) == bare
    written = {".".join(map(str, path)) for path in example.marks}
    expected = {key for key in keys(Config) if "*" not in key and not key.startswith("console.oidc.")}
    assert expected <= written


def test_the_example_describes_every_key_in_a_comment() -> None:
    bare = [
        line
        for line in EXAMPLE.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*\w+:\s*\S", line) and " # " not in line
    ]
    assert bare == ["desks: {}"]


def test_the_example_names_its_schema_in_the_first_line() -> None:
    first = EXAMPLE.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=.supportbot/config.schema.json"


def test_the_examples_channel_works_once_its_signs_are_taken_away() -> None:
    text = uncommented("channels", "handoff:")
    options = dict(config(text).channels["helpdesk"].options)
    assert options.pop("callback_url") == "https://helpdesk.example/replies"
    assert sorted(options) == ["allow_private", "burst_wait", "callback_secret", "secrets"]


def test_the_examples_desks_work_once_their_signs_are_taken_away() -> None:
    front, tickets = config(uncommented("desks", "limits:")).desks.values()
    assert (front.channel, front.options, front.agents["Ana"].capacity) == ("slack", {"place": "C0123456789"}, 4)
    assert (tickets.channel, tickets.otherwise) == ("helpdesk", "wait")


def uncommented(section: str, until: str) -> str:
    """The example with what stands as a comment below this section."""
    example = EXAMPLE.read_text(encoding="utf-8").replace(f"\n{section}: {{}}", f"\n{section}:")
    head, _, rest = example.partition(f"\n{section}:\n")
    block, end, tail = rest.partition(f"\n{until}")
    lines = [line for line in block.splitlines() if line.startswith("#  ")]
    return head + f"\n{section}:\n" + "\n".join(line[1:] for line in lines) + end + tail


def test_the_documentation_lists_exactly_the_keys_that_there_are() -> None:
    documented = re.findall(r"^\| `([\w.*]+)` \|", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(documented) == sorted(keys(Config))


def test_the_documentation_tells_the_defaults() -> None:
    rows = dict(
        re.findall(r"^\| `([\w.*]+)` \| `([^`]+)` \|", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    )
    found = config("bot: {name: Acme}")
    for key, default in rows.items():
        value: Any = found
        for step in key.split("."):
            value = getattr(value, step)
        said = parse(f"a: {default}".encode(), "f").data["a"]
        if isinstance(value, float):
            said = seconds(said)
        elif key in ("web.body_limit", "attachments.max_size"):
            said = size(said)
        assert (list(value) if isinstance(value, tuple) else value) == said, key


def test_a_config_cannot_be_changed() -> None:
    found = config("bot: {name: Acme}")
    with pytest.raises(ValidationError):
        found.bot.name = "Other"


def test_an_empty_key_means_its_default() -> None:
    found = config("bot: {name: Acme, locale: }\nmodel:\nlimits:\n  workers:\nweb: {port: null}\nchannels:\n")
    assert (found.limits.workers, found.web.port, found.bot.locale, found.channels) == (256, 8080, "en", {})


def test_off_is_a_word_and_yes_is_true() -> None:
    found = config("bot: {name: Acme}\nhistory: {summary: off}\nmodel: {required: yes}")
    assert (found.history.summary, found.model.required) == ("off", True)


def test_a_channel_keeps_its_own_keys_as_they_are() -> None:
    found = config("bot: {name: A}\nchannels: {my-desk_2: {type: 'mine:Desk', a: [1, {b: c}], burst_wait: 0.8s}}")
    channel = found.channels["my-desk_2"]
    assert channel.type == "mine:Desk"
    assert channel.options == {"a": [1, {"b": "c"}], "burst_wait": "0.8s"}
    assert channel.burst_wait == 0.8
    assert ChannelSettings(type="webhook").burst_wait is None


def test_secrets_are_in_no_representation() -> None:
    found = config(
        "bot: {name: A}\nmodel: {api_key: hunter2}\n"
        "console: {oidc: {issuer: 'https://i.example', client_id: c, client_secret: hunter2, default_role: agent}}\nhandoff: {notify_url: 'https://a.example', notify_secret: hunter2}\n"
        "channels: {a: {type: b, secrets: [hunter2]}}\nstore: postgresql://u:hunter2@h/d"
    )
    assert found.model.api_key is not None
    assert found.model.api_key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(found) + str(found)


def test_what_is_kept_of_the_history_is_half_if_nothing_is_said() -> None:
    assert config("bot: {name: A}\nhistory: {max_tokens: 1000}").history.keep_tokens == 500


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: {}", ["1:1: the key 'bot' is missing"]),
        ("bot:", ["1:5: 'bot' is empty: its keys stand below it, indented"]),
        ("bot: {name: ''}", ["1:13: 'name' must not be empty"]),
        ("bot: {name: A, locale: English}", ["1:24: 'locale' must be a language code such as en, de or pt-BR"]),
        ("{bot: {name: A}, model: {timeout: 20}}", ["1:35: 'timeout' must have a unit: 20s are seconds, 20m minutes, 20h hours"]),
        ("{bot: {name: A}, model: {timeout: 0s}}", ["1:35: 'timeout' must be 0.1s or more"]),
        ("{bot: {name: A}, model: {base_url: localhost:1234}}", ["1:36: 'base_url' must be a complete address that begins with https:// or http://"]),
        ("{bot: {name: A}, model: {retries: true}}", ["1:35: 'retries' must be a whole number"]),
        ("{bot: {name: A}, model: {prices: {m: {input: 1}}}}", ["1:35: the key 'output' is missing in 'm'"]),
        ("{bot: {name: A}, model: {prices: {m: {input: -1, output: 1}}}}", ["1:46: 'input' must be 0 or more, not -1"]),
        ("{bot: {name: A}, history: {max_tokens: 500, keep_tokens: 500}}", ["1:58: 'keep_tokens' must be less than max_tokens, which is 500"]),
        ("{bot: {name: A}, history: {summary: extrakt}}", ["1:37: 'summary' must be 'off', 'extract' or 'model', not 'extrakt': did you mean 'extract'?"]),
        ("{bot: {name: A}, store: data.db}", ["1:25: 'store' must be an address such as sqlite:///data/supportbot.db"]),
        ("{bot: {name: A}, channels: {Help Desk: {type: x}}}", ["1:29: the channel name 'Help Desk' cannot be used: begin with a small letter; small letters, digits, _ and - may follow"]),
        ("{bot: {name: A}, channels: {desk: {tpye: x}}}", ["1:29: the key 'type' is missing in 'desk'"]),
        ("{bot: {name: A}, channels: {desk: webhook}}", ["1:35: 'desk' must be a mapping (key: value), not 'webhook'"]),
        ("{bot: {name: A}, channels: {desk: {type: x, burst_wait: 3}}}", ["1:57: 'burst_wait' must have a unit: 3s are seconds, 3m minutes, 3h hours"]),
        ("{bot: {name: A}, handoff: {notify_url: 'https://a.example'}}", ["1:40: 'notify_url' needs a notify_secret or notify_secret_file beside it"]),
        ("{bot: {name: A}, web: {port: 80800}}", ["1:30: 'port' must be 65535 or less, not 80800"]),
        ("{bot: {name: A}, web: {proxies: [proxy.example]}}", ["1:34: entry 1 of 'proxies' must be an address or a network such as 10.0.0.0/8"]),
        ("{bot: {name: A}, web: {proxies: [10.0.0.1/8]}}", ["1:34: entry 1 of 'proxies' must be an address or a network such as 10.0.0.0/8"]),
        ("{bot: {name: A}, web: {proxies: ['*']}}", ["1:34: entry 1 of 'proxies' must be an address or a network such as 10.0.0.0/8"]),
        ("{bot: {name: A}, web: {body_limit: huge}}", ["1:36: 'body_limit' must be a size such as 512KB, 1MB or a number of bytes"]),
        ("{bot: {name: A}, console: {idle: 20}}", ["1:34: 'idle' must have a unit: 20s are seconds, 20m minutes, 20h hours"]),
        ("{bot: {name: A}, console: {oidc: {issuer: 'https://i.example', client_id: c}}}", ["1:43: 'oidc' needs roles with a role_claim, or a default_role: nobody could come in"]),
        ("{bot: {name: A}, console: {oidc: {issuer: 'https://i.example', client_id: c, roles: {a: agent}}}}", ["1:85: 'roles' needs a role_claim beside it"]),
        ("{bot: {name: A}, console: {oidc: {issuer: 'https://i.example', client_id: c, default_role: boss}}}", ["1:92: 'default_role' must be 'agent', 'lead' or 'admin', not 'boss'"]),
        ("{bot: {name: A}, logging: {level: loud}}", ["1:35: 'level' must be 'debug', 'info', 'warning' or 'error', not 'loud'"]),
        ("{bot: {name: A}, handof: {}}", ["1:18: unknown key 'handof': did you mean 'handoff'?"]),
        ("{bot: {name: A}, port: 80}", ["1:18: unknown key 'port' here: it belongs under 'web'"]),
        ("{bot: {nmae: A}}", ["1:8: unknown key 'nmae': did you mean 'name'?"]),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_sentence(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_the_shipped_schema_is_current() -> None:
    assert editor.FILE.read_text(encoding="utf-8") == editor.config_schema_text()


@pytest.mark.parametrize("kind", ["config", "persona", "flow"])
def test_every_schema_is_one(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(editor.schemas()[kind])


def test_the_example_and_variables_fit_the_schema() -> None:
    schema = jsonschema.Draft202012Validator(editor.config_schema())
    data = read(EXAMPLE).data
    data["web"]["port"] = "${PORT:-8080}"
    data["model"] |= {"timeout": "${WAIT}", "required": "${NEEDED}", "fallback": ["a"]}
    data["web"]["body_limit"] = 4096
    data["channels"] = {"desk": {"type": "webhook", "secrets_file": "s", "burst_wait": "1h30m"}}
    assert [error.message for error in schema.iter_errors(data)] == []
    mistakes: list[dict[str, Any]] = [
        {"web": {"port": 70000}},
        {"web": {"prot": 1}},
        {"channels": {"a": {}}},
        {"model": {"timeout": 5}},
    ]
    for wrong in mistakes:
        assert not schema.is_valid({**data, **wrong}), wrong


def test_the_example_of_http_tools_fits_its_schema() -> None:
    written = read(bundled("tools") / "delivery.yaml").data
    plain = json.loads(json.dumps(written))  # an editor reads every key as text
    assert [
        error.message for error in jsonschema.Draft202012Validator(editor.schemas()["tools"]).iter_errors(plain)
    ] == []
