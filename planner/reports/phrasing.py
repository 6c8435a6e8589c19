"""Texts about a whole result that all formats share, without markup.

Texts from calls, plans and the service are returned unchanged, and each format neutralises them. Functions that embed one take the
format's `Neutral`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from planner.reports.case_phrasing import COMPARED, OUTCOMES, Neutral, change_word, standing, why
from planner.reports.quantities import chance, count, duration, money, money_range, percent
from planner.reports.verdict_phrasing import is_changed_by_author
from planner.results.costs import JudgeCost
from planner.results.model import CaseDocument, FreshDocument, OpenLaunch, RunResult, SuiteDocument


def headline(result: RunResult) -> str:
    """`2 regressed, 1 fixed, 53 same, 1 flaky; $15.02 of $14.20 expected`. Each case is counted once.

    Adds `worse as a whole` if only the suite changed."""
    if result.under_way:
        return "still running when this was written; its calls and cost are not included"
    parts = [*_changes(result.cases), *_apart(result.cases)]
    if result.dropped:
        parts.append(f"{len(result.dropped):,} dropped")
    moved = {case.compared for case in result.cases} & {"regressed", "fixed"}
    if (whole := result.suite) and whole.cases > 1 and whole.compared != "not_enough_evidence" and not moved:
        parts.append(f"{whole.compared} as a whole")
    return f"{', '.join(parts) or 'no cases'}; {cost(result)}"


def _changes(cases: Iterable[CaseDocument]) -> list[str]:
    """`2 regressed (1 flaky), 1 fixed, 3 failing (not enough evidence of a change), 53 same (4 failing)`."""
    by_word: dict[str, list[CaseDocument]] = {word: [] for word in _CHANGED}
    for case in cases:
        if _is_apart(case):
            continue
        by_word["not_comparable" if is_changed_by_author(case) else change_word(case)].append(case)
    parts: list[str] = []
    for word, phrase in _CHANGED.items():
        if word == "not_enough_evidence":  # failing ones are listed as failing first
            failed = [case for case in by_word[word] if case.outcome == "failed"]
            by_word[word] = [case for case in by_word[word] if case.outcome != "failed"]
            parts += [f"{len(failed):,} failing ({phrase})"] if failed else []
        outcomes = Counter(case.outcome for case in by_word[word])
        # Unlike `regressed`, the other words do not imply a failure.
        failing = f"{outcomes['failed']:,} failing" if outcomes["failed"] and word != "regressed" else ""
        aside = ", ".join(filter(None, [failing, f"{outcomes['flaky']:,} flaky" if outcomes["flaky"] else ""]))
        if by_word[word]:
            parts.append(f"{len(by_word[word]):,} {phrase}{f' ({aside})' if aside else ''}")
    return parts


def _apart(cases: Iterable[CaseDocument]) -> list[str]:
    """The cases that are counted by their outcome, not by their change."""
    outcomes = Counter(standing(case) for case in cases if _is_apart(case))
    return [f"{outcomes[outcome]:,} {outcome}" for outcome in ("flaky", "unknown", "quarantined") if outcomes[outcome]]


def _is_apart(case: CaseDocument) -> bool:
    """Whether a case is counted by its outcome; flaky cases only if they did not regress and were not fixed."""
    moved = case.compared in ("regressed", "fixed")
    return standing(case) in ("unknown", "quarantined") or (case.outcome == "flaky" and not moved)


_CHANGED = {
    "regressed": "regressed",
    "fixed": "fixed",
    "improved": "improved",
    "not_enough_evidence": "not enough evidence of a change",
    "not_comparable": "not comparable",
    **{word: phrase for word, phrase in COMPARED.items() if word not in ("regressed", "fixed", "not_enough_evidence")},
}


def cost(result: RunResult) -> str:
    """`$0.96 of $1.09 expected`; a lower bound if a bill is unknown."""
    if result.under_way:
        return "unknown until it ends"
    spent, expected = result.cost.actual_cents, result.cost.estimated_cents
    unbilled = unbilled_runs(result)
    if not (spent or unbilled or result.cost.ambiguous_cents or result.stats.launches):
        return f"nothing called, {money(expected)} expected" if expected else "nothing called"
    against = "expected cost unknown" if expected is None else f"of {money(expected)} expected"
    return f"{spent_so_far(result)}{',' if expected is None else ''} {against}"


def spent_so_far(result: RunResult) -> str:
    """`$0.96`, or `at least $0.80` if a bill is unknown."""
    least = "at least " if unbilled_runs(result) or result.cost.ambiguous_cents else ""
    return f"{least}{money(result.cost.actual_cents)}"


def _judge_calls(judge: JudgeCost) -> str:
    """`plus $0.03 for 12 judge calls (gpt-4o-mini), $0.04 expected; 4 more reused, not charged again`."""
    spent = judge.this_invocation_cents
    if not judge.votes and not judge.actual_cents and not judge.ambiguous_cents:
        return f"{count(judge.stored_votes, 'judge call')} ({judge.model}) reused, not charged again"
    calls = f"{count(judge.votes, 'judge call')} ({judge.model})"
    if not judge.estimated_cents and not judge.actual_cents:
        parts = [f"{calls}, free"]
    else:
        expected = "" if judge.estimated_cents is None else f", {money(judge.estimated_cents)} expected"
        parts = [f"plus {money(spent)} for {calls}{expected}"]
    if judge.actual_cents != spent:
        parts.append(f"{money(judge.actual_cents)} with earlier sessions of this change set")
    if judge.ambiguous_cents:
        parts.append(f"up to {money(judge.ambiguous_cents)} more for requests without an answer")
    if judge.stored_votes:
        parts.append(f"{judge.stored_votes:,} more reused, not charged again")
    return "; ".join(parts)


def cost_details(result: RunResult) -> list[str]:
    """The parts of the bill, one line each: this session, unknown bills, the ceiling, reused runs."""
    costs = result.cost
    lines: list[str] = []
    if costs.this_invocation_cents != costs.actual_cents:
        lines.append(
            f"{money(costs.this_invocation_cents)} of it in this session, the rest in earlier sessions of this change set"
        )
    paid = sum(run.cost_cents or 0 for case in result.cases for run in case.own_runs)
    if paid > costs.actual_cents:
        lines.append(f"{money(paid - costs.actual_cents)} more was paid by earlier sessions, for runs reused here")
    if (unbilled := unbilled_runs(result) - costs.unbilled_calls - costs.calls_under_way - costs.unread_calls) > 0:
        lines.append(f"{count(unbilled, 'run')} without a known bill not included")
    if costs.ambiguous_cents:
        lines.append(f"up to {money(costs.ambiguous_cents)} more{_still_unknown(result)}")
    if costs.paid_before_cents and costs.estimated_cents is not None:
        rest = costs.estimated_cents - costs.paid_before_cents
        lines.append(
            f"expected: {money(costs.paid_before_cents)} paid before, plus {money(rest)} for the remaining calls"
        )
    lines += _against_range(result)
    if costs.service_estimate_cents is not None:
        lines.append(f"the service estimated {money(costs.service_estimate_cents)}")
    if (earlier := costs.earlier_estimates) is not None and earlier.mean_error is not None and costs.actual_cents:
        lines.append(
            f"the previous {count(earlier.estimates, 'estimate')} were {percent(earlier.mean_error)} off on average"
            if earlier.estimates > 1
            else f"the previous estimate was {percent(earlier.mean_error)} off"
        )
    if (judge := costs.judge) is not None:
        lines.append(_judge_calls(judge))
    if costs.ceiling_cents is not None:
        lines.append(f"the ceiling is {money(costs.ceiling_cents)}")
    if costs.carried_cents:
        lines.append(f"reused runs cost {money(costs.carried_cents)} in earlier sessions and were not charged again")
    carried = [run for case in result.cases for run in case.carried_runs]
    if late := sum(run.cost_cents is None and "bill" in run.missing for run in carried):
        most = f": up to {money(costs.carried_ambiguous_cents)}" if costs.carried_ambiguous_cents else ""
        lines.append(f"the bill of {count(late, 'earlier run')} is still unknown{most}")
    return lines


def _not_in_sum(result: RunResult) -> list[str]:
    """Unknown bills and judge calls."""
    lines: list[str] = []
    if result.cost.ambiguous_cents:
        lines.append(f"up to {money(result.cost.ambiguous_cents)} more{_still_unknown(result)}")
    return lines if result.cost.judge is None else [*lines, _judge_calls(result.cost.judge)]


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


def _against_range(result: RunResult) -> list[str]:
    """`within the estimated range of $1.44–$2.40`, once the whole bill is known."""
    costs = result.cost
    low, high = costs.estimated_low_cents, costs.estimated_high_cents
    if low is None or high is None or not costs.actual_cents or costs.ambiguous_cents or unbilled_runs(result):
        return []
    where = "below" if costs.actual_cents < low else "above" if costs.actual_cents > high else "within"
    skipped = any(case.runs_not_needed for case in result.cases if case.action == "call")
    if where == "below" and (skipped or not result.finished):
        return []  # the range is for all calls
    return [f"{where} the estimated range of {money_range(low, high)}"]


def unbilled_runs(result: RunResult) -> int:
    """Runs of this change set without a known bill."""
    return sum(run.cost_cents is None for case in result.cases for run in case.own_runs)


def facts(result: RunResult, show: Callable[[str], str], *, brief: bool = False) -> list[tuple[str, str]]:
    """(label, text) of the most important facts. With `brief`, without `cost_details`."""
    bill = "; ".join([cost(result), *(_not_in_sum(result) if brief else cost_details(result))])
    found = [
        ("Cases", " · ".join(filter(None, [outcome_counts(result), scope(result, show)]))),
        ("Cost", f"{bill} (simulated)" if result.sandbox else bill),
        ("Fresh", fresh(result.fresh, show)),
        ("Suite", suite(result.suite)),
        ("Repeats", repeated(result)),
    ]
    return [(label, text) for label, text in found if text]


def fresh(document: FreshDocument | None, show: Callable[[str], str]) -> str:
    """`earlier runs of the called cases are not counted: the lookup tool was fixed (ana, 2026-11-27 18:00:00 UTC)`, or empty."""
    if document is None:
        return ""
    by = f"{show(document.by)}, " if document.by else ""
    return f"earlier runs of the called cases are not counted: {show(document.reason)} ({by}{moment(document.at)})"


def suite(document: SuiteDocument | None) -> str:
    """`12 cases compared: 30 of 36 runs passed before, 21 of 36 now: worse (p = 0.012)`; empty for fewer than two."""
    if document is None or document.cases < 2:
        return ""
    word = "not enough evidence of a change" if document.compared == "not_enough_evidence" else document.compared
    before, now = (
        f"{passed:,} of {total:,}"
        for passed, total in (
            (document.passed_before, document.runs_before),
            (document.passed_now, document.runs_now),
        )
    )
    return (
        f"{document.cases:,} cases compared: {before} runs passed before, {now} now:"
        f" {word} ({chance(document.p_value)})"
    )


def repeated(result: RunResult) -> str:
    """`pass^1 92 % · pass^2 85 % · pass^3 80 %`: the probability that k calls of a case all pass.

    Empty without repeated runs, or if all or none passed. With the number of cases if it differs: `pass^3 80 % of 4 cases`."""
    shown = [entry for entry in result.repeated if entry.k in _REPEATS]
    if not shown or shown[0].rate in (0.0, 1.0):
        return ""
    least = "at least " if any(case.runs_not_needed for case in result.cases) else ""
    same_cases = len({entry.cases for entry in shown}) == 1
    return least + " · ".join(
        f"pass^{entry.k} {percent(entry.rate)}" + ("" if same_cases else f" of {count(entry.cases, 'case')}")
        for entry in shown
    )


_REPEATS = (1, 2, 3, 5, 10)


def scope(result: RunResult, neutral: Neutral) -> str:
    """`24 cases · 72 runs · 3 plans · environment staging · only some cases were selected`."""
    parts = [
        count(len(result.cases), "case"),
        count(sum(case.runs_total for case in result.cases), "run"),
        count(len(result.plans), "plan"),
    ]
    if result.environment:
        parts.append(f"environment {neutral(result.environment)}")
    if result.partial:
        parts.append("only some cases were selected")
    return " · ".join(parts)


def outcome_counts(result: RunResult) -> str:
    """`3 failed, 1 unknown, 1 flaky, 52 passed`."""
    counted = Counter(standing(case) for case in result.cases)
    return ", ".join(f"{counted[outcome]:,} {outcome}" for outcome in OUTCOMES if counted[outcome])


def warnings(result: RunResult, neutral: Neutral) -> list[str]:
    """`latency failed in 3 runs of 1 case`: failed checks of severity `warning`, most runs first, then undecided ones."""
    runs: dict[str, Counter[str]] = {"failed": Counter(), "errored": Counter()}
    cases: dict[tuple[str, str], set[str]] = {}
    for case in result.cases:
        for run in case.runs:
            for finding in run.findings:
                undecided = finding.outcome == "errored" and run.fault != "platform"  # such a run was not judged
                if finding.severity == "warning" and (finding.outcome == "failed" or undecided):
                    runs[finding.outcome][finding.expectation] += 1
                    cases.setdefault((finding.outcome, finding.expectation), set()).add(case.case_id)
    return [
        f"{neutral(expectation)} {phrase} {count(number, 'run')} of {count(len(cases[outcome, expectation]), 'case')}"
        for outcome, phrase in (("failed", "failed in"), ("errored", "could not be decided in"))
        for expectation, number in runs[outcome].most_common()
    ]


def carried(result: RunResult) -> list[tuple[str, int, list[str]]]:
    """Cases that were not called, by action and reason: (`kept: passed`, number, sessions that made their runs)."""
    counted: Counter[str] = Counter()
    origins: dict[str, dict[str, None]] = {}
    for case in result.cases:
        if case.action != "call":
            counted[why(case)] += 1
            if case.carried_from:
                origins.setdefault(why(case), {})[case.carried_from] = None
    return [(label, number, list(origins.get(label, ()))) for label, number in counted.most_common()]


def launch_facts(launch: OpenLaunch, neutral: Neutral) -> str:
    """`ambiguous · 2 cases · up to $0.32`."""
    return f"{neutral(launch.state)} · {count(len(launch.cases), 'case')} · up to {money(launch.reserved_cents)}"


def consent(result: RunResult, neutral: Neutral) -> str:
    """`given by ana at 2026-11-24 10:00:00 UTC, up to $9.00`."""
    given = result.consent
    if not given.given:
        return "not given"
    by = f" by {neutral(given.by)}" if given.by else ""
    at = f" at {moment(given.at)}" if given.at else ""
    ceiling = "without a ceiling" if given.max_cost_cents is None else f"up to {money(given.max_cost_cents)}"
    return f"given{by}{at}, {ceiling}"


def not_a_baseline(result: RunResult) -> str:
    """Which later sessions will not compare with this one, and why; empty if all will."""
    reasons = (
        (result.partial, "only some cases were selected"),
        (not result.finished, "it did not finish"),
    )
    if found := [text for applies, text in reasons if applies]:
        return f"Not a baseline for later sessions: {' and '.join(found)}."
    return "A baseline for later sandbox sessions only." if result.sandbox else ""


def numbers(result: RunResult) -> str:
    """`31 requests · 12 launches · 2 rate-limited (429) · 5 calls not needed · 3 min 2 s`."""
    stats = result.stats
    skipped = sum(case.runs_not_needed for case in result.cases if case.action == "call")
    saved = [f"{count(skipped, 'call')} not needed"] if skipped else []
    refused = [f"{stats.refused:,} rate-limited (429)"] if stats.refused else []
    launches = count(stats.launches, "launch", "launches")
    return " · ".join([count(stats.requests, "request"), launches, *refused, *saved, duration(stats.wall_seconds)])


def moment(at: datetime) -> str:
    """`2026-11-24 10:30:05 UTC`; a time without a zone is in UTC."""
    utc = at.astimezone(UTC) if at.tzinfo else at
    return f"{utc:%Y-%m-%d %H:%M:%S} UTC"


def step(line: str) -> tuple[str, str]:
    """Split a next step into prose and command; either may be empty."""
    if line.startswith("planner "):
        return "", line
    prose, found, command = line.partition(": planner ")
    return (prose + ":", "planner " + command) if found else (line, "")


def some(items: Sequence[str], shown: int) -> str:
    """`a, b and 3 more`."""
    more = f" and {len(items) - shown:,} more" if len(items) > shown else ""
    return ", ".join(items[:shown]) + more
