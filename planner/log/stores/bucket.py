"""A log in a bucket (S3, Google Cloud Storage, Azure and compatible services, through `obstore`): an object for each
entry, created under its number only if there is none (`If-None-Match: *`), and never changed.

Imported only if such a store is chosen, since `obstore` is optional.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
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
from obstore.store import AzureStore, GCSStore, HTTPStore, LocalStore, MemoryStore, S3Store, from_url

from planner.errors import PlannerError, StoreError, UsageError
from planner.log.stores.entries import Entry
from planner.log.stores.objects import ENTRIES, ObjectsStore, entry_name, entry_numbers

Bucket: TypeAlias = AzureStore | GCSStore | HTTPStore | LocalStore | MemoryStore | S3Store

_CONDITIONS: Final = "conditions"
_TOGETHER: Final = 16
"""Objects that are read at the same time."""
_EXISTS: Final = (AlreadyExistsError, PreconditionError, FileExistsError)
_ANSWERED: Final = re.compile(r"status code: (.*)")
_NO_RIGHTS: Final = re.compile(r"40[134] |AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|NoSuchBucket")
_WITHOUT_CONDITIONS: Final = (
    "Choose another object store, or another kind of store: two machines could pay for the same calls."
)


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


class BucketStore(ObjectsStore):
    """The log of this name (`log_name`) in `bucket`; `address` is for messages.

    The first write tries whether the bucket honours conditions; reading needs no right to write.
    """

    def __init__(self, bucket: Bucket, address: str, name: str, writer: str) -> None:
        self._bucket = bucket
        self._name = name
        self._threads = ThreadPoolExecutor(_TOGETHER)
        self._honours_conditions = False
        super().__init__(f"the log at {address.rstrip('/')}/{name}", writer)

    def _numbers(self, first: int) -> Sequence[int]:
        folder = f"{self._name}/{ENTRIES}"
        before = self._path(entry_name(first - 1)) if first > 1 else None
        with self._mapped("read"):
            pages = obstore.list(self._bucket, prefix=folder, offset=before, return_arrow=False)  # pyright: ignore[reportUnknownMemberType] - of arrow
            names = [entry["path"].removeprefix(f"{folder}/") for page in pages for entry in page]
        return entry_numbers(names, first)

    def _load(self, numbers: Sequence[int]) -> Sequence[bytes | None]:
        return list(self._threads.map(self._load_entry, numbers))

    def _create(self, entry: Entry, segment: bytes | None) -> bool:
        self._require_conditions()
        return super()._create(entry, segment)

    def _require_conditions(self) -> None:
        """Create an object that is there, which must fail. Once per object of this class."""
        if self._honours_conditions:
            return
        if self._create_object(_CONDITIONS, b"") and self._create_object(_CONDITIONS, b""):
            raise UsageError(f"{self._where} ignores the condition of a write (If-None-Match)", _WITHOUT_CONDITIONS)
        self._honours_conditions = True

    # Objects

    def _path(self, name: str) -> str:
        return f"{self._name}/{name}"

    def _get(self, name: str, most_bytes: int) -> bytes | None:
        with self._mapped("read"):
            try:
                found = obstore.get(self._bucket, self._path(name))
            except FileNotFoundError:
                return None
            if found.meta["size"] > most_bytes:
                raise StoreError(f"{name} in {self._where} is too large to be planner's", "Remove it.")
            return bytes(found.bytes())

    def _create_object(self, name: str, data: bytes) -> bool:
        with self._mapped("written"):
            try:
                obstore.put(self._bucket, self._path(name), data, mode="create", use_multipart=False)
            except _EXISTS:
                return False
        return True

    def _put(self, name: str, data: bytes) -> None:
        with self._mapped("written"):
            obstore.put(self._bucket, self._path(name), data)

    def _delete(self, names: Sequence[str]) -> None:
        paths = [self._path(name) for name in names]
        with self._mapped("written"):
            try:
                obstore.delete(self._bucket, paths)
            except FileNotFoundError:  # as some services say, which then keep the others
                for path in paths:
                    with suppress(FileNotFoundError):
                        obstore.delete(self._bucket, path)

    def _delete_all(self) -> None:
        with self._mapped("read"):
            pages = obstore.list(self._bucket, prefix=f"{self._name}/", return_arrow=False)  # pyright: ignore[reportUnknownMemberType] - of arrow
            names = [entry["path"].removeprefix(f"{self._name}/") for page in pages for entry in page]
        if names:
            self._delete(names)

    @contextmanager
    def _mapped(self, done: str) -> Generator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise self._failed(done, error) from error

    def _failed(self, done: str, error: BaseError | OSError) -> PlannerError:
        message = f"{self._where} cannot be {done}: {_first_line(error)}"
        if isinstance(error, NotSupportedError):
            return UsageError(message, f"This service does not support conditional writes. {_WITHOUT_CONDITIONS}")
        no_rights = isinstance(error, PermissionDeniedError | UnauthenticatedError | FileNotFoundError)
        if no_rights or _NO_RIGHTS.search(message):
            return UsageError(
                message,
                "The bucket must exist, and the credentials in the environment must permit to read, write, delete and "
                "list there.",
            )
        return StoreError(message, "Check the network and the bucket, then run the same command again.")


def _first_line(error: BaseException) -> str:
    """The first line, without library internals and the request."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = lines[0] if lines else type(error).__name__
    answered = _ANSWERED.search(line)
    return (answered[1] if answered else line)[:300]
