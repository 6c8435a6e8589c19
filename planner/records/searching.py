"""Find the stored calls in which something was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import ValidationError

from planner.evidence import Evidence
from planner.records.erasing import facts_of, files_of_folder
from planner.records.facts import CallFact, CallId, id_of
from planner.records.log import CALLS
from planner.stores.store import Reader

_EVIDENCE = "evidence/"


def stored_calls(now: Reader) -> dict[CallId, CallFact]:
    """All calls that are not erased, of every namespace."""
    calls: dict[CallId, CallFact] = {}
    for _, data in files_of_folder(now, CALLS):
        for fact in facts_of(data) or ():
            if isinstance(fact, CallFact) and not fact.erased:
                calls[id_of(fact)] = fact
    return calls


def runs_with(now: Reader, is_wanted: Callable[[Evidence], bool]) -> Iterator[int]:
    """The runs whose stored evidence is wanted: redacted, or the original where this store has it."""
    for _, data in files_of_folder(now, _EVIDENCE):
        try:
            evidence = Evidence.model_validate_json(data)
        except ValidationError:
            continue
        if is_wanted(evidence):
            yield evidence.run_id


def says(evidence: Evidence, text: str) -> bool:
    """Whether somebody says it, or a tool gets or returns it; upper and lower case are the same."""
    return any(text.casefold() in turn.text.casefold() for turn in evidence.turns or ())
