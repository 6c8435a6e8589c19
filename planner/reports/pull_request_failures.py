"""How cases failed that turn the check red, for the comment on a pull request. All text is neutralised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from planner.quantities import count
from planner.reports.neutral import for_markdown, markdown_block, markdown_code
from planner.reports.redaction import Redactor
from planner.results.model import CaseResult
from planner.results.outcomes import CaseState, RequiredCheck
from planner.values import frozen

_QUOTED: Final = 10
_QUOTE_CHARACTERS: Final = 600


@frozen
class _Failure:
    """How a case failed, as Markdown: equal in cases that fail in the same way."""

    what: str
    message: str = ""


def render_failures(
    check: RequiredCheck,
    judged: Sequence[CaseResult],
    names: Mapping[str, str],
    redactor: Redactor,
    listed: int,
) -> Iterator[str]:
    """Each way to fail once, with its cases, the most frequent first."""
    red = {
        case_id for case_state in (CaseState.REGRESSED, CaseState.FAILED) for case_id in check.cases.get(case_state, ())
    }
    groups: dict[_Failure, list[str]] = {}
    quotes: dict[_Failure, str] = {}
    for case in judged:
        if case.case_id in red:
            failure, quote = _failure(case, redactor)
            groups.setdefault(failure, []).append(names[case.case_id])
            quotes.setdefault(failure, quote)
    by_size = sorted(groups.items(), key=lambda group: -len(group[1]))
    for failure, cases in by_size[:_QUOTED]:
        who = f"**{markdown_code(cases[0])}**" if len(cases) == 1 else f"**{count(len(cases), 'case')}**"
        yield f"{who} {failure.what}"
        yield from filter(None, (failure.message, quotes[failure]))
        if len(cases) > 1:
            names_of_cases = "\n".join(f"- {markdown_code(name)}" for name in cases[: max(1, listed)])
            more = [f"*{len(cases) - listed:,} more*"] if len(cases) > max(1, listed) else []
            yield "\n\n".join(
                [f"<details><summary>These cases ({len(cases):,})</summary>", names_of_cases, *more, "</details>"]
            )
    left_out = sum(len(cases) for _, cases in by_size[_QUOTED:])
    if left_out:
        yield f"{count(left_out, 'more case')} failed in other ways: see report.html"


def _failure(case: CaseResult, redactor: Redactor) -> tuple[_Failure, str]:
    """How it failed, and the quoted turn, "" if there is none."""
    passed, counted = case.counts
    before = f", baseline {case.baseline.runs_passed}/{case.baseline.runs_countable}" if case.baseline else ""
    verb = "regressed" if case.compared == "regressed" else case.outcome
    what = f"{verb}: {passed}/{counted} passed{before}"
    findings = (finding for run in case.runs for finding in run.findings)
    failed = next((finding for finding in findings if finding.outcome == "failed"), None)
    if failed is None:
        return _Failure(what), ""
    message = for_markdown(redactor.text(failed.message)[:_QUOTE_CHARACTERS])
    if (quote := failed.quote) is None:
        return _Failure(what, message), ""
    words = redactor.text(quote.text)[:_QUOTE_CHARACTERS]
    return _Failure(what, message), markdown_block(f"turn {quote.turn}, {quote.role}: {words}")
