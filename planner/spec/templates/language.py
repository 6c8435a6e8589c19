"""The part of Jinja's language that plan templates have, and its rewriting so that what can take long is metered.

Jinja's own sandbox keeps a template from Python's internals, but not from running for hours: nested loops, `"a" * 10**9`,
repeated doubling, comparing lists of lists. So macros, includes and the like are refused, and loops, comparisons, lists
and joining are passed through filters of `metering.PlanEnvironment` that pay for the work before it is done.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable
from typing import cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

_NODES: frozenset[type[nodes.Node]] = frozenset(
    {
        nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice,
        nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
        nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Concat,
        nodes.List, nodes.Tuple, nodes.For, nodes.If, nodes.Assign,
    }
)  # fmt: skip
_CALLED: dict[type[nodes.Node], str] = {
    nodes.Pow: "**",
    nodes.Dict: "a mapping",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "a filter block",
    nodes.AssignBlock: "a set block",
    nodes.FromImport: "from",
    nodes.Scope: "autoescape",
}
"""What authors call the parts that their class does not name."""


_WORDLESS = frozenset({nodes.Pow, nodes.Dict, nodes.FilterBlock, nodes.AssignBlock})
"""Parts that are not written as what they are called."""


MAX_PARTS = 10_000
"""Of one template: compiling takes some 40 µs and 20 KiB for each."""


class ForbiddenError(Exception):
    """The template uses a part of the language that plans do not have, or too much of it. `line` counts from 1."""

    def __init__(self, message: str, line: int, word: str = "", *, code: str = "template-forbidden") -> None:
        super().__init__(message)
        self.code = code
        self.line = line
        self.word = word


def restrict(tree: nodes.Template) -> nodes.Template:
    """The same template with what can take long metered. Raises `ForbiddenError` for parts that plans do not have."""
    _check(tree)
    return _Metered().visit(tree)


def _check(tree: nodes.Template) -> None:
    pending: list[nodes.Node] = [tree]
    count = 0
    while pending:
        node = pending.pop()
        count += 1
        line: int = node.lineno or 1  # pyright: ignore[reportUnknownMemberType] - not all nodes have one
        if count > MAX_PARTS:
            detail = f"more than {MAX_PARTS:,} names, values and operations in one template"
            raise ForbiddenError(detail, line, code="template-too-costly")
        if type(node) not in _NODES:
            name = type(node).__name__.lower()
            called = _CALLED.get(type(node), name)
            raise ForbiddenError(
                f"{called} cannot be used in a plan's templates: they have names, filters, if, for and set",
                line,
                called if type(node) not in _WORDLESS else "",
            )
        if isinstance(node, nodes.Const) and isinstance(node.value, float) and not math.isfinite(node.value):
            raise ForbiddenError("a number in this template is too large", line, code="template-syntax")
        if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
            raise ForbiddenError(f"`{node.attr}`: names that start with an underscore cannot be used", line, node.attr)
        if isinstance(node, nodes.Name) and node.name.startswith("_"):
            raise ForbiddenError(f"`{node.name}`: names that start with an underscore cannot be used", line, node.name)
        if isinstance(node, nodes.For) and node.recursive:
            raise ForbiddenError("recursive loops cannot be used in a plan's templates", line, "recursive")
        pending.extend(node.iter_child_nodes())


def free_uses(tree: nodes.Template, wanted: Collection[str]) -> dict[str, int]:
    """Of names that a loop binds somewhere, which of its uses in the text, from 0, is the first outside any that binds it."""
    if not any(name.name in wanted for loop in tree.find_all(nodes.For) for name in _bound(loop)):
        return {}
    seen: Counter[str] = Counter()
    free: dict[str, int] = {}

    def visit(node: nodes.Node, bound: frozenset[str]) -> None:
        if isinstance(node, nodes.Name):
            if node.ctx == "load" and node.name not in bound:
                free.setdefault(node.name, seen[node.name])
            seen[node.name] += 1
        elif isinstance(node, nodes.For):
            inside = bound.union(name.name for name in _bound(node))
            for part, names in (
                ([node.target], bound),
                ([node.iter], bound),
                ([node.test] if node.test is not None else [], inside),
                (node.body, inside),
                (node.else_, bound),
            ):
                for below in part:
                    visit(below, names)
        else:
            for below in node.iter_child_nodes():
                visit(below, bound)

    visit(tree, frozenset())
    return {name: use for name, use in free.items() if name in wanted}


def _bound(loop: nodes.For) -> Iterable[nodes.Name]:
    return [loop.target] if isinstance(loop.target, nodes.Name) else loop.target.find_all(nodes.Name)


class _Metered(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - the visitor's naming
        weight = _weight(node.body) + _weight(node.else_) + (1 if node.test is None else _weight([node.test]))
        self.generic_visit(node)
        node.iter = _filter(cast(nodes.Expr, node.iter), "__each", nodes.Const(weight))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), "__concat")

    def visit_List(self, node: nodes.List) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _filter(node, "__flat")

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return node if node.ctx == "store" else _filter(node, "__flat")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _filter(node.expr, "__operand")
        for operand in node.ops:
            operand.expr = _filter(operand.expr, "__operand")
        return node


def _filter(node: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def _weight(body: Iterable[nodes.Node]) -> int:
    """Steps one round of a loop takes, inner loops' rounds apart."""
    weight = 1
    pending = list(body)
    while pending:
        node = pending.pop()
        weight += 1 + (len(node.data) // 16 if isinstance(node, nodes.TemplateData) else 0)
        pending.extend(node.iter_child_nodes())
    return weight
