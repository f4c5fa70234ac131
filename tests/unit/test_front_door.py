"""The names that users and other people's adapters rely on."""

from __future__ import annotations

import subprocess
import sys

import supportbot
import supportbot.testing

NAMES = {
    *("Act", "Desk", "DeskInbox", "Entry", "Shelf"),
    *("Action", "Adapter", "Address", "Attachment", "Bot", "Button", "Capabilities", "ChannelContext", "Event"),
    *(
        "Files",
        "FileTooLarge",
        "Identity",
        "Inbox",
        "Limit",
        "Menu",
        "Message",
        "Rendering",
        "NotDone",
        "OutcomeUnknown",
        "Outgoing",
        "Receipt",
        "Reply",
        "Tool",
        "ToolContext",
        "User",
        "Waiting",
        "tool",
    ),
    *("ChannelBusy", "ChannelError", "ChannelGone", "ChannelRefused", "ConfigError", "Conflict", "ModelError"),
    *("NotFound", "OperatorError", "Problem", "StoreBusy", "StoreError", "StoreFull", "SupportbotError"),
    *("ToolError", "UsageError", "__version__"),
}


def test_the_front_door_has_just_these_names() -> None:
    assert set(supportbot.__all__) == NAMES
    assert all(hasattr(supportbot, name) for name in supportbot.__all__)


def test_every_name_for_testers_can_be_had() -> None:
    assert all(hasattr(supportbot.testing, name) for name in supportbot.testing.__all__)


def test_the_front_door_and_the_command_line_load_nothing_slow() -> None:
    code = (
        "import sys, supportbot, supportbot.cli.app; "
        "print([name for name in ('openai', 'pydantic', 'jinja2', 'sqlite_utils', 'bpe_openai', 'uvicorn') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
