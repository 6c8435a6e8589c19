"""The objects of the API as JSON Schemas, field by field: what `runs.py`, `calls.py` and `organization.py` answer, in either dialect.

Closed (no other field), and every field is required: a schema that allowed more would notice less.
"""

from __future__ import annotations

from pydantic import JsonValue

from planner.sandbox.objects import Object
from planner.sandbox.state.records import DIRECTIONS, MODES, STATUSES, TARGET_TYPES

INT64_MAX = 2**63 - 1

TEXT: Object = {"type": "string"}
TEXTS: Object = {"type": "array", "items": TEXT}
INTEGER: Object = {"type": "integer"}
NUMBER: Object = {"type": "number"}
TRUTH: Object = {"type": "boolean"}
NOTHING: Object = {"type": "null"}
ID: Object = {"type": "integer", "minimum": 1, "maximum": INT64_MAX}
COUNT: Object = {"type": "integer", "minimum": 0}
MOMENT: Object = {"type": "string", "format": "date-time"}
ANYTHING: Object = {}
FREE: Object = {"type": "object"}


def one_of(*values: str) -> Object:
    return {"type": "string", "enum": list(values)}


def maybe(schema: Object) -> Object:
    """The same, or null."""
    return {"anyOf": [schema, NOTHING]}


def array(items: Object) -> Object:
    return {"type": "array", "items": items}


def ref(name: str) -> Object:
    return {"$ref": f"#/components/schemas/{name}"}


def record(fields: dict[str, Object], optional: frozenset[str] = frozenset()) -> Object:
    required: list[JsonValue] = [name for name in fields if name not in optional]
    properties: Object = dict(fields.items())
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


_RUN: dict[str, Object] = {
    "id": ID,
    "target_type": one_of(*TARGET_TYPES),
    "target_id": ID,
    "direction": one_of(*DIRECTIONS),
    "target_number": TEXT,
    "scenario_prompt": TEXT,
    "mode": one_of(*MODES),
    "status": one_of(*STATUSES),
    "charge_multiplier": COUNT,
    "estimated_cost_cents": COUNT,
    "call_id": maybe(ID),
    "sip_call_id": maybe(ID),
    "error_message": TEXT,
    "started_at": maybe(MOMENT),
    "completed_at": maybe(MOMENT),
    "batch_id": maybe(ID),
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
_BATCH: dict[str, Object] = {
    "id": ID,
    "name": TEXT,
    "target_type": one_of(*TARGET_TYPES),
    "target_id": ID,
    "direction": one_of(*DIRECTIONS),
    "target_number": TEXT,
    "scenario_prompts": TEXTS,
    "run_count": {"type": "integer", "minimum": 1, "maximum": 20},
    "stagger_seconds": {"type": "integer", "minimum": 0, "maximum": 60},
    "status": one_of("in_progress", "completed", "failed"),
    "total_runs": COUNT,
    "completed_runs": COUNT,
    "failed_runs": COUNT,
    "error_message": TEXT,
    "requested_by_id": ID,
    "started_at": MOMENT,
    "completed_at": maybe(MOMENT),
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "run_ids": array(ID),
}
_CALL: dict[str, Object] = {
    "call_id": ID,
    "agent_id": ID,
    "direction": one_of(*DIRECTIONS),
    "from_number": TEXT,
    "to_number": TEXT,
    "start_time": MOMENT,
    "end_time": maybe(MOMENT),
    "duration_seconds": maybe(COUNT),
    "status": one_of("in_progress", "completed", "failed"),
    "end_reason": maybe(TEXT),
    "is_test_call": TRUTH,
    "product": TEXT,
    "voice": TEXT,
    "billable_minutes": maybe(COUNT),
    "billing_total_cents": maybe(COUNT),
    "billed_at": maybe(MOMENT),
    "grade_score": maybe(NUMBER),
    "grade_status": maybe(one_of("pending", "completed")),
    "agent_variant_id": maybe(ID),
    "agent_variant_label": maybe(TEXT),
    "issue_count": COUNT,
    "critical_issue_count": COUNT,
}
_OUTCOME = one_of("success", "failure", "unknown", "no_conversation")
_GOAL = one_of("achieved", "missed", "no_opportunity")
_GRADE: dict[str, Object] = {
    "status": one_of("pending", "completed"),
    "score": maybe({"type": "number", "minimum": 0, "maximum": 1}),
    "call_outcome": _OUTCOME,
    "goal_achievement": maybe(_GOAL),
    "detected_issues": array(record({"severity": one_of("minor", "major", "critical"), "description": TEXT})),
    "rubric_breakdown": {"type": "object", "additionalProperties": NUMBER},
    "summary": TEXT,
}
_TURN: dict[str, Object] = {
    "role": one_of("agent", "assistant", "user", "tool_call", "tool_response"),
    "content": ANYTHING,
    "start_ms": COUNT,
    "end_ms": COUNT,
    "ttfa_ms": COUNT,
    "content_type": one_of("application/json"),
}
_AGENT: dict[str, Object] = {
    "id": ID,
    "name": TEXT,
    "prompt": TEXT,
    "voice": TEXT,
    "product": TEXT,
    "primary_language": TEXT,
    "thinking_level": TEXT,
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "has_draft": TRUTH,
    "draft_updated_at": maybe(MOMENT),
    "configuration_digest": TEXT,
}
DRAFT: dict[str, Object] = {
    f"draft_{name}": TEXT for name in ("name", "prompt", "voice", "product", "primary_language", "thinking_level")
}
"""Only there if the draft changes them."""
_VARIANT: dict[str, Object] = {
    "id": ID,
    "label": TEXT,
    "weight": COUNT,
    "prompt": TEXT,
    "voice": TEXT,
    "product": TEXT,
}
_VERSION: dict[str, Object] = {
    "version": INTEGER,
    "name": TEXT,
    "prompt": TEXT,
    "voice": TEXT,
    "product": TEXT,
    "note": TEXT,
    "created_at": MOMENT,
}
_PHONE_NUMBER: dict[str, Object] = {
    "id": ID,
    "number": TEXT,
    "label": TEXT,
    "inbound_agent_id": maybe(ID),
    "outbound_agent_id": maybe(ID),
    "status": one_of("provisioning", "active", "failed", "releasing", "released", "draft"),
}
_BILLING: dict[str, Object] = {"balance_cents": INTEGER, "balance_usd": TEXT, "currency": one_of("usd")}
_WHOAMI: dict[str, Object] = {
    "organization": record({"id": ID, "name": TEXT}),
    "credential_kind": TEXT,
    "key_prefix": TEXT,
    "scopes": TEXTS,
}
_TOOL = record({"name": TEXT, "description": TEXT, "parameters": FREE})
_CLIENT_ONLY: dict[str, dict[str, Object]] = {
    "Run": {
        "agent_name": maybe(TEXT),
        "target_name": TEXT,
        "duration_seconds": maybe(COUNT),
        "grade": maybe(ref("Grade")),
        "metadata": FREE,
        "recording_url": maybe(TEXT),
        "requested_by_id": ID,
        "transcript": array(ref("Turn")),
    },
    "Batch": {
        "status": one_of("pending", "in_progress", "completed", "failed"),
        "started_at": maybe(MOMENT),
        "estimated_cost_cents": COUNT,
        "estimated_minutes": COUNT,
        "matrix_dimensions": FREE,
    },
    "Call": {
        **dict.fromkeys(
            (
                "cloud_run_execution_name",
                "consent_evidence",
                "extracted_data",
                "livekit_room_name",
                "livekit_room_sid",
                "recording_policy",
                "recording_retention_notice",
                "recording_started_at",
                "steps_trace",
                "transfer_bridge_seconds",
                "transfer_bridge_total_cents",
                "transfer_sip_status",
            ),
            NOTHING,
        ),
        "call_outcome": maybe(_OUTCOME),
        "collected_values": maybe({"type": "object", "additionalProperties": TEXT}),
        "goal_achievement": maybe(_GOAL),
        "goal_reasoning": maybe(TEXT),
        "grade_updated_at": maybe(MOMENT),
        "is_scenario_call": TRUTH,
        "is_simulation": TRUTH,
        "locale": TEXT,
        "outbound_dial_state": maybe(TEXT),
        "prompt_snapshot": TEXT,
        "recording_mode": TEXT,
        "recording_url": maybe(TEXT),
        "sip_answered_at": maybe(MOMENT),
        "summary": TEXT,
        "summary_status": one_of("pending", "completed"),
        "thinking_level": TEXT,
        "tool_snapshot": array(_TOOL),
        "transfer_bridge_kind": maybe(TEXT),
        "transfer_destination": TEXT,
        "transfer_outcome": maybe(TEXT),
        "unresolved_variables": TEXTS,
        "variables": FREE,
    },
    "Grade": {
        "score": maybe({"type": "integer", "minimum": 0, "maximum": 100}),
        "id": ID,
        "call_id": ID,
        "caller_welfare_reasoning": TEXT,
        "caller_welfare_violation": TRUTH,
        "created_at": MOMENT,
        "error_message": NOTHING,
        "goal_reasoning": maybe(TEXT),
        "graded_at": maybe(MOMENT),
        "grader_model": TEXT,
        "grader_version": TEXT,
        "outcome_reasoning": TEXT,
        "updated_at": MOMENT,
    },
    "Agent": {
        **dict.fromkeys(
            (
                "integrations",
                "knowledge_bases",
                "knowledge_documents",
                "mcp_servers",
                "reusable_instructions",
                "tool_collision_warnings",
                "draft_additional_languages",
                "additional_languages",
            ),
            array(ANYTHING),
        ),
        **dict.fromkeys(
            (
                "draft_handoffs",
                "draft_max_call_duration_seconds",
                "draft_ring_duration_seconds",
                "draft_steps",
            ),
            NOTHING,
        ),
        "consent_disabled_reason": TEXT,
    },
    "PhoneNumber": {
        "outbound_eligible": TRUTH,
        "outbound_ineligible_reason": maybe(TEXT),
        "sms_capability_checked_at": NOTHING,
        "sms_capable": NOTHING,
        "source": TEXT,
        "voip_connection_id": NOTHING,
        "voip_inbound_result": NOTHING,
        "voip_inbound_status": TEXT,
        "voip_inbound_test_method": NOTHING,
        "voip_inbound_tested_at": NOTHING,
        "voip_last_verified_at": NOTHING,
        "voip_verification_status": TEXT,
        "webhook_signing_secret": NOTHING,
        "webhook_url": NOTHING,
    },
    "Billing": {
        **dict.fromkeys(
            (
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
            ),
            NOTHING,
        ),
        "auto_reload_month_spend_cents": COUNT,
        "auto_reload_paused": TRUTH,
        "auto_reload_status": TEXT,
        "current_month_usage_spend_cents": COUNT,
        "has_ever_topped_up": TRUTH,
        "has_payment_method": TRUTH,
        "spending_limit_reached": TRUTH,
        "test_call_budget_cents": maybe(COUNT),
        "test_call_budget_remaining_cents": maybe(COUNT),
        "available_cash_cents": COUNT,
    },
    "WhoAmI": {"key_label": maybe(TEXT), "oauth_client_id": maybe(TEXT), "role": maybe(TEXT)},
}
_TRANSACTION: dict[str, Object] = {
    "id": ID,
    "kind": one_of("call_usage", "adjustment", "manual_topup"),
    "amount_cents": INTEGER,
    "call_id": maybe(ID),
    "created_at": MOMENT,
    "description": TEXT,
    "metadata": {"type": "object"},
}
_PAGE_ONLY: dict[str, frozenset[str]] = {"Run": frozenset({"sip_call_id", "batch_id"})}
_SHARED = {
    "Run": _RUN,
    "Batch": _BATCH,
    "Call": _CALL,
    "Grade": _GRADE,
    "Agent": _AGENT,
    "Variant": _VARIANT,
    "Version": _VERSION,
    "PhoneNumber": _PHONE_NUMBER,
    "Billing": _BILLING,
    "Transaction": _TRANSACTION,
    "WhoAmI": _WHOAMI,
}


def objects(*, client: bool) -> Object:
    """Name → schema of every object that is answered."""
    shown: Object = {}
    for name, fields in _SHARED.items():
        whole = fields
        if client:
            left = {field: schema for field, schema in fields.items() if field not in _PAGE_ONLY.get(name, ())}
            whole = {**left, **_CLIENT_ONLY.get(name, {})}
        optional = DRAFT if name == "Agent" else {}
        shown[name] = record({**whole, **optional}, frozenset(optional))
    shown["Turn"] = record(_TURN, frozenset({"ttfa_ms", "content_type"}))
    shown["Error"] = record({"detail": TEXT})
    messages: Object = {"anyOf": [TEXTS, {"type": "object", "additionalProperties": TEXTS}]}
    shown["FieldErrors"] = {"type": "object", "additionalProperties": messages, "minProperties": 1}
    return shown
