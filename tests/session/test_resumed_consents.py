"""Which of several consents to the same calls a session resumes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from planner.execution.consents import (
    NO_SPENDING,
    Amount,
    Consent,
    ConsentAdded,
    ConsentedCall,
    ConsentImported,
    ConsentWay,
    Spending,
    consent_id_of,
)
from planner.execution.journal_state import JournalState
from planner.workspace.consents import known_consent_id

NOW = datetime(2026, 11, 30, tzinfo=UTC)
DIGEST = f"sha256:{'d' * 64}"
CI = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_REPOSITORY_ID": "1"}
OWN = consent_id_of(DIGEST, "GITHUB_ACTIONS:1:7")
OLD, NEW = (consent_id_of(DIGEST, occasion) for occasion in ("old", "new"))
CALLED = Spending({"launch": {"manners": Amount(spent=12)}})


def consent(consent_id: str, minutes: int) -> Consent:
    agreed_at = NOW + timedelta(minutes=minutes)
    return Consent(consent_id, DIGEST, "ana", ConsentWay.TERMINAL, agreed_at, 100, (ConsentedCall("f", 3),))


@pytest.mark.parametrize(
    ("called", "ended", "environ", "resumed"),
    [
        ([], (), {}, NEW),
        ([OLD], (), {}, OLD),
        ([OLD, NEW], (), {}, NEW),
        ([], (), CI, OWN),
        ([OLD], (), CI, OLD),
        ([OLD, OWN], (), CI, OWN),
        ([OLD], (0,), CI, OWN),
    ],
    ids=[
        "the newest",
        "the one with calls",
        "the newest with calls",
        "that of the workflow run",
        "another one with calls, in a workflow run",
        "that of the workflow run, with calls",
        "that of the workflow run, which has ended",
    ],
)
def test_a_session_resumes_the_consent_under_which_something_was_called(
    called: list[str], ended: tuple[int, ...], environ: dict[str, str], resumed: str
) -> None:
    journal = JournalState()
    known = {OLD: consent(OLD, 0), NEW: consent(NEW, 1)} | ({OWN: consent(OWN, -1)} if environ else {})
    for consent_id, each in known.items():
        spending = CALLED if consent_id in called else NO_SPENDING
        journal.apply(ConsentImported(each, ended if consent_id == OWN else (), spending))
    assert known_consent_id(journal, DIGEST, environ, "") == resumed


def test_a_session_that_may_not_resume_them_needs_a_new_consent() -> None:
    journal = JournalState()
    made = consent(OLD, 0)
    journal.apply(ConsentImported(made, (), CALLED))
    assert known_consent_id(journal, DIGEST, {}, "", starts_over=True) == ""
    begun = replace(consent(NEW, 1), starts_over=True)
    journal.apply(ConsentAdded(begun))
    assert known_consent_id(journal, DIGEST, {}, "", starts_over=True) == NEW
    journal.apply(ConsentAdded(consent(NEW, 2)))  # it is resumed without that option
    assert known_consent_id(journal, DIGEST, {}, "", starts_over=True) == NEW
