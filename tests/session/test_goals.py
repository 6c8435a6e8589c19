"""How many calls a consent allows, when some were made before, or another case makes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from planner.calls.deciding import missing_calls
from planner.calls.slots import Slot, slots_of
from planner.changes.consented_calls import ConsentedCase
from planner.evidence import RunStatus
from planner.log.facts import Asked, Call, Goal, Intent, Outcome, Result
from planner.log.local import LocalLog
from planner.providers.base import CallId, Line, RunId
from planner.session.consents import goals_of

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
LINE = Line("agent", 12, "outbound", "bot", None)
CALLED = ConsentedCase(case_id="called", runs=1, retries=1, call="k", check="x")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LocalLog]:
    with closing(LocalLog(tmp_path / "log.db", "a", lambda: AT)) as opened:
        yield opened


def make_failed_call(log: LocalLog, number: int) -> None:
    call = Call(
        AT,
        "a",
        RunId(number),
        "k",
        f"l{number}",
        1,
        RunStatus.FAILED,
        1000 + number,
        CallId(5),
        cents=10,
        basis="transaction",
    )
    log.state.add_all(
        [
            Intent(AT, "a", f"l{number}", "c", "s", LINE, (Asked("k", "k", 1, 24),), 5.0, "key"),
            Outcome(AT, f"l{number}", Result.ACCEPTED, 1000 + number, (number,)),
            call,
        ]
    )


def goals(
    log: LocalLog,
    cases: Sequence[ConsentedCase],
    called: ConsentedCase,
    live: int,
    resumable: Mapping[str, Sequence[Slot]],
) -> dict[str, Goal]:
    case = SimpleNamespace(retries=called.retries, plan="p")
    change = SimpleNamespace(case_id=called.case_id, case=case, calls=called.runs, call_fingerprint="k")
    prepared = SimpleNamespace(
        agreed_calls=SimpleNamespace(cases=cases),
        change_set=SimpleNamespace(payers=[change]),
        consent=None,
        consent_id="c",
        live_calls={"k": live},
        resumable=resumable,
    )
    session = SimpleNamespace(log=log)
    return {goal.key: goal for goal in goals_of(cast(Any, session), cast(Any, prepared))}


def test_failures_of_an_earlier_attempt_allow_no_more_retries(log: LocalLog) -> None:
    """In CI, attempt 1 made a call and its retry, which failed and are in its results. Attempt 2 wants one call, and its
    retry only if that fails. Before: two calls at once."""
    make_failed_call(log, 1)
    make_failed_call(log, 2)
    goal = goals(log, [CALLED], CALLED, 2, {})["k"]
    assert missing_calls(log.state, "c", goal) == 1


def test_a_resumed_failure_still_allows_its_retry(log: LocalLog) -> None:
    make_failed_call(log, 1)
    resumed = slots_of(log.state.launches["l1"])
    goal = goals(log, [CALLED], CALLED, 1, {"called": resumed})["k"]
    assert missing_calls(log.state, "c", goal) == 1


def test_a_selected_case_pays_for_calls_that_another_case_had_paid_for(log: LocalLog) -> None:
    """Before: nothing was called, because the calls were still another case's."""
    payer = ConsentedCase(case_id="payer", runs=3, call="k", check="x")
    sharing = ConsentedCase(case_id="sharing", runs=3, shares="payer", call="k", check="y")
    goal = goals(log, [payer, sharing], sharing, 0, {})["k"]
    assert missing_calls(log.state, "c", goal) == 3
