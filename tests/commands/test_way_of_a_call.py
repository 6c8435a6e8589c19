"""The list of stops in docs/architecture.md is the way that a call takes: a session is traced, and the next plan."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

ROOT = Path(__file__).parents[2]
MAX_STOPS = 8
"""A stop is a function in another file."""
SESSIONS = (("run", "--consent-to-charge"), ("plan",))


def stops_of_a_call() -> list[tuple[str, str]]:
    """File and function, from the first table below the heading."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("\n**A call**")[2].partition("\n**")[0]
    rows = re.findall(r"^\| \d \| `([\w/.]+)` \| `([\w.]+)` \|", table, re.MULTILINE)
    return [(file, name.rpartition(".")[2]) for file, name in rows]


def test_a_call_takes_the_way_in_the_documentation(project: Project) -> None:
    stops = stops_of_a_call()
    assert 2 <= len(stops) <= MAX_STOPS
    assert len({file for file, _ in stops}) == len(stops)
    wanted = {(str(ROOT / file), name): number for number, (file, name) in enumerate(stops)}
    passed: list[int] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            number = wanted.get((frame.f_code.co_filename, frame.f_code.co_name))
            if number is not None and passed[-1:] != [number]:
                passed.append(number)

    sys.setprofile(note)
    try:
        codes = [project.planner(command, "--sandbox", *options).code for command, *options in SESSIONS]
    finally:
        sys.setprofile(None)
    assert codes == [0, 0]
    reached = 0
    for number in passed:
        reached += number == reached
    assert [stops[number] for number in range(reached, len(stops))] == []
