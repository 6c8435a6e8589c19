"""`report.md`: for a job summary, a pull request or an e-mail. Headline first, then failures, the rest folded.

The text stays under `max_bytes`: it is rendered with less and less detail until it fits, and says what is omitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from planner.reports import case_phrasing, phrasing, verdict_phrasing
from planner.reports.failed_expectations import failed_expectations, in_how_many
from planner.reports.neutral import for_markdown, markdown_block, markdown_code, markdown_prose
from planner.reports.quantities import count
from planner.reports.sandbox_note import sandbox_note
from planner.results.model import CaseDocument, FindingDocument, QuoteDocument, RunDocument, RunResult

MAX_BYTES = 1_000_000
"""A job summary may have 1 MiB per step, shared with other output."""

MARKS = {"failed": "❌", "unknown": "❔", "quarantined": "🚧", "flaky": "⚠️", "passed": "✅"}
_OUTCOME_MARKS = {"passed": "✅", "failed": "❌", "unknown": "❔", "refused": "✋", "interrupted": "⏹️"}
_FOLD_FROM = 10
"""More passed cases than this are folded."""
_OPEN_CASES = 10
"""Cases shown in full, one of each group, before the others are folded."""
_SHOWN_EXPECTATIONS = 6


@dataclass(frozen=True, slots=True)
class _Detail:
    """Limits: cases in full, runs per case, findings per run, characters per text, table rows, list items."""

    cases: int
    runs: int
    findings: int
    characters: int
    rows: int
    listed: int


_DETAILS = (
    _Detail(cases=50, runs=5, findings=8, characters=600, rows=10_000, listed=100),
    _Detail(cases=25, runs=3, findings=4, characters=400, rows=2_000, listed=50),
    _Detail(cases=20, runs=2, findings=3, characters=240, rows=200, listed=20),
    _Detail(cases=10, runs=1, findings=2, characters=160, rows=50, listed=10),
    _Detail(cases=5, runs=1, findings=1, characters=120, rows=0, listed=5),
)


def render(result: RunResult, *, max_bytes: int = MAX_BYTES) -> str:
    """The report as GitHub-flavoured Markdown of at most `max_bytes` of UTF-8 (at least 4,000)."""
    text = ""
    for detail in _DETAILS:
        text = _joined(_blocks(result, detail))
        if _size(text) <= max_bytes:
            return text
    return _without_largest(_blocks(result, _DETAILS[-1]), max_bytes)


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join(blocks) + "\n"


def _size(text: str) -> int:
    return len(text.encode())


def _without_largest(blocks: list[str], max_bytes: int) -> str:
    """The last resort for enormous texts: omit the largest blocks one by one."""
    note = "*Omitted because it is too long: see `results.json`.*"
    while _size(_joined(blocks)) > max_bytes and max(map(_size, blocks)) > _size(note):
        largest = max(range(len(blocks)), key=lambda index: _size(blocks[index]))
        blocks[largest] = note
    return _joined(blocks)


def _blocks(result: RunResult, detail: _Detail) -> list[str]:
    return [
        *_head(result, detail),
        *_what_failed(result, detail),
        *_cases_in_full(result, detail, "failed", "Failed"),
        *_cases_in_full(result, detail, "flaky", "Flaky"),
        *_cases_in_full(result, detail, "quarantined", "Quarantined"),
        *_warnings(result, detail),
        *_table(result, detail),
        *_cases_in_full(result, detail, "unknown", "Unknown"),
        *_not_called(result, detail),
        *_open_launches(result, detail),
        *_next_steps(result, detail),
        *_cost(result),
        *_consent(result),
        *_invocation(result),
    ]


def _head(result: RunResult, detail: _Detail) -> list[str]:
    blocks = [f"# {_OUTCOME_MARKS[result.outcome]} {verdict_phrasing.verdict(result)}: {phrasing.headline(result)}"]
    if note := sandbox_note(result):
        blocks.append(f"> **Sandbox.** {note}")
    blocks.append(f"**{verdict_phrasing.meaning(result)}** (exit code {result.exit_code})")
    counts = phrasing.outcome_counts(result)
    blocks.append(" · ".join(filter(None, [counts, phrasing.scope(result, for_markdown)])))
    whole = [phrasing.suite(result.suite), phrasing.repeated(result)]
    blocks += [for_markdown(line) for line in whole if line]
    if set_aside := phrasing.fresh(result.fresh, for_markdown):
        blocks.append(f"**Fresh:** {set_aside}")
    if result.problems:
        blocks.append(_list([_prose(problem, detail) for problem in result.problems], detail))
    if result.warnings:
        blocks.append(_list([f"⚠️ {_prose(warning, detail)}" for warning in result.warnings], detail))
    return blocks


def _what_failed(result: RunResult, detail: _Detail) -> list[str]:
    """One line per failed expectation."""
    failed = failed_expectations(case_phrasing.worst_first(result.cases))
    if not failed:
        return []
    shown = failed[: min(_SHOWN_EXPECTATIONS, detail.findings)]
    quoted: set[QuoteDocument] = set()
    lines: list[str] = []
    for one in shown:
        label = case_phrasing.finding_label(one.finding)
        aside = f" ({for_markdown(label)})" if label else ""
        place = f" · {markdown_code(one.place)}" if one.place else ""
        message = _text(one.finding.message, detail)
        lines.append(f"- {markdown_code(one.finding.expectation)}{aside} {in_how_many(one)}: {message}{place}")
        if one.finding.quote is not None:
            lines += [line.removeprefix("  ") for line in _quote(one.finding.quote, quoted, detail)]
    if len(failed) > len(shown):
        lines.append(f"- *{count(len(failed) - len(shown), 'more expectation')}*")
    return ["## What failed", "\n".join(lines).rstrip("\n")]


def _cases_in_full(result: RunResult, detail: _Detail, outcome: str, title: str) -> list[str]:
    cases = case_phrasing.with_outcome(result, outcome)
    if not cases:
        return []
    blocks = [f"## {title} ({len(cases):,})"]
    groups = case_phrasing.group_similar(cases)
    leaders = [group[0] for group in groups][: min(_OPEN_CASES, detail.cases)]
    for case in leaders:
        blocks += _case(case, detail)
    others = [case for case in cases if all(case is not leader for leader in leaders)]
    folded = others[: detail.cases - len(leaders)]
    if folded:
        blocks.append(f"<details><summary>{count(len(folded), f'more {outcome} case')}</summary>")
        for case in folded:
            blocks += _case(case, detail)
        blocks.append("</details>")
    if len(cases) > detail.cases:
        more = count(len(cases) - detail.cases, f"more {outcome} case")
        blocks.append(f"*{more}: {'see the table of all cases' if detail.rows else 'see `results.json`'}.*")
    return blocks


def _case(case: CaseDocument, detail: _Detail) -> list[str]:
    place = markdown_code(f"{case.file}:{case.line}") if case.file else ""
    facts = [
        for_markdown(case_phrasing.compared_in_full(case)),
        for_markdown(case_phrasing.failing_since(case)),
        case_phrasing.interval(case),
        case_phrasing.settled(case),
        for_markdown(case_phrasing.pool(case)),
        for_markdown(case_phrasing.why_in_full(case)),
        case_phrasing.rates(case, for_markdown),
        place,
    ]
    blocks = [
        f"### {MARKS[case_phrasing.standing(case)]} {markdown_code(case.case_id)}",
        f"**{_text(case_phrasing.reason(case), detail)}** · {' · '.join(filter(None, facts))}",
    ]
    if "\n" in case.detail:
        blocks.append(markdown_block(case.detail, "diff"))
    runs = case_phrasing.runs_to_show(case)
    items = [_run(run, detail) for run in runs[: detail.runs]]
    if len(runs) > detail.runs:
        items.append(f"- *{count(len(runs) - detail.runs, 'more run')} with findings*")
    if items:
        blocks.append("\n".join(items))
    return blocks


def _run(run: RunDocument, detail: _Detail) -> str:
    reason = case_phrasing.run_reason(run)
    reason = f": {_text(reason, detail)}" if reason else ""
    cause = case_phrasing.cause(run)
    lines = [
        f"- **{for_markdown(case_phrasing.run_outcome(run))}**{f', {cause}' if cause else ''}{reason}  ",
        f"  {case_phrasing.run_facts(run)}",
    ]
    findings = case_phrasing.open_findings(run)
    quoted: set[QuoteDocument] = set()
    if run.fault_quote is not None:
        lines += _quote(run.fault_quote, quoted, detail)
    for finding in findings[: detail.findings]:
        lines += _finding(finding, quoted, detail)
    if len(findings) > detail.findings:
        lines.append(f"  - *{count(len(findings) - detail.findings, 'more finding')}*")
    return "\n".join(lines)


def _finding(finding: FindingDocument, quoted: set[QuoteDocument], detail: _Detail) -> list[str]:
    label = case_phrasing.finding_label(finding)
    aside = f" ({for_markdown(label)})" if label else ""
    lines = [f"  - {markdown_code(finding.expectation)}{aside}: {_text(finding.message, detail)}"]
    if finding.quote is not None:
        lines += _quote(finding.quote, quoted, detail)
    return lines


def _quote(quote: QuoteDocument, quoted: set[QuoteDocument], detail: _Detail) -> list[str]:
    place = for_markdown(case_phrasing.quote_place(quote))
    words = case_phrasing.quote_words(quote, for_markdown, quoted, detail.characters)
    return ["", f"    > {place}: {words}", ""]


def _warnings(result: RunResult, detail: _Detail) -> list[str]:
    lines = phrasing.warnings(result, markdown_code)
    return ["## Warnings", _list(lines, detail)] if lines else []


def _table(result: RunResult, detail: _Detail) -> list[str]:
    if not result.cases:
        return []
    ranked = case_phrasing.worst_first(result.cases)
    open_cases = [case for case in ranked if case.outcome != "passed"]
    passed = [case for case in ranked if case.outcome == "passed"]
    blocks = [f"## All cases ({len(ranked):,})"]
    if detail.rows == 0:
        return [*blocks, _by_scenario(result, detail)]
    folded = len(passed) > _FOLD_FROM
    shown_first = open_cases if folded else [*open_cases, *passed]
    if shown_first:
        blocks += _rows(shown_first, detail.rows)
    if folded:
        left = max(1, detail.rows - len(open_cases))
        blocks += [
            f"<details><summary>{count(len(passed), 'passed case')}</summary>",
            *_rows(passed, left),
            "</details>",
        ]
    return blocks


def _rows(cases: Sequence[CaseDocument], rows: int) -> list[str]:
    lines = [
        "| Case | Outcome | Compared | Runs passed (95 % interval) | Cost | Why |",
        "| --- | --- | --- | --- | ---: | --- |",
    ]
    for case in cases[:rows]:
        standing = case_phrasing.standing(case)
        cells = [
            markdown_code(case.case_id, in_table=True),
            f"{MARKS[standing]} {standing}",
            for_markdown(case_phrasing.compared(case)),
            case_phrasing.runs_passed(case),
            case_phrasing.case_cost(case),
            for_markdown(case_phrasing.why(case)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    blocks = ["\n".join(lines)]
    if len(cases) > rows:
        blocks.append(f"*{count(len(cases) - rows, 'more case')}: see `results.json`.*")
    return blocks


def _by_scenario(result: RunResult, detail: _Detail) -> str:
    """The outcomes of each scenario, if there is no room for one row per case."""
    scenarios: dict[str, list[CaseDocument]] = {}
    for case in result.cases:
        scenarios.setdefault(f"{case.plan}/{case.scenario}", []).append(case)
    lines = [
        f"{markdown_code(name)}: {sum(case.outcome == 'passed' for case in cases):,} of {count(len(cases), 'case')} passed"
        for name, cases in scenarios.items()
    ]
    return _list(lines, detail)


def _not_called(result: RunResult, detail: _Detail) -> list[str]:
    lines: list[str] = []
    for label, number, origins in phrasing.carried(result):
        made_by = f", runs of {phrasing.some([markdown_code(origin) for origin in origins], 3)}" if origins else ""
        lines.append(f"{count(number, 'case')} {for_markdown(label)}{made_by}")
    lines += [
        f"{markdown_code(dropped.case_id)} dropped: {_text(case_phrasing.reason_label(dropped.reason), detail)}"
        for dropped in result.dropped
    ]
    return ["## Not called", _list(lines, detail)] if lines else []


def _open_launches(result: RunResult, detail: _Detail) -> list[str]:
    if not result.open_launches:
        return []
    lines: list[str] = []
    for launch in result.open_launches:
        cases = phrasing.some([markdown_code(case_id) for case_id in launch.cases], 3)
        note = f"; {_text(launch.detail, detail)}" if launch.detail else ""
        lines.append(
            f"{markdown_code(launch.launch_id)} · {phrasing.launch_facts(launch, for_markdown)}: {cases}{note}"
        )
    return ["## Unconfirmed launches", _list(lines, detail)]


def _next_steps(result: RunResult, detail: _Detail) -> list[str]:
    if not result.next_steps:
        return []
    lines: list[str] = []
    for line in result.next_steps:
        prose, command = phrasing.step(line)
        lines.append(" ".join(filter(None, [markdown_prose(prose), markdown_code(command)])))
    return ["## Next steps", _list(lines, detail)]


def _cost(result: RunResult) -> list[str]:
    details = [f"- {line}" for line in phrasing.cost_details(result)]
    simulated = " (simulated)" if result.sandbox else ""
    return ["## Cost", "\n".join([f"- **{phrasing.cost(result)}**{simulated}", *details])]


def _consent(result: RunResult) -> list[str]:
    lines = [f"- {phrasing.consent(result, for_markdown)}"]
    if result.change_set_digest:
        lines.append(f"- change set {markdown_code(result.change_set_digest)}")
    if result.consent.given and result.consent.digest != result.change_set_digest:
        lines.append(f"- consented to {markdown_code(result.consent.digest or 'no digest')}")
    return ["## Consent", "\n".join(lines)]


def _invocation(result: RunResult) -> list[str]:
    lines = [
        f"- {markdown_code(result.invocation_id)}, planner {markdown_code(result.tool_version)}",
        f"- {phrasing.moment(result.started_at)} to {phrasing.moment(result.ended_at)}",
        f"- {phrasing.numbers(result)}",
    ]
    if excluded := phrasing.not_a_baseline(result):
        lines.append(f"- {excluded}")
    return ["## Session", "\n".join(lines)]


def _text(text: str, detail: _Detail) -> str:
    return for_markdown(case_phrasing.shortened(text, detail.characters))


def _prose(text: str, detail: _Detail) -> str:
    return markdown_prose(case_phrasing.shortened(text, detail.characters))


def _list(lines: Sequence[str], detail: _Detail) -> str:
    shown = [f"- {line}" for line in lines[: detail.listed]]
    if len(lines) > detail.listed:
        shown.append(f"- *{len(lines) - detail.listed:,} more*")
    return "\n".join(shown)
