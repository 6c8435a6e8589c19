"""`planner plan --explain`: the action for a case and why, its inputs now and before, its stored result, and the price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic_core import to_json

from planner.changes.detail import inputs_detail, revision_digest
from planner.changes.model import Action, CasePrice, Change, ChangeSet, Reason
from planner.moments import aware
from planner.reports.change_phrasing import DONE
from planner.reports.neutral import for_json_text, for_terminal
from planner.reports.quantities import age, count, money, money_range
from planner.reports.redaction import Redactor
from planner.reports.terminal import Colour, Paint, painter, wrapped
from planner.results.model import CaseDocument, CaseInputs

SCHEMA_VERSION = "1.0"

_LABEL_CELLS = 14
_NOT_ASKED = "not asked (--refresh asks the service)"


def render_text(
    change_set: ChangeSet, changes: Sequence[Change], *, redactor: Redactor, now: datetime, width: int, color: bool
) -> str:
    """One paragraph per change."""
    paint = painter(color=color)
    paragraphs: list[str] = []
    for change in changes:
        lines = [paint(for_terminal(redactor.name(change.case_id)), Colour.BOLD)]
        for label, texts in _entries(change, change_set.prices.get(change.case_id), redactor, now):
            lines += _labelled(label, texts, width, paint)
        paragraphs.append("\n".join(line.rstrip() for line in lines))
    return "\n\n".join(paragraphs) + "\n"


def render_json(change_set: ChangeSet, changes: Sequence[Change], *, redactor: Redactor) -> str:
    """The same as JSON."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "digest": change_set.digest,
        "explanations": [_document(change, change_set.prices.get(change.case_id), redactor) for change in changes],
    }
    return for_json_text(to_json(document, indent=2).decode()) + "\n"


def _labelled(label: str, texts: Sequence[str], width: int, paint: Paint) -> list[str]:
    lines: list[str] = []
    for number, text in enumerate(texts):
        head = f"  {label}".ljust(_LABEL_CELLS) if number == 0 else " " * _LABEL_CELLS
        colour = {"- ": Colour.RED, "+ ": Colour.GREEN}.get(text[:2])
        parts = wrapped(for_terminal(text), width, indent=head, hanging=" " * (_LABEL_CELLS + 2 * bool(colour)))
        lines += [paint(part, colour) for part in parts] if colour else parts
    return lines


def _entries(
    change: Change, price: CasePrice | None, redactor: Redactor, now: datetime
) -> Iterator[tuple[str, Sequence[str]]]:
    calls = f", {count(change.runs, 'call')}" if change.action is Action.CALL else ""
    yield "action", [f"{DONE[change.action]}{calls}: {change.reason.label}"]
    if change.detail and "\n" not in change.detail and change.action is not Action.CALL:
        yield "detail", [redactor.text(change.detail)]
    if change.kept_run_ids:
        yield "keeps", [count(len(change.kept_run_ids), "stored run")]
    before, now_inputs = change.prior.inputs if change.prior else None, change.inputs
    if now_inputs is not None:
        yield "calls", [_call(now_inputs, redactor)]
        is_reused = change.action in (Action.KEEP, Action.RECHECK)
        yield "agent", [_stored_agent(now_inputs) if is_reused else _agent(before, now_inputs)]
    if before is not None and now_inputs is not None:
        yield "inputs", _moved(change, before, now_inputs, redactor)
    if change.case is not None:
        yield "expects", _expected(change)
    yield "stored", _stored(change.prior, now)
    if price is not None:
        yield "price", [_price(price)]


def _call(inputs: CaseInputs, redactor: Redactor) -> str:
    number = f" · number {redactor.text(inputs.target_number)}" if inputs.target_number else ""
    return f"{inputs.target_kind.replace('_', ' ')} {inputs.target_id} · {inputs.direction} · {inputs.mode}{number}"


def _stored_agent(stored: CaseInputs) -> str:
    revision = stored.agent_revision
    return "unknown revision in the stored runs" if revision is None else f"revision {revision} in the stored runs"


def _agent(before: CaseInputs | None, now: CaseInputs) -> str:
    today, then = now.agent_revision, before.agent_revision if before else None
    if today is None:
        return _NOT_ASKED
    if before is None:
        return f"revision {today}"
    if then is None:
        return f"revision {today}; unknown revision in the stored runs"
    same = revision_digest(today) == revision_digest(then)
    return f"revision {today}, {'same as' if same else 'different from'} the stored runs"


def _moved(change: Change, before: CaseInputs, now: CaseInputs, redactor: Redactor) -> list[str]:
    if change.action in (Action.KEEP, Action.RECHECK) or _call_equals(before, now):
        return ["same as in the stored runs"]
    return [redactor.text(line) for line in inputs_detail(before, now).splitlines()]


def _call_equals(before: CaseInputs, now: CaseInputs) -> bool:
    """Whether two calls are the same, whatever the agent's revision."""
    return before.model_copy(update={"agent_revision": None}) == now.model_copy(update={"agent_revision": None})


def _expected(change: Change) -> list[str]:
    case, prior = change.case, change.prior
    expectations = case.expectations if case else ()
    ids = [expectation.id or expectation.check for expectation in expectations]
    lines = [f"{count(len(ids), 'expectation')}: {', '.join(ids)}"]
    if prior is None:
        return lines
    is_reused = change.reason in (Reason.CALLED_BEFORE, Reason.RENAMED)
    if prior.check_fingerprint == change.check_fingerprint and (is_reused or change.action is not Action.RECHECK):
        return [*lines, "same as for the stored runs"]
    stored = {finding.expectation for run in prior.runs for finding in run.findings}
    added, gone = [name for name in ids if name not in stored], sorted(stored.difference(ids))
    lines += [f"+ {name}" for name in added] + [f"- {name}" for name in gone]
    if not added and not gone:
        lines.append("an expectation or the required pass rate changed since the stored runs were judged")
    return lines


def _stored(prior: CaseDocument | None, now: datetime) -> list[str]:
    if prior is None:
        return ["nothing"]
    ended = [aware(run.completed_at) for run in prior.runs if run.completed_at is not None]
    ages = f", newest {age(now - max(ended))} ago, oldest {age(now - min(ended))}" if ended else ""
    sessions = sorted({run.invocation_id for run in prior.runs if run.invocation_id})
    more = f" and {len(sessions) - 3} more" if len(sessions) > 3 else ""
    by = f", made by {', '.join(sessions[:3])}{more}" if sessions else ""
    return [f"{prior.outcome}: {prior.runs_passed} of {count(prior.runs_total, 'run')} passed{ages}{by}"]


def _price(price: CasePrice) -> str:
    if price.expected_cents is None:
        return f"unknown ({price.basis.removeprefix('unknown: ')})"
    low = None if price.low_cents is None else int(price.low_cents)
    return f"{money(round(price.expected_cents))} a call ({money_range(low, price.high_cents)}; {price.basis})"


def _document(change: Change, price: CasePrice | None, redactor: Redactor) -> dict[str, object]:
    prior, case = change.prior, change.case
    return {
        "case_id": redactor.name(change.case_id),
        "action": change.action.value,
        "reason": change.reason.value,
        "detail": redactor.text(change.detail),
        "runs": change.runs,
        "kept_run_ids": list(change.kept_run_ids),
        "inputs": {
            "now": _inputs(change.inputs, redactor),
            "stored": _inputs(prior.inputs if prior else None, redactor),
        },
        "expectations": [expectation.id for expectation in case.expectations] if case else [],
        "fingerprints": {
            "now": {"call": change.call_fingerprint, "check": change.check_fingerprint},
            "stored": {"call": prior.call_fingerprint, "check": prior.check_fingerprint} if prior else None,
        },
        "stored": None
        if prior is None
        else {
            "outcome": prior.outcome,
            "runs_passed": prior.runs_passed,
            "runs_total": prior.runs_total,
            "run_ids": [run.run_id for run in prior.runs],
        },
        "price": None
        if price is None
        else {
            "expected_cents": price.expected_cents,
            "low_cents": price.low_cents,
            "high_cents": price.high_cents,
            "basis": price.basis,
        },
    }


def _inputs(inputs: CaseInputs | None, redactor: Redactor) -> dict[str, object] | None:
    if inputs is None:
        return None
    number = None if inputs.target_number is None else redactor.text(inputs.target_number)
    shown: dict[str, object] = inputs.model_dump()
    shown["prompt"], shown["target_number"] = redactor.text(inputs.prompt), number
    return shown
