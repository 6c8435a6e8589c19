"""Agents, versions, numbers, billing, who is asking."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.conftest import Bench, bench_of  # pyright: ignore[reportMissingImports]


async def test_agents(bench: Bench) -> None:
    """A plain array of agents; one of them by its id is the same."""
    agents = await bench.get("/v1/agents")
    assert [agent["id"] for agent in agents] == [12, 14, 17]
    assert await bench.get("/v1/agents/14") == agents[1]
    assert agents[1]["updated_at"] == "2026-11-20T09:00:00.000Z"
    assert agents[1]["has_draft"] is False
    assert "Never promise" in agents[1]["prompt"]


async def test_versions(bench: Bench) -> None:
    """Revisions, newest first."""
    listed = await bench.get("/v1/agents/14/versions")
    assert [version["version"] for version in listed["results"]] == [3, 2]
    assert listed["results"][0]["created_at"] == "2026-11-20T09:00:00.000Z"
    assert listed["count"] == 2


async def test_an_edited_agent(bench: Bench) -> None:
    """A deployment is a new version, and moves `updated_at`."""
    await bench.http.patch("/v1/agents/14", json={"prompt": "Be brief."})
    await bench.http.post("/v1/agents/14/deploy", json={})
    agent = await bench.get("/v1/agents/14")
    assert (agent["updated_at"], agent["prompt"]) == ("2026-11-25T12:00:00.000Z", "Be brief.")
    versions = (await bench.get("/v1/agents/14/versions"))["results"]
    assert [version["version"] for version in versions] == [4, 3, 2]


async def test_a_regressed_world_has_a_newer_revision() -> None:
    """`regressed` is the demo world with one agent edited: newer, another prompt. As another world it is another configuration."""
    async with bench_of("demo") as demo, bench_of("regressed") as regressed:
        before = {agent["id"]: agent for agent in await demo.get("/v1/agents")}
        after = {agent["id"]: agent for agent in await regressed.get("/v1/agents")}
    assert after[14]["updated_at"] > before[14]["updated_at"]
    assert after[14]["prompt"] != before[14]["prompt"]
    for agent_id in (12, 17):
        assert after[agent_id].pop("configuration_digest") != before[agent_id].pop("configuration_digest")
        assert after[agent_id] == before[agent_id]


async def test_phone_numbers(bench: Bench) -> None:
    """Numbers with who answers and who calls from them."""
    number = await bench.get("/v1/phone-numbers/78")
    assert (
        number.items()
        >= {
            "id": 78,
            "number": "+14155550178",
            "label": "After-hours line",
            "inbound_agent_id": 17,
            "outbound_agent_id": None,
            "status": "active",
            "outbound_eligible": False,
            "outbound_ineligible_reason": "no_outbound_agent",
        }.items()
    )
    assert [listed["id"] for listed in await bench.get("/v1/phone-numbers")] == [77, 78, 79]


async def test_released_number_is_gone(demo: Any) -> None:
    """A released number is no target; one that is not active yet has nobody who answers."""
    numbers = dict(demo.phone_numbers)
    numbers[77] = numbers[77].model_copy(update={"status": "released"})
    numbers[78] = numbers[78].model_copy(update={"status": "provisioning"})
    async with bench_of(phone_numbers=numbers) as bench:
        assert (await bench.start(target_type="phone_number", target_id=77)).status_code == 404
        run = await bench.finished(target_type="phone_number", target_id=78)
    assert run["status"] == "failed"


async def test_balance_falls_with_bills(bench: Bench) -> None:
    """The balance falls when a call ends, by the call's bill times the multiplier."""
    billing = await bench.get("/v1/billing")
    assert (billing["balance_cents"], billing["balance_usd"], billing["currency"]) == (50_000, "500.00", "usd")
    assert (billing["test_call_budget_cents"], billing["test_call_budget_remaining_cents"]) == (None, None)
    assert billing["spending_limit_reached"] is False
    await bench.start()
    billing = await bench.get("/v1/billing")
    assert (billing["balance_cents"], billing["available_cash_cents"]) == (50_000, 50_000 - 16)
    bench.clock.talk(600)
    call = await bench.get("/v1/calls/987654321")
    billing = await bench.get("/v1/billing")
    assert billing["balance_cents"] == 50_000 - call["billing_total_cents"]
    assert bench.sandbox.ledger()["total_cents"] == call["billing_total_cents"]


@pytest.mark.parametrize(("call_bill", "share"), [("charged", 1), ("base", 2)])
async def test_transactions(call_bill: str, share: int) -> None:
    """The account is charged with the multiplier, even if the call object shows less; newest first, a page at a time."""
    async with bench_of(call_bill=call_bill) as bench:
        for _ in range(3):
            await bench.start()
        assert (await bench.get("/v1/billing/transactions"))["results"] == []
        bench.clock.talk(600)
        listed = await bench.get("/v1/billing/transactions")
        assert (listed["total"], listed["limit"], listed["offset"]) == (3, 50, 0)
        ledger: Any = bench.sandbox.ledger()
        runs = {run["call_id"]: run["cost_cents"] for run in ledger["runs"]}
        assert {entry["call_id"]: -entry["amount_cents"] for entry in listed["results"]} == runs
        assert {entry["kind"] for entry in listed["results"]} == {"call_usage"}
        for call_id, cents in runs.items():
            assert (await bench.get(f"/v1/calls/{call_id}"))["billing_total_cents"] * share == cents
        newest, *rest = listed["results"]
        assert newest["created_at"] >= rest[-1]["created_at"]
        page = await bench.get("/v1/billing/transactions?limit=1&offset=1")
        assert page["results"] == rest[:1]


async def test_test_call_budget() -> None:
    """A budget for test calls refuses what the balance would bear."""
    async with bench_of(test_call_budget_cents=20) as bench:
        assert (await bench.start()).status_code == 201
        assert (await bench.start()).status_code == 402
        bench.clock.talk(700)
        billing = await bench.get("/v1/billing")
    assert billing["test_call_budget_cents"] == 20
    assert billing["test_call_budget_remaining_cents"] == max(0, 20 - (50_000 - billing["balance_cents"]))


async def test_whoami(bench: Bench) -> None:
    """Organization, kind of credential, the key's beginning and never the key."""
    answer = await bench.get("/v1/whoami")
    assert answer["organization"] == {"id": 4410, "name": "Larkfield Health"}
    assert (answer["credential_kind"], answer["key_prefix"]) == ("api_key", "sk_live_YOUR")
    assert "test_calls:write" in answer["scopes"]
