"""Validates expectations by the model of their check: each distinct one once, within a limit on the patterns of a plan."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from planner.checks.base import Expectation
from planner.checks.patterns import TOO_LARGE, compile_pattern
from planner.planfile.yaml.document import as_json

MAX_STATES = 400_000
"""Maximum size of all patterns and expressions of a plan, in RE2's states: each takes about 2 µs and 150 bytes to compile."""

_EXPRESSION = 20
"""Compiling an expression takes as long as compiling a pattern with this many states."""
_PATH = 60
"""Compiling a JSONPath takes as long as compiling a pattern with this many states."""
_TOO_LARGE = 200_000
"""A pattern that is too large takes as long to reject as one with this many states, at worst."""
_FAULTY = 3
"""Explaining an invalid expectation takes this many times as long as validating it."""
_COSTLY = re.compile(rb'"(?:cel|matches|also|path)"')


@dataclass(slots=True)
class Validations:
    """Shared by all plans that are loaded together."""

    made_bytes: int = 0
    """Size of all distinct expectations so far, as JSON."""
    _known: dict[tuple[str, bytes], Expectation | list[ErrorDetails]] = field(
        default_factory=dict[tuple[str, bytes], Expectation | list[ErrorDetails]]
    )
    _states: int = MAX_STATES
    """The remaining states of this plan."""
    _paths: set[str] = field(default_factory=set[str])
    """The compiled JSONPaths of this plan."""
    _reported: bool = False

    @property
    def exhausted(self) -> bool:
        """Whether this plan has too many patterns, so that reading more only takes time."""
        return self._states < 0

    def new_plan(self) -> None:
        self._states = MAX_STATES
        self._paths.clear()
        self._reported = False

    def validate(
        self, kind: type[Expectation], content: Mapping[str, Any], name: str
    ) -> Expectation | list[ErrorDetails]:
        """The expectation under this id, or its errors; no errors if the plan has too many patterns, which was reported."""
        document = as_json({**content, "id": name})
        key = (kind.__name__, document)
        known = self._known.get(key)
        if known is not None:
            return known
        costly = _COSTLY.search(document) is not None
        if costly and self.exhausted:
            reported, self._reported = self._reported, True
            return [] if reported else [_too_many(content)]
        try:
            known = kind.model_validate_json(document, strict=True)
        except ValidationError as error:
            known = _without_consequences(error.errors(include_url=False))
            self.made_bytes += _FAULTY * len(document)
            self._states -= _TOO_LARGE * any(TOO_LARGE in fault["msg"] for fault in known)
        else:
            if costly:
                self._states -= self._cost(known)
        self._known[key] = known
        self.made_bytes += len(document)
        return known

    def _cost(self, expectation: Expectation) -> int:
        fields = vars(expectation)
        new_paths = {*_texts_at(("path",), fields)} - self._paths
        self._paths |= new_paths
        patterns = sum(compile_pattern(pattern).programsize for pattern in _texts_at(("matches", "also"), fields))
        return patterns + _PATH * len(new_paths) + _EXPRESSION * len([*_texts_at(("cel",), fields)])


def _without_consequences(faults: list[ErrorDetails]) -> list[ErrorDetails]:
    """Drop "too short" errors of lists with items that could not be read."""
    if len(faults) == 1:
        return faults
    above = {fault["loc"][:length] for fault in faults for length in range(len(fault["loc"]))}
    return [fault for fault in faults if fault["type"] != "too_short" or fault["loc"] not in above]


def _texts_at(keys: Sequence[str], value: Any, key: str = "") -> Iterator[str]:
    """All texts under these keys, at any depth."""
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


def _too_many(content: Mapping[str, Any]) -> ErrorDetails:
    message = (
        "the patterns, paths and expressions of all expectations of this plan are too large, or too many: "
        f"together they may have {MAX_STATES:,} states"
    )
    return {"type": "value_error", "loc": (), "msg": message, "input": content}
