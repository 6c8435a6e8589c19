"""The rules of the log, each with a way to switch it off: the simulation must find that within 2,000 schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from log_service import Violation
from log_simulation import Schedule

import planner.calls.answers
from planner.calls import deciding, driver, reconciling
from planner.calls.answers import Meaning
from planner.calls.driver import Driver
from planner.calls.reconciling import Found
from planner.log import fold
from planner.log.facts import Intent, Outcome, Result
from planner.log.fold import State, Tallies

Break = Callable[[], AbstractContextManager[Any]]


def _replaced(place: Any, name: str, value: Any) -> Break:
    return lambda: patch.object(place, name, value)


def _edited(edit: Callable[[Schedule], None]) -> Break:
    return _replaced(Schedule, "edit", edit)


def _without_comparing(schedule: Schedule) -> None:
    if schedule.shared is not None:
        schedule.shared.compares = False


def _without_late_look(schedule: Schedule) -> None:
    schedule.checks_time = False


def _by_own_clocks(schedule: Schedule) -> None:
    schedule.clocks_differ = True


# Launching


async def _sends_first(self: Any, launches: Any, decided: Any) -> None:
    """The intent is known here only, and others learn of it with the next append."""
    for launching in launches:
        intent = self._intent_of(launching, decided)
        self.log.note([intent])
        self.limit.posting.add(intent.launch_id)
        self._tasks.start_soon(self._send, intent, launching, decided)


def _open_keys_are_free(pending: Sequence[Any], opened: Sequence[Intent]) -> list[Any]:
    del opened
    return list(pending)


def _edited_tallies(edit: Callable[[Any, Tallies], None]) -> Break:
    real = fold.tallies_of

    def tallies_of(launch: Any) -> Tallies:
        found = real(launch)
        edit(launch, found)
        return found

    return _replaced(fold, "tallies_of", tallies_of)


def _no_open_reserved(launch: Any, found: Tallies) -> None:
    if launch.is_open:
        found.reserved.clear()


def _no_unbilled_reserved(launch: Any, found: Tallies) -> None:
    if not launch.is_open and not launch.unbound():
        found.reserved.clear()


def _goal_of_each_consent(state: State, consent_id: str, goal: Any) -> int:
    """Counts only what this consent launched."""
    made = 0
    for launch in state.launches.values():
        if launch.intent is not None and launch.intent.consent_id == consent_id:
            made += fold.tallies_of(launch).live[goal.key]
    return max(0, goal.calls - made)


def _lost_answers_were_refused(intent: Any, answer: Any, state: State, now: Any) -> Meaning:
    meaning = planner.calls.answers.meaning_of(intent, answer, state, now)
    if meaning.outcome is None:
        return Meaning(Outcome(now.server, intent.launch_id, Result.REFUSED, status=500), meaning.effect, meaning.stop)
    return meaning


# Reconciling

_reconcile: Final = reconciling.reconcile


def _absent_at_once(state: State, intents: Any, lists: Any, settings: Any, now: Any, others: Any) -> Found:
    return _reconcile(state, intents, lists, replace(settings, settle_seconds=0.0), now, others)


def _adopts_the_first(state: State, intents: Any, lists: Any, settings: Any, now: Any, others: Any) -> Found:
    found = _reconcile(state, intents, lists, settings, now, others)
    chosen = tuple(
        Outcome(now.server, each.intent.launch_id, Result.ADOPTED, each.candidates[0], _runs(lists, each.candidates[0]))
        for each in found.unsettled
        if each.candidates
    )
    return Found((*found.outcomes, *chosen), tuple(each for each in found.unsettled if not each.candidates))


def _runs(lists: Any, batch_id: int) -> tuple[int, ...]:
    return tuple(sorted(run.id for run in lists.runs.found.values() if run.batch_id == batch_id))


def _constant(value: Any) -> Callable[..., Any]:
    def function(*args: Any) -> Any:
        del args
        return value

    return function


class _Unrefreshed:
    """The log, without what others appended since it was read."""

    def __init__(self, log: Any) -> None:
        self._log = log

    async def refresh(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


_read_lists: Final = Driver._read_lists


async def _log_before_lists(self: Any, began: Any) -> Any:
    log = self.log
    self.log = _Unrefreshed(log)
    try:
        return await _read_lists(self, began)
    finally:
        self.log = log


RULES: Final[dict[str, Break]] = {
    "an append compares": _edited(_without_comparing),
    "the intent is appended before the launch is sent": _replaced(Driver, "_launch", _sends_first),
    "a late launch is not sent": _edited(_without_late_look),
    "times are those of the service's clock": _edited(_by_own_clocks),
    "a key with an open launch is not called": _replaced(deciding, "free_calls", _open_keys_are_free),
    "a goal is a total": _replaced(deciding, "missing_calls", _goal_of_each_consent),
    "open launches are reserved": _edited_tallies(_no_open_reserved),
    "calls without a bill are reserved": _edited_tallies(_no_unbilled_reserved),
    "the month counts what the log commits": _replaced(Tallies, "committed_cents", 0),
    "a lost answer is unconfirmed": _replaced(driver, "meaning_of", _lost_answers_were_refused),
    "a launch is absent only after the settling time": _replaced(driver, "reconcile", _absent_at_once),
    "one candidate, or a person": _replaced(driver, "reconcile", _adopts_the_first),
    "a claimed batch is nobody else's": _replaced(State, "is_claimed", _constant(False)),
    "what somebody else asked for is not adopted": _replaced(State, "requesters", _constant(frozenset())),
    "a list that is not whole proves nothing": _replaced(reconciling, "_may_be_hidden", _constant("")),
    "the log is read after the lists": _replaced(Driver, "_read_lists", _log_before_lists),
}


def schedules_until_found(rule: str, seeds: Sequence[int]) -> tuple[int, str] | None:
    """How many schedules it takes to find that a rule is switched off, and what was found; None if none of them finds
    it."""
    with RULES[rule]():
        for number, seed in enumerate(seeds, start=1):
            try:
                Schedule(seed).run()
            except Violation as error:
                return number, str(error)
    return None
