"""Strings about a whole result and its cost that all formats share. They are prose with code in backticks; each format
neutralises whole lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from planner.quantities import count, duration, moment, money, some
from planner.reports.case_phrasing import (
    OUTCOMES,
    cannot_fail,
    change_word,
    compared_counts,
    has_moved,
    reason_label,
    shown_outcome,
    why,
)
from planner.reports.judge_phrasing import judge_facts, rubric_lines
from planner.results.calls import each_call, own_calls
from planner.results.judge_documents import JudgeCost
from planner.results.model import CaseResult, RunResult, StartOverDocument, SuiteDocument

SANDBOX_NOTE = "These are simulated calls on the sandbox: nobody was phoned, and nothing was charged."
_SANDBOX_NOTE_WITH_JUDGE = (
    "These are simulated calls on the sandbox: nobody was phoned. Only the judge was real: its answers are charged."
)
VERDICTS = {
    "passed": "Passed",
    "failed": "Failed",
    "unknown": "Incomplete",
    "refused": "Refused",
    "interrupted": "Interrupted",
}
_RESUME = "Run the same command to resume; nothing is charged twice."
_MEANINGS = {
    1: "At least one case failed.",
    2: "A plan, the configuration, the key or the command line is invalid. This says nothing about the agent.",
    3: "The session was refused.",
    4: f"An outcome is unknown, or the service failed. {_RESUME}",
    5: "Bug in planner: do not rely on this verdict.",
    130: f"Interrupted. {_RESUME}",
}
_HEADLINE = (
    "regressed", "now failing", "now passing", "still failing", "new", "gone", "unchanged", "unknown", "quarantined",
)  # fmt: skip


def title(result: RunResult) -> str:
    """`3 failed, 2 flaky, 91 passed · $15.02 (estimate was $14.20)`. A verdict that the counts do not show comes first:
    `Interrupted: 2 unknown, 4 passed · …`."""
    if result.under_way:
        return f"{VERDICTS[result.outcome]}: still running when this was written; its calls and cost are not included"
    counted = Counter(map(shown_outcome, result.cases))
    counts = ", ".join(f"{counted[outcome]:,} {outcome}" for outcome in OUTCOMES if counted[outcome]) or "no cases"
    counts += f" ({harmless:,} cannot fail)" if (harmless := sum(map(bool, map(cannot_fail, result.cases)))) else ""
    is_shown = result.outcome == ("failed" if counted["failed"] else "passed")
    verdict = "" if is_shown else f"{VERDICTS[result.outcome]}: "
    judge = result.cost.judge
    charged = f", {money(judge.actual_cents)} for judge calls" if judge and judge.actual_cents else ""
    return f"{verdict}{counts} · {cost(result)}{charged}{' · sandbox' if result.sandbox else ''}"


def changed(result: RunResult) -> str:
    """`2 regressed, 1 now passing (0/3 → 3/3), 53 unchanged`. Adds `worse as a whole` if only the suite changed, and
    in how many cases an outcome may only differ, or be the same, because of other expectations."""
    parts = changes_of(result.cases)
    if result.dropped:
        parts.append(f"{len(result.dropped):,} dropped")
    is_named = any(case.compared == "regressed" for case in result.cases)
    if (whole := result.suite) and whole.cases > 1 and whole.compared != "not_enough_evidence" and not is_named:
        parts.append("everything worse" if whole.compared == "everything_worse" else f"{whole.compared} as a whole")
    if judged_otherwise := sum(case.expectations_changed for case in result.cases):
        parts.append(f"expectations changed in {count(judged_otherwise, 'case')}")
    return ", ".join(parts)


def changes_of(cases: Iterable[CaseResult]) -> list[str]:
    """How many cases changed in which way, of those whose change is known; with both counts of a single one."""
    known = [case for case in cases if shown_outcome(case) not in ("unknown", "quarantined")]
    numbers = Counter(map(change_word, known))
    return counted((word := change_word(case), _note(case, is_single=numbers[word] == 1)) for case in known)


def counted(cases: Iterable[tuple[str, str]]) -> list[str]:
    """`2 regressed (1 flaky)`, `1 new (failing)`: the number of each (word, note); notes may be empty."""
    words: dict[str, Counter[str]] = {}
    for word, note in cases:
        words.setdefault(word, Counter())[note] += 1
    parts: list[str] = []
    for word in sorted(words, key=_HEADLINE.index):
        total = words[word].total()
        known = [(note, number) for note, number in sorted(words[word].items()) if note]
        notes = ", ".join(note if total == 1 else f"{number:,} {note}" for note, number in known)
        parts.append(f"{total:,} {word}{f' ({notes})' if notes else ''}")
    return parts


def _note(case: CaseResult, *, is_single: bool) -> str:
    if is_single and has_moved(case):
        return compared_counts(case)
    if case.outcome == "flaky":
        return "flaky"
    return "failing" if case.changed == "new" and case.outcome == "failed" else ""


def meaning(result: RunResult) -> str:
    """One sentence that explains the exit code; for a refusal, its reason. Each format neutralises it."""
    if result.exit_code == 3 and result.problems:
        reason = result.problems[0]
        ending = "" if reason.endswith((".", "!", "?")) else "."
        every_call = " This report lists every call made." if result.stats.launches else ""
        return f"{reason[:1].upper()}{reason[1:]}{ending}{every_call}"
    if result.exit_code == 0 and result.left_out:
        return "No case shown here failed, but others have no results of today's plan."
    if result.exit_code == 0 and not result.cases:
        return "There was nothing to do."
    is_worse = result.suite is not None and result.suite.compared == "worse"
    failed = [case for case in result.cases if case.outcome == "failed" or case.compared == "regressed"]
    if result.exit_code == 1 and not (failed or is_worse):
        return "A run failed an expectation, so no further calls were made (--fail-fast)."
    if result.exit_code == 1 and not any(shown_outcome(case) == "failed" for case in result.cases):
        return "No case failed, but fewer calls passed than before, by more than chance explains."
    if result.exit_code == 0 and failed:
        return "All cases met their required pass rate, except quarantined ones, which do not count."
    if result.exit_code == 0:
        return f"All {'selected ' if result.partial else ''}cases met their required pass rate."
    if result.exit_code == 4 and result.suite is not None and result.suite.compared == "everything_worse":
        return (
            "Everything is worse than usual, because of the agent or the platform: call all cases again later "
            "(--rerun all)."
        )
    if result.exit_code == 4 and result.finished:
        return "Some outcomes are unknown: calls were inconclusive, or evidence or judge calls are missing."
    return _MEANINGS.get(result.exit_code, "See the problems listed.")


def problems(result: RunResult) -> list[str]:
    """The problems that `meaning` does not name."""
    return result.problems[1:] if result.exit_code == 3 else result.problems


def sandbox_note(result: RunResult) -> str:
    """Empty for real calls."""
    if not result.sandbox:
        return ""
    judge = result.cost.judge
    return _SANDBOX_NOTE_WITH_JUDGE if judge and (judge.actual_cents or judge.unconfirmed_cents) else SANDBOX_NOTE


def facts(result: RunResult) -> list[tuple[str, str]]:
    """(label, text) of the most important facts."""
    bill = "; ".join([f"{cost(result)}{', simulated' if result.sandbox else ''}", *cost_details(result)])
    found = [
        ("Changed", changed(result)),
        ("Agents", previews(result)),
        ("Cases", scope(result)),
        ("Cost", bill),
        ("Calls", numbers(result)),
        ("Start over", start_over(result.start_over)),
        ("Suite", suite(result.suite)),
        ("Judge", judge_facts(result.judge)),
    ]
    return [(label, text) for label, text in found if text]


def sections(result: RunResult) -> list[tuple[str, list[str]]]:
    """(title, lines) of what a report lists after the cases."""
    found = [
        ("Warnings", warnings(result)),
        ("Judge compared with people", rubric_lines(result.judge)),
        ("Not called", _not_called(result)),
        ("Unconfirmed launches", _launches(result)),
        ("Next steps", [f"{step.text}: `{step.command}`" if step.command else step.text for step in result.next_steps]),
        ("Session", _session(result)),
    ]
    return [(title, lines) for title, lines in found if lines]


def previews(result: RunResult) -> str:
    """`` `support`: prompt, voice changed, called on a preview ``."""
    return "; ".join(
        f"`{made.target}`: {', '.join(made.changes)} changed, called on a preview"
        + ("" if result.finished else f" (agent {made.preview_agent_id}, which the next run deletes)")
        for made in result.previews
    )


def start_over(document: StartOverDocument | None) -> str:
    """`earlier runs of the called cases are not counted: the lookup tool was fixed (ana, 2026-11-27 18:00:00 UTC)`, or
    empty."""
    if document is None:
        return ""
    by = f"{document.by}, " if document.by else ""
    return f"earlier runs of the called cases are not counted: {document.reason} ({by}{moment(document.at)})"


def suite(document: SuiteDocument | None) -> str:
    """`12 cases compared: 30 of 36 runs passed before, 21 of 36 now: worse`, or `12 cases compared with 5 earlier
    sessions: …`; empty for fewer than two cases."""
    if document is None or document.cases < 2:
        return ""
    words = {"worse": ": worse", "everything_worse": ": everything is worse"}
    before = f"{document.passed_before:,} of {document.runs_before:,} runs passed before"
    now = f"{document.passed_now:,} of {document.runs_now:,} now"
    sessions = f" with {count(document.sessions, 'earlier session')}" if document.sessions else ""
    if document.left_out:
        sessions += f" ({count(len(document.left_out), 'more')} got worse, and nobody accepted that)"
    return f"{document.cases:,} cases compared{sessions}: {before}, {now}{words.get(document.compared, '')}"


def scope(result: RunResult) -> str:
    """`24 cases · 72 runs · 3 plans · environment staging · only some cases were selected`."""
    parts = [
        count(len(result.cases), "case"),
        count(sum(1 for _ in each_call(result.cases)), "run"),
        count(len(result.plans), "plan"),
        f"environment {result.environment}" if result.environment else "",
        "only some cases were selected" if result.partial else "",
    ]
    return " · ".join(filter(None, parts))


def warnings(result: RunResult) -> list[str]:
    """`latency failed in 3 runs of 1 case`: failed checks of severity `warning`, most runs first, then undecided
    ones."""
    found: dict[tuple[bool, str], list[str]] = {}
    for case in result.cases:
        for run in case.runs:
            for finding in run.findings:
                undecided = finding.outcome == "undecided" and run.cause != "platform"  # such a run was not judged
                if finding.severity == "warning" and (finding.outcome == "failed" or undecided):
                    found.setdefault((undecided, finding.expectation), []).append(case.case_id)
    ranked = sorted(found.items(), key=lambda item: (item[0][0], -len(item[1])))
    return [
        f"`{expectation}` {'could not be decided' if undecided else 'failed'} in"
        f" {count(len(cases), 'run')} of {count(len(set(cases)), 'case')}"
        for (undecided, expectation), cases in ranked
    ]


def _not_called(result: RunResult) -> list[str]:
    """`2 cases reused: passed, runs of …`: by action and reason, with the sessions that made their runs; then the
    dropped cases."""
    groups: dict[str, list[CaseResult]] = {}
    for case in result.cases:
        if case.action != "call":
            groups.setdefault(why(case), []).append(case)
    lines: list[str] = []
    for label, cases in sorted(groups.items(), key=lambda item: -len(item[1])):
        sessions = [f"`{name}`" for name in dict.fromkeys(case.carried_from for case in cases) if name]
        lines.append(f"{count(len(cases), 'case')} {label}{f', runs of {some(sessions, 3)}' if sessions else ''}")
    return [*lines, *(f"`{case.case_id}` dropped: {reason_label(case.reason)}" for case in result.dropped)]


def _launches(result: RunResult) -> list[str]:
    """`3f9a2c11 · unconfirmed · 2 cases · up to $0.32: …`."""
    return [
        f"`{launch.launch_id}` · {launch.state} · {count(len(launch.cases), 'case')} · up to "
        f"{money(launch.reserved_cents)}: "
        f"{some([f'`{case_id}`' for case_id in launch.cases], 3)}{f'; {launch.detail}' if launch.detail else ''}"
        for launch in result.open_launches
    ]


def _session(result: RunResult) -> list[str]:
    given = result.consent
    by = f" by {given.by}" if given.by else ""
    at = f" at {moment(given.at)}" if given.at else ""
    ceiling = "without a ceiling" if given.max_cost_cents is None else f"up to {money(given.max_cost_cents)}"
    other = given.given and given.digest != result.change_set_digest
    reasons = ["only some cases were selected"] * result.partial + ["it did not finish"] * (not result.finished)
    lines = [
        f"`{result.session_id}`, planner `{result.tool_version}`",
        f"{moment(result.started_at)} to {moment(result.ended_at)}",
        f"consent given{by}{at}, {ceiling}" if given.given else "consent not given",
        f"set of calls `{result.change_set_digest}`" if result.change_set_digest else "",
        f"consented to `{given.digest or 'no digest'}`" if other else "",
        f"not a baseline for later sessions: {' and '.join(reasons)}" if reasons else "",
    ]
    return [line for line in lines if line]


def numbers(result: RunResult) -> str:
    """`31 requests · 12 launches · 2 rate-limited (429) · 3 min 2 s`."""
    stats = result.stats
    parts = [
        count(stats.requests, "request"),
        count(stats.launches, "launch", "launches"),
        f"{stats.refused:,} rate-limited (429)" if stats.refused else "",
        duration(stats.wall_seconds),
    ]
    return " · ".join(filter(None, parts))


def cost(result: RunResult) -> str:
    """`$0.96 (estimate was $1.09)`; a lower bound if a bill is unknown."""
    if result.under_way:
        return "unknown until it ends"
    spent, expected = result.cost.actual_cents, result.cost.estimated_cents
    is_partial = bool(_unbilled_runs(result) or result.cost.unconfirmed_cents)
    if not (spent or is_partial or result.stats.launches):
        return f"nothing called, {money(expected)} expected" if expected else "nothing called"
    bill = f"{'at least ' if is_partial else ''}{money(spent)}"
    return f"{bill}, expected cost unknown" if expected is None else f"{bill} ({_estimate(spent, expected)})"


def _estimate(cents: int, estimated: int) -> str:
    return "as estimated" if cents == estimated else f"estimate was {money(estimated)}"


def _judge_calls(judge: JudgeCost) -> str:
    """`plus $0.03 (estimate was $0.04) for 12 judge calls (gpt-4o-mini); 4 more reused, not charged again`."""
    spent = judge.this_session_cents
    expected = "" if judge.estimated_cents is None else f" ({_estimate(spent, judge.estimated_cents)})"
    is_free = not judge.estimated_cents and not judge.actual_cents
    calls = f"{count(judge.calls, 'judge call')} ({judge.model})"
    parts = [
        f"{calls}, free" if is_free else f"plus {money(spent)}{expected} for {calls}",
        f"{money(judge.actual_cents)} with earlier sessions" if judge.actual_cents != spent else "",
        f"up to {money(judge.unconfirmed_cents)} more for requests without an answer"
        if judge.unconfirmed_cents
        else "",
        f"{judge.stored_votes:,} stored votes reused, not charged again" if judge.stored_votes else "",
    ]
    return "; ".join(filter(None, parts))


def cost_details(result: RunResult) -> list[str]:
    """The parts of the bill: this session, unknown bills, the ceiling, reused runs."""
    costs = result.cost
    lines: list[str] = []
    if costs.this_session_cents != costs.actual_cents:
        lines.append(f"{money(costs.this_session_cents)} of it in this session, the rest in earlier sessions")
    paid = sum(run.cost_cents or 0 for run in own_calls(result.cases))
    if paid > costs.actual_cents:
        lines.append(f"{money(paid - costs.actual_cents)} more was paid by earlier sessions, for runs reused here")
    if (unbilled := _unbilled_runs(result) - costs.unbilled_calls - costs.calls_under_way - costs.unread_calls) > 0:
        lines.append(f"{count(unbilled, 'run')} without a known bill not included")
    if costs.unconfirmed_cents:
        lines.append(f"up to {money(costs.unconfirmed_cents)} more{_still_unknown(result)}")
    if costs.paid_before_cents and costs.estimated_cents is not None:
        rest = money(costs.estimated_cents - costs.paid_before_cents)
        lines.append(f"expected: {money(costs.paid_before_cents)} paid before, plus {rest} for the remaining calls")
    if (judge := costs.judge) is not None:
        lines.append(_judge_calls(judge))
    if costs.ceiling_cents:  # 0 where nothing was to be called
        lines.append(f"the ceiling is {money(costs.ceiling_cents)}")
    if costs.carried_cents:
        lines.append(f"reused runs cost {money(costs.carried_cents)} in earlier sessions and were not charged again")
    carried = [run for case in result.cases for run in case.carried_runs]
    if late := sum(run.cost_cents is None and "bill" in run.missing for run in carried):
        most = f": up to {money(costs.carried_unconfirmed_cents)}" if costs.carried_unconfirmed_cents else ""
        lines.append(f"the bill of {count(late, 'earlier run')} is still unknown{most}")
    return lines


def _still_unknown(result: RunResult) -> str:
    """` for 1 unconfirmed launch, 13 calls in progress and 2 unknown bills`."""
    numbers = (
        (len(result.open_launches), "unconfirmed launch", "unconfirmed launches"),
        (result.cost.calls_under_way, "call in progress", "calls in progress"),
        (result.cost.unread_calls, "ended call that cannot be read", "ended calls that cannot be read"),
        (result.cost.unbilled_calls, "unknown bill", "unknown bills"),
    )
    parts = [count(number, one, many) for number, one, many in numbers if number]
    return f" for {' and '.join(filter(None, [', '.join(parts[:-1]), *parts[-1:]]))}" if parts else ""


def _unbilled_runs(result: RunResult) -> int:
    """Runs of this change set without a known bill."""
    return sum(run.cost_cents is None for run in own_calls(result.cases))
