"""The fields of answers: their types, and those of the client's dialect that always have the same value here."""

from __future__ import annotations

from functools import cache
from typing import Any

from planner.sandbox.sandbox import Dialect

_OTHER = (
    "additional_languages:texts! background_track:text! timezone:text! acknowledgement_prompt:text! "
    "voicemail_message:text! call_summary_enabled:boolean! silence_checkins_enabled:boolean! "
    "typing_sounds_enabled:boolean! max_call_duration_seconds:count! silence_hangup_seconds:count! "
    "business_hours:anything! steps:anything! tools:anything!"
)
"""Some of the other fields of agents, which change no scripted call."""
OTHER_FIELDS = tuple(each.partition(":")[0] for each in _OTHER.split())
_PAGE = {
    "Run": "id:id target_type:target target_id:id direction:direction target_number:text scenario_prompt:text "
    "mode:mode status:run_status charge_multiplier:count estimated_cost_cents:count call_id:id? sip_call_id:id? "
    "error_message:text started_at:moment? completed_at:moment? batch_id:id? created_at:moment updated_at:moment",
    "Batch": "id:id name:text target_type:target target_id:id direction:direction target_number:text "
    "scenario_prompts:texts run_count:count stagger_seconds:count status:batch_status total_runs:count "
    "completed_runs:count failed_runs:count error_message:text requested_by_id:id started_at:moment? "
    "completed_at:moment? created_at:moment updated_at:moment run_ids:ids",
    "Call": "call_id:id agent_id:id direction:direction from_number:text to_number:text start_time:moment "
    "end_time:moment? duration_seconds:count? status:call_status end_reason:text? is_test_call:boolean product:text "
    "voice:text billable_minutes:count? billing_total_cents:count? billed_at:moment? grade_score:score? "
    "grade_status:progress? issue_count:count critical_issue_count:count agent_variant_id:id? "
    "agent_variant_label:text?",
    "Calls": "results:Call[] total:count limit:count offset:count",
    "Tool": "name:text description:text parameters:texts_by_name",
    "Turn": "role:role content:anything start_ms:count end_ms:count ttfa_ms:count! content_type:media_type!",
    "Transcript": "call_id:id transcripts:Turn[]",
    "Issue": "severity:severity description:text",
    "Grade": "status:progress score:score? call_outcome:outcome goal_achievement:goal? detected_issues:Issue[] "
    "rubric_breakdown:numbers_by_name summary:text",
    "Audio": "url:text",
    "Agent": "id:id name:text prompt:text voice:text product:text primary_language:text thinking_level:text "
    "created_at:moment updated_at:moment has_draft:boolean draft_updated_at:moment? configuration_digest:text "
    "draft_name:text! draft_prompt:text! draft_voice:text! draft_product:text! draft_primary_language:text! "
    f"draft_thinking_level:text! {_OTHER} {' '.join(f'draft_{each}' for each in _OTHER.split())}",
    "Variant": "id:id label:text weight:count prompt:text voice:text product:text",
    "Version": "version:integer name:text prompt:text voice:text product:text note:text created_at:moment",
    "Versions": "count:count results:Version[]",
    "PhoneNumber": "id:id number:text label:text inbound_agent_id:id? outbound_agent_id:id? status:number_status",
    "Billing": "balance_cents:integer balance_usd:text currency:text",
    "Transaction": "id:id kind:transaction amount_cents:integer call_id:id? created_at:moment description:text "
    "metadata:texts_by_name",
    "Transactions": "results:Transaction[] total:count limit:count offset:count",
    "Organization": "id:id name:text",
    "WhoAmI": "organization:Organization credential_kind:text key_prefix:text scopes:texts",
    "Health": "ok:boolean",
    "Error": "detail:text",
}
"""Answer → `field:type` of each field. With `?` a value may be null; with `!` the field may be left out."""
_CLIENT = {
    "Agent": "additional_languages:texts draft_additional_languages:texts draft_max_call_duration_seconds:count? "
    "draft_steps:anything?",
    "Run": "sip_call_id:- batch_id:- agent_name:text? target_name:text duration_seconds:count? grade:Grade? "
    "requested_by_id:id transcript:Turn[]",
    "Batch": "estimated_cost_cents:count estimated_minutes:count",
    "Call": "grade_score:percent? call_outcome:outcome? collected_values:texts_by_name? goal_achievement:goal? "
    "goal_reasoning:text? grade_updated_at:moment? locale:text outbound_dial_state:text? prompt_snapshot:text "
    "sip_answered_at:moment? summary:text summary_status:progress tool_snapshot:Tool[] transfer_bridge_kind:text? "
    "transfer_destination:text transfer_outcome:text?",
    "Grade": "score:percent? id:id call_id:id created_at:moment goal_reasoning:text? graded_at:moment? "
    "outcome_reasoning:text updated_at:moment",
    "PhoneNumber": "outbound_eligible:boolean outbound_ineligible_reason:text?",
    "Billing": "available_cash_cents:count current_month_usage_spend_cents:count spending_limit_reached:boolean "
    "test_call_budget_cents:count? test_call_budget_remaining_cents:count?",
}
"""The changes of the client's dialect; `-` removes a field."""


def _nulls(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split())


CONSTANTS: dict[str, dict[str, Any]] = {
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
        **_nulls("draft_handoffs draft_ring_duration_seconds"),
        "consent_disabled_reason": "",
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


@cache
def fields_of(answer: str, dialect: Dialect) -> dict[str, str]:
    """Field → type, without the constant fields."""
    fields = dict(each.split(":") for each in _PAGE[answer].split())
    if dialect == "client":
        fields |= dict(each.split(":") for each in _CLIENT.get(answer, "").split())
    return {field: kind for field, kind in fields.items() if kind != "-"}
