"""Warnings about valid but suspicious parts of a plan, and about expectations of a case that contradict each other."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

from planner.checks import CHECKS
from planner.checks.base import CheckSeverity, Expectation
from planner.diagnostics import Related, Span
from planner.planfile.drafts import ExpectationDraft
from planner.planfile.model import Case, Plan, Project, least_call_cents
from planner.planfile.reporter import Reporter, first_few
from planner.planfile.yaml.document import YamlMapping

_WARNING, _ERROR = CheckSeverity.WARNING.value, CheckSeverity.ERROR.value


def has_used_anchor(root: YamlMapping, variables: YamlMapping, name: str) -> bool:
    """Whether a YAML alias refers to the variable or a part of it, which counts as a use."""
    text = root.source.text
    _, start, _, end = variables.mark(name)
    anchors = set(re.findall(r"[\s,\[{:]&([^\s,\[\]{}]+)", text[start - 1 : end]))
    return bool(anchors) and not anchors.isdisjoint(re.findall(r"[\s,\[{:]\*([^\s,\[\]{}]+)", text[end - 1 :]))


def cannot_fail(drafts: Sequence[ExpectationDraft], min_pass_rate: float) -> bool:
    """Whether a scenario passes even if all its expectations fail."""
    return bool(drafts) and all(_is_harmless(draft.written, min_pass_rate) for draft in drafts)


def _is_harmless(written: YamlMapping, min_pass_rate: float) -> bool:
    severity = written.get("severity", _ERROR)
    return severity == _WARNING or (severity == _ERROR and written.get("min_pass_rate", min_pass_rate) == 0)


def warn_of_same_calls(plans: Sequence[Plan], reporter: Reporter) -> None:
    """One warning for each scenario that makes a call of another scenario."""
    first: dict[tuple[object, ...], Case] = {}
    warned: set[tuple[str, str]] = set()
    for case in (case for plan in plans for case in plan.cases):
        target = case.target.kind, case.target.id, case.target.config
        other = first.setdefault((case.prompt, *target, case.direction, case.mode, case.target_number), case)
        scenario = case.plan, case.scenario
        if (other.plan, other.scenario) == scenario or scenario in warned:
            continue
        warned.add(scenario)
        detail = (
            f"`{case.case_id}` makes the same call as `{other.case_id}`: they share it, and the first one pays "
            "(to repeat calls, use `runs`)"
        )
        reporter.warning("same-call", detail, case.span, Related("the same call", other.span))


WORK_PER_PLAN = 1_000_000
"""Comparisons that take about a second; later expectations of the plan are not compared."""
_PATTERN_WEIGHT = 20
"""Matching a pattern takes as long as comparing this many phrases."""

Kind = type[Expectation]


@lru_cache(maxsize=1_000)
def _rivals(one: Kind, other: Kind) -> bool:
    return other in [CHECKS[name] for name in one.opposes] or one in [CHECKS[name] for name in other.opposes]


def may_contradict(kinds: Iterable[Kind]) -> bool:
    """Whether any two of these kinds may contradict each other."""
    numbers = Counter(kinds)
    return any(_rivals(kind, kind) for kind, number in numbers.items() if number > 1) or any(
        _rivals(kind, other) for kind, other in combinations(numbers, 2)
    )


class Stated(NamedTuple):
    """An expectation of a case and where it is written. `varies`: it has templates. `size`: its bytes as JSON."""

    expectation: Expectation
    span: Span
    varies: bool
    size: int


class Contradictions:
    """Reports each pair once, however many cases have it; one for all plans loaded together."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._reported: set[tuple[Span, ...]] = set()
        self._left = WORK_PER_PLAN

    def new_plan(self) -> None:
        self._left = WORK_PER_PLAN

    def report(self, stated: Sequence[Stated], which: str) -> None:
        """Compare the expectations of one case; `which` names the case, for expectations with templates."""
        needed = [one for one in stated if one.expectation.min_pass_rate in (None, 1)]
        earlier: defaultdict[Kind, list[Stated]] = defaultdict(list)
        for later in needed:
            kind = type(later.expectation)
            found: list[tuple[Stated, str]] = []
            for first in (first for rival in earlier if _rivals(kind, rival) for first in earlier[rival]):
                self._left -= 2 + _weight(first) * _weight(later) // 600
                if self._left < 0:
                    return
                one, other = first.expectation, later.expectation
                if why := one.contradicts(other) or other.contradicts(one):
                    found.append((first, why))
            earlier[kind].append(later)
            if found:
                self._report(later, found, which)

    def _report(self, later: Stated, found: Sequence[tuple[Stated, str]], which: str) -> None:
        required = [pair for pair in found if not _warns(pair[0]) and not _warns(later)]
        chosen = required or found
        key = (later.span, *(first.span for first, _ in chosen))
        if key in self._reported:
            return
        self._reported.add(key)
        report = self._reporter.error if required else self._reporter.warning
        first, why = chosen[0]
        case = which if any(one.varies for one in (later, *(one for one, _ in chosen))) else ""
        related = first_few([Related(f"`{one.expectation.id}`", one.span) for one, _ in chosen])
        detail = f"this cannot hold together with `{first.expectation.id}`: {why}{case}"
        report("contradiction", detail, later.span, *related)


def _warns(stated: Stated) -> bool:
    return stated.expectation.severity is CheckSeverity.WARNING


def _weight(stated: Stated) -> int:
    """A phrase is compared with each phrase of the other."""
    has_pattern = vars(stated.expectation).get("matches") is not None
    return stated.size * (_PATTERN_WEIGHT if has_pattern else 1)


def report_price(root: YamlMapping, plan: Plan, project: Project, reporter: Reporter) -> None:
    """Report limits that a run of the whole plan is sure to break. Retries and longer calls come on top."""
    calls = sum(case.runs for case in plan.cases)
    place = root.span("plan")
    policy = project.policy
    attempts = sum(case.runs * (1 + case.retries) for case in plan.cases)
    if attempts > policy.max_calls:
        detail = (
            f"this plan makes up to {attempts:,} calls with `retries`, and the project's policy allows "
            f"{policy.max_calls:,} per session; reduce `runs`, `retries` or the number of cases, or use --select"
        )
        reporter.warning("too-many-calls", detail, place)
    cents = least_call_cents(project)
    if not cents:
        return
    least = f"{calls:,} calls cost at least {_cents(calls * cents)} ¢ (a started minute each, at {_cents(cents)} ¢)"
    fewer = "reduce `runs` or the number of cases, use --select, or raise"
    budget: Any = root.get("budget")
    limit = plan.max_cost_cents
    if limit is not None and limit < calls * cents and isinstance(budget, YamlMapping):
        report = reporter.error if limit < cents else reporter.warning  # not even one call is possible
        report("over-budget", f"{least}; {fewer} the budget", budget.span("max_cost_cents"))
    allowed = policy.max_cost_cents
    if allowed is not None and allowed < calls * cents:
        detail = f"{least}; {fewer} `policy.max_cost_cents` ({allowed:,} ¢) in planner.yaml"
        reporter.warning("over-budget", detail, place)


def _cents(cents: float) -> str:
    return f"{cents:,.0f}" if float(cents).is_integer() else f"{cents:,.2f}"


def warn_of_unasked_model(plans: Iterable[Plan], reporter: Reporter) -> None:
    """The first expectation of each plan that needs a language model, if `planner.yaml` names none."""
    detail = (
        "this needs a language model, but planner.yaml names none under `judge`. `planner run` refuses such a plan; "
        "with --sandbox, only answers recorded in the world can decide it"
    )
    for plan in plans:
        places = (
            place
            for case in plan.cases
            for expectation, place in zip(case.expectations, case.expectation_places, strict=True)
            if expectation.asks_model
        )
        first = next(places, None)
        if first is not None:
            reporter.warning("judge-not-configured", detail, first.span)
