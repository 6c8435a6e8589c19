"""The Jinja environment of plan templates: sandboxed, repeatable, and bounded in output and work.

Every value that a template computes passes `count_value`, which charges its size to a budget. Work is counted rather
than timed, so a template is accepted or refused on every machine alike. A step takes one or two microseconds. `Layout`
remembers where the tags of a template are.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, ValuesView
from itertools import islice
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes, pass_context
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.lexer import TokenStream
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS
from jinja2.visitor import NodeTransformer

from planner.planfile.templates import MAX_TEXT
from planner.planfile.text import shorten, unknown

Place = tuple[int, int]
"""Offsets of the first character and behind the last one."""


class Layout:
    """Filled by `tokens` up to the first error."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tags: list[Place] = []
        self._words: list[tuple[str, int, bool]] = []
        """Each with its offset, and whether it follows a dot."""

    def tokens(self, raw: Iterable[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
        """Jinja's tokens with their offset, plus 1, in the place of the line number."""
        position = 0
        after_dot = False
        try:
            for _, kind, value in raw:
                start = self.text.find(value, position)  # white space and \r may be left out between tokens
                start = start if start >= 0 else position
                position = start + len(value)
                if kind.endswith("_begin"):
                    self._tags.append((start, self._line_end(start)))
                elif kind.endswith("_end") and self._tags:
                    self._tags[-1] = self._tags[-1][0], position
                elif kind == "name":
                    self._words.append((value, start, after_dot))
                if kind != "whitespace":
                    after_dot = value == "."
                yield start + 1, kind, value
        except TemplateSyntaxError as error:
            error.lineno = position + 1
            raise

    def first_uses(self) -> dict[str, int]:
        """Names with their offsets, without those after a dot."""
        uses: dict[str, int] = {}
        for word, start, after_dot in self._words:
            if not after_dot:
                uses.setdefault(word, start)
        return uses

    def place(self, line: int, word: str = "") -> Place:
        """The word in the tag at this offset plus 1, or the tag, or the rest of the line if there is none."""
        tags = [tag for tag in self._tags if tag[0] < line]
        start, end = tags[-1] if tags else (line - 1, self._line_end(line - 1))
        places = (at for name, at, _ in self._words if name == word and start <= at < end)
        found = next(places, None)
        return (start, end) if found is None else (found, found + len(word))

    def _line_end(self, start: int) -> int:
        end = self.text.find("\n", start)
        return max(min(start + 1, len(self.text)), end if end >= 0 else len(self.text))


WORK_PER_RENDER = 100_000
WORK_PER_PLAN = 2_000_000
_CALL = 5
_UNDEFINED = 200
"""Steps that a call takes, and the search for a similar name."""
COUNT = "__count"
"""Name of the filter that counts a value."""
_MAX_NUMBER = 10**30
_JINJA_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items", "last", "length",
    "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "title",
    "truncate", "unique", "upper", "wordcount",
)  # fmt: skip
_JINJA_TESTS = (
    "boolean", "defined", "divisibleby", "even", "false", "float", "integer", "iterable", "lower", "mapping", "none",
    "number", "odd", "sequence", "string", "true", "undefined", "upper",
)  # fmt: skip
FILTERS = frozenset({*_JINJA_FILTERS, "join", "replace", "round", "string", "trim"})
TESTS = frozenset(_JINJA_TESTS)
_ATTRIBUTES: dict[type, frozenset[str]] = {
    dict: frozenset({"get", "items", "keys", "values"}),
    str: frozenset({"capitalize", "endswith", "lower", "split", "startswith", "title", "upper"}),
    LoopContext: frozenset(
        {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"}
    ),
}


class RenderError(Exception):
    """Rendering failed for this case's values; the message says why."""


class TooLargeError(RenderError):
    def __init__(self) -> None:
        super().__init__(f"this template makes a text of more than {MAX_TEXT:,} characters; shorten it")


class TooCostlyError(RenderError):
    """`of_plan`: the templates of the plan did too much work together, not this one alone."""

    def __init__(self, *, of_plan: bool) -> None:
        what = "the templates of this plan together do" if of_plan else "this template does"
        super().__init__(f"{what} too much work; use fewer or shorter loops")


class PlanEnvironment(SandboxedEnvironment):
    """Parses with offsets, plus 1, in the place of line numbers, and renders trees made by `Counted`."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self) -> None:
        self._left = WORK_PER_RENDER
        self._left_of_plan = WORK_PER_PLAN
        self.layout = Layout("")
        """Of the template that was parsed last."""
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            optimized=False,  # compiling must not evaluate anything
            cache_size=0,
            finalize=shown,
        )
        self.filters: dict[str, Callable[..., Any]] = {
            **{name: JINJA_FILTERS[name] for name in _JINJA_FILTERS},
            "join": self._join,
            "replace": _replace,
            "round": _round,
            "string": shown,
            "trim": _trim,
            COUNT: self.count_value,
        }
        self.tests = {name: JINJA_TESTS[name] for name in _JINJA_TESTS}
        self.globals = {"range": _range}

    def _tokenize(self, source: str, name: str | None, filename: str | None = None, state: str | None = None) -> Any:
        self.layout = Layout(source)
        tokens = self.layout.tokens(self.lexer.tokeniter(source, name, filename, state))
        return TokenStream(self.lexer.wrap(tokens, name, filename), name, filename)

    def new_plan(self) -> None:
        self._left_of_plan = WORK_PER_PLAN

    def write(self, pieces: Iterable[str]) -> str:
        """Join the output of a compiled template. Raises `RenderError` and what Jinja raises."""
        self._left = WORK_PER_RENDER
        return _joined(pieces, "")

    @pass_context  # Jinja evaluates nothing with a context while compiling
    def count_value(self, _: Context, value: Any) -> Any:
        """Charge a value's size. Generators and views become lists, so that their work is done and counted here."""
        if isinstance(value, (Iterator, KeysView, ValuesView, ItemsView)) and not isinstance(value, LoopContext):
            made: list[Any] = []
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                self._charge(item)
                made.append(item)
            return made
        self._charge(value)
        return value

    def _charge(self, value: Any) -> None:
        pending = [value]
        while pending:
            part = pending.pop()
            steps = 1
            if isinstance(part, str):
                steps += len(part) // 16
            elif isinstance(part, dict):
                pending.extend(part.values())  # pyright: ignore[reportUnknownArgumentType]
            elif isinstance(part, (list, tuple)):
                pending.extend(part)  # pyright: ignore[reportUnknownArgumentType]
            self._work(steps)

    def _work(self, steps: int) -> None:
        self._left -= steps
        self._left_of_plan -= steps
        if self._left < 0 or self._left_of_plan < 0:
            raise TooCostlyError(of_plan=self._left >= 0)

    # What compiled templates call

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return _joined([left, right], "")
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)  # raises, and says what is missing
            if not isinstance(value, (int, float)) or not -_MAX_NUMBER < value < _MAX_NUMBER:
                raise RenderError(f"{operator} takes two numbers; use ~ to join a text and a number")
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of a mapping comes before a method of the same name: `order.items` is the author's."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]  # pyright: ignore[reportUnknownVariableType]
        for kind, names in _ATTRIBUTES.items():
            if isinstance(obj, kind) and attribute in names:
                return getattr(obj, attribute)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return self._undefined(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, (dict, list, tuple, str)):
            try:
                return obj[argument]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            except (LookupError, TypeError, ValueError):
                return self._undefined(obj, argument)  # pyright: ignore[reportUnknownArgumentType]
        return self._undefined(obj, argument)

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Jinja passes its context second to last and itself first."""
        self._work(_CALL)
        if not callable(obj):
            raise RenderError("this cannot be called: it is a value, not a function")
        return super().call(context, obj, *args, **kwargs)

    def _undefined(self, obj: Any, name: Any) -> Undefined:
        if isinstance(obj, Undefined):
            str(obj)
        self._work(_UNDEFINED)
        quoted = f"`{shorten(str(name), 40)}`"
        hint = f"{quoted} cannot be taken from this value"
        if isinstance(obj, dict):
            hint = unknown(f"{quoted} is not a key of this mapping", str(name), map(str, obj))  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(obj, (list, tuple, str)) and isinstance(name, int):
            hint = f"this {'text has no character' if isinstance(obj, str) else 'list has no item'} {name}"
        return self.undefined(hint=hint, name=str(name))

    def _join(self, values: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        items = (value if attribute is None else self.getitem(value, attribute) for value in values)
        return _joined(map(shown, items), shown(d))


class Counted(NodeTransformer):
    """Passes every value that the template computes through the counting filter."""

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        self.generic_visit(node, *args, **kwargs)
        if isinstance(node, nodes.Concat):  # Jinja's own writes `True` for true
            items = nodes.List(node.nodes, lineno=node.lineno)  # pyright: ignore[reportUnknownMemberType]
            node = nodes.Filter(items, "join", [], [], None, None, lineno=node.lineno)  # pyright: ignore[reportUnknownMemberType]
        if isinstance(node, (nodes.Getattr, nodes.Getitem)) and isinstance(node.node, nodes.Filter):
            inner = node.node.node
            is_part = isinstance(inner, (nodes.Name, nodes.Getattr)) or (
                isinstance(inner, nodes.Getitem) and not isinstance(inner.arg, nodes.Slice)
            )
            if inner is not None and node.node.name == COUNT and is_part:
                node.node = inner  # the time to take a part of a value does not depend on its size
        is_value = isinstance(node, nodes.Expr) and not isinstance(node, (nodes.TemplateData, nodes.Slice))
        if is_value and getattr(node, "ctx", "load") == "load":
            return nodes.Filter(node, COUNT, [], [], None, None, lineno=node.lineno)  # pyright: ignore[reportUnknownMemberType]
        return node


def shown(value: Any) -> str:
    """A single value as a template writes it: numbers and booleans as in JSON. Raises `RenderError` for anything
    else."""
    match value:
        case str() | Undefined():
            return str(value)  # of an undefined value this raises, and says what is missing
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case None:
            raise RenderError("the value is empty (null); give it a value, or ask for it with {% if %}")
        case dict():
            raise RenderError("the value is a mapping, not text; write one of its keys, such as .id")
        case list() | tuple():
            raise RenderError("the value is a list, not text; write | join(', ')")
        case _:
            raise RenderError("the value is a function, not text; call it, as in name.upper()")


def _joined(texts: Iterable[str], separator: str) -> str:
    made: list[str] = []
    room = MAX_TEXT + len(separator)
    for text in texts:
        room -= len(text) + len(separator)
        if room < 0:
            raise TooLargeError
        made.append(text)
    return separator.join(made)


def _range(*bounds: Any) -> list[int]:
    if not bounds or not all(isinstance(bound, int) for bound in bounds):
        raise RenderError("range takes whole numbers")
    return list(islice(range(*bounds), WORK_PER_RENDER + 1))


def _replace(value: Any, old: Any, new: Any) -> str:
    text, old, new = shown(value), shown(old), shown(new)
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        raise TooLargeError
    return text.replace(old, new)


def _trim(value: Any) -> str:
    return shown(value).strip()


def _round(value: Any, precision: int = 0) -> float:
    if not isinstance(value, (int, float)) or not isinstance(precision, int) or not -_MAX_NUMBER < value < _MAX_NUMBER:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RenderError("round takes a number and a number of digits")
    return round(float(value), max(-30, min(30, precision)))
