"""Prepares the calls of `planner run` as the service is now, and checks the consent to exactly those calls."""

from __future__ import annotations

from dataclasses import replace

from planner.changes.consent import ConsentRequest, Limits, check_consent, consent_command
from planner.errors import InterruptedRunError
from planner.results.model import Consent
from planner.session.ci import who_agrees
from planner.session.configurations import record_agents
from planner.session.jobs import check_balance, short_of
from planner.session.late_data import correct_bills
from planner.session.preparing import Preparation, prepare
from planner.session.preview_calls import check_previews_allowed
from planner.session.reporting import redactor_of
from planner.session.run_session import RunSession
from planner.session.saved_plans import check_unchanged, saved_command
from planner.session.service import read_targets


async def prepare_calls(session: RunSession) -> Preparation:
    """The change set as the service is now. Raises `InterruptedRunError`, `UsageError` if the judge has no model, and the
    errors of requests."""
    shell, loaded, place, client = session.shell, session.loaded, session.place, session.transactions.client
    targets = await read_targets(client, loaded.cases)
    balance = await client.balance()
    await correct_bills(session)
    if session.interrupted.is_set():
        raise InterruptedRunError("interrupted before any call was made", "Run the same command again.")
    prepared = prepare(shell, session.options.selection, loaded, place, targets=targets, journal=session.journal)
    prepared.judging.require_model(prepared.change_set)
    for warning in prepared.warnings:
        shell.log(f"warning: {warning}")
    return replace(prepared, balance=balance)


def consent_to(session: RunSession, prepared: Preparation) -> Consent:
    """The consent to the calls. Raises `RefusedError` if it is missing, or policy, a ceiling, the balance or the saved
    plan forbids these calls. Only with consent are the versions of the agents' files recorded."""
    shell, options, change_set, balance = session.shell, session.options, prepared.change_set, prepared.balance
    command = options.command()
    if options.saved is not None:
        show = redactor_of(session.loaded.project).text
        check_unchanged(options.saved, change_set, session.place.repository, options.selection, show)
        command = saved_command(options.saved_path)
    else:
        spent_cents = sum(prepared.progress.spent_cents.values())
        command = consent_command(command, change_set, already_spent_cents=spent_cents)
    is_free = options.selection.sandbox or not options.consent_to_charge
    request = ConsentRequest(
        options.consent_to_charge,
        who_agrees(shell, sandbox=is_free),
        command,
        options.max_cost_cents,
        options.selection.plan_digest,
        prepared.outside_consent,
    )
    check_previews_allowed(session, prepared)
    limits = Limits(session.loaded.plans, session.policy, shell.clock.now())
    consent = check_consent(change_set, limits, request, prepared.progress)
    if prepared.calls_to_make and balance is not None:
        check_balance(balance)
        for message in short_of(
            balance, change_set.estimate.expected_cents, reserved_cents=prepared.all_reserved_cents
        ):
            shell.log(message)
    project, configurations = session.loaded.project, prepared.configurations
    record_agents(shell, session.place, project, prepared.agents, configurations, at_once=False)
    return consent
