"""The votes that `planner recheck` needs: what is stored is used as it is, what is not is asked for with consent."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import anyio

from planner.changes.consent import check_consent, consent_command
from planner.changes.digest import change_set_digest
from planner.changes.model import Change, ChangeSet, Estimate
from planner.execution.ledger import Ledger
from planner.execution.work import Outcome
from planner.invocation.asking import VoteRound, judge_cost, note_asking
from planner.invocation.calling import ledger_of
from planner.invocation.interruption import interruptible
from planner.invocation.judging import Judging
from planner.invocation.locking import locked
from planner.invocation.selection import Loaded, Selection
from planner.invocation.shell import Shell
from planner.invocation.stores import Place
from planner.judging.asking import Asking
from planner.results.costs import JudgeCost
from planner.verdicts.gate import EVERYTHING, FailOn, fail_on_words


@dataclass(frozen=True, slots=True)
class RecheckOptions:
    selection: Selection
    report_dir: Path = Path("reports")
    consent_to_charge: bool = False
    """For votes of the language model that are not stored yet; everything else is free."""
    max_cost_cents: int | None = None
    fail_on: frozenset[FailOn] = EVERYTHING

    def words(self) -> list[str]:
        return ["planner", "recheck", *self.selection.words(), *fail_on_words(self.fail_on)]


@dataclass(frozen=True, slots=True)
class RecheckedVotes:
    """How the asking ended, and what it cost; None where no expectation asks a model."""

    outcome: Outcome = field(default_factory=Outcome)
    cost: JudgeCost | None = None


def rechecked_votes(
    shell: Shell,
    options: RecheckOptions,
    loaded: Loaded,
    place: Place,
    judging: Judging,
    changes: Sequence[Change],
    invocation_id: str,
) -> RecheckedVotes:
    """Requests what is missing.

    Raises:
        RefusedError: votes are missing whose price was not consented to, or is above a ceiling.
        UsageError, IncompleteError: the endpoint cannot be asked.
    """
    plain = ChangeSet(change_set_digest(changes), tuple(changes), Estimate(0, 0, 0, 0, "nothing to call"), {})
    change_set = judging.with_votes(plain, {})
    votes = RecheckedVotes()
    if change_set.votes is not None:
        consent = check_consent(
            change_set,
            loaded.plans,
            consent_given=options.consent_to_charge,
            max_cost_cents=options.max_cost_cents,
            policy=loaded.project.policy,
            plan_digest=None,
            now=shell.clock.now(),
            by="",
            command=_command(options, change_set),
        )
        to_ask = change_set.votes.votes > 0
        with locked(shell, place, shlex.join(options.words())) if to_ask else nullcontext():
            ledger = ledger_of(loaded, (), max_cost_cents=options.max_cost_cents, billing=None)
            asks = VoteRound(shell, place, judging, change_set, invocation_id, consent.given)
            asking = anyio.run(_ask, asks, ledger) if to_ask else Asking()
            cost = judge_cost(change_set, asking)
        outcome = Outcome()
        note_asking(outcome, asking)
        votes = RecheckedVotes(outcome, cost)
    return votes


def _command(options: RecheckOptions, change_set: ChangeSet) -> str:
    """Without a digest: nothing is called, so that none is asked for."""
    whole = consent_command(shlex.join(options.words()), change_set)
    return whole.partition(" --plan-digest ")[0]


async def _ask(votes: VoteRound, ledger: Ledger) -> Asking:
    async with interruptible() as interrupted:
        await votes.check()
        return await votes.ask(ledger, interrupted)
