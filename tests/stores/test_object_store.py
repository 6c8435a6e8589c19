"""Results in a bucket (in memory)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore
from store_writes import UNCONDITIONAL, Expected, put

from planner.errors import StoreError, UsageError
from planner.planfile.addresses import BUCKETS
from planner.stores import object_store
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


def test_files_that_never_change_are_read_together() -> None:
    """In any order; what is missing, refused or may change is read when it is asked for."""
    bucket = MemoryStore()
    content = {f"calls/a/{number}.jsonl": b"%d" % number for number in range(40)}
    store_in(bucket).update(lambda _: {**content, "consents/a": b"1"})
    store, read = store_in(bucket), list[str]()
    original = store.read

    def noted(key: str) -> tuple[bytes | None, str | None]:
        read.append(key)
        if key == "calls/a/7.jsonl" and len(read) < 20:
            raise StoreError("refused", "")
        return original(key)

    store.read = noted
    store.prepare([*content, "calls/a/none.jsonl", "consents/a", "calls/"])
    assert store.get("calls/a/5.jsonl") == b"5"
    assert set(read) == {f"calls/a/{number}.jsonl" for number in range(5, 21)}
    store_in(bucket).update(lambda _: {"consents/a": b"2"})
    assert store.get("consents/a") == b"2"
    assert {key: store.get(key) for key in content} == content
    assert store.get("calls/a/none.jsonl") is None
    again = ["calls/a/5.jsonl", "calls/a/7.jsonl", "calls/a/none.jsonl"]
    assert sorted(read) == sorted([*content, "calls/a/none.jsonl", "consents/a", *again])


def test_folders_that_are_listed_ahead_are_listed_once() -> None:
    """As they were then, until the next write, or until folders are listed ahead again."""
    bucket = MemoryStore()
    here, there, added = store_in(bucket), store_in(bucket), list[str]()

    def add() -> None:
        added.append(f"calls/a/{len(added)}")
        there.update(lambda _: {added[-1]: b"1"})

    def found(now: Reader = here) -> int:
        assert sorted(here.versions("calls/a/")) == list(here.keys("calls/a/"))
        assert list(here.keys("calls/")) == added
        return len(list(now.keys("calls/a/")))

    def change(now: Reader) -> Mapping[str, bytes | None]:
        assert found(now) == len(added)
        return {"runs/a": b"%d" % len(added)}

    add()
    here.list_ahead(["calls/a/", "calls/none/"])
    add()
    assert [found(), len(list(here.keys("calls/none/")))] == [1, 0]
    here.list_ahead(["calls/a/"])
    add()
    assert found() == 2
    here.update(change)
    add()
    assert found() == 4
    here.list_ahead(["calls/a/"])
    add()
    here.list_ahead([])
    assert found() == 5


@pytest.mark.parametrize("has_tags", [True, False])
def test_a_version_changes_with_the_content(monkeypatch: pytest.MonkeyPatch, has_tags: bool) -> None:
    """Also if a service lists no tags."""
    bucket, real = MemoryStore(), object_store.obstore.list

    def listed(*arguments: Any, **options: Any) -> list[Any]:
        pages = [list(page) for page in real(*arguments, **options)]
        return pages if has_tags else [[{**entry, "e_tag": None} for entry in page] for page in pages]

    monkeypatch.setattr(object_store.obstore, "list", listed)
    store, found = store_in(bucket), set[str]()
    for content in (b"1", b"2", b"3"):
        store.update(lambda _, content=content: {"calls/a/1": content})
        found.add(store.versions("calls/a/")["calls/a/1"])
        assert store.versions("calls/")["calls/a/1"] in found
    assert len(found) == 3
