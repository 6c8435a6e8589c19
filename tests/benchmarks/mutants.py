"""Which changes of the code no test notices: `python tests/benchmarks/mutants.py [SHARE [SEED [MODULE…]]]`.

Changes one operator, constant, condition or statement at a time in `planner/checks`, `planner/outcome` and
`planner/statistics.py`, and runs the tests that execute it until one fails. Prints per module how many changes were noticed and
each one that was not. A share of 0.1 tries a tenth of them, drawn by the seed.

Tests are collected and run once, to know which functions each of them calls. Then each change is tried in a fork: the functions
of the changed module get their new code in place, so that nothing has to be imported again. What is made when a module is
imported (tables, fields of checks) is tried with the new tables, where a name stands for them.
"""

from __future__ import annotations

import ast
import copy
import os
import signal
import sys
import time
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 120
"""A change that makes the tests take longer is noticed: it loops."""

ROOMS = ("planner/checks", "planner/outcome", "planner/statistics.py")
TESTS = (
    "tests/checks",
    "tests/test_outcome.py",
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


def mutants(path: Path) -> Iterator[Mutant]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    places = list(_places(tree))
    functions = [
        (min([node.lineno, *(each.lineno for each in node.decorator_list)]), node.end_lineno or 0)
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
            function = min((first for first, last in functions if first <= line <= last), default=0)
            yield Mutant(path, line, function, " ".join(told.split()), ast.unparse(changed))


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

    def __init__(self, share: float, seed: int, only: Sequence[str]) -> None:
        self._random = Random(seed)
        self._share = share
        self._only = only

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
                drawn = [mutant for mutant in mutants(path) if self._random.random() < self._share]
                missed = [mutant for mutant in drawn if not self._is_noticed(session, mutant, calling)]
                tried, noticed = tried + len(drawn), noticed + len(drawn) - len(missed)
                say(f"{path.relative_to(ROOT)}: {len(drawn) - len(missed)} of {len(drawn)} noticed")
                for mutant in missed:
                    say(f"    line {mutant.line}: {mutant.told}")
        say(f"{noticed:,} of {tried:,} changes noticed: {noticed / max(1, tried):.1%}")
        return True

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

            began = time.perf_counter()
            sys.setprofile(note)
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            sys.setprofile(None)
            if session.testsfailed:
                sys.exit(f"{item.nodeid} fails with nothing changed")
            seconds = time.perf_counter() - began
            for place in called:
                calling.setdefault(place, []).append((seconds, number, item))
        say(f"{len(items):,} tests collected and run")
        return {
            place: [item for *_, item in sorted(found, key=lambda each: each[:2])] for place, found in calling.items()
        }

    def _is_noticed(self, session: Any, mutant: Mutant, calling: dict[str, list[Any]]) -> bool:
        inside = f"{mutant.module}:{mutant.function}" if mutant.function and mutant.line else str(mutant.module)
        items = calling.get(inside, [])
        if not items:
            return False
        child = os.fork()
        if child == 0:
            os.setsid()
            _try(session, mutant, items)
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return status != 0
            time.sleep(0.005)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return True


def _try(session: Any, mutant: Mutant, items: Sequence[Any]) -> None:
    code = 0
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (1, 2):
            os.dup2(null, stream)
        relative = mutant.module.relative_to(ROOT).with_suffix("")
        put_in(
            sys.modules[".".join(part for part in relative.parts if part != "__init__")],
            mutant.source,
            tables=not mutant.function,
        )
        for item in items:
            item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
            if session.testsfailed:
                code = 1
                break
    except BaseException:  # noqa: BLE001 - whatever it is, the change is noticed
        code = 1
    os._exit(code)


def say(line: str) -> None:
    os.write(SAID, f"{line}\n".encode())


def main(share: float, seed: int, only: Sequence[str]) -> None:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    sys.dont_write_bytecode = True
    options = [
        "-q",
        "-s",
        "--no-header",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-p",
        "no:cov",
        "--hypothesis-seed=0",
    ]
    tests = [test for test in TESTS if (ROOT / test).exists()]
    sys.exit(pytest.main([*options, *tests], plugins=[Trial(share, seed, only)]))


SAID = os.dup(1)
"""Where we print, whatever becomes of standard output."""

if __name__ == "__main__":
    words = sys.argv[1:]
    main(float(words[0]) if words else 0.1, int(words[1]) if len(words) > 1 else 1, words[2:])
