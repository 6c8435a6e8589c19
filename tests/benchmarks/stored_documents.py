"""Random damage to stored documents, journals and shared logs: no ceiling lifted, no wrong pass, no traceback.

    uv run python tests/benchmarks/stored_documents.py [MUTATIONS [FIRST SEED]]        (100000 0)

Prints how many mutations were refused and how many were accepted as data, and every violation with its seed. Exit 1 if there is one.
What is mutated, and what must hold, is in `tests/support/damaged_documents.py`; the suite runs a few hundred (`tests/security`).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from damaged_documents import Fuzzed, Violation


def run() -> int:
    mutations = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began = time.monotonic()
    counted = Counter[tuple[str, str]]()
    violations: list[Violation] = []
    memory = Path("/dev/shm")  # noqa: S108 - the folder in it has a name that nobody can guess
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        fuzzed = Fuzzed(Path(folder) / "project")
        for seed in range(first, first + mutations):
            found = fuzzed.check(seed)
            if isinstance(found, Violation):
                violations.append(found)
                print(f"seed {found.seed}: {found.kind}: {found.what[:300]}", flush=True)
                found = found.kind
            counted[fuzzed.kind_of(seed), found] += 1
    seconds = time.monotonic() - began
    print(f"{mutations} mutations in {seconds:.0f} s ({time.process_time():.0f} s of CPU)")
    for (kind, found), count in sorted(counted.items()):
        print(f"{kind:10} {found:16} {count:7}")
    return bool(violations)


if __name__ == "__main__":
    sys.exit(run())
