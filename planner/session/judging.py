"""The language model of `check: judge` as commands see it: its name, stored answers, the judge calls still needed, and
making them."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Final

from planner import __version__
from planner.changes.model import NOTHING_JUDGED, Change, ChangeSet, JudgeSpending, PlanVotes, VoteEstimate, whole_cents
from planner.checks.opinions import Verdict, Vote
from planner.errors import UsageError
from planner.execution.launches import Slot
from planner.judge.pricing import INSTRUCTION_BYTES, JudgeBudget, Pricing
from planner.judge.prompt import PROMPT_VERSION
from planner.judge.votes import (
    VOID_RETRIES,
    JudgeCallsResult,
    RecordedAnswers,
    VoteCache,
    VoteRequest,
    WantedVotes,
    requests_of,
    rounds,
)
from planner.planfile.model import Case, JudgePrice, JudgeSettings
from planner.quantities import count
from planner.results.model import JudgeCost, JudgedRun
from planner.results.outcomes import Action
from planner.session.service import check_key_characters, world_name, world_of
from planner.shell import Shell
from planner.values import frozen
from planner.verdicts.case_documents import stored_runs_to_judge
from planner.verdicts.runs import questions
from planner.workspace.stores import Workspace

if TYPE_CHECKING:
    import anyio

    from planner.evidence import Evidence
    from planner.execution.engine import Outcome
    from planner.execution.ledger import Ledger
    from planner.judge.endpoint import Endpoint
    from planner.judge.judge_call_records import JudgeCallRecords
    from planner.verdicts.runs import LoadEvidence

KEY_VARIABLE: Final = "PLANNER_JUDGE_API_KEY"
ASSUMED_TRANSCRIPT_BYTES = 4_000
"""Assumed size of the transcript of a future call, if no stored one is known."""
_ROOM_FOR_LONGER = 3
"""A future transcript may be this many times longer than expected."""
_TURN_BYTES = 40
"""Size of a turn in a request, without its text."""


@frozen
class Judging:
    """`settings` is None if no model is named. `cache` answers questions from stored answers.

    In the sandbox, without a model, the recorded answers of `world` count, and what they leave open is undecided.
    """

    settings: JudgeSettings | None
    cache: VoteCache
    load_evidence: LoadEvidence

    @property
    def name(self) -> str | None:
        """The judge that verdicts depend on; changing the model or the prompt version requires new judge calls."""
        if self.settings is None:
            return None if self.cache.world is None else self.cache.model
        edition = self.cache.edition
        model = self.settings.model
        shown_model = model if edition in ("", model) else f"{model} answering as {edition}"
        return f"{shown_model} (prompt {PROMPT_VERSION})"

    @property
    def pricing(self) -> Pricing:
        settings = self.settings
        return Pricing(settings.price, settings.max_output_tokens) if settings else Pricing(JudgePrice(), 0)

    def with_name(self, change_set: ChangeSet) -> ChangeSet:
        """The change set after judge calls, which may have shown that another model answers now."""
        judged = {change.case_id for change in _asking(change_set.changes)}
        changes = tuple(
            replace(change, judge=self.name) if change.case_id in judged else change for change in change_set.changes
        )
        return replace(change_set, changes=changes)

    def require_model(self, change_set: ChangeSet) -> None:
        """Raises `UsageError` if calls would be made that nothing could judge."""
        if self.name is None and any(change.action is Action.CALL for change in _asking(change_set.changes)):
            raise UsageError(
                "some expectations need a language model (check: judge), but planner.yaml names none, so no call is "
                "made",
                "Name one under `judge` in planner.yaml (planner explain judge-not-configured), or try the plan with "
                "--sandbox.",
            )

    def wanted(self, changes: Sequence[Change], made: Mapping[str, Sequence[str]]) -> Iterator[list[WantedVotes]]:
        """The votes to request, one run at a time. `made` are digests of evidence of new runs, by case id."""
        for change in _asking(changes):
            case = change.case
            if case is None:
                continue
            stored = [run.evidence for run in stored_runs_to_judge(change) if run.evidence is not None]
            for digest in [*stored, *made.get(change.case_id, ())]:
                evidence = self.load_evidence(digest)
                if evidence is not None and (wanted := self._wanted(case, evidence)):
                    yield wanted

    def _wanted(self, case: Case, evidence: Evidence) -> list[WantedVotes]:
        """The votes that are missing on one call."""
        missing = [(question, self.cache.unanswered(question)) for question in questions(case, evidence)]
        return [
            WantedVotes(case.plan, question, self.cache.key_of(question), votes) for question, votes in missing if votes
        ]

    def with_votes(self, change_set: ChangeSet, resumable: Mapping[str, Sequence[Slot]]) -> ChangeSet:
        """The change set with an estimate of its judge calls; rechecks that need them are no longer marked as free."""
        if self.settings is None or not any(True for _ in _asking(change_set.changes)):
            return change_set
        requests: list[_Requests] = []
        votes, calls = Counter[str](), Counter[str]()
        stored = 0
        for change in _asking(change_set.changes):
            case, slots = change.case, resumable.get(change.case_id, ())
            assert case is not None
            digests = [run.evidence for run in stored_runs_to_judge(change)] + [slot.evidence for slot in slots]
            for evidence in filter(None, (self.load_evidence(digest) for digest in digests if digest is not None)):
                wanted = self._wanted(case, evidence)
                lacking = sum(want.votes for want in wanted)
                stored += sum(question.votes for question in questions(case, evidence)) - lacking
                votes[change.case_id] += lacking
                requests += [_Requests.of(request) for request in requests_of(wanted)]
                calls[change.case_id] += sum(1 for _ in requests_of(wanted))
            collected = sum(slot.evidence is not None for slot in slots)
            runs = max(0, change.runs - collected) if change.action is Action.CALL else 0
            # Every vote of every rubric counts, even if other parts of an expectation may decide alone.
            rubrics = [pair for expectation in case.expectations for pair in expectation.rubrics()]
            for some in rounds(rubrics) if runs else ():
                votes[change.case_id] += runs * len(some)
                calls[change.case_id] += runs
                requests.append(_Requests(case.plan, runs, len(some), sum(map(_size, some)), None))
        settings = self.settings
        estimate = VoteEstimate(
            settings.model, votes.total(), calls.total(), stored, settings.price.is_free, self._by_plan(requests)
        )
        changes = tuple(_with_hint(change, calls[change.case_id]) for change in change_set.changes)
        return replace(change_set, changes=changes, votes=estimate)

    def _by_plan(self, requests: Sequence[_Requests]) -> dict[str, PlanVotes]:
        known = [each.transcript_bytes for each in requests if each.transcript_bytes is not None]
        typical = sum(known) // len(known) if known else ASSUMED_TRANSCRIPT_BYTES
        found: dict[str, PlanVotes] = {}
        for each in requests:
            size = high_size = INSTRUCTION_BYTES + each.rubric_bytes
            size += typical if each.transcript_bytes is None else each.transcript_bytes
            high_size += _ROOM_FOR_LONGER * typical if each.transcript_bytes is None else each.transcript_bytes
            before = found.get(each.plan, PlanVotes())
            found[each.plan] = PlanVotes(
                before.expected + each.calls * self.pricing.expected(size, each.rubrics),
                before.high + each.calls * self.pricing.reserve(high_size, each.rubrics) * (1 + VOID_RETRIES),
            )
        return found


@frozen
class _Requests:
    """Judge calls that ask the same rubrics. `transcript_bytes` is None for phone calls that are not made yet."""

    plan: str
    calls: int
    rubrics: int
    rubric_bytes: int
    transcript_bytes: int | None

    @classmethod
    def of(cls, request: VoteRequest) -> _Requests:
        questions = request.questions
        rubric_bytes = sum(_size(question.rubric) for question in questions)
        size = sum(_size(turn.text) + _TURN_BYTES for turn in questions[0].turns)
        return cls(request.plan, 1, len(questions), rubric_bytes, size)


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))


def judging_of(work: Workspace) -> Judging:
    """The project's judge; in the sandbox without one, the recorded answers of its world. Raises `UsageError` if there
    is no such world; `PlanInvalidError` if the world is invalid."""
    settings, repository = work.loaded.project.judge, work.place.repository
    if settings is None and work.selection.sandbox:
        recorded = _recorded_answers(work)
        cache = VoteCache(f"recorded answers of the world {recorded.world}", None, recorded)
    else:
        cache = VoteCache("", repository)
        if settings is not None:
            cache = VoteCache(settings.model, repository, endpoint=settings.base_url, answers_as=settings.answers_as)
        if settings is None:
            cache.missing = "planner.yaml names no language model under `judge`"
    return Judging(settings, cache, repository.load_evidence)


def _recorded_answers(work: Workspace) -> RecordedAnswers:
    if not any(map(_asks_model, work.loaded.cases)):  # reading a world takes time
        return RecordedAnswers(world_name(work.selection), {})
    world = world_of(work.shell, work.selection)
    answers: dict[tuple[str, str], list[Vote]] = {}
    for answer in world.judge_answers:
        vote = Vote(Verdict(answer.verdict), answer.turn, answer.quote, answer.reason)
        answers.setdefault((answer.rubric, answer.transcript), []).append(vote)
    return RecordedAnswers(world.world, answers)


def _asking(changes: Sequence[Change]) -> Iterator[Change]:
    for change in changes:
        if change.action in (Action.CALL, Action.RECHECK) and change.case is not None and _asks_model(change.case):
            yield change


def _asks_model(case: Case) -> bool:
    return any(expectation.asks_model for expectation in case.expectations)


def _with_hint(change: Change, calls: int) -> Change:
    """A recheck that needs judge calls says so in its detail."""
    if change.action is not Action.RECHECK or not calls:
        return change
    stored = change.detail.removesuffix(" · free")
    if stored == change.detail:
        stored = count(len(stored_runs_to_judge(change)), "stored run")
    return replace(change, detail=f"{stored} · {count(calls, 'judge call')} needed")


# Judge calls


@frozen
class JudgeCalls:
    """The judge calls of one session. They need consent, unless the judge is free."""

    shell: Shell
    judging: Judging
    change_set: ChangeSet
    consent_given: bool
    log: Callable[[str], None]
    """Where decisions are logged."""
    records: JudgeCallRecords

    async def check(self) -> None:
        """Check, before calls are made, that the endpoint is reachable and accepts the key. Raises `CredentialError` if
        the endpoint rejects the key; `IncompleteError` if the endpoint is unreachable."""
        settings, votes = self.judging.settings, self.change_set.votes
        if settings is not None and votes is not None and votes.calls:
            async with self._endpoint(settings) as endpoint:
                await endpoint.check()

    async def make(
        self, made: Mapping[str, Sequence[JudgedRun]], ledger: Ledger, before: JudgeSpending, interrupted: anyio.Event
    ) -> JudgeCallsResult:
        """Make the calls, under every ceiling; `judging.cache.missing` says why others are missing. `made` are the runs
        of this session, by case id; `before` is what judge calls of this consent cost earlier."""
        settings, cache = self.judging.settings, self.judging.cache
        if settings is None:
            return JudgeCallsResult()
        if not self.consent_given and not settings.price.is_free:
            cache.missing = "consent to charge for it was not given"
            return JudgeCallsResult()
        digests = {
            case_id: [run.evidence for run in runs if run.evidence is not None] for case_id, runs in made.items()
        }
        wanted = self.judging.wanted(self.change_set.changes, digests)
        if (first := next(wanted, None)) is None:
            return JudgeCallsResult()
        from planner.judge.judge_calls import JudgeCaller  # late, as `_endpoint`

        async with self._endpoint(settings) as endpoint:
            caller = JudgeCaller(
                endpoint,
                cache,
                JudgeBudget(ledger.ceilings, before),
                self.judging.pricing,
                self.shell.clock,
                self.shell.new_id,
                settings.max_concurrent,
                self.log if self.shell.verbosity else lambda _: None,
                self.records,
            )
            result = await caller.ask(chain([first], wanted), interrupted=interrupted)
        if result.why_stopped:
            cache.missing = result.why_stopped
        return result

    @asynccontextmanager
    async def _endpoint(self, settings: JudgeSettings) -> AsyncGenerator[Endpoint]:
        """The configured endpoint, in the sandbox too. The key is sent only to that host; redirects are not followed.
        Raises `CredentialError` if the environment's key is malformed."""
        # Late: httpx and what asks a model take a tenth of the start of `plan`.
        from planner.judge.endpoint import Endpoint
        from planner.network.http import HttpxTransport

        key = self.shell.environ.get(KEY_VARIABLE, "").strip()
        check_key_characters(KEY_VARIABLE, key)
        headers = {"User-Agent": f"thunderphone-planner/{__version__}"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        transport = HttpxTransport(
            settings.base_url,
            headers,
            timeout_seconds=settings.timeout_seconds,
            connect_timeout_seconds=min(10.0, settings.timeout_seconds),
            keys=self.shell.keys,
        )
        try:
            yield Endpoint(transport, settings.model, key, self.log)
        finally:
            await transport.close()


def copy_stop_reasons(outcome: Outcome, asking: JudgeCallsResult) -> None:
    """Copy the reasons why judge calls stopped to the outcome of the session."""
    outcome.ceiling = outcome.ceiling or asking.ceiling
    outcome.refusal = outcome.refusal or asking.refusal
    outcome.usage = outcome.usage or asking.usage
    outcome.trouble = outcome.trouble or asking.trouble
    outcome.bug = outcome.bug or asking.bug
    outcome.interrupted = outcome.interrupted or asking.interrupted


def judge_cost(
    change_set: ChangeSet, asking: JudgeCallsResult, spending: JudgeSpending = NOTHING_JUDGED
) -> JudgeCost | None:
    """The cost of the judge calls, for the results; None if none were needed. `spending` is that of the consent."""
    votes = change_set.votes
    if votes is None or not (votes.votes or votes.stored or asking.given or spending.committed(None)):
        return None
    return JudgeCost(
        model=votes.model,
        votes=asking.given,
        calls=asking.calls,
        stored_votes=votes.stored,
        estimated_cents=votes.expected_cents,
        actual_cents=spending.spent_cents,
        this_session_cents=whole_cents(asking.spent),
        unconfirmed_cents=spending.reserved_cents,
    )
