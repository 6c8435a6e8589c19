"""Stories of an organisation (tests/organisation/test_simulation.py), as many as are asked for.

    uv run python tests/benchmarks/organisations.py [STORIES] [FIRST_SEED]

Prints each one that pays twice, loses a run or never ends, by its seed, and how many there were.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from organisations import Organisation
from virtual_time import VirtualLoop

from tests.organisation.conftest import organisation_in  # pyright: ignore[reportMissingImports]
from tests.organisation.test_simulation import story  # pyright: ignore[reportMissingImports]


def tell(seed: int) -> Counter[str]:
    with tempfile.TemporaryDirectory() as folder:

        def make(*faults: Any, **world: Any) -> Organisation:
            return organisation_in(Path(folder), faults, world)

        loop = VirtualLoop()
        asyncio.set_event_loop(loop)
        try:
            return loop.run_until_complete(story(seed, make))
        finally:
            loop.close()


def main(stories: int = 100, first: int = 0) -> None:
    total: Counter[str] = Counter()
    began = time.process_time()
    for seed in range(first, first + stories):
        try:
            total += tell(seed)
        except BaseException as error:  # noqa: BLE001 - each is reported
            total["wrong"] += 1
            print(f"story {seed}: {type(error).__name__}: {error}", flush=True)
        total["stories"] += 1
        if total["stories"] % 50 == 0:
            print(f"{dict(total)} after {time.process_time() - began:.0f} s of CPU", flush=True)
    print(dict(total), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
