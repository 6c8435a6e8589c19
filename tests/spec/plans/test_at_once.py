"""Very many plan files, loaded by several processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from planner.spec.files import plan_files
from planner.spec.model import Project
from planner.spec.plans.at_once import MANY_FILES
from planner.spec.plans.load import load_files

PROGRAM = """
import os, sys
from datetime import date
from pathlib import Path
from planner.spec.plans.at_once import AtOnce
from planner.spec.files import plan_files
from planner.spec.model import Project

cwd = Path.cwd()
at_once = AtOnce(cwd, Project(), None, date(2026, 1, 1), processes=int(sys.argv[1]))
print("on standard output", end=" ")  # not flushed: a process of its own must not write it again
print(at_once.totals(plan_files([cwd / "plans"])))
try:
    os.wait()
except ChildProcessError:
    print("and no process is left")
"""
PLAN = """\
version: 1
plan: p{number}
imports: [lib/voice.yaml]
defaults: {{runs: 2, expect: [{{use: polite}}]}}
scenarios:
  one: {{prompt: Ask., matrix: {{axes: {{mood: [calm, sad]}}}}}}
  two: {{prompt: Ask again.}}
""".replace("Ask.,", '"You are {{{{ mood }}}}.",')
LIBRARY = """\
version: 1
kind: library
targets: {support: {agent: 12}}
expectations: {polite: {check: call, status: completed}}
"""
TOTALS = f"Totals(plans={MANY_FILES}, cases={3 * MANY_FILES}, runs={6 * MANY_FILES}, libraries=1)"


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    """As many plans as are worth it, and the library that they import among them."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "plans" / "lib").mkdir(parents=True)
    for number in range(MANY_FILES):
        (tmp_path / "plans" / f"{number:03}.yaml").write_text(PLAN.format(number=number))
    (tmp_path / "plans" / "lib" / "voice.yaml").write_text(LIBRARY)
    return tmp_path / "plans"


def totals(plans: Path, processes: int = 2) -> str:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(processes)]
    ran = subprocess.run(command, cwd=plans.parent, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return ran.stdout


def test_what_very_many_sound_plans_come_to(plans: Path) -> None:
    """Each plan once, the library that all import once; and no process is left behind, nor does one write what is not its own."""
    assert totals(plans) == f"on standard output {TOTALS}\nand no process is left\n"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("000.yaml", "version: 1\nplan: p0\n"),
        ("001.yaml", "version: 1\nplan: p1\n"),
        ("150.yaml", PLAN.format(number=150) + "tags: [unused-library-is-a-warning]\nvars: {unused: 1}\n"),
        ("001.yaml", PLAN.format(number=0)),
        ("lib/voice.yaml", LIBRARY.replace("call,", "cal,")),
    ],
    ids=["error here", "error there", "warning", "one name twice", "library"],
)
def test_where_anything_is_to_be_said_nothing_is_told_at_once(plans: Path, file: str, content: str) -> None:
    """Faults are found by one process, in the order of the files, whichever of them it was."""
    (plans / file).write_text(content)
    assert totals(plans) == "on standard output None\nand no process is left\n"


def test_no_file_is_read_after_one_of_which_there_is_something_to_be_told(plans: Path) -> None:
    """Trying several processes first costs little where one of the first files has a fault."""
    for number in (3, 7):
        (plans / f"{number:03}.yaml").write_text("version: 1\nplan: p\n")
    paths = plan_files([plans])
    loaded = load_files(paths, cwd=plans.parent, project=Project(), until_told=True)
    assert [plan.name for plan in loaded.plans] == ["p0", "p1", "p2"]
    assert {item.span.file for item in loaded.diagnostics} == {"plans/003.yaml"}


def test_few_files_are_not_worth_another_process(plans: Path) -> None:
    """Nor are many where there is one processor."""
    assert totals(plans, processes=1).startswith("on standard output None")
    for number in (0, 1):
        (plans / f"{number:03}.yaml").unlink()
    assert totals(plans).startswith("on standard output None")


def test_the_command_says_the_same_however_many_processes_there_are(plans: Path) -> None:
    """Of sound plans and of those with a fault."""

    def said(program: str) -> list[str]:
        command = [sys.executable, "-c", program, "validate"]
        ran = subprocess.run(command, cwd=plans.parent, capture_output=True, text=True, check=False)
        return [str(ran.returncode), ran.stdout, ran.stderr]

    usual = "from planner.__main__ import main; sys.exit(main())"
    with_processes = "import os, sys; os.sched_getaffinity = lambda _: {*range(%d)}; " + usual
    sound = f"{MANY_FILES} plans valid · {3 * MANY_FILES} cases · {6 * MANY_FILES:,} runs · 1 library valid\n"
    assert said(with_processes % 3) == said(with_processes % 1) == ["0", sound, ""]
    (plans / "199.yaml").write_text(PLAN.format(number=7))
    several, alone = said(with_processes % 3), said(with_processes % 1)
    assert several == alone
    assert several[0] == "2"
    assert "another plan is named `p7`; rename one" in several[1] + several[2]
