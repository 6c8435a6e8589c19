"""Baselines, which the next change set compares with, and how concurrent ones are merged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

from planner.bounds import ListOf
from planner.moments import aware
from planner.results.model import CaseDocument, RunResult

BASELINE_SCHEMA_VERSION: Final = "1.0"


class BaselineDocument(BaseModel):
    """`latest/<environment>/<plan>.json`: every case of one plan, as its newest full session left it."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = BASELINE_SCHEMA_VERSION
    tool_version: str
    invocation_id: str
    environment: str
    plan: str
    started_at: AwareDatetime | None = None
    """Of that session; None in documents of older versions."""
    ended_at: AwareDatetime
    cases: ListOf[CaseDocument]


def baselines_of(result: RunResult, environment: str) -> list[BaselineDocument]:
    """One baseline per plan.

    Raises:
        ValueError: the session is unfinished or partial, or has a case of a plan that it did not load.
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
    """The baseline after storing `ours` over `stored`.

    Normally the session that ended later wins. If both ran at the same time, neither saw the other's calls: then each
    case keeps its latest calls.
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
    """When its newest run ended; the minimum if unknown."""
    ended = [run.completed_at for run in case.runs if run.completed_at is not None]
    return max(map(aware, ended), default=datetime.min.replace(tzinfo=UTC))
