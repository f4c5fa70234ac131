"""What must be so before a call runs, as tables over the tools' room alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supportbot.consent import canonical, digest
from supportbot.errors import ToolError
from supportbot.protocols import NotDone, OutcomeUnknown, Secrets, Tool, ToolContext
from supportbot.toolfiles import Rules
from supportbot.tools import Toolbox
from supportbot.tools.authority import Permit, charge
from supportbot.tools.rules import offered, ruled, unsound
from supportbot.types import Consent, Identity, Limit, ToolResult, User

NOW = 1_700_000_000.0
ANNA = Identity("c-17", "Anna", "code", NOW - 60, NOW + 60, {"tier": "gold"})
CONTEXT = ToolContext("c_1", User("u-1", "Anna"), "desk", "de", "k-1", {"order": "A-1"}, ANNA)
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "who": {"type": "string"}, "amount": {"type": "number"}},
    "required": ["order", "who"],
    "additionalProperties": False,
}


def tool(**changes: Any) -> Tool:
    plain = Tool("refund", "Refunds.", SCHEMA, lambda arguments, context: arguments, effects=True)
    return replace(plain, **{"bound": {"who": "customer.id"}, **changes})


def permit(one: Tool, arguments: Any = None, context: ToolContext = CONTEXT, **more: Any) -> Permit | ToolResult:
    given = {"order": "A-1"} if arguments is None else arguments
    return Toolbox([one], secrets={"erp": "s3cret"}).permit("refund", given, context, now=NOW, **more)


def error(one: Tool, arguments: Any = None, context: ToolContext = CONTEXT, **more: Any) -> str:
    found = permit(one, arguments, context, **more)
    return found.error if isinstance(found, ToolResult) else ""


def yes(one: Tool, kind: Any = "customer", **changes: Any) -> Consent:
    """A yes to refunding A-1, as the engine would hand it in."""
    asked = permit(one)
    assert isinstance(asked, ToolResult)
    return replace(Consent(kind, asked.value["digest"], "u-1", NOW + 60), **changes)


# --- bound arguments -----------------------------------------------------------------------------------------


def test_a_bound_argument_is_not_in_the_schema_and_cannot_be_given() -> None:
    assert offered(tool())["properties"].keys() == {"order", "amount"}
    assert offered(tool())["required"] == ["order"]
    assert error(tool(), {"order": "A-1", "who": "u-2"}) == "bad_arguments"
    assert (
        error(tool(parameters={**SCHEMA, "additionalProperties": True}), {"order": "A-1", "who": 1})
        == "bad_arguments"
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("customer.id", "u-1"),
        ("customer.name", "Anna"),
        ("identity.customer", "c-17"),
        ("identity.name", "Anna"),
        ("identity.claims.tier", "gold"),
        ("conversation", "c_1"),
        ("channel", "desk"),
        ("locale", "de"),
        ("key", "k-1"),
        ("slots.order", "A-1"),
        ("secrets.erp", "s3cret"),
    ],
)
def test_the_server_puts_in_what_is_bound(path: str, value: str) -> None:
    found = permit(tool(bound={"who": path}))
    assert isinstance(found, Permit)
    assert found.arguments == {"order": "A-1", "who": value} and found.given == '{"order":"A-1"}'


@pytest.mark.parametrize("path", ["slots.nothing", "secrets.nothing", "identity.claims.nothing"])
def test_what_is_not_known_cannot_be_bound_and_the_call_fails(path: str) -> None:
    assert error(tool(bound={"who": path})) == "failed"


def test_secrets_are_not_shown_by_accident() -> None:
    assert "s3cret" not in repr(Secrets({"erp": "s3cret"})) and Secrets({"erp": "s3cret"})["erp"] == "s3cret"


# --- identity ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", [tool(requires="verified"), tool(bound={"who": "identity.customer"})])
def test_a_proof_is_needed_and_must_still_hold(one: Tool) -> None:
    assert error(one) == ""
    assert error(one, context=replace(CONTEXT, identity=replace(ANNA, expires_at=NOW))) == "unverified"
    assert error(one, context=replace(CONTEXT, identity=replace(ANNA, customer=""))) == "unverified"


# --- consent -------------------------------------------------------------------------------------------------


def test_a_yes_counts_for_its_own_call_until_it_expires() -> None:
    one = tool(confirm=True)
    assert error(one) == "unconfirmed"
    assert error(one, consents=(yes(one),)) == ""
    assert error(one, {"order": "A-2"}, consents=(yes(one),)) == "unconfirmed"
    assert error(one, {"order": "A-1", "amount": 1}, consents=(yes(one),)) == "unconfirmed"
    assert error(one, consents=(yes(one, expires_at=NOW),)) == "unconfirmed"
    assert error(one, consents=(yes(one, kind="human"),)) == "unconfirmed"
    assert error(one, context=replace(CONTEXT, customer=User("u-2")), consents=(yes(one),)) == "unconfirmed"
    assert error(one, context=replace(CONTEXT, key="k-2"), consents=(yes(one),)) == ""


def test_a_customer_and_a_colleague_may_both_be_asked() -> None:
    one = tool(confirm=True, approve="human")
    assert error(one) == "unconfirmed"
    assert error(one, consents=(yes(one),)) == "unapproved"
    assert error(one, consents=(yes(one), yes(one, kind="human"))) == ""


def test_a_yes_in_the_arguments_is_no_yes() -> None:
    one = tool(confirm=True, parameters={**SCHEMA, "additionalProperties": True})
    asked = permit(one)
    assert isinstance(asked, ToolResult)
    told = {"order": "A-1", "confirm": True, "consents": [{"kind": "customer", "digest": asked.value["digest"]}]}
    assert error(one, told) == "unconfirmed"


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.booleans(), st.none())))
def test_the_same_arguments_have_the_same_digest_however_they_are_written(arguments: dict[str, Any]) -> None:
    turned = dict(reversed(arguments.items()))
    assert digest("refund", arguments) == digest("refund", turned) != digest("other", arguments)
    assert canonical(canonical(arguments)) == canonical(arguments)


# --- the model's side ----------------------------------------------------------------------------------------


def test_only_what_is_offered_exists_for_the_model() -> None:
    box = Toolbox([tool(), replace(tool(), name="look", private=True)], offered=("re*", "look"))
    assert [spec.name for spec in box.specs()] == ["refund"]
    for name in ("look", "nothing"):
        found = box.permit(name, '{"order": "A-1"}', CONTEXT, now=NOW)
        assert isinstance(found, ToolResult) and found.content == f"Error: There is no tool named {name!r}."
    assert isinstance(box.permit("look", {"order": "A-1"}, CONTEXT, now=NOW), Permit)


def test_sealed_arguments_reach_the_tool_and_no_record() -> None:
    found = permit(tool(bound={}), {"order": "A-1"}, sealed={"who": "123456"})
    assert isinstance(found, Permit) and found.arguments["who"] == "123456"
    assert "123456" not in found.given + charge(found, NOW).arguments


# --- limits --------------------------------------------------------------------------------------------------


def counted(limit: Limit, context: ToolContext = CONTEXT, **arguments: Any) -> Any:
    found = permit(tool(limits=(limit,)), {"order": "A-1", **arguments}, context)
    assert isinstance(found, Permit)
    return charge(found, NOW).counted[0]


def test_calls_count_together_by_customer_by_tool_or_by_an_argument() -> None:
    other = replace(CONTEXT, conversation="c_2", channel="chat", customer=User("u-9"))
    stranger = replace(CONTEXT, identity=Identity())
    assert counted(Limit(times=1)).scope == counted(Limit(times=1), other).scope
    assert counted(Limit(times=1)).scope != counted(Limit(times=1), stranger).scope
    assert counted(Limit(times=1, per="tool")).scope == counted(Limit(times=1, per="tool"), stranger).scope
    by_order = Limit(times=1, per="order")
    assert counted(by_order, order=" a-1 ").scope == counted(by_order, order="A-1").scope
    assert counted(by_order, order="A-2").scope != counted(by_order, order="A-1").scope


@pytest.mark.parametrize(
    ("amount", "millionths"),
    [(0.1, 100_000), (12, 12_000_000), (0, 0), (-1, 10**15), (1e300, 10**15), (19.99, 19_990_000)],
)
def test_an_amount_is_counted_exactly_and_an_odd_one_is_too_much(amount: float, millionths: int) -> None:
    assert counted(Limit(money=5, of="amount"), amount=amount).amount == millionths


def test_an_amount_that_is_missing_is_too_much() -> None:
    assert counted(Limit(money=5, of="amount")).amount == 10**15


def test_rules_that_guard_nothing_are_found() -> None:
    wrong = tool(
        bound={"customer": "customer.id"}, limits=(Limit(times=1, per="ordr"), Limit(money=1, of="sum"), Limit())
    )
    assert [told.split(",")[0] for told in unsound(wrong)] == [
        "refund binds 'customer'",
        "a limit of refund counts per 'ordr'",
        "a limit of refund adds up 'sum'",
        "a limit of refund has neither times nor money",
    ]
    assert list(unsound(tool(limits=(Limit(times=1, per="who"),)))) == []


def test_the_configs_rules_stand_in_the_place_of_the_tools_own() -> None:
    written = Rules.model_validate(
        {
            "effects": False,
            "requires": "verified",
            "approve": "nothing",
            "timeout": "2m",
            "bind": {"order": "slots.order"},
        }
        | {"limits": [{"times": 2, "every": "ever"}], "confirm": "Shall I?"}
    )
    found = ruled(tool(approve="human", confirm=True, public=True), written)
    assert (found.effects, found.requires, found.approve, found.timeout) == (False, "verified", "", 120.0)
    assert found.bound == {"who": "customer.id", "order": "slots.order"} and found.public
    assert found.limits == (Limit(times=2, every=0.0),) and found.confirm == "Shall I?"


# --- what came of it -----------------------------------------------------------------------------------------


async def outcome(call: Any, recover: Any = None) -> str:
    box = Toolbox([tool(call=call, recover=recover)])
    return (await box.call("refund", {"order": "A-1"}, CONTEXT, seconds=5)).error


def raising(error: BaseException) -> Any:
    def call(arguments: Any, context: ToolContext) -> Any:
        raise error

    return call


async def test_a_tool_that_cannot_know_is_asked_again_in_its_own_way() -> None:
    lost = raising(OutcomeUnknown("the line broke"))
    assert await outcome(lost) == "unknown_outcome"
    assert await outcome(lost, lambda arguments, context: "it was done") == ""
    assert await outcome(lost, raising(NotDone())) == "failed"
    assert await outcome(lost, raising(RuntimeError("down"))) == "unknown_outcome"
    assert await outcome(lost, raising(ToolError("It was refused."))) == "failed"


async def test_what_an_interrupted_call_came_to_is_told_apart() -> None:
    def found(recover: Any) -> tuple[Toolbox, Permit]:
        box = Toolbox([tool(recover=recover)])
        known = box.permit("refund", {"order": "A-1"}, CONTEXT, now=NOW)
        assert isinstance(known, Permit)
        return box, known

    for recover, expected in (
        (None, None),
        (lambda arguments, context: context.key, ToolResult("k-1", "k-1")),
        (raising(RuntimeError("down")), None),
        (raising(ToolError("Refused.")), ToolResult("Refused.", error="failed")),
    ):
        box, known = found(recover)
        assert await box.recover(known, seconds=5) == expected
    box, known = found(raising(NotDone()))
    with pytest.raises(NotDone):
        await box.recover(known, seconds=5)
