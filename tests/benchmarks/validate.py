"""How long validating 10,000 cases takes, in one file and in 1,000 files, against parsing the same bytes and no more.

    uv run --with ruamel.yaml.clib python tests/benchmarks/validate.py

CPU seconds, the best of five. "parse" is libyaml's event stream through ruamel.yaml's C parser, each event looked at by
nobody; "read" is our values with their places; "validate" is everything: cases, prompts, checked expectations.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import process_time

from planner.diagnostics import Diagnostics
from planner.spec import load_plans
from planner.spec.decoding import decode
from planner.spec.model import Project
from planner.spec.parser import parse
from planner.spec.reporting import Reporter

CASES = 10_000
LAYOUTS = {"one file": 1, "1,000 files": 1_000, "20 matrices of 500": 0}
ROUNDS = 5

HEAD = """\
version: 1
plan: p{number}
targets: {{support: {{agent: 12}}}}
vars: {{policy_days: 30}}
defaults: {{runs: 3, expect: [{{check: call, status: completed}}]}}
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


def best(work: Callable[[list[Path]], object], paths: list[Path]) -> float:
    """CPU seconds of the quickest round."""
    times: list[float] = []
    for _ in range(ROUNDS):
        start = process_time()
        work(paths)
        times.append(process_time() - start)
    return min(times)


def bare(paths: list[Path]) -> None:
    parser = import_module("_ruamel_yaml").CParser
    for path in paths:
        next_event = parser(path.read_bytes()).get_event
        while next_event() is not None:
            pass


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


def main() -> None:
    print(f"{'':20} {'bytes':>10} {'parse':>8} {'read':>8} {'validate':>9} {'to parse':>9} {'YAML share':>11}")
    for name, files in LAYOUTS.items():
        with tempfile.TemporaryDirectory() as folder:
            paths = write(Path(folder), files)
            size = sum(path.stat().st_size for path in paths)
            parsed, with_places, validated = best(bare, paths), best(read, paths), best(validate, paths)
        print(
            f"{name:20} {size:>10,} {parsed:>7.2f}s {with_places:>7.2f}s {validated:>8.2f}s"
            f" {validated / parsed:>8.1f}× {min(1, with_places / validated):>10.0%}"
        )


if __name__ == "__main__":
    main()
