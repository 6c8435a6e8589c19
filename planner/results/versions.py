"""Which major version of its schema a stored document is."""

from __future__ import annotations

import re
from typing import cast


def schema_major(document: object) -> int | None:
    """None where it names none."""
    if not isinstance(document, dict):
        return None
    version = cast("dict[str, object]", document).get("schema_version")
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)*", version):
        return None
    return int(version.partition(".")[0])
