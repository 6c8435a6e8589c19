"""Whole sessions in which one field of the service's answers is spoiled: exit codes, true reports, no paid result lost.

    uv run python tests/benchmarks/spoiled_answers.py                 every field of every answer, each in all ways
    uv run python tests/benchmarks/spoiled_answers.py 500 [SEED]      so many of them, by the dice
    uv run python tests/benchmarks/spoiled_answers.py --with WORD     those whose description has this word

`tests/support/spoiled_sessions.py` says what is spoiled and what is compared. Exit code 1 where anything is wrong.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from spoiled_sessions import all_spoilings, faults_of


def main() -> int:
    os.environ["TZ"] = "UTC"
    words = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        wanted = all_spoilings(Path(folder))
    if words[:1] == ["--with"]:
        wanted = [each for each in wanted if words[1] in str(each)]
    elif words:
        wanted = Random(int(words[1]) if len(words) > 1 else 1).sample(wanted, int(words[0]))
    began = time.monotonic()
    wrong = 0
    counted = Counter(each.route for each in wanted)
    for number, spoiling in enumerate(wanted, start=1):
        with tempfile.TemporaryDirectory() as folder:
            found = faults_of(Path(folder), spoiling)
        wrong += bool(found)
        for line in found:
            print(f"{spoiling}: {line}", flush=True)
        if number % 500 == 0:
            print(f"{number:,} of {len(wanted):,} after {time.monotonic() - began:.0f} s: {wrong} wrong", flush=True)
    for route, count in sorted(counted.items()):
        print(f"{count:>6,}  {route}")
    print(f"{len(wanted):,} spoiled sessions, {wrong} wrong, {time.monotonic() - began:.0f} s")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
