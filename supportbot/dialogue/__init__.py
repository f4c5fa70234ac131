"""Flows: what may be written in them, what a message means, and how they are run. Pure: no clock, no I/O.

book = build({"flows/order.yaml": FlowFile.model_validate(...)})
state = enter(FlowState(), book, "order_status")
advance(state, book, scene, None)       # a generator: yields NeedTool and NeedModel, returns Advanced
"""

from supportbot.dialogue.asking import OWN_FILE, Heard, Scene, accept, fits, question
from supportbot.dialogue.check import Finding, check
from supportbot.dialogue.flow import Flow, FlowBook, FlowError, build
from supportbot.dialogue.place import calling, cancel, correct, enter, waiting
from supportbot.dialogue.run import Advanced, NeedModel, NeedTool, advance
from supportbot.dialogue.slots import Invalid, Valid, consent
from supportbot.dialogue.specimens import Specimen, specimens
from supportbot.dialogue.understand import Words, language, understand

__all__ = [
    "OWN_FILE",
    "Advanced",
    "Finding",
    "Flow",
    "FlowBook",
    "FlowError",
    "Heard",
    "Invalid",
    "NeedModel",
    "NeedTool",
    "Scene",
    "Specimen",
    "Valid",
    "Words",
    "accept",
    "advance",
    "build",
    "calling",
    "cancel",
    "check",
    "consent",
    "correct",
    "enter",
    "fits",
    "language",
    "question",
    "specimens",
    "understand",
    "waiting",
]
