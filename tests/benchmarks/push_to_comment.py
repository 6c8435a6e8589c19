"""Seconds from a push to the comment: what the two jobs of phone-plans.yml do on this machine, installation included.

Usage: uv run python tests/benchmarks/push_to_comment.py [CASES…]    default: 96 1000

The runner's start, its checkout and the download of uv are GitHub's and not measured. Each job installs planner as
`action.yml` does, from the package index that uv is set up for: with an empty cache, then with a filled one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from fake_github import FakeGitHub, fake_github  # noqa: E402
from repositories import commit, git  # noqa: E402

PLAN = """\
version: 1
plan: hours
targets: {{clinic: {{agent: 12}}}}
scenarios:
  saturday:
    prompt: You are caller {{{{ caller }}}}, {mood}. Ask when the clinic is open on Saturday.
    matrix: {{max_cases: 5000, axes: {{caller: [{callers}]}}}}
    expect: [{{check: call, status: completed}}]
"""


def _install(folder: Path, cache: Path) -> float:
    """The step `Install planner`; return its seconds."""
    environ = {**os.environ, "VIRTUAL_ENV": str(folder), "UV_CACHE_DIR": str(cache)}
    started = time.monotonic()
    for words in (
        ("venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, str(folder)),
        *[
            ("pip", "install", "--quiet", *words)
            for words in (
                ("--require-hashes", "--only-binary", ":all:", "-r", str(ROOT / "requirements/planner.txt")),
                ("--no-deps", str(ROOT)),
            )
        ],
    ):
        subprocess.run(["uv", *words], env=environ, check=True, cwd=folder.parent)
    return time.monotonic() - started


def _repository(folder: Path, cases: int) -> Path:
    """A clone of a pull request that changes every case; the base branch has results of none."""
    callers = ", ".join(map(str, range(cases)))
    git(folder, "init", "-q", "-b", "main", "work")
    work = folder / "work"
    (work / "plans").mkdir()
    (work / "planner.yaml").write_text("store: git:refs/planner/results\npolicy: {max_calls: 5000}\n")
    for mood in ("calm", "angry"):
        (work / "plans/hours.yaml").write_text(PLAN.format(mood=mood, callers=callers))
        commit(work)
    git(folder, "clone", "-q", "--bare", str(work), "shared.git")
    git(work, "remote", "add", "origin", f"file://{folder / 'shared.git'}")
    return work


def _jobs(folder: Path, planner: Path, fake: FakeGitHub, cases: int) -> dict[str, float]:
    work = _repository(folder, cases)
    head, base = git(work, "rev-parse", "HEAD"), git(work, "rev-parse", "HEAD~")
    event = folder / "event.json"
    sides = {"head": {"sha": head}, "base": {"sha": base, "ref": "main"}}
    event.write_text(json.dumps({"pull_request": {"number": 7, **sides}, "repository": {"default_branch": "main"}}))
    environ = {
        **os.environ,
        "GITHUB_EVENT_NAME": "pull_request_target",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": "acme/plans",
        "GITHUB_TOKEN": "writer",
        "GITHUB_API_URL": fake.url,
    }
    publication = str(folder / "publication.json")
    seconds: dict[str, float] = {}
    for words in (
        ("validate",),
        ("plan",),
        ("gate", "--publication", publication),
        ("publish", publication, "--pull-request", "7", "--commit", head),
    ):
        started = time.monotonic()
        ran = subprocess.run([str(planner), *words], cwd=work, env=environ, check=False, capture_output=True)
        seconds[words[0]] = time.monotonic() - started
        assert ran.returncode in (0, 3), ran.stderr.decode()
    assert f"{cases:,} calls to make" in fake.comments.pop(7)[0]["body"]
    return seconds


def main() -> None:
    with TemporaryDirectory() as name, fake_github() as fake:
        folder = Path(name)
        installed = folder / "installed"
        cold, warm = (_install(installed, folder / "cache") for _ in range(2))
        print(f"installation: {cold:.1f} s with an empty cache, {warm:.1f} s with a filled one")
        for cases in map(int, sys.argv[1:] or ("96", "1000")):
            here = folder / str(cases)
            here.mkdir()
            seconds = _jobs(here, installed / "bin/planner", fake, cases)
            parts = ", ".join(f"{command} {spent:.1f}" for command, spent in seconds.items())
            both = sum(seconds.values())
            # Two jobs: each installs once with its cache as it is, the first one again for its second step.
            print(
                f"{cases:,} cases: {parts}; from push to comment {both + 2 * cold + warm:.1f} s with empty caches,"
                f" {both + 3 * warm:.1f} s with filled ones"
            )


if __name__ == "__main__":
    main()
