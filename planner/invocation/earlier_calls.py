"""Where older calls are looked for that are what would be called today: the store's whole, finished invocations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

from planner.changes.detail import revision_digest
from planner.invocation.selection import Loaded
from planner.results.model import CaseDocument
from planner.results.outline import InvocationOutline
from planner.results.repository import ResultsRepository

LOOKED_THROUGH: Final = 200
"""So many of the newest invocations; no more are read than prices are learned from unless a case would be called."""


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
    """Reads on in the store when it is first asked, and each invocation whole only where a call is found in it."""

    def __init__(self, repository: ResultsRepository, *, environment: str, sandbox: bool) -> None:
        self._repository = repository
        self._environment = environment
        self._sandbox = sandbox
        self._found: dict[bytes, tuple[_Told, ...]] = {}
        """By call, newest first."""
        self._alike: dict[tuple[_Told, ...], tuple[_Told, ...]] = {}
        """One object of each: of a hundred thousand calls nearly all are told of alike."""
        self._noted = 0
        self._oldest: str | None = None
        self._is_whole = False
        self._read: dict[str, dict[str, CaseDocument]] = {}
        self._tries: dict[str, str] = {}
        """The session that holds the earlier runs of a case, by case id."""
        self._tried: set[str] = set()

    def __call__(self, case_id: str, call_fingerprint: str) -> Iterator[CaseDocument]:
        """As `planner.changes.found_again.CalledBefore`."""
        if not self._is_whole:
            self._is_whole = True
            for outline in islice(self._repository.outlines(before=self._oldest), LOOKED_THROUGH - self._noted):
                self.note(outline)
        for _, invocation_id in self._found.get(_call(case_id, call_fingerprint), ()):
            case = self._cases(invocation_id).get(case_id)
            if case is not None:
                yield case

    def note(self, outline: InvocationOutline) -> None:
        """One that was read anyway, each older than those before."""
        self._noted += 1
        self._oldest = outline.invocation_id
        if not outline.finished or outline.environment != self._environment or outline.sandbox is not self._sandbox:
            return
        self._note_tries(outline)
        if outline.partial:
            return
        for case in outline.cases:
            call, revision = _call(case.case_id, case.call_fingerprint), case.inputs.agent_revision or ""
            known = self._found.get(call, ())
            told = revision_digest(revision), outline.invocation_id
            if all(told[0] != each[0] for each in known):  # the newest that holds it tells of it as it was last judged
                found = (*known, told)
                self._found[call] = self._alike.setdefault(found, found)

    def tries(self, case_ids: Iterable[str]) -> dict[str, CaseDocument]:
        """What the newest partial session found of these cases, where they failed or were undecided in it and no whole session has
        called them since. Such results are no baseline, but their runs count on a retry."""
        found = {
            case_id: self._cases(self._tries[case_id]).get(case_id) for case_id in case_ids if case_id in self._tries
        }
        return {case_id: case for case_id, case in found.items() if case is not None}

    def _note_tries(self, outline: InvocationOutline) -> None:
        for case in outline.cases:
            if case.action != "call" or case.case_id in self._tried:
                continue
            if outline.partial and case.outcome in ("failed", "unknown"):
                self._tries[case.case_id] = outline.invocation_id
            goes_on = any(run.invocation_id != outline.invocation_id for run in case.runs)
            if case.case_id in self._tries or not outline.partial or not goes_on:
                self._tried.add(case.case_id)  # nothing older counts

    def _cases(self, invocation_id: str) -> dict[str, CaseDocument]:
        if invocation_id not in self._read:
            result = self._repository.load_invocation(invocation_id)
            self._read[invocation_id] = {case.case_id: case for case in result.cases} if result else {}
        return self._read[invocation_id]


_Told: TypeAlias = tuple[str, str]
"""The agent's revision that was called, and the invocation that holds the call."""


def _call(case_id: str, call_fingerprint: str) -> bytes:
    """Short, since there may be a great many."""
    return blake2b(f"{case_id}\0{call_fingerprint}".encode(errors="surrogatepass"), digest_size=16).digest()
