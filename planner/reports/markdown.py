"""`report.md`: for a job summary, a pull request or an e-mail. Headline first, then failures, the rest folded.

The text stays under `max_bytes`: it is rendered with less and less detail until it fits, and says what is omitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.quantities import count, shortened
from planner.reports import case_phrasing, phrasing
from planner.reports.agents import result_notes
from planner.reports.neutral import for_markdown, markdown_block, markdown_code, markdown_prose
from planner.results.model import CaseResult, Finding, JudgedRun, Quote, RunResult
from planner.values import frozen

MAX_BYTES = 1_000_000
"""A job summary may have 1 MiB per step, shared with other output."""

_MARKS = {
    "failed": "❌",
    "unknown": "❔",
    "quarantined": "🚧",
    "flaky": "⚠️",
    "passed": "✅",
    "refused": "✋",
    "interrupted": "⏹️",
}
_SHOWN_EXPECTATIONS = 6
_FOLD_FROM = 10
"""More passed cases than this are folded."""


@frozen
class _Detail:
    """Limits: cases in full, runs per case, findings per run, characters per text, table rows, list items."""

    cases: int
    runs: int
    findings: int
    characters: int
    rows: int
    listed: int

    def text(self, text: str) -> str:
        return for_markdown(shortened(text, self.characters))

    def prose(self, text: str) -> str:
        return markdown_prose(shortened(text, self.characters))


_DETAILS = (
    _Detail(cases=20, runs=5, findings=8, characters=600, rows=10_000, listed=100),
    _Detail(cases=10, runs=3, findings=4, characters=400, rows=2_000, listed=50),
    _Detail(cases=10, runs=2, findings=3, characters=240, rows=200, listed=20),
    _Detail(cases=5, runs=1, findings=1, characters=120, rows=0, listed=5),
)


def render(result: RunResult, *, max_bytes: int = MAX_BYTES) -> str:
    """The report as GitHub-flavoured Markdown of at most `max_bytes` of UTF-8 (at least 4,000)."""
    blocks: list[str] = []
    for detail in _DETAILS:
        blocks = list(_blocks(result, detail))
        if _size(blocks) <= max_bytes:
            break
    note = "*Omitted because it is too long: see `results.json`.*"
    while _size(blocks) > max_bytes and max(map(len, blocks)) > len(note):  # a single text is enormous
        blocks[max(range(len(blocks)), key=lambda index: len(blocks[index]))] = note
    return "\n\n".join(blocks) + "\n"


def _size(blocks: Sequence[str]) -> int:
    return len("\n\n".join(blocks).encode()) + 1


def _blocks(result: RunResult, detail: _Detail) -> Iterator[str]:
    yield f"# {_MARKS[result.outcome]} {phrasing.title(result)}"
    if note := phrasing.sandbox_note(result):
        yield f"> **Sandbox.** {note}"
    yield f"**{detail.prose(phrasing.meaning(result))}** (exit code {result.exit_code})"
    if problems := [*phrasing.problems(result), *(f"⚠️ {warning}" for warning in result.warnings)]:
        yield _list([detail.prose(problem) for problem in problems], detail)
    yield _list([f"**{label}:** {markdown_prose(text)}" for label, text in phrasing.facts(result)], detail)
    if failed := case_phrasing.what_failed(result, min(_SHOWN_EXPECTATIONS, detail.findings), detail.characters):
        yield from ("## What failed", _list([markdown_prose(line) for line in failed], detail))
    for note in result_notes(result):
        yield markdown_prose(note.sentence)
        yield markdown_block("\n".join(note.lines), "diff")
    for outcome in case_phrasing.OUTCOMES[:-1]:
        yield from _cases_in_full(result, outcome, detail)
    yield from _table(result, detail)
    for title, lines in phrasing.sections(result):
        yield from (f"## {title}", _list([markdown_prose(line) for line in lines], detail))


def _cases_in_full(result: RunResult, outcome: str, detail: _Detail) -> Iterator[str]:
    cases = case_phrasing.with_outcome(result, outcome)
    if not cases:
        return
    yield f"## {outcome.capitalize()} ({len(cases):,})"
    leaders = [group[0] for group in case_phrasing.group_similar(cases)][: detail.cases]
    for case in leaders:
        yield from _case(case, detail)
    if len(cases) > len(leaders):
        more = count(len(cases) - len(leaders), f"more {outcome} case")
        yield f"*{more}: see {'the table of all cases' if detail.rows else '`results.json`'}.*"


def _case(case: CaseResult, detail: _Detail) -> Iterator[str]:
    reason, *facts = case_phrasing.facts(case)
    facts = [for_markdown(fact) for fact in (*facts, case_phrasing.rates(case)) if fact]
    facts += [markdown_code(f"{case.file}:{case.line}")] if case.file else []
    yield f"### {_MARKS[case_phrasing.shown_outcome(case)]} {markdown_code(case.case_id)}"
    yield " · ".join([f"**{detail.text(reason)}**", *facts])
    if "\n" in case.detail:
        yield markdown_block(case.detail, "diff")
    runs = case_phrasing.runs_to_show(case)
    items = [_run(run, detail) for run in runs[: detail.runs]]
    if len(runs) > detail.runs:
        items.append(f"- *{count(len(runs) - detail.runs, 'more run')} with findings*")
    if items:
        yield "\n".join(items)


def _run(run: JudgedRun, detail: _Detail) -> str:
    reason = case_phrasing.run_reason(run)
    reason = f": {detail.text(reason)}" if reason else ""
    lines = [f"- **{for_markdown(case_phrasing.run_outcome(run))}**{reason}  ", f"  {case_phrasing.run_facts(run)}"]
    quoted: set[Quote] = set()
    lines += _quote(run.cause_quote, quoted, detail)
    findings = case_phrasing.open_findings(run)
    for finding in findings[: detail.findings]:
        lines.append(f"  - {_name(finding)}: {detail.text(finding.message)}")
        lines += _quote(finding.quote, quoted, detail)
    if len(findings) > detail.findings:
        lines.append(f"  - *{count(len(findings) - detail.findings, 'more finding')}*")
    return "\n".join(lines)


def _name(finding: Finding) -> str:
    label = for_markdown(case_phrasing.finding_label(finding).strip())
    return f"{markdown_code(finding.expectation)}{label and f' {label}'}"


def _quote(quote: Quote | None, quoted: set[Quote], detail: _Detail) -> list[str]:
    if quote is None:
        return []
    return ["", f"    > {for_markdown(case_phrasing.quote_text(quote, quoted, detail.characters))}", ""]


def _table(result: RunResult, detail: _Detail) -> Iterator[str]:
    ranked = case_phrasing.worst_first(result.cases)
    if not ranked:
        return
    passed = [case for case in ranked if case.outcome == "passed"]
    others = [case for case in ranked if case.outcome != "passed"]
    yield f"## All cases ({len(ranked):,})"
    if detail.rows == 0:
        yield "*See `results.json`.*"
    elif len(passed) <= _FOLD_FROM:
        yield from _rows(ranked, detail.rows)
    else:
        yield from _rows(others, detail.rows)
        yield f"<details><summary>{count(len(passed), 'passed case')}</summary>"
        yield from _rows(passed, max(1, detail.rows - len(others)))
        yield "</details>"


def _rows(cases: Sequence[CaseResult], rows: int) -> Iterator[str]:
    lines = [
        "| Case | Outcome | Compared | Runs passed (95 % interval) | Cost | Why |",
        "| --- | --- | --- | --- | ---: | --- |",
    ]
    for case in cases[:rows]:
        outcome = case_phrasing.shown_outcome(case)
        cells = [
            markdown_code(case.case_id, in_table=True),
            ", ".join(filter(None, [f"{_MARKS[outcome]} {outcome}", case_phrasing.cannot_fail(case)])),
            for_markdown(case_phrasing.compared(case)),
            case_phrasing.runs_passed(case),
            case_phrasing.case_cost(case),
            for_markdown(case_phrasing.why(case)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if cases:
        yield "\n".join(lines)
    if len(cases) > rows:
        yield f"*{count(len(cases) - rows, 'more case')}: see `results.json`.*"


def _list(lines: Sequence[str], detail: _Detail) -> str:
    shown = [f"- {line}" for line in lines[: detail.listed]]
    if len(lines) > detail.listed:
        shown.append(f"- *{len(lines) - detail.listed:,} more*")
    return "\n".join(shown)
