"""`field`: a value of the call object, as the service gives it.

JSONPath (RFC 9535) is restricted so that its work grows no faster than the document: `..` may occur once and in no
filter, a filter may use only `@`, and one pair of brackets may list several selectors: each of these, repeated,
multiplies the work. The functions `match` and `search` are removed, since their patterns are not RE2.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

import pydantic_core
from pydantic import AfterValidator, Field, model_validator

from planner.checks.base import Expectation, Missed, NotBool, PartsRead, check_order, examples, text_fault, within
from planner.checks.judgement import (
    FindingOutcome,
    Judgement,
    all_hold,
    errored,
    failed,
    named,
    number,
    passed,
    shown,
)
from planner.checks.matching import Expected, ExpectedUnlessNull, Matcher
from planner.checks.patterns import Pattern
from planner.evidence import LEFT_OUT, MASK, Evidence
from planner.quantities import count

if TYPE_CHECKING:
    from jsonpath import JSONPath, JSONPathEnvironment
    from jsonpath.filter import BaseExpression, FilterQuery

MAX_LENGTH: Final = 300
"""Characters of a path."""
MAX_VALUES: Final = 1_000
"""Values that a path may find in one call."""
_WAYS: Final = ("equals", "in", "matches", "min", "max", "exists")

Number = Annotated[float, Field(allow_inf_nan=False), NotBool]


def _checked(path: str) -> str:
    compile_path(path)
    return path


class FieldCheck(Expectation, frozen=True):
    """A value of the call object, found by a JSONPath.

    If the path finds several values, all of them must match. If it finds nothing or null, the check is undecided. To
    expect null, write `in: [null]`; to check whether the service returns a value at all, use `exists`. The call object
    has the service's own names and scales. A score may be from 0 to 1 or from 0 to 100, so use `grade` for it.
    """

    model_config = examples(
        {"check": "field", "path": "$.locale", "equals": "es-MX"},
        {"check": "field", "path": "$.collected_values.order_id", "matches": r"^A-\d+$"},
        {"check": "field", "path": "$.extracted_data.items[*].quantity", "min": 1, "max": 10},
    )
    opposes = ("field",)
    caller_can_cause_failure = True

    check: Literal["field"] = Field(description="The kind of check.")
    path: Annotated[str, AfterValidator(_checked)] = Field(
        description="A JSONPath (RFC 9535) into the call object, `$`. `..` may occur once; a filter may use only `@`.",
        examples=["$.collected_values.order_id"],
    )
    equals: ExpectedUnlessNull = Field(
        default=None,
        description=(
            "The expected value. Of an object, only the keys given here are compared. A text here also equals a "
            "number that is written in the same way, but a number here never equals a text."
        ),
        examples=["es-MX", 2, True],
    )
    in_: tuple[Expected, ...] | None = Field(
        default=None, alias="in", description="Accepted values.", examples=[["es-MX", "es-ES"]]
    )
    matches: Pattern | None = Field(
        default=None,
        description="A regular expression (RE2 syntax) found anywhere in the text, or in the JSON of any other value.",
        examples=[r"^A-\d+$"],
    )
    min: Number | None = Field(default=None, description="Lowest number that holds; may be combined with `max`.")
    max: Number | None = Field(default=None, description="Highest number that holds; may be combined with `min`.")
    exists: bool | None = Field(default=None, description="Whether the path finds anything, even null.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        written = [way for way in _WAYS if getattr(self, "in_" if way == "in" else way) is not None]
        if not written:
            raise ValueError(f"needs one of {named(_WAYS, 'or')}")
        if len(written) > 1 and written != ["min", "max"]:
            raise ValueError(f"takes one of {named(_WAYS)}, or `min` with `max`, not {named(written)}")
        if self.in_ is not None and not self.in_:
            raise ValueError("`in` needs at least one value")
        check_order(self, "min", "max")
        return self

    def contradicts(self, other: Expectation) -> str:
        if not isinstance(other, FieldCheck) or other.path != self.path:
            return ""
        if self.exists is False and other.exists is not False:
            return f"{self.path} is expected to exist and not to exist"
        if self.min is not None and other.max is not None and self.min > other.max:
            return f"nothing is at least {number(self.min)} and at most {number(other.max)}"
        mine, others = self.equals, other.equals
        if isinstance(mine, dict | list) or mine is None or type(mine) is not type(others) or mine == others:
            return ""  # a text may equal a number
        return f"{self.path} cannot equal both {shown(mine)} and {shown(others)}"

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        return frozenset({"document"} if missed is Missed.MASKED and self._finds_masks(evidence) else ())

    def _finds_masks(self, evidence: Evidence) -> bool:
        """Whether something was redacted in what the path finds, or in the keys that lead there."""
        if evidence.call is None or "?" in self.path:
            return True
        found = find_values(self.path, evidence.call.document)
        text = pydantic_core.to_json(found).decode()
        return found is None or MASK in text or LEFT_OUT in text

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.call is None:
            return errored("no call was made")
        found = find_values(self.path, evidence.call.document)
        if found is None:
            return errored(f"{self.path} finds more than {MAX_VALUES:,} values, or goes too deep")
        if self.exists is not None:
            message = f"{self.path} finds {count(len(found), 'value') if found else 'nothing'}"
            if bool(found) is self.exists:
                return passed(message)
            return failed(f"{message}, expected {'something' if self.exists else 'nothing'}")
        if not found:
            return errored(f"the service gave no {self.path}")
        judgements = [self._judge_value(place, value) for place, value in found]
        judgement = all_hold(judgements)
        if judgement.outcome is not FindingOutcome.PASSED or len(judgements) == 1:
            return judgement
        verb = "holds" if len(judgements) == 2 else "hold"
        return passed(f"{judgements[0].message}; {count(len(judgements) - 1, 'further value')} {verb} as well")

    def _judge_value(self, place: str, value: Any) -> Judgement:
        if value is None and not (self.in_ and None in self.in_):
            return errored(f"the service gave no value of {place}: it is null")
        if self.min is None and self.max is None:
            mismatch = self._matcher.mismatch(value, place)
            return passed(f"{place} is {shown(value)}") if mismatch is None else failed(mismatch)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return errored(f"{place} was {shown(value)}, which is not a number")
        return within(f"{place} is {shown(value)}", value, (self.min, self.max))

    @property
    def _matcher(self) -> Matcher:
        if self.matches is not None:
            return Matcher({"matches": self.matches})
        if self.in_ is not None:
            return Matcher({"any_of": list(self.in_)})
        return Matcher(self.equals)


@lru_cache(maxsize=1024)
def compile_path(path: str) -> "JSONPath":
    """Raises `ValueError` with a message for the author."""
    if len(path) > MAX_LENGTH:
        raise ValueError(f"a path may have {MAX_LENGTH} characters, this one has {len(path)}")
    if not path.startswith("$"):
        raise ValueError("a path begins with `$`, which is the call, as in $.locale")
    from jsonpath import JSONPath
    from jsonpath.exceptions import JSONPathError

    try:
        compiled = _environment().compile(path)
    except JSONPathError as error:
        index, value = (error.token.index, error.token.value) if error.token is not None else (0, path)
        is_end = not 0 <= index < len(path)
        start = len(path) - 1 if is_end else index
        end = max(start + 1, min(start + len(value), len(path)))
        why = "it ends too early" if is_end else str(error.message)
        raise text_fault(f"not a JSONPath (RFC 9535): {why}", start, end) from error
    assert isinstance(compiled, JSONPath)  # strict JSONPath has no unions of paths
    _check_bounds(compiled)
    return compiled


@cache
def _environment() -> "JSONPathEnvironment":
    from jsonpath import JSONPathEnvironment  # its import takes long

    environment = JSONPathEnvironment(strict=True)
    for name in ("match", "search"):
        del environment.function_extensions[name]
    return environment


def _check_bounds(path: "JSONPath") -> None:
    from jsonpath.filter import RelativeFilterQuery
    from jsonpath.segments import JSONPathRecursiveDescentSegment
    from jsonpath.selectors import Filter

    def is_descent(segment: object) -> bool:
        return isinstance(segment, JSONPathRecursiveDescentSegment)

    filters = [selector for segment in path.segments for selector in segment.selectors if isinstance(selector, Filter)]
    if sum(map(is_descent, path.segments)) > 1:
        raise ValueError("`..` may occur in a path once")
    if sum(len(segment.selectors) > 1 for segment in path.segments) > 1:
        raise ValueError("only one pair of brackets may list several selectors")
    for query in (query for each in filters for query in _queries(each.expression)):
        if not isinstance(query, RelativeFilterQuery):
            raise ValueError("a filter may use only `@`, not `$`")  # noqa: TRY004 - pydantic reports ValueError only
        for segment in query.path.segments:
            several = len(segment.selectors) > 1
            if several or is_descent(segment) or any(isinstance(each, Filter) for each in segment.selectors):
                raise ValueError("a path inside a filter may have names, indices, slices and `*` only")


def _queries(expression: "BaseExpression") -> "Iterator[FilterQuery]":
    from jsonpath.filter import FilterExpression, FilterQuery

    if isinstance(expression, FilterQuery):
        yield expression
    elif isinstance(expression, FilterExpression):
        yield from _queries(expression.expression)
    else:
        for child in expression.children():
            yield from _queries(child)


def find_values(path: str, document: Mapping[str, Any]) -> list[tuple[str, Any]] | None:
    """(place, value) of everything the path finds; None for more than `MAX_VALUES`, or nested too deeply."""
    from jsonpath.exceptions import JSONPathError

    try:
        matches = [*islice(compile_path(path).finditer(document), MAX_VALUES + 1)]
    except JSONPathError:
        return None
    return None if len(matches) > MAX_VALUES else [(_place(match.parts), match.obj) for match in matches]


def _place(parts: Sequence[object]) -> str:
    """`$.items[0].quantity`: the place of a value, as an author would write it."""

    def is_plain(part: object) -> bool:
        return isinstance(part, str) and re.fullmatch(r"(?a:[A-Za-z_]\w*)", part) is not None

    return "$" + "".join(f".{part}" if is_plain(part) else f"[{shown(part)}]" for part in parts)
