"""`planner run`: load plans, compare with earlier results, ask for consent, call, judge, report."""

from __future__ import annotations

from dataclasses import replace

import anyio

from planner.changes.consent import ConsentRequest, Limits, check_consent, consent_command
from planner.errors import InterruptedRunError, RefusedError
from planner.execution.journal import Journal
from planner.execution.transactions import Transactions
from planner.providers.base import Balance, RequestHooks
from planner.reports.quantities import count
from planner.results.model import Consent
from planner.session.consent_record import who_agrees
from planner.session.executing import make_calls
from planner.session.finishing import SessionEnd, finish, refuse
from planner.session.interruption import interruptible
from planner.session.jobs import check_balance, guaranteed_calls, jobs_of, ledger_of, short_of
from planner.session.judge_calls import JudgeSession, copy_stop_reasons
from planner.session.late_data import correct_bills, refresh_stored
from planner.session.locking import locked
from planner.session.orphaned_launches import search_orphans
from planner.session.preparing import Preparation, charged_slots, prepare
from planner.session.report_session import report_session
from planner.session.reporting import print_diagnostics, redactor_of
from planner.session.run_session import RunOptions, RunSession, with_saved
from planner.session.saved_plans import check_unchanged, saved_command
from planner.session.selection import load
from planner.session.service import open_client, read_targets
from planner.session.shell import Shell
from planner.session.stores import place_of, shared_session
from planner.session.tracing import open_request_log


def run(shell: Shell, options: RunOptions) -> int:
    """Run the plans; return the exit code. Raises `PlannerError` if the session ended before it had results. The reports
    say why."""
    with (
        open_request_log(shell, options.trace) as request_log,
        report_session(shell, options.report_dir, options.selection, again=options.command()) as reports,
    ):
        request_log.begin(reports.invocation_id, reports.started_at, reports.started)
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
                with shared_session(shell, place, journal, loaded.cases) as intents:
                    session = RunSession(shell, options, loaded, place, journal, reports, intents, request_log)
                    return anyio.run(_run, session)
            finally:
                journal.close()


async def _run(session: RunSession) -> int:
    shell, log = session.shell, session.request_log
    hooks = RequestHooks(log.exchange, log.wait)
    async with (
        interruptible() as session.interrupted,
        open_client(shell, session.place, session.options.selection, hooks) as client,
    ):
        session.reports.requests = client.stats
        session.transactions = Transactions(client, log.log)
        if suspects := session.journal.mark_interrupted():
            shell.log(
                f"an earlier session was killed with {count(suspects, 'unconfirmed launch', 'unconfirmed launches')};"
                " searching for them before anything is sent again"
            )
        prepared, consent, balance = await _consented(session)
        changes = await refresh_stored(session, prepared.change_set.changes)
        change_set = replace(prepared.change_set, changes=tuple(changes))
        orphans = await search_orphans(session, prepared.orphans)
        prepared = replace(prepared, change_set=change_set, orphans=orphans)
        judge = JudgeSession(shell, prepared.judging, change_set, consent.given, log.log)
        await judge.check()
        ledger = ledger_of(
            session.loaded,
            charged_slots(session.journal, change_set.digest),
            max_cost_cents=session.options.max_cost_cents,
            balance=balance,
            orphaned_cents=orphans.reserved_cents,
            bills=session.journal.bills(change_set.digest),
        )
        if consent.given and session.options.max_cost_cents is not None:  # `planner plan` reports the other ceilings
            for message in guaranteed_calls(jobs_of(change_set), prepared.already_made, ledger):
                shell.log(message)
        async with judge.calling(ledger, session.interrupted):
            outcome, runs = await make_calls(session, prepared, ledger, judge, may_call=consent.given)
            if not outcome.interrupted:
                copy_stop_reasons(outcome, await judge.finish(runs.judged, ledger, session.interrupted))
        outcome.broken = ledger.broken()
        if outcome.left and not consent.given:
            outcome.refusal = (
                "some launches turned out never to have arrived, and consent to charge for their calls was not given"
            )
        return finish(session, prepared, SessionEnd(consent, outcome, runs, judge.result))


async def _consented(session: RunSession) -> tuple[Preparation, Consent, Balance | None]:
    """The change set as the service is now, and the consent to it. Raises `RefusedError` if consent is missing, or
    policy, a ceiling or the saved plan forbids these calls. It is reported."""
    shell, loaded, place, options = session.shell, session.loaded, session.place, session.options
    client = session.transactions.client
    targets = await read_targets(client, loaded.cases)
    balance = await client.balance()
    await correct_bills(session)
    if session.interrupted.is_set():
        raise InterruptedRunError("interrupted before any call was made", "Run the same command again.")
    prepared = prepare(shell, options.selection, loaded, place, targets=targets, journal=session.journal)
    prepared.judging.require_model(prepared.change_set)
    for warning in prepared.warnings:
        shell.log(f"warning: {warning}")
    try:
        if options.saved is not None:
            show = redactor_of(loaded.project).text
            check_unchanged(options.saved, prepared.change_set, place.repository, options.selection, show)
        return prepared, _consent(session, prepared, balance), balance
    except RefusedError as error:
        refuse(session, prepared, error)
        raise


def _consent(session: RunSession, prepared: Preparation, balance: Balance | None) -> Consent:
    shell, options, change_set = session.shell, session.options, prepared.change_set
    spent_cents = sum(prepared.progress.spent_cents.values())
    command = (
        saved_command(options.saved_path)
        if options.saved
        else consent_command(options.command(), change_set, already_spent_cents=spent_cents)
    )
    is_free = options.selection.sandbox or not options.consent_to_charge
    request = ConsentRequest(
        options.consent_to_charge,
        who_agrees(shell, sandbox=is_free),
        command,
        options.max_cost_cents,
        options.selection.plan_digest,
        prepared.outside_consent,
    )
    limits = Limits(session.loaded.plans, session.policy, shell.clock.now())
    consent = check_consent(change_set, limits, request, prepared.progress)
    if prepared.calls_to_make and balance is not None:
        check_balance(balance)
        for message in short_of(
            balance, change_set.estimate.expected_cents, reserved_cents=prepared.all_reserved_cents
        ):
            shell.log(message)
    return consent
