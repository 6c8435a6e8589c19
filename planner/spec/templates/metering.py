"""The Jinja environment of plan templates: sandboxed, repeatable, and bounded in steps and size.

Every operation whose work depends on its operands spends steps of a budget first: those that `language.restrict` passes
through filters, and operators, filters, calls and output here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from types import GeneratorType
from typing import Any

from jinja2 import StrictUndefined, pass_context
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.runtime import Context, LoopContext, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.tests import TESTS as JINJA_TESTS

from planner.spec.faults.wording import shorten, unknown
from planner.spec.templates.template import MAX_TEXT

STEPS_PER_RENDER = 100_000
STEPS_PER_PLAN = 10_000_000

_FILTERS = [
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
_OWN_FILTERS = ("join", "replace", "round", "string", "trim")
_TESTS = [
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
FILTERS = frozenset({*_FILTERS, *_OWN_FILTERS})
TESTS = frozenset(_TESTS)

_METHODS: dict[type, frozenset[str]] = {
    dict: frozenset({"get", "items", "keys", "values"}),
    str: frozenset({"capitalize", "endswith", "lower", "split", "startswith", "title", "upper"}),
    LoopContext: frozenset(
        {"index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem"}
    ),
}
_MAX_NUMBER = 10**30


class RenderError(Exception):
    """Rendering failed for this case's values; the message says why."""


class TooLargeError(RenderError):
    pass


class TooCostlyError(RenderError):
    pass


class Meter:
    """Steps left. A step is about a microsecond's work: one loop round, one operation, 16 characters copied."""

    __slots__ = ("_begun", "_left", "_total")

    def __init__(self) -> None:
        self._left = self._begun = STEPS_PER_RENDER
        self._total = STEPS_PER_PLAN

    def new_plan(self) -> None:
        self._total = STEPS_PER_PLAN

    def new_render(self, steps: int) -> None:
        """A render begins whose straight-line work is `steps`."""
        self._left = self._begun = min(STEPS_PER_RENDER, self._total)
        self.spend(steps)

    def spend(self, steps: int) -> None:
        self._left -= steps
        self._total -= steps
        if self._left < 0:
            self._total -= self._left  # what there was no room for is not done, and others may use the room
            raise TooCostlyError("this template does too much work; use fewer or shorter loops")

    @property
    def is_empty(self) -> bool:
        """Whether all that a plan may spend is spent."""
        return self._total <= 0

    @property
    def spent(self) -> int:
        """By the render that is over."""
        return self._begun - self._left

    def each(self, values: Iterable[Any], steps: int = 1) -> Iterator[Any]:
        for value in values:
            self.spend(steps)
            yield value

    def text(self, value: str) -> str:
        """A text that was made: not too large, and paid for."""
        if len(value) > MAX_TEXT:
            raise TooLargeError(f"a text of more than {MAX_TEXT:,} characters is made")
        self.spend(1 + len(value) // 16)
        return value

    def made(self, value: Any) -> Any:
        """Any result of an operation, paid for by its size; a generator pays as it goes."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, GeneratorType):
            return self.each(value)  # pyright: ignore[reportUnknownArgumentType]
        self.spend(_size(value))
        return value


def _size(value: Any) -> int:
    """Values in a value, so that comparing, copying or walking it is paid for. Plans bound what this can come to."""
    if isinstance(value, str):
        return 1 + len(value) // 16
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, (list, tuple)):
        return 1 + sum(map(_size, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return 1


def shown(value: Any) -> str:
    """A single value as a template writes it: numbers and booleans as in JSON. Raises `RenderError` for anything else."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Undefined):
        return str(value)  # raises, and says what is missing
    if value is None:
        raise RenderError("the value is empty (null); give it a value, or ask for it with {% if %}")
    if isinstance(value, dict):
        raise RenderError("the value is a mapping, not text; write one of its keys, such as .id")
    if isinstance(value, (list, tuple)):
        raise RenderError("the value is a list, not text; write | join(', ')")
    raise RenderError(
        "this is a function, not text; call it, as in name.upper()" if callable(value) else "the value is not text"
    )


class PlanEnvironment(SandboxedEnvironment):
    """Compiles trees made by `parse` and `restrict`."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%"})

    def __init__(self) -> None:
        self.meter = meter = Meter()
        super().__init__(
            undefined=StrictUndefined,
            autoescape=False,
            keep_trailing_newline=True,
            optimized=False,  # constant folding would run filters at compile time, outside the budget
            cache_size=0,
            finalize=self._finalize,
        )
        own: dict[str, Callable[..., Any]] = {
            "join": self._join, "replace": self._replace, "round": _round, "string": shown, "trim": _trim,
        }  # fmt: skip
        self.filters: dict[str, Callable[..., Any]] = {
            **{name: self._metered(JINJA_FILTERS[name]) for name in _FILTERS},
            **{name: self._metered(function) for name, function in own.items()},
            "__each": meter.each,
            "__concat": self._join,
            "__flat": self._flat,
            "__operand": self._operand,
        }
        self.tests = {name: JINJA_TESTS[name] for name in _TESTS}
        self.globals = {"range": self._range}

    # What compiled templates call

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        self.meter.spend(1)
        if operator == "+" and isinstance(left, str) and isinstance(right, str):
            if len(left) + len(right) > MAX_TEXT:
                raise TooLargeError(f"a text of more than {MAX_TEXT:,} characters is made")
            return self.meter.text(left + right)
        for value in (left, right):
            if isinstance(value, Undefined):
                str(value)
            if not isinstance(value, (int, float)) or not -_MAX_NUMBER < value < _MAX_NUMBER:
                text = isinstance(left, str) or isinstance(right, str)
                raise RenderError(
                    f"{operator} takes two numbers"
                    + (" (or, for +, two texts); use ~ to join a text and a number" if text else "")
                )
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of a mapping comes before a method of the same name: `order.items` is the author's."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]  # pyright: ignore[reportUnknownVariableType]
        for kind, names in _METHODS.items():
            if isinstance(obj, kind) and attribute in names:
                return getattr(obj, attribute)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        return self._undefined(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        self.meter.spend(1)
        if isinstance(obj, (dict, list, tuple, str)):
            try:
                return self.meter.made(obj[argument]) if isinstance(argument, slice) else obj[argument]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            except (LookupError, TypeError, ValueError):
                pass  # not there: undefined, as everywhere in Jinja
        return self._undefined(obj, argument)  # pyright: ignore[reportUnknownArgumentType]

    def call(self, context: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Jinja passes its context second to last and itself first."""
        self.meter.spend(1 + sum(map(_size, args)) + _size(getattr(obj, "__self__", None)))
        if not callable(obj):
            raise RenderError("this cannot be called: it is a value, not a function")
        return self.meter.made(super().call(context, obj, *args, **kwargs))

    def is_safe_callable(self, obj: Any) -> bool:
        """`getattr` hands out nothing else that can be called."""
        return callable(obj)

    def _undefined(self, obj: Any, name: Any) -> Undefined:
        if isinstance(obj, Undefined):
            str(obj)
        if isinstance(obj, dict):
            what = f"`{shorten(str(name), 40)}` is not a key of this mapping"
            return self.undefined(hint=unknown(what, str(name), map(str, obj)), name=str(name))  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(obj, (list, tuple, str)) and isinstance(name, int):
            what = "text has no character" if isinstance(obj, str) else "list has no item"
            return self.undefined(hint=f"this {what} {name}", name=str(name))
        return self.undefined(hint=f"`{shorten(str(name), 40)}` cannot be taken from this value", name=str(name))

    @pass_context  # with it, Jinja does not evaluate constant output when compiling, outside the budget
    def _finalize(self, _: Context, value: Any) -> str:
        return self.meter.text(shown(value))

    def _range(self, *bounds: Any) -> range:
        if not bounds or not all(isinstance(bound, int) for bound in bounds):
            raise RenderError("range takes whole numbers")
        numbers = range(*bounds)
        self.meter.spend(len(numbers) if -_MAX_NUMBER < numbers.start - numbers.stop < 2**60 else STEPS_PER_RENDER + 1)
        return numbers

    def _flat(self, values: Any) -> Any:
        for value in self.meter.each(values):
            if isinstance(value, (list, tuple, dict)):
                raise RenderError("a list written in a template holds texts and numbers only")
        return values

    def _operand(self, value: Any) -> Any:
        self.meter.spend(_size(value))
        return value

    def _join(self, values: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
        texts: list[str] = []
        length = 0
        for value in self.meter.each(values):
            texts.append(shown(value if attribute is None else self.getitem(value, attribute)))
            length += len(texts[-1]) + len(d)
            if length > MAX_TEXT + len(d):
                raise TooLargeError(f"a text of more than {MAX_TEXT:,} characters is made")
        return shown(d).join(texts)

    def _replace(self, value: Any, old: Any, new: Any) -> str:
        text, old, new = shown(value), shown(old), shown(new)
        if len(text) + (text.count(old)) * (len(new) - len(old)) > MAX_TEXT:
            raise TooLargeError(f"a text of more than {MAX_TEXT:,} characters is made")
        return text.replace(old, new)

    def _metered(self, function: Callable[..., Any]) -> Callable[..., Any]:
        meter = self.meter

        @functools.wraps(function)  # keeps Jinja's mark of functions that take the context or environment first
        def metered(*args: Any, **kwargs: Any) -> Any:
            meter.spend(1 + sum(_size(arg) for arg in args))
            return meter.made(function(*args, **kwargs))

        return metered


def _round(value: Any, precision: int = 0) -> float:
    if not isinstance(value, (int, float)) or not isinstance(precision, int) or not -_MAX_NUMBER < value < _MAX_NUMBER:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RenderError("round takes a number and a number of digits")
    return round(float(value), max(-30, min(30, precision)))


def _trim(value: Any) -> str:
    return shown(value).strip()
