"""`planner ci promote`: the calls of merged pull requests count for the default branch, without a new call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from planner.agents.recorded import effective_targets, record_agents, stored_configuration
from planner.changes.configuration import Configurations, has_fields
from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.ci.client import github_of
from planner.errors import NotFoundError
from planner.planfile.model import Case
from planner.quantities import count
from planner.records.facts import SessionHead, StoredCall, Trust
from planner.records.log import CALLS, SESSIONS, Records, files_of, head_key, part_bytes, part_key
from planner.results.directory import DirectoryStore
from planner.results.documents import has_open_launches, remove_branch, stored_branches
from planner.results.outcomes import Cause
from planner.results.repository import ResultsRepository, evidence_key
from planner.results.store import BRANCHES, BranchStore, Reader, Store
from planner.session.bug_report import logs_checks
from planner.session.earlier_results import project_name, scope_of
from planner.session.judging import judging_of
from planner.shell import Shell
from planner.values import frozen
from planner.verdicts.pools import CallJudge
from planner.workspace.selection import Selection, require_default_branch
from planner.workspace.stores import Workspace, open_workspace

_PERMISSION: Final = "pull-requests: read"
_KEPT_WHEN_CLOSED: Final = timedelta(days=30)
"""Whoever opens a pull request again finds its calls."""
_SAME_EVERYWHERE: Final = ("configurations/", "runs/", "votes/")


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
    return 0


def _ask_github(shell: Shell, numbers: list[int]) -> tuple[set[int], set[int]]:
    """Pull requests that were merged, and that were closed long ago. One that was merged into another branch than this
    job's counts as closed."""
    if not numbers:
        return set(), set()
    branch = shell.environ.get("GITHUB_REF_NAME", "")
    until = shell.clock.now() - _KEPT_WHEN_CLOSED
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
            elif pull.get("state") == "closed" and _closed_before(pull, until):
                closed.add(number)
    return merged, closed


def _closed_before(pull: Mapping[str, Any], until: datetime) -> bool:
    try:
        return datetime.fromisoformat(str(pull.get("closed_at"))) < until
    except (TypeError, ValueError):  # GitHub does not say when
        return False


@frozen
class _Promotion:
    """The calls to promote by fingerprint, and the sessions that made or kept them."""

    calls: Mapping[str, Sequence[StoredCall]]
    heads: Sequence[SessionHead]
    foreign: int
    """How many calls a workflow made that is not the default branch's."""


def _promote(work: Workspace, store: Store, number: int) -> str:
    prefix = f"{BRANCHES}{number}/"
    branch = ResultsRepository(BranchStore(store, prefix))
    found = _found(work, branch, {key.removeprefix(prefix) for key in store.keys(prefix + SESSIONS)})
    project = project_name(work)
    store.update(lambda now: _writes(now, number, found, project))
    cases = len({call.call.case_id for calls in found.calls.values() for call in calls})
    left = " · launches are not settled, so its results stay until they are" if has_open_launches(store, number) else ""
    if found.foreign:
        left += f" · {count(found.foreign, 'call')} not promoted: made by a workflow that is not the default branch's"
    return f"#{number}: {count(cases, 'case')} promoted{left}"


def _found(work: Workspace, branch: ResultsRepository, own_keys: AbstractSet[str]) -> _Promotion:
    """The branch's calls that today's cases would make, of agents as their files say today. `own_keys` are of its
    heads: `branch` also shows those of the default branch, which stay as they are."""
    records = Records(branch, [work.place.repository], scope_of(work))
    own_heads = [head for head in Records(branch, (), scope_of(work)).heads() if head_key(head.session_id) in own_keys]
    here = {head.session_id for head in own_heads if _is_made_here(work.shell, head)}
    known = {head.session_id for head in own_heads}
    calls: dict[str, list[StoredCall]] = {}
    judging = judging_of(work)
    judge = CallJudge(branch.load_evidence, judging.cache, judging.name)
    foreign = 0
    for fingerprint, case in {call_fingerprint(case_inputs(case, None)): case for case in work.loaded.cases}.items():
        for call in records.calls(fingerprint):
            if call.is_of_base or not _has_file(call, case, branch):
                continue
            if call.call.session_id in known - here:
                foreign += 1
            else:
                calls.setdefault(fingerprint, []).append(_without_claims(call, case, judge))
        if fingerprint in calls:
            calls[fingerprint] = _with_all_they_count_with(calls[fingerprint], records.calls(fingerprint))
    return _Promotion(calls, [head for head in own_heads if head.session_id in here], foreign)


def _with_all_they_count_with(chosen: Sequence[StoredCall], every: Sequence[StoredCall]) -> list[StoredCall]:
    """Those whose earlier calls are promoted, too, or are known: a retry never counts without what failed before."""
    known = {call.id for call in chosen} | {call.id for call in every if call.is_of_base}
    left = [call for call in chosen if all(tuple(earlier) in known for earlier in call.call.counted_with)]
    return list(chosen) if len(left) == len(chosen) else _with_all_they_count_with(left, every)


def _without_claims(call: StoredCall, case: Case, judge: CallJudge) -> StoredCall:
    """The call without verdicts where its evidence decides: whoever can write for a pull request may have written
    them."""
    run = judge.judged(case, check_fingerprint(case), replace(call, trust=Trust.NOTHING))
    return call if run.cause is Cause.JUDGE else replace(call, verdicts=())


def _is_made_here(shell: Shell, head: SessionHead) -> bool:
    """Whether a workflow of the default branch made the session, as it says. True outside of GitHub Actions."""
    ref = shell.environ.get("GITHUB_REF", "")
    return not ref or not head.workflow or head.workflow.endswith(f"@{ref}")


def _has_file(call: StoredCall, case: Case, branch: ResultsRepository) -> bool:
    """Whether the call reached the agent as its file says today; true if that is unknown. Calls of a target that has no
    file any more may have reached a preview."""
    config, digest = case.target.config, call.call.configuration
    if call.call.has_agent_file and config is None:
        return False
    called = stored_configuration(branch, digest) if config is not None and digest is not None else None
    return called is None or config is None or has_fields(called, config.fields)


def _writes(now: Reader, number: int, found: _Promotion, project: str) -> dict[str, bytes | None]:
    """The files that make these calls part of the default branch, and the removal of this project's from the
    namespace."""
    prefix, writes = f"{BRANCHES}{number}/", dict[str, bytes | None]()
    parts: dict[str, dict[str, bytes]] = {}
    for fingerprint, calls in found.calls.items():
        for call in calls:
            digest = call.data.evidence
            evidence = now.get(prefix + evidence_key(digest)) if digest is not None else None
            if digest is not None and evidence is not None and not now.has(evidence_key(digest)):
                writes[evidence_key(digest)] = evidence
            facts = (call.call.model_copy(update={"data": call.data}), *call.verdicts)
            of_session = parts.setdefault(call.call.session_id, {})
            key = part_key(fingerprint, call.call.session_id, number=_PROMOTED)
            of_session[key] = of_session.get(key, b"") + part_bytes(facts)
    promoted = set(found.calls)
    for head in found.heads:
        if _is_of_base(now, head):
            continue
        cases = [case.model_copy(update={"calls": []}) for case in head.cases if case.call_fingerprint in promoted]
        own = head.model_copy(update={"cases": cases, "plans": [], "parts": {}})
        writes |= files_of(own, parts.pop(head.session_id, {}))
    for left in parts.values():  # of sessions that were lost
        writes |= left
    for folder in _SAME_EVERYWHERE:
        for key in now.keys(prefix + folder):
            if not now.has(key.removeprefix(prefix)):
                writes[key.removeprefix(prefix)] = now.get(key)
    return writes | dict.fromkeys(_removed(now, number, project))


def _is_of_base(now: Reader, head: SessionHead) -> bool:
    """Whether the default branch has a session of this name that was not promoted: a forged name may not replace it."""
    data = now.get(head_key(head.session_id))
    if data is None:
        return False
    known = SessionHead.model_validate_json(data)
    return bool(known.plans) or not all(key.endswith(f"-{_PROMOTED}.jsonl") for key in known.parts)


_PROMOTED: Final = 0
"""The number of a part that was promoted; those of sessions begin with 1."""


def _removed(now: Reader, number: int, project: str) -> Iterator[str]:
    """The namespace's files, without those of other projects' sessions; none while it has launches that are not
    settled."""
    prefix = f"{BRANCHES}{number}/"
    if has_open_launches(now, number):
        return
    others: set[str] = set()
    for key in now.keys(prefix + SESSIONS):
        data = now.get(key)
        head = SessionHead.model_validate_json(data) if data is not None else None
        if head is not None and head.project != project:
            others |= {head.session_id}
    for key in now.keys(prefix):
        own = key.removeprefix(prefix)
        name = own.rpartition("/")[2].partition(".")[0]
        session = name.rpartition("-")[0] if own.startswith(CALLS) else name
        is_evidence = own.startswith("evidence/")
        if session not in others and not (is_evidence and others):
            yield key
