"""Clock, sleep, environment and randomness come in from the composition root; nothing else in the package reaches for them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "planner"
AMBIENT = {
    "anyio": {"sleep", "sleep_until", "sleep_forever", "current_time"},
    "asyncio": {"sleep"},
    "datetime.date": {"today"},
    "datetime.datetime": {"now", "today", "utcnow"},
    "getpass": {"*"},
    "os": {
        "environ", "environb", "getcwd", "getenv", "getlogin", "getpid", "getppid", "getrandom", "get_terminal_size", "times",
        "uname", "urandom",
    },
    "pathlib.Path": {"cwd", "expanduser", "home"},
    "platform": {"*"},
    "random": {"*"},
    "secrets": {"*"},
    "shutil": {"get_terminal_size"},
    "socket": {"gethostname", "getfqdn"},
    "sys": {"argv", "stdin", "stdout", "stderr"},
    "time": {"*"},
    "uuid": {"getnode", "uuid1", "uuid4"},
}  # fmt: skip
"""By module or class: its members that read the environment or let time pass. `*`: anything."""
PURE = {"random.Random"}
"""A generator with a seed is as good as its seed, which is passed in; one without is found below."""
ALLOWED = {
    "__main__.py": {"os.environ", "sys.argv", "sys.stderr", "sys.stdout"},
    "cli/system.py": {
        "datetime.datetime.now", "os.environ", "os.getpid", "pathlib.Path.cwd", "platform.node", "secrets.randbelow",
        "secrets.token_hex", "shutil.get_terminal_size", "sys.stderr", "sys.stdout", "time.monotonic", "time.sleep", "anyio.sleep",
    },
    "cli/error_handler.py": {"os.environ", "sys.stderr", "sys.stdout"},
    # A server of its own, a separate program: `planner` passes it a clock; its default, a slow answer and the secret that signs
    # its addresses are its own.
    "sandbox/service/app.py": {"asyncio.sleep"},
    "sandbox/sandbox.py": {"os.urandom", "time.time"},
}  # fmt: skip
"""The composition root, file by file."""


def reached_for(source: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything ambient that the source names, however it was imported."""
    tree = ast.parse(source)
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known.update(
                {
                    name.asname or name.name.partition(".")[0]: (name.asname and name.name)
                    or name.name.partition(".")[0]
                    for name in node.names
                }
            )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            known.update({name.asname or name.name: f"{node.module}.{name.name}" for name in node.names})
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and (dotted := _dotted(node, known)) is not None:
            owner, _, name = dotted.rpartition(".")
            if dotted not in PURE and ({name, "*"} & AMBIENT.get(owner, set())):
                yield node.lineno, dotted
        if isinstance(node, ast.Call) and not node.args and _dotted(node.func, known) == "random.Random":
            yield node.lineno, "random.Random"


def _dotted(node: ast.expr, known: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value, known)
        return None if owner is None else f"{owner}.{node.attr}"
    return None


def test_nothing_ambient_is_used_outside_of_the_composition_root() -> None:
    """Every use is on the list above, and the list has nothing that is not used."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for _, name in reached_for(path.read_text(encoding="utf-8")):
            found.setdefault(path.relative_to(PACKAGE).as_posix(), set()).add(name)
    assert found == ALLOWED


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import time\ntime.sleep(1)", ["time.sleep"]),
        ("import time as t\nt.time_ns()", ["time.time_ns"]),
        ("from time import monotonic as m\nclock = m", ["time.monotonic"]),
        ("from datetime import UTC, datetime\ndatetime.now(UTC)", ["datetime.datetime.now"]),
        ("import datetime\ndatetime.date.today()", ["datetime.date.today"]),
        ("import os\nos.environ.get('A')", ["os.environ"]),
        ("def late():\n    from os import getenv\n    return getenv('A')", ["os.getenv"]),
        ("import random\nrandom.Random(0)\nrandom.Random()\nrandom.shuffle([])", ["random.Random", "random.shuffle"]),
        ("from uuid import UUID, uuid4\nUUID('0')\nuuid4()", ["uuid.uuid4"]),
        ("import anyio\nawait_ = anyio.sleep", ["anyio.sleep"]),
        ("def f(clock, sleep):\n    sleep(clock.now())", []),
    ],
)
def test_ambient_access_is_found(source: str, names: list[str]) -> None:
    """However it is imported and wherever; what is passed in is not."""
    assert sorted(name for _, name in reached_for(source)) == names
