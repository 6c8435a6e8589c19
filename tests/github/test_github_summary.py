"""A summary never grows over the limit, and a cut one still renders and still says how to go on."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot
from markdown_it import MarkdownIt

from planner.github.summary import SUMMARY_LIMIT_BYTES, append_summary, cut_in_the_middle

REPORT = (
    "# 2 regressed, 1 fixed\n\n"
    + "".join(f"| case-{number} | failed |\n" for number in range(60))
    + "\n## Next steps\n\nRun it again.\n"
)


def test_what_fits_is_left_as_it_is() -> None:
    """To the last byte."""
    assert cut_in_the_middle(REPORT, limit_bytes=len(REPORT)) == REPORT


def test_what_is_too_long_keeps_its_headline_and_its_last_section() -> None:
    """The note says how much is missing and where it is to be found."""
    assert cut_in_the_middle(REPORT, limit_bytes=512) == snapshot("""\
# 2 regressed, 1 fixed

| case-0 | failed |
| case-1 | failed |
| case-2 | failed |
| case-3 | failed |
| case-4 | failed |
| case-5 | failed |
| case-6 | failed |
| case-7 | failed |
| case-8 | failed |
| case-9 | failed |
| case-10 | failed |
| case-11 | failed |
| case-12 | failed |
| case-13 | failed |
| case-14 | failed |
| case-15 | failed |
| case-16 | failed |
| case-17 | failed |

> ✂ 43 lines omitted: the limit is 512 bytes. The report files are complete.

## Next steps

Run it again.
""")


def test_what_the_cut_leaves_open_is_closed() -> None:
    """A fence inside a fold: both end before the note, so that the note and the end are seen."""
    text = (
        "# Head\n\n<details><summary>all</summary>\n\n````diff\n"
        + "+ a line\n```\n" * 100
        + "````\n\n</details>\n\n## End\n\nBye.\n"
    )
    cut = cut_in_the_middle(text, limit_bytes=600)
    before, after = cut.split("> ✂")
    assert before.endswith("````\n\n</details>\n\n")
    assert after.endswith("## End\n\nBye.\n")
    assert len(cut.encode()) <= 600


def test_a_fence_inside_a_tag_is_none() -> None:
    """Without a blank line after it, a tag's own block goes on: a closing fence would open one that swallows the note."""
    text = "# Head\n\n<details>\n```\n" + "word\n" * 300
    cut = cut_in_the_middle(text, limit_bytes=600)
    assert cut.partition("> ✂")[0].endswith("word\n\n</details>\n\n")


def test_a_heading_inside_a_fence_is_no_place_to_start_again() -> None:
    """`## x` in a quoted prompt is a line of that prompt."""
    text = "# Head\n\n" + "word\n" * 300 + "```\n## not a heading\n```\n"
    cut = cut_in_the_middle(text, limit_bytes=600)
    assert "not a heading" not in cut
    assert cut.endswith("The report files are complete.\n\n")


def test_one_enormous_line_is_cut_inside() -> None:
    """There is no line end to cut at, and characters stay whole."""
    cut = cut_in_the_middle("é" * 2000, limit_bytes=512)
    assert len(cut.encode()) <= 512
    assert cut.startswith("ééé")
    assert "\ufffd" not in cut


LINES = st.sampled_from(
    [
        "text\n",
        "## Heading\n",
        "```\n",
        "````text\n",
        "~~~\n",
        "````\n",
        "`code`\n",
        "<details>\n",
        "</details>\n",
        "é" * 90 + "\n",
        "\n",
    ]
)


@given(text=st.lists(LINES, max_size=120).map("".join), limit_bytes=st.integers(512, 900))
def test_a_cut_fits_and_its_note_is_always_seen(text: str, limit_bytes: int) -> None:
    """Whatever blocks are open at the cut, the limit holds and the note renders as a quotation, not inside a code block."""
    cut = cut_in_the_middle("# Headline\n" + text, limit_bytes=limit_bytes)
    assert len(cut.encode()) <= limit_bytes
    assert cut.startswith("# Headline\n")
    if "✂" in cut:
        tokens = MarkdownIt().parse(cut)
        note = next(index for index, token in enumerate(tokens) if token.content.startswith("✂"))
        html = "".join(token.content for token in tokens[:note] if token.type in ("html_block", "inline"))
        assert html.count("<details>") <= html.count("</details>")
        after = cut.partition("> ✂")[2]
        assert "\n## " in after or after.endswith("complete.\n\n")


def test_summaries_are_appended_with_a_blank_line_between(tmp_path: Path) -> None:
    """Two commands of one step share a file."""
    path = tmp_path / "summary.md"
    assert append_summary(path, "# One\n")
    assert append_summary(path, "# Two")
    assert path.read_text() == "# One\n\n# Two\n\n"


def test_the_limit_counts_what_is_there_already(tmp_path: Path) -> None:
    """Together they stay within 1 MiB; the first is never touched."""
    path = tmp_path / "summary.md"
    first = "x" * (SUMMARY_LIMIT_BYTES - 1000)
    path.write_text(first)
    assert append_summary(path, REPORT)
    assert path.stat().st_size <= SUMMARY_LIMIT_BYTES
    assert path.read_text().startswith(first + "# 2 regressed, 1 fixed\n")


def test_a_full_summary_is_said_to_be_full(tmp_path: Path) -> None:
    """Rather than losing all of it; a few words that do fit are still written."""
    path = tmp_path / "summary.md"
    path.write_text("x" * (SUMMARY_LIMIT_BYTES - 100))
    assert not append_summary(path, REPORT)
    assert path.stat().st_size == SUMMARY_LIMIT_BYTES - 100
    assert append_summary(path, "short")


def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    """A lone surrogate cannot be written as UTF-8 and must not lose the summary."""
    append_summary(tmp_path / "summary.md", "a\ud800b")
    assert (tmp_path / "summary.md").read_text() == "a?b\n\n"


def test_a_summary_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    """The caller says so in the log."""
    with pytest.raises(OSError, match="directory"):
        append_summary(tmp_path, "text")
