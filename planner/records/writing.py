"""Find the new facts in the results of a session: those that are not stored yet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Literal

from planner.records.facts import (
    CallFact,
    CallId,
    Correction,
    Fact,
    PlannedCase,
    StoredCall,
    VerdictFact,
    data_of,
    id_of,
    is_decided,
)
from planner.results.model import CaseResult, JudgedRun, RunVerdict, StartOverDocument
from planner.values import frozen


@frozen
class CallOrigin:
    """Why the calls of a case were made."""

    reason: Literal["first", "missing", "retry", "again", "start_over", "confirm"]
    start_over: StartOverDocument | None = None
    counted_with: Sequence[CallId] = ()
    discards: Sequence[str] = ()


@frozen
class Writing:
    """Finds new facts.

    Args:
        find: returns the stored call of a run with a call fingerprint.
        origins: why cases were called, by case id.
        consents: consent ids, by run id.
        show: redacts a case for a shared store.
        is_finished: True stores new calls, too; False leaves them to a later session, which still collects them.
    """

    environment: str
    now: datetime
    find: Callable[[str, JudgedRun], StoredCall | None]
    origins: Mapping[str, CallOrigin] = field(default_factory=dict[str, CallOrigin])
    consents: Mapping[int, str] = field(default_factory=dict[int, str])
    show: Callable[[CaseResult], CaseResult] = lambda case: case
    is_finished: bool = True

    def facts(self, cases: Sequence[CaseResult]) -> dict[str, list[Fact]]:
        """New calls, corrections and verdicts, by call fingerprint."""
        found: dict[str, list[Fact]] = defaultdict(list)
        sharing = self._sharing(cases)
        written = set[CallId]()
        for case in cases:
            shown = self.show(case)
            for run in shown.all_runs:
                stored, facts, run_id = self.find(case.call_fingerprint, run), found[case.call_fingerprint], id_of(run)
                if not (self.is_finished or stored is not None):
                    continue
                if run_id not in written:  # cases may share it
                    facts += self._of_call(shown, run, stored, sharing.get(run_id, ()))
                    written.add(run_id)
                facts += self._of_verdict(shown, run, stored)
        return {fingerprint: facts for fingerprint, facts in found.items() if facts}

    def _sharing(self, cases: Sequence[CaseResult]) -> dict[CallId, list[str]]:
        """The cases that share calls with others, by call, as they are shown."""
        first: dict[CallId, CaseResult] = {}
        found: dict[CallId, list[str]] = {}
        for case in cases:
            shared = [run_id for run_id in map(id_of, case.all_runs) if first.setdefault(run_id, case) is not case]
            name = self.show(case.model_copy(update={"runs": []})).case_id if shared else ""
            for run_id in shared:
                found.setdefault(run_id, []).append(name)
        return found

    def _of_call(
        self, case: CaseResult, run: JudgedRun, stored: StoredCall | None, shared_by: Sequence[str]
    ) -> list[Fact]:
        data = data_of(run)
        if stored is None:
            return [self._call(case, run, shared_by)]
        if stored.is_unclaimed:  # judged by its evidence, it is this machine's from now on, and is shared
            return [stored.call.model_copy(update={"data": data})]
        if stored.data != data:
            return [Correction(run_id=run.run_id, session_id=run.session_id, at=self.now, data=data)]
        return []

    def _of_verdict(self, case: CaseResult, run: JudgedRun, stored: StoredCall | None) -> list[Fact]:
        facts: list[Fact] = []
        is_known = (
            stored is not None
            and not stored.is_unclaimed
            and stored.verdict(case.check_fingerprint, case.judged_by) is not None
        )
        if is_decided(run) and not (is_known and stored is not None and stored.data.evidence == run.evidence):
            verdict = RunVerdict.model_construct(**{name: getattr(run, name) for name in RunVerdict.model_fields})
            facts.append(
                VerdictFact(
                    run_id=run.run_id,
                    session_id=run.session_id,
                    check_fingerprint=case.check_fingerprint,
                    judged_by=case.judged_by,
                    judge_model=run.judge_model,
                    evidence=run.evidence,
                    expected=case.expected,
                    outcome=case.outcome,
                    verdict=verdict,
                )
            )
        return facts

    def _call(self, case: CaseResult, run: JudgedRun, shared_by: Sequence[str]) -> CallFact:
        origin = self.origins.get(case.case_id)
        if run in case.confirmation:
            origin = CallOrigin("confirm")
        return CallFact(
            run_id=run.run_id,
            session_id=run.session_id,
            consent_id=self.consents.get(run.run_id, ""),
            case_id=case.case_id,
            shared_by=list(shared_by),
            plan=case.plan,
            file=case.file,
            environment=self.environment,
            target_id=case.inputs.target_id,
            agent_revision=case.inputs.agent_revision,
            configuration=case.inputs.configuration,
            has_agent_file=case.inputs.has_agent_file,
            reason=origin.reason if origin else "first",
            start_over=case.start_over if origin and origin.start_over else None,
            counted_with=list(origin.counted_with) if origin else [],
            discards=list(origin.discards) if origin else [],
            adopted=run.adopted,
            excluded=run.excluded,
            data=data_of(run),
        )


def planned(case: CaseResult, without: Container[CallId] = ()) -> PlannedCase:
    """The case as the session saw it, `without` calls that may go."""
    return PlannedCase(
        case_id=case.case_id,
        plan=case.plan,
        scenario=case.scenario,
        target=case.target,
        file=case.file,
        runs=case.runs_required,
        inputs=case.inputs,
        call_fingerprint=case.call_fingerprint,
        check_fingerprint=case.check_fingerprint,
        judged_by=case.judged_by,
        calls=[id_of(run) for run in case.runs if id_of(run) not in without],
    )
