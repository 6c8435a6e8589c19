"""`planner show CASE`: the final form of a case, what happens to it and why, its stored result, and the price.

The page shows plan files only, so nothing in it is redacted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from planner.changes.detail import expectations_detail, inputs_detail
from planner.changes.model import CasePrice, Change
from planner.checks.base import Expectation
from planner.diagnostics import Span
from planner.planfile.grammar import ScenarioDefaults
from planner.planfile.model import Case, Quarantine
from planner.quantities import count, money, money_range, some
from planner.reports.change_set import ages
from planner.reports.neutral import for_json_text, for_terminal, for_terminal_block, picked
from planner.reports.redaction import Redactor
from planner.reports.terminal import Colour, labelled, painter, wrapped
from planner.results.model import CaseInputs, CaseResult
from planner.results.outcomes import Action

_LABEL = 12
_SETTINGS = tuple(
    name for name in ScenarioDefaults.model_fields if name not in {"description", "tags", "targets", "expect"}
)


def render_page(case: Case, *, width: int, color: bool) -> str:
    """The page as text. The prompt is never wrapped, so that it can be copied."""
    paint = painter(color=color)
    parts = {
        "Scenario": [f"{case.span.file}:{case.span.line}"],
        "Target": [f"{case.target.alias}: {case.target.kind.replace('_', ' ')} {case.target.id}"],
        "Tags": sorted(case.tags),
        "Axes": [f"{name} = {shown}" for name, shown in case.point],
        "Settings": [f"{name} = {_shown(value)}" for name, value in _settings(case).items()],
    }
    lines = [paint(for_terminal(case.case_id), Colour.BOLD)]
    lines += wrapped(for_terminal(case.description), width) if case.description else []
    lines.append("")
    for label, items in parts.items():
        for number, text in enumerate(items):
            lines.append(f"{'' if number else label:{_LABEL}}{for_terminal(text)}")
    lines += ["", "Prompt", *for_terminal_block(case.prompt, "  | ")]
    lines += ["", "Expected"]
    for expectation, span in zip(case.expectations, case.expectation_spans, strict=True):
        lines.append(f"  {expectation.id}   {paint(_place(span), Colour.DIM)}")
        lines += [f"    {name}: {_shown(value)}" for name, value in _fields(expectation).items()]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def page_document(case: Case) -> dict[str, Any]:
    """The page as JSON values."""
    return {
        **picked(case, "case_id", "plan", "scenario", "description"),
        **_span(case.span),
        "target": picked(case.target, "alias", "kind", "id"),
        "tags": sorted(case.tags),
        "axes": dict(case.point),
        "settings": _settings(case),
        "prompt": case.prompt,
        "expectations": [
            {"id": expectation.id, **_fields(expectation), **_span(span)}
            for expectation, span in zip(case.expectations, case.expectation_spans, strict=True)
        ],
    }


def _settings(case: Case) -> dict[str, Any]:
    """The settings with a value, as JSON values."""
    values = {name: _value(getattr(case, name)) for name in _SETTINGS}
    return {name: value for name, value in values.items() if value is not None}


def _place(span: Span) -> str:
    return for_terminal(f"{span.file}:{span.line}")


def _fields(expectation: Expectation) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    fields = expectation.model_dump(mode="json", exclude={"id"}, exclude_defaults=True, by_alias=True)
    return _whole({"check": expectation.check, **fields})


def _span(span: Span) -> dict[str, Any]:
    return picked(span, "file", "line", "column")


def _value(value: Any) -> Any:
    match value:
        case timedelta():
            hours = value // timedelta(hours=1)
            return f"{hours // 24}d" if hours % 24 == 0 else f"{hours}h"
        case Quarantine():
            return {"until": value.until.isoformat(), "reason": value.reason}
        case _:
            return _whole(value)


def _whole(value: Any) -> Any:
    """180.0 as 180."""
    match value:
        case float():
            return int(value) if value.is_integer() else value
        case dict():
            return {key: _whole(item) for key, item in cast("dict[str, Any]", value).items()}
        case list():
            return [_whole(item) for item in cast("list[Any]", value)]
        case _:
            return value


def _shown(value: Any) -> str:
    """Identifiers as written, everything else as JSON."""
    return value if isinstance(value, str) and value.isidentifier() else _json(value)


def _json(value: Any) -> str:
    """On one line; `::` is escaped, as it may start a workflow command."""
    return for_json_text(json.dumps(value, ensure_ascii=False)).replace("::", ":\\u003a")


# What happens to it, and why


_LABEL_CELLS = 14


def explanation_lines(
    change: Change, price: CasePrice | None, redactor: Redactor, *, now: datetime, width: int, color: bool
) -> list[str]:
    """What happens to a case and why."""
    paint, lines = painter(color=color), list[str]()
    for label, texts in _entries(change, price, redactor, now):
        lines += labelled(f"  {label}", list(map(for_terminal, texts)), _LABEL_CELLS, width, paint)
    return [line.rstrip() for line in lines]


def _entries(
    change: Change, price: CasePrice | None, redactor: Redactor, now: datetime
) -> Iterator[tuple[str, Sequence[str]]]:
    yield "action", [_action(change, redactor)]
    before, inputs = change.prior.inputs if change.prior else None, change.inputs
    before_call = change.prior.call_fingerprint if change.prior else None
    if inputs is not None:
        number = f" · number {redactor.text(inputs.target_number)}" if inputs.target_number else ""
        target = f"{inputs.target_kind.replace('_', ' ')} {inputs.target_id}"
        yield "calls", [f"{target} · {inputs.direction} · {inputs.mode}{number}"]
        yield "agent", [_agent(before, inputs)]
    if before is not None and inputs is not None:
        is_same = before_call == change.call_fingerprint or change.action in (Action.REUSE, Action.RECHECK)
        detail = "same as in the stored runs" if is_same else redactor.text(inputs_detail(before, inputs))
        yield "inputs", detail.splitlines()
    if change.case is not None:
        yield "expects", list(_expected(change, change.case, redactor))
    yield "stored", [_stored(change.prior, now)]
    if price is not None:
        yield "price", [_price(price)]


def _action(change: Change, redactor: Redactor) -> str:
    """`called, 1 call, in addition to 2 stored runs: runs raised`."""
    calls = f", {count(change.calls, 'call')}" if change.action is Action.CALL else ""
    calls = f", uses the calls of {redactor.name(change.shares)}" if change.shares else calls
    kept = f", in addition to {count(len(change.kept_run_ids), 'stored run')}" if change.kept_run_ids else ""
    is_shown = change.detail and "\n" not in change.detail and change.action is not Action.CALL
    detail = f" ({redactor.text(change.detail)})" if is_shown else ""
    return f"{change.action.done}{calls}{kept}: {change.reason.label}{detail}"


def _agent(before: CaseInputs | None, now: CaseInputs) -> str:
    today = now.agent_revision or "unknown"
    if before is None:
        return f"revision {today}"
    is_same = now.agent_revision == before.agent_revision is not None
    then = ", as in the stored runs" if is_same else f"; in the stored runs {before.agent_revision or 'unknown'}"
    return f"revision {today}{then}"


def _expected(change: Change, case: Case, redactor: Redactor) -> Iterator[str]:
    prior, ids = change.prior, [found.id or found.check for found in case.expectations]
    yield f"{count(len(ids), 'expectation')}: {', '.join(ids)}"
    if prior is None:
        return
    if prior.check_fingerprint == change.check_fingerprint:
        yield "same as for the stored runs"
    else:
        yield from expectations_detail(prior.expected, case, redactor.text) or ["changed since the stored runs"]


def _stored(prior: CaseResult | None, now: datetime) -> str:
    if prior is None:
        return "nothing"
    sessions = sorted({run.session_id for run in prior.runs if run.session_id})
    parts = [
        f"{prior.outcome}: {prior.runs_passed} of {count(prior.runs_total, 'run')} passed",
        *ages([prior], now),
        f"called in session {some(sessions, 3)}" if sessions else "",
    ]
    return ", ".join(filter(None, parts))


def _price(price: CasePrice) -> str:
    if price.expected_cents is None:
        return f"unknown ({price.basis.removeprefix('unknown: ')})"
    low = None if price.low_cents is None else int(price.low_cents)
    return f"{money(round(price.expected_cents))} a call ({money_range(low, price.high_cents)}; {price.basis})"


def explanation_document(change: Change, price: CasePrice | None, redactor: Redactor) -> dict[str, object]:
    """The same as JSON values."""
    prior, case = change.prior, change.case
    stored, prices = None, None
    if prior is not None:
        stored = picked(prior, "outcome", "runs_passed", "runs_total") | {"run_ids": [run.run_id for run in prior.runs]}
    if price is not None:
        prices = picked(price, "expected_cents", "low_cents", "high_cents", "basis")
    return {
        "case_id": redactor.name(change.case_id),
        **picked(change, "action", "reason"),
        "detail": redactor.text(change.detail),
        **picked(change, "runs", "kept_run_ids"),
        "inputs": {
            "now": _inputs(change.inputs, redactor),
            "stored": _inputs(prior.inputs if prior else None, redactor),
        },
        "expectations": [expectation.id for expectation in case.expectations] if case else [],
        "fingerprints": {
            "now": {"call": change.call_fingerprint, "check": change.check_fingerprint},
            "stored": {"call": prior.call_fingerprint, "check": prior.check_fingerprint} if prior else None,
        },
        "stored": stored,
        "price": prices,
    }


def _inputs(inputs: CaseInputs | None, redactor: Redactor) -> dict[str, Any] | None:
    if inputs is None:
        return None
    number = None if inputs.target_number is None else redactor.text(inputs.target_number)
    return inputs.model_dump() | {"prompt": redactor.text(inputs.prompt), "target_number": number}
