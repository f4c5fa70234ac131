"""The section about customers' files."""

from __future__ import annotations

import pytest

from supportbot.config.settings import AttachmentSettings, Config
from supportbot.config.validate import validate
from supportbot.config.yamlfile import parse
from supportbot.errors import ConfigError


def attachments(text: str) -> AttachmentSettings:
    found = validate(Config, parse(f"bot: {{name: A}}\nattachments:\n  {text}\n".encode(), "config.yaml"))
    return found.attachments


def test_sizes_times_and_kinds_are_read() -> None:
    found = attachments("{max_size: 2MB, keep: 30d, types: [image/png]}")
    assert (found.max_size, found.keep, found.types) == (2_000_000, 30 * 86400.0, ("image/png",))
    assert attachments("{types: []}").types == ()


@pytest.mark.parametrize(
    ("written", "place", "words"),
    [
        ("max_size: huge", "3:13", "max_size"),
        ("max_size: 0", "3:13", "1024 or more"),
        ("max_size: 1GB", "3:13", "max_size"),
        ("max_size: 200MB", "3:13", "100000000 or less"),
        ("keep: soon", "3:9", "keep"),
        ("keep: -1d", "3:9", "keep"),
        ("types: image/*", "3:10", "list"),
        ("types: [5]", "3:11", "text"),
        ("types: ['']", "3:11", "empty"),
        ("typs: [image/*]", "3:3", "did you mean 'types'"),
    ],
)
def test_a_mistake_is_one_sentence_at_its_place(written: str, place: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        attachments(written)
    (problem,) = caught.value.problems
    assert f"{problem.line}:{problem.column}" == place, problem
    assert words in problem.message
