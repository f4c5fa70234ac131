"""The folder of customers' files: complete or not there, each content once, and nothing that nobody uses."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from supportbot.errors import NotFound, StoreFull
from supportbot.files import FileStore
from supportbot.mediatypes import UNKNOWN, allowed, by_name, media_type

CONTENT = b"\x89PNG\r\n\x1a\n" + b"x" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def files(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "data" / "files")


def stored(files: FileStore) -> list[Path]:
    return [path for path in files.folder.rglob("*") if path.is_file()]


def aged(files: FileStore, digest: str, seconds: float) -> None:
    """Makes the file one that was used last so long ago."""
    then = time.time() - seconds
    (path,) = [path for path in stored(files) if path.name == digest]
    os.utime(path, (then, then))


# --- keeping and reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"\x00", CONTENT])
async def test_what_was_kept_is_read_by_its_sha256_also_after_a_restart(files: FileStore, content: bytes) -> None:
    digest = await files.keep(content)
    assert digest == hashlib.sha256(content).hexdigest()
    assert await FileStore(files.folder).read(digest) == content


async def test_the_folder_is_made_with_the_first_file(files: FileStore) -> None:
    assert not files.folder.exists() and await files.sweep(0) == 0
    await files.keep(CONTENT)
    assert [path.name for path in stored(files)] == [DIGEST]


async def test_files_are_for_their_owner_only(files: FileStore) -> None:
    await files.keep(CONTENT)
    (path,) = stored(files)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_the_same_content_is_kept_once(files: FileStore) -> None:
    assert await files.keep(CONTENT) == await files.keep(CONTENT) == DIGEST
    assert await files.keep(CONTENT + b"y") != DIGEST
    assert len(stored(files)) == 2


async def test_fifty_at_once_keep_one_whole_file_and_leave_nothing_else(files: FileStore) -> None:
    digests = await asyncio.gather(*(files.keep(CONTENT) for _ in range(50)))
    assert set(digests) == {DIGEST}
    assert [path.name for path in stored(files)] == [DIGEST]
    assert await files.read(DIGEST) == CONTENT


@pytest.mark.parametrize(
    "digest",
    [
        "",
        "..",
        "../../../etc/passwd",
        "/etc/passwd",
        "0" * 63,
        "0" * 65,
        "A" * 64,
        "g" * 64,
        DIGEST + "\n",
        f"{DIGEST[:61]}/..",
        "٣" * 64,
    ],
)
async def test_what_is_no_digest_reaches_no_path(files: FileStore, digest: str) -> None:
    await files.keep(CONTENT)
    with pytest.raises(NotFound, match="no digest"):
        await files.read(digest)


async def test_a_file_that_is_gone_is_not_found(files: FileStore) -> None:
    with pytest.raises(NotFound, match="not kept any more"):
        await files.read(DIGEST)


# --- complete or not there -----------------------------------------------------------------------------------

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from supportbot import files

real = os.fsync
def dying(descriptor: int) -> None:
    if WHEN == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
    os.kill(os.getpid(), signal.SIGKILL)

WHEN = sys.argv[2]
os.fsync = dying
asyncio.run(files.FileStore(Path(sys.argv[1])).keep(b"x" * 100_000))
"""


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_file_whose_writing_was_killed_is_not_there_and_can_be_kept_again(
    files: FileStore, when: str
) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(files.folder), when], cwd=Path.cwd(), timeout=30)
    assert killed.returncode == -signal.SIGKILL
    content = b"x" * 100_000
    digest = hashlib.sha256(content).hexdigest()
    with pytest.raises(NotFound):
        await files.read(digest)
    assert await files.keep(content) == digest
    assert await files.read(digest) == content
    assert await files.sweep(-60) == 2, "what was left half-written is swept with the rest"


# --- a full disk ---------------------------------------------------------------------------------------------


def limited(most: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


FULL = """
import asyncio, sys
from pathlib import Path
from supportbot.errors import StoreFull
from supportbot.files import FileStore

async def main() -> None:
    store = FileStore(Path(sys.argv[1]))
    try:
        await store.keep(b"x" * 100_000)
    except StoreFull as error:
        print(error)
    print(await store.read(await store.keep(b"small")))

asyncio.run(main())
"""


def test_a_disk_that_takes_no_more_is_a_sentence_and_leaves_nothing_behind(files: FileStore) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(files.folder)],
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=lambda: limited(10_000),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    said, read = done.stdout.splitlines()
    assert said == f"A file could not be kept in {files.folder}: File too large."
    assert read == "b'small'"
    assert [path.name for path in stored(files)] == [hashlib.sha256(b"small").hexdigest()]


@pytest.mark.parametrize("at", ["folder", "part"])
async def test_a_file_in_the_folders_place_is_a_sentence(files: FileStore, at: str) -> None:
    blocked = files.folder if at == "folder" else files.folder / DIGEST[:2]
    blocked.parent.mkdir(parents=True)
    blocked.write_text("in the way")
    with pytest.raises(StoreFull, match=r"^A file could not be kept in .*files: .+\.$"):
        await files.keep(CONTENT)
    with pytest.raises(NotFound):
        await files.read(DIGEST)
    assert await files.sweep(0) == 0


# --- sweeping ------------------------------------------------------------------------------------------------


async def test_what_nobody_used_for_the_time_to_keep_is_swept(files: FileStore) -> None:
    other = await files.keep(b"other")
    await files.keep(CONTENT)
    aged(files, DIGEST, 100)
    assert await files.sweep(90) == 1
    assert await files.read(other) == b"other"
    with pytest.raises(NotFound):
        await files.read(DIGEST)


@pytest.mark.parametrize("use", ["read", "keep"])
async def test_a_file_that_is_used_again_begins_its_time_anew(files: FileStore, use: str) -> None:
    await files.keep(CONTENT)
    aged(files, DIGEST, 100)
    await (files.read(DIGEST) if use == "read" else files.keep(CONTENT))
    assert await files.sweep(90) == 0
    assert await files.read(DIGEST) == CONTENT


async def test_what_lies_beside_the_files_is_left_alone(files: FileStore) -> None:
    await files.keep(CONTENT)
    (files.folder / "note.txt").write_text("mine")
    assert await files.sweep(-60) == 1
    assert [path.name for path in stored(files)] == ["note.txt"]


# --- what a file is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "called", "kind"),
    [
        (CONTENT, UNKNOWN, "image/png"),
        (CONTENT, "application/pdf", "image/png"),
        (b"\xff\xd8\xff\xe0", "text/plain", "image/jpeg"),
        (b"GIF89a", UNKNOWN, "image/gif"),
        (b"GIF87a", UNKNOWN, "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", UNKNOWN, "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav", "audio/wav"),
        (b"RIFF", "image/webp", UNKNOWN),
        (b"%PDF-1.7", UNKNOWN, "application/pdf"),
        (b"OggS", "audio/ogg", "audio/ogg"),
        (b"PK\x03\x04", UNKNOWN, "application/zip"),
        (
            b"PK\x03\x04",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        (b"PK\x03\x04", "image/png", "application/zip"),
        (b"<svg onload='alert(1)'>", "image/svg+xml", UNKNOWN),
        (b"hello", "image/png", UNKNOWN),
        (b"hello", "text/plain", "text/plain"),
        (b"", "text/plain", "text/plain"),
        (b"", UNKNOWN, UNKNOWN),
    ],
)
def test_a_file_is_what_its_first_bytes_say_and_only_they_make_it_a_picture(
    content: bytes, called: str, kind: str
) -> None:
    assert media_type(content, called) == kind


@pytest.mark.parametrize(
    ("kind", "fits"),
    [
        ("image/png", True),
        ("IMAGE/PNG", True),
        ("image/", True),
        ("text/plain; charset=utf-8", True),
        ("text/html", False),
        ("imagery/png", False),
        ("application/pdf", False),
        ("", False),
    ],
)
def test_kinds_are_allowed_by_name_or_by_family(kind: str, fits: bool) -> None:
    assert allowed(kind, ("image/*", "text/plain")) == fits


def test_nothing_is_allowed_by_an_empty_list() -> None:
    assert not allowed("image/png", ())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.PNG", "image/png"),
        ("b.tar.jpeg", "image/jpeg"),
        ("price list.pdf", "application/pdf"),
        ("png", "image/png"),
        ("a.unheard", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_file_of_the_bots_own_is_what_its_ending_says(name: str, kind: str) -> None:
    assert by_name(name) == kind


async def test_the_bots_own_files_are_spared_however_old(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "files")
    own, old = await store.keep(b"own"), await store.keep(b"old")
    assert await store.sweep(-60.0, spare=[own]) == 1
    assert await store.read(own) == b"own"
    with pytest.raises(NotFound):
        await store.read(old)
