"""Makes the judge calls that verdicts still need: with consent, under every ceiling, each charged once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import anyio

from planner import __version__
from planner.changes.model import NOTHING_JUDGED, ChangeSet, JudgeSpending, whole_cents
from planner.execution.engine import Outcome
from planner.execution.launches import EndedRun
from planner.execution.ledger import Ledger
from planner.judge.endpoint import Endpoint
from planner.judge.judge_calls import JudgeCaller
from planner.judge.pricing import JudgeBudget
from planner.judge.votes import JudgeCallsResult, WantedVotes
from planner.network.http import HttpxTransport
from planner.planfile.model import Case
from planner.results.model import JudgeCost, PlanJudgeCost, Run
from planner.session.judging import Judging
from planner.session.service import check_key_characters
from planner.session.shell import Shell
from planner.verdicts.runs import judge_record

KEY_VARIABLE: Final = "PLANNER_JUDGE_API_KEY"


@dataclass(slots=True)
class JudgeSession:
    """Judges the runs of one session, and makes the judge calls that its change set needs."""

    shell: Shell
    judging: Judging
    change_set: ChangeSet
    consent_given: bool
    log: Callable[[str], None]
    """Where decisions are logged."""
    result: JudgeCallsResult = field(default_factory=JudgeCallsResult)
    _caller: JudgeCaller | None = None
    _ended: anyio.Event = field(default_factory=anyio.Event)
    _fault: Exception | None = None

    async def check(self) -> None:
        """Check, before calls are made, that the endpoint is reachable and accepts the key. Raises `CredentialError` if
        the endpoint rejects the key; `IncompleteError` if the endpoint is unreachable."""
        votes = self.change_set.votes
        if self.judging.settings is not None and votes is not None and votes.votes:
            async with self._endpoint() as endpoint:
                await endpoint.check()

    @asynccontextmanager
    async def calling(self, ledger: Ledger, interrupted: anyio.Event) -> AsyncGenerator[None]:
        """Make judge calls while phone calls are under way, if they take no room under a ceiling; otherwise only in
        `finish`.

        Errors of judge calls are raised in `finish`, so that phone calls under way are not abandoned.
        """
        if self.may_ask() and self._is_room_for_all(ledger):
            async with self._requesting(ledger, interrupted):
                yield
        else:
            yield

    def judge(self, case: Case, record: EndedRun) -> Run:
        """Judge an ended run by the answers available; request missing ones, unless its transcript may still change."""
        judged = judge_record(case, record, self.judging.cache)
        if self._caller is not None and record.evidence is not None and "transcript" not in judged.missing:
            self._caller.add(self.judging.wanted_of(case, record.evidence))
        return judged

    async def finish(
        self, made: Mapping[str, Sequence[Run]], ledger: Ledger, interrupted: anyio.Event
    ) -> JudgeCallsResult:
        """Make the remaining judge calls; `judging.cache.missing` says why others are missing. `made` are the runs of
        this session, by case id."""
        digests = {
            case_id: [run.evidence for run in runs if run.evidence is not None] for case_id, runs in made.items()
        }
        wanted = self.judging.wanted(self.change_set.changes, digests)
        if self._caller is not None:
            await self._request(self._caller, wanted)
        elif self.may_ask() and (first := next(wanted, None)) is not None:
            async with self._requesting(ledger, interrupted) as caller:
                await self._request(caller, chain([first], wanted))
        return self.result

    def may_ask(self) -> bool:
        """Whether judge calls may be made; if not, `judging.cache.missing` says why."""
        settings = self.judging.settings
        if settings is None:
            return False
        if not self.consent_given and not settings.price.is_free:
            self.judging.cache.missing = "consent to charge for it was not given"
            return False
        return True

    def _is_room_for_all(self, ledger: Ledger) -> bool:
        """Whether judge calls are needed, and all of them and all phone calls fit under every ceiling at their high
        estimates."""
        votes, calls = self.change_set.votes, self.change_set.estimate
        if votes is None or not votes.votes:
            return False
        ceilings = [ceiling for ceiling in ledger.ceilings if not ceiling.by_service]
        if votes.free or not ceilings:
            return True
        if calls.high_cents is None:
            return False
        return all(calls.high_cents + votes.high_cents <= ceiling.left_cents for ceiling in ceilings)

    async def _request(self, caller: JudgeCaller, wanted: Iterable[WantedVotes]) -> None:
        caller.add(wanted)
        caller.close()
        await self._ended.wait()
        if self._fault is not None:
            raise self._fault
        if self.result.why_stopped:
            self.judging.cache.missing = self.result.why_stopped

    @asynccontextmanager
    async def _requesting(self, ledger: Ledger, interrupted: anyio.Event) -> AsyncGenerator[JudgeCaller]:
        """Make the calls that are added to the caller, in the background."""
        settings, shell = self.judging.settings, self.shell
        assert settings is not None
        async with self._endpoint() as endpoint:
            self._caller = caller = JudgeCaller(
                endpoint,
                self.judging.cache,
                JudgeBudget(ledger.ceilings),
                self.judging.pricing,
                shell.clock,
                shell.new_id,
                settings.max_concurrent,
                self.log if shell.verbosity else lambda _: None,
                settings.answers_as,
            )
            self.result = caller.result

            async def work() -> None:
                try:
                    await caller.ask(interrupted=interrupted)
                except Exception as fault:  # noqa: BLE001 - raised in `finish`, when no phone call is under way
                    self._fault = fault
                finally:
                    self._ended.set()

            raised: Exception | None = None
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(work)
                try:
                    yield caller
                except Exception as error:  # noqa: BLE001 - raised again outside of the task group, which would wrap it
                    raised = error
                if interrupted.is_set() and raised is None:
                    await self._ended.wait()  # wait for answers to requests already sent
                tasks.cancel_scope.cancel()
            if raised is not None:
                raise raised

    @asynccontextmanager
    async def _endpoint(self) -> AsyncGenerator[Endpoint]:
        """The configured endpoint, in the sandbox too. The key is sent only to that host; redirects are not followed.
        Raises `CredentialError` if the environment's key is malformed."""
        settings = self.judging.settings
        assert settings is not None
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
            yield Endpoint(transport, settings.model, settings.max_output_tokens, key, self.log)
        finally:
            await transport.close()


def copy_stop_reasons(outcome: Outcome, asking: JudgeCallsResult) -> None:
    """Copy the reasons why judge calls stopped to the outcome of the session."""
    outcome.ceiling = outcome.ceiling or asking.ceiling
    outcome.refusal = outcome.refusal or asking.refusal
    outcome.usage = outcome.usage or asking.usage
    outcome.trouble = outcome.trouble or asking.trouble
    outcome.interrupted = outcome.interrupted or asking.interrupted


def judge_cost(
    change_set: ChangeSet, asking: JudgeCallsResult, before: JudgeSpending = NOTHING_JUDGED
) -> JudgeCost | None:
    """The cost of the judge calls, for the results; None if none were needed. `before` is that of earlier sessions."""
    votes = change_set.votes
    if votes is None or not (votes.votes or votes.stored or asking.given):
        return None
    return JudgeCost(
        model=votes.model,
        votes=asking.given,
        stored_votes=votes.stored,
        estimated_cents=votes.expected_cents,
        actual_cents=before.spent_cents + whole_cents(asking.spent),
        this_invocation_cents=whole_cents(asking.spent),
        ambiguous_cents=whole_cents(asking.uncertain),
        by_plan=[
            PlanJudgeCost(plan=plan, cents=cents)
            for plan, amount in asking.by_plan.items()
            if (cents := whole_cents(amount))
        ],
    )
