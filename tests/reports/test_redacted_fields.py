"""Every text of results and evidence is redacted, or listed here as nobody's own words."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel

from planner.reports import redaction

NOT_OWN_WORDS = """
    RunResult: schema_version tool_version invocation_id change_set_digest
    CaseResult: reason carried_from failing_since call_fingerprint check_fingerprint judged_by finding_lines
    CaseInputs: direction mode agent_revision configuration
    Run: grader_model grader_version judge_model agent_variant_id invocation_id evidence
    Finding: expectation check
    ExpectationRate: expectation check
    JudgeCost: model
    Quote: role
    Consent: digest
    OpenLaunch: launch_id state
    PreviewDocument: configuration
    Evidence: schema_version run_status
    Call: status end_reason product variant_id
    Grade: status outcome goal grader_model grader_version
"""
"""Digests, ids, versions, and words from closed sets of planner or the service."""
KNOWN = {
    (document, field)
    for line in NOT_OWN_WORDS.strip().splitlines()
    for document, _, fields in [line.strip().partition(": ")]
    for field in fields.split()
}
TABLES: dict[str, redaction.Fields] = {
    "results": redaction._FIELDS,
    "evidence": redaction._EVIDENCE_FIELDS,
}


def holds_text(annotation: Any) -> bool:
    return annotation is str or any(map(holds_text, get_args(annotation)))


def documents_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {document for inner in get_args(annotation) for document in documents_in(inner)}


@pytest.mark.parametrize("name", TABLES)
def test_a_new_text_is_redacted_or_listed(name: str) -> None:
    """Also in documents inside of documents: those with texts are in the table."""
    table, missing = TABLES[name], set[str]()
    for document, kinds in table.items():
        redacted = {field for fields in kinds.values() for field in fields}
        for field, about in document.model_fields.items():
            if field in redacted:
                continue
            if holds_text(about.annotation) and (document.__name__, field) not in KNOWN:
                missing.add(f"{document.__name__}.{field}")
            for inner in documents_in(about.annotation):
                texts = {name for name, each in inner.model_fields.items() if holds_text(each.annotation)}
                if inner in table or any((inner.__name__, text) not in KNOWN for text in texts):
                    missing.add(f"{document.__name__}.{field}: {inner.__name__}")
    assert missing == set()


def test_what_is_listed_exists() -> None:
    tables = [document for table in TABLES.values() for document in table]
    inner = [
        each
        for document in tables
        for field in document.model_fields.values()
        for each in documents_in(field.annotation)
    ]
    documents = {document.__name__: document for document in (*tables, *inner)}
    assert all(field in documents[document].model_fields for document, field in KNOWN)
