"""The bot's files: YAML and the environment become a `Config`, every mistake has file, line and column."""

from supportbot.config.bundled import bundled
from supportbot.config.editor import schemas
from supportbot.config.findings import Finding
from supportbot.config.load import BotFiles, flow_findings, load, resolve_model_key
from supportbot.config.settings import ChannelSettings, Config

__all__ = [
    "BotFiles",
    "ChannelSettings",
    "Config",
    "Finding",
    "bundled",
    "flow_findings",
    "load",
    "resolve_model_key",
    "schemas",
]
