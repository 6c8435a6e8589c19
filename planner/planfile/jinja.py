"""The template language: Jinja's own sandbox, with an allow-list of its syntax and bounds on output and time.

Templates have names, filters, tests, conditions and loops, but no loops in loops, no arithmetic and no calls, so that
no value is larger than those that are given. Filters, comparisons and rounds of loops check the time that is left.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.exceptions import TemplateRuntimeError, UndefinedError
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import LoopContext, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS

from planner.planfile.budget import Budget
from planner.planfile.text import did_you_mean, one_of, shorten, unknown

MAX_TEXT = 32 * 1024
"""Characters of a rendered text, and of any text made on the way."""
MAX_SOURCE = 64 * 1024
"""Characters of a template."""
FILTERS = frozenset(
    {
        "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items", "join", "last",
        "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "select",
        "selectattr", "sort", "string", "title", "trim", "truncate", "unique", "upper", "wordcount",
    }
)  # fmt: skip
TESTS = frozenset(
    {
        "boolean", "defined", "divisibleby", "even", "false", "float", "integer", "iterable", "lower", "mapping",
        "none", "number", "odd", "sequence", "string", "true", "undefined", "upper",
    }
)  # fmt: skip
_PART: tuple[type[nodes.Node], ...] = (nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Neg)
"""What a list and the arguments of a filter may contain: values that exist already."""
_NODES: frozenset[type[nodes.Node]] = frozenset(
    {
        nodes.Template, nodes.Output, nodes.TemplateData, *_PART, nodes.List, nodes.Tuple, nodes.Filter, nodes.Test,
        nodes.Keyword, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.For,
        nodes.If,
    }
)  # fmt: skip
_INSTEAD = (
    (nodes.Concat, "join strings by writing {{ a }}{{ b }}"),
    (nodes.Call, "nothing can be called; use a filter, such as {{ name | upper }}"),
    ((nodes.BinExpr, nodes.Neg), "templates have no arithmetic; write the result"),
)
_NOT_KNOWN = "this cannot be used in a plan: templates have names, filters, tests, if and for"
_TIMED = "(timed)"
_TIMED_LOOP = "(timed loop)"
"""Names of filters that no author can write."""
_TAG = re.compile(r"\{[{%#].*?(?:[}%#]\}|\Z)", re.DOTALL)
_OPEN = re.compile(r"\{\{(?:(?!\}\}|\{[{%#]).)*(?=\{[{%#]|\Z)", re.DOTALL)
"""A tag without an end."""
_WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
_QUOTED = re.compile(r"['`\"](\w+)['`\"]")
_NOT_CLOSED = {"unexpected '}'", "unexpected end of template, expected 'end of print statement'"}
"""Jinja's messages about `{{ name }` and `{{ name`."""
_TOO_SLOW = "the templates of this plan take too long; use fewer or shorter loops"


class TemplateError(Exception):
    """An error of a template. `start` and `end` are offsets into its text, None where it concerns all of it."""

    def __init__(self, code: str, detail: str, start: int | None = None, end: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.start = start
        self.end = end


class _RenderError(Exception):
    code = "template-failed"


class _TooLargeError(_RenderError):
    code = "template-too-large"

    def __init__(self) -> None:
        super().__init__(f"this template makes a string of more than {MAX_TEXT:,} characters; shorten it")


class _TooSlowError(_RenderError):
    code = "takes-too-long"

    def __init__(self) -> None:
        super().__init__(_TOO_SLOW)


_FAILURES = (
    _RenderError, TemplateRuntimeError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError,
    RecursionError, AssertionError,
)  # fmt: skip
"""What Jinja's filters and tests raise for unsuitable values."""


class Environment(ImmutableSandboxedEnvironment):
    """Jinja, restricted. Compiles `Program`s."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        super().__init__(
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            optimized=False,  # compiling must not evaluate anything
            cache_size=0,
            finalize=shown,
        )
        own: dict[str, Callable[..., Any]] = {"join": self._join, "replace": _replace, "string": shown, "trim": _trim}
        known = {**JINJA_FILTERS, **own}
        self.filters = {name: self._bounded(known[name]) for name in FILTERS}
        self.filters |= {_TIMED: self._timed, _TIMED_LOOP: self._timed_loop}
        self.tests = {name: self._bounded(JINJA_TESTS[name]) for name in TESTS}
        self.globals = {}

    def compile_program(self, text: str) -> Program:
        """Raises `TemplateError`."""
        if len(text) > MAX_SOURCE:
            detail = f"a template may have {MAX_SOURCE:,} characters, this has {len(text):,}"
            raise TemplateError("template-too-large", detail)
        if self.budget.exhausted:
            raise TemplateError("takes-too-long", _TOO_SLOW)
        try:
            tree = self.parse(text)
            names = _names_of(tree, text)
            _time(tree)
            return Program(text, names, self, self.from_string(tree))
        except TemplateSyntaxError as error:
            raise self._syntax_error(text, error) from error
        except ValueError as error:  # of a number with more digits than Python reads
            raise TemplateError("template-syntax", "a number in this template is too long") from error
        except (RecursionError, MemoryError, SyntaxError) as error:
            raise TemplateError("template-syntax", "this template is nested too deeply") from error

    def _syntax_error(self, text: str, error: TemplateSyntaxError) -> TemplateError:
        detail = (error.message or "not a template").removesuffix(".")
        if detail in _NOT_CLOSED and (found := _OPEN.search(text)):
            detail = "a tag is not closed: }} or %} is missing"
            return TemplateError("template-syntax", detail, found.start(), found.start() + len(found[0].split("\n")[0]))
        start, end = _place(text, error.lineno)
        values = [found.span() for found in _TAG.finditer(text, start, end) if found[0].startswith("{{")]
        faulty = next((place for place in values if not self._is_sound(text[slice(*place)])), (start, end))
        return TemplateError("template-syntax", detail, *faulty)

    def _is_sound(self, text: str) -> bool:
        try:
            self.parse(text)
        except TemplateSyntaxError:
            return False
        return True

    # What compiled templates call

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of a mapping, never an attribute of Python's; of `loop`, what Jinja has."""
        return super().getattr(obj, attribute) if isinstance(obj, LoopContext) else self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, (dict, list, tuple, str)):
            try:
                return obj[argument]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            except (LookupError, TypeError, ValueError):
                pass
        if isinstance(obj, Undefined):
            str(obj)  # raises, and says what is missing
        quoted = f"`{shorten(str(argument), 40)}`"
        hint = f"{quoted} cannot be taken from this value"
        if isinstance(obj, dict):
            hint = unknown(f"{quoted} is not a key of this mapping", str(argument), map(str, obj))  # pyright: ignore[reportUnknownArgumentType]
        return self.undefined(hint=hint, name=str(argument))

    def _bounded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A filter or a test that checks the time that is left, and takes and makes no long text."""

        @functools.wraps(function)  # keeps Jinja's marks of what it passes
        def bounded(*values: Any, **options: Any) -> Any:
            self._check_time()
            result = function(*map(_short, values), **options)
            return _short(result)

        return bounded

    def _timed(self, value: Any) -> Any:
        self._check_time()
        return value

    def _timed_loop(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self._check_time()
            yield value

    def _check_time(self) -> None:
        if self.budget.exhausted:
            raise _TooSlowError

    def _join(self, values: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        items = (value if attribute is None else self.getitem(value, attribute) for value in values)
        return self.joined(map(shown, items), shown(d))

    def joined(self, texts: Iterable[str], separator: str = "") -> str:
        made: list[str] = []
        room = MAX_TEXT + len(separator)
        for text in texts:
            self._check_time()
            room -= len(text) + len(separator)
            if room < 0:
                raise _TooLargeError
            made.append(text)
        return separator.join(made)


class Program:
    """A compiled template. `names` maps each name that it takes from outside to the offset of its first use."""

    def __init__(self, text: str, names: Mapping[str, int], environment: Environment, compiled: Any) -> None:
        self.text = text
        self.names = names
        self._environment = environment
        self._compiled = compiled

    def render(self, values: Mapping[str, Any]) -> str:
        """The text for these values, which must have all `names`. Raises `TemplateError`."""
        try:
            pieces = self._compiled.root_render_func(self._compiled.new_context(dict(values)))
            return self._environment.joined(pieces)
        except _FAILURES as error:
            code, detail = getattr(error, "code", "template-failed"), str(error)
            if code in {"template-too-large", "takes-too-long"}:
                raise TemplateError(code, detail) from error
            if isinstance(error, UndefinedError):
                code = "template-undefined"
            else:
                detail = f"rendering failed: {detail}"
            raise TemplateError(code, detail, *self._place(error)) from error

    def _place(self, error: Exception) -> tuple[int, int]:
        line = 1
        traceback = error.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == "<template>":
                line = self._compiled.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        word = _QUOTED.search(str(error))
        return _place(self.text, line, word[1] if word else "")


def _names_of(tree: nodes.Template, text: str) -> dict[str, int]:
    """The names that a template takes from outside, with the offsets of their first uses. Raises `TemplateError` for
    syntax that plan templates do not have."""
    names: set[str] = set()

    def visit(node: nodes.Node, inner: frozenset[str]) -> None:
        """`inner` are the names that the loop around the node defines; none if there is no loop."""
        _check(node, text)
        if isinstance(node, nodes.For):
            if inner:
                raise _forbidden(node, text, "a loop cannot contain another loop; use the matrix for what varies")
            visit(node.iter, inner)
            targets = [node.target] if isinstance(node.target, nodes.Name) else node.target.find_all(nodes.Name)
            inner = frozenset({"loop", *(target.name for target in targets)})
        elif isinstance(node, nodes.Name) and node.name not in inner:
            names.add(node.name)
        for child in node.iter_child_nodes(exclude=("iter",)):
            visit(child, inner)

    visit(tree, frozenset())
    uses: dict[str, int] = {}
    for tag in _TAG.finditer(text):
        for word in _WORD.finditer(text, *tag.span()):
            uses.setdefault(word[0], word.start())
    return {name: uses.get(name, 0) for name in sorted(names, key=lambda name: uses.get(name, 0))}


def _check(node: nodes.Node, text: str) -> None:
    """Raises `TemplateError`."""
    if detail := _not_allowed(node):
        raise _forbidden(node, text, detail)
    for kind, what, known in ((nodes.Filter, "filter", FILTERS), (nodes.Test, "test", TESTS)):
        if isinstance(node, kind) and node.name not in known:
            hint = did_you_mean(node.name, known) or f"known: {one_of(sorted(known), 60)}"
            detail = f"there is no {what} `{node.name}`; {hint}"
            raise TemplateError("template-syntax", detail, *_place(text, node.lineno, node.name))  # pyright: ignore[reportUnknownMemberType]


def _forbidden(node: nodes.Node, text: str, detail: str) -> TemplateError:
    word = getattr(node, "attr", None) or getattr(node, "name", None) if isinstance(node, nodes.Expr) else None
    return TemplateError("template-forbidden", detail, *_place(text, node.lineno or 1, str(word or "")))  # pyright: ignore[reportUnknownMemberType]


def _not_allowed(node: nodes.Node) -> str:
    """Why plan templates cannot have this; empty if they can."""
    if type(node) not in _NODES or (isinstance(node, nodes.Neg) and not isinstance(node.node, nodes.Const)):
        return next((instead for kind, instead in _INSTEAD if isinstance(node, kind)), _NOT_KNOWN)
    name = str(getattr(node, "attr", None) or getattr(node, "name", None) or "")
    if name.startswith("_") or name == "self":
        return f"`{name}` cannot be used in a plan"
    if isinstance(node, nodes.For) and node.recursive:
        return "recursive loops cannot be used in a plan"
    if isinstance(node, nodes.Getitem) and not isinstance(node.arg, _PART):
        return "between the brackets there must be a number, a string or a name"
    values: list[nodes.Node] = []
    if isinstance(node, nodes.List | nodes.Tuple):
        values = [*node.items]
    elif isinstance(node, nodes.Filter | nodes.Test):
        values = [*node.args, *(each.value for each in node.kwargs)]
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            return "the arguments of a filter cannot be unpacked"
    if not all(isinstance(value, _PART) for value in values):
        return "lists and the arguments of filters are names and values only"
    return ""


def _time(tree: nodes.Template) -> None:
    """Make loops and comparisons check the time that is left."""
    for loop in tree.find_all(nodes.For):
        loop.iter = _filtered(cast("nodes.Expr", loop.iter), _TIMED_LOOP)
    for operand in tree.find_all(nodes.Operand):
        operand.expr = _filtered(operand.expr, _TIMED)


def _filtered(node: nodes.Expr, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)  # pyright: ignore[reportUnknownMemberType]


def _place(text: str, line: int, word: str = "") -> tuple[int, int]:
    """The first occurrence of a word in the tags that begin on a line or are open there; without it, all of these
    tags, or the line."""
    starts = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", text))]
    start = starts[min(line, len(starts)) - 1]
    end = starts[line] if line < len(starts) else len(text)
    tags = [found.span() for found in _TAG.finditer(text) if found.end() > start and found.start() < end]
    for first, last in tags:
        if word and (found := re.compile(rf"(?<!\w){re.escape(word)}(?!\w)").search(text, first, last)):
            return found.span()
    if tags:
        return tags[0][0], tags[-1][1]
    return start, max(start + len(text[start:end].rstrip()), min(start + 1, len(text)))


def shown(value: Any) -> str:
    """A single value as a template writes it: numbers and booleans as in JSON. Raises `_RenderError` for anything
    else."""
    match value:
        case str() | Undefined():
            return str(value)  # of an undefined value this raises, and says what is missing
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case None:
            raise _RenderError("the value is empty (null); give it a value, or ask for it with {% if %}")
        case dict():
            raise _RenderError("the value is a mapping, not a string; write one of its keys, such as .id")
        case _:
            raise _RenderError("the value is a list, not a string; write | join(', ')")


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise _TooLargeError
    return value


def _replace(value: Any, old: Any, new: Any) -> str:
    text, old, new = shown(value), shown(old), shown(new)
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        raise _TooLargeError
    return text.replace(old, new)


def _trim(value: Any) -> str:
    return shown(value).strip()
