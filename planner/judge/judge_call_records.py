"""Records what judge calls cost, so that a killed process loses no bill and no ceiling is passed.

The highest price of a call is durable before it is made, its real price right after its answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planner.errors import StoreError, UsageError
from planner.execution.consents import JudgeCallReserved, JudgeCallSettled
from planner.execution.ledger import OverCeilingError
from planner.judge.pricing import CeilingReachedError
from planner.judge.votes import VoteRecord, WantedVotes, read_record
from planner.values import frozen

if TYPE_CHECKING:
    from planner.execution.journal import Journal

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

    journal: Journal
    consent_id: str
    session_id: str
    month: str
    """In which they count."""
    share: Callable[[], Awaitable[None]] | None = None
    """Makes what is reserved durable in the shared store, if there is one."""

    async def reserve(self, call: JudgeCall) -> None:
        """Return when the reservation is durable.

        Raises:
            CeilingReachedError: other machines have reserved what is left.
            StoreError, UsageError: the call must not be made.
        """
        if not call.reserved:
            return
        want = call.want
        self.journal.record(
            JudgeCallReserved(
                call.call_id, self.consent_id, self.session_id, want.plan, call.reserved, (want.key,), self.month
            )
        )
        if self.share is None:
            return
        try:
            await self.share()
        except OverCeilingError as error:
            self.settle(call, 0)
            raise CeilingReachedError(error.label) from error
        except (StoreError, UsageError):
            self.settle(call, 0)
            raise

    def settle(self, call: JudgeCall, microcents: int) -> None:
        if call.reserved:
            self.journal.record(JudgeCallSettled(call.call_id, microcents))


def settle_answered(journal: Journal, load_vote: LoadVote) -> None:
    """Settle the judge calls of killed sessions whose answers are stored. The others may have been charged: they stay
    reserved."""
    for call in journal.consents.open_judge_calls():
        record = next(_votes_of(call, load_vote), None)
        if record is not None:
            cost = record.call_microcents
            journal.record(JudgeCallSettled(call.call_id, call.microcents if cost is None else cost))


def _votes_of(call: JudgeCallReserved, load_vote: LoadVote) -> Iterator[VoteRecord]:
    """The stored votes that a judge call returned: some of them, if the process was killed while it stored them."""
    for key in call.keys:
        number = 1
        while (data := load_vote(key, number)) is not None:
            record = read_record(data, key, number)
            if record is not None and record.call_id == call.call_id:
                yield record
            number += 1
