"""What each command leaves behind on GitHub, and that telling GitHub never fails a command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.changes.model import MICROCENTS, ChangeSet, PlanVotes, VoteEstimate
from planner.ci.publish import (
    SUMMARY_LIMIT_BYTES,
    Publisher,
    append_outputs,
    append_summary,
    change_set_outputs,
    cut_in_the_middle,
    publisher,
    run_outputs,
)
from planner.diagnostics import Diagnostics, Span
from planner.errors import RefusedError
from planner.reports.neutral import printable
from planner.results.judge_documents import JudgeCost
from planner.results.model import RunResult
from planner.results.money_documents import CostDocument


@pytest.fixture
def log() -> list[str]:
    """The lines written to the job's log."""
    return []


@pytest.fixture
def here(step_env: dict[str, str], tmp_path: Path, log: list[str], new_delimiter: Callable[[], str]) -> Publisher:
    """A publisher that works in the folder `voice` of the checkout."""
    (tmp_path / "voice").mkdir()
    return publisher(step_env, working_directory=tmp_path / "voice", write_line=log.append, new_delimiter=new_delimiter)


def test_diagnostics_are_annotated_and_listed(
    here: Publisher, log: list[str], tmp_path: Path, diagnostics: Diagnostics
) -> None:
    """All of them are in the summary, with nothing in it that a plan could have smuggled in."""
    diagnostics.error("bad|code", "Bad", "<img src=x> @acme/voice `x`", Span("plans/`b`.yaml", 1, 1, 1, 2))
    here.diagnostics(diagnostics)
    assert [line.split(",")[0] for line in log] == [
        "::error file=voice/plans/`b`.yaml",
        "::error file=voice/plans/a.yaml",
        "::warning file=voice/plans/a.yaml",
    ]
    assert (tmp_path / "summary.md").read_text().replace("\u200b", "·") == snapshot("""\
### ❌ Nothing can be called: the plans have 2 errors and 1 warning

- ``plans/`b`.yaml:1:1`` **error** Bad (`bad|code`)  \n\
  &lt;img src=x&gt; @·acme/voice `x`
- `plans/a.yaml:9:5` **error** Unknown key (`unknown-key`)  \n\
  scenario has no key prompts.
- `plans/a.yaml:3:7` **warning** Unused variable (`unused-var`)  \n\
  policy\\_days is used nowhere.

""")


def test_diagnostics_without_an_error(here: Publisher, log: list[str], tmp_path: Path) -> None:
    here.diagnostics(Diagnostics())
    assert (log, (tmp_path / "summary.md").exists()) == ([], False)
    found = Diagnostics()
    found.warning("w", "Warned", "d", Span("a.yaml", 1, 1, 1, 2))
    here.diagnostics(found)
    assert (tmp_path / "summary.md").read_text().startswith("### The plans have 1 warning\n")


def test_a_change_set_writes_summary_and_outputs(
    here: Publisher, log: list[str], tmp_path: Path, change_set: ChangeSet
) -> None:
    """And no annotation: that calls would be made is no fault."""
    here.change_set(change_set, "# 11 calls\n")
    here.exit_code(0)
    assert log == []
    assert (tmp_path / "summary.md").read_text() == "# 11 calls\n\n"
    assert (tmp_path / "output").read_text() == snapshot("""\
digest<<end-1
sha256:9999999999999999999999999999999999999999999999999999999999999999
end-1
calls<<end-2
11
end-2
rechecks<<end-3
0
end-3
votes<<end-4
0
end-4
expected-cents<<end-5
176
end-5
low-cents<<end-6
144
end-6
high-cents<<end-7
240
end-7
exit-code<<end-8
0
end-8
""")


def test_a_result_writes_summary_and_outputs(
    here: Publisher, log: list[str], tmp_path: Path, make_result: Callable[..., RunResult]
) -> None:
    """The report in the summary, verdict and bill as outputs."""
    here.result(make_result(), "# 1 failed\n", report_dir="reports")
    assert log == []
    assert (tmp_path / "summary.md").read_text() == "# 1 failed\n\n"
    assert "outcome<<end-1\nfailed\nend-1\n" in (tmp_path / "output").read_text()


@pytest.mark.parametrize(
    ("hint", "line"),
    [
        ("Add --consent-to-charge.", "::error::consent withheld%0AAdd --consent-to-charge."),
        ("", "::error::consent withheld"),
    ],
)
def test_an_error_is_an_annotation(here: Publisher, log: list[str], hint: str, line: str) -> None:
    """With what to do, where there is something to do."""
    here.error(RefusedError("consent withheld", hint))
    assert log == [line]


def test_an_unwritable_file_is_a_warning(
    here: Publisher, log: list[str], tmp_path: Path, change_set: ChangeSet
) -> None:
    """The calls are paid for: a full disk on the runner must not turn a passed run into a failed one."""
    (tmp_path / "summary.md").mkdir()
    (tmp_path / "output").mkdir()
    here.change_set(change_set, "# 11 calls\n")
    assert log == [
        "::warning::the job summary could not be written: Is a directory",
        "::warning::the step's outputs could not be written: Is a directory",
    ]


def test_a_full_summary_is_a_warning(here: Publisher, log: list[str], tmp_path: Path, change_set: ChangeSet) -> None:
    """Because GitHub would not."""
    (tmp_path / "summary.md").write_text("x" * 1024 * 1024)
    here.change_set(change_set, "# 11 calls\n")
    assert log == ["::warning::the job summary of this step is full (1 MiB): see the report files for the rest"]


def test_without_files_only_annotations_are_written(
    log: list[str], change_set: ChangeSet, new_delimiter: Callable[[], str], tmp_path: Path
) -> None:
    """Older self-hosted runners set neither variable."""
    found = publisher(
        {"GITHUB_ACTIONS": "true"}, working_directory=tmp_path, write_line=log.append, new_delimiter=new_delimiter
    )
    found.change_set(change_set, "# 11 calls\n")
    found.error(RefusedError("no"))
    assert log == ["::error::no"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("folder", "prefix"), [(".", ""), ("a/b", "a/b/"), ("..", ""), ("a/../a", "a/")])
def test_path_prefix(
    step_env: dict[str, str], tmp_path: Path, new_delimiter: Callable[[], str], folder: str, prefix: str
) -> None:
    """A folder outside of the checkout has none."""
    (tmp_path / "a/b").mkdir(parents=True)
    found = publisher(step_env, working_directory=tmp_path / folder, write_line=print, new_delimiter=new_delimiter)
    assert found.path_prefix == prefix


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
    append_summary(tmp_path / "summary.md", "a\ud800b")
    assert (tmp_path / "summary.md").read_text() == "a?b\n\n"


def test_an_unknown_price_is_empty_not_zero(change_set: ChangeSet, make_result: Callable[..., RunResult]) -> None:
    """In the change set and in the results alike."""
    unknown = replace(change_set.estimate, expected_cents=None, low_cents=None, high_cents=None)
    outputs = change_set_outputs(replace(change_set, estimate=unknown))
    assert (outputs["expected-cents"], outputs["low-cents"], outputs["high-cents"]) == ("", "", "")
    cost = CostDocument(estimated_cents=None, actual_cents=0, this_session_cents=0, unconfirmed_cents=0)
    assert run_outputs(make_result(cost=cost), report_dir="reports")["expected-cents"] == ""


def test_outputs_include_judge_calls(change_set: ChangeSet, make_result: Callable[..., RunResult]) -> None:
    """`high-cents` is a value for `max-cost`, which covers them too."""
    by_plan = {"hours": PlanVotes(20 * MICROCENTS, 50 * MICROCENTS)}
    plain = change_set_outputs(change_set)
    asking = change_set_outputs(replace(change_set, votes=VoteEstimate("m", 6, 6, 0, free=False, by_plan=by_plan)))
    assert [int(asking[name]) - int(plain[name]) for name in ("expected-cents", "high-cents")] == [20, 50]
    result = make_result()
    judge = JudgeCost(
        model="m", votes=6, estimated_cents=20, actual_cents=30, this_session_cents=25, unconfirmed_cents=4
    )
    outputs = run_outputs(make_result(cost=result.cost.model_copy(update={"judge": judge})), report_dir="out/reports")
    names = ("expected-cents", "cost-cents", "unconfirmed-cents")
    assert [int(outputs[name]) for name in names] == [64 + 20, 48 + 25, 16 + 4]


def test_outputs_of_a_result(make_result: Callable[..., RunResult]) -> None:
    """The cost is this session's 48 cents, not the change set's 80, so that jobs can be summed."""
    assert run_outputs(make_result(), report_dir="out/reports") == snapshot(
        {
            "outcome": "failed",
            "digest": "sha256:9999999999999999999999999999999999999999999999999999999999999999",
            "expected-cents": "64",
            "cost-cents": "48",
            "unconfirmed-cents": "16",
            "report-dir": "out/reports",
        }
    )


REPORT = (
    "# 2 regressed, 1 improved\n\n"
    + "".join(f"| case-{number} | failed |\n" for number in range(60))
    + "\n## Next steps\n\nRun it again.\n"
)


def test_a_text_that_fits_is_unchanged() -> None:
    assert cut_in_the_middle(REPORT, limit_bytes=len(REPORT)) == REPORT


def test_a_long_text_keeps_its_headline_and_its_last_section() -> None:
    cut = cut_in_the_middle(REPORT, limit_bytes=512)
    assert cut.startswith("# 2 regressed, 1 improved\n\n| case-0 | failed |\n| case-1 | failed |\n")
    assert "failed |\n\n> ✂ " in cut
    assert cut.endswith("\n\n## Next steps\n\nRun it again.\n")
    assert len(cut.encode()) <= 512


def test_a_block_that_does_not_fit_is_left_out() -> None:
    """Otherwise the note would be inside the code fence or the `<details>`."""
    text = (
        "# Head\n\n<details><summary>all</summary>\n\n````diff\n"
        + "+ a line\n```\n" * 100
        + "````\n\n</details>\n\n## End\n\nBye.\n"
    )
    before, after = cut_in_the_middle(text, limit_bytes=600).split("> ✂")
    assert before == "# Head\n\n\n"
    assert after.endswith("## End\n\nBye.\n")


def test_a_heading_inside_a_fence_is_not_a_section() -> None:
    text = "# Head\n\n" + "word\n" * 300 + "```\n## not a heading\n```\n"
    cut = cut_in_the_middle(text, limit_bytes=600)
    assert "not a heading" not in cut
    assert cut.endswith("The report files are complete.\n\n")
    assert len(cut.encode()) <= 600


def test_summaries_are_separated_by_a_blank_line(tmp_path: Path) -> None:
    """Two commands of one step share a file."""
    path = tmp_path / "summary.md"
    assert append_summary(path, "# One\n")
    assert append_summary(path, "# Two")
    assert path.read_text() == "# One\n\n# Two\n\n"


def test_the_limit_includes_earlier_summaries(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    first = "x" * (SUMMARY_LIMIT_BYTES - 1000)
    path.write_text(first)
    assert append_summary(path, REPORT)
    assert path.stat().st_size <= SUMMARY_LIMIT_BYTES
    assert path.read_text().startswith(first + "# 2 regressed, 1 improved\n")


def test_a_full_summary(tmp_path: Path) -> None:
    """A short text that fits is still written."""
    path = tmp_path / "summary.md"
    path.write_text("x" * (SUMMARY_LIMIT_BYTES - 100))
    assert not append_summary(path, REPORT)
    assert path.stat().st_size == SUMMARY_LIMIT_BYTES - 100
    assert append_summary(path, "short")
