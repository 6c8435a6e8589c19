"""A process that is killed among judge calls passes no ceiling, and loses no bill."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from planner.calls.budget import Account
from planner.calls.spending import spent_on_judging
from planner.judge.judge_call_records import settle_answered
from planner.judge.pricing import MICROCENTS
from planner.log.facts import Fact
from planner.log.local import LocalLog
from planner.planfile.model import JudgePrice
from planner.results.repository import ResultsRepository
from planner.stores.directory import DirectoryStore
from tests.judge.conftest import Model  # pyright: ignore[reportMissingImports]
from tests.judge.test_judge_calls import CONSENT, TALK, Bench, bench, talk  # pyright: ignore[reportMissingImports]

__all__ = ["bench"]

LIMIT_CENTS = 7
CALLS = 10
"""Phone calls to judge, of one cent each."""
EVENTS = 2 * LIMIT_CENTS
"""That a session records: a reservation and a settlement for each judge call."""


class KilledError(BaseException):
    """The process is dead."""


class DyingLog(LocalLog):
    """It dies before or after it has written facts."""

    dies_at: float = float("inf")
    dies_after: bool = False

    async def append(self, facts: Sequence[Fact]) -> bool:
        self._before()
        is_appended = await super().append(facts)
        self._after()
        return is_appended

    def note(self, facts: Iterable[Fact]) -> None:
        self._before()
        super().note(facts)
        self._after()

    def _before(self) -> None:
        self.dies_at -= 1
        if self.dies_at < 0 and not self.dies_after:
            raise KilledError

    def _after(self) -> None:
        if self.dies_at < 0:
            raise KilledError


def opened(folder: Path) -> DyingLog:
    return DyingLog(folder / "log.db", "a", lambda: datetime.now(UTC))


class DyingRepository(ResultsRepository):
    """It dies after it has stored a vote."""

    def save_vote(self, key: str, number: int, data: bytes) -> bytes:
        super().save_vote(key, number, data)
        raise KilledError


def session(bench: Bench, folder: Path, dies_at: float, *, dies_after: bool) -> bool:
    """Whether it was killed."""
    with closing(opened(folder)) as log:
        if CONSENT.consent_id not in log.state.consents:
            log.note([CONSENT])
        settle_answered(log, bench.repository.load_vote)
        bench.log, bench.before = log, spent_on_judging(log.state, CONSENT.consent_id)
        bench.accounts = [Account("--max-cost", LIMIT_CENTS, bench.before.committed_cents(None), 0)]
        log.dies_at, log.dies_after = dies_at, dies_after
        evidences = [talk(*TALK, ("caller", f"Number {number}."), run_id=number) for number in range(CALLS)]
        try:
            bench.judge(*evidences)
        except BaseExceptionGroup as error:
            is_killed = error.subgroup(KilledError) is not None
            if not is_killed:
                raise
            return True
    return False


@pytest.mark.parametrize("dies_after", [False, True])
@pytest.mark.parametrize("dies_at", range(EVENTS))
def test_killed_at_any_event(bench: Bench, model: Model, tmp_path: Path, dies_at: int, dies_after: bool) -> None:
    """The process is killed among judge calls, up to twice at the same event of a session.

    Before: the judge calls were forgotten. The ceiling was passed, and their bills were reported nowhere.
    Now: each is reserved in the log before it is made; log and the endpoint's ledger agree in cents.
    """
    bench.max_concurrent = 1
    deaths = sum(session(bench, tmp_path, dies_at, dies_after=dies_after) for _ in range(2))
    assert deaths
    assert not session(bench, tmp_path, float("inf"), dies_after=False)
    assert len(model.asked) <= LIMIT_CENTS
    with closing(opened(tmp_path)) as log:
        amount = spent_on_judging(log.state, CONSENT.consent_id)
    assert amount.committed(None) == LIMIT_CENTS * MICROCENTS
    # What was reserved right before the death was never sent: it may have been charged for all the log knows.
    unsent = deaths if dies_after and dies_at % 2 == 0 else 0
    assert amount.committed(None) == (len(model.asked) + unsent) * MICROCENTS
    assert amount.reserved == unsent * MICROCENTS


def test_killed_after_a_vote_is_stored(bench: Bench, model: Model, tmp_path: Path) -> None:
    """The judge call is settled, and not made again."""
    bench.price = JudgePrice(per_million_read=1_000, per_million_written=1_000)
    alive, bench.repository = bench.repository, DyingRepository(DirectoryStore(tmp_path / "store"))
    with closing(opened(tmp_path)) as log:
        log.note([CONSENT])
        bench.log, bench.accounts = log, [Account("--max-cost", 100, 0, 0)]
        with pytest.raises(BaseExceptionGroup) as raised:
            bench.judge(talk(*TALK))
        assert raised.value.subgroup(KilledError) is not None
    with closing(opened(tmp_path)) as log:
        settle_answered(log, alive.load_vote)
        amount = spent_on_judging(log.state, CONSENT.consent_id)
        assert (amount.spent, amount.reserved) == (1_100_000, 0)
        bench.log, bench.repository = log, alive
        ((outcome, _),), _ = bench.judge(talk(*TALK))
    assert (outcome, len(model.asked)) == ("passed", 1)
