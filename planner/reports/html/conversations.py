"""A case as data for the page: runs, findings and turns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

from planner.evidence import Evidence, Turn
from planner.reports import EvidenceOf, case_phrasing
from planner.reports.neutral import picked, without_controls
from planner.reports.transcript import NO_CALL, NO_TRANSCRIPT, NOT_STORED
from planner.results.model import CaseResult, Finding, Run

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
        "Calls": f"{inputs.target_kind.replace('_', ' ')} {inputs.target_id} ({case.target}), {inputs.direction}, {inputs.mode}",
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


def _run(run: Run, evidence_of: EvidenceOf, budget: Budget) -> dict[str, Any]:
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


def _conversation(run: Run, evidence_of: EvidenceOf, budget: Budget) -> tuple[Evidence | None, str]:
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
