"""Jinja templates that can do no harm: they read plain data, and every operation is counted (see `templating`).

1. A customer's words are values, never source.
2. No clock: a template that would run for ever stops after a fixed amount of work, at the same place every time.
3. Every fault becomes a TemplateFailed that names the template and the line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, TypeGuard, TypeVar

from jinja2 import Template, nodes
from jinja2.exceptions import SecurityError, TemplateError, TemplateNotFound, TemplateSyntaxError, UndefinedError
from jinja2.meta import find_undeclared_variables

from supportbot.shipped import SHIPPED
from supportbot.templating import meter
from supportbot.templating.environment import MeteredEnvironment
from supportbot.templating.meter import Refused

T = TypeVar("T")

# what Jinja and the code that it makes may raise; a name error comes from numbers such as 1e999
_BROKEN = (TemplateError, SyntaxError, RuntimeError, MemoryError, NameError, AssertionError)
_FAULTS = (*_BROKEN, Refused, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class TemplateFailed(ValueError):
    """A template that cannot be used or rendered; `line` counts from 1, 0 means unknown."""

    def __init__(self, template: str, line: int, reason: str) -> None:
        super().__init__(f"template {template!r}{f', line {line}' if line else ''}: {reason}")
        self.template = template
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Use:
    """A name that a template reads from its values, with the place of the first reading."""

    template: str
    line: int
    variable: str


class Templates:
    """A fixed set of named templates, beside the shipped ones. Rendering is deterministic, bounded in time and memory."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self.own = frozenset(sources)
        self.sources = {**SHIPPED, **sources}
        self._environment = MeteredEnvironment(self.sources)
        self._from_text = lru_cache(maxsize=512)(self._compile_text)

    def render(self, name: str, values: Mapping[str, Any]) -> str:
        """The template's text. Raises TemplateFailed."""
        return _guarded(name, lambda: self._run(self._environment.get_template(name), values))

    def render_text(self, source: str, values: Mapping[str, Any], *, name: str = "text") -> str:
        """The text of an operator's template that has no file of its own. Raises TemplateFailed, naming it `name`."""
        if not any(mark in source for mark in ("{{", "{%", "{#", "\r")):
            return source.removesuffix("\n")
        return _guarded(name, lambda: self._run(self._from_text(source, name), values))

    def check_text(self, source: str, *, name: str = "text") -> None:
        """Raises TemplateFailed if the source cannot be compiled."""
        _guarded(name, lambda: str(self._from_text(source, name)))

    def problems(self) -> list[tuple[str, int, str]]:
        """(template, line, message) of everything that is wrong before any value is known."""
        found: list[tuple[str, int, str]] = []
        for name in sorted(self.own):
            try:
                _guarded(name, lambda name=name: str(self._environment.get_template(name)))  # type: ignore[misc]
                tree = self._parsed(name)
            except TemplateFailed as error:
                found.append((error.template, error.line, error.reason))
            else:
                found += [
                    (name, line, f"there is no template {missing!r}") for missing, line in self._missing(tree)
                ]
        return found

    def variables(self, name: str) -> set[str]:
        """The names that the template needs from its values, also through include, import and extends."""
        return {use.variable for use in self.uses(name)}

    def uses(self, name: str) -> list[Use]:
        """Where each such name is first read; a template named only at run time is not followed."""
        found: dict[Use, None] = {}
        waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset())]
        seen: set[tuple[str, frozenset[str]]] = set()
        while waiting:
            current, given = waiting.pop(0)
            if (current, given) in seen or current not in self.sources:
                continue
            seen.add((current, given))
            tree = self._parsed(current)
            found.update(dict.fromkeys(_reads(tree, current, given)))
            waiting += [(other, given | _assigned(tree)) for other, _, _ in _references(tree)]
        return list(found)

    def _parsed(self, name: str) -> nodes.Template:
        return _guarded(name, lambda: self._environment.parse(self.sources[name], name))

    def _missing(self, tree: nodes.Template) -> Iterator[tuple[str, int]]:
        for name, line, needed in _references(tree):
            if needed and name not in self.sources:
                yield name, line

    def _compile_text(self, source: str, name: str) -> Template:
        code = self._environment.compile(source, name, name)
        return self._environment.template_class.from_code(
            self._environment, code, self._environment.make_globals(None)
        )

    def _run(self, template: Template, values: Mapping[str, Any]) -> str:
        token = meter.running.set(meter.Meter())
        try:
            context = template.new_context(dict(values))
            return meter.concat(template.root_render_func(context))
        finally:
            meter.running.reset(token)


# --- reading the tree -----------------------------------------------------------------------------------------


def _references(tree: nodes.Template) -> Iterator[tuple[str, int, bool]]:
    """(template, line, whether it must exist) of every include, import and extends that names one."""
    for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        target = node.template  # type: ignore[attr-defined]
        alone = isinstance(target, nodes.Const)
        needed = alone and not getattr(node, "ignore_missing", False)
        for item in [target] if alone else getattr(target, "items", ()):
            if isinstance(item, nodes.Const) and isinstance(item.value, str):
                yield item.value, node.lineno, needed


def _reads(tree: nodes.Template, name: str, given: frozenset[str]) -> Iterator[Use]:
    wanted = _guarded(name, lambda: find_undeclared_variables(tree)) - given - _exported(tree)
    lines: dict[str, int] = {}
    for node in tree.find_all(nodes.Name):
        if node.name in wanted and node.ctx == "load":
            lines[node.name] = min(node.lineno, lines.get(node.name, node.lineno))
    for variable in sorted(wanted):
        yield Use(name, lines.get(variable, 0), variable)


def _assigned(tree: nodes.Template) -> frozenset[str]:
    """Names that a template sets itself; what it includes sees them too."""
    names = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
    return _exported(tree) | names


def _exported(tree: nodes.Template) -> frozenset[str]:
    """Names set at the top level of a template, which its blocks see."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, nodes.Import):
            found.add(node.target)
        elif isinstance(node, nodes.FromImport):
            found.update(name if isinstance(name, str) else name[1] for name in node.names)
        elif isinstance(node, nodes.Macro):
            found.add(node.name)
        elif isinstance(node, nodes.Assign | nodes.AssignBlock):
            found.update(name.name for name in [node.target, *node.target.find_all(nodes.Name)] if _is_name(name))
    return frozenset(found)


def _is_name(node: nodes.Node) -> TypeGuard[nodes.Name]:
    return isinstance(node, nodes.Name)


# --- errors --------------------------------------------------------------------------------------------------


def _guarded(name: str, action: Callable[[], T]) -> T:
    """The boundary: what goes wrong inside Jinja comes out as TemplateFailed."""
    try:
        return action()
    except _FAULTS as error:
        raise _failure(name, error) from None


def _failure(name: str, error: BaseException) -> TemplateFailed:
    if isinstance(error, TemplateFailed):
        return error
    if isinstance(error, TemplateSyntaxError):
        return TemplateFailed(error.name or name, error.lineno, error.message or "it cannot be parsed")
    template, line = _place(error.__traceback__, name)
    return TemplateFailed(template, line, _reason(error))


def _place(trace: TracebackType | None, name: str) -> tuple[str, int]:
    """The innermost template in the traceback, and its line."""
    place = (name, 0)
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            place = (template.name or name, template.get_corresponding_lineno(trace.tb_lineno))
        trace = trace.tb_next
    return place


def _reason(error: BaseException) -> str:
    """One clause; the texts of foreign errors may quote a customer's values, so only their kind is told."""
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.name!r}"
    if isinstance(error, Refused | UndefinedError | SecurityError | TypeError):
        return str(error) or type(error).__name__
    if isinstance(error, RecursionError | MemoryError | SyntaxError):
        return "it is nested too deeply"
    if isinstance(error, ZeroDivisionError):
        return "it divides by zero"
    return f"a value does not fit what is done with it ({type(error).__name__})"
