"""The rules of the log, each with a way to switch it off: the simulation must find that within 2,000 schedules."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from log_simulation import Schedule

import planner.calls.answers
import planner.calls.budget
import planner.calls.deciding
import planner.calls.driver
import planner.calls.reconciling
import planner.log.fold
from planner.calls.answers import Meaning
from planner.calls.reconciling import Found
from planner.log.facts import Outcome, Result
from planner.log.fold import State


def _no_edit(schedule: Schedule) -> None:
    del schedule


def _appends_whatever_others_did(schedule: Schedule) -> None:
    if schedule.shared is not None:
        schedule.shared.compares = False


def _sends_late(schedule: Schedule) -> None:
    schedule.checks_time = False


@contextmanager
def _replaced(place: Any, name: str, value: Any) -> Generator[None]:
    with patch.object(place, name, value):
        yield


@contextmanager
def _nothing() -> Generator[None]:
    yield


@contextmanager
def _calls_open_keys() -> Generator[None]:
    """A key with an open launch may be called, and its open launches do not count as live."""
    real = planner.log.fold.tallies_of

    def tallies_of(launch: Any) -> Any:
        found = real(launch)
        if launch.is_open:
            found.live.clear()
        return found

    with patch.object(planner.log.fold, "tallies_of", tallies_of), patch.object(State, "open_launches", _only_young):
        yield


def _only_young(state: State) -> list[Any]:
    del state
    return []


@contextmanager
def _two_open_launches_of_a_key() -> Generator[None]:
    """Missing calls of a key are made while an earlier launch of it is open."""

    def decide(state: State, *rest: Any) -> Any:
        with patch.object(State, "open_launches", _only_young):
            return _decide(state, *rest)

    with patch.object(planner.calls.driver, "decide", decide):
        yield


_decide: Final = planner.calls.deciding.decide
_reconcile: Final = planner.calls.reconciling.reconcile


@contextmanager
def _reserves_nothing_while_open() -> Generator[None]:
    real = planner.log.fold.tallies_of

    def tallies_of(launch: Any) -> Any:
        found = real(launch)
        if launch.is_open:
            found.reserved.clear()
        return found

    with patch.object(planner.log.fold, "tallies_of", tallies_of):
        yield


def _absent_at_once(state: State, intents: Any, lists: Any, settings: Any, now: Any) -> Found:
    found = _reconcile(state, intents, lists, settings, now)
    early = [each for each in found.unsettled if not each.needs_person]
    absent = tuple(Outcome(now.server, each.intent.launch_id, Result.ABSENT) for each in early)
    return Found((*found.outcomes, *absent), tuple(each for each in found.unsettled if each not in early))


def _adopts_the_first(state: State, intents: Any, lists: Any, settings: Any, now: Any) -> Found:
    found = _reconcile(state, intents, lists, settings, now)
    chosen = tuple(
        Outcome(now.server, each.intent.launch_id, Result.ADOPTED, each.candidates[0], _runs(lists, each.candidates[0]))
        for each in found.unsettled
        if each.candidates
    )
    return Found((*found.outcomes, *chosen), tuple(each for each in found.unsettled if not each.candidates))


def _runs(lists: Any, batch_id: int) -> tuple[int, ...]:
    return tuple(sorted(run.id for run in lists.runs.found.values() if run.batch_id == batch_id))


def _lost_answers_were_refused(intent: Any, answer: Any, state: State, now: Any) -> Meaning:
    meaning = planner.calls.answers.meaning_of(intent, answer, state, now)
    if meaning.outcome is None:
        return Meaning(Outcome(now.server, intent.launch_id, Result.REFUSED, status=500), meaning.effect, meaning.stop)
    return meaning


def _never_claimed(state: State, kind: str, service_id: int) -> bool:
    del state, kind, service_id
    return False


async def _no_refresh(log: Any) -> None:
    log._catch_up()


def _nothing_hides_it(*args: Any) -> str:
    del args
    return ""


RULES: Final[dict[str, tuple[Callable[[Schedule], None], Callable[[], Any]]]] = {
    "an append compares": (_appends_whatever_others_did, _nothing),
    "a late launch is not sent": (_sends_late, _nothing),
    "open launches are live": (_no_edit, _calls_open_keys),
    "one open launch a key": (_no_edit, _two_open_launches_of_a_key),
    "open launches are reserved": (_no_edit, _reserves_nothing_while_open),
    "a launch is absent only after the settling time": (
        _no_edit,
        lambda: _replaced(planner.calls.driver, "reconcile", _absent_at_once),
    ),
    "one candidate, or a person": (_no_edit, lambda: _replaced(planner.calls.driver, "reconcile", _adopts_the_first)),
    "a lost answer is unconfirmed": (
        _no_edit,
        lambda: _replaced(planner.calls.driver, "meaning_of", _lost_answers_were_refused),
    ),
    "a claimed batch is nobody else's": (_no_edit, lambda: _replaced(State, "is_claimed", _never_claimed)),
    "a list that is not whole proves nothing": (
        _no_edit,
        lambda: _replaced(planner.calls.reconciling, "_may_be_hidden", _nothing_hides_it),
    ),
}


def schedules_until_found(rule: str, seeds: Sequence[int]) -> tuple[int, str] | None:
    """How many schedules it takes to find that a rule is switched off, and what was found; None if none of them finds
    it."""
    edit, broken = RULES[rule]
    with broken():
        for number, seed in enumerate(seeds, start=1):
            try:
                Schedule(seed, edit).run()
            except Exception as error:  # noqa: BLE001 - any error is a finding
                return number, f"{type(error).__name__}: {error}"
    return None
