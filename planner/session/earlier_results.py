"""Reads stored results for today's cases: baselines, earlier runs of the same calls, and cases that were removed or
that the base branch added."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from planner.changes.detail import revision_digest
from planner.changes.diff import StoredResults
from planner.changes.fingerprint import call_fingerprint, case_inputs
from planner.changes.history import HISTORY_SESSIONS, PastRun, past_runs
from planner.errors import UsageError
from planner.judge.votes import VoteCache
from planner.results.model import CaseResult, RunResult
from planner.results.repository import ResultsRepository
from planner.session.ci import PolicySource
from planner.session.git import Git, Layout
from planner.session.selection import Loaded, read_files
from planner.session.stores import OpenedStore, Workspace
from planner.values import frozen
from planner.verdicts.untrusted_cases import UntrustedCases, could_pass, still_settled

MAX_SESSIONS: Final = 200
"""Number of newest sessions to search. Beyond those read for prices, they are only read if a case would be called."""
MERGE_BASE: Final = "refs/planner/merge-base"
"""Where a job with a shallow clone puts the commit."""


@frozen
class EarlierResults:
    """`runs` are of the newest sessions."""

    stored: StoredResults
    runs: Sequence[PastRun]


def earlier_results(work: Workspace, ask: VoteCache) -> EarlierResults:
    """The stored results of today's cases. Results that others could have written are judged again."""
    selection, loaded, place = work.selection, work.loaded, work.place
    repository = place.repository
    environment = selection.environment or ""
    earlier = EarlierCalls(repository, environment=environment, sandbox=selection.sandbox)
    runs = past_runs(_newest_outlines(repository, earlier))
    checked = UntrustedCases(
        {case.case_id: case for plan in loaded.plans for case in plan.cases},
        repository.load_evidence,
        ask,
        still_settled(repository.load_evidence, ask),
    )
    baseline = _baseline(place, place.base or repository, loaded, checked)
    of_target: Mapping[str, CaseResult] = baseline if place.target is place.base else {}
    if place.target is not None and place.target is not place.base:
        of_target = _baseline(place, place.target, loaded, checked)
        baseline |= of_target
    on_branch = _on_branch(place, loaded, checked) if place.base is not None else None
    if place.shared is not None:
        own = place.shared.repository.own_cases(place.environment, loaded.plan_names)
        baseline = place.shared.restored(baseline, loaded.cases, own)
        on_branch = None if on_branch is None else place.shared.restored(on_branch, loaded.cases, own)
    gone: Mapping[str, CaseResult] = {}
    if not selection.partial:
        gone = _removed_cases(work, baseline)
        if place.base is not None and (others := _added_elsewhere(work, baseline)):
            baseline, gone = {name: case for name, case in baseline.items() if name not in others}, {**gone, **others}
    stored = StoredResults(
        baseline,
        deleted=gone,
        partial_results=checked.by_id(earlier.earlier_runs(case.case_id for case in loaded.cases)),
        on_branch=on_branch,
        of_target=frozenset(of_target),
        called_before=lambda case_id, fingerprint: iter(checked.judged(list(earlier(case_id, fingerprint)))),
        has_evidence=repository.has_evidence,
        still_settled=checked.still_settled,
        could_pass=could_pass(repository.load_evidence, ask),
    )
    return EarlierResults(stored, runs)


def _baseline(
    place: OpenedStore, repository: ResultsRepository, loaded: Loaded, checked: UntrustedCases
) -> dict[str, CaseResult]:
    """The stored cases of the plans, by case id. Outcomes that others could have written are judged again from
    evidence, once."""
    found: dict[str, CaseResult] = {}
    for stored in repository.stored_baselines(place.environment, loaded.plan_names):
        cases = stored.document.cases
        # Jobs of a pull request may have forged what they wrote, even in a shared store.
        is_base = place.base is None or repository is place.base
        if not (stored.is_trusted if is_base else place.verified.contains(stored.data)):
            judged = checked.judged(cases)
            if judged == cases and checked.knows(cases):
                place.verified.add([stored.data])
            cases = judged
        found |= {case.case_id: case for case in cases}
    return found


def _on_branch(place: OpenedStore, loaded: Loaded, checked: UntrustedCases) -> dict[str, CaseResult]:
    """The cases that sessions of this pull request called. In a merge group, cases of its other pull requests count if
    they make today's call."""
    found = _baseline(place, place.repository, loaded, checked)
    calls = {case.case_id: call_fingerprint(case_inputs(case, None)) for case in loaded.cases} if place.group else {}
    for repository in place.group:
        for case_id, case in _baseline(place, repository, loaded, checked).items():
            own = found.get(case_id)
            if case.call_fingerprint == calls.get(case_id) and (own is None or own.call_fingerprint != calls[case_id]):
                found[case_id] = case
    return found


def _newest_outlines(repository: ResultsRepository, earlier: EarlierCalls) -> Iterator[RunResult]:
    """The newest sessions, one at a time, noting their calls in `earlier`."""
    for outline in islice(repository.sessions(), HISTORY_SESSIONS):
        earlier.note(outline)
        yield outline


def _removed_cases(work: Workspace, baseline: Mapping[str, CaseResult]) -> dict[str, CaseResult]:
    """Stored cases of removed plans: their file is gone or has other plans. Only searched if a plan is new, since it
    may be a renamed one."""
    cwd, loaded, place = work.shell.cwd, work.loaded, work.place
    known = {case.plan for case in baseline.values()}
    if known.issuperset(plan.name for plan in loaded.plans if plan.cases):
        return {}
    files = {case.span.file for plan in loaded.plans for case in plan.cases}
    return {
        case.case_id: case
        for document in (place.base or place.repository).other_baselines(place.environment, loaded.plan_names)
        for case in document.cases
        if case.file and (case.file in files or not (cwd / case.file).exists())
    }


class EarlierCalls:
    """Reads outlines from the store on first use, and full sessions only if they contain a wanted call."""

    def __init__(self, repository: ResultsRepository, *, environment: str, sandbox: bool) -> None:
        self._repository = repository
        self._environment = environment
        self._sandbox = sandbox
        self._sessions: dict[tuple[str, str], dict[str, str]] = {}
        """By case id and call fingerprint: the newest session of each agent revision (its digest), newest first."""
        self._noted = 0
        self._oldest: str | None = None
        self._is_whole = False
        self._read: dict[str, dict[str, CaseResult]] = {}
        self._partial_sessions: dict[str, str] = {}
        """The partial session with earlier runs, by case id."""
        self._decided: set[str] = set()

    def __call__(self, case_id: str, call_fingerprint: str) -> Iterator[CaseResult]:
        """Implements `planner.changes.diff.CalledBefore`."""
        if not self._is_whole:
            self._is_whole = True
            for outline in islice(self._repository.sessions(before=self._oldest), MAX_SESSIONS - self._noted):
                self.note(outline)
        for session_id in self._sessions.get((case_id, call_fingerprint), {}).values():
            case = self._cases(session_id).get(case_id)
            if case is not None:
                yield case

    def note(self, outline: RunResult) -> None:
        """Note an outline that was read for another purpose; each is older than the one before."""
        self._noted += 1
        self._oldest = outline.session_id
        if not outline.finished or outline.environment != self._environment or outline.sandbox is not self._sandbox:
            return
        self._note_partial(outline)
        for case in outline.cases if not outline.partial else ():
            sessions = self._sessions.setdefault((case.case_id, case.call_fingerprint), {})
            # The newest session of an agent's configuration, or revision, has the latest verdict.
            agent = case.inputs.configuration or revision_digest(case.inputs.agent_revision or "")
            sessions.setdefault(agent, outline.session_id)

    def earlier_runs(self, case_ids: Iterable[str]) -> dict[str, CaseResult]:
        """Results of the newest partial session for these cases, if they failed or were undecided in it and no full
        session has called them since. They are no baseline, but their runs count on a retry."""
        found = {
            case_id: self._cases(self._partial_sessions[case_id]).get(case_id)
            for case_id in case_ids
            if case_id in self._partial_sessions
        }
        return {case_id: case for case_id, case in found.items() if case is not None}

    def _note_partial(self, outline: RunResult) -> None:
        for case in outline.cases:
            if case.action != "call" or case.case_id in self._decided:
                continue
            if outline.partial and case.outcome in ("failed", "unknown"):
                self._partial_sessions[case.case_id] = outline.session_id
            resumed = any(run.session_id != outline.session_id for run in case.runs)
            if case.case_id in self._partial_sessions or not outline.partial or not resumed:
                self._decided.add(case.case_id)  # older sessions do not count

    def _cases(self, session_id: str) -> dict[str, CaseResult]:
        if session_id not in self._read:
            result = self._repository.load_session(session_id)
            self._read[session_id] = {case.case_id: case for case in result.cases} if result else {}
        return self._read[session_id]


def _added_elsewhere(work: Workspace, baseline: Mapping[str, CaseResult]) -> dict[str, CaseResult]:
    """Cases that the base branch added after the pull request branched off. If the merge base is unknown, all cases of
    the base branch that the plans lack."""
    present = {case.case_id for plan in work.loaded.plans for case in plan.cases}
    missing = {case_id: case for case_id, case in baseline.items() if case_id not in present}
    if not missing:
        return {}
    before = _case_ids(work)
    return {case_id: case for case_id, case in missing.items() if case_id not in before}


def _case_ids(work: Workspace) -> Iterable[str]:
    """The cases of the plans at that commit; none if it or its plans cannot be read."""
    shell, selection, loaded = work.shell, work.selection, work.loaded
    git = Git(loaded.root, shell.environ)
    layout, commit = git.layout(), _commit(git, loaded)
    if not commit or not isinstance(layout, Layout):
        return ()
    archive = git("archive", "--format=tar", commit)
    if archive.code != 0:
        return ()
    with TemporaryDirectory() as name:
        tree = Path(name).resolve()
        try:
            with tarfile.open(fileobj=io.BytesIO(archive.out)) as files:
                files.extractall(tree, filter="data")
        except (tarfile.TarError, OSError):
            return ()
        cwd = tree / shell.cwd.resolve().relative_to(layout.work_tree.resolve())
        root = tree / loaded.root.resolve().relative_to(layout.work_tree.resolve())
        if not cwd.is_dir():
            return ()
        try:
            found = read_files(
                replace(shell, cwd=cwd), selection.paths, selection.environment, PolicySource(root, loaded.base)
            )
        except UsageError:  # it had no such plans
            return ()
        return {case.case_id for plan in found.plans for case in plan.cases}


def _commit(git: Git, loaded: Loaded) -> str:
    named = git("rev-parse", "--verify", "--quiet", f"{MERGE_BASE}^{{commit}}").out.decode().strip()
    if named or loaded.base is None:
        return named
    return git("merge-base", "HEAD", loaded.base.commit).out.decode().strip()
