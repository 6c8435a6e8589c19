"""Results in a bucket (in memory)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore
from store_writes import UNCONDITIONAL, Expected, put

from planner.errors import StoreError, UsageError
from planner.planfile.addresses import BUCKETS
from planner.stores.object_store import ObjectStore, open_bucket
from planner.stores.store import Backoff, Reader

_KEYS = st.sampled_from(["runs/a.json", "runs/b.json", "latest/_/p.json", "votes/x", "top"])
_DATA = st.sampled_from([b"", b"1", b"\0\xff"])
_WRITES = st.lists(st.tuples(_KEYS, _DATA, st.one_of(st.none(), _DATA, st.just(UNCONDITIONAL))), max_size=8)


def store_in(
    bucket: MemoryStore, *, attempts: int = 5, folder: str = "", pauses: list[float] | None = None
) -> ObjectStore:
    backoff = Backoff(lambda: 0.5, (pauses if pauses is not None else []).append, attempts=attempts)
    return ObjectStore(bucket, "memory:///", folder=folder, backoff=backoff)


@given(_WRITES)
def test_a_bucket_equals_a_dictionary(writes: list[tuple[str, bytes, Expected]]) -> None:
    """After any sequence of conditional writes, a bucket has the content of a dictionary."""
    bucket, model = MemoryStore(), dict[str, bytes]()
    store, other = store_in(bucket), store_in(bucket, folder="sandbox")
    for key, data, expected in writes:
        swaps = expected is UNCONDITIONAL or model.get(key) == expected
        assert put(store, key, data, expected=expected) is swaps
        if swaps:
            model[key] = data
        assert store.get(key) == model.get(key)
        assert store.has(key) is (key in model)
    assert list(store.keys("")) == sorted(model)
    assert list(store.keys("runs/")) == sorted(key for key in model if key.startswith("runs/"))
    assert list(other.keys("runs/")) == []
    for key in list(model):
        store.update(lambda _, key=key: {key: None, "runs/never": None})
        assert not store.has(key)


def test_the_second_writer_retries() -> None:
    """If another job changed what was read, the change is computed again: both writes are kept."""
    bucket, pauses = MemoryStore(), list[float]()
    here, there = store_in(bucket, pauses=pauses), store_in(bucket)
    meanwhile: list[Callable[[], object]] = [
        lambda: put(there, "counter", b"5", expected=None),
        lambda: put(there, "counter", b"7", expected=b"5"),
    ]

    def count(now: Reader) -> Mapping[str, bytes | None]:
        before = int(now.get("counter") or 0)
        if meanwhile:
            meanwhile.pop(0)()
        return {"runs/a": b"%d" % before, "counter": b"%d" % (before + 1)}

    here.update(count)
    assert (here.get("counter"), here.get("runs/a")) == (b"8", b"7")
    assert pauses == [0.1, 0.2]


def test_a_writer_that_never_succeeds_is_an_error() -> None:
    """After so many attempts it ends, with nothing lost."""
    bucket, number = MemoryStore(), iter(range(100))
    there = store_in(bucket)

    def count(now: Reader) -> Mapping[str, bytes | None]:
        now.get("counter")
        put(there, "counter", b"%d" % next(number), expected=UNCONDITIONAL)
        return {"counter": b"mine"}

    with pytest.raises(StoreError, match="other jobs wrote to memory: at the same time, 3 times in a row"):
        store_in(bucket, attempts=3).update(count)
    assert there.get("counter") == b"2"


@pytest.mark.parametrize("scheme", BUCKETS)
def test_every_accepted_scheme_can_be_opened(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `store:` accepts it."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "acme")
    assert open_bucket(f"{scheme}://bucket/x")


def test_an_unknown_service_is_an_error() -> None:
    """Exit 2, before any request."""
    with pytest.raises(UsageError, match="cannot be opened"):
        open_bucket("zip://bucket/x")
