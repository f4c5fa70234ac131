"""For everyone who tests with supportbot: contract suites, wire fakes, and a whole bot on a port.

Names are imported from their modules when they are first used, because each needs other packages.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supportbot.models.scripted import Line, ScriptedModel
    from supportbot.testing.adapter_contract import AdapterContract
    from supportbot.testing.adapter_stage import Failure, Stage, Wire, context, served
    from supportbot.testing.desk_contract import DeskContract
    from supportbot.testing.desk_stage import DeskStage
    from supportbot.testing.fake_inbox import FakeDesks, FakeFiles, FakeInbox, FakeShelf
    from supportbot.testing.model_contract import ModelContract
    from supportbot.testing.openai_server import FakeOpenAI, Fault, Say
    from supportbot.testing.queue_contract import QueueContract
    from supportbot.testing.receiver import Answer, Receiver
    from supportbot.testing.site import Site, serving
    from supportbot.testing.slack.server import FakeSlack
    from supportbot.testing.store_contract import StoreContract
    from supportbot.testing.telegram.server import FakeTelegram

_HOMES = {
    "AdapterContract": "testing.adapter_contract",
    "Answer": "testing.receiver",
    "DeskContract": "testing.desk_contract",
    "DeskStage": "testing.desk_stage",
    "Failure": "testing.adapter_stage",
    "FakeDesks": "testing.fake_inbox",
    "FakeFiles": "testing.fake_inbox",
    "FakeInbox": "testing.fake_inbox",
    "FakeOpenAI": "testing.openai_server",
    "FakeShelf": "testing.fake_inbox",
    "FakeSlack": "testing.slack.server",
    "FakeTelegram": "testing.telegram.server",
    "Fault": "testing.openai_server",
    "Line": "models.scripted",
    "ModelContract": "testing.model_contract",
    "QueueContract": "testing.queue_contract",
    "Receiver": "testing.receiver",
    "Say": "testing.openai_server",
    "ScriptedModel": "models.scripted",
    "Site": "testing.site",
    "StoreContract": "testing.store_contract",
    "Stage": "testing.adapter_stage",
    "Wire": "testing.adapter_stage",
    "context": "testing.adapter_stage",
    "served": "testing.adapter_stage",
    "serving": "testing.site",
}
__all__ = [
    "AdapterContract",
    "Answer",
    "DeskContract",
    "DeskStage",
    "Failure",
    "FakeDesks",
    "FakeFiles",
    "FakeInbox",
    "FakeOpenAI",
    "FakeShelf",
    "FakeSlack",
    "FakeTelegram",
    "Fault",
    "Line",
    "ModelContract",
    "QueueContract",
    "Receiver",
    "Say",
    "ScriptedModel",
    "Site",
    "Stage",
    "StoreContract",
    "Wire",
    "context",
    "served",
    "serving",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'supportbot.testing' has no attribute {name!r}")
    return getattr(import_module(f"supportbot.{_HOMES[name]}"), name)
