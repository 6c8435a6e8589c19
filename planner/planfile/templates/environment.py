"""The Jinja environment of plan templates: sandboxed, repeatable, with bounded output and a hard bound on work.

Work is counted, not timed, so that a template is accepted or refused on every machine alike. A unit is about a microsecond.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, ValuesView
from types import GeneratorType
from typing import Any

from jinja2 import StrictUndefined, pass_context
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS

from planner.planfile.templates.templates import MAX_TEXT
from planner.planfile.text import shorten, unknown

WORK_PER_RENDER = 100_000
WORK_PER_PLAN = 4_000_000
_MAX_NUMBER = 10**30
_MAX_RANGE = 10**18
_JINJA_FILTERS = [
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "select",
    "selectattr",
    "sort",
    "title",
    "truncate",
    "unique",
    "upper",
    "wordcount",
]
_JINJA_TESTS = [
    "boolean",
    "defined",
    "divisibleby",
    "even",
    "false",
    "float",
    "integer",
    "iterable",
    "lower",
    "mapping",
    "none",
    "number",
    "odd",
    "sequence",
    "string",
    "true",
    "undefined",
    "upper",
]
FILTERS = frozenset({*_JINJA_FILTERS, "join", "replace", "round", "string", "trim"})
TESTS = frozenset(_JINJA_TESTS)
_WEIGHTS = {"title": 4, "wordcount": 4}
"""Filters that take longer for a text than others."""
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
    pass


class TooCostlyError(RenderError):
    """`of_plan`: all templates of the plan together did too much work, not this one alone."""

    def __init__(self, message: str, *, of_plan: bool) -> None:
        super().__init__(message)
        self.of_plan = of_plan


def shown(value: Any) -> str:
    """A single value as a template writes it: numbers and booleans as in JSON. Raises `RenderError` for anything else."""
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


def _size(value: Any) -> int:
    """How much work comparing, copying or walking a value is."""
    if isinstance(value, str):
        return 1 + len(value) // 16
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, (list, tuple, KeysView, ValuesView, ItemsView)):
        return 1 + sum(map(_size, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return 1 + len(value) if isinstance(value, range) else 1


class PlanEnvironment(SandboxedEnvironment):
    """Compiles trees made by `parse` and `restrict`."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self) -> None:
        self._left = WORK_PER_RENDER
        self._left_of_plan = WORK_PER_PLAN
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            optimized=False,  # constant folding would run filters at compile time, uncounted
            cache_size=0,
            finalize=self._finalize,
        )
        own = {"join": self._join, "replace": self._replace, "round": _round, "string": shown, "trim": _trim}
        counted = {**{name: JINJA_FILTERS[name] for name in _JINJA_FILTERS}, **own}
        self.filters: dict[str, Callable[..., Any]] = {
            **{name: self._counted(function, _WEIGHTS.get(name, 1)) for name, function in counted.items()},
            "__each": self._each,
            "__concat": self._join,
            "__flat": self._flat,
            "__operand": self._operand,
        }
        self.tests = {name: self._counted(JINJA_TESTS[name]) for name in _JINJA_TESTS}
        self.globals = {"range": self._range}

    def new_plan(self) -> None:
        self._left_of_plan = WORK_PER_PLAN

    def new_render(self, text: str) -> None:
        self._left = WORK_PER_RENDER
        self._work(1 + len(text) // 32)

    def text(self, value: str) -> str:
        """A text that was made: not too large, and counted."""
        if len(value) > MAX_TEXT:
            raise TooLargeError(f"a text of more than {MAX_TEXT:,} characters is made")
        self._work(1 + len(value) // 16)
        return value

    def _work(self, units: int) -> None:
        self._left -= units
        self._left_of_plan -= min(units, WORK_PER_RENDER)
        if self._left < 0:
            raise TooCostlyError("this template does too much work; use fewer or shorter loops", of_plan=False)
        if self._left_of_plan < 0:
            message = "the templates of this plan together do too much work; use fewer or shorter loops"
            raise TooCostlyError(message, of_plan=True)

    def _made(self, value: Any) -> Any:
        """Any result of an operation, counted by its size; a generator is counted as it goes."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, GeneratorType):
            return self._each(value)  # pyright: ignore[reportUnknownArgumentType]
        self._work(_size(value))
        return value

    # What compiled templates call

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        self._work(1)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            return self._join([left, right])
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)
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
        self._work(1)
        if isinstance(obj, (dict, list, tuple, str)):
            try:
                return self._made(obj[argument]) if isinstance(argument, slice) else obj[argument]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            except (LookupError, TypeError, ValueError):
                pass  # not there: undefined, as everywhere in Jinja
        return self._undefined(obj, argument)  # pyright: ignore[reportUnknownArgumentType]

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Jinja passes its context second to last and itself first."""
        self._work(1 + sum(map(_size, args)) + _size(getattr(obj, "__self__", None)))
        if not callable(obj):
            raise RenderError("this cannot be called: it is a value, not a function")
        return self._made(super().call(context, obj, *args, **kwargs))

    def is_safe_callable(self, obj: Any) -> bool:
        """`getattr` returns nothing else that can be called."""
        return callable(obj)

    def _undefined(self, obj: Any, name: Any) -> Undefined:
        if isinstance(obj, Undefined):
            str(obj)
        shortened = f"`{shorten(str(name), 40)}`"
        hint = f"{shortened} cannot be taken from this value"
        if isinstance(obj, dict):
            hint = unknown(f"{shortened} is not a key of this mapping", str(name), map(str, obj))  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(obj, (list, tuple, str)) and isinstance(name, int):
            hint = f"this {'text has no character' if isinstance(obj, str) else 'list has no item'} {name}"
        return self.undefined(hint=hint, name=str(name))

    @pass_context  # with it, Jinja does not evaluate constant output at compile time, uncounted
    def _finalize(self, _: Context, value: Any) -> str:
        return self.text(shown(value))

    def _range(self, *bounds: Any) -> range:
        if not bounds or not all(isinstance(bound, int) for bound in bounds):
            raise RenderError("range takes whole numbers")
        numbers = range(*bounds)
        if abs(numbers.start - numbers.stop) > _MAX_RANGE:  # its length may be more than Python can say
            self._work(WORK_PER_RENDER + 1)
        return numbers

    def _each(self, values: Iterable[Any], weight: int = 1) -> Iterator[Any]:
        for value in values:
            self._work(weight)
            yield value

    def _flat(self, values: Any) -> Any:
        for value in self._each(values):
            if isinstance(value, (list, tuple, dict)):
                raise RenderError("a list written in a template holds texts and numbers only")
        return values

    def _operand(self, value: Any) -> Any:
        self._work(_size(value))
        return value

    def _join(self, values: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        texts: list[str] = []
        length = 0
        for value in self._each(values):
            texts.append(shown(value if attribute is None else self.getitem(value, attribute)))
            length += len(texts[-1]) + len(d)
            if length > MAX_TEXT + len(d):
                raise TooLargeError(f"a text of more than {MAX_TEXT:,} characters is made")
        return shown(d).join(texts)

    def _replace(self, value: Any, old: Any, new: Any) -> str:
        text, old, new = shown(value), shown(old), shown(new)
        if len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
            raise TooLargeError(f"a text of more than {MAX_TEXT:,} characters is made")
        return text.replace(old, new)

    def _counted(self, function: Callable[..., Any], weight: int = 1) -> Callable[..., Any]:
        @functools.wraps(function)  # keeps Jinja's mark of functions that take the context or environment first
        def counted(*args: Any, **kwargs: Any) -> Any:
            self._work(1 + weight * sum(_size(arg) for arg in args))
            return self._made(function(*args, **kwargs))

        return counted


def _round(value: Any, precision: int = 0) -> float:
    if not isinstance(value, (int, float)) or not isinstance(precision, int) or not -_MAX_NUMBER < value < _MAX_NUMBER:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RenderError("round takes a number and a number of digits")
    return round(float(value), max(-30, min(30, precision)))


def _trim(value: Any) -> str:
    return shown(value).strip()
