"""The Jinja environment: what Jinja would do in plain Python is rewritten so that it is paid for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

from jinja2 import DictLoader, StrictUndefined, Template, nodes
from jinja2.exceptions import TemplateSyntaxError
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace, pass_context
from jinja2.visitor import NodeTransformer

from supportbot.templating import attributes, meter, operations
from supportbot.templating.attributes import Bound
from supportbot.templating.meter import Refused

MAX_SOURCE = 50_000
MAX_NODES = 15_000


class _Template(Template):
    """Counts each time that it is entered, from outside or through another template."""

    @classmethod
    def _from_namespace(
        cls, environment: Any, namespace: MutableMapping[str, Any], globals: MutableMapping[str, Any]
    ) -> _Template:
        template: _Template = super()._from_namespace(environment, namespace, globals)  # type: ignore[assignment]
        template.root_render_func = _counted(template.root_render_func)
        return template


def _counted(root: Callable[[Context], Iterator[str]]) -> Callable[[Context], Iterator[str]]:
    def render(context: Context) -> Iterator[str]:
        used = meter.running.get()
        used.enter_include()
        yield from root(context)
        used.include_depth -= 1

    return render


@pass_context
def _finalized(context: Context, value: Any) -> str:
    return meter.text(value)


class MeteredEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox with our attributes, calls, operators and filters in place of its own."""

    intercepted_binops = frozenset(("+", "-", "*", "/", "//", "%", "**"))
    template_class = _Template

    def __init__(self, sources: Mapping[str, str]) -> None:
        super().__init__(
            loader=DictLoader(sources),
            undefined=StrictUndefined,
            finalize=_finalized,
            optimized=False,
            auto_reload=False,
            cache_size=-1,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.filters = dict(operations.ALL_FILTERS)
        self.tests = dict(operations.ALL_TESTS)
        self.globals = {
            "range": Bound(_range),
            "dict": Bound(dict),
            "namespace": Bound(Namespace),
            "cycler": Bound(Cycler),
            "joiner": Bound(Joiner),
        }

    concat = staticmethod(meter.concat)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        if len(source) > MAX_SOURCE:
            raise TemplateSyntaxError(f"it is longer than {MAX_SOURCE} characters", 1, name)
        return super()._parse(source, name, filename)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        _refuse(source, name)
        tree = _Paying().visit(source)
        tree.set_environment(self)
        return super()._generate(tree, name, filename, defer_init)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return operations.operate(operator, self.binop_table[operator], left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise Refused(f"the name {attribute!r} starts with an underscore")
        if isinstance(obj, Undefined):
            return getattr(obj, attribute)
        found = attributes.attribute(obj, attribute)
        return self.undefined(obj=obj, name=attribute) if found is attributes.MISSING else found

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, str) and not isinstance(obj, Mapping):
            return self.getattr(obj, argument)
        meter.weigh(argument)
        if isinstance(obj, Undefined | Mapping | str | list | tuple | range):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                pass
        return self.undefined(obj=obj, name=argument)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(__obj, Macro | Bound | LoopContext | BlockReference | Joiner | Undefined):
            raise Refused(f"it calls a {type(__obj).__name__}")
        meter.weigh((args, {key: value for key, value in kwargs.items() if key not in _PLUMBING}))
        if isinstance(__obj, LoopContext):
            args = tuple(map(meter.iterable, args))
        used = meter.running.get()
        used.enter_call()
        result = __context.call(__obj, *args, **kwargs)
        used.depth -= 1
        return result


_PLUMBING = frozenset(("_loop_vars", "_block_vars", "caller"))


def _range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > meter.MAX_TURNS:
        raise Refused(f"its range has more than {meter.MAX_TURNS} steps")
    return found


def _refuse(tree: nodes.Template, name: str | None) -> None:
    if _size(tree) > MAX_NODES:
        raise TemplateSyntaxError("it has too many parts; split it into several templates", 1, name)
    for node in tree.find_all((nodes.Name, nodes.Getattr, nodes.EvalContextModifier)):
        reason = ""
        if isinstance(node, nodes.EvalContextModifier):
            reason = "autoescape does not exist here"
        elif isinstance(node, nodes.Name) and node.name == "self":
            reason = "'self' does not exist here"
        elif isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            reason = f"the name {node.attr!r} starts with an underscore"
        if reason:
            raise TemplateSyntaxError(reason, node.lineno, name)


class _Paying(NodeTransformer):
    """Rewrites a tree so that what Jinja would do in plain Python is paid for: bodies, loops, literals, `~`, ==."""

    def visit_Template(self, node: nodes.Template) -> Any:
        return self._body(node, "#step")

    def visit_Macro(self, node: nodes.Macro) -> Any:
        return self._body(node, "#step")

    def visit_CallBlock(self, node: nodes.CallBlock) -> Any:
        return self._body(node, "#step")

    def visit_Block(self, node: nodes.Block) -> nodes.Node:
        # a `required` block may hold nothing but white space
        return node if node.required else self._body(node, "#step")

    def visit_For(self, node: nodes.For) -> nodes.Node:
        self._body(node, "#turn")
        if node.test is not None:
            node.test = nodes.And(_paid(nodes.Const(_size(node.test)), "#test"), node.test, lineno=node.lineno)
        node.iter = _paid(node.iter, "#iterable")
        return node

    def visit_Include(self, node: nodes.Include) -> nodes.Node:
        return node if isinstance(node.template, nodes.List | nodes.Tuple) else self.generic_visit(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _paid(nodes.Tuple(node.nodes, "load", lineno=node.lineno), "#concat")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        node.expr = _paid(node.expr, "#built")
        for operand in node.ops:
            operand.expr = _paid(operand.expr, "#built")
        return node

    def visit_List(self, node: nodes.List) -> nodes.Node:
        return _paid(self.generic_visit(node), "#built")

    def visit_Dict(self, node: nodes.Dict) -> nodes.Node:
        return _paid(self.generic_visit(node), "#built")

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:
        self.generic_visit(node)
        return _paid(node, "#built") if node.ctx == "load" else node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        node.node = _paid(node.node, "#iterable")
        return _paid(node, "#built")

    def _body(self, node: Any, name: str) -> Any:
        units = sum(map(_size, node.body)) // 4 + 1
        self.generic_visit(node)
        node.body.insert(0, nodes.Output([_paid(nodes.Const(units), name)], lineno=node.lineno))
        return node


def _paid(node: Any, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno or 1)


def _size(node: nodes.Node) -> int:
    return 1 + sum(1 for _ in node.find_all(nodes.Node))
