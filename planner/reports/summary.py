"""The short summary at the end of `planner run`; details are in the report files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.quantities import count, shortened, some
from planner.reports import case_phrasing, phrasing
from planner.reports.neutral import for_terminal
from planner.reports.terminal import SIGNS, Colour, Paint, labelled, painter, wrapped
from planner.results.model import CaseResult, Finding, Quote, RunResult

_LABEL = 9
_SHOWN_FAILURES = 6
_SHOWN_OTHERS = 4
_SHOWN_SIMILAR = 2
_SHOWN_FINDINGS = 3
_SHOWN_PROBLEMS = 6


def render_text(result: RunResult, *, report_paths: Sequence[str], width: int, color: bool) -> str:
    """Headline, failures with quotes, cost, report files and next steps. Lines fit `width` cells, except for case ids,
    paths and commands, which are never broken."""
    paint = painter(color=color)
    lines = [*_head(result, width, paint)]
    for outcome in case_phrasing.OUTCOMES[:-1]:
        lines += _cases(result, outcome, width, paint)
    lines += ["", *_foot(result, report_paths, width, paint)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _head(result: RunResult, width: int, paint: Paint) -> Iterator[str]:
    sign, colour = SIGNS[result.outcome]
    first, *more = wrapped(phrasing.title(result), width, indent="  ")
    yield f"{paint(sign, colour)} {paint(first[2:], Colour.BOLD)}"
    yield from (paint(line, Colour.BOLD) for line in more)
    if changed := phrasing.changed(result):
        yield from wrapped(changed, width, indent="  ")
    if note := phrasing.sandbox_note(result):
        yield from wrapped(note, width, indent="  ")
    explained = for_terminal(f"{phrasing.meaning(result)} (exit code {result.exit_code})")
    yield from wrapped(explained, width, indent="  ")
    for found, prefix in ((phrasing.problems(result), ""), (result.warnings, "warning: ")):
        for line in found[:_SHOWN_PROBLEMS]:
            yield from wrapped(for_terminal(prefix + line), width, indent="  · ", hanging="    ")
        if len(found) > _SHOWN_PROBLEMS:
            yield f"  · and {len(found) - _SHOWN_PROBLEMS} more"


def _cases(result: RunResult, outcome: str, width: int, paint: Paint) -> Iterator[str]:
    """The first cases of each group; the others by id, then by number."""
    shown = _SHOWN_FAILURES if outcome == "failed" else _SHOWN_OTHERS
    groups = case_phrasing.group_similar(case_phrasing.with_outcome(result, outcome))
    sign, colour = SIGNS[outcome]
    for case, *others in groups[:shown]:
        yield from ("", f"  {paint(sign, colour)} {paint(for_terminal(case.case_id), Colour.BOLD)}")
        text = " · ".join(case_phrasing.facts(case))
        yield from wrapped(
            for_terminal(f"{outcome}: {text}" if outcome in ("unknown", "flaky") else text), width, indent="      "
        )
        yield from _findings(case, width, paint)
        if others:
            yield f"      {count(len(others), 'more case')} of this scenario {outcome} in the same way:"
            yield from (f"        {for_terminal(other.case_id)}" for other in others[:_SHOWN_SIMILAR])
        if len(others) > _SHOWN_SIMILAR:
            yield f"        … and {len(others) - _SHOWN_SIMILAR} more"
    if left := sum(map(len, groups[shown:])):
        yield from ("", f"  … and {count(left, f'more {outcome} case')}, in the report")


def _findings(case: CaseResult, width: int, paint: Paint) -> Iterator[str]:
    """Failed and undecided expectations with the message of their first run, then the reasons of inconclusive runs."""
    found: dict[tuple[str, str], list[Finding]] = {}
    reasons: dict[str, None] = {}
    for run in case_phrasing.runs_to_show(case):
        open_findings = [finding for finding in case_phrasing.open_findings(run) if finding.severity != "warning"]
        if not open_findings or not run.had_call:
            reasons[": ".join(filter(None, [case_phrasing.cause(run), run.reason]))] = None
            continue
        for finding in open_findings:
            found.setdefault((finding.expectation, finding.outcome), []).append(finding)
    characters = 2 * max(width - 8, 40)
    quoted: set[Quote] = set()
    for findings in list(found.values())[:_SHOWN_FINDINGS]:
        times = f" (in {len(findings)} runs)" if len(findings) > 1 else ""
        text = f"{case_phrasing.finding_text(findings[0], characters)}{times}"
        yield from wrapped(for_terminal(text), width, indent="      ", hanging="        ")
        if (quote := findings[0].quote) is not None:
            words = for_terminal(case_phrasing.quote_text(quote, quoted, characters))
            yield from (paint(line, Colour.DIM) for line in wrapped(words, width, indent="        "))
    if len(found) > _SHOWN_FINDINGS:
        yield f"      … and {count(len(found) - _SHOWN_FINDINGS, 'more expectation')}"
    for reason in list(reasons)[:_SHOWN_FINDINGS]:
        yield from wrapped(for_terminal(shortened(reason, characters)), width, indent="      ", hanging="        ")


def _foot(result: RunResult, report_paths: Sequence[str], width: int, paint: Paint) -> Iterator[str]:
    parts = [(label, text) for label, text in phrasing.facts(result) if label != "Changed"]  # shown at the top
    if warnings := phrasing.warnings(result):
        parts.append(("Warnings", some(warnings, _SHOWN_OTHERS)))
    for label, text in parts:
        yield from labelled(label, [for_terminal(text)], _LABEL, width, paint)
    margin = " " * _LABEL
    steps: list[str] = []
    for step in result.next_steps:
        steps += wrapped(for_terminal(f"{step.text}:" if step.command else step.text), width, indent=margin)
        steps += [margin + for_terminal(step.command)] if step.command else []
    for label, lines in (("Reports", [margin + for_terminal(path) for path in report_paths]), ("Next", steps)):
        if lines:
            yield from (paint(label, Colour.DIM) + lines[0][len(label) :], *lines[1:])
