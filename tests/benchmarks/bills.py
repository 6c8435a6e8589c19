"""Whether everything that says what runs cost is equal to the cent, over many runs.

    uv run python tests/benchmarks/bills.py [--runs 1000]

An independent service (tests/support/fake_service.py) makes the calls, in virtual time, in both billing modes, with and without
transactions; answers are lost, bills and transactions are late. After the first session, results.json, report.md, the journal and
the stored results must say what the service shows for each run; after a second session, hours later, what it shows then.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from billed_runs import Billed
from fake_service import VERY_LATE_SECONDS

RUNS_A_CASE = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    cases = parser.parse_args().runs // RUNS_A_CASE
    print("call bill  transactions  runs  by transaction  charged $  shown first $  shown later $  reads  seconds")
    for call_bill in ("charged", "base"):
        for transactions in ("served", "missing"):
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                options = {"call_bill": call_bill, "transactions": transactions, "at_once": 50}
                service = Billed(Path(folder), options=options)
                service.call(cases, RUNS_A_CASE)
                service.check()
                first_cents = _cents(service)
                service.seconds += VERY_LATE_SECONDS
                service.call(cases, RUNS_A_CASE)
                service.check()
                assert len(service.fake.runs) == cases * RUNS_A_CASE
                confirmed = sum(basis == "transaction" for _, basis in service.truth().values())
                reads = service.fake.requests.count("/v1/billing/transactions")
                print(
                    f"{call_bill:9}  {transactions:12}  {len(service.fake.runs):4}  {confirmed:14}  {service.fake.charged() / 100:9.2f}"
                    f"  {first_cents / 100:13.2f}  {_cents(service) / 100:13.2f}  {reads:5}  {time.perf_counter() - began:7.1f}",
                    flush=True,
                )


def _cents(service: Billed) -> int:
    cost = service.results()["cost"]
    return cost["actual_cents"] + cost["carried_cents"]


if __name__ == "__main__":
    main()
