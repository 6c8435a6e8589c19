"""A run costs what the account was charged, in journal, results and reports. The service here shares no code with the
sandbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from billed_runs import Billed
from fake_service import VERY_LATE_SECONDS, TransactionsMode, plan
from mortality import Life

from planner.calls.driver import Driver
from planner.calls.model import Outcomes

SMALL = 10, 4
CALLS = 40


@pytest.mark.parametrize(("call_bill", "transactions"), [("base", "served"), ("charged", "missing")])
def test_runs_are_billed_to_the_cent(tmp_path: Path, call_bill: Any, transactions: TransactionsMode) -> None:
    """With late transactions and bills and with lost launches: the first session has what can be read, the next one
    has everything."""
    service = Billed(tmp_path, options={"call_bill": call_bill, "transactions": transactions})
    ran = service.call(*SMALL)
    assert len(service.fake.runs) == CALLS
    service.check()
    assert ("transactions cannot be read" in ran.err) is (transactions == "missing")
    assert ran.err.count("transactions cannot be read") <= 1

    service.seconds += VERY_LATE_SECONDS
    service.call(*SMALL)
    assert len(service.fake.runs) == CALLS
    service.check()


def test_transactions_are_read_once_per_poll(tmp_path: Path) -> None:
    """The number of list reads does not depend on how many calls have ended or how many transactions are missing."""
    service = Billed(tmp_path)
    service.call(*SMALL)
    requests = service.fake.requests
    sweeps = requests.count("/v1/test-calls")
    assert 0 < requests.count("/v1/billing/transactions") <= sweeps + 20  # in the end only transactions are waited for


@pytest.mark.parametrize("transactions", ["garbage", "endless"])
def test_unreadable_transactions_leave_the_bills_of_the_calls(tmp_path: Path, transactions: TransactionsMode) -> None:
    """One warning; the bills of the calls are used, and no ceiling is broken."""
    service = Billed(tmp_path, options={"transactions": transactions, "at_once": 3, "lost_answer_every": 0})
    service.write("planner.yaml", "version: 1\nrates: {spark: 1}\n")
    service.write("plans/bills.yaml", plan(*SMALL))
    ran = service.run(max_cost_cents=900)
    assert ran.code == 3, ran.err[-6000:]
    assert ran.err.count("transactions cannot be read") == 1
    assert sum(service.fake.call_cents(run) or 0 for run in service.fake.runs) <= 900
    service.check()
    assert service.fake.requests.count("/v1/billing/transactions") <= 100


def test_a_late_bill_counts_as_its_reservation(tmp_path: Path) -> None:
    """Calls show half of what is charged, and transactions come hours later: the ceiling holds for what is charged."""
    options = {
        "call_bill": "base",
        "very_late_every": 2,
        "late_every": 0,
        "lost_answer_every": 0,
        "unreadable_every": 0,
    }
    service = Billed(tmp_path, options=options)
    service.write("planner.yaml", "version: 1\nrates: {spark: 8}\n")
    service.write("plans/bills.yaml", plan(10, 5))
    ran = service.run(max_cost_cents=1600)
    assert ran.code == 3, ran.err[-6000:]
    assert service.fake.charged() <= 1600


def test_a_killed_sessions_bills_are_corrected_as_well(tmp_path: Path) -> None:
    """Only the journal knows its runs; some were settled by the bill of the call."""
    service = Billed(tmp_path, options={"call_bill": "base"})
    service.write("plans/bills.yaml", plan(*SMALL))
    assert service.run(life=Life("before putting runs")).code is None
    assert list(service.stored()) == []
    unconfirmed = service.noted()
    service.seconds += VERY_LATE_SECONDS
    service.call(*SMALL)
    assert len(service.fake.runs) == CALLS
    assert service.noted() != unconfirmed
    service.check()


def test_runs_that_another_machine_read_as_well_have_their_bills(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log then names evidence that is not here."""
    run = Driver.run

    async def run_beside_another(driver: Driver, interrupted: Any) -> Outcomes:
        outcomes = await run(driver, interrupted)
        calls = [call for launch in driver.log.state.launches.values() for call in launch.live_calls.values()]
        driver.log.note([replace(call, part=call.part + 1, evidence=f"{call.run_id:064x}") for call in calls])
        return outcomes

    monkeypatch.setattr(Driver, "run", run_beside_another)
    service = Billed(tmp_path, options={"call_bill": "base"})
    service.call(*SMALL)
    assert len(service.fake.runs) == CALLS
    service.check()
