"""A week of an organisation with ten repositories, in virtual time (tests/support/organisation_week.py).

uv run python tests/benchmarks/organisation_week.py [SEED]
"""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from organisation_week import Size, Week
from simulated_service import EPOCH

from planner.organisation import serving


def main(seed: int = 1) -> None:
    for name, seconds in (("LOOK_SECONDS", 15.0), ("LOOK_AT_WORK_SECONDS", 5.0)):
        setattr(serving, name, seconds)
    began = time.process_time()
    week = Week(seed, Size())
    week.run()
    for line in week.table():
        print(line)
    for at, what in week.happened:
        print(f"{EPOCH + timedelta(seconds=at):%a %H:%M}  {what}")
    made, wanted = len(week.model.made), week.model.wanted.total()
    print(
        f"{wanted} calls wanted, {made} made, none twice, none lost, no ceiling broken; {week.takeovers} epochs,"
        f" {week.crashes} workers died, {week.stops} stood still; {time.process_time() - began:.0f} s of CPU"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
