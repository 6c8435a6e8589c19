"""The variants of an agent belong to its revision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import anyio
import pydantic_core
import pytest

from planner.clock import Clock
from planner.network.transport import Answer
from planner.providers.thunderphone.agents import agent_state
from planner.providers.thunderphone.client import ApiClient

NOW = datetime(2026, 11, 24, tzinfo=UTC)
AGENT = {"id": 12, "prompt": "Hello.", "product": "spark", "updated_at": "2026-11-01T00:00:00Z"}
A = {"id": 1, "label": "A", "prompt": "Hi.", "weight": 50, "call_count": 3}
B = {"id": 2, "label": "B", "prompt": "Hello.", "weight": 50, "call_count": 8}


@pytest.fixture
def revision() -> Callable[..., str | None]:
    """The revision of agent 12 with these variants."""

    def read(*variants: dict[str, Any]) -> str | None:
        class Answering:
            async def send(self, method: str, path: str, **_: object) -> Answer:
                assert method == "GET"
                documents = {"/v1/agents/12": AGENT, "/v1/agents/12/variants": variants}
                return Answer(200, {}, pydantic_core.to_json(documents[path]))

            async def close(self) -> None:
                return

        client = ApiClient(Answering(), clock=Clock(lambda: NOW, lambda: 0.0, anyio.sleep))
        return anyio.run(client.target_states, {("agent", 12): {"outbound"}})["agent", 12].revision

    return read


def test_a_changed_variant_is_another_revision(revision: Callable[..., str | None]) -> None:
    """A changed prompt or weight counts; labels, counters and order do not."""
    both = revision(A, B)
    assert both == revision({**B, "call_count": 9}, {**A, "label": "a"})
    others = (revision(), revision(A), revision(A, {**B, "weight": 60}), revision(A, {**B, "prompt": "Hey."}))
    assert len({both, *others}) == 5


LARGE: dict[str, Any] = {
    "over 53 bits": 2**53,
    "below -64 bits": -(2**64),
    "400 digits": 10**400,
    "in a list": [2**63],
    "in an object": {"deep": 10**400},
}


@pytest.mark.parametrize("value", LARGE.values(), ids=LARGE)
def test_an_agent_with_a_large_number_has_a_revision(revision: Callable[..., str | None], value: Any) -> None:
    """An agent has a number that is larger than a canonical document can write. Before: exit code 5. Now: it has a
    revision, and another number is another one."""
    assert revision({**A, "speed": value}) != revision({**A, "speed": 2**62})
    assert revision({**A, "speed": value}) == revision({**A, "speed": value})
    agent_state(12, {**AGENT, "speed": value}, [{**A, "speed": value}, B])


@pytest.mark.parametrize("product", [["spark"], {}, None, 7], ids=str)
def test_an_invalid_product_is_unknown(product: Any) -> None:
    """Then the price is, too."""

    class Answering:
        async def send(self, method: str, path: str, **_: object) -> Answer:
            del method
            document: Any = [] if path.endswith("variants") else {**AGENT, "product": product}
            return Answer(200, {}, pydantic_core.to_json(document))

        async def close(self) -> None:
            return

    client = ApiClient(Answering(), clock=Clock(lambda: NOW, lambda: 0.0, anyio.sleep))
    assert anyio.run(client.target_states, {("agent", 12): {"outbound"}})["agent", 12].product is None


def test_variants_are_part_of_the_configuration() -> None:
    """Without labels and counters, in any order; with one that is never called, fewer answer."""
    one = agent_state(12, AGENT, [A, B])
    assert one.configuration == agent_state(12, AGENT, [{**B, "call_count": 9}, {**A, "label": "a"}]).configuration
    assert one.configuration != agent_state(12, AGENT, [A, {**B, "prompt": "Hey."}]).configuration
    assert (one.variants, agent_state(12, AGENT, [A, {**B, "weight": 0}]).variants) == (2, 1)


def test_what_of_an_agent_is_its_configuration() -> None:
    """No identity, times, counters, drafts or signed addresses, at any depth; drafts are what they change."""
    tool = {"name": "find", "url": "https://example.com/find", "last_used_at": "x", "icon_url": "https://a/b?sig=c"}
    document = {
        **AGENT, "name": "Support", "label": "x", "call_count": 3, "tools": [tool], "has_draft": True,
        "draft_prompt": "Hi.", "draft_product": "spark", "draft_voice": None, "draft_updated_at": "x",
    }  # fmt: skip
    state = agent_state(12, document, [])
    assert state.configuration == {
        "prompt": "Hello.",
        "product": "spark",
        "tools": [{"name": "find", "url": "https://example.com/find"}],
    }
    assert (state.draft, state.is_drafted) == ({"prompt": "Hi."}, True)
    assert (state.id, state.name, state.edited_at) == (12, "Support", "2026-11-01T00:00:00Z")
