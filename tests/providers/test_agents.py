"""The variants of an agent belong to its revision."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from planner.providers.thunderphone.agents import target_states
from planner.providers.thunderphone.client import ApiClient

AGENT = {"id": 12, "prompt": "Hello.", "product": "spark", "updated_at": "2026-11-01T00:00:00Z"}
A = {"id": 1, "label": "A", "prompt": "Hi.", "weight": 50, "call_count": 3}
B = {"id": 2, "label": "B", "prompt": "Hello.", "weight": 50, "call_count": 8}


@pytest.fixture
def revision() -> Callable[..., str | None]:
    """The revision of agent 12 with these variants."""

    def read(*variants: dict[str, Any]) -> str | None:
        async def agent(_: int) -> dict[str, Any]:
            return AGENT

        async def agent_variants(_: int) -> list[dict[str, Any]]:
            return list(variants)

        client = cast(ApiClient, SimpleNamespace(agent_document=agent, agent_variants=agent_variants))
        return anyio.run(target_states, client, {("agent", 12): {"outbound"}})["agent", 12].revision

    return read


def test_a_changed_variant_is_another_revision(revision: Callable[..., str | None]) -> None:
    """A changed prompt or weight counts; labels, counters and order do not."""
    both = revision(A, B)
    assert both == revision({**B, "call_count": 9}, {**A, "label": "a"})
    others = (revision(), revision(A), revision(A, {**B, "weight": 60}), revision(A, {**B, "prompt": "Hey."}))
    assert len({both, *others}) == 5
