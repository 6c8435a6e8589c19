"""`report.html`: one file that needs no network, with a content security policy that allows none.

The list of cases is HTML. Conversations are JSON, which `page.js` renders when a case is opened. The template
escapes all text, the script only sets text content, and the policy allows only this script and style, by their digests.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup, escape

from planner.evidence import Evidence, Turn
from planner.quantities import percent, shortened
from planner.reports import EvidenceOf, case_phrasing, phrasing
from planner.reports.agents import result_notes
from planner.reports.neutral import picked, without_controls
from planner.reports.terminal import SIGNS
from planner.reports.transcript import NO_CALL, NO_TRANSCRIPT, NOT_STORED
from planner.results.model import CaseResult, Finding, JudgedRun, RunResult

MAX_CONVERSATION_BYTES = 48 * 1024 * 1024
"""Limit for all conversations, about 30,000 calls. Calls beyond it keep only their findings and quotes."""
_SHOWN_ROWS = 1000
_SHOWN_EXPECTATIONS = 6
_SHOWN_DOTS = 20
_MESSAGE_CHARACTERS = 240

_POINT = re.compile(r'([\w-]+)=("(?:[^"\\]|\\.)*"|[^,\]]+)')
"""An axis and its value in a case id."""

Trend = Sequence[float]
"""Pass rates of earlier sessions, oldest first, from 0 to 1."""


class GridCell(NamedTuple):
    """A case, and its row in the list."""

    row: int
    case_id: str
    outcome: str
    sign: str


class Grid(NamedTuple):
    """The cases of one plan: by scenario and axis values, then by the column's value."""

    plan: str
    by: str
    columns: list[str]
    rows: dict[str, dict[str, list[GridCell]]]


def render(result: RunResult) -> str:
    """The page without conversations."""
    return "".join(pieces(result, lambda _: None))


def pieces(
    result: RunResult, evidence_of: EvidenceOf, trends: Mapping[str, Trend] = MappingProxyType({})
) -> Iterator[str]:
    """The page in pieces, to save memory. `trends` are by case id."""
    budget = Budget(MAX_CONVERSATION_BYTES)
    ranked = case_phrasing.worst_first(result.cases)
    outcomes = Counter(map(case_phrasing.shown_outcome, ranked))
    css, script = _asset("page.css"), _asset("page.js")
    return _template().generate(
        css=Markup(css),  # noqa: S704 - ours
        script=Markup(script),  # noqa: S704 - ours
        policy=_policy(css, script),
        result=result,
        sign=SIGNS[result.outcome][0],
        title=phrasing.title(result),
        meaning=phrasing.meaning(result),
        sandbox_note=phrasing.sandbox_note(result),
        problems=[*phrasing.problems(result), *(f"⚠ {warning}" for warning in result.warnings)],
        facts=phrasing.facts(result),
        agent_notes=result_notes(result),
        failed=case_phrasing.what_failed(result, _SHOWN_EXPECTATIONS, _MESSAGE_CHARACTERS),
        outcomes=[(name, SIGNS[name][0], outcomes[name]) for name in case_phrasing.OUTCOMES if outcomes[name]],
        plans=sorted({case.plan for case in ranked}),
        moved=sum(map(case_phrasing.has_moved, ranked)),
        grids=grids(ranked) if len(ranked) <= _SHOWN_ROWS else [],
        rows=[_row(index, case, trends.get(case.case_id, ())) for index, case in enumerate(ranked)],
        shown_rows=_SHOWN_ROWS,
        documents=(
            Markup(script_json(case_document(case, evidence_of, budget)))  # noqa: S704 - escaped for a script
            for case in ranked
        ),
        sections=phrasing.sections(result),
    )


def grids(ranked: Sequence[CaseResult]) -> list[Grid]:
    """One per plan whose cases fill more than one column: of its targets, or else of its axis with the most values."""
    found: list[Grid] = []
    for plan in sorted({case.plan for case in ranked}):
        mine = sorted(
            ((index, case) for index, case in enumerate(ranked) if case.plan == plan), key=lambda item: item[1].line
        )
        values: dict[str, set[str]] = {"target": {case.target for _, case in mine}}
        if len(values["target"]) == 1:
            for _, case in mine:
                for axis, value in _POINT.findall(case.case_id):
                    values.setdefault(axis, set()).add(value)
        by = max(values, key=lambda axis: len(values[axis]))
        grid = Grid(plan, by, [], {})
        for index, case in mine:
            points = {"target": case.target, **dict(_POINT.findall(case.case_id))}
            column = points.pop(by, "")
            points.pop("target", None)
            others = f"[{', '.join(map('='.join, points.items()))}]" if points else ""
            outcome = case_phrasing.shown_outcome(case)
            cell = GridCell(index, without_controls(case.case_id), outcome, SIGNS[outcome][0])
            grid.rows.setdefault(without_controls(case.scenario + others), {}).setdefault(column, []).append(cell)
            if column not in grid.columns:
                grid.columns.append(column)
        if len(grid.columns) > 1:
            found.append(grid)
    return found


def _row(index: int, case: CaseResult, trend: Trend) -> dict[str, object]:
    outcome = case_phrasing.shown_outcome(case)
    passed = outcome == "passed"
    first_failed = case_phrasing.first_failed(case)
    because = [case_phrasing.reason(case), shortened(first_failed, _MESSAGE_CHARACTERS)]
    return {
        "index": index,
        "case_id": without_controls(case.case_id),
        "plan": case.plan,
        "outcome": outcome,
        "sign": SIGNS[outcome][0],
        "compared": case_phrasing.compared(case) if not passed or case_phrasing.has_moved(case) else "",
        "moved": case_phrasing.has_moved(case),
        "because": [case_phrasing.cannot_fail(case)] if passed else because,
        "runs": [run.outcome for run in case.runs[:_SHOWN_DOTS]],
        "passed": case_phrasing.runs_passed(case),
        "cost": case_phrasing.case_cost(case),
        "trend": _trend(trend),
        "trend_words": f"pass rates so far: {', '.join(map(percent, trend))}",
        "tags": " ".join(case.tags),
    }


def _trend(trend: Trend) -> str:
    """The points of an SVG sparkline of 60 by 16."""
    if len(trend) < 2:
        return ""
    step = 56 / (len(trend) - 1)
    return " ".join(f"{2 + index * step:.1f},{2 + (1 - rate) * 12:.1f}" for index, rate in enumerate(trend))


def _prose(text: str) -> Markup:
    """A sentence with code in backticks."""
    parts = without_controls(text).split("`")
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    code = Markup("<code>{}</code>")
    return Markup().join(code.format(part) if index % 2 else escape(part) for index, part in enumerate(parts))


def _policy(css: str, script: str) -> str:
    """Allows this script and style, but no network, frames or forms."""
    style_digest, script_digest = (b64encode(sha256(text.encode()).digest()).decode() for text in (css, script))
    sources = f"script-src 'sha256-{script_digest}'; style-src 'sha256-{style_digest}'"
    return f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"


@cache
def _asset(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["plain"] = without_controls
    environment.filters["prose"] = _prose
    return environment.from_string(_asset("page.html.j2"))


_OMITTED = "The transcript of this call is omitted: the page would be too large for a browser."
_TURN_BYTES = 60
"""Size of a turn without its text."""


@dataclass(slots=True)
class Budget:
    """The bytes left for conversations of the page."""

    left_bytes: int


def case_document(case: CaseResult, evidence_of: EvidenceOf, budget: Budget) -> dict[str, Any]:
    inputs = case.inputs
    reason, *facts = case_phrasing.facts(case)
    called = {
        "Reused from": case.carried_from,
        "Calls": f"{inputs.target_kind.replace('_', ' ')} {inputs.target_id} ({case.target}), "
        f"{inputs.direction}, {inputs.mode}",
        "Number": inputs.target_number,
        "Agent revision": inputs.agent_revision,
        "Defined at": f"{case.file}:{case.line}" if case.file else "",
        "Tags": ", ".join(case.tags),
    }
    return {
        "id": case.case_id,
        "facts": {
            "Outcome": f"{case.outcome}: {reason}",
            "Runs passed": case_phrasing.runs_passed(case),
            "Details": " · ".join(facts),
        },
        "called": {label: text for label, text in called.items() if text},
        "diff": case.detail if "\n" in case.detail else "",
        "prompt": inputs.prompt,
        "runs": [_run(run, evidence_of, budget) for run in case.runs],
    }


def _run(run: JudgedRun, evidence_of: EvidenceOf, budget: Budget) -> dict[str, Any]:
    evidence, note = _conversation(run, evidence_of, budget)
    turns = [_turn(turn) for turn in (evidence.turns if evidence else None) or ()]
    budget.left_bytes -= sum(len(turn["text"].encode()) + _TURN_BYTES for turn in turns)
    return {
        "id": run.run_id,
        "outcome": run.outcome,
        "shown": case_phrasing.run_outcome(run),
        "reason": case_phrasing.run_reason(run),
        "facts": case_phrasing.run_facts(run),
        "findings": [_finding(finding) for finding in run.findings],
        "turns": turns,
        "silent": "" if turns else note,
    }


def _conversation(run: JudgedRun, evidence_of: EvidenceOf, budget: Budget) -> tuple[Evidence | None, str]:
    """The evidence, and a note to show if there are no turns."""
    if run.call_id is None:
        return None, NO_CALL
    if run.evidence and budget.left_bytes <= 0:
        return None, _OMITTED
    evidence = evidence_of(run.evidence) if run.evidence else None
    return evidence, NOT_STORED if evidence is None else NO_TRANSCRIPT


def _finding(finding: Finding) -> dict[str, Any]:
    quote = finding.quote
    return {
        "id": finding.expectation,
        "label": case_phrasing.finding_label(finding),
        **picked(finding, "outcome", "severity", "message"),
        "turn": quote.turn if quote else None,
        "place": case_phrasing.quote_place(quote) if quote else "",
        "quote": quote.text if quote else "",
    }


def _turn(turn: Turn) -> dict[str, Any]:
    return {"n": turn.number, "role": turn.role.value, "text": turn.text, "start": turn.start_ms, "end": turn.end_ms}


def script_json(document: object) -> str:
    """JSON for a script element: nothing in it ends the element, and no text hides or reorders characters."""
    text = json.dumps(_plain(document), ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _plain(value: object) -> object:
    match value:
        case str():
            return without_controls(value)
        case dict():
            return {key: _plain(item) for key, item in cast("dict[str, object]", value).items()}
        case list():
            return [_plain(item) for item in cast("list[object]", value)]
        case _:
            return value
