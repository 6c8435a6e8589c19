"""Agents, phone numbers, billing and who is asking, as the two dialects show them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from pydantic import JsonValue

from planner.sandbox.objects import Object
from planner.sandbox.state.money import balance_cents, budget_left_cents
from planner.sandbox.state.records import Transaction
from planner.sandbox.state.state import State
from planner.sandbox.wire.requests import Dialect
from planner.sandbox.wire.runs import timestamp
from planner.sandbox.worlds.dialogues import Snapshot, Variant
from planner.sandbox.worlds.world import PhoneNumber, World


@dataclass(frozen=True, slots=True)
class AgentView:
    snapshot: Snapshot
    """What answers now."""
    thinking_level: str
    created_at: float
    draft: Mapping[str, str] | None
    draft_at: float | None


def agent(view: AgentView, dialect: Dialect, world_digest: str) -> Object:
    """The service has no `configuration_digest`. Here it changes with the dialogues and the world, which no other field shows."""
    snapshot = view.snapshot
    script = snapshot.model_dump_json(exclude={"agent_id", "name", "updated_at", "revision"})
    draft: Object = {f"draft_{name}": value for name, value in (view.draft or {}).items()}
    shown: Object = {
        "id": snapshot.agent_id,
        "name": snapshot.name,
        "prompt": snapshot.prompt,
        "voice": snapshot.voice,
        "product": snapshot.product,
        "primary_language": snapshot.primary_language,
        "thinking_level": view.thinking_level,
        "created_at": timestamp(view.created_at),
        "updated_at": timestamp(snapshot.updated_at),
        "has_draft": view.draft is not None,
        "draft_updated_at": None if view.draft_at is None else timestamp(view.draft_at),
        "configuration_digest": sha256(f"{world_digest} {script}".encode()).hexdigest(),
        **draft,
    }
    if dialect == "page":
        return shown
    empty: tuple[str, ...] = (
        "integrations",
        "knowledge_bases",
        "knowledge_documents",
        "mcp_servers",
        "reusable_instructions",
        "tool_collision_warnings",
        "draft_additional_languages",
    )
    nothing = (
        "draft_handoffs",
        "draft_max_call_duration_seconds",
        "draft_ring_duration_seconds",
        "draft_steps",
    )
    filled: Object = {name: [] for name in empty}
    extra: Object = {"consent_disabled_reason": "", "additional_languages": []}
    return filled | dict.fromkeys(nothing) | extra | shown


def variant(number: int, declared: Variant, snapshot: Snapshot) -> Object:
    return {
        "id": number,
        "label": declared.label,
        "weight": declared.weight,
        "prompt": declared.prompt or snapshot.prompt,
        "voice": declared.voice or snapshot.voice,
        "product": snapshot.product,
    }


def version(snapshot: Snapshot, note: str) -> Object:
    return {
        "version": snapshot.revision,
        "name": snapshot.name,
        "prompt": snapshot.prompt,
        "voice": snapshot.voice,
        "product": snapshot.product,
        "note": note,
        "created_at": timestamp(snapshot.updated_at),
    }


def phone_number(number_id: int, number: PhoneNumber, dialect: Dialect) -> Object:
    shown: Object = {
        "id": number_id,
        "number": number.number,
        "label": number.label,
        "inbound_agent_id": number.inbound_agent_id,
        "outbound_agent_id": number.outbound_agent_id,
        "status": number.status,
    }
    if dialect == "page":
        return shown
    extra: Object = {
        "outbound_eligible": number.outbound_agent_id is not None,
        "outbound_ineligible_reason": None if number.outbound_agent_id is not None else "no_outbound_agent",
        "sms_capability_checked_at": None,
        "sms_capable": None,
        "source": "demo",
        "voip_connection_id": None,
        "voip_inbound_result": None,
        "voip_inbound_status": "untested",
        "voip_inbound_test_method": None,
        "voip_inbound_tested_at": None,
        "voip_last_verified_at": None,
        "voip_verification_status": "unverified",
        "webhook_signing_secret": None,
        "webhook_url": None,
    }
    return shown | extra


def billing(world: World, state: State, now: float, dialect: Dialect) -> Object:
    balance = balance_cents(world, state, now)
    shown: Object = {"balance_cents": balance, "balance_usd": f"{balance / 100:.2f}", "currency": "usd"}
    if dialect == "page":
        return shown
    nothing: tuple[str, ...] = (
        "auto_reload_consecutive_declines",
        "auto_reload_failed_amount_cents",
        "auto_reload_failed_at",
        "auto_reload_failure_code",
        "auto_reload_last_error",
        "auto_reload_next_retry_at",
        "auto_reload_paused_until",
        "average_daily_spend_cents_7d",
        "balance_runway_days",
        "last_auto_reload",
        "last_manual_topup_error",
        "last_manual_topup_intent_id",
        "last_top_up",
        "monthly_spending_limit_cents",
    )
    filled: Object = dict.fromkeys(nothing)
    extra: Object = {
        "auto_reload_month_spend_cents": 0,
        "auto_reload_paused": False,
        "auto_reload_status": "off",
        "current_month_usage_spend_cents": state.billed_cents(now),
        "has_ever_topped_up": True,
        "has_payment_method": False,
        "spending_limit_reached": balance <= 0,
        "test_call_budget_cents": world.test_call_budget_cents,
        "test_call_budget_remaining_cents": budget_left_cents(world, state, now),
        "available_cash_cents": max(0, balance - state.reserved_cents(now)),
    }
    return shown | filled | extra


def transaction(entry: Transaction) -> Object:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "amount_cents": entry.amount_cents,
        "call_id": entry.call_id,
        "created_at": timestamp(entry.at),
        "description": entry.description,
        "metadata": {},
    }


def whoami(world: World, key: str, dialect: Dialect) -> Object:
    scopes: list[JsonValue] = [
        "agents:read",
        "calls:read",
        "phone_numbers:read",
        "billing:read",
        "test_calls:read",
        "test_calls:write",
    ]
    shown: Object = {
        "organization": {"id": world.organization.id, "name": world.organization.name},
        "credential_kind": "api_key",
        "key_prefix": key[:12],
        "scopes": scopes,
    }
    extra: Object = {"key_label": None, "oauth_client_id": None, "role": None}
    return shown if dialect == "page" else shown | extra
