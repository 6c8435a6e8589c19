"""Which earlier sessions are compared with: those in which nothing got worse, and those that people accepted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from planner.results.model import StartOverDocument
from planner.statistics import Counts
from planner.verdicts.accepted import Accepted, accepted_sessions
from planner.verdicts.regression import chances, fit
from planner.verdicts.sessions import EarlierSession

NAMES = [f"case-{number:02}" for number in range(12)]
SCENARIOS = {name: name for name in NAMES}
USUAL: Mapping[str, Counts] = dict.fromkeys(NAMES, (5, 5))
FALLEN = {**USUAL, "case-00": (0, 5)}
LOWER = dict.fromkeys(NAMES, (3, 5))
OVER = StartOverDocument(reason="The clinic moved", by="ana", at=datetime(2026, 12, 3, tzinfo=UTC))


def accepted(*sessions: EarlierSession | Mapping[str, Counts]) -> Accepted:
    """Plain counts are sessions that nobody said anything about."""
    numbered = [
        each if isinstance(each, EarlierSession) else EarlierSession(f"day{day}", each)
        for day, each in enumerate(sessions)
    ]
    return accepted_sessions(numbered, SCENARIOS)


def test_sessions_in_which_nothing_got_worse_are_accepted() -> None:
    once = {**USUAL, "case-03": (4, 5)}
    found = accepted(USUAL, once, USUAL)
    assert (found.sessions, found.left_out, found.suspicions, found.since) == ([USUAL, once, USUAL], [], {}, {})


def test_a_regression_that_stays_is_found_in_every_session() -> None:
    """Its sessions do not join the history, and each one says since when."""
    found = accepted(USUAL, USUAL, *[FALLEN] * 12)
    assert found.left_out == [f"day{day}" for day in range(2, 14)]
    assert found.sessions == [USUAL, USUAL]
    assert found.since == {"case-00": "day2"}
    assert chances(fit(found.sessions, SCENARIOS), FALLEN, found.suspicions).fallen["case-00"] > 0.99


def test_less_is_needed_to_find_it_again() -> None:
    """One failure of five is normal for a case that was not suspected, and two are not for one that was."""
    found = accepted(USUAL, USUAL, FALLEN)
    doubtful = {**USUAL, "case-00": (3, 5)}
    history = fit(found.sessions, SCENARIOS)
    assert 0 < found.suspicions["case-00"] <= 0.5
    assert (
        chances(history, doubtful).fallen["case-00"]
        < 2 / 3
        <= chances(history, doubtful, found.suspicions).fallen["case-00"]
    )


def test_a_case_that_passes_again_is_no_longer_suspected() -> None:
    found = accepted(USUAL, USUAL, FALLEN, USUAL)
    assert (found.left_out, found.suspicions, found.since) == (["day2"], {}, {})
    assert len(found.sessions) == 3


def test_a_session_of_other_cases_clears_no_suspicion() -> None:
    others = {name: counts for name, counts in USUAL.items() if name != "case-00"}
    assert accepted(USUAL, USUAL, FALLEN, others).since == {"case-00": "day2"}


def test_a_pending_session_is_left_out() -> None:
    found = accepted(USUAL, USUAL, USUAL, LOWER)
    assert (found.left_out, found.was_lower, found.since) == (["day3"], True, {})
    assert not accepted(USUAL, USUAL, USUAL, LOWER, USUAL).was_lower


def test_a_case_begins_again_where_a_person_started_over() -> None:
    """The other cases keep what they did before."""
    over = EarlierSession("day3", FALLEN, started_over={"case-00": OVER})
    found = accepted(USUAL, USUAL, FALLEN, over)
    others = {name: counts for name, counts in USUAL.items() if name != "case-00"}
    assert (found.sessions, found.left_out, found.since) == ([others, others, FALLEN], ["day2"], {})
    assert [(each.session_id, each.by, each.reason) for each in found.by_people] == [
        ("day3", "ana", "The clinic moved")
    ]
    assert chances(fit(found.sessions, SCENARIOS), FALLEN, found.suspicions).fallen["case-00"] < 0.1


def test_only_the_started_case_joins_if_another_one_regressed() -> None:
    both = {**FALLEN, "case-01": (0, 5)}
    found = accepted(USUAL, USUAL, EarlierSession("day2", both, started_over={"case-00": OVER}))
    assert found.sessions[-1] == {"case-00": (0, 5)}
    assert (found.left_out, found.since) == (["day2"], {"case-01": "day2"})


def test_merging_accepts_what_got_worse() -> None:
    """The history of the other cases goes on."""
    found = accepted(USUAL, USUAL, EarlierSession("day2", FALLEN, merged=dict.fromkeys(NAMES, 42)))
    others = {name: counts for name, counts in USUAL.items() if name != "case-00"}
    assert (found.sessions, found.left_out) == ([others, others, FALLEN], [])
    assert [(each.by, each.reason) for each in found.by_people] == [("", "merged #42")]
    lower = accepted(USUAL, USUAL, USUAL, EarlierSession("day3", LOWER, merged=dict.fromkeys(NAMES, 42)))
    assert (lower.sessions, lower.was_lower) == ([LOWER], False)


def test_a_pull_request_that_was_repaired_before_the_merge_accepts_nothing() -> None:
    """The calls of its first session are not its newest ones of any case."""
    repaired = EarlierSession("day3", USUAL, merged=dict.fromkeys(NAMES, 42))
    found = accepted(USUAL, USUAL, FALLEN, repaired)
    assert (found.left_out, found.by_people) == (["day2"], [])
    assert found.sessions == [USUAL, USUAL, USUAL]
