"""How long validating 10,000 cases takes, in one file and in 1,000 files, against parsing the same bytes and no more.

    uv run --group lint python tests/benchmarks/validate.py

CPU seconds, the best of five rounds in which all take turns, the cyclic garbage collector off for all alike. What C does with
the same bytes, through PyYAML's binding of libyaml:

  tokens   libyaml alone: it parses, and nothing of it is handed to Python
  events   each event becomes a Python object with two marks; nobody looks at them
  nodes    the events become a tree of nodes with marks: what a validator that reports places needs at least
  values   the nodes become dicts, lists, texts and numbers, as yaml.CSafeLoader gives them; the places are lost

And what planner does: "read" is values with their places, "validate" is everything: cases, prompts, checked expectations.
Nobody validates with less than nodes: each message names a place. So "validate" is compared with "nodes";
the others are there for those who would call something else bare parsing.
`check-jsonschema`, with plan.schema.json and the same files, is run as a command, as is `planner validate`: it reads YAML,
checks it against the schema, and knows no places, templates, matrices or expectations.
"""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter, process_time

from yaml import CBaseLoader, CSafeLoader

from planner.diagnostics import Diagnostics
from planner.planfile.load import load_plans
from planner.planfile.model import Project
from planner.planfile.reporter import Reporter
from planner.planfile.yaml.reading import decode, parse

SCHEMA = Path(__file__).parents[2] / "schemas" / "plan.schema.json"
CASES = 10_000
LAYOUTS = {"one file": 1, "1,000 files": 1_000, "20 matrices of 500": 0}
ROUNDS = 5

HEAD = """\
version: 1
plan: p{number}
targets: {{support: {{agent: 12}}}}
vars: {{policy_days: 30}}
defaults: {{runs: 1, expect: [{{check: call, status: completed}}]}}
scenarios:
"""
SCENARIO = """\
  case-{number}:
    description: A caller asks how long they have.
    tags: [policy]
    prompt: |
      You are Ana, customer number {number}. You have {{{{ policy_days }}}} days in mind.
      Ask how many days you have to return order {number}, and say thanks.
    expect:
      - {{check: says, any_of: ["{{{{ policy_days }}}} days", "thirty days"]}}
      - {{check: duration, max_seconds: 180}}
      - check: tool_called
        name: lookup_order
        arguments: {{order_id: "{number}"}}
"""
MATRIX = """\
  matrix-{number}:
    prompt: You are {{{{ mood }}}} and ask for order {{{{ order }}}} within {{{{ policy_days }}}} days.
    matrix: {{axes: {{mood: [calm, furious, sad, happy, loud], order: [{orders}]}}}}
    expect:
      - {{check: says, any_of: ["order {{{{ order }}}}"]}}
      - {{check: tool_called, name: lookup_order, arguments: {{order_id: "{{{{ order }}}}"}}}}
"""


def write(folder: Path, files: int) -> list[Path]:
    """Plans with 10,000 cases together; none in a file of its own means 20 matrices in one."""
    paths: list[Path] = []
    for number in range(max(1, files)):
        if files:
            each = CASES // files
            scenarios = "".join(SCENARIO.format(number=case) for case in range(number * each, (number + 1) * each))
        else:
            orders = ", ".join(f"A{order}" for order in range(100))
            scenarios = "".join(MATRIX.format(number=matrix, orders=orders) for matrix in range(20))
        path = folder / f"plan-{number}.yaml"
        path.write_text(HEAD.format(number=number) + scenarios)
        paths.append(path)
    return paths


def tokens(paths: list[Path]) -> None:
    for path in paths:
        CBaseLoader(path.read_bytes()).raw_parse()


def events(paths: list[Path]) -> None:
    for path in paths:
        next_event = CBaseLoader(path.read_bytes()).get_event
        while next_event() is not None:
            pass


def nodes(paths: list[Path]) -> None:
    for path in paths:
        CSafeLoader(path.read_bytes()).get_single_node()


def values(paths: list[Path]) -> None:
    for path in paths:
        CSafeLoader(path.read_bytes()).get_single_data()


def read(paths: list[Path]) -> None:
    reporter = Reporter(Diagnostics())
    for path in paths:
        source = decode(path.read_bytes(), path.name, reporter)
        if source is not None:
            parse(source, reporter)


def validate(paths: list[Path]) -> None:
    plans, diagnostics = load_plans(paths, cwd=paths[0].parent, project=Project())
    if len(diagnostics) or sum(len(plan.cases) for plan in plans) != CASES:
        raise SystemExit("the benchmark's own plans are wrong")


BARE: tuple[Callable[[list[Path]], None], ...] = (tokens, events, nodes, values)
OURS: tuple[Callable[[list[Path]], None], ...] = (read, validate)


def best(paths: list[Path]) -> Mapping[str, float]:
    """CPU seconds of the quickest round of each."""
    times = {work.__name__: float("inf") for work in (*BARE, *OURS)}
    for _ in range(ROUNDS):
        for work in (*BARE, *OURS):
            gc.collect()
            gc.disable()
            start = process_time()
            work(paths)
            times[work.__name__] = min(times[work.__name__], process_time() - start)
            gc.enable()
    return times


def command(*arguments: str | Path, folder: Path) -> tuple[float, float]:
    """Seconds of CPU, and by the clock, of a command from start to end, each the best of three."""
    cpu = wall = float("inf")
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir(), "planner-benchmark-bytecode"))}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    for _ in range(3):
        start = perf_counter()
        process = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.DEVNULL, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        wall = min(wall, perf_counter() - start)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{arguments[0]} ended with exit code {process.returncode}")
        cpu = min(cpu, used.ru_utime + used.ru_stime)
    return cpu, wall


def main() -> None:
    checker = shutil.which(
        "check-jsonschema", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    for name, files in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root, "plans")
            folder.mkdir()
            paths = write(folder, files)
            print(
                f"{name}: {len(paths):,} files, {sum(path.stat().st_size for path in paths):,} bytes, {CASES:,} cases"
            )
            times = best(paths)
            for work, seconds in times.items():
                print(f"  {work:30} {seconds:>7.3f} s    validate is {times['validate'] / seconds:>6.1f} × this")
            compare(paths, checker)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "plans")
        folder.mkdir()
        path = folder / "plan.yaml"
        path.write_text(HEAD.format(number=0) + SCENARIO.format(number=0))
        print("one case: what starting takes")
        compare([path], checker)


def compare(paths: list[Path], checker: str | None) -> None:
    """Both as commands, from their start to their end."""
    folder = paths[0].parents[1]
    validating = (sys.executable, "-m", "planner", "validate", "plans")
    planner, wall = command(*validating, folder=folder)
    print(f"  {'planner validate, as a command':30} {planner:>7.3f} s")
    print(f"  {'  by the clock':30} {wall:>7.3f} s")
    if checker is not None:
        relative = [path.relative_to(folder) for path in paths]
        other, _ = command(checker, "--schemafile", SCHEMA, *relative, folder=folder)
        print(f"  {'check-jsonschema, as a command':30} {other:>7.3f} s    {other / planner:.1f} × planner validate")


if __name__ == "__main__":
    main()
