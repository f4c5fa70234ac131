"""Reads all of a bot's files: the config, the persona with its templates, the flows, the files of tools.

Whatever is wrong in any of them is raised together, as one ConfigError; what could be better is handed back as
findings. Nothing is started and nothing outside the files is asked. Paths begin at the config's folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, SecretStr

from supportbot import dialogue, prompts, sandbox
from supportbot.config import secretfiles
from supportbot.config.findings import Finding
from supportbot.config.interpolate import interpolate
from supportbot.config.settings import Config
from supportbot.config.validate import validate
from supportbot.config.yamlfile import Document, decode, parse, read_bytes
from supportbot.dialogue import FlowBook
from supportbot.dialogue.grammar import FlowFile
from supportbot.errors import ConfigError, Problem
from supportbot.persona import Persona
from supportbot.toolfiles import ToolFile
from supportbot.types import ToolSpec

M = TypeVar("M", bound=BaseModel)
_MOST_FILES = 1000
_PERSONA = "prompts/persona.yaml"
_FLOWS = "flows"


@dataclass(frozen=True, slots=True)
class BotFiles:
    """Everything that was read. `templates` is name -> source, names relative to the persona's folder, with `/`.

    `digest` is the sha256 (hex) over all files read: two bots with the same digest have the same files. `documents`
    are the config, the persona and the flows by name ("config", "persona", then file names in the flows' folder) and the
    files of tools by theirs in the config, to point at places in them.
    """

    config: Config
    folder: Path
    persona: Persona
    templates: Mapping[str, str] = field(repr=False)
    flows: FlowBook = field(repr=False)
    findings: tuple[Finding, ...]
    digest: str
    env: Mapping[str, str] = field(repr=False)
    documents: Mapping[str, Document] = field(default_factory=dict, repr=False)
    tool_files: Mapping[str, ToolFile] = field(default_factory=dict, repr=False)
    """By their names in the config."""

    def problem(self, path: tuple[str | int, ...], message: str, *, key: bool = False) -> Problem:
        """The message with its place in the config, such as ("channels", "helpdesk", "secrets")."""
        return self.documents["config"].problem(path, message, key=key)


def load(path: Path, *, env: Mapping[str, str]) -> BotFiles:
    """The bot whose config is at `path`, with `env` for its variables. Raises ConfigError with every problem."""
    return _Reading(path, env).files()


def resolve_model_key(config: Config, env: Mapping[str, str]) -> SecretStr | None:
    """The model's key: from the config or its file, else OPENAI_API_KEY; None if there is none."""
    if config.model.api_key is not None:
        return config.model.api_key
    key = env.get("OPENAI_API_KEY", "").strip()
    return SecretStr(key) if key else None


def flow_findings(files: BotFiles, tools: Mapping[str, ToolSpec] | None) -> tuple[Finding, ...]:
    """What is wrong in the flows; with `tools`, also calls of tools that there are not."""
    return tuple(_flow_findings(files.flows, files.documents, files.persona, files.config, tools))


def _flow_findings(
    book: FlowBook,
    documents: Mapping[str, Document],
    persona: Persona,
    config: Config,
    tools: Mapping[str, ToolSpec] | None,
) -> Iterator[Finding]:
    started = {config.identity.flow or "", config.handoff.contact or ""}
    for found in dialogue.check(book, tools, languages=persona.languages, started=started):
        document = documents[found.file]
        yield Finding(found.level, document.problem(tuple(found.path), found.message))


class _Reading:
    """One reading of one bot's files; collects the problems of all of them."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self._path = path
        self._env = env
        self._folder = path.parent
        self._problems: list[Problem] = []
        self._findings: list[Finding] = []
        self._contents: dict[str, bytes] = {}
        self._documents: dict[str, Document] = {}
        self._templates: dict[str, str] = {}

    def files(self) -> BotFiles:
        config = self._config()
        persona = self._persona()
        book = self._flows()
        tool_files = self._tool_files(config)
        if self._problems or config is None or persona is None or book is None:
            raise ConfigError(self._problems)
        self._check(config, persona, book)
        return BotFiles(
            config=config,
            folder=self._folder,
            persona=persona,
            templates=self._templates,
            flows=book,
            findings=tuple(self._findings),
            digest=_digest(self._contents),
            env=self._env,
            documents=self._documents,
            tool_files=tool_files,
        )

    def _document(self, path: Path) -> Document | None:
        """The file's document; None, and a problem noted, if it cannot be read."""
        try:
            content = read_bytes(path)
            self._contents[self._name(path)] = content
            return parse(content, str(path))
        except ConfigError as error:
            self._problems.extend(error.problems)
            return None

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix() if path.is_relative_to(self._folder) else str(path)

    def _valid(self, model: type[M], document: Document | None) -> M | None:
        if document is None:
            return None
        try:
            return validate(model, document)
        except ConfigError as error:
            self._problems.extend(error.problems)
            return None

    # the config

    def _config(self) -> Config | None:
        document = self._document(self._path)
        if document is None:
            return None
        self._documents["config"] = document
        document = self._interpolated(document)
        if document is None:
            return None
        filled = secretfiles.fill(document, self._folder)
        self._problems.extend(filled.problems)
        self._findings.extend(filled.findings)
        self._contents.update(filled.contents)
        self._documents["config"] = filled.document
        config = self._valid(Config, filled.document)
        if config is not None:
            self._check_paths(config, filled.document)
        return config

    def _interpolated(self, document: Document) -> Document | None:
        try:
            return interpolate(document, self._env)
        except ConfigError as error:
            self._problems.extend(error.problems)
            return None

    def _tool_files(self, config: Config | None) -> dict[str, ToolFile]:
        found: dict[str, ToolFile] = {}
        for name in config.tools.files if config is not None else ():
            if not (self._folder / name).is_file():
                continue  # told by _check_paths
            document = self._document(self._folder / name)
            document = self._interpolated(document) if document is not None else None
            if document is not None:
                self._documents[name] = document
                file = self._valid(ToolFile, document)
                if file is not None:
                    found[name] = file
        return found

    def _check_paths(self, config: Config, document: Document) -> None:
        for place, names, what in (
            (("tools", "modules"), config.tools.modules, "there is no file"),
            (("tools", "files"), config.tools.files, "there is no file"),
            (("knowledge", "paths"), config.knowledge.paths, "there is no file or folder"),
        ):
            for index, name in enumerate(names):
                if not (self._folder / name).exists():
                    message = f"{what} '{name}' in the config's folder"
                    self._problems.append(document.problem((*place, index), message))

    def _bot_path(self, key: str, default: str) -> Path:
        """Where the persona or the flows are, also when the config has mistakes elsewhere."""
        document = self._documents.get("config")
        data: Any = document.data if document else None
        section = data.get("bot") if isinstance(data, dict) else None
        name = section.get(key) if isinstance(section, dict) else None
        return self._folder / (name if isinstance(name, str) and name and "${" not in name else default)

    def _absent(self, key: str, message: str) -> None:
        document = self._documents.get("config")
        if document is not None:
            self._problems.append(document.problem(("bot", key), message))

    # the persona and its templates

    def _persona(self) -> Persona | None:
        path = self._bot_path("persona", _PERSONA)
        if not path.is_file():
            self._absent("persona", f"there is no persona file '{self._name(path)}' in the config's folder")
            return None
        document = self._document(path)
        if document is not None:
            self._documents["persona"] = document
        self._read_templates(path.parent)
        persona = self._valid(Persona, document)
        if persona is not None and document is not None:
            self._check_templates(persona, document)
        return persona

    def _check_templates(self, persona: Persona, document: Document) -> None:
        for key, name in (("system", persona.system), ("context", persona.context)):
            if name is not None and name not in self._templates:
                self._problems.append(
                    document.problem((key,), f"there is no template '{name}' beside the persona")
                )

    def _read_templates(self, folder: Path) -> None:
        for count, path in enumerate(sorted(folder.rglob("*.j2"))):
            if count >= _MOST_FILES:
                self._problems.append(
                    Problem(str(folder), 0, 0, f"there are more than {_MOST_FILES} templates here")
                )
                return
            try:
                content = read_bytes(path)
                self._templates[path.relative_to(folder).as_posix()] = decode(content, str(path))
                self._contents[self._name(path)] = content
            except ConfigError as error:
                self._problems.extend(error.problems)

    # the flows

    def _flows(self) -> FlowBook | None:
        folder = self._bot_path("flows", _FLOWS)
        if not folder.is_dir():
            self._absent("flows", f"there is no folder '{self._name(folder)}' for flows in the config's folder")
            return None
        paths = sorted(path for kind in ("*.yaml", "*.yml") for path in folder.glob(kind) if path.name[0] != ".")
        parsed = {path.name: self._flow(path) for path in paths[:_MOST_FILES]}
        complete = {name: flow for name, flow in parsed.items() if flow is not None}
        if len(complete) < len(parsed):
            return None
        try:
            return dialogue.build(complete)
        except dialogue.FlowError as error:
            message = str(error).removeprefix(f"{error.file}: ")
            self._problems.append(self._documents[error.file].problem(tuple(error.path), message))
            return None

    def _flow(self, path: Path) -> FlowFile | None:
        document = self._document(path)
        if document is not None:
            self._documents[path.name] = document
        return self._valid(FlowFile, document)

    # what could be better

    def _check(self, config: Config, persona: Persona, book: FlowBook) -> None:
        home = self._bot_path("persona", _PERSONA).parent
        templates = sandbox.Templates(self._templates)
        for name, line, message in templates.problems():
            self._findings.append(Finding("error", Problem(str(home / name), line, 1, message)))
        for name, line, variable in prompts.unstable(templates, persona):
            message = (
                f"'{variable}' changes from turn to turn and makes every request dearer here: use it in the context"
                " template"
            )
            self._findings.append(Finding("warning", Problem(str(home / name), line, 1, message)))
        self._findings.extend(_flow_findings(book, self._documents, persona, config, None))
        self._findings.extend(secretfiles.written(self._documents["config"]))
        self._findings.extend(_deadlines(config, self._documents["config"]))


def _deadlines(config: Config, document: Document) -> Iterator[Finding]:
    """Times that make no sense beside each other."""
    limits, handoff = config.limits, config.handoff
    if limits.answer_deadline <= limits.turn_deadline:
        message = f"this is not longer than turn_deadline ({limits.turn_deadline:g}s), which has no effect then"
        yield Finding("warning", document.problem(("limits", "answer_deadline"), message))
    if handoff.ceiling < handoff.deadline:
        message = (
            f"this is shorter than deadline ({handoff.deadline:g}s): the bot speaks again before a human is late"
        )
        yield Finding("warning", document.problem(("handoff", "ceiling"), message))


def _digest(contents: Mapping[str, bytes]) -> str:
    """The sha256 over names and contents, in the order of the names."""
    total = hashlib.sha256()
    for name in sorted(contents):
        total.update(hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest())
        total.update(hashlib.sha256(contents[name]).digest())
    return total.hexdigest()
