"""Ends a session of `planner run`: composes, stores and reports its results, and marks its runs as used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from planner.changes.model import Consent
from planner.errors import RefusedError, StoreError
from planner.execution.jobs import Outcome, RunRecord
from planner.execution.journal import Journal
from planner.judging.votes import JudgeCallsResult
from planner.results.model import CaseDocument, RunResult
from planner.session.preparing import Preparation
from planner.session.report_session import ReportSession
from planner.session.reporting import show_result
from planner.session.run_options import RunOptions, next_commands
from planner.session.run_result import SessionEnd, compose_result, with_ending
from planner.session.selection import Loaded
from planner.session.sharing import SharedSession
from planner.session.shell import Shell, actor_of
from planner.session.stores import Place
from planner.verdicts.case_documents import MissingRuns, assemble_cases
from planner.verdicts.early_stopping import could_pass
from planner.verdicts.ending import Ending, ending_of, may_still_end, why_not_called
from planner.verdicts.gate import Gate
from planner.verdicts.judged_runs import JudgedRun
from planner.verdicts.open_runs import open_runs_at_end
from planner.verdicts.rates import suite_of


@dataclass(slots=True)
class EndedRuns:
    """The runs that the engine has reported. `overdue` had not ended when it stopped waiting."""

    judged: dict[str, list[JudgedRun]] = field(default_factory=dict[str, list[JudgedRun]])
    """By case id, in the order of their ends."""
    records: list[RunRecord] = field(default_factory=list[RunRecord])
    overdue: list[RunRecord] = field(default_factory=list[RunRecord])
    launched_now: int = 0
    """Runs that this session launched."""

    def add(self, record: RunRecord, judged: JudgedRun) -> None:
        self.records.append(replace(record, evidence=None))  # evidence of ten thousand runs would fill the memory
        self.overdue += [record] if record.evidence is None else []
        self.launched_now += not record.resumed
        self.judged.setdefault(record.case_id, []).append(judged)


@dataclass(frozen=True, slots=True)
class Closing:
    """For a session that has a change set. `ceiling_cents` is the lowest ceiling on all of it."""

    shell: Shell
    options: RunOptions
    loaded: Loaded
    place: Place
    journal: Journal
    reports: ReportSession
    prepared: Preparation
    ceiling_cents: int | None

    def refuse(self, error: RefusedError) -> None:
        """Report that the session was refused before any call."""
        digest = self.prepared.change_set.digest
        now = self.shell.clock.now()
        consent = Consent(self.options.consent_to_charge, actor_of(self.shell), now, digest, self.ceiling_cents)
        ending = Ending("refused", 3, (str(error),), (error.hint,) if error.hint else (), finished=False)
        cases = self._cases(EndedRuns(), Outcome(), "refused")
        gate = Gate(self.options.fail_on, suite_of(cases))
        self.reports.write(self._result(SessionEnd(consent, Outcome(), ending, cases, JudgeCallsResult(), gate)))

    def finish(
        self, consent: Consent, outcome: Outcome, runs: EndedRuns, asking: JudgeCallsResult, session: SharedSession
    ) -> int:
        """Store, report and show the results; return the exit code. A failed store does not prevent the reports."""
        cases = self._cases(runs, outcome, why_not_called(outcome))
        open_overdue = may_still_end(runs.overdue, self.journal, self.shell.clock.now())
        consenting = consent.given or bool(outcome.left)
        ways = next_commands(self.options, consenting=consenting, overtaken=outcome.overtaken)
        gate = Gate(self.options.fail_on, suite_of(cases))
        ending = ending_of(cases, outcome, open_overdue, ways, gate, self._out_of_reach(cases))
        result = self._result(SessionEnd(consent, outcome, ending, cases, asking, gate))
        try:
            self._store(result, runs)
            if not outcome.interrupted:  # after an interruption the reports come first, since they are due at once
                session.publish()
        except StoreError as error:  # report paid calls anyway; the journal keeps them for the next session
            ending = ending.with_store_error(error)
            result = with_ending(result, ending, self.prepared, self.reports)
        try:
            self.reports.write(result)
        except StoreError as error:
            ending = ending.with_store_error(error)
            result = with_ending(result, ending, self.prepared, self.reports)
            self.reports.is_final = True  # as complete as possible
        show_result(self.shell, result, self.options.report_dir, self.loaded.project)
        return ending.exit_code

    def _cases(self, runs: EndedRuns, outcome: Outcome, not_called: str) -> list[CaseDocument]:
        open_runs = open_runs_at_end(
            self.journal,
            self.reports.invocation_id,
            {slot.key for slots in self.prepared.resumable.values() for slot in slots},
            runs.records,
            runs.overdue,
            self.shell.clock.now(),
        )
        return assemble_cases(
            self.prepared.change_set.changes,
            runs.judged,
            self.place.repository.load_evidence,
            MissingRuns(not_called, outcome.not_needed, open_runs),
            today=self.reports.started_at.date(),
            ask=self.prepared.judging.cache,
        )

    def _out_of_reach(self, cases: list[CaseDocument]) -> set[str]:
        """Failed cases that the next session keeps as failed, because passing calls could not reach their rate."""
        plans = {change.case_id: change.case for change in self.prepared.change_set.changes if change.case}
        may_pass = could_pass(self.place.repository.load_evidence, self.prepared.judging.cache)
        return {
            case.case_id
            for case in cases
            if case.outcome == "failed"
            and case.runs
            and not may_pass(plans[case.case_id], case.runs, case.runs_required)
        }

    def _result(self, end: SessionEnd) -> RunResult:
        return compose_result(self.reports, self.journal, self.prepared, end, self.ceiling_cents)

    def _store(self, result: RunResult, runs: EndedRuns) -> None:
        repository = self.place.repository
        repository.save_invocation(result)
        if not result.finished:
            return
        if self.options.saved is not None:
            repository.mark_plan_used(self.options.saved.plan_id, result.invocation_id)
        if not result.partial:
            repository.promote(result, self.place.environment)
        keep_usable = result.partial and self.options.selection.rerun == "changed"
        self.journal.consume(result.invocation_id, _slots_in_results(result, runs, keep_usable=keep_usable))


def _slots_in_results(result: RunResult, runs: EndedRuns, *, keep_usable: bool) -> Iterable[tuple[str, int]]:
    """Slots that later sessions must not resume, because finished results hold their runs. A partial session is no
    baseline, so with `keep_usable` its passed and undecided runs stay available for a full session."""
    outcomes = {case.case_id: case.outcome for case in result.cases}
    undecided = {run.document.run_id for judged in runs.judged.values() for run in judged if run.document.missing}
    return [
        (record.launch_id, record.ordinal)
        for record in runs.records
        if not (keep_usable and (outcomes[record.case_id] in ("passed", "flaky") or record.run_id in undecided))
    ]
