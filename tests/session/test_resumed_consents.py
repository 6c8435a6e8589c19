"""Which of several consents to the same calls a session resumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from planner.calls.consents import consent_id_of
from planner.log.facts import Asked, Consent, Fact, Goal, Intent, Outcome, Result, Session
from planner.log.local import LocalLog
from planner.providers.base import Line
from planner.workspace.consents import known_consent_id

NOW = datetime(2026, 11, 30, tzinfo=UTC)
DIGEST = f"sha256:{'d' * 64}"
CI = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "7", "GITHUB_REPOSITORY_ID": "1"}
OWN = consent_id_of(DIGEST, "GITHUB_ACTIONS:1:7")
OLD, NEW = (consent_id_of(DIGEST, occasion) for occasion in ("old", "new"))


def consent(consent_id: str, minutes: int, *, starts_over: bool = False) -> Consent:
    goals = (Goal("f", 3),)
    agreed_at = NOW + timedelta(minutes=minutes)
    return Consent(agreed_at, "a", consent_id, DIGEST, goals, person="ana", starts_over=starts_over)


def called(consent_id: str) -> list[Fact]:
    """A launch under a consent that the service accepted."""
    line, asked = Line("agent", 12, "outbound", "bot", None), (Asked("f", "p", 1, 12, "manners"),)
    launch_id, run_id = f"l-{consent_id}"[:60], len(consent_id) + ord(consent_id[-1])
    return [
        Intent(NOW, "a", launch_id, consent_id, "s", line, asked, 1.0, "key"),
        Outcome(NOW, launch_id, Result.ACCEPTED, run_id, (run_id,)),
    ]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LocalLog]:
    with closing(LocalLog(tmp_path / "log.db", "a", lambda: NOW + timedelta(days=1))) as opened:
        yield opened


@pytest.mark.parametrize(
    ("used", "ended", "environ", "resumed"),
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
    log: LocalLog, used: list[str], ended: tuple[int, ...], environ: dict[str, str], resumed: str
) -> None:
    log.note([consent(OLD, 0), consent(NEW, 1), *([consent(OWN, -1)] if environ else [])])
    for consent_id in used:
        log.note([*called(consent_id)])
    if ended:
        log.note([Session(NOW, "a", "s", is_end=True, consent_id=OWN, done=ended)])
    assert known_consent_id(log.state, DIGEST, environ) == resumed


def test_a_session_that_may_not_resume_them_needs_a_new_consent(log: LocalLog) -> None:
    log.note([consent(OLD, 0), *called(OLD)])
    assert known_consent_id(log.state, DIGEST, {}, starts_over=True) == ""
    log.note([consent(NEW, 1, starts_over=True)])
    assert known_consent_id(log.state, DIGEST, {}, starts_over=True) == NEW


def test_a_pull_request_resumes_no_consent_of_the_default_branch(log: LocalLog) -> None:
    """Two logs would each allow its whole ceiling."""
    log.state.add_elsewhere(called(OLD))
    assert known_consent_id(log.state, DIGEST, {}) == ""
