"""Checks of the judge with transcripts whose right verdicts are known: canaries show that the model has changed, labels
how well it agrees with people. Where it cannot be relied on, its verdicts only warn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final

from pydantic_core import to_json

from planner.checks.base import CheckSeverity, Expectation
from planner.checks.opinions import Question
from planner.errors import UsageError
from planner.judge.calibration import Calibration, Comparison, calibrations, over_all
from planner.judge.canaries import CanaryComparison, compare, newest_record, next_record, records_key
from planner.judge.labels import Labelled, question_id, read_labels, settled
from planner.judge.votes import VoteCache, WantedVotes, transcript_digest
from planner.planfile.files import PROJECT_FILE, FileError, Neighbours
from planner.planfile.model import Case, JudgeSettings
from planner.quantities import count
from planner.results.judge_documents import CalibrationDocument, CanaryDocument, JudgeDocument
from planner.values import frozen
from planner.workspace.selection import Loaded

MAX_CANARIES: Final = 50
DEFAULT_KAPPA: Final = 0.6
"""Agreement with people at which a changed model counts again, without `min_kappa`."""
_MAX_BYTES: Final = 20 * 1024 * 1024


@frozen
class JudgeChecks:
    """What the judge is checked with. `session_id` is of the session that asks."""

    settings: JudgeSettings
    cache: VoteCache
    canaries: tuple[Question, ...] = ()
    labels: tuple[Labelled, ...] = ()
    missing_files: tuple[str, ...] = ()
    """Files that planner.yaml names and that do not exist."""

    # What is asked

    def wanted_canaries(self, session_id: str) -> list[list[WantedVotes]]:
        """One vote on each canary, also if it was answered before."""
        wanted = [WantedVotes("", each, self._canary_key(each, session_id), 1) for each in self.canaries]
        return _by_transcript(wanted)

    def wanted_labels(self, *, is_judging: bool) -> list[list[WantedVotes]]:
        """The labels that the model which answers now has not answered. They wait until it is asked about calls
        (`is_judging`), unless it must be confirmed."""
        if not (is_judging or self.is_unconfirmed):
            return []
        questions = [each.question for each in self.labels if each.verdict is not None]
        lacking = [question for question in questions if self.cache.unanswered(question)]
        return _by_transcript([WantedVotes("", each, self.cache.key_of(each), 1) for each in lacking])

    def _canary_key(self, question: Question, session_id: str) -> str:
        return sha256(to_json(["canary", session_id, self.cache.key_of(question)])).hexdigest()

    def compare_canaries(self, session_id: str) -> CanaryComparison:
        """Compare the answers that were just given with earlier ones. If the model has changed, earlier votes count no
        longer."""
        cache, answers = self.cache, dict[str, str]()
        for each in self.canaries:
            record = cache.newest(self._canary_key(each, session_id))
            if record is not None and not record.void:  # an invalid answer decides nothing, so it fails no case either
                answers[sha256(question_id(each).encode()).hexdigest()[:16]] = record.verdict.value
        key = records_key(cache.endpoint, cache.model)
        before = None if cache.store is None else newest_record(cache.store.load_vote, key)
        found = compare(before, answers, cache.edition)
        if found.has_drifted:
            cache.note_change()
        record = next_record(key, before, answers, cache.edition, found)
        if cache.store is not None and answers:
            cache.store.save_vote(key, record.number, record.model_dump_json().encode())
        return found

    # What that means

    @property
    def calibrations(self) -> list[Calibration]:
        return calibrations(self.labels, self.cache)

    @property
    def is_unconfirmed(self) -> bool:
        """Whether canaries showed another model than before, and labels do not show that it agrees with people."""
        if not self.cache.has_changed_unnamed:
            return False
        agreement = over_all(self.calibrations)
        least = self.settings.min_kappa if self.settings.min_kappa is not None else DEFAULT_KAPPA
        return bool(agreement.counts[Comparison.MISSING]) or agreement.kappa is None or agreement.kappa < least

    def warns(self, calibration: Calibration) -> bool:
        """Whether a rubric only warns, because the model agrees too little with people."""
        least = self.settings.min_kappa
        return least is not None and calibration.kappa is not None and calibration.kappa < least

    def as_warnings(self, cases: Sequence[Case]) -> tuple[Case, ...]:
        """The cases; expectations for which the judge cannot be relied on only warn."""
        is_unconfirmed = self.is_unconfirmed
        weak = {each.rubric for each in self.calibrations if self.warns(each)}
        if not is_unconfirmed and not weak:
            return tuple(cases)
        copies: dict[int, Expectation] = {}  # cases of a scenario share their expectations

        def weakened(expectation: Expectation) -> Expectation:
            rubrics = [rubric for rubric, _ in expectation.rubrics()]
            if not rubrics or not (is_unconfirmed or weak.intersection(rubrics)):
                return expectation
            if id(expectation) not in copies:
                update = {"severity": CheckSeverity.WARNING, "min_pass_rate": None}
                copies[id(expectation)] = expectation.model_copy(update=update)
            return copies[id(expectation)]

        return tuple(replace(case, expectations=tuple(map(weakened, case.expectations))) for case in cases)

    def document(self, canaries: CanaryComparison | None = None) -> JudgeDocument:
        parts = self.calibrations
        return JudgeDocument(
            model=self.cache.edition or self.settings.model,
            canaries=None if canaries is None else _canary_document(canaries),
            only_warns=self.is_unconfirmed,
            calibration=None if not parts else _calibration_document(over_all(parts), only_warns=False),
            rubrics=[_calibration_document(each, only_warns=self.warns(each)) for each in parts],
        )

    def warnings(self, canaries: CanaryComparison | None = None) -> list[str]:
        """One line for each reason not to rely on the judge."""
        lines = [
            f"{name} does not exist, so the judge is not compared with it; planner judge label writes labels"
            for name in self.missing_files
        ]
        if self.is_unconfirmed:
            lines.append(self._unconfirmed(canaries))
        weak = [each for each in self.calibrations if self.warns(each)]
        if weak:
            lines.append(
                f"{count(len(weak), 'rubric')} of the judge only {'warns' if len(weak) == 1 else 'warn'}: it agrees "
                f"with people less than judge.min_kappa ({self.settings.min_kappa:g}); see planner judge calibrate"
            )
        return lines

    def _unconfirmed(self, canaries: CanaryComparison | None) -> str:
        if canaries is not None and canaries.has_drifted:
            compared = count(canaries.compared, "canary", "canaries")
            what = (
                f"another model now answers under the judge's name ({self.settings.model}): {canaries.different} of "
                f"{compared} got a different answer than before"
            )
        else:
            what = f"canaries showed that the judge's model changed ({self.cache.edition})"
        agreement = over_all(self.calibrations)
        missing = agreement.counts[Comparison.MISSING]
        fix = "the next session asks it about the labels"
        if not missing:
            fix = "it does not agree enough with the labels; see planner judge calibrate"
        return f"{what}. Its verdicts are not compared and only warn; {fix}"


def _by_transcript(wanted: Iterable[WantedVotes]) -> list[list[WantedVotes]]:
    groups: dict[str, list[WantedVotes]] = {}
    for each in wanted:
        groups.setdefault(transcript_digest(each.question.turns), []).append(each)
    return [*groups.values()]


def _canary_document(found: CanaryComparison) -> CanaryDocument:
    return CanaryDocument(
        asked=found.asked,
        compared=found.compared,
        different=found.different,
        p_value=found.p_value,
        has_drifted=found.has_drifted,
    )


def _calibration_document(part: Calibration, *, only_warns: bool) -> CalibrationDocument:
    right, decided = part.accuracy
    _, false_alarms, missed, found = part.table
    return CalibrationDocument(
        rubric=part.rubric,
        compared=decided,
        right=right,
        found=found,
        missed=missed,
        false_alarms=false_alarms,
        undecided=part.counts[Comparison.UNDECIDED],
        missing=part.counts[Comparison.MISSING],
        contradictory=part.counts[Comparison.CONTRADICTORY],
        unclear=part.counts[Comparison.UNCLEAR],
        kappa=part.kappa,
        kappa_interval=part.kappa_interval,
        only_warns=only_warns,
    )


def judge_checks_of(loaded: Loaded, settings: JudgeSettings, cache: VoteCache) -> JudgeChecks:
    """Read the files that planner.yaml names. Raises `UsageError` if one is invalid."""
    files = {name: _read(loaded, name) for name in (settings.canaries, settings.labels) if name}
    known = {name: read_labels(data, name) for name, data in files.items() if data is not None}
    in_canaries = known.get(settings.canaries, ())
    canaries = {question_id(each.question): each.question for each in in_canaries}
    if len(canaries) > MAX_CANARIES:
        raise UsageError(
            f"judge.canaries has {len(canaries)} transcripts, which are paid for in every session; at most "
            f"{MAX_CANARIES} are allowed",
            "About 20 are enough. Keep the others in judge.labels.",
        )
    labels = known.get(settings.labels, ()) if settings.labels else in_canaries
    missing = tuple(name for name, data in files.items() if data is None)
    return JudgeChecks(settings, cache, tuple(canaries.values()), tuple(settled(labels)), missing)


def _read(loaded: Loaded, name: str) -> bytes | None:
    """A file of the project's folder, from the commit that planner.yaml is from; None if it does not exist."""
    if loaded.base is not None:
        return loaded.base.read(name)
    if not (loaded.root / name).exists():
        return None
    try:
        return Neighbours(loaded.root).read(loaded.root / PROJECT_FILE, name, _MAX_BYTES)[1]
    except FileError as error:
        raise UsageError(f"{name}, which planner.yaml names under `judge`: {error}", "Correct the path.") from error
