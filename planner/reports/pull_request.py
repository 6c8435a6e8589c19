"""The required check of a pull request, and the comment on it before, during and after calls. All text is
neutralised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from planner.changes.consent import EarlierSpending, ceiling_of
from planner.quantities import count, money, money_range, some
from planner.reports.agents import agent_notes
from planner.reports.change_set import PlanView, ShownChange, judged_otherwise, shown_changes
from planner.reports.neutral import (
    for_markdown,
    for_terminal,
    json_document,
    markdown_block,
    markdown_code,
    markdown_prose,
    picked,
)
from planner.reports.redaction import Redactor
from planner.results.model import CaseResult, StartOverDocument
from planner.results.outcomes import Action, CaseState, CheckState, RequiredCheck
from planner.values import frozen

_MAX_CHARACTERS: Final = 58_000
_LISTED: Final = (300, 100, 30, 5, 0)
"""Cases listed in each folded part: reduced until the text fits."""
_UNFOLDED: Final = 10
_QUOTED: Final = 10
_QUOTE_CHARACTERS: Final = 600
_REASON_CHARACTERS: Final = 300
_DIFF_CHARACTERS: Final = 30_000
"""Of the differences of all agents. They are never cut without saying so: somebody agrees to them."""
CALL_WORKFLOW: Final = "phone-plans-call.yml"
_SIGNS: Final = {CheckState.SUCCESS: "✅", CheckState.FAILURE: "❌", CheckState.PENDING: "⏳"}


@frozen
class PullRequest:
    """`number` and `commit` are "" if unknown; `actions_url` is the page of the workflow that makes the calls."""

    number: str = ""
    commit: str = ""
    base: str = ""
    default: str = ""
    """The default branch, whose results are the baseline of every pull request."""
    actions_url: str = ""
    run_url: str = ""
    """The job that made calls, which keeps the reports; "" for a job that makes none."""
    workflow: str = CALL_WORKFLOW
    """The workflow that makes the calls."""


@frozen
class LastCalls:
    """The newest calls of the pull request, and what all sessions with their digest were billed so far."""

    by: str
    max_cost_cents: int | None
    cost_cents: int
    interrupted: str = ""
    """The digest of the newest session, if that was interrupted."""
    start_over: StartOverDocument | None = None
    """Set if earlier results of a called case were ignored."""


def render_comment(
    preview: PlanView,
    check: RequiredCheck,
    judged: Sequence[CaseResult],
    names: Mapping[str, str],
    pull: PullRequest,
    last: LastCalls | None,
) -> str:
    """Markdown below GitHub's limit for comments. `judged` are the results by today's expectations."""
    cancelled = last is not None and check.needs_run and last.interrupted == check.digest
    agreed = _agreed(last)
    is_done = not (check.calls or cancelled)
    headline = _headline(preview, check, cancelled=cancelled) + (f" · {agreed}" if agreed and is_done else "")
    head = [headline, _facts(preview, check, pull, last), _last("" if is_done else agreed, last, pull)]
    head += [f"⚠️ {markdown_prose(preview.redactor.text(warning))}" for warning in preview.warnings]
    failures = list(_failures(check, judged, names, preview.redactor))
    foot = [*_how_to_call(preview, check, pull), *_how_to_decide(check)]
    text = ""
    for listed in _LISTED:
        known = _known_failing(check, names, pull, listed)
        uncounted = _not_counted(preview, check, judged, names, listed)
        changes = _changes(preview, listed)
        text = "\n\n".join(filter(None, [*head, known, *uncounted, *failures, *changes, *foot])) + "\n"
        if len(text) <= _MAX_CHARACTERS:
            break
    return text


def _headline(preview: PlanView, check: RequiredCheck, *, cancelled: bool) -> str:
    if cancelled:
        return f"### ⏹ Cancelled · {for_markdown(check.description)}"
    if not check.calls:
        return f"### {_SIGNS[check.state]} {for_markdown(check.description)}"
    return f"### 📞 {count(check.calls, 'call')} to make · {_price(preview)}"


def _price(preview: PlanView) -> str:
    estimate, votes = preview.change_set.estimate, preview.change_set.votes
    judge = f" plus {money(votes.expected_cents)} for judge calls" if votes is not None and votes.charged else ""
    if estimate.expected_cents is None:
        return for_markdown(f"cost unknown{judge}")
    spread = money_range(estimate.low_cents, estimate.high_cents)
    return for_markdown(f"{money(estimate.expected_cents)} expected ({spread}){judge}")


def _facts(preview: PlanView, check: RequiredCheck, pull: PullRequest, last: LastCalls | None) -> str:
    commit = f" for {markdown_code(pull.commit[:7])}" if pull.commit else ""
    parts = [f"Results{commit}."] if commit and not check.needs_run else []
    if check.open_calls:
        cents = preview.reserved_cents
        may_cost = f" and may still cost {for_markdown(money(cents))}" if cents else ""
        parts.append(
            f"{count(check.open_calls, 'call')} already made: in progress, or ended without stored results"
            f"{may_cost}. Starting the workflow again collects the results and makes none of these calls again."
        )
    elif check.calls:
        parts.append(f"These calls{commit} are not made yet." if last is not None else f"Nothing called yet{commit}.")
    if check.calls:
        parts.append(f"Change set {markdown_code(check.digest.removeprefix('sha256:')[:12])}.")
    if pull.base and pull.default not in ("", pull.base):
        base, default = markdown_code(pull.base), markdown_code(pull.default)
        parts.append(
            f"Cases without results of {base} are compared with those of {default}, whose failures are no excuse here."
        )
    if preview.refused is not None:
        why, fix = map(for_markdown, preview.refused)
        parts.append(f"\n\n✋ **`planner run` would refuse this:** {why}. {fix}")
    return " ".join(parts)


def _agreed(last: LastCalls | None) -> str:
    """`$0.64, agreed by maria up to $1.23`."""
    if last is None or not last.by:
        return ""
    ceiling = f" up to {for_markdown(money(last.max_cost_cents))}" if last.max_cost_cents is not None else ""
    return f"{for_markdown(money(last.cost_cents))}, agreed by {markdown_code(last.by)}{ceiling}"  # no mention


def _last(agreed: str, last: LastCalls | None, pull: PullRequest) -> str:
    parts = [f"Last calls: {agreed}."] if agreed else []
    if pull.run_url:
        parts.append(f"[Job and reports]({pull.run_url})")
    if last is not None and (ignored := ignored_results(last.start_over)):
        parts.append(f"\n\n{ignored}")
    return " ".join(parts)


def ignored_results(start_over: StartOverDocument | None) -> str:
    """Who ignored earlier results, and why; "" if nobody did."""
    if start_over is None:
        return ""
    reason = for_markdown(start_over.reason[:_REASON_CHARACTERS])
    return f"Earlier results were ignored, as {markdown_code(start_over.by)} asked for: {reason}"


def _changes(preview: PlanView, listed: int) -> Iterator[str]:
    """What is said of agents, then what is called, rechecked and dropped; each part lists at most `listed` cases."""
    room = _DIFF_CHARACTERS
    for note in agent_notes(preview.agents, preview.change_set, preview.redactor):
        yield markdown_prose(note.sentence)
        lines = [*_fitting(note.lines, room)]
        room -= sum(map(len, lines))
        if lines:
            yield markdown_block("\n".join(lines), "diff")
        if len(lines) < len(note.lines):
            left_out = count(len(note.lines) - len(lines), "more line")
            yield f"✋ {left_out} of this change do not fit into a comment: {markdown_code('planner plan')} shows all."
    calls, rechecks, drops = (shown_changes(preview, action) for action in (Action.CALL, Action.RECHECK, Action.DROP))
    moved = [change for change in (*calls, *rechecks) if change.moved]
    blocks = [
        block
        for change in moved[:listed]
        for block in (markdown_code(change.name), markdown_block("\n".join(change.moved), "diff"))
    ]
    charged = preview.change_set.votes is not None and preview.change_set.votes.charged
    if calls and len(calls) <= min(_UNFOLDED, listed):
        yield from _table(calls, listed)
    else:
        yield from _folded("Why each case is called", calls, _table(calls, listed), listed)
    yield from _folded("What changed", moved, blocks, listed)
    recheck = f"Stored runs to recheck{'' if charged else ', free'}"
    yield from _folded(recheck, rechecks, _table(rechecks, listed), listed)
    yield from _folded("Dropped", drops, _table(drops, listed), listed)


def _fitting(lines: Sequence[str], room: int) -> Iterator[str]:
    for line in lines:
        room -= len(line)
        if room < 0:
            return
        yield line


def _folded(title: str, changes: Sequence[ShownChange], content: list[str], listed: int) -> list[str]:
    if not changes:
        return []
    left_out = len(changes) - listed
    more = [f"*{left_out:,} more: `planner plan` shows all.*"] if left_out > 0 else []
    return [f"<details><summary>{title} ({len(changes):,})</summary>", *content, *more, "</details>"]


def _table(changes: Sequence[ShownChange], listed: int) -> list[str]:
    lines = ["| | Case | Why |", "| --- | --- | --- |"]
    for change in changes[:listed]:
        calls = f" ({change.what})" if change.sign in ("+", "~") else ""
        name = markdown_code(change.name, in_table=True)
        lines.append(f"| `{change.sign}` | {name} | {for_markdown(change.why)}{calls} |")
    return ["\n".join(lines)] if listed else []


def _known_failing(check: RequiredCheck, names: Mapping[str, str], pull: PullRequest, listed: int) -> str:
    known = [markdown_code(names[case_id]) for case_id in check.cases.get(CaseState.KNOWN_FAILING, ())]
    where = markdown_code(pull.base) if pull.base else "the base branch"
    return f"Already failing on {where}: {some(known, listed)}" if known else ""


def _not_counted(
    preview: PlanView, check: RequiredCheck, judged: Sequence[CaseResult], names: Mapping[str, str], listed: int
) -> Iterator[str]:
    """The failures that do not turn the check red: of quarantined and flaky cases, and by expectations that changed
    since."""
    counts = {case.case_id: case.counts for case in judged}
    earlier = {
        change.case_id: change.prior.counts
        for change in preview.change_set.with_action(Action.RECHECK)
        if change.prior and change.prior.outcome == "failed" and judged_otherwise(change) is change.prior
    }
    groups = {
        "Quarantined": {case_id: counts[case_id] for case_id in check.cases.get(CaseState.QUARANTINED, ())},
        "Flaky": {case_id: counts[case_id] for case_id in check.flaky},
        "Failed before the expectations changed": earlier,
    }
    for label, cases in groups.items():
        shown = [
            f"{markdown_code(names[case_id])} ({passed} of {count(counted, 'run')} passed)"
            for case_id, (passed, counted) in cases.items()
        ]
        if shown:
            yield f"{label}: {some(shown, listed)}"


def _failures(
    check: RequiredCheck, judged: Sequence[CaseResult], names: Mapping[str, str], redactor: Redactor
) -> Iterator[str]:
    red = {
        case_id for case_state in (CaseState.REGRESSED, CaseState.FAILED) for case_id in check.cases.get(case_state, ())
    }
    shown = [case for case in judged if case.case_id in red]
    for case in shown[:_QUOTED]:
        passed, counted = case.counts
        before = f", baseline {case.baseline.runs_passed}/{case.baseline.runs_countable}" if case.baseline else ""
        what = "regressed" if case.compared == "regressed" else case.outcome
        yield f"**{markdown_code(names[case.case_id])}** {what}: {passed}/{counted} passed{before}"
        findings = (finding for run in case.runs for finding in run.findings)
        if (failed := next((finding for finding in findings if finding.outcome == "failed"), None)) is not None:
            yield for_markdown(redactor.text(failed.message)[:_QUOTE_CHARACTERS])
            if (quote := failed.quote) is not None:
                words = redactor.text(quote.text)[:_QUOTE_CHARACTERS]
                yield markdown_block(f"turn {quote.turn}, {quote.role}: {words}")
    if (more := len(shown) - _QUOTED) > 0:
        yield f"{count(more, 'more case')} failed: see report.html"


def _how_to_call(preview: PlanView, check: RequiredCheck, pull: PullRequest) -> list[str]:
    if not check.needs_run or not pull.number or preview.refused is not None:
        return []
    cost = ceiling_of(preview.change_set, EarlierSpending(spent_cents={"": preview.spent_cents})) or "DOLLARS"
    link = f"[Run workflow]({pull.actions_url})" if pull.actions_url else "run the workflow"
    what = "To call" if check.calls else "To collect the results"
    command = call_command(pull, check.digest, cost)
    how = f"**{what}:** {link} with pull request `{pull.number}` and the digest of this command, or run it:"
    return [how, markdown_block(command, "sh")]


def _how_to_decide(check: RequiredCheck) -> list[str]:
    if not check.call_undecided:
        return []
    how = "**Undecided cases** are not called again by default. Change their expectations, or call them (charged):"
    return [how, markdown_block(check.call_undecided, "sh")]


def call_command(pull: PullRequest, digest: str, max_cost: str) -> str:
    """Starts the workflow that makes the calls of this digest, up to `max_cost` dollars."""
    return f"gh workflow run {pull.workflow} -f pull-request={pull.number} -f digest={digest} -f max-cost={max_cost}"


_NAMED: Final = 20


@frozen
class CallsUnderWay:
    """The calls of a session. `cases` are names to show; `digest` and `max_cost` (dollars) are what was agreed to."""

    digest: str
    cases: Sequence[str]
    by: str
    max_cost: str
    total: int
    done: int = 0
    in_flight: int = 0
    spent_cents: int = 0
    reserved_cents: int = 0
    start_over: StartOverDocument | None = None


def render_progress(calls: CallsUnderWay, pull: PullRequest) -> str:
    """Markdown. It has no times, so that it changes only when something happened."""
    spent = for_markdown(money(calls.spent_cents))
    blocks = [
        f"### ⏳ {calls.done:,} of {calls.total:,} done · {spent}",
        " ".join(_progress_facts(calls, pull)),
        ignored_results(calls.start_over),
        some(list(map(markdown_code, calls.cases)), _NAMED),
        "If the job stops, start it again with the same digest. Calls that were made are not made again:",
        markdown_block(call_command(pull, calls.digest, calls.max_cost), "sh"),
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _progress_facts(calls: CallsUnderWay, pull: PullRequest) -> Iterator[str]:
    commit = f" for {markdown_code(pull.commit[:7])}" if pull.commit else ""
    yield f"Calling{commit}, agreed by {markdown_code(calls.by)} up to {for_markdown('$' + calls.max_cost)}."
    if calls.in_flight:
        may_cost = f", which may cost {for_markdown(money(calls.reserved_cents))} more" if calls.reserved_cents else ""
        yield f"{count(calls.in_flight, 'call')} in progress{may_cost}."
    if pull.run_url:
        yield f"[Job]({pull.run_url})"


_SHOWN_STATES: Final = tuple(case_state for case_state in CaseState if case_state is not CaseState.GREEN)
_VERDICTS: Final = {CheckState.SUCCESS: "✓ green", CheckState.FAILURE: "✗ red", CheckState.PENDING: "… pending"}


def render_text(check: RequiredCheck, names: Mapping[str, str]) -> str:
    """The answer, then the cases behind it. `names` are shown for case ids."""
    lines = [f"{_VERDICTS[check.state]}: {check.description}"]
    listed = [(case_state.words, check.cases.get(case_state, ())) for case_state in _SHOWN_STATES]
    for words, cases in (*listed, ("flaky", check.flaky)):
        lines += [f"  {words}: {for_terminal(names[case_id])}" for case_id in cases[:_NAMED]]
        if (more := len(cases) - _NAMED) > 0:
            lines.append(f"  {words}: {more:,} more")
    lines += [f"  no bill for a day: {for_terminal(names[case_id])}" for case_id in check.unbilled[:_NAMED]]
    if check.call_undecided:
        lines.append(f"  to call undecided cases again (charged): {check.call_undecided}")
    return "\n".join(lines) + "\n"


def render_json(check: RequiredCheck, names: Mapping[str, str]) -> str:
    numbers = picked(check, "description", "digest", "calls", "open_calls", "suite_regressed", "call_undecided")
    return json_document(
        {
            "state": check.state.value,
            **numbers,
            **{each.value: [names[case_id] for case_id in check.cases.get(each, ())] for each in CaseState},
            "flaky": [names[case_id] for case_id in check.flaky],
            "unbilled": [names[case_id] for case_id in check.unbilled],
        },
        exit_code=check.exit_code,
    )
