"""What a run costs is what the account was charged, in everything that says so, against a service that shares no code with ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from billed_runs import Billed
from fake_service import VERY_LATE_SECONDS, TransactionsMode, plan
from mortality import Life

SMALL = 20, 5


@pytest.mark.parametrize("call_bill", ["charged", "base"])
@pytest.mark.parametrize("transactions", ["served", "missing"])
def test_a_hundred_runs_are_billed_to_the_cent(tmp_path: Path, call_bill: Any, transactions: TransactionsMode) -> None:
    """With transactions, bills and launches late or lost: at once what can be read, and all of it in the next session."""
    service = Billed(tmp_path, options={"call_bill": call_bill, "transactions": transactions})
    ran = service.call(*SMALL)
    assert len(service.fake.runs) == 100
    service.check()
    assert ("transactions cannot be read" in ran.err) is (transactions == "missing")
    assert ran.err.count("transactions cannot be read") <= 1

    service.seconds += VERY_LATE_SECONDS
    service.call(*SMALL)
    assert len(service.fake.runs) == 100
    service.check()


def test_transactions_are_read_once_a_sweep(tmp_path: Path) -> None:
    """However many calls have ended, and however often some of them are looked for in vain."""
    service = Billed(tmp_path)
    service.call(*SMALL)
    requests = service.fake.requests
    sweeps = requests.count("/v1/test-calls")
    assert 0 < requests.count("/v1/billing/transactions") <= sweeps + 20  # in the end only transactions are waited for


@pytest.mark.parametrize("transactions", ["forbidden", "missing", "garbage", "endless"])
def test_unreadable_transactions_leave_the_bills_of_the_calls(tmp_path: Path, transactions: TransactionsMode) -> None:
    """One line says so; nothing is lost, and no ceiling is broken."""
    service = Billed(tmp_path, options={"transactions": transactions, "at_once": 3, "lost_answer_every": 0})
    service.write("planner.yaml", "version: 1\nrates: {spark: 1}\n")
    service.write("plans/bills.yaml", plan(*SMALL))
    ran = service.run(max_cost_cents=900)
    assert ran.code == 3
    assert ran.err.count("transactions cannot be read") == 1
    assert sum(service.fake.call_cents(run) or 0 for run in service.fake.runs) <= 900
    service.check()
    assert service.fake.requests.count("/v1/billing/transactions") <= 100


def test_a_late_transaction_counts_as_its_reservation_until_it_comes(tmp_path: Path) -> None:
    """Calls show half of what is charged, and transactions come hours later: the ceiling holds for what is charged all the same."""
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
    assert ran.code == 3
    assert service.fake.charged() <= 1600


def test_a_killed_sessions_bills_are_corrected_as_well(tmp_path: Path) -> None:
    """The journal alone knows its runs; some of them were settled on their call's bill."""
    service = Billed(tmp_path, options={"call_bill": "base"})
    service.write("plans/bills.yaml", plan(*SMALL))
    assert service.run(life=Life("before putting runs")).code is None
    assert list(service.stored()) == []
    unconfirmed = service.noted()
    service.seconds += VERY_LATE_SECONDS
    service.call(*SMALL)
    assert len(service.fake.runs) == 100
    assert service.noted() != unconfirmed
    service.check()
