"""Looks at a page with axe-core, in both themes, and keeps what is wrong with it; on wish it keeps pictures too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import BrowserContext, Page

from tests.browser.conftest import Opens

PICTURES = os.environ.get("SUPPORTBOT_LOOKS", "")
"""A folder for a picture of every state that was looked at, in both themes and two widths."""
_WIDTHS = (1280, 375)
_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_RUN = """async (rules) => {
    const found = await axe.run(document, {runOnly: {type: "tag", values: rules}, resultTypes: ["violations"]});
    return found.violations.map(({id, help, nodes}) => ({id, help, nodes: nodes.map(
        ({target, html, any, all, none}) => ({
            target: target.flat().join(" "), html: html.slice(0, 200),
            why: [...any, ...all, ...none].map(one => one.message).join("; ")}))}));
}"""
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")


@dataclass
class Inspector:
    """`await inspector.at("queue", page)` as often as there are states; `verdict` says what is wrong with all of them."""

    axe: str
    opens: Opens
    looked_at: list[str] = field(default_factory=list)
    _faults: dict[str, list[str]] = field(default_factory=dict)

    async def window(self, **options: Any) -> BrowserContext:
        """A browser's window in which axe-core is at hand; nothing moves, so no colour is met half-way."""
        context = await self.opens(reduced_motion="reduce", **options)
        await context.add_init_script(self.axe)
        return context

    async def at(self, name: str, page: Page) -> None:
        """Looks at the page as it is now."""
        self.looked_at.append(name)
        for theme in THEMES:
            await page.emulate_media(color_scheme=theme)
            for violation in await page.evaluate(_RUN, list(_RULES)):
                self._keep(f"{name}, {theme}", violation)
            await self._picture(f"{name}-{theme}", page)
        await page.emulate_media(color_scheme="light")

    def _keep(self, place: str, violation: Mapping[str, Any]) -> None:
        nodes: Iterable[Mapping[str, str]] = violation["nodes"]
        lines = [f"      {node['target']}\n        {node['html']}\n        {node['why']}" for node in nodes]
        head = f"{violation['id']}: {violation['help']}"
        self._faults.setdefault("\n".join([head, *lines]), []).append(place)

    async def _picture(self, name: str, page: Page) -> None:
        if not PICTURES:
            return
        before = page.viewport_size
        for width in _WIDTHS:
            await page.set_viewport_size({"width": width, "height": 800})
            await page.wait_for_timeout(60)
            file = f"{name.replace(' ', '_').replace('/', '_').replace(':', '')}-{width}.png"
            await page.screenshot(path=Path(PICTURES) / file, full_page=True)
        assert before is not None
        await page.set_viewport_size(before)

    def verdict(self) -> str:
        """What is wrong and where; "" if nothing is."""
        return "\n".join(f"  in {' | '.join(places)}\n    {fault}" for fault, places in self._faults.items())
