"""A store that cannot be written and a full disk: reported clearly, and nothing is charged twice."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from textwrap import dedent

import pytest

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT  # pyright: ignore[reportMissingImports]

HEAD = """\
import contextlib, os, shutil, subprocess, sys
from pathlib import Path
from planner.cli import main

def planner(*words, to=sys.stderr):
    with contextlib.redirect_stdout(to):
        code = main([*words])
    print(f"exit {code}", flush=True)

def mount(*words):
    subprocess.run(["mount", *words], check=True)
"""


def in_namespace(project: Project, script: str) -> subprocess.CompletedProcess[str]:
    """A program with mounts of its own, and `planner` as a function."""
    apart = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    try:
        allowed = subprocess.run([*apart, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("this machine has no unshare")
    if allowed.returncode:
        pytest.skip("mounts are not allowed here")
    return subprocess.run(
        [*apart, sys.executable, "-c", HEAD + dedent(script)],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_read_only_store_can_be_planned_with(project: Project, service: Served) -> None:
    """What a killed writer left in the journal is seen too, and looking changes nothing; `run` refuses before it spends."""
    service.hold(2, retry_after_seconds=600)
    project.limit_calls(1)
    project.killed("run", CONSENT, when=project.rests)
    service.release()
    store = project.root / ".planner"
    assert (store / "log.db-wal").stat().st_size
    writable = project.planner("plan")
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    ledger, lock = service.ledger(), store / "lock"
    ran = in_namespace(
        project,
        f"""
        mount("--bind", ".planner", ".planner")
        mount("-o", "remount,bind,ro", ".planner")
        planner("plan", to=sys.stdout)
        planner("run", "{CONSENT}")
        planner("reconcile")
        planner("history")
        planner("run", "--offline", "--report-dir", "rechecked")
        mount("-o", "remount,bind,rw", ".planner")
        for name in ("calls", "runs"):
            part = Path(".planner") / name
            part.mkdir()
            mount("--bind", part, part)
            mount("-o", "remount,bind,ro", part)
            planner("run", "--report-dir", "part", "{CONSENT}")
            Path(".planner/lock").unlink(missing_ok=True)
            subprocess.run(["umount", part], check=True)
            part.rmdir()
        """,
    )
    planned, code, rest = ran.stdout.partition("exit 0\n")
    assert planned == writable.out
    assert "already made" in planned
    assert (code, rest) == ("exit 0\n", "exit 4\nexit 4\nexit 0\nexit 2\nexit 4\nexit 4\n"), ran.stderr
    for place in (store, store / "calls", store / "runs"):
        assert f"planner: results cannot be written at {place}: Read-only file system" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "no session with these plans has finished with calls that count" in ran.stderr  # nothing had ended yet
    assert project.results()["problems"] == [f"results cannot be written at {store}: Read-only file system"]
    assert service.ledger()["launches"] == ledger["launches"]
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} | {lock: b""} == before | {
        lock: b""
    }


def test_a_disk_that_is_full_again_and_again(project: Project, service: Served) -> None:
    """Wherever it becomes full, it is said clearly, what could not be written down is not launched, and with more room the same
    command resumes without paying for anything twice."""
    project.edit("plans/hours.yaml", "runs: 2", "runs: 10")
    project.limit_calls(1)
    ran = in_namespace(
        project,
        f"""
        Path(".planner").mkdir()
        mount("-t", "tmpfs", "-o", "size=4k", "tmpfs", ".planner")
        for size in ("4k", "48k", "300k"):
            mount("-o", f"remount,size={{size}}", ".planner")
            with open(f"output-{{size}}", "w") as output, contextlib.redirect_stderr(output):
                planner("run", "{CONSENT}", to=output)
            shutil.copy("reports/results.json", f"{{size}}.json")
        mount("-o", "remount,size=50m", ".planner")
        planner("run", "{CONSENT}")
        planner("run")
        """,
    )
    assert ran.stdout.split("exit ")[1:] == ["4\n", "4\n", "4\n", "0\n", "0\n"], ran.stderr
    spent = [json.loads((project.root / f"{size}.json").read_text()) for size in ("4k", "48k", "300k")]
    assert {result["outcome"] for result in spent} == {"unknown"}
    for message in project.root.glob("output-*"):
        text = " ".join(message.read_text().split())
        assert re.search("disk is full|No space left on device", text)  # the journal's, or the store's
        assert "Traceback" not in text
    launches = [result["stats"]["launches"] for result in spent]
    assert launches[:2] == [0, 0]  # at the latest when a launch could not be written down
    assert sum(launches) > 0
    assert Counter(Counter(run["prompt"] for run in service.own_runs()).values()) == {10: 2, 1: 1}
    assert project.results()["cost"]["actual_cents"] == 0
    bills = [run["cost_cents"] for case in project.results()["cases"] for run in case["runs"]]
    assert sum(bills) == service.ledger()["total_cents"]
