"""YAML text to values and places: against other writers and readers, and against the text itself."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from planner.diagnostics import Severity, Span
from planner.planfile.yaml.document import Items, YamlMapping
from planner.planfile.yaml.reader import MAX_BYTES, read

Found = list[tuple[str, int, int]]


def codes(text: str | bytes) -> Found:
    """Code, line and column of each problem."""
    problems = read(text if isinstance(text, bytes) else text.encode(), "plan.yaml")[1]
    return [(problem.code, problem.span.line, problem.span.column) for problem in problems]


def document(text: str) -> YamlMapping:
    found, problems = read(text.encode(), "plan.yaml")
    assert [problem for problem in problems if problem.severity is Severity.ERROR] == []
    assert found is not None
    return found


texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff\ufffe\uffff\x85\u2028\u2029"), max_size=20
)
keys = texts.filter(lambda key: key != "<<" and (key[:1] == " " or not key[:1].isspace()) and key[:1] != "\u200b")
scalars = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
documents = st.dictionaries(
    keys,
    st.recursive(
        scalars | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


@settings(deadline=None)
@given(documents)
def test_values_are_those_that_were_written(value: dict[str, Any]) -> None:
    """Reads back what ruamel.yaml writes: same values, types and order."""
    stream = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue]
    yaml.default_flow_style = False
    yaml.width = 10**6
    yaml.dump(value, stream)
    root = document(stream.getvalue())
    assert root == value
    assert json.dumps(root) == json.dumps(value)


@settings(deadline=None)
@given(documents)
def test_places_point_at_what_was_read(value: dict[str, Any]) -> None:
    """JSON is YAML. The text at the place of a key or value parses to that key or value."""
    found = document(json.dumps(value, ensure_ascii=False))
    assert found == value
    pending: list[YamlMapping | Items] = [found]
    while pending:
        container: Any = pending.pop()
        names: list[Any] = list(container) if isinstance(container, YamlMapping) else list(range(len(container)))
        for key in names:
            start, end = container.place(key)[1:]
            assert json.loads(found.source.text[start:end]) == container[key]
            if isinstance(container, YamlMapping):
                start, end, *_ = container.mark(str(key))
                assert json.loads(found.source.text[start:end]) == key
            if isinstance(container[key], YamlMapping | Items):
                pending.append(container[key])


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("True", True),
        ("nULL", "nULL"),
        ("1_000", "1_000"),
        ("010", 10),
        (".5", 0.5),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!seq [1]", [1]),
        ("[Is it 5:30?, Really?, http://a.b]", ["Is it 5:30?", "Really?", "http://a.b"]),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(written: str, value: object) -> None:
    read_back = document(f"a: {written}\n")["a"]
    assert read_back == value
    assert isinstance(read_back, Items) or type(read_back) is type(value)


def test_aliases_share_and_merge_keys_fill_in() -> None:
    """An alias stands for what its anchor names; `<<` adds keys that are missing, the first of a list wins."""
    text = """\
base: &base {runs: 3, mode: sip}
other: &other {mode: bot, tags: [a]}
word: &word runs
one: {<<: *base, runs: 5}
two: {<<: [*base, *other], *word : 7}
three: *base
"""
    found = document(text)
    assert {key: found[key] for key in ("one", "two", "three")} == {
        "one": {"runs": 5, "mode": "sip"},
        "two": {"runs": 7, "mode": "sip", "tags": ["a"]},
        "three": {"runs": 3, "mode": "sip"},
    }
    assert found.span("three") == Span("plan.yaml", 6, 8, 6, 13)
    assert found["one"].span("mode") == Span("plan.yaml", 1, 29, 1, 32)


def test_keys_are_always_text() -> None:
    assert document("911: a\ntrue: b\n'': c\n1.0: d\n") == {"911": "a", "true": "b", "": "c", "1.0": "d"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (b"a: caf\xe9\n", [("not-utf8", 1, 7)]),
        (b"a: 1\nb: x\0y\n", [("control-character", 2, 5)]),
        (b'a: "x\\0y"\n', [("control-character", 1, 4)]),
        (b"", [("empty-file", 1, 1)]),
        (b"- a\n", [("wrong-type", 1, 1)]),
        (b"--- \n", [("wrong-type", 2, 1)]),
        (b"a: 1\n---\nb: 1\n", [("several-documents", 2, 1)]),
        (b"%YAML 1.1\n---\na: 1\n", [("yaml-version", 1, 1)]),
        (b"a: 1\nb: 2\na: 3\n", [("duplicate-key", 3, 1)]),
        (b"a: 1\na: 2\nb: 3\nb: 5\n", [("duplicate-key", 2, 1)]),
        (b"k: &k a\na: 1\n*k : 2\n", [("duplicate-key", 3, 1)]),
        (b"a: 1\nb: 2\na: 3\n  c: 4\n", [("duplicate-key", 3, 1), ("yaml-syntax", 4, 4)]),
        (b"? [a]\n: 1\n", [("key-not-string", 1, 3)]),
        (b"b: &b {c: 1}\n*b : 1\n", [("key-not-string", 2, 1)]),
        (b"? \n: 1\n", [("key-not-string", 1, 2)]),
        (b"a: {{ b }}\n", [("key-not-string", 1, 4)]),
        (b"a: {b:c, 'd:e', g: h:i}\n", [("colon-without-space", 1, 5)]),
        (b"a: !mine 1\n", [("unknown-tag", 1, 4)]),
        (b"a: !!set {b}\n", [("unknown-tag", 1, 4)]),
        (b"a: *b\n", [("bad-alias", 1, 4)]),
        (b"a: &a [*a]\n", [("bad-alias", 1, 8)]),
        (b"a: &a {x: 1}\nb: &b {x: 2}\nc:\n  <<: *a\n  <<: *b\n", [("duplicate-key", 5, 7)]),
        (b"a: {<<: 5}\n", [("bad-alias", 1, 9)]),
        (b"a: .inf\n", [("bad-number", 1, 4)]),
        (b"a: 1e999\n", [("bad-number", 1, 4)]),
        (b"a: " + b"9" * 5000 + b"\n", [("bad-number", 1, 4)]),
        (b"a: @x\n", [("yaml-syntax", 1, 4)]),
        (b"a: [1, 2\nb: 3\n", [("yaml-syntax", 2, 2)]),
        (b"a: 'x\n", [("yaml-syntax", 1, 4)]),
        (b"a: 1\nb\nc: 1\n", [("yaml-syntax", 2, 1)]),
        (b"a:\n\tb: 1\n", [("yaml-syntax", 2, 1)]),
        (b"a: [x:, b]\n", [("yaml-syntax", 1, 6)]),
        (b"a: {b:{c: d}}\n", [("yaml-syntax", 1, 6)]),
        ("a: 1\n\u00a0b: 2\n".encode(), [("yaml-syntax", 2, 1)]),
        ('a: "x\u2028y\u0085z"\nb: *c\n', [("bad-alias", 2, 4)]),
    ],
)
def test_problems_of_the_text_are_reported_at_their_places(text: str | bytes, found: Found) -> None:
    assert codes(text) == found


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_byte_order_mark_and_line_ends_do_not_shift_places(end: str) -> None:
    assert codes(f"\ufeffa: 1{end}é😀: [x, *y]{end}") == [("bad-alias", 2, 9)]


@pytest.mark.parametrize("text", ["a: {b: [c]}}\n", "a: [b]]\n", "a:\n  - {b: c}}\nd: e\n"])
def test_a_bracket_too_many_is_called_one(text: str) -> None:
    """Indentation has nothing to do with it."""
    (problem,) = read(text.encode(), "plan.yaml")[1]
    assert (problem.code, "closes nothing" in problem.message) == ("yaml-syntax", True)
    assert text.splitlines()[problem.span.line - 1][problem.span.column - 1] in "}]"


def test_bounds() -> None:
    """64 levels, aliases counted as what they stand for, 16 MiB, and one problem more than is shown."""
    document("a: " + "[" * 63 + "]" * 63 + "\n")
    assert codes("a: " + "[" * 64 + "]" * 64 + "\n") == [("too-much-nesting", 1, 67)]
    assert codes(f"a: &a {'[' * 60 + ']' * 60}\nb: [[[[*a]]]]\n") == [("too-much-nesting", 2, 8)]
    bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    bomb += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    assert [(code, line) for code, line, _ in codes("\n".join(bomb))] == [("too-many-nodes", 6)]
    assert [code for code, *_ in codes(b"a" * (MAX_BYTES + 1))] == ["file-too-large"]
    assert len(codes("a:\n" + "- *x\n" * 20_000)) == 1_001


def test_places_of_values_in_blocks() -> None:
    """A block ends with its last value, not with the comments below; the place of a missing value is its key."""
    found = document("a:\n  b: |\n    x\n    y\n\n  # comment\n\ncc:\n")
    assert found.span("a") == Span("plan.yaml", 2, 3, 4, 6)
    assert found.span("cc") == Span("plan.yaml", 8, 1, 8, 3)
