"""Baselines of invocations that went on at the same time: no call that was made is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from planner.results.documents import BaselineDocument, baselines_of, joined
from planner.results.model import RunResult

MakeResult = Callable[..., RunResult]
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def baseline(make: MakeResult, name: str, start: float, end: float, **cases: tuple[str, float]) -> BaselineDocument:
    """`case=(action, minute of its newest call)`."""
    result = make(*(f"p/{case}@t" for case in cases), invocation_id=name, started_at=at(start), ended_at=at(end))
    changed = [
        case.model_copy(
            update={
                "action": action,
                "detail": name,
                "runs": [case.runs[0].model_copy(update={"completed_at": at(minute)})],
            }
        )
        for case, (action, minute) in zip(result.cases, cases.values(), strict=True)
    ]
    return baselines_of(result.model_copy(update={"plans": ["p"], "cases": changed}), "eu")[0]


def whose(document: BaselineDocument) -> dict[str, str]:
    return {case.case_id.removeprefix("p/").removesuffix("@t"): case.detail for case in document.cases}


def test_one_after_the_other(make_result: MakeResult) -> None:
    """The later one wins as a whole, whichever is stored first."""
    before = baseline(make_result, "before", 0, 5, a=("call", 4), b=("call", 4), dropped=("call", 4))
    after = baseline(make_result, "after", 5, 9, a=("keep", 4), b=("call", 8))
    assert joined(None, before) == before
    assert joined(before, after) == after
    assert joined(after, before) == after


def test_two_at_the_same_time(make_result: MakeResult) -> None:
    """Each case keeps its latest calls, in either order of storing; cases that only one session called are kept."""
    calls: dict[str, Any] = {
        "a": ("call", 3),
        "b": ("keep", -9),
        "both": ("call", 3),
        "new": ("call", 4),
        "old": ("keep", -9),
    }
    one = baseline(make_result, "one", 0, 5, **calls)
    other = baseline(
        make_result, "other", 2, 9, a=("keep", -9), b=("call", 8), both=("call", 8), rechecked=("recheck", -9)
    )
    expected = {"a": "one", "b": "other", "both": "other", "rechecked": "other", "new": "one"}
    assert whose(joined(one, other)) == whose(joined(other, one)) == expected
    assert joined(one, other).invocation_id == "other"


def test_documents_of_older_versions(make_result: MakeResult) -> None:
    """A baseline without a start time counts as made alone."""
    one = baseline(make_result, "one", 0, 5, a=("call", 4))
    other = baseline(make_result, "other", 2, 9, b=("call", 8)).model_copy(update={"started_at": None})
    assert joined(one, other) == other
