"""How planner recognises what it launched: prompts and names of batches."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256

LATEST_CREATION_SECONDS = 600.0
"""A delayed request creates its runs at most this long after it was sent."""
NAME_PREFIX = "planner "
"""Prefix of the batch names that planner sends."""
_PROMPT_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@lru_cache(maxsize=4096)
def prompt_key(prompt: str | None) -> str:
    """Digest of a prompt, with line ends unified and outer white space removed, as a service may store it. A digest is
    its own key: of another machine's launch only digests are known."""
    if prompt is not None and _PROMPT_DIGEST.fullmatch(prompt):
        return prompt
    text = "\n".join((prompt or "").splitlines()).strip()
    return f"sha256:{sha256(text.encode(errors='surrogatepass')).hexdigest()}"
