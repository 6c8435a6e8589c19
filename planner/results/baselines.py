"""Baselines: what the next change set compares a plan with, and what becomes of two that were made at the same time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from planner.moments import aware
from planner.results.model import CaseDocument, RunResult

BASELINE_SCHEMA_VERSION: Final = "1.0"


class BaselineDocument(BaseModel):
    """`latest/<environment>/<plan>.json`: every case of one plan, as its newest whole invocation left it."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = BASELINE_SCHEMA_VERSION
    tool_version: str
    invocation_id: str
    environment: str
    plan: str
    started_at: AwareDatetime | None = None
    """Of that invocation; None in what older versions stored."""
    ended_at: AwareDatetime
    cases: list[CaseDocument]


def baselines_of(result: RunResult, environment: str) -> list[BaselineDocument]:
    """One of each of its plans.

    Raises:
        ValueError: it is unfinished or partial (neither ever becomes a baseline), or holds a case of a plan it did not load.
    """
    if result.partial or not result.finished:
        raise ValueError(f"invocation {result.invocation_id} is {'partial' if result.partial else 'unfinished'}")
    if strangers := sorted({case.plan for case in result.cases} - set(result.plans)):
        raise ValueError(
            f"invocation {result.invocation_id} has cases of plans it did not load: {', '.join(strangers)}"
        )
    return [
        BaselineDocument(
            tool_version=result.tool_version,
            invocation_id=result.invocation_id,
            environment=environment,
            plan=plan,
            started_at=result.started_at,
            ended_at=result.ended_at,
            cases=[case for case in result.cases if case.plan == plan],
        )
        for plan in result.plans
    ]


def joined(stored: BaselineDocument | None, ours: BaselineDocument) -> BaselineDocument:
    """What stands after `ours` is to be the baseline where `stored` is.

    The one whose invocation ended later, whole. But where the two went on at the same time, neither knew of the other's calls:
    then each case stands as it was called last, and a call that the later one only did without is not lost.
    """
    if stored is None:
        return ours
    older, newer = (stored, ours) if stored.ended_at <= ours.ended_at else (ours, stored)
    at_once = newer.started_at is not None and newer.started_at < older.ended_at
    if newer.started_at is None or not at_once or newer.invocation_id == older.invocation_id:
        return newer
    mine = {case.case_id: case for case in older.cases}
    cases = [_called_last(mine.pop(case.case_id, None), case) for case in newer.cases]
    cases += [case for case in mine.values() if called_at(case) > newer.started_at]
    return newer.model_copy(update={"cases": cases})


def _called_last(older: CaseDocument | None, newer: CaseDocument) -> CaseDocument:
    if older is None or newer.action == "call" or called_at(older) <= called_at(newer):
        return newer
    return older


def called_at(case: CaseDocument) -> datetime:
    """When the newest of its calls ended; long ago where that is not known."""
    ended = [run.completed_at for run in case.runs if run.completed_at is not None]
    return max(map(aware, ended), default=datetime.min.replace(tzinfo=UTC))
