"""The comment on a pull request: what would be called and why, or how it went. All text is neutralised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from planner.changes.consent import ceiling_of
from planner.reports.change_set import Preview, changes_markdown
from planner.reports.neutral import for_markdown, markdown_block, markdown_code
from planner.reports.quantities import count, money, money_range
from planner.reports.redaction import Redactor
from planner.results.model import CaseResult
from planner.results.required_check import CaseState, RequiredCheck, State

_MAX_CHARACTERS: Final = 58_000
_LISTED: Final = (300, 100, 30, 5, 0)
"""Cases listed in each folded part: reduced until the text fits."""
_QUOTED: Final = 10
_QUOTE_CHARACTERS: Final = 600
CALL_WORKFLOW: Final = "phone-plans-call.yml"
_SIGNS: Final = {State.SUCCESS: "✅", State.FAILURE: "❌", State.PENDING: "⏳"}


@dataclass(frozen=True, slots=True)
class PullRequest:
    """`number` and `commit` are "" if unknown; `actions_url` is the page of the workflow that makes the calls."""

    number: str = ""
    commit: str = ""
    base: str = ""
    actions_url: str = ""
    run_url: str = ""
    """The job that made calls, which keeps the reports; "" for a job that makes none."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """Who agreed to the newest session of the pull request, and what it was billed so far."""

    by: str
    max_cost_cents: int | None
    cost_cents: int


def render_comment(
    preview: Preview,
    check: RequiredCheck,
    judged: Sequence[CaseResult],
    names: Mapping[str, str],
    pull: PullRequest,
    agreed: Agreed | None,
) -> str:
    """Markdown below GitHub's limit for comments. `judged` are the results by today's expectations."""
    text = ""
    for listed in _LISTED:
        blocks = [_headline(preview, check), _facts(preview, check, pull), _agreed(agreed, pull)]
        blocks += _known_failing(check, names, pull, listed)
        blocks += _failures(check, judged, names, preview.redactor)
        blocks += changes_markdown(preview, listed)
        blocks += _how_to_call(preview, check, pull)
        text = "\n\n".join(filter(None, blocks)) + "\n"
        if len(text) <= _MAX_CHARACTERS:
            break
    return text


def _headline(preview: Preview, check: RequiredCheck) -> str:
    estimate = preview.change_set.estimate
    if not check.calls:
        return f"### {_SIGNS[check.state]} {for_markdown(check.description)}"
    price = "cost unknown"
    if estimate.expected_cents is not None:
        spread = money_range(estimate.low_cents, estimate.high_cents)
        price = f"{money(estimate.expected_cents)} expected ({spread})"
    return f"### 📞 {count(estimate.calls, 'call')} to make · {for_markdown(price)}"


def _facts(preview: Preview, check: RequiredCheck, pull: PullRequest) -> str:
    commit = f" for {markdown_code(pull.commit[:7])}" if pull.commit else ""
    parts = [f"Results{commit}."] if commit and not check.calls else []
    if check.calls:
        called = f"{count(check.open_calls, 'call')} in progress" if check.open_calls else "Nothing called yet"
        parts.append(f"{called}{commit}. Change set {markdown_code(check.digest.removeprefix('sha256:')[:12])}.")
    if preview.refused is not None:
        why, fix = map(for_markdown, preview.refused)
        parts.append(f"\n\n✋ **`planner run` would refuse this:** {why}. {fix}")
    return " ".join(parts)


def _agreed(agreed: Agreed | None, pull: PullRequest) -> str:
    parts: list[str] = []
    if agreed is not None and agreed.by:  # as code: nobody is mentioned
        ceiling = f" up to {for_markdown(money(agreed.max_cost_cents))}" if agreed.max_cost_cents is not None else ""
        cost = for_markdown(money(agreed.cost_cents))
        parts.append(f"Last calls: {cost}, agreed by {markdown_code(agreed.by)}{ceiling}.")
    if pull.run_url:
        parts.append(f"[Job and reports]({pull.run_url})")
    return " ".join(parts)


def _known_failing(check: RequiredCheck, names: Mapping[str, str], pull: PullRequest, listed: int) -> list[str]:
    known = check.cases.get(CaseState.KNOWN_FAILING, ())
    if not known:
        return []
    where = markdown_code(pull.base) if pull.base else "the base branch"
    shown = ", ".join(markdown_code(names[case_id]) for case_id in known[:listed])
    more = f" and {len(known) - listed:,} more" if len(known) > listed else ""
    return [f"Already failing on {where}: {shown}{more}"]


def _failures(
    check: RequiredCheck, judged: Sequence[CaseResult], names: Mapping[str, str], redactor: Redactor
) -> Iterator[str]:
    red = {
        case_id for case_state in (CaseState.REGRESSED, CaseState.FAILED) for case_id in check.cases.get(case_state, ())
    }
    shown = [case for case in judged if case.case_id in red]
    for case in shown[:_QUOTED]:
        passed, counted = case.counts
        before = f", before {case.before.runs_passed}/{case.before.runs_countable}" if case.before else ""
        what = "regressed" if case.compared == "regressed" else case.outcome
        yield f"**{markdown_code(names[case.case_id])}** {what}: {passed}/{counted} passed{before}"
        yield from _quote(case, redactor)
    if (more := len(shown) - _QUOTED) > 0:
        yield f"{count(more, 'more case')} failed: see report.html"


def _quote(case: CaseResult, redactor: Redactor) -> Iterator[str]:
    """The first failed expectation, and the turn that shows it."""
    for run in case.runs:
        for finding in run.findings:
            if finding.outcome == "failed":
                yield for_markdown(redactor.text(finding.message)[:_QUOTE_CHARACTERS])
                if finding.quote is not None:
                    quote = finding.quote
                    words = redactor.text(quote.text)[:_QUOTE_CHARACTERS]
                    yield markdown_block(f"turn {quote.turn}, {quote.role}: {words}")
                return


def _how_to_call(preview: Preview, check: RequiredCheck, pull: PullRequest) -> list[str]:
    if not check.calls or not pull.number or preview.refused is not None:
        return []
    cost = ceiling_of(preview.change_set, already_spent_cents=preview.spent_cents) or "DOLLARS"
    command = (
        f"gh workflow run {CALL_WORKFLOW} -f pull-request={pull.number} -f digest={check.digest} -f max-cost={cost}"
    )
    link = f"[Run workflow]({pull.actions_url})" if pull.actions_url else "run the workflow"
    return [f"**To call:** {link} with pull request `{pull.number}` and this digest, or", markdown_block(command, "sh")]
