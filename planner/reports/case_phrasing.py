"""Texts about a case, its runs and findings that all formats share. No markup; see `phrasing`."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from planner.changes.model import Reason
from planner.reports.quantities import chance, clock, count, duration, money, percent
from planner.results.model import (
    CaseDocument,
    Compared,
    FindingDocument,
    NotComparable,
    QuoteDocument,
    RunDocument,
    RunResult,
)

Neutral = Callable[[str], str]
"""Neutralises hostile text for a format."""

ADOPTED = "adopted: its launch got no answer"

COMPARED = {
    "regressed": "regressed",
    "fixed": "fixed",
    "not_enough_evidence": "not enough evidence",
    "new": "new",
    "same": "same",
    "gone": "gone",
}
"""Most important first."""
NOT_COMPARABLE: dict[NotComparable, str] = {
    "prompt": "prompt changed",
    "settings": "settings changed",
    "expectations": "expectations changed",
    "judge": "different judge model",
    "judging": "same calls, judged differently",
    "grader": "different grader",
    "variant": "no agent variant in common",
}
OUTCOMES = ("failed", "unknown", "quarantined", "flaky", "passed")
"""Worst first."""
_ACTIONS = {"call": "called", "recheck": "rechecked", "keep": "kept", "drop": "dropped"}
_CAUSES = {
    "agent": "caused by the agent",
    "caller": "caused by the test bot",
    "platform": "caused by the platform",
    "judge": "undecided",
    "author": "caused by the plan",
}


def standing(case: CaseDocument) -> str:
    """One of `OUTCOMES`: the outcome, or `quarantined` if a quarantined case did not pass."""
    return "quarantined" if case.quarantine and case.outcome in ("failed", "unknown") else case.outcome


def worst_first(cases: Iterable[CaseDocument]) -> list[CaseDocument]:
    """In the order of `OUTCOMES`, regressions first."""
    return sorted(cases, key=lambda case: (OUTCOMES.index(standing(case)), case.compared != "regressed"))


def with_outcome(result: RunResult, outcome: str) -> list[CaseDocument]:
    return worst_first(case for case in result.cases if standing(case) == outcome)


def group_similar(cases: Iterable[CaseDocument]) -> list[list[CaseDocument]]:
    """Group cases of one scenario with the same open expectations: the cases of a matrix mostly fail in the same way."""
    groups: dict[tuple[str, str, frozenset[str]], list[CaseDocument]] = {}
    for case in cases:
        expectations = frozenset(finding.expectation for run in runs_to_show(case) for finding in open_findings(run))
        groups.setdefault((case.plan, case.scenario, expectations), []).append(case)
    return list(groups.values())


def compared(case: CaseDocument) -> str:
    """`regressed (20/20 → 12/20)`: the word, with the counts of both sides."""
    counts = compared_counts(case)
    return f"{_compared(case)} ({counts})" if counts else _compared(case)


def compared_counts(case: CaseDocument) -> str:
    """`20/20 → 12/20`: passed of countable runs, before and now; then each expectation with its own rate whose counts changed. Empty
    if nothing was compared."""
    before, latest = case.before, case.latest
    if before is None or latest is None or (case.action == "keep" and case.compared != "regressed"):
        return ""
    parts = [f"{before.runs_passed}/{before.runs_countable} → {latest.runs_passed}/{latest.runs_countable}"]
    earlier = {rate.expectation: rate for rate in before.own_rates}
    for rate in latest.own_rates:
        was = earlier.get(rate.expectation)
        if was is not None and was.decided and rate.decided and was.held * rate.decided != rate.held * was.decided:
            parts.append(f"{rate.expectation} {was.held}/{was.decided} → {rate.held}/{rate.decided}")
    return ", ".join(parts)


def change_word(case: CaseDocument) -> str:
    """`case.compared`, or `improved` for a fixed case that still fails or is unknown."""
    return "improved" if case.compared == "fixed" and case.outcome in ("failed", "unknown") else case.compared


def _compared(case: CaseDocument) -> str:
    """`regressed`, `not comparable: prompt changed` (unless the outcome is the same), or `not compared` without runs."""
    if case.compared == "not_enough_evidence" and case.not_comparable is None and not case.runs:
        return "not compared"
    return "improved" if change_word(case) == "improved" else compared_word(case.compared, case.not_comparable)


def compared_word(compared: Compared, not_comparable: NotComparable | None) -> str:
    if not_comparable is None or compared == "same":
        return COMPARED[compared]
    return f"not comparable: {NOT_COMPARABLE[not_comparable]}"


def compared_in_full(case: CaseDocument) -> str:
    """`regressed (20/20 → 12/20; p = 0.003 on its own)`; the p-value only if the case changed."""
    counts = compared_counts(case)
    moved = case.compared in ("regressed", "fixed", "not_enough_evidence")
    p_value = f"{chance(case.p_value)} on its own" if moved and case.p_value is not None else ""
    details = "; ".join(filter(None, [counts, p_value]))
    return f"{_compared(case)} ({details})" if details else _compared(case)


def failing_since(case: CaseDocument) -> str:
    """`failing since 20261125T221901132-78ca8c47` (a session); empty if it did not fail before."""
    return f"failing since {case.failing_since}" if case.failing_since and case.outcome == "failed" else ""


def rates(case: CaseDocument, neutral: Neutral) -> str:
    """`expectations met: says 2 of 3, call 3 of 3`; empty for a single run or if every expectation was met in all runs."""
    if case.runs_total < 2 or all(rate.held == rate.decided == case.runs_total for rate in case.expectations):
        return ""
    shown = [f"{neutral(rate.expectation)} {rate.held} of {rate.decided}" for rate in case.expectations]
    return f"expectations met: {', '.join(shown)}"


def why(case: CaseDocument) -> str:
    """`called: prompt changed`, `kept: passed`."""
    done = _without_runs(case) if case.action == "call" and not case.runs else _ACTIONS[case.action]
    return f"{done}: {reason_label(case.reason)}"


def _without_runs(case: CaseDocument) -> str:
    return "under way" if case.runs_under_way else "not called"


def why_in_full(case: CaseDocument) -> str:
    """With the detail if it is one line: `called: agent edited since (2026-11-20 → 2026-11-24)`."""
    return why(case) if "\n" in case.detail or not case.detail else f"{why(case)} ({case.detail})"


def reason_label(code: str) -> str:
    """The phrase for a reason code; codes of later versions are shown as they are."""
    return Reason(code).label if code in {reason.value for reason in Reason} else code.replace("_", " ")


def runs_passed(case: CaseDocument) -> str:
    """`2 of 4, 2 not counted (34–100 %)`: passed runs, and the interval of the pass rate."""
    if not case.runs_total:
        return _without_runs(case)
    text = f"{case.runs_passed} of {case.runs_total}"
    if case.pass_rate and (left_out := case.runs_total - round(case.runs_passed / case.pass_rate)) > 0:
        text += f", {left_out} not counted"
    if case.interval is None:
        return text
    low, high = (round(bound * 100) for bound in case.interval)
    return f"{text} ({low}–{high} %)"


def reason(case: CaseDocument) -> str:
    """Why a case has its outcome, or else its pass rate: `3 of 3 runs passed, 100 % needed`.

    A quarantine comes first: `quarantined through 2027-01-31 (ticket VOX-41); failed: …`.
    """
    if case.quarantine and standing(case) == "quarantined":
        return (
            f"quarantined through {case.quarantine.until} ({case.quarantine.reason}); {case.outcome}: {_reason(case)}"
        )
    return _reason(case)


def _reason(case: CaseDocument) -> str:
    if case.outcome_reason or not case.runs_total:
        return case.outcome_reason or _without_runs(case)
    return f"{case.runs_passed} of {case.runs_total} runs passed, {percent(case.min_pass_rate)} needed"


def settled(case: CaseDocument) -> str:
    """`settled after 3 of 5 runs, the others were not needed`; empty if all were made."""
    if not case.runs_not_needed:
        return ""
    whole = case.runs_total + case.runs_not_needed
    others = "the other was" if case.runs_not_needed == 1 else "the others were"
    return f"settled after {case.runs_total} of {whole} runs, {others} not needed"


def pool(case: CaseDocument) -> str:
    """`10 of its 20 calls are from earlier sessions`, or why earlier calls are not counted; empty if there are none."""
    if case.set_aside is not None:
        earlier = f"{case.set_aside.runs_passed}/{case.set_aside.runs_countable}"
        return f"earlier calls ({earlier}) are not counted: the new results differ significantly, so something changed"
    pooled = sum(run.pooled for run in case.runs)
    parts = [
        f"{pooled} of its {count(case.runs_total, 'call')} {'is' if pooled == 1 else 'are'} from earlier sessions"
        if pooled
        else "",
        f"earlier calls are not counted: {case.fresh.reason}" if case.fresh is not None else "",
    ]
    return ", ".join(filter(None, parts))


def interval(case: CaseDocument) -> str:
    """`pass rate 6–79 % (95 % interval)`, or empty."""
    if case.interval is None:
        return ""
    low, high = (round(bound * 100) for bound in case.interval)
    return f"pass rate {low}–{high} % (95 % interval)"


def case_cost(case: CaseDocument) -> str:
    """The bill of all runs of a case; a lower bound if a bill is unknown."""
    if not case.runs:
        return "–"
    bills = [run.cost_cents for run in case.runs if run.cost_cents is not None]
    if not bills:
        return money(None)
    return money(sum(bills)) if len(bills) == len(case.runs) else f"at least {money(sum(bills))}"


def run_facts(run: RunDocument) -> str:
    """`run 81 · call 91 · 54 s · $0.16`."""
    call = "no call" if run.call_id is None else f"call {run.call_id}"
    length = "length unknown" if run.duration_seconds is None else duration(run.duration_seconds)
    bill = "bill unknown" if run.cost_cents is None else money(run.cost_cents)
    batch = [] if run.batch_id is None else [f"batch {run.batch_id}"]
    return " · ".join([f"run {run.run_id}", *batch, call, length, bill, *([ADOPTED] if run.adopted else [])])


def run_reason(run: RunDocument) -> str:
    """Why a run did not pass; empty if its findings say so."""
    is_in_findings = any(finding.message and finding.message in run.reason for finding in open_findings(run))
    return "" if is_in_findings else run.reason


def cause(run: RunDocument) -> str:
    """Why a run did not pass; empty for one that passed."""
    return _CAUSES[run.fault] if run.fault else ""


def run_outcome(run: RunDocument) -> str:
    """`failed`, or `passed, except polite` if an expectation with its own rate failed."""
    failed = dict.fromkeys(finding.expectation for finding in open_findings(run) if finding.severity == "error")
    return f"passed, except {', '.join(failed)}" if run.outcome == "passed" and failed else run.outcome


def finding_label(finding: FindingDocument) -> str:
    """Check, severity and `undecided` if they are not obvious: `says, critical`."""
    parts = [
        finding.check if finding.check != finding.expectation else "",
        finding.severity if finding.severity != "error" else "",
        "undecided" if finding.outcome == "errored" else "",
    ]
    return ", ".join(filter(None, parts))


def open_findings(run: RunDocument) -> list[FindingDocument]:
    """Failed and undecided findings, most severe first."""
    severities = ("critical", "error", "warning")
    found = [finding for finding in run.findings if finding.outcome != "passed"]
    return sorted(found, key=lambda finding: (finding.outcome == "errored", severities.index(finding.severity)))


def quote_place(quote: QuoteDocument) -> str:
    """`turn 6, agent, 0:42`."""
    moment = [] if quote.start_ms is None else [clock(quote.start_ms)]
    return ", ".join([f"turn {quote.turn}", quote.role, *moment])


def runs_to_show(case: CaseDocument) -> list[RunDocument]:
    """The runs that did not pass, or have an open finding that is not a warning; inconclusive runs last."""
    shown = [
        run
        for run in case.runs
        if run.outcome != "passed" or any(finding.severity != "warning" for finding in open_findings(run))
    ]
    return sorted(shown, key=lambda run: run.outcome == "errored")


def run_lines(run: RunDocument, neutral: Neutral, *, characters: int) -> list[str]:
    """The facts of a run and why it did not pass, then each open finding with its quote, indented."""
    outcome = ", ".join(filter(None, [neutral(run_outcome(run)), cause(run)]))
    reason = run_reason(run)
    reason = f": {neutral(shortened(reason, characters))}" if reason else ""
    lines = [run_facts(run), f"  {outcome}{reason}"]
    quoted: set[QuoteDocument] = set()
    if run.fault_quote is not None:
        words = quote_words(run.fault_quote, neutral, quoted, characters)
        lines.append(f"    {neutral(quote_place(run.fault_quote))}: {words}")
    for finding in open_findings(run):
        lines += [f"  {line}" for line in finding_lines(finding, neutral, quoted, characters=characters)]
    return lines


def finding_lines(
    finding: FindingDocument, neutral: Neutral, quoted: set[QuoteDocument], *, characters: int
) -> list[str]:
    """`states-window (says, critical): message`, and its quote below, unless it is in `quoted`."""
    label = finding_label(finding)
    aside = f" ({neutral(label)})" if label else ""
    lines = [f"{neutral(finding.expectation)}{aside}: {neutral(shortened(finding.message, characters))}"]
    if finding.quote is not None:
        lines.append(
            f"  {neutral(quote_place(finding.quote))}: {quote_words(finding.quote, neutral, quoted, characters)}"
        )
    return lines


def quote_words(quote: QuoteDocument, neutral: Neutral, quoted: set[QuoteDocument], characters: int) -> str:
    """`“the words”` the first time, then `as above`, as findings may share a turn. Adds to `quoted`."""
    if quote in quoted:
        return "as above"
    quoted.add(quote)
    return f"“{neutral(shortened(quote.text, characters)) or '(nothing)'}”"


def shortened(text: str, characters: int) -> str:
    """Cut in the middle."""
    if len(text) <= characters:
        return text
    keep = characters - 3
    return f"{text[: (keep + 1) // 2].rstrip()} … {text[len(text) - keep // 2 :].lstrip()}"
