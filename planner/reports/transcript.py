"""Render stored conversations: turns with time and speaker, tool calls, the end reason, and findings on their turns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from planner.evidence import Evidence, Role, ToolCall, Turn
from planner.quantities import clock
from planner.reports import case_phrasing
from planner.reports.neutral import for_terminal, json_document, picked
from planner.reports.terminal import SIGNS, Colour, Paint, painter, wrapped
from planner.results.model import CaseResult, Finding, JudgedRun
from planner.values import frozen

NO_CALL = "There was no call."
NOT_STORED = "The transcript of this call is not in this store."
NO_TRANSCRIPT = "The service returned no transcript of this call."
_INDENT = "  "
_TEXT_INDENT = " " * 18


@frozen
class Conversation:
    """One run of a case and its evidence, both redacted. `evidence` is None if it is not stored."""

    case: CaseResult
    run: JudgedRun
    evidence: Evidence | None


def render_text(conversations: Sequence[Conversation], *, width: int, color: bool) -> str:
    """The conversations one after the other, each under a line that names its case and run."""
    paint = painter(color=color)
    return "\n\n".join("\n".join(_conversation(found, width, paint)) for found in conversations) + "\n"


def render_json(conversations: Sequence[Conversation]) -> str:
    """`{"transcripts": [{"case_id", "run_id", "turns", "tools", "findings", …}]}`."""
    transcripts = [_document(conversation) for conversation in conversations]
    return json_document({"transcripts": transcripts})


def _document(conversation: Conversation) -> dict[str, object]:
    run, evidence = conversation.run, conversation.evidence
    call = evidence.call if evidence else None
    return {
        "case_id": conversation.case.case_id,
        **picked(run, "run_id", "call_id", "outcome", "cause"),
        "stored": evidence is not None,
        "end_reason": call.end_reason if call else None,
        "transferred_to": call.transferred_to if call else None,
        "turns": evidence.turns if evidence else None,
        "tools": evidence.tools if evidence else None,
        "findings": run.findings,
    }


def _conversation(conversation: Conversation, width: int, paint: Paint) -> Iterator[str]:
    case, run, evidence = conversation.case, conversation.run, conversation.evidence
    sign, colour = SIGNS[run.outcome]
    yield f"{paint(sign, colour)} {paint(for_terminal(case.case_id), Colour.BOLD)}"
    facts = f"{case_phrasing.run_facts(run)} · {case_phrasing.run_outcome(run)}"
    yield from (*wrapped(for_terminal(facts), width, indent=_INDENT), "")
    turns = evidence.turns or () if evidence else ()
    tools = evidence.tools or () if evidence else ()
    if not turns:
        yield _INDENT + (NO_CALL if run.call_id is None else NO_TRANSCRIPT if evidence else NOT_STORED)
    findings = case_phrasing.open_findings(run)
    results = [_result(tool) for tool in tools if tool.turn is not None and tool.has_result]
    for turn in turns:
        called = [tool for tool in tools if tool.turn == turn.number]
        if turn.role is Role.TOOL and not called and turn.text in results:
            results.remove(turn.text)  # the line of its call has it
        else:
            yield from _turn(turn, called, width, paint)
        quoting = (finding for finding in findings if finding.quote and finding.quote.turn == turn.number)
        yield from _findings(quoting, width, paint, indent=_TEXT_INDENT)
    for tool in tools:
        if tool.turn is None:
            yield from _line(tool.start_ms, "tool", _tool(tool), width, paint)
    if evidence and (ending := _ending(evidence)):
        yield from ("", *wrapped(for_terminal(ending), width, indent=_INDENT))
    yield from _findings((finding for finding in findings if finding.quote is None), width, paint, indent=_INDENT)


def _turn(turn: Turn, tools: Sequence[ToolCall], width: int, paint: Paint) -> Iterator[str]:
    for tool in tools:  # the turn's text is the same tool call, as the service writes it
        yield from _line(turn.start_ms, "tool", _tool(tool), width, paint)
    if not tools:
        yield from _line(turn.start_ms, turn.role.value, turn.text or "(nothing)", width, paint)


def _line(start_ms: int | None, speaker: str, text: str, width: int, paint: Paint) -> Iterator[str]:
    label = f"{_INDENT}{'' if start_ms is None else clock(start_ms):>7} {speaker:<7} "
    first, *more = wrapped(for_terminal(text), width, indent=_TEXT_INDENT)
    yield paint(label, Colour.CYAN if speaker == "agent" else Colour.DIM) + first[len(label) :]
    yield from more


def _tool(tool: ToolCall) -> str:
    """`lookup_order(order_id="12345") → {"status": "shipped"}`."""
    written = json.JSONEncoder(ensure_ascii=False).encode
    arguments = ", ".join(f"{name}={written(value)}" for name, value in tool.arguments.items())
    result = f" → {written(tool.result)}" if tool.has_result else ""
    return f"{tool.name}({arguments if tool.has_arguments else '…'}){result}"


def _result(tool: ToolCall) -> str:
    """As the turn of a transcript has it."""
    if isinstance(tool.result, str):
        return tool.result
    return json.dumps(tool.result, ensure_ascii=False, separators=(",", ":"))


def _ending(evidence: Evidence) -> str:
    call = evidence.call
    facts = [
        f"end reason: {call.end_reason}" if call and call.end_reason else "",
        f"transferred to {call.transferred_to}" if call and call.transferred_to else "",
        f"error: {evidence.error_message}" if evidence.error_message else "",
    ]
    return " · ".join(filter(None, facts))


def _findings(findings: Iterable[Finding], width: int, paint: Paint, *, indent: str) -> Iterator[str]:
    for finding in findings:
        sign, colour = SIGNS[finding.outcome]
        text = for_terminal(case_phrasing.finding_text(finding))
        yield from (paint(line, colour) for line in wrapped(f"{sign} {text}", width, indent=indent))
