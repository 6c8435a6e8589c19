"""Where results live, as planner.yaml says it."""

from __future__ import annotations

import pytest

from planner.planfile.addresses import BUCKETS
from planner.planfile.project import read_project

FAULTS = [
    "refs/planner/results",
    "git",
    "ref:refs/planner/results",
    "git:refs/heads/main",
    "git:refs/tags/v1",
    "git:refs/remotes/origin/x",
    "git:refs/planner",
    "git:refs/planner/../x",
    "git:planner",
    "git:refs/planner/results?kept=3",
    "git:refs/planner/results?keep=0",
    "git://host.test/acme/plans",
    "s3:/bucket/planner",
    "s3//bucket/planner",
    "GS:bucket",
    "S3://bucket/planner",
    "s3://",
    "s3://bucket/results?keep=3",
    "s3://user:pw@bucket/results",
    "file:///tmp/results",
    "https://user:pw@host.test/planner",
    "~/.planner",
]


@pytest.mark.parametrize("written", FAULTS)
def test_an_address_that_names_no_store_is_refused(written: str) -> None:
    """It is an error of planner.yaml at its place, which does not show the address; it never becomes a folder of that name."""
    _, diagnostics = read_project(f"store: {written}\n".encode(), "planner.yaml")
    assert [(item.code, item.span.column) for item in diagnostics] == [("bad-value", 8)]
    assert "user:pw" not in next(iter(diagnostics)).detail


@pytest.mark.parametrize(
    "written",
    [
        ".planner",
        "results/of/ci",
        "/var/lib/planner",
        "../shared",
        "./git",
        "./s3:bucket",
        "C:/planner",
        "git:refs/planner/results",
        "git:refs/planner/results?remote=none&keep=50",
        *[f"{scheme}://bucket/planner" for scheme in BUCKETS],
    ],
)
def test_stores(written: str) -> None:
    """Folders, refs and buckets as docs/stores.md writes them."""
    project, diagnostics = read_project(f"store: {written}\n".encode(), "planner.yaml")
    assert not diagnostics.items
    assert project.store == written
