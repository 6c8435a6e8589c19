"""Templates that need Jinja: checked against an allow-list of its syntax, compiled and rendered."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Template as JinjaTemplate
from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.exceptions import TemplateRuntimeError, UndefinedError

from planner.planfile.jinja_environment import (
    FILTERS,
    TESTS,
    Counted,
    Layout,
    Place,
    PlanEnvironment,
    RenderError,
    TooCostlyError,
    TooLargeError,
)
from planner.planfile.templates import TemplateFault
from planner.planfile.text import did_you_mean, one_of
from planner.values import frozen

MAX_PARTS = 10_000
"""Names, values and operations of one template."""
_NODES: frozenset[type[nodes.Node]] = frozenset(
    {
        nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
        nodes.Slice, nodes.Filter, nodes.Test, nodes.Call, nodes.Keyword, nodes.CondExpr, nodes.Compare, nodes.Operand,
        nodes.And, nodes.Or, nodes.Not, nodes.Neg, nodes.Pos, nodes.Add, nodes.Sub, nodes.Mul, nodes.Div,
        nodes.FloorDiv, nodes.Mod, nodes.Concat, nodes.List, nodes.Tuple, nodes.For, nodes.If, nodes.Assign,
    }
)  # fmt: skip
_WORDS: dict[type[nodes.Node], str] = {
    nodes.CallBlock: "call", nodes.FromImport: "from", nodes.Scope: "autoescape", nodes.Pow: "", nodes.Dict: "",
    nodes.FilterBlock: "", nodes.AssignBlock: "",
}  # fmt: skip
"""The word in the text of forbidden parts, if it is not the name of their class; empty: there is none."""
_QUOTED = re.compile(r"['`\"]([^'`\"]+)['`\"]")
_NOT_CLOSED = {"unexpected '}'", "unexpected end of template, expected 'end of print statement'"}
"""Jinja's messages about `{{ name }` and `{{ name`."""
_FAILURES = (
    RenderError, TemplateRuntimeError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError,
    RecursionError, AssertionError,
)  # fmt: skip
"""What operators and Jinja's filters raise for unsuitable values."""


def compile_program(text: str, environment: PlanEnvironment) -> Program:
    """Raises `TemplateFault`."""
    try:
        tree = environment.parse(text)
        _check(tree, environment.layout)
        tree = Counted().visit(tree)
        undeclared = meta.find_undeclared_variables(tree) - {"range"}
        template = environment.from_string(tree)
    except TemplateSyntaxError as error:
        raise _syntax_fault(environment.layout, error) from error
    except ValueError as error:  # of a number with more digits than Python reads
        raise TemplateFault("template-syntax", "a number in this template is too long") from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise TemplateFault("template-syntax", "this template is nested too deeply") from error
    uses = environment.layout.first_uses()
    names = {name: uses.get(name, 0) for name in sorted(undeclared, key=lambda name: (uses.get(name, 0), name))}
    return Program(names, template, environment.layout, environment)


@frozen
class Program:
    """A template compiled by Jinja."""

    names: Mapping[str, int]
    _template: JinjaTemplate
    _layout: Layout
    _environment: PlanEnvironment

    def render(self, values: Mapping[str, Any]) -> str:
        """Raises `TemplateFault`."""
        try:
            context = self._template.new_context(dict(values))
            return self._environment.write(self._template.root_render_func(context))
        except TooCostlyError as error:
            raise TemplateFault("template-too-costly", str(error)) from error
        except TooLargeError as error:
            raise TemplateFault("template-too-large", str(error)) from error
        except _FAILURES as error:
            place = self._place(error)
            if isinstance(error, UndefinedError):
                raise TemplateFault("template-undefined", str(error), *place) from error
            raise TemplateFault("template-failed", f"rendering failed: {error}", *place) from error

    def _place(self, error: Exception) -> Place:
        """The word that the error quotes, in the tag that raised it, or that tag."""
        line = 1
        traceback = error.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == "<template>":
                line = self._template.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        word = _QUOTED.search(str(error))
        return self._layout.place(line, word[1] if word else "")


def _check(tree: nodes.Template, layout: Layout) -> None:
    """Raise `TemplateFault` for parts that plan templates do not have."""
    pending: list[nodes.Node] = [tree]
    count = 0
    while pending:
        node = pending.pop()
        count += 1
        line: int = node.lineno or 1  # pyright: ignore[reportUnknownMemberType] - not all nodes have one
        name = str(getattr(node, "attr", None) or getattr(node, "name", None) or "")
        if count > MAX_PARTS:
            detail = f"a template may have {MAX_PARTS:,} names, values and operations"
            raise TemplateFault("template-too-costly", detail, *layout.place(line))
        if isinstance(node, nodes.Const) and isinstance(node.value, float) and not math.isfinite(node.value):
            raise TemplateFault("template-syntax", "a number in this template is too large", *layout.place(line))
        detail = word = ""
        if type(node) not in _NODES:
            word = _WORDS.get(type(node), type(node).__name__.lower())
            what = f"`{word}`" if word else "this"
            detail = f"{what} cannot be used in a plan: templates have names, filters, if, for and set"
        elif name.startswith("_"):
            word, detail = name, f"`{name}`: names that start with an underscore cannot be used"
        elif isinstance(node, nodes.Name) and name == "self":  # the template itself, for blocks
            word, detail = name, "`self` cannot be used in a plan"
        elif isinstance(node, nodes.For) and node.recursive:
            word, detail = "recursive", "recursive loops cannot be used in a plan"
        if detail:
            raise TemplateFault("template-forbidden", detail, *layout.place(line, word))
        pending.extend(node.iter_child_nodes())


def _syntax_fault(layout: Layout, error: TemplateSyntaxError) -> TemplateFault:
    detail = (error.message or "not a template").removesuffix(".")
    named = _QUOTED.search(detail)
    place = layout.place(error.lineno)
    if detail in _NOT_CLOSED:
        detail = "a tag is not closed: }} or %} is missing"
    for what, known in (("filter", FILTERS), ("test", TESTS)):
        if detail.startswith(f"No {what} named") and named is not None:
            hint = did_you_mean(named[1], known) or f"known: {one_of(sorted(known), 60)}"
            detail = f"there is no {what} `{named[1]}`; {hint}"
            place = layout.place(error.lineno, named[1])
    return TemplateFault("template-syntax", detail, *place)
