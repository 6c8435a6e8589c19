"""Agents, phone numbers, money and who is asking, as the two dialects show them."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from pydantic import Field

from planner.sandbox.state import records
from planner.sandbox.state.money import balance_cents, budget_left_cents
from planner.sandbox.state.state import AgentRecord, State
from planner.sandbox.wire.answers import ABSENT, Answer, Count, Dialect, Fields, Id, Listed, Moment, shared
from planner.sandbox.worlds import dialogues
from planner.sandbox.worlds import world as worlds
from planner.sandbox.worlds.dialogues import Snapshot


class Agent(Answer):
    """The service has no `configuration_digest`: here it changes with the dialogues and the world, which no other field shows."""

    id: Id
    name: str
    prompt: str
    voice: str
    product: str
    primary_language: str
    thinking_level: str
    created_at: Moment
    updated_at: Moment
    has_draft: bool
    draft_updated_at: Moment | None
    configuration_digest: str
    draft_name: str | None = ABSENT
    draft_prompt: str | None = ABSENT
    draft_voice: str | None = ABSENT
    draft_product: str | None = ABSENT
    draft_primary_language: str | None = ABSENT
    draft_thinking_level: str | None = ABSENT


class ClientAgent(Agent):
    integrations: tuple[str, ...] = ()
    knowledge_bases: tuple[str, ...] = ()
    knowledge_documents: tuple[str, ...] = ()
    mcp_servers: tuple[str, ...] = ()
    reusable_instructions: tuple[str, ...] = ()
    tool_collision_warnings: tuple[str, ...] = ()
    additional_languages: tuple[str, ...] = ()
    consent_disabled_reason: str = ""
    draft_additional_languages: tuple[str, ...] = ()
    draft_handoffs: None = None
    draft_max_call_duration_seconds: None = None
    draft_ring_duration_seconds: None = None
    draft_steps: None = None


class Variant(Answer):
    id: Id
    label: str
    weight: Count
    prompt: str
    voice: str
    product: str


class Version(Answer):
    version: int
    name: str
    prompt: str
    voice: str
    product: str
    note: str
    created_at: Moment


class ClientVersions(Answer):
    count: Count
    results: list[Version]


class PhoneNumber(Answer):
    id: Id
    number: str
    label: str
    inbound_agent_id: Id | None
    outbound_agent_id: Id | None
    status: Literal["provisioning", "active", "failed", "releasing", "released", "draft"]


class ClientPhoneNumber(PhoneNumber):
    outbound_eligible: bool
    outbound_ineligible_reason: str | None
    sms_capability_checked_at: None = None
    sms_capable: None = None
    source: str = "demo"
    voip_connection_id: None = None
    voip_inbound_result: None = None
    voip_inbound_status: str = "untested"
    voip_inbound_test_method: None = None
    voip_inbound_tested_at: None = None
    voip_last_verified_at: None = None
    voip_verification_status: str = "unverified"
    webhook_signing_secret: None = None
    webhook_url: None = None


class Billing(Answer):
    balance_cents: int
    balance_usd: str
    currency: Literal["usd"] = "usd"


class ClientBilling(Billing):
    auto_reload_consecutive_declines: None = None
    auto_reload_failed_amount_cents: None = None
    auto_reload_failed_at: None = None
    auto_reload_failure_code: None = None
    auto_reload_last_error: None = None
    auto_reload_month_spend_cents: Count = 0
    auto_reload_next_retry_at: None = None
    auto_reload_paused: bool = False
    auto_reload_paused_until: None = None
    auto_reload_status: str = "off"
    available_cash_cents: Count
    average_daily_spend_cents_7d: None = None
    balance_runway_days: None = None
    current_month_usage_spend_cents: Count
    has_ever_topped_up: bool = True
    has_payment_method: bool = False
    last_auto_reload: None = None
    last_manual_topup_error: None = None
    last_manual_topup_intent_id: None = None
    last_top_up: None = None
    monthly_spending_limit_cents: None = None
    spending_limit_reached: bool
    test_call_budget_cents: Count | None
    test_call_budget_remaining_cents: Count | None


class Transaction(Answer):
    id: Id
    kind: records.Kind
    amount_cents: int
    call_id: Id | None
    created_at: Moment
    description: str
    metadata: dict[str, str] = Field(default={})


class Transactions(Listed):
    results: list[Transaction]


class Organization(Answer):
    id: Id
    name: str


class WhoAmI(Answer):
    organization: Organization
    credential_kind: str = "api_key"
    key_prefix: str
    scopes: tuple[str, ...] = (
        "agents:read",
        "agents:write",
        "billing:read",
        "calls:read",
        "phone_numbers:read",
        "test_calls:read",
        "test_calls:write",
    )


class ClientWhoAmI(WhoAmI):
    key_label: None = None
    oauth_client_id: None = None
    role: None = None


class Health(Answer):
    ok: Literal[True] = True


def agent_fields(snapshot: Snapshot, record: AgentRecord, world_digest: str) -> Fields:
    """Of both dialects, but `created_at`."""
    behaviour = snapshot.model_dump_json(exclude={"agent_id", "name", "updated_at", "revision"})
    return shared(Agent, snapshot) | {
        "id": snapshot.agent_id,
        "has_draft": record.draft is not None,
        "draft_updated_at": record.draft_at,
        "configuration_digest": sha256(f"{world_digest} {behaviour}".encode()).hexdigest(),
        **{f"draft_{name}": value for name, value in (record.draft or {}).items()},
    }


def variant(number: int, declared: dialogues.Variant, snapshot: Snapshot) -> Variant:
    own = {name: value for name, value in shared(Variant, declared).items() if value is not None}
    fields: Fields = shared(Variant, snapshot) | own | {"id": number}
    return Variant(**fields)


def version(snapshot: Snapshot, note: str) -> Version:
    return Version(**shared(Version, snapshot), version=snapshot.revision, note=note, created_at=snapshot.updated_at)


def phone_number(number_id: int, number: worlds.PhoneNumber, dialect: Dialect) -> PhoneNumber:
    fields: Fields = shared(PhoneNumber, number) | {"id": number_id}
    if dialect == "page":
        return PhoneNumber(**fields)
    eligible = number.outbound_agent_id is not None
    reason = None if eligible else "no_outbound_agent"
    return ClientPhoneNumber(**fields, outbound_eligible=eligible, outbound_ineligible_reason=reason)


def billing(world: worlds.World, state: State, now: float, dialect: Dialect) -> Billing:
    balance = balance_cents(world, state, now)
    if dialect == "page":
        return Billing(balance_cents=balance, balance_usd=f"{balance / 100:.2f}")
    return ClientBilling(
        balance_cents=balance,
        balance_usd=f"{balance / 100:.2f}",
        available_cash_cents=max(0, balance - state.reserved_cents(now)),
        current_month_usage_spend_cents=state.billed_cents(now),
        spending_limit_reached=balance <= 0,
        test_call_budget_cents=world.test_call_budget_cents,
        test_call_budget_remaining_cents=budget_left_cents(world, state, now),
    )


def transaction(entry: records.Transaction) -> Transaction:
    return Transaction(**shared(Transaction, entry), created_at=entry.at)


def whoami(world: worlds.World, key: str, dialect: Dialect) -> WhoAmI:
    organization = Organization(**shared(Organization, world.organization))
    return (WhoAmI if dialect == "page" else ClientWhoAmI)(organization=organization, key_prefix=key[:12])
