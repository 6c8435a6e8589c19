"""Hostile text becomes harmless for each place it may go to."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from linear_time import takes_linear_time
from markdown_it import MarkdownIt
from markdown_it.token import Token

from planner.planfile.axes import token
from planner.reports.neutral import (
    for_json_text,
    for_markdown,
    for_terminal,
    for_terminal_block,
    for_workflow_command,
    for_xml,
    markdown_block,
    markdown_code,
    one_line,
)

_ATTACKS = [
    *("<img src=x onerror=alert(1)>", "<!--", "</details>", "&lt;b&gt;", "&#x40;acme"),
    *("@alice", "@acme/voice", "#123", "GH-12", "acme/voice#7", "deadbeef", "1234abc", ":smile:"),
    *("https://evil.example/x", "HTTP://evil", "//localhost/x", "www.evil.example", "evil.com", "☃.net", "a@b.com"),
    *("mailto:foo@bar", "xmpp:foo@bar", "<https://evil.example>"),
    *("![i](//e.vil/p.png)", "[a](javascript:b)", "[a][b]", "[^1]", "| cell |", "\\|", "\\"),
    *("`code`", "``", "```", "~~~", "**bold**", "_it_", "~~gone~~", "$x$", "$7.36", "5$"),
    *("# title", "- item", "+ item", "1. item", "2) item", "> quote", "===", "---"),
    *("::set-output name=a::b", "##[add-mask]c"),
    *("\n", "\r\n\r\n", "\u2028", " ", "word"),
    *("\x1b[31mred\x1b[0m", "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "\x9b31m", "\x9d0;title\x9c"),
    *("\u202egnp\u202c", "\u200b", "\U000e0041", "\x00", "\x7f", "\ufffe", "\ud800"),
]
"""Each alone, and below in combinations."""
hostile_texts = st.lists(st.sampled_from(_ATTACKS) | st.text(max_size=6), max_size=8).map("".join)


def with_hostile_texts(test: Callable[[str], None]) -> Callable[[], None]:
    """Runs a property on every attack alone, then on what hypothesis makes of them."""
    for attack in _ATTACKS:
        test = example(attack)(test)
    return given(hostile_texts)(test)


_GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_FORBIDDEN = {"html_inline", "html_block", "link_open", "image", "code_inline", "em_open", "strong_open", "s_open"}
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2060-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)
_LINKED_BY_GITHUB = re.compile(
    r"(?i)https?://|ftp://|www\.|@[a-z0-9]|\w@\w|#\d|\bgh-\d|mailto:\w|xmpp:\w|:[a-z+-][\w+-]*:"
)


def _inline(markdown: MarkdownIt, source: str) -> list[Token]:
    return [child for token in markdown.parse(source) for child in [token, *(token.children or [])]]


def _shown(tokens: list[Token]) -> str:
    return "".join(token.content for token in tokens if token.type == "text")


@with_hostile_texts
def test_markdown_shows_the_text_and_does_nothing_else(text: str) -> None:
    """A transcript or a plan contains HTML, links, images or Markdown.

    Before: unescaped, they would render in job summaries and comments.
    Now: Markdown reports show the characters and nothing else.
    """
    safe = for_markdown(text)
    for source in (safe, f"- {safe}", f"> {safe}", f"# x {safe}"):
        tokens = _inline(_GITHUB, source)
        assert not _FORBIDDEN & {token.type for token in tokens}
        expected = {"- ": "bullet_list_open", "> ": "blockquote_open", "# ": "heading_open"}.get(
            source[:2], "paragraph_open"
        )
        blocks = [token.type for token in tokens if token.level == 0 and token.nesting == 1]
        assert blocks == ([expected] if source.strip() else [])
        shown = _shown(tokens).replace("\u200b", "")
        assert shown.removeprefix("x" if source.startswith("# x") else "").lstrip() == one_line(text)


@with_hostile_texts
def test_markdown_leaves_nothing_for_github_to_link(text: str) -> None:
    """A transcript contains `@team`, `#123`, an address or an emoji code.

    Before: unescaped, GitHub would notify people and link issues.
    Now: GitHub notifies nobody and links nothing.
    """
    assert not _LINKED_BY_GITHUB.search(_shown(_inline(_GITHUB, for_markdown(text))))


@pytest.mark.skipif(find_spec("linkify_it") is None, reason="needs linkify-it-py")
@with_hostile_texts
def test_no_linkifier_finds_a_link(text: str) -> None:
    """Nor do the linkifiers of other readers, which know bare domains too."""
    linkifying = MarkdownIt("gfm-like", {"html": True, "linkify": True})
    for source in (for_markdown(text), f"| {for_markdown(text)} | x |\n| --- | --- |\n| a | {for_markdown(text)} |"):
        assert not {"link_open", "image"} & {token.type for token in _inline(linkifying, source)}


@given(hostile_texts, hostile_texts)
def test_a_table_keeps_its_cells(left: str, right: str) -> None:
    """A name contains `|` or a line break.

    Before: unescaped, it would break the table or forge a cell.
    Now: the row keeps its cells.
    """
    row = f"| {for_markdown(left)} | {markdown_code(right, in_table=True)} | end |"
    tokens = _inline(_GITHUB, f"| a | b | c |\n| --- | --- | --- |\n{row}")
    cells = [cell.content for token, cell in pairwise(tokens) if token.type == "td_open"]
    assert len(cells) == 3
    assert cells[2] == "end"
    assert not (_FORBIDDEN - {"code_inline"}) & {token.type for token in tokens}


@with_hostile_texts
def test_a_code_span_holds_exactly_its_text(text: str) -> None:
    """What is to be copied can be: the span's content is the text itself."""
    tokens = _inline(_GITHUB, f"x {markdown_code(text)}")
    spans = [token.content for token in tokens if token.type == "code_inline"]
    assert spans == ([one_line(text)] if one_line(text) else [])


@with_hostile_texts
def test_a_block_holds_its_lines_and_ends_where_it_should(text: str) -> None:
    """A transcript contains the end of a code block.

    Before: unescaped, the text after it would render.
    Now: the text cannot end the block.
    """
    tokens = _GITHUB.parse(f"{markdown_block(text)}\n\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert not _CONTROLS.search(tokens[0].content)


@with_hostile_texts
def test_a_terminal_gets_one_line_without_controls(text: str) -> None:
    """A transcript contains terminal sequences, line breaks or reordering characters.

    Before: unescaped, they would rewrite the terminal or forge lines.
    Now: a terminal receives one line without control characters.
    """
    safe = for_terminal(text)
    assert not _CONTROLS.search(safe)
    assert "\n" not in safe
    assert "::" not in safe
    assert "##[" not in safe


@with_hostile_texts
def test_a_block_for_a_terminal_keeps_its_lines(text: str) -> None:
    """Each line starts with the prefix, so that none is a command."""
    lines = for_terminal_block(text, "  | ")
    assert len(lines) == len(text.splitlines())
    for line in lines:
        assert line.startswith("  | ")
        assert not _CONTROLS.search(line.replace("\t", " "))
        assert "##[" not in line


@with_hostile_texts
def test_a_case_id_is_shown_as_it_is(text: str) -> None:
    """A case id can be copied from a terminal, a log or Markdown for any axis value."""
    case_id = f"plan/scenario[axis={token(text)}]@target"
    assert for_terminal(case_id) == case_id
    assert one_line(case_id) == case_id
    assert for_xml(case_id) == case_id
    assert for_json_text(json.dumps(case_id, ensure_ascii=False)) == json.dumps(case_id, ensure_ascii=False)
    assert case_id in markdown_code(case_id)


@with_hostile_texts
def test_a_workflow_command_stays_one_command(text: str) -> None:
    """A message contains `::error` or another workflow command.

    Before: unescaped, the CI system would execute it.
    Now: the message stays inside its own command.
    """
    command = f"::error file={for_workflow_command(text, is_property=True)}::{for_workflow_command(text)}"
    assert len(command.splitlines()) == 1
    assert not re.search("[:,]", for_workflow_command(text, is_property=True))
    assert "##[" not in command


@given(st.dictionaries(st.text(max_size=5), hostile_texts.filter(lambda text: "\ud800" not in text)))
def test_json_keeps_its_values(values: dict[str, str]) -> None:
    """The document has the same values, and no control character or workflow command."""
    safe = for_json_text(json.dumps(values, ensure_ascii=False))
    assert json.loads(safe) == values
    assert not _CONTROLS.search(safe)
    assert "##[" not in safe


@with_hostile_texts
def test_xml_can_hold_any_text(text: str) -> None:
    """A transcript contains characters that XML forbids.

    Before: the JUnit report would not parse.
    Now: the characters are removed, and the report always parses.
    """
    element = ET.Element("a", b=for_xml(text))
    element.text = for_xml(text)
    parsed = ET.fromstring(ET.tostring(element))  # noqa: S314 -- our own
    assert (parsed.text or "") == for_xml(text)


@pytest.mark.parametrize("part", ["\x1b]", "\x9d", "\x1b[", "`", "@", "#", ":a", "a.", "www.", "0", "\\|", "//"])
def test_hostile_text_takes_linear_time(part: str) -> None:
    """A transcript contains 100,000 incomplete escape sequences or beginnings of links.

    Before: with quadratic time, escaping takes minutes.
    Now: escaping takes linear time.
    """

    def neutralised(times: int) -> None:
        for neutral in (for_markdown, for_terminal, markdown_code, for_workflow_command, for_xml, for_json_text):
            neutral(part * times)

    assert takes_linear_time(neutralised, 100_000)
