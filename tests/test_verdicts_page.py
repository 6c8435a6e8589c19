"""The table of docs/verdicts.md matches the code."""

from __future__ import annotations

import re
from pathlib import Path

from planner.statistics import wilson_interval

PAGE = Path(__file__).parent.parent / "docs" / "verdicts.md"


def percent(share: float) -> str:
    return f"{float(f'{100 * share:.3g}'):g} %"


def intervals() -> str:
    lines = ["| Passed | Rate | 95 % interval of the true rate |", "|---|---|---|"]
    for passed, total in ((1, 1), (3, 3), (5, 5), (10, 10), (18, 20), (90, 100)):
        low, high = wilson_interval(passed, total)
        lines.append(f"| {passed} of {total} | {percent(passed / total)} | {percent(low)} to {percent(high)} |")
    return "\n".join(lines)


def test_the_page_shows_what_the_code_computes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"<!-- intervals -->\n(.*?)\n<!-- end -->", text, re.DOTALL) == [intervals()]
