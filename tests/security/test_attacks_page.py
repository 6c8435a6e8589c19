"""docs/attacks.md has a row for each attack in the tests, and SECURITY.md links to its tables."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")


def test_the_page_matches_the_docstrings() -> None:
    ran = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "attacks.py")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.stdout, ran.stderr, ran.returncode) == ("", "", 0)
    assert PAGE.count("](../tests/") >= 40


def test_security_links_to_each_table() -> None:
    headings = {f"#{name.lower().replace(' ', '-')}" for name in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)}
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert set(re.findall(r"docs/attacks\.md(#[\w-]+)", security)) == headings
