"""The tables of docs/verdicts.md match the code."""

from __future__ import annotations

import re
from pathlib import Path

from planner.statistics import chances, wilson_interval

PAGE = Path(__file__).parent.parent / "docs" / "verdicts.md"


def percent(share: float) -> str:
    return f"{float(f'{100 * share:.3g}'):g} %"


def intervals() -> str:
    lines = ["| Passed | Rate | 95 % interval of the true rate |", "|---|---|---|"]
    for passed, total in ((1, 1), (3, 3), (5, 5), (10, 10), (18, 20), (90, 100)):
        low, high = wilson_interval(passed, total)
        lines.append(f"| {passed} of {total} | {percent(passed / total)} | {percent(low)} to {percent(high)} |")
    return "\n".join(lines)


def power() -> str:
    rates = (0.5, 0.7, 0.8, 0.9, 1.0)
    lines = ["| Runs | " + " | ".join(f"true rate {percent(rate)}" for rate in rates) + " |", "|---" * 6 + "|"]
    for runs in (5, 11, 20, 50):
        cells: list[str] = []
        for rate in rates:
            passed, failed = chances(rate, runs, 0.8, 0.9)
            cells.append(f"{100 * passed:.0f} / {100 * failed:.0f} %")
        lines.append(f"| {runs} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def test_the_page_shows_what_the_code_computes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    found = dict(re.findall(r"<!-- (intervals|power) -->\n(.*?)\n<!-- end -->", text, re.DOTALL))
    assert found == {"intervals": intervals(), "power": power()}
