"""`report.md`, compared whole, at every size, and with hostile text in it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from inline_snapshot import external_file
from markdown_it import MarkdownIt
from markdown_it.token import Token

from planner.reports import markdown
from planner.reports.redaction import redact
from planner.results.model import RunResult

_GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def _tokens(text: str) -> list[Token]:
    return [child for token in _GITHUB.parse(text) for child in [token, *(token.children or [])]]


def test_the_whole_report(canonical: RunResult) -> None:
    """Every outcome, action, comparison and cause reads as it should."""
    assert markdown.render(redact(canonical)) == external_file("golden/canonical.md", format=".txt")


def test_a_session_without_calls(nothing_called: RunResult) -> None:
    """A refusal shows the reason and the command; an unknown price is not $0.00."""
    text = markdown.render(redact(nothing_called))
    assert text == external_file("golden/nothing_called.md", format=".txt")
    assert "$0.00" not in text


def test_a_good_day(all_passed: RunResult) -> None:
    """All passed is short, and the sandbox says that it is one."""
    assert markdown.render(redact(all_passed)) == external_file("golden/all_passed.md", format=".txt")


def test_hostile_text_does_nothing(canonical: RunResult) -> None:
    """The only HTML is our own folding; text from calls is no link, image or emphasis."""
    tokens = _tokens(markdown.render(canonical))
    assert not {"link_open", "image", "em_open", "s_open", "html_inline"} & {token.type for token in tokens}
    html = {token.content.strip() for token in tokens if token.type == "html_block"}
    assert all(re.fullmatch(r"<details><summary>\d+ passed cases?</summary>|</details>", block) for block in html)
    rows = [token for token in tokens if token.type == "tr_open"]
    cells = [token for token in tokens if token.type in ("td_open", "th_open")]
    assert (len(rows), len(cells)) == (len(canonical.cases) + 1, 6 * (len(canonical.cases) + 1))


@pytest.mark.parametrize("number", [10, 100, 1_000])
def test_a_large_report_stays_readable(many: Callable[[int], RunResult], number: int) -> None:
    """At any size the failed cases come first, passed ones are folded, and each case has its row."""
    text = markdown.render(many(number))
    assert len(text.encode()) <= markdown.MAX_BYTES
    assert text.count("\n| `suite-") == number
    assert text.index("## Failed") < text.index("## All cases")
    folded = text[text.rindex("<details>") : text.rindex("</details>")] if number > 20 else ""
    assert folded.count("| ✅ passed |") == (number - number // 10 if folded else 0)
    assert folded.count("❌") == 0


def test_every_fold_is_closed(many: Callable[[int], RunResult]) -> None:
    """Every fold is closed."""
    text = markdown.render(many(1_000))
    folds = [token.content.strip() for token in _tokens(text) if token.type == "html_block"]
    assert folds == ["<details><summary>900 passed cases</summary>", "</details>"]
    assert "*80 more failed cases: see the table of all cases.*" in text
