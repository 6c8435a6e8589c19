"""Sessions of `planner run` against the independent service, and whether all that they say of money is what it shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import fake_service
from fake_service import FakeService
from whole_runs import Organization

from planner.quantities import money

PASSED_OR_UNBILLED = (0, 4)


@dataclass
class Billed(Organization):
    """Calls the fake service instead of the sandbox."""

    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        super().__post_init__()
        self.fake = FakeService(lambda: self.now().timestamp(), **self.options)
        self.sandbox = SimpleNamespace(app=self.fake.app)  # pyright: ignore[reportAttributeAccessIssue]

    def call(self, cases: int, runs: int, **options: Any) -> Any:
        """Make so many calls in one session; returns what it left behind."""
        self.write("plans/bills.yaml", fake_service.plan(cases, runs))
        ran = self.run(**options)
        assert ran.code in PASSED_OR_UNBILLED, ran.err + ran.out
        return ran

    def check(self) -> None:
        """Results, report, journal and store of the first session say what the service showed for each run, to the cent."""
        truth = self.truth()
        results = self.results()
        runs = [run for case in results["cases"] for run in case["runs"]]
        assert {run["run_id"]: (run["cost_cents"], run["cost_basis"]) for run in runs} == truth, _differences(
            truth, runs
        )
        shown = sum(cents or 0 for cents, _ in truth.values())
        # Where transactions can be read, the bill that a call shows is not final: the call stays reserved.
        bases = ("transaction", "call") if self.fake.transactions != "served" else ("transaction",)
        total = sum(cents or 0 for cents, basis in truth.values() if basis in bases)
        cost = results["cost"]
        if cost["carried_cents"]:
            assert (cost["actual_cents"], cost["carried_cents"]) == (0, shown)
        else:
            assert cost["actual_cents"] == total
            assert cost["unconfirmed_cents"] >= shown - total
        assert self.noted() == {run_id: cents if basis in bases else None for run_id, (cents, basis) in truth.items()}
        report = (self.root / "reports" / "report.md").read_text(encoding="utf-8")
        if cost["actual_cents"]:
            assert money(total) in report
        for stored in self.stored():
            bills = {run["run_id"]: run["cost_cents"] for case in stored["cases"] for run in case["runs"]}
            assert bills == {run_id: truth[run_id][0] for run_id in bills}
            assert stored["cost"]["actual_cents"] in (total, 0), (stored["cost"], total, shown)

    def truth(self) -> dict[int, tuple[int | None, str | None]]:
        now = self.now().timestamp()
        return {run.id: self.fake.shown(run, now) for run in self.fake.runs}

    def stored(self) -> Iterator[Any]:
        for path in sorted((self.root / ".planner" / "sandbox" / "runs").glob("*.json")):
            yield json.loads(path.read_text(encoding="utf-8"))


def _differences(truth: dict[int, tuple[int | None, str | None]], runs: list[dict[str, Any]]) -> list[Any]:
    return [
        (run["run_id"], run["cost_cents"], run["cost_basis"], truth.get(run["run_id"]))
        for run in runs
        if (run["cost_cents"], run["cost_basis"]) != truth.get(run["run_id"])
    ]
