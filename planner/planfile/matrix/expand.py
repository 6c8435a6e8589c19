"""A scenario's parts to its cases: one per point of the matrix and target, within what one plan may make."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from collections.abc import Mapping as Lookup
from dataclasses import dataclass
from typing import Any, NamedTuple

from planner.checks.base import Expectation
from planner.planfile.drafts import Draft
from planner.planfile.expectations import Expectations
from planner.planfile.matrix.case_errors import CaseErrors
from planner.planfile.matrix.matrix import Matrix, Point
from planner.planfile.matrix.same_calls import warn_of_same_calls
from planner.planfile.model import Case, Quarantine, Target
from planner.planfile.reporter import Reporter
from planner.planfile.settings import CaseSettings
from planner.planfile.templates.prompts import Prompt
from planner.planfile.yaml.source import Place

MAX_CASES_PER_PLAN = 100_000
MAX_RENDERED_PER_PLAN = 64 * 1024 * 1024
"""Characters of all prompts and expectations of a plan: they are in memory together."""


EXPECTATION_WEIGHT = 16
"""An expectation counts as so much text: validating one takes far longer than rendering a prompt of its length."""

RENDERING_WEIGHT = 64
"""So does finding out which one of them a case has."""


@dataclass(slots=True)
class Allowance:
    """What one plan may still make."""

    cases: int = MAX_CASES_PER_PLAN
    characters: int = MAX_RENDERED_PER_PLAN
    is_told: bool = False
    """That there are too many cases: of the first scenario that makes them so."""


class Parts(NamedTuple):
    """A scenario, read. Parts with faults are left out, and then no case counts."""

    plan: str
    scenario: str
    place: Place
    targets: Sequence[Target]
    matrix: Matrix
    prompt: Prompt | None
    drafts: Sequence[Draft]
    variables: Lookup[str, Any]
    settings: CaseSettings
    tags: frozenset[str]
    description: str
    quarantine: Quarantine | None


@dataclass(slots=True)
class _Memo:
    """What was rendered, by the tokens of the axes that it depends on."""

    axes: list[int]
    known: dict[tuple[str, ...], Any]


def expand(
    parts: Parts, expectations: Expectations, allowance: Allowance, reporter: Reporter, *, errors: int
) -> list[Case]:
    """All cases of a scenario; none where a fault of it is reported, now or since there were so many `errors`."""
    expansion = _Expansion(parts, expectations, allowance, reporter)
    cases = expansion.cases() if parts.matrix.axes else expansion.alone()
    if reporter.errors > errors:
        return []
    if parts.matrix.axes:
        warn_of_same_calls(parts.prompt, parts.matrix, cases, reporter)
    return cases


class _Expansion:
    def __init__(self, parts: Parts, expectations: Expectations, allowance: Allowance, reporter: Reporter) -> None:
        self.parts = parts
        self.expectations = expectations
        self.allowance = allowance
        self.reporter = reporter
        self.case_errors = CaseErrors(reporter, frozenset(axis.name for axis in parts.matrix.axes))
        self.places = tuple([draft.place for draft in parts.drafts])

    def alone(self) -> list[Case]:
        """Without a matrix: most scenarios are, and what is rendered once need not be remembered."""
        parts = self.parts
        if not self._allowed():
            return []
        prompt = self._render_prompt(parts.variables)
        expectations = self._render_expectations(parts.variables)
        if self.allowance.characters < 0:
            self._report_size()
        if prompt is None or expectations is None:
            return []
        return self._of_point(f"{parts.plan}/{parts.scenario}", (), prompt, expectations)

    def _allowed(self) -> bool:
        """Whether the plan may make so many cases; reported if not."""
        parts = self.parts
        self.allowance.cases -= len(parts.matrix.points) * len(parts.targets)
        if self.allowance.cases >= 0:
            return True
        self.allowance.cases += len(parts.matrix.points) * len(parts.targets)
        if self.allowance.is_told:
            self.reporter.errors += 1
            return False
        self.allowance.is_told = True
        self.reporter.error(
            "too-many-cases",
            f"a plan may make {MAX_CASES_PER_PLAN:,} cases; with this scenario there are more; split the plan",
            parts.place.span,
        )
        return False

    def _report_size(self) -> None:
        self.reporter.error(
            "template-too-large",
            "the prompts and expectations of all cases of this plan are too long, or too many; split the plan",
            self.parts.place.span,
        )

    def cases(self) -> list[Case]:
        parts = self.parts
        if not self._allowed():
            return []
        self.names = [axis.name for axis in parts.matrix.axes]
        self.prompts = self._memo([parts.prompt.template.names] if parts.prompt else [])
        self.rendered = self._memo([draft.shape.names for draft in parts.drafts])
        cases: list[Case] = []
        for point in parts.matrix.points:
            values = {
                **parts.variables,
                **{name: value.value for name, value in zip(self.names, point, strict=True)},
            }
            label = self._label(point)
            self.case_errors.which = f" (in case {label})"
            prompt = self._prompt(point, values)
            expectations = self._expectations(point, values)
            if self.allowance.characters < 0:
                self._report_size()
                return []
            if prompt is None or expectations is None:
                if self.expectations.validations.exhausted:
                    break  # and so it would be with each of the others
                continue
            shown = tuple([(name, value.token) for name, value in zip(self.names, point, strict=True)])
            cases.extend(self._of_point(label, shown, prompt, expectations))
        return cases

    def _of_point(
        self, label: str, point: tuple[tuple[str, str], ...], prompt: str, expectations: tuple[Expectation, ...]
    ) -> list[Case]:
        parts = self.parts
        return [
            Case(
                f"{label}@{target.alias}",
                parts.plan,
                parts.scenario,
                target,
                point,
                prompt,
                expectations,
                self.places,
                parts.tags,
                parts.place,
                *parts.settings,
                parts.description,
                parts.quarantine,
            )
            for target in parts.targets
        ]

    def _memo(self, used: Sequence[Collection[str]]) -> _Memo:
        """For what templates make that use these names."""
        return _Memo([place for place, name in enumerate(self.names) if any(name in uses for uses in used)], {})

    def _label(self, point: Point) -> str:
        """The case id without its target."""
        shown = ",".join([f"{name}={value.token}" for name, value in zip(self.names, point, strict=True)])
        return f"{self.parts.plan}/{self.parts.scenario}[{shown}]"

    def _prompt(self, point: Point, values: Lookup[str, Any]) -> str | None:
        memo = self.prompts
        key = tuple([point[position].token for position in memo.axes])
        if key not in memo.known:
            memo.known[key] = self._render_prompt(values)
        return memo.known[key]

    def _render_prompt(self, values: Lookup[str, Any]) -> str | None:
        text = self.parts.prompt.render(values, self.case_errors) if self.parts.prompt is not None else None
        self.allowance.characters -= len(text or "")
        return text

    def _expectations(self, point: Point, values: Lookup[str, Any]) -> tuple[Expectation, ...] | None:
        memo = self.rendered
        key = tuple([point[position].token for position in memo.axes])
        if key not in memo.known:
            memo.known[key] = self._render_expectations(values)
        return memo.known[key]

    def _render_expectations(self, values: Lookup[str, Any]) -> tuple[Expectation, ...] | None:
        before = self.expectations.validations.made_bytes
        found = self.expectations.of_case(self.parts.drafts, values, self.case_errors)
        self.allowance.characters -= (self.expectations.validations.made_bytes - before) * EXPECTATION_WEIGHT
        self.allowance.characters -= len(self.parts.drafts) * RENDERING_WEIGHT
        return found
