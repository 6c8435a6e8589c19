"""Which files are plans, what the files beside them may be, and where paths may lead."""

from __future__ import annotations

import os
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.errors import UsageError
from planner.planfile.files import find_root, plan_files

PLAIN = """\
version: 1
plan: p
targets: {support: {agent: 12}}
defaults: {expect: [{check: call, status: completed}]}
scenarios:
  s:
"""


def test_root_is_the_nearest_folder_with_a_repository_or_project(tmp_path: Path) -> None:
    """`.git` (a folder, or a file in a worktree) or `planner.yaml`, the nearer one; else the folder itself."""
    deep = tmp_path / "a" / "b" / "c"
    deep.mkdir(parents=True)
    assert find_root(deep) == deep
    (tmp_path / ".git").write_text("gitdir: elsewhere")
    assert find_root(deep) == tmp_path
    (tmp_path / "a" / "planner.yaml").write_text("")
    assert find_root(deep) == tmp_path / "a"


def test_plans_are_the_yaml_files_of_a_folder_in_order(tmp_path: Path) -> None:
    """Folders are searched through, hidden files and folders and `planner.yaml` are not plans, and no file comes twice."""
    names = "b.yaml a.yml sub/c.yaml sub/d.txt .hidden/e.yaml .f.yaml planner.yaml sub/planner.yaml"
    for name in names.split():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    found = plan_files([tmp_path / "sub" / "c.yaml", tmp_path])
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["sub/c.yaml", "a.yml", "b.yaml"]
    assert plan_files([tmp_path / "sub" / "d.txt"]) == [tmp_path / "sub" / "d.txt"]


def test_missing_path_and_empty_folder_are_usage_errors(tmp_path: Path) -> None:
    """What was asked for must be there: a mistyped path is not an empty set of plans."""
    with pytest.raises(UsageError, match="nowhere does not exist") as missing:
        plan_files([tmp_path / "nowhere"])
    assert missing.value.hint == "Name plan files, or folders with plan files; planner init writes a first one"
    with pytest.raises(UsageError, match="no plans in "):
        plan_files([tmp_path])


def test_prompt_file_is_a_template_beside_the_plan(workspace: Any) -> None:
    """A prompt file is relative to the plan that names it, and a template like any prompt."""
    workspace.write("plans/prompts/x.md", "\ufeffYou are {{ who }}.\r\nAsk.\r\n")
    workspace.write("plans/plan.yaml", PLAIN + "    prompt_file: prompts/x.md\n    matrix: {axes: {who: [Ana]}}\n")
    plans, diagnostics = workspace.load("plans")
    assert workspace.rendered(diagnostics) == ""
    assert plans[0].cases[0].prompt == "You are Ana.\nAsk.\n"


def test_fault_of_a_prompt_file_is_shown_in_it(workspace: Any) -> None:
    """Line and column are those of the prompt file, for any line endings."""
    workspace.write(
        "prompts/x.md", "You are calm.\r\nYour order is {{ ordr }},\r\n{{ n.upper }} and {{ m | uper }}\r\n"
    )
    workspace.write("prompts/y.md", "Order {{ order }}, please.\r\nYou are {{ n.name }}.")
    matrix = "    matrix: {axes: {order: [5], n: [{id: a}]}}\n"
    two = "  t:\n    prompt_file: prompts/y.md\n"
    assert workspace.diagnostics(PLAIN + "    prompt_file: prompts/x.md\n" + matrix + two + matrix) == snapshot(
        "prompts/x.md:3:26 template-syntax, prompts/y.md:2:14 template-undefined"
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../outside.md", snapshot("7:18 file-outside")),
        ("/etc/passwd", snapshot("7:18 file-outside")),
        ("~/x.md", snapshot("7:18 file-outside")),
        ("link.md", snapshot("7:18 file-outside")),
        ("folder", snapshot("7:18 file-missing")),
        ("nowhere.md", snapshot("7:18 file-missing")),
        ("empty.md", snapshot("7:18 empty-prompt")),
        ("large.md", snapshot("7:18 file-too-large")),
        ("latin.md", snapshot("latin.md:1:4 not-utf8")),
        ("nul\\0.md", snapshot("7:18 control-character, 7:18 file-outside")),
    ],
)
def test_prompt_file_that_cannot_be_used(workspace: Any, path: str, said: str) -> None:
    """Files stay inside the repository, symbolic links resolved; what cannot be read says so where it is named."""
    (workspace.root.parent / "outside.md").write_text("secret")
    (workspace.root / "link.md").symlink_to(workspace.root.parent / "outside.md")
    (workspace.root / "folder").mkdir()
    workspace.write("empty.md", " \n")
    workspace.write("large.md", "x" * 70_000)
    workspace.write("latin.md", b"caf\xe9")
    workspace.write("plan.yaml", f'{PLAIN}    prompt_file: "{path}"\n')
    assert workspace.diagnostics() == said


def test_path_that_no_file_can_have(workspace: Any) -> None:
    """The operating system's refusal of a name is said, of a prompt file and of a path on the command line."""
    workspace.write("plan.yaml", f"{PLAIN}    prompt_file: {'n' * 5_000}\n")
    _, diagnostics = workspace.load()
    assert [(item.code, item.detail) for item in diagnostics] == [
        ("file-unreadable", "this file cannot be read: File name too long")
    ]
    with pytest.raises(UsageError, match="… cannot be read: File name too long"):
        plan_files([Path("n" * 5_000)])


def test_link_inside_the_repository_may_be_followed(workspace: Any) -> None:
    """A symbolic link is judged by where it leads."""
    workspace.write("shared/x.md", "Hello.")
    (workspace.root / "here.md").symlink_to(workspace.root / "shared" / "x.md")
    assert workspace.case(PLAIN + "    prompt_file: here.md\n").prompt == "Hello."


def test_axis_values_come_from_files(workspace: Any) -> None:
    """CSV by column, tab-separated values, JSON lines whole or by key, and plain lines; strings stay strings."""
    workspace.write("a.csv", '\ufeff number ,city\r\n007,"Paris, TX"\r\n\r\n 18 ,"Rome\r\nItaly"\r\n')
    workspace.write("b.tsv", "x\ty\n1\tone\n")
    workspace.write("c.jsonl", '{"id": "ana", "name": "Ana"}\n\n{"id": "bob", "name": "Bob"}\n')
    workspace.write("d.ndjson", '{"n": 5}\n{"n": true}\n')
    workspace.write("e.txt", "one way\n\n  another \n")
    axes = """\
    matrix:
      axes:
        a: {file: a.csv, column: number}
        b: {file: b.tsv, column: y}
        c: {file: c.jsonl}
        d: {file: d.ndjson, column: n}
        e: {file: e.txt}
      exclude: [{c: bob}, {d: 5}, {e: another}]
"""
    cases = workspace.cases(PLAIN + '    prompt: "{{ a }} {{ b }} {{ c.name }} {{ d }} {{ e }}"\n' + axes)
    assert [(case.case_id, case.prompt) for case in cases] == [
        ('p/s[a=007,b=one,c=ana,d=true,e="one way"]@support', "007 one Ana true one way"),
        ('p/s[a=18,b=one,c=ana,d=true,e="one way"]@support', "18 one Ana true one way"),
    ]


def test_rows_of_a_table_are_mappings(workspace: Any) -> None:
    """Without `column`, templates see all cells as strings, and the column `id` names the case."""
    workspace.write("people.csv", "id,name, city\nana,Ana Ruiz,\nbob,Bob Lee,Rome\n")
    axes = "    matrix: {axes: {who: {file: people.csv}}}\n"
    cases = workspace.cases(PLAIN + '    prompt: "{{ who.name }} of {{ who.city }}{{ who.id }}"\n' + axes)
    assert [(case.case_id, case.prompt) for case in cases] == [
        ("p/s[who=ana]@support", "Ana Ruiz of ana"),
        ("p/s[who=bob]@support", "Bob Lee of Romebob"),
    ]


@pytest.mark.parametrize(
    ("axis", "content", "said"),
    [
        ("{file: x.csv}", "a,b\n1,2\n", snapshot("8:31 bad-axis-file")),
        ("{file: x.csv}", "id,b,b\n1,2,3\n", snapshot("x.csv:1:1 bad-axis-file")),
        ("{file: x.csv}", "id,b\n,2\n", snapshot("x.csv:2:1 bad-axis-file")),
        ("{file: x.csv}", "id,b\n1,2\n1,3\n", snapshot("7:15 template-failed, x.csv:3:1 colliding-case-id")),
        ("{file: x.csv, column: c}", "a,b\n1,2\n", snapshot("8:46 bad-axis-file")),
        (
            "{file: x.csv, column: b}",
            "a,b\n1,2\n3\n4, \n",
            snapshot("x.csv:3:1 bad-axis-file, x.csv:4:1 bad-axis-file"),
        ),
        ("{file: x.csv, column: b}", 'a,b\n1,"2\n', snapshot("x.csv:2:1 bad-axis-file")),
        ("{file: x.csv, column: b}", "a,b\n1,2\n2,2\n", snapshot("x.csv:3:1 duplicate-item")),
        ("{file: x.csv, column: b}", "a,b\n", snapshot("8:31 bad-axis-file")),
        ("{file: x.csv, column: b}", "", snapshot("8:31 bad-axis-file")),
        ("{file: x.csv, column: b}", "a,b,b\n1,2,3\n", snapshot("x.csv:1:1 bad-axis-file")),
        ("{file: x.csv, column: b}", "a,b\n1,2,3\n4,5\n", snapshot("x.csv:2:1 bad-axis-file")),
        ("{file: x.csv, column: b}", "a;b\n1;2\n", snapshot("8:31 bad-axis-file")),
        ("{file: x.csv, column: b}", "a\tb\n1\t2\n", snapshot("8:31 bad-axis-file")),
        ("{file: x.tsv}", "a,b\n1,2\n", snapshot("8:31 bad-axis-file")),
        ("{file: x.csv}", "\n1\n", snapshot("8:31 bad-axis-file")),
        ("{file: x.csv, column: b}", 'a,b\n1,"two\nlines"\n3,4,5\n', snapshot("x.csv:4:1 bad-axis-file")),
        ("{file: x.csv, column: b}", "a,b\n1,\x1b[31m2\n", snapshot("x.csv:2:3 control-character")),
        ("{file: x.txt}", "a\x00b\n", snapshot("x.txt:1:2 control-character")),
        (
            "{file: x.jsonl}",
            '"\\u001b[31m"\n1e999\n{"id": "x", "n": [1, {"m": 1e999}]}\n"ok"\n',
            snapshot("x.jsonl:1:1 bad-axis-file, x.jsonl:2:1 bad-axis-file, x.jsonl:3:1 bad-axis-file"),
        ),
        ("{file: x.csv, column: a}", 'a,b\n"x"y,z\n', snapshot("x.csv:2:1 bad-axis-file")),
        (
            "{file: x.jsonl}",
            '{"id": "a", "id": "b"}\n{"id": "at 9:30"}\n{"id": "c", "n": [{"m": 1, "k": 2, "m": 3}]}\n',
            snapshot("7:15 template-failed, x.jsonl:1:1 bad-axis-file, x.jsonl:3:1 bad-axis-file"),
        ),
        (
            "{file: x.jsonl}",
            '{id: 1}\n{"id": 1\n[1\n"a\n1 2\n{"id" 1}\n{"id": 1,}\n{"id": "a" "b": 1}\n"\\q"\n01\n"\t"\n',
            ", ".join(f"x.jsonl:{line}:1 bad-axis-file" for line in range(1, 12)),
        ),
        (
            "{file: x.jsonl}",
            '1\n{"a": 1}\nnope\nNaN\n',
            snapshot("x.jsonl:2:1 bad-axis, x.jsonl:3:1 bad-axis-file, x.jsonl:4:1 bad-axis-file"),
        ),
        (
            "{file: x.jsonl, column: k}",
            '{"k": 1}\n{"a": 1}\n5\n',
            snapshot("x.jsonl:2:1 bad-axis-file, x.jsonl:3:1 bad-axis-file"),
        ),
        ("{file: x.jsonl, column: Name}", '{"name": "Ana"}\n5\n{"id": "a"}\n', snapshot("8:48 bad-axis-file")),
        ("{file: x.jsonl, column: k}", '"a"\n"b"\n', snapshot("8:48 bad-axis-file")),
        ("{file: x.jsonl, column: k}", '{"k": [1]}\n', snapshot("x.jsonl:1:1 bad-axis")),
        ("{file: x.jsonl}", '{"id": 5}\n', snapshot("x.jsonl:1:1 bad-axis")),
        ("{file: x.txt, column: k}", "a\n", snapshot("8:46 bad-axis-file")),
        ("{file: x.xlsx}", "a\n", snapshot("8:31 bad-axis-file")),
        ("{file: x.txt}", b"caf\xe9", snapshot("x.txt:1:4 not-utf8")),
        ("{file: ../../x.txt}", "", snapshot("8:31 file-outside")),
        ("{file: x.txt, colum: k}", "a\n", snapshot("8:38 unknown-key")),
        ("{file: 5}", "a\n", snapshot("8:31 wrong-type")),
        ("{file: }", "a\n", snapshot("8:25 wrong-type")),
    ],
    ids=range(36),
)
def test_axis_file_that_cannot_be_used(workspace: Any, axis: str, content: str | bytes, said: str) -> None:
    """A diagnostic of the file is shown in the file, a diagnostic of what the plan says about it in the plan."""
    name = axis.removeprefix("{file: ").rstrip("}").split(",")[0]
    if name.startswith("x."):
        workspace.write(name, content)
    workspace.write("plan.yaml", f'{PLAIN}    prompt: "x{{{{ a }}}}"\n    matrix: {{axes: {{a: {axis}}}}}\n')
    assert workspace.diagnostics() == said


def test_all_files_are_read_despite_errors_in_one(workspace: Any) -> None:
    """Faults of all files come together, in order; sound plans are returned, a second plan of one name is not."""
    sound = PLAIN + "    prompt: Hello.\n"
    workspace.write("plans/a.yaml", "version: [\n")
    workspace.write("plans/b.yaml", sound)
    workspace.write("plans/c.yaml", sound)
    workspace.write("plans/d.yaml", sound.replace("plan: p", "plan: q"))
    workspace.write("plans/e.yaml", b"\xff")
    workspace.write("plans/f.yaml", "")
    workspace.write("plans/g.yaml", "[]: 1\n" * 2_000)
    plans, diagnostics = workspace.load("plans")
    assert [(plan.name, plan.file) for plan in plans] == [("p", "plans/b.yaml"), ("q", "plans/d.yaml")]
    assert [(item.code, item.span.file) for item in diagnostics if item.span.file != "plans/g.yaml"] == [
        ("yaml-syntax", "plans/a.yaml"),
        ("duplicate-plan", "plans/c.yaml"),
        ("same-call", "plans/d.yaml"),
        ("not-utf8", "plans/e.yaml"),
        ("empty-file", "plans/f.yaml"),
    ]
    hopeless = [item for item in diagnostics if item.span.file == "plans/g.yaml"]
    assert len(hopeless) == 1_001
    assert (hopeless[-1].code, hopeless[-1].span.line) == ("more-errors", 1_001)


def test_warnings_never_stop_the_reading(workspace: Any) -> None:
    """A plan with very many warnings can be called."""
    scenarios = "".join(f"  s{number}: {{prompt: Hello.}}\n" for number in range(1_200))
    workspace.write(
        "plan.yaml",
        "version: 1\nplan: p\ntargets: {support: {agent: 12}}\n"
        f"defaults: {{expect: [{{check: call, status: completed}}]}}\nscenarios:\n{scenarios}",
    )
    plans, diagnostics = workspace.load()
    assert len(plans[0].cases) == 1_200
    assert Counter((item.severity.value, item.code) for item in diagnostics) == {
        ("warning", "same-call"): 1_000,
        ("warning", "more-errors"): 1,
    }


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_file_without_permission_is_a_fault(workspace: Any) -> None:  # pragma: no cover - depends on who runs it
    """The operating system's refusal is said as it is."""
    workspace.write("plan.yaml", PLAIN).chmod(0)
    assert [code for code, *_ in workspace.codes()] == ["file-unreadable"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_folder_without_permission_is_reported(workspace: Any) -> None:  # pragma: no cover - depends on who runs it
    """Plans may be in it: leaving them out silently would call less than was meant."""
    workspace.write("plans/a.yaml", PLAIN)
    workspace.write("plans/more/b.yaml", PLAIN).parent.chmod(0)
    with pytest.raises(UsageError, match="plans/more cannot be read: Permission denied"):
        workspace.load("plans")


def test_dangling_link_is_a_fault(workspace: Any) -> None:
    """A link to nowhere inside a folder of plans is reported, not skipped."""
    (workspace.root / "plans").mkdir()
    (workspace.root / "plans" / "gone.yaml").symlink_to("nowhere.yaml")
    _, diagnostics = workspace.load("plans")
    assert [(item.code, item.detail) for item in diagnostics] == [("file-missing", "there is no file plans/gone.yaml")]


@pytest.mark.parametrize(
    "target", ["/dev/zero", "/etc/passwd", "../outside.yaml", ".git/config", ".planner/secret.yaml"]
)
def test_a_plan_that_links_to_a_forbidden_file(workspace: Any, target: str) -> None:
    """Out of the repository, or into what git and planner keep there: refused, and nothing of it is read or shown."""
    (workspace.root.parent / "outside.yaml").write_text("token: SECRET")
    workspace.write(".git/config", b"token = SECRET")
    workspace.write(".planner/secret.yaml", b"token: SECRET")
    (workspace.root / "plans").mkdir()
    place = Path(target) if target.startswith("/") else workspace.root / target
    (workspace.root / "plans" / "linked.yaml").symlink_to(place)
    _, diagnostics = workspace.load("plans")
    assert [item.code for item in diagnostics] == ["file-outside"]


def test_error_in_an_axis_file_names_the_plan_that_uses_it(workspace: Any) -> None:
    """The error is in the file, and also names the line of the plan that uses it."""
    workspace.write("orders.csv", "number\n17\n18,19\n17\n")
    matrix = "    matrix: {axes: {order: {file: orders.csv, column: number}}}\n"
    assert workspace.diagnostics(PLAIN + '    prompt: "{{ order }}"\n' + matrix) == snapshot(
        "orders.csv:3:1 bad-axis-file, orders.csv:4:1 duplicate-item"
    )


def test_axis_file_with_more_values_than_cases_can_be(workspace: Any) -> None:
    """A file of a hundred thousand lines and one is refused as such, not multiplied."""
    workspace.write("orders.txt", "".join(f"{number}\n" for number in range(100_001)))
    matrix = "    matrix: {axes: {order: {file: orders.txt}}}\n"
    workspace.write("plan.yaml", PLAIN + '    prompt: "{{ order }}"\n' + matrix)
    assert [(item.code, item.span.line) for item in workspace.load()[1]] == snapshot([("too-many-cases", 8)])


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".GIT/config",
        ".git./config",
        ".planner/results.json",
        "a/../.git/config",
        "/etc/passwd",
        "//server/share/x.md",
        "\\\\server\\share\\x.md",
        "\\x.md",
        "C:\\x.md",
        "C:x.md",
        "~root/x.md",
    ],
)
def test_path_that_leads_where_no_plan_may_read(workspace: Any, path: str) -> None:
    """Nor where it would on another system: a plan that is checked on one is run on another."""
    for name in (".git/config", ".GIT/config", ".git./config", ".planner/results.json", "a/x.md"):
        workspace.write(name, "SECRET")
    workspace.write("plan.yaml", f"{PLAIN}    prompt_file: '{path}'\n")
    assert [code for code, *_ in workspace.codes()] == ["file-outside"]


def test_invalid_files(workspace: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket, a pipe, a loop of links named like a plan: a diagnostic each, and none keeps waiting."""
    plans = workspace.root / "plans"
    plans.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(plans)  # the name of a socket may have some hundred characters only
        listener.bind("b.yaml")
    os.mkfifo(plans / "c.yaml")
    (plans / "d.yaml").symlink_to("e.yaml")
    (plans / "e.yaml").symlink_to("d.yaml")
    workspace.write("plans/f.yaml", PLAIN + "    prompt_file: c.yaml\n")
    found, diagnostics = workspace.load("plans")
    assert found == ()
    assert [(item.code, item.span.file, item.detail) for item in diagnostics] == [
        ("file-missing", "plans/b.yaml", "plans/b.yaml is not a file"),
        ("file-missing", "plans/c.yaml", "plans/c.yaml is not a file"),
        ("file-unreadable", "plans/d.yaml", "this file cannot be read: Too many levels of symbolic links"),
        ("file-unreadable", "plans/e.yaml", "this file cannot be read: Too many levels of symbolic links"),
        ("file-missing", "plans/f.yaml", "plans/c.yaml is not a file"),
    ]
