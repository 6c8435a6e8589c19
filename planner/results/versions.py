"""The major schema version of stored documents."""

from __future__ import annotations

import re
from typing import cast


def schema_major(document: object) -> int | None:
    """None if missing or invalid."""
    if not isinstance(document, dict):
        return None
    version = cast("dict[str, object]", document).get("schema_version")
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)*", version):
        return None
    return int(version.partition(".")[0])
