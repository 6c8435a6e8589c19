"""What becomes of a launch, exactly: when it must not be sent, and what each result means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from core_state import accept, at, happen, intent_of, lines, lose, send, state_of

from planner.errors import (
    CredentialError,
    LostAnswerError,
    NotFoundError,
    PlannerError,
    RefusedError,
    ServiceError,
    StoreError,
    ThrottledError,
    UnreachableError,
    UsageError,
)
from planner.execution.core import SendLaunch, decide
from planner.execution.events import (
    DuplicateAnswer,
    Intended,
    Moved,
    NotSent,
    Stopped,
    Throttled,
    Unreachable,
)
from planner.execution.launches import LaunchState
from planner.execution.launching import Cancelled, is_late, launch_result, share_result
from planner.execution.ledger import OverCeilingError
from planner.execution.state import State
from planner.providers.base import Launched, RunId

HINT = "Do it."


@pytest.fixture
def ana(job: Callable[..., Any]) -> Any:
    return job("ana", runs=9)


@pytest.fixture
def state(ana: Any) -> State:
    return state_of(ana, settle_seconds=100)


def results(state: State, ana: Any, result: Any, launch_id: str = "l1", seconds: float = 0.0) -> list[Any]:
    """What happens when a launch that was sent at 0 s has this result, applied one by one."""
    happened: list[Any] = []
    for event in launch_result(state, intent_of(ana, launch_id), result, at(seconds)):
        happen(state, event, seconds=seconds)
        happened.append(event)
    return happened


# Before it is sent


@pytest.mark.parametrize(
    ("is_shared", "seconds", "late"), [(False, 60, False), (False, 60.1, True), (True, 50, False), (True, 50.1, True)]
)
def test_a_launch_leaves_soon_or_not_at_all(
    state: State, ana: Any, is_shared: bool, seconds: float, late: bool
) -> None:
    """Other machines search for a shared one for `settle_seconds`."""
    state.is_shared = is_shared
    assert is_late(state, intent_of(ana), at(seconds)) is late


SHARED = [
    (None, {}),
    (StoreError("away", HINT), {"blocked": f"away. {HINT}"}),
    (UsageError("no repository", HINT), {"usage": f"no repository. {HINT}"}),
    (OverCeilingError("--max-cost", 10, 34), {"ceiling": "--max-cost", "ceiling_detail": "of other sessions"}),
]


@pytest.mark.parametrize(("error", "reasons"), SHARED)
def test_a_launch_that_cannot_be_shared_is_not_sent(state: State, ana: Any, error: Any, reasons: Any) -> None:
    """And nothing else is launched."""
    happen(state, Intended(intent_of(ana)))
    found = list(share_result(state, intent_of(ana), error, at(1)))
    if error is None:
        assert found == []
        return
    moved, stop = found
    assert isinstance(moved, Moved)
    assert moved.state is LaunchState.UNSENT
    assert isinstance(stop, Stopped)
    said = {name: value for name, value in stop._asdict().items() if value and name != "consent_id"}
    assert said.keys() == reasons.keys()
    assert all(reasons[name] in said[name] for name in said)


@pytest.mark.parametrize("is_shared", [False, True])
def test_nothing_is_sent_after_a_stop(state: State, ana: Any, is_shared: bool) -> None:
    """A stop may come while a launch is on its way to the store."""
    state.is_shared = is_shared
    happen(state, Intended(intent_of(ana)), Stopped(blocked="the store is away"))
    (moved,) = share_result(state, intent_of(ana), None, at(1))
    assert isinstance(moved, Moved)
    assert moved.state is LaunchState.UNSENT


# Results


RESULTS: list[tuple[Any, list[Any]]] = [
    (ThrottledError("429", retry_after_seconds=7), [Throttled(1, 7), Moved("l1", LaunchState.REFUSED, "429")]),
    (UnreachableError("no route"), [Moved("l1", LaunchState.UNSENT, "no route"), Unreachable("no route")]),
    (LostAnswerError("reset"), [Moved("l1", LaunchState.UNCONFIRMED, "reset")]),
    (ServiceError("500"), [Moved("l1", LaunchState.UNCONFIRMED, "500")]),
    (
        RefusedError("402", HINT),
        [Moved("l1", LaunchState.REJECTED, "402"), Stopped(refusal=f"402. {HINT}")],
    ),
    (CredentialError("401"), [Moved("l1", LaunchState.REJECTED, "401"), Stopped(usage="401")]),
    (NotFoundError("404"), [Moved("l1", LaunchState.REJECTED, "404"), Stopped(usage="404")]),
    (Cancelled(is_sent=False), [Moved("l1", LaunchState.UNSENT, "interrupted before it was sent")]),
    (Cancelled(is_sent=True), [Moved("l1", LaunchState.UNCONFIRMED, "interrupted before the answer came")]),
    (StoreError("the disk is full"), [NotSent("l1")]),
]


@pytest.mark.parametrize(("result", "expected"), RESULTS)
def test_only_what_never_arrived_is_wanted_again(state: State, ana: Any, result: Any, expected: list[Any]) -> None:
    """Launches without an answer keep their reservation and are searched for."""
    send(state, ana)
    assert results(state, ana, result) == expected
    is_open = expected[0] == Moved("l1", LaunchState.UNCONFIRMED, str(getattr(expected[0], "detail", "")))
    assert (len(state.wanted.pending), state.ledger.reserved_cents) == ((8, 24) if is_open else (9, 0))
    assert ([*state.unconfirmed], state.posting) == (["l1"] if is_open else [], {})


def test_every_error_of_a_launch_has_a_meaning() -> None:
    """Of the errors that `Provider.launch` raises, none is left out of the table."""
    tested = {type(result) for result, _ in RESULTS if isinstance(result, PlannerError)}
    documented = {UnreachableError, ThrottledError, LostAnswerError, ServiceError, RefusedError, CredentialError}
    assert documented <= tested


def test_an_answer_of_another_launch_stops_launching(state: State, ana: Any) -> None:
    accept(state, ana, 7)
    send(state, ana, "l2")
    duplicate, stop = results(state, ana, Launched(None, (RunId(7),), None), "l2")
    assert isinstance(duplicate, DuplicateAnswer)
    assert (duplicate.launch_id, duplicate.holder) == ("l2", "l1")
    assert lines(state, warnings=True) == [stop.blocked]
    assert state.outcome.blocked == stop.blocked


@pytest.mark.parametrize(("lost", "calls"), [(2, True), (3, False)])
def test_three_unconfirmed_launches_stop_launching(job: Callable[..., Any], lost: int, calls: bool) -> None:
    state = state_of(job("ana", runs=5))
    for number in range(lost):
        lose(state, job("ana"), f"l{number}")
    assert any(isinstance(action, SendLaunch) for action in decide(state, at(0))) is calls
