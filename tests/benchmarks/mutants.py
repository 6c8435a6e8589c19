"""Which changes of the code no test notices: `python tests/benchmarks/mutants.py [SHARE [SEED [MODULE…]]]`.

`python tests/benchmarks/mutants.py again FILE [MODULE…]` tries only those that this script said, in FILE, were not noticed.

Changes one operator, constant, condition or statement at a time in `planner/checks`, `planner/outcome` and
`planner/statistics.py`, and runs the tests that execute it until one fails. Prints per module how many changes were noticed and
each one that was not. A share of 0.1 tries a tenth of them, drawn by the seed.

Tests are collected and run once, to know which functions each of them calls. Then each change is tried in a fork: the functions
of the changed module get their new code in place, so that nothing has to be imported again. What is made when a module is
imported (tables, fields of checks, enumerations, functions made by others) cannot be put in place: if that is not noticed, the
tests are run once more in a fork of a process that has imported nothing of ours yet. A change that takes several times as long as none
is noticed: it loops.
"""

from __future__ import annotations

import ast
import copy
import importlib.machinery
import importlib.util
import json
import os
import resource
import signal
import socket
import sys
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SLOWER, SECONDS = 2, 3
"""A change that makes the tests take so many times the processor's time (counted
while calls are noted, which slows them), and these seconds more, is noticed: it loops."""

AFRESH_SECONDS = 120
OPTIONS = ["-q", "-s", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "--hypothesis-seed=0"]

MEMORY_BYTES = 6_000_000_000
"""And so is one that makes them take more than this."""

ROOMS = ("planner/checks", "planner/outcome", "planner/statistics.py")
TESTS = (
    "tests/checks",
    "tests/judging/test_asking.py",
    "tests/test_outcome.py",
    "tests/test_outcome_edges.py",
    "tests/test_attribution.py",
    "tests/test_statistics.py",
    "tests/test_verdicts_page.py",
)

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
UNJUDGED = {"description", "title", "examples", "json_schema_extra", "model_config", "__all__"}
"""What these are set to is documentation, compared with the docs that are made of it, not with a behaviour."""


@dataclass(frozen=True)
class Mutant:
    """`function` is the first line (its first decorator's, as code objects have it) of the outermost function it is in, 0 outside."""

    module: Path
    line: int
    function: int
    told: str
    source: str
    nests: bool = False
    """Whether that function cannot always be put in place: it makes others, maybe when its module was imported, or names its class."""


def mutants(path: Path) -> Iterator[Mutant]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    places = list(_places(tree))
    functions = [
        (min([node.lineno, *(each.lineno for each in node.decorator_list)]), node.end_lineno or 0, _nests(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    ]
    for index, (node, kinds) in enumerate(places):
        for kind in range(kinds):
            changed = copy.deepcopy(tree)
            target = list(_places(changed))[index][0]
            before = ast.unparse(target)
            _change(target, kind)
            ast.fix_missing_locations(changed)
            told = f"{before[:70]}  →  {ast.unparse(target)[:70]}"
            line = getattr(node, "lineno", 0)
            function, nests = min(
                ((first, nests) for first, last, nests in functions if first <= line <= last), default=(0, False)
            )
            yield Mutant(path, line, function, " ".join(told.split()), ast.unparse(changed), nests)


def _nests(function: ast.FunctionDef) -> bool:
    """Or names its class (`super()`), which changed code may not do any more."""
    inner = [node for node in ast.walk(function) if node is not function]
    return any(
        isinstance(node, ast.FunctionDef | ast.Lambda) or (isinstance(node, ast.Name) and node.id == "super")
        for node in inner
    )


def _places(tree: ast.AST) -> Iterator[tuple[ast.AST, int]]:
    """Nodes that can be changed, and in how many ways."""
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if ways := _ways(node):
            yield node, ways
        stack += reversed(list(_judged_children(node)))


def _judged_children(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant() | ast.JoinedStr():
            return
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from node.args.defaults
            yield from (default for default in node.args.kw_defaults if default is not None)
            yield from _without_docstring(node.body)
        case ast.ClassDef() | ast.Module():
            yield from _without_docstring(node.body)
        case ast.AnnAssign():
            if node.value is not None:
                yield node.value
        case ast.Assign(targets=[ast.Name(id=name)]) if name in UNJUDGED:
            return
        case ast.keyword(arg=name) if name in UNJUDGED:
            return
        case ast.Call(func=ast.Name(id="cast" | "TypeVar")):
            yield from node.args[1:]
        case ast.Subscript(value=ast.Name(id="Literal" | "Annotated")):
            return
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Import() | ast.ImportFrom():
            return
        case _:
            yield from ast.iter_child_nodes(node)


def _without_docstring(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            yield statement


def _ways(node: ast.AST) -> int:
    match node:
        case ast.Compare(ops=[op]):
            return int(type(op) in COMPARISONS)
        case ast.BoolOp() | ast.Break() | ast.Continue():
            return 1
        case ast.BinOp(op=op):
            return int(type(op) in ARITHMETIC)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            return 1
        case ast.Constant(value=bool() | int() | float()):
            return 1
        case ast.Constant(value=str(text)):
            return int(bool(text))
        case ast.If() | ast.IfExp() | ast.While():
            return 1
        case ast.Return(value=value):
            return int(value is not None and not (isinstance(value, ast.Constant) and value.value is None))
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            return 1
        case _:
            return 0


def _change(node: ast.AST, kind: int) -> None:
    del kind
    match node:
        case ast.Compare():
            node.ops = [COMPARISONS[type(node.ops[0])]()]  # pyright: ignore[reportArgumentType]
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.BinOp():
            node.op = ARITHMETIC[type(node.op)]()  # pyright: ignore[reportArgumentType]
        case ast.UnaryOp(op=ast.Not()):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.UnaryOp():
            node.op = ast.UAdd()
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int() | float()):
            node.value += 1  # pyright: ignore[reportOperatorIssue]
        case ast.Constant():
            node.value = f"{node.value}~"
        case ast.If() | ast.IfExp() | ast.While():
            node.test = ast.Constant(value=isinstance(node, ast.If | ast.IfExp))
        case ast.Return():
            node.value = ast.Constant(value=None)
        case ast.Break() | ast.Continue():
            node.__class__ = ast.Pass  # pyright: ignore[reportAttributeAccessIssue]
        case ast.Expr():
            node.value = ast.Constant(value=None)
        case ast.AugAssign():
            node.op = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        case _:
            raise TypeError(type(node).__name__)


Function = types.FunctionType


def functions_of(module: types.ModuleType) -> dict[str, Function]:
    """All functions and methods that a module defines, by qualified name; those of cached ones are what they wrap."""
    found: dict[str, Function] = {}
    for _, value in sorted(vars(module).items()):
        if isinstance(value, type) and value.__module__ == module.__name__:
            for member in list(vars(value).values()):
                for function in _inside(member):
                    found.setdefault(function.__qualname__, function)
        else:
            for function in _inside(value):
                if function.__module__ == module.__name__:
                    found.setdefault(function.__qualname__, function)
    return found


def _inside(member: object) -> Iterator[Function]:
    for name in ("", "__wrapped__", "__func__", "fget", "func", "wrapped"):
        function = getattr(member, name, None) if name else member
        function = getattr(function, "__wrapped__", function)
        if isinstance(function, Function):
            yield function


def put_in(module: types.ModuleType, source: str, *, tables: bool) -> None:
    """The module with the changed source, as far as it can be changed in place: functions, and `tables` made on import."""
    changed = types.ModuleType(module.__name__)
    changed.__dict__.update(__file__=module.__file__, __package__=module.__package__)
    exec(compile(source, module.__file__ or "", "exec"), changed.__dict__)  # noqa: S102 - our own source
    new = functions_of(changed)
    for name, function in functions_of(module).items():
        if name in new and function.__code__.co_freevars == new[name].__code__.co_freevars:
            function.__code__ = new[name].__code__
            if all(isinstance(value, str | int | float | None) for value in new[name].__defaults__ or ()):
                function.__defaults__ = new[name].__defaults__
            if all(isinstance(value, str | int | float | None) for value in (new[name].__kwdefaults__ or {}).values()):
                function.__kwdefaults__ = new[name].__kwdefaults__
    others = [other for name, other in list(sys.modules.items()) if name.startswith("planner") and other]
    for name, value in list(vars(module).items()) if tables else ():
        if name.startswith("__") or isinstance(value, type | Function | types.ModuleType) or callable(value):
            continue
        for other in others:
            if vars(other).get(name) is value:
                setattr(other, name, changed.__dict__.get(name, value))
    for other in others:
        for value in vars(other).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


class Trial:
    """A pytest plugin in whose place the changes are tried."""

    def __init__(self, share: float, seed: int, only: Sequence[str], again: frozenset[str]) -> None:
        self._random = Random(seed)
        self._share = share
        self._again = again
        self._only = only
        self._took: dict[str, float] = {}
        self._nursery = Nursery()

    def pytest_runtestloop(self, session: Any) -> bool:
        items = list(session.items)
        calling = self._calls(session, items)
        tried = noticed = 0
        for room in ROOMS:
            for path in [ROOT / room] if room.endswith(".py") else sorted((ROOT / room).glob("*.py")):
                if self._only and not any(word in str(path.relative_to(ROOT)) for word in self._only):
                    continue
                unchanged = Mutant(path, 0, 1, "", path.read_text(encoding="utf-8"))
                if self._is_noticed(session, unchanged, calling):
                    say(f"{path.relative_to(ROOT)}: cannot be put in place of itself")
                    continue
                drawn = [mutant for mutant in mutants(path) if self._is_drawn(mutant)]
                if not drawn:
                    continue
                missed = [mutant for mutant in drawn if not self._is_noticed(session, mutant, calling)]
                tried, noticed = tried + len(drawn), noticed + len(drawn) - len(missed)
                say(f"{path.relative_to(ROOT)}: {len(drawn) - len(missed)} of {len(drawn)} noticed")
                for mutant in missed:
                    say(f"    line {mutant.line}: {mutant.told}")
        say(f"{noticed:,} of {tried:,} changes noticed: {noticed / max(1, tried):.1%}")
        return True

    def _is_drawn(self, mutant: Mutant) -> bool:
        if self._again:
            return f"{mutant.module.relative_to(ROOT)} {mutant.told}" in self._again
        return self._random.random() < self._share

    def _calls(self, session: Any, items: Sequence[Any]) -> dict[str, list[Any]]:
        """By file and first line of a function, and by file: the tests that call it, the quickest first."""
        calling: dict[str, list[tuple[float, int, Any]]] = {}
        for number, item in enumerate(items):
            called: set[str] = set()

            def note(frame: types.FrameType, event: str, argument: object, called: set[str] = called) -> None:
                del argument
                code = frame.f_code
                if event == "call" and "/planner/" in code.co_filename:
                    called.update((code.co_filename, f"{code.co_filename}:{code.co_firstlineno}"))

            began = time.process_time()
            sys.setprofile(note)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            sys.setprofile(None)
            if session.testsfailed:
                sys.exit(f"{item.nodeid} fails with nothing changed")
            seconds = self._took[item.nodeid] = time.process_time() - began
            for place in called:
                calling.setdefault(place, []).append((seconds, number, item))
        say(f"{len(items):,} tests collected and run")
        return {
            place: [item for *_, item in sorted(found, key=lambda each: each[:2])] for place, found in calling.items()
        }

    def _is_noticed(self, session: Any, mutant: Mutant, calling: dict[str, list[Any]]) -> bool:
        inside = f"{mutant.module}:{mutant.function}" if mutant.function and mutant.line else str(mutant.module)
        items = calling.get(inside, [])
        if items and in_fork(lambda: _try(session, mutant, items, self._took), self._seconds(items)):
            return True
        if not mutant.line or (mutant.function and items and not mutant.nests):
            return False
        files = list(
            dict.fromkeys(str(item.path) for item in items or calling.get(str(mutant.module)) or list(session.items))
        )
        return self._nursery.fails(mutant, files)

    def _seconds(self, items: Sequence[Any]) -> float:
        return SLOWER * sum(self._took[item.nodeid] for item in items) + SECONDS


def in_fork(attempt: Callable[[], None], seconds: float) -> bool:
    """Whether what is tried in a fork fails, or takes more of the processor's time than that."""
    child = os.fork()
    if child == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        code = 1
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            attempt()
            code = 0
        finally:
            os._exit(code)
    until = time.monotonic() + 20 * seconds  # it may sleep for ever
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _try(session: Any, mutant: Mutant, items: Sequence[Any], took: Mapping[str, float]) -> None:
    relative = mutant.module.relative_to(ROOT).with_suffix("")
    put_in(
        sys.modules[".".join(part for part in relative.parts if part != "__init__")],
        mutant.source,
        tables=not mutant.function,
    )
    for item in items:
        signal.setitimer(signal.ITIMER_PROF, SLOWER * took[item.nodeid] + SECONDS)  # which ends the process
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        if session.testsfailed:
            raise AssertionError(item.nodeid)


class Nursery:
    """A process that has imported what tests need, but nothing of ours: in its forks changed modules are imported from scratch."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._asked = ours.makefile("rw", encoding="utf-8")
        if os.fork() == 0:
            ours.close()
            self._serve(theirs)
        theirs.close()

    def fails(self, mutant: Mutant, files: Sequence[str]) -> bool:
        relative = mutant.module.relative_to(ROOT).with_suffix("")
        name = ".".join(part for part in relative.parts if part != "__init__")
        self._asked.write(json.dumps([name, str(mutant.module), mutant.source, list(files)]) + "\n")
        self._asked.flush()
        return self._asked.readline() == "true\n"

    @staticmethod
    def _serve(connection: socket.socket) -> None:
        for name in ("hypothesis", "pydantic", "httpx", "numpy", "scipy.stats", "ruamel.yaml", "yaml", "celpy", "re2"):
            try:
                importlib.import_module(name)
            except ImportError:
                continue
        stream = connection.makefile("rw", encoding="utf-8")
        for line in stream:
            name, path, source, files = json.loads(line)
            failed = in_fork(lambda: _run_afresh(name, path, source, files), AFRESH_SECONDS)  # noqa: B023 - called at once
            stream.write(json.dumps(failed) + "\n")
            stream.flush()
        os._exit(0)


def _run_afresh(name: str, path: str, source: str, files: Sequence[str]) -> None:
    class Changed(importlib.machinery.SourceFileLoader):
        def get_code(self, fullname: str) -> types.CodeType:
            del fullname
            return compile(source, path, "exec")

    class Finder:
        @staticmethod
        def find_spec(fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
            return (
                importlib.util.spec_from_file_location(name, path, loader=Changed(name, path))
                if fullname == name
                else None
            )

    sys.meta_path.insert(0, Finder)  # pyright: ignore[reportArgumentType]
    if pytest.main([*OPTIONS, "-x", *files]):
        raise AssertionError(name)


def say(line: str) -> None:
    os.write(SAID, f"{line}\n".encode())


def unnoticed(lines: Iterable[str]) -> frozenset[str]:
    """Module and change of each that this script said was not noticed."""
    found: set[str] = set()
    module = ""
    for line in lines:
        if line.startswith("planner/"):
            module = line.partition(":")[0]
        elif line.startswith("    line "):
            found.add(f"{module} {line.partition(': ')[2].strip()}")
    return frozenset(found)


def main(share: float, seed: int, only: Sequence[str], again: frozenset[str] = frozenset()) -> None:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    sys.dont_write_bytecode = True
    tests = [test for test in TESTS if (ROOT / test).exists()]
    sys.exit(pytest.main([*OPTIONS, *tests], plugins=[Trial(share, seed, only, again)]))


SAID = os.dup(1)
"""Where we print, whatever becomes of standard output."""

if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["again"]:
        main(1, 1, words[2:], unnoticed(Path(words[1]).read_text(encoding="utf-8").splitlines()))
    else:
        main(float(words[0]) if words else 0.1, int(words[1]) if len(words) > 1 else 1, words[2:])
