"""Checks addresses: of the results store, and of hosts that are this machine.

A git ref or a bucket that was taken for a folder would be lost with the machine, and every call would be charged again.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

BUCKETS: Final = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
"""Schemes of object stores."""

_A_REF: Final = "write git:refs/planner/results"
_ANY: Final = (
    "write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER, git:refs/planner/results, or a folder"
)
_FOLDER: Final = "; write ./ before the name of a folder"


def store_fault(named: str) -> str:
    """Why this is not a store and what to write, without the address, which may contain a password; "" if it is one."""
    if named.startswith("git:") and not named.startswith("git://"):
        ref = named.removeprefix("git:").partition("?")[0]
        if ref.startswith("refs/") and not ref.startswith(("refs/heads/", "refs/tags/")):
            return ""
        return f"a results store has its own ref, which is no branch and no tag: {_A_REF}"
    if named.startswith("refs/") or named in {"git", "ref", "git-ref"}:
        return f"for a git ref {_A_REF}{_FOLDER}"
    scheme, divided, rest = named.partition("://")
    if divided:
        return "" if scheme in BUCKETS and rest.strip("/") else f"this is not the address of a store: {_ANY}"
    if re.match(rf"(?i)(?:{'|'.join(BUCKETS)})//(?!/)|[a-z][a-z0-9+.-]+:", named):
        return f"this is not the address of a store: {_ANY}{_FOLDER}"
    if named.startswith(("~", "$")):
        return "~ and $ are not expanded here: write a path that is absolute or relative to planner.yaml"
    return ""


def is_this_machine(host: str) -> bool:
    """Whether a host is a loopback address, a name of one, or 0.0.0.0. Private networks do not count: others may be in them."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
