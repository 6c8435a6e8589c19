"""What `planner validate` makes of files that mean harm, and of mutants of the examples.

    uv run python tests/benchmarks/hostile.py [MUTANTS] [SEED]
    uv run python tests/benchmarks/hostile.py bounds [WORD…]      only the files whose name has one of the words, no mutants

First each of `tests/support/hostile_plans.py` in a process of its own: its time from start to end, its CPU time, its peak
memory and what it said. Then so many mutants (10,000) of the example plans, their library and their planner.yaml, validated
in this process. Exit code 1 where anything takes over 5 s of CPU or 300 MB, ends in another way than with a
diagnostic, or says nothing that was expected.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from hostile_plans import Hostile, hostile_plans

MOST_SECONDS = 5.0
MOST_BYTES = 300 * 1000 * 1000

ENVIRONMENT = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "planner-hostile-bytecode"))}
"""Starts are as fast as a user's second one, even if this environment disables bytecode."""
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)


@dataclass(frozen=True)
class Ran:
    code: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    said: str
    first: str


def run(folder: Path) -> Ran:
    """`planner validate` of everything in the folder."""
    with tempfile.TemporaryFile() as out:
        start = time.perf_counter()
        command = [sys.executable, "-m", "planner", "validate", "."]
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out, env=ENVIRONMENT)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode(errors="replace")
    unit = 1 if sys.platform == "darwin" else 1024
    first = said.split("\n", 1)[0]
    return Ran(process.returncode, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * unit, said, first)


def write(hostile: Hostile, folder: Path) -> None:
    """In a separate process, since a child's peak is never reported as smaller than its parent's."""
    process = os.fork()
    if not process:
        hostile.write(folder)
        os._exit(0)
    os.waitpid(process, 0)


def fault(hostile: Hostile, ran: Ran) -> str:
    if "Traceback" in ran.said or ran.code not in {0, 2}:
        return f"ended with exit code {ran.code}"
    codes: list[str] = re.findall(r"(?:error|warning): .* \[([a-z0-9-]+)\]$", ran.said, re.MULTILINE)
    if sorted(set(codes)) != sorted(hostile.codes):
        return f"expected {' and '.join(sorted(hostile.codes)) or 'no fault'}"
    if ran.cpu_seconds > MOST_SECONDS:
        return "too slow"
    return "too large" if ran.peak_bytes > MOST_BYTES else ""


def bounds(words: list[str]) -> int:
    faults = 0
    print(f"{'':48} {'wall':>7} {'CPU':>7} {'peak':>8}  says")
    with tempfile.TemporaryDirectory() as root:
        run(Path(root))  # compiles
        for number, hostile in enumerate(hostile_plans()):
            if words and not any(word in hostile.name for word in words):
                continue
            folder = Path(root, str(number))
            folder.mkdir()
            (folder / ".git").mkdir()
            write(hostile, folder)
            ran = run(folder)
            wrong = fault(hostile, ran)
            faults += bool(wrong)
            shown = f"{wrong.upper()}: {ran.said[:300]}" if wrong else ran.first[:90]
            print(
                f"{hostile.name:48.48} {ran.seconds:>6.2f}s {ran.cpu_seconds:>6.2f}s {ran.peak_bytes / 1e6:>5.0f} MB  {shown}",
                flush=True,
            )
            for file in folder.iterdir():
                if not file.is_dir():
                    file.unlink()
    return faults


def mutate(count: int, seed: int) -> int:
    from mutants import Mutants, judged

    faults = 0
    slowest = 0.0
    with tempfile.TemporaryDirectory() as root:
        for number, mutant in enumerate(Mutants(seed).take(count)):
            start = time.process_time()
            wrong = judged(Path(root), mutant)
            seconds = time.process_time() - start
            slowest = max(slowest, seconds)
            if wrong or seconds > MOST_SECONDS:
                faults += 1
                kept = Path(tempfile.mkdtemp(prefix=f"mutant-{seed}-{number}-"))
                for name, content in mutant.files.items():
                    (kept / name).parent.mkdir(parents=True, exist_ok=True)
                    (kept / name).write_bytes(content)
                print(
                    f"mutant {number} of seed {seed} ({mutant.how}), kept in {kept}: {wrong or f'{seconds:.1f} s'}",
                    flush=True,
                )
    print(f"{count:,} mutants of seed {seed}: {faults} faults, the slowest took {slowest:.2f} s of CPU")
    return faults


def main() -> int:
    if sys.argv[1:2] == ["bounds"]:
        return 1 if bounds(sys.argv[2:]) else 0
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    return 1 if bounds([]) + mutate(count, seed) else 0


if __name__ == "__main__":
    sys.exit(main())
