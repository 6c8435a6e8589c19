"""Connects a session to a shared store: imports other machines' launches and publishes own results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from pathlib import Path
from typing import Final

from planner.changes.fingerprint import call_fingerprint, case_inputs
from planner.ci.git import Git, shared_remote
from planner.errors import UsageError
from planner.evidence import Evidence
from planner.execution.events import Consumed, Moved, RunsBound, RunsKnown
from planner.execution.intent_documents import RESULTS
from planner.execution.journal import Journal
from planner.execution.launches import KNOWN, UNSETTLED, Launch, LaunchState, Slot
from planner.execution.sharing import IntentSharing, KnownCall
from planner.key_redaction import KeyRedactor
from planner.planfile.addresses import Bucket, GitRef, SharedAddress
from planner.planfile.model import Case, Project
from planner.quantities import count
from planner.records.facts import CallId
from planner.records.log import Records, Scope
from planner.reports.redaction import Pattern, Redactor, redact, redact_case, redact_evidence
from planner.results.model import CaseResult, RunResult
from planner.results.repository import Access, ResultsRepository, session_key
from planner.results.shared_store import SharedRepository, Tiers
from planner.shell import Shell, redactor_patterns
from planner.stores.git_ref import GitStore
from planner.stores.store import Backoff, Store, of_branches
from planner.values import frozen

_ADDRESS_WITH_QUERY: Final = re.compile(r"https?://[^\s\"'<>?]*\?[^\s\"'<>]+")
"""Signed URLs have their signature in the query."""
_RESULTS_READ: Final = 50
"""Number of newest sessions to search for runs of launches."""


class SharedRedaction:
    """Redaction for shared stores: like reports, plus keys and URLs with a query."""

    def __init__(self, project: Project, keys: KeyRedactor) -> None:
        self._patterns: tuple[Pattern, ...] = (keys, _ADDRESS_WITH_QUERY, *redactor_patterns(project))
        self._redactor = Redactor(self._patterns)

    def result(self, result: RunResult) -> RunResult:
        return redact(result, self._patterns)

    def case(self, case: CaseResult) -> CaseResult:
        return redact_case(case, self._redactor)

    def evidence(self, evidence: Evidence) -> Evidence:
        return redact_evidence(evidence, self._patterns)

    def name(self, name: str) -> str:
        return self._redactor.name(name)

    def text(self, text: str) -> str:
        return self._redactor.text(text)


@frozen
class Shared:
    """A place's shared store and its redaction."""

    store: Store
    repository: SharedRepository
    redaction: SharedRedaction
    whole: Store
    """With the namespaces of all jobs."""


def open_shared(
    shell: Shell, project: Project, remote: Store, local: tuple[Store, Sequence[str], Access]
) -> tuple[Shared, Callable[[Sequence[str]], ResultsRepository]]:
    """The shared store, and a function that opens other namespaces of it.

    `local` are the store on this machine, the namespaces of this job, and the access.
    """
    folder, namespaces, access = local
    redaction = SharedRedaction(project, shell.keys)

    def opened(namespaces: Sequence[str], /) -> SharedRepository:
        tiers = Tiers(of_branches(folder, namespaces), of_branches(remote, namespaces))
        return SharedRepository(tiers, redaction, access)

    return Shared(of_branches(remote, namespaces), opened(namespaces), redaction, remote), opened


def remote_store(shell: Shell, root: Path, address: SharedAddress, *, sandbox: bool, offline: bool = False) -> Store:
    """The shared store of this address, for the repository of `root`. Raises `UsageError`.

    Whoever can write to it is trusted: outcomes in `latest/` are used as they are. So it must never be a place that a
    commit can change, such as a file of the work tree.
    """
    backoff = Backoff(shell.chance, shell.pause)
    match address:
        case GitRef():
            git = Git(root, shell.environ)
            ref = address.ref + ("-sandbox" if sandbox else "")
            remote = shared_remote(git, address.remote)
            return GitStore(git, ref, remote=remote, backoff=backoff, offline=offline)
        case Bucket():
            try:
                from planner.stores.object_store import ObjectStore, open_bucket
            except ImportError as error:
                raise UsageError(
                    "an object store needs the extra `stores`; in planner's clone: uv tool install '.[stores]'",
                    "Or name a folder, or git:refs/planner/results.",
                ) from error
            allow_http = shell.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true")
            bucket = open_bucket(address.url, allow_http=allow_http)
            return ObjectStore(bucket, address.url, folder="sandbox" if sandbox else "", backoff=backoff)


def import_launches(shell: Shell, shared: Shared, journal: Journal, cases: Iterable[Case]) -> IntentSharing:
    """Import launches of other machines into this journal. The returned object treats only later ones as concurrent."""
    name = shared.redaction.name
    calls = {
        (name(case.case_id), call_fingerprint(case_inputs(case, None))): KnownCall(
            case.case_id, case.plan, case.target_number
        )
        for case in cases
    }
    intents = IntentSharing(shared.store, journal, show_name=name, now=shell.clock.now())
    earlier = frozenset(shared.repository.file_keys(RESULTS))  # before the launches are read
    taken = intents.import_launches(calls)
    open_launches = journal.launches(UNSETTLED)
    if open_launches or journal.unconsumed_slots():
        results = islice(shared.repository.sessions(), _RESULTS_READ)
        records = Records(shared.repository, (), Scope(None))
        # The launches of later results are not imported yet: they would lose their runs.
        _claim_runs(journal, open_launches, [each for each in results if session_key(each.session_id) in earlier])
        claim_calls(journal, open_launches, records.ids, earlier)
        _consume_stored(journal, records)
    if taken:
        message = "their calls are resumed and not repeated"
        if open_launches:
            message = f"searching for {count(len(open_launches), 'launch', 'launches')} before anything is sent again"
        shell.log(f"the shared store has launches of unfinished sessions: {message}")
    return intents


def _claim_runs(journal: Journal, open_launches: Sequence[Launch], results: Iterable[RunResult]) -> None:
    """None of these launches can have become a run of another session."""
    theirs = {launch.session_id for launch in open_launches}
    claimed = {
        run.run_id
        for result in results
        for case in result.cases
        for run in case.runs
        if (run.session_id or result.session_id) not in theirs
    }
    if open_launches and (unknown := claimed - journal.claimed_run_ids()):
        journal.record(RunsKnown(tuple(sorted(unknown))))


def claim_calls(
    journal: Journal,
    open_launches: Sequence[Launch],
    calls_of: Callable[[str], Iterable[CallId]],
    earlier: AbstractSet[str],
) -> None:
    """None of these launches can have become a stored call of another session, even if its report is damaged.

    `calls_of` a fingerprint are the stored calls. `earlier` are the keys of the reports that count.
    """
    theirs = {launch.session_id for launch in open_launches}
    slots = (slot for launch in open_launches for slot in journal.slots_of(launch.launch_id))
    claimed = {
        run_id
        for fingerprint in {slot.call_fingerprint for slot in slots}
        for session_id, run_id in calls_of(fingerprint)
        if session_id not in theirs and session_key(session_id) in earlier
    }
    if unknown := claimed - journal.claimed_run_ids():
        journal.record(RunsKnown(tuple(sorted(unknown))))


def _consume_stored(journal: Journal, records: Records) -> None:
    """These calls are stored, but the machine that made them was lost before it could say so."""
    for launch in journal.launches((*KNOWN, LaunchState.UNCONFIRMED)):
        slots = journal.slots_of(launch.launch_id)
        stored = {
            fingerprint: {run_id for session_id, run_id in records.ids(fingerprint) if session_id == launch.session_id}
            for fingerprint in {slot.call_fingerprint for slot in slots}
        }
        is_known = launch.state in KNOWN
        free = set(launch.run_ids) if is_known else set[int]().union(*stored.values()) - journal.claimed_run_ids()
        if bindings := _bindings(slots, free, stored):
            if is_known:
                journal.record(RunsBound(launch.launch_id, bindings))
            elif len(bindings) == len(slots):
                run_ids = tuple(sorted(bindings.values()))
                journal.record(
                    Moved(launch.launch_id, LaunchState.ADOPTED, launch.detail, run_ids=run_ids, bindings=bindings)
                )
        slots = journal.slots_of(launch.launch_id)
        keys = [slot.key for slot in slots if slot.run_id in stored[slot.call_fingerprint] and slot.consumed_by is None]
        if keys:
            journal.record(Consumed(launch.session_id, tuple(keys)))


def _bindings(slots: Sequence[Slot], run_ids: Iterable[int], stored: Mapping[str, set[int]]) -> dict[int, int]:
    """Slots (by ordinal) and the stored runs of their calls."""
    free = set(run_ids) - {slot.run_id for slot in slots}
    bindings: dict[int, int] = {}
    for slot in slots:
        found = sorted(free & stored[slot.call_fingerprint])
        if slot.run_id is None and found:
            bindings[slot.ordinal] = found[0]
            free.remove(found[0])
    return bindings
