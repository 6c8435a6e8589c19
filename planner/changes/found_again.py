"""Stored calls that are, to the letter, what would be called today, though not in the case's own place in the baseline.

A prompt that was edited and is what it was again, an agent rolled back, two branches that take turns in one store, a scenario that was
given another name: the calls were made, so nobody is called for them again. That is sound only where all that decides a call is the
same: the call's fingerprint, and the agent. So an older call stands only if the agent's revision is known on both sides (where the
service was not asked today: if the whole baseline knows of one revision of that target, and it is that one). It must have passed, or
today's expectations must be others; be younger than `max_age`; and its evidence must still be there, for it is judged again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from planner.changes.detail import revision_digest
from planner.results.model import CaseDocument, CaseInputs

CalledBefore: TypeAlias = Callable[[str, str], Iterable[CaseDocument]]
"""(case id, call fingerprint) → what earlier whole, finished invocations stored of such calls of that case, newest first."""


class Revisions:
    """The agents' revisions that the baseline knows of, by target."""

    def __init__(self, baseline: Iterable[CaseDocument]) -> None:
        self._known: dict[tuple[str, int], set[str]] = defaultdict(set)
        for case in baseline:
            if case.inputs.agent_revision is not None:
                key = (case.inputs.target_kind, case.inputs.target_id)
                self._known[key].add(revision_digest(case.inputs.agent_revision))

    def same_agent(self, stored: CaseInputs, today: CaseInputs) -> bool:
        """Whether a call made then would reach the same agent now; False where that is not known."""
        if stored.agent_revision is None:
            return False
        then = revision_digest(stored.agent_revision)
        if today.agent_revision is not None:
            return then == revision_digest(today.agent_revision)
        return self._known.get((stored.target_kind, stored.target_id)) == {then}


class Renamed:
    """Cases of the baseline that no plan has any more, by what was called. Each can be found once."""

    def __init__(self, baseline: Mapping[str, CaseDocument], present: Iterable[str]) -> None:
        here = set(present)
        self._gone: dict[str, list[CaseDocument]] = defaultdict(list)
        self.taken: set[str] = set()
        for case_id, case in baseline.items():
            if case_id not in here:
                self._gone[case.call_fingerprint].append(case)

    def candidates(self, call_fingerprint: str) -> Sequence[CaseDocument]:
        return [case for case in self._gone.get(call_fingerprint, ()) if case.case_id not in self.taken]

    def take(self, case: CaseDocument) -> None:
        self.taken.add(case.case_id)
