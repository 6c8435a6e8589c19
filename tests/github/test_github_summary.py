"""A summary stays within the limit, and a cut one still renders and still shows the next steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.github.publish import SUMMARY_LIMIT_BYTES, append_summary, cut_in_the_middle

REPORT = (
    "# 2 regressed, 1 fixed\n\n"
    + "".join(f"| case-{number} | failed |\n" for number in range(60))
    + "\n## Next steps\n\nRun it again.\n"
)


def test_a_text_that_fits_is_unchanged() -> None:
    assert cut_in_the_middle(REPORT, limit_bytes=len(REPORT)) == REPORT


def test_a_long_text_keeps_its_headline_and_its_last_section() -> None:
    cut = cut_in_the_middle(REPORT, limit_bytes=512)
    assert cut.startswith("# 2 regressed, 1 fixed\n\n| case-0 | failed |\n| case-1 | failed |\n")
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
    assert path.read_text().startswith(first + "# 2 regressed, 1 fixed\n")


def test_a_full_summary(tmp_path: Path) -> None:
    """A short text that fits is still written."""
    path = tmp_path / "summary.md"
    path.write_text("x" * (SUMMARY_LIMIT_BYTES - 100))
    assert not append_summary(path, REPORT)
    assert path.stat().st_size == SUMMARY_LIMIT_BYTES - 100
    assert append_summary(path, "short")


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    append_summary(tmp_path / "summary.md", "a\ud800b")
    assert (tmp_path / "summary.md").read_text() == "a?b\n\n"


def test_an_unwritable_summary_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        append_summary(tmp_path, "text")
