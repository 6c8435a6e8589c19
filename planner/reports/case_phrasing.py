"""What a case, its runs and findings say, in the words that every format uses. As in `phrasing`: no markup, nothing decided."""

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
"""Makes a hostile text harmless for the place a format writes to."""

ADOPTED = "found again after its launch's answer was lost"

COMPARED = {
    "regressed": "regressed",
    "fixed": "fixed",
    "not_enough_evidence": "not enough evidence",
    "new": "new",
    "same": "same",
    "gone": "gone",
}
"""In the order in which a reader wants to know."""
NOT_COMPARABLE: dict[NotComparable, str] = {
    "prompt": "prompt changed",
    "settings": "settings changed",
    "expectations": "expectations changed",
    "judge": "measured with another judge",
    "judging": "the same calls, judged otherwise",
    "grader": "measured with another grader",
    "variant": "no variant of the agent in common",
}
OUTCOMES = ("failed", "unknown", "quarantined", "flaky", "passed")
"""Worst first."""
_ACTIONS = {"call": "called", "recheck": "rechecked", "keep": "kept", "drop": "dropped"}
_FAULTS = {
    "agent": "fault of the agent",
    "caller": "fault of the test bot",
    "platform": "fault of the platform",
    "judge": "undecided",
    "author": "fault of the plan's author",
}


def standing(case: CaseDocument) -> str:
    """What a case counts as, one of `OUTCOMES`: its outcome, but a quarantined one that did not pass stands apart."""
    return "quarantined" if case.quarantine and case.outcome in ("failed", "unknown") else case.outcome


def worst_first(cases: Iterable[CaseDocument]) -> list[CaseDocument]:
    """In the order of `OUTCOMES`; in each those that regressed first, else in the order of the plans."""
    return sorted(cases, key=lambda case: (OUTCOMES.index(standing(case)), case.compared != "regressed"))


def with_outcome(result: RunResult, outcome: str) -> list[CaseDocument]:
    return worst_first(case for case in result.cases if standing(case) == outcome)


def alike(cases: Iterable[CaseDocument]) -> list[list[CaseDocument]]:
    """Cases of one scenario with the same open expectations, together: the cases of a matrix mostly fail alike."""
    groups: dict[tuple[str, str, frozenset[str]], list[CaseDocument]] = {}
    for case in cases:
        expectations = frozenset(finding.expectation for run in telling_runs(case) for finding in open_findings(run))
        groups.setdefault((case.plan, case.scenario, expectations), []).append(case)
    return list(groups.values())


def compared(case: CaseDocument) -> str:
    """`regressed (20/20 → 12/20)`: the word, with the counts of both sides."""
    counts = compared_counts(case)
    return f"{_compared(case)} ({counts})" if counts else _compared(case)


def compared_counts(case: CaseDocument) -> str:
    """`20/20 → 12/20`: runs that passed, of those that count, before and now; then each expectation with a rate of its own whose
    counts changed. Empty where nothing was compared."""
    before, latest = case.before, case.latest
    if before is None or latest is None or (case.action == "keep" and case.compared != "regressed"):
        return ""
    told = [f"{before.runs_passed}/{before.runs_countable} → {latest.runs_passed}/{latest.runs_countable}"]
    earlier = {rate.expectation: rate for rate in before.own_rates}
    for rate in latest.own_rates:
        was = earlier.get(rate.expectation)
        if was is not None and was.decided and rate.decided and was.held * rate.decided != rate.held * was.decided:
            told.append(f"{rate.expectation} {was.held}/{was.decided} → {rate.held}/{rate.decided}")
    return ", ".join(told)


def change_word(case: CaseDocument) -> str:
    """`compared`, but `improved` for a case that does better and still fails or is unknown."""
    return "improved" if case.compared == "fixed" and case.outcome in ("failed", "unknown") else case.compared


def _compared(case: CaseDocument) -> str:
    """`regressed`; of one that its author changed `not comparable: prompt changed`, unless its outcome is the same. Where nothing was
    called there is nothing to compare."""
    if case.compared == "not_enough_evidence" and case.not_comparable is None and not case.runs:
        return "not compared"
    return "improved" if change_word(case) == "improved" else compared_word(case.compared, case.not_comparable)


def compared_word(compared: Compared, not_comparable: NotComparable | None) -> str:
    if not_comparable is None or compared == "same":
        return COMPARED[compared]
    return f"not comparable: {NOT_COMPARABLE[not_comparable]}"


def compared_in_full(case: CaseDocument) -> str:
    """With the p-value, where there seems to be a difference: `regressed (20/20 → 12/20; p = 0.003 on its own)`."""
    counts = compared_counts(case)
    moved = case.compared in ("regressed", "fixed", "not_enough_evidence")
    told = "; ".join(
        filter(None, [counts, f"{chance(case.p_value)} on its own" if moved and case.p_value is not None else ""])
    )
    return f"{_compared(case)} ({told})" if told else _compared(case)


def failing_since(case: CaseDocument) -> str:
    """`failing since 20261125T221901132-78ca8c47`: the invocation, which can be compared with; empty where it did not fail before."""
    return f"failing since {case.failing_since}" if case.failing_since and case.outcome == "failed" else ""


def rates(case: CaseDocument, neutral: Neutral) -> str:
    """`held: says 2 of 3, call 3 of 3`: of a case with several runs, where an expectation did not hold in all of them."""
    if case.runs_total < 2 or all(rate.held == rate.decided == case.runs_total for rate in case.expectations):
        return ""
    shown = [f"{neutral(rate.expectation)} {rate.held} of {rate.decided}" for rate in case.expectations]
    return f"held: {', '.join(shown)}"


def why(case: CaseDocument) -> str:
    """What was done with a case and why: `called: prompt changed`, `kept: passed`."""
    done = _without_runs(case) if case.action == "call" and not case.runs else _ACTIONS[case.action]
    return f"{done}: {reason_label(case.reason)}"


def _without_runs(case: CaseDocument) -> str:
    """What is paid for, or may be, was not left alone."""
    return "under way" if case.runs_under_way else "not called"


def why_in_full(case: CaseDocument) -> str:
    """With the detail, where that is a phrase: `called: agent edited since (2026-11-20 → 2026-11-24)`."""
    return why(case) if "\n" in case.detail or not case.detail else f"{why(case)} ({case.detail})"


def reason_label(code: str) -> str:
    """The phrase for a reason code; one of a later version is shown as it is."""
    return Reason(code).label if code in {reason.value for reason in Reason} else code.replace("_", " ")


def runs_passed(case: CaseDocument) -> str:
    """`2 of 3`, with the interval of the pass rate where there is one: `2 of 3 (21–94 %)`; and how
    many of the calls say nothing of the agent: `2 of 4, 2 not counted (34–100 %)`."""
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
    """Why a case is not simply passed; where nothing says so, its rate: `3 of 3 runs passed, all must`.

    Of a quarantined one it says so first: `quarantined through 2027-01-31 (ticket VOX-41); failed: …`.
    """
    if case.quarantine and standing(case) == "quarantined":
        return (
            f"quarantined through {case.quarantine.until} ({case.quarantine.reason}); {case.outcome}: {_reason(case)}"
        )
    return _reason(case)


def _reason(case: CaseDocument) -> str:
    if case.outcome_reason or not case.runs_total:
        return case.outcome_reason or _without_runs(case)
    required = "all" if case.min_pass_rate >= 1 else percent(case.min_pass_rate)
    return f"{case.runs_passed} of {case.runs_total} runs passed, {required} must"


def settled(case: CaseDocument) -> str:
    """`settled after 3 of 5 runs, the others were not needed`; empty where all were made."""
    if not case.runs_not_needed:
        return ""
    whole = case.runs_total + case.runs_not_needed
    others = "the other was" if case.runs_not_needed == 1 else "the others were"
    return f"settled after {case.runs_total} of {whole} runs, {others} not needed"


def pool(case: CaseDocument) -> str:
    """`10 of its 20 calls are earlier ones`; where earlier calls do not count, why; empty where all calls were made at once."""
    if case.set_aside is not None:
        earlier = f"{case.set_aside.runs_passed}/{case.set_aside.runs_countable}"
        return f"its earlier calls ({earlier}) do not count: the new ones differ from them beyond chance, so something changed"
    told = f"its earlier calls do not count: {case.fresh.reason}" if case.fresh is not None else ""
    pooled = sum(run.pooled for run in case.runs)
    joined = (
        f"{pooled} of its {count(case.runs_total, 'call')} {'is an earlier one' if pooled == 1 else 'are earlier ones'}"
    )
    return ", ".join(filter(None, [joined if pooled else "", told]))


def interval(case: CaseDocument) -> str:
    """`pass rate 6–79 %`: the 95 % interval; empty where there is none."""
    if case.interval is None:
        return ""
    low, high = (round(bound * 100) for bound in case.interval)
    return f"pass rate {low}–{high} % (95 % interval)"


def case_cost(case: CaseDocument) -> str:
    """The bill of all runs that stand for a case; unknown bills make it a lower bound."""
    if not case.runs:
        return "–"
    bills = [run.cost_cents for run in case.runs if run.cost_cents is not None]
    if not bills:
        return money(None)
    return money(sum(bills)) if len(bills) == len(case.runs) else f"at least {money(sum(bills))}"


def run_facts(run: RunDocument) -> str:
    """`run 81 · call 91 · 54 s · $0.16`; an unknown call, length or bill is said to be."""
    call = "no call" if run.call_id is None else f"call {run.call_id}"
    length = "length unknown" if run.duration_seconds is None else duration(run.duration_seconds)
    bill = "bill unknown" if run.cost_cents is None else money(run.cost_cents)
    batch = [] if run.batch_id is None else [f"batch {run.batch_id}"]
    return " · ".join([f"run {run.run_id}", *batch, call, length, bill, *([ADOPTED] if run.adopted else [])])


def run_reason(run: RunDocument) -> str:
    """Why a run did not pass, where its findings do not say it already."""
    said = any(finding.message and finding.message in run.reason for finding in open_findings(run))
    return "" if said else run.reason


def fault(run: RunDocument) -> str:
    """Whose fault a run that did not pass is; empty for one that passed."""
    return _FAULTS[run.fault] if run.fault else ""


def run_outcome(run: RunDocument) -> str:
    """`failed`; of one that passed though an expectation with a rate of its own did not hold in it: `passed, but for polite`."""
    apart = dict.fromkeys(finding.expectation for finding in open_findings(run) if finding.severity == "error")
    return f"passed, but for {', '.join(apart)}" if run.outcome == "passed" and apart else run.outcome


def finding_label(finding: FindingDocument) -> str:
    """What kind of finding it is beyond its name: `says, critical`; empty where the name says it all."""
    parts = [
        finding.check if finding.check != finding.expectation else "",
        finding.severity if finding.severity != "error" else "",
        "undecided" if finding.outcome == "errored" else "",
    ]
    return ", ".join(filter(None, parts))


def open_findings(run: RunDocument) -> list[FindingDocument]:
    """What did not hold or could not be decided, gravest first."""
    gravity = ("critical", "error", "warning")
    found = [finding for finding in run.findings if finding.outcome != "passed"]
    return sorted(found, key=lambda finding: (finding.outcome == "errored", gravity.index(finding.severity)))


def quote_place(quote: QuoteDocument) -> str:
    """`turn 6, agent, 0:42`."""
    moment = [] if quote.start_ms is None else [clock(quote.start_ms)]
    return ", ".join([f"turn {quote.turn}", quote.role, *moment])


def telling_runs(case: CaseDocument) -> list[RunDocument]:
    """The runs that say why a case is not simply passed: those that did not pass, or with a finding that is no mere warning. Those
    that say something of the agent come first: a reader may be shown but a few."""
    telling = [
        run
        for run in case.runs
        if run.outcome != "passed" or any(finding.severity != "warning" for finding in open_findings(run))
    ]
    return sorted(telling, key=lambda run: run.outcome == "errored")


def run_lines(run: RunDocument, neutral: Neutral, *, characters: int) -> list[str]:
    """A run as plain lines: what it was and why it did not pass, then each open finding with its quote, indented."""
    told = ", ".join(filter(None, [neutral(run_outcome(run)), fault(run)]))
    because = run_reason(run)
    because = f": {neutral(shortened(because, characters))}" if because else ""
    lines = [run_facts(run), f"  {told}{because}"]
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
    """`states-window (says, critical): what was found`, and the words it rests on below, unless they are in `quoted`."""
    label = finding_label(finding)
    aside = f" ({neutral(label)})" if label else ""
    lines = [f"{neutral(finding.expectation)}{aside}: {neutral(shortened(finding.message, characters))}"]
    if finding.quote is not None:
        lines.append(
            f"  {neutral(quote_place(finding.quote))}: {quote_words(finding.quote, neutral, quoted, characters)}"
        )
    return lines


def quote_words(quote: QuoteDocument, neutral: Neutral, quoted: set[QuoteDocument], characters: int) -> str:
    """`“the words”` once, then `as above`: several findings may rest on one turn. Adds to `quoted`."""
    if quote in quoted:
        return "as above"
    quoted.add(quote)
    return f"“{neutral(shortened(quote.text, characters)) or '(nothing)'}”"


def shortened(text: str, characters: int) -> str:
    """Cut in the middle, so that how it begins and ends stays."""
    if len(text) <= characters:
        return text
    keep = characters - 3
    return f"{text[: (keep + 1) // 2].rstrip()} … {text[len(text) - keep // 2 :].lstrip()}"
