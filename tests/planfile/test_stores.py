"""Where results live, as planner.yaml says it."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from planner.planfile.project.load import read_project
from planner.planfile.project.stores import BUCKETS
from planner.results.object_store import SCHEMES

FAULTS: list[tuple[str, str]] = [
    (
        "refs/planner/results",
        snapshot(
            "this would be a folder, and for the git ref write git:refs/planner/results; a folder of this name is written with ./ before it"
        ),
    ),
    (
        "git",
        snapshot(
            "this would be a folder, and for the git ref write git:refs/planner/results; a folder of this name is written with ./ before it"
        ),
    ),
    (
        "ref:refs/planner/results",
        snapshot(
            "this is no address of a store: write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER, git:refs/planner/results, or a path of a folder; a folder of this name is written with ./ before it"
        ),
    ),
    (
        "git:refs/heads/main",
        snapshot(
            "a results store is a ref of its own, no branch, tag or address of a repository: write git:refs/planner/results"
        ),
    ),
    (
        "git:planner",
        snapshot(
            "a results store is a ref of its own, no branch, tag or address of a repository: write git:refs/planner/results"
        ),
    ),
    (
        "git://host.test/acme/plans",
        snapshot(
            "this is no address of a store: write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER, git:refs/planner/results, or a path of a folder"
        ),
    ),
    (
        "s3:/bucket/planner",
        snapshot(
            "this would be a folder, and for the object store write s3://BUCKET/FOLDER; a folder of this name is written with ./ before it"
        ),
    ),
    (
        "s3//bucket/planner",
        snapshot(
            "this would be a folder, and for the object store write s3://BUCKET/FOLDER; a folder of this name is written with ./ before it"
        ),
    ),
    (
        "GS:bucket",
        snapshot(
            "this would be a folder, and for the object store write gs://BUCKET/FOLDER; a folder of this name is written with ./ before it"
        ),
    ),
    ("S3://bucket/planner", snapshot("write s3:// in lower case")),
    (
        "s3://",
        snapshot(
            "this names no bucket: write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER, git:refs/planner/results, or a path of a folder"
        ),
    ),
    (
        "https://user:pw@host.test/planner",
        snapshot(
            "this is no address of a store: write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER, git:refs/planner/results, or a path of a folder"
        ),
    ),
    (
        "~/.planner",
        snapshot("nothing is put in for ~ and $ here: write a path, relative to planner.yaml or beginning with /"),
    ),
]


@pytest.mark.parametrize(("written", "told"), FAULTS)
def test_what_would_be_no_store_or_a_folder_by_mistake_is_told(written: str, told: str) -> None:
    """It is a fault of planner.yaml, at its place, with what to write; before, it was a folder of that name, unasked."""
    _, diagnostics = read_project(f"store: {written}\n".encode(), "planner.yaml")
    assert [(item.code, item.span.column, item.detail) for item in diagnostics] == [("bad-value", 8, told)]


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


def test_schemes_are_those_that_are_opened() -> None:
    """What is accepted here can be opened there."""
    assert BUCKETS == SCHEMES
