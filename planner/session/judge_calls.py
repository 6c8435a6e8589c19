"""Makes the judge calls that verdicts still need: with consent, under every ceiling, each charged once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import anyio

from planner import __version__
from planner.api.transport import HttpxTransport
from planner.changes.model import ChangeSet, whole_cents
from planner.errors import CredentialError
from planner.execution.jobs import Outcome, RunRecord
from planner.execution.ledger import Ledger
from planner.judging.endpoint import Endpoint
from planner.judging.judge_calls import JudgeCaller
from planner.judging.pricing import JudgeBudget
from planner.judging.votes import JudgeCallsResult, WantedVotes
from planner.planfile.model import Case
from planner.results.model import JudgeCost
from planner.session.judging import Judging
from planner.session.shell import Shell
from planner.verdicts.judged_runs import JudgedRun, judge_record

KEY_VARIABLE: Final = "PLANNER_JUDGE_API_KEY"


@asynccontextmanager
async def open_endpoint(shell: Shell, judging: Judging, log: Callable[[str], None]) -> AsyncGenerator[Endpoint]:
    """The configured endpoint, in the sandbox too. The key is sent only to that host; redirects are not followed.

    Raises:
        CredentialError: the environment's key is malformed.
    """
    settings = judging.settings
    assert settings is not None
    key = _key(shell)
    headers = {"User-Agent": f"thunderphone-planner/{__version__}"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    transport = HttpxTransport(
        settings.base_url,
        headers,
        timeout_seconds=settings.timeout_seconds,
        connect_timeout_seconds=min(10.0, settings.timeout_seconds),
        keys=shell.keys,
    )
    try:
        yield Endpoint(transport, settings.model, settings.max_output_tokens, key, log)
    finally:
        await transport.close()


def _key(shell: Shell) -> str:
    key = shell.environ.get(KEY_VARIABLE, "").strip()
    if not key.isascii() or (key and not key.isprintable()) or " " in key:
        raise CredentialError(f"{KEY_VARIABLE} contains invalid characters", "Copy the whole key again.")
    return key


@dataclass(frozen=True, slots=True)
class JudgeSession:
    """The judge calls of one session, for its change set."""

    shell: Shell
    judging: Judging
    change_set: ChangeSet
    consent_given: bool
    log: Callable[[str], None] | None = None
    """Where decisions are logged; None uses the shell's log."""

    async def check(self) -> None:
        """Check, before calls are made, that the endpoint is reachable and accepts the key.

        Raises:
            CredentialError: the endpoint rejects the key.
            IncompleteError: the endpoint is unreachable.
        """
        votes = self.change_set.votes
        if self.judging.may_ask and votes is not None and votes.votes:
            async with open_endpoint(self.shell, self.judging, self.shell.log) as endpoint:
                await endpoint.check()

    @asynccontextmanager
    async def open(self, ledger: Ledger, interrupted: anyio.Event) -> AsyncGenerator[Votes]:
        """Make judge calls while phone calls are under way, if they take no room under a ceiling; otherwise at the end.

        Errors of judge calls are raised at the end, so that phone calls under way are not abandoned.
        """
        if self.may_ask() and self._is_room_for_all(ledger):
            async with self.asking(ledger, interrupted) as votes:
                yield votes
        else:
            yield Votes(self, ledger, interrupted)

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

    async def ask(self, ledger: Ledger, interrupted: anyio.Event) -> JudgeCallsResult:
        """Make the judge calls for stored runs whose answers are missing."""
        async with self.open(ledger, interrupted) as votes:
            return await votes.finish({})

    def may_ask(self) -> bool:
        """Whether judge calls may be made; if not, `judging.cache.missing` says why."""
        settings = self.judging.settings
        if settings is None or not self.judging.may_ask:
            return False
        if not self.consent_given and not settings.price.is_free:
            self.judging.cache.missing = "consent to charge for it was not given"
            return False
        return True

    @asynccontextmanager
    async def asking(self, ledger: Ledger, interrupted: anyio.Event) -> AsyncGenerator[Votes]:
        judging, settings, shell = self.judging, self.judging.settings, self.shell
        assert settings is not None
        log = self.log or shell.log
        async with open_endpoint(shell, judging, log) as endpoint:
            asker = JudgeCaller(
                endpoint,
                judging.cache,
                JudgeBudget(ledger.ceilings),
                judging.pricing,
                shell.clock,
                shell.new_id,
                settings.max_concurrent,
                log if shell.verbosity else lambda _: None,
                settings.answers_as,
            )
            opened = Votes(self, ledger, interrupted, asker)
            raised: Exception | None = None
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(opened.work)
                try:
                    yield opened
                except Exception as error:  # noqa: BLE001 - raised again outside of the task group, which would wrap it
                    raised = error
                if interrupted.is_set() and raised is None:
                    await opened.ended.wait()  # wait for answers to requests already sent
                tasks.cancel_scope.cancel()
            if raised is not None:
                raise raised


@dataclass(slots=True)
class Votes:
    """Judge calls under way; without an asker, none are made."""

    round: JudgeSession
    ledger: Ledger
    interrupted: anyio.Event
    asker: JudgeCaller | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)
    _fault: Exception | None = None

    @property
    def asking(self) -> JudgeCallsResult:
        return self.asker.result if self.asker else JudgeCallsResult()

    def judge(self, case: Case, record: RunRecord) -> JudgedRun:
        """Judge an ended run by the answers available; request missing ones, unless its transcript may still change."""
        judged = judge_record(case, record, self.round.judging.cache)
        if self.asker is not None and record.evidence is not None and "transcript" not in judged.document.missing:
            self.asker.add(self.round.judging.wanted_of(case, record.evidence))
        return judged

    async def work(self) -> None:
        assert self.asker is not None
        try:
            await self.asker.ask(interrupted=self.interrupted)
        except Exception as fault:  # noqa: BLE001 - raised in `ask_for`, when no call is under way
            self._fault = fault
        finally:
            self.ended.set()

    async def finish(self, made: Mapping[str, Sequence[JudgedRun]]) -> JudgeCallsResult:
        """Make the remaining judge calls; `judging.cache.missing` says why others are missing. `made` are the runs of
        this session, by case id."""
        digests = {
            case_id: [run.document.evidence for run in runs if run.document.evidence is not None]
            for case_id, runs in made.items()
        }
        wanted = self.round.judging.wanted(self.round.change_set.changes, digests)
        if self.asker is not None:
            return await self.ask_for(wanted)
        if not self.round.may_ask() or (first := next(wanted, None)) is None:
            return JudgeCallsResult()
        # No judge call was expected when the change set was made, but late evidence has arrived.
        async with self.round.asking(self.ledger, self.interrupted) as votes:
            self.asker = votes.asker
            return await votes.ask_for(chain([first], wanted))

    async def ask_for(self, wanted: Iterable[WantedVotes]) -> JudgeCallsResult:
        assert self.asker is not None
        self.asker.add(wanted)
        self.asker.close()
        await self.ended.wait()
        if self._fault is not None:
            raise self._fault
        if self.asking.why_stopped:
            self.round.judging.cache.missing = self.asking.why_stopped
        return self.asking


def copy_stop_reasons(outcome: Outcome, asking: JudgeCallsResult) -> None:
    """Copy the reasons why judge calls stopped to the outcome of the session."""
    outcome.ceiling = outcome.ceiling or asking.ceiling
    outcome.refusal = outcome.refusal or asking.refusal
    outcome.usage = outcome.usage or asking.usage
    outcome.trouble = outcome.trouble or asking.trouble
    outcome.interrupted = outcome.interrupted or asking.interrupted


def judge_cost(change_set: ChangeSet, asking: JudgeCallsResult) -> JudgeCost | None:
    """The cost of this session's judge calls, for the results; None if none were needed."""
    votes = change_set.votes
    if votes is None or not (votes.votes or votes.stored or asking.given):
        return None
    return JudgeCost(
        model=votes.model,
        votes=asking.given,
        stored_votes=votes.stored,
        estimated_cents=votes.expected_cents,
        actual_cents=whole_cents(asking.spent),
        this_invocation_cents=whole_cents(asking.spent),
        ambiguous_cents=whole_cents(asking.uncertain),
    )
