"""Strings about a case, its runs and findings that all formats share; see `phrasing`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from planner.changes.model import Reason
from planner.quantities import clock, count, duration, money, percent, shortened
from planner.results.model import CaseResult, Finding, JudgedRun, NotComparable, Quote, RunResult, Sample
from planner.results.outcomes import Cause

OUTCOMES = ("failed", "unknown", "quarantined", "flaky", "passed")
"""Worst first."""
_SEVERITIES = ("critical", "error", "warning")
NOT_COMPARABLE: dict[NotComparable, str] = {
    "prompt": "caller prompt changed",
    "settings": "settings changed",
    "expectations": "expectations changed",
    "judge": "different judge model",
    "judging": "same calls, judged differently",
    "grader": "different grader",
    "variant": "no agent variant in common",
}


def shown_outcome(case: CaseResult) -> str:
    """One of `OUTCOMES`: the outcome, or `quarantined` if a quarantined case did not pass."""
    return "quarantined" if case.quarantine and case.outcome != "passed" else case.outcome


def worst_first(cases: Iterable[CaseResult]) -> list[CaseResult]:
    """In the order of `OUTCOMES`, regressions first."""
    return sorted(cases, key=lambda case: (OUTCOMES.index(shown_outcome(case)), case.compared != "regressed"))


def with_outcome(result: RunResult, outcome: str) -> list[CaseResult]:
    return worst_first(case for case in result.cases if shown_outcome(case) == outcome)


def is_red(case: CaseResult) -> bool:
    """Whether the case failed or regressed; quarantined cases do not count."""
    return case.quarantine is None and (case.outcome == "failed" or case.compared == "regressed")


def group_similar(cases: Iterable[CaseResult]) -> list[list[CaseResult]]:
    """Group cases of one scenario with the same open expectations: the cases of a matrix mostly fail in the same
    way."""
    groups: dict[tuple[str, str, frozenset[str]], list[CaseResult]] = {}
    for case in cases:
        expectations = frozenset(finding.expectation for run in runs_to_show(case) for finding in open_findings(run))
        groups.setdefault((case.plan, case.scenario, expectations), []).append(case)
    return list(groups.values())


def cannot_fail(case: CaseResult) -> str:
    """`cannot fail` if it passed and every expectation is a warning; else empty."""
    severities = {finding.severity for run in case.runs for finding in run.findings}
    return "cannot fail" if case.outcome == "passed" and severities == {"warning"} else ""


# The comparison with earlier results


def change_word(case: CaseResult) -> str:
    """`regressed`, or else what happened to the outcome; "" while that is unknown."""
    return "regressed" if case.compared == "regressed" else (case.changed or "").replace("_", " ")


def has_moved(case: CaseResult) -> bool:
    return case.compared == "regressed" or case.changed in ("now_failing", "now_passing")


def compared(case: CaseResult) -> str:
    """`now failing (3/3 → 0/3; caller prompt changed)`, `regressed (20/20 → 12/20; 97 % likely)`."""
    word, details = change_word(case), [compared_counts(case)]
    if case.not_comparable is not None and case.compared == "not_comparable":
        details.append(NOT_COMPARABLE[case.not_comparable])
    if case.compared == "suspected":
        details.append("may have regressed")
    if case.probability_regressed is not None:
        details.append(f"{min(99, math.floor(case.probability_regressed * 100))} % likely")
    details += _confirmation(case)
    if case.regressed_since is not None:
        details.append(f"since {session_day(case.regressed_since)}; nobody accepted it")
    known = "; ".join(filter(None, details))
    return f"{word} ({known})" if word and known else word


def _confirmation(case: CaseResult) -> list[str]:
    """`called again to be sure: 1/8 passed`, never added up with the planned calls."""
    counted = [run for run in case.confirmation if run.countable]
    if not counted:
        return []
    passed = sum(run.cause is None for run in counted)
    looked = "" if case.compared == "regressed" else "looked worse; "
    ending = "" if case.compared == "regressed" else ", so it does not count as regressed"
    return [f"{looked}called again to be sure: {passed}/{len(counted)} passed{ending}"]


def session_day(session_id: str) -> str:
    """`2026-12-03`, of the id of a session."""
    return f"{session_id[:4]}-{session_id[4:6]}-{session_id[6:8]}"


def compared_counts(case: CaseResult) -> str:
    """`20/20 → 12/20` or `24/25 in 5 sessions → 2/5`: passed of countable runs, before and now; then each expectation
    with its own rate whose counts changed. Empty if nothing was compared."""
    is_kept, latest = case.action == "reuse", case.latest
    before = case.baseline if is_kept else case.before
    if before is None or (is_kept and (latest is None or case.compared != "regressed")):
        return ""
    passed, countable = case.counts if latest is None else (latest.runs_passed, latest.runs_countable)
    if not (before.runs_countable or countable):
        return ""
    parts = [f"{_usual_counts(case, before)} → {passed}/{countable}"]
    earlier = {rate.expectation: rate for rate in before.own_rates}
    for rate in latest.own_rates if latest else ():
        was = earlier.get(rate.expectation)
        if was is not None and was.decided and rate.decided and was.met * rate.decided != rate.met * was.decided:
            parts.append(f"{rate.expectation} {was.met}/{was.decided} → {rate.met}/{rate.decided}")
    return ", ".join(parts)


def _usual_counts(case: CaseResult, before: Sample) -> str:
    if case.usual is None or not case.usual.sessions:
        return f"{before.runs_passed}/{before.runs_countable}"
    usual = case.usual
    return f"{usual.passed}/{usual.countable} in {count(usual.sessions, 'session')}"


# What was done, and what came out


def facts(case: CaseResult) -> list[str]:
    """The outcome with its reason, the comparison, what was done and why. `new` is said once."""
    is_new = case.changed == case.reason == "new"
    against_before = "" if is_new else compared(case)
    found = [reason(case), pool(case), against_before, why(case, detail=True)]
    return [fact for fact in found if fact]


def why(case: CaseResult, *, detail: bool = False) -> str:
    """`called: caller prompt changed`, `reused: passed`; with the detail if it is wanted and one line: `called: agent
    edited at the service (…)`."""
    done = _without_runs(case) if case.action == "call" and not case.runs else case.action.done
    aside = f" ({case.detail})" if detail and case.detail and "\n" not in case.detail else ""
    return f"{done}: {reason_label(case.reason)}{aside}"


def _without_runs(case: CaseResult) -> str:
    return "under way" if case.runs_under_way else "not called"


def reason_label(code: str) -> str:
    """The phrase for a reason code; codes of later versions are shown as they are."""
    return Reason(code).label if code in {reason.value for reason in Reason} else code.replace("_", " ")


def runs_passed(case: CaseResult) -> str:
    """`2 of 4, 2 not counted (34–100 %)`: passed runs, and the interval of the pass rate. Then each expectation with
    its own rate that was not always met: `; polite 1 of 2`."""
    if not case.runs_total:
        return _without_runs(case)
    text = f"{case.runs_passed} of {case.runs_total}"
    if case.pass_rate and (left_out := case.runs_total - round(case.runs_passed / case.pass_rate)) > 0:
        text += f", {left_out} not counted"
    if case.interval is not None:
        low, high = (round(bound * 100) for bound in case.interval)
        text += f" ({low}–{high} %)"
    own = [rate for rate in case.expectations if rate.min_pass_rate is not None and rate.met < rate.decided]
    return "; ".join([text, *(f"{rate.expectation} {rate.met} of {rate.decided}" for rate in own)])


def reason(case: CaseResult) -> str:
    """Why a case has its outcome, or else its pass rate: `3 of 3 runs passed, 100 % needed`.

    A quarantine comes first: `quarantined through 2027-01-31 (ticket VOX-41); failed: …`.
    """
    text = case.outcome_reason or _without_runs(case)
    if not case.outcome_reason and case.runs_total:
        text = f"{case.runs_passed} of {count(case.runs_total, 'run')} passed, {percent(case.min_pass_rate)} needed"
    if case.quarantine and shown_outcome(case) == "quarantined":
        return f"quarantined through {case.quarantine.until} ({case.quarantine.reason}); {case.outcome}: {text}"
    return text


def pool(case: CaseResult) -> str:
    """`10 of its 20 calls are from earlier sessions`, or why earlier calls are not counted; empty if there are none."""
    aside = "" if case.start_over is None else f"earlier calls are not counted: {case.start_over.reason}"
    pooled = sum(run.pooled for run in case.runs)
    are = "is" if pooled == 1 else "are"
    from_earlier = f"{pooled} of its {count(case.runs_total, 'call')} {are} from earlier sessions" if pooled else ""
    parts = [from_earlier, aside]
    return ", ".join(filter(None, parts))


def rates(case: CaseResult) -> str:
    """`expectations met: says 2 of 3, call 3 of 3`; empty for a single run or if every expectation was met in all
    runs."""
    if case.runs_total < 2 or all(rate.met == rate.decided == case.runs_total for rate in case.expectations):
        return ""
    shown = [f"{rate.expectation} {rate.met} of {rate.decided}" for rate in case.expectations]
    return f"expectations met: {', '.join(shown)}"


def case_cost(case: CaseResult) -> str:
    """The bill of all runs of a case; a lower bound if a bill is unknown."""
    if not case.runs:
        return "–"
    bills = [run.cost_cents for run in case.runs if run.cost_cents is not None]
    if not bills:
        return money(None)
    return money(sum(bills)) if len(bills) == len(case.runs) else f"at least {money(sum(bills))}"


# Runs and findings


def runs_to_show(case: CaseResult) -> list[JudgedRun]:
    """The runs that did not pass, or have an open finding that is not a warning; inconclusive runs last."""
    shown = [
        run
        for run in case.runs
        if run.outcome != "passed" or any(finding.severity != "warning" for finding in open_findings(run))
    ]
    return sorted(shown, key=lambda run: run.outcome == "undecided")


def run_facts(run: JudgedRun) -> str:
    """`run 81 · call 91 · 54 s · $0.16`."""
    parts = [
        f"run {run.run_id}",
        "" if run.batch_id is None else f"batch {run.batch_id}",
        "no call" if run.call_id is None else f"call {run.call_id}",
        "length unknown" if run.duration_seconds is None else duration(run.duration_seconds),
        "bill unknown" if run.cost_cents is None else money(run.cost_cents),
        "adopted: its launch got no answer" if run.adopted else "",
    ]
    return " · ".join(filter(None, parts))


def cause(run: JudgedRun) -> str:
    """Why the run did not pass; empty if it passed."""
    if run.excluded is not None:
        return "not counted"
    match run.cause:
        case None:
            return ""
        case Cause.AGENT:
            return "caused by the agent"
        case Cause.CALLER:
            return "caused by the test bot"
        case Cause.PLATFORM:
            return "caused by the platform"
        case Cause.JUDGE:
            return "undecided"
        case Cause.PLAN:
            return "caused by the plan"


def run_outcome(run: JudgedRun) -> str:
    """`failed, caused by the agent`, or `passed, except polite` if an expectation with its own rate failed."""
    failed = dict.fromkeys(finding.expectation for finding in open_findings(run) if finding.severity == "error")
    exceptions = f"except {', '.join(failed)}" if run.outcome == "passed" and failed else ""
    return ", ".join(filter(None, [run.outcome, exceptions, cause(run)]))


def run_reason(run: JudgedRun) -> str:
    """Why a run did not pass; empty if its findings say so."""
    is_in_findings = any(finding.message and finding.message in run.reason for finding in open_findings(run))
    return "" if is_in_findings else run.reason


def open_findings(run: JudgedRun) -> list[Finding]:
    """Failed and undecided findings, most severe first."""
    found = [finding for finding in run.findings if finding.outcome != "passed"]
    return sorted(found, key=lambda finding: (finding.outcome == "undecided", _SEVERITIES.index(finding.severity)))


def finding_label(finding: Finding) -> str:
    """Check, severity and `undecided` if they are not obvious: ` (says, critical)`."""
    parts = [
        finding.check if finding.check != finding.expectation else "",
        finding.severity if finding.severity != "error" else "",
        "undecided" if finding.outcome == "undecided" else "",
    ]
    label = ", ".join(filter(None, parts))
    return f" ({label})" if label else ""


def finding_text(finding: Finding, characters: int | None = None) -> str:
    """`states-window (says, critical): the agent never said it`; `characters` limits the message."""
    message = finding.message if characters is None else shortened(finding.message, characters)
    return f"{finding.expectation}{finding_label(finding)}: {message}"


def quote_place(quote: Quote) -> str:
    """`turn 6, agent, 0:42`."""
    moment = [] if quote.start_ms is None else [clock(quote.start_ms)]
    return ", ".join([f"turn {quote.turn}", quote.role, *moment])


def quote_text(quote: Quote, quoted: set[Quote], characters: int) -> str:
    """`turn 6, agent, 0:42: “the words”` the first time, then `as above`, as findings may share a turn. Adds to
    `quoted`."""
    words = f"“{shortened(quote.text, characters).strip() or '(nothing)'}”"
    if quote in quoted:
        words = "as above"
    quoted.add(quote)
    return f"{quote_place(quote)}: {words}"


def run_lines(run: JudgedRun, characters: int) -> Iterator[str]:
    """The facts of a run and why it did not pass, then each open finding with its quote, indented."""
    reason = run_reason(run)
    yield run_facts(run)
    yield f"  {run_outcome(run)}{f': {shortened(reason, characters)}' if reason else ''}"
    quoted: set[Quote] = set()
    if run.cause_quote is not None:
        yield f"    {quote_text(run.cause_quote, quoted, characters)}"
    for finding in open_findings(run):
        yield f"  {finding_text(finding, characters)}"
        if finding.quote is not None:
            yield f"    {quote_text(finding.quote, quoted, characters)}"


def first_failed(case: CaseResult) -> str:
    """`says (critical): never said "30 days" (and 1 more)`: the most severe failed expectation; empty if none
    failed."""
    found: dict[str, Finding] = {}
    for finding in _failures(case):
        found.setdefault(finding.expectation, finding)
    if not found:
        return ""
    first = min(found.values(), key=lambda finding: _SEVERITIES.index(finding.severity))
    return f"{finding_text(first)}{f' (and {len(found) - 1:,} more)' if len(found) > 1 else ''}"


def what_failed(result: RunResult, shown: int, characters: int) -> list[str]:
    """One line for each expectation of a plan: in how many runs and cases it failed, with a message, a quote and its
    place. Critical ones first. Empty for fewer than two failed cases."""
    failed = with_outcome(result, "failed")
    groups: dict[tuple[str, str, str], list[tuple[CaseResult, Finding]]] = {}
    for case in failed if len(failed) > 1 else ():
        for finding in _failures(case):
            line = case.finding_lines.get(finding.expectation, case.line)
            place = f" · `{case.file}:{line}`" if case.file else ""
            groups.setdefault((case.plan, place, finding.expectation), []).append((case, finding))
    lines: list[str] = []
    ranked = sorted(groups.items(), key=lambda group: (_SEVERITIES.index(group[1][0][1].severity), -len(group[1])))
    for (_, place, expectation), found in ranked:
        cases, finding = {case.case_id: case for case, _ in found}, found[0][1]
        runs = count(sum(_decided(case, expectation) for case in cases.values()), "run")
        how_many = f"failed in {len(found):,} of {runs} of {count(len(cases), 'case')}"
        quote = f" “{shortened(finding.quote.text, characters)}”" if finding.quote else ""
        message = shortened(finding.message, characters)
        lines.append(f"`{expectation}`{finding_label(finding)} {how_many}: {message}{quote}{place}")
    more = [f"{count(len(lines) - shown, 'more expectation')}"] if len(lines) > shown else []
    return [*lines[:shown], *more]


def _failures(case: CaseResult) -> Iterator[Finding]:
    for run in runs_to_show(case):
        for finding in open_findings(run) if run.countable else ():
            if finding.outcome == "failed" and finding.severity != "warning":
                yield finding


def _decided(case: CaseResult, expectation: str) -> int:
    """Number of countable runs in which it was decided."""
    findings = (finding for run in case.runs if run.countable for finding in run.findings)
    return sum(finding.expectation == expectation and finding.outcome != "undecided" for finding in findings)
