"""A plan after loading: rendered values and the file positions that reports need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from planner.checks.base import Expectation
from planner.diagnostics import Span
from planner.planfile.grammar import ExecutionFields
from planner.planfile.yaml.document import YamlPlace
from planner.values import frozen

Direction = Literal["outbound", "inbound"]
Mode = Literal["bot", "sip"]

DEFAULT_RATES: Final[Mapping[str, float]] = MappingProxyType({"spark": 8.0})
"""Cents per started minute by product, where the service publishes them; a project's own rates take precedence."""

KNOWN_PRODUCTS: Final = (
    "spark",
    "bolt",
    "storm-base",
    "storm-base-with-ack",
    "storm-extra",
    "storm-extra-with-ack",
    "bolt-base-experimental",
    "bolt-extra-experimental",
)
"""Products that the service names. There may be others: only near misses of these get a warning."""

CHARGE_MULTIPLIER: Final = 2
"""A test call is billed at twice the product's rate."""


@frozen
class AgentFile:
    """What an agent should be (`config` of a target). Two are equal if they are the same file
    and test tools."""

    path: Path
    """Links resolved."""
    file: str = field(compare=False)
    """As messages show it: relative to the working directory, with `/`."""
    fields: Mapping[str, Any] = field(compare=False)
    """The agent's fields as the API takes them; `prompt` also if it is written in `prompt_path`."""
    places: Mapping[str, YamlPlace] = field(compare=False, repr=False)
    """Where each field is written."""
    prompt_path: Path | None = field(default=None, compare=False)
    """The file that `prompt_file` names, if there is one."""
    test_tools: tuple[tuple[str, str], ...] = ()
    """Names of tools, and the addresses that they have on previews (`test_tools` of the target)."""


@frozen
class Target:
    """What a case calls. `alias` is the author's name for it; `id` the service's (64-bit)."""

    alias: str
    kind: Literal["agent", "phone_number"]
    id: int
    config: AgentFile | None = None
    """Only of agents."""


@frozen
class ConfigReference:
    """`config` of a target: a path as written, and its place."""

    path: str
    place: YamlPlace
    test_tools: tuple[tuple[str, str], ...] = ()


@frozen
class Quarantine:
    """Failures are reported, not counted, through the day `until` (UTC)."""

    until: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSettings:
    """What a scenario or `defaults` say of its cases."""

    direction: Direction
    mode: Mode
    target_number: str | None
    """E.164, or None for the service's default."""
    runs: int
    min_pass_rate: float
    timeout_seconds: float
    max_age: timedelta | None = None
    retries: int = 0


@frozen
class Case(CaseSettings):
    """One scenario × target × matrix point, fully rendered. `case_id` is stable while unrelated things change."""

    case_id: str
    plan: str
    scenario: str
    target: Target
    point: tuple[tuple[str, str], ...]
    """(axis, value as in the case id), in the order written."""
    prompt: str
    expectations: tuple[Expectation, ...]
    """Each with an `id`, unique within the case."""
    expectation_places: tuple[YamlPlace, ...]
    """Where each expectation is written."""
    tags: frozenset[str]
    """The plan's and the scenario's."""
    place: YamlPlace
    """Where the scenario is written."""
    description: str = ""
    quarantine: Quarantine | None = None

    @property
    def span(self) -> Span:
        return self.place.span

    @property
    def expectation_spans(self) -> tuple[Span, ...]:
        return tuple([place.span for place in self.expectation_places])

    @property
    def min_runs(self) -> int:
        """With fewer countable runs, the outcome is unknown: half of `runs`, rounded up."""
        return (self.runs + 1) // 2

    @property
    def wants_grade(self) -> bool:
        """Whether a check needs the platform's grade, which may be late."""
        return any(expectation.wants_grade for expectation in self.expectations)


@frozen
class Plan:
    """One plan file, expanded. `file` is relative to the working directory, with `/`."""

    name: str
    file: str
    description: str
    owners: tuple[str, ...]
    tags: frozenset[str]
    max_cost_cents: int | None
    cases: tuple[Case, ...]


@frozen
class Keep:
    """How long the default branch's nightly job keeps calls that no result needs."""

    age: timedelta
    written: str
    span: Span


@frozen
class Policy:
    """Limits a project sets for every session (`planner.yaml`)."""

    max_cost_cents: int | None = None
    allowed_targets: frozenset[tuple[str, int]] | None = None
    """(kind, id) of what may be called; None allows all. A preview is allowed if its source agent is."""
    max_concurrent_runs: int | None = None
    max_calls: int = 10_000
    previews: Literal["allow", "deny"] = "allow"
    """Whether calls may be made on a preview: a copy of the agent with the configuration of its file."""
    gate: Literal["regressions", "strict"] | None = None
    """What makes the required check red; None: what the stored results allow."""
    denied_tools: frozenset[str] = frozenset()
    """Names of tools that no call may reach."""
    denies_tools: bool = False
    """No call may reach any tool."""
    max_cost_cents_per_month: int | None = None
    """Of all consents in the store, in one month (UTC)."""
    allows_unknown_tools: bool = False
    """Calls may reach agents whose tools the service does not show, also with `denies_tools`."""
    confirms: bool = False
    """Cases that look worse are called again before they count as regressed."""


@frozen
class JudgePrice:
    """Price of a judge call in cents: a fixed price, or by million tokens read and written. All 0: free."""

    per_vote: float = 0.0
    per_million_read: float = 0.0
    per_million_written: float = 0.0

    @property
    def is_free(self) -> bool:
        return not (self.per_vote or self.per_million_read or self.per_million_written)


@frozen
class JudgeSettings:
    """The language model that `check: judge` asks."""

    base_url: str
    """Without a slash at its end."""
    model: str
    price: JudgePrice = JudgePrice()
    max_concurrent: int = 4
    timeout_seconds: float = 60
    max_output_tokens: int = 1_000
    answers_as: tuple[str, ...] = ()
    """Other names that the model gives itself."""
    check_callers: bool = True
    """Whether it is asked about every call if the test bot followed its prompt."""
    labels: str = ""
    """A file of labelled transcripts; "" if there is none."""


@frozen
class Project:
    """`planner.yaml`, or its defaults where there is none."""

    environments: tuple[tuple[str, tuple[Target, ...]], ...] = ()
    """Their targets are without `config`, which is in `agent_files`."""
    execution: ExecutionFields = field(default_factory=ExecutionFields)
    policy: Policy = Policy()
    rates: tuple[tuple[str, float], ...] = ()
    """(product, cents per minute)."""
    judge: JudgeSettings | None = None
    redact: tuple[str, ...] = ()
    """RE2 patterns of text to redact."""
    readable: bool = True
    """False if planner.yaml has errors, so that plans are not checked against it."""
    store: str | None = None
    """The store of results, as written."""
    store_public: bool = False
    """Whether a git ref of a public repository may hold them."""
    keep: Keep | None = None
    """None: everything is kept."""
    name: str | None = None
    """In a store that several projects of a repository share; None: the path of its folder."""
    sandbox_world: str | None = None
    """The world that `--sandbox` uses without `--world`: its name, or a file in the project's folder."""
    agent_files: Mapping[tuple[str, str], ConfigReference] = field(
        default_factory=dict[tuple[str, str], ConfigReference], compare=False
    )
    """By environment and alias. They are read if a plan calls the target."""
    root: Path | None = field(default=None, compare=False)
    """The folder of planner.yaml."""


def least_call_cents(project: Project) -> float | None:
    """The least that one call costs: a started minute of the cheapest product. None if the project does not set
    rates."""
    rates = {**DEFAULT_RATES, **dict(project.rates)}
    return min(rates.values()) * CHARGE_MULTIPLIER if project.rates else None
