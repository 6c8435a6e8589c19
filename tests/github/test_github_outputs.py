"""Outputs survive any value, and only what was meant becomes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.changes.model import ChangeSet
from planner.github.publish import append_outputs, change_set_outputs, run_outputs
from planner.reports.neutral import printable
from planner.results.model import CostDocument, RunResult


def read_as_the_runner_does(text: str) -> dict[str, str]:
    """The runner's own reading of the file, in few words: `name<<end`, lines up to `end`."""
    values: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        name, _, end = line.partition("<<")
        assert end, f"not a heredoc: {line!r}"
        value: list[str] = []
        for inner in lines:
            if inner == end:
                break
            value.append(inner)
        values[name] = "\n".join(value)
    return values


def test_outputs_are_appended_as_heredocs(tmp_path: Path, new_delimiter: Callable[[], str]) -> None:
    """What an earlier command wrote stays; each value has an end of its own."""
    path = tmp_path / "output"
    path.write_text("earlier=1\n")
    append_outputs(path, {"outcome": "passed", "report-dir": "reports"}, new_delimiter=new_delimiter)
    assert path.read_text() == snapshot("""\
earlier=1
outcome<<end-1
passed
end-1
report-dir<<end-2
reports
end-2
""")


@given(value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_can_start_another_output(tmp_path: Path, value: str) -> None:
    """The runner reads each value back under its name, without control characters, and no other output."""
    path = tmp_path / "output"
    path.write_text("")
    append_outputs(path, {"report-dir": value}, new_delimiter=lambda: "a-token-nobody-can-guess")
    assert read_as_the_runner_does(path.read_bytes().decode()) == {"report-dir": printable(value)}


def test_lone_surrogates_are_replaced(tmp_path: Path, new_delimiter: Callable[[], str]) -> None:
    append_outputs(tmp_path / "output", {"report-dir": "a\ud800b"}, new_delimiter=new_delimiter)
    assert read_as_the_runner_does((tmp_path / "output").read_text()) == {"report-dir": "a?b"}


def test_outputs_of_a_change_set(change_set: ChangeSet) -> None:
    assert change_set_outputs(change_set) == snapshot(
        {
            "digest": "sha256:9999999999999999999999999999999999999999999999999999999999999999",
            "calls": "11",
            "rechecks": "0",
            "votes": "0",
            "expected-cents": "176",
            "low-cents": "144",
            "high-cents": "240",
        }
    )


def test_an_unknown_price_is_empty_not_zero(change_set: ChangeSet, make_result: Callable[..., RunResult]) -> None:
    """In the change set and in the results alike."""
    unknown = replace(change_set.estimate, expected_cents=None, low_cents=None, high_cents=None)
    outputs = change_set_outputs(replace(change_set, estimate=unknown))
    assert (outputs["expected-cents"], outputs["low-cents"], outputs["high-cents"]) == ("", "", "")
    cost = CostDocument(estimated_cents=None, actual_cents=0, this_invocation_cents=0, ambiguous_cents=0)
    assert run_outputs(make_result(cost=cost), report_dir="reports")["expected-cents"] == ""


def test_outputs_of_a_result(make_result: Callable[..., RunResult]) -> None:
    """The cost is this session's 48 cents, not the change set's 80, so that jobs can be summed."""
    assert run_outputs(make_result(), report_dir="out/reports") == snapshot(
        {
            "outcome": "failed",
            "digest": "sha256:9999999999999999999999999999999999999999999999999999999999999999",
            "expected-cents": "64",
            "cost-cents": "48",
            "ambiguous-cents": "16",
            "report-dir": "out/reports",
        }
    )
