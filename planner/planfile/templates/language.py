"""The part of Jinja's language that plan templates have: an allow-list of syntax nodes.

Loops get their work counted: the sandbox of Jinja keeps templates from Python's internals, not from running for hours.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import cast

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

MAX_PARTS = 10_000
"""Names, values and operations of one template."""
_NODES: frozenset[type[nodes.Node]] = frozenset(
    {
        nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice,
        nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or,
        nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Concat,
        nodes.List, nodes.Tuple, nodes.For, nodes.If, nodes.Assign,
    }
)  # fmt: skip
_WORDS: dict[type[nodes.Node], str] = {
    nodes.CallBlock: "call", nodes.FromImport: "from", nodes.Scope: "autoescape", nodes.Pow: "", nodes.Dict: "",
    nodes.FilterBlock: "", nodes.AssignBlock: "",
}  # fmt: skip
"""The word in the text of parts that are refused, if it is not the name of their class; empty: there is none."""


class ForbiddenError(Exception):
    """The template uses a part of the language that plans do not have, or too much of it. `line` counts from 1."""

    def __init__(self, message: str, line: int, word: str = "", *, code: str = "template-forbidden") -> None:
        super().__init__(message)
        self.code = code
        self.line = line
        self.word = word


def restrict(tree: nodes.Template) -> nodes.Template:
    """The same template with its work counted. Raises `ForbiddenError` for parts that plans do not have."""
    pending: list[nodes.Node] = [tree]
    count = 0
    while pending:
        node = pending.pop()
        count += 1
        line: int = node.lineno or 1  # pyright: ignore[reportUnknownMemberType] - not all nodes have one
        if count > MAX_PARTS:
            message = f"a template may have {MAX_PARTS:,} names, values and operations"
            raise ForbiddenError(message, line, code="template-too-costly")
        _check(node, line)
        pending.extend(node.iter_child_nodes())
    return _Counted().visit(tree)


def _check(node: nodes.Node, line: int) -> None:
    if type(node) not in _NODES:
        word = _WORDS.get(type(node), type(node).__name__.lower())
        what = f"`{word}`" if word else "this"
        raise ForbiddenError(
            f"{what} cannot be used in a plan: templates have names, filters, if, for and set", line, word
        )
    if isinstance(node, nodes.Const) and isinstance(node.value, float) and not math.isfinite(node.value):
        raise ForbiddenError("a number in this template is too large", line, code="template-syntax")
    name = node.attr if isinstance(node, nodes.Getattr) else node.name if isinstance(node, nodes.Name) else ""
    if name.startswith("_"):
        raise ForbiddenError(f"`{name}`: names that start with an underscore cannot be used", line, name)
    if isinstance(node, nodes.For) and node.recursive:
        raise ForbiddenError("recursive loops cannot be used in a plan", line, "recursive")


class _Counted(NodeTransformer):
    """Passes what can take long through filters of the environment that count it."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - the visitor's naming
        weight = sum(map(_weight, (node.body, node.else_, [node.test] if node.test is not None else [])))
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
        for part in (node, *node.ops):
            part.expr = _filter(part.expr, "__operand")
        return node


def _filter(node: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(node, name, list(args), [], None, None, lineno=node.lineno)


def _weight(body: Iterable[nodes.Node]) -> int:
    """Work of one round of a loop, without the rounds of inner loops."""
    weight = 1
    pending = list(body)
    while pending:
        node = pending.pop()
        weight += 1 + (len(node.data) // 16 if isinstance(node, nodes.TemplateData) else 0)
        pending.extend(node.iter_child_nodes())
    return weight
