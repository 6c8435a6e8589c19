"""Stored documents: read those of this and older versions, find impossible values, join and promote baselines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from planner.bounds import SERVER_CLOCK_SKEW, is_possible
from planner.errors import UsageError
from planner.results.model import SCHEMA_VERSION, CaseResult, ExpectationRate, RunResult
from planner.stores.store import BRANCHES, Reader


def document_bytes(document: BaseModel) -> bytes:
    return document.model_dump_json().encode()


_Parsed = TypeVar("_Parsed", bound=BaseModel)


class UnreadableError(ValueError):
    """A document is damaged; the message says how."""


def parsed(kind: type[_Parsed], data: bytes, version: str, name: str) -> _Parsed:
    """Parse a document called `name`; `version` is the schema version of this planner.

    Raises:
        UnreadableError: it is damaged.
        UsageError: a planner with another major version of the schema wrote it.
    """
    readable = int(version.partition(".")[0])
    document, wrong = None, None
    try:
        document = kind.model_validate_json(data)
    except ValidationError as error:
        wrong = error
    if document is not None and "schema_version" in document.model_fields_set:
        written = schema_major({"schema_version": getattr(document, "schema_version", None)})
        if written == readable:
            return document
    try:
        fields = from_json(data)
    except ValueError as error:
        raise UnreadableError(f"not JSON ({error})") from error
    written = schema_major(fields)
    if written is None:
        raise UnreadableError("schema_version is missing")
    if written != readable:
        is_newer = written > readable
        age = "a newer planner" if is_newer else "an older planner"
        fix = "Upgrade planner to at least that version" if is_newer else "Use that version"
        by = f"planner {fields['tool_version']}" if fields.get("tool_version") else age
        raise UsageError(
            f"{name} was written by {by}: schema {fields['schema_version']}, but this version reads {readable}.x",
            f"{fix}, or choose another place with --store",
        )
    first = wrong.errors(include_url=False)[0] if wrong else {"loc": (), "msg": "it is damaged"}
    raise UnreadableError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from wrong


def read_result(data: bytes, name: str) -> RunResult:
    """Read a `results.json` from people, other jobs or older versions. Raises `UsageError`."""
    try:
        return parsed(RunResult, data, SCHEMA_VERSION, name)
    except UnreadableError as error:
        raise UsageError(
            f"{name} is not a results document: {error}", "Name a results.json that planner wrote."
        ) from error


def schema_major(document: object) -> int | None:
    """The major version of a document; None if it is missing or invalid."""
    if not isinstance(document, dict):
        return None
    version = cast("dict[str, object]", document).get("schema_version")
    if not isinstance(version, str) or not re.fullmatch(r"[0-9]{1,6}(\.[0-9]+)*", version):
        return None
    return int(version.partition(".")[0])


def future_time_in(document: RunResult, now: datetime | None) -> datetime | None:
    """The first time in it that no clock can show yet. `now` None: none is."""
    own = (document.started_at, document.ended_at)
    ends = (run.completed_at for case in document.cases for run in case.all_runs if run.completed_at is not None)
    early = (moment for moment in own if not is_possible(moment, now))
    return next(early, next((moment for moment in ends if not is_possible(moment, now, SERVER_CLOCK_SKEW)), None))


def impossible_in(document: RunResult) -> str:
    """Describe the first contradiction; "" if there is none.

    Comparisons and prices from such documents would be wrong, or could not be computed.
    """
    return next((f"{wrong} in {case.case_id}" for case in document.cases for wrong in _of_case(case)), "")


def _of_case(case: CaseResult) -> Iterator[str]:
    if len({(run.session_id, run.run_id) for run in case.all_runs}) < len(case.all_runs):
        yield "the same run is listed twice"
    for sample in filter(None, (case.baseline, case.latest, case.open_against)):
        passed, countable = sample.runs_passed, sample.runs_countable
        if passed > countable or (sample.runs_clean or 0) > passed:
            yield f"{passed} of {countable} runs passed"
        yield from _of_rates(sample.own_rates)
    yield from _of_rates(case.expectations)


def _of_rates(rates: Iterable[ExpectationRate]) -> Iterator[str]:
    for rate in rates:
        if rate.met > rate.decided:
            yield f"{rate.expectation} was met in {rate.met} of {rate.decided} runs"


_NUMBER: Final = re.compile(rf"{BRANCHES}([1-9][0-9]{{0,17}})/")


def stored_branches(store: Reader) -> list[int]:
    """The pull requests that have results."""
    return sorted({int(found[1]) for key in store.keys(BRANCHES) if (found := _NUMBER.match(key))})
