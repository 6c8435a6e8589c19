"""The form of plan files: what is changed, what never is, and that nothing an author wrote is lost."""

from __future__ import annotations

import random
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.diagnostics import Diagnostics
from planner.spec import load_plans
from planner.spec.faults.reporting import EnoughFaults, Reporter
from planner.spec.formatting import MeaningChangedError, format_file
from planner.spec.formatting.reading import read_tree
from planner.spec.formatting.sameness import same
from planner.spec.model import Case, Project
from planner.spec.source import Place, Source
from planner.spec.yaml.decoding import decode
from planner.spec.yaml.parser import parse

PLANS = Path(__file__).parents[3] / "plans"
EXAMPLES = sorted(PLANS.glob("*.yaml"))


def formatted(text: str, file: str = "plan.yaml") -> str:
    """The text in the form, which formatting again does not change."""
    diagnostics = Diagnostics()
    once = format_file(text.encode(), file, Reporter(diagnostics))
    assert once is not None, [(item.code, item.detail) for item in diagnostics]
    assert format_file(once, file, Reporter(Diagnostics())) == once
    assert read_tree(text).comments == read_tree(once.decode()).comments
    return once.decode()


def body(text: str) -> str:
    """What becomes of `text` under the first two keys of a plan."""
    head = "version: 1\nplan: p\n"
    return formatted(head + text).removeprefix(head)


def test_keys_come_in_the_order_of_the_grammar() -> None:
    """A scenario reads from what it is about to what is expected; the author's own names stay where they are."""
    assert (
        formatted("""\
scenarios:
  b:
    expect:
      - {severity: warning, max_seconds: 9, check: duration, id: x}
      - of: [{max_seconds: 9, check: duration}]
        check: any_of
    runs: 2
    matrix:
      max_cases: 3
      include: [{z: 1, a: 2}]
      axes: {z: [1], a: {column: c, file: f.csv}}
    prompt: Hi
    tags: [t]
  a:
    expect: [{check: tool_called, arguments: {name: n, id: 1, check: x}, name: t}]
    prompt: Hi
vars: {z: 1, a: 2}
plan: p
targets: {z: {agent: 1}, a: {agent: 2}}
version: 1
""")
        == """\
version: 1
plan: p
targets: {z: {agent: 1}, a: {agent: 2}}
vars: {z: 1, a: 2}
scenarios:
  b:
    tags: [t]
    prompt: Hi
    matrix:
      axes: {z: [1], a: {file: f.csv, column: c}}
      include: [{z: 1, a: 2}]
      max_cases: 3
    runs: 2
    expect:
      - {check: duration, id: x, max_seconds: 9, severity: warning}
      - check: any_of
        of: [{check: duration, max_seconds: 9}]

  a:
    prompt: Hi
    expect: [{check: tool_called, name: t, arguments: {name: n, id: 1, check: x}}]
"""
    )


def test_what_is_not_understood_is_not_moved() -> None:
    """A mapping with an unknown key keeps its order: the key may be mistyped, or of a newer grammar."""
    text = "scenarios:\n  a:\n    runs: 2\n    promt: Hi\n    tags: [t]\n"
    assert body(text) == text


def test_comments_stay_with_what_they_are_about() -> None:
    """Above a key, beside it, between items, inside brackets, at the end of a block and of the file."""
    assert (
        formatted("""\
# License
# of the file

plan: p   # its name
# about the version
version: 1
scenarios: # all of them
   # about b
   b:    # beside b
      # about runs
      runs: 2 # beside runs
      prompt: Hi
      expect: # what must hold
      # first
      - {check: call}   # beside the first
      - check: says # kind
        any_of: [ # any
          a, # beside a
          # above b
          b
          # end of the brackets
        ]
      # about nothing any more: the end of b
   # end of the scenarios
# end of the file
""")
        == """\
# License
# of the file

# about the version
version: 1
plan: p   # its name
scenarios: # all of them
  # about b
  b:    # beside b
    prompt: Hi
    # about runs
    runs: 2 # beside runs
    expect: # what must hold
      # first
      - {check: call}   # beside the first
      - check: says # kind
        any_of: # any
          - a # beside a
          # above b
          - b
          # end of the brackets
    # about nothing any more: the end of b
  # end of the scenarios
# end of the file
"""
    )


def test_the_editors_line_stays_on_top() -> None:
    """Editors look for their schema in the first line, whatever key comes first."""
    text = "# yaml-language-server: $schema=x.json\nplan: p\nversion: 1\n"
    assert formatted(text) == "# yaml-language-server: $schema=x.json\nversion: 1\nplan: p\n"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("- # of the item\n  - a\n", "- # of the item\n    - a\n"),
        ("-\n  # above\n  k: v\n", "# above\n  - k: v\n"),
        ("- k: v\n\n\n- # dash\n\n  k: v\n", "- k: v\n\n  - # dash\n    k: v\n"),
        ("- k: # one\n    v # two\n", "# one\n  - k: v # two\n"),
        ("- &a # anchored\n  k: v\n- *a # again\n", "- &a # anchored\n    k: v\n  - *a # again\n"),
        ("- &a !!map\n  k: &b !!str v\n", "- &a !!map\n    k: &b !!str v\n"),
        ("- []# tight\n- [ # in the empty one\n  ]\n", "- []  # tight\n  - [] # in the empty one\n"),
        ("- [\n  # in the empty one\n  ]\n", "# in the empty one\n  - []\n"),
        ("- - - a\n    - b\n  - c\n", "- - - a\n      - b\n    - c\n"),
        ("- {a: [1, # one\n   2]} # end\n", "# end\n  - a:\n      - 1 # one\n      - 2\n"),
        ("- &x k\n- {a, b: , ? c : d, *x : y}\n", "- &x k\n  - {a: null, b: null, c: d, *x : y}\n"),
        ("- &x k\n- *x : y\n  &y k2: z\n", "- &x k\n  - *x : y\n    &y k2: z\n"),
        ("- [a: b, ? c]\n", "- [{a: b}, {c: null}]\n"),
        ("- [!!str , &a , !!null ]\n", '- [!!str "", &a null, !!null ""]\n'),
        ("- ['a\u2028b', \"\\t\\\\\"]\n", '- - "a\\u2028b"\n    - "\\t\\\\"\n'),
        ("- !!str\n- &a\n-\n", "- !!str\n  - &a\n  -\n"),
    ],
)
def test_items_anchors_and_aliases(written: str, expected: str) -> None:
    """Properties, dashes and comments in the places they are rarely seen in."""
    text = "".join(f"  {line}\n" for line in written.removesuffix("\n").split("\n"))
    assert body("owners:\n" + text) == "owners:\n  " + expected


def test_an_alias_never_comes_before_its_anchor() -> None:
    """Keys whose order would part an alias from its anchor stay as they are; those below are put in order."""
    text = """\
scenarios:
  a:
    expect: &e
      - {max_seconds: 9, check: duration}
    prompt: Hi
  b:
    <<: &d {runs: 2, tags: [t]}
    expect: *e
    prompt: Hi
  c:
    prompt: Hi
    expect: *e
    <<: *d
"""
    assert body("defaults: &e {expect: []}\n" + text) == (
        """\
defaults: &e {expect: []}
scenarios:
  a:
    prompt: Hi
    expect: &e
      - {check: duration, max_seconds: 9}

  b:
    <<: &d {tags: [t], runs: 2}
    prompt: Hi
    expect: *e

  c:
    <<: *d
    prompt: Hi
    expect: *e
"""
    )
    kept = "scenarios:\n  a:\n    runs: &n 2\n    prompt: *n\n"
    assert body(kept) == kept


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("plain text", "plain text"),
        ("'30 days'", '"30 days"'),
        ('"30 days"', '"30 days"'),
        (r'"(?i)\\d+ \"x\""', r"""'(?i)\d+ "x"'"""),
        (r"""'\d+ "x"'""", r"""'\d+ "x"'"""),
        (r"""'it''s \d'""", r"""'it''s \d'"""),
        ('"it\'s \\\\d"', '"it\'s \\\\d"'),
        ("'it''s'", '"it\'s"'),
        (r'"a\tb"', r'"a\tb"'),
        ('"a\n     b\\\n     c\\ \n     d"', '"a\n  b\\\n  c\\ \n  d"'),
        ("a\n\n     b\n     - c", "a\n\n  b\n  - c"),
        ("'a\u2028b'", '"a\\u2028b"'),
        ("True", "True"),
        ("~", "~"),
        ("|\n     x\n       y\n\n     z", "|\n  x\n    y\n\n  z"),
        ("|4  # why\n     x\n    y", "|2  # why\n   x\n  y"),
        (">-\n a\n b\n\n   c", ">-\n  a\n  b\n\n    c"),
        ("|\n\n  x", "|\n\n  x"),
        ("|  # nothing in it", '""  # nothing in it'),
        ("|+\n  x\n\n\n", "|+\n  x\n\n\n"),
        ("|\r\n  x\r\n  y", "|\n  x\n  y"),
        ("|\n  x\u2028  y", '"x\\u2028y\\n"'),
    ],
)
def test_texts_are_kept_as_written(written: str, expected: str) -> None:
    """Only quotes are changed, and only to those that need no backslash; a text of several lines keeps its lines."""
    assert body(f"description: {written}\n") == f"description: {expected}\n"


def test_a_text_at_the_end_of_a_file_without_a_line_end() -> None:
    """The line end that is added is not to be part of the text."""
    assert body("description: |\n  x") == "description: |-\n  x\n"
    assert body("description: |+\n  x") == "description: |-\n  x\n"
    assert body("description: |+\n  x\n\nowners: [a]\n") == "description: |+\n  x\n\nowners: [a]\n"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("'agent'", "agent"),
        ('"two words"', '"two words"'),
        ("'two words'", '"two words"'),
        ("'null'", '"null"'),
        ("'on'", '"on"'),
        ('? "a\n    b"\n  ', '"a b"'),
        ("? |-\n    ab\n  ", "ab"),
    ],
)
def test_keys_lose_quotes_that_nobody_needs(written: str, expected: str) -> None:
    """A key is always text; it stays quoted where another reader of YAML would see something else."""
    assert body(f"vars:\n  {written}: 1\n") == f"vars:\n  {expected}: 1\n"


def test_a_very_long_key() -> None:
    """YAML reads it with a question mark only."""
    key = "k" * 1_500
    assert body(f"vars:\n  ? {key}\n  : {{? {key} : 1}}\n") == f"vars:\n  ? {key}\n  :\n    ? {key}\n    : 1\n"


def test_brackets_are_filled_to_120_columns() -> None:
    """What fits on a line stands on one, however it was written; what does not has a line an entry."""
    item = "x" * 20
    assert body("tags: [\n  a,\n  b,\n]\n") == "tags: [a, b]\n"
    fits = f"tags: [{item}, {item}, {item}, {item}, {item}]\n"
    assert len(fits.rstrip()) == 116
    assert body(fits) == fits
    assert body(fits.replace("]", ", yyy]")) == "tags:\n" + f"  - {item}\n" * 5 + "  - yyy\n"
    assert body("owners:\n- a\n") == "owners:\n  - a\n"


def test_blank_lines() -> None:
    """One at most, none at the start of a block, one between scenarios of several lines."""
    assert (
        body("""\


owners: [a]


tags: [b]
scenarios:

  a:

    prompt: Hi



    runs: 1
  # about b
  b: {prompt: Hi}
  c: {prompt: Hi}

  # about d

  d: {prompt: Hi}


""")
        == """\

owners: [a]

tags: [b]
scenarios:
  a:
    prompt: Hi

    runs: 1

  # about b
  b: {prompt: Hi}
  c: {prompt: Hi}

  # about d

  d: {prompt: Hi}
"""
    )


def test_a_heading_of_its_own() -> None:
    """Directives and the document's start stay on top; its end marker goes."""
    text = "%YAML 1.2\n# a\n\n---   # b\n# c\nplan: p\nversion: 1\n...\n# d\n"
    assert formatted(text) == "%YAML 1.2\n# a\n---   # b\n# c\nversion: 1\nplan: p\n# d\n".replace(
        "---   # b", "---\n# b"
    )
    assert formatted("--- !!map\nplan: p\nversion: 1\n") == "---\n!!map\nversion: 1\nplan: p\n"


def test_json_becomes_yaml() -> None:
    """A file that is one pair of brackets is unfolded."""
    assert formatted('{"version": 1, "plan": "p", "tags": ["t"]}') == 'version: 1\nplan: "p"\ntags: ["t"]\n'


def test_line_ends_and_byte_order_mark_stay() -> None:
    """A file that Windows wrote is not changed on every line: line ends are those of the first line."""
    text = "\ufeffplan: p\r\nversion: 1\r\ndescription: |\r\n    a\r\n    b\n"
    made = format_file(text.encode(), "plan.yaml", Reporter(Diagnostics()))
    assert made == "\ufeffversion: 1\r\nplan: p\r\ndescription: |\r\n  a\r\n  b\r\n".encode()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("version: 1\nplan: [\n", "yaml-syntax"),
        ("version: 1\nplan: p\nplan: q\n", "duplicate-key"),
        ("version: 2\nplan: p\n", "version-unknown"),
        ("plan: p\n", "missing-key"),
        ("version: 1\nservices: {}\n", "missing-key"),
        ("\xff", "not-utf8"),
        ("", "empty-file"),
        ("- a\n", "wrong-type"),
    ],
)
def test_what_has_no_known_structure_is_left_alone(text: str, code: str) -> None:
    """Broken YAML, a newer grammar and files that are no plans are not touched."""
    diagnostics = Diagnostics()
    assert format_file(text.encode("latin-1"), "x.yaml", Reporter(diagnostics)) is None
    assert [item.code for item in diagnostics] == [code]


def test_a_project() -> None:
    """`planner.yaml` has its own order and needs neither version nor content."""
    text = "rates: {spark: 8, bolt: 9}\nenvironments:\n    b: {x: {agent: 1}}\n    a: {}\n"
    expected = "environments:\n  b: {x: {agent: 1}}\n  a: {}\nrates: {spark: 8, bolt: 9}\n"
    assert formatted(text, "sub/planner.yaml") == expected
    assert format_file(b"# nothing yet", "planner.yaml", Reporter(Diagnostics())) == b"# nothing yet"


def test_a_library() -> None:
    """Expectations below their names, alone or listed, are in order; names and values are as they were."""
    assert (
        formatted("""\
vars: {b: 1, a: 2}
axes: {b: [{x: 1, id: y}], a: [1]}
expectations:
    b: {severity: warning, check: duration, max_seconds: 9}
    a:
    - {arguments: {name: 1, check: 2}, check: tool_called, name: t}
kind: library
version: 1
""")
        == """\
version: 1
kind: library
expectations:
  b: {check: duration, max_seconds: 9, severity: warning}
  a:
    - {check: tool_called, name: t, arguments: {name: 1, check: 2}}
axes: {b: [{x: 1, id: y}], a: [1]}
vars: {b: 1, a: 2}
"""
    )
    used = "scenarios:\n  a:\n    expect:\n      - {severity: warning, use: polite}\n"
    assert body(used) == used.replace("severity: warning, use: polite", "use: polite, severity: warning")


@pytest.mark.parametrize(
    "other",
    [
        "vars: {b: 2, a: 1}",
        "vars: {a: 1.0, b: 2}",
        "vars: {a: true, b: 2}",
        "vars: {a: 1}",
        "vars: {a: 1, b: [2]}",
        "vars: {a: 1, b: {}}",
    ],
)
def test_what_differs_is_seen(other: str) -> None:
    """The check before a file is written tells 1 from 1.0 and true, and sees the order of the author's names."""
    assert not same(root("vars: {a: 1, b: 2}"), root(other))


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("scenarios: {a: {runs: 1, tags: []}}", "scenarios: {a: {tags: [], runs: 1}}", True),
        ("scenarios: {a: {}, b: {}}", "scenarios: {b: {}, a: {}}", False),
        ("axes: {a: [{x: 1, y: 2}], b: []}", "axes: {a: [{y: 2, x: 1}], b: []}", False),
        ("axes: {a: [], b: []}", "axes: {b: [], a: []}", False),
        ("axes: {a: {file: f, column: c}}", "axes: {a: {column: c, file: f}}", True),
        ("expect: [{check: x, arguments: {a: 1, b: 2}}]", "expect: [{check: x, arguments: {b: 2, a: 1}}]", False),
        ("targets: {a: {}, b: {}}", "targets: {b: {}, a: {}}", False),
        ("tags: [a, b]", "tags: [b, a]", False),
        ("tags: [a, b]", "tags: [a]", False),
    ],
)
def test_where_order_counts(one: str, other: str, alike: bool) -> None:
    """Below the author's names and in lists; not among the grammar's own keys."""
    assert same(root(one), root(other)) is alike


def root(text: str) -> Any:
    reporter = Reporter(Diagnostics())
    source = decode(text.encode(), "x.yaml", reporter)
    document = parse(source, reporter) if source is not None else None
    assert document is not None
    return document.root


def test_a_bug_of_the_formatter_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No input is known that it would change, so its last step is replaced by faulty ones: text and comments are guarded."""
    for wrong in ("version: 1\nplan: q # c\n", "version: 1\nplan: p\n", "version: [\n"):
        monkeypatch.setattr("planner.spec.formatting.write", lambda *_, wrong=wrong: wrong)
        with pytest.raises(MeaningChangedError):
            format_file(b"version: 1\nplan: p # c\n", "plan.yaml", Reporter(Diagnostics()))


# Laws


def facts(case: Case) -> Any:
    """All that decides what is called and what is expected, without the lines it is written on."""
    ids = [expectation.id for expectation in case.expectations]
    shown = replace(case, place=Place(Source("", ""), 0, 0), expectation_places=())
    return case.case_id, call_fingerprint(case_inputs(case, "r")), check_fingerprint(case), ids, shown


def cases_of(folder: Path, text: bytes) -> list[Any]:
    (folder / "plan.yaml").write_bytes(text)
    plans, _ = load_plans([folder / "plan.yaml"], cwd=folder, project=Project())
    return [facts(case) for plan in plans for case in plan.cases]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for beside in ("prompts", "lib"):
        shutil.copytree(PLANS / beside, tmp_path / beside)
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_in_the_form(example: Path) -> None:
    """They are what is copied."""
    assert formatted(example.read_text()) == example.read_text()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_cases_stay_the_same(folder: Path, example: Path) -> None:
    """Case ids, fingerprints, expectation ids and all else of each case, for examples written in many other ways."""
    before = cases_of(folder, example.read_bytes())
    assert before
    chance = random.Random(example.name)  # noqa: S311 - repeatable, no secret
    for _ in range(5):
        text = disarranged(example.read_text(), chance)
        assert cases_of(folder, text.encode()) == before
        assert cases_of(folder, formatted(text).encode()) == before


def disarranged(text: str, chance: random.Random) -> str:
    """The same plan, written worse: comments and blank lines anywhere between lines, spaces in brackets, broken lines."""
    lines: list[str] = []
    block = -1
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        ends = bool(line.strip()) and indent <= block
        if ends:
            block = -1
        if block < 0 and chance.random() < 0.3:
            lines.append(
                " " * chance.choice([0, indent, indent if ends else indent + 4]) + f"# {chance.randrange(1_000)}"
            )
        if block < 0 and chance.random() < 0.2:
            lines.append("")
        if line.rstrip().endswith(("|", ">")):
            block = indent
        elif block < 0 and "{{" not in line and "#" not in line:
            if chance.random() < 0.3:
                line = line.replace("{check", "{  check").replace("}", "  }")  # noqa: PLW2901 - the line, written worse
            if chance.random() < 0.3 and re.fullmatch(r"[^\"']*[\[{][^\"']*, [^\"']*[\]}]", line):
                line = line.replace(", ", f", # {chance.randrange(1_000)}\n{' ' * (indent + 6)}", 1)  # noqa: PLW2901
            if chance.random() < 0.2:
                line += f"   # {chance.randrange(1_000)}"  # noqa: PLW2901
        lines.append(line)
    return "\n".join(lines) + "\n"


PIECES = [
    *("{", "}", "[", "]", ":", ": ", "- ", "\n", "\n  ", '"', "'", "|", ">", "&a ", "*a", "<<: *a", "!", "!!str ", "? ", ","),
    *("#", " # c", "\n# own\n", "\n    # own\n", "\n      - # d\n", "\n\n\n", "|+\n", "|2\n", ">-\n", "---\n", "...\n", "%"),
    *("null", "5", "é", "😀", "\u2028", "\x85", "\r", "\r\n", "\\", "{a: b}", "[a, # k\n b]", "{c, }", "''", '""', "check: says"),
]  # fmt: skip


def survives(text: str) -> bool:
    """Whether it was formatted: then nothing is lost, and formatting again changes nothing."""
    try:
        once = format_file(text.encode(), "plan.yaml", Reporter(Diagnostics()))
    except EnoughFaults:
        return False
    if once is None:
        return False
    assert format_file(once, "plan.yaml", Reporter(Diagnostics())) == once
    return True


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_mutated_examples(example: Path) -> None:
    """Parts of the examples with pieces cut out, put in and doubled, the same ones each time."""
    lines = example.read_text().splitlines(keepends=True)
    chance = random.Random(example.name)  # noqa: S311 - repeatable, no secret
    count = 0
    for _ in range(400):
        start = chance.randrange(len(lines))
        text = "version: 1\nplan: p\nvars:\n" + "".join(lines[start : start + chance.randrange(2, 30)])
        for _ in range(chance.randint(1, 3)):
            start = chance.randrange(len(text))
            end = min(len(text), start + chance.choice([0, 0, 1, 3, 20]))
            text = text[:start] + chance.choice(["", *PIECES, text[start:end] * 2]) + text[end:]
        count += survives(text)
    assert count > 20


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*PIECES, "a", "b: ", "\n  c: ", "\n  - ", "\n    d"]), max_size=30).map("".join))
def test_any_yaml_like_text(text: str) -> None:
    """Whatever can be read is formatted without loss."""
    survives("version: 1\nplan: p\nvars:\n  v:\n   " + text)


KEYS = st.sampled_from(["a", "b b", "'c'", '"d"', "prompt", "expect", "&k e", "? f\n"])
LEAVES = st.sampled_from(
    ["1", "x y", "'it''s'", r'"\\d"', "true", "", "&n x", "!!str 5", "|\n\0  t\n\0    u\n\0", ">-\n\0  t\n\n\0  u", '"p\n\0  q"', "p\n\0  q"]
)  # fmt: skip
NOTES = st.sampled_from(["", "", "", " # n", "   # n"])
ABOVE = st.sampled_from(["", "", "", "\n", "\0# own\n", "\n\0# own\n\n", "# out\n"])


def blocks(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Block mappings and sequences; NUL stands for the indentation where they are put."""
    entry = st.tuples(ABOVE, KEYS.filter(lambda key: not key.startswith("?")), NOTES, children)
    item = st.tuples(ABOVE, NOTES, children)
    mapping = st.lists(entry, min_size=1, max_size=3, unique_by=lambda one: one[1].strip("'\"")).map(
        lambda entries: (
            "\n" + "".join(f"{a}\0{k}:{n if v.startswith(chr(10)) else ''} {deeper(v)}\n" for a, k, n, v in entries)
        )
    )
    sequence = st.lists(item, min_size=1, max_size=3).map(
        lambda items: "\n" + "".join(f"{a}\0-{n if v.startswith(chr(10)) else ''} {deeper(v)}\n" for a, n, v in items)
    )
    return mapping | sequence


def deeper(text: str) -> str:
    return text.replace("\0", "\0   ")


@settings(max_examples=200, deadline=None)
@given(st.recursive(LEAVES, blocks, max_leaves=12))
def test_any_nesting(value: str) -> None:
    """Blocks in blocks with texts of all styles, comments and blank lines anywhere."""
    text = f"version: 1\nplan: p\nvars: {value}\n".replace("\0", "  ")
    if value.startswith("\n"):
        assert survives(text)
