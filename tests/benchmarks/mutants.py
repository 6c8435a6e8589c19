"""Which changes of the code no test notices: `python tests/benchmarks/mutants.py [SHARE [SEED [MODULE…]]]`.

Changes one operator, constant, condition or statement at a time in `planner/checks`, `planner/outcome` and
`planner/statistics.py`, and runs the tests of that room until one fails. Prints per module how many changes were noticed and each
one that was not. A share of 0.1 tries a tenth of them, drawn by the seed; all of them take hours.

Each change is tried in a fork of this process, which has imported all that is not ours: so one costs no more than its tests.
"""

from __future__ import annotations

import ast
import copy
import importlib
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]
SECONDS = 120
"""A change that makes the tests take longer is noticed: it loops."""

TESTS = {
    "planner/checks": ["tests/checks"],
    "planner/outcome": ["tests/test_outcome.py", "tests/test_verdicts_page.py", "tests/test_attribution.py"],
    "planner/statistics.py": ["tests/test_statistics.py", "tests/test_verdicts_page.py", "tests/test_outcome.py"],
}
FIRST = {
    "spoken": "test_spoken.py",
    "spoken_items": "test_spoken.py",
    "number_words": "test_spoken.py",
    "tool_called": "test_tools.py",
    "tool_not_called": "test_tools.py",
    "tools": "test_tools.py",
    "call": "test_call_check.py",
    "cel": "test_expression.py",
    "personal_data": "test_no_pii.py",
    "cost": "test_limits.py",
    "duration": "test_limits.py",
    "grade": "test_limits.py",
    "speech": "test_says.py",
    "combining": "test_combinators.py",
    "parts": "test_combinators.py",
    "all_of": "test_combinators.py",
    "any_of": "test_combinators.py",
    "not_": "test_combinators.py",
    "json_paths": "test_field.py",
}
"""Where a change is most likely noticed, when the test module does not bear its name: tried before all tests of the room."""

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
    module: Path
    line: int
    told: str
    source: str


def mutants(path: Path) -> Iterator[Mutant]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    places = list(_places(tree))
    for index, (node, kinds) in enumerate(places):
        for kind in range(kinds):
            changed = copy.deepcopy(tree)
            target = list(_places(changed))[index][0]
            before = ast.unparse(target)
            _change(target, kind)
            ast.fix_missing_locations(changed)
            told = f"{before[:70]}  →  {ast.unparse(target)[:70]}"
            yield Mutant(path, getattr(node, "lineno", 0), " ".join(told.split()), ast.unparse(changed))


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


class Instead(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Loads the changed source where its module is asked for."""

    def __init__(self, name: str, mutant: Mutant) -> None:
        self._name = name
        self._mutant = mutant

    def find_spec(self, fullname: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname != self._name:
            return None
        is_package = self._mutant.module.name == "__init__.py"
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=str(self._mutant.module), is_package=is_package)
        if is_package:
            spec.submodule_search_locations = [str(self._mutant.module.parent)]
        spec.has_location = True
        return spec

    def get_source(self, fullname: str) -> str:
        del fullname
        return self._mutant.source

    def is_package(self, fullname: str) -> bool:
        del fullname
        return self._mutant.module.name == "__init__.py"


def is_noticed(mutant: Mutant, tests: Sequence[Sequence[str]]) -> bool:
    child = os.fork()
    if child == 0:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        _try(mutant, tests)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status != 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _try(mutant: Mutant, tests: Sequence[Sequence[str]]) -> None:
    import pytest  # imported before, once for all

    relative = mutant.module.relative_to(ROOT).with_suffix("")
    name = ".".join(part for part in relative.parts if part != "__init__")
    sys.meta_path.insert(0, Instead(name, mutant))
    code = 0
    try:
        for files in tests:
            options = ["-q", "-x", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov"]
            code = code or int(pytest.main([*options, "--hypothesis-seed=0", *files]))
            if code:
                break
    except BaseException:  # noqa: BLE001 - whatever it is, the change is noticed
        code = 1
    os._exit(1 if code else 0)


def tests_of(path: Path, room: str) -> list[list[str]]:
    first = ROOT / "tests" / "checks" / FIRST.get(path.stem, f"test_{path.stem.rstrip('_')}.py")
    whole = [test for test in TESTS[room] if (ROOT / test).exists()]
    return [[str(first)], whole] if room == "planner/checks" and first.exists() else [whole]


def preload() -> None:
    """All that tests import and that is not ours: once, before the forks."""
    for name in (
        "anyio",
        "httpx",
        "hypothesis",
        "inline_snapshot",
        "numpy",
        "pydantic",
        "pytest",
        "re2",
        "scipy.stats",
    ):
        importlib.import_module(name)


def check_unchanged(room: str) -> None:
    """Tests that fail anyway notice everything."""
    path = next(iter([ROOT / room] if room.endswith(".py") else (ROOT / room).glob("*.py")))
    if is_noticed(Mutant(path, 0, "", path.read_text(encoding="utf-8")), tests_of(path, room)):
        sys.exit(f"the tests of {room} fail, or take over {SECONDS} s, with nothing changed")


def main(share: float, seed: int, only: Sequence[str]) -> None:
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    sys.dont_write_bytecode = True
    preload()
    random = Random(seed)
    tried = noticed = 0
    for room in TESTS:
        if not only or any(room in word or word in room for word in only):
            check_unchanged(room)
        paths = [ROOT / room] if room.endswith(".py") else sorted((ROOT / room).glob("*.py"))
        for path in paths:
            if only and not any(word in str(path.relative_to(ROOT)) for word in only):
                continue
            drawn = [mutant for mutant in mutants(path) if random.random() < share]
            missed = [mutant for mutant in drawn if not is_noticed(mutant, tests_of(path, room))]
            tried, noticed = tried + len(drawn), noticed + len(drawn) - len(missed)
            print(f"{path.relative_to(ROOT)}: {len(drawn) - len(missed)} of {len(drawn)} noticed", flush=True)
            for mutant in missed:
                print(f"    line {mutant.line}: {mutant.told}", flush=True)
    print(f"{noticed:,} of {tried:,} changes noticed: {noticed / max(1, tried):.1%}")


if __name__ == "__main__":
    words = sys.argv[1:]
    main(float(words[0]) if words else 0.1, int(words[1]) if len(words) > 1 else 1, words[2:])
