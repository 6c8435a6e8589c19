"""Where older calls are looked for that are what would be called today: the store's whole, finished invocations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from planner.changes.detail import revision_digest
from planner.invocation.selection import Loaded
from planner.results.model import CaseDocument
from planner.results.repository import ResultsRepository

LOOKED_THROUGH: Final = 200
"""So many of the newest invocations; nothing is read unless a case would be called."""


def gone_cases(
    cwd: Path, loaded: Loaded, repository: ResultsRepository, environment: str, baseline: Mapping[str, CaseDocument]
) -> dict[str, CaseDocument]:
    """The stored cases of plans that are no more: their file is not there, or has other plans now. Looked for where a plan is
    new, since it may be one of these under another name."""
    known = {case.plan for case in baseline.values()}
    if known.issuperset(plan.name for plan in loaded.plans if plan.cases):
        return {}
    files = {case.span.file for plan in loaded.plans for case in plan.cases}
    return {
        case.case_id: case
        for document in repository.other_baselines(environment, loaded.plan_names)
        for case in document.cases
        if case.file and (case.file in files or not (cwd / case.file).exists())
    }


class EarlierCalls:
    """Reads the store when it is first asked, and each invocation whole only where a call is found in it."""

    def __init__(self, repository: ResultsRepository, *, environment: str, sandbox: bool) -> None:
        self._repository = repository
        self._environment = environment
        self._sandbox = sandbox
        self._found: dict[tuple[str, str], list[str]] | None = None
        self._read: dict[str, dict[str, CaseDocument]] = {}

    def __call__(self, case_id: str, call_fingerprint: str) -> Iterator[CaseDocument]:
        """As `planner.changes.found_again.CalledBefore`."""
        if self._found is None:
            self._found = self._index()
        for invocation_id in self._found.get((case_id, call_fingerprint), ()):
            case = self._cases(invocation_id).get(case_id)
            if case is not None:
                yield case

    def _index(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        told: set[tuple[str, str, str]] = set()
        for outline in islice(self._repository.outlines(), LOOKED_THROUGH):
            if not outline.finished or outline.partial:
                continue
            if outline.environment != self._environment or outline.sandbox is not self._sandbox:
                continue
            for case in outline.cases:
                revision = revision_digest(case.inputs.agent_revision or "")
                if (call := (case.case_id, case.call_fingerprint, revision)) not in told:
                    told.add(call)  # the newest that holds it tells of it as it was last judged
                    found.setdefault(call[:2], []).append(outline.invocation_id)
        return found

    def _cases(self, invocation_id: str) -> dict[str, CaseDocument]:
        if invocation_id not in self._read:
            result = self._repository.load_invocation(invocation_id)
            self._read[invocation_id] = {case.case_id: case for case in result.cases} if result else {}
        return self._read[invocation_id]
