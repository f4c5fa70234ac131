"""Secrets in files of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from supportbot.config.secretfiles import Filled, fill, written
from supportbot.config.yamlfile import parse


def filled(folder: Path, text: str) -> Filled:
    return fill(parse(text.encode(), "c.yaml"), folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in (
        ("one", "hunter2\n"),
        ("two", "  first\n\nsecond  \r\n"),
        ("empty", " \n"),
        ("odd", "caf\xe9"),
    ):
        (tmp_path / name).write_bytes(content.encode("latin-1"))
        (tmp_path / name).chmod(0o600)
    return tmp_path


def test_the_content_takes_the_place_of_the_name(folder: Path) -> None:
    found = filled(
        folder,
        "model: {api_key_file: one}\nhandoff: {notify_secret_file: one, notify_secret: null}\n"
        "channels: {desk: {type: webhook, secrets: [], secrets_file: two, callback_secret_file: one}}",
    )
    assert (found.problems, found.findings) == ((), ())
    assert found.document.data == {
        "model": {"api_key_file": "one", "api_key": "hunter2"},
        "handoff": {"notify_secret_file": "one", "notify_secret": "hunter2"},
        "channels": {"desk": {"type": "webhook", "secrets": ["first", "second"], "callback_secret": "hunter2"}},
    }
    assert found.contents == {"one": b"hunter2\n", "two": b"  first\n\nsecond  \r\n"}


def test_a_file_elsewhere_may_be_named(folder: Path, tmp_path: Path) -> None:
    found = filled(folder / "below", f"model: {{api_key_file: {tmp_path / 'one'}}}")
    assert found.document.data["model"]["api_key"] == "hunter2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model: {api_key_file: none}", "c.yaml:1:23: the secret file 'none': there is no such file"),
        ("model: {api_key_file: empty}", "c.yaml:1:23: the secret file 'empty' is empty"),
        ("model: {api_key_file: two}", "c.yaml:1:23: the secret file 'two' must have one line, not 2"),
        ("model: {api_key_file: .}", "c.yaml:1:23: the secret file '.': this is not a file"),
        (
            "model: {api_key_file: odd}",
            "c.yaml:1:23: the secret file 'odd': the file is not UTF-8 text: save it with the encoding UTF-8",
        ),
        (
            "model: {api_key: x, api_key_file: one}",
            "c.yaml:1:21: both 'api_key' and 'api_key_file' are set: keep one",
        ),
        ("channels: {a: {type: b, token_file: [one]}}", "c.yaml:1:37: 'token_file' must be the path of a file"),
        ("channels: {a: {type: b, token_file: ''}}", "c.yaml:1:37: 'token_file' must be the path of a file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_where_the_config_names_it(
    folder: Path, text: str, expected: str
) -> None:
    found = filled(folder, text)
    assert [str(problem) for problem in found.problems] == [expected]


def test_a_file_for_everybody_is_a_warning(folder: Path) -> None:
    (folder / "one").chmod(0o644)
    (finding,) = filled(folder, "model:\n  api_key_file: one").findings
    assert finding.level == "warning"
    assert str(finding.problem) == (
        f"c.yaml:2:17: every user of this machine can read the secret file: chmod 600 {folder / 'one'}"
    )


def test_other_keys_and_odd_shapes_are_left_alone(folder: Path) -> None:
    text = "model: {other_file: none}\nweb: {x_file: none}\nhandoff: [1]\nchannels: {a: 3, b: {c_file: null, _file: x}}"
    found = filled(folder, text)
    assert found.problems == ()
    assert found.document.data == parse(text.encode(), "f").data
    assert filled(folder, "- a").document.data == ["a"]


def test_a_secret_from_a_file_is_in_no_representation(folder: Path) -> None:
    assert "hunter2" not in repr(filled(folder, "model: {api_key_file: one}"))


def test_a_secret_in_the_config_itself_is_a_warning(folder: Path) -> None:
    text = "model: {api_key: sk-1}\nchannels: {a: {type: b, secrets: [x, ''], token: y, tokens_file: one, z: t}}"
    assert [str(finding.problem) for finding in written(filled(folder, text).document)] == [
        "c.yaml:1:18: a secret stands in this file: write ${NAME} here, or 'api_key_file' and a file's path",
        "c.yaml:2:35: a secret stands in this file: write ${NAME} here, or 'secrets_file' and a file's path",
        "c.yaml:2:50: a secret stands in this file: write ${NAME} here, or 'token_file' and a file's path",
    ]
