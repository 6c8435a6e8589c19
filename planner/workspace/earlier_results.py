"""Reads the stored calls of today's cases, and the prices of past ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from planner.changes.configuration import Agents
from planner.changes.diff import StoredResults
from planner.changes.history import HISTORY_SESSIONS, PastRun, past_runs
from planner.changes.model import Change
from planner.ci.event import default_branch
from planner.evidence import Evidence
from planner.judge.votes import VoteCache
from planner.records.facts import CallFact, CallId
from planner.records.log import Records, Scope
from planner.results.model import CaseResult
from planner.results.outcomes import Action
from planner.values import frozen
from planner.verdicts.call_judge import CallJudge
from planner.verdicts.earlier import Today, earlier_cases
from planner.workspace.merge_base import cases_at_merge_base
from planner.workspace.stores import Workspace, named_project


@frozen
class EarlierResults:
    """`base` are the base branch's cases, in a job of a pull request."""

    stored: StoredResults
    base: Mapping[str, CaseResult]
    counted: frozenset[CallId] = frozenset()
    """The calls of all pools and baselines."""


def records_of(work: Workspace) -> Records:
    """The stored facts that count for this job. In a merge group, those of its other pull requests do, too."""
    place = work.place
    target = place.target if place.target is not place.base else None
    base = [*filter(None, [target, place.base])]
    return Records(place.repository, base, scope_of(work), place.unverified)


def scope_of(work: Workspace) -> Scope:
    shell = work.shell

    def warn(text: str) -> None:
        shell.log(f"warning: {text}")

    default = default_branch(shell.environ)
    ref = f"refs/heads/{default}" if default else ""
    return Scope(_environments(work), project_name(work), ref, shell.clock.now(), warn)


def project_name(work: Workspace) -> str:
    """`name` of planner.yaml, or its folder in the repository; "" for the top, and outside of a repository."""
    return named_project(work.loaded.root, work.loaded.project)


def _environments(work: Workspace) -> tuple[str, str]:
    """How the environment's name may be written."""
    name, shared = work.selection.environment or "", work.place.shared
    return name, name if shared is None else shared.redaction.name(name)


def earlier_results(
    work: Workspace, records: Records, agents: Agents, ask: VoteCache, judged_by: str | None
) -> EarlierResults:
    """What earlier calls show of today's cases."""
    selection, loaded, place = work.selection, work.loaded, work.place
    repository = place.repository
    redaction = place.shared.redaction if place.shared is not None else None

    def load_evidence(digest: str) -> Evidence | None:
        found = repository.load_evidence(digest)
        return found if found is not None or place.target is None else place.target.load_evidence(digest)

    today = Today(
        loaded.cases,
        agents,
        CallJudge(load_evidence, ask, judged_by, reads_base=place.base is None),
        work.shell.clock.now(),
        _is_gone(work),
        is_branch=place.base is not None,
        show=redaction.name if redaction is not None else str,
        text=redaction.text if redaction is not None else str,
    )
    found = earlier_cases(today, records, () if selection.partial else list(loaded.plan_names))
    gone = found.gone
    if place.base is not None and gone:
        before = set(map(today.show, cases_at_merge_base(work)))
        gone = [case for case in gone if case.case_id in before]
    stored = StoredResults(
        found.cases,
        base=_of_target(work, records, found.base),
        gone=gone,
        has_evidence=repository.has_evidence,
    )
    return EarlierResults(stored, found.base, found.counted)


def newest_runs(work: Workspace, changes: Iterable[Change]) -> Sequence[PastRun]:
    """The runs of the newest sessions, from which prices are learned; none if nothing is called."""
    if not any(change.action is Action.CALL for change in changes):
        return ()
    return past_runs(islice(work.place.repository.sessions(), HISTORY_SESSIONS))


def _is_gone(work: Workspace) -> Callable[[CallFact], bool]:
    """Whether no plan has the case of a stored call any more: its plan was read and lacks it, or its file is gone or
    has another plan."""
    cwd, loaded, shared = work.shell.cwd, work.loaded, work.place.shared
    show = shared.redaction.name if shared is not None else str
    present = {show(case.case_id) for plan in loaded.plans for case in plan.cases}
    plans = {show(plan.name) for plan in loaded.plans}
    files = {case.span.file for plan in loaded.plans for case in plan.cases}

    def is_gone(call: CallFact) -> bool:
        if call.case_id in present:
            return False
        return call.plan in plans or (bool(call.file) and (call.file in files or not (cwd / call.file).exists()))

    return is_gone


def _of_target(work: Workspace, records: Records, base: Mapping[str, CaseResult]) -> Mapping[str, CaseResult]:
    """The base branch's cases that the branch stored which the pull request targets: only their failures are known."""
    place = work.place
    if place.target is None or place.target is place.base:
        return {} if place.target is None else base
    show = place.shared.redaction.name if place.shared is not None else str
    stored = {case.case_id for head in records.target_heads() for case in head.cases}
    return {case_id: case for case_id, case in base.items() if show(case_id) in stored}
