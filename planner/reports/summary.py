"""The short summary at the end of `planner run`; details are in the report files."""

from __future__ import annotations

from collections.abc import Sequence

from planner.reports import case_phrasing, phrasing, verdict_phrasing
from planner.reports.neutral import for_terminal
from planner.reports.quantities import count
from planner.reports.sandbox_note import sandbox_note
from planner.reports.terminal import Colour, Paint, painter, wrapped
from planner.results.model import CaseDocument, FindingDocument, QuoteDocument, RunResult

_SHOWN_FAILURES = 6
_SHOWN_SIMILAR = 2
_SHOWN_FINDINGS = 3
_REASON_CHARACTERS = 240
_SHOWN_OTHERS = 4
_SHOWN_PROBLEMS = 6

_SIGNS = {
    "failed": ("✗", Colour.RED),
    "unknown": ("?", Colour.YELLOW),
    "quarantined": ("∎", Colour.DIM),
    "flaky": ("~", Colour.YELLOW),
    "passed": ("✓", Colour.GREEN),
}
_OUTCOME_SIGNS = {
    "passed": ("✓", Colour.GREEN),
    "failed": ("✗", Colour.RED),
    "unknown": ("?", Colour.YELLOW),
    "refused": ("!", Colour.YELLOW),
    "interrupted": ("!", Colour.YELLOW),
}


def render_text(result: RunResult, *, report_paths: Sequence[str], width: int, color: bool) -> str:
    """Headline, failures with quotes, cost, report files and next steps. Lines fit `width` cells, except for case ids, paths and
    commands, which are never broken."""
    paint = painter(color=color)
    lines = _head(result, width, paint)
    lines += _failures(result, width, paint)
    for outcome in ("unknown", "quarantined", "flaky"):
        lines += _others(result, outcome, width, paint)
    lines += ["", *_foot(result, report_paths, width, paint)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(result: RunResult, width: int, paint: Paint) -> list[str]:
    sign, colour = _OUTCOME_SIGNS[result.outcome]
    first, *more = wrapped(f"{verdict_phrasing.verdict(result)}: {phrasing.headline(result)}", width, indent="  ")
    lines = [f"{paint(sign, colour)} {paint(first[2:], Colour.BOLD)}", *(paint(line, Colour.BOLD) for line in more)]
    if note := sandbox_note(result):
        lines += wrapped(note, width, indent="  ")
    lines += wrapped(f"{verdict_phrasing.meaning(result)} (exit code {result.exit_code})", width, indent="  ")
    for problem in result.problems[:_SHOWN_PROBLEMS]:
        lines += wrapped(for_terminal(problem), width, indent="  · ", hanging="    ")
    if len(result.problems) > _SHOWN_PROBLEMS:
        lines.append(f"  · and {len(result.problems) - _SHOWN_PROBLEMS} more")
    for warning in result.warnings[:_SHOWN_PROBLEMS]:
        lines += wrapped(for_terminal(f"warning: {warning}"), width, indent="  · ", hanging="    ")
    return lines


def _failures(result: RunResult, width: int, paint: Paint) -> list[str]:
    groups = case_phrasing.group_similar(case_phrasing.with_outcome(result, "failed"))
    lines: list[str] = []
    for case, *others in groups[:_SHOWN_FAILURES]:
        lines += ["", _name(case, paint), *wrapped(_facts(case), width, indent="      ")]
        lines += _findings(case, width, paint)
        if others:
            lines.append(f"      {count(len(others), 'more case')} of this scenario failed in the same way:")
            lines += [f"        {for_terminal(other.case_id)}" for other in others[:_SHOWN_SIMILAR]]
            lines += [f"        … and {len(others) - _SHOWN_SIMILAR} more"] if len(others) > _SHOWN_SIMILAR else []
    left = sum(map(len, groups[_SHOWN_FAILURES:]))
    return [*lines, "", f"  … and {count(left, 'more failed case')}, in the report"] if left else lines


def _others(result: RunResult, outcome: str, width: int, paint: Paint) -> list[str]:
    cases = case_phrasing.with_outcome(result, outcome)
    lines: list[str] = [""] if cases else []
    for case in cases[:_SHOWN_OTHERS]:
        reason = for_terminal(case_phrasing.reason(case))
        text = reason if outcome == "quarantined" else f"{outcome}: {reason}"
        text += (
            f" · {for_terminal(case_phrasing.compared_in_full(case))}" if case_phrasing.compared_counts(case) else ""
        )
        lines += [_name(case, paint), *wrapped(text, width, indent="      ")]
        if outcome == "unknown" and (why := _why_undecided(case)):
            lines += wrapped(why, width, indent="      ")
    if len(cases) > _SHOWN_OTHERS:
        lines.append(f"  … and {count(len(cases) - _SHOWN_OTHERS, f'more {outcome} case')}, in the report")
    return lines


def _why_undecided(case: CaseDocument) -> str:
    """The reason of the first inconclusive run."""
    reasons = dict.fromkeys(run.reason for run in case.runs if run.outcome == "errored" and run.reason)
    more = f" (and {count(len(reasons) - 1, 'other reason')})" if len(reasons) > 1 else ""
    first = next(iter(reasons), "")
    return f"{for_terminal(case_phrasing.shortened(first, _REASON_CHARACTERS))}{more}" if first else ""


def _name(case: CaseDocument, paint: Paint) -> str:
    sign, colour = _SIGNS[case_phrasing.standing(case)]
    return f"  {paint(sign, colour)} {paint(for_terminal(case.case_id), Colour.BOLD)}"


def _facts(case: CaseDocument) -> str:
    return " · ".join(
        filter(
            None,
            [
                for_terminal(case_phrasing.reason(case)),
                case_phrasing.settled(case),
                for_terminal(case_phrasing.pool(case)),
                for_terminal(case_phrasing.compared_in_full(case)),
                for_terminal(case_phrasing.failing_since(case)),
                for_terminal(case_phrasing.why_in_full(case)),
            ],
        )
    )


def _findings(case: CaseDocument, width: int, paint: Paint) -> list[str]:
    """Failed and undecided expectations with the message of their first run, then the reasons of inconclusive runs."""
    found: dict[tuple[str, str], list[FindingDocument]] = {}
    reasons: dict[str, None] = {}
    for run in case_phrasing.runs_to_show(case):
        open_findings = [finding for finding in case_phrasing.open_findings(run) if finding.severity != "warning"]
        is_conclusive = bool(open_findings) and run.fault not in ("platform", "caller")
        for finding in open_findings if is_conclusive else ():
            found.setdefault((finding.expectation, finding.outcome), []).append(finding)
        if not is_conclusive:
            reasons[": ".join(filter(None, [case_phrasing.cause(run), for_terminal(run.reason)]))] = None
    characters = 2 * max(width - 8, 40)
    lines: list[str] = []
    quoted: set[QuoteDocument] = set()
    for findings in list(found.values())[:_SHOWN_FINDINGS]:
        message, *quote = case_phrasing.finding_lines(findings[0], for_terminal, quoted, characters=characters)
        times = f" (in {len(findings)} runs)" if len(findings) > 1 else ""
        lines += wrapped(message + times, width, indent="      ", hanging="        ")
        for line in quote:
            lines += [paint(part, Colour.DIM) for part in wrapped(line.strip(), width, indent="        ")]
    if len(found) > _SHOWN_FINDINGS:
        lines.append(f"      … and {count(len(found) - _SHOWN_FINDINGS, 'more expectation')}")
    for reason in list(reasons)[:_SHOWN_FINDINGS]:
        lines += wrapped(reason, width, indent="      ", hanging="        ")
    return lines


def _foot(result: RunResult, report_paths: Sequence[str], width: int, paint: Paint) -> list[str]:
    parts = phrasing.facts(result, for_terminal)
    parts.insert(2, ("Calls", phrasing.numbers(result)))
    lines: list[str] = []
    if warnings := phrasing.warnings(result, for_terminal):
        parts.append(("Warnings", phrasing.some(warnings, _SHOWN_OTHERS)))
    for label, text in parts:
        lines += _labelled(label, text, width, paint)
    lines += _with_label("Reports", [_MARGIN + for_terminal(path) for path in report_paths], paint)
    steps: list[str] = []
    for line in result.next_steps:
        prose, command = phrasing.step(line)
        steps += wrapped(for_terminal(prose), width, indent=_MARGIN) if prose else []
        steps += [_MARGIN + for_terminal(command)] if command else []
    return [*lines, *_with_label("Next", steps, paint)]


_MARGIN = " " * 9


def _labelled(label: str, text: str, width: int, paint: Paint) -> list[str]:
    return _with_label(label, wrapped(text, width, indent=_MARGIN), paint)


def _with_label(label: str, lines: Sequence[str], paint: Paint) -> list[str]:
    """Replaces the margin of the first line by the label."""
    return [paint(label, Colour.DIM) + lines[0][len(label) :], *lines[1:]] if lines else []
