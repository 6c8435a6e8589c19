"""From findings to outcomes: whose fault a run is, what a case comes to, how it compares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.checks.base import CheckSeverity, Expectation
from planner.checks.judge import Judge
from planner.checks.judgement import FindingOutcome, Judgement, Quote, failed, passed, undecided
from planner.evidence import Call, Evidence, Role, RunStatus, Turn
from planner.planfile.model import Case, Target
from planner.planfile.yaml.document import Source, YamlPlace
from planner.results.model import Finding, RunVerdict, Sample
from planner.results.outcomes import CaseOutcome, Cause, RunOutcome
from planner.verdicts.cases import CaseVerdict, judge_case, judge_parts, sample_of_runs, settled
from planner.verdicts.comparison import ChangedRate, changed_rate, compared_by_sides
from planner.verdicts.runs import judge_run, questions_of_run, undecided_run
from tests.support.samples import case_rules, changed, one_side, own_rate


class Fixed(Expectation, frozen=True):
    """A check with fixed results."""

    caller_can_cause_failure = True

    check: Literal["fixed"] = "fixed"
    finds: Literal["passed", "failed", "undecided", "crash"] = "passed"

    def judge(self, evidence: Evidence) -> Judgement:  # noqa: ARG002 - it knows already
        quote = Quote(turn=1, role="agent", start_ms=None, text="Hello.")
        match self.finds:
            case "passed":
                return passed("as it should be", quote)
            case "failed":
                return failed("not as it should be", quote)
            case "undecided":
                return undecided("nobody knows")
            case "crash":
                raise ZeroDivisionError("boom")


def expect(finds: str, id: str | None = None, severity: str = "error", min_pass_rate: float | None = None) -> Fixed:  # noqa: A002
    return Fixed.model_validate(
        {"id": id or finds, "finds": finds, "severity": severity, "min_pass_rate": min_pass_rate}
    )


def evidence(*lines: str, **fields: Any) -> Evidence:
    """A completed run whose call lasted 54 s, with turns written as `agent: Hello.`"""
    turns = tuple(
        Turn(number=number, role=Role(line.partition(":")[0]), text=line.partition(":")[2].strip())
        for number, line in enumerate(lines or ("agent: Hello.", "caller: Hi.", "agent: Bye."), start=1)
    )
    call = Call(call_id=9, status="completed", end_reason="agent_end", duration_seconds=54)
    return Evidence.model_validate({"run_id": 1, "run_status": "completed", "call": call, "turns": turns, **fields})


def outcome(verdict: RunVerdict) -> tuple[str, str | None, str]:
    return verdict.outcome, verdict.cause, verdict.reason


@pytest.mark.parametrize(
    ("expectations", "expected"),
    [
        ([], ("passed", None, "")),
        ([expect("passed")], ("passed", None, "")),
        ([expect("failed", severity="warning"), expect("undecided", severity="warning")], ("passed", None, "")),
        ([expect("failed", min_pass_rate=0.5), expect("undecided", min_pass_rate=0.5)], ("passed", None, "")),
        ([expect("passed"), expect("failed")], ("failed", "agent", "failed: not as it should be")),
        (
            [expect("failed", "polite"), expect("failed", "brief", "critical"), expect("undecided")],
            ("failed", "agent", "polite: not as it should be (and 1 more)"),
        ),
        (
            [expect("failed", severity="critical", min_pass_rate=0.1)],
            ("failed", "agent", "failed: not as it should be"),
        ),
        ([expect("passed"), expect("undecided")], ("undecided", "judge", "undecided: nobody knows")),
        ([expect("undecided"), expect("failed")], ("failed", "agent", "failed: not as it should be")),
    ],
)
def test_a_run_by_its_findings(expectations: Sequence[Expectation], expected: object) -> None:
    """A failure found is a failure; what is undecided is an error; warnings and rates of their own decide no run."""
    assert outcome(judge_run(expectations, evidence())) == expected


def test_a_check_that_raises_is_undecided_and_names_the_place() -> None:
    verdict = judge_run([expect("crash")], evidence())
    assert (verdict.outcome, verdict.cause, verdict.findings[0].is_bug) == ("undecided", "judge", True)
    assert "the check fixed raised ZeroDivisionError at test_outcome.py:" in verdict.reason


def test_findings_have_check_severity_message_and_quote() -> None:
    """A finding goes by its expectation's id, by default the kind of check."""
    findings = judge_run([expect("failed", "polite", "critical"), Fixed()], evidence()).findings
    quote = Quote(turn=1, role="agent", start_ms=None, text="Hello.")
    assert findings == [
        Finding(
            expectation="polite",
            check="fixed",
            outcome=FindingOutcome.FAILED,
            severity=CheckSeverity.CRITICAL,
            message="not as it should be",
            quote=quote,
        ),
        Finding(
            expectation="fixed",
            check="fixed",
            outcome=FindingOutcome.PASSED,
            severity=CheckSeverity.ERROR,
            message="as it should be",
            quote=quote,
        ),
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"run_status": "failed"}, "the run failed"),
        ({"run_status": "failed", "error_message": "no\n carrier"}, "the run failed: no carrier"),
        ({"call": None}, "no call was made"),
        ({"call": Call(call_id=9, status="failed")}, "the call failed"),
    ],
)
def test_a_platform_failure_is_not_judged(fields: dict[str, Any], reason: str) -> None:
    """No finding of such a run says anything about the agent, passing ones neither."""
    verdict = judge_run([expect("passed"), expect("failed")], evidence(**fields))
    assert outcome(verdict) == ("undecided", "platform", reason)
    assert [finding.outcome for finding in verdict.findings] == [FindingOutcome.UNDECIDED] * 2
    assert verdict.findings[0].message == f"not judged: {reason}"
    assert not verdict.countable


def test_a_model_is_asked_only_of_a_run_that_its_answer_decides() -> None:
    """Neither of a run that the platform failed, nor where a shared store left out what was said."""
    evidence = Evidence(
        run_id=1,
        run_status=RunStatus.COMPLETED,
        call=Call(call_id=2, status="completed"),
        turns=(Turn(number=1, role=Role.AGENT, text="Hello."),),
    )
    polite, kind = (Judge(check="judge", rubric=rubric) for rubric in ("It is polite.", "It is kind."))
    asked = questions_of_run([polite, expect("passed"), kind], evidence)
    assert [question.rubric for question in asked] == ["It is polite.", "It is kind."]
    for unread in ({"run_status": RunStatus.FAILED}, {"call": None}, {"redacted": ("turns",)}, {"unread": ("turns",)}):
        assert questions_of_run([polite, kind], evidence.model_copy(update=unread)) == []


def test_a_call_that_timed_out_is_judged_like_any_other() -> None:
    """`completed` with `end_reason: timeout` is the agent's to answer for."""
    call = Call(call_id=9, status="completed", end_reason="timeout", duration_seconds=900)
    assert outcome(judge_run([expect("failed")], evidence(call=call)))[:2] == ("failed", "agent")


CRITICAL = expect("passed", "safe", "critical")
POLITE = expect("passed", "polite", min_pass_rate=0.6)
PLATFORM = undecided_run(Cause.PLATFORM, "it never ended")
JUDGE = RunVerdict(outcome=RunOutcome.UNDECIDED, cause=Cause.JUDGE)
CALLER = RunVerdict(outcome=RunOutcome.UNDECIDED, cause=Cause.CALLER)
AUTHOR = RunVerdict(outcome=RunOutcome.FAILED, cause=Cause.PLAN)


def runs(passing: int, failing: int = 0, *others: RunVerdict) -> list[RunVerdict]:
    good, bad = RunVerdict(outcome=RunOutcome.PASSED), RunVerdict(outcome=RunOutcome.FAILED, cause=Cause.AGENT)
    return [good] * passing + [bad] * failing + list(others)


def with_findings(verdict: RunVerdict, **outcomes: str) -> RunVerdict:
    found = [
        Finding(
            expectation=name, check="fixed", outcome=FindingOutcome(found), severity=CheckSeverity.ERROR, message="…"
        )
        for name, found in outcomes.items()
    ]
    return changed(verdict, findings=list(found))


GOOD, BAD = runs(1, 1)


@pytest.mark.parametrize(
    ("rules", "verdicts", "expected"),
    [
        (case_rules(), runs(3), ("passed", 3, 3, "")),
        (case_rules(min_pass_rate=0.8), runs(4, 1), ("flaky", 4, 5, "4 of 5 runs passed, 80 % needed")),
        (case_rules(min_pass_rate=0.81), runs(4, 1), ("failed", 4, 5, "4 of 5 runs passed, 81 % needed")),
        (case_rules(), runs(0, 1), ("failed", 0, 1, "0 of 1 run passed, 100 % needed")),
        (case_rules(min_pass_rate=0), runs(0, 3), ("flaky", 0, 3, "0 of 3 runs passed, 0 % needed")),
        (case_rules(), runs(2, 0, AUTHOR), ("failed", 2, 3, "2 of 3 runs passed, 100 % needed")),
        (case_rules(), [], ("unknown", 0, 0, "no run was made")),
        (case_rules(runs=3), runs(2, 0, PLATFORM), ("passed", 2, 2, "not counted: 1 failed because of the platform")),
        (
            case_rules(runs=5),
            runs(2, 0, PLATFORM, CALLER, JUDGE, JUDGE),
            (
                "unknown",
                2,
                2,
                "2 of 6 runs can be counted, 3 needed: 1 failed because of the test bot, 1 failed because of the platform, 2 undecided",
            ),
        ),
        (case_rules(runs=5), runs(0, 2), ("unknown", 0, 2, "2 of 2 runs can be counted, 3 needed")),
        (
            case_rules(),
            runs(0, 0, JUDGE),
            ("unknown", 0, 0, "0 of 1 run can be counted, 1 needed: 1 undecided"),
        ),
        (
            case_rules(min_pass_rate=0.5),
            runs(1, 1, JUDGE),
            ("flaky", 1, 2, "1 of 2 runs passed, 50 % needed (not counted: 1 undecided)"),
        ),
        (
            case_rules(min_pass_rate=0.5, expectations=(CRITICAL,)),
            [with_findings(GOOD, safe="passed"), with_findings(BAD, safe="failed"), GOOD],
            ("failed", 2, 3, "critical safe failed in 1 of 3 runs"),
        ),
        (
            case_rules(runs=9, expectations=(CRITICAL,)),
            [with_findings(BAD, safe="failed")],
            ("failed", 0, 1, "critical safe failed in 1 of 1 run"),
        ),
        (
            case_rules(min_pass_rate=0.5, runs=3, expectations=(CRITICAL,)),
            [with_findings(verdict, safe="passed") for verdict in runs(2)]
            + [with_findings(JUDGE, safe="undecided")] * 2
            + [with_findings(CALLER, safe="undecided"), with_findings(PLATFORM, safe="undecided")],
            ("unknown", 2, 2, "critical safe could not be decided in 2 of 6 runs"),
        ),
        (case_rules(expectations=(CRITICAL,)), [with_findings(GOOD, safe="passed")], ("passed", 1, 1, "")),
        (case_rules(expectations=(POLITE,)), [with_findings(GOOD, polite="passed")] * 3, ("passed", 3, 3, "")),
        (
            case_rules(expectations=(POLITE,)),
            [with_findings(GOOD, polite=found) for found in ("passed", "failed", "passed", "failed", "passed")],
            ("flaky", 5, 5, "polite was met in 3 of 5 runs, 60 % needed"),
        ),
        (
            case_rules(expectations=(POLITE,)),
            [with_findings(GOOD, polite=found) for found in ("passed", "failed", "failed", "undecided")],
            ("failed", 4, 4, "polite was met in 1 of 3 runs, 60 % needed"),
        ),
        (
            case_rules(runs=3, expectations=(POLITE,)),
            [with_findings(GOOD, polite=found) for found in ("passed", "undecided")],
            ("unknown", 2, 2, "polite was decided in 1 of 2 runs, 2 needed"),
        ),
        (
            case_rules(min_pass_rate=0.5, expectations=(POLITE,)),
            [with_findings(GOOD, polite="passed"), with_findings(CALLER, polite="failed")],
            ("passed", 1, 1, "not counted: 1 failed because of the test bot"),
        ),
        (
            case_rules(expectations=(POLITE,)),
            [with_findings(BAD, polite="failed")],
            ("failed", 0, 1, "0 of 1 run passed, 100 % needed; polite was met in 0 of 1 run, 60 % needed"),
        ),
        (
            case_rules(expectations=(expect("failed", "loud", "warning", min_pass_rate=1.0),)),
            [with_findings(GOOD, loud="failed")],
            ("passed", 1, 1, ""),
        ),
    ],
)
def test_a_case_by_its_runs(rules: Case, verdicts: list[RunVerdict], expected: object) -> None:
    """The worst of the case's rate, of rates of single expectations and of critical ones, and why."""
    verdict = judge_case(rules, verdicts)
    assert (verdict.outcome, verdict.runs_passed, verdict.runs_countable, verdict.outcome_reason) == expected


def test_a_case_verdict_has_rate_and_interval() -> None:
    """Both are of countable runs; with none of those there is neither."""
    verdict = judge_case(case_rules(), runs(4, 1, JUDGE))
    assert verdict.pass_rate == 0.8
    assert verdict.interval == pytest.approx((0.3755346297625253, 0.9637758913675698))
    assert judge_case(case_rules(), [JUDGE]) == CaseVerdict(
        CaseOutcome.UNKNOWN, 0, 0, None, None, "0 of 1 run can be counted, 1 needed: 1 undecided"
    )


def test_a_case_of_a_plan_has_the_rules_in_it() -> None:
    """The plan's own `Case` is judged as it is."""
    place = YamlPlace(Source("plans/refunds.yaml", "version: 1\nscenarios:\n    refunds:\n"), 26, 33)
    case = Case(
        case_id="refunds/late@support",
        plan="refunds",
        scenario="late",
        target=Target("support", "agent", 12),
        point=(),
        prompt="Ask.",
        direction="outbound",
        mode="bot",
        target_number=None,
        runs=5,
        min_pass_rate=0.8,
        timeout_seconds=900,
        expectations=(POLITE,),
        expectation_places=(place,),
        tags=frozenset(),
        place=place,
    )
    good, bad = with_findings(GOOD, polite="passed"), with_findings(BAD, polite="passed")
    assert judge_case(case, [good] * 4 + [bad]).outcome_reason == "4 of 5 runs passed, 80 % needed"


@given(st.integers(1, 200), st.data())
def test_the_rate_as_written_is_exact(total: int, data: st.DataObject) -> None:
    """`min_pass_rate: 0.35` of 20 runs is 7 runs, regardless of floating point."""
    hundredths = data.draw(st.integers(0, 100))
    passing = data.draw(st.integers(0, total))
    verdict = judge_case(
        case_rules(min_pass_rate=float(f"0.{hundredths:02}") if hundredths < 100 else 1.0),
        runs(passing, total - passing),
    )
    assert (verdict.outcome is CaseOutcome.FAILED) is (passing * 100 < hundredths * total)


def sample(passing: int, total: int, outcome: CaseOutcome | None = None) -> Sample:
    """By default as with `min_pass_rate: 1`."""
    return one_side(outcome or (CaseOutcome.PASSED if passing == total else CaseOutcome.FAILED), passing, total)


UNKNOWN = one_side(CaseOutcome.UNKNOWN, 1, 1)
WITHOUT_CALLS = one_side(CaseOutcome.UNKNOWN, 0, 0)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (None, sample(5, 5), "new"),
        (sample(5, 5), None, "gone"),
        (sample(5, 5), sample(0, 5), "same"),
        (UNKNOWN, sample(5, 5), "same"),
        (sample(5, 5), WITHOUT_CALLS, "not_comparable"),
        (WITHOUT_CALLS, sample(5, 5), "not_comparable"),
        (WITHOUT_CALLS, WITHOUT_CALLS, "same"),
    ],
)
def test_what_both_sides_say_without_the_regression_rule(
    before: Sample | None, now: Sample | None, expected: str
) -> None:
    """Counts that differ are for the rule; only which sides have calls matters here."""
    assert compared_by_sides(before, now) == expected


def own(met: int, decided: int, not_made: int = 0, outcome: CaseOutcome = CaseOutcome.PASSED) -> Sample:
    """All runs passed, and an expectation with a rate of its own was met in some."""
    made = decided + not_made
    return one_side(outcome, decided, decided, made - decided, [own_rate("b", met, decided)], met)


def test_the_rate_that_changed_most_is_shown() -> None:
    """All runs passed before and now, and an expectation with a rate of its own was met in none. It counts if both
    sides decided it."""
    before, now = own(10, 10), own(0, 10, outcome=CaseOutcome.FAILED)
    assert changed_rate(before, now) == ChangedRate("b", (10, 10), (0, 10))
    assert changed_rate(before, now).points == -1
    runs_passed = ChangedRate(None, (10, 10), (10, 10))
    assert changed_rate(before, before) == runs_passed
    assert changed_rate(changed(before, own_rates=(own_rate("b", 0, 0),)), now) == runs_passed
    assert changed_rate(before, changed(now, own_rates=(own_rate("b", 0, 0),))) == runs_passed
    assert changed_rate(changed(before, own_rates=()), now) == runs_passed


def test_judged_runs_are_a_sample() -> None:
    """With what expectations with a rate of their own came to; the platform's failures do not count."""
    rules = case_rules(
        min_pass_rate=0.5,
        expectations=(expect("passed"), expect("failed", "b", min_pass_rate=0.5)),
    )
    met, fell = (
        RunVerdict(
            outcome=RunOutcome.PASSED,
            findings=[Finding(expectation="b", check="fixed", outcome=found, severity=CheckSeverity.ERROR, message="")],
        )
        for found in (FindingOutcome.PASSED, FindingOutcome.FAILED)
    )
    verdicts = [met, met, fell, undecided_run(Cause.PLATFORM, "gone")]
    assert sample_of_runs(rules, verdicts, CaseOutcome.FLAKY, 2) == one_side(
        CaseOutcome.FLAKY, 3, 3, 2, [own_rate("b", 2, 3, "fixed")], 2
    )
    plain = case_rules(expectations=(expect("passed"),))
    assert sample_of_runs(plain, verdicts, CaseOutcome.PASSED) == one_side(CaseOutcome.PASSED, 3, 3)


FOUND = [
    RunVerdict(
        outcome=RunOutcome.PASSED,
        findings=[
            Finding(
                expectation="safe",
                check="fixed",
                outcome=FindingOutcome.PASSED,
                severity=CheckSeverity.CRITICAL,
                message="",
            )
        ],
    ),
    RunVerdict(
        outcome=RunOutcome.FAILED,
        cause=Cause.AGENT,
        findings=[
            Finding(
                expectation="safe",
                check="fixed",
                outcome=FindingOutcome.FAILED,
                severity=CheckSeverity.CRITICAL,
                message="",
            )
        ],
    ),
    RunVerdict(outcome=RunOutcome.FAILED, cause=Cause.AGENT),
    PLATFORM,
    JUDGE,
    with_findings(GOOD, polite="failed"),
    with_findings(JUDGE, polite="passed"),
    with_findings(JUDGE, polite="failed"),
    with_findings(BAD, polite="passed"),
]


@given(
    st.builds(
        case_rules,
        st.sampled_from([0.0, 0.4, 0.5, 0.8, 1.0]),
        st.integers(1, 6),
        st.sampled_from([(), (CRITICAL,), (POLITE,)]),
    ),
    st.lists(st.sampled_from(FOUND), max_size=5),
    st.integers(0, 3),
)
def test_stopping_early_never_changes_an_outcome(rules: Case, verdicts: list[RunVerdict], remaining: int) -> None:
    """What is settled is what every way in which the remaining runs can end comes to, tried one by one."""
    outcome = settled(rules, verdicts, remaining)
    if outcome is not None:
        for made in range(remaining + 1):
            for way in combinations_with_replacement(FOUND, made):
                assert CaseOutcome.worst(part.outcome for part in judge_parts(rules, [*verdicts, *way])) is outcome


def test_a_failure_is_settled_only_where_one_requirement_fails_in_any_case() -> None:
    """Here the rate fails if the last run counts, the expectation's own rate if it does not, and neither where it fails with
    the expectation was met."""
    rules = case_rules(0.5, runs=3, expectations=(POLITE,))
    verdicts = [with_findings(BAD, polite="passed"), with_findings(JUDGE, polite="failed")]
    assert judge_case(rules, verdicts).outcome is CaseOutcome.FAILED
    assert settled(rules, verdicts, 1) is None


@pytest.mark.parametrize(
    ("rules", "verdicts", "remaining", "expected"),
    [
        (case_rules(0.8), runs(0, 2), 3, CaseOutcome.FAILED),
        (case_rules(0.8), runs(0, 1), 4, None),
        (case_rules(0.6), runs(3, 1), 1, CaseOutcome.FLAKY),
        (case_rules(0.6, expectations=(CRITICAL,)), runs(3, 1), 1, None),
        (case_rules(0.6, runs=9), runs(0, 3), 2, None),
        (case_rules(), runs(3), 0, CaseOutcome.PASSED),
        (case_rules(expectations=(CRITICAL,)), [FOUND[1]], 9, CaseOutcome.FAILED),
    ],
)
def test_a_case_is_settled_as_soon_as_nothing_can_change_it(
    rules: Case, verdicts: list[RunVerdict], remaining: int, expected: CaseOutcome | None
) -> None:
    """A rate that can no longer be reached, one that can no longer be missed, a critical failure."""
    assert settled(rules, verdicts, remaining) is expected


@pytest.mark.parametrize("status", [each for each in RunStatus if each.has_failed])
def test_a_run_that_ended_otherwise_is_caused_by_the_platform(status: RunStatus) -> None:
    """Never by the agent."""
    ended = evidence().model_copy(update={"run_status": status})
    assert outcome(judge_run([expect("failed")], ended))[:2] == ("undecided", "platform")
