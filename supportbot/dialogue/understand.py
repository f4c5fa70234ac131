"""What a message means, without a model.

Rules, in this order; the first that says something counts:

1. Slash commands: /cancel, /help and /human in every language, then the flows' own commands; /start without a
   flow for it asks for help.
2. A pressed button: cancel, help and human, then the flows' buttons. A button that belongs to nothing means nothing.
3. Words: a whole message that is a cancel or help phrase; a human phrase of several words anywhere in a short
   message, of one word only as the whole message.
4. Flows by pattern, then phrases, then keywords. The longest match wins, then the flow's name.

The answer to an open question is told apart by `supportbot.dialogue.fits`; the caller asks it before it starts a flow.
A flow that is open already is not started again by words, and exact labels of the open question are never commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from supportbot.dialogue.flow import Flow, FlowBook, Trigger
from supportbot.dialogue.place import waiting
from supportbot.dialogue.wording import base, contains, spaced, words
from supportbot.types import Cancel, Command, FlowState, HandOff, Help, Message, StartFlow

MAX_TEXT = 2_000
MAX_WORDS = 60
MAX_GAP = 2
SIMILAR = 0.8
HUMAN_WITHIN = 25
HUMAN_WITHIN_TEXT = 8
_POLITE = frozenset({"please", "pls", "thanks", "bitte", "danke", "merci", "gracias", "grazie"})
_Found = tuple[int, int, str, StartFlow]


@dataclass(frozen=True, slots=True)
class Words:
    """The phrases for cancel, help and a human: locale -> phrases."""

    cancel: Mapping[str, Sequence[str]]
    help: Mapping[str, Sequence[str]]
    human: Mapping[str, Sequence[str]]


def understand(message: Message, state: FlowState, book: FlowBook, words: Words, locale: str) -> Command | None:
    """The command, or None if only a person or a model could tell."""
    if message.kind == "event" and message.event is not None:
        return _first(book, "event", message.event.name)
    if message.kind == "action" or message.action is not None:
        return _button(book, message.action.id if message.action else "")
    if message.kind != "message":
        return None
    text = message.text[:MAX_TEXT].strip()
    if text.startswith("/"):
        return _slash(book, text)
    return _words(text, state, book, words, locale)


def language(text: str, book: FlowBook, fixed: Words) -> str:
    """The language that the message's words show: the only one whose phrases it has; "" if none or several have."""
    heard = words(text[:MAX_TEXT])
    message = spaced(heard)
    found = {
        base(key)
        for key, texts in fixed.human.items()
        if any(part in message for part in _spoken(tuple(texts))[1])
    }
    for lists in (fixed.cancel, fixed.help, fixed.human):
        found |= {base(key) for key, texts in lists.items() if heard in _spoken(tuple(texts))[0]}
    for flow in book.flows.values():
        for trigger in _triggers(flow, "phrases"):
            found |= {base(key) for key, texts in trigger.words.by_locale.items() if _says(message, tuple(texts))}
    return found.pop() if len(found) == 1 else ""


def _says(message: str, texts: tuple[str, ...]) -> bool:
    return any(spaced(phrase) in message for phrase in _spoken(texts)[0] if phrase)


def _slash(book: FlowBook, text: str) -> Command | None:
    word, _, rest = text.partition(" ")
    word = word.partition("@")[0].casefold()
    own = _first(book, "command", word)
    if word in _BUILT_IN:
        return _BUILT_IN[word]
    if own is None:
        return Help() if word == "/start" else None
    return StartFlow(own.flow, _captured(book.flows[own.flow], rest))


def _button(book: FlowBook, id: str) -> Command | None:
    return _BUILT_IN.get(f"/{id}") or _first(book, "button", id)


_BUILT_IN: Mapping[str, Command] = {
    "/cancel": Cancel(),
    "/help": Help(),
    "/human": HandOff("requested", "The customer asked for a human."),
}


def _first(book: FlowBook, kind: str, word: str) -> StartFlow | None:
    found = (
        name
        for name, flow in sorted(book.flows.items())
        for trigger in flow.triggers
        if trigger.kind == kind and word in trigger.words.every()
    )
    name = next(found, None)
    return None if name is None else StartFlow(name)


# --- words ---------------------------------------------------------------------------------------------------


def _words(text: str, state: FlowState, book: FlowBook, fixed: Words, locale: str) -> Command | None:
    heard = words(text)
    if not heard or _is_label(heard, state, book):
        return None
    whole = {heard, tuple(word for word in heard if word not in _POLITE)} - {()}
    if whole & _phrases(fixed.cancel, locale):
        return Cancel()
    if whole & _phrases(fixed.help, locale):
        return Help()
    if _wants_human(heard, whole, state, book, fixed):
        return _BUILT_IN["/human"]
    return _best(text, heard, state, book)


def _is_label(heard: tuple[str, ...], state: FlowState, book: FlowBook) -> bool:
    ask = waiting(state, book)
    if ask is None:
        return False
    return any(
        heard == words(name) for choice in ask.spec.choices for name in (choice.value, *choice.label.every())
    )


def _phrases(by_locale: Mapping[str, Sequence[str]], locale: str) -> set[tuple[str, ...]]:
    """In the customer's language and English; in all languages if the customer's is not known."""
    wanted = {base(locale), "en", ""} if locale else {base(key) for key in by_locale}
    sets = (_spoken(tuple(texts))[0] for key, texts in by_locale.items() if base(key) in wanted)
    return {phrase for spoken in sets for phrase in spoken}


@lru_cache(maxsize=256)
def _spoken(texts: tuple[str, ...]) -> tuple[frozenset[tuple[str, ...]], tuple[str, ...]]:
    """The phrases' words; and those of more than one word as `spaced` texts, to look for inside a message."""
    phrases = frozenset(words(text) for text in texts)
    return phrases, tuple(spaced(phrase) for phrase in phrases if len(phrase) > 1)


def _wants_human(
    heard: tuple[str, ...], whole: set[tuple[str, ...]], state: FlowState, book: FlowBook, fixed: Words
) -> bool:
    spoken = [_spoken(tuple(texts)) for texts in fixed.human.values()]
    if any(whole & phrases for phrases, _ in spoken):
        return True
    ask = waiting(state, book)
    longest = HUMAN_WITHIN_TEXT if ask is not None and ask.spec.type == "text" else HUMAN_WITHIN
    message = spaced(heard)
    return len(heard) <= longest and any(phrase in message for _, phrases in spoken for phrase in phrases)


def _best(text: str, heard: tuple[str, ...], state: FlowState, book: FlowBook) -> StartFlow | None:
    open_flows = {frame.flow for frame in state.frames}
    closed = [flow for name, flow in sorted(book.flows.items()) if name not in open_flows]
    for find in (_by_pattern, _by_phrase, _by_keyword):
        found = sorted(
            (match for flow in closed for match in find(flow, text, heard)), key=lambda match: match[:3]
        )
        if found:
            return found[0][3]
    return None


def _by_pattern(flow: Flow, text: str, _heard: tuple[str, ...]) -> Iterator[_Found]:
    for trigger in _triggers(flow, "pattern"):
        match = trigger.pattern.find(text) if trigger.pattern else None
        if match is not None:
            slots = {name: value for name, value in match.groupdict().items() if value}
            yield -len(match.group()), 0, flow.name, StartFlow(flow.name, slots)


def _by_phrase(flow: Flow, text: str, heard: tuple[str, ...]) -> Iterator[_Found]:
    for phrase in _wordings(flow, "phrases"):
        if in_order(heard[:MAX_WORDS], phrase) or similarity(heard[:MAX_WORDS], phrase) >= SIMILAR:
            yield -len(phrase), -len("".join(phrase)), flow.name, StartFlow(flow.name, _captured(flow, text))


def _by_keyword(flow: Flow, text: str, heard: tuple[str, ...]) -> Iterator[_Found]:
    for keyword in _wordings(flow, "keywords"):
        if contains(heard, keyword):
            yield -len(keyword), -len("".join(keyword)), flow.name, StartFlow(flow.name, _captured(flow, text))


def _triggers(flow: Flow, kind: str) -> Iterable[Trigger]:
    return (trigger for trigger in flow.triggers if trigger.kind == kind)


def _wordings(flow: Flow, kind: str) -> Iterator[tuple[str, ...]]:
    for trigger in _triggers(flow, kind):
        yield from (phrase for text in trigger.words.every() if (phrase := words(text)))


def _captured(flow: Flow, text: str) -> Mapping[str, str]:
    """What the flow's own patterns read out of the text."""
    return {name: value for *_, start in _by_pattern(flow, text, ()) for name, value in start.slots.items()}


# --- likeness ------------------------------------------------------------------------------------------------


def in_order(heard: Sequence[str], phrase: Sequence[str]) -> bool:
    """Whether the phrase's words come in order, with at most `MAX_GAP` other words between two of them."""
    ends = {place for place, word in enumerate(heard) if phrase and same(word, phrase[0])}
    for wanted in phrase[1:]:
        reach = {place + step for place in ends for step in range(1, MAX_GAP + 2)}
        ends = {place for place in reach if place < len(heard) and same(heard[place], wanted)}
    return bool(ends)


def similarity(heard: Sequence[str], phrase: Sequence[str]) -> float:
    """Twice the words in common, by the words of both; phrases of one word are never only similar."""
    if len(phrase) < 2 or not heard:
        return 0.0
    left = list(heard)
    common = 0
    for wanted in phrase:
        place = next((place for place, word in enumerate(left) if same(word, wanted)), None)
        if place is not None:
            common += 1
            del left[place]
    return 2 * common / (len(heard) + len(phrase))


def same(one: str, other: str) -> bool:
    """Equal, or words of five and more letters with one slip: a letter wrong, missing, too many or swapped."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    if len(short) < 5 or len(long) - len(short) > 1 or long.isdecimal():
        return False
    start = next((place for place, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    swapped = short[start + 1 : start + 2] + short[start : start + 1] + short[start + 2 :]
    return short[start + 1 :] == long[start + 1 :] or swapped == long[start:]
