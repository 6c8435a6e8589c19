"""Where `mutants.py` tries a change: in a fork of its own process, or of one that has not imported the changed module yet."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import marshal
import os
import pickle
import resource
import select
import signal
import sys
import time
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import CallInfo
from _pytest.tmpdir import tmppath_result_key

ROOT = Path(__file__).parents[2]
SAID = os.dup(1)
"""Where we print, even if a trial replaces standard output."""

OPTIONS = [
    "-q",
    "-s",
    "--no-header",
    "--assert=plain",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "-p",
    "no:cov",
    "--hypothesis-seed=0",
    "-o",
    "addopts=--import-mode=importlib",
    "-o",
    "markers=no_cover",
]

SLOWER, SECONDS = 2, 2
"""A change that makes the tests take so many times the processor's time (counted
while lines are noted, which slows them), and these seconds more, is noticed: it loops."""

AFRESH_SECONDS = 60
MEMORY_BYTES = 6_000_000_000
"""And so is one that makes them take more than this."""


def first_failing(items: Sequence[Any], took: Mapping[str, float] | None = None) -> int | None:
    """Which of them fails first, if any does."""
    for index, item in enumerate(items):
        if took is not None:  # which ends the process
            signal.setitimer(signal.ITIMER_PROF, SLOWER * took[item.nodeid] + SECONDS)
        if not _passes(item):
            return index
    return None


def _passes(item: Any) -> bool:
    """As pytest runs a test, without the report that takes longer than most tests."""
    if not item._request:
        item._initrequest()
    item.stash.setdefault(tmppath_result_key, {})  # what the report would note, and `tmp_path` asks for
    passes = True
    for when in ("setup", "call", "teardown"):
        if when == "call" and not passes:
            continue
        how = {"nextitem": None} if when == "teardown" else {}
        run = getattr(item.ihook, f"pytest_runtest_{when}")
        called = CallInfo.from_call(lambda run=run, how=how: run(item=item, **how), when)  # pyright: ignore[reportArgumentType]
        if called.excinfo is not None:
            passes = False
            if called.excinfo.errisinstance(pytest.skip.Exception):
                item._request, item.funcargs = False, None
                return True
    item._request, item.funcargs = False, None
    return passes


def in_fork(attempt: Callable[[], bool], seconds: float) -> bool:
    """Whether what is tried in a fork gives True; not if it raises, or takes much more of the processor's time than that."""
    child = os.fork()
    if child == 0:
        os.setsid()
        most = int(SLOWER * seconds + SECONDS) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        code = 1
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            code = 0 if attempt() else 1
        finally:
            os._exit(code)
    ended = os.pidfd_open(child)
    until = time.monotonic() + 20 * (SLOWER * seconds + SECONDS)  # it may sleep for ever
    done = bool(select.select([ended], [], [], max(0.0, until - time.monotonic()))[0])
    os.close(ended)
    if not done:
        os.killpg(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1] == 0 and done


class Nursery:
    """A process that has imported what tests need, but nothing of ours. For each module it has a child that has also imported
    what does not depend on that one, in whose forks changed modules are imported."""

    @staticmethod
    def begin() -> Connection:
        ours, theirs = Pipe()
        if os.fork() == 0:
            ours.close()
            try:
                Nursery._serve(theirs)
            finally:
                os._exit(0)
        theirs.close()
        return ours

    @staticmethod
    def fails(
        nursery: Connection,
        module: str,
        path: Path,
        code: types.CodeType,
        names: Sequence[str],
        importers: Collection[str],
    ) -> bool:
        request = (module, str(path), marshal.dumps(code), list(names), sorted(importers))
        nursery.send_bytes(pickle.dumps(request))
        return bool(pickle.loads(nursery.recv_bytes()))  # noqa: S301 - our own child's

    @staticmethod
    def _serve(connection: Connection) -> None:
        for name in ("hypothesis", "pydantic", "httpx", "numpy", "scipy.stats", "ruamel.yaml", "yaml", "celpy", "re2"):
            try:
                importlib.import_module(name)
            except ImportError:
                continue
        request: bytes | None = None
        while True:
            request = request or connection.recv_bytes()
            ours, theirs = Pipe()
            if os.fork() == 0:
                ours.close()
                Nursery._serve_one_module(connection, theirs, request)
                os._exit(0)
            theirs.close()
            request = ours.recv_bytes()
            os.wait()

    @staticmethod
    def _serve_one_module(connection: Connection, parent: Connection, request: bytes) -> None:
        """Until another module is asked about."""
        module, _, _, _, importers = pickle.loads(request)  # noqa: S301
        dependent = {module, *importers}
        for path in sorted((ROOT / "planner").rglob("*.py")):
            name = ".".join(part for part in path.relative_to(ROOT).with_suffix("").parts if part != "__init__")
            if name not in dependent and name.startswith(
                ("planner.evidence", "planner.providers", "planner.statistics")
            ):
                importlib.import_module(name)
        while True:
            asked, path, code, names, _ = pickle.loads(request)  # noqa: S301
            if asked != module:
                parent.send_bytes(request)
                return

            def attempt(path: str = path, code: bytes = code, names: list[str] = names) -> bool:
                return _run_afresh(module, path, marshal.loads(code), names)  # noqa: S302

            connection.send_bytes(pickle.dumps(not in_fork(attempt, AFRESH_SECONDS)))
            request = connection.recv_bytes()


class Chosen:
    """A pytest plugin that runs only these tests, in this order."""

    def __init__(self, names: Sequence[str]) -> None:
        self._place = {name: place for place, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid in self._place), key=lambda item: self._place[item.nodeid]
        )


def _run_afresh(name: str, path: str, code: types.CodeType, names: Sequence[str]) -> bool:
    class Changed(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname: str) -> types.CodeType:
            del fullname
            return code

    class Finder:
        @staticmethod
        def find_spec(fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
            if fullname != name:
                return None
            return importlib.util.spec_from_file_location(name, path, loader=Changed(name, path))

    sys.meta_path.insert(0, Finder)  # pyright: ignore[reportArgumentType]
    files = sorted({each.partition("::")[0] for each in names})
    return pytest.main([*OPTIONS, "-x", *files], plugins=[Chosen(names)]) == 0
