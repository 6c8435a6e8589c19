"""From how an invocation ended to its results document."""

from __future__ import annotations

from planner import __version__
from planner.changes.model import Action, Consent
from planner.execution.journal import Journal
from planner.execution.work import Outcome
from planner.invocation.asking import judge_cost
from planner.invocation.costs import costs
from planner.invocation.preparing import Preparation
from planner.invocation.standing_reports import Standing
from planner.invocation.stray_launches import launch_documents
from planner.judging.asking import Asking
from planner.results.model import CaseDocument, ConsentDocument, DroppedCase, RunResult
from planner.verdicts.ending import Ending
from planner.verdicts.gate import Gate
from planner.verdicts.rates import repeated_passes


def compose_result(
    standing: Standing,
    journal: Journal,
    prepared: Preparation,
    consent: Consent,
    outcome: Outcome,
    ending: Ending,
    cases: list[CaseDocument],
    *,
    ceiling_cents: int | None,
    asking: Asking,
    gate: Gate,
) -> RunResult:
    """Of an invocation that got as far as its change set."""
    change_set = prepared.change_set
    selection = standing.selection
    return RunResult(
        tool_version=__version__,
        outcome=ending.outcome,
        exit_code=ending.exit_code,
        problems=[*ending.problems, *prepared.stray.problems()],
        warnings=list(prepared.warnings),
        next_steps=[*prepared.stray.next_steps(selection.reconcile_command()), *ending.next_steps],
        invocation_id=standing.invocation_id,
        change_set_digest=change_set.digest,
        environment=selection.environment or "",
        sandbox=selection.sandbox,
        partial=selection.partial,
        finished=ending.finished,
        started_at=standing.started_at,
        ended_at=standing.shell.clock.now(),
        consent=ConsentDocument(
            given=consent.given,
            by=consent.by,
            at=consent.at,
            digest=consent.digest,
            max_cost_cents=consent.max_cost_cents,
        ),
        plans=list(standing.plans),
        cases=cases,
        suite=gate.suite,
        fail_on=gate.names,
        fresh=prepared.fresh,
        repeated=repeated_passes(cases),
        dropped=[
            DroppedCase(case_id=change.case_id, reason=change.reason.value)
            for change in change_set.with_action(Action.DROP)
        ],
        open_launches=launch_documents([*outcome.unsettled, *prepared.stray.unsettled]),
        cost=costs(
            journal,
            prepared,
            cases,
            invocation_id=standing.invocation_id,
            ceiling_cents=ceiling_cents,
            unread=outcome.unread_slots,
        ).model_copy(update={"judge": judge_cost(change_set, asking)}),
        stats=standing.stats(launches=outcome.launches),
    )


def with_ending(result: RunResult, ending: Ending, prepared: Preparation, standing: Standing) -> RunResult:
    """The same, ended otherwise. Nothing is counted anew: runs that are spoken for by now would count as other invocations'."""
    reconcile = standing.selection.reconcile_command()
    return result.model_copy(
        update={
            "outcome": ending.outcome,
            "exit_code": ending.exit_code,
            "problems": [*ending.problems, *prepared.stray.problems()],
            "next_steps": [*prepared.stray.next_steps(reconcile), *ending.next_steps],
            "finished": ending.finished,
            "ended_at": standing.shell.clock.now(),
        }
    )
