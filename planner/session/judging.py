"""The language model of `check: judge` as commands see it: its name, stored answers, and judge calls still needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from planner.changes.model import Action, Change, ChangeSet, PlanVotes, VoteEstimate
from planner.checks.opinions import Question, Verdict, Vote
from planner.errors import UsageError
from planner.evidence import Evidence
from planner.execution.launches import Slot
from planner.judging.pricing import INSTRUCTION_BYTES, Pricing
from planner.judging.prompt import PROMPT_VERSION
from planner.judging.votes import VOID_RETRIES, RecordedAnswers, VoteCache, WantedVotes
from planner.planfile.model import Case, JudgePrice, JudgeSettings
from planner.session.selection import Loaded, Selection
from planner.session.shell import Shell
from planner.session.stores import Place
from planner.session.worlds import NamedWorld, named_world, open_world
from planner.verdicts.case_documents import stored_runs_to_judge
from planner.verdicts.judged_runs import LoadEvidence, questions

ASSUMED_TRANSCRIPT_BYTES = 4_000
"""Assumed size of the transcript of a future call, if no stored one is known."""
_ROOM_FOR_LONGER = 3
"""A future transcript may be this many times longer than expected."""


@dataclass(frozen=True, slots=True)
class Judging:
    """`settings` is None if no model is named. `cache` answers questions from stored answers.

    In the sandbox, without a model, the recorded answers of `world` count, and what they leave open is undecided.
    """

    settings: JudgeSettings | None
    cache: VoteCache
    load_evidence: LoadEvidence

    @property
    def may_ask(self) -> bool:
        """Whether a model is configured."""
        return self.settings is not None

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

    def require_model(self, change_set: ChangeSet) -> None:
        """Raises `UsageError` if calls would be made that nothing could judge."""
        if self.name is None and any(change.action is Action.CALL for change in _asking(change_set.changes)):
            raise UsageError(
                "some expectations need a language model (check: judge), but planner.yaml names none, so no call is made",
                "Name one under `judge` in planner.yaml (planner explain judge-not-configured), or try the plan with --sandbox.",
            )

    def wanted(self, changes: Sequence[Change], made: Mapping[str, Sequence[str]]) -> Iterator[WantedVotes]:
        """The judge calls to make, one run at a time. `made` are digests of evidence of new runs, by case id."""
        for change in _asking(changes):
            case = change.case
            if case is None:
                continue
            stored = [run.evidence for run in stored_runs_to_judge(change) if run.evidence is not None]
            for digest in [*stored, *made.get(change.case_id, ())]:
                evidence = self.load_evidence(digest)
                if evidence is not None:
                    yield from self.wanted_of(case, evidence)

    def wanted_of(self, case: Case, evidence: Evidence) -> Iterator[WantedVotes]:
        """The judge calls to make for one run."""
        for question in questions(case, evidence):
            if numbers := self.cache.unanswered(question):
                yield WantedVotes(case.plan, question, self.cache.key_of(question), tuple(numbers))

    def with_votes(self, change_set: ChangeSet, resumable: Mapping[str, Sequence[Slot]]) -> ChangeSet:
        """The change set with an estimate of its judge calls; rechecks that need them are no longer marked as free."""
        asking = list(_asking(change_set.changes))
        if not asking or self.settings is None:
            return change_set
        reckoning = _Reckoning(self.pricing)
        votes_of: dict[str, int] = {}
        for change in asking:
            before = reckoning.votes
            self._reckon(reckoning, change, resumable.get(change.case_id, ()))
            votes_of[change.case_id] = reckoning.votes - before
        free = self.settings.price.is_free
        estimate = VoteEstimate(self.settings.model, reckoning.votes, reckoning.stored, free, reckoning.by_plan())
        changes = tuple(_with_hint(change, votes_of.get(change.case_id, 0)) for change in change_set.changes)
        return replace(change_set, changes=changes, votes=estimate)

    def _reckon(self, reckoning: _Reckoning, change: Change, slots: Sequence[Slot]) -> None:
        case = change.case
        assert case is not None
        stored = [run.evidence for run in stored_runs_to_judge(change) if run.evidence is not None]
        stored += [slot.evidence for slot in slots if slot.evidence is not None]
        for digest in stored:
            for question in self._questions(case, digest):
                unanswered = len(self.cache.unanswered(question))
                reckoning.known(case.plan, question, unanswered)
        if change.action is Action.CALL:
            collected = sum(slot.evidence is not None for slot in slots)
            reckoning.assumed(case, max(0, change.runs - collected))

    def _questions(self, case: Case, digest: str) -> list[Question]:
        evidence = self.load_evidence(digest)
        return [] if evidence is None else questions(case, evidence)


def judging_of(shell: Shell, selection: Selection, loaded: Loaded, place: Place) -> Judging:
    """The project's judge; in the sandbox without one, the recorded answers of its world.

    Raises:
        UsageError: there is no such world.
        PlanInvalidError: the world is invalid.
    """
    settings = loaded.project.judge
    if settings is None and selection.sandbox:
        recorded = _recorded_answers(shell, named_world(shell, selection), loaded.cases)
        cache = VoteCache(f"recorded answers of the world {recorded.world}", None, recorded)
    else:
        cache = VoteCache(settings.model if settings else "", place.repository)
        if settings is None:
            cache.missing = "planner.yaml names no language model under `judge`"
    return Judging(settings, cache, place.repository.load_evidence)


def _recorded_answers(shell: Shell, named: NamedWorld, cases: Sequence[Case]) -> RecordedAnswers:
    if not any(map(asks_model, cases)):  # reading a world takes time
        return RecordedAnswers(named.name, {})
    world = open_world(shell, named)
    answers: dict[tuple[str, str], list[Vote]] = {}
    for answer in world.judge_answers:
        vote = Vote(Verdict(answer.verdict), answer.turn, answer.quote, answer.reason)
        answers.setdefault((answer.rubric, answer.transcript), []).append(vote)
    return RecordedAnswers(world.world, answers)


def _asking(changes: Sequence[Change]) -> Iterator[Change]:
    for change in changes:
        if change.action in (Action.CALL, Action.RECHECK) and change.case is not None and asks_model(change.case):
            yield change


def asks_model(case: Case) -> bool:
    return any(expectation.asks_model for expectation in case.expectations)


class _Reckoning:
    """Estimates by plan, for known transcripts and for as many assumed ones."""

    def __init__(self, pricing: Pricing) -> None:
        self.votes = 0
        self.stored = 0
        self._pricing = pricing
        self._known: dict[str, PlanVotes] = {}
        self._sizes: list[int] = []
        self._assumed: list[tuple[str, int, int]] = []

    def known(self, plan: str, question: Question, unanswered: int) -> None:
        transcript = sum(len(turn.text.encode(errors="replace")) + 40 for turn in question.turns)
        self._sizes.append(transcript)
        self.votes += unanswered
        self.stored += question.votes - unanswered
        size = INSTRUCTION_BYTES + len(question.rubric.encode(errors="replace")) + transcript
        self._add(self._known, plan, unanswered, size, size)

    def assumed(self, case: Case, calls: int) -> None:
        """Count every vote of every rubric, even if other parts of an expectation may decide alone."""
        for expectation in case.expectations:
            for rubric, votes in expectation.rubrics():
                self.votes += calls * votes
                self._assumed.append((case.plan, calls * votes, len(rubric.encode(errors="replace"))))

    def by_plan(self) -> dict[str, PlanVotes]:
        found = dict(self._known)
        typical = sum(self._sizes) // len(self._sizes) if self._sizes else ASSUMED_TRANSCRIPT_BYTES
        for plan, votes, rubric in self._assumed:
            frame = INSTRUCTION_BYTES + rubric
            self._add(found, plan, votes, frame + typical, frame + _ROOM_FOR_LONGER * typical)
        return found

    def _add(self, sums: dict[str, PlanVotes], plan: str, votes: int, size: int, high_size: int) -> None:
        before = sums.get(plan, PlanVotes())
        high = self._pricing.reserve(high_size) * (1 + VOID_RETRIES)
        sums[plan] = PlanVotes(
            before.votes + votes,
            before.expected + votes * self._pricing.expected(size),
            before.high + votes * high,
        )


def _with_hint(change: Change, votes: int) -> Change:
    """A recheck that needs judge calls says so in its detail."""
    if change.action is not Action.RECHECK or not votes:
        return change
    stored = f"{len(stored_runs_to_judge(change))} stored run{'' if len(stored_runs_to_judge(change)) == 1 else 's'}"
    if change.detail.endswith(" · free"):
        stored = change.detail.removesuffix(" · free")
    return replace(change, detail=f"{stored} · {votes:,} judge call{'' if votes == 1 else 's'} needed")
