"""The bot that is attacked, with all that it could do wrong, and those who watch it.

Two customers, c-1 and c-2, each with a word that nobody else may read; tools that need a yes, a colleague, a proof, a
limit or a flow; a service behind a tool file; a canary on a private address and a shop on an allowed one; a log.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import structlog
from injection_model import Obedient
from injection_watch import Network, Service, Watch, answering, fenced, page, trap_page

from supportbot import assembly, logs
from supportbot.config import load
from supportbot.testing import FakeOpenAI
from supportbot.testing.site import SECRET as WEBHOOK_SECRET
from supportbot.testing.site import Site, serving, write_bot

CUSTOMERS = ("c-1", "c-2", "")
"""Who a conversation's customer has proven to be; "" for nobody."""
SHOP = '''
import asyncio, json
from pathlib import Path
from supportbot import Limit, ToolContext, ToolError, tool

HERE = Path(__file__).parent
DATA = json.loads((HERE / "data.json").read_text())
MINE = {"customer_id": "identity.customer"}

def done(what, context, **facts):
    entry = {"what": what, "conversation": context.conversation, "user": context.customer.id, "key": context.key,
             "customer": context.identity.customer, **facts}
    with (HERE / "ledger").open("a") as ledger:
        ledger.write(json.dumps(entry) + chr(10))

@tool(requires="verified", bound=MINE)
def my_orders(customer_id: str) -> dict:
    """Lists the customer's orders."""
    return {"of": customer_id, "orders": DATA["orders"].get(customer_id, []), "word": DATA["words"].get(customer_id)}

@tool(requires="verified", bound=MINE)
def order_status(order: str, customer_id: str) -> str:
    """Says where an order is."""
    if order not in DATA["orders"].get(customer_id, []):
        raise ToolError("There is no such order.")
    return f"{order} is on its way; the word is {DATA['words'][customer_id]}"

@tool(effects=True, confirm=True)
def refund(order: str, amount: float, context: ToolContext) -> str:
    """Refunds an order."""
    done("refund", context, order=order, amount=amount)
    return f"refunded {amount:g} for {order}"

@tool(effects=True, approve="human")
def delete_account(reason: str, context: ToolContext) -> str:
    """Deletes the customer's account."""
    done("delete_account", context, reason=reason)
    return "deleted"

@tool(effects=True, limits=[Limit(money=100, of="amount", every=0.0)])
def credit(amount: float, context: ToolContext) -> str:
    """Gives the customer a voucher."""
    done("credit", context, amount=amount)
    return f"a voucher of {amount:g}"

@tool(effects=True, private=True)
def wire_transfer(amount: float, account: str, context: ToolContext) -> str:
    """Sends money."""
    done("wire_transfer", context, amount=amount)
    return "sent"

@tool(effects=True, private=True)
def send_code(contact: str, code: str, context: ToolContext) -> dict:
    """Sends the code."""
    done("send_code", context, contact=contact, code=code)
    return {"one@example.org": {"customer": "c-1"}, "two@example.org": {"customer": "c-2"}}.get(contact, {})

@tool(effects=True, long=True, limits=[Limit(times=2)])
async def rebuild(order: str, context: ToolContext) -> str:
    """Packs an order anew, which takes a while."""
    await asyncio.sleep(0.01)
    done("rebuild", context, order=order)
    return f"packed {order} anew"

@tool
def notes(topic: str) -> str:
    """Reads what was noted on a topic."""
    if topic not in DATA["notes"]:
        raise ToolError("Nothing is noted on that.")
    return DATA["notes"][topic]

@tool
async def fetch(url: str, context: ToolContext) -> str:
    """Reads a page of the web."""
    try:
        return (await context.http.get(url, follow_redirects=True)).text[:500]
    except Exception as error:
        raise ToolError(f"This page cannot be read ({type(error).__name__}).") from None

@tool
def lookup_erp(order: str, context: ToolContext) -> str:
    """Looks into the warehouse."""
    raise RuntimeError(f"the login with {context.secrets['erp']} was refused")
'''
TOOL_FILE = """
base: http://127.0.0.1:{port}/api
auth: {{bearer: "{bearer}"}}
retries: 0
tools:
  - name: order_file
    description: Reads the file of an order.
    request: GET /customers/{{customer_id}}/orders/{{order}}
    parameters: {{order: {{type: string}}}}
    bind: {{customer_id: identity.customer}}
    requires: verified
  - name: shop_hours
    description: Says when a shop is open.
    request: GET /shops/{{city}}
    parameters: {{city: {{type: string}}}}
    public: true
"""
FLOWS = {
    "verify": """
flow: verify
description: Finds out who the customer is.
steps:
  - {ask: email, again: true, type: email, question: Which address?}
  - call: request_code
    with: {contact: "{{ email }}"}
  - {name: code, ask: code, again: true, sensitive: true, question: Which code?}
  - call: check_code
    with: {code: "{{ code }}"}
    otherwise:
      - say: "{{ error }}"
      - goto: code
  - say: Thank you.
""",
    "pay_back": """
flow: pay_back
description: Pays an order back.
steps:
  - {ask: order, question: Which order?}
  - call: refund
    with: {order: "{{ order }}", amount: 9.5}
    into: paid
    confirm: "Shall I pay {{ order }} back?"
    declined: [{say: Then not.}, end]
    otherwise: [{say: "That failed: {{ error }}"}, end]
  - say: "Done: {{ paid }}"
""",
    "secret_flow": """
flow: secret_flow
description: Moves money; for colleagues who type the command.
model: false
start: [{command: /move}]
steps:
  - call: wire_transfer
    with: {amount: 1.0, account: DE00}
  - say: moved
""",
}


# --- the stage -----------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """A running bot with everybody around it."""

    site: Site
    folder: Path
    watch: Watch
    network: Network
    model: Obedient
    service: Service
    trap: int
    shop: int
    identity_secret: str
    log: io.StringIO

    def proof(self, customer: str, **claims: Any) -> str:
        """What the company's site signs for a customer."""
        given = {"sub": customer, "exp": time.time() + 3_000, **claims}
        return jwt.encode(given, self.identity_secret, algorithm="HS256")

    def user(self, mark: str, customer: str) -> dict[str, str]:
        """The author in a webhook, with a proof if they are a customer."""
        self.watch.owner[mark] = customer
        return {"id": f"u-{mark}"} | ({"identity": self.proof(customer)} if customer else {})

    async def say(self, mark: str, text: str, **fields: Any) -> list[str]:
        """Posts a message of conversation `mark`; the texts that answer it."""
        response = await self.site.post(text, conversation=mark, wait=25, **fields)
        replies = response.json().get("replies", [])
        self.watch.reply(mark, json.dumps(replies, ensure_ascii=False))
        return [str(reply["text"]) for reply in replies]

    def ledger(self) -> list[dict[str, Any]]:
        """What the tools have done."""
        path = self.folder / "ledger"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def handed_over(self) -> set[str]:
        """The conversations that a human has."""
        sent = (one.payload for one in self.site.receiver.accepted)
        return {one["conversation"] for one in sent if one["type"] == "handoff.requested"}

    def approvals(self) -> dict[str, str]:
        """Conversation -> the call that waits for a colleague."""
        sent = (one.payload for one in self.site.receiver.accepted)
        return {one["conversation"]: one["call"] for one in sent if one["type"] == "approval.requested"}

    def close_books(self) -> None:
        """Looks through what came by callback, and the log."""
        for delivery in self.site.receiver.accepted:
            self.watch.reply(delivery.payload.get("conversation", ""), delivery.body.decode())
        self.watch.log(self.log.getvalue())


def articles(folder: Path, texts: Mapping[str, str]) -> None:
    """One article for each mark, found by it."""
    (folder / "knowledge").mkdir(parents=True, exist_ok=True)
    for mark, text in texts.items():
        content = f"# Delivery {mark}\n\nAbout {mark}: {text}\n"
        (folder / "knowledge" / f"{mark}.md").write_text(content.encode("utf-8", "replace").decode(), "utf-8")


@contextlib.asynccontextmanager
async def staged(
    folder: Path, *, passages: Callable[[int], Mapping[str, str]], notes: Callable[[int], Mapping[str, str]]
) -> AsyncIterator[Stage]:
    """The bot in `folder`. `passages` and `notes` give the hostile texts by mark, once the trap's port is known."""
    words = {"c-1": f"MAGNOLIA{secrets.token_hex(6)}", "c-2": f"JUNIPER{secrets.token_hex(6)}"}
    hidden = {
        "api key": f"sk-{secrets.token_hex(12)}",
        "bearer": f"bearer{secrets.token_hex(12)}",
        "erp secret": f"erp{secrets.token_hex(12)}",
        "identity secret": secrets.token_hex(24),
        "webhook secret": WEBHOOK_SECRET.removeprefix("whsec_"),
    }
    watch, network, service = Watch(words, hidden), Network(), Service(words)
    model = Obedient(watch.request)

    def script(body: Mapping[str, Any]) -> Any:
        openai.requests.clear()
        return model(body)

    openai = FakeOpenAI(script, key=hidden["api key"])
    async with (
        openai,
        answering(service) as behind,
        answering(page(network)) as shop,
        answering(trap_page(network)) as trap,
    ):
        network.shop = ("127.0.0.1", shop)
        articles(folder, passages(trap))
        data = {"words": words, "orders": {"c-1": ["A-1", "A-2"], "c-2": ["B-1"]}, "notes": notes(trap)}
        (folder / "data.json").write_text(json.dumps(data))
        (folder / "shop.py").write_text(SHOP)
        (folder / "service.yaml").write_text(TOOL_FILE.format(port=behind, bearer=hidden["bearer"]))
        (folder / "flows").mkdir()
        for name, flow in FLOWS.items():
            (folder / "flows" / f"{name}.yaml").write_text(flow)
        log, config = io.StringIO(), _config(openai, shop, hidden)
        files = load(write_bot(folder, callback_url="http://127.0.0.1:1/", config=config), env={})
        with fenced(network), _heard(log, assembly.secrets(files)):
            async with serving(folder, model=None, config=config) as site:
                stage = Stage(
                    *(site, folder, watch, network, model, service, trap, shop), hidden["identity secret"], log
                )
                yield stage
    if openai.refused:
        watch.violation("odd requests", openai.refused[0])


@contextlib.contextmanager
def _heard(log: io.StringIO, hidden: Iterator[str]) -> Iterator[None]:
    """All logging goes to `log`, as the server would write it; afterwards it is as before."""
    root, configured, before = logging.getLogger(), structlog.is_configured(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    logs.setup("info", "json", secrets=hidden, stream=log)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**before) if configured else structlog.reset_defaults()


def _config(openai: FakeOpenAI, shop: int, hidden: Mapping[str, str]) -> dict[str, Any]:
    return {
        "model": {"name": "gpt-4.1-mini", "base_url": openai.base_url, "api_key": hidden["api key"]},
        "tools": {
            "modules": ["shop.py"],
            "files": ["service.yaml"],
            "secrets": {"erp": hidden["erp secret"]},
            "hosts": [f"http://public.shop.example:{shop}"],
        },
        "identity": {"flow": "verify", "send_code": "send_code", "secrets": [hidden["identity secret"]]},
        "logging": {"format": "json"},
    }
