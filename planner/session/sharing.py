"""Connects a session to a shared store: imports other machines' launches and publishes own results."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from planner.changes.fingerprint import call_fingerprint, case_inputs
from planner.errors import PlannerError
from planner.evidence import Evidence
from planner.key_redaction import KeyRedactor
from planner.planfile.model import Case, Project
from planner.reports.quantities import count
from planner.reports.redaction import Pattern, Redactor, redact, redact_evidence
from planner.results.model import CaseDocument, RunResult
from planner.results.shared_store import SharedRepository
from planner.results.store import Store
from planner.session.reporting import redactor_patterns
from planner.session.shell import Shell

if TYPE_CHECKING:
    from planner.execution.context import ShareIntent
    from planner.execution.journal import Journal
    from planner.execution.sharing import IntentSharing

_ADDRESS_WITH_QUERY: Final = re.compile(r"https?://[^\s\"'<>?]*\?[^\s\"'<>]+")
"""Signed URLs have their signature in the query."""
_CLAIMS_FROM: Final = 50
"""Number of newest sessions to search for claimed runs."""
_NUMBERED: Final = re.compile(r"~\d+$")


class SharedRedaction:
    """Redaction for shared stores: like reports, plus keys and URLs with a query."""

    def __init__(self, project: Project, keys: KeyRedactor) -> None:
        self._patterns: tuple[Pattern, ...] = (keys, _ADDRESS_WITH_QUERY, *redactor_patterns(project))
        self._redactor = Redactor(self._patterns)

    def result(self, result: RunResult) -> RunResult:
        return redact(result, self._patterns)

    def evidence(self, evidence: Evidence) -> Evidence:
        return redact_evidence(evidence, self._patterns)

    def name(self, name: str) -> str:
        return self._redactor.name(name)

    def text(self, text: str) -> str:
        return self._redactor.text(text)


@dataclass(frozen=True, slots=True)
class Shared:
    """A place's shared store and its redaction."""

    store: Store
    repository: SharedRepository
    redaction: SharedRedaction

    def restored(
        self, baseline: Mapping[str, CaseDocument], cases: Iterable[Case], own: Iterable[CaseDocument] = ()
    ) -> dict[str, CaseDocument]:
        """The stored cases with what today's cases say of the same, where the store left it out: by what they call, no guess.

        `own` are this machine's copies. Of a copy nothing is used but the inputs of the call, which its fingerprint vouches for.
        """
        baseline = self._with_own_inputs(baseline, own)
        found = dict(baseline)
        left_out = _by_shown_id(baseline)
        for case in cases:
            stored = baseline.get(case.case_id)
            if stored is None and (alike := left_out.get(self.redaction.name(case.case_id))):
                fingerprint = call_fingerprint(case_inputs(case, None))
                stored = next((other for other in alike if other.call_fingerprint == fingerprint), None)
                if stored is not None:
                    found.pop(stored.case_id, None)
            if stored is not None:
                found[case.case_id] = self._restored(stored, case)
        return found

    def _with_own_inputs(
        self, baseline: Mapping[str, CaseDocument], own: Iterable[CaseDocument]
    ) -> Mapping[str, CaseDocument]:
        copies = {
            (self.redaction.name(copy.case_id), copy.call_fingerprint): copy
            for copy in own
            if call_fingerprint(copy.inputs) == copy.call_fingerprint
        }
        found: dict[str, CaseDocument] = {}
        for case_id, stored in baseline.items():
            copy = copies.get((_NUMBERED.sub("", case_id), stored.call_fingerprint))
            if copy is not None:
                inputs = copy.inputs.model_copy(update={"agent_revision": stored.inputs.agent_revision})
                names = {"case_id": copy.case_id, "plan": copy.plan, "scenario": copy.scenario, "target": copy.target}
                stored = stored.model_copy(update={"inputs": inputs, **names})  # noqa: PLW2901
            found[stored.case_id] = stored
        return found

    def _restored(self, stored: CaseDocument, case: Case) -> CaseDocument:
        today = case_inputs(case, stored.inputs.agent_revision)
        if stored.inputs == today and stored.case_id == case.case_id:
            return stored
        if call_fingerprint(today) == stored.call_fingerprint:
            inputs = today
        else:  # changes are shown by line: restore lines that differ only by redaction
            lines = {self.redaction.text(line): line for line in today.prompt.split("\n")}
            prompt = "\n".join(lines.get(line, line) for line in stored.inputs.prompt.split("\n"))
            inputs = stored.inputs.model_copy(update={"prompt": prompt})
        return stored.model_copy(
            update={
                "case_id": case.case_id,
                "plan": case.plan,
                "scenario": case.scenario,
                "target": case.target.alias,
                "inputs": inputs,
            }
        )


def _by_shown_id(baseline: Mapping[str, CaseDocument]) -> dict[str, list[CaseDocument]]:
    """By case id without the suffix that makes redacted ids unique."""
    found: dict[str, list[CaseDocument]] = {}
    for case_id, stored in baseline.items():
        found.setdefault(_NUMBERED.sub("", case_id), []).append(stored)
    return found


@dataclass(slots=True)
class SharedSession:
    """A session's use of the shared store; does nothing if the store is local."""

    shell: Shell
    shared: Shared | None
    intents: IntentSharing | None

    def sharer(self) -> ShareIntent | None:
        """The function that stores intents there."""
        return None if self.intents is None else self.intents.share

    def publish(self) -> None:
        """Publish everything that is waiting. Raises `StoreError`."""
        if self.shared is not None and self.intents is not None:
            self.shared.repository.publish(self.intents.outcome)


@contextmanager
def shared_session(
    shell: Shell, shared: Shared | None, journal: Journal, cases: Iterable[Case]
) -> Generator[SharedSession]:
    """Use the shared store under the place's lock, from planning to the last report.

    Raises:
        StoreError, UsageError: the shared store cannot be read, so no call is made.
    """
    if shared is None:
        yield SharedSession(shell, None, None)
        return
    session = SharedSession(shell, shared, take_over(shell, shared, journal, cases))
    try:
        yield session
    finally:
        try:  # unchanged content is not written again
            session.publish()
        except PlannerError as error:
            shell.log(f"{error}. {error.hint}")


def take_over(shell: Shell, shared: Shared, journal: Journal, cases: Iterable[Case]) -> IntentSharing:
    """Import launches of other machines into this journal. The returned object treats only later ones as concurrent."""
    # Imported late: not all commands that open a store launch calls.
    from planner.execution.launches import UNSETTLED
    from planner.execution.sharing import IntentSharing, KnownCall

    name = shared.redaction.name
    calls = {
        (name(case.case_id), call_fingerprint(case_inputs(case, None))): KnownCall(
            case.case_id, case.plan, case.target_number
        )
        for case in cases
    }
    intents = IntentSharing(shared.store, journal, show_name=name, now=shell.clock.now())
    taken = intents.take_over(calls)
    open_launches = journal.launches(UNSETTLED)
    if open_launches:
        # None of these launches can have become a run of another session.
        theirs = {launch.invocation_id for launch in open_launches}
        results = islice(shared.repository.invocations(), _CLAIMS_FROM)
        claimed = {
            run.run_id
            for result in results
            for case in result.cases
            for run in case.runs
            if (run.invocation_id or result.invocation_id) not in theirs
        }
        journal.record_claimed(claimed, shell.clock.now())
    if taken:
        fate = "their calls are resumed and not repeated"
        if open_launches:
            fate = f"searching for {count(len(open_launches), 'launch', 'launches')} before anything is sent again"
        shell.log(f"the shared store has launches of unfinished sessions: {fate}")
    return intents
