"""`planner format`: which files it takes, what it writes and says, and what it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

PLAN = "plan: a\nversion: 1\nscenarios: {}\n"
FORMATTED = "version: 1\nplan: a\nscenarios: {}\n"
OUT_OF_FORM = """\
version: 1
plan: hours
targets:
  clinic: {agent: 12}
scenarios: {}
"""


@pytest.fixture
def repository(project: Project) -> Project:
    """One file in the form, one that is not, and a `planner.yaml` that is not."""
    (project.root / ".git").mkdir()
    project.write("plans/hours.yaml", OUT_OF_FORM)
    project.write("plans/a.yaml", PLAN)
    project.write("planner.yaml", "rates: {spark: 8}\nversion: 1\n")
    return project


def test_everything_by_default(repository: Project) -> None:
    """`plans/` and `planner.yaml`; a second time there is nothing to do."""
    ran = repository.planner("format")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "formatted planner.yaml\nformatted plans/a.yaml\n2 files formatted · 1 file in form\n"
    assert (repository.root / "plans/a.yaml").read_text() == FORMATTED
    assert (repository.root / "planner.yaml").read_text() == "version: 1\nrates: {spark: 8}\n"
    assert repository.planner("format").out == "3 files in form\n"
    assert sorted(path.name for path in (repository.root / "plans").iterdir()) == ["a.yaml", "hours.yaml"]


def test_check_writes_nothing(repository: Project) -> None:
    """It names the files and exits 2, or 0 when all are in the form."""
    ran = repository.planner("format", "--check", "plans")
    assert (ran.code, ran.out, ran.err) == (2, "would format plans/a.yaml\n1 file to format · 1 file in form\n", "")
    assert (repository.root / "plans/a.yaml").read_text() == PLAN
    assert repository.planner("format", "--check", "plans/hours.yaml").code == 0


def test_diff_can_be_applied(repository: Project) -> None:
    """It is alone on standard output, also where a file does not end its last line, and `git apply` takes it."""
    path = repository.root / "plans/a.yaml"
    path.write_bytes(PLAN.rstrip().replace("\n", "\r\n").encode())
    ran = repository.planner("format", "--diff", "plans")
    assert (ran.code, ran.err) == (0, "would format plans/a.yaml\n1 file to format · 1 file in form\n")
    assert path.read_bytes() == PLAN.rstrip().replace("\n", "\r\n").encode()
    subprocess.run(["git", "init", "-q", "."], cwd=repository.root, check=True)
    subprocess.run(["git", "apply", "-"], cwd=repository.root, input=ran.out.encode(), check=True)
    assert path.read_bytes() == FORMATTED.replace("\n", "\r\n").encode()
    assert repository.planner("format", "--check", "--diff", "planner.yaml").code == 2


def test_a_diff_does_nothing_to_a_log(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where people read it, characters that reorder text are shown as such; for a program they are exact."""
    repository.write("plans/a.yaml", PLAN + "description: a\u202eb\n")
    assert "\u202e" in repository.planner("format", "--diff").out
    monkeypatch.setenv("CI", "true")
    assert "+description: a�b" in repository.planner("format", "--diff").out


def test_broken_plans_are_left_alone(repository: Project) -> None:
    """Their faults are shown, the others are formatted all the same."""
    repository.write("plans/broken.yaml", "version: 1\nplan: [\n")
    repository.write("plans/other.yaml", "services: {}\nversion: 1\n")
    ran = repository.planner("format", "plans")
    assert ran.code == 2
    assert ran.out == "formatted plans/a.yaml\n1 file formatted · 1 file in form · 2 files not valid\n"
    assert "plans/broken.yaml:3:1: error: not valid YAML [yaml-syntax]" in ran.err
    assert "plans/other.yaml:1:1: error: required key is missing [missing-key]" in ran.err
    assert (repository.root / "plans/broken.yaml").read_text() == "version: 1\nplan: [\n"


def test_more_faults_than_are_shown(repository: Project) -> None:
    """A file of nothing but faults is left after a thousand."""
    repository.write("plans/a.yaml", "version: 1\nplan: p\n" + "[]: 1\n" * 1_200)
    ran = repository.planner("format", "plans/a.yaml")
    assert (ran.code, ran.out) == (2, "1 file not valid\n")
    assert "reading stopped after 1,000 faults" in ran.err


def test_json(repository: Project) -> None:
    """One document: each file with what became of it, and all faults."""
    repository.write("plans/broken.yaml", "version: 1\nplan: [\n")
    ran = repository.planner("format", "--check", "--diff", "--format", "json", "plans")
    document = json.loads(ran.out)
    assert (ran.code, ran.err, document["schema_version"]) == (2, "", "1.0")
    assert [(one["file"], one["outcome"], "diff" in one) for one in document["files"]] == [
        ("plans/a.yaml", "would-format", True),
        ("plans/broken.yaml", "invalid", False),
        ("plans/hours.yaml", "unchanged", False),
    ]
    assert [item["code"] for item in document["diagnostics"]] == ["yaml-syntax"]


def test_links(repository: Project) -> None:
    """A link that is named is refused; in a folder the file it leads to is formatted, and the link stays one."""
    link = repository.root / "plans/link.yaml"
    repository.write("shared/real.yaml", PLAN.replace("plan: a", "plan: b"))
    link.symlink_to("../shared/real.yaml")
    ran = repository.planner("format", "plans/link.yaml")
    assert (ran.code, ran.out) == (2, "1 file left alone\n")
    assert ran.err == "planner: plans/link.yaml is a link; name the file it leads to\n"
    assert repository.planner("format", "plans").out.startswith("formatted plans/a.yaml\nformatted shared/real.yaml\n")
    assert link.is_symlink()
    link.unlink()
    outside = repository.root.parent / "outside.yaml"
    outside.write_text(PLAN)
    link.symlink_to(outside)
    assert "[file-outside]" in repository.planner("format", "plans").err
    assert outside.read_text() == PLAN


def test_the_mode_stays(repository: Project) -> None:
    """A file that only its owner may read is not shown to others on the way."""
    path = repository.root / "plans/a.yaml"
    path.chmod(0o640)
    repository.planner("format")
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written(repository: Project) -> None:
    """Write protection is respected although its folder would allow to replace the file."""
    (repository.root / "plans/a.yaml").chmod(0o444)
    ran = repository.planner("format", "plans")
    assert (ran.code, ran.err) == (2, "planner: plans/a.yaml cannot be written: Permission denied\n")


def test_a_disk_that_is_full(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old file is whole, and nothing lies beside it. No full disk can be had here: the last step is made to fail."""

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    ran = repository.planner("format", "plans")
    assert (ran.code, ran.err) == (2, "planner: plans/a.yaml cannot be written: No space left on device\n")
    assert (repository.root / "plans/a.yaml").read_text() == PLAN
    assert sorted(path.name for path in (repository.root / "plans").iterdir()) == ["a.yaml", "hours.yaml"]


def test_a_bug_writes_nothing(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 5, and the other files are formatted. No such bug is known: the writer is replaced by one that has it."""
    monkeypatch.setattr("planner.spec.formatting.write", lambda *_: "version: 1\nplan: other\n")
    ran = repository.planner("format", "plans/a.yaml")
    assert (ran.code, ran.out) == (5, "1 file left alone for a bug\n")
    assert ran.err == (
        "planner: formatting plans/a.yaml would change what it says, so it was left as it is; this is a bug in planner, "
        "not in your file: please report it\n"
    )
    assert (repository.root / "plans/a.yaml").read_text() == PLAN


def test_only_a_project(repository: Project) -> None:
    """A repository without plans yet, and a folder with nothing but `planner.yaml`."""
    for path in (repository.root / "plans").iterdir():
        path.unlink()
    assert repository.planner("format", ".").out == "formatted planner.yaml\n1 file formatted\n"
    (repository.root / "plans").rmdir()
    assert repository.planner("format").out == "1 file in form\n"


def test_nothing_to_format(project: Project) -> None:
    """A path that does not exist, and a folder without plans."""
    assert project.planner("format", "nowhere").err.startswith("planner: ")
    (project.root / "empty").mkdir()
    ran = project.planner("format", "empty")
    assert (ran.code, ran.out) == (2, "")
    assert "no plans in" in ran.err
    assert project.planner("format", "--check").out.endswith("to format\n")
