"""Workers as real processes: killed at each step of a launch, stopped there until another has made the calls.

`tests/benchmarks/worker_faults.py` does so on both hosts and both databases, and kills a thousand.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from databases import Postgres
from worker_trials import Trial, kill_at_each_step, lose_database, stand_still
from workers import STEPS

MakeTrial = Callable[..., Trial]
STILL = [(step, "lease", "postgres" if step == "in SENT" else "sqlite") for step in STEPS]


@pytest.mark.parametrize(("step", "host", "database"), [*STILL, ("after SENT", "temporal", "postgres")])
def test_a_worker_that_stands_still_in_a_launch_and_wakes_pays_nothing_twice(
    make_trial: MakeTrial, step: str, host: str, database: str
) -> None:
    """SIGSTOP for longer than its lease, and than a launch is searched for. The other worker has made all calls when it
    wakes."""
    stand_still(make_trial(host, database), step)


@pytest.mark.parametrize(("host", "database"), [("lease", "sqlite"), ("temporal", "postgres")])
def test_workers_that_are_killed_again_and_again_lose_nothing(make_trial: MakeTrial, host: str, database: str) -> None:
    kill_at_each_step(make_trial(host, database))


@pytest.mark.parametrize("host", ["lease", "temporal"])
def test_a_database_that_is_lost_in_the_write_of_sent_costs_nothing(
    make_trial: MakeTrial, postgres: Postgres, host: str
) -> None:
    """For longer than the lease. Nothing was sent; the same worker goes on."""
    lose_database(make_trial(host, "postgres"), postgres, seconds=3.0)
