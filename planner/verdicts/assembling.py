"""From changes, and what their calls gave, to the cases of the results document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from planner.changes.model import Action, Change
from planner.checks.opinions import Ask, nobody_asked
from planner.outcome import (
    CaseOutcome,
    CaseVerdict,
    Sample,
    compare,
    differ_too_much,
    expectation_name,
    has_own_rate,
    judge_case,
    sample_of_runs,
)
from planner.planfile.model import Case
from planner.results.model import (
    CaseDocument,
    CaseInputs,
    ExpectationRate,
    QuarantineDocument,
    RunDocument,
    SampleDocument,
)
from planner.verdicts.against_baseline import (
    AgainstBaseline,
    Baseline,
    baseline_of,
    chance_of,
    compared_again,
    is_rejudged,
    judged_anew,
    kept_comparison,
    open_against,
    rejudged,
    sample_document,
)
from planner.verdicts.comparability import (
    Variant,
    differ,
    keyed,
    measured_otherwise,
    pair_key,
    shared_variants,
    variants_of,
    words_by_case,
)
from planner.verdicts.judged_runs import JudgedRun, LoadEvidence, judge_stored, rests_on_grade
from planner.verdicts.open_runs import NO_OPEN_RUNS, OpenRuns, judge_with_open_runs
from planner.verdicts.rates import RunKey, expectation_rates, run_key, sample_from, sample_of, total

_NONE: Mapping[str, int] = {}
_NOTHING_OPEN: Mapping[str, OpenRuns] = {}


@dataclass(frozen=True, slots=True)
class Unmade:
    """The runs without a verdict. `not_called` says, in one line, why some were not launched; the others are by case id."""

    not_called: str = ""
    not_needed: Mapping[str, int] = field(default_factory=lambda: _NONE)
    """Not launched because their case was settled."""
    open_runs: Mapping[str, OpenRuns] = field(default_factory=lambda: _NOTHING_OPEN)

    def open_of(self, change: Change) -> OpenRuns:
        return self.open_runs.get(change.case_id, NO_OPEN_RUNS)


def standing_runs(change: Change) -> list[RunDocument]:
    """The stored runs that are to be judged by today's expectations."""
    if change.prior is None or change.case is None or change.action not in (Action.CALL, Action.RECHECK):
        return []
    kept = change.kept_run_ids
    return [run for run in change.prior.runs if change.action is Action.RECHECK or run.run_id in kept]


def assemble_cases(
    changes: Sequence[Change],
    made: Mapping[str, Sequence[JudgedRun]],
    load_evidence: LoadEvidence,
    unmade: Unmade,
    *,
    today: date,
    ask: Ask = nobody_asked,
) -> list[CaseDocument]:
    """Every case of the change set that was not dropped, compared with what was stored.

    `made` are the runs made or resumed, by case id. `today` (UTC) decides which quarantines apply; `ask` returns what a language
    model answered.
    """
    judged: list[tuple[Change, Case, CaseVerdict | None, list[JudgedRun]]] = []
    set_aside: dict[str, Sample | None] = {}
    for change in changes:
        if change.case is None or (change.action is Action.KEEP and change.prior is None):
            continue  # dropped, or new and not asked for (`--rerun failed`): there is nothing to report
        if change.action is Action.KEEP:
            judged.append((change, change.case, None, []))
            continue
        runs, set_aside[change.case_id] = _pooled(
            change, change.case, _runs_of(change, change.case, made.get(change.case_id, ()), load_evidence, ask)
        )
        verdict = judge_with_open_runs(change.case, runs, unmade.open_of(change), _cents_per_run(runs))
        judged.append((change, change.case, verdict, runs))
    spared = {change.case_id: _not_needed(change, unmade.not_needed) for change in changes}
    decided = [
        _Decided(change, case, verdict.outcome, runs, spared[change.case_id] + unmade.open_of(change).launched)
        for change, case, verdict, runs in judged
        if verdict is not None
    ]
    stands = _standings(decided, load_evidence, ask, today)
    return [
        _kept(change, case, today)
        if verdict is None
        else _document(
            change,
            case,
            verdict,
            runs,
            stands[change.case_id],
            unmade,
            today,
            spared[change.case_id],
            len(made.get(change.case_id, ())),
            set_aside[change.case_id],
        )
        for change, case, verdict, runs in judged
    ]


@dataclass(frozen=True, slots=True)
class _Decided:
    """A case that calls were judged for."""

    change: Change
    case: Case
    outcome: CaseOutcome
    runs: Sequence[JudgedRun]
    not_made: int
    """Not needed, or still under way: compared as if they spoke against a difference."""

    def sample(self, runs: Sequence[JudgedRun]) -> Sample:
        return sample_of_runs(self.case, [run.verdict for run in runs], self.outcome, self.not_made)

    def pairs(self, baseline: Baseline, anew: Sequence[JudgedRun]) -> list[tuple[Sample | None, Sample]]:
        """What is compared: all new runs with the baseline, or, where the agent has several variants, those of each variant that has
        runs on both sides."""
        old, new = [run.document for run in baseline.judged], [run.document for run in anew]
        variants = shared_variants(old, new)
        if baseline.sample is None or not variants or variants_of(old) | variants_of(new) == {variants[0]}:
            return [(baseline.sample, self.sample(anew))]

        def of(runs: Sequence[JudgedRun], variant: Variant) -> list[JudgedRun]:
            return [run for run in runs if run.document.agent_variant_id == variant]

        outcome = baseline.sample.outcome
        return [
            (
                sample_of_runs(self.case, [run.verdict for run in of(baseline.judged, variant)], outcome),
                self.sample(of(anew, variant)),
            )
            for variant in variants
        ]


def _standings(
    decided: Sequence[_Decided], load_evidence: LoadEvidence, ask: Ask, today: date
) -> dict[str, AgainstBaseline]:
    """Called cases are compared together: new runs with earlier ones. Cases that were only judged again, and those that are not
    comparable, are described by their outcomes and do not take part in the test across the suite."""
    found: dict[str, AgainstBaseline] = {}
    pairs: dict[str, list[tuple[Sample | None, Sample]]] = {}
    earlier: dict[str, frozenset[RunKey]] = {}
    for each in decided:
        change, before = each.change, each.change.compared_with or each.change.prior
        prior = change.prior
        if is_rejudged(change) and prior is not None:
            if prior.before is not None and compared_again(change, prior):
                latest = each.sample([run for run in each.runs if not run.document.pooled])
                pairs[change.case_id] = [(sample_from(prior.before), latest)]
                earlier[change.case_id] = frozenset(run_key(run) for run in prior.runs if run.pooled)
            else:
                found[change.case_id] = rejudged(change, prior, each.outcome)
            continue
        baseline = baseline_of(change, load_evidence, ask)
        kept = frozenset(map(run_key, standing_runs(change))) if change.is_retry else frozenset[RunKey]()
        shared = frozenset(run_key(run.document) for run in each.runs) & (baseline.runs | kept)
        anew = [run for run in each.runs if run_key(run.document) not in shared]
        measured = measured_otherwise(
            [run.document for run in baseline.judged],
            [run.document for run in anew],
            is_graded=rests_on_grade(each.case),
        )
        if before is not None and (baseline.not_comparable or measured or (each.runs and not anew)):
            stand = judged_anew(before, each.outcome, baseline.not_comparable or measured)
            if measured and baseline.sample is not None and differ(baseline.sample, each.sample(anew)):
                stand = replace(stand, compared="not_enough_evidence")
            if anew:
                stand = replace(stand, before=sample_of(before), latest=each.sample(anew), earlier_runs=shared)
            found[change.case_id] = stand
            continue
        pairs[change.case_id] = each.pairs(baseline, anew)
        earlier[change.case_id] = shared
    quarantined = {each.change.case_id for each in decided if _quarantine(each.case, today) is not None}
    aside = {pair_key(case_id, number) for case_id in quarantined for number in range(len(pairs.get(case_id, ())))}
    for case_id, word in words_by_case(compare(keyed(pairs), aside=aside)).items():
        own = pairs[case_id]
        before, latest = total([before for before, _ in own]), total([latest for _, latest in own])
        chances = [p_value for pair in own if (p_value := chance_of(*pair)) is not None]
        p_value = min(1.0, len(own) * min(chances)) if chances else None
        found[case_id] = AgainstBaseline(word, None, before, p_value, latest, earlier[case_id])
    return found


def _not_needed(change: Change, spared: Mapping[str, int]) -> int:
    if change.action is Action.CALL:
        return spared.get(change.case_id, 0)
    return change.prior.runs_not_needed if change.prior else 0


def _cents_per_run(runs: Sequence[JudgedRun]) -> float | None:
    bills = [run.document.cost_cents for run in runs if run.document.cost_cents is not None]
    return sum(bills) / len(bills) if bills else None


def _runs_of(
    change: Change, case: Case, made: Sequence[JudgedRun], load_evidence: LoadEvidence, ask: Ask
) -> list[JudgedRun]:
    if any(expectation.asks_model for expectation in case.expectations):
        # Judged as they came, before the model was asked about them.
        made = [judge_stored(case, run.document, load_evidence, ask) for run in made]
    # As they were launched, not as they ended: whose words a report quotes first is no matter of chance.
    made = sorted(made, key=lambda run: run.document.run_id or 0)
    return [*(judge_stored(case, run, load_evidence, ask) for run in standing_runs(change)), *made]


def _pooled(change: Change, case: Case, runs: list[JudgedRun]) -> tuple[list[JudgedRun], Sample | None]:
    """The runs that count, and what is set aside: the earlier runs of a retry whose new runs differ from them beyond chance."""
    if not change.is_retry:
        return runs, None
    kept = set(change.kept_run_ids)
    earlier, new = ([run for run in runs if (run.document.run_id in kept) is is_kept] for is_kept in (True, False))
    old, latest = (
        sample_of_runs(case, verdicts := [run.verdict for run in side], judge_case(case, verdicts).outcome)
        for side in (earlier, new)
    )
    return (new, old) if differ_too_much(old, latest) else (runs, None)


def _goes_on(change: Change) -> bool:
    """Whether the runs of the case are, or go on from, those that are stored."""
    return change.action is Action.RECHECK or change.is_retry


def _set_aside(change: Change, earlier: Sample | None) -> SampleDocument | None:
    if earlier is not None:
        return sample_document(earlier)
    return change.prior.set_aside if change.prior and _goes_on(change) else None


def _kept(change: Change, case: Case, today: date) -> CaseDocument:
    """The stored case, with today's places in the files."""
    if change.prior is None:
        raise ValueError(f"{change.case_id} is kept and was never stored")
    return change.prior.model_copy(
        update=_today(change, case, today) | {"carried_from": _maker(change.prior.runs)} | kept_comparison(change.prior)
    )


def _document(
    change: Change,
    case: Case,
    verdict: CaseVerdict,
    runs: Sequence[JudgedRun],
    standing: AgainstBaseline,
    unmade: Unmade,
    today: date,
    not_needed: int,
    made: int,
    set_aside: Sample | None,
) -> CaseDocument:
    open_runs = unmade.open_of(change)
    missing = change.runs - made - not_needed if change.action is Action.CALL else 0
    not_made = max(0, missing - open_runs.launched)
    reasons = [verdict.reason] if verdict.reason and (runs or not open_runs.launched) else []
    if open_runs.launched:
        calls = "1 call is" if open_runs.launched == 1 else f"{open_runs.launched} calls are"
        reasons.append(f"{calls} under way or unconfirmed: the next run resumes")
    if not_made > 0 and unmade.not_called:
        reasons.append(f"{not_made} of {change.runs} calls not made: {unmade.not_called}")
    documents = [
        run.document.model_copy(update={"pooled": run_key(run.document) in standing.earlier_runs}) for run in runs
    ]
    price = _cents_per_run(runs)
    return CaseDocument(
        case_id=case.case_id,
        plan=case.plan,
        scenario=case.scenario,
        target=case.target.alias,
        carried_from=_maker(documents) if change.action is Action.RECHECK else None,
        outcome=verdict.outcome.word,
        outcome_reason="; ".join(reasons),
        runs_required=case.runs,
        runs_passed=verdict.runs_passed,
        runs_total=len(runs),
        runs_countable=verdict.runs_countable,
        runs_not_needed=not_needed,
        runs_under_way=open_runs.launched,
        pass_rate=verdict.pass_rate,
        interval=verdict.interval,
        min_pass_rate=case.min_pass_rate,
        more_runs=verdict.more_runs,
        more_runs_cents=None if verdict.more_runs is None or price is None else round(verdict.more_runs * price),
        expectations=_rates(case, documents),
        inputs=_inputs(change),
        call_fingerprint=change.call_fingerprint,
        check_fingerprint=change.check_fingerprint,
        is_graded=rests_on_grade(case),
        judged_by=change.judge,
        runs=documents,
        failing_since=_failing_since(change, verdict.outcome),
        open_against=open_against(change, verdict.outcome, standing),
        set_aside=_set_aside(change, set_aside),
        fresh=change.fresh or (change.prior.fresh if change.prior and _goes_on(change) else None),
        **standing.told(),
        **_today(change, case, today),
    )


def _failing_since(change: Change, outcome: CaseOutcome) -> str | None:
    """Whoever runs a failed job again finds the case `same`: since when it fails tells that it has not always."""
    prior = change.prior
    if prior is None or outcome is not CaseOutcome.FAILED or prior.outcome != "failed":
        return None
    return prior.failing_since or _maker(prior.runs)


def _rates(case: Case, runs: Sequence[RunDocument]) -> list[ExpectationRate]:
    own = {expectation_name(each): each.min_pass_rate for each in case.expectations if has_own_rate(each)}
    return [rate.model_copy(update={"min_pass_rate": own.get(rate.expectation)}) for rate in expectation_rates(runs)]


def _today(change: Change, case: Case, today: date) -> dict[str, Any]:
    """What the files say now, whatever was stored."""
    return {
        "tags": sorted(case.tags),
        "action": change.action.value,
        "reason": change.reason.value,
        "detail": change.detail,
        "file": case.span.file,
        "line": case.span.line,
        "quarantine": _quarantine(case, today),
        "finding_lines": {
            expectation.id or expectation.check: span.line
            for expectation, span in zip(case.expectations, case.expectation_spans, strict=True)
        },
    }


def _quarantine(case: Case, today: date) -> QuarantineDocument | None:
    """The one that holds."""
    quarantine = case.quarantine
    if quarantine is None or today > quarantine.until:
        return None
    return QuarantineDocument(until=quarantine.until, reason=quarantine.reason)


def _inputs(change: Change) -> CaseInputs:
    if change.inputs is None:
        raise ValueError(f"{change.case_id} has a case and no inputs")
    return change.inputs


def _maker(runs: Sequence[RunDocument]) -> str | None:
    """The invocation that made the newest of these runs."""
    return max((run.invocation_id for run in runs), default=None)
