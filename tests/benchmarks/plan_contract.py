"""What plans mean to users: case ids, fingerprints, and codes and places of diagnostics. Compare before and after a change.

    python tests/benchmarks/plan_contract.py record OUT.json FOLDER [MUTANTS]            what this checkout says
    python tests/benchmarks/plan_contract.py compare BEFORE.json AFTER.json              every difference; exit code 1 if any

Recorded are the example plans, the example of each rule (broken and fixed), a folder of plans of your own, and so many
damaged plans (tests/support/mutants.py).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from mutants import Mutants

from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.planfile.examples import examples
from planner.planfile.files import misplaced_projects, plan_files
from planner.planfile.load import load_files
from planner.planfile.project import load_project

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 25)

Files = Mapping[str, bytes]


def folders(retail: Path, mutants: int) -> Iterator[tuple[str, Files, str | None]]:
    """Name, files and environment of everything that is looked at."""
    plans = {str(path.relative_to(ROOT)): path.read_bytes() for path in (ROOT / "plans").rglob("*") if path.is_file()}
    for extra in ("planner.yaml", "recorded-votes.jsonl"):
        if (ROOT / extra).is_file():
            plans[extra] = (ROOT / extra).read_bytes()
    yield "plans", plans, None
    yield "retail", {path.name: path.read_bytes() for path in sorted(retail.glob("*.yaml"))}, None
    for code, example in sorted(examples().items()):
        beside = {name: text.encode() for name, text in example.beside.items()}
        for part, texts in (("broken", example.broken), ("fixed", example.fixed)):
            yield f"{code}: {part}", beside | {name: text.encode() for name, text in texts.items()}, example.environment
    for number, mutant in enumerate(Mutants(1).take(mutants)):
        yield f"mutant {number}: {mutant.how}", mutant.files, None


def meaning(folder: Path, environment: str | None) -> dict[str, Any]:
    """Cases and diagnostics of the plans in a folder."""
    (folder / ".git").mkdir()
    project, found = load_project(folder, cwd=folder)
    known = [name for name, _ in project.environments]
    try:
        parents = {path.parent for path in plan_files([folder])}
    except Exception as error:  # noqa: BLE001 - a fact to compare
        return {"error": type(error).__name__}
    found.items.extend(misplaced_projects(folder, parents, cwd=folder).items)
    environment = environment if environment in known else None
    plans, _, others, _ = load_files([Path()], cwd=folder, project=project, environment=environment, today=TODAY)
    return {
        "cases": {
            case.case_id: [call_fingerprint(case_inputs(case, None)), check_fingerprint(case), case.runs]
            for plan in plans
            for case in plan.cases
        },
        "diagnostics": sorted(
            f"{item.severity.value} {item.code} {item.span.file}:{item.span.line}:{item.span.column}"
            for item in [*found, *others]
        ),
    }


def record(retail: Path, mutants: int) -> dict[str, Any]:
    recorded: dict[str, Any] = {}
    for name, files, environment in folders(retail, mutants):
        with tempfile.TemporaryDirectory() as path:
            folder = Path(path).resolve()
            for file, content in files.items():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_bytes(content)
            recorded[name] = meaning(folder, environment)
    return recorded


def compare(before: dict[str, Any], after: dict[str, Any]) -> int:
    """Print every difference; how many there are."""
    count = 0
    for name in before.keys() | after.keys():
        old, new = before.get(name, {}), after.get(name, {})
        if old == new:
            continue
        count += 1
        print(name)
        cases, others = old.get("cases", {}), new.get("cases", {})
        for case_id in sorted(cases.keys() | others.keys()):
            if cases.get(case_id) != others.get(case_id):
                print(f"  case {case_id}: {cases.get(case_id)} -> {others.get(case_id)}")
        for sign, these, those in (("-", old, new), ("+", new, old)):
            for line in these.get("diagnostics", [these.get("error")]):
                if line not in those.get("diagnostics", [those.get("error")]):
                    print(f"  {sign} {line}")
    print(f"{count} of {len(before)} differ")
    return count


def main(arguments: list[str]) -> int:
    match arguments:
        case ["record", out, retail, *count]:
            recorded = record(Path(retail), int(count[0]) if count else 1_000)
            Path(out).write_text(json.dumps(recorded, indent=1, ensure_ascii=False), encoding="utf-8")
            return 0
        case ["compare", before, after]:
            return min(1, compare(*(json.loads(Path(path).read_text(encoding="utf-8")) for path in (before, after))))
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
