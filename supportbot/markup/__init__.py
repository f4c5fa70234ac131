"""The bot's Markdown: read into a small model that channels render, shown as plain text, and split to a channel's limit."""

from supportbot.markup.model import Align, Block, Kind, Run
from supportbot.markup.plain import flat, grid, plain
from supportbot.markup.reading import blocks
from supportbot.markup.splitting import split

__all__ = ["Align", "Block", "Kind", "Run", "blocks", "flat", "grid", "plain", "split"]
