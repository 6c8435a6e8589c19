"""Tests of the examples in docs/judge.md."""

from __future__ import annotations

import re
from pathlib import Path

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

PAGE = Path(__file__).parents[2] / "docs" / "judge.md"


def test_the_example_is_valid_and_priced(project: Project) -> None:
    """As the page says."""
    page = PAGE.read_text(encoding="utf-8")
    project.root.joinpath("plans/hours.yaml").unlink()
    for name, text in re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", page, re.DOTALL):
        project.write(name, text)
    assert project.planner("validate").code == 0
    priced = re.findall(r"`(Judge: [^`]*)`", page)
    planned = project.planner("plan")
    assert planned.code == 0, planned.err
    assert priced[0] in " ".join(planned.out.split())
    project.root.joinpath("planner.yaml").unlink()
    ran = project.planner("run", "--sandbox", "--consent-to-charge")
    assert ran.code == 4
    (case,) = project.results()["cases"]
    findings = {finding["expectation"]: finding for run in case["runs"] for finding in run["findings"]}
    assert {name: finding["outcome"] for name, finding in findings.items()} == dict.fromkeys(
        ("polite", "states-hours"), "undecided"
    )
