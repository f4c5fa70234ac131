"""Turns the bot's files into what runs: the engine's script, the models, the tools, the channels."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from supportbot import channels
from supportbot.config import BotFiles, resolve_model_key
from supportbot.dialogue import Words
from supportbot.engine import Script
from supportbot.engine.script import Proofs
from supportbot.engine.terms import HandoffTerms
from supportbot.errors import ConfigError, Problem, UsageError
from supportbot.history import Limits
from supportbot.knowledge import ArticleIndex
from supportbot.knowledge import load as load_articles
from supportbot.models import OfflineModel, OpenAIModel, ResilientModel
from supportbot.prompts import Prompts
from supportbot.protocols import Adapter, Menu, Model
from supportbot.sandbox import Templates
from supportbot.texts import WORDS
from supportbot.tokens import count
from supportbot.tools import Toolbox

_SECRET_WORDS = ("secret", "token", "key", "password")


def script(
    files: BotFiles, tools: Toolbox, articles: ArticleIndex, handoff: HandoffTerms, *, has_model: bool
) -> Script:
    """What the engine is handed."""
    config, persona = files.config, files.persona
    templates = Templates(files.templates)
    return Script(
        bot_name=config.bot.name,
        locale=config.bot.locale,
        persona=persona,
        templates=templates,
        prompts=Prompts(persona, templates, {"name": config.bot.name}, files.flows.offered()),
        book=files.flows,
        words=words(persona.handoff.phrases),
        limits=Limits(config.history.max_tokens, config.history.keep_tokens, config.history.summary),
        count=lambda text: count(text, config.model.name),
        digest=files.digest[:16],
        tools=tools.specs(),
        has_model=has_model,
        has_articles=len(articles) > 0,
        terms=tools.terms(),
        proofs=proofs(files),
        consent_lasts=config.limits.consent,
        approval_lasts=config.limits.approval,
        max_calls=config.limits.model_calls,
        max_tool_calls=config.limits.tool_calls,
        sees=has_model and persona.images,
        handoff=handoff,
        max_message_chars=config.limits.message_chars,
        overdue=config.limits.overdue,
        overrides=persona.texts,
    )


def words(phrases: Mapping[str, tuple[str, ...]]) -> Words:
    """The words for cancel, help and a human; the persona's phrases come beside the shipped ones."""
    human = {
        locale: (*WORDS.human.get(locale, ()), *phrases.get(locale, ())) for locale in {*WORDS.human, *phrases}
    }
    return Words(WORDS.cancel, WORDS.help, human)


def proofs(files: BotFiles) -> Proofs:
    """How customers prove who they are."""
    settings = files.config.identity
    return Proofs(settings.flow or "", settings.send_code or "", settings.code_lasts, settings.lasts)


def articles(files: BotFiles) -> ArticleIndex:
    return ArticleIndex(load_articles([Path(path) for path in files.config.knowledge.paths], files.folder))


def model(files: BotFiles, notice: Callable[[str], None]) -> Model | None:
    """The configured model with its fallbacks, None without a key. ConfigError if the config requires one."""
    settings = files.config.model
    key = resolve_model_key(files.config, files.env)
    if key is None:
        if settings.required:
            raise ConfigError([key_problem(files)])
        return None
    base_url = settings.base_url or files.env.get("OPENAI_BASE_URL") or None
    prices = {name: price.model_dump() for name, price in settings.prices.items()}
    models = [
        (
            name,
            OpenAIModel(
                name,
                key=key.get_secret_value(),
                base_url=base_url,
                request_timeout=settings.timeout,
                prices=prices,
                notice=notice,
            ),
        )
        for name in (settings.name, *settings.fallback)
    ]
    return ResilientModel(models, retries=settings.retries, notice=notice)


def menu(files: BotFiles) -> Menu:
    """The commands and buttons that start flows, with the flows' titles in every language there is."""
    flows = [flow for _, flow in sorted(files.flows.flows.items())]
    commands = [
        (word.removeprefix("/"), flow.titles)
        for flow in flows
        for trigger in flow.triggers
        if trigger.kind == "command"
        for word in trigger.words.every()
    ]
    return Menu(tuple(commands), tuple((flow.button, flow.titles) for flow in flows if flow.button))


def own_files(files: BotFiles) -> dict[str, bytes]:
    """The contents of the files that flows send from the bot's folder. ConfigError for one that cannot be had."""
    contents: dict[str, bytes] = {}
    problems: list[Problem] = []
    for flow in files.flows.flows.values():
        for place, path in flow.sends:
            found = _own_file(files, path)
            if isinstance(found, str):
                problems.append(files.documents[flow.file].problem(place, found))
            else:
                contents[path] = found
    if problems:
        raise ConfigError(problems)
    return contents


def _own_file(files: BotFiles, path: str) -> bytes | str:
    """The content, or what is wrong."""
    root, limit = files.folder.resolve(), files.config.attachments.max_size
    target = (root / path).resolve()
    if not target.is_relative_to(root) or not target.is_file():
        return f"there is no file {path!r} in the bot's folder"
    if target.stat().st_size > limit:
        return f"the file {path!r} is larger than attachments.max_size ({limit:,} bytes)"
    return target.read_bytes()


def key_problem(files: BotFiles) -> Problem:
    """What to say when the config requires a key and there is none."""
    sentence = "a key is required and there is none: set OPENAI_API_KEY, or model.api_key_file"
    return files.problem(("model", "required"), sentence)


def warm(files: BotFiles, *, with_model: bool) -> None:
    """Loads what is slow to load before the first customer would wait for it."""
    count("warm", files.config.model.name)
    if with_model:
        import openai  # noqa: F401


def offline() -> Model:
    return OfflineModel()


def adapters(files: BotFiles) -> dict[str, Adapter]:
    """One adapter per configured channel. ConfigError has what is wrong in each of them, with its place."""
    built: dict[str, Adapter] = {}
    problems: list[Problem] = []
    for name, one in files.config.channels.items():
        try:
            kind = channels.load(one.type, files.folder)
            options = {**_from_environment(kind, files), **_written(one.options)}
            built[name] = kind(name, options | _whole_paths(kind, files, options))
        except ConfigError as error:
            problems.extend(error.problems)
        except UsageError as error:
            problems.append(_channel_problem(files, name, str(error)))
        except Exception as error:  # noqa: BLE001 - somebody else's adapter may raise anything
            place = traceback.extract_tb(error.__traceback__)[-1]
            said = f"channel type {one.type!r} fails by itself: {type(error).__name__} in {place.filename}:{place.lineno}"
            problems.append(_channel_problem(files, name, said))
    if problems:
        raise ConfigError(problems)
    return built


def _from_environment(kind: type[Adapter], files: BotFiles) -> dict[str, str]:
    found = {option: files.env.get(variable, "") for option, variable in kind.environment.items()}
    return {option: value for option, value in found.items() if value}


def _whole_paths(kind: type[Adapter], files: BotFiles, options: Mapping[str, Any]) -> dict[str, str]:
    named = {option: options[option] for option in kind.paths if isinstance(options.get(option), str)}
    return {option: str((files.folder / path).resolve()) for option, path in named.items()}


def _written(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


def _channel_problem(files: BotFiles, name: str, sentence: str) -> Problem:
    """The sentence at the key of the channel that it begins with, else at the channel's type."""
    named = sentence.partition(" ")[0].removeprefix(f"channels.{name}.").partition("[")[0]
    key = named if named in files.config.channels[name].options else "type"
    return files.problem(("channels", name, key), sentence)


def database(files: BotFiles) -> Path:
    """The SQLite file of the config's `store`, relative to the config's folder. ConfigError for another kind."""
    scheme, _, path = files.config.store.partition(":///")
    if scheme != "sqlite" or not path:
        sentence = "this version keeps its data in a file: write sqlite:///data/supportbot.db"
        raise ConfigError([files.problem(("store",), sentence)])
    return files.folder / path


def secrets(files: BotFiles) -> Iterator[str]:
    """Every secret value that the process knows, for the log's redaction."""
    key = resolve_model_key(files.config, files.env)
    if key is not None:
        yield key.get_secret_value()
    yield from _secrets(files.config.model_dump(), secret=False)
    for file in files.tool_files.values():
        yield from _secrets(file.model_dump(), secret=False)
    for kind in {one.type for one in files.config.channels.values()}:
        variables = channels.environment(kind, files.folder).values()
        yield from _secrets({name: files.env.get(name, "") for name in variables}, secret=False)


def _secrets(value: Any, *, secret: bool) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _secrets(inner, secret=secret or any(word in str(key).lower() for word in _SECRET_WORDS))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _secrets(inner, secret=secret)
    elif secret and isinstance(value, str) and value:
        yield value
