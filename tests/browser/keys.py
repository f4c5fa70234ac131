"""Somebody without a mouse: what has the focus, whether it can be seen, and what Tab reaches."""

from __future__ import annotations

from playwright.async_api import Page

_FOCUSED = """() => {
    let one = document.activeElement;
    while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
    if (!one || one === document.body || one === document.documentElement) return null;
    const rings = (element, pseudo) => {
        const style = getComputedStyle(element, pseudo);
        return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== "none";
    };
    const around = one.closest(":focus-within:not(html, body, main, .panel, dialog, supportbot-chat)");
    const seen = rings(one) || rings(one, "::after") || (around && rings(around)) ||
        (one.parentElement?.matches(".line") && rings(one.parentElement));
    const name = one.getAttribute("aria-label") || one.labels?.[0]?.textContent || one.textContent || "";
    return {id: one.id, part: one.getAttribute("part") || "", tag: one.localName,
            name: name.trim().replace(/\\s+/g, " "), seen: Boolean(seen)};
}"""


async def focused(page: Page) -> dict[str, str]:
    """What has the focus: its id, part, tag and name. It is an error if nothing has it, or nobody can see that."""
    found: dict[str, str] | None = await page.evaluate(_FOCUSED)
    assert found is not None, "nothing has the focus"
    assert found["seen"], f"nobody can see that this has the focus: {found}"
    return found


async def tab_to(page: Page, *, key: str = "Tab", most: int = 40, **wanted: str) -> dict[str, str]:
    """Presses Tab until something with this id, part or name has the focus."""
    passed = []
    for _ in range(most):
        await page.keyboard.press(key)
        found = await focused(page)
        if all(value in (found[name], found[name].partition(" ")[0]) for name, value in wanted.items()):
            return found
        passed.append(found["id"] or found["part"] or found["name"])
    raise AssertionError(f"Tab does not reach {wanted}; it passed {passed}")
