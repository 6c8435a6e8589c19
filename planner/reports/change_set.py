"""The change set as terminal text, JSON and Markdown, with phone numbers and the project's own patterns redacted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, field
from datetime import datetime
from math import ceil
from typing import Any

from planner.changes.configuration import EffectiveTarget
from planner.changes.consent import price_text, to_confirm
from planner.changes.detail import age, expectations_detail, is_unchanged, needs_new_calls
from planner.changes.model import Change, ChangeSet, Reason
from planner.clock import aware
from planner.diagnostics import Diagnostics
from planner.errors import PlannerError
from planner.planfile.model import Plan
from planner.quantities import count, duration, money
from planner.reports.agents import agent_documents, agent_notes, diff_lines, note_lines
from planner.reports.diagnostics import as_documents
from planner.reports.neutral import (
    error_document,
    for_terminal,
    json_document,
    picked,
)
from planner.reports.redaction import FIELDS, Redactor, how_to_redact, redact_fields
from planner.reports.terminal import Colour, Paint, Row, painter, rows, wrapped
from planner.results.model import CaseResult, OpenLaunch
from planner.results.outcomes import Action
from planner.values import frozen

_DETAIL_BELOW = (Reason.CALLER_PROMPT_CHANGED, Reason.SETTINGS_CHANGED)
"""Their detail is several lines; that of the others is a phrase."""
_SHOWN_CEILINGS = 3
_SIGNS = {Action.CALL: "~", Action.RECHECK: "?", Action.REUSE: "=", Action.DROP: "-"}
_DONE = {Action.RECHECK: "recheck", Action.REUSE: "reused", Action.DROP: "dropped"}
_PLAIN = Redactor()


@frozen
class PlanView:
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
    refused: PlannerError | None = None
    """Why `run` would refuse this even with consent, and how to fix it."""
    warnings: Sequence[str] = ()
    """Sentences about the agents that would be called."""
    earlier: Sequence[str] = ()
    """Sentences about open launches that no case of the change set needs."""
    agents: Sequence[EffectiveTarget] = ()
    """The agents that a file describes."""
    live_tools: Sequence[str] = ()
    """The tools that these calls may reach."""
    reserved_cents: int = 0
    """What earlier calls of this change set that are not billed yet may cost."""
    again_at: datetime | None = None
    """From when on unconfirmed calls may be made again; None if unknown."""
    spent_cents: int = 0
    """What earlier sessions spent and reserved under this consent: the ceiling of `command` includes it."""
    known_failures: str = ""
    """What calls failing cases again that nothing changed; "" if there are none."""
    shows_all: bool = False
    """Every reused case has a line of its own."""


@frozen
class ShownChange:
    """One change to list: `sign` `name` `what`, `why`; `moved` are the changed lines, empty if shown before."""

    sign: str
    name: str
    what: str
    why: str
    moved: tuple[str, ...]


def shown_changes(preview: PlanView, action: Action) -> list[ShownChange]:
    """The changes with an action, in order. Equal changed lines are shown once per scenario, as the cases of a matrix
    share them."""
    change_set, redactor = preview.change_set, preview.redactor
    names = redactor.names(change.case_id for change in change_set.changes)
    seen: set[tuple[str, tuple[str, ...]]] = set()
    shown: list[ShownChange] = []
    for change in change_set.with_action(action):
        moved: tuple[str, ...] = ()
        unconfirmed = preview.unconfirmed.get(change.case_id, 0)
        why = _why(change, preview.already_made.get(change.case_id, 0) - unconfirmed, unconfirmed, redactor)
        lines = _changed_lines(change, redactor)
        if lines:
            case = change.case
            key = (f"{case.plan}/{case.scenario}" if case else change.case_id, lines)
            if key in seen:
                why += ", same as above"
            else:
                seen.add(key)
                moved = lines
        sign = "+" if action is Action.CALL and change.prior is None else _SIGNS[action]
        what = count(change.calls, "call") if action is Action.CALL else _DONE[action]
        if change.shares:
            what, why = "shared", f"{why} · uses the calls of {names[change.shares]}"
        shown.append(ShownChange(sign, names[change.case_id], what, why, moved))
    return shown


def _changed_lines(change: Change, redactor: Redactor) -> tuple[str, ...]:
    """The changed inputs of the call, then the changed expectations."""
    lines: list[str] = []
    if change.reason in _DETAIL_BELOW:
        lines += [redactor.text(line) for line in change.detail.splitlines()]
    if change.case is not None and (stored := judged_otherwise(change)) is not None:
        lines += expectations_detail(stored.expected, change.case, redactor.text)
    return tuple(lines)


def judged_otherwise(change: Change) -> CaseResult | None:
    """The stored results that were judged by other expectations: those of the same calls, or else of the baseline."""
    stored = (change.prior, change.compared_with)
    return next((each for each in stored if each and each.check_fingerprint != change.check_fingerprint), None)


def scope(preview: PlanView) -> str:
    """`3 plans · 24 cases · 72 runs`, or `24 of 60 cases` if only some are selected."""
    cases = [change.case for change in preview.change_set.changes if change.case is not None]
    written = sum(len(plan.cases) for plan in preview.plans)
    selected = count(len(cases), "case") if written <= len(cases) else f"{len(cases):,} of {count(written, 'case')}"
    return " · ".join([count(len(preview.plans), "plan"), selected, count(sum(case.runs for case in cases), "run")])


def reused(preview: PlanView) -> list[tuple[str, str]]:
    """Reused cases by reason: (`20 cases reused`, `passed, 1 flaky, newest 2 h ago, oldest 6 d`); or each of them."""
    changes = preview.change_set.with_action(Action.REUSE)
    names = preview.redactor.names(change.case_id for change in changes)
    groups: dict[tuple[Reason, str], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.reason, names[change.case_id] if preview.shows_all else ""), []).append(change)
    lines: list[tuple[str, str]] = []
    for (reason, name), group in groups.items():
        parts = [reason.label]
        flaky = sum(change.prior is not None and change.prior.outcome == "flaky" for change in group)
        parts += [f"{flaky:,} flaky"] if flaky else []
        parts += ages([change.prior for change in group if change.prior is not None], preview.now)
        lines.append((name or f"{count(len(group), 'case')} reused", ", ".join(parts)))
    return lines


def cost_lines(preview: PlanView) -> list[str]:
    """`Calls: 11 · about 4 min (10 at a time) · expected $1.76 ($1.44–$2.40, 31 past runs) · ceiling $9.00 (plan a)`,
    and the judge calls."""
    estimate, votes = preview.change_set.estimate, preview.change_set.votes
    parts = ["Calls: none"]
    if estimate.calls:
        limits = sorted(preview.ceilings, key=lambda limit: limit[1])[:_SHOWN_CEILINGS]
        took = f"about {_rounded(estimate.expected_seconds)} ({estimate.at_once:,} at a time)"
        parts = [f"Calls: {estimate.calls:,}{to_confirm(preview.change_set)}", took, price_text(estimate)]
        parts += [
            f"ceiling{'s' * (len(limits) > 1)} {', '.join(f'{money(cents)} ({label})' for label, cents in limits)}"
        ] * bool(limits)
    lines = [" · ".join(filter(None, [*parts, _made_before(preview)]))]
    if votes is not None and votes.votes:
        cost = f"expected {money(votes.expected_cents)} (at most {money(votes.high_cents)}) in addition"
        reused = f" · {votes.stored:,} more reused" if votes.stored else ""
        checks = f" ({votes.checks:,} of them to check the judge)" if votes.checks else ""
        price = "free" if votes.free else cost
        lines.append(f"Judge: {count(votes.votes, 'call')} to {votes.model}{checks}, {price}{reused}")
    return lines


def _rounded(seconds: float) -> str:
    """To whole minutes, above one and a half."""
    return duration(60 * ceil(seconds / 60) if seconds > 90 else round(seconds))


def what_next(change_set: ChangeSet) -> str:
    """Introduces the command; empty if there is nothing to do."""
    if change_set.estimate.calls:
        unknown = change_set.estimate.high_cents is None
        return f"To run exactly this{', with --max-cost to bound what it costs' if unknown else ''}:"
    if change_set.votes is not None and change_set.votes.charged:
        return "To make the judge calls and update the stored results:"
    if needs_new_calls(change_set.changes):
        return "Only new calls decide what is unknown. Their price:"
    if not all(map(is_unchanged, change_set.changes)):
        return "To update the stored results, free of charge:"
    return ""


def _made_before(preview: PlanView) -> str:
    """Calls that earlier sessions made, or may have made; empty if there are none."""
    unconfirmed = sum(preview.unconfirmed.values())
    made = sum(preview.already_made.values()) - unconfirmed
    parts = [f"{count(made, 'more call')} already made by an earlier session, not charged again"] if made else []
    if preview.spent_cents and preview.change_set.estimate.calls:
        parts.append(f"--max-cost includes the {money(preview.spent_cents)} of earlier sessions")
    if unconfirmed:
        parts.append(
            f"{count(unconfirmed, 'unconfirmed call')}, looked up at the service before anything is sent again"
        )
    return "; ".join(parts)


def _why(change: Change, made: int, unconfirmed: int, redactor: Redactor) -> str:
    parts = [change.reason.label]
    if change.detail and change.reason not in _DETAIL_BELOW:
        detail = redactor.text(" ".join(change.detail.split()))
        if change.reason is Reason.AGENT_FILE_CHANGED:
            parts = [detail]
        elif change.reason is Reason.AGENT_EDITED:
            parts = [f"{parts[0]} ({detail})"]
        else:
            parts.append(detail)
    if made:
        parts.append(f"{made:,} already made")
    if unconfirmed:
        parts.append(f"{unconfirmed:,} unconfirmed")
    return " · ".join(parts)


def ages(cases: Sequence[CaseResult], now: datetime | None) -> list[str]:
    """Of the newest and the oldest run; empty if unknown."""
    ended = [aware(run.completed_at) for case in cases for run in case.runs if run.completed_at is not None]
    if now is None or not ended:
        return []
    newest, oldest = age(now - max(ended)), age(now - min(ended))
    return [f"{newest} ago"] if newest == oldest else [f"newest {newest} ago", f"oldest {oldest}"]


_COLOURS = {"+": Colour.GREEN, "~": Colour.YELLOW, "?": Colour.CYAN, "-": Colour.RED, "=": Colour.DIM}


def render_text(preview: PlanView, *, width: int, color: bool) -> str:
    """What happens to each case, the cost and the command to run it. `width` is in cells; case ids and the command are
    never cut."""
    return "\n".join(line.rstrip() for line in _lines(preview, width, painter(color=color))) + "\n"


def render_json(
    preview: PlanView,
    *,
    open_launches: Sequence[OpenLaunch] = (),
    diagnostics: Diagnostics | None = None,
    exit_code: int = 0,
) -> str:
    """The change set as JSON; unknown prices are null. `open_launches` are those that no case of the change set
    needs; `diagnostics` are the warnings of the plans."""
    change_set, redactor = preview.change_set, preview.redactor
    case_ids = [change.case_id for change in change_set.changes]
    coverage = {source.value: number for source, number in change_set.coverage.items()}
    names = redactor.names([*case_ids, *(case_id for launch in open_launches for case_id in launch.cases)])
    votes, numbers = change_set.votes, Counter(change.action for change in change_set.changes)
    judge: dict[str, Any] = {}
    if votes is not None:
        own = picked(votes, "model", "votes", "expected_cents", "high_cents")
        judge = {"judge": own | {"calls": votes.votes, "stored_votes": votes.stored}}
    refused = preview.refused
    error = refused and error_document(refused.code, redactor.name(str(refused)), redactor.name(refused.hint))
    return json_document(
        {
            "digest": change_set.digest,
            "changes": [_change_document(change, preview, names) for change in change_set.changes],
            "estimate": asdict(change_set.estimate) | {"coverage": coverage} | judge,
            "confirmations": change_set.confirmations,
            "summary": {action.value: numbers[action] for action in Action},
            "agents": [
                redact_fields(agent, FIELDS, how_to_redact(redactor)).model_dump(mode="json")
                for agent in agent_documents(preview.agents)
            ],
            "live_tools": [redactor.text(name) for name in preview.live_tools],
            "warnings": [redactor.text(line) for line in preview.warnings],
            "open_launches": [
                {
                    "launch_id": launch.launch_id,
                    "cases": [names[case_id] for case_id in launch.cases],
                    "reserved_cents": launch.reserved_cents,
                    "detail": redactor.text(launch.detail),
                }
                for launch in open_launches
            ],
        },
        exit_code=exit_code,
        error=error,
        diagnostics=[_redacted(document, redactor) for document in as_documents(diagnostics or Diagnostics())],
    )


def _redacted(diagnostic: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    related = [each | {"message": redactor.text(each["message"])} for each in diagnostic["related"]]
    return diagnostic | {"detail": redactor.text(diagnostic["detail"]), "related": related}


def _change_document(change: Change, preview: PlanView, names: Mapping[str, str]) -> dict[str, object]:
    unconfirmed = preview.unconfirmed.get(change.case_id, 0)
    return {
        "case_id": names[change.case_id],
        **picked(change, "action", "reason", "runs"),
        "calls": change.calls,
        "shares_with": names.get(change.shares),
        "renamed_from": None if change.renamed_from is None else preview.redactor.name(change.renamed_from),
        "runs_made": preview.already_made.get(change.case_id, 0) - unconfirmed,
        "unconfirmed_runs": unconfirmed,
        "detail": preview.redactor.text(change.detail),
    }


def _lines(preview: PlanView, width: int, paint: Paint) -> Iterator[str]:
    changes = (Action.CALL, Action.RECHECK, Action.DROP)
    listed = [_row(change, width, paint) for action in changes for change in shown_changes(preview, action)]
    listed += [Row("=", name, ("", why), _COLOURS["="]) for name, why in reused(preview)]
    yield from (scope(preview), "")
    yield from note_lines(agent_notes(preview.agents, preview.change_set, preview.redactor), width, paint)
    yield from rows(listed, width, paint)
    if listed:
        yield ""
        for line in cost_lines(preview):
            yield from wrapped(for_terminal(line), width, hanging="  ")
    for warning in (*preview.warnings, *preview.earlier):
        yield from (paint(line, Colour.YELLOW) for line in wrapped(for_terminal(warning), width, hanging="  "))
    if preview.known_failures:
        yield for_terminal(preview.known_failures)
    if preview.refused is not None:
        why, fix = for_terminal(str(preview.refused)), for_terminal(preview.refused.hint)
        refused = wrapped(f"Nothing was called. `planner run` would refuse this: {why}", width, hanging="  ")
        yield from (paint(line, Colour.YELLOW) for line in refused)
        yield from wrapped(fix, width, indent="  ")
    elif lead := what_next(preview.change_set):
        yield from (f"Nothing was called. {lead}", f"  {paint(for_terminal(preview.command), Colour.BOLD)}")
    elif not preview.known_failures:
        yield "Nothing to do."


def _row(change: ShownChange, width: int, paint: Paint) -> Row:
    below = diff_lines(change.moved, width, paint, indent=6)
    columns = (change.what, for_terminal(change.why))
    return Row(change.sign, for_terminal(change.name), columns, _COLOURS[change.sign], tuple(below))
