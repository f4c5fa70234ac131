"""A real browser: Chromium of the system, driven by playwright. Without it these tests are skipped (an error in CI)."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, async_playwright

from benchmarks import npm

AXE = "4.14.1"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI needs {what}")
    pytest.skip(what)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser of its own for each test."""
    path = os.environ.get("CHROMIUM") or next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        missing("a browser: install chromium, or name one in CHROMIUM")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=list(_QUIET))
        try:
            yield started
        finally:
            await started.close()


Opens = Callable[..., Awaitable[BrowserContext]]


@pytest.fixture
async def opens(browser: Browser) -> AsyncIterator[Opens]:
    """`await opens(…)`: a browser's window of its own, whose pages must write no error into their console."""
    complaints: list[str] = []
    async with AsyncExitStack() as stack:

        async def window(**options: Any) -> BrowserContext:
            context = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
            stack.push_async_callback(context.close)
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            return context

        yield window
    assert complaints == []


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, which finds what a page does wrong for people who cannot see it or use no mouse."""
    try:
        folder = npm.installed("axe-core", AXE, "AXE_HOME")
    except npm.Missing as error:
        missing(str(error))
    return (Path(folder) / "axe.min.js").read_text("utf-8")
