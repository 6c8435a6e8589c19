"""Results in a bucket: S3, Google Cloud Storage, Azure and compatible services, through `obstore` (the extra `stores`).

A key is an object. Writes are conditional on the object's tag when it was read. A losing writer reads again,
recomputes, and retries after a random pause. Several keys are written one by one in the given order, so that referenced
objects exist first.

Imported only if such a store is chosen, since `obstore` is optional.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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
from planner.stores.read_ahead import ReadAhead
from planner.stores.store import Backoff, Change, segments

Bucket: TypeAlias = AzureStore | GCSStore | HTTPStore | LocalStore | MemoryStore | S3Store

_TAG: Final = "e_tag"
_TOGETHER: Final = 16
"""Objects that are read, or folders that are listed, at the same time."""
_NEVER_CHANGE: Final = re.compile(r"(?:^|/)(?:calls|sessions)/.*[^/]$")
_ANSWERED: Final = re.compile(r"status code: (.*)")
_NO_RIGHTS: Final = re.compile(r"40[13] |AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|NoSuchBucket")


def open_bucket(address: str, *, allow_http: bool = False) -> Bucket:
    """Open `s3://bucket/folder` with credentials from the environment, without a request.

    `allow_http`: a custom service (AWS_ENDPOINT_URL) may lack TLS.

    Raises `UsageError`.
    """
    try:
        return from_url(
            address,
            client_options={"timeout": "30s", "connect_timeout": "10s", "allow_http": allow_http},
            retry_config={"max_retries": 4},
        )
    except (BaseError, ValueError) as error:
        raise UsageError(
            f"{address} cannot be opened: {_first_line(error)}", "Check the address and the credentials."
        ) from error


class ObjectStore:
    """A `Store` in `bucket`; `address` is for messages."""

    def __init__(self, bucket: Bucket, address: str, *, folder: str = "", backoff: Backoff) -> None:
        self._bucket = bucket
        self._address = address.rstrip("/")
        self._folder = f"{folder}/" if folder else ""
        self._backoff = backoff
        self._threads = ThreadPoolExecutor(_TOGETHER)
        self._ahead = ReadAhead(self._read_together, _TOGETHER)
        self._listed: dict[str, Sequence[str]] = {}
        """What was listed ahead, by folder."""

    def get(self, key: str) -> bytes | None:
        found = self._ahead.take(key)
        return self.read(key)[0] if found is None else found

    def read(self, key: str) -> tuple[bytes | None, str | None]:
        """The content and its tag."""
        with self._mapped("read"):
            try:
                found = obstore.get(self._bucket, self._path(key))
                return bytes(found.bytes()), found.meta[_TAG]
            except FileNotFoundError:
                return None, None

    def has(self, key: str) -> bool:
        with self._mapped("read"):
            try:
                obstore.head(self._bucket, self._path(key))
            except FileNotFoundError:
                return False
            return True

    def keys(self, prefix: str) -> Iterator[str]:
        listed = self._listed.get(prefix)
        return iter(self._list(prefix) if listed is None else listed)

    def refresh(self) -> None:
        self._listed = {}

    def list_ahead(self, folders: Sequence[str]) -> None:
        self._listed = dict(zip(folders, self._threads.map(self._list, folders), strict=True))

    def _list(self, prefix: str) -> list[str]:
        folder = prefix.rpartition("/")[0]
        if folder:
            segments(folder)
        start = f"{self._folder}{folder}".strip("/")
        with self._mapped("listed"):
            pages = obstore.list(self._bucket, prefix=start or None, return_arrow=False)  # pyright: ignore[reportUnknownMemberType] - of arrow
            keys = [entry["path"].removeprefix(self._folder) for page in pages for entry in page]
        return sorted(key for key in keys if key.startswith(prefix))

    def update(self, change: Change) -> None:
        def write(again: bool) -> bool:
            del again
            self._listed = {}
            seen = _Seen(self)
            return all(self._write(key, data, seen.tags) for key, data in change(seen).items())

        self._backoff.until_written(write, self._address)

    def erase(self, change: Change) -> None:
        """Versions that the bucket keeps remain."""
        self.update(change)

    def prepare(self, keys: Sequence[str]) -> None:
        """Only files that never change are read before they are asked for."""
        self._ahead.expect(key for key in keys if _NEVER_CHANGE.search(key))

    def _read_together(self, keys: Sequence[str]) -> dict[str, bytes]:
        found = dict(zip(keys, self._threads.map(self._read_quietly, keys), strict=True))
        return {key: data for key, data in found.items() if data is not None}

    def _read_quietly(self, key: str) -> bytes | None:
        """None also if it cannot be read: then whoever asks for it is told why."""
        try:
            return self.read(key)[0]
        except PlannerError:
            return None

    def locate(self, key: str) -> str:
        return f"{self._address}/{self._folder}{key}"

    def _write(self, key: str, data: bytes | None, tags: Mapping[str, str | None]) -> bool:
        """Write if the object has the tag with which it was read (None: if it does not exist), or if it was not
        read."""
        path = self._path(key)
        with self._mapped("written"):
            try:
                if data is None:
                    obstore.delete(self._bucket, path)
                elif key not in tags:
                    obstore.put(self._bucket, path, data)
                elif (tag := tags[key]) is None:
                    obstore.put(self._bucket, path, data, mode="create")
                else:
                    obstore.put(self._bucket, path, data, mode={_TAG: tag})
            except (AlreadyExistsError, PreconditionError, FileExistsError, FileNotFoundError):
                return data is None  # it is already deleted
        return True

    def _path(self, key: str) -> str:
        return self._folder + "/".join(segments(key))

    @contextmanager
    def _mapped(self, done: str) -> Generator[None]:
        try:
            yield
        except BaseError as error:
            raise self._failed(done, error) from error

    def _failed(self, done: str, error: BaseError) -> PlannerError:
        message = f"results cannot be {done} at {self._address}: {_first_line(error)}"
        if isinstance(error, NotSupportedError):
            return UsageError(
                message,
                "This service does not support conditional writes. Choose another object store, or another --store.",
            )
        if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _NO_RIGHTS.search(message):
            return UsageError(
                message, "The credentials in the environment need permission to read, write, delete and list there."
            )
        return StoreError(message, "Check the network and the bucket, then run the same command again.")


class _Seen:
    """The store as a change reads it, with the tags of everything read."""

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

    def prepare(self, keys: Sequence[str]) -> None:
        self._store.prepare(keys)


def _first_line(error: BaseException) -> str:
    """The first line, without library internals and the request."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = lines[0] if lines else type(error).__name__
    answered = _ANSWERED.search(line)
    return (answered[1] if answered else line)[:300]
