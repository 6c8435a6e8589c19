"""Measures the time from a push to the comment: the commands of both jobs of plan.yml, each installing planner as on a new machine.

Usage: uv run python tests/benchmarks/push_to_comment.py [TIMES]

What GitHub adds is not measured: starting two machines, and setting up uv on them. The cache of uv is empty in each job. On a busy machine, look at the CPU.
"""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
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


def push_to_comment(folder: Path) -> dict[str, float]:
    """Seconds by step."""
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
    taken = defaultdict[str, float](float)
    for name, seconds in runner.seconds:
        taken[name] += seconds
    return taken


def main(times: int) -> None:
    found: list[dict[str, float]] = []
    before = getrusage(RUSAGE_CHILDREN)
    for _ in range(times):
        with TemporaryDirectory() as name:
            found.append(push_to_comment(Path(name).resolve()))
    for step in found[0]:
        print(f"{median(each[step] for each in found):6.2f} s  {step}")
    total = median(sum(each.values()) for each in found)
    after = getrusage(RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / times
    print(f"{total:6.2f} s  from the push to the comment, without GitHub's own part; {cpu:.2f} s of CPU")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
