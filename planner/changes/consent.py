"""Whether exactly this may be called: who agreed, and whether every ceiling and policy allows it. Otherwise nobody is called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from planner.changes.model import Action, Change, ChangeSet, Consent, Estimate, Reason
from planner.changes.votes import VoteEstimate
from planner.errors import RefusedError, UsageError
from planner.planfile.model import Case, Plan, Policy

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_NAMED: Final = 5


def check_consent(
    change_set: ChangeSet,
    plans: Sequence[Plan],
    *,
    consent_given: bool,
    max_cost_cents: int | None,
    policy: Policy,
    plan_digest: str | None,
    now: datetime,
    by: str,
    command: str,
    already_made: Mapping[str, int] | None = None,
    already_spent_cents: Mapping[str, int] | None = None,
    held_cents: Mapping[str, int] | None = None,
) -> Consent:
    """The decision to spend, as it will be recorded; its ceiling is the lower of the command's and the project's.

    Where there is nothing to call, no consent is asked for, and none is recorded that was not given.

    Args:
        plan_digest: what was agreed to (`--plan-digest`), or None.
        by: the user or CI actor.
        command: the whole command to type to consent to this change set (`consent_command`).
        already_made: runs an interrupted invocation of this change set has made, by case id.
        already_spent_cents: what those cost, by case id: a ceiling holds for the change set, not for each attempt at it.
        held_cents: the part of it that is no bill, but the high estimate of calls whose bill is not known yet.

    Raises:
        UsageError: `plan_digest` is not a digest.
        RefusedError: another digest, a target or a number of calls against policy, consent missing, or a ceiling that the
            expected cost is above. It says what to type or to change.
    """
    if plan_digest is not None:
        _check_digest(change_set, plan_digest, command)
    limits = [cents for cents in (max_cost_cents, policy.max_cost_cents) if cents is not None]
    consent = Consent(consent_given, by, now, change_set.digest, min(limits, default=None))
    calls = _calls_left(change_set, already_made or {})
    votes = change_set.votes
    charged_votes = votes is not None and votes.charged
    if not calls and not charged_votes:
        return consent
    if calls:
        _check_policy(change_set, calls, policy, now)
    if not consent_given:
        prices = [price_line(change_set.estimate)] if calls else []
        prices += [vote_line(votes)] if votes is not None and charged_votes else []
        whom = "nobody is called" if calls else "no model is asked"
        raise RefusedError(
            f"{', and '.join(prices)}; {whom} without consent to that charge", f"to run exactly this: {command}"
        )
    ceilings = _ceilings(plans, max_cost_cents, policy)
    _check_ceilings(change_set, calls, already_spent_cents or {}, held_cents or {}, ceilings)
    return consent


def forbidden(
    change_set: ChangeSet,
    plans: Sequence[Plan],
    *,
    policy: Policy,
    now: datetime,
    already_made: Mapping[str, int],
    already_spent_cents: Mapping[str, int],
    held_cents: Mapping[str, int] | None = None,
) -> RefusedError | None:
    """Why `run` would refuse this change set whoever consents: a ceiling of plan or project, or a policy. None: it would not.

    A call is launched only where its high estimate fits under every ceiling, so that a ceiling may leave room for the expected
    cost of all and for no call.
    """
    try:
        check_consent(
            change_set,
            plans,
            consent_given=True,
            max_cost_cents=None,
            policy=policy,
            plan_digest=None,
            now=now,
            by="",
            command="",
            already_made=already_made,
            already_spent_cents=already_spent_cents,
            held_cents=held_cents,
        )
        if calls := _calls_left(change_set, already_made):
            _check_first_call(change_set, calls, already_spent_cents, held_cents or {}, _ceilings(plans, None, policy))
    except RefusedError as refusal:
        return refusal
    return None


def _calls_left(change_set: ChangeSet, already_made: Mapping[str, int]) -> dict[str, int]:
    return {
        change.case_id: left
        for change in change_set.with_action(Action.CALL)
        if (left := change.runs - already_made.get(change.case_id, 0)) > 0
    }


def consent_command(command: str, change_set: ChangeSet, *, already_spent_cents: int = 0) -> str:
    """`command` (such as `planner run plans/`) with what consents to exactly this change set; no ceiling where none is known.

    The ceiling holds for the whole change set, so it includes what an interrupted invocation has spent of it.
    """
    votes = change_set.votes
    charged_votes = votes is not None and votes.charged
    if change_set.estimate.calls == 0 and not charged_votes:
        return command
    high = whole_high_cents(change_set)
    whole = None if high is None else high + already_spent_cents
    ceiling = "" if whole is None else f" --max-cost {whole // 100}.{whole % 100:02d}"
    return f"{command} --consent-to-charge{ceiling} --plan-digest {change_set.digest}"


def whole_high_cents(change_set: ChangeSet) -> int | None:
    """The high end of calls and votes together; None where that of the calls is unknown."""
    high = change_set.estimate.high_cents
    return None if high is None else high + (change_set.votes.high_cents if change_set.votes else 0)


def vote_line(votes: VoteEstimate) -> str:
    """`12 votes of gpt-4o-mini, expected $0.03 (at most $0.11)`."""
    number = f"{votes.votes:,} vote{'' if votes.votes == 1 else 's'} of {votes.model}"
    return f"{number}, expected {_dollars(votes.expected_cents)} (at most {_dollars(votes.high_cents)})"


def price_line(estimate: Estimate) -> str:
    """`11 calls, expected $1.76 ($1.44–$2.40; 31 past runs of these scenarios)`, or that the cost is unknown, and why."""
    calls = f"{estimate.calls} call{'' if estimate.calls == 1 else 's'}"
    if estimate.expected_cents is None or estimate.low_cents is None or estimate.high_cents is None:
        return f"{calls} of unknown cost ({estimate.basis.removeprefix('unknown: ')})"
    spread = f"{_dollars(estimate.low_cents)}–{_dollars(estimate.high_cents)}"
    return f"{calls}, expected {_dollars(estimate.expected_cents)} ({spread}; {estimate.basis})"


def _check_digest(change_set: ChangeSet, plan_digest: str, command: str) -> None:
    if not _DIGEST.fullmatch(plan_digest):
        raise UsageError(
            f"{plan_digest!r} is not the digest of a change set",
            "copy it whole from `planner plan`: sha256: and 64 hex digits",
        )
    if plan_digest == change_set.digest:
        return
    moved = Counter(
        f"{_target(change).removesuffix(')')}; {change.detail}"
        for change in change_set.with_action(Action.CALL)
        if change.reason is Reason.AGENT_EDITED
    )
    edited = [f"{target}; {cases} case{'' if cases == 1 else 's'})" for target, cases in moved.items()]
    look = (
        "a plan made without `--refresh` and a key does not know of that: look at it with `planner plan --refresh`"
        if edited
        else "look at it with `planner plan` (in a workflow: run all its jobs again, not the failed one alone)"
    )
    raise RefusedError(
        f"the change set is not the one agreed to: {plan_digest} was, today's is {change_set.digest}"
        f"{f'; agents edited since: {_some(edited)}' if edited else ''}",
        f"{look}; to agree to today's: {command}",
    )


def _check_policy(change_set: ChangeSet, calls: Mapping[str, int], policy: Policy, now: datetime) -> None:
    retries = {change.case_id: change.case.retries for change in change_set.changes if change.case is not None}
    count = sum(left * (1 + retries[case_id]) for case_id, left in calls.items())
    if count > policy.max_calls:
        raise RefusedError(
            f"{count} calls would be made{', retries included' if any(retries.values()) else ''}, policy.max_calls allows {policy.max_calls} an invocation",
            f"select fewer cases with --select{', have fewer `retries`' if any(retries.values()) else ''}, or raise it in planner.yaml",
        )
    if policy.quiet_hours is not None and policy.quiet_hours.at(now):
        raise RefusedError(
            f"nobody is called in policy.quiet_hours, {policy.quiet_hours}",
            f"run it after {policy.quiet_hours.end:%H:%M} there, or change them in planner.yaml",
        )
    if policy.allowed_targets is None:
        return
    forbidden = {
        _target(change): None
        for change in change_set.changes
        if change.case is not None
        and change.case_id in calls
        and (change.case.target.kind, change.case.target.id) not in policy.allowed_targets
    }
    if forbidden:
        raise RefusedError(
            f"policy.allowed_targets does not allow to call {_some(forbidden)}",
            "add it in planner.yaml, or leave its cases out with --select",
        )


def _target(change: Change) -> str:
    target = change.case.target if change.case else None
    return f"{target.alias} ({target.kind} {target.id})" if target else change.case_id


@dataclass(frozen=True, slots=True)
class _Ceiling:
    """What may be spent on the cases of one plan, or (None) on all."""

    name: str
    cents: int
    plan: str | None

    def covers(self, case: Case) -> bool:
        return self.plan is None or self.plan == case.plan


def _ceilings(plans: Sequence[Plan], max_cost_cents: int | None, policy: Policy) -> list[_Ceiling]:
    limits = [
        ("--max-cost", max_cost_cents, None),
        ("policy.max_cost_cents", policy.max_cost_cents, None),
        *((f"budget.max_cost_cents of plan {plan.name}", plan.max_cost_cents, plan.name) for plan in plans),
    ]
    return [_Ceiling(name, cents, plan) for name, cents, plan in limits if cents is not None]


def _check_ceilings(
    change_set: ChangeSet,
    calls: Mapping[str, int],
    spent_cents: Mapping[str, int],
    held_cents: Mapping[str, int],
    ceilings: Sequence[_Ceiling],
) -> None:
    cases = [change.case for change in change_set.changes if change.case is not None]
    broken: list[str] = []
    for ceiling in ceilings:
        covered = [case.case_id for case in cases if ceiling.covers(case)]
        prices = {case_id: change_set.prices[case_id] for case_id in covered if case_id in calls}
        votes = change_set.votes.weight_cents(ceiling.plan) if change_set.votes else 0
        if not prices and not votes:
            continue
        # A price that is not known is not taken for 0: the budget ledger lets such calls go one at a time.
        expected = round(sum((price.expected_cents or 0) * calls[case_id] for case_id, price in prices.items()))
        spent = sum(spent_cents.get(case_id, 0) for case_id in covered)
        if expected + spent + votes > ceiling.cents:
            held = sum(held_cents.get(case_id, 0) for case_id in covered)
            before = _spent_before(spent - held, held) + (f" and {_dollars(votes)} for votes" if votes else "")
            broken.append(f"{_dollars(expected)} expected{before}, {ceiling.name} allows {_dollars(ceiling.cents)}")
    if broken:
        raise RefusedError("; ".join(broken), "select fewer cases with --select, or raise the ceiling")


def _check_first_call(
    change_set: ChangeSet,
    calls: Mapping[str, int],
    spent_cents: Mapping[str, int],
    held_cents: Mapping[str, int],
    ceilings: Sequence[_Ceiling],
) -> None:
    """Raises `RefusedError` where no call at all could be launched, whatever the bills still to come."""
    cases = [change.case for change in change_set.changes if change.case is not None]
    billed = [
        sum(
            spent_cents.get(case.case_id, 0) - held_cents.get(case.case_id, 0) for case in cases if ceiling.covers(case)
        )
        for ceiling in ceilings
    ]
    blocked: list[tuple[int, str]] = []
    for case in cases:
        if case.case_id not in calls:
            continue
        high = change_set.prices[case.case_id].high_cents
        if high is None:  # the budget ledger lets such calls go one at a time
            return
        told = [
            (
                spent + high,
                f"one call may cost up to {_dollars(high)}{_spent_before(spent, 0)}, {ceiling.name} allows {_dollars(ceiling.cents)}",
            )
            for ceiling, spent in zip(ceilings, billed, strict=True)
            if ceiling.covers(case) and spent + high > ceiling.cents
        ]
        if not told:
            return
        blocked.append(max(told))
    enough, why = min(blocked)
    raise RefusedError(f"{why}, so that none would be launched", f"raise it to {_dollars(enough)} at least")


def _spent_before(billed: int, held: int) -> str:
    """Bills and high estimates are told apart: of the latter some comes back."""
    parts = [f"{_dollars(billed)} already spent"] if billed else []
    if held:
        parts.append(f"up to {_dollars(held)} held for earlier calls whose bill, or fate, is not known yet")
    return f" beside {' and '.join(parts)}" if parts else ""


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more


def _dollars(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02d}"
