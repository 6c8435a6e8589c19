"""What calls on previews cost: they are copies of agents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from planner.changes.configuration import EffectiveTarget
from planner.planfile.model import AgentFile, Case
from planner.providers.base import Target

Copies: TypeAlias = Mapping[tuple[int, AgentFile], int]
"""The previews that are called, by source agent and file."""


def new_products(
    agents: Iterable[EffectiveTarget], cases: Iterable[Case], rates: Mapping[str, float]
) -> dict[Target, str | None]:
    """The products of the agents whose file changes the product: calls on their previews have another price. If other
    cases call the deployed agent, the more expensive product counts; one without a rate is the most expensive."""
    called = {(case.target.kind, case.target.id, case.target.config) for case in cases}
    found: dict[Target, str | None] = {}
    for each in agents:
        before = each.deployed.configuration.get("product") if each.deployed is not None else None
        after = each.configuration.get("product") if each.configuration is not None else before
        if before == after:
            continue
        target: Target = ("agent", each.agent_id)
        others = {config for kind, agent_id, config in called if (kind, agent_id) == target} - {each.file}
        products = [after, *([before] if others else []), *([found[target]] if target in found else [])]
        found[target] = max(products, key=lambda product: rates.get(str(product), math.inf))
    return found
