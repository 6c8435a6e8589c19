"""The evidence of one call, independent of the service's dialect; immutable."""

from __future__ import annotations

from planner.evidence.model import (
    LEFT_OUT,
    MASK,
    SCHEMA_VERSION,
    Call,
    CostBasis,
    Evidence,
    Grade,
    Part,
    RedactedPart,
    Role,
    ToolCall,
    Turn,
    UnreadPart,
    evidence_digest,
    merged,
    missing_parts,
)
from planner.evidence.size import too_large

__all__ = [
    "LEFT_OUT",
    "MASK",
    "SCHEMA_VERSION",
    "Call",
    "CostBasis",
    "Evidence",
    "Grade",
    "Part",
    "RedactedPart",
    "Role",
    "ToolCall",
    "Turn",
    "UnreadPart",
    "evidence_digest",
    "merged",
    "missing_parts",
    "too_large",
]
