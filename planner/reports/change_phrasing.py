"""Texts about a change set that terminal and Markdown share: redacted, but not neutralised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from planner.changes.model import Action, Change, ChangeSet, Estimate, Reason
from planner.moments import aware
from planner.planfile.model import Plan
from planner.reports.quantities import age, count, money, money_range
from planner.reports.redaction import Redactor
from planner.results.model import CaseDocument

_DETAIL_BELOW = (Reason.PROMPT_CHANGED, Reason.SETTINGS_CHANGED)
"""Their detail is several lines; that of the others is a phrase."""
_SHOWN_CEILINGS = 3
_SIGNS = {Action.CALL: "~", Action.RECHECK: "?", Action.KEEP: "=", Action.DROP: "-"}
_DONE = {Action.RECHECK: "recheck", Action.KEEP: "kept", Action.DROP: "dropped"}
_PLAIN = Redactor()


@dataclass(frozen=True, slots=True)
class Preview:
    """A change set, and everything else that `planner plan` shows."""

    change_set: ChangeSet
    plans: Sequence[Plan]
    """The loaded plans, even if only some of their cases are selected."""
    ceilings: Sequence[tuple[str, int]]
    """(`plan refunds`, cents)."""
    command: str
    """The command that runs exactly this."""
    already_made: Mapping[str, int] = field(default_factory=dict[str, int])
    """Runs of this change set that an interrupted session made or may have made, by case id."""
    unconfirmed: Mapping[str, int] = field(default_factory=dict[str, int])
    """The part of `already_made` that is unconfirmed."""
    now: datetime | None = None
    """To show the age of kept runs."""
    redactor: Redactor = _PLAIN
    refused: tuple[str, str] | None = None
    """Why `run` would refuse this even with consent, and how to fix it."""
    warnings: Sequence[str] = ()
    """Sentences about the agents that would be called."""
    earlier: Sequence[str] = ()
    """Sentences about orphaned launches."""


@dataclass(frozen=True, slots=True)
class ShownChange:
    """One change to list: `sign` `name` `what`, `why`; `moved` are the changed lines, empty if shown before."""

    sign: str
    name: str
    what: str
    why: str
    moved: tuple[str, ...]


def shown_changes(preview: Preview, action: Action) -> list[ShownChange]:
    """The changes with an action, in order. Equal changed lines are shown once per scenario, as the cases of a matrix share them."""
    change_set, redactor = preview.change_set, preview.redactor
    names = redactor.names(change.case_id for change in change_set.changes)
    seen: set[tuple[str, str]] = set()
    shown: list[ShownChange] = []
    for change in change_set.with_action(action):
        moved: tuple[str, ...] = ()
        unconfirmed = preview.unconfirmed.get(change.case_id, 0)
        why = _why(change, preview.already_made.get(change.case_id, 0) - unconfirmed, unconfirmed, redactor)
        if change.reason in _DETAIL_BELOW and change.detail:
            case = change.case
            key = (f"{case.plan}/{case.scenario}" if case else change.case_id, change.detail)
            if key in seen:
                why += ", same as above"
            else:
                seen.add(key)
                moved = tuple(redactor.text(line) for line in change.detail.splitlines())
        sign = "+" if action is Action.CALL and change.prior is None else _SIGNS[action]
        what = count(change.runs, "call") if action is Action.CALL else _DONE[action]
        shown.append(ShownChange(sign, names[change.case_id], what, why, moved))
    return shown


def scope(preview: Preview) -> str:
    """`3 plans · 24 cases · 72 runs`, or `24 of 60 cases` if only some are selected."""
    cases = [change.case for change in preview.change_set.changes if change.case is not None]
    written = sum(len(plan.cases) for plan in preview.plans)
    selected = count(len(cases), "case") if written <= len(cases) else f"{len(cases):,} of {count(written, 'case')}"
    return " · ".join([count(len(preview.plans), "plan"), selected, count(sum(case.runs for case in cases), "run")])


def kept(preview: Preview) -> list[tuple[str, str]]:
    """Kept cases by reason: (`20 cases kept`, `passed, 1 flaky, newest 2 h ago, oldest 6 d`)."""
    by_reason: dict[Reason, list[Change]] = {}
    for change in preview.change_set.with_action(Action.KEEP):
        by_reason.setdefault(change.reason, []).append(change)
    lines: list[tuple[str, str]] = []
    for reason, changes in by_reason.items():
        parts = [reason.label]
        flaky = sum(change.prior is not None and change.prior.outcome == "flaky" for change in changes)
        parts += [f"{flaky:,} flaky"] if flaky else []
        parts += _ages(changes, preview.now)
        if reason is Reason.OUT_OF_REACH:
            parts.append("to call again: --fresh REASON, or more `runs`")
        lines.append((f"{count(len(changes), 'case')} kept", ", ".join(parts)))
    return lines


def cost_lines(preview: Preview) -> list[str]:
    """`Calls: 11 · expected $1.76 ($1.44–$2.40, 31 past runs of these scenarios) · ceiling $9.00 (plan refunds)`, and the judge calls."""
    estimate, votes = preview.change_set.estimate, preview.change_set.votes
    parts = ["Calls: none"]
    if estimate.calls:
        limits = sorted(preview.ceilings, key=lambda limit: limit[1])[:_SHOWN_CEILINGS]
        parts = [f"Calls: {estimate.calls:,}", _price(estimate)]
        parts += [
            f"ceiling{'s' * (len(limits) > 1)} {', '.join(f'{money(cents)} ({label})' for label, cents in limits)}"
        ] * bool(limits)
    lines = [" · ".join(filter(None, [*parts, _made_before(preview)]))]
    if votes is not None and votes.votes:
        cost = f"expected {money(votes.expected_cents)} (at most {money(votes.high_cents)}) in addition"
        reused = f" · {votes.stored:,} more reused" if votes.stored else ""
        lines.append(f"Judge: {count(votes.votes, 'call')} to {votes.model}, {'free' if votes.free else cost}{reused}")
    return lines


def _price(estimate: Estimate) -> str:
    if estimate.expected_cents is None:
        return f"cost unknown ({estimate.basis.removeprefix('unknown: ')})"
    return f"expected {money(estimate.expected_cents)} ({money_range(estimate.low_cents, estimate.high_cents)}, {estimate.basis})"


def call_reasons(change_set: ChangeSet) -> str:
    """`2 prompt changed, 1 new`."""
    counted = Counter(change.reason.label for change in change_set.with_action(Action.CALL))
    return ", ".join(f"{number:,} {label}" for label, number in counted.most_common())


def what_next(change_set: ChangeSet) -> str:
    """Introduces the command; empty if there is nothing to do."""
    if change_set.estimate.calls:
        unknown = change_set.estimate.high_cents is None
        return f"To run exactly this{', with --max-cost to bound what it costs' if unknown else ''}:"
    if change_set.votes is not None and change_set.votes.charged:
        return "To make the judge calls and update the stored results:"
    if any(change.action is not Action.KEEP for change in change_set.changes):
        return "To update the stored results, free of charge:"
    return ""


def _made_before(preview: Preview) -> str:
    """Calls that earlier sessions made, or may have made; empty if there are none."""
    unconfirmed = sum(preview.unconfirmed.values())
    made = sum(preview.already_made.values()) - unconfirmed
    parts = [f"{count(made, 'more call')} already made by an earlier session, not charged again"] if made else []
    if unconfirmed:
        parts.append(
            f"{count(unconfirmed, 'unconfirmed call')}, looked up at the service before anything is sent again"
        )
    return "; ".join(parts)


def _why(change: Change, made: int, unconfirmed: int, redactor: Redactor) -> str:
    parts = [change.reason.label]
    if change.detail and change.reason not in _DETAIL_BELOW:
        detail = redactor.text(" ".join(change.detail.split()))
        if change.reason is Reason.AGENT_EDITED:
            parts = [f"{parts[0]} ({detail})"]
        else:
            parts.append(detail)
    if made:
        parts.append(f"{made:,} already made")
    if unconfirmed:
        parts.append(f"{unconfirmed:,} unconfirmed")
    return " · ".join(parts)


def _ages(changes: Sequence[Change], now: datetime | None) -> list[str]:
    newest, oldest = ages([change.prior for change in changes if change.prior is not None], now)
    if not newest:
        return []
    return [f"{newest} ago"] if newest == oldest else [f"newest {newest} ago", f"oldest {oldest}"]


def ages(cases: Sequence[CaseDocument], now: datetime | None) -> tuple[str, str]:
    """Of the newest and the oldest run; empty if unknown."""
    ended = [aware(run.completed_at) for case in cases for run in case.runs if run.completed_at is not None]
    return ("", "") if now is None or not ended else (age(now - max(ended)), age(now - min(ended)))
