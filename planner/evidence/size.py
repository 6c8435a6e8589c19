"""Limits for judged calls: a larger call is undecided, so that no check takes minutes or gigabytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from planner.evidence.model import Evidence

MAX_TURNS: Final = 5_000
MAX_TURN_CHARACTERS: Final = 10_000
"""Per turn: ten minutes without a pause."""
MAX_CHARACTERS: Final = 60_000
"""For all turns: an hour of speech without a pause."""
MAX_VALUES: Final = 50_000
"""Values in the call object and in tool arguments and results."""
MAX_VALUE_CHARACTERS: Final = 2_000_000
"""Characters in keys and texts of these values."""
MAX_BITS: Final = 1_024
"""Per integer in the call object: as many as the largest float has."""


def too_large(evidence: Evidence) -> str:
    """Why the call is too large to be judged, as one clause; empty if it is not."""
    turns = evidence.turns or ()
    if len(turns) > MAX_TURNS:
        return f"the transcript has more than {MAX_TURNS:,} turns"
    lengths = [len(turn.text) for turn in turns]
    if max(lengths, default=0) > MAX_TURN_CHARACTERS:
        return f"a turn has more than {MAX_TURN_CHARACTERS:,} characters"
    if sum(lengths) > MAX_CHARACTERS:
        return f"the transcript has more than {MAX_CHARACTERS:,} characters"
    tools = [value for tool in evidence.tools or () for value in (tool.name, tool.arguments, tool.result)]
    return _too_many([evidence.call.document if evidence.call else None, evidence.error_message, *tools])


def _too_many(values: list[Any]) -> str:
    count = characters = 0
    while values:
        value = values.pop()
        count += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, int):
            if value.bit_length() > MAX_BITS:
                return f"the call object has a whole number of more than {MAX_BITS:,} bits"
        elif isinstance(value, Mapping):
            fields = cast("Mapping[str, Any]", value)
            values += (*fields, *fields.values())
        elif isinstance(value, list):
            values += cast("list[Any]", value)
        if count + len(values) > MAX_VALUES:
            return f"the call object and the tool calls have more than {MAX_VALUES:,} values"
        if characters > MAX_VALUE_CHARACTERS:
            return f"the call object and the tool calls have more than {MAX_VALUE_CHARACTERS:,} characters"
    return ""
