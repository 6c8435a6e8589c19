"""Thousands of schedules of an organisation: many consents, repositories, hosts and epochs, with faults at every step.

`tests/benchmarks/organisation_schedules.py` runs as many as are asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain
from typing import Any

import pytest
from organisation_schedules import Schedule, simulated
from organisation_week import DAY, Size, Week
from simulated_service import Violation, forget_sent_launches
from simulated_tables import MemoryTables

from planner.errors import StoreError
from planner.execution.consents import Consent
from planner.execution.journal_state import JournalState
from planner.execution.launches import LaunchState
from planner.execution.ledger import Ceiling
from planner.execution.local import Session
from planner.execution.sending import Sender
from planner.execution.state import State
from planner.organisation import serving
from planner.organisation.journal import TablesJournal

SCHEDULES = 150
MOST_SCHEDULES = 2000
"""In which a broken rule must show."""


@pytest.mark.parametrize("first", range(0, SCHEDULES, 50))
def test_no_schedule_pays_twice_loses_a_run_or_breaks_a_ceiling(first: int) -> None:
    happened = Counter[str]()
    for seed in range(first, first + 50):
        happened += simulated(seed)
    assert happened["crashes"] > 20
    assert happened["stops"] > 20
    assert happened["takeovers"] > 50
    assert happened["restored"] > 0


def test_runs_that_are_overdue_at_a_ceiling() -> None:
    """The balance is too low for more calls while the list of runs cannot be read. The next session finds the runs, and
    they are in the tables with their bills."""
    happened = simulated(2_097_848)
    assert (happened["at a ceiling"], happened["calls"]) == (1, 4)


def test_a_run_of_a_restored_copy_counts_for_an_equal_call() -> None:
    """Two consents want the same call. The copy does not know the run of one of them, and an unconfirmed launch of the
    other adopts it: seven runs, of which one counts for both, are made instead of eight, and none is paid twice."""
    happened = simulated(2_099_651)
    assert (happened["restored"], happened["calls"]) == (1, 7)


def test_days_of_three_repositories(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget of November runs out, and that of December is there. Workers are upgraded, the agent is edited, and the
    database fails over while calls are under way: nothing is paid twice. `tests/benchmarks/organisation_week.py` has a
    week of ten repositories."""
    monkeypatch.setattr(serving, "LOOK_SECONDS", 60.0)
    monkeypatch.setattr(serving, "LOOK_AT_WORK_SECONDS", 5.0)
    size = Size(3, days=3, cases=5, pull_requests=2, budget_cents=900, begins=3, upgraded=0, edited=1, failed_over=2)
    week = Week(1, size)
    week.run()
    ended = [
        [each.outcome for each in week.clients if (each.submitted_at - week.began) // DAY == day] for day in range(3)
    ]
    refused = [sum(bool(outcome and outcome.ceiling) for outcome in outcomes) for outcomes in ended]
    assert refused[0] == refused[2] == 0
    assert 0 < refused[1] < len(ended[1])
    assert all("open" in what and " 0 consents" not in what for _, what in week.happened)


def test_days_of_which_the_first_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Consents that were closed a day and a half ago: nothing that is left needs their events."""
    monkeypatch.setattr(serving, "LOOK_SECONDS", 60.0)
    monkeypatch.setattr(serving, "LOOK_AT_WORK_SECONDS", 5.0)
    week = Week(2, Size(2, days=4, cases=4, pull_requests=2, budget_cents=1_000_000))
    week.database.kept_seconds = 1.5 * DAY
    week.run()
    assert len(week.database.pruned) > 3
    assert all(each.outcome is not None and each.outcome.finished for each in week.clients)


# Broken rules


def check_the_age_of_a_launch_only_before_it_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may stand still between its record and its first byte."""
    real = vars(Sender)["_check_in_time"]

    def check(self: Any, intent: Any) -> None:
        if self.session.state.launch(intent.launch_id).state is not LaunchState.SENT:
            real(self, intent)

    monkeypatch.setattr(Sender, "_check_in_time", check)


def write_without_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coordinator that wakes goes on, as long as no number is used twice."""
    monkeypatch.setattr(MemoryTables, "_check_epoch", lambda *_: None)
    real = MemoryTables.add_event

    def add(self: MemoryTables, epoch: int, values: Any) -> None:
        real(self, epoch, {**values, "number": len(self.database.rows.events) + 1})

    monkeypatch.setattr(MemoryTables, "add_event", add)


def forget_sent_launches_in_a_takeover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JournalState, "mark_interrupted", forget_sent_launches)


def send_what_is_not_in_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is away, a coordinator goes on with what it remembers."""
    real = TablesJournal.record

    def record(self: TablesJournal, event: Any) -> None:
        try:
            real(self, event)
        except Exception:  # noqa: BLE001 - broken on purpose
            self.apply(event)

    monkeypatch.setattr(TablesJournal, "record", record)


def do_not_wait_for_the_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """A launch that is not listed at once counts as absent."""
    real = Schedule.__init__

    def begin(self: Schedule, seed: int) -> None:
        real(self, seed)
        object.__setattr__(self.settings, "settle_seconds", 5.0)

    monkeypatch.setattr(Schedule, "__init__", begin)


def forget_what_was_spent_before_a_takeover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "spent_before", lambda *_: None)


def count_no_repositories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ceilings of a repository cover nothing."""
    real = Ceiling.covers
    monkeypatch.setattr(Ceiling, "covers", lambda self, purpose: self.repository is None and real(self, purpose))


def count_no_months(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Ceiling.covers
    monkeypatch.setattr(Ceiling, "covers", lambda self, purpose: self.month is None and real(self, purpose))


def read_the_balance_without_reservations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls under way cost nothing."""
    real = Ceiling.covers
    monkeypatch.setattr(Ceiling, "covers", lambda self, purpose: not self.by_service and real(self, purpose))


def compare_restored_tables_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "calls_unknown", lambda *_: 0)


def compare_restored_tables_since_the_last_consent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever resumes its calls agrees to them later than they were made."""
    monkeypatch.setattr(Consent, "begun_at", property(lambda self: self.agreed_at))


def end_consents_with_open_launches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that may have been made are then nobody's."""
    real = State.is_under_way
    monkeypatch.setattr(State, "is_under_way", lambda self, consent_id=None: consent_id is None and real(self))


def forget_earlier_coordinators(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their runs do not count as wanted ones."""
    real = vars(Session)["_resume"]
    monkeypatch.setattr(Session, "_resume", lambda self, _: real(self, []))


BROKEN: list[Callable[[pytest.MonkeyPatch], None]] = [
    check_the_age_of_a_launch_only_before_it_is_recorded,
    write_without_an_epoch,
    forget_sent_launches_in_a_takeover,
    send_what_is_not_in_the_tables,
    do_not_wait_for_the_lists,
    forget_what_was_spent_before_a_takeover,
    count_no_repositories,
    count_no_months,
    read_the_balance_without_reservations,
    compare_restored_tables_with_nothing,
    compare_restored_tables_since_the_last_consent,
    end_consents_with_open_launches,
    forget_earlier_coordinators,
]


SEEN_IN: dict[Callable[[pytest.MonkeyPatch], None], int] = {
    check_the_age_of_a_launch_only_before_it_is_recorded: 98,
    send_what_is_not_in_the_tables: 45,
    do_not_wait_for_the_lists: 33,
    forget_what_was_spent_before_a_takeover: 17,
    count_no_repositories: 64,
    compare_restored_tables_with_nothing: 35,
    compare_restored_tables_since_the_last_consent: 35,
}
"""Where to look first for those that the first schedules do not show."""


@pytest.mark.parametrize("break_rule", BROKEN, ids=lambda rule: rule.__name__)
def test_a_broken_rule_is_found(
    break_rule: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    break_rule(monkeypatch)
    for seed in chain([SEEN_IN.get(break_rule, 0)], range(MOST_SCHEDULES)):
        try:
            simulated(seed)
        except (Violation, StoreError, AssertionError, LookupError):
            return
    raise AssertionError("no schedule shows the broken rule")
