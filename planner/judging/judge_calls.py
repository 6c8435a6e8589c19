"""Makes the judge calls of one session, with consent, under its ceilings."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import TYPE_CHECKING, Final

from planner import __version__
from planner.changes.model import NOTHING_JUDGED, ChangeSet, JudgeSpending, whole_cents
from planner.judge.pricing import JudgeBudget
from planner.judge.votes import JudgeCallsResult, WantedVotes
from planner.judging.project_judge import Judging
from planner.planfile.model import JudgeSettings
from planner.results.judge_documents import JudgeCost
from planner.results.model import JudgedRun
from planner.shell import Shell
from planner.values import frozen
from planner.workspace.service import check_key_characters

if TYPE_CHECKING:
    import anyio

    from planner.calls.budget import Account
    from planner.judge.endpoint import Endpoint
    from planner.judge.judge_call_records import JudgeCallRecords
    from planner.verdicts.outcome import Outcome

KEY_VARIABLE: Final = "PLANNER_JUDGE_API_KEY"


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
        if settings is not None and votes is not None and votes.votes:
            async with self._endpoint(settings) as endpoint:
                await endpoint.check()

    async def make(
        self,
        made: Mapping[str, Sequence[JudgedRun]],
        accounts: Sequence[Account],
        before: JudgeSpending,
        interrupted: anyio.Event,
    ) -> JudgeCallsResult:
        """Make the calls, under every ceiling (`accounts`); `judging.cache.missing` says why others are missing. `made`
        are the runs of this session, by case id; `before` is what judge calls of this consent cost earlier."""
        settings, cache = self.judging.settings, self.judging.cache
        if settings is None:
            return JudgeCallsResult()
        if not self.consent_given and not settings.price.is_free:
            cache.missing = "consent to charge for it was not given"
            return JudgeCallsResult()
        digests = {
            case_id: [run.evidence for run in runs if run.evidence is not None] for case_id, runs in made.items()
        }

        def wanted() -> Iterator[WantedVotes]:
            return self.judging.wanted(self.change_set.changes, digests)

        if next(wanted(), None) is None:
            return JudgeCallsResult()
        labels = self.judging.wanted_labels()
        from planner.judge.judge_calls import JudgeCaller  # late, as `_endpoint`

        async with self._endpoint(settings) as endpoint:
            caller = JudgeCaller(
                endpoint,
                cache,
                JudgeBudget(accounts, before),
                self.judging.pricing,
                self.shell.clock,
                self.shell.new_id,
                settings.max_concurrent,
                self.log if self.shell.verbosity else lambda _: None,
                self.records,
            )
            result = await caller.ask(chain(labels, wanted()), interrupted=interrupted)
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
    outcome.ceilings = outcome.ceilings or ((asking.ceiling,) if asking.ceiling else ())
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
