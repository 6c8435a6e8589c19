"""Erase the words of calls from a store (`planner forget`): what was said, findings about it, and evidence.

Ids, times, costs and outcomes stay, so that nobody pays for the calls again and no verdict changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from typing import Final, TypeVar

from pydantic import ValidationError

from planner.records.facts import FACT, CallFact, CallId, Correction, Fact, SessionHead, VerdictFact, id_of
from planner.records.files import part_bytes, summary_of
from planner.records.log import CALLS, SESSIONS
from planner.results.documents import document_bytes
from planner.results.model import CallData, CaseResult, JudgedRun, RunResult, RunVerdict
from planner.results.repository import evidence_key
from planner.results.shared_store import original_key
from planner.stores.store import BRANCHES, Reader
from planner.values import frozen

ERASED: Final = "the words of this call were erased"
_RUNS: Final = "runs/"
_EVIDENCE: Final = "evidence/"
_NAMESPACE: Final = re.compile(rf"(?:{BRANCHES}[^/]+/)?")
_Verdict = TypeVar("_Verdict", bound=RunVerdict)


@frozen
class StoredWords:
    """What a store has of some calls. `unreadable` are files that name one of them and cannot be read."""

    calls: Mapping[CallId, CallFact] = field(default_factory=dict[CallId, CallFact])
    evidence: frozenset[str] = frozenset()
    """Digests."""
    keys: frozenset[str] = frozenset()
    """Files of calls, and reports."""
    unreadable: tuple[str, ...] = ()

    @property
    def has_words(self) -> bool:
        return bool(self.evidence) or not all(call.erased for call in self.calls.values())


def find(now: Reader, number: int) -> StoredWords:
    """The call with this run id or call id, in all namespaces."""
    named = re.compile(rb'"(?:run|call)_id":\s?%d\b' % number)
    calls: dict[CallId, CallFact] = {}
    unreadable: list[str] = []
    parts = {key: data for key, data in _files_of_folder(now, CALLS) if named.search(data)}
    for key, data in parts.items():
        facts = _facts_of(data)
        unreadable += [key] if facts is None else []
        for fact in facts or ():
            if isinstance(fact, CallFact) and number in (fact.run_id, fact.data.call_id):
                calls[id_of(fact)] = fact
    evidence: set[str] = set()
    keys: set[str] = set()
    for key, data in parts.items():
        own = [fact for fact in _facts_of(data) or () if id_of(fact) in calls]
        keys |= {key} if own else set()
        evidence |= {digest for fact in own for digest in _digests(fact)}
    for key, data in _files_of_folder(now, _RUNS):
        runs = _runs_of(data, calls.keys()) if named.search(data) else []
        keys |= {key} if runs else set()
        evidence |= {run.evidence for run in runs if run.evidence is not None}
    return StoredWords(calls, frozenset(evidence), frozenset(keys), tuple(unreadable))


def with_local_evidence(now: Reader, found: StoredWords) -> StoredWords:
    """Also the evidence in this store that no file names any more: earlier readings, and unredacted originals."""
    runs = b"|".join(b"%d" % run_id for _, run_id in found.calls)
    named = re.compile(rb'"run_id":\s?(?:%b)\b' % runs)
    digests = {
        key.rpartition("/")[2].removesuffix(".json")
        for key, data in _files_of_folder(now, _EVIDENCE)
        if named.search(data)
    }
    return StoredWords(found.calls, found.evidence | digests, found.keys, found.unreadable)


def erasure(now: Reader, found: StoredWords) -> dict[str, bytes | None]:
    """What to write so that the store has no words of these calls: evidence first, which the other files name."""
    evidence = [namespace + evidence_key(digest) for namespace in namespaces_of(now) for digest in found.evidence]
    gone = sorted(key for key in (*evidence, *map(original_key, found.evidence)) if now.has(key))
    contents = [(key, data) for key in sorted(found.keys) if (data := now.get(key)) is not None]
    reports = {key: _erased_report(data, found) for key, data in contents if _RUNS in key}
    parts = {key: _erased_part(data, found) for key, data in contents if CALLS in key}
    return {**dict.fromkeys(gone), **reports, **parts, **_heads(now, parts)}


def namespaces_of(now: Reader) -> list[str]:
    """The default branch's, "", and those of pull requests and other branches."""
    return sorted({"", *map(_namespace, now.keys(BRANCHES))})


def _files_of_folder(now: Reader, folder: str) -> Iterator[tuple[str, bytes]]:
    """The files of a folder, in all namespaces."""
    for key in (*now.keys(folder), *now.keys(BRANCHES)):
        if key.startswith(_namespace(key) + folder) and (data := now.get(key)) is not None:
            yield key, data


def _namespace(key: str) -> str:
    found = _NAMESPACE.match(key)
    return found[0] if found else ""


def _facts_of(data: bytes) -> list[Fact] | None:
    try:
        return [FACT.validate_json(line) for line in data.splitlines()]
    except ValidationError:
        return None


def _digests(fact: Fact) -> Iterator[str]:
    digest = fact.evidence if isinstance(fact, VerdictFact) else fact.data.evidence
    if digest is not None:
        yield digest


def _runs_of(data: bytes, calls: Iterable[CallId]) -> list[JudgedRun]:
    wanted = set(calls)
    try:
        result = RunResult.model_validate_json(data)
    except ValidationError:
        return []
    return [run for case in result.cases for run in case.all_runs if id_of(run) in wanted]


def _erased_part(data: bytes, found: StoredWords) -> bytes:
    facts = _facts_of(data) or []
    return part_bytes(erased_fact(fact) if id_of(fact) in found.calls else fact for fact in facts)


def erased_fact(fact: Fact) -> Fact:
    """The fact without words and evidence."""
    match fact:
        case CallFact():
            return fact.model_copy(update={"data": _without_evidence(fact.data), "erased": True})
        case Correction():
            return fact.model_copy(update={"data": _without_evidence(fact.data)})
        case VerdictFact():
            return fact.model_copy(update={"evidence": None, "verdict": _without_words(fact.verdict)})


def _without_evidence(data: CallData) -> CallData:
    """Nothing is missing any more: it would be read from the service again."""
    return data.model_copy(update={"evidence": None, "missing": []})


def _without_words(verdict: _Verdict) -> _Verdict:
    findings = [each.model_copy(update={"message": ERASED, "quote": None}) for each in verdict.findings]
    reason = ERASED if verdict.reason else ""
    return verdict.model_copy(update={"findings": findings, "reason": reason, "cause_quote": None})


def _heads(now: Reader, parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The heads of the sessions that wrote these files, with their new digests."""
    changed: dict[str, bytes] = {}
    for key, data in _files_of_folder(now, SESSIONS) if parts else ():
        namespace = _namespace(key)
        try:
            head = SessionHead.model_validate_json(data)
        except ValidationError:
            continue  # it vouches for no file
        own = {part: parts[namespace + part] for part in head.parts if namespace + part in parts}
        if own:
            summaries = head.parts | {part: summary_of(written) for part, written in own.items()}
            changed[key] = document_bytes(head.model_copy(update={"parts": summaries}))
    return changed


def _erased_report(data: bytes, found: StoredWords) -> bytes:
    result = RunResult.model_validate_json(data)
    erased = [_erased_case(case, found.calls.keys()) for case in result.cases]
    return document_bytes(result.model_copy(update={"cases": erased}))


def _erased_case(case: CaseResult, calls: AbstractSet[CallId]) -> CaseResult:
    if not any(id_of(run) in calls for run in case.all_runs):
        return case
    runs, confirmation = (
        [_erased_run(run) if id_of(run) in calls else run for run in side] for side in (case.runs, case.confirmation)
    )
    reason = ERASED if case.outcome_reason else ""
    return case.model_copy(update={"runs": runs, "confirmation": confirmation, "outcome_reason": reason})


def _erased_run(run: JudgedRun) -> JudgedRun:
    return _without_words(run).model_copy(update={"evidence": None, "missing": [], "votes_missing": 0})


def joined(found: Sequence[StoredWords]) -> StoredWords:
    """What was found of several calls, or in several stores."""
    calls = {call_id: call for each in found for call_id, call in each.calls.items()}
    evidence = frozenset(digest for each in found for digest in each.evidence)
    keys = frozenset(key for each in found for key in each.keys)
    return StoredWords(calls, evidence, keys, tuple(key for each in found for key in each.unreadable))
