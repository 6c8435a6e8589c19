"""The cases of a scenario: one for each point of the matrix and target, within the limits of a plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from planner.checks.base import Expectation
from planner.planfile.drafts import ExpectationDraft
from planner.planfile.expectations import Expectations
from planner.planfile.matrix import Matrix, Point
from planner.planfile.model import Case, CaseSettings, Quarantine, Target
from planner.planfile.prompts import Prompt
from planner.planfile.reporter import CaseErrors, Reporter
from planner.planfile.settings import DECIDING
from planner.planfile.yaml.document import YamlPlace

Made = TypeVar("Made")

MAX_RENDERED_PER_PLAN = 64 * 1024 * 1024
"""Characters of all prompts and expectations of a plan, which are in memory together."""


@dataclass(slots=True)
class Allowance:
    """The remaining limits of one plan."""

    max_cases: int
    cases: int = field(init=False)
    characters: int = MAX_RENDERED_PER_PLAN

    def __post_init__(self) -> None:
        self.cases = self.max_cases


class Parts(NamedTuple):
    """A scenario after reading. Invalid parts are left out, and then its cases are not used."""

    plan: str
    scenario: str
    place: YamlPlace
    targets: Sequence[Target]
    matrix: Matrix
    prompt: Prompt | None
    drafts: Sequence[ExpectationDraft]
    variables: Lookup[str, Any]
    settings: CaseSettings
    tags: frozenset[str]
    description: str
    quarantine: Quarantine | None


def expand(
    parts: Parts, expectations: Expectations, allowance: Allowance, reporter: Reporter, *, errors: int
) -> list[Case]:
    """All cases of a scenario; none if it has errors, now or since there were so many `errors`."""
    cases = _Expansion(parts, expectations, allowance, reporter).cases()
    if reporter.errors > errors:
        return []
    if parts.matrix.axes:
        _warn_of_same_calls(parts.matrix, cases, reporter)
    return cases


class _Memo(Generic[Made]):
    """A cache by the values of the axes that a template uses."""

    def __init__(self, axes: Sequence[str], used: Collection[str]) -> None:
        self._axes = [position for position, name in enumerate(axes) if name in used]
        self._known: dict[tuple[str, ...], Made] = {}

    def get(self, point: Point, make: Callable[[], Made]) -> Made:
        key = tuple([point[position].token for position in self._axes])
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


class _Expansion:
    def __init__(self, parts: Parts, expectations: Expectations, allowance: Allowance, reporter: Reporter) -> None:
        self.parts = parts
        self.expectations = expectations
        self.allowance = allowance
        self.reporter = reporter
        self.names = [axis.name for axis in parts.matrix.axes]
        self.case_errors = CaseErrors(reporter, frozenset(self.names))

    def cases(self) -> list[Case]:
        parts = self.parts
        if not self._allowed():
            return []
        prompts = _Memo[str | None](self.names, parts.prompt.template.names if parts.prompt else ())
        used = {name for draft in parts.drafts for name in draft.shape.names}
        expected = _Memo[tuple[Expectation, ...] | None](self.names, used)
        places = tuple([draft.place for draft in parts.drafts])
        cases: list[Case] = []
        settings: dict[str, Any] = {name: getattr(parts.settings, name) for name in DECIDING}
        for point in parts.matrix.points:
            self.reporter.check_time(parts.place.span.file)
            shown = tuple([(name, value.token) for name, value in zip(self.names, point, strict=True)])
            label = f"{parts.plan}/{parts.scenario}"
            values = parts.variables
            if shown:
                label += f"[{','.join([f'{name}={token}' for name, token in shown])}]"
                values = {**values, **{name: value.value for name, value in zip(self.names, point, strict=True)}}
                self.case_errors.which = f" (in case {label})"
            prompt = prompts.get(point, partial(self._prompt, values))
            expectations = expected.get(point, partial(self._expectations, values))
            if self.allowance.characters < 0:
                detail = (
                    "the prompts and expectations of all cases of this plan are too long, or too many; split the plan"
                )
                self.reporter.error("template-too-large", detail, parts.place.span)
                return []
            if prompt is None or expectations is None:
                if self.expectations.validations.exhausted:
                    break  # the other cases would fail as well
                continue
            cases += [
                Case(
                    f"{label}@{target.alias}",
                    parts.plan,
                    parts.scenario,
                    target,
                    shown,
                    prompt,
                    expectations,
                    places,
                    parts.tags,
                    parts.place,
                    parts.description,
                    parts.quarantine,
                    **settings,
                )
                for target in parts.targets
            ]
        return cases

    def _allowed(self) -> bool:
        """Whether the plan may have this many cases; reported if not."""
        count = len(self.parts.matrix.points) * len(self.parts.targets)
        if count <= self.allowance.cases:
            self.allowance.cases -= count
            return True
        if self.allowance.cases < 0:  # reported
            self.reporter.errors += 1
            return False
        self.allowance.cases = -1
        detail = (
            f"a plan may make {self.allowance.max_cases:,} cases; with this scenario there are more; split the plan, "
            "or raise policy.max_calls"
        )
        self.reporter.error("too-many-cases", detail, self.parts.place.span)
        return False

    def _prompt(self, values: Lookup[str, Any]) -> str | None:
        text = self.parts.prompt.render(values, self.case_errors) if self.parts.prompt is not None else None
        self.allowance.characters -= len(text or "")
        return text

    def _expectations(self, values: Lookup[str, Any]) -> tuple[Expectation, ...] | None:
        before = self.expectations.validations.made_bytes
        found = self.expectations.of_case(self.parts.drafts, values, self.case_errors)
        self.allowance.characters -= self.expectations.validations.made_bytes - before
        return found


def _warn_of_same_calls(matrix: Matrix, cases: Sequence[Case], reporter: Reporter) -> None:
    """One warning for a scenario without errors, about values that change nothing: a mistyped condition, for
    example."""
    if not cases:
        return
    cases = cases[:: len(cases) // len(matrix.points)]  # those of one target
    first: dict[tuple[str, tuple[int, ...]], Case] = {}
    repeated: list[tuple[Case, Case]] = []
    for case in cases:  # equal expectations are one object
        other = first.setdefault((case.prompt, tuple(map(id, case.expectations))), case)
        if other is not case:
            repeated.append((other, case))
    if not repeated:
        return
    other, case = repeated[0]
    more = f", and in {len(repeated) - 1:,} more" if len(repeated) > 1 else ""
    detail = (
        f"the same call is made in {_shown(case)} as in {_shown(other)}{more}; "
        "exclude such cases, or use the axis in the prompt (to repeat calls, use `runs`)"
    )
    reporter.warning("same-call", detail, case.span)


def _shown(case: Case) -> str:
    return f"`[{','.join([f'{name}={token}' for name, token in case.point])}]`"
