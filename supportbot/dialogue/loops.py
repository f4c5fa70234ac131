"""Ways through flows that come back to where they were.

A flow's steps are a graph: each place leads to others. Steps that ask, decide or end are ways out; a circle of
places without any of them never ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from supportbot.dialogue.flow import Ask, End, Flow, FlowBook, Goto, HandOver, If, Path, SubFlow, Switch, branches
from supportbot.dialogue.place import after, into

Graph = Mapping[Path, frozenset[Path]]


def endless_gotos(flow: Flow) -> tuple[Path, ...]:
    """Each `goto` that stands on a circle where nothing asks, decides or ends."""
    stops = (Ask, If, Switch, End, HandOver)
    graph = _graph(flow, lambda place: not isinstance(flow.places[place], stops))
    return tuple(
        place for place, step in flow.places.items() if isinstance(step, Goto) and place in _reached(graph, place)
    )


def skipped_questions(flow: Flow) -> Iterator[tuple[Path, Ask]]:
    """Questions on a circle that are not asked the second time; those that a `goto` names are."""
    graph = _graph(flow, lambda _: True)
    named = {flow.names.get(step.target) for step in flow.places.values() if isinstance(step, Goto)}
    for place, step in flow.places.items():
        if isinstance(step, Ask) and not step.again and place not in named and place in _reached(graph, place):
            yield place, step


def calls_without_end(flow: Flow, book: FlowBook) -> Iterator[Path]:
    """`flow` steps that always run and lead back to this flow by steps that always run."""
    always = {name: _always_run(other) for name, other in book.flows.items()}
    for place, step in flow.places.items():
        if not isinstance(step, SubFlow) or len(place) > 1 or step.flow not in always[flow.name]:
            continue
        if flow.name == step.flow or flow.name in _names_reached(always, step.flow):
            yield place


def _always_run(flow: Flow) -> frozenset[str]:
    """Sub-flows in the flow's outermost list, before anything that could end or leave it."""
    found: set[str] = set()
    for step in flow.steps:
        if isinstance(step, End | Goto | HandOver) or _may_leave(step):
            break
        if isinstance(step, SubFlow):
            found.add(step.flow)
    return frozenset(found)


def _may_leave(step: object) -> bool:
    if isinstance(step, End | Goto | HandOver):
        return True
    inner = branches(step) if isinstance(step, If | Switch | Ask) else ()
    return any(_may_leave(one) for _, steps in inner for one in steps)


def _graph(flow: Flow, counts: Callable[[Path], bool]) -> Graph:
    return {place: frozenset(_next(flow, place)) if counts(place) else frozenset() for place in flow.places}


def _next(flow: Flow, place: Path) -> Iterator[Path]:
    step = flow.places[place]
    if isinstance(step, End | HandOver):
        return
    if isinstance(step, Goto):
        target = flow.names.get(step.target)
        yield from () if target is None else (target,)
        return
    options = [into(flow, place, *map(str, keys)) for keys, _ in branches(step)]
    if not isinstance(step, If | Switch):
        options.append(after(flow, place))
    yield from (option for option in options if option is not None)


def _reached(graph: Graph, start: Path) -> Collection[Path]:
    found: set[Path] = set()
    waiting = list(graph[start])
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += graph[place]
    return found


def _names_reached(graph: Mapping[str, frozenset[str]], start: str) -> Collection[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += graph.get(name, ())
    return found
