"""The language model of `check: judge` as commands see it: its name, stored answers, the judge calls still needed, and
making them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from planner.calls.slots import Slot
from planner.changes.model import Change, ChangeSet, PlanVotes, VoteEstimate
from planner.checks.opinions import Verdict, Vote
from planner.errors import UsageError
from planner.judge.calibration import Comparison, calibration, comparisons
from planner.judge.labels import Labelled, read_labels, settled
from planner.judge.pricing import INSTRUCTION_BYTES, Pricing
from planner.judge.prompt import PROMPT_VERSION
from planner.judge.votes import (
    VOID_RETRIES,
    RecordedAnswers,
    VoteCache,
    WantedVotes,
)
from planner.planfile.files import PROJECT_FILE, FileError, Neighbours
from planner.planfile.model import Case, JudgePrice, JudgeSettings
from planner.quantities import count
from planner.results.judge_documents import JudgeDocument
from planner.results.outcomes import Action
from planner.results.repository import ResultsRepository
from planner.values import frozen
from planner.verdicts.caller_question import caller_rubric
from planner.verdicts.case_documents import stored_runs_to_judge
from planner.verdicts.runs import question_about_caller, questions
from planner.workspace.selection import Loaded
from planner.workspace.service import world_of
from planner.workspace.stores import Workspace

if TYPE_CHECKING:
    from planner.evidence import Evidence
    from planner.verdicts.runs import LoadEvidence

ASSUMED_TRANSCRIPT_BYTES = 4_000
"""Assumed size of the transcript of a future call, if no stored one is known."""
_ROOM_FOR_LONGER = 3
"""A future transcript may be this many times longer than expected."""
_TURN_BYTES = 40
"""Size of a turn in a request, without its text."""
_MAX_BYTES = 20 * 1024 * 1024
"""Of a file of labels."""

_Asked: TypeAlias = str | tuple[str, str]
"""The key of a question about a call that is there; or the case that makes the call, and the rubric."""


@frozen
class Judging:
    """`settings` is None if no model is named. `cache` answers questions from stored answers.

    In the sandbox, without a model, the recorded answers of `world` count, and what they leave open is undecided.
    """

    settings: JudgeSettings | None
    cache: VoteCache
    load_evidence: LoadEvidence
    labels: tuple[Labelled, ...] | None = ()
    """Of the file that `settings` name; None if it does not exist."""

    @property
    def name(self) -> str | None:
        """The judge that verdicts depend on; changing the model or the prompt version requires new judge calls."""
        if self.settings is None:
            return None if self.cache.world is None else self.cache.model
        return f"{self.settings.model} (prompt {PROMPT_VERSION})"

    @property
    def pricing(self) -> Pricing:
        settings = self.settings
        return Pricing(settings.price, settings.max_output_tokens) if settings else Pricing(JudgePrice(), 0)

    @property
    def warnings(self) -> list[str]:
        if self.settings is None or self.labels is not None:
            return []
        name = self.settings.labels
        return [f"{name} does not exist, so the judge is not compared with it; planner judge label writes labels"]

    @property
    def document(self) -> JudgeDocument | None:
        """How well the judge agrees with people, for the results."""
        if self.settings is None or not self.settings.labels:
            return None
        counts = comparisons(self.labels or (), self.cache)
        in_all = sum(counts.values(), Counter[Comparison]())
        return JudgeDocument(
            model=self.settings.model,
            calibration=calibration("", in_all) if counts else None,
            rubrics=[calibration(rubric, mine) for rubric, mine in counts.items()],
        )

    def require_model(self, change_set: ChangeSet) -> None:
        """Raises `UsageError` if calls would be made that nothing could judge."""
        if self.name is None and any(change.action is Action.CALL for change in self.asking(change_set.changes)):
            raise UsageError(
                "some expectations need a language model (check: judge), but planner.yaml names none, so no call is "
                "made",
                "Name one under `judge` in planner.yaml (planner explain judge-not-configured), or try the plan with "
                "--sandbox.",
            )

    def wanted(self, changes: Sequence[Change], made: Mapping[str, Sequence[str]]) -> Iterator[WantedVotes]:
        """The votes to request. `made` are digests of evidence of new runs, by case id."""
        for change in self.asking(changes):
            case = change.case
            if case is None:
                continue
            stored = [run.evidence for run in stored_runs_to_judge(change) if run.evidence is not None]
            new = made.get(change.case_id, ())
            for digest in [*stored, *new]:
                evidence = self.load_evidence(digest)
                if evidence is not None:
                    yield from self._wanted(case, evidence, is_new=digest in new)

    def wanted_labels(self) -> list[WantedVotes]:
        """The votes to request on labels that the model has not answered."""
        questions = [each.question for each in self.labels or () if each.verdict is not None]
        lacking = [question for question in questions if self.cache.unanswered(question)]
        return [WantedVotes("", each, self.cache.key_of(each), 1) for each in lacking]

    def _wanted(self, case: Case, evidence: Evidence, *, is_new: bool) -> list[WantedVotes]:
        """The votes that are missing on one call. Of a stored call, the judge is asked about the caller only if it is
        asked anyway, so that a recheck stays free."""
        asked = questions(case, evidence)
        missing = [(question, self.cache.unanswered(question)) for question in asked]
        about_caller = question_about_caller(case, evidence) if self.cache.checks_callers else None
        if about_caller is not None and (is_new or any(votes for _, votes in missing)):
            missing.append((about_caller, self.cache.unanswered(about_caller)))
        return [
            WantedVotes(case.plan, question, self.cache.key_of(question), votes) for question, votes in missing if votes
        ]

    def asking(self, changes: Sequence[Change]) -> Iterator[Change]:
        """The changes that may need judge calls."""
        for change in changes:
            case = change.case
            if case is None or change.action not in (Action.CALL, Action.RECHECK):
                continue
            if asks_model(case) or self.cache.checks_callers:
                yield change

    def with_votes(self, change_set: ChangeSet, resumable: Mapping[str, Sequence[Slot]]) -> ChangeSet:
        """The change set with an estimate of its judge calls; rechecks that need them are no longer marked as free."""
        settings = self.settings
        if settings is None:
            return change_set
        counted: dict[_Asked, int] = {}
        needs = {
            change.case_id: self._needs(change, resumable.get(change.payer, ()), counted)
            for change in self.asking(change_set.changes)
        }
        requests = [request for need in needs.values() for request in need.requests]
        checks = [_Requests.of(want, want.votes) for want in self.wanted_labels()] if requests else []
        if not needs and not checks:
            return change_set
        estimate = VoteEstimate(
            settings.model,
            sum(each.calls for each in (*requests, *checks)),
            sum(need.stored for need in needs.values()),
            settings.price.is_free,
            self._by_plan(requests, checks),
            len(checks),
        )
        changes = tuple(
            _with_hint(change, needs[change.case_id].calls) if change.case_id in needs else change
            for change in change_set.changes
        )
        return replace(change_set, changes=changes, votes=estimate)

    def _needs(self, change: Change, slots: Sequence[Slot], counted: dict[_Asked, int]) -> _Needs:
        """The judge calls that a case needs: about stored calls, those under way (`slots`), and those to make. Cases
        that share calls share the answers: votes that another case `counted` are not added."""
        case = change.case
        assert case is not None
        requests: list[_Requests] = []
        asked: list[tuple[_Asked, int]] = []
        stored = 0

        def left(key: _Asked, votes: int) -> int:
            asked.append((key, votes))
            return max(0, votes - counted.get(key, 0))

        digests = [(run.evidence, False) for run in stored_runs_to_judge(change)]
        digests += [(slot.evidence, True) for slot in slots]
        for digest, is_new in digests:
            evidence = None if digest is None else self.load_evidence(digest)
            if evidence is None:
                continue
            wanted = self._wanted(case, evidence, is_new=is_new)
            lacking = sum(want.votes for want in wanted if not want.question.is_about_caller)
            stored += sum(question.votes for question in questions(case, evidence)) - lacking
            requests += [_Requests.of(want, left(want.key, want.votes)) for want in wanted]
        collected = sum(slot.evidence is not None for slot in slots)
        runs = max(0, (change.shared_runs or change.runs) - collected) if change.action is Action.CALL else 0
        # Every vote of every rubric counts, even if other parts of an expectation may decide alone.
        rubrics = [pair for expectation in case.expectations for pair in expectation.rubrics()]
        if self.cache.checks_callers:
            rubrics.append((caller_rubric(case.prompt), 1))
        requests += [
            _Requests(case.plan, runs * left((change.payer, rubric), votes), _size(rubric), None)
            for rubric, votes in rubrics
        ]
        for key, votes in asked:
            counted[key] = max(votes, counted.get(key, 0))
        return _Needs(tuple(request for request in requests if request.calls), stored)

    def _by_plan(self, requests: Sequence[_Requests], checks: Sequence[_Requests]) -> dict[str, PlanVotes]:
        known = [each.transcript_bytes for each in requests if each.transcript_bytes is not None]
        typical = sum(known) // len(known) if known else ASSUMED_TRANSCRIPT_BYTES
        found: dict[str, PlanVotes] = {}
        for each in (*requests, *checks):
            size = high_size = INSTRUCTION_BYTES + each.rubric_bytes
            size += typical if each.transcript_bytes is None else each.transcript_bytes
            high_size += _ROOM_FOR_LONGER * typical if each.transcript_bytes is None else each.transcript_bytes
            before = found.get(each.plan, PlanVotes())
            found[each.plan] = PlanVotes(
                before.expected + each.calls * self.pricing.expected(size),
                before.high + each.calls * self.pricing.reserve(high_size) * (1 + VOID_RETRIES),
            )
        return found


@frozen
class _Needs:
    """What one case needs of the judge; `stored` votes are reused."""

    requests: tuple[_Requests, ...]
    stored: int

    @property
    def calls(self) -> int:
        return sum(each.calls for each in self.requests)


@frozen
class _Requests:
    """Judge calls that ask the same rubric. `transcript_bytes` is None for phone calls that have not been made yet."""

    plan: str
    calls: int
    rubric_bytes: int
    transcript_bytes: int | None

    @classmethod
    def of(cls, want: WantedVotes, votes: int) -> _Requests:
        size = sum(_size(turn.text) + _TURN_BYTES for turn in want.question.turns)
        return cls(want.plan, votes, _size(want.question.rubric), size)


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))


def judging_of(work: Workspace, repository: ResultsRepository | None = None) -> Judging:
    """The project's judge, with the answers of `repository` (by default, the place's); in the sandbox without a judge,
    the recorded answers of its world. Raises `UsageError` if there is no such world; `PlanInvalidError` if the world is
    invalid."""
    settings, repository = work.loaded.project.judge, repository or work.place.repository
    if settings is None and work.selection.sandbox:
        recorded = _recorded_answers(work)
        cache = VoteCache(f"recorded answers of the world {recorded.world}", None, recorded)
    else:
        cache = VoteCache("", repository)
        if settings is not None:
            cache = VoteCache(
                settings.model,
                repository,
                endpoint=settings.base_url,
                answers_as=settings.answers_as,
                checks_callers=settings.check_callers and not work.selection.sandbox,
            )
        if settings is None:
            cache.missing = "planner.yaml names no language model under `judge`"
    labels = _labels(work.loaded, settings.labels) if settings is not None and settings.labels else ()
    return Judging(settings, cache, repository.load_evidence, labels)


def _labels(loaded: Loaded, name: str) -> tuple[Labelled, ...] | None:
    """The labels of a file of the project's folder, from the commit that planner.yaml is from; None if it does not
    exist. Raises `UsageError` if it is invalid."""
    if loaded.base is not None:
        data = loaded.base.read(name)
    elif not (loaded.root / name).exists():
        data = None
    else:
        try:
            data = Neighbours(loaded.root).read(loaded.root / PROJECT_FILE, name, _MAX_BYTES)[1]
        except FileError as error:
            raise UsageError(f"{name}, which planner.yaml names under `judge`: {error}", "Correct the path.") from error
    return None if data is None else tuple(settled(read_labels(data, name)))


def _recorded_answers(work: Workspace) -> RecordedAnswers:
    if not any(map(asks_model, work.loaded.cases)):  # reading a world takes time
        return RecordedAnswers(work.place.world, {})
    world = world_of(work.shell, work.selection, work.place)
    answers: dict[tuple[str, str], list[Vote]] = {}
    for answer in world.judge_answers:
        vote = Vote(Verdict(answer.verdict), answer.turn, answer.quote, answer.reason)
        answers.setdefault((answer.rubric, answer.transcript), []).append(vote)
    return RecordedAnswers(world.world, answers)


def asks_model(case: Case) -> bool:
    return any(expectation.asks_model for expectation in case.expectations)


def _with_hint(change: Change, calls: int) -> Change:
    """A recheck that needs judge calls says so in its detail."""
    if change.action is not Action.RECHECK or not calls:
        return change
    stored = change.detail.removesuffix(" · free")
    if stored == change.detail:
        stored = count(len(stored_runs_to_judge(change)), "stored run")
    return replace(change, detail=f"{stored} · {count(calls, 'judge call')} needed")
