"""Render stored conversations: turns with time and speaker, tool calls, the end reason, and findings on their turns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planner.evidence import Evidence, ToolCall, Turn
from planner.reports import case_phrasing
from planner.reports.neutral import for_json_text, for_terminal
from planner.reports.quantities import clock
from planner.reports.terminal import Colour, Paint, painter, wrapped
from planner.results.model import CaseDocument, FindingDocument, RunDocument

_TIME_WIDTH = 7
_SPEAKER_WIDTH = 7
_INDENT = "  "
_TEXT_INDENT = len(_INDENT) + _TIME_WIDTH + 1 + _SPEAKER_WIDTH + 1
_COLOURS = {"passed": Colour.GREEN, "failed": Colour.RED, "errored": Colour.YELLOW}
_SIGNS = {"passed": "✓", "failed": "✗", "errored": "?"}


@dataclass(frozen=True, slots=True)
class Conversation:
    """One run of a case and its evidence, both redacted. `evidence` is None if it is not stored."""

    case: CaseDocument
    run: RunDocument
    evidence: Evidence | None


def render_text(conversations: Sequence[Conversation], *, width: int, color: bool) -> str:
    """The conversations one after the other, each under a line that names its case and run."""
    paint = painter(color=color)
    blocks = ["\n".join(_conversation(conversation, width, paint)) for conversation in conversations]
    return "\n\n".join(blocks) + "\n"


def render_json(conversations: Sequence[Conversation]) -> str:
    """`{"schema_version", "transcripts": [{"case_id", "run_id", "turns", "tools", "findings", …}]}`."""
    document = {
        "schema_version": "1.0",
        "transcripts": [_document(conversation) for conversation in conversations],
    }
    return for_json_text(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def _document(conversation: Conversation) -> dict[str, object]:
    run, evidence = conversation.run, conversation.evidence
    call = evidence.call if evidence else None
    return {
        "case_id": conversation.case.case_id,
        "run_id": run.run_id,
        "call_id": run.call_id,
        "outcome": run.outcome,
        "fault": run.fault,
        "stored": evidence is not None,
        "end_reason": call.end_reason if call else None,
        "transferred_to": call.transferred_to if call else None,
        "turns": None
        if evidence is None or evidence.turns is None
        else [turn.model_dump(mode="json") for turn in evidence.turns],
        "tools": None
        if evidence is None or evidence.tools is None
        else [tool.model_dump(mode="json") for tool in evidence.tools],
        "findings": [finding.model_dump(mode="json") for finding in run.findings],
    }


def _conversation(conversation: Conversation, width: int, paint: Paint) -> Iterator[str]:
    case, run, evidence = conversation.case, conversation.run, conversation.evidence
    sign = paint(_SIGNS[run.outcome], _COLOURS[run.outcome])
    yield f"{sign} {paint(for_terminal(case.case_id), Colour.BOLD)}"
    facts = [case_phrasing.run_facts(run), case_phrasing.run_outcome(run), case_phrasing.cause(run)]
    yield from wrapped(" · ".join(for_terminal(fact) for fact in facts if fact), width, indent=_INDENT)
    yield ""
    if evidence is None:
        yield from wrapped(_why_not_stored(run), width, indent=_INDENT)
    elif not evidence.turns:
        yield f"{_INDENT}The service returned no transcript of this call."
    else:
        for turn in evidence.turns:
            yield from _turn(turn, [tool for tool in evidence.tools or () if tool.turn == turn.number], width, paint)
            yield from _findings(_quoting(run, turn), width, paint, indent=" " * _TEXT_INDENT)
    unplaced = [tool for tool in (evidence.tools if evidence else None) or () if tool.turn is None]
    for tool in unplaced:
        yield from _line(tool.start_ms, "tool", _tool(tool), width, paint)
    yield from _ending(evidence, width)
    without_quote = [finding for finding in case_phrasing.open_findings(run) if finding.quote is None]
    yield from _findings(without_quote, width, paint, indent=_INDENT)


def _why_not_stored(run: RunDocument) -> str:
    return "There was no call." if run.call_id is None else "The transcript of this call is not in this store."


def _turn(turn: Turn, tools: Sequence[ToolCall], width: int, paint: Paint) -> Iterator[str]:
    if tools:  # the turn's text is the same tool call, as the service writes it
        for tool in tools:
            yield from _line(turn.start_ms, "tool", _tool(tool), width, paint)
    else:
        yield from _line(turn.start_ms, turn.role.value, turn.text or "(nothing)", width, paint)


def _line(start_ms: int | None, speaker: str, text: str, width: int, paint: Paint) -> Iterator[str]:
    time = "" if start_ms is None else clock(start_ms)
    label = f"{_INDENT}{time:>{_TIME_WIDTH}} {speaker:<{_SPEAKER_WIDTH}} "
    first, *more = wrapped(for_terminal(text), width, indent=" " * _TEXT_INDENT)
    yield paint(label, Colour.CYAN if speaker == "agent" else Colour.DIM) + first[_TEXT_INDENT:]
    yield from more


def _tool(tool: ToolCall) -> str:
    """`lookup_order(order_id="12345") → {"status": "shipped"}`."""
    arguments = ", ".join(f"{name}={_json(value)}" for name, value in tool.arguments.items())
    result = f" → {_json(tool.result)}" if tool.has_result else ""
    return f"{tool.name}({arguments if tool.arguments_told else '…'}){result}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _ending(evidence: Evidence | None, width: int) -> Iterator[str]:
    if evidence is None:
        return
    call = evidence.call
    facts = [
        f"end reason: {call.end_reason}" if call and call.end_reason else "",
        f"transferred to {call.transferred_to}" if call and call.transferred_to else "",
        f"error: {evidence.error_message}" if evidence.error_message else "",
    ]
    if ending := " · ".join(for_terminal(fact) for fact in facts if fact):
        yield ""
        yield from wrapped(ending, width, indent=_INDENT)


def _quoting(run: RunDocument, turn: Turn) -> list[FindingDocument]:
    open_findings = case_phrasing.open_findings(run)
    return [finding for finding in open_findings if finding.quote is not None and finding.quote.turn == turn.number]


def _findings(findings: Sequence[FindingDocument], width: int, paint: Paint, *, indent: str) -> Iterator[str]:
    for finding in findings:
        label = case_phrasing.finding_label(finding)
        text = f"{finding.expectation}{f' ({label})' if label else ''}: {finding.message}"
        sign = _SIGNS[finding.outcome]
        lines = wrapped(f"{sign} {for_terminal(text)}", width, indent=indent)
        yield from (paint(line, _COLOURS[finding.outcome]) for line in lines)
