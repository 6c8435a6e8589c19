"""Settings of a case, out of what a scenario or the defaults say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.spec.terms import age_of

_SETTINGS = (
    "direction",
    "mode",
    "target_number",
    "runs",
    "min_pass_rate",
    "confidence",
    "stagger_seconds",
    "timeout_seconds",
    "platform_failures",
    "caller_faults",
    "retries",
)
DECIDING = frozenset({*_SETTINGS, "min_runs", "max_age", "when_settled"})
"""Fields that decide settings; a scenario that has none of them has the defaults'."""


def settings_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `Case` from those of `ScenarioDefaults`; tags and description apart."""
    settings: dict[str, Any] = {name: values[name] for name in _SETTINGS}
    settings["min_runs"] = values["min_runs"] or (settings["runs"] + 1) // 2
    may_settle = values["confidence"] is not None or values["min_pass_rate"] < 1
    settings["when_settled"] = values["when_settled"] or ("stop" if may_settle else "continue")
    settings["max_age"] = age_of(values["max_age"]) if values["max_age"] else None
    return settings
