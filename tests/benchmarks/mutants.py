"""Which changes of the code no test notices: `python tests/benchmarks/mutants.py [--share S] [--results FOLDER] [MODULE…]`.

Changes one thing at a time in checks, verdicts, statistics and the core of execution, and runs the tests that execute
it, the quickest first, until one fails. Prints each change that no test noticed, and a table by module. Those listed in
`equivalent_mutants.toml`, each with its reason, change nothing that could be noticed. They were tried, and are not tried again unless
--equivalent asks for it, which tries nothing else: then it is said when one of them is noticed after all.

What is changed: comparisons (`<` to `<=`, `==` to `!=`, `is`, `in`), `and` to `or` and back, arithmetic, `not` and minus taken away,
numbers by one, True and False, texts by one character, conditions of `if` to always true and of `while` to never, a returned value to None,
`break` and `continue` dropped, statements that are one call dropped, `+=` to `-=`. What is not: assignments and `raise` dropped, `if` to
never, arguments dropped or swapped, items of tables dropped, conditions of comprehensions, patterns of `match` but for their
constants, what an `except` catches, f-strings, decorators, annotations and documentation.

    --results FOLDER  keeps what was found there, and tries nothing again that was noticed while its module's text was the same
    --tests PATH…     by these tests only
    --processes N     so many at once (2)
    --share S         only this share of the changes, drawn by --seed N

Tests are collected and run once under coverage, nothing cached from one to the next, to know which lines each of them executes.
Then each change is tried in a fork: all functions that were made of the changed code get the new one, wherever they are kept, so that
nothing has to be imported again. What is made when a module is imported (tables, fields of checks, enumerations) cannot be put in
place everywhere: if that is not noticed, the tests are run once more in a fork of a process that has imported nothing that
depends on the module. A change that takes twice as long as none, and a little, is noticed: it loops.
"""

from __future__ import annotations

import argparse
import functools
import gc
import hashlib
import importlib
import json
import os
import struct
import sys
import tomllib
import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from mmap import mmap
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import coverage
import pytest
from mutation_trials import OPTIONS, ROOT, SAID, Nursery, first_failing, in_fork
from mutations import Mutation, codes, importers, is_kept, module_name, mutations, taken

CORE = (
    "billing",
    "core",
    "fold",
    "journal_state",
    "ledger",
    "observing",
    "outage",
    "packing",
    "reconciling",
    "resuming",
    "state",
    "wanted",
)
"""Of execution: what decides about money, without any I/O."""
PACKAGES = (
    "planner/checks",
    "planner/checks/spoken",
    "planner/verdicts",
    "planner/statistics.py",
    *(f"planner/execution/{name}.py" for name in CORE),
)
TESTS = (
    "tests/changes",
    "tests/checks",
    "tests/execution",
    "tests/judge/test_judge_calls.py",
    "tests/test_attribution.py",
    "tests/test_outcome.py",
    "tests/test_outcome_edges.py",
    "tests/test_statistics.py",
    "tests/test_verdicts_page.py",
    "tests/verdicts",
)
MOST_FIRST = 6
"""Tests that are tried before all others."""

EQUIVALENT = Path(__file__).with_name("equivalent_mutants.toml")


@dataclass(frozen=True)
class Options:
    only: Sequence[str]
    share: float
    seed: int
    processes: int
    results: Path | None
    tests: Sequence[str]
    equivalent: bool

    def measured(self, file: Path) -> Path | None:
        """Where it is kept which lines the tests of this file run."""
        if self.results is None:
            return None
        texts = [file, *sorted((ROOT / "tests").rglob("conftest.py"))]
        return self.results / f"lines {file.stem} {digest(*texts)}.json"


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def digest(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def modules() -> list[Path]:
    packages = [ROOT / package for package in PACKAGES]
    return [path for package in packages for path in ([package] if package.is_file() else sorted(package.glob("*.py")))]


class Trial:
    """A pytest plugin in whose place the changes are tried."""

    def __init__(self, options: Options, nurseries: Sequence[Connection]) -> None:
        self._options = options
        self._nurseries = nurseries
        self._took: dict[str, float] = {}
        self._on_import: set[tuple[str, int]] = set()
        self._caches: list[Any] = []
        self._loading: set[tuple[str, str, int]] = set()
        """Functions that load something once, which is for all tests and not only for the first."""
        self._importers = importers((ROOT / "planner").rglob("*.py"), ROOT)
        self._taken = taken((ROOT / "planner").rglob("*.py"), ROOT)
        self._items: dict[str, Any] = {}
        self._running: dict[str, dict[int, list[str]]] = {}
        self._functions: dict[tuple[str, str, int], list[types.FunctionType]] = {}
        self._noticing: dict[Path, list[str]] = {}
        self._noticed_by = mmap(-1, 4)

    def pytest_configure(self) -> None:
        """Functions that run while modules are imported: what they make is kept."""

        def note(frame: types.FrameType, event: str, argument: object) -> None:
            del argument
            if event == "call" and "/planner/" in frame.f_code.co_filename:
                self._on_import.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

        sys.setprofile(note)

    def pytest_runtestloop(self, session: Any) -> bool:
        for path in modules():  # those that are imported late, too
            importlib.import_module(module_name(path, ROOT))
        sys.setprofile(None)
        only = self._options.only or ("",)
        paths = list(dict.fromkeys(path for word in only for path in modules() if word in named(path)))
        self._find_caches()
        self._measure(session, paths)
        self._forget_properties()
        self._find_functions()
        gc.collect()
        gc.freeze()
        random = Random(self._options.seed)
        drawn = [each for path in paths for each in mutations(path) if random.random() < self._options.share]
        results = Results(self._options.results and self._options.results / "found.jsonl")
        open_ = [each for each in drawn if not results.is_noticed(each)]
        open_ = [each for each in open_ if bool(results.reason(each)) is self._options.equivalent]
        say(f"{len(drawn):,} changes, {len(open_):,} of them to be tried")
        self._try_all(session, open_, results)
        say("\n" + table(drawn, results))
        return True

    def _measure(self, session: Any, paths: Sequence[Path]) -> None:
        """Which tests run each line of these modules."""
        self._items = {item.nodeid: item for item in session.items}
        by_file: dict[Path, list[Any]] = {}
        for item in session.items:
            by_file.setdefault(item.path, []).append(item)
        digests = {named(path): digest(path) for path in modules()}
        for file, items in by_file.items():
            measured = self._options.measured(file)
            seconds, lines, then = {}, {}, {}
            if measured and measured.exists():
                seconds, lines, then = json.loads(measured.read_text(encoding="utf-8"))
            if not then or any(then[named(path)] != digests[named(path)] for path in paths if named(path) in lines):
                seconds, lines = self._lines_of(items)
                if measured:
                    measured.parent.mkdir(parents=True, exist_ok=True)
                    measured.write_text(json.dumps([seconds, lines, digests]), encoding="utf-8")
            self._took |= seconds
            for path, by_line in lines.items():
                for line, names in by_line.items():
                    self._running.setdefault(path, {}).setdefault(int(line), []).extend(names)
        say(f"{len(session.items):,} tests take {sum(self._took.values()):.0f} seconds under coverage")

    def _lines_of(self, items: Sequence[Any]) -> tuple[dict[str, float], dict[str, dict[int, list[str]]]]:
        """Seconds of each test; by file and line the tests that run it."""
        seconds: dict[str, float] = {}
        measured = coverage.Coverage(data_file=None, include=[str(path) for path in modules()], config_file=False)
        measured.start()
        for item in items:
            self._forget(lambda cache: cache.cache_parameters()["maxsize"] != 1)  # what is loaded once stays
            measured.switch_context(item.nodeid)
            began = process_time()
            if first_failing([item]) is not None:
                sys.exit(f"{item.nodeid} fails with nothing changed")
            seconds[item.nodeid] = process_time() - began
        measured.stop()
        data = measured.get_data()
        lines = {named(Path(path)): data.contexts_by_lineno(path) for path in data.measured_files()}
        return seconds, {
            path: {line: [name for name in names if name] for line, names in by_line.items()}
            for path, by_line in lines.items()
        }

    def _forget_properties(self) -> None:
        """What objects that are kept have found out about themselves."""
        for known in gc.get_objects():
            if str(type(known).__module__).startswith("planner."):
                for name in list(getattr(known, "__dict__", ())):
                    if isinstance(getattr(type(known), name, None), functools.cached_property):
                        del known.__dict__[name]

    def _find_caches(self) -> None:
        self._caches = [
            known
            for known in gc.get_objects()
            if isinstance(known, functools._lru_cache_wrapper) and known.__module__.startswith("planner.")  # pyright: ignore[reportPrivateUsage]
        ]

        self._loading = {
            _place(known.__wrapped__.__code__) for known in self._caches if known.cache_parameters()["maxsize"] == 1
        }

    def _forget(self, which: Any) -> None:
        for cache in self._caches:
            if which(cache):
                cache.cache_clear()

    def _find_functions(self) -> None:
        for known in gc.get_objects():
            if isinstance(known, types.FunctionType) and "/planner/" in known.__code__.co_filename:
                self._functions.setdefault(_place(known.__code__), []).append(known)

    def _try_all(self, session: Any, todo: Sequence[Mutation], results: Results) -> None:
        """Shared out among forks, each of which takes the next when it is done with one."""
        tasks, found = os.pipe(), os.pipe()
        children: list[int] = []
        for nursery in self._nurseries[: self._options.processes]:
            if child := os.fork():
                children.append(child)
                continue
            os.close(tasks[1])
            self._noticed_by = mmap(-1, 4)
            while len(read := os.read(tasks[0], 4)) == 4:
                number = struct.unpack("I", read)[0]
                noticed = self._is_noticed(session, todo[number], nursery)
                os.write(found[1], struct.pack("I?", number, noticed))
            os._exit(0)
        os.close(tasks[0])
        os.close(found[1])
        with os.fdopen(tasks[1], "wb") as stream:
            stream.write(b"".join(struct.pack("I", number) for number in range(len(todo))))
        with os.fdopen(found[0], "rb") as stream:
            while read := stream.read(struct.calcsize("I?")):
                number, noticed = struct.unpack("I?", read)
                results.add(todo[number], noticed=noticed)
                if not noticed and not results.reason(todo[number]):
                    say(f"{named(todo[number].path)}:{todo[number].line}: {todo[number].key}")
        for child in children:
            os.waitpid(child, 0)

    def _is_noticed(self, session: Any, mutation: Mutation, nursery: Connection) -> bool:
        del session
        running = self._running.get(named(mutation.path), {})  # nothing, where all of it runs on import
        code = mutation.code()
        everywhere = not mutation.scope.function or any(_place(inner) in self._loading for inner in codes(code))
        lines = running.keys() if everywhere else mutation.scope.lines
        names = {name for line in lines for name in running.get(line, ())}
        if not mutation.scope.in_class and self._fails(mutation, code, names):
            return True
        on_import = any(
            (inner.co_filename, inner.co_firstlineno) in self._on_import
            for inner in codes(code)
            if inner.co_firstlineno <= mutation.line <= max((line or 0 for *_, line in inner.co_lines()), default=0)
        )
        if mutation.scope.function and not on_import and self._takes_place(code):
            return False
        taken_ = self._taken.get(module_name(mutation.path, ROOT), set())
        if not (mutation.scope.function or mutation.scope.in_class or is_kept(mutation, taken_)):
            return False
        module = module_name(mutation.path, ROOT)
        near = [path for path in self._running if module_name(ROOT / path, ROOT) in self._importers[module]]
        names |= {name for path in near for of_line in self._running[path].values() for name in of_line}
        files = {name.partition("::")[0] for name in names}  # what only a class's fields decide runs no line of it
        names |= {name for name in self._items if name.partition("::")[0] in files}
        whole = mutation.code(whole=True)
        return Nursery.fails(nursery, module, mutation.path, whole, self._ordered(names), self._importers[module])

    def _to_replace(self, code: types.CodeType) -> list[tuple[types.FunctionType, types.CodeType]]:
        return [(function, inner) for inner in codes(code) for function in self._functions.get(_place(inner), ())]

    def _takes_place(self, code: types.CodeType) -> bool:
        """A function whose only `super()` was dropped has another closure, so it must be made again."""
        return all(function.__code__.co_freevars == inner.co_freevars for function, inner in self._to_replace(code))

    def _ordered(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=lambda name: (self._took[name], name))

    def _fails(self, mutation: Mutation, code: types.CodeType, names: set[str]) -> bool:
        """Tried first: the tests that noticed something of the same module last."""
        if mutation.path not in self._noticing:
            self._noticing[mutation.path] = []
            affected = {module_name(mutation.path, ROOT), *self._importers[module_name(mutation.path, ROOT)]}
            self._forget(
                lambda cache: cache.__module__ in affected and cache.cache_parameters()["maxsize"] != 1
            )  # here, and not in each fork
        last = [name for name in self._noticing[mutation.path] if name in names]
        ordered = [*last, *self._ordered(names.difference(last))]

        def attempt() -> bool:
            gc.disable()
            for function, inner in self._to_replace(code):
                if function.__code__.co_freevars == inner.co_freevars:
                    function.__code__ = inner
            own = module_name(mutation.path, ROOT)
            if not mutation.scope.function:
                _replace_tables(sys.modules[own], code)
            self._forget(lambda cache: cache.__module__ == own)
            failing = first_failing([self._items[name] for name in ordered], self._took)
            self._noticed_by[:] = struct.pack("i", -1 if failing is None else failing)
            return failing is None

        self._noticed_by[:] = struct.pack("i", -1)
        if not names or in_fork(attempt, sum(self._took[name] for name in names)):
            return False
        if (index := struct.unpack("i", self._noticed_by[:])[0]) >= 0:
            noticing = [name for name in self._noticing[mutation.path] if name != ordered[index]]
            self._noticing[mutation.path] = [ordered[index], *noticing][:MOST_FIRST]
        return True


def _place(code: types.CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _replace_tables(module: types.ModuleType, code: types.CodeType) -> None:
    """What the changed module sets its names to, functions and classes apart, wherever that was imported to."""
    changed = types.ModuleType(module.__name__)
    changed.__dict__.update(__file__=module.__file__, __package__=module.__package__)
    exec(code, changed.__dict__)  # noqa: S102 - our own source
    others = [other for name, other in list(sys.modules.items()) if name.startswith("planner") and other]
    for name, value in list(vars(module).items()):
        if name.startswith("__") or isinstance(value, type | types.ModuleType) or callable(value):
            continue
        for other in others:
            if vars(other).get(name) is value:
                setattr(other, name, changed.__dict__.get(name, value))


class Results:
    """What was found of each change, kept in a file with the digest of its module's text."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: dict[tuple[str, str], bool] = {}
        self._digests: dict[Path, str] = {}
        self.equivalent: dict[str, dict[str, str]] = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
        for line in path.read_text(encoding="utf-8").splitlines() if path and path.exists() else ():
            digest, key, noticed = json.loads(line)
            self._found[digest, key] = noticed

    def reason(self, mutation: Mutation) -> str:
        return self.equivalent.get(named(mutation.path), {}).get(mutation.key, "")

    def is_noticed(self, mutation: Mutation) -> bool:
        return self._found.get((self._digest(mutation.path), mutation.key), False)

    def add(self, mutation: Mutation, *, noticed: bool) -> None:
        key = (self._digest(mutation.path), mutation.key)
        self._found[key] = noticed
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([*key, noticed]) + "\n")

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = f"{path.stem} {digest(path)}"
        return self._digests[path]


def table(drawn: Sequence[Mutation], results: Results) -> str:
    heads = ("module", "changes", "noticed", "equivalent", "unexplained")
    lines = [f"{heads[0]:<40}" + "".join(f"{head:>12}" for head in heads[1:])]
    total = [0, 0, 0, 0]
    for path in dict.fromkeys(mutation.path for mutation in drawn):
        here = [mutation for mutation in drawn if mutation.path == path]
        noticed = [mutation for mutation in here if results.is_noticed(mutation)]
        equivalent = sum(bool(results.reason(mutation)) for mutation in here if not results.is_noticed(mutation))
        row = [len(here), len(noticed), equivalent, len(here) - len(noticed) - equivalent]
        total = [one + other for one, other in zip(total, row, strict=True)]
        lines.append(f"{named(path):<40}" + "".join(f"{number:>12,}" for number in row))
        lines += [f"    noticed, though said to be equivalent: {each.key}" for each in noticed if results.reason(each)]
        unknown = results.equivalent.get(named(path), {}).keys() - {each.key for each in mutations(path)}
        lines += [f"    no such change any more: {key}" for key in sorted(unknown)]
    lines.append(f"{'all':<40}" + "".join(f"{number:>12,}" for number in total))
    made, noticed_, equivalent, _ = total
    lines.append(
        f"{noticed_ / max(1, made):.1%} of all noticed, {noticed_ / max(1, made - equivalent):.1%} of those that can be"
    )
    return "\n".join(lines)


def say(line: str) -> None:
    os.write(SAID, f"{line}\n".encode())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("only", nargs="*", metavar="MODULE")
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path)
    parser.add_argument("--equivalent", action="store_true")
    parser.add_argument("--tests", nargs="*", default=TESTS)
    asked = parser.parse_args()
    results = asked.results.absolute() if asked.results else None
    options = Options(asked.only, asked.share, asked.seed, asked.processes, results, asked.tests, asked.equivalent)
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    nurseries = [Nursery.begin() for _ in range(options.processes)]
    sys.exit(pytest.main([*OPTIONS, *options.tests], plugins=[Trial(options, nurseries)]))


if __name__ == "__main__":
    main()
