"""The program starts, and runs the demo, where the modules, signals and functions of Unix are missing, as on Windows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = """\
import asyncio, builtins, os, platform, signal, subprocess, sys, tempfile  # the standard library has its own ways to do without

MISSING = {"fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "posix"}
real_import = builtins.__import__

def without(name, globals=None, *args, **kwargs):
    if name.partition(".")[0] in MISSING and (globals or {}).get("__name__", "").startswith("planner"):
        raise ImportError(f"there is no {name} here")
    return real_import(name, globals, *args, **kwargs)

def no_handlers(*_):
    raise NotImplementedError

builtins.__import__ = without
asyncio.SelectorEventLoop.add_signal_handler = no_handlers
for module, names in (
    (signal, ("SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGALRM", "setitimer", "pthread_sigmask")),
    (os, ("uname", "getuid", "geteuid", "getgid", "fork", "pread", "pwrite", "sched_getaffinity", "O_CLOEXEC", "O_NOFOLLOW",
          "O_DIRECTORY", "O_NONBLOCK", "fchmod", "getpgid", "killpg")),
):
    for name in names:
        delattr(module, name)
from planner.__main__ import main
for command in sys.argv[1:]:
    sys.argv[1:] = command.split()
    if code := main():
        sys.exit(f"planner {command}: exit {code}")
"""


def planner(folder: Path, *commands: str) -> None:
    """Each must succeed; all in one process, because starting one takes most of the time."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, *commands],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_demo_plan_runs_without_what_only_unix_has(tmp_path: Path) -> None:
    """From `init` to the reports; the second run has nothing to call."""
    run = "run --sandbox --consent-to-charge"
    planner(tmp_path, "init", run)
    results = json.loads((tmp_path / "reports" / "results.json").read_text("utf-8"))
    assert (results["outcome"], results["stats"]["launches"] > 0) == ("passed", True)
    planner(tmp_path, run, "validate", "plan --sandbox", "history --sandbox", "run --sandbox --offline")
    assert json.loads((tmp_path / "reports" / "results.json").read_text("utf-8"))["stats"]["launches"] == 0
