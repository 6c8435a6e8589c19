"""The JSON Schemas of what commands print with `--format json`. Other fields than those listed here are never printed.

Every document begins with the fields of `_Printed`. After an error it may have only these.
"""

from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from planner.bounds import Amount, Cents, Count, ServiceId, Share, Total
from planner.changes.model import Reason, Source
from planner.diagnostics import Severity
from planner.evidence import ToolCall, Turn
from planner.planfile.schema import DIALECT
from planner.results.agent_documents import AgentDocument
from planner.results.model import SCHEMA_VERSION, AcceptedSession, Finding, RunResult
from planner.results.outcomes import Action, CaseOutcome, Cause, RunOutcome


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)


class Place(_Part):
    """Lines and columns count from 1, in characters."""

    file: str = Field(description="Relative to the working directory, with `/`.")
    line: int
    column: int
    end_line: int
    end_column: int


class Related(Place):
    message: str


class DiagnosticDocument(Place):
    severity: Severity
    code: str = Field(description="`planner explain CODE` explains it.")
    summary: str
    detail: str
    related: list[Related]


class ErrorDocument(_Part):
    code: str
    message: str
    hint: str = Field(description="What to do; may be empty.")


class _Printed(_Part):
    schema_version: str = Field(description=f"{SCHEMA_VERSION}: a newer minor version may add fields and values.")
    exit_code: int
    error: ErrorDocument | None = Field(description="Null if the command did what it was asked to.")
    diagnostics: list[DiagnosticDocument]


class DiagnosticsDocument(_Printed):
    """`planner validate --format json`."""


class ChangeDocument(_Part):
    case_id: str
    action: Action
    reason: Reason
    runs: Count = Field(description="Calls that it needs.")
    calls: Count = Field(description="Made and paid for this case, with those that share them; 0 with `shares_with`.")
    shares_with: str | None = Field(description="The case that makes this one's calls, which are the same.")
    renamed_from: str | None = Field(description="The id under which its stored runs were made, if it is another.")
    runs_made: Count = Field(description="Made by an interrupted session.")
    unconfirmed_runs: Count
    detail: str


class VotesDocument(_Part):
    model: str
    votes: Count
    calls: Count
    stored_votes: Count
    expected_cents: Total
    high_cents: Total


class EstimateDocument(_Part):
    """Unknown prices are null, never 0."""

    calls: Count
    expected_cents: Total | None
    low_cents: Total | None = Field(description="80 % range of the bill.")
    high_cents: Total | None
    basis: str
    expected_seconds: Amount
    at_once: Count
    coverage: dict[Source, Count] = Field(description="Number of cases by the source of their price.")
    judge: VotesDocument | None = None


class OpenLaunchDocument(_Part):
    launch_id: str
    cases: list[str]
    reserved_cents: Total
    detail: str


class ChangeSetDocument(_Printed):
    """`planner plan --format json`."""

    digest: str = Field(description="`planner run --digest` agrees to exactly these calls.")
    changes: list[ChangeDocument]
    estimate: EstimateDocument
    confirmations: Count = Field(description="Calls that may be added to confirm a regression; in `high_cents`.")
    summary: dict[Action, Count]
    agents: list[AgentDocument]
    live_tools: list[str]
    warnings: list[str]
    open_launches: list[OpenLaunchDocument]


class _Figures(_Part):
    calls: Count
    countable: Count
    passed: Count
    pass_rate: Share | None
    interval: tuple[Share, Share] | None = Field(description="95 %.")
    duration_seconds: Amount | None
    cents_per_call: Amount | None
    total_cents: Total
    unbilled: Count


class PointDocument(_Figures):
    session_id: str
    at: str = Field(json_schema_extra={"format": "date-time"})


class _Flips(_Figures):
    flips: Count = Field(description="Neighbouring calls with different results.")
    neighbours: Count
    flip_rate: Share | None


class CaseHistoryDocument(_Flips):
    case_id: str
    plan: str
    scenario: str
    outcome: CaseOutcome
    points: list[PointDocument] = Field(description="Oldest first.")


class HistoryDocument(_Printed):
    """`planner history --format json`."""

    environment: str
    sandbox: bool
    suite: _Flips
    left_out: list[str] = Field(description="Sessions that the newest was not compared with; nobody accepted them.")
    accepted: list[AcceptedSession]
    cases: list[CaseHistoryDocument]


class TranscriptDocument(_Part):
    case_id: str
    run_id: ServiceId
    call_id: ServiceId | None
    outcome: RunOutcome
    cause: Cause | None
    stored: bool = Field(description="Whether this store has the words of the call.")
    end_reason: str | None
    transferred_to: str | None
    turns: list[Turn] | None
    tools: list[ToolCall] | None
    findings: list[Finding]


class TranscriptsDocument(_Printed):
    """`planner transcript --format json`."""

    transcripts: list[TranscriptDocument]


class ConsentSpent(_Part):
    consent_id: str
    sessions: list[str] = Field(description="Those that ended, oldest first.")
    at: str = Field(json_schema_extra={"format": "date-time"})
    by: str
    max_cost_cents: Cents | None
    digest: str
    is_open: bool = Field(description="Some of its calls are still to be made, or their results to be stored.")
    launches: Count
    cents: Total = Field(description="Billed.")
    reserved_cents: Total = Field(description="Of calls and judge calls without a bill: they may still be charged.")


class SpendingDocument(_Printed):
    """`planner history --spend --format json`."""

    consents: list[ConsentSpent]
    cents: Total = Field(description="Billed under all these consents.")
    reserved_cents: Total = Field(description="Reserved under all these consents.")


class ResultsDocument(RunResult):
    """`results.json`, and `planner run --format json`."""

    error: ErrorDocument | None = None
    diagnostics: list[DiagnosticDocument] = Field(default=[])


DOCUMENTS: dict[str, type[BaseModel]] = {
    "change-set": ChangeSetDocument,
    "diagnostics": DiagnosticsDocument,
    "history": HistoryDocument,
    "spending": SpendingDocument,
    "transcript": TranscriptsDocument,
}


def printed_schemas() -> dict[str, dict[str, Any]]:
    """File name → schema. Only the common fields are required, as after an error there are no others; readers ignore
    fields that they do not know."""
    common = {"required": list(_Printed.model_fields)}
    schemas = {name: _schema(name, model) | common for name, model in DOCUMENTS.items()}
    schemas["results"] = _schema("results", ResultsDocument)
    return {f"{name}.schema.json": schema for name, schema in schemas.items()}


def _schema(name: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = _open(model.model_json_schema(mode="serialization"))
    return {"$schema": DIALECT, **schema, "title": f"planner {name}"}


def _open(schema: Any) -> Any:
    """The schema without bans of other fields."""
    if isinstance(schema, dict):
        found = cast("dict[str, Any]", schema)
        return {key: _open(value) for key, value in found.items() if (key, value) != ("additionalProperties", False)}
    return [_open(each) for each in cast("list[Any]", schema)] if isinstance(schema, list) else schema
