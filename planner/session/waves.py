"""Chooses the waves of a session (`calls: adaptive`). The journal records each choice, and the core checks it against
the consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from planner.changes.model import Change
from planner.execution.consents import Wave
from planner.planfile.waves import WAVES
from planner.results.model import JudgedRun
from planner.results.outcomes import CaseOutcome
from planner.verdicts.cases import judge_case, settled
from planner.verdicts.sessions import Session, counts_of

if TYPE_CHECKING:  # numpy: only once there are calls to compare with a history
    from planner.verdicts.changed_cases import Called
    from planner.verdicts.regression import Fit

_MEETS_REQUIREMENT = (CaseOutcome.PASSED, CaseOutcome.FLAKY)


@dataclass(slots=True)
class WaveChooser:
    """Chooses the waves of one consent.

    Args:
        called: all cases that are called.
        places: the place of each case's calls in the consent.
        history: the earlier sessions.
        judged: the runs of this consent that have ended so far, by case id.
        last: the last wave of an earlier session.
    """

    called: Sequence[Change]
    places: Mapping[str, int]
    history: Sequence[Session]
    judged: Mapping[str, Sequence[JudgedRun]]
    last: Wave | None
    _fitted: Fit | None = field(default=None, init=False)

    def choose(self, number: int, made: Mapping[str, int]) -> Wave:
        """The wave with this number. `made` are the calls of each case in waves so far."""
        changes = [change for change in self.called if change.most_runs]
        calls = dict.fromkeys(made, 0)
        if self.last is not None:
            calls = {case_id: self.last.calls[self.places[case_id]] for case_id in made}
        more = self._more(changes, number, made) if number else {}
        left = sum(change.runs for change in changes) - sum(calls.values())
        # Calls of other consents, which are resumed, may be more than the first ones.
        first = {change.case_id: change.case.first_calls for change in changes if change.case is not None}
        wanted = {case_id: made[case_id] + more.get(case_id, 0) for case_id in made}
        most = {change.case_id: change.most_runs for change in changes}
        for target in (first, wanted):
            for case_id, runs in target.items():
                added = max(0, min(runs, most[case_id], calls[case_id] + left) - calls[case_id])
                calls[case_id] += added
                left -= added
        by_place = [0] * len(self.places)
        for case_id, runs in calls.items():
            by_place[self.places[case_id]] = runs
        self.last = Wave(number, tuple(by_place), is_last=number == WAVES or left == 0)
        return self.last

    def _more(self, changes: Sequence[Change], number: int, made: Mapping[str, int]) -> dict[str, int]:
        from planner.verdicts.changed_cases import choose_calls
        from planner.verdicts.regression import fit, with_controls

        if self._fitted is None:
            self._fitted = fit(self.history)
        cases = {change.case_id: change.case for change in self.called if change.case is not None}
        counts = {case_id: counts_of(cases[case_id], runs) for case_id, runs in self.judged.items() if case_id in cases}
        called = {change.case_id: self._called(change, made[change.case_id]) for change in changes}
        controls = {
            change.control_of: counts.pop(change.case_id)
            for change in self.called
            if change.case_id in counts
            if change.control_of
        }
        return choose_calls(with_controls(self._fitted, controls), counts, called, number)

    def _called(self, change: Change, calls: int) -> Called:
        from planner.verdicts.changed_cases import Called
        from planner.verdicts.waves import Share

        case = change.case
        assert case is not None
        runs, left = self.judged.get(change.case_id, ()), case.runs - calls
        is_open = left > 0 and judge_case(case, runs).outcome not in _MEETS_REQUIREMENT
        return Called(Share.of(case, change.most_runs), calls, is_open and settled(case, runs, left) is None)
