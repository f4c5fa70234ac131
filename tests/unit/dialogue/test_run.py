"""The interpreter: what is said, asked, called and remembered."""

from __future__ import annotations

import pytest
from helping import Walk, book, scene

from supportbot.dialogue import NeedModel, cancel, correct, enter, fits, question, waiting
from supportbot.dialogue.run import advance
from supportbot.types import Button, FlowState, ModelAnswer, ModelFailed, ToolResult

ORDER = """
flow: order_status
description: Where an order is.
steps:
  - say: Hello {{ user.name }}.
  - ask: order_number
    question: 'Which order?'
    pattern: 'A-\\d{5}'
    invalid: It reads A- and five digits.
  - call: find_order
    with: {order_number: "{{ order_number }}"}
    into: order
    otherwise:
      - say: "No luck: {{ error }}"
      - end
  - switch: order.status
    cases:
      shipped: [{say: On its way.}]
      delivered: [{say: It is there.}]
    else: [{say: "Status {{ order.status }}."}]
"""


def test_a_flow_asks_calls_and_answers() -> None:
    walk = Walk(book(ORDER), [ToolResult("{}", {"status": "shipped"})])
    assert walk.start("order_status") == ["Hello Ana.", "Which order?"]
    assert walk.last is not None and walk.last.status == "waiting"
    assert walk.say("it is a-10002, thanks") == ["On its way."]
    assert [(need.name, need.arguments) for need in walk.needs] == [("find_order", {"order_number": "a-10002"})]
    assert walk.last.status == "done"
    assert walk.state == FlowState()
    assert walk.slots["order"] == {"status": "shipped"}


def test_a_slot_given_at_the_start_is_not_asked_for() -> None:
    walk = Walk(book(ORDER), [ToolResult("{}", {"status": "lost"})])
    assert walk.start("order_status", {"order_number": "A-10002"}) == ["Hello Ana.", "Status lost."]


def test_a_slot_that_does_not_validate_or_is_not_asked_for_is_not_taken() -> None:
    flows = book(ORDER)
    assert enter(FlowState(), flows, "order_status", {"order_number": "x", "verified": True}).slots == {}


@pytest.mark.parametrize(
    ("error", "reason", "said"),
    [
        ("failed", "", ["No luck: gone"]),
        ("timeout", "", ["No luck: gone"]),
        ("unknown_outcome", "unknown_outcome", []),
    ],
)
def test_a_failed_call_takes_its_otherwise_but_an_unknown_outcome_goes_to_a_human(
    error: str, reason: str, said: list[str]
) -> None:
    walk = Walk(book(ORDER), [ToolResult("gone", error=error)])
    walk.start("order_status")
    assert walk.say("A-10002") == said
    assert walk.handoff == reason


def test_a_failed_call_without_otherwise_goes_to_a_human() -> None:
    walk = Walk(book("[{call: pay}]"), [ToolResult("no", error="failed")])
    walk.start()
    assert walk.handoff == "tool_failed"
    assert walk.state == FlowState()


def test_a_call_whose_arguments_have_no_value_is_not_made() -> None:
    walk = Walk(book('[{call: pay, with: {sum: "{{ total }}"}, otherwise: [{say: No total.}]}]'))
    assert walk.start() == ["No total."]
    assert walk.needs == []


@pytest.mark.parametrize(
    ("otherwise", "said", "reason"),
    [
        ("handoff", [], "flow"),
        ("cancel", ["Stopped."], ""),
        ("skip", ["After."], ""),
        ("[{say: Too bad.}]", ["Too bad.", "After."], ""),
    ],
)
def test_after_the_last_try_the_question_is_given_up(otherwise: str, said: list[str], reason: str) -> None:
    source = (
        f"[{{ask: n, question: 'How many?', type: number, tries: 2, otherwise: {otherwise}}}, {{say: After.}}]"
    )
    walk = Walk(book(source))
    walk.start()
    assert walk.say("none") == ["Not understood.\n\nHow many?"]
    assert walk.say("none") == said
    assert walk.handoff == reason


def test_a_choice_is_shown_as_buttons_and_taken_by_id() -> None:
    walk = Walk(
        book("[{ask: size, question: 'Which?', choices: [small, {value: l, label: Large}]}, {say: '{{ size }}'}]")
    )
    walk.start()
    assert walk.last is not None
    assert walk.last.replies[-1].buttons == (
        Button("size:small", "small", "small"),
        Button("size:l", "Large", "l"),
    )
    assert walk.press("size:l") == ["l"]


def test_a_button_of_an_older_question_asks_again_and_costs_no_try() -> None:
    walk = Walk(book("[{ask: size, question: 'Which?', choices: [a, b], tries: 1}]"))
    walk.start()
    assert walk.press("colour:red") == ["Which?"]
    assert walk.press("colour:red") == ["Which?"]
    assert walk.last is not None and walk.last.status == "waiting"


def test_yes_and_no_get_buttons_when_their_texts_are_there() -> None:
    texts = {**scene().texts, "yes": "Yes", "no": "No"}
    walk = Walk(
        book("[{ask: sure, question: 'Sure?', type: yes_no}, {if: sure, then: [{say: Good.}]}]"),
        scene=scene(texts=texts),
    )
    walk.start()
    assert walk.last is not None and [button.id for button in walk.last.replies[0].buttons] == [
        "sure:yes",
        "sure:no",
    ]
    assert walk.press("sure:yes") == ["Good."]


def test_check_sees_the_candidate_and_the_other_slots() -> None:
    walk = Walk(book("[{set: {most: 3}}, {ask: n, question: 'How many?', type: number, check: value <= most}]"))
    walk.start()
    assert walk.say("4") == ["Not understood.\n\nHow many?"]
    assert walk.say("3") == []


def test_set_keeps_types_and_renders_the_rest() -> None:
    source = '[{set: {a: 2, b: "{{ 3 }}", d: {x: ["{{ user.name }}", "Hi {{ user.name }}"]}}}, {set: {c: "{{ a * b }}"}}]'
    walk = Walk(book(source))
    walk.start()
    assert walk.slots == {"a": 2, "b": 3, "c": 6, "d": {"x": ["Ana", "Hi Ana"]}}


def test_a_sub_flow_shares_the_slots_and_comes_back() -> None:
    inner = (
        "{flow: inner, steps: [{ask: code, question: 'Code?'}, {if: 'code == \"x\"', then: [end]}, {say: Inner.}]}"
    )
    walk = Walk(book("[{flow: inner}, {say: 'Back with {{ code }}.'}]", inner))
    assert walk.start() == ["Code?"]
    assert [frame.flow for frame in walk.state.frames] == ["main", "inner"]
    assert walk.say("x") == ["Back with x."]


def test_an_interrupting_flow_comes_back_to_the_open_question() -> None:
    other = "{flow: other, steps: [{say: Aside.}]}"
    walk = Walk(book("[{ask: a, question: 'A?'}, {say: 'Got {{ a }}.'}]", other))
    walk.start()
    assert walk.start("other") == ["Aside.", "A?"]
    assert walk.say("1") == ["Got 1."]


def test_a_flow_that_is_open_begins_again_instead_of_being_stacked() -> None:
    walk = Walk(book("[{ask: a, question: 'A?'}, {ask: b, question: 'B?'}]"))
    walk.start()
    walk.say("1")
    assert walk.start() == ["A?"]
    assert len(walk.state.frames) == 1


def test_goto_jumps_across_nesting_and_asks_the_question_it_names() -> None:
    source = """
    - name: again
      ask: n
      question: 'How many?'
      type: number
    - if: n > 5
      then:
        - say: Too many.
        - goto: again
    - say: Fine.
    """
    walk = Walk(book(source))
    walk.start()
    assert walk.say("9") == ["Too many.", "How many?"]
    assert walk.say("2") == ["Fine."]


def test_a_runaway_loop_ends_with_a_human() -> None:
    walk = Walk(book("[{name: top, set: {a: 1}}, {goto: top}]"))
    walk.start()
    assert walk.handoff == "error"
    assert walk.last is not None and walk.last.handoff is not None and "circles" in walk.last.handoff.detail


def test_sub_flows_without_end_stop_with_a_human() -> None:
    walk = Walk(book("[{flow: main}]"))
    walk.start()
    assert walk.handoff == "error"


def test_a_text_without_a_value_ends_with_a_human_and_not_in_an_exception() -> None:
    walk = Walk(book("[{say: 'Your {{ thing }}.'}]"))
    assert walk.start() == []
    assert walk.handoff == "error"


def test_handoff_tells_the_customer_in_the_flows_words() -> None:
    walk = Walk(book("[{handoff: {reason: 'Complaint by {{ user.name }}', say: A colleague comes.}}]"))
    assert walk.start() == ["A colleague comes."]
    assert walk.last is not None and walk.last.handoff is not None
    assert (walk.last.handoff.detail, walk.last.handoff.told) == ("Complaint by Ana", True)


def test_a_model_step_replies() -> None:
    walk = Walk(book("[{model: 'Be kind to {{ user.name }}.'}, {say: Bye.}]"), [ModelAnswer("Dear Ana.")])
    assert walk.start() == ["Dear Ana.", "Bye."]
    assert walk.needs == [NeedModel("Be kind to Ana.", None, "")]


def test_a_model_step_that_fails_goes_to_a_human() -> None:
    walk = Walk(book("[{model: Be kind.}]"), [ModelFailed("unavailable", "down")])
    walk.start()
    assert walk.handoff == "model_failed"


INTO = """
- ask: text
  question: 'What happened?'
- model: {instruction: Read it., into: {why: {choices: [damaged, late]}, money: number, sure: yes_no}}
- say: "{{ 'none' if why is not defined else why }}"
"""


@pytest.mark.parametrize(
    ("answer", "slots"),
    [
        ('{"why": "late", "money": 3.5, "sure": true}', {"why": "late", "money": 3.5, "sure": True}),
        ('{"why": "stolen", "money": null, "sure": "maybe"}', {}),
        ('{"why": {"a": 1}, "money": 1e999}', {}),
        ("no json", {}),
        ("[1]", {}),
    ],
)
def test_a_structured_answer_fills_only_what_validates(answer: str, slots: dict[str, object]) -> None:
    walk = Walk(book(INTO), [ModelAnswer(answer)])
    walk.start()
    assert walk.say("It came late.") == [str(slots.get("why", "none"))]
    assert {key: value for key, value in walk.slots.items() if key != "text"} == slots
    need = walk.needs[0]
    assert isinstance(need, NeedModel) and need.schema is not None
    assert need.customer_text == "It came late."
    assert need.schema["properties"]["why"]["enum"] == ["damaged", "late", None]


def test_a_model_step_takes_its_otherwise_when_every_model_fails() -> None:
    source = "[{model: {instruction: Read., into: {n: number}, otherwise: [{say: Never mind.}]}}]"
    assert Walk(book(source), [ModelFailed("unavailable", "down")]).start() == ["Never mind."]


def test_texts_come_in_the_customers_language_and_vary_by_seed() -> None:
    source = "[{say: {en: [Hi., Hello.], de: Hallo.}}]"
    assert Walk(book(source), scene=scene(locale="de-AT")).start() == ["Hallo."]
    assert Walk(book(source), scene=scene(locale="fr", seed=1)).start() == ["Hello."]


def test_cancel_forgets_everything_and_correct_changes_one_slot() -> None:
    walk = Walk(book("[{ask: a, question: 'A?'}, {ask: b, question: 'B?'}, {say: '{{ a }}{{ b }}'}]"))
    walk.start()
    walk.say("1")
    assert cancel(walk.state) == FlowState()
    assert correct(walk.state, "zzz", 1) == walk.state
    walk.state = correct(walk.state, "a", "9")
    assert walk.go(None) == ["B?"]
    assert walk.say("2") == ["92"]


def test_fits_and_question_speak_of_the_open_question() -> None:
    walk = Walk(book("[{ask: n, question: 'How many?', type: number}]"))
    assert waiting(walk.state, walk.flows) is None
    walk.start()
    asked = waiting(walk.state, walk.flows)
    assert asked is not None and asked.slot == "n"
    from supportbot.dialogue import Heard

    assert fits(walk.state, walk.flows, walk.scene, Heard("5"))
    assert not fits(walk.state, walk.flows, walk.scene, Heard("where is my order"))
    assert question(walk.state, walk.flows, walk.scene).text == "How many?"


def test_advance_with_nothing_open_does_nothing() -> None:
    run = advance(FlowState(), book("[end]"), scene(), None)
    with pytest.raises(StopIteration) as stopped:
        next(run)
    assert stopped.value.value.status == "done"
    assert stopped.value.value.replies == ()
