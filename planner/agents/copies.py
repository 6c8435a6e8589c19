"""What calls on previews cost: they are copies of agents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from planner.changes.configuration import EffectiveTarget
from planner.execution.jobs import Copies
from planner.log.fold import State
from planner.planfile.model import Case
from planner.providers.base import Target


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


def bills_for_copies(
    bills: Iterable[tuple[Target, int, int]], state: State, copies: Copies
) -> Iterator[tuple[Target, int, int]]:
    """The bills. Each preview also gets the bills of its source agent and of that agent's earlier previews, because its
    calls cost the same."""
    for target, reserved_cents, billed_cents in bills:
        yield target, reserved_cents, billed_cents
        preview = state.preview_of(target)
        kind, source = target if preview is None else ("agent", preview.agent_id)
        for (agent_id, _), copy_id in copies.items():
            if (kind, source) == ("agent", agent_id) and target != ("agent", copy_id):
                yield ("agent", copy_id), reserved_cents, billed_cents
