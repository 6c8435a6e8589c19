"""The fields of answers: those of the reference page, then those that the official client also needs."""

from __future__ import annotations

from typing import Any

OTHER_FIELDS = (
    "additional_languages",
    "background_track",
    "timezone",
    "acknowledgement_prompt",
    "voicemail_message",
    "call_summary_enabled",
    "silence_checkins_enabled",
    "typing_sounds_enabled",
    "max_call_duration_seconds",
    "silence_hangup_seconds",
    "business_hours",
    "steps",
    "tools",
)
"""Some of the other fields of agents, which change no scripted call."""
FIELDS = {
    "Run": "id target_type target_id direction target_number scenario_prompt mode status charge_multiplier "
    "estimated_cost_cents call_id sip_call_id error_message started_at completed_at batch_id created_at updated_at",
    "Batch": "id name target_type target_id direction target_number scenario_prompts run_count stagger_seconds status "
    "total_runs completed_runs failed_runs error_message requested_by_id started_at completed_at created_at updated_at "
    "run_ids estimated_cost_cents estimated_minutes",
    "Call": "call_id agent_id direction from_number to_number start_time end_time duration_seconds status end_reason "
    "is_test_call product voice billable_minutes billing_total_cents billed_at grade_score grade_status issue_count "
    "critical_issue_count agent_variant_id agent_variant_label call_outcome collected_values goal_achievement "
    "goal_reasoning grade_updated_at locale outbound_dial_state prompt_snapshot sip_answered_at summary summary_status "
    "tool_snapshot transfer_bridge_kind transfer_destination transfer_outcome",
    "Turn": "role content start_ms end_ms ttfa_ms! content_type!",
    "Grade": "status score call_outcome goal_achievement detected_issues rubric_breakdown summary id call_id "
    "created_at goal_reasoning graded_at outcome_reasoning updated_at",
    "Agent": "id name prompt voice product primary_language thinking_level created_at updated_at has_draft "
    "draft_updated_at configuration_digest draft_name! draft_prompt! draft_voice! draft_product! "
    "draft_primary_language! draft_thinking_level! draft_additional_languages draft_max_call_duration_seconds "
    "draft_steps additional_languages " + " ".join(f"{each}! draft_{each}!" for each in OTHER_FIELDS),
    "Variant": "id label weight prompt voice product",
    "Version": "version name prompt voice product note created_at",
    "PhoneNumber": "id number label inbound_agent_id outbound_agent_id status outbound_eligible "
    "outbound_ineligible_reason",
    "Billing": "balance_cents balance_usd currency available_cash_cents current_month_usage_spend_cents "
    "spending_limit_reached test_call_budget_cents test_call_budget_remaining_cents",
    "Transaction": "id kind amount_cents call_id created_at description metadata",
    "WhoAmI": "organization credential_kind key_prefix scopes",
}
"""Answer → its fields. With `!`, a field is left out if it has no value."""


def _nulls(names: str) -> dict[str, Any]:
    return dict.fromkeys(names.split())


CONSTANTS: dict[str, dict[str, Any]] = {
    "Run": {
        **_nulls("agent_name duration_seconds grade recording_url requested_by_id"),
        "metadata": {},
        "target_name": "",
        "transcript": [],
    },
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
"""Answer → fields that always have this value here."""
