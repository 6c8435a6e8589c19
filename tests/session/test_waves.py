"""The session's choice of waves keeps to the consent, whatever the calls show, and is the same after a restart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random

import pytest

from planner.changes.model import Change
from planner.changes.waves import with_waves
from planner.execution.consent_records import ConsentRecords
from planner.execution.consents import (
    Consent,
    ConsentAdded,
    ConsentedCall,
    ConsentWay,
    Wave,
    WaveChosen,
)
from planner.planfile.model import Case
from planner.planfile.waves import WAVES
from planner.results.model import JudgedRun
from planner.session.waves import WaveChooser
from planner.verdicts.sessions import Session
from tests.support.stored_cases import changes_of, make_case, make_runs

CASES = 8
Play = Callable[[str, int], str | None]
"""(case id, number of the run) → the cause of its failure, or None."""


def adaptive(name: str, runs: int, min_pass_rate: float, *, is_adaptive: bool) -> Case:
    calls = "adaptive" if is_adaptive else "equal"
    prompt = f"You are {name}."
    return make_case(name, prompt=prompt, runs=runs, min_pass_rate=min_pass_rate, min_runs=2, calls=calls)


def suite(random: Random) -> tuple[list[Change], list[Session]]:
    """Cases in waves among others, and two to four sessions of them, which have gaps."""
    cases = [
        adaptive(f"case-{number}", random.randint(3, 7), random.choice((0.8, 1.0)), is_adaptive=random.random() < 0.8)
        for number in range(CASES)
    ]
    history = [
        Session({case.case_id: (random.randint(0, 5), 5) for case in cases if random.random() < 0.9})
        for _ in range(random.randint(2, 4))
    ]
    return list(with_waves(changes_of(cases), lambda _: True)), history


def consent_of(changes: Sequence[Change]) -> Consent:
    calls = tuple(
        ConsentedCall(change.case_id, change.runs, share=change.runs if change.most_runs else 0, most=change.most_runs)
        for change in changes
    )
    return Consent("c1", f"sha256:{'1' * 64}", "ana", ConsentWay.TERMINAL, datetime(2026, 11, 24, tzinfo=UTC), 1, calls)


def chooser(
    changes: Sequence[Change], history: Sequence[Session], judged: Mapping[str, list[JudgedRun]], last: Wave | None
) -> WaveChooser:
    places = {change.case_id: place for place, change in enumerate(changes)}
    return WaveChooser(changes, places, history, judged, last)


def waves(changes: Sequence[Change], history: Sequence[Session], play: Play, *, restarts: bool) -> list[Wave]:
    """All waves of a session, which a journal accepts. `restarts`: another session chooses each."""
    records = ConsentRecords()
    records.apply(ConsentAdded(consent_of(changes)))
    in_waves = [change.case_id for change in changes if change.most_runs]
    judged: dict[str, list[JudgedRun]] = {
        change.case_id: make_runs(*(play(change.case_id, run) for run in range(change.runs)))
        for change in changes
        if not change.most_runs
    }
    found: list[Wave] = []
    session = chooser(changes, history, judged, None)
    while not found or not found[-1].is_last:
        made = {case_id: len(judged.get(case_id, ())) for case_id in in_waves}
        if restarts:
            session = chooser(changes, history, judged, records.wave_of("c1"))
        event = WaveChosen("c1", session.choose(len(found), made))
        records.validate(event)
        records.apply(event)
        found.append(event.wave)
        for place, change in enumerate(changes):
            if change.most_runs:
                runs = event.wave.calls[place]
                judged[change.case_id] = make_runs(*(play(change.case_id, run) for run in range(runs)))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_waves_keep_to_the_consent_and_survive_restarts(seed: int) -> None:
    """The journal refuses any wave beyond a case's most, or the calls of all. The platform fails some calls."""
    random = Random(seed)  # noqa: S311 - not for secrets
    changes, history = suite(random)
    rates = {change.case_id: random.choice((0.2, 0.8, 1.0)) for change in changes}

    def play(case_id: str, run: int) -> str | None:
        chance = Random(f"{seed} {case_id} {run}").random()  # noqa: S311
        return "platform" if chance > 0.97 else None if chance < rates[case_id] else "agent"

    if not any(change.most_runs for change in changes):
        pytest.skip("no case is called in waves")
    whole = waves(changes, history, play, restarts=False)
    assert whole == waves(changes, history, play, restarts=True)
    assert len(whole) <= 1 + WAVES
    shares = sum(change.runs for change in changes if change.most_runs)
    assert sum(whole[0].calls) < sum(whole[-1].calls) <= shares


def test_resumed_calls_of_other_consents_are_no_more_than_all() -> None:
    """Each case has more of them than its share: all have the calls of all, and no wave follows."""
    cases = [adaptive(f"case-{number}", 5, 1.0, is_adaptive=True) for number in range(CASES)]
    changes = with_waves(changes_of(cases), lambda _: True)
    records = ConsentRecords()
    records.apply(ConsentAdded(consent_of(changes)))
    session = chooser(changes, [], {}, None)
    found = session.choose(0, {case.case_id: 8 for case in cases})
    records.validate(WaveChosen("c1", found))
    assert (sum(found.calls), found.is_last) == (5 * CASES, True)


@pytest.mark.parametrize("failing", [(0,), (0, 1)])
def test_waves_go_to_the_case_that_may_have_got_worse(failing: Sequence[int]) -> None:
    cases = [adaptive(f"case-{number}", 5, 1.0, is_adaptive=True) for number in range(CASES)]
    changes = with_waves(changes_of(cases), lambda _: True)
    history = [Session({case.case_id: (5, 5) for case in cases}) for _ in range(5)]
    worse = cases[3].case_id
    found = waves(
        changes,
        history,
        lambda case_id, run: "agent" if case_id == worse and run in failing else None,
        restarts=False,
    )
    assert found[1].calls[3] == 5
