"""`planner run`: the main job. Plans → changes → consent → calls → verdicts → reports, and an exit code."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import anyio

from planner.api.client import ApiClient
from planner.api.wire import WireBilling
from planner.changes.consent import check_consent, consent_command
from planner.changes.model import Consent
from planner.errors import InterruptedRunError, RefusedError
from planner.execution.context import Context
from planner.execution.engine import execute
from planner.execution.journal import Journal
from planner.execution.ledger import Ledger
from planner.execution.transactions import Transactions
from planner.execution.work import Observer, Outcome, RunRecord, Settings, Snapshot
from planner.invocation.asking import VoteRound, Votes, note_asking
from planner.invocation.calling import check_balance, ledger_of, short_of, tell_terms, works_of
from planner.invocation.closing import Closing, EndedRuns
from planner.invocation.interruption import interruptible
from planner.invocation.late_bills import correct_bills
from planner.invocation.locking import locked
from planner.invocation.preparing import Preparation, charged_slots, prepare
from planner.invocation.progress import ProgressState, open_progress, state_of
from planner.invocation.reporting import redactor_of, tell_diagnostics
from planner.invocation.rereading import refresh_stored
from planner.invocation.run_options import RunOptions, with_saved
from planner.invocation.saving import check_unmoved, saved_command
from planner.invocation.selection import Loaded, load
from planner.invocation.service import open_client, read_billing, read_targets
from planner.invocation.sharing import SharedSession, shared_session
from planner.invocation.shell import Shell, actor_of
from planner.invocation.standing_reports import Standing, standing_reports
from planner.invocation.startable import sure_to_start
from planner.invocation.stores import Place, place_of
from planner.invocation.stray_launches import look_for_stray
from planner.invocation.tracing import Telling, Trace, open_trace
from planner.invocation.worlds import named_world
from planner.outcome import Fault, RunOutcome
from planner.planfile.model import Case, Policy
from planner.reports.quantities import count
from planner.verdicts.early_stopping import Settling


def run(shell: Shell, options: RunOptions) -> int:
    """Raises any PlannerError that ends the command before there is something to report; the reports say why."""
    with (
        open_trace(shell, options.trace) as trace,
        standing_reports(shell, options.report_dir, options.selection, again=options.command()) as standing,
    ):
        trace.begin(standing.invocation_id, standing.started_at, standing.started)
        options = with_saved(shell, options)
        standing.selection = options.selection
        loaded = load(shell, options.selection)
        standing.project, standing.plans = loaded.project, loaded.plan_names
        tell_diagnostics(shell, loaded.diagnostics)
        place = place_of(shell, loaded.root, options.selection, loaded.project)
        standing.repository = place.repository
        with locked(shell, place, options.command()):
            journal = Journal(place.journal_path, now=shell.clock.now())
            try:
                with shared_session(shell, place.shared, journal, loaded.cases) as session:
                    invocation = _Invocation(shell, options, loaded, place, journal, standing, trace, session)
                    return anyio.run(invocation.run)
            finally:
                journal.close()


class _Invocation:
    """One execution of `planner run`, from the first read of the service to the last report."""

    def __init__(
        self,
        shell: Shell,
        options: RunOptions,
        loaded: Loaded,
        place: Place,
        journal: Journal,
        standing: Standing,
        trace: Trace,
        session: SharedSession,
    ) -> None:
        self._shell = shell
        self._options, self._max_cost_cents = options, options.max_cost_cents
        self._loaded = loaded
        self._place = place
        self._journal = journal
        self._standing = standing
        self._session = session
        self._runs = EndedRuns()
        self._telling = Telling(shell, trace, shell.tell)
        self._asked: Votes | None = None
        self._transactions: Transactions

    async def run(self) -> int:
        selection = self._options.selection
        async with (
            interruptible() as interrupted,
            open_client(
                self._shell,
                sandbox_dir=self._place.directory if selection.sandbox else None,
                world=named_world(self._shell, selection),
                on_exchange=self._telling.exchange,
                on_wait=self._telling.wait,
            ) as client,
        ):
            self._standing.requests = client.stats
            self._transactions = Transactions(client, self._telling.say)
            suspects = self._journal.suspect_interrupted()
            if suspects:
                self._shell.tell(
                    f"an earlier invocation died with {count(suspects, 'launch', 'launches')} unanswered;"
                    " looking there before anything is sent again"
                )
            targets = await read_targets(client, self._loaded.cases)
            billing = await read_billing(client)
            await correct_bills(
                self._transactions, self._place, self._journal, self._loaded.plan_names, now=self._shell.clock.now()
            )
            if interrupted.is_set():
                raise InterruptedRunError("interrupted before anything was called", "Run the same command again.")
            prepared = prepare(
                self._shell, selection, self._loaded, self._place, targets=targets, journal=self._journal
            )
            prepared.judging.require_model(prepared.change_set)
            for warning in prepared.warnings:
                self._shell.tell(f"warning: {warning}")
            try:
                if self._options.saved is not None:
                    check_unmoved(
                        self._options.saved,
                        prepared.change_set,
                        self._place.repository,
                        self._options.selection,
                        redactor_of(self._loaded.project).text,
                    )
                consent = self._consent(prepared, billing)
            except RefusedError as error:
                self._closing(prepared).refuse(error)
                raise
            changes = await refresh_stored(
                self._transactions,
                prepared.change_set.changes,
                self._place.repository,
                self._journal,
                clock=self._shell.clock,
                interrupted=interrupted,
                tell=self._shell.tell,
            )
            stray = await look_for_stray(
                self._shell, self._transactions, self._journal, prepared.stray, interrupted, self._loaded
            )
            prepared = replace(prepared, change_set=replace(prepared.change_set, changes=tuple(changes)), stray=stray)
            votes = self._votes(prepared, consent)
            await votes.check()
            ledger = ledger_of(
                self._loaded,
                charged_slots(self._journal, prepared.change_set.digest),
                max_cost_cents=self._max_cost_cents,
                billing=billing,
                stray_cents=prepared.stray.held_cents,
                bills=self._journal.bills(prepared.change_set.digest),
            )
            if consent.given and self._max_cost_cents is not None:  # the other ceilings are `planner plan`'s to tell of
                for told in sure_to_start(works_of(prepared.change_set), prepared.already_made, ledger):
                    self._shell.tell(told)
            async with votes.open(ledger, interrupted) as self._asked:
                outcome = await self._execute(client, prepared, ledger, interrupted, may_call=consent.given)
                if not outcome.interrupted:
                    note_asking(outcome, await self._asked.finish(self._runs.judged))
            outcome.broken = ledger.broken()
            if outcome.left and not consent.given:
                outcome.refusal = (
                    "calls thought to be made turned out not to be, and consent to charge for them was not given"
                )
            return self._closing(prepared).finish(consent, outcome, self._runs, self._asked.asking, self._session)

    # Consent

    def _consent(self, prepared: Preparation, billing: WireBilling | None) -> Consent:
        options = self._options
        consent = check_consent(
            prepared.change_set,
            self._loaded.plans,
            consent_given=options.consent_to_charge,
            max_cost_cents=self._max_cost_cents,
            policy=self._policy(),
            plan_digest=options.plan_digest,
            now=self._shell.clock.now(),
            by=actor_of(self._shell),
            command=saved_command(options.saved_path)
            if options.saved
            else consent_command(
                options.command(), prepared.change_set, already_spent_cents=sum(prepared.spent_cents.values())
            ),
            already_made=prepared.already_made,
            already_spent_cents=prepared.spent_cents,
            held_cents=prepared.held_cents,
        )
        if prepared.calls_to_make and billing is not None:
            check_balance(billing)
            held_cents = sum(prepared.held_cents.values()) + prepared.stray.held_cents
            for told in short_of(billing, prepared.change_set.estimate.expected_cents, held_cents=held_cents):
                self._shell.tell(told)
        return consent

    def _policy(self) -> Policy:
        """The project's; the sandbox phones nobody, whatever the hour."""
        policy = self._loaded.project.policy
        return replace(policy, quiet_hours=None) if self._options.selection.sandbox else policy

    def _quiet(self, moment: datetime) -> str:
        """Quiet hours may begin while calls are made: those under way end, and no more are launched."""
        hours = self._policy().quiet_hours
        return f"policy.quiet_hours ({hours}) have begun" if hours is not None and hours.at(moment) else ""

    # Execution

    def _votes(self, prepared: Preparation, consent: Consent) -> VoteRound:
        judging, change_set = prepared.judging, prepared.change_set
        tell = self._telling.say
        return VoteRound(
            self._shell, self._place, judging, change_set, self._standing.invocation_id, consent.given, tell
        )

    async def _execute(
        self,
        client: ApiClient,
        prepared: Preparation,
        ledger: Ledger,
        interrupted: anyio.Event,
        *,
        may_call: bool,
    ) -> Outcome:
        works = works_of(prepared.change_set)
        if not works:
            return Outcome(interrupted=interrupted.is_set())
        project = self._loaded.project
        concurrent = [limit for limit in (self._options.max_concurrent, project.policy.max_concurrent_runs) if limit]
        progress = open_progress(self._shell)
        self._telling.note = progress.note  # a live display is not written over
        cases = {case.case_id: case for case in self._loaded.cases}
        settling = Settling(prepared.change_set.changes, self._place.repository.load_evidence, prepared.judging.cache)
        context = Context(
            client=client,
            transactions=self._transactions,
            journal=self._journal,
            ledger=ledger,
            save_evidences=self._place.repository.save_evidences,
            load_evidence=self._place.repository.load_evidence,
            settings=Settings(
                settle_seconds=project.execution.settle_seconds,
                linger_seconds=project.execution.linger_seconds,
                mark_prompts=project.execution.mark_prompts,
                max_concurrent_runs=min(concurrent, default=None),
                forbidden_at=self._quiet,
            ),
            clock=self._shell.clock,
            new_id=self._shell.new_id,
            observer=Observer(
                on_run=lambda record: self._judge(cases[record.case_id], record, context, settling),
                on_snapshot=lambda snapshot: progress.update(self._progress(snapshot)),
                narrate=progress.note if self._shell.verbosity else lambda _: None,
                warn=progress.note,
            ),
            invocation_id=self._standing.invocation_id,
            change_set_digest=prepared.change_set.digest,
            works={work.case_id: work for work in works},
            pace=settling.pace,
            share_intent=self._session.sharer(),
        )
        # Going on with what is under way needs no consent; launching does, also what a lost launch puts back.
        context.stopped = not may_call
        tell_terms(context)
        try:
            return await execute(
                context, [slot for slots in prepared.resumable.values() for slot in slots], interrupted=interrupted
            )
        finally:
            self._telling.note = self._shell.tell
            progress.close()

    def _judge(self, case: Case, record: RunRecord, context: Context, settling: Settling) -> bool:
        """Whether the platform failed the run, so that it may be called again."""
        assert self._asked is not None
        judged = self._asked.judge(case, record)
        self._runs.add(record, judged)
        settling.note(case.case_id, judged)
        if self._options.fail_fast and judged.verdict.outcome is RunOutcome.FAILED:
            context.outcome.fail_fast = True
            context.stopped = True
            context.wake()
        return record.evidence is not None and judged.verdict.fault is Fault.PLATFORM

    def _progress(self, snapshot: Snapshot) -> ProgressState:
        elapsed = self._shell.clock.monotonic() - self._standing.started
        return state_of(
            snapshot, runs_fresh=self._runs.launched_now, ceiling_cents=self._ceiling_cents(), elapsed_seconds=elapsed
        )

    def _ceiling_cents(self) -> int | None:
        limits = [self._max_cost_cents, self._loaded.project.policy.max_cost_cents]
        return min((cents for cents in limits if cents is not None), default=None)

    def _closing(self, prepared: Preparation) -> Closing:
        return Closing(
            self._shell,
            self._options,
            self._loaded,
            self._place,
            self._journal,
            self._standing,
            prepared,
            self._ceiling_cents(),
        )
