"""Expectations validated by their kind's own model: each distinct one once, and within what the patterns of a plan may come to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, to_json

from planner.checks.base import Expectation
from planner.checks.patterns import TOO_LARGE, compile_pattern
from planner.planfile.yaml.document import as_json

MAX_STATES = 400_000
"""Of all patterns and expressions of a plan, as RE2 counts them: compiling takes some 2 µs and 150 bytes for each."""

_EXPRESSION = 20
"""Compiling an expression takes as long as so many states do, about."""
_PATH = 60
"""And reading a path."""
_FAULTY = 3
"""Telling what is wrong with an expectation takes as much longer than making it."""
_TOO_LARGE = 200_000
"""Compiling a pattern that turns out to be too large takes as long as so many states do, at worst."""
_KEYS = ("matches", "also")
_COSTLY = re.compile(rb'"(?:cel|matches|also|path)"')


@dataclass(slots=True)
class Validations:
    """One for all plans loaded together."""

    made_bytes: int = 0
    """Size of all distinct expectations so far, as JSON."""
    _known: dict[tuple[str, bytes], Expectation | list[ErrorDetails]] = field(
        default_factory=dict[tuple[str, bytes], Expectation | list[ErrorDetails]]
    )
    _states: int = MAX_STATES
    """How many the patterns of this plan may still have."""
    _paths: set[str] = field(default_factory=set[str])
    """Those that this plan's expectations have: a path is read once."""
    _told: bool = False
    """That they are too many: once for a plan."""

    @property
    def exhausted(self) -> bool:
        """Whether this plan's patterns are too many: more of them only take time."""
        return self._states < 0

    def new_plan(self) -> None:
        self._states = MAX_STATES
        self._paths.clear()
        self._told = False

    def validate(
        self, kind: type[Expectation], content: Mapping[str, Any], name: str, json: bytes | None = None
    ) -> Expectation | list[ErrorDetails]:
        """The expectation under this id, or what is wrong with it. `json` is the content's, where that is known."""
        if json is not None and "id" not in content:
            document = b'%s,"id":%s}' % (json[:-1], _json_of(name))  # a check is named before: it is not empty
        elif json is not None and content["id"] == name:
            document = json
        else:
            document = as_json({**content, "id": name})
        key = (kind.__name__, document)
        known = self._known.get(key)
        if known is not None:
            return known
        costly = _COSTLY.search(document) is not None  # most are not, and one search is quicker than four
        expression = costly and b'"cel"' in document
        patterns = costly and (b'"matches"' in document or b'"also"' in document)
        paths = costly and b'"path"' in document
        if costly and self._states < 0:
            told, self._told = self._told, True
            return [TOLD if told else _too_many(content)]
        try:
            known = kind.__pydantic_validator__.validate_json(document, strict=True)  # less a call than by the model
        except ValidationError as error:
            known = _without_consequences(error.errors(include_url=False))
            self.made_bytes += _FAULTY * len(document)
            self._states -= _TOO_LARGE * any(TOO_LARGE in fault["msg"] for fault in known)
        else:
            self._states -= _EXPRESSION * expression
            if paths:
                new = {*_texts_at(("path",), vars(known))} - self._paths
                self._paths |= new
                self._states -= _PATH * len(new)
            if patterns:
                self._states -= sum(compile_pattern(pattern).programsize for pattern in _texts_at(_KEYS, vars(known)))
        self._known[key] = known
        self.made_bytes += len(document)
        return known


@lru_cache(maxsize=1_000)
def _json_of(name: str) -> bytes:
    return to_json(name)


def _without_consequences(faults: list[ErrorDetails]) -> list[ErrorDetails]:
    """A list is not too short for items that could not be read."""
    if len(faults) == 1:
        return faults
    above = {fault["loc"][:length] for fault in faults for length in range(len(fault["loc"]))}
    return [fault for fault in faults if fault["type"] != "too_short" or fault["loc"] not in above]


def _texts_at(keys: Sequence[str], value: Any, key: str = "") -> Iterator[str]:
    """The texts under these keys, in parts and lists too."""
    if isinstance(value, str):
        if key in keys:
            yield value
    elif isinstance(value, BaseModel):
        yield from _texts_at(keys, vars(value))
    elif isinstance(value, Mapping):
        for name, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _texts_at(keys, item, str(name))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, (list, tuple)):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts_at(keys, item, key)


TOLD: ErrorDetails = {"type": "told", "loc": (), "msg": "", "input": None}
"""Stands for a fault of the plan that was told of another expectation."""


def _too_many(content: Mapping[str, Any]) -> ErrorDetails:
    message = (
        "the patterns, paths and expressions of all expectations of this plan are too large, or too many: "
        f"together they may have {MAX_STATES:,} states"
    )
    return {"type": "value_error", "loc": (), "msg": message, "input": content}
