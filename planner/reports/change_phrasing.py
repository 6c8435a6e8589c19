"""What a change set says, in the words that text and Markdown share; already redacted, not yet neutralised for a place."""

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

_DETAIL_BELOW = (Reason.PROMPT_CHANGED, Reason.SETTINGS_CHANGED)
"""Their detail is lines of what moved; that of the others is a phrase."""
_SHOWN_CEILINGS = 3
_SIGNS = {Action.CALL: "~", Action.RECHECK: "?", Action.KEEP: "=", Action.DROP: "-"}
_DONE = {Action.RECHECK: "recheck", Action.KEEP: "kept", Action.DROP: "dropped"}
DONE = {Action.CALL: "called", Action.RECHECK: "judged again, free", Action.KEEP: "kept", Action.DROP: "dropped"}
"""In a sentence of its own."""


_PLAIN = Redactor()


@dataclass(frozen=True, slots=True)
class Preview:
    """A change set, and what else `planner plan` says of it."""

    change_set: ChangeSet
    plans: Sequence[Plan]
    """Those loaded, whether or not all their cases were selected."""
    ceilings: Sequence[tuple[str, int]]
    """(`plan refunds`, cents) each."""
    command: str
    """What to type to do exactly this."""
    already_made: Mapping[str, int] = field(default_factory=dict[str, int])
    """Runs of this change set that an interrupted invocation has made, or may have, by case id."""
    of_unknown_fate: Mapping[str, int] = field(default_factory=dict[str, int])
    """Those of them that it may have."""
    now: datetime | None = None
    """For the ages of what is kept; without it they are not told."""
    redactor: Redactor = _PLAIN
    refused: tuple[str, str] | None = None
    """Why `run` would refuse this whoever consents, and how to mend it."""
    warnings: Sequence[str] = ()
    """What to know about the agents that would be called, in sentences."""
    earlier: Sequence[str] = ()
    """What is open of earlier launches that have no part in this, in sentences."""


@dataclass(frozen=True, slots=True)
class ShownChange:
    """One change to list: `sign` `name` `what`, `why`; `moved` are the lines of what moved, empty where shown before."""

    sign: str
    name: str
    what: str
    why: str
    moved: tuple[str, ...]


def shown_changes(preview: Preview, action: Action) -> list[ShownChange]:
    """The changes with an action, in order. The cases of a matrix mostly move alike: the lines are shown once a scenario."""
    change_set, redactor = preview.change_set, preview.redactor
    names = redactor.names(change.case_id for change in change_set.changes)
    seen: set[tuple[str, str]] = set()
    shown: list[ShownChange] = []
    for change in change_set.with_action(action):
        moved: tuple[str, ...] = ()
        doubtful = preview.of_unknown_fate.get(change.case_id, 0)
        why = _why(change, preview.already_made.get(change.case_id, 0) - doubtful, doubtful, redactor)
        if change.reason in _DETAIL_BELOW and change.detail:
            key = (_scenario(change), change.detail)
            if key in seen:
                why += ", the same as above"
            else:
                seen.add(key)
                moved = tuple(redactor.text(line) for line in change.detail.splitlines())
        shown.append(ShownChange(_sign(change), names[change.case_id], _what(change), why, moved))
    return shown


def scope(preview: Preview) -> str:
    """`3 plans · 24 cases · 72 runs`; where only some were selected, of how many."""
    cases = [change.case for change in preview.change_set.changes if change.case is not None]
    written = sum(len(plan.cases) for plan in preview.plans)
    selected = count(len(cases), "case") if written <= len(cases) else f"{len(cases):,} of {count(written, 'case')}"
    return " · ".join([count(len(preview.plans), "plan"), selected, count(sum(case.runs for case in cases), "run")])


def kept(preview: Preview) -> list[tuple[str, str]]:
    """Kept cases folded by reason: (`20 cases kept`, `passed, 1 flaky, newest 2 h ago, oldest 6 d`); ages need a `now`."""
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


def price(estimate: Estimate) -> str:
    """`expected $1.76 ($1.44–$2.40, 31 past runs of these scenarios)`, or that it is unknown and why."""
    if estimate.expected_cents is None:
        return f"cost unknown ({estimate.basis.removeprefix('unknown: ')})"
    return f"expected {money(estimate.expected_cents)} ({money_range(estimate.low_cents, estimate.high_cents)}, {estimate.basis})"


def votes(change_set: ChangeSet) -> str:
    """`12 votes of gpt-4o-mini, expected $0.03 (at most $0.11) · 4 given before`; empty where no model would be asked."""
    found = change_set.votes
    if found is None or not found.votes:
        return ""
    cost = (
        "free" if found.free else f"expected {money(found.expected_cents)} (at most {money(found.high_cents)}), besides"
    )
    before = [f"{found.stored:,} more given before"] if found.stored else []
    return " · ".join([f"{count(found.votes, 'vote')} of {found.model}, {cost}", *before])


def ceilings(limits: Sequence[tuple[str, int]]) -> str:
    """`ceiling $9.00 (plan refunds)`, the lowest three; empty where there is none."""
    parts = [f"{money(cents)} ({label})" for label, cents in lowest_ceilings(limits)]
    return f"ceiling{'s' if len(parts) > 1 else ''} {', '.join(parts)}" if parts else ""


def lowest_ceilings(limits: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(limits, key=lambda limit: limit[1])[:_SHOWN_CEILINGS]


def call_reasons(change_set: ChangeSet) -> str:
    """`1 new, 2 prompt changed`: the cases to call, most first."""
    counted = Counter(change.reason.label for change in change_set.with_action(Action.CALL))
    return ", ".join(f"{number:,} {label}" for label, number in counted.most_common())


def what_next(change_set: ChangeSet) -> str:
    """What the command below it is for; empty where there is nothing to do."""
    if change_set.estimate.calls:
        unknown = change_set.estimate.high_cents is None
        return f"To run exactly this{', with --max-cost to bound what it costs' if unknown else ''}:"
    if change_set.votes is not None and change_set.votes.charged:
        return "To ask the model that judges, and bring the stored results up to date:"
    if any(change.action is not Action.KEEP for change in change_set.changes):
        return "To bring the stored results up to date, free of charge:"
    return ""


def made_before(preview: Preview) -> str:
    """That earlier invocations have made some of the calls, or may have; empty where none."""
    doubtful = sum(preview.of_unknown_fate.values())
    made = sum(preview.already_made.values()) - doubtful
    parts = [f"{count(made, 'more call')} already made by an earlier invocation, not paid for again"] if made else []
    if doubtful:
        parts.append(
            f"{count(doubtful, 'more call')} of unknown fate, to be looked for at the service before anything is sent again"
        )
    return "; ".join(parts)


def _sign(change: Change) -> str:
    return "+" if change.action is Action.CALL and change.prior is None else _SIGNS[change.action]


def _what(change: Change) -> str:
    return count(change.runs, "call") if change.action is Action.CALL else _DONE[change.action]


def _why(change: Change, made: int, doubtful: int, redactor: Redactor) -> str:
    parts = [change.reason.label]
    if change.detail and change.reason not in _DETAIL_BELOW:
        detail = redactor.text(" ".join(change.detail.split()))
        if change.reason is Reason.AGENT_EDITED:
            parts = [f"{parts[0]} ({detail})"]
        else:
            parts.append(detail)
    if made:
        parts.append(f"{made:,} already made")
    if doubtful:
        parts.append(f"{doubtful:,} of unknown fate")
    return " · ".join(parts)


def _scenario(change: Change) -> str:
    return f"{change.case.plan}/{change.case.scenario}" if change.case else change.case_id


def _ages(changes: Sequence[Change], now: datetime | None) -> list[str]:
    ended = [
        aware(run.completed_at)
        for change in changes
        if change.prior is not None
        for run in change.prior.runs
        if run.completed_at is not None
    ]
    if now is None or not ended:
        return []
    newest, oldest = age(now - max(ended)), age(now - min(ended))
    return [f"{newest} ago"] if newest == oldest else [f"newest {newest} ago", f"oldest {oldest}"]
