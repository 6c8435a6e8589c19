"""The README's regressed world: its twelve failing cases are called regressed, wherever people read it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

PLANS = Path(__file__).parents[3] / "plans"
RUN = ("run", "plans/orders.yaml", "--sandbox", "--consent-to-charge")


def test_twelve_cases_regressed(project: Project) -> None:
    shutil.copytree(PLANS, project.root / "plans", dirs_exist_ok=True)
    assert project.planner(*RUN).code == 0
    ran = project.planner(*RUN, "--world", "regressed")
    results = project.results()
    regressed = [case for case in results["cases"] if case["compared"] == "regressed"]
    failed = [case for case in results["cases"] if case["outcome"] == "failed"]
    assert (ran.code, len(regressed), len(failed)) == (1, 12, 12)
    assert {case["case_id"] for case in regressed} == {case["case_id"] for case in failed}
    assert results["suite"]["compared"] == "worse"
    assert "12 regressed, 21 unchanged" in ran.out
    report = (project.root / "reports" / "report.md").read_text(encoding="utf-8")
    assert "- **Changed:** 12 regressed, 21 unchanged" in report
    offline = project.planner("run", "plans/orders.yaml", "--sandbox", "--world", "regressed", "--offline")
    assert offline.code == 1
    assert re.search(r"^Suite +\d+ cases compared", offline.out, re.MULTILINE)
