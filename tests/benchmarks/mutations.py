"""Changes of a module's code, one at a time, for `mutants.py`: which there are, and the code each of them makes."""

from __future__ import annotations
import __future__

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import CodeType

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
class Scope:
    """The place of a node in a module. `function` is the innermost one (its dotted name, empty outside), `lines` those of its
    statement, `in_class` whether the statement is of a class and runs when that is made."""

    function: str = ""
    lines: range = range(0)
    in_class: bool = False
    outer: tuple[str, ...] = ()
    """Names of the classes and functions it is in."""
    top: ast.stmt | None = None
    """The statement of the module."""


@dataclass(frozen=True)
class Mutation:
    """One change. `key` names it in its module, wherever the lines move."""

    path: Path
    scope: Scope
    line: int
    key: str
    node: ast.AST = field(repr=False)
    tree: ast.Module = field(repr=False)

    def code(self, *, whole: bool = False) -> CodeType:
        """Of the whole module, or only of the statement of it that the changed function is in: which cannot be imported."""
        kept = self.node.__class__, dict(self.node.__dict__)
        change(self.node)
        ast.fix_missing_locations(self.node)
        part = self.scope.top if self.scope.function and not whole else None
        tree = ast.Module([part], []) if part else self.tree
        try:
            flags = __future__.annotations.compiler_flag
            return compile(tree, str(self.path), "exec", flags=flags, dont_inherit=True)
        finally:
            self.node.__class__, self.node.__dict__ = kept  # pyright: ignore[reportAttributeAccessIssue]


def mutations(path: Path) -> list[Mutation]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[Mutation] = []
    times: dict[str, int] = {}
    for node, scope in places(tree):
        before = ast.unparse(node)
        kept = node.__class__, dict(node.__dict__)
        change(node)
        ast.fix_missing_locations(node)
        after = ast.unparse(node)
        node.__class__, node.__dict__ = kept  # pyright: ignore[reportAttributeAccessIssue]
        label = f"{'.'.join(scope.outer) or 'module'}: {' '.join(f'{before[:70]}  →  {after[:70]}'.split())}"
        times[label] = times.get(label, 0) + 1
        key = label if times[label] == 1 else f"{label} ({times[label]})"
        found.append(Mutation(path, scope, getattr(node, "lineno", 0), key, node, tree))
    return found


def places(tree: ast.Module) -> Iterator[tuple[ast.AST, Scope]]:
    """Nodes that can be changed."""
    for statement in without_docstring(tree.body):
        yield from _of_statement(statement, Scope(top=statement))


def _of_statement(statement: ast.stmt, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
    last = min((child.lineno - 1 for child in _statements(statement)), default=statement.end_lineno or statement.lineno)
    here = Scope(
        scope.function, range(statement.lineno, max(last, statement.lineno) + 1), scope.in_class, scope.outer, scope.top
    )
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            outer = (*scope.outer, statement.name)
            inside = Scope(".".join(outer), range(0), in_class=False, outer=outer, top=scope.top)
        case ast.ClassDef():
            inside = Scope(
                scope.function,
                range(0),
                in_class=not scope.function,
                outer=(*scope.outer, statement.name),
                top=scope.top,
            )
        case _:
            inside = here
    yield from _of_node(statement, here, inside)


def _of_node(node: ast.AST, here: Scope, inside: Scope) -> Iterator[tuple[ast.AST, Scope]]:
    """`here` is the scope of its expressions, `inside` that of its statements."""
    if _is_changed(node):
        yield node, here
    for child in _children(node):
        if isinstance(child, ast.stmt):
            yield from _of_statement(child, inside)
        elif isinstance(child, ast.match_case):
            first, last = child.pattern.lineno, max(child.pattern.lineno, child.body[0].lineno - 1)
            yield from _of_node(child, replace(here, lines=range(first, last + 1)), inside)
        else:
            yield from _of_node(child, here, inside)


def _statements(statement: ast.stmt) -> Iterator[ast.stmt]:
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for child in getattr(statement, name, []):
            yield from [child] if isinstance(child, ast.stmt) else child.body


def _children(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant() | ast.JoinedStr():
            return
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from node.args.defaults
            yield from (default for default in node.args.kw_defaults if default is not None)
            yield from without_docstring(node.body)
        case ast.ClassDef():
            yield from without_docstring(node.body)
        case ast.AnnAssign():
            if node.value is not None and not (isinstance(node.target, ast.Name) and node.target.id in UNJUDGED):
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


def without_docstring(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
            yield statement


def _is_changed(node: ast.AST) -> bool:
    match node:
        case ast.Compare(ops=[op]):
            return type(op) in COMPARISONS
        case ast.BinOp(op=op):
            return type(op) in ARITHMETIC
        case ast.UnaryOp(op=ast.Not() | ast.USub()) | ast.Constant(value=bool() | int() | float()):
            return True
        case ast.Constant(value=str(text)):
            return bool(text)
        case ast.Return(value=value):
            return value is not None and not (isinstance(value, ast.Constant) and value.value is None)
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return False
        case ast.BoolOp() | ast.Break() | ast.Continue() | ast.If() | ast.IfExp() | ast.While():
            return True
        case ast.Expr(value=ast.Call()) | ast.AugAssign():
            return True
        case _:
            return False


def change(node: ast.AST) -> None:
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


def codes(code: CodeType) -> Iterator[CodeType]:
    """Of all functions in it, at any depth."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes(constant)


def is_kept(mutation: Mutation, imported: Collection[str]) -> bool:
    """Whether what the changed statement of a module makes may be kept where putting its tables in place does not reach: in
    classes, in what was made of it elsewhere (`imported`: names that other modules take from this one), in functions' defaults."""
    if not isinstance(mutation.scope.top, ast.Assign | ast.AnnAssign):
        return True
    tables = [each for each in mutation.tree.body if isinstance(each, ast.Assign | ast.AnnAssign)]
    made = _bound(mutation.scope.top)
    while (
        more := set[str]().union(*(_bound(each) for each in tables if each.value and _named(each.value) & made)) - made
    ):
        made |= more  # tables of tables
    outside = [each for each in mutation.tree.body if each not in tables]
    return bool(made & set(imported)) or any(made & _named_on_import(each) for each in outside)


def _bound(statement: ast.Assign | ast.AnnAssign) -> set[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    return set[str]().union(*map(_named, targets))


def _named(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def _named_on_import(node: ast.AST) -> set[str]:
    """What a statement names but in the bodies of functions."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        found = {node.id} if isinstance(node, ast.Name) else set[str]()
        return found.union(*map(_named_on_import, ast.iter_child_nodes(node)))
    annotations = [each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg) and each.annotation]
    parts = [*node.decorator_list, *node.args.defaults, *(each for each in node.args.kw_defaults if each), *annotations]
    return set[str]().union(*map(_named_on_import, [*parts, *([node.returns] if node.returns else [])]))


def taken(files: Iterable[Path], root: Path) -> dict[str, set[str]]:
    """By module: the names that others import from it."""
    found: dict[str, set[str]] = {}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and module_name(path, root) != node.module:
                found.setdefault(node.module, set()).update(alias.name for alias in node.names)
    return found


def importers(files: Iterable[Path], root: Path) -> dict[str, set[str]]:
    """By module: those that import it, themselves or by way of others; a module imports the packages it is in."""
    direct: dict[str, set[str]] = {module_name(path, root): _imported(path, root) for path in files}
    found: dict[str, set[str]] = {name: set() for name in direct}
    for name in direct:
        reached, todo = set[str](), [name]
        while todo:
            for other in direct.get(todo.pop(), set()) - reached:
                reached.add(other)
                todo.append(other)
        for other in reached:
            found.setdefault(other, set()).add(name)
    return found


def module_name(path: Path, root: Path) -> str:
    return ".".join(part for part in path.relative_to(root).with_suffix("").parts if part != "__init__")


def _imported(path: Path, root: Path) -> set[str]:
    parts = module_name(path, root).split(".")
    found = {".".join(parts[:length]) for length in range(1, len(parts))}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module, *(f"{module}.{alias.name}" for alias in names)}
            case _:
                continue
    return {name for name in found if name.startswith("planner")}
