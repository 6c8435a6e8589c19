"""What a case is compared with, or why with nothing: a prompt or an expectation that its author changed is no change of the agent."""

from __future__ import annotations

from dataclasses import dataclass

from planner.changes.model import Action, Change
from planner.checks.opinions import Ask
from planner.outcome import CaseOutcome, Sample, chance_alone, judge_case, sample_of_runs
from planner.planfile.model import Case
from planner.results.model import (
    CaseDocument,
    CaseInputs,
    Compared,
    ExpectationRate,
    NotComparable,
    SampleDocument,
)
from planner.verdicts.judged_runs import JudgedRun, LoadEvidence, as_stored, judge_stored
from planner.verdicts.rates import RunKey, run_key, sample_from, sample_of


@dataclass(frozen=True, slots=True)
class Baseline:
    """`sample` is None where nothing is known before, or nothing that may be compared; then `not_comparable` says why. `runs` are
    those it is made of: such of them as a case keeps are of that side alone, for no sample is compared with itself."""

    sample: Sample | None = None
    not_comparable: NotComparable | None = None
    runs: frozenset[RunKey] = frozenset()
    judged: tuple[JudgedRun, ...] = ()
    """The same runs with their verdicts, where these are known."""


@dataclass(frozen=True, slots=True)
class AgainstBaseline:
    """How a case stands to its baseline, as its document tells it."""

    compared: Compared
    not_comparable: NotComparable | None = None
    before: Sample | None = None
    p_value: float | None = None
    latest: Sample | None = None
    """The new runs alone."""
    earlier_runs: frozenset[RunKey] = frozenset()
    """Runs of the case that are not part of `latest`."""

    def told(self) -> dict[str, object]:
        """Fields of a `CaseDocument`."""
        return {
            "compared": self.compared,
            "not_comparable": self.not_comparable,
            "before": None if self.before is None else sample_document(self.before),
            "latest": None if self.latest is None else sample_document(self.latest),
            "p_value": self.p_value,
        }


def baseline_of(change: Change, load_evidence: LoadEvidence, ask: Ask) -> Baseline:
    """Of a case with calls of its own on both sides.

    Where only what is expected has changed, the older calls are judged by what is expected now, so that like is compared with
    like; where their evidence is gone, or leaves that open, they are not compared. A case that was left open and is called on is one
    sample with the calls it keeps, and compared with what these were compared with; so is one of which nothing was known.
    """
    before = change.compared_with or change.prior
    if before is None or change.case is None or change.inputs is None:
        return Baseline()
    why, runs = other_call(before, change.inputs, change.call_fingerprint), frozenset(map(run_key, before.runs))
    if why is not None:
        return Baseline(None, why, runs)
    why = other_judgement(before, change.check_fingerprint, change.judge)
    if why is None:
        earlier = _compared_when_left_open(change)
        if earlier is not None:
            return Baseline(earlier)
        return Baseline(sample_of(before), None, runs, tuple(map(as_stored, before.runs)))
    judged = _judged_again(change.case, before, load_evidence, ask)
    verdicts = [run.verdict for run in judged]
    outcome = judge_case(change.case, verdicts).outcome
    if outcome is CaseOutcome.UNKNOWN:
        return Baseline(None, why, runs)
    sample = sample_of_runs(change.case, verdicts, outcome, before.runs_not_needed)
    return Baseline(sample, None, runs, judged)


def _compared_when_left_open(change: Change) -> Sample | None:
    prior = change.prior
    if change.compared_with is not None or change.is_retry or prior is None or prior.outcome != "unknown":
        return None
    if prior.open_against is None or (prior.counts[1] and not change.kept_run_ids):
        return None
    return sample_from(prior.open_against)


def open_against(change: Change, outcome: CaseOutcome, standing: AgainstBaseline) -> SampleDocument | None:
    """Of a case that is left open: what it is compared with once it is called on. That it is judged again in between, by the same
    expectations, changes nothing of it."""
    if outcome is not CaseOutcome.UNKNOWN:
        return None
    if not is_rejudged(change):
        return None if standing.before is None or standing.earlier_runs else sample_document(standing.before)
    prior = change.prior
    if prior is None or other_judgement(prior, change.check_fingerprint, change.judge) is not None:
        return None
    return prior.open_against


def other_call(before: CaseDocument, inputs: CaseInputs, fingerprint: str) -> NotComparable | None:
    """What the author changed of the call; None where it is the same, or the same to another target: which of two agents does
    better is a fair question."""
    if before.call_fingerprint == fingerprint:
        return None
    if before.inputs.prompt != inputs.prompt:
        return "prompt"
    older, newer = ((each.target_kind, each.target_id, each.target_number) for each in (before.inputs, inputs))
    same_way = (before.inputs.direction, before.inputs.mode) == (inputs.direction, inputs.mode)
    return None if same_way and older != newer else "settings"


def other_judgement(before: CaseDocument, fingerprint: str, judge: str | None) -> NotComparable | None:
    """What is expected, or who judges, where that is not what it was."""
    if before.check_fingerprint != fingerprint:
        return "expectations"
    known = before.judged_by is not None and judge is not None
    return "judge" if known and before.judged_by != judge else None


def judged_anew(before: CaseDocument, now: CaseOutcome, why: NotComparable | None) -> AgainstBaseline:
    """Of the very same calls on both sides, or of calls that may not be compared: whether the case holds as it did is known, but
    the agent has neither got worse nor better where it does not."""
    then = CaseOutcome[before.outcome.upper()]
    if then is now:
        return AgainstBaseline("same", why)
    unknown = CaseOutcome.UNKNOWN in (then, now)
    return AgainstBaseline("not_enough_evidence", why or (None if unknown else "judging"))


def compared_again(change: Change, prior: CaseDocument) -> bool:
    """Whether a case that is judged again keeps its comparison: it regressed, or was undecided, and the same expectations hold."""
    return (
        prior.before is not None
        and prior.not_comparable is None
        and (prior.compared == "regressed" or prior.outcome == "unknown")
        and other_judgement(prior, change.check_fingerprint, change.judge) is None
    )


def kept_comparison(prior: CaseDocument) -> dict[str, object]:
    """Fields of a kept case: a regression stands until the case is called again or judged otherwise."""
    kept = AgainstBaseline("same").told() | {"before": prior.before, "latest": prior.latest}
    return kept | ({"compared": prior.compared, "p_value": prior.p_value} if prior.compared == "regressed" else {})


def rejudged(change: Change, prior: CaseDocument, now: CaseOutcome) -> AgainstBaseline:
    """Of a recheck: its calls are those of `prior`."""
    return judged_anew(prior, now, other_judgement(prior, change.check_fingerprint, change.judge))


def is_rejudged(change: Change) -> bool:
    """Whether both sides are the same calls. Of older calls that stand again there are two samples, as of new ones."""
    return change.compared_with is None and change.prior is not None and change.action is Action.RECHECK


def chance_of(before: Sample | None, now: Sample) -> float | None:
    if before is None or not before.runs_countable or not now.runs_countable:
        return None
    return chance_alone(before, now)


def sample_document(sample: Sample) -> SampleDocument:
    return SampleDocument(
        outcome=sample.outcome.word,
        runs_passed=sample.runs_passed,
        runs_countable=sample.runs_countable,
        runs_not_made=sample.runs_not_made,
        runs_clean=sample.runs_clean,
        own_rates=[
            ExpectationRate(expectation=own.expectation, check="", held=own.held, decided=own.decided)
            for own in sample.own_rates
        ],
    )


def _judged_again(case: Case, before: CaseDocument, load_evidence: LoadEvidence, ask: Ask) -> tuple[JudgedRun, ...]:
    """The runs of `before` by today's expectations; empty where evidence of one is gone."""
    if any(run.fault != "platform" and not (run.evidence and load_evidence(run.evidence)) for run in before.runs):
        return ()
    return tuple(judge_stored(case, run, load_evidence, ask) for run in before.runs)
