"""Files: taken with their true kind, read in their own chat only, and served so that nothing of them runs."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.errors import StoreFull
from supportbot.types import Attachment, Reply
from supportbot_web.pages import _file_name

from .conftest import Chat, new_id, opened, outgoing, signed

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
HTML = b"<html><script>alert(document.domain)</script>"


async def test_a_file_goes_with_its_message_and_comes_back_whole(chat: Chat) -> None:
    page = await chat.visitor()
    made = (await page.upload(PNG, "photo 1.png", "image/png")).json()
    assert made.keys() == {"id", "name", "type", "size"}
    assert (made["name"], made["type"], made["size"]) == ("photo 1.png", "image/png", len(PNG))
    assert (await page.say("see", files=[made["id"]])).status_code == 202
    (message,) = chat.inbox.messages
    (file,) = message.attachments
    assert await chat.adapter.fetch(file, limit=100) == PNG
    (entry,) = (await page.entries())["entries"]
    assert entry["files"] == [made]
    found = await page.ask("GET", f"/files/{made['id']}")
    assert found.content == PNG
    assert found.headers["content-type"] == "image/png"


async def test_a_file_alone_is_a_message(chat: Chat) -> None:
    page = await chat.visitor()
    id = (await page.upload()).json()["id"]
    assert (await page.say(files=[id])).status_code == 202
    assert (await page.say("twice", files=[id, id])).status_code == 202
    assert [len(message.attachments) for message in chat.inbox.messages] == [1, 1]


async def test_a_file_of_another_chat_is_not_there(chat: Chat) -> None:
    page, other = await chat.visitor(), await chat.visitor()
    id = (await page.upload()).json()["id"]
    assert (await other.ask("GET", f"/files/{id}")).status_code == 404
    assert (await other.say("mine?", files=[id])).status_code == 404
    assert (await chat.page().ask("GET", f"/files/{id}")).status_code == 401
    assert chat.inbox.messages == []


async def test_the_same_content_has_another_id_in_each_chat_and_each_time(chat: Chat) -> None:
    pages = [await chat.visitor() for _ in range(2)]
    ids = [(await page.upload()).json()["id"] for page in (*pages, *pages)]
    assert len(set(ids)) == 4 and all(len(id) == 42 for id in ids)
    assert len(chat.files.kept) == 1


@pytest.mark.parametrize("id", ["f_", "..%00", "%2e%2e%2ff_1", "f_" + "0" * 40, "f_%00", "seen:x", "x" * 5_000])
async def test_an_id_that_was_never_given_is_no_file(chat: Chat, id: str) -> None:
    page = await chat.visitor()
    assert (await page.ask("GET", f"/files/{id}")).status_code == 404


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (PNG, "image/png", 201),
        (PNG, "IMAGE/PNG; charset=x", 201),
        (b"%PDF-1.7 x", "application/pdf", 201),
        (b"plain", "text/plain", 201),
        (b"", "text/plain", 400),
        (HTML, "text/html", 415),
        (HTML, "image/png", 415),  # it is none
        (b"<svg onload=alert(1)>", "image/svg+xml", 415),  # a picture that is a program
        (b"MZ\x90", "application/x-msdownload", 415),
        (b"x", "", 415),
        (b"x", "image/", 415),
        (b"x", "*/*", 415),
        (b"x", "text/plain, image/png", 415),
    ],
)
async def test_a_file_is_of_a_kind_that_is_taken_or_it_is_not(
    chat: Chat, content: bytes, kind: str, status: int
) -> None:
    page = await chat.visitor()
    assert (await page.upload(content, "a", kind)).status_code == status
    assert bool(chat.files.kept) == (status == 201)


async def test_a_file_is_what_its_content_is_and_not_what_it_is_called(chat: Chat) -> None:
    page = await chat.visitor()
    made = (await page.upload(PNG, "a.txt", "text/plain")).json()
    assert made["type"] == "image/png"


async def test_nothing_of_a_file_runs_where_it_is_opened(chat: Chat) -> None:
    page = await chat.visitor()
    sent = [
        Attachment(f"a{at}", kind, len(HTML), digest=chat.files.add(HTML))
        for at, kind in enumerate(
            ("text/html", "image/svg+xml", "text/xml", "application/xhtml+xml", "text/plain")
        )
    ]
    await chat.adapter.send(outgoing(await chat.chat_of(page), "o-1", Reply("files", files=tuple(sent))))
    (entry,) = (await page.entries())["entries"]
    kinds = []
    for file in entry["files"]:
        found = await page.ask("GET", f"/files/{file['id']}")
        assert found.content == HTML
        assert found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["content-disposition"] == "attachment"
        assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
        kinds.append(found.headers["content-type"].partition(";")[0])
    assert kinds == ["application/octet-stream"] * 4 + ["text/plain"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\a.pdf", "a.pdf"),
        ("a\r\nSet-Cookie: x=1.txt", "aSet-Cookie: x=1.txt"),
        ("gpj.\u202eexe", "gpj.exe"),
        ("\x1b[2J.txt", "[2J.txt"),
        ("", "file"),
        ("   ", "file"),
        ("/", "file"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),  # data, shown as text
        ("Ярлык 🙂.png", "Ярлык 🙂.png"),
        ("x" * 5_000, "x" * 200),
    ],
)
async def test_a_name_is_without_folders_and_characters_that_steer(chat: Chat, name: str, kept: str) -> None:
    page = await chat.visitor()
    if len(name) < 1_000:
        assert (await page.upload(name=name)).json()["name"] == kept
    assert _file_name(name) == kept


@given(st.text(max_size=300))
def test_any_name_is_one_printable_line(name: str) -> None:
    kept = _file_name(name)
    assert kept and kept.isprintable() and len(kept) <= 200 and "/" not in kept and "\\" not in kept
    kept.encode()


@pytest.mark.parametrize("chat", [{"uploads": False}], indirect=True)
async def test_a_chat_may_take_no_files(chat: Chat) -> None:
    page = await chat.visitor()
    assert (await page.upload()).status_code == 403
    assert (await page.ask("GET", "/config")).json()["uploads"] is None


@pytest.mark.parametrize("chat", [{"max_upload": 1_000}], indirect=True)
async def test_a_file_may_be_as_large_as_the_chat_says_and_no_larger(chat: Chat) -> None:
    page = await chat.visitor()
    assert (await page.ask("GET", "/config")).json()["uploads"]["max"] == 1_000
    assert [(await page.upload(b"x" * size)).status_code for size in (1_000, 1_001)] == [201, 413]


async def test_a_file_that_is_not_kept_any_more_is_not_there(chat: Chat) -> None:
    page = await chat.visitor()
    id = (await page.upload()).json()["id"]
    chat.files.kept.clear()
    assert (await page.ask("GET", f"/files/{id}")).status_code == 404


async def test_too_many_files_in_one_message_are_refused(chat: Chat) -> None:
    page = await chat.visitor()
    ids = [(await page.upload()).json()["id"] for _ in range(11)]
    assert (await page.say("x", files=ids)).status_code == 400
    assert (await page.say("x", files=ids[:10])).status_code == 202


async def test_uploads_are_limited_by_number(chat: Chat) -> None:
    page = await chat.visitor()
    statuses = [(await page.upload()).status_code for _ in range(26)]
    assert statuses.count(201) == 24 and set(statuses[24:]) == {429}
    assert (await page.say("messages are counted for themselves")).status_code == 202


async def _slow_upload(chat: Chat, token: str) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", chat.port)
    lines = ["POST /chat/files HTTP/1.1", f"host: 127.0.0.1:{chat.port}", "content-type: text/plain"]
    writer.write("\r\n".join([*lines, "content-length: 999", f"authorization: Bearer {token}", "", "x"]).encode())
    await writer.drain()
    return writer


async def test_only_so_many_files_are_in_memory_at_once(chat: Chat) -> None:
    page = await chat.visitor()
    writers = [await _slow_upload(chat, page.token) for _ in range(4)]
    await asyncio.sleep(0.2)
    refused = await page.upload()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    for writer in writers:
        writer.close()
    async with asyncio.timeout(5):
        while chat.adapter.bodies._taken:
            await asyncio.sleep(0.02)
    assert (await page.upload()).status_code == 201


async def test_a_full_disk_is_a_503() -> None:
    class Full:
        async def keep(self, content: bytes) -> str:
            raise StoreFull("/secret/path is full")

    async with opened(files=Full()) as chat:
        page = await chat.visitor()
        refused = await page.upload()
        assert refused.status_code == 503 and "secret" not in refused.text


async def test_a_file_by_address_is_a_link_and_only_to_the_web(chat: Chat) -> None:
    page = await chat.visitor()
    files = tuple(
        Attachment("a.pdf", "application/pdf", 5, url)
        for url in ("https://shop.example/a.pdf", "javascript:alert(1)", "file:///etc/passwd", "")
    )
    await chat.answer(page, "see", new_id(), files=files)
    (entry,) = (await page.entries())["entries"]
    assert [file.get("url") for file in entry["files"]] == ["https://shop.example/a.pdf", None, None, None]


async def test_a_customers_file_is_there_on_both_devices(chat: Chat) -> None:
    phone, laptop = await chat.visitor(signed("u-1")), await chat.visitor(signed("u-1"))
    id = (await phone.upload(PNG, "a.png", "image/png")).json()["id"]
    assert (await laptop.ask("GET", f"/files/{id}")).content == PNG
