"""The fields of answers: their types, for the OpenAPI document, and those that always have the same value here."""

from __future__ import annotations

from typing import Any, get_args

from planner.sandbox.service.requests import INT64_MAX
from planner.sandbox.state.records import Direction, Mode, Status, TargetType


def _nulls(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split())


CLIENT: dict[str, dict[str, Any]] = {
    "Run": {"metadata": {}, "recording_url": None},
    "Batch": {"matrix_dimensions": {}},
    "Call": {
        **_nulls(
            "cloud_run_execution_name consent_evidence extracted_data livekit_room_name livekit_room_sid "
            "recording_policy recording_retention_notice recording_started_at recording_url steps_trace "
            "transfer_bridge_seconds transfer_bridge_total_cents transfer_sip_status"
        ),
        "is_scenario_call": False,
        "is_simulation": True,
        "recording_mode": "disabled_by_config",
        "thinking_level": "base",
        "unresolved_variables": [],
        "variables": {},
    },
    "Grade": {
        "caller_welfare_reasoning": "",
        "caller_welfare_violation": False,
        "error_message": None,
        "grader_model": "sandbox-script",
        "grader_version": "1",
    },
    "Agent": {
        **_nulls("draft_handoffs draft_max_call_duration_seconds draft_ring_duration_seconds draft_steps"),
        "additional_languages": [],
        "consent_disabled_reason": "",
        "draft_additional_languages": [],
        "integrations": [],
        "knowledge_bases": [],
        "knowledge_documents": [],
        "mcp_servers": [],
        "reusable_instructions": [],
        "tool_collision_warnings": [],
    },
    "PhoneNumber": {
        **_nulls(
            "sms_capability_checked_at sms_capable voip_connection_id voip_inbound_result voip_inbound_test_method "
            "voip_inbound_tested_at voip_last_verified_at webhook_signing_secret webhook_url"
        ),
        "source": "demo",
        "voip_inbound_status": "untested",
        "voip_verification_status": "unverified",
    },
    "Billing": {
        **_nulls(
            "auto_reload_consecutive_declines auto_reload_failed_amount_cents auto_reload_failed_at "
            "auto_reload_failure_code auto_reload_last_error auto_reload_next_retry_at auto_reload_paused_until "
            "average_daily_spend_cents_7d balance_runway_days last_auto_reload last_manual_topup_error "
            "last_manual_topup_intent_id last_top_up monthly_spending_limit_cents"
        ),
        "auto_reload_month_spend_cents": 0,
        "auto_reload_paused": False,
        "auto_reload_status": "off",
        "has_ever_topped_up": True,
        "has_payment_method": False,
    },
    "WhoAmI": _nulls("key_label oauth_client_id role"),
}
"""Answer → fields of the client's dialect with the value that they always have here."""

TYPES: dict[str, Any] = {
    "id": {"type": "integer", "minimum": 1, "maximum": INT64_MAX},
    "ids": {"type": "array", "items": {"type": "integer"}},
    "count": {"type": "integer", "minimum": 0},
    "integer": {"type": "integer"},
    "percent": {"type": "integer", "minimum": 0, "maximum": 100},
    "score": {"type": "number", "minimum": 0, "maximum": 1},
    "boolean": {"type": "boolean"},
    "text": {"type": "string"},
    "texts": {"type": "array", "items": {"type": "string"}},
    "moment": {"type": "string", "format": "date-time"},
    "anything": {},
    "texts by name": {"type": "object", "additionalProperties": {"type": "string"}},
    "numbers by name": {"type": "object", "additionalProperties": {"type": "number"}},
    "target": {"enum": [*get_args(TargetType)]},
    "direction": {"enum": [*get_args(Direction)]},
    "mode": {"enum": [*get_args(Mode)]},
    "run status": {"enum": [*get_args(Status)]},
    "batch status": {"enum": ["pending", "in_progress", "completed", "failed"]},
    "call status": {"enum": ["in_progress", "completed", "failed"]},
    "number status": {"enum": ["provisioning", "active", "failed", "releasing", "released", "draft"]},
    "progress": {"enum": ["pending", "completed"]},
    "outcome": {"enum": ["success", "failure", "unknown", "no_conversation"]},
    "goal": {"enum": ["achieved", "missed", "no_opportunity"]},
    "severity": {"enum": ["minor", "major", "critical"]},
    "role": {"enum": ["agent", "assistant", "user", "tool_call", "tool_response"]},
    "media type": {"enum": ["application/json"]},
    "transaction": {"enum": ["call_usage", "adjustment", "manual_topup"]},
    "true": {"enum": [True]},
}
"""Name of a type → its JSON Schema. A `?` behind the name allows null; a capital letter begins the name of an answer, `[]` a list."""
OPTIONAL = frozenset(
    [
        "ttfa_ms",
        "content_type",
        "draft_name",
        "draft_prompt",
        "draft_voice",
        "draft_product",
        "draft_primary_language",
        "draft_thinking_level",
    ]
)
"""Fields that are left out if they have no value."""


FIELDS: dict[str, dict[str, str]] = {
    "Run": {
        "id": "id target_id",
        "id?": "call_id",
        "target": "target_type",
        "direction": "direction",
        "mode": "mode",
        "run status": "status",
        "count": "charge_multiplier estimated_cost_cents",
        "text": "target_number scenario_prompt error_message",
        "moment": "created_at updated_at",
        "moment?": "started_at completed_at",
    },
    "Run page": {"id?": "sip_call_id batch_id"},
    "Run client": {
        "id": "requested_by_id",
        "text": "target_name",
        "text?": "agent_name",
        "count?": "duration_seconds",
        "Grade?": "grade",
        "Turn[]": "transcript",
    },
    "Batch": {
        "id": "id target_id requested_by_id",
        "target": "target_type",
        "direction": "direction",
        "batch status": "status",
        "count": "run_count stagger_seconds total_runs completed_runs failed_runs",
        "text": "name target_number error_message",
        "texts": "scenario_prompts",
        "ids": "run_ids",
        "moment": "created_at updated_at",
        "moment?": "started_at completed_at",
    },
    "Batch client": {"count": "estimated_cost_cents estimated_minutes"},
    "Call": {
        "id": "call_id agent_id",
        "id?": "agent_variant_id",
        "direction": "direction",
        "call status": "status",
        "progress?": "grade_status",
        "count": "issue_count critical_issue_count",
        "count?": "duration_seconds billable_minutes billing_total_cents",
        "boolean": "is_test_call",
        "text": "from_number to_number product voice",
        "text?": "end_reason agent_variant_label",
        "moment": "start_time",
        "moment?": "end_time billed_at",
    },
    "Call page": {"score?": "grade_score"},
    "Call client": {
        "percent?": "grade_score",
        "progress": "summary_status",
        "outcome?": "call_outcome",
        "goal?": "goal_achievement",
        "text": "locale prompt_snapshot summary transfer_destination",
        "text?": "goal_reasoning outbound_dial_state transfer_bridge_kind transfer_outcome",
        "texts by name?": "collected_values",
        "moment?": "grade_updated_at sip_answered_at",
        "Tool[]": "tool_snapshot",
    },
    "Calls": {"Call[]": "results", "count": "total limit offset"},
    "Tool": {"text": "name description", "texts by name": "parameters"},
    "Turn": {
        "role": "role",
        "anything": "content",
        "count": "start_ms end_ms ttfa_ms",
        "media type": "content_type",
    },
    "Transcript": {"id": "call_id", "Turn[]": "transcripts"},
    "Issue": {"severity": "severity", "text": "description"},
    "Grade": {
        "progress": "status",
        "outcome": "call_outcome",
        "goal?": "goal_achievement",
        "Issue[]": "detected_issues",
        "numbers by name": "rubric_breakdown",
        "text": "summary",
    },
    "Grade page": {"score?": "score"},
    "Grade client": {
        "percent?": "score",
        "id": "id call_id",
        "text": "outcome_reasoning",
        "text?": "goal_reasoning",
        "moment": "created_at updated_at",
        "moment?": "graded_at",
    },
    "Audio": {"text": "url"},
    "Agent": {
        "id": "id",
        "boolean": "has_draft",
        "text": "name prompt voice product primary_language thinking_level configuration_digest draft_name draft_prompt "
        "draft_voice draft_product draft_primary_language draft_thinking_level",
        "moment": "created_at updated_at",
        "moment?": "draft_updated_at",
    },
    "Variant": {"id": "id", "count": "weight", "text": "label prompt voice product"},
    "Version": {"integer": "version", "text": "name prompt voice product note", "moment": "created_at"},
    "PhoneNumber": {
        "id": "id",
        "id?": "inbound_agent_id outbound_agent_id",
        "text": "number label",
        "number status": "status",
    },
    "PhoneNumber client": {"boolean": "outbound_eligible", "text?": "outbound_ineligible_reason"},
    "Billing": {"integer": "balance_cents", "text": "balance_usd currency"},
    "Billing client": {
        "count": "available_cash_cents current_month_usage_spend_cents",
        "count?": "test_call_budget_cents test_call_budget_remaining_cents",
        "boolean": "spending_limit_reached",
    },
    "Transaction": {
        "id": "id",
        "id?": "call_id",
        "transaction": "kind",
        "integer": "amount_cents",
        "moment": "created_at",
        "text": "description",
        "texts by name": "metadata",
    },
    "Transactions": {"Transaction[]": "results", "count": "total limit offset"},
    "Organization": {"id": "id", "text": "name"},
    "WhoAmI": {"Organization": "organization", "text": "credential_kind key_prefix", "texts": "scopes"},
    "Health": {"true": "ok"},
    "Versions": {"Version[]": "results", "count": "count"},
    "Error": {"text": "detail"},
}
"""Answer, or what one dialect adds to it → type → fields."""
