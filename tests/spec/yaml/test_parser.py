"""YAML to values and places: against ruamel.yaml's own loader, and against the text itself."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from planner.diagnostics import Diagnostics, Span
from planner.spec.document import Document, Items, Mapping, at, larger_than, value_mark
from planner.spec.faults.reporting import Reporter
from planner.spec.source import Source
from planner.spec.yaml.decoding import decode
from planner.spec.yaml.parser import parse
from planner.spec.yaml.syntax import TOO_DEEP


def read(text: str | bytes) -> tuple[Document | None, list[tuple[str, str, int, int]]]:
    """The document, and code, detail, line and column of each fault."""
    diagnostics = Diagnostics()
    reporter = Reporter(diagnostics)
    source = decode(text if isinstance(text, bytes) else text.encode(), "plan.yaml", reporter)
    document = parse(source, reporter) if source is not None else None
    return document, [(item.code, item.detail, item.span.line, item.span.column) for item in diagnostics]


def plain(value: Any) -> Any:
    """The same value in builtin containers."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def root(text: str) -> Any:
    document, faults = read(text)
    assert faults == []
    assert document is not None
    return plain(document.root)


unseen = "".join(
    map(chr, [*range(0x200B, 0x200E), *range(0x202A, 0x202F), *range(0x2060, 0x206A), *range(0xE0000, 0xE0080)])
)
"""Of these there is a warning."""
texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters=unseen + "\ufeff\ufffe\uffff\x85\u2028\u2029"),
    max_size=20,
)
keys = texts.filter(lambda key: key != "<<" and (key[:1] == " " or not key[:1].isspace()) and key[:1] != "\u200b")
"""A key that begins with another space is refused: it was meant as indentation."""
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
documents = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    ),
    max_size=5,
)


@settings(deadline=None)
@given(documents)
def test_values_are_those_that_were_written(value: dict[str, Any]) -> None:
    """Whatever ruamel.yaml writes is read back as the same value, in the same types and order."""
    stream = StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # pyright: ignore[reportAttributeAccessIssue] - its stub
    yaml.default_flow_style = False
    yaml.width = 10**6
    yaml.dump(value, stream)
    read_back = root(stream.getvalue())
    assert read_back == value
    assert json.dumps(read_back) == json.dumps(value)


@settings(deadline=None)
@given(documents)
def test_json_is_yaml(value: dict[str, Any]) -> None:
    """A JSON document is read as JSON would read it."""
    assert root(json.dumps(value, ensure_ascii=False)) == value


@settings(deadline=None)
@given(documents)
def test_marks_point_at_what_was_read(value: dict[str, Any]) -> None:
    """The text between the marks of any key or value, read by itself, is that key or value."""
    document, _ = read(json.dumps(value, ensure_ascii=False))
    assert document is not None
    pending: list[Mapping | Items] = [document.root]
    while pending:
        container = pending.pop()
        for key in list(container) if isinstance(container, Mapping) else range(len(container)):
            start, end = value_mark(container, key)
            assert json.loads(document.source.text[start:end]) == at(container, key)
            if isinstance(container, Mapping):
                mark = container.marks[str(key)]
                assert json.loads(document.source.text[mark[0] : mark[1]]) == key
            if isinstance(at(container, key), (Mapping, Items)):
                pending.append(at(container, key))


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("True", True),
        ("FALSE", False),
        ("~", None),
        ("Null", None),
        ("nULL", "nULL"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("0b1", "0b1"),
        ("+5", 5),
        ("-5", -5),
        ("1.0", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ("1:30", "1:30"),
        ("2027-01-31", "2027-01-31"),
        ("12 apples", "12 apples"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!float 5", 5.0),
        ("!!int 5", 5),
        ("!!bool true", True),
        ("!!null ''", None),
        ("!!seq [1]", [1]),
        ("!!map {a: 1}", {"a": 1}),
        ("|-\n  a\n  b", "a\nb"),
        (">-\n  a\n  b", "a b"),
        ('"a\\tb\\u00e9"', "a\tbé"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(written: str, value: object) -> None:
    """Each way of writing has the type YAML 1.2 says it has, whatever YAML 1.1 said."""
    read_back = root(f"a: {written}\n")["a"]
    assert read_back == value
    assert type(read_back) is type(value)


def test_aliases_share_and_merge_keys_fill_in() -> None:
    """An alias stands for what its anchor names; `<<` brings keys that are not written, the first of a list winning."""
    text = """\
base: &base {runs: 3, mode: sip}
other: &other {mode: bot, tags: [a]}
word: &word runs
one: {<<: *base, runs: 5}
two: {<<: [*base, *other], *word : 7}
three: *base
"""
    assert root(text) == {
        "base": {"runs": 3, "mode": "sip"},
        "other": {"mode": "bot", "tags": ["a"]},
        "word": "runs",
        "one": {"runs": 5, "mode": "sip"},
        "two": {"runs": 7, "mode": "sip", "tags": ["a"]},
        "three": {"runs": 3, "mode": "sip"},
    }


def test_keys_are_always_text() -> None:
    """A key that looks like a number or a boolean is the text it is written as."""
    assert root("911: a\ntrue: b\n'': c\n1.0: d\n") == {"911": "a", "true": "b", "": "c", "1.0": "d"}


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (b"a: caf\xe9\n", [("not-utf8", "byte 0xe9 here is not UTF-8; save the file as UTF-8", 1, 7)]),
        (
            "a: 1\n".encode("utf-16"),
            [("not-utf8", "byte 0xff here is not UTF-8, it looks like UTF-16; save the file as UTF-8", 1, 1)],
        ),
        (b"a: 1\nb: x\0y\n", [("control-character", "U+0000 is not allowed in YAML; remove it", 2, 5)]),
        (b"a: 1\nb: \x1b[31m\n", [("control-character", "U+001B is not allowed in YAML; remove it", 2, 4)]),
        (
            b'a: "x\\0y"\n',
            [("control-character", "this text holds a control character, written as an escape; remove it", 1, 4)],
        ),
        (b"", [("empty-file", "there is nothing in this file; write a plan, or delete it", 1, 1)]),
        (b"# nothing\n", [("empty-file", "there is nothing in this file; write a plan, or delete it", 1, 1)]),
        (b"- a\n", [("wrong-type", "a file is a mapping of keys to values, but this is a list", 1, 1)]),
        (b"--- \n", [("wrong-type", "a file is a mapping of keys to values, but this is empty", 2, 1)]),
        (
            b"a: 1\n---\nb: 1\n",
            [("several-documents", "a second document starts here; put it into a file of its own", 2, 1)],
        ),
        (b"%YAML 1.1\n---\na: 1\n", [("yaml-version", "remove this line: plans are YAML 1.2", 1, 1)]),
        (b"%YAML 1.2\n---\na: 1\n", []),
        (b"a: 1\nb: 2\na: 3\n", [("duplicate-key", "`a` is written twice in this mapping; keep one", 3, 1)]),
        (
            b"k: &k a\na: 1\n*k : 2\n",
            [("duplicate-key", "`a` is written twice in this mapping; keep one", 3, 1)],
        ),
        (b"? [a]\n: 1\n", [("key-not-text", "a key is one text, not a mapping, a list or an alias of one", 1, 3)]),
        (
            b"b: &b {c: 1}\n*b : 1\n",
            [("key-not-text", "to take over the keys of an anchor, write <<: *b", 2, 1)],
        ),
        (b"? \n: 1\n", [("key-not-text", "a key is missing before this colon", 1, 2)]),
        (
            b"a: {{ b }}\n",
            [("key-not-text", 'YAML reads this as a mapping; quote the template: "{{ b }}"', 1, 4)],
        ),
        (
            b"{{ b }}: 1\n",
            [("key-not-text", 'YAML reads this as a mapping; quote the template: "{{ b }}"', 1, 1)],
        ),
        (
            b"a: {b:c, 'd:e', g: h:i}\n",
            [("colon-without-space", "write `b: c`: without the space, all of it is a key", 1, 5)],
        ),
        (b"a: !mine 1\n", [("unknown-tag", "!mine is not known here; remove it", 1, 4)]),
        (b"a: !!set {b}\n", [("unknown-tag", "!!set is not known here; remove it", 1, 4)]),
        (
            b"a: !!python/name:os.system x\n",
            [("unknown-tag", "!!python/name:os.system is not known here; remove it", 1, 4)],
        ),
        (b"a: !!int x\n", [("unknown-tag", "this is not what !!int says it is", 1, 4)]),
        (b"a: !!int true\n", [("unknown-tag", "this is not what !!int says it is", 1, 4)]),
        (
            b"a: *b\n",
            [
                (
                    "bad-alias",
                    "there is no anchor &b above: write &b before what it is to stand for, further up; or if this is a text, put it in quotes",
                    1,
                    4,
                )
            ],
        ),
        (b"a: &a [*a]\n", [("bad-alias", "*a would contain itself", 1, 8)]),
        (
            b"a: &a {x: 1}\nb: &b {x: 2}\nc:\n  <<: *a\n  <<: *b\n",
            [
                (
                    "duplicate-key",
                    "`<<` is written twice in this mapping; write one, with a list, such as <<: [*one, *other]",
                    5,
                    7,
                )
            ],
        ),
        (
            b"a: {<<: 5}\n",
            [("bad-alias", "<< takes a mapping, or a list of mappings, but it is the number 5; write <<: *NAME", 1, 9)],
        ),
        (b"a: .inf\n", [("bad-number", ".inf is not a finite number", 1, 4)]),
        (b"a: 1e999\n", [("bad-number", "1e999 is too large for a number", 1, 4)]),
        (
            b"a: " + b"9" * 5000 + b"\n",
            [("bad-number", "a number of 5,000 digits cannot be used; quote it if it is meant as text", 1, 4)],
        ),
        (b"a: @x\n", [("yaml-syntax", "an unquoted text cannot begin with @; put it in quotes", 1, 4)]),
        (
            b"a: [1, 2\nb: 3\n",
            [
                (
                    "yaml-syntax",
                    "a comma or a `]` is missing before this; look for a bracket or quote that is not closed",
                    2,
                    2,
                )
            ],
        ),
        (b"a: 'x\n", [("yaml-syntax", "this quote is not closed", 1, 4)]),
        (b"a: 1\nb\nc: 1\n", [("yaml-syntax", "a key without a colon: write `key: value`", 2, 1)]),
        (b"a:\n\tb: 1\n", [("yaml-syntax", "a tab cannot indent YAML; use spaces", 2, 1)]),
        (
            b'a: "\\q"\n',
            [
                (
                    "yaml-syntax",
                    "`\\q` means nothing in double quotes; if this is a regular expression, put it in single quotes, or write \\\\q",
                    1,
                    5,
                )
            ],
        ),
        (
            b"a:\n  - x\n b: 1\n",
            [
                (
                    "yaml-syntax",
                    "this does not continue the mapping above: its keys begin in one column, and text after a closing quote is not allowed",
                    3,
                    2,
                )
            ],
        ),
    ],
)
def test_fault_of_the_text_is_reported_at_its_place(text: bytes, faults: list[tuple[str, str, int, int]]) -> None:
    """What is wrong before any key is looked at is said in the author's terms, at the first place that shows it."""
    assert read(text)[1] == faults


def test_byte_order_mark_and_line_ends_do_not_shift_places() -> None:
    """Lines and columns are those an editor shows, with a byte order mark and whatever the line ends are."""
    for end in ("\n", "\r\n", "\r"):
        text = f"\ufeffa: 1{end}é😀: [x, *y]{end}"
        assert read(text)[1] == [
            (
                "bad-alias",
                "there is no anchor &y above: write &y before what it is to stand for, further up; or if this is a text, put it in quotes",
                2,
                9,
            )
        ]


def test_line_separators_inside_a_text_are_not_lines() -> None:
    """U+2028 and U+0085 break no line in an editor, so that they break none here."""
    assert read('a: "x\u2028y\u0085z"\nb: *c\n')[1] == [
        (
            "bad-alias",
            "there is no anchor &c above: write &c before what it is to stand for, further up; or if this is a text, put it in quotes",
            2,
            4,
        )
    ]


def test_all_faults_of_a_text_are_reported_at_once() -> None:
    """Reading goes on after a fault that leaves the structure known."""
    _, faults = read("a: *x\na: !foo 1\nb: .nan\n? {}\n: 2\n")
    assert [(code, line) for code, _, line, _ in faults] == [
        ("bad-alias", 1),
        ("duplicate-key", 2),
        ("unknown-tag", 2),
        ("bad-number", 3),
        ("key-not-text", 4),
    ]


def test_alias_bomb_is_stopped() -> None:
    """Ten lines of aliases of aliases that stand for billions of values are refused where they pass a million."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    document, faults = read("\n".join(lines) + "\n")
    assert document is None
    assert [(code, line) for code, _, line, _ in faults] == [("too-many-nodes", 6)]


def test_many_plain_values_are_stopped() -> None:
    """The bound counts written values as well."""
    document, faults = read("a: [" + "x," * 1_000_001 + "]\n")
    assert document is None
    assert [code for code, *_ in faults] == ["too-many-nodes"]


@pytest.mark.parametrize("opener", ["[", "{", "- ", "? "])
def test_deep_nesting_is_stopped(opener: str) -> None:
    """Sixty-five levels are refused, however many follow, in any style."""
    document, faults = read(opener * 100_000)
    assert document is None
    assert [(code, detail) for code, detail, *_ in faults] == [("too-much-nesting", TOO_DEEP)]


def test_sixty_four_levels_are_read() -> None:
    """The root mapping and sixty-three lists inside it; one more is refused."""
    document, faults = read("a: " + "[" * 63 + "]" * 63 + "\n")
    assert faults == []
    assert document is not None
    assert read("a: " + "[" * 64 + "]" * 64 + "\n")[1] == [("too-much-nesting", TOO_DEEP, 1, 67)]


def test_alias_cannot_nest_deeper_than_text() -> None:
    """Levels are counted with aliases expanded."""
    deep = "[" * 60 + "]" * 60
    document, faults = read(f"a: &a {deep}\nb: [[[[*a]]]]\n")
    assert document is None
    assert [(code, line) for code, _, line, _ in faults] == [("too-much-nesting", 2)]


def test_large_file_is_refused() -> None:
    """Sixteen MiB are read, fifty MB are not."""
    diagnostics = Diagnostics()
    assert decode(b"a" * 50_000_000, "plan.yaml", Reporter(diagnostics)) is None
    assert [(item.code, item.detail) for item in diagnostics] == [
        ("file-too-large", "plan.yaml has more than 16,384 KiB; split or shorten it")
    ]


def test_route_is_followed_as_far_as_it_goes() -> None:
    """A route's steps that no container has, such as a missing key or a union's tag, are passed over."""
    document, _ = read("a: {b: [x, {c: 1}]}\n")
    assert document is not None
    follow = document.follow
    assert follow(document.root, ("a", "b", 1, "c")) == (document.root["a"]["b"][1], "c")
    assert follow(document.root, ("a", "tag", "b", 7)) == (document.root["a"], "b")
    assert follow(document.root, ("z",)) is None


def test_place_of_a_missing_value_is_its_key() -> None:
    """Where there is nothing, the key shows where it is missing."""
    document, _ = read("a: 1\nbb:\n")
    assert document is not None
    assert document.value(document.root, "bb") == Span("plan.yaml", 2, 1, 2, 3)
    assert document.value(document.root, "a") == Span("plan.yaml", 1, 4, 1, 5)


def test_block_ends_where_its_last_value_ends() -> None:
    """A block's place ends with its last value, not with the comments and blank lines that follow."""
    document, _ = read("a:\n  b: |\n    x\n    y\n\n  # comment\n\nc: 1\n")
    assert document is not None
    assert document.value(document.root, "a") == Span("plan.yaml", 2, 3, 4, 6)


def test_span_of_lines() -> None:
    """A whole line is given without its end; numbers past the end give the last."""
    source = Source("x.csv", "a,b\r\nc,d\n")
    assert source.line(1) == Span("x.csv", 1, 1, 1, 4)
    assert source.line(2) == Span("x.csv", 2, 1, 2, 4)
    assert source.line(3) == Span("x.csv", 3, 1, 3, 1)
    assert source.line(99) == Span("x.csv", 3, 1, 3, 1)


def test_places_in_a_file_of_very_many_lines_are_those_of_a_table_of_lines() -> None:
    """Forwards and backwards, in the first line and the last, across lines and at their ends."""
    text = "one\ntwo three\n" * 300_000
    many, few = Source("p.yaml", text), Source("p.yaml", text)
    assert few.line(600_000) == Span("p.yaml", 600_000, 1, 600_000, 10)  # makes the table
    offsets = [0, 3, 4, 13, 2_000_000, 2_000_010, 17, 16, *(range(40, 0, -1)), len(text) - 10, len(text)]
    for start in offsets:
        for end in (start, start + 1, start + 2, start + 14, start + 15):
            assert many.span(start, min(end, len(text))) == few.span(start, min(end, len(text)))


def test_larger_than_stops_looking() -> None:
    """Values are counted with aliases expanded, up to the limit."""
    shared: list[Any] = ["x"] * 10
    nested: Any = {"a": shared, "b": shared}
    assert not larger_than(nested, 23)
    assert larger_than(nested, 22)
    bomb: Any = shared
    for _ in range(60):
        bomb = [bomb, bomb]
    assert larger_than(bomb, 1_000)


@pytest.mark.parametrize("text", ["{{a: b}", "{{}", "{{a", "a: {{", "{{a: b}}", "{{a}: b", "- {{x}"])
def test_a_template_without_quotes_at_the_very_end_of_a_file(text: str) -> None:
    """However little of it there is, it is a fault with a place in the text."""
    _, faults = read(text)
    assert faults
    assert all(line == 1 and 1 <= column <= len(text) + 1 for _, _, line, column in faults)


def test_places_of_keys_that_stay_when_others_are_taken_out() -> None:
    """Places are looked up late: a key taken out before anybody asked moves no other's, and one put in has none of them."""
    document, _ = read("a: 1\nbb: 2\nccc: 3\n")
    assert document is not None
    root = document.root
    root.take_out("bb")
    assert document.key(root, "ccc") == Span("plan.yaml", 3, 1, 3, 4)
    root["new"] = 4
    root.marks["new"] = root.marks["a"]
    assert [document.key(root, key).line for key in root] == [1, 3, 1]


def test_places_of_keys_that_are_written_again_and_again() -> None:
    """A key's first place is found while the mapping is still being read, also of one that came after another was repeated."""
    diagnostics = Diagnostics()
    parse(Source("plan.yaml", "a: 1\na: 2\nb: 3\nc: 4\nb: 5\nc: 6\n"), Reporter(diagnostics))
    (item,) = diagnostics
    assert [(place.message, place.span.line) for place in item.related] == [
        ("the first one", 1),
        ("written again", 5),
        ("written again", 6),
    ]


def test_marks_of_one_key_among_very_many() -> None:
    """They are found out as far as they are asked for, in any order, and are those that all together have."""
    text = "".join(f"k{number}: {number}\n" for number in range(5_000))
    (document, faults), (other, _) = read(text), read(text)
    assert faults == []
    assert document is not None
    assert other is not None
    for key in ("k0", "k2500", "k1", "k4999"):
        assert document.root.mark(key) == other.root.marks[key]
    assert document.root.marks == other.root.marks
    with pytest.raises(KeyError):
        document.root.mark("nobody")
