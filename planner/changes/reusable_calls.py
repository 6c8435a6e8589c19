"""Find stored calls that equal today's, but are not the case's entry in the baseline.

This happens when an edit is reverted, an agent is rolled back, branches share one store, or a scenario is renamed. Such calls are
rechecked instead of repeated. They are reusable only if fingerprint and agent are the same: the agent's revision must be known on
both sides (if the service was not asked, the baseline must know exactly one revision of the target, and the same one). They must
have passed, or today's expectations must differ; be younger than `max_age`; and still have their evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

from planner.changes.detail import revision_digest
from planner.results.model import CaseInputs, CaseResult

CalledBefore: TypeAlias = Callable[[str, str], Iterable[CaseResult]]
"""(case id, call fingerprint) → stored cases of earlier complete sessions, newest first."""


class Revisions:
    """The agent revisions in the baseline, by target."""

    def __init__(self, baseline: Iterable[CaseResult]) -> None:
        self._known: dict[tuple[str, int], set[str]] = defaultdict(set)
        for case in baseline:
            if case.inputs.agent_revision is not None:
                key = (case.inputs.target_kind, case.inputs.target_id)
                self._known[key].add(revision_digest(case.inputs.agent_revision))

    def same_agent(self, stored: CaseInputs, today: CaseInputs) -> bool:
        """Whether the agent is the same as when the stored call was made; False if unknown."""
        if stored.agent_revision is None:
            return False
        then = revision_digest(stored.agent_revision)
        if today.agent_revision is not None:
            return then == revision_digest(today.agent_revision)
        return self._known.get((stored.target_kind, stored.target_id)) == {then}


class Renamed:
    """Stored cases that no plan has any more, by call fingerprint. Each can be taken once."""

    def __init__(self, stored: Mapping[str, CaseResult], present: Collection[str]) -> None:
        self._deleted: dict[str, list[CaseResult]] = defaultdict(list)
        self.taken: set[str] = set()
        for case_id, case in stored.items():
            if case_id not in present:
                self._deleted[case.call_fingerprint].append(case)

    def candidates(self, call_fingerprint: str) -> Sequence[CaseResult]:
        return [case for case in self._deleted.get(call_fingerprint, ()) if case.case_id not in self.taken]

    def take(self, case: CaseResult) -> None:
        self.taken.add(case.case_id)
