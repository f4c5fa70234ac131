"""Wire fakes of five helpdesks: their APIs over HTTP, and the deliveries that they send.

    async with FakeZendesk() as desk:
        adapter = HelpdeskAdapter("zendesk", {"preset": "zendesk", **desk.options})
        ...
        desk.hook = "http://127.0.0.1:8080/webhook/zendesk"
        await desk.customer_writes("Where is my lamp?")

They enforce authentication, required fields and their types, and answer errors in the documented shapes.
"""

from supportbot.testing.helpdesk.chatwoot import FakeChatwoot
from supportbot.testing.helpdesk.core import Delivery, FakeHelpdesk, Post, Ticket
from supportbot.testing.helpdesk.freshdesk import FakeFreshdesk
from supportbot.testing.helpdesk.intercom import FakeIntercom
from supportbot.testing.helpdesk.zammad import FakeZammad
from supportbot.testing.helpdesk.zendesk import FakeZendesk

__all__ = [
    "Delivery",
    "FakeChatwoot",
    "FakeFreshdesk",
    "FakeHelpdesk",
    "FakeIntercom",
    "FakeZammad",
    "FakeZendesk",
    "Post",
    "Ticket",
]
