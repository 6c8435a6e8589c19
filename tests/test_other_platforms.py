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
sys.exit(main())
"""


def planner(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_a_demo_plan_runs_without_what_only_unix_has(tmp_path: Path) -> None:
    """From `init` to the reports; the second run has nothing to call."""
    assert planner(tmp_path, "--version").returncode == 0
    made = planner(tmp_path, "init")
    assert made.returncode == 0, made.stderr
    run = ("run", "--sandbox", "--consent-to-charge")
    first = planner(tmp_path, *run)
    assert first.returncode == 0, first.stdout + first.stderr
    results = json.loads((tmp_path / "reports" / "results.json").read_text("utf-8"))
    assert (results["outcome"], results["stats"]["launches"] > 0) == ("passed", True)
    again = planner(tmp_path, *run)
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "reports" / "results.json").read_text("utf-8"))["stats"]["launches"] == 0
    for command in (("validate",), ("plan", "--sandbox"), ("history", "--sandbox"), ("recheck", "--sandbox")):
        ran = planner(tmp_path, *command)
        assert ran.returncode == 0, ran.stderr
