"""How cases failed that turn the check red, for the comment on a pull request. All text is neutralised."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from planner.quantities import count, some
from planner.reports.case_phrasing import change_word, reason
from planner.reports.neutral import for_markdown, markdown_code
from planner.reports.redaction import Redactor
from planner.results.model import CaseResult
from planner.results.outcomes import CaseState, RequiredCheck
from planner.values import frozen

_SHOWN_WAYS: Final = 10
_NUMBER: Final = re.compile(r"\d+(?:[.,:]\d+)*")
_QUOTE_CHARACTERS: Final = 600
_WITHOUT_OUTCOME: Final = {
    CaseState.TO_COLLECT: "To collect",
    CaseState.TO_JUDGE: "To judge",
    CaseState.UNDECIDED: "Undecided",
}


@frozen
class _Failure:
    """How a case failed, as Markdown."""

    verb: str
    counts: str
    message: str = ""
    quote: str = ""

    @property
    def way(self) -> str:
        """Equal in cases that fail in the same way, whether after 41 or 43 seconds."""
        return _NUMBER.sub("0", f"{self.verb} {self.message}")


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
    groups: dict[str, dict[str, _Failure]] = {}
    for case in judged:
        if case.case_id in red:
            failure = _failure(case, redactor)
            groups.setdefault(failure.way, {})[names[case.case_id]] = failure
    by_size = sorted(groups.values(), key=lambda group: -len(group))
    for group in by_size[:_SHOWN_WAYS]:
        yield from _way_to_fail(group, listed)
    left_out = sum(map(len, by_size[_SHOWN_WAYS:]))
    if left_out:
        yield f"{count(left_out, 'more case')} failed in other ways: see report.html"


def _way_to_fail(group: Mapping[str, _Failure], listed: int) -> Iterator[str]:
    """Cases that failed in the same way: the first one's message and quote, and their names."""
    first, failure = next(iter(group.items()))
    if len(group) == 1:
        yield f"**{markdown_code(first)}** {failure.verb}: {failure.counts}"
        yield from filter(None, (failure.message, failure.quote))
        return
    counts = {each.counts for each in group.values()}
    yield f"**{count(len(group), 'case')}** {failure.verb}" + (f": {failure.counts}" if len(counts) == 1 else "")
    is_example = len({each.message for each in group.values()}) > 1
    message = f"{markdown_code(first)}: {failure.message}" if is_example else failure.message
    yield from filter(None, (message, failure.quote))
    shown = max(1, listed)
    names = "\n".join(f"- {markdown_code(name)}" for name in list(group)[:shown])
    more = [f"*{len(group) - shown:,} more*"] if len(group) > shown else []
    summary = f"<details><summary>These cases ({len(group):,})</summary>"
    yield "\n\n".join([summary, names, *more, "</details>"])


def _failure(case: CaseResult, redactor: Redactor) -> _Failure:
    passed, counted = case.counts
    before = f", before {case.before.runs_passed}/{case.before.runs_countable}" if case.before else ""
    verb = "failed" if case.changed == "new" else change_word(case)
    counts = f"{passed}/{counted} passed{before}"
    findings = (finding for run in case.runs for finding in run.findings)
    failed = next((finding for finding in findings if finding.outcome == "failed"), None)
    if failed is None:
        return _Failure(verb, counts)
    message = for_markdown(redactor.text(failed.message)[:_QUOTE_CHARACTERS])
    if (quote := failed.quote) is None:
        return _Failure(verb, counts, message)
    words = redactor.text(quote.text)[:_QUOTE_CHARACTERS]
    return _Failure(verb, counts, message, f"> turn {quote.turn}, {quote.role}: {for_markdown(words)}")


def render_undecided(
    check: RequiredCheck, judged: Sequence[CaseResult], names: Mapping[str, str], redactor: Redactor, listed: int
) -> Iterator[str]:
    """Each reason why cases have no outcome, with these cases."""
    for case_state, label in _WITHOUT_OUTCOME.items():
        groups: dict[str, list[str]] = {}
        for case in judged:
            if case.case_id in check.cases.get(case_state, ()):
                why = for_markdown(redactor.text(reason(case))[:_QUOTE_CHARACTERS])
                groups.setdefault(why, []).append(markdown_code(names[case.case_id]))
        for why, cases in groups.items():
            yield f"{label}: {some(cases, max(1, listed))}: {why}"
