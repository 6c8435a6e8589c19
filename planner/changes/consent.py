"""Whether a change set may be called: consent, policy and ceilings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import Enum
from typing import Final

from planner.changes.model import (
    NOTHING_JUDGED,
    Change,
    ChangeSet,
    Estimate,
    JudgeSpending,
    Reason,
    VoteEstimate,
    calls_left,
)
from planner.errors import RefusedError, UsageError
from planner.planfile.model import Plan, Policy
from planner.quantities import count, money, money_range, short_commit, some
from planner.results.money_documents import ConsentDocument
from planner.results.outcomes import Action
from planner.values import frozen

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NAMED: Final = 5
MAX_COST: Final = "--max-cost"
_AGREED_BEFORE: Final = "the ceiling agreed to earlier (--max-cost sets another)"


@frozen
class Limits:
    """What the project allows, at the time `now`."""

    plans: Sequence[Plan]
    policy: Policy
    now: datetime


class NoAgreement(Enum):
    """Why the CI system names nobody who agreed."""

    NOBODY = "nobody"
    """A push started the job, or an app."""
    NO_ACCESS = "no access"
    """The person may not write to the repository."""
    NO_ANSWER = "no answer"
    """It did not say whether the person may write."""


@frozen
class Agreement:
    """Who agrees to charged calls: `by`, "" for nobody. `named` is who was to agree, "" if unknown."""

    by: str = ""
    no_agreement: NoAgreement = NoAgreement.NOBODY
    """Only without `by`."""
    named: str = ""


@frozen
class ConsentRequest:
    """The options of the command line, and who typed them. `command` is the whole command that consents
    (`consent_command`)."""

    given: bool
    by: str
    command: str
    max_cost_cents: int | None = None
    digest: str | None = None
    outside: Sequence[str] = ()
    """What is not in the stored set with `digest`, one line per case."""
    keeps_ceiling: bool = False
    """Whether `max_cost_cents` was not typed: it is the ceiling of the consent that is resumed."""
    newer_push: tuple[str, str] | None = None
    """The commit whose calls were agreed to, and the head that superseded it."""
    no_agreement: NoAgreement = NoAgreement.NOBODY
    """Why nobody is named in `by`."""
    named: str = ""
    """Who was to agree; "" if unknown."""


@frozen
class EarlierSpending:
    """What earlier sessions did: runs by case id, and what this consent cost by plan. `spent_cents` includes
    `reserved_cents`: calls without a bill yet, at their high estimate."""

    runs_made: Mapping[str, int] = field(default_factory=dict[str, int])
    spent_cents: Mapping[str, int] = field(default_factory=dict[str, int])
    reserved_cents: Mapping[str, int] = field(default_factory=dict[str, int])
    judge: JudgeSpending = NOTHING_JUDGED
    """Their judge calls, which are in none of the others."""
    reservations: Mapping[str, int] = field(default_factory=dict[str, int])
    """What a call reserves, by case id, where bills were above its high estimate."""
    month_spent_cents: int = 0
    """What all consents of the store cost this month, without reservations."""

    @property
    def all_spent_cents(self) -> int:
        """What calls and judge calls cost so far, or may have cost."""
        return sum(self.spent_cents.values()) + self.judge.committed_cents(None)


NOTHING_SPENT: Final = EarlierSpending()


def check_consent(
    change_set: ChangeSet, limits: Limits, request: ConsentRequest, progress: EarlierSpending = NOTHING_SPENT
) -> ConsentDocument:
    """The consent to record. Its ceiling is the lower of the command's and the project's. If nothing is charged, none
    is needed.

    Raises: UsageError: `digest` is not a digest. RefusedError: the digest differs, the policy forbids a target,
        the number of calls or the time, consent is missing, or the
            expected cost is above a ceiling. The hint says what to type or change.
    """
    if request.digest is not None:
        _check_digest(change_set, request.digest, request)
    policy = limits.policy
    ceilings = [cents for cents in (request.max_cost_cents, policy.max_cost_cents) if cents is not None]
    consent = ConsentDocument(
        given=request.given,
        by=request.by,
        at=limits.now,
        digest=change_set.digest,
        max_cost_cents=min(ceilings, default=None),
    )
    calls = calls_left(change_set.changes, progress.runs_made)
    votes = change_set.votes if change_set.votes is not None and change_set.votes.charged else None
    if not calls and votes is None:
        return consent
    if calls:
        _check_policy(change_set, calls, policy)
    if request.given and not request.by:
        raise _nobody_agreed(request)
    if not request.given:
        estimate = change_set.estimate
        what = "simulated call" if change_set.of_sandbox else "call"
        prices = [f"{count(estimate.calls, what)}{to_confirm(change_set)}, {price_text(estimate)}"] if calls else []
        prices += [vote_line(votes)] if votes is not None else []
        raise RefusedError(
            f"{', plus '.join(prices)}: consent to the charge is missing",
            "To run exactly this",
            command=request.command,
        )
    _check_ceilings(change_set, calls, progress, _ceilings(change_set, limits, request))
    return consent


def _nobody_agreed(request: ConsentRequest) -> RefusedError:
    who = f"`{request.named}`"
    if request.no_agreement is NoAgreement.NO_ANSWER:
        return RefusedError(
            f"GitHub did not answer whether {who} has write access, so nothing was called: post the command again",
            "The log says what GitHub answered; or start the workflow instead.",
        )
    if request.no_agreement is NoAgreement.NO_ACCESS:
        return RefusedError(
            f"{who} has no write access to this repository, so nothing was called",
            "Let somebody who has it post the command.",
        )
    return RefusedError(
        "the CI system names nobody with write access who agreed: a push to a pull request is not consent",
        "Let a person start the calls by hand (workflow_dispatch), or by a comment on the pull request",
    )


def policy_refusal(change_set: ChangeSet, limits: Limits, progress: EarlierSpending) -> RefusedError | None:
    """Why `run` would refuse this change set even with consent; None if it would not."""
    try:
        check_consent(change_set, limits, ConsentRequest(given=True, by="anybody", command=""), progress)
    except RefusedError as refusal:
        return refusal
    return None


def consent_command(command: str, change_set: ChangeSet, progress: EarlierSpending = NOTHING_SPENT) -> str:
    """`command` with the options that consent to exactly this change set; without a ceiling if the cost is unknown."""
    votes = change_set.votes
    charged_votes = votes is not None and votes.charged
    if change_set.estimate.calls == 0 and not charged_votes:
        return command
    ceiling = ceiling_of(change_set, progress)
    option = f" --max-cost {ceiling}" if ceiling else ""
    return f"{command} --consent-to-charge{option} --digest {change_set.digest}"


def ceiling_of(change_set: ChangeSet, progress: EarlierSpending) -> str:
    """`2.40`: the value of `--max-cost` for the whole change set; "" if the cost is unknown."""
    cents = ceiling_cents(change_set, progress)
    return "" if cents is None else f"{cents // 100}.{cents % 100:02d}"


def ceiling_cents(change_set: ChangeSet, progress: EarlierSpending) -> int | None:
    """The ceiling that `planner plan` prints, and that holds without `--max-cost`; None if the cost is unknown.

    It covers the whole change set and what any of its calls reserves, in addition to what earlier sessions spent.
    """
    high_cents = whole_high_cents(change_set)
    if high_cents is None:
        return None
    reservations = [_reservation(change_set, case_id, progress) for case_id in change_set.prices]
    return max(high_cents, *reservations, 0) + progress.all_spent_cents


def whole_high_cents(change_set: ChangeSet) -> int | None:
    """The high estimate of calls and judge calls together; None if that of the calls is unknown."""
    high = change_set.estimate.high_cents
    return None if high is None else high + (change_set.votes.high_cents if change_set.votes else 0)


def price_text(estimate: Estimate) -> str:
    """`expected $1.76 ($1.44–$2.40, 31 past runs of these scenarios)`, or that the cost is unknown, and why."""
    if estimate.expected_cents is None:
        return f"cost unknown ({estimate.basis.removeprefix('unknown: ')})"
    spread = money_range(estimate.low_cents, estimate.high_cents)
    return f"expected {money(estimate.expected_cents)} ({spread}, {estimate.basis})"


def to_confirm(change_set: ChangeSet) -> str:
    """`, and up to 50 to confirm a regression`; empty if no calls may be added."""
    added = change_set.confirmations
    return f", and up to {added:,} to confirm a regression" if added else ""


def vote_line(votes: VoteEstimate) -> str:
    """`12 judge calls (gpt-4o-mini), expected $0.03 (at most $0.11)`."""
    number = f"{count(votes.votes, 'judge call')} ({votes.model})"
    return f"{number}, expected {money(votes.expected_cents)} (at most {money(votes.high_cents)})"


def is_digest(text: str) -> bool:
    """Whether it is written like the digest of a change set."""
    return _DIGEST.fullmatch(text) is not None


def _check_digest(change_set: ChangeSet, digest: str, request: ConsentRequest) -> None:
    if not is_digest(digest):
        raise UsageError(
            f"{digest!r} is not the digest of a set of calls",
            "Copy it whole from `planner plan`: sha256: and 64 hex digits",
        )
    if digest == change_set.digest:
        return
    if request.newer_push is not None:
        agreed, head = map(short_commit, request.newer_push)
        raise RefusedError(
            f"You agreed to the calls for {agreed}; the branch is now at {head}. Use the command below",
            f"In a terminal: {request.command}",
        )
    called = change_set.with_action(Action.CALL)
    agents = list(dict.fromkeys(_target(each) for each in called if each.reason is Reason.AGENT_EDITED))
    edited = f"; agents edited since: {some(agents, _NAMED)}" if agents else ""
    if not request.outside:
        raise RefusedError(
            f"this machine does not know the set of calls that was agreed to: agreed to {digest}, now "
            f"{change_set.digest}{edited}",
            "It cannot tell what changed, or whether these calls are a part of that set. Plan the whole set here "
            f"first (`planner plan`), or name all of its paths. To agree to these calls instead: {request.command}",
        )
    raise RefusedError(
        f"the set of calls is not the one agreed to: {some(request.outside, _NAMED, '; ')}{edited}",
        f"Review it with `planner plan`; with a key, it shows edited agents. To agree to it: {request.command}",
    )


def _check_policy(change_set: ChangeSet, calls: Mapping[str, int], policy: Policy) -> None:
    called = [
        (change, change.case) for change in change_set.changes if change.case is not None and change.case_id in calls
    ]
    count = sum(calls[change.case_id] * (1 + case.retries) for change, case in called)
    if count > policy.max_calls:
        retries = any(case.retries for _, case in called)
        raise RefusedError(
            f"{count} calls would be made{', retries included' if retries else ''}, policy.max_calls allows "
            f"{policy.max_calls} per session",
            f"Select fewer cases with --select{', lower `retries`' if retries else ''}, or raise it in planner.yaml",
        )
    if policy.allowed_targets is None:
        return
    allowed = policy.allowed_targets
    forbidden = [_target(each) for each, case in called if (case.target.kind, case.target.id) not in allowed]
    if forbidden:
        raise RefusedError(
            f"policy.allowed_targets does not allow calls to {some(list(dict.fromkeys(forbidden)), _NAMED)}",
            "Add it in planner.yaml, or exclude its cases with --select",
        )


def _target(change: Change) -> str:
    target = change.case.target if change.case else None
    return f"{target.alias} ({target.kind} {target.id})" if target else change.case_id


@frozen
class _Ceiling:
    """A limit on the cost of these cases of one plan, or of all (None)."""

    name: str
    cents: int
    plan: str | None
    case_ids: frozenset[str]
    is_monthly: bool = False
    """For all consents of this month."""

    def total(self, by_case: Mapping[str, float]) -> float:
        return sum(cents for case_id, cents in by_case.items() if case_id in self.case_ids)


def _ceilings(change_set: ChangeSet, limits: Limits, request: ConsentRequest) -> list[_Ceiling]:
    found = [
        (_AGREED_BEFORE if request.keeps_ceiling else MAX_COST, request.max_cost_cents, None),
        ("policy.max_cost_cents", limits.policy.max_cost_cents, None),
        *((f"budget.max_cost_cents of plan {plan.name}", plan.max_cost_cents, plan.name) for plan in limits.plans),
    ]
    cases = [change.case for change in change_set.changes if change.case is not None]
    ceilings = [
        _Ceiling(name, cents, plan, frozenset(case.case_id for case in cases if plan in (None, case.plan)))
        for name, cents, plan in found
        if cents is not None
    ]
    if (month_cents := limits.policy.max_cost_cents_per_month) is not None:
        whole = frozenset(case.case_id for case in cases)
        ceilings.append(_Ceiling("policy.max_cost_cents_per_month", month_cents, None, whole, is_monthly=True))
    return ceilings


def _check_ceilings(
    change_set: ChangeSet, calls: Mapping[str, int], progress: EarlierSpending, ceilings: Sequence[_Ceiling]
) -> None:
    # An unknown price is not 0: the budget ledger launches such calls one at a time.
    prices = {case_id: (change_set.prices[case_id].expected_cents or 0) * left for case_id, left in calls.items()}
    broken: list[str] = []
    for ceiling in ceilings:
        votes = change_set.votes.weight_cents(ceiling.plan) if change_set.votes else 0
        if not votes and ceiling.case_ids.isdisjoint(calls):
            continue
        expected = round(ceiling.total(prices))
        # Bills only: reservations of earlier calls may be released, and launching waits for them. So a killed session
        # can always be resumed under the same ceiling.
        billed = _of_plan(progress.spent_cents, ceiling.plan) - _of_plan(progress.reserved_cents, ceiling.plan)
        spent = billed + progress.judge.committed_cents(ceiling.plan)
        spent = progress.month_spent_cents if ceiling.is_monthly else spent
        before = f" plus {money(spent)} already spent" if spent else ""
        before += " this month" if spent and ceiling.is_monthly else ""
        covered = ceiling.case_ids.intersection(calls)
        least = min((_reservation(change_set, case_id, progress) for case_id in covered), default=0)
        if expected + spent + votes > ceiling.cents:
            judging = f" plus {money(votes)} for judge calls" if votes else ""
            broken.append(f"{money(expected)} expected{before}{judging}, {ceiling.name} allows {money(ceiling.cents)}")
        elif least + spent > ceiling.cents:
            broken.append(f"each call may cost {money(least)}{before}, {ceiling.name} allows {money(ceiling.cents)}")
    if broken:
        raise RefusedError("; ".join(broken), "Select fewer cases with --select, or raise the ceiling")


def _reservation(change_set: ChangeSet, case_id: str, progress: EarlierSpending) -> int:
    """What one call of a case reserves before it is launched; 0 if its price is unknown."""
    return max(change_set.prices[case_id].high_cents or 0, progress.reservations.get(case_id, 0))


def _of_plan(by_plan: Mapping[str, int], plan: str | None) -> int:
    return sum(by_plan.values()) if plan is None else by_plan.get(plan, 0)
