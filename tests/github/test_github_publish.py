"""What each command leaves behind on GitHub, and that telling GitHub never fails a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from planner.changes.model import ChangeSet
from planner.diagnostics import Diagnostics, Span
from planner.errors import RefusedError
from planner.github.publish import Publisher, publisher
from planner.results.model import CaseResult, Run, RunResult


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
## Nothing was called: the plans have 2 errors and 1 warning

- ``plans/`b`.yaml:1:1`` **error** Bad (`bad|code`)  \n\
  &lt;img src=x&gt; @·acme/voice `x`
- `plans/a.yaml:3:7` **warning** Unused variable (`unused-var`)  \n\
  policy\\_days is used nowhere.
- `plans/a.yaml:9:5` **error** Unknown key (`unknown-key`)  \n\
  scenario has no key prompts.

""")


def test_heading_for_warnings_only(here: Publisher, tmp_path: Path) -> None:
    """They stop nothing."""
    found = Diagnostics()
    found.warning("w", "Warned", "d", Span("a.yaml", 1, 1, 1, 2))
    here.diagnostics(found)
    assert (tmp_path / "summary.md").read_text().startswith("## The plans have 1 warning\n")


def test_no_diagnostics_write_nothing(here: Publisher, log: list[str], tmp_path: Path) -> None:
    """Not even an empty summary."""
    here.diagnostics(Diagnostics())
    assert log == []
    assert not (tmp_path / "summary.md").exists()


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


def test_a_result_writes_annotations_summary_and_outputs(
    here: Publisher,
    log: list[str],
    tmp_path: Path,
    make_case: Callable[..., CaseResult],
    make_run: Callable[..., Run],
    make_result: Callable[..., RunResult],
) -> None:
    """Annotations on the failed lines, the report in the summary, verdict and bill as outputs."""
    result = make_result(make_case(outcome="failed", runs=[make_run(1, polite=("failed", "error"))]))
    here.result(result, "# 1 failed\n", report_dir="reports")
    assert [line.split("::")[1] for line in log] == [
        "error file=voice/plans/refunds.yaml,line=22,title=polite failed in 1 of 1 run%3A refunds/late-order@support"
    ]
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
