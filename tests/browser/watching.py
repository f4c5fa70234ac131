"""A browser that is watched: what ran, what was asked of strangers, what a policy forbade, what opened or moved.

1. Whatever calls alert and its like is told to the test at once, from every page and frame, also if the page then leaves.
2. Only the bot and the shop can be reached; what else is asked for is written down and ends.
3. What stands in a page is looked at element by element: each must be one that the page itself makes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import BrowserContext, Page

from tests.browser.conftest import Opens
from tests.browser.stage import Stage

_TRIPWIRES = """(() => {
    window.__ran = [];
    const tell = (kind, what) => { window.__ran.push(kind); window.__tripped?.(kind, `${what} at ${location.href}`); };
    for (const name of ["alert", "confirm", "prompt", "print"]) {
        window[name] = (...said) => void tell("ran", `${name}(${said})`);
    }
    addEventListener("securitypolicyviolation", (event) =>
        tell("forbidden", `${event.violatedDirective} ${event.blockedURI} ${event.sample}`), true);
})()"""

_LOOK = r"""({root, rules}) => {
    const found = [];
    const says = (element, why) => found.push(`${why}: ${element.cloneNode(false).outerHTML.slice(0, 200)}`);
    const own = new RegExp(`^(?:${rules.attributes})$`), theirs = /^(?:class|dir|href|target|rel|tabindex|datetime|data-time|title)$/;
    const written = /^(?:p|a|strong|em|s|code|pre|ul|ol|li|blockquote|hr|br|table|thead|tbody|tr|th|td|span|bdi|mark|div|time)$/;
    const web = /^(?:https?:\/\/|mailto:|tel:)/i, address = new RegExp(rules.addresses);
    const sources = new RegExp(rules.sources), drawn = new RegExp(rules.drawn);
    const tags = new Set(rules.tags.split(" "));
    const look = (element) => {
        const tag = element.localName, words = element.closest(rules.words);
        const inside = words !== null && words !== element;
        const svg = element.closest("svg");
        if (svg ? !svg.parentElement?.closest(rules.drawings) || !drawn.test(tag) : !tags.has(tag)) says(element, "element");
        if (inside && !svg && rules.strict && !written.test(tag)) says(element, "element in what somebody wrote");
        for (const { name, value } of element.attributes) {
            if (/^on/i.test(name) || (!svg && !own.test(name))) says(element, `attribute ${name}`);
            if (inside && !svg && rules.strict && !theirs.test(name)) says(element, `attribute ${name} in what somebody wrote`);
            if (/^(?:href|action|formaction|xlink:href)$/.test(name)) {
                if (!(web.test(value) && tag === "a") && !address.test(value)) says(element, `address in ${name}`);
                if (tag !== "a" && web.test(value)) says(element, `address in ${name}`);
            }
            if (/^(?:src|srcset|poster|data)$/.test(name) && !sources.test(value)) says(element, `source in ${name}`);
        }
        if (tag === "a" && web.test(element.getAttribute("href")) && !element.relList.contains("noopener")) says(element, "link without noopener");
        if (element.shadowRoot && tag !== "supportbot-chat") says(element, "shadow root");
        if (tag === "script" && !(element.src && element.parentElement === document.head)) says(element, "script");
    };
    const start = root ? document.querySelector(root).shadowRoot : document;
    start.querySelectorAll("*").forEach(look);
    return { found, count: start.querySelectorAll("*").length };
}"""
_CONSOLE = {
    "strict": True,
    "tags": "html head meta title link script body a header img span button div nav ul ol li form input main dl dt dd "
    "dialog h1 h2 p kbd section aside details summary label select option optgroup textarea table caption thead tbody tr "
    "th td time bdi strong em s code pre blockquote hr br mark figure figcaption datalist fieldset legend",
    "words": "[dir=auto]:not(input, textarea), bdi",
    "drawings": ".drawing, .legend",
    "drawn": "^(?:svg|g|rect|line|circle|path|polyline|text|tspan|title|desc|defs|pattern)$",
    "addresses": r"^(?:/console(?:[/?#]|$)|\?|#|/console/static/)",
    "sources": r"^/console/(?:static/|c/[^/]+/files/)",
    "attributes": "class|dir|href|target|rel|tabindex|datetime|title|lang|charset|name|content|src|defer|async|type|alt|width|height|"
    "loading|hidden|id|role|method|action|value|required|maxlength|minlength|rows|placeholder|autocomplete|autocapitalize|"
    "spellcheck|autofocus|checked|selected|disabled|readonly|multiple|accept|list|for|form|formaction|enctype|scope|label|"
    "open|download|color-scheme|aria-[a-z]+|"
    "data-(?:time|theme|topics|state|row|item|claim|key|tabs|stick|hands|sends|draft|dialog|insert|close|submit|closed|"
    "without-script|focus|scheme)|"
    "hx-(?:get|post|target|swap|swap-oob|trigger|include|sync|encoding|params|disabled-elt)",
}
_WIDGET = {
    "strict": False,
    "tags": "section dialog div span button p h1 h2 bdi small a img textarea form input ul ol li i time table thead tbody tr "
    "th td pre code blockquote hr strong em s select option progress",
    "words": "[part=body]",
    "drawings": "button, a, .file, .tick",
    "drawn": "^(?:svg|path)$",
    "addresses": "^$",
    "sources": "^blob:",
    "attributes": "class|part|dir|lang|role|type|title|href|target|rel|tabindex|datetime|alt|src|hidden|disabled|value|selected|"
    "scope|rows|placeholder|enterkeyhint|autocomplete|multiple|accept|open|id|style|aria-[a-z]+|"
    "data-(?:theme|side|alone|human|from|key|n|first|last|state|button|style|kind|handle|language)",
}
_TEXTS = """(all, strange) => all.map(one => {
    const seen = one.cloneNode(true);
    seen.querySelectorAll(strange).forEach(other => other.remove());
    return one.matches("input, textarea") ? one.value : seen.textContent;
})"""
_STRANGE = ".hidden, .hidden-words, .sr, .marker, svg"
"""What the page adds to what somebody wrote."""


@dataclass
class Watch:
    """A watched window, and all that happened in it."""

    context: BrowserContext
    ran: list[str] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    """Dialogs, windows and downloads."""
    odd: list[str] = field(default_factory=list)
    """Elements and attributes that the pages do not make."""
    elements: int = 0

    def clean(self) -> None:
        """Nothing of that has happened."""
        found = {
            "scripts ran": self.ran,
            "strangers were asked": self.foreign,
            "a policy had to forbid something": self.forbidden,
            "something opened": self.surprises,
            "elements that no page makes": self.odd,
        }
        wrong = {what: list(dict.fromkeys(all))[:8] for what, all in found.items() if all}
        assert not wrong, json.dumps(wrong, indent=1)

    async def look_at_console(self, page: Page) -> None:
        await self._look(page, None, _CONSOLE)

    async def look_at_widget(self, page: Page) -> None:
        await self._look(page, "supportbot-chat", _WIDGET)

    async def _look(self, page: Page, root: str | None, rules: dict[str, Any]) -> None:
        seen = await page.evaluate(_LOOK, {"root": root, "rules": rules})
        self.odd += [f"{one} at {page.url}" for one in seen["found"]]
        self.elements += seen["count"]


async def watched(opens: Opens, *stages: Stage, **options: Any) -> Watch:
    """A window whose pages reach the stages' bots and shops alone."""
    context = await opens(**options)
    watch = Watch(context)
    known = "|".join(re.escape(origin) for stage in stages for origin in (stage.bot, stage.shop.rstrip("/")))

    async def strange(route: Any) -> None:
        watch.foreign.append(route.request.url)
        await route.abort()

    async def tripped(_: Any, kind: str, what: str) -> None:
        (watch.ran if kind == "ran" else watch.forbidden).append(what)

    def opened(page: Page) -> None:
        page.on("dialog", lambda dialog: watch.surprises.append(f"dialog {dialog.message}"))
        page.on("popup", lambda other: watch.surprises.append(f"window {other.url}"))
        page.on("download", lambda file: watch.surprises.append(f"download {file.url}"))

    await context.route(re.compile(rf"^(?!(?:{known})(?:/|$))"), strange)
    await context.expose_binding("__tripped", tripped)
    await context.add_init_script(_TRIPWIRES)
    context.on("page", opened)
    return watch


async def texts_of(page: Page, selector: str) -> list[str]:
    """What each of the elements says, or has as its value."""
    found: list[str] = await page.locator(selector).evaluate_all(_TEXTS, _STRANGE)
    return found
