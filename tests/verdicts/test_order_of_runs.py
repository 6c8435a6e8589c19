"""The order of the runs of a case."""

from __future__ import annotations

from pathlib import Path

from whole_runs import Organisation

PLAN = """\
version: 1
plan: order
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: You are Ana. Ask when you are open on Saturday.
    runs: 8
    expect: [{check: call, status: completed}]
"""


def test_runs_are_listed_as_they_were_launched(tmp_path: Path) -> None:
    """Not as they ended, which depends on who was looked at first: the same calls make the same report, word for word."""
    service = Organisation(tmp_path)
    service.write("plans/order.yaml", PLAN)
    assert service.run().code == 0
    (case,) = service.results()["cases"]
    listed = [run["run_id"] for run in case["runs"]]
    ended = [run.id for run in sorted(service.sandbox.state.runs, key=lambda run: run.ends_at or 0)]
    assert listed == sorted(listed) != ended
