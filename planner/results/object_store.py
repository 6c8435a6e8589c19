"""Results in a bucket: S3, Google Cloud Storage, Azure and what speaks like them, through `obstore` (the extra `stores`).

A key is an object. Every write is conditional on what was there when it was thought up, by the object's tag: who was second reads
again, thinks again, and tries again after a pause that chance decides. Several keys are written one by one, in the order given, so
that what is spoken of is there before what speaks of it.

Imported only where such a store is chosen: `obstore` is not there for everybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import (
    AzureStore,
    GCSStore,
    HTTPStore,
    LocalStore,
    MemoryStore,
    S3Store,
    from_url,
)

from planner.errors import PlannerError, StoreError, UsageError
from planner.results.patience import Patience
from planner.results.store import UNCONDITIONAL, Change, Expected, segments

Bucket: TypeAlias = AzureStore | GCSStore | HTTPStore | LocalStore | MemoryStore | S3Store

SCHEMES: Final = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
_TAG: Final = "e_tag"
_ANSWERED: Final = re.compile(r"status code: (.*)")
_NO_RIGHTS: Final = re.compile(r"40[13] |AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|NoSuchBucket")


def open_bucket(address: str, *, allow_http: bool = False) -> Bucket:
    """`s3://bucket/folder`; credentials are the environment's, as the cloud's own tools have them. Asks nobody yet.

    `allow_http`: a service of one's own (AWS_ENDPOINT_URL) may be without TLS.

    Raises `UsageError` for what is no such address.
    """
    scheme, _, rest = address.partition("://")
    if scheme not in SCHEMES or "@" in rest or not rest.strip("/"):
        raise UsageError(
            f"--store {scheme}://…: this is no object store's address",
            "Write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER; keys belong in the environment.",
        )
    try:
        return from_url(
            address,
            client_options={"timeout": "30s", "connect_timeout": "10s", "allow_http": allow_http},
            retry_config={"max_retries": 4},
        )
    except (BaseError, ValueError) as error:
        raise UsageError(
            f"--store {address} cannot be opened: {_first_line(error)}", "Look at the address and the credentials."
        ) from error


class ObjectStore:
    """A `Store` in `bucket`; `address` is how people know it."""

    def __init__(self, bucket: Bucket, address: str, *, folder: str = "", patience: Patience) -> None:
        self._bucket = bucket
        self._address = address.rstrip("/")
        self._folder = f"{folder}/" if folder else ""
        self._patience = patience

    def get(self, key: str) -> bytes | None:
        return self._read(key)[0]

    def has(self, key: str) -> bool:
        try:
            obstore.head(self._bucket, self._path(key))
        except FileNotFoundError:
            return False
        except BaseError as error:
            raise self._failed("read", error) from error
        return True

    def keys(self, prefix: str) -> Iterator[str]:
        folder = "/".join(prefix.split("/")[:-1])
        if folder:
            segments(folder)
        start = f"{self._folder}{folder}".strip("/")
        try:
            listed = [
                entry["path"].removeprefix(self._folder)
                for page in obstore.list(self._bucket, prefix=start or None, return_arrow=False)  # pyright: ignore[reportUnknownMemberType] - of arrow
                for entry in page
            ]
        except BaseError as error:
            raise self._failed("listed", error) from error
        return iter(sorted(key for key in listed if key.startswith(prefix)))

    def put(self, key: str, data: bytes, *, expected: Expected) -> bool:
        if expected is UNCONDITIONAL:
            return self._write(key, data, ANY)
        if expected is None:
            return self._write(key, data, None)
        now, tag = self._read(key)
        return now == expected and self._write(key, data, tag)

    def update(self, change: Change) -> None:
        for attempt in range(self._patience.attempts):
            if attempt:
                self._patience.wait(attempt)
            seen = _Seen(self)
            writes = change(seen)
            if all(self._apply(key, data, seen) for key, data in writes.items()):
                return
        raise StoreError(
            f"others wrote to {self._address} first, {self._patience.attempts} times in a row",
            "Nothing is lost: run the same command again.",
        )

    def locate(self, key: str) -> str:
        return f"{self._address}/{self._folder}{key}"

    def read(self, key: str) -> tuple[bytes | None, str | None]:
        """What it holds, and the tag that stands for that."""
        return self._read(key)

    def _apply(self, key: str, data: bytes | None, seen: _Seen) -> bool:
        if data is None:
            try:
                obstore.delete(self._bucket, self._path(key))
            except FileNotFoundError:
                return True  # gone already
            except BaseError as error:
                raise self._failed("written", error) from error
            return True
        return self._write(key, data, seen.tags.get(key, ANY))

    def _read(self, key: str) -> tuple[bytes | None, str | None]:
        try:
            found = obstore.get(self._bucket, self._path(key))
            return bytes(found.bytes()), found.meta[_TAG]
        except FileNotFoundError:
            return None, None
        except BaseError as error:
            raise self._failed("read", error) from error

    def _write(self, key: str, data: bytes, tag: str | None) -> bool:
        """`tag`: of what is to be replaced, `ANY`, or None for nothing."""
        path = self._path(key)
        try:
            if tag is ANY:
                obstore.put(self._bucket, path, data)
            elif tag is None:
                obstore.put(self._bucket, path, data, mode="create")
            else:
                obstore.put(self._bucket, path, data, mode={_TAG: tag})
        except (AlreadyExistsError, PreconditionError, FileExistsError, FileNotFoundError):
            return False
        except BaseError as error:
            raise self._failed("written", error) from error
        return True

    def _path(self, key: str) -> str:
        return self._folder + "/".join(segments(key))

    def _failed(self, done: str, error: BaseError) -> PlannerError:
        told = f"results cannot be {done} at {self._address}: {_first_line(error)}"
        if isinstance(error, NotSupportedError):
            return UsageError(told, "This object store has no conditional writes, without which results could be lost.")
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _NO_RIGHTS.search(told):
            return UsageError(told, "It needs credentials that may read, write and list there, in the environment.")
        return StoreError(told, "Look at the network and the bucket, then run the same command again.")


ANY: Final = "*"
"""A write is to happen whatever is there."""


class _Seen:
    """A store as a change sees it, with the tag of everything that it read."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self.tags: dict[str, str | None] = {}

    def get(self, key: str) -> bytes | None:
        data, self.tags[key] = self._store.read(key)
        return data

    def has(self, key: str) -> bool:
        return self._store.has(key)

    def keys(self, prefix: str) -> Iterator[str]:
        return self._store.keys(prefix)


def _first_line(error: BaseException) -> str:
    """Without what the library says of its own inside, and of the request."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = lines[0] if lines else type(error).__name__
    answered = _ANSWERED.search(told)
    return (answered[1] if answered else told)[:300]
