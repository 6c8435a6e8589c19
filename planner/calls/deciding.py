"""Which launch to make next, as a function of the log. No I/O, no clock, no `await`.

A key with an open launch is not called, and no ceiling is exceeded by a reservation. The caller appends the intent to
the log from which this was decided; if somebody else appended first, it reads and decides again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from planner.calls.budget import Budget, budget_of
from planner.calls.model import (
    LARGEST_BATCH,
    Batched,
    Launching,
    Limit,
    Now,
    Settings,
    Step,
    Stop,
    StopReason,
    Waiting,
    WaitReason,
    Want,
)
from planner.log.facts import Consent, Goal, Intent, PreviewStep
from planner.log.fold import LONGEST_RUN, Stage, State
from planner.providers.base import Line, Target
from planner.quantities import money
from planner.values import frozen

POSTS_AT_ONCE: Final = 4
MAX_UNCONFIRMED: Final = 3
"""Launching stops at this many unconfirmed launches until one is settled."""
ANSWER_SECONDS: Final = 70.0
"""An open launch that is older has probably lost its answer."""


def missing_calls(state: State, consent_id: str, goal: Goal) -> int:
    """The calls that a key still needs: its goal and retries, less all that were made or may have been."""
    retries = min(goal.retries, state.tallies.failed[consent_id, goal.key])
    return max(0, goal.calls + retries - state.tallies.live[goal.key])


@frozen
class Pending:
    """A want with calls that are missing."""

    want: Want
    plan: str
    calls: int


def pending_calls(state: State, consent: Consent, wants: Sequence[Want]) -> list[Pending]:
    goals = {goal.key: goal for goal in (*consent.goals, *consent.confirmations)}
    return [
        Pending(want, goal.plan, calls)
        for want in wants
        if (goal := goals.get(want.key)) is not None and (calls := missing_calls(state, consent.consent_id, goal))
    ]


def decide(state: State, consent: Consent, wants: Sequence[Want], limit: Limit, now: Now) -> Step:
    """The launches to make now, or why there are none."""
    running = max(0, state.running(now.server) - limit.overdue)
    room = limit.concurrency.current - running
    if running and (room <= 0 or len(limit.posting) >= POSTS_AT_ONCE):
        return Waiting(WaitReason.CONCURRENCY)
    pending = pending_calls(state, consent, wants)
    if not pending:
        return Waiting(WaitReason.NOTHING)
    if state.is_newer:
        return Stop(StopReason.NEWER, "a newer version of planner writes to this log; use that version")
    if consent.expires_at is not None and now.server >= consent.expires_at:
        return Stop(StopReason.EXPIRED, f"the consent {consent.consent_id} has expired")
    opened = state.open_launches()
    if (
        sum(_is_unconfirmed(intent.launch_id, now.seconds_since(intent.at), limit) for intent in opened)
        >= MAX_UNCONFIRMED
    ):
        return Waiting(WaitReason.UNCONFIRMED)
    gone = gone_copies(state)
    free = [each for each in free_calls(pending, opened) if each.want.line.target not in gone]
    if not free:
        if all(each.want.line.target in gone for each in pending):
            return copy_gone(state, pending[0].want.line.target)
        return Waiting(WaitReason.OPEN_LAUNCHES)
    if now.seconds < limit.concurrency.pause_until:
        return Waiting(WaitReason.THROTTLED, limit.concurrency.pause_until)
    budget = budget_of(state, consent, limit, now)
    launches = _launches(free, max(room, 1), POSTS_AT_ONCE - len(limit.posting), budget, now)
    return launches or _at_ceiling(
        pending, free, budget, is_waiting=bool(running or opened or state.stages[Stage.INCOMPLETE])
    )


def free_calls(pending: Sequence[Pending], opened: Sequence[Intent]) -> list[Pending]:
    """What may be called while these launches are open: neither a key of theirs, nor the same request for another key,
    since nobody could distinguish two equal launches."""
    keys = {asked.key for intent in opened for asked in intent.asked}
    requests = {(intent.line, asked.prompt) for intent in opened for asked in intent.asked}
    return [
        each
        for each in pending
        if each.want.key not in keys and (each.want.line, each.want.prompt_digest) not in requests
    ]


def gone_copies(state: State) -> set[Target]:
    """Copies of agents that somebody deletes, has deleted or has changed: nothing may be called on them."""
    return {
        ("agent", preview.copy_id)
        for preview in state.previews.values()
        if preview.copy_id is not None
        and (preview.was_changed or preview.step is PreviewStep.DELETING or preview.step.is_over)
    }


def copy_gone(state: State, target: Target) -> Stop:
    preview = state.preview_of(target)
    source = "" if preview is None else f" of agent {preview.agent_id}"
    return Stop(
        StopReason.COPY_GONE,
        f"the preview (agent {target[1]}){source} was deleted or edited while calls were to be made on it. Run the "
        "same command again: it makes another one, and nothing is called twice",
    )


def copies_in_use(state: State, now: Now) -> set[int | None]:
    """The agents on which a call may be under way, or that such a call's evidence may be compared with."""
    return {
        intent.line.target_id
        for _, intent in state.at_stage(Stage.OPEN, Stage.UNREAD)
        if intent.line.target_type == "agent" and now.server - intent.at < LONGEST_RUN
    }


def _is_unconfirmed(launch_id: str, age_seconds: float, limit: Limit) -> bool:
    return launch_id not in limit.posting and age_seconds > ANSWER_SECONDS


def _launches(free: Sequence[Pending], room: int, most: int, budget: Budget, now: Now) -> tuple[Launching, ...]:
    """Longest expected calls first, each launch of one line. What is chosen is reserved in `budget`."""
    lines: dict[Line, list[Pending]] = {}
    for each in free:
        lines.setdefault(each.want.line, []).append(each)
    for waiting in lines.values():
        waiting.sort(key=lambda each: -(each.want.expected_seconds or 0.0))
    launches: list[Launching] = []
    while lines and room > 0 and len(launches) < most:
        # Lines that take equally long take turns: what is called beside each other is called at the same time.
        line = max(
            lines,
            key=lambda line: (lines[line][0].want.expected_seconds or 0.0, sum(each.calls for each in lines[line])),
        )
        batch, later = _batch(lines[line], min(room, LARGEST_BATCH), budget, now)
        # Nobody could distinguish two launches of one line that ask for the same.
        prompts = {batched.want.prompt_digest for batched in batch}
        lines[line] = later = [each for each in later if each.want.prompt_digest not in prompts]
        if not batch or not later:
            del lines[line]
        if batch:
            launches.append(Launching(batch))
            room -= sum(each.calls for each in batch)
    return tuple(launches)


def _batch(
    waiting: Sequence[Pending], most: int, budget: Budget, now: Now
) -> tuple[tuple[Batched, ...], list[Pending]]:
    """One launch of at most so many calls, and what is left for others. A key is in one launch at a time, and each
    prompt of a launch has one key."""
    batch: list[Batched] = []
    later: list[Pending] = []
    prompts: set[str] = set()
    for each in waiting:
        want = each.want
        if not most:
            later.append(each)
            continue
        if want.prompt_digest in prompts or budget.is_waiting_for_first_bill(want, now):
            continue
        cents: int | None = None
        calls = 0
        while calls < min(each.calls, most):
            reserved = budget.reservation(want, each.plan)
            if reserved is None or cents not in (None, reserved):
                break
            budget.reserve(each.plan, reserved)
            cents = reserved
            calls += 1
        if cents is not None:
            prompts.add(want.prompt_digest)
            batch.append(Batched(want, each.plan, calls, cents))
            most -= calls
    return tuple(batch), later


def _at_ceiling(pending: Sequence[Pending], free: Sequence[Pending], budget: Budget, *, is_waiting: bool) -> Step:
    """Stop if no bill that is still to come can make room for one of the calls."""
    blocking = [account for each in free if (account := budget.blocking(each.want, each.plan)) is not None]
    left = [(each.want, each.plan, each.calls) for each in pending]
    accounts = {account.label: account for account in blocking or budget.accounts}
    cheapest = min((each.want for each in free), key=lambda want: want.reserve_cents or 0)
    price = budget.price(cheapest)
    next_call = "has no known price" if price is None else f"may cost up to {money(price)}"
    stop = Stop(
        StopReason.CEILING,
        f"{'; '.join(str(account) for account in accounts.values())}; the next call {next_call}",
        tuple(budget.need(account, left) for account in accounts.values()),
    )
    if is_waiting and len(blocking) < len(free):
        return Waiting(WaitReason.CEILING, in_vain=stop)
    return stop


def is_in_time(decided: Now, settings: Settings, now: Now) -> bool:
    """Whether a launch that was decided then may still leave. To be asked before it is sent and right before its first
    byte: the process may have been stopped in between, or the machine have slept."""
    return now.seconds - decided.seconds <= settings.max_send_delay_seconds
