"""The example bot's flows, walked through with its real tools and database, in both of its languages."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import shop_tools
from supportbot import ToolContext, ToolError
from supportbot.config import load, yamlfile
from supportbot.dialogue import (
    FlowBook,
    Heard,
    NeedTool,
    Scene,
    Words,
    advance,
    build,
    check,
    consent,
    enter,
    fits,
    understand,
)
from supportbot.dialogue.flow import Say
from supportbot.dialogue.grammar import FlowFile
from supportbot.persona import Persona
from supportbot.prompts import unstable
from supportbot.sandbox import Templates
from supportbot.shipped import SHIPPED
from supportbot.texts import WORDS
from supportbot.toolroom import ToolRoom
from supportbot.types import (
    Action,
    Address,
    Command,
    Event,
    FlowState,
    HandOff,
    Message,
    Reply,
    StartFlow,
    ToolResult,
    User,
)

ROOT = Path(__file__).parents[2]
BOOK: FlowBook = build(
    {
        f"flows/{file.name}": FlowFile.model_validate(yamlfile.read(file).data)
        for file in sorted((ROOT / "flows").glob("*.yaml"))
    }
)
PERSONA = Persona.model_validate(yamlfile.read(ROOT / "prompts/persona.yaml").data)
TOOLS = {tool.name: tool for tool in shop_tools.TOOLS}
TEMPLATES = Templates({})
HUMAN = {
    locale: (*WORDS.human.get(locale, ()), *PERSONA.handoff.phrases.get(locale, ())) for locale in WORDS.human
}
FIXED = Words(WORDS.cancel, WORDS.help, HUMAN)
ME = User("u1", "Ana")
KEYS = count(1)
LOCALES = ("en", "de")
YES = {"en": "yes please", "de": "ja bitte"}
NO = {"en": "no", "de": "nein"}


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "shop.db"
    monkeypatch.setenv("SHOP_DB", str(path))
    return path


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as shop:
        return shop.execute(sql).fetchall()


@dataclass
class Customer:
    """Writes and presses as a customer does; keeps what the bot said last."""

    locale: str = "en"
    state: FlowState = field(default_factory=FlowState)
    replies: tuple[Reply, ...] = ()
    handoff: HandOff | None = None
    question: str = ""
    """What the customer was asked before a call that has to be confirmed, as the engine would ask it."""
    said: bool | None = None

    @property
    def read(self) -> str:
        return "\n".join(reply.text for reply in self.replies)

    @property
    def buttons(self) -> list[str]:
        return [button.id for reply in self.replies for button in reply.buttons]

    def write(self, *texts: str) -> Customer:
        for text in texts:
            heard = Heard(text)
            self.said = consent(text, self.locale) if self.question else None
            if self.said is not None:
                self._advance(None)
            elif fits(self.state, BOOK, self.scene(), heard):
                self._advance(heard)
            else:
                self._obey(self._understood(Message(ADDRESS, "m1", ME, text=text)), heard)
        return self

    def press(self, id: str) -> Customer:
        heard = Heard("", Action(id))
        if fits(self.state, BOOK, self.scene(), heard):
            self._advance(heard)
        else:
            self._obey(self._understood(Message(ADDRESS, "m1", ME, kind="action", action=Action(id))), heard)
        return self

    def prove(self, number: str, contact: str) -> Customer:
        return self.write(number, contact)

    def scene(self) -> Scene:
        return Scene(
            values={
                "user": {"id": ME.id, "name": ME.name},
                "bot": {"name": "Acme Home"},
                "persona": {"name": PERSONA.name},
                "channel": "web",
            },
            render=TEMPLATES.render_text,
            locale=self.locale,
            default_locale="en",
            seed=0,
            today=datetime.now(UTC).date(),
            region="DE",
            texts={},
        )

    def _understood(self, message: Message) -> Command | None:
        return understand(message, self.state, BOOK, FIXED, self.locale)

    def _obey(self, command: Command | None, heard: Heard) -> None:
        if isinstance(command, StartFlow):
            self.state = enter(self.state, BOOK, command.flow, command.slots, scene=self.scene())
            self._advance(None)
        else:
            assert self.state.frames, f"nothing was understood: {heard}"
            self._advance(heard)

    def _advance(self, heard: Heard | None) -> None:
        self.question = ""
        run = advance(self.state, BOOK, self.scene(), heard)
        try:
            need = next(run)
            while True:
                assert isinstance(need, NeedTool)
                need = run.send(self._call(need))
        except StopIteration as stop:
            asked = (Reply(self.question),) if self.question else ()
            self.state, self.replies = stop.value.state, (*stop.value.replies, *asked)
            self.handoff = stop.value.handoff
        assert self.handoff is None or self.handoff.reason != "error", self.handoff

    def _call(self, need: NeedTool) -> ToolResult:
        tool, arguments = TOOLS[need.name], dict(need.arguments)
        if tool.confirm and not self.said:
            self.question = need.confirm if self.said is None else ""
            return ToolResult("", error="declined" if self.said is False else "held")
        jsonschema.validate(arguments, dict(tool.parameters))
        try:
            value = tool.call(arguments, ToolContext("c1", ME, "web", self.locale, f"key-{next(KEYS)}"))
        except ToolError as error:
            return ToolResult(str(error), error="failed")
        return ToolResult("", value)


ADDRESS = Address("web", "c1")


@pytest.fixture(params=LOCALES)
def customer(request: pytest.FixtureRequest) -> Customer:
    return Customer(request.param)


def started_by(text: str, locale: str) -> str:
    command = understand(Message(ADDRESS, "m1", ME, text=text), FlowState(), BOOK, FIXED, locale)
    return command.flow if isinstance(command, StartFlow) else ""


# --- the files -----------------------------------------------------------------------------------------------


def test_the_check_finds_nothing_to_mend() -> None:
    room = ToolRoom(load(ROOT / "config.example.yaml", env={}), lambda *args, **facts: None)
    assert check(BOOK, room.for_flows(), languages=LOCALES, started=("leave_contact",)) == ()


def test_the_prompts_load_and_nothing_changing_reaches_the_stable_part() -> None:
    own = {file.name: file.read_text("utf-8") for file in (ROOT / "prompts").glob("*.j2")}
    templates = Templates({**SHIPPED, **own})
    assert templates.problems() == []
    assert PERSONA.system in own
    assert PERSONA.context in own
    assert unstable(templates, PERSONA) == []


def test_every_article_begins_with_a_title_and_has_sections_that_answer_at_once() -> None:
    articles = sorted((ROOT / "knowledge").glob("*.md"))
    assert len(articles) >= 12
    for article in articles:
        title, *sections = article.read_text("utf-8").split("\n## ")
        assert title.startswith("# "), article.name
        assert sections, article.name
        assert all(20 < len(section.split("\n", 1)[1].strip()) < 700 for section in sections), article.name


# --- what starts which flow ----------------------------------------------------------------------------------

SAID: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "order_status": {
        "en": (
            "Where's my parcel?",
            "where is my order",
            "Hi, where is my order please",
            "can you track my package",
            "when will my order arrive?",
            "has my order been shipped yet",
            "I would like to know where my delivery is A-10002",
            "A-10002",
        ),
        "de": ("Wo ist mein Paket?", "Wann kommt meine Bestellung", "wo bleibt denn meine Lieferung?"),
    },
    "return_and_refund": {
        "en": (
            "I want to send it back",
            "I'd like to return the lamp",
            "can I return this?",
            "I want my money back",
            "the shelf doesn't fit",
            "I need a refund",
            "return",
            "please return A-10018",
        ),
        "de": (
            "Ich möchte die Lampe zurückgeben",
            "ich will das zurückschicken",
            "passt leider nicht",
            "Retoure",
        ),
    },
    "change_address": {
        "en": (
            "wrong address!",
            "I need to change my delivery address",
            "we have moved",
            "I gave you my old address",
        ),
        "de": ("falsche Adresse", "Ich bin umgezogen", "kann ich die Lieferadresse ändern?"),
    },
    "cancel_order": {
        "en": ("cancel my order", "I want to cancel", "please cancel A-10003", "I ordered by mistake"),
        "de": ("Ich möchte meine Bestellung stornieren", "bitte stornieren A-10003"),
    },
    "parcel_late": {
        "en": ("my parcel never arrived", "it says delivered but I have nothing", "my package is late"),
        "de": ("mein Paket ist nicht angekommen", "Die Lieferung ist immer noch nicht da"),
    },
    "item_damaged": {
        "en": ("the lamp arrived broken", "my mug is cracked", "you sent me the wrong colour", "it doesn't work"),
        "de": ("Die Lampe ist kaputt", "das Regal funktioniert nicht", "ich habe einen falschen Artikel bekommen"),
    },
    "complaint": {
        "en": ("I want to make a complaint", "this is unacceptable", "I am very disappointed"),
        "de": ("Ich möchte mich beschweren", "das ist eine Frechheit"),
    },
    "greeting": {"en": ("hello", "Hi there!", "/start", "Good morning"), "de": ("Guten Tag", "hallo!")},
    "thanks": {"en": ("thank you!", "thanks a lot"), "de": ("vielen Dank", "Tschüss")},
    "product_search": {
        "en": ("do you have lamps?", "I'm looking for a linen tablecloth", "how much is the wall shelf"),
        "de": ("Haben Sie Lampen?", "ich suche eine Pfanne"),
    },
}


@pytest.mark.parametrize(
    ("flow", "locale", "text"),
    [(flow, locale, text) for flow, said in SAID.items() for locale, texts in said.items() for text in texts],
)
def test_what_customers_naturally_write_starts_the_flow(flow: str, locale: str, text: str) -> None:
    assert started_by(text, locale) == flow


@pytest.mark.parametrize(
    "text",
    [
        "How long does delivery take?",
        "How much is shipping?",
        "what are your opening hours",
        "Hi, how do I wash linen?",
        "When do I get my money back?",
        "do you have express delivery",
        "Which bulb fits my lamp?",
        "how long is the warranty",
        "Wann bekomme ich mein Geld zurück?",
        "Wie lange dauert der Versand?",
        "Do you deliver to Austria?",
        "is enamel dishwasher safe",
    ],
)
def test_questions_are_left_to_the_articles(text: str) -> None:
    assert started_by(text, "de" if "Wa" in text or "Wie" in text else "en") == ""


BUTTONS = sorted(
    {
        (locale, button.id, label)
        for flow in BOOK.flows.values()
        for step in flow.places.values()
        if isinstance(step, Say)
        for button in step.buttons
        for locale, labels in button.label.by_locale.items()
        for label in labels
    }
)


@pytest.mark.parametrize(("locale", "id", "label"), BUTTONS)
def test_a_button_s_label_may_also_be_typed(locale: str, id: str, label: str) -> None:
    typed = understand(Message(ADDRESS, "m1", ME, text=label), FlowState(), BOOK, FIXED, locale)
    pressed = understand(
        Message(ADDRESS, "m1", ME, kind="action", action=Action(id)), FlowState(), BOOK, FIXED, locale
    )
    assert typed is not None
    assert typed == pressed


def test_a_new_conversation_is_greeted_with_the_main_things_to_do(customer: Customer) -> None:
    opened = Message(ADDRESS, "m1", ME, kind="event", event=Event("conversation.started"))
    command = understand(opened, FlowState(), BOOK, FIXED, customer.locale)
    assert command == StartFlow("greeting")
    customer.write("/start")
    assert "Ana" in customer.read
    assert customer.buttons == ["order_status", "return_and_refund", "change_address", "item_damaged", "human"]


# --- finding the order ---------------------------------------------------------------------------------------

STATES = [
    ("A-10003", "20457", {"en": "next working day", "de": "nächsten Werktag"}),
    ("A-10004", "68161", {"en": "packed", "de": "gepackt"}),
    ("A-10002", "10115", {"en": "Follow it here", "de": "verfolgen"}),
    ("A-10006", "80331", {"en": "should have reached you", "de": "hätte bis zum"}),
    ("A-10010", "60313", {"en": "delivered", "de": "zugestellt"}),
    ("A-10007", "50667", {"en": "cancelled", "de": "storniert"}),
    ("A-10008", "28195", {"en": "R-20003", "de": "R-20003"}),
    ("A-10009", "01067", {"en": "refunded", "de": "erstattet"}),
]


@pytest.mark.parametrize(("number", "postcode", "expected"), STATES)
def test_an_order_in_every_state_is_explained(
    customer: Customer, number: str, postcode: str, expected: Mapping[str, str]
) -> None:
    customer.press("order_status").prove(number, postcode)
    assert expected[customer.locale] in customer.read
    assert number in customer.read
    assert not customer.state.frames


def test_a_number_in_the_first_message_is_not_asked_again(customer: Customer) -> None:
    customer.write("A-10002")
    assert "postcode" in customer.read or "Postleitzahl" in customer.read
    customer.write("Jana.Berger@example.org")
    assert "DHL" in customer.read


def test_numbers_and_addresses_are_read_out_of_sentences(customer: Customer) -> None:
    customer.press("order_status").write("it is a 10002 I think", "my e-mail is jana.berger@example.org, thanks")
    assert "DHL" in customer.read


def test_three_wrong_tries_end_with_a_human_and_tell_nothing(customer: Customer, database: Path) -> None:
    customer.press("order_status")
    for _ in range(3):
        assert customer.handoff is None
        customer.write("A-10002", "eve@example.org")
        assert "Linen" not in customer.read
        assert "DHL" not in customer.read
    assert customer.handoff is not None
    assert customer.handoff.reason == "flow"
    assert customer.handoff.told
    assert rows(database, "SELECT count(*) FROM checks WHERE matched") == [(0,)]


def test_a_slip_can_be_mended_on_the_second_try(customer: Customer) -> None:
    customer.press("order_status").prove("A-10012", "10115").prove("A-10002", "10115")
    assert "DHL" in customer.read


def test_an_order_that_was_proven_is_offered_again_instead_of_asked_for(customer: Customer) -> None:
    customer.press("order_status").prove("A-10003", "20457")
    customer.press("cancel_order")
    assert "A-10003" in customer.read
    customer.write(YES[customer.locale])
    assert "56" in customer.read  # the total, in the question whether to cancel


@pytest.mark.parametrize(
    "said",
    [["A-10006", "80331"], ["no, a10006", "80331"], ["nein", "A-10006", "80331"], ["No!", "10006", "80331"]],
)
def test_another_order_can_be_named_instead(customer: Customer, said: list[str]) -> None:
    customer.press("order_status").prove("A-10002", "10115")
    customer.press("order_status").write(*said)
    assert "A-10006" in customer.read
    assert not customer.state.frames


# --- returns -------------------------------------------------------------------------------------------------


def test_a_single_item_is_returned(customer: Customer, database: Path) -> None:
    customer.press("return_and_refund").prove("A-10014", "20457").press("reason:changed_mind")
    assert "A-10014" in customer.read
    customer.write(YES[customer.locale])
    [(rma, label, items, reason)] = rows(
        database, "SELECT rma, label, items, reason FROM returns WHERE number = 'A-10014'"
    )
    assert rma in customer.read
    assert label in customer.read
    assert items.startswith("4 × ")
    assert reason == "changed_mind"
    assert rows(database, "SELECT status FROM orders WHERE number = 'A-10014'") == [("return_requested",)]


def test_a_part_of_an_order_is_returned_after_a_slip_in_its_name(customer: Customer, database: Path) -> None:
    rack = {"en": "the rack", "de": "die Garderobe"}[customer.locale]
    customer.press("return_and_refund").prove("A-10018", "50667").press("how_much:some")
    customer.press("reason:does_not_fit").write("the piano", YES[customer.locale])
    assert "piano" in customer.read
    customer.write(rack, YES[customer.locale])
    [(items,)] = rows(database, "SELECT items FROM returns WHERE number = 'A-10018'")
    assert items in ("1 × Coat rack, five hooks", "1 × Garderobe, fünf Haken")


def test_nothing_is_returned_without_a_yes(customer: Customer, database: Path) -> None:
    customer.press("return_and_refund").prove("A-10014", "20457").press("reason:other").write(NO[customer.locale])
    assert rows(database, "SELECT count(*) FROM audit") == [(0,)]
    assert not customer.state.frames


def test_after_thirty_days_the_rule_is_explained_and_a_human_offered(customer: Customer, database: Path) -> None:
    customer.press("return_and_refund").prove("A-10005", "5020")
    assert "30" in customer.read
    assert customer.handoff is None
    customer.write(YES[customer.locale])
    assert customer.handoff is not None
    assert "A-10005" in customer.handoff.detail
    assert rows(database, "SELECT count(*) FROM audit") == [(0,)]


def test_who_wants_no_human_after_thirty_days_hears_of_the_warranty(customer: Customer) -> None:
    customer.press("return_and_refund").prove("A-10005", "5020").write(NO[customer.locale])
    assert customer.handoff is None
    assert "warranty" in customer.read or "Garantie" in customer.read


def test_what_was_not_sent_is_cancelled_instead_of_returned(customer: Customer, database: Path) -> None:
    customer.press("return_and_refund").prove("A-10004", "68161")
    customer.write(YES[customer.locale], YES[customer.locale])
    assert rows(database, "SELECT status FROM orders WHERE number = 'A-10004'") == [("cancelled",)]
    assert not customer.state.frames


@pytest.mark.parametrize(
    ("number", "postcode", "expected"),
    [
        ("A-10004", "68161", {"en": "stays as it is", "de": "bleibt alles so"}),
        ("A-10002", "10115", {"en": "still on its way", "de": "unterwegs"}),
        ("A-10008", "28195", {"en": "R-20003", "de": "R-20003"}),
        ("A-10009", "01067", {"en": "refunded", "de": "erstattet"}),
        ("A-10007", "50667", {"en": "nothing to return", "de": "nichts zurückzugeben"}),
    ],
)
def test_a_return_that_is_not_possible_is_explained(
    customer: Customer, number: str, postcode: str, expected: Mapping[str, str], database: Path
) -> None:
    customer.press("return_and_refund").prove(number, postcode)
    if customer.state.frames:
        customer.write(NO[customer.locale])
    assert expected[customer.locale] in customer.read
    assert rows(database, "SELECT count(*) FROM audit") == [(0,)]


# --- changes -------------------------------------------------------------------------------------------------


def test_an_address_is_changed_after_a_yes(customer: Customer, database: Path) -> None:
    customer.press("change_address").prove("A-10003", "20457")
    assert "Hafenstraße 21" in customer.read
    customer.write("Ringstraße 1", "10117", "Berlin")
    assert "Ringstraße 1, 10117 Berlin" in customer.read
    address = "SELECT street, postcode, city FROM orders WHERE number = 'A-10003'"
    assert rows(database, address) == [("Hafenstraße 21", "20457", "Hamburg")]
    customer.write(YES[customer.locale])
    assert rows(database, address) == [("Ringstraße 1", "10117", "Berlin")]
    assert rows(database, "SELECT tool FROM audit") == [("change_address",)]


def test_an_address_stays_without_a_yes(customer: Customer, database: Path) -> None:
    customer.press("change_address").prove("A-10003", "20457")
    customer.write("Ringstraße 1", "10117", "Berlin", NO[customer.locale])
    assert "Hafenstraße 21" in customer.read
    assert rows(database, "SELECT count(*) FROM audit") == [(0,)]


def test_a_postcode_from_elsewhere_is_asked_again(customer: Customer) -> None:
    customer.press("change_address").prove("A-10003", "20457").write("Ringstraße 1", "EC1A 1BB")
    assert "Austria" in customer.read or "Österreich" in customer.read


@pytest.mark.parametrize(("number", "postcode"), [("A-10002", "10115"), ("A-10010", "60313")])
def test_an_address_is_not_changed_once_it_is_too_late(customer: Customer, number: str, postcode: str) -> None:
    customer.press("change_address").prove(number, postcode)
    assert not customer.state.frames
    assert number in customer.read


def test_an_order_is_cancelled_after_a_yes(customer: Customer, database: Path) -> None:
    customer.press("cancel_order").prove("A-10003", "20457")
    assert rows(database, "SELECT status FROM orders WHERE number = 'A-10003'") == [("placed",)]
    customer.write(YES[customer.locale])
    assert rows(database, "SELECT status FROM orders WHERE number = 'A-10003'") == [("cancelled",)]
    assert "A-10003" in customer.read


def test_an_order_is_not_cancelled_after_a_no(customer: Customer, database: Path) -> None:
    customer.press("cancel_order").prove("A-10003", "20457").write(NO[customer.locale])
    assert rows(database, "SELECT status FROM orders WHERE number = 'A-10003'") == [("placed",)]


def test_a_parcel_on_its_way_is_explained_instead_of_cancelled(customer: Customer, database: Path) -> None:
    customer.press("cancel_order").prove("A-10002", "10115")
    assert "30" in customer.read
    assert customer.buttons == ["order_status", "human"]
    assert rows(database, "SELECT count(*) FROM audit") == [(0,)]


def test_a_delivered_order_is_returned_instead_of_cancelled(customer: Customer, database: Path) -> None:
    customer.press("cancel_order").prove("A-10014", "20457").write(YES[customer.locale])
    customer.press("reason:other").write(YES[customer.locale])
    assert rows(database, "SELECT status FROM orders WHERE number = 'A-10014'") == [("return_requested",)]


def test_an_order_that_leaves_while_we_talk_is_handed_to_a_human(customer: Customer, database: Path) -> None:
    customer.press("cancel_order").prove("A-10003", "20457")
    with closing(sqlite3.connect(database)) as shop, shop:
        shop.execute("UPDATE orders SET status = 'shipped' WHERE number = 'A-10003'")
    customer.write(YES[customer.locale])
    assert customer.handoff is not None
    assert customer.handoff.told
    assert rows(database, "SELECT status FROM orders WHERE number = 'A-10003'") == [("shipped",)]


@pytest.mark.parametrize("number", ["A-10007", "A-10020"])
def test_a_cancelled_order_has_nothing_left_to_cancel(customer: Customer, number: str) -> None:
    customer.press("cancel_order").prove(number, {"A-10007": "50667", "A-10020": "01067"}[number])
    assert "nothing left" in customer.read or "nichts mehr" in customer.read


# --- when something went wrong -------------------------------------------------------------------------------


def test_a_complaint_is_written_down_and_given_to_a_human(customer: Customer, database: Path) -> None:
    customer.press("complaint").write(
        "The driver threw my parcel over the fence.", YES[customer.locale], "A-10002"
    )
    assert rows(database, "SELECT number, topic, text FROM tickets") == [
        ("A-10002", "service", "The driver threw my parcel over the fence.")
    ]
    assert "T-30001" in customer.read
    assert customer.handoff is not None
    assert "threw my parcel" in customer.handoff.detail


def test_a_complaint_needs_no_order(customer: Customer, database: Path) -> None:
    customer.press("complaint").write("Your newsletter comes every single day.", NO[customer.locale])
    assert rows(database, "SELECT number FROM tickets") == [(None,)]
    assert customer.handoff is not None


def test_a_complaint_goes_on_when_the_number_is_not_at_hand(customer: Customer, database: Path) -> None:
    customer.press("complaint").write(
        "The pot smells of paint, awful.", YES[customer.locale], "no idea", "really no"
    )
    assert rows(database, "SELECT number FROM tickets") == [(None,)]
    assert customer.handoff is not None


def test_a_late_parcel_is_searched_for_after_a_yes(customer: Customer, database: Path) -> None:
    customer.press("parcel_late").prove("A-10006", "80331").write(YES[customer.locale])
    assert rows(database, "SELECT number, topic FROM tickets") == [("A-10006", "late_parcel")]
    assert "T-30001" in customer.read


def test_a_parcel_in_time_is_not_searched_for(customer: Customer, database: Path) -> None:
    customer.press("parcel_late").prove("A-10002", "10115")
    assert not customer.state.frames
    assert "DHL" in customer.read


def test_a_parcel_that_is_said_to_be_delivered_is_searched_for_after_a_look_around(
    customer: Customer, database: Path
) -> None:
    customer.press("parcel_late").prove("A-10010", "60313").write(YES[customer.locale], YES[customer.locale])
    assert rows(database, "SELECT number FROM tickets") == [("A-10010",)]


def test_who_has_not_looked_around_is_asked_to(customer: Customer, database: Path) -> None:
    customer.press("parcel_late").prove("A-10010", "60313").write(NO[customer.locale])
    assert customer.buttons == ["parcel_late"]
    assert rows(database, "SELECT count(*) FROM tickets") == [(0,)]


def test_what_was_never_sent_is_not_late(customer: Customer) -> None:
    customer.press("parcel_late").prove("A-10003", "20457")
    assert customer.buttons == ["order_status"]


def test_a_damaged_item_reaches_a_human_with_all_that_is_needed(customer: Customer, database: Path) -> None:
    customer.press("item_damaged").prove("A-10001", "10115")
    customer.write("The glass of the lamp has a crack.").press("wish:replacement")
    assert "has a crack" in customer.read
    assert rows(database, "SELECT count(*) FROM tickets") == [(0,)]
    customer.write(YES[customer.locale])
    [(number, topic, text)] = rows(database, "SELECT number, topic, text FROM tickets")
    assert (number, topic) == ("A-10001", "damaged")
    assert "replacement" in text
    assert customer.handoff is not None
    assert "A-10001" in customer.handoff.detail
    assert "T-30001" in customer.read


def test_choices_are_understood_in_plain_words(database: Path) -> None:
    customer = Customer()
    customer.write("I want to send it back", "A-10014", "20457", "it doesn't fit", "yes")
    assert rows(database, "SELECT reason FROM returns WHERE number = 'A-10014'") == [("does_not_fit",)]
    customer.write(
        "the lamp arrived broken", "A-10001", "10115", "The glass has a crack.", "a replacement please", "yes"
    )
    assert customer.handoff is not None


def test_a_damage_report_is_dropped_after_a_no(customer: Customer, database: Path) -> None:
    customer.press("item_damaged").prove("A-10001", "10115").write("The glass has a crack.").press("wish:refund")
    customer.write(NO[customer.locale])
    assert customer.handoff is None
    assert rows(database, "SELECT count(*) FROM tickets") == [(0,)]


@pytest.mark.parametrize(("number", "postcode"), [("A-10003", "20457"), ("A-10007", "50667")])
def test_what_was_not_delivered_cannot_be_damaged(customer: Customer, number: str, postcode: str) -> None:
    customer.press("item_damaged").prove(number, postcode)
    assert not customer.state.frames


# --- small talk and products ---------------------------------------------------------------------------------


def test_products_are_listed_with_price_and_what_is_sold_out(customer: Customer) -> None:
    customer.write({"en": "Do you have any lamps?", "de": "Haben Sie Lampen?"}[customer.locale])
    lines = customer.read.strip().splitlines()
    assert len([line for line in lines if line.startswith("- **")]) >= 4
    assert "€" in customer.read
    assert "sold out" in customer.read or "ausverkauft" in customer.read


def test_a_product_we_do_not_have_is_said_so(customer: Customer) -> None:
    customer.press("product_search").write("helicopter")
    assert "helicopter" in customer.read
    assert customer.buttons == ["product_search"]


def test_thanks_are_answered(customer: Customer) -> None:
    customer.write({"en": "thanks a lot!", "de": "Vielen Dank!"}[customer.locale])
    assert customer.read
    assert not customer.state.frames
