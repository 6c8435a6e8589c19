"""Judge calls of `planner recheck`: stored answers are reused; new ones need consent."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from planner.changes.consent import ConsentRequest, Limits, check_consent, consent_command
from planner.changes.fingerprint import change_set_digest
from planner.changes.model import Change, ChangeSet, Estimate
from planner.execution.jobs import Outcome
from planner.execution.ledger import Ledger
from planner.judging.votes import JudgeCallsResult
from planner.results.model import JudgeCost
from planner.session.interruption import interruptible
from planner.session.jobs import ledger_of
from planner.session.judge_calls import JudgeSession, copy_stop_reasons, judge_cost
from planner.session.judging import Judging
from planner.session.locking import locked
from planner.session.selection import Loaded, Selection
from planner.session.shell import Shell
from planner.session.stores import Place
from planner.verdicts.gate import EVERYTHING, FailOn, fail_on_words


@dataclass(frozen=True, slots=True)
class RecheckOptions:
    selection: Selection
    report_dir: Path = Path("reports")
    consent_to_charge: bool = False
    """For judge calls whose answers are not stored; everything else is free."""
    max_cost_cents: int | None = None
    fail_on: frozenset[FailOn] = EVERYTHING

    def words(self) -> list[str]:
        return ["planner", "recheck", *self.selection.words(), *fail_on_words(self.fail_on)]


@dataclass(frozen=True, slots=True)
class RecheckAnswers:
    """How the judge calls ended, and their cost; None if none were needed."""

    outcome: Outcome = field(default_factory=Outcome)
    cost: JudgeCost | None = None


def request_missing_answers(
    shell: Shell,
    options: RecheckOptions,
    loaded: Loaded,
    place: Place,
    judging: Judging,
    changes: Sequence[Change],
) -> RecheckAnswers:
    """Make the missing judge calls.

    Raises:
        RefusedError: consent is missing, or the price is above a ceiling.
        UsageError, IncompleteError: the endpoint cannot be used.
    """
    plain = ChangeSet(change_set_digest(changes), tuple(changes), Estimate(0, 0, 0, 0, "nothing to call"), {})
    change_set = judging.with_votes(plain, {})
    votes = RecheckAnswers()
    if change_set.votes is not None:
        request = ConsentRequest(
            options.consent_to_charge,
            by="",
            command=_command(options, change_set),
            max_cost_cents=options.max_cost_cents,
        )
        limits = Limits(loaded.plans, loaded.project.policy, shell.clock.now())
        consent = check_consent(change_set, limits, request)
        to_ask = change_set.votes.votes > 0
        with locked(shell, place, shlex.join(options.words())) if to_ask else nullcontext():
            ledger = ledger_of(loaded, (), max_cost_cents=options.max_cost_cents, billing=None)
            asks = JudgeSession(shell, judging, change_set, consent.given)
            asking = anyio.run(_ask, asks, ledger) if to_ask else JudgeCallsResult()
            cost = judge_cost(change_set, asking)
        outcome = Outcome()
        copy_stop_reasons(outcome, asking)
        votes = RecheckAnswers(outcome, cost)
    return votes


def _command(options: RecheckOptions, change_set: ChangeSet) -> str:
    """The command without a digest, which recheck does not need."""
    whole = consent_command(shlex.join(options.words()), change_set)
    return whole.partition(" --plan-digest ")[0]


async def _ask(votes: JudgeSession, ledger: Ledger) -> JudgeCallsResult:
    async with interruptible() as interrupted:
        await votes.check()
        return await votes.ask(ledger, interrupted)
