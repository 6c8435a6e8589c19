"""What all checks share: common fields and types of fields, and the methods that a kind of check implements."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, StrEnum, auto
from typing import Annotated, Any, ClassVar, Final, Self, cast, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from planner.checks.judgement import FindingOutcome, Judgement, Quote, failed, number, passed
from planner.checks.opinions import Ask, Question
from planner.checks.phrases import padded_words
from planner.evidence import Evidence, RedactedPart, UnreadPart
from planner.values import frozen

PartsRead = frozenset[RedactedPart | UnreadPart]
EVERY_PART: Final[PartsRead] = frozenset((*get_args(RedactedPart), *get_args(UnreadPart)))


class Missed(Enum):
    """Why the evidence is incomplete."""

    MASKED = auto()
    """Words were redacted; every turn and tool call is still in its place."""
    UNREAD = auto()
    """The service sent something unreadable, so turns, tool calls or results may be missing or wrong."""


class CheckSeverity(StrEnum):
    CRITICAL = "critical"
    """A failure in any run fails the case, regardless of the pass rate."""
    ERROR = "error"
    WARNING = "warning"
    """Reported; never fails a case."""


@frozen
class Lint:
    """A valid but suspicious part of an expectation. `route` leads to it, `why` is one clause, `code` the
    diagnostic's."""

    route: tuple[str | int, ...]
    why: str
    code: str = "duplicate-item"


def idle_rate(written: Mapping[str, Any]) -> Sequence[Lint]:
    """`min_pass_rate` has no effect beside a severity other than error."""
    severity = written.get("severity")
    if severity not in ("critical", "warning") or written.get("min_pass_rate") is None:
        return ()
    why = f"this rate has no effect with `severity: {severity}`; remove it, or the severity"
    return (Lint(("min_pass_rate",), why, "idle-rate"),)


def examples(*documents: dict[str, Any]) -> ConfigDict:
    """A model configuration with examples for the documentation and the JSON Schema."""
    return ConfigDict(json_schema_extra={"examples": [*documents]})


class Expectation(BaseModel, ABC, frozen=True):
    """One check with its fields. Subclasses add fields, `check: Literal[...]`, `version` and `judge`."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    version: ClassVar[int] = 1
    """Increased when the same fields may be judged differently: stored runs are then judged again."""

    looks_at: ClassVar[PartsRead] = EVERY_PART
    """The parts of the evidence that can decide it."""

    caller_can_cause_failure: ClassVar[bool]
    """Whether it may fail because of the test bot, as when the agent had no occasion to say something. False if only
    the agent can make it fail, as with a forbidden word: such a failure always counts (docs/callers.md). A combination
    is asked for its parts."""

    check: str = Field(description="The kind of check.")
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] | None = Field(
        default=None, description="Names this expectation in reports; by default the kind of check."
    )
    severity: CheckSeverity = Field(
        default=CheckSeverity.ERROR,
        description="critical: fails the case in any run. error: counts against the pass rate. warning: reported only.",
    )
    min_pass_rate: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Share of runs in which this expectation must hold; by default the scenario's."
    )
    description: str | None = Field(default=None, description="Why this is expected, for the reader of a report.")

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        is_kind = cls.model_fields["check"].annotation is not str  # else it is a base of several kinds
        if is_kind and not hasattr(cls, "caller_can_cause_failure"):
            raise TypeError(f"{cls.__name__} must set `caller_can_cause_failure`; see `Expectation`")

    @model_validator(mode="after")
    def _can_fail(self) -> Self:
        if self.min_pass_rate == 0 and self.severity is not CheckSeverity.CRITICAL:
            raise ValueError("`min_pass_rate: 0` always holds; to report without failing write `severity: warning`")
        return self

    @abstractmethod
    def judge(self, evidence: Evidence) -> Judgement:
        """Judge one run, without I/O or clock. Missing data is `undecided`, never passed."""

    @property
    def parts(self) -> Mapping[tuple[str | int, ...], "Expectation"]:
        """The expectations that a combinator is made of, by their route from the whole."""
        return {}

    @property
    def wants_grade(self) -> bool:
        """Whether it reads the platform's grade, which may be late."""
        return any(part.wants_grade for part in self.parts.values())

    @property
    def named_tools(self) -> Sequence[str]:
        """The tools that it names."""
        return [name for part in self.parts.values() for name in part.named_tools]

    @property
    def named_arguments(self) -> Sequence[tuple[str, str]]:
        """The arguments that it expects a call to have, each after its tool."""
        return [named for part in self.parts.values() for named in part.named_arguments]

    def reads(self, evidence: Evidence, missed: Missed) -> PartsRead:
        """The parts that can decide it for this call, if the evidence is incomplete in this way."""
        del evidence, missed
        return self.looks_at

    def is_certain(self, outcome: FindingOutcome, missed: Missed) -> bool:
        """Whether an outcome is certain although the evidence is incomplete."""
        del outcome, missed
        return False

    def judge_with(self, evidence: Evidence, ask: Ask) -> Judgement:
        """Judge one run with the answers of a language model, which `ask` looks up."""
        del ask
        return self.judge(evidence)

    def questions(self, evidence: Evidence) -> "Sequence[Question]":
        """What a language model must answer to judge this run; empty if it is decided without."""
        del evidence
        return ()

    @property
    def is_trivial(self) -> bool:
        """Whether every call that is judged satisfies it. Allowed alone, but not within `any_of` and `not`."""
        return False

    @property
    def asks_model(self) -> bool:
        return bool(self.rubrics())

    def rubrics(self) -> Sequence[tuple[str, int]]:
        """(rubric, votes) of the questions it may ask a language model about one run."""
        return ()

    def lints(self) -> Sequence[Lint]:
        """Suspicious content, each reported as a warning. What can never fail, or never hold, is an error instead."""
        return ()

    def fingerprint_fields(self) -> dict[str, Any]:
        """Everything that can change a judgement, as JSON values; not `id` and `description`."""
        fields = self.model_dump(mode="json", exclude={"id", "description"}, exclude_none=True, by_alias=True)
        return {**fields, "version": self.version}


def _no_bool(value: Any) -> Any:
    """YAML's `true` is not the number 1."""
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {str(value).lower()}")  # noqa: TRY004 - pydantic needs a ValueError
    return value


def _has_words(phrase: str) -> str:
    if not padded_words(phrase, fold=True):
        raise ValueError("a phrase needs a letter, a digit or a sign such as % or $: nothing else is looked for")
    return phrase


def at_least(number: int, message: str) -> AfterValidator:
    """Unlike pydantic's `min_length`, does not also report a list whose items were rejected."""

    def check(items: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(items) < number:
            raise ValueError(message)
        return items

    return AfterValidator(check)


def _as_tuple(value: Any) -> Any:
    """Inside a wrap validator a JSON list is a Python list, which strict mode rejects for a tuple."""
    return tuple(cast("list[Any]", value)) if isinstance(value, list) else value


NotBool = BeforeValidator(_no_bool)
Count = Annotated[int, Field(ge=0), NotBool]
Positive = Annotated[int, Field(ge=1), NotBool]
Milliseconds = Annotated[float, Field(gt=0, allow_inf_nan=False), NotBool]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False), NotBool]
PositiveSeconds = Milliseconds
Phrase = Annotated[str, AfterValidator(_has_words)]
Phrases = Annotated[
    tuple[Phrase, ...], at_least(1, "needs at least one phrase"), Field(json_schema_extra={"minItems": 1})
]
Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], Field(min_length=1), BeforeValidator(_as_tuple)]


def one_message(message: str) -> WrapValidator:
    """For a field with alternative types: one message instead of one for each alternative."""

    def parse(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
        try:
            return read(value)
        except ValidationError as error:
            raise ValueError(message) from error

    return WrapValidator(parse)


def given(*values: object) -> bool:
    """Whether any of the values is not None."""
    return any(value is not None for value in values)


def check_given(model: BaseModel, *names: str) -> None:
    """Raises `ValueError` if none of the fields is given, or only a lower limit of 0, which always holds."""
    values = {name: value for name in names if (value := getattr(model, name)) is not None}
    if not values:
        raise ValueError(f"needs at least one of {', '.join(f'`{name}`' for name in names)}")
    if len(values) == 1 and names[0].startswith("min") and values.get(names[0]) == 0:
        raise ValueError(f"`{names[0]}: 0` alone always holds, so it checks nothing")


def check_order(model: BaseModel, low: str, high: str) -> None:
    """Raises `ValueError` if the upper limit is less than the lower one."""
    least, most = getattr(model, low), getattr(model, high)
    if given(least) and given(most) and most < least:
        raise ValueError(f"`{high}` ({most:g}) is less than `{low}` ({least:g})")


def within(
    found: str,
    value: float,
    limits: tuple[float | None, float | None],
    form: Callable[[float], str] = number,
    quote: Quote | None = None,
) -> Judgement:
    """Judge a value by its lower and upper limit. `form` formats a limit for the message."""
    low, high = limits
    if low is not None and value < low:
        return failed(f"{found}, expected at least {form(low)}", quote)
    if high is not None and value > high:
        return failed(f"{found}, expected at most {form(high)}", quote)
    return passed(found)


def text_error(why: str, start: int, end: int) -> PydanticCustomError:
    """An error between two offsets of a string."""
    return PydanticCustomError("text_error", "{why}", {"why": why, "start": start, "end": end})
