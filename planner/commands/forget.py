"""`planner forget`: erase the words of stored calls, and name what is out of reach."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import ValidationError

from planner.errors import RefusedError, UsageError
from planner.evidence import Evidence
from planner.judge.votes import transcript_digest
from planner.quantities import count, money
from planner.records.erasing import StoredWords, erasure, find, joined, namespaces_of, with_local_evidence
from planner.records.log import CALLS, SESSIONS
from planner.reports.neutral import for_terminal, json_document
from planner.reports.redaction import Redactor
from planner.results.repository import evidence_key
from planner.shell import Shell
from planner.stores.directory import DirectoryStore
from planner.stores.store import BRANCHES, Reader, Store
from planner.values import frozen
from planner.workspace.selection import Selection
from planner.workspace.stores import OpenedStore, locked, open_results

_VOTES = "votes/"
_READ = (CALLS, SESSIONS, "runs/", _VOTES, BRANCHES)
OUT_OF_REACH = (
    "the service: delete the call there, or ask its support",
    "reports that were written before: reports/, artifacts of CI, comments of pull requests",
    "other machines that made or read the call: .planner/ there, other clones of a git ref, backups",
)
_OF_A_REF = "this clone and the server keep unused objects of a git ref for some time (git gc --prune=now)"
_OF_A_BUCKET = "old versions, if the bucket keeps them"


@frozen
class ForgetOptions:
    """`calls` are ids of runs or calls. `confirm` asks a question; None: there is no terminal."""

    selection: Selection
    calls: Sequence[int]
    yes: bool = False
    output_format: Literal["text", "json"] = "text"
    confirm: Callable[[str], bool] | None = None


def forget(shell: Shell, options: ForgetOptions) -> int:
    """Erase, and return 4 if words are left, otherwise 0. Raises `UsageError` if a call is not stored, `RefusedError`
    without a confirmation."""
    _, place = open_results(shell, options.selection)
    if place.namespace:
        raise UsageError("a job of a pull request or branch cannot erase calls", "Run this on the default branch.")
    is_json = options.output_format == "json"
    print_line = shell.log if is_json else shell.print
    calls = options.calls
    with locked(shell, place, shlex.join(["planner", "forget", *map(str, calls), *options.selection.words()])):
        stores = list(_stores(place))
        found = joined([_found(store, calls) for store in stores])
        _require_stored(calls, found)
        document = _document(found, [*OUT_OF_REACH, *_of_shared(place)])
        for line in _lines(found, document["out_of_reach"], place):
            print_line(line)
        _agree(options)
        transcripts = _transcripts(stores, found)
        for store in stores:
            _erase(store, calls, transcripts, place)
        left = joined([_found(store, calls) for store in stores])
    for key in left.unreadable:
        print_line(f"{for_terminal(key)} names a call and cannot be read: delete it, or restore it and run this again")
    is_whole = not left.has_words and not left.unreadable
    code = 0 if is_whole else 4
    print_line("Erased." if is_whole else "Not everything was erased.")
    if is_json:
        shell.print(json_document({**document, "erased": is_whole, "unreadable": left.unreadable}, exit_code=code))
    return code


def _stores(place: OpenedStore) -> Iterator[Store]:
    """This machine's, then the shared one."""
    yield DirectoryStore(place.directory)
    if place.shared is not None:
        place.shared.store.prepare(_READ)
        yield place.shared.store


def _found(now: Reader, calls: Sequence[int]) -> StoredWords:
    words = joined([find(now, number) for number in calls])
    is_local = isinstance(now, DirectoryStore) and bool(words.calls)
    return with_local_evidence(now, words) if is_local else words


def _require_stored(calls: Sequence[int], found: StoredWords) -> None:
    for number in calls:
        if not any(number in (call.run_id, call.data.call_id) for call in found.calls.values()):
            raise UsageError(f"no stored run or call has the id {number}", "`planner history` lists the cases.")


def _document(found: StoredWords, out_of_reach: Sequence[str]) -> dict[str, Any]:
    calls = [
        {
            "run_id": call.run_id,
            "call_id": call.data.call_id,
            "case_id": Redactor().name(call.case_id),
            "cost_cents": call.data.cost_cents,
            "was_erased": call.erased,
        }
        for call in found.calls.values()
    ]
    return {"calls": calls, "transcripts": len(found.evidence), "out_of_reach": out_of_reach}


def _lines(found: StoredWords, out_of_reach: Sequence[str], place: OpenedStore) -> Iterator[str]:
    for call in found.calls.values():
        cents = money(call.data.cost_cents) if call.data.cost_cents is not None else "no bill"
        state = "already erased" if call.erased else cents
        yield f"run {call.run_id}  {for_terminal(call.case_id)}  {state}"
    where = "this machine" if place.shared is None else "this machine and the shared store"
    yield f"To erase from {where}: {count(len(found.evidence), 'transcript')} with findings and answers of a judge"
    yield "Out of reach:"
    yield from (f"  {for_terminal(line)}" for line in out_of_reach)


def _of_shared(place: OpenedStore) -> Iterator[str]:
    if place.shared is not None:
        yield _OF_A_REF if "refs/" in place.shared.store.locate(CALLS + "x") else _OF_A_BUCKET


def _agree(options: ForgetOptions) -> None:
    if options.yes:
        return
    if options.confirm is None:
        raise RefusedError(
            "erasing needs a confirmation, and there is no terminal to ask", "Repeat the command with --yes."
        )
    if not options.confirm("Erase?"):
        raise RefusedError("not erased: you did not confirm", "Nothing was changed.")


def _transcripts(stores: Sequence[Store], found: StoredWords) -> frozenset[str]:
    """The digests of what was said, by which answers of a judge are found."""
    digests: set[str] = set()
    for store in stores:
        for namespace in namespaces_of(store):
            for digest in found.evidence:
                data = store.get(namespace + evidence_key(digest))
                turns = _turns(data) if data is not None else None
                digests |= {turns} if turns is not None else set()
    return frozenset(digests)


def _turns(data: bytes) -> str | None:
    try:
        turns = Evidence.model_validate_json(data).turns
    except ValidationError:
        return None
    return None if turns is None else transcript_digest(turns)


def _erase(store: Store, calls: Sequence[int], transcripts: frozenset[str], place: OpenedStore) -> None:
    """What this machine had written or verified remains verified."""

    def change(now: Reader) -> Mapping[str, bytes | None]:
        writes = {**dict.fromkeys(_votes(now, transcripts)), **erasure(now, _found(now, calls))}
        known = [(now.get(key), data) for key, data in writes.items() if data is not None]
        place.verified.add(data for old, data in known if old is not None and place.verified.contains(old))
        return writes

    store.erase(change)


def _votes(now: Reader, transcripts: frozenset[str]) -> Iterator[str]:
    wanted = [digest.encode() for digest in transcripts]
    for namespace in namespaces_of(now):
        for key in now.keys(namespace + _VOTES):
            data = now.get(key) or b""
            if any(digest in data for digest in wanted):
                yield key
