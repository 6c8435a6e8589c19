"""Where results live, as it is written: what names no store, or a folder where a ref or a bucket is meant.

Taken for a folder, a ref or a bucket would be lost with the machine, and everything called and paid for again.
"""

from __future__ import annotations

import re
from typing import Final

BUCKETS: Final = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
"""Schemes of object stores."""

_GIT: Final = "git:"
_A_REF: Final = "write git:refs/planner/results"
_A_BUCKET: Final = re.compile(rf"(?i)({'|'.join(BUCKETS)})(?::/?|//)(?!/)")
_ANY: Final = "write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER, git:refs/planner/results, or a path of a folder"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_FOLDER: Final = "; a folder of this name is written with ./ before it"


def store_fault(named: str) -> str:
    """What is wrong with it and what to write, without the address itself, which may hold a password; or nothing."""
    if named.startswith(_GIT) and not named.startswith("git://"):
        ref = named.removeprefix(_GIT).partition("?")[0]
        if ref.startswith("refs/") and not ref.startswith(("refs/heads/", "refs/tags/")):
            return ""
        return f"a results store is a ref of its own, no branch, tag or address of a repository: {_A_REF}"
    if named.startswith("refs/") or named in {"git", "ref", "git-ref"}:
        return f"this would be a folder, and for the git ref {_A_REF}{_FOLDER}"
    scheme, divided, rest = named.partition("://")
    if divided:
        if scheme in BUCKETS:
            return "" if rest.strip("/") else f"this names no bucket: {_ANY}"
        if scheme.lower() in BUCKETS:
            return f"write {scheme.lower()}:// in lower case"
        return f"this is no address of a store: {_ANY}"
    if bucket := _A_BUCKET.match(named):
        return f"this would be a folder, and for the object store write {bucket[1].lower()}://BUCKET/FOLDER{_FOLDER}"
    if _SCHEME.match(named):
        return f"this is no address of a store: {_ANY}{_FOLDER}"
    if named.startswith(("~", "$")):
        return "nothing is put in for ~ and $ here: write a path, relative to planner.yaml or beginning with /"
    return ""
