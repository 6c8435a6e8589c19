"""`field`: a value of the call object, as the service gives it."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import pydantic_core
from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from planner.checks.base import Expectation, FindingOutcome, Judgement, Missed, PartsRead, errored, failed, passed
from planner.checks.combining import all_hold
from planner.checks.fields import NotBool
from planner.checks.json_path_faults import PathError
from planner.checks.json_paths import MAX_VALUES, TooManyValuesError, compile_path, find_values
from planner.checks.matching import AnyOf, Expected, ExpectedUnlessNull, Matcher, Matches, read_matcher
from planner.checks.patterns import Pattern
from planner.checks.wording import counted, listed, number, shown
from planner.evidence import LEFT_OUT, MASK, Evidence

_EXACT = 2**53
"""Up to here whole numbers are the same as floats."""
_WAYS = ("equals", "in", "matches", "min", "max", "exists")

Number = Annotated[float, Field(allow_inf_nan=False), NotBool]


def _readable(path: str) -> str:
    try:
        compile_path(path)
    except PathError as error:
        context = {"why": str(error), "start": error.start, "end": error.end}
        raise PydanticCustomError("text_fault", "{why}", context) from error
    return path


class FieldCheck(Expectation, frozen=True):
    """A value of the call object, as the service gives it, found by a JSONPath.

    Where a path finds several values, all of them must hold. A path that finds nothing, or null, decides nothing (for a
    null that is meant write `in: [null]`): only `exists` asks whether the service gives it at all. The call object is the service's, in its own names and scales: what
    it calls a score is 0 to 1 on one page and 0 to 100 on another, so `grade` is the better check of it.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"check": "field", "path": "$.locale", "equals": "es-MX"},
                {"check": "field", "path": "$.collected_values.order_id", "matches": r"^A-\d+$"},
                {"check": "field", "path": "$.extracted_data.items[*].quantity", "min": 1, "max": 10},
            ]
        }
    )

    opposes = ("field",)

    check: Literal["field"] = Field(description="The kind of check.")
    path: Annotated[str, AfterValidator(_readable)] = Field(
        description=(
            "A JSONPath (RFC 9535) into the call object, `$`. `..` may stand once; filters look at what they filter only."
        ),
        examples=["$.collected_values.order_id"],
    )
    equals: ExpectedUnlessNull = Field(
        default=None,
        description="The value it has; of an object the keys written here. A text here equals a number of the call that is written alike, not the other way round.",
        examples=["es-MX", 2, True],
    )
    in_: tuple[Expected, ...] | None = Field(
        default=None, alias="in", description="Values, one of which it has.", examples=[["es-MX", "es-ES"]]
    )
    matches: Pattern | None = Field(
        default=None,
        description="A regular expression (RE2 syntax) found anywhere in it; in anything but text, in its JSON.",
        examples=[r"^A-\d+$"],
    )
    min: Number | None = Field(default=None, description="The least number it may be; may stand beside `max`.")
    max: Number | None = Field(default=None, description="The greatest number it may be; may stand beside `min`.")
    exists: bool | None = Field(default=None, description="Whether the path finds anything, be it null.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        written = [way for way in _WAYS if getattr(self, "in_" if way == "in" else way) is not None]
        if not written:
            raise ValueError(f"needs one of {listed([f'`{way}`' for way in _WAYS], 'or')}")
        if len(written) > 1 and written != ["min", "max"]:
            raise ValueError(
                f"takes one of {listed([f'`{way}`' for way in _WAYS], 'and')}, or `min` with `max`, "
                f"not {listed([f'`{way}`' for way in written])}"
            )
        if self.in_ is not None and not self.in_:
            raise ValueError("`in` needs at least one value")
        if self.min is not None and self.max is not None and self.max < self.min:
            raise ValueError(f"`max` ({self.max:g}) is less than `min` ({self.min:g})")
        return self

    def contradicts(self, other: Expectation) -> str:
        if not isinstance(other, FieldCheck) or other.path != self.path:
            return ""
        if self.exists is False and other.exists is not False:
            return f"{self.path} is to lead to nothing, and to something"
        if self.min is not None and other.max is not None and self.min > other.max:
            return f"nothing is at least {number(self.min)} and at most {number(other.max)}"
        values = self._values()
        if values is None or other.exists is not None:
            return ""
        possible = [value for value in values if self.holds_for(value) and other.holds_for(value)]
        return "" if possible else f"no value of {self.path} holds for both"

    def _values(self) -> list[Any] | None:
        """Whatever it may be for this to hold; None where that cannot be listed."""
        written = self.in_ if self.in_ is not None else None if self.equals is None else (self.equals,)
        if written is None or any(isinstance(value, dict | list) for value in written):
            return None
        if any(isinstance(value, int | float) and abs(value) > _EXACT for value in written):
            return None  # the same number may be written with an exponent, or be another one's nearest
        return [alike for value in written for alike in (value, *_spelled_as(value))]

    def holds_for(self, value: Any) -> bool:
        """Whether it holds where this is all that the path finds."""
        return self._judge_value(self.path, value).outcome is FindingOutcome.PASSED

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        return frozenset({"document"} if missed is Missed.MASKED and self._finds_masks(evidence) else ())

    def _finds_masks(self, evidence: Evidence) -> bool:
        """Whether what its path leads to, or leads by, was left out."""
        if evidence.call is None or "?" in self.path:
            return True
        try:
            found = find_values(self.path, evidence.call.document)
        except TooManyValuesError:
            return True
        text = pydantic_core.to_json(list(found)).decode()
        return MASK in text or LEFT_OUT in text

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.call is None:
            return errored("no call was made")
        try:
            found = find_values(self.path, evidence.call.document)
        except TooManyValuesError:
            return errored(f"{self.path} finds more than {MAX_VALUES:,} values, or goes too deep")
        if self.exists is not None:
            told = f"{self.path} finds {counted(len(found), 'value') if found else 'nothing'}"
            if bool(found) is self.exists:
                return passed(told)
            return failed(f"{told}, expected {'something' if self.exists else 'nothing'}")
        if not found:
            return errored(f"the service did not tell {self.path}")
        judgements = [self._judge_value(place, value) for place, value in found]
        decisive = all_hold(judgements)
        if decisive.outcome is not FindingOutcome.PASSED or len(judgements) == 1:
            return decisive
        further = (
            f"{counted(len(judgements) - 1, 'further value')} {'holds' if len(judgements) == 2 else 'hold'} as well"
        )
        return passed(f"{judgements[0].message}; {further}")

    def _judge_value(self, place: str, value: Any) -> Judgement:
        if value is None and not (self.in_ and None in self.in_):
            return errored(f"the service tells no value of {place}: it is null")
        if self.min is None and self.max is None:
            fault = self._matcher.mismatch(value, place)
            return passed(f"{place} is {shown(value)}") if fault is None else failed(fault)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return errored(f"{place} was {shown(value)}, which is no number to compare")
        if self.min is not None and value < self.min:
            return failed(f"{place} was {shown(value)}, expected at least {number(self.min)}")
        if self.max is not None and value > self.max:
            return failed(f"{place} was {shown(value)}, expected at most {number(self.max)}")
        return passed(f"{place} is {shown(value)}")

    @cached_property
    def _matcher(self) -> Matcher:
        if self.matches is not None:
            return Matches(self.matches)
        if self.in_ is not None:
            return AnyOf(tuple(map(read_matcher, self.in_)), ", ".join(map(shown, self.in_)))
        return read_matcher(self.equals)


def _spelled_as(value: Any) -> list[Any]:
    """What a value of a call may be besides, to equal this one of a plan: a text equals the number that is written so, and 2 is 2.0."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _EXACT:
        return [value]
    if value == 0:
        return [0, 0.0, -0.0]
    return [value, float(value), int(value)] if float(value).is_integer() else [value]
