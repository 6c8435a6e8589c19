"""`planner run`: load plans, compare with earlier results, ask for consent, call, judge, report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import anyio

from planner.api.client import ApiClient, RequestHooks
from planner.api.wire import WireBilling
from planner.changes.consent import ConsentRequest, Limits, check_consent, consent_command
from planner.changes.model import Consent
from planner.errors import InterruptedRunError, RefusedError
from planner.execution.context import Context
from planner.execution.engine import execute
from planner.execution.jobs import Observer, Outcome, RunRecord, Settings, Snapshot
from planner.execution.journal import Journal
from planner.execution.ledger import Ledger
from planner.execution.transactions import Transactions
from planner.planfile.model import Case, Policy
from planner.reports.quantities import count
from planner.session.affordable_calls import guaranteed_calls
from planner.session.closing import Closing, EndedRuns
from planner.session.evidence_refresh import refresh_stored
from planner.session.interruption import interruptible
from planner.session.jobs import check_balance, jobs_of, ledger_of, log_ceilings, short_of
from planner.session.judge_calls import JudgeSession, Votes, copy_stop_reasons
from planner.session.late_bills import correct_bills
from planner.session.locking import locked
from planner.session.orphaned_launches import search_orphans
from planner.session.preparing import Preparation, charged_slots, prepare
from planner.session.progress import ProgressState, open_progress, state_of
from planner.session.report_session import ReportSession, report_session
from planner.session.reporting import print_diagnostics, redactor_of
from planner.session.run_options import RunOptions, with_saved
from planner.session.saved_plans import check_unchanged, saved_command
from planner.session.selection import Loaded, load
from planner.session.service import open_client, read_billing, read_targets
from planner.session.sharing import SharedSession, shared_session
from planner.session.shell import Shell, actor_of
from planner.session.stores import Place, place_of
from planner.session.tracing import RequestLog, open_trace
from planner.session.worlds import named_world
from planner.verdicts.early_stopping import EarlyStopping
from planner.verdicts.outcomes import Fault, RunOutcome


def run(shell: Shell, options: RunOptions) -> int:
    """Run the plans; return the exit code.

    Raises:
        PlannerError: the session ended before it had results. The reports say why.
    """
    with (
        open_trace(shell, options.trace) as trace,
        report_session(shell, options.report_dir, options.selection, again=options.command()) as reports,
    ):
        trace.begin(reports.invocation_id, reports.started_at, reports.started)
        options = with_saved(shell, options)
        reports.selection = options.selection
        loaded = load(shell, options.selection)
        reports.project, reports.plans = loaded.project, loaded.plan_names
        print_diagnostics(shell, loaded.diagnostics)
        place = place_of(shell, loaded.root, options.selection, loaded.project)
        reports.repository = place.repository
        with locked(shell, place, options.command()):
            journal = Journal(place.journal_path, now=shell.clock.now())
            try:
                with shared_session(shell, place.shared, journal, loaded.cases) as shared:
                    request_log = RequestLog(shell, trace, shell.log)
                    session = _Session(shell, options, loaded, place, journal, reports, shared, request_log)
                    return anyio.run(session.run)
            finally:
                journal.close()


@dataclass(slots=True)
class _Session:
    """One session of `planner run`, from the first request to the last report."""

    shell: Shell
    options: RunOptions
    loaded: Loaded
    place: Place
    journal: Journal
    reports: ReportSession
    shared: SharedSession
    request_log: RequestLog
    runs: EndedRuns = field(default_factory=EndedRuns)
    judge_calls: Votes | None = None
    transactions: Transactions = field(init=False)

    async def run(self) -> int:
        selection = self.options.selection
        async with (
            interruptible() as interrupted,
            open_client(
                self.shell,
                sandbox_dir=self.place.directory if selection.sandbox else None,
                world=named_world(self.shell, selection),
                hooks=RequestHooks(self.request_log.exchange, self.request_log.wait),
            ) as client,
        ):
            self.reports.requests = client.stats
            self.transactions = Transactions(client, self.request_log.log)
            suspects = self.journal.mark_interrupted()
            if suspects:
                self.shell.log(
                    f"an earlier session was killed with {count(suspects, 'unconfirmed launch', 'unconfirmed launches')};"
                    " searching for them before anything is sent again"
                )
            targets = await read_targets(client, self.loaded.cases)
            billing = await read_billing(client)
            await correct_bills(
                self.transactions, self.place, self.journal, self.loaded.plan_names, now=self.shell.clock.now()
            )
            if interrupted.is_set():
                raise InterruptedRunError("interrupted before any call was made", "Run the same command again.")
            prepared = prepare(self.shell, selection, self.loaded, self.place, targets=targets, journal=self.journal)
            prepared.judging.require_model(prepared.change_set)
            for warning in prepared.warnings:
                self.shell.log(f"warning: {warning}")
            try:
                if self.options.saved is not None:
                    check_unchanged(
                        self.options.saved,
                        prepared.change_set,
                        self.place.repository,
                        self.options.selection,
                        redactor_of(self.loaded.project).text,
                    )
                consent = self._consent(prepared, billing)
            except RefusedError as error:
                self._closing(prepared).refuse(error)
                raise
            changes = await refresh_stored(
                self.shell,
                self.transactions,
                prepared.change_set.changes,
                self.place.repository,
                self.journal,
                interrupted,
            )
            orphans = await search_orphans(
                self.shell, self.transactions, self.journal, prepared.orphans, interrupted, self.loaded
            )
            prepared = replace(
                prepared, change_set=replace(prepared.change_set, changes=tuple(changes)), orphans=orphans
            )
            votes = JudgeSession(self.shell, prepared.judging, prepared.change_set, consent.given, self.request_log.log)
            await votes.check()
            ledger = ledger_of(
                self.loaded,
                charged_slots(self.journal, prepared.change_set.digest),
                max_cost_cents=self.options.max_cost_cents,
                billing=billing,
                orphaned_cents=prepared.orphans.reserved_cents,
                bills=self.journal.bills(prepared.change_set.digest),
            )
            if consent.given and self.options.max_cost_cents is not None:  # `planner plan` reports the other ceilings
                for message in guaranteed_calls(jobs_of(prepared.change_set), prepared.already_made, ledger):
                    self.shell.log(message)
            async with votes.open(ledger, interrupted) as self.judge_calls:
                outcome = await self._execute(client, prepared, ledger, interrupted, may_call=consent.given)
                if not outcome.interrupted:
                    copy_stop_reasons(outcome, await self.judge_calls.finish(self.runs.judged))
            outcome.broken = ledger.broken()
            if outcome.left and not consent.given:
                outcome.refusal = "some launches turned out never to have arrived, and consent to charge for their calls was not given"
            return self._closing(prepared).finish(consent, outcome, self.runs, self.judge_calls.asking, self.shared)

    # Consent

    def _consent(self, prepared: Preparation, billing: WireBilling | None) -> Consent:
        options = self.options
        command = (
            saved_command(options.saved_path)
            if options.saved
            else consent_command(
                options.command(), prepared.change_set, already_spent_cents=sum(prepared.spent_cents.values())
            )
        )
        request = ConsentRequest(
            options.consent_to_charge, actor_of(self.shell), command, options.max_cost_cents, options.plan_digest
        )
        limits = Limits(self.loaded.plans, self._policy(), self.shell.clock.now())
        consent = check_consent(prepared.change_set, limits, request, prepared.progress)
        if prepared.calls_to_make and billing is not None:
            check_balance(billing)
            reserved_cents = sum(prepared.reserved_cents.values()) + prepared.orphans.reserved_cents
            for message in short_of(
                billing, prepared.change_set.estimate.expected_cents, reserved_cents=reserved_cents
            ):
                self.shell.log(message)
        return consent

    def _policy(self) -> Policy:
        """The project's policy. Quiet hours do not apply to the sandbox."""
        policy = self.loaded.project.policy
        return replace(policy, quiet_hours=None) if self.options.selection.sandbox else policy

    def _quiet(self, moment: datetime) -> str:
        """Why nothing may be launched at this time, or "". Calls under way are not affected."""
        hours = self._policy().quiet_hours
        return f"policy.quiet_hours ({hours}) have begun" if hours is not None and hours.at(moment) else ""

    # Execution

    async def _execute(
        self,
        client: ApiClient,
        prepared: Preparation,
        ledger: Ledger,
        interrupted: anyio.Event,
        *,
        may_call: bool,
    ) -> Outcome:
        jobs = jobs_of(prepared.change_set)
        if not jobs:
            return Outcome(interrupted=interrupted.is_set())
        project = self.loaded.project
        concurrent = [limit for limit in (self.options.max_concurrent, project.policy.max_concurrent_runs) if limit]
        progress = open_progress(self.shell)
        self.request_log.note = progress.note  # do not write over the live display
        cases = {case.case_id: case for case in self.loaded.cases}
        settling = EarlyStopping(
            prepared.change_set.changes, self.place.repository.load_evidence, prepared.judging.cache
        )
        context = Context(
            client=client,
            transactions=self.transactions,
            journal=self.journal,
            ledger=ledger,
            save_evidences=self.place.repository.save_evidences,
            load_evidence=self.place.repository.load_evidence,
            settings=Settings(
                settle_seconds=project.execution.settle_seconds,
                linger_seconds=project.execution.linger_seconds,
                mark_prompts=project.execution.mark_prompts,
                max_concurrent_runs=min(concurrent, default=None),
                forbidden_at=self._quiet,
            ),
            clock=self.shell.clock,
            new_id=self.shell.new_id,
            observer=Observer(
                on_run=lambda record: self._judge(cases[record.case_id], record, context, settling),
                on_snapshot=lambda snapshot: progress.update(self._progress(snapshot)),
                log=progress.note if self.shell.verbosity else lambda _: None,
                warn=progress.note,
            ),
            invocation_id=self.reports.invocation_id,
            change_set_digest=prepared.change_set.digest,
            jobs={job.case_id: job for job in jobs},
            pace=settling.pace,
            share_intent=self.shared.sharer(),
        )
        # Resuming calls needs no consent; launching does, even for launches that turned out never to have arrived.
        context.stopped = not may_call
        log_ceilings(context)
        try:
            return await execute(
                context, [slot for slots in prepared.resumable.values() for slot in slots], interrupted=interrupted
            )
        finally:
            self.request_log.note = self.shell.log
            progress.close()

    def _judge(self, case: Case, record: RunRecord, context: Context, settling: EarlyStopping) -> bool:
        """True if the platform caused the failure and the run may be retried."""
        assert self.judge_calls is not None
        judged = self.judge_calls.judge(case, record)
        self.runs.add(record, judged)
        settling.note(case.case_id, judged)
        if self.options.fail_fast and judged.verdict.outcome is RunOutcome.FAILED:
            context.outcome.fail_fast = True
            context.stopped = True
            context.wake()
        return record.evidence is not None and judged.verdict.fault is Fault.PLATFORM

    def _progress(self, snapshot: Snapshot) -> ProgressState:
        elapsed = self.shell.clock.monotonic() - self.reports.started
        return state_of(
            snapshot, runs_fresh=self.runs.launched_now, ceiling_cents=self._ceiling_cents(), elapsed_seconds=elapsed
        )

    def _ceiling_cents(self) -> int | None:
        limits = [self.options.max_cost_cents, self.loaded.project.policy.max_cost_cents]
        return min((cents for cents in limits if cents is not None), default=None)

    def _closing(self, prepared: Preparation) -> Closing:
        return Closing(
            self.shell,
            self.options,
            self.loaded,
            self.place,
            self.journal,
            self.reports,
            prepared,
            self._ceiling_cents(),
        )
