"""Stored documents: read those of this and older versions, find impossible values, join and promote baselines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from planner.bounds import SERVER_CLOCK_SKEW, ListOf, is_possible
from planner.clock import aware
from planner.errors import UsageError
from planner.results.model import SCHEMA_VERSION, CaseResult, ExpectationRate, RunResult
from planner.results.store import BRANCHES, HISTORY, Reader
from planner.values import frozen

BASELINE_SCHEMA_VERSION: Final = "2.0"


class BaselineDocument(BaseModel):
    """`latest/<environment>/<plan>.json`: every case of one plan, as its newest full session left it."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    schema_version: str = BASELINE_SCHEMA_VERSION
    tool_version: str
    session_id: str
    environment: str
    plan: str
    started_at: AwareDatetime | None = None
    """Of that session; None in documents of older versions."""
    ended_at: AwareDatetime
    cases: ListOf[CaseResult]


def document_bytes(document: BaseModel) -> bytes:
    return document.model_dump_json().encode()


def baselines_of(result: RunResult, environment: str) -> list[BaselineDocument]:
    """One baseline per plan.

    Raises:
        ValueError: the session is unfinished or partial, or has a case of a plan that it did not load.
    """
    if result.partial or not result.finished:
        raise ValueError(f"session {result.session_id} is {'partial' if result.partial else 'unfinished'}")
    if strangers := sorted({case.plan for case in result.cases} - set(result.plans)):
        raise ValueError(f"session {result.session_id} has cases of plans it did not load: {', '.join(strangers)}")
    return [
        BaselineDocument(
            tool_version=result.tool_version,
            session_id=result.session_id,
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
    if newer.started_at is None or not at_once or newer.session_id == older.session_id:
        return newer
    mine = {case.case_id: case for case in older.cases}
    cases = [_called_last(mine.pop(case.case_id, None), case) for case in newer.cases]
    cases += [case for case in mine.values() if called_at(case) > newer.started_at]
    return newer.model_copy(update={"cases": cases})


def _called_last(older: CaseResult | None, newer: CaseResult) -> CaseResult:
    if older is None or newer.action == "call" or called_at(older) <= called_at(newer):
        return newer
    return older


def called_at(case: CaseResult) -> datetime:
    """When its newest run ended; the minimum if unknown."""
    ended = [run.completed_at for run in case.runs if run.completed_at is not None]
    return max(map(aware, ended), default=datetime.min.replace(tzinfo=UTC))


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


def future_time_in(document: RunResult | BaselineDocument, now: datetime | None) -> datetime | None:
    """The first time in it that no clock can show yet. `now` None: none is."""
    own = (moment for moment in (document.started_at, document.ended_at) if moment is not None)
    ends = (run.completed_at for case in document.cases for run in case.runs if run.completed_at is not None)
    early = (moment for moment in own if not is_possible(moment, now))
    return next(early, next((moment for moment in ends if not is_possible(moment, now, SERVER_CLOCK_SKEW)), None))


def impossible_in(document: RunResult | BaselineDocument) -> str:
    """Describe the first contradiction; "" if there is none.

    Comparisons and prices from such documents would be wrong, or could not be computed.
    """
    return next((f"{wrong} in {case.case_id}" for case in document.cases for wrong in _of_case(case)), "")


def _of_case(case: CaseResult) -> Iterator[str]:
    if len({(run.session_id, run.run_id) for run in case.runs}) < len(case.runs):
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
_OPEN: Final = "intents/"

Parse = Callable[[str, bytes | None], BaselineDocument | None]
"""(key of the default branch, content) → the baseline; None if there is none, or none that counts."""


@frozen
class Promotion:
    """The cases to promote from one of the pull request's baselines, and the key that it has on the default branch."""

    key: str
    source: BaselineDocument
    cases: Sequence[CaseResult]


def stored_branches(store: Reader) -> list[int]:
    """The pull requests that have results."""
    return sorted({int(found[1]) for key in store.keys(BRANCHES) if (found := _NUMBER.match(key))})


def branch_baselines(
    store: Reader, number: int, environment_key: str, parse: Parse
) -> Iterator[tuple[str, BaselineDocument]]:
    """The pull request's baselines of an environment, by key of the default branch."""
    prefix = f"{BRANCHES}{number}/"
    for key in store.keys(f"{prefix}latest/{environment_key}/"):
        own = key.removeprefix(prefix)
        if (document := parse(own, store.get(key))) is not None:
            yield own, document


def has_open_launches(store: Reader, number: int) -> bool:
    return next(iter(store.keys(f"{BRANCHES}{number}/{_OPEN}")), None) is not None


def promotion(
    now: Reader,
    number: int,
    promotions: Sequence[Promotion],
    at: datetime,
    parse: Parse,
    made_here: Callable[[str], bool],
) -> dict[str, bytes | None]:
    """The writes that make these cases part of the default branch's baselines and remove the namespace.

    A case replaces the stored one of its id; all others stay. Sessions that the default branch's code did not make
    (`made_here` of their id), and answers that may come from them, are left out.
    """
    prefix, writes = f"{BRANCHES}{number}/", dict[str, bytes | None]()
    sessions = {key: made_here(key.split("/")[-1].removesuffix(".json")) for key in now.keys(f"{prefix}runs/")}
    folders = HISTORY if all(sessions.values()) else ("evidence/", "runs/")
    for folder in folders:
        for key in now.keys(prefix + folder):
            own = key.removeprefix(prefix)
            if not now.has(own) and sessions.get(key, True):
                writes[own] = now.get(key)
    for each in promotions:
        stored = parse(each.key, now.get(each.key))
        merged = {case.case_id: case for case in stored.cases} if stored is not None else {}
        merged |= {case.case_id: case for case in each.cases}
        document = stored or each.source
        writes[each.key] = document_bytes(document.model_copy(update={"cases": list(merged.values()), "ended_at": at}))
    return writes | remove_branch(now, number)


def remove_branch(now: Reader, number: int) -> dict[str, bytes | None]:
    """The writes that remove a pull request's namespace; none while it has launches that are not settled."""
    return {} if has_open_launches(now, number) else dict.fromkeys(now.keys(f"{BRANCHES}{number}/"))
