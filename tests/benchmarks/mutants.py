"""Mutation score: the share of small changes of the code that tests notice.

    python tests/benchmarks/mutants.py planner/checks [PATH…] [--sample N] [--seed N] [--tests PATH…]

Draws N changes at random and runs, for each, the tests that execute the changed line, the quickest first, until one fails.
Prints every survivor, and the score with its 95 % interval. Survivors that `equivalent_mutants.toml` explains count as
survivors, too.

Changed are comparisons, `and`/`or`, arithmetic, `not`, numbers, booleans, strings of one word, conditions (always true), returned
values (None), `break` and `continue`, and calls whose value is not used. Left alone is what cannot matter: annotations,
documentation, sentences and f-strings (tests assert facts, not messages), `raise`, `assert_never` and `strict=True`.

A process collects the tests, runs them once under coverage, and tries each change of a function in a fork, by replacing its code.
What survives, and changes of tables and fields, is tried again in a fork that imports the changed module afresh.
"""

from __future__ import annotations

import argparse
import ast
import functools
import gc
import json
import os
import resource
import select
import shlex
import signal
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from itertools import accumulate
from pathlib import Path
from random import Random
from time import process_time
from types import CodeType, FunctionType
from typing import Any, NamedTuple, TypeAlias

import coverage
import pytest
from _pytest.runner import runtestprotocol

ROOT = Path(__file__).parents[2]
OUTCOMES = ("test_attribution", "test_outcome", "test_outcome_edges", "test_verdicts_page")
TESTS = {
    "planner/checks": ("tests/checks", "tests/judge/test_judge_calls.py"),
    "planner/verdicts": ("tests/verdicts", "tests/changes", *(f"tests/{name}.py" for name in OUTCOMES)),
    "planner/calls": ("tests/calls",),
}
EXPLAINED = tomllib.loads(Path(__file__).with_name("equivalent_mutants.toml").read_text(encoding="utf-8"))
OPTIONS = shlex.split(
    "-q --no-header --assert=plain -p no:cacheprovider -p no:xdist -p no:cov -W ignore"
    " --hypothesis-seed=0 -o addopts=--import-mode=importlib -o markers=no_cover --ignore=tests/checks/test_hostile_calls.py"
)
WARM = "hypothesis inline_snapshot pydantic httpx ruamel.yaml jinja2 planner.evidence planner.statistics"
TEST_SECONDS = 6.0
"""Of a change's tests, as long as the quickest take."""
TRIAL_SECONDS = 40
SWAPS = [(ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq), (ast.Is, ast.IsNot), (ast.In, ast.NotIn)]
COMPARISONS: Mapping[Any, Any] = {**dict(SWAPS), **{new: old for old, new in SWAPS}}
ARITHMETIC: Mapping[Any, Any] = {
    **dict.fromkeys((ast.Mult, ast.Sub), ast.Add),
    **dict.fromkeys((ast.Div, ast.FloorDiv, ast.Mod, ast.Pow), ast.Mult),
    ast.Add: ast.Sub,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
IGNORED = {"description", "title", "examples", "json_schema_extra", "model_config", "__all__", "__slots__", "strict"}


Place: TypeAlias = tuple[Any, tuple[str, Any], tuple[str, ...], Any]
"""A node, its change, the names it is in, and its statement."""


class Mutant(NamedTuple):
    path: Path
    number: int
    """Among the nodes of the module that can be changed."""
    lines: range
    """Of the innermost statement, without its block."""
    in_function: bool
    key: str

    def code(self) -> CodeType:
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        node, change, *_ = list(_places(tree))[self.number]
        setattr(node, *change)
        return compile(ast.fix_missing_locations(tree), str(self.path), "exec", dont_inherit=True)


def mutants(path: Path) -> list[Mutant]:
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for number, (node, change, names, statement) in enumerate(_places(ast.parse(path.read_text(encoding="utf-8")))):
        block = [each.lineno for each in ast.iter_child_nodes(statement) if isinstance(each, ast.stmt)]
        last = max(statement.lineno, min(block) - 1) if block else statement.end_lineno
        before = ast.unparse(node)[:70]
        setattr(node, *change)
        after = ast.unparse(ast.fix_missing_locations(node))[:70]
        label = " ".join(f"{'.'.join(names)}: {before} → {after}".split())
        seen[label] = seen.get(label, 0) + 1
        key = label if seen[label] == 1 else f"{label} ({seen[label]})"
        found.append(Mutant(path, number, range(statement.lineno, last + 1), "()" in label.partition(":")[0], key))
    return found


def _places(node: Any, names: tuple[str, ...] = (), statement: Any = None) -> Iterator[Place]:
    """Each node that can be changed."""
    statement = node if isinstance(node, ast.stmt) else statement
    children: Sequence[ast.AST] = list(ast.iter_child_nodes(node))
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            for default in filter(None, (*node.args.defaults, *node.args.kw_defaults)):
                yield from _places(default, (*names, node.name), statement)
            names, children = (*names, f"{node.name}()"), node.body
        case ast.ClassDef():
            names, children = (*names, node.name), node.body
        case ast.AnnAssign(target=target) | ast.Assign(targets=[target]):
            names = names or (ast.unparse(target),)
            children = [node.value] if node.value and ast.unparse(target) not in IGNORED else []
        case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return
        case ast.keyword(arg=str(name)) if name in IGNORED:
            return
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.Subscript(value=ast.Name(id="Literal" | "Annotated")):
            return
        case ast.Call(func=ast.Name(id="cast" | "TypeVar")):
            children = node.args[1:]
        case _:
            pass
    if (change := _change(node)) is not None:
        yield node, change, names, statement
    for child in children:
        yield from _places(child, names, statement)


def _change(node: Any) -> tuple[str, Any] | None:
    """The field of the node that is changed, and its new value; None if nothing is."""
    match node:
        case ast.Compare(ops=[op]):
            return "ops", [COMPARISONS[type(op)]()]
        case ast.BoolOp(op=op):
            return "op", ast.Or() if isinstance(op, ast.And) else ast.And()
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in ARITHMETIC:
            return "op", ARITHMETIC[type(op)]()
        case ast.UnaryOp(op=ast.Not()):
            return "operand", ast.UnaryOp(ast.Not(), node.operand)
        case ast.UnaryOp(op=ast.USub()):
            return "op", ast.UAdd()
        case ast.Constant(value=bool(value)):
            return "value", not value
        case ast.Constant(value=int(value) | float(value)):
            return "value", value + 1
        case ast.Constant(value=str(text)) if text and " " not in text:
            return "value", f"{text}~"
        case ast.If() | ast.IfExp():
            return "test", ast.Constant(value=True)
        case ast.Return(value=ast.Constant() | ast.Tuple(elts=[]) | None):
            return None
        case ast.Return() | ast.Expr(value=ast.Call()):
            return "value", ast.Constant(value=None)
        case ast.Break() | ast.Continue():
            return "__class__", ast.Pass
        case _:
            return None


class InPlace:
    """A pytest plugin that measures the collected tests, then tries changes of functions by replacing their code."""

    def __init__(self, paths: Sequence[Path], drawn: Sequence[Mutant]) -> None:
        self._coverage = coverage.Coverage(data_file=None, include=[str(path) for path in paths], config_file=False)
        self._drawn = drawn
        self.found: list[tuple[bool, list[str]]] = []
        """For each change: whether it was noticed, and its tests."""

    def pytest_runtestloop(self, session: Any) -> bool:
        items = {item.nodeid: item for item in session.items}
        seconds: dict[str, float] = {}
        self._coverage.start()
        for name, item in items.items():
            self._coverage.switch_context(name)
            began = process_time()
            if not _passes(item):
                raise AssertionError(f"{name} fails without any change")
            seconds[name] = process_time() - began
        self._coverage.stop()
        data = self._coverage.get_data()
        by_path = {path: data.contexts_by_lineno(path) for path in data.measured_files()}
        known = gc.get_objects()
        functions = [each for each in known if isinstance(each, FunctionType)]
        caches: list[Any] = [each for each in known if isinstance(each, functools._lru_cache_wrapper)]  # pyright: ignore[reportPrivateUsage]
        caches = [each for each in caches if each.__module__.startswith("planner.")]
        for mutant in self._drawn:
            by_line = by_path.get(str(mutant.path), {})
            near = {name for line in mutant.lines for name in by_line.get(line, ()) if name}
            files = {name.partition("::")[0] for names in by_line.values() for name in names if name}
            # A test may use a table only, and a module may have nothing else.
            rest = {name for name in seconds if not files or name.partition("::")[0] in files} - near
            ordered = [*sorted(near, key=seconds.__getitem__), *sorted(rest, key=seconds.__getitem__)]
            total = accumulate(seconds[name] for name in ordered)
            tests = [name for name, until in zip(ordered, total, strict=True) if until < TEST_SECONDS]

            def attempt(mutant: Mutant = mutant, chosen: Sequence[str] = tests[: len(near)]) -> bool:
                gc.disable()
                _replace(mutant, functions)
                for cache in caches:
                    cache.cache_clear()
                return all(_passes(items[name]) for name in chosen)

            self.found.append((mutant.in_function and not forked(attempt), tests))
        return True


def _passes(item: Any) -> bool:
    return not any(report.failed for report in runtestprotocol(item, log=False, nextitem=None))


def _replace(mutant: Mutant, functions: Sequence[FunctionType]) -> None:
    changed = {(code.co_qualname, code.co_firstlineno): code for code in _codes(mutant.code())}
    for known in functions:
        old = known.__code__
        new = changed.get((old.co_qualname, old.co_firstlineno)) if old.co_filename == str(mutant.path) else None
        if new and new.co_freevars == old.co_freevars:
            known.__code__ = new


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


class Chosen:
    """A pytest plugin that runs only these tests, in this order."""

    def __init__(self, names: Sequence[str]) -> None:
        self._place = {name: place for place, name in enumerate(names)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        chosen = [item for item in items if item.nodeid in self._place]
        items[:] = sorted(chosen, key=lambda item: self._place[item.nodeid])


def passes_afresh(mutant: Mutant, names: Sequence[str]) -> bool:
    """With the changed module imported, which reaches tables, fields and caches, too."""
    module = ".".join(mutant.path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    code = mutant.code()

    class Changed(SourceFileLoader):
        def get_code(self, fullname: str) -> Any:
            del fullname
            return code

    class Finder:
        @staticmethod
        def find_spec(name: str, *_: object) -> Any:
            loader = Changed(module, str(mutant.path))
            return spec_from_file_location(module, mutant.path, loader=loader) if name == module else None

    sys.meta_path.insert(0, Finder)  # pyright: ignore[reportArgumentType]
    files = dict.fromkeys(name.partition("::")[0] for name in names)
    return pytest.main([*OPTIONS, "-x", *files], plugins=[Chosen(names)]) == 0


def forked(action: Callable[[], object], seconds: int = TRIAL_SECONDS) -> Any:
    """What the action returns in a silent fork, as JSON; None if it raises or takes longer."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        try:
            with os.fdopen(writing, "w") as stream:
                json.dump(action(), stream)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        if not select.select([stream], [], [], 10 * seconds)[0]:  # it may sleep for ever
            os.killpg(child, signal.SIGKILL)
        text = stream.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", nargs="*")
    asked = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    paths = [path for name in asked.paths for path in (sorted(Path(name).rglob("*.py")) or [Path(name)])]
    tests = asked.tests or [
        test for name in TESTS if any(path.startswith(name) for path in asked.paths) for test in TESTS[name]
    ]
    every = [each for path in paths for each in mutants(path.absolute())]
    drawn = sorted(Random(asked.seed).sample(every, min(asked.sample, len(every))))
    for name in WARM.split():
        import_module(name)
    from planner.statistics import wilson_interval

    def in_place() -> object:
        plugin = InPlace([path.absolute() for path in paths], drawn)
        return pytest.main([*OPTIONS, *tests], plugins=[plugin]) == 0 and plugin.found

    found = forked(in_place, 3600)
    if not found:
        sys.exit("The tests cannot be collected, or fail without any change.")
    print(f"{len(drawn)} of {len(every):,} changes", flush=True)
    noticed = 0
    for mutant, (is_noticed, names) in zip(drawn, found, strict=True):
        if is_noticed or (names and not forked(lambda each=mutant, names=names: passes_afresh(each, names))):
            noticed += 1
            continue
        reason = EXPLAINED.get(mutant.key)
        print(
            f"{mutant.path.relative_to(ROOT)}:{mutant.lines.start}: {mutant.key}{f' ({reason})' if reason else ''}",
            flush=True,
        )
    low, high = wilson_interval(noticed, len(drawn))
    print(f"{noticed} of {len(drawn)} noticed: {noticed / len(drawn):.1%} (95 %: {low:.1%} to {high:.1%})")


if __name__ == "__main__":
    main()
