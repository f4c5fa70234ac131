"""What a template reads, found without rendering it."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, TemplateSyntaxError, meta, nodes

# Parsed only, never rendered: what is rendered goes through the sandbox of the caller.
_PARSER = Environment(autoescape=True)


@lru_cache(maxsize=4096)
def template_names(text: str) -> frozenset[str]:
    """The names a template must be given; `slots.total` counts as `total`. Raises ValueError if it cannot be read."""
    try:
        tree = _PARSER.parse(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"the template cannot be read: {error.message}") from error
    found = set(meta.find_undeclared_variables(tree))
    if "slots" in found:
        found |= {name for node in tree.find_all((nodes.Getattr, nodes.Getitem)) if (name := _slot(node))}
    return frozenset(found - {"slots"})


def _slot(node: nodes.Node) -> str:
    inside = getattr(node, "node", None)
    if not isinstance(inside, nodes.Name) or inside.name != "slots":
        return ""
    if isinstance(node, nodes.Getattr):
        return node.attr
    key = getattr(node, "arg", None)
    return str(key.value) if isinstance(key, nodes.Const) else ""
