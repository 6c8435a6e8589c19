"""reference_page.md: each sentence of the reference page names tests that are there, and the tests quote it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TABLE = HERE / "reference_page.md"
PAGE_TESTS = ("test_reference_page.py", "test_curl.py")
"""Files whose tests are only about the page: the table lists each test."""


def _rows() -> list[tuple[str, tuple[str, ...]]]:
    """(sentence, names of tests), in the page's order."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    cells = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines if not line.startswith("| The page |")]
    return [(sentence.replace("\\|", "|"), tuple(re.findall(r"`(test_\w+)`", tests))) for sentence, tests in cells]


def _tests(path: Path) -> dict[str, str]:
    """Name → docstring."""
    nodes = ast.parse(path.read_text(encoding="utf-8")).body
    functions = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: ast.get_docstring(node) or "" for node in functions if node.name.startswith("test_")}


def test_each_sentence_has_tests_that_are_there() -> None:
    """A row without a test, or with one that was renamed, is a promise nobody keeps."""
    known = {name for path in HERE.parent.rglob("test_*.py") for name in _tests(path)}
    rows = _rows()
    assert len(rows) == 64  # as many as the page has: none may get lost
    for sentence, tests in rows:
        assert tests, sentence
        assert set(tests) <= known, sentence


@pytest.mark.parametrize("file", PAGE_TESTS)
def test_each_test_about_the_page_is_in_the_table(file: str) -> None:
    """A sentence that has a test has a row."""
    named = {name for _, tests in _rows() for name in tests}
    assert set(_tests(HERE / file)) <= named


def test_tests_quote_the_sentence_they_cover() -> None:
    """A sentence that a test of the page quotes in its docstring is in a row that names the test."""
    for name, docstring in _tests(HERE / PAGE_TESTS[0]).items():
        sentences = " ".join(_squeezed(sentence) for sentence, tests in _rows() if name in tests)
        for quote in re.findall(r"`([^`]+)`", docstring):
            if " " in quote and "=" not in quote.split()[0]:
                pieces = [_squeezed(piece) for piece in re.split(r" ?… ?", quote)]
                assert all(piece in sentences for piece in pieces), (name, quote)


def _squeezed(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
