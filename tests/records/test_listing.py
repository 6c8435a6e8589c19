"""When folders of calls are listed again."""

from __future__ import annotations

from obstore.store import MemoryStore

from planner.records.log import Records
from planner.results.repository import ResultsRepository
from planner.stores.object_store import ObjectStore
from planner.stores.store import Backoff, BranchStore
from tests.support.stored_calls import EVERYTHING, Store, play
from tests.support.stored_cases import make_case


def test_whoever_begins_to_read_finds_what_others_stored_by_then() -> None:
    """One process may read several times without a write in between: what was listed ahead for the first does not
    count for the next. In a bucket, nothing else says that it has changed."""
    bucket, case, stored = MemoryStore(), make_case(runs=3), Store()

    def store() -> ObjectStore:
        return ObjectStore(bucket, "memory:///", backoff=Backoff(lambda: 0.5, lambda _: None))

    def call_again() -> None:
        nonlocal stored
        stored = play(case, stored, [None] * 3, rerun="all").store
        store().update(lambda _: stored.base.content)

    call_again()
    (fingerprint,) = {f"sha256:{key.split('/')[1]}" for key in stored.base.content if key.startswith("calls/")}
    repository = ResultsRepository(BranchStore(store(), ""))
    first = Records(repository, (), EVERYTHING)
    first.prepare([fingerprint])
    call_again()
    second = Records(repository, (), EVERYTHING)
    assert [len(records.calls(fingerprint)) for records in (first, second)] == [3, 6]
    second.again(()).prepare([fingerprint])
    call_again()
    assert [len(records.calls(fingerprint)) for records in (second.again(()), first)] == [9, 3]
