"""What starting costs: the CPU of each command on the smallest work it can have, beside what nothing costs.

    uv run python tests/benchmarks/start.py [ROUNDS] [WORD…]      only commands whose line has one of the words

CPU seconds of whole processes, user and system, the best of so many rounds (10) in which all take turns, so that what else the
machine does falls on all alike; the bytecode is there already, as on a user's second start. Two lines to hold the others
against: `python -c pass`, and the libraries that a program of this kind would import at its top, with nothing done with them.
The last column counts the modules in `sys.modules` at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARIES = "import pydantic, httpx, jinja2, ruamel.yaml, click"
PLAN = """\
version: 1
plan: small
targets: {clinic: {agent: 12}}
scenarios:
  hours:
    prompt: You are Ana. Ask when you are open on Saturday.
    runs: 1
    expect: [{check: says, any_of: [Saturday]}]
"""
COMMANDS = (
    "--version",
    "--help",
    "validate small.yaml",
    "validate plans",
    "show small/hours@clinic small.yaml",
    "plan --sandbox small.yaml",
    "run --sandbox --consent-to-charge small.yaml",
    "run --sandbox small.yaml",
    "run --sandbox --consent-to-charge",
    "report reports/results.json",
    "history --sandbox",
    "format --check small.yaml",
    "explain unknown-key",
    "explain check:says",
    "schema --check",
)
"""A `run` of the small plan calls somebody the first time only; one without consent stops before it would."""
COUNTING = """\
import atexit, os, sys
atexit.register(lambda: os.write(2, f"\\nmodules {len(sys.modules)}".encode()))
from planner.__main__ import main
sys.exit(main())
"""


class Started:
    """A process in the folder, always with the same bytecode cache."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHONDONTWRITEBYTECODE", "THUNDERPHONE_API_KEY", "THUNDERPHONE_API_BASE_URL")
        } | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}

    def cpu_seconds(self, *arguments: str) -> float:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode in (0, 3), (arguments, process.returncode)
        return used.ru_utime + used.ru_stime

    def modules(self, words: list[str]) -> int:
        done = subprocess.run(
            [sys.executable, "-c", COUNTING, *words],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return int(done.stderr.rpartition("modules ")[2])


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    wanted = sys.argv[2:]
    commands = [line for line in COMMANDS if not wanted or any(word in line for word in wanted)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "small.yaml").write_text(PLAN)
        shutil.copytree(ROOT / "plans", folder / "plans")
        shutil.copytree(ROOT / "schemas", folder / "schemas")
        started = Started(folder)
        started.cpu_seconds("-m", "planner", "run", "--sandbox", "--consent-to-charge")
        lines = {
            "python -c pass": ["-c", "pass"],
            LIBRARIES: ["-c", LIBRARIES],
            **{f"planner {line}": ["-m", "planner", *line.split()] for line in commands},
        }
        for arguments in lines.values():
            started.cpu_seconds(*arguments)  # writes the bytecode
        best = dict.fromkeys(lines, float("inf"))
        for _ in range(rounds):
            for line, arguments in lines.items():
                best[line] = min(best[line], started.cpu_seconds(*arguments))
        nothing, libraries = best["python -c pass"], best[LIBRARIES]
        print(f"{'':<52} {'CPU ms':>7} {'× pass':>7} {'× libraries':>12} {'modules':>8}")
        for line, arguments in lines.items():
            count = f"{started.modules(arguments[2:]):>8}" if arguments[0] == "-m" else ""
            print(
                f"{line:<52} {best[line] * 1000:>7.0f} {best[line] / nothing:>7.1f} {best[line] / libraries:>12.2f} {count}"
            )


if __name__ == "__main__":
    main()
