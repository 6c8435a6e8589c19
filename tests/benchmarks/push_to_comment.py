"""Measures the time from a push to the comment: the commands of both jobs of plan.yml, each installing planner as on a new machine.

Usage: uv run python tests/benchmarks/push_to_comment.py [TIMES]

What GitHub adds is not measured: starting two machines, and setting up uv on them. The cache of uv is empty in each job. On a busy machine, look at the CPU, or
start it with `chrt --rr 20`, which lets nothing else run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/support")]

from fake_github import fake_github  # noqa: E402
from private_git import private_git  # noqa: E402
from repositories import git  # noqa: E402
from workflow_jobs import Runner  # noqa: E402

from tests.workflows.conftest import PLAN, STORE, Repository  # noqa: E402  # pyright: ignore[reportMissingImports]

PASSED_ON = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_CERT_"))}
"""Where packages come from."""


def push_to_comment(folder: Path) -> dict[str, tuple[float, float]]:
    """Seconds and processor seconds by step."""
    work = folder / "work"
    git(folder, "init", "-q", "-b", "main", str(work))
    git(work, "commit", "-q", "--allow-empty", "-m", "begin")
    with fake_github() as fake, private_git(folder) as server:
        runner = Runner(folder, fake, Path(), server, installs=True, environ=PASSED_ON)
        repository = Repository(runner, work)
        repository.push("main", plans__hours_DOT_yaml=PLAN, planner_DOT_yaml=STORE)
        runner.begin(work)
        repository.push("topic", plans__hours_DOT_yaml=PLAN.replace("calm", "angry"))
        assert repository.plan() == "pending", runner.log
        assert "1 call to make" in repository.comment
    taken: dict[str, tuple[float, float]] = {}
    for name, seconds, cpu in runner.seconds:
        earlier = taken.get(name, (0.0, 0.0))
        taken[name] = (earlier[0] + seconds, earlier[1] + cpu)
    return taken


def main(times: int) -> None:
    found: list[dict[str, tuple[float, float]]] = []
    loads = [os.getloadavg()[0]]
    for _ in range(times):
        with TemporaryDirectory() as name:
            found.append(push_to_comment(Path(name).resolve()))
        loads.append(os.getloadavg()[0])
    for step in found[0]:
        seconds, cpu = (median(each[step][part] for each in found) for part in (0, 1))
        print(f"{seconds:6.2f} s  {cpu:5.2f} s of CPU  {step}")
    seconds, cpu = (median(sum(step[part] for step in each.values()) for each in found) for part in (0, 1))
    print(f"{seconds:6.2f} s  {cpu:5.2f} s of CPU  from the push to the comment, without GitHub's own part")
    processors = os.cpu_count()
    print(f"Load of the machine, with {processors} processors: {min(loads):.1f} to {max(loads):.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
