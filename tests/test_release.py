"""`.ci/release.py prepare`: the version and the date of the changelog. What it builds is tried by hand (CONTRIBUTING.md)."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RELEASE = runpy.run_path(str(ROOT / ".ci/release.py"))
FILES = ("pyproject.toml", "planner/__init__.py", "docs/editing.md", "CHANGELOG.md")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_a_release_is_prepared(copy: Path) -> None:
    RELEASE["prepare"](copy, "9.8.7", "2026-12-01")
    assert 'version = "9.8.7"' in (copy / "pyproject.toml").read_text()
    assert '__version__ = "9.8.7"' in (copy / "planner/__init__.py").read_text()
    assert "rev: v9.8.7" in (copy / "docs/editing.md").read_text()
    changelog = (copy / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[Unreleased\]\n\n## \[9\.8\.7\] - 2026-12-01\n", changelog, re.MULTILINE)
    assert len(changelog) == len((ROOT / "CHANGELOG.md").read_text()) + len("\n## [9.8.7] - 2026-12-01\n")


@pytest.mark.parametrize(("version", "date"), [("v9.8.7", "2026-12-01"), ("9.8.7", "today")])
def test_a_mistyped_release_changes_nothing(copy: Path, version: str, date: str) -> None:
    with pytest.raises(SystemExit):
        RELEASE["prepare"](copy, version, date)
    assert [(copy / name).read_text() for name in FILES] == [(ROOT / name).read_text() for name in FILES]
