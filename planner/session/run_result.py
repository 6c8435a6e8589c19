"""Composes the results document of a session."""

from __future__ import annotations

from dataclasses import dataclass

from planner import __version__
from planner.changes.model import Action, Consent
from planner.execution.jobs import Outcome
from planner.execution.journal import Journal
from planner.judging.votes import JudgeCallsResult
from planner.results.model import CaseDocument, ConsentDocument, DroppedCase, RunResult
from planner.session.costs import costs
from planner.session.judge_calls import judge_cost
from planner.session.orphaned_launches import launch_documents
from planner.session.preparing import Preparation
from planner.session.report_session import ReportSession
from planner.verdicts.ending import Ending
from planner.verdicts.gate import Gate
from planner.verdicts.rates import repeated_passes


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """How a session with a change set ended."""

    consent: Consent
    outcome: Outcome
    ending: Ending
    cases: list[CaseDocument]
    asking: JudgeCallsResult
    gate: Gate


def compose_result(
    reports: ReportSession, journal: Journal, prepared: Preparation, end: SessionEnd, ceiling_cents: int | None
) -> RunResult:
    """The results of a session that has a change set."""
    consent, ending, gate = end.consent, end.ending, end.gate
    change_set = prepared.change_set
    selection = reports.selection
    return RunResult(
        tool_version=__version__,
        outcome=ending.outcome,
        exit_code=ending.exit_code,
        problems=[*ending.problems, *prepared.orphans.problems()],
        warnings=list(prepared.warnings),
        next_steps=[*prepared.orphans.next_steps(selection.reconcile_command()), *ending.next_steps],
        invocation_id=reports.invocation_id,
        change_set_digest=change_set.digest,
        environment=selection.environment or "",
        sandbox=selection.sandbox,
        partial=selection.partial,
        finished=ending.finished,
        started_at=reports.started_at,
        ended_at=reports.shell.clock.now(),
        consent=ConsentDocument(
            given=consent.given,
            by=consent.by,
            at=consent.at,
            digest=consent.digest,
            max_cost_cents=consent.max_cost_cents,
        ),
        plans=list(reports.plans),
        cases=end.cases,
        suite=gate.suite,
        fail_on=gate.names,
        fresh=prepared.fresh,
        repeated=repeated_passes(end.cases),
        dropped=[
            DroppedCase(case_id=change.case_id, reason=change.reason.value)
            for change in change_set.with_action(Action.DROP)
        ],
        open_launches=launch_documents([*end.outcome.unsettled, *prepared.orphans.unsettled]),
        cost=costs(
            journal,
            prepared,
            end.cases,
            invocation_id=reports.invocation_id,
            ceiling_cents=ceiling_cents,
            unread=end.outcome.unread_slots,
        ).model_copy(update={"judge": judge_cost(change_set, end.asking)}),
        stats=reports.stats(launches=end.outcome.launches),
    )


def with_ending(result: RunResult, ending: Ending, prepared: Preparation, reports: ReportSession) -> RunResult:
    """The result with another ending. Costs are not recomputed: runs already marked as used would count as other
    sessions'."""
    reconcile = reports.selection.reconcile_command()
    return result.model_copy(
        update={
            "outcome": ending.outcome,
            "exit_code": ending.exit_code,
            "problems": [*ending.problems, *prepared.orphans.problems()],
            "next_steps": [*prepared.orphans.next_steps(reconcile), *ending.next_steps],
            "finished": ending.finished,
            "ended_at": reports.shell.clock.now(),
        }
    )
