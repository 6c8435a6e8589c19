"""`planner ci promote`: the results of merged pull requests become the default branch's baseline, without a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final

from planner.changes.configuration import Configurations, has_fields
from planner.changes.fingerprint import call_fingerprint, case_inputs
from planner.errors import NotFoundError
from planner.github.client import github_of
from planner.planfile.model import Case
from planner.quantities import count
from planner.results.directory import DirectoryStore
from planner.results.documents import (
    BaselineDocument,
    Promotion,
    branch_baselines,
    called_at,
    document_bytes,
    has_open_launches,
    promotion,
    remove_branch,
    stored_branches,
)
from planner.results.model import CaseResult
from planner.results.outcomes import Action, CaseOutcome
from planner.results.repository import ResultsRepository, baseline_key
from planner.results.store import BRANCHES, BranchStore, Reader, Store, segment_for
from planner.session.bug_report import logs_checks
from planner.session.judging import judging_of
from planner.session.preparing import checked_cases, prepare, stored_journal
from planner.session.recorded_agents import effective_targets, record_agents, stored_configuration
from planner.session.selection import Selection, require_default_branch
from planner.session.service import known_service
from planner.session.shell import Shell
from planner.session.stores import Workspace, open_workspace
from planner.verdicts.untrusted_cases import UntrustedCases, still_settled

_PERMISSION: Final = "pull-requests: read"


@logs_checks
def promote(shell: Shell, selection: Selection, *, numbers: tuple[int, ...]) -> int:
    """Promote merged pull requests and clean up; return 0. Without `numbers`, ask GitHub about every one that has
    results. Raises `UsageError` in a job of a pull request or branch."""
    require_default_branch(shell, selection, "promotes results")
    work = open_workspace(shell, selection)
    loaded, place = work.loaded, work.place
    store = place.shared.store if place.shared is not None else DirectoryStore(place.directory)
    record_agents(place, loaded.project, effective_targets(loaded.cases, {}), Configurations())
    stored = stored_branches(store)
    if not stored:
        shell.print("nothing to promote: no pull request has stored results")
    merged, closed = (set(numbers), set[int]()) if numbers else _ask_github(shell, stored)
    for number in stored:
        if number in merged:
            shell.print(_promote(work, store, number))
        elif number in closed and not has_open_launches(store, number):
            store.update(lambda now, number=number: remove_branch(now, number))
            shell.print(f"#{number}: closed without a merge into this branch, results removed")
    if settled := _settle(work, store):
        shell.print(settled)
    return 0


def _ask_github(shell: Shell, numbers: list[int]) -> tuple[set[int], set[int]]:
    """(merged, closed) pull requests. One that was merged into another branch than this job's counts as closed."""
    if not numbers:
        return set(), set()
    branch = shell.environ.get("GITHUB_REF_NAME", "")
    merged, closed = set[int](), set[int]()
    with github_of(shell.environ, shell.pause) as github:
        for number in numbers:
            try:
                pull = github.get(f"pulls/{number}", _PERMISSION)
            except NotFoundError:
                github.get("pulls", _PERMISSION, per_page=1)  # raises if the token may not see pull requests
                shell.log(f"#{number}: GitHub does not know this pull request, so its results stay")
                continue
            into = pull.get("base", {}).get("ref", branch)
            if pull.get("merged_at") and (not branch or into == branch):
                merged.add(number)
            elif pull.get("state") == "closed":
                closed.add(number)
    return merged, closed


def _promote(work: Workspace, store: Store, number: int) -> str:
    loaded, place = work.loaded, work.place
    repository = place.repository
    branch = ResultsRepository(BranchStore(store, f"{BRANCHES}{number}/"))
    judging = judging_of(work)
    show = place.shared.redaction.name if place.shared is not None else str
    cases = {show(case.case_id): case for case in loaded.cases}
    checked = UntrustedCases(
        cases, branch.load_evidence, judging.cache, still_settled(branch.load_evidence, judging.cache)
    )
    environment = segment_for(show(place.environment))
    own = {show(name) for name in loaded.plan_names}
    found: list[Promotion] = []
    made_here = _made_by(work.shell, branch)
    foreign = 0
    for key, source in branch_baselines(store, number, environment, repository.read_baseline):
        if source.plan not in own:
            continue
        stored = repository.read_baseline(key, store.get(key))
        base = {case.case_id: case for case in stored.cases} if stored is not None else {}
        matching = [case for case in _matching(source, base, cases) if _has_file(case, cases, branch)]
        own_calls = [case for case in matching if all(made_here(session) for session in _sessions(source, case))]
        foreign += len(matching) - len(own_calls)
        kept = checked.judged(own_calls)
        found.append(Promotion(key, source, kept))
    at = work.shell.clock.now()
    store.update(lambda now: promotion(now, number, found, at, repository.read_baseline, made_here))
    left = " · launches are not settled, so its results stay until they are" if has_open_launches(store, number) else ""
    if foreign:
        left += f" · {count(foreign, 'case')} not promoted: called by a workflow that is not the default branch's"
    return f"#{number}: {count(sum(len(each.cases) for each in found), 'case')} promoted{left}"


def _settle(work: Workspace, store: Store) -> str:
    """Store what the plans of the default branch decide without calls, since pull requests are compared with it:
    results that apply again after a revert, results judged by changed expectations, and the removal of deleted
    cases."""
    loaded, place = work.loaded, work.place
    show = place.shared.redaction.name if place.shared is not None else str
    keys = {plan: baseline_key(show(place.environment), show(plan)) for plan in loaded.plan_names}
    seen = {key: data for key in keys.values() if (data := store.get(key)) is not None}
    with stored_journal(work) as journal:
        prepared = prepare(work, known_service(work).targets, journal)
        checked = checked_cases(work, prepared, journal)
    applied = [
        case.judged
        for case in checked
        if case.change.action is Action.RECHECK and case.judged and case.judged.outcome is not CaseOutcome.UNKNOWN
    ]
    if place.shared is not None:
        applied = [place.shared.redaction.case(case) for case in applied]
    dropped = {show(change.case_id) for change in prepared.change_set.with_action(Action.DROP)}
    at = work.shell.clock.now()

    def change(now: Reader) -> dict[str, bytes | None]:
        writes: dict[str, bytes | None] = {}
        for plan, key in keys.items():
            data = seen.get(key)
            mine = {case.case_id: case for case in applied if case.plan == show(plan)}
            if data is None or now.get(key) != data:  # another job has stored newer results meanwhile
                continue
            stored = place.repository.read_baseline(key, data)
            if stored is None:
                continue
            cases = {case.case_id: case for case in stored.cases if case.case_id not in dropped} | mine
            if mine or len(cases) < len(stored.cases):
                writes[key] = document_bytes(stored.model_copy(update={"cases": list(cases.values()), "ended_at": at}))
        return writes

    store.update(change)
    parts = [f"{count(len(applied), 'case')} settled by earlier calls"] if applied else []
    parts += [f"{count(len(dropped), 'case')} removed that no plan has"] if dropped else []
    return f"baseline: {', '.join(parts)}" if parts else ""


def _has_file(case: CaseResult, cases: Mapping[str, Case], branch: ResultsRepository) -> bool:
    """Whether the calls reached the agent as its file says today; true if that is unknown. Calls of a target that has
    no file any more may have reached a preview."""
    if case.inputs.has_agent_file and cases[case.case_id].target.config is None:
        return False
    config, digest = cases[case.case_id].target.config, case.inputs.configuration
    called = stored_configuration(branch, digest) if config is not None and digest is not None else None
    return called is None or config is None or has_fields(called, config.fields)


def _made_by(shell: Shell, branch: ResultsRepository) -> Callable[[str], bool]:
    """Whether a workflow of the default branch made a session, as the session recorded. True outside of GitHub
    Actions."""
    ref = shell.environ.get("GITHUB_REF", "")

    @cache
    def made_here(session: str) -> bool:
        result = branch.load_session(session)
        return not ref or result is None or not result.workflow or result.workflow.endswith(f"@{ref}")

    return made_here


def _sessions(source: BaselineDocument, case: CaseResult) -> set[str]:
    return {run.session_id or case.carried_from or source.session_id for run in case.runs}


def _matching(
    source: BaselineDocument, base: Mapping[str, CaseResult], cases: Mapping[str, Case]
) -> Iterator[CaseResult]:
    """The pull request's cases that make today's calls, unless the default branch has called them since."""
    for case in source.cases:
        today, stored = cases.get(case.case_id), base.get(case.case_id)
        if today is None or call_fingerprint(case_inputs(today, None)) != case.call_fingerprint:
            continue
        if (
            stored is not None
            and stored.call_fingerprint == case.call_fingerprint
            and called_at(stored) >= called_at(case)
        ):
            continue
        yield case
