"""What each command leaves behind on GitHub, and that telling GitHub never fails a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from planner.ci.publish import (
    SUMMARY_LIMIT_BYTES,
    Publisher,
    append_summary,
    cut_in_the_middle,
    publisher,
)
from planner.diagnostics import Diagnostics, Span
from planner.errors import RefusedError
from planner.results.model import RunResult


@pytest.fixture
def log() -> list[str]:
    """The lines written to the job's log."""
    return []


@pytest.fixture
def here(step_env: dict[str, str], tmp_path: Path, log: list[str]) -> Publisher:
    """A publisher that works in the folder `voice` of the checkout."""
    (tmp_path / "voice").mkdir()
    return publisher(step_env, working_directory=tmp_path / "voice", write_line=log.append)


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


def test_a_result_writes_summary_and_output(
    here: Publisher, log: list[str], tmp_path: Path, make_result: Callable[..., RunResult]
) -> None:
    """The report in the summary, the verdict as output; no annotation."""
    here.result(make_result(), "# 1 failed\n")
    assert log == []
    assert (tmp_path / "summary.md").read_text() == "# 1 failed\n\n"
    assert (tmp_path / "output").read_text() == "outcome=failed\n"
    here.result(make_result(), "")
    assert (tmp_path / "output").read_text() == "outcome=failed\noutcome=failed\n"


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
    here: Publisher, log: list[str], tmp_path: Path, make_result: Callable[..., RunResult]
) -> None:
    """The calls are paid for: a full disk on the runner must not turn a passed run into a failed one."""
    (tmp_path / "summary.md").mkdir()
    (tmp_path / "output").mkdir()
    here.result(make_result(), "# 1 failed\n")
    assert log == [
        "::warning::the job summary could not be written: Is a directory",
        "::warning::the step's outputs could not be written: Is a directory",
    ]


def test_a_full_summary_is_a_warning(
    here: Publisher, log: list[str], tmp_path: Path, make_result: Callable[..., RunResult]
) -> None:
    """Because GitHub would not."""
    (tmp_path / "summary.md").write_text("x" * 1024 * 1024)
    here.result(make_result(), "# 1 failed\n")
    assert log == ["::warning::the job summary of this step is full (1 MiB): see the report files for the rest"]


def test_without_files_only_annotations_are_written(
    log: list[str], make_result: Callable[..., RunResult], tmp_path: Path
) -> None:
    """Older self-hosted runners set neither variable."""
    found = publisher({"GITHUB_ACTIONS": "true"}, working_directory=tmp_path, write_line=log.append)
    found.result(make_result(), "# 1 failed\n")
    found.error(RefusedError("no"))
    assert log == ["::error::no"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("folder", "prefix"), [(".", ""), ("a/b", "a/b/"), ("..", ""), ("a/../a", "a/")])
def test_path_prefix(step_env: dict[str, str], tmp_path: Path, folder: str, prefix: str) -> None:
    """A folder outside of the checkout has none."""
    (tmp_path / "a/b").mkdir(parents=True)
    found = publisher(step_env, working_directory=tmp_path / folder, write_line=print)
    assert found.path_prefix == prefix


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    append_summary(tmp_path / "summary.md", "a\ud800b")
    assert (tmp_path / "summary.md").read_text() == "a?b\n\n"


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
