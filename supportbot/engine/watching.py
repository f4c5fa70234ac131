"""The rules by which a human is called: looked at before the bot answers, and once more when its answer is known."""

from __future__ import annotations

from dataclasses import replace

from supportbot.engine.draft import Draft, Opening
from supportbot.engine.flows import flow_values
from supportbot.engine.handing import open_handoff
from supportbot.triggers import Facts, Judged, Rule, is_repeat, judge
from supportbot.types import HandOff, Message

_EARLIER = 6
_NO_ANSWER = ("no_answer", "model")
"""Why a handoff was opened because the bot had no answer; a model that was asked for a human says "requested"."""
_OTHERWISE = ("requested", "model_failed")
"""Why one was opened that says nothing about the question."""
_QUESTION_MARKS = frozenset("?？؟՞፧⁇⁈⁉")


def before(draft: Draft, message: Message) -> bool:
    """Whether a rule calls a human in the place of an answer."""
    if not draft.script.handoff.rules or message.action is not None:
        return False
    rules = tuple(rule for rule in draft.script.handoff.rules if not _rests(draft, rule))
    return _carried_out(draft, judge(rules, _facts(draft, message), "before"))


def _rests(draft: Draft, rule: Rule) -> bool:
    """A rule about who somebody is has had its say once they came back to the bot."""
    ended = draft.start.ended
    about_words = rule.words or rule.anger or rule.when is not None
    return (
        not about_words
        and ended is not None
        and ended.cause.get("rule") == rule.name
        and ended.user == draft.author
    )


def after(draft: Draft, message: Message) -> None:
    """Counts what the bot did not understand or could not rest on anything, and calls a human if a rule says so."""
    if not draft.script.handoff.rules:
        return
    repeated = message.action is None and not draft.signs.flowed and is_repeat(message.text, _earlier(draft))
    missed = draft.came.missed + 1 if draft.signs.misunderstood or repeated else 0
    unsourced = 0 if draft.signs.rests or not draft.read else draft.came.unsourced + 1
    if (missed, unsourced) != (draft.state.missed, draft.state.unsourced):
        draft.move(replace(draft.state, missed=missed, unsourced=unsourced))
    if draft.handoff is None or not draft.handoff.open:
        _carried_out(draft, judge(draft.script.handoff.rules, _facts(draft, message), "after"))


def unanswered(draft: Draft) -> bool:
    """Whether the customer's question is still open, by how the turn went and never by a reply's words.

    It is when a human was called for want of an answer; and when words with a question mark found no place in a flow,
    or got a model's reply although the search had found nothing and no tool or flow was used.
    """
    reason = draft.opening.command.reason if draft.opening is not None and not draft.opening.reopened else ""
    if reason in _NO_ANSWER:
        return True
    if reason in _OTHERWISE or not any(_QUESTION_MARKS & set(row.message.text) for row in draft.batch):
        return False
    signs = draft.signs
    return signs.misunderstood or (draft.read and not signs.rests and signs.confidence == 0.0)


def _carried_out(draft: Draft, judged: Judged) -> bool:
    for problem in judged.problems:
        draft.trace("rule failed", reason=problem)
    verdict = judged.verdict
    if verdict is None:
        return False
    command = HandOff(
        "rule",
        verdict.reason,
        tags=verdict.tags,
        priority=verdict.priority,
        desk=verdict.desk,
        cause=verdict.cause,
    )
    slots = {name: value for name, value in draft.state.slots.items() if name not in draft.script.book.sensitive}
    open_handoff(draft, command, slots=slots)
    draft.opening = Opening(command, say=verdict.say)
    return True


def _earlier(draft: Draft) -> tuple[str, ...]:
    """What the author wrote before, newest first."""
    said = (one for turn in reversed(draft.turns) for one in reversed(turn.messages) if one.role == "user")
    return tuple(one.content for one, _ in zip(said, range(_EARLIER), strict=False))


def _facts(draft: Draft, message: Message) -> Facts:
    values = flow_values(draft)
    return Facts(
        text=message.text,
        locale=draft.locale,
        channel=values["channel"],
        user_id=draft.author.id,
        user_name=draft.author.name,
        identity={**draft.known, "claims": draft.identity.claims},
        slots=draft.state.slots,
        misunderstood=draft.state.missed,
        unsourced=draft.state.unsourced,
        confidence=draft.signs.confidence,
        turns=sum(one.role == "user" for turn in draft.turns for one in turn.messages) + 1,
        today=draft.moment.at.date().isoformat(),
    )
