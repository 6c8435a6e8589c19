"""Records what judge calls cost, so that a killed process loses no bill and no ceiling is passed.

The highest price of a call is in the log before it is made, its real price right after its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from planner.calls.budget import spending_under
from planner.calls.driver import Log
from planner.clock import Clock
from planner.errors import StoreError, UsageError
from planner.judge.pricing import CeilingReachedError
from planner.judge.votes import VoteRecord, WantedVotes, read_record
from planner.log.facts import Vote
from planner.log.fold import whole_cents
from planner.values import frozen

LoadVote = Callable[[str, int], "bytes | None"]


@frozen
class JudgeCall:
    """One request. `reserved` is its highest price, in millionths of a cent."""

    call_id: str
    want: WantedVotes
    reserved: int


@dataclass(slots=True)
class JudgeCallRecords:
    """Judge calls of one session under one consent. Calls of a free judge are not recorded."""

    log: Log
    account: str
    consent_id: str
    session_id: str
    clock: Clock
    share_answers: Callable[[], None] = lambda: None
    """Shares the answers that are stored: another machine would pay for them again. Raises `StoreError`."""
    _reserved: dict[str, Vote] = field(default_factory=dict[str, Vote], init=False)

    async def reserve(self, call: JudgeCall) -> None:
        """Return when the reservation is in the log.

        Raises:
            CeilingReachedError: other machines have reserved what was left.
            StoreError, UsageError: the call must not be made.
        """
        if not call.reserved:
            return
        vote = Vote(
            at=self.clock.now(),
            account=self.account,
            vote_id=call.call_id,
            consent_id=self.consent_id,
            session_id=self.session_id,
            question=call.want.key,
            evidence=call.want.key,
            model="judge",
            microcents=call.reserved,
            plan=call.want.plan,
        )
        self._reserved[call.call_id] = vote
        try:
            self.share_answers()
            self._check_ceilings(vote)
            while not await self.log.append([vote]):
                self._check_ceilings(vote)  # somebody else appended, perhaps a reservation under the same consent
        except CeilingReachedError:
            self._reserved.pop(call.call_id)
            raise
        except (StoreError, UsageError):
            self.settle(call, 0)
            raise

    def _check_ceilings(self, vote: Vote) -> None:
        """Raises `CeilingReachedError` if what all machines have reserved leaves no room."""
        consent = self.log.state.consents.get(vote.consent_id)
        for ceiling in () if consent is None else consent.ceilings:
            committed = sum(spending_under(self.log.state, vote.consent_id, ceiling))
            if ceiling.covers(vote.plan) and committed + whole_cents(vote.microcents) > ceiling.cents:
                raise CeilingReachedError(ceiling.label)

    def settle(self, call: JudgeCall, microcents: int) -> None:
        if call.reserved:
            self.log.note([replace(self._reserved.pop(call.call_id), answer="given", microcents=microcents)])


def settle_answered(log: Log, load_vote: LoadVote) -> None:
    """Settle the judge calls of killed sessions whose answers are stored. The others may have been charged: they stay
    reserved."""
    for vote in list(log.state.votes.values()):
        record = next(_votes_of(vote, load_vote), None) if vote.answer is None else None
        if record is not None:
            cost = record.call_microcents
            log.note([replace(vote, answer="given", microcents=vote.microcents if cost is None else cost)])


def _votes_of(vote: Vote, load_vote: LoadVote) -> Iterator[VoteRecord]:
    """The stored answer that a judge call returned."""
    number = 1
    while (data := load_vote(vote.question, number)) is not None:
        record = read_record(data, vote.question, number)
        if record is not None and record.call_id == vote.vote_id:
            yield record
        number += 1
