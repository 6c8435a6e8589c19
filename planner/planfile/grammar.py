"""Plans and libraries as pydantic models: what keys there are, their types and bounds. Also the source of the schemas.

Every field may be missing here, so that one error does not hide the next; what is required is checked where it is
used. Mappings whose parts are read one by one (targets, scenarios, expectations) are typed for the schema only.
"""

from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SkipValidation, StringConstraints
from pydantic_core import PydanticCustomError

from planner.planfile.addresses import problem_with_number

FORMAT_VERSION = 1

SLUG = r"^[a-z0-9][a-z0-9_-]*$"
NAME = r"^[A-Za-z][A-Za-z0-9_]*$"
TAG = r"^[A-Za-z0-9][A-Za-z0-9_.:/-]*$"
AGE = r"^[1-9][0-9]{0,3}[hdw]$"
DAY = r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"

MAX_RUNS = 1_000
MAX_RETRIES = 5
DEFAULT_MAX_CASES = 500
MAX_ITEMS = 1_000
"""Of a list that pydantic validates, which reports each item that is wrong."""
"""The longest list of strings; each wrong one is reported."""

Text = Annotated[str, StringConstraints(min_length=1)]
Slug = Annotated[str, StringConstraints(pattern=SLUG, max_length=100)]
Tag = Annotated[str, StringConstraints(pattern=TAG, max_length=100)]
Tags = Annotated[list[Tag], Field(max_length=MAX_ITEMS)]
Texts = Annotated[list[Text], Field(max_length=MAX_ITEMS)]
TargetId = Annotated[int, Field(ge=1, le=2**63 - 1)]


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"there is no day {text} in the calendar") from None
    return text


def _phone_number(number: Any) -> str:
    """A number in E.164: plus, country code, number."""
    if problem := problem_with_number(number):
        raise PydanticCustomError("not-e164", "{problem}", {"problem": problem})
    return number


def _can_fail(rate: float) -> float:
    if rate == 0:
        raise ValueError("with 0 the case could not fail: to report without failing write `severity: warning`")
    return rate


class Authored(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
    required: ClassVar[tuple[str, ...]] = ()


class AllowedTargetFields(Authored):
    """An agent or a phone number of the organization, by the service's id."""

    agent: TargetId | None = Field(default=None, description="Id of the agent to call.", examples=[12])
    phone_number: TargetId | None = Field(default=None, description="Id of the phone number to call.", examples=[77])


class TargetFields(AllowedTargetFields):
    """What to call: an agent or a phone number of the organization, by the service's id."""

    config: Text | None = Field(
        default=None,
        description=(
            "File with the agent's intended fields, relative to this file. If it differs from the deployed agent, "
            "calls reach a preview: a copy of the agent with these fields."
        ),
        examples=["../agents/support.yaml"],
    )
    test_tools: dict[str, Text] | None = Field(
        default=None,
        description=(
            "Addresses that tools of the agent have in test calls, by name. These calls reach a preview. The deployed "
            "agent keeps its own addresses. Needs `config`."
        ),
        examples=[{"issue_refund": "https://tools-test.example.com/refund"}],
    )


class BudgetFields(Authored):
    required = ("max_cost_cents",)
    max_cost_cents: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="This plan may not cost more, in US cents; the project's and the command's ceilings apply too.",
        examples=[900],
    )


class AxisFileFields(Authored):
    """Values from a file: a table (.csv, .tsv), JSON lines (.jsonl, .ndjson), or text with one value a line (.txt).

    Space around a value and blank lines are no part of it. Values of tables and of text are strings, those of JSON what
    they are there; a text file has no comments.
    """

    required = ("file",)
    file: Text | None = Field(default=None, description="The file, relative to this one.", examples=["orders.csv"])
    column: Text | None = Field(
        default=None,
        description=(
            "Column of a table, or key of JSON objects. By default each row or object is a value; it needs an `id`."
        ),
        examples=["number"],
    )


_AxisValues = Annotated[list[Any], Field(min_length=1)]


class MatrixFields(Authored):
    """Named lists whose combinations become cases."""

    axes: SkipValidation[dict[str, _AxisValues | AxisFileFields]] = Field(
        default_factory=dict,
        json_schema_extra={"minProperties": 1},
        description=(
            "Each axis and its values: strings, numbers, booleans, or mappings with an id. Templates use the name."
        ),
        examples=[{"mood": ["calm", "furious"], "language": ["English", "Spanish"]}],
    )
    exclude: list[SkipValidation[dict[str, Any]]] = Field(
        default_factory=list[Any],
        description="Combinations to leave out. An axis that is not named matches any value.",
        examples=[[{"mood": "calm", "language": "Spanish"}]],
    )
    include: list[SkipValidation[dict[str, Any]]] = Field(
        default_factory=list[Any],
        description="Combinations to add. Each names every axis; a value may be new.",
        examples=[[{"mood": "confused", "language": "English"}]],
    )
    strategy: Literal["full", "pairwise"] = Field(
        default="full",
        description=(
            "full: every combination. pairwise: far fewer, with every allowed pair of values of two axes in at least "
            "one case."
        ),
    )
    max_cases: Annotated[int, Field(ge=1)] = Field(
        default=DEFAULT_MAX_CASES, description="More cases than this (all targets together) is an error.", examples=[60]
    )


class QuarantineFields(Authored):
    """Failures are reported and not counted, for a while and for a reason."""

    required = ("until", "reason")
    until: Annotated[str, StringConstraints(pattern=DAY), AfterValidator(_day)] | None = Field(
        default=None, description="Last day (UTC) on which failures do not count.", examples=["2027-01-31"]
    )
    reason: Text | None = Field(default=None, description="Why, for readers of the report.", examples=["ticket VOX-41"])


class UseFields(Authored):
    """The expectations that a library defines under a name, all of them, in the place of this item."""

    required = ("use",)
    use: Text | None = Field(
        default=None, description="Name of expectations of an imported library.", examples=["polite"]
    )
    severity: Literal["critical", "error", "warning"] | None = Field(
        default=None, description="Replaces their severity."
    )
    min_pass_rate: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Replaces the share of runs in which each must hold."
    )
    id: Slug | None = Field(default=None, description="Replaces the id, if the name refers to a single expectation.")


class ScenarioDefaults(Authored):
    """What a scenario may say and `defaults` may say for all scenarios."""

    description: str | None = Field(default=None, description="What happens on this call, for the reader.")
    tags: Tags = Field(
        default_factory=list,
        description="For selecting cases with --tag; added to the plan's tags.",
        examples=[["policy", "smoke"]],
    )
    targets: Annotated[list[str], Field(max_length=MAX_ITEMS)] = Field(
        default_factory=list,
        description="Aliases to call; by default all targets of the plan.",
        examples=[["support"]],
        json_schema_extra={"minItems": 1, "uniqueItems": True},
    )
    direction: Literal["outbound", "inbound"] = Field(
        default="outbound", description="outbound: the test bot calls. inbound: the test bot answers."
    )
    mode: Literal["bot", "sip"] = Field(default="bot", description="bot: bot to bot. sip: over a SIP loopback.")
    target_number: Annotated[str | None, BeforeValidator(_phone_number)] = Field(
        default=None,
        description="Phone number the bot appears to call from, E.164, quoted.",
        examples=["+14155550199"],
        json_schema_extra={"pattern": r"^\+[1-9][0-9]{1,14}$"},
    )
    runs: Annotated[int, Field(ge=1, le=MAX_RUNS)] = Field(default=1, description="Calls per case.", examples=[3])
    min_pass_rate: Annotated[float, Field(ge=0, le=1), AfterValidator(_can_fail)] = Field(
        default=1.0,
        description="Share of runs that must pass.",
        examples=[0.8],
        json_schema_extra={"exclusiveMinimum": 0},
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=900, description="How long to wait for one run, in seconds.", examples=[900]
    )
    retries: Annotated[int, Field(ge=0, le=MAX_RETRIES)] = Field(
        default=0,
        description=(
            "How often a run that failed because of the platform may be called again; included in the high estimate."
        ),
        examples=[1],
    )
    max_age: Annotated[str, StringConstraints(pattern=AGE)] | None = Field(
        default=None,
        description="A passing result older than this is called again: a number and h (hours), d (days) or w (weeks).",
        examples=["14d"],
    )
    quarantine: SkipValidation[QuarantineFields | None] = Field(
        default=None,
        description="Through a given day, failures are reported but do not count.",
        examples=[{"until": "2027-01-31", "reason": "ticket VOX-41"}],
    )
    expect: list[SkipValidation[dict[str, Any]]] = Field(
        default_factory=list[Any], description="What must hold on every call; added after those of the defaults."
    )


class ScenarioFields(ScenarioDefaults):
    """A prompt for the test bot, its matrix and what is expected of the agent."""

    prompt: str | None = Field(
        default=None,
        description="What the test bot does, as a Jinja template over vars and axes.",
        examples=["You are {{ caller }}. Ask how many days you have to return an order."],
        json_schema_extra={"pattern": r"\S"},
    )
    prompt_file: Text | None = Field(
        default=None, description="File that holds the prompt, relative to this file.", examples=["prompts/refund.md"]
    )
    matrix: SkipValidation[MatrixFields | None] = Field(
        default=None, description="Varies the prompt: one case for each combination of the axes' values."
    )


class PlanFields(Authored):
    """A test plan for phone agents."""

    version: int | None = Field(default=None, description="Version of the plan format.", examples=[FORMAT_VERSION])
    plan: Slug | None = Field(
        default=None,
        description="Name of the plan: a slug, unique among the files loaded together.",
        examples=["refunds"],
    )
    description: str = Field(default="", description="What the plan tests.")
    owners: Texts = Field(default_factory=list, description="Whom to ask about it.", examples=[["@acme/voice"]])
    tags: Tags = Field(
        default_factory=list,
        description="Tags of all scenarios, for selecting cases with --tag.",
        examples=[["billing"]],
    )
    imports: Texts = Field(
        default_factory=list,
        description=(
            "Libraries, relative to this file. Their expectations can be used; their vars are added to the plan's."
        ),
        examples=[["lib/voice.yaml"]],
    )
    targets: SkipValidation[dict[str, TargetFields] | list[Slug]] = Field(
        default_factory=dict,
        description=("Each alias and what it calls; or a list of aliases that an environment of planner.yaml defines."),
        examples=[{"support": {"agent": 12}, "hotline": {"phone_number": 77}}],
        json_schema_extra={"minProperties": 1, "minItems": 1, "uniqueItems": True},
    )
    vars: SkipValidation[dict[str, Any]] = Field(
        default_factory=dict, description="Values for the templates of all scenarios.", examples=[{"policy_days": 30}]
    )
    budget: SkipValidation[BudgetFields | None] = Field(default=None, description="What this plan may cost.")
    defaults: SkipValidation[ScenarioDefaults | None] = Field(
        default=None,
        description="Fields of all scenarios. A scenario's own fields replace them; its expectations are added.",
    )
    scenarios: SkipValidation[dict[str, ScenarioFields]] = Field(
        default_factory=dict, description="Each scenario by its name, a slug.", json_schema_extra={"minProperties": 1}
    )


class LibraryFields(Authored):
    """What several plans share; a plan names it under `imports`."""

    version: int | None = Field(default=None, description="Version of the plan format.", examples=[FORMAT_VERSION])
    kind: Literal["library"] = Field(default="library", description="Marks the file as a library.")
    description: str = Field(default="", description="What this library is for.")
    owners: Texts = Field(default_factory=list, description="Whom to ask about it.", examples=[["@acme/voice"]])
    expectations: SkipValidation[dict[str, dict[str, Any] | list[dict[str, Any]]]] = Field(
        default_factory=dict,
        description="Each name and an expectation, or a list of them. A plan uses them in `expect`: `- use: NAME`.",
        examples=[{"polite": [{"check": "never_says", "matches": "(?i)calm down"}]}],
    )
    vars: SkipValidation[dict[str, Any]] = Field(
        default_factory=dict,
        description="Values for templates, added to those of each plan that imports this.",
        examples=[{"policy_days": 30}],
    )


SHORTEST_SETTLING_SECONDS: Final = 100.0


class ExecutionFields(Authored):
    settle_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=600,
        description="How long to look for an unconfirmed launch before it may be sent again. At least 100 are used: a"
        " launch leaves within a quarter of that, and its answer may take a minute.",
    )
    linger_seconds: Annotated[float, Field(ge=0, le=86_400)] = Field(
        default=60, description="How long a session waits at its end for unconfirmed launches."
    )

    @property
    def settling_seconds(self) -> float:
        """`settle_seconds` as they are used."""
        return max(SHORTEST_SETTLING_SECONDS, self.settle_seconds)
