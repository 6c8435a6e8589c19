"""The tables of docs/verdicts.md match the code."""

from __future__ import annotations

import re
from pathlib import Path

from planner.statistics import Counts, wilson_interval
from planner.verdicts.regression import REGRESSED_AT, SUSPECTED_AT, chances, fit

PAGE = Path(__file__).parent.parent / "docs" / "verdicts.md"


def percent(share: float) -> str:
    return f"{float(f'{100 * share:.3g}'):g} %"


def intervals() -> str:
    lines = ["| Passed | Rate | 95 % interval of the true rate |", "|---|---|---|"]
    for passed, total in ((1, 1), (3, 3), (5, 5), (10, 10), (18, 20), (90, 100)):
        low, high = wilson_interval(passed, total)
        lines.append(f"| {passed} of {total} | {percent(passed / total)} | {percent(low)} to {percent(high)} |")
    return "\n".join(lines)


def word(probability: float) -> str:
    if probability >= REGRESSED_AT:
        return "regressed"
    return "may have regressed" if probability >= SUSPECTED_AT else "none"


def regressions() -> str:
    """One case of twelve falls; the others pass all calls, as always."""
    lines = ["| Earlier sessions of the case | Now | Probability that it got worse | Word |", "|---|---|---|---|"]
    rows: tuple[tuple[tuple[Counts, ...], Counts], ...] = (
        (((3, 3),), (0, 3)),
        (((3, 3),), (1, 3)),
        (((3, 3),) * 5, (2, 3)),
        (((3, 3),) * 5, (1, 3)),
        (((3, 3),) * 5, (0, 3)),
        (((2, 3), (3, 3), (3, 3)), (0, 3)),
        (((5, 5), (4, 5), (5, 5), (5, 5), (5, 5)), (3, 5)),
        (((5, 5), (4, 5), (5, 5), (5, 5), (5, 5)), (2, 5)),
        (((5, 5), (4, 5), (5, 5), (5, 5), (5, 5)), (1, 5)),
    )
    names = [f"case-{number}" for number in range(12)]
    for earlier, now in rows:
        steady = dict.fromkeys(names, (now[1], now[1]))
        history = fit([steady | {"case-0": counts} for counts in earlier], {name: name for name in names})
        probability = chances(history, steady | {"case-0": now}).fallen["case-0"]
        shown = ", ".join(f"{passed} of {total}" for passed, total in earlier)
        if set(earlier) == {(3, 3)}:
            shown = "3 of 3 in 1 session" if len(earlier) == 1 else f"3 of 3 in each of {len(earlier)} sessions"
        lines.append(f"| {shown} | {now[0]} of {now[1]} | {probability:.0%} | {word(probability)} |".replace("%", " %"))
    return "\n".join(lines)


def test_the_page_shows_what_the_code_computes() -> None:
    text = PAGE.read_text(encoding="utf-8")
    shown = dict(re.findall(r"<!-- (\w+) -->\n(.*?)\n<!-- end -->", text, re.DOTALL))
    assert shown == {"intervals": intervals(), "regressions": regressions()}
