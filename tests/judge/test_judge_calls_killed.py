"""A process that is killed among judge calls passes no ceiling, and loses no bill."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from planner.execution.consents import Amount, ConsentAdded
from planner.execution.events import Event
from planner.execution.journal import Journal
from planner.execution.ledger import Ceiling
from planner.execution.spending import judge_spending, spending_of
from planner.judge.judge_call_records import settle_answered
from planner.judge.pricing import MICROCENTS
from planner.planfile.model import JudgePrice
from planner.results.repository import ResultsRepository
from planner.stores.directory import DirectoryStore
from tests.judge.conftest import Model  # pyright: ignore[reportMissingImports]
from tests.judge.test_judge_calls import CONSENT, TALK, Bench, bench, talk  # pyright: ignore[reportMissingImports]

__all__ = ["bench"]

LIMIT_CENTS = 7
CALLS = 10
"""Phone calls to judge."""
RUBRICS = ["The agent is polite.", "The agent is brief.", "The agent is right."]
"""Of one cent each."""
EVENTS = 2 * LIMIT_CENTS
"""That a session records: a reservation and a settlement for each judge call."""


class KilledError(BaseException):
    """The process is dead."""


class DyingJournal(Journal):
    """It dies before or after it has written an event."""

    dies_at: float = float("inf")
    dies_after: bool = False

    def record(self, event: Event) -> None:
        self.dies_at -= 1
        if self.dies_at < 0 and not self.dies_after:
            raise KilledError
        super().record(event)
        if self.dies_at < 0:
            raise KilledError


class DyingRepository(ResultsRepository):
    """It dies after it has stored a vote."""

    dies_at: float = float("inf")

    def save_vote(self, key: str, number: int, data: bytes) -> bytes:
        stored = super().save_vote(key, number, data)
        self.dies_at -= 1
        if self.dies_at < 0:
            raise KilledError
        return stored


def session(bench: Bench, folder: Path, dies_at: float, *, dies_after: bool, rubrics: int = 1) -> bool:
    """Whether it was killed."""
    with closing(DyingJournal(folder / "journal.sqlite")) as journal:
        if journal.consents.get(CONSENT.consent_id) is None:
            journal.record(ConsentAdded(CONSENT))
        settle_answered(journal, bench.repository.load_vote)
        bench.journal, bench.before = journal, judge_spending(spending_of(journal, CONSENT.consent_id))
        bench.ceilings = [Ceiling("--max-cost", LIMIT_CENTS, committed_cents=bench.before.committed_cents(None))]
        journal.dies_at, journal.dies_after = dies_at, dies_after
        evidences = [talk(*TALK, ("caller", f"Number {number}."), run_id=number) for number in range(CALLS)]
        try:
            bench.judge_by(RUBRICS[:rubrics], *evidences)
        except BaseExceptionGroup as error:
            is_killed = error.subgroup(KilledError) is not None
            if not is_killed:
                raise
            return True
    return False


@pytest.mark.parametrize("rubrics", [1, 3])
@pytest.mark.parametrize("dies_after", [False, True])
@pytest.mark.parametrize("dies_at", range(EVENTS))
def test_killed_at_any_event(
    bench: Bench, model: Model, tmp_path: Path, dies_at: int, dies_after: bool, rubrics: int
) -> None:
    """The process is killed among judge calls, up to twice at the same event of a session.

    Before: the judge calls were forgotten. The ceiling was passed, and their bills were reported nowhere.
    Now: each is reserved in the journal before it is made; journal and the endpoint's ledger agree in cents.
    """
    affordable = LIMIT_CENTS // rubrics
    if dies_at >= 2 * affordable:
        return  # no session has that many events
    bench.max_concurrent = 1
    deaths = sum(session(bench, tmp_path, dies_at, dies_after=dies_after, rubrics=rubrics) for _ in range(2))
    assert deaths
    assert not session(bench, tmp_path, float("inf"), dies_after=False, rubrics=rubrics)
    charged_cents = len(model.asked) * rubrics
    assert charged_cents <= LIMIT_CENTS
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        amount = spending_of(journal, CONSENT.consent_id).of_judge_calls()
    assert amount.committed == affordable * rubrics * MICROCENTS
    # What was reserved right before the death was never sent: it may have been charged for all the journal knows.
    unsent = deaths * rubrics if dies_after and dies_at % 2 == 0 else 0
    assert amount.committed == (charged_cents + unsent) * MICROCENTS
    assert amount.reserved == unsent * MICROCENTS


@pytest.mark.parametrize("stored", [1, 2, 3])
def test_killed_while_votes_are_stored(bench: Bench, model: Model, tmp_path: Path, stored: int) -> None:
    """The answer to a judge call had three votes, and only some were stored when the process died. The whole call is
    settled, and only the others are requested again."""
    bench.max_concurrent, bench.price = 1, JudgePrice(per_million_read=1_000, per_million_written=1_000)
    dying = DyingRepository(DirectoryStore(tmp_path / "store"))
    dying.dies_at = stored - 1
    alive, bench.repository = bench.repository, dying
    evidence = talk(*TALK)
    with closing(DyingJournal(tmp_path / "journal.sqlite")) as journal:
        journal.record(ConsentAdded(CONSENT))
        bench.journal, bench.ceilings = journal, [Ceiling("--max-cost", 100)]
        with pytest.raises(BaseExceptionGroup) as raised:
            bench.judge_by(RUBRICS, evidence)
        assert raised.value.subgroup(KilledError) is not None
    with closing(Journal(tmp_path / "journal.sqlite")) as journal:
        settle_answered(journal, alive.load_vote)
        assert spending_of(journal, CONSENT.consent_id).of_judge_calls() == Amount(1_100_000, 0)
        bench.journal, bench.repository = journal, alive
        (found,), _ = bench.judge_by(RUBRICS, evidence)
    assert {outcome for outcome, _ in found} == {"passed"}
    assert [len(asked.rubrics) for asked in model.asked] == ([3] if stored == 3 else [3, 3 - stored])
