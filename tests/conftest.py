"""What all tests share: one event loop implementation, the one the program runs on, no race with the clock, and a place to run in
that does not depend on whose machine it is."""

from __future__ import annotations

import atexit
import gc
import importlib.util
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Generator
from functools import cache
from pathlib import Path

import pytest

# `uv run` installs only what starts pytest, so that `uv run planner` is quick; the rest is installed here, once.
if importlib.util.find_spec("hypothesis") is None:
    _uv = os.environ.get("UV", "uv")
    subprocess.run([_uv, "sync", "--quiet", "--inexact", "--group", "tests"], cwd=Path(__file__).parents[1], check=True)
    importlib.invalidate_caches()

from hypothesis import HealthCheck, settings

# How long an example takes says more of what else the machine does than of the code. The same examples every time, not only
# where Hypothesis finds itself in CI: `--hypothesis-profile=default` looks for others.
settings.register_profile(
    "planner",
    settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    derandomize=True,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("planner")

# The tests write many small durable files, and wait for the disk at each: in memory they do not. A container may have little
# of it, or forbid programs there; it then stays as it is.
_MEMORY = Path("/dev/shm")  # noqa: S108 - folders below it have names that nobody can guess
if "TMPDIR" not in os.environ and _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK):
    _size = os.statvfs(_MEMORY)
    if _size.f_bavail * _size.f_frsize > 2**30 and not _size.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = str(_MEMORY)
        tempfile.tempdir = None

# Servers of the tests are on loopback, where a proxy of this machine does not lead. What a hook of git, or somebody's own
# configuration, says of repositories is not said of those that tests make: signatures, hooks, names of branches. Nor is it
# the tests' workflow, key or service that somebody runs the tests in, or has.
for _name in list(os.environ):
    if _name.startswith(("GIT_", "GITHUB_", "THUNDERPHONE_")) or _name.lower() in {
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "no_proxy",
        "ftp_proxy",
    }:
        del os.environ[_name]
# NumPy would start a thread for each processor and let them spin, which the small arrays of planner do not need.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
_CACHE = tempfile.mkdtemp(prefix="planner-tests-cache-")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
os.environ |= {
    "XDG_CACHE_HOME": _CACHE,
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "safe.directory",  # of this checkout, which may be another user's, as in a container
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "maintenance.auto",  # a process of its own after each commit and fetch
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_CONFIG_KEY_2": "receive.autogc",  # and after each push
    "GIT_CONFIG_VALUE_2": "false",
}

# Every client reads all certificates, which takes longer than many a test. The servers of the tests have none.
ssl.create_default_context = cache(ssl.create_default_context)

# A shell starts what runs in its background with SIGINT ignored, and programs keep it so: those of the tests are sent some.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Nothing of what is imported and collected is garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Python would search all that was imported and collected for garbage again and again: a quarter of the tests' time."""
    gc.freeze()
    gc.set_threshold(50_000, 5, 2)  # seldom, but often enough that the processes of stories end


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One process for a single file, which is done before others have started, and to update snapshots."""
    is_one_file = len(config.args) == 1 and config.args[0].partition("::")[0].endswith(".py")
    return 0 if is_one_file or config.getoption("inline_snapshot", None) else None


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The program runs on asyncio only; a second backend would double the time and prove nothing."""
    return "asyncio"
