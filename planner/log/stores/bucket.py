"""A log in a bucket (S3, Google Cloud Storage, Azure and compatible services, through `obstore`): an object for each
entry, created under its number only if there is none (`If-None-Match: *`), and never changed.

Imported only if such a store is chosen, since `obstore` is optional.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
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
from obstore.store import AzureStore, GCSStore, HTTPStore, LocalStore, MemoryStore, S3Store, from_url

from planner.bounds import MAX_DOCUMENT_BYTES
from planner.errors import PlannerError, StoreError, UsageError
from planner.log.stores.chain import ChainedStore, NewSegment
from planner.log.stores.entries import Entry, entry_name, entry_numbers
from planner.log.stores.store import MAX_EVIDENCE_BYTES

Bucket: TypeAlias = AzureStore | GCSStore | HTTPStore | LocalStore | MemoryStore | S3Store

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


class BucketStore(ChainedStore):
    """The log of this name (`log_name`) in `bucket`; `address` is for messages.

    The first write tries whether the bucket honours conditions; reading needs no right to write.
    """

    def __init__(self, bucket: Bucket, address: str, name: str, writer: str) -> None:
        self._bucket = bucket
        self._name = name
        self._threads = ThreadPoolExecutor(_TOGETHER)
        self._honours_conditions = False
        super().__init__(f"the log at {address.rstrip('/')}/{name}", writer)

    # Entries and segments

    def _numbers(self, first: int) -> Sequence[int]:
        folder = f"{self._name}/entries"
        before = self._entry(first - 1) if first > 1 else None
        with self._mapped("read"):
            pages = obstore.list(self._bucket, prefix=folder, offset=before, return_arrow=False)  # pyright: ignore[reportUnknownMemberType] - of arrow
            names = [entry["path"].removeprefix(f"{folder}/") for page in pages for entry in page]
        return entry_numbers(names, first)

    def _load(self, numbers: Sequence[int]) -> Sequence[bytes | None]:
        if len(numbers) == 1:
            return [self._get_entry(numbers[0])]
        return list(self._threads.map(self._get_entry, numbers))

    def _get_entry(self, number: int) -> bytes | None:
        return self._get(self._entry(number), MAX_DOCUMENT_BYTES)

    def _create(self, entry: Entry, segment: NewSegment | None) -> bool:
        self._require_conditions()
        if segment is not None:
            self._put(self._segment(segment.digest), segment.data)
        path = self._entry(entry.header.number)
        # An answer may be lost, and the request repeated: then it is our own entry that is there.
        return self._put_once(path, entry.data) or self._get_entry(entry.header.number) == entry.data

    def _load_segment(self, digest: str) -> bytes | None:
        return self._get(self._segment(digest), MAX_DOCUMENT_BYTES)

    def _remove_before(self, number: int) -> None:
        self._delete([self._entry(old) for old in self._numbers(1) if old < number])

    def _withdraw(self, number: int) -> None:
        self._delete([self._entry(number)])

    # Documents

    def _put_document(self, digest: str, document: bytes) -> None:
        self._put(self._document(digest), document)

    def _get_document(self, digest: str) -> bytes | None:
        return self._get(self._document(digest), MAX_EVIDENCE_BYTES)

    def _delete_documents(self, digests: Sequence[str]) -> None:
        self._delete([self._document(digest) for digest in digests])

    # Objects

    def _entry(self, number: int) -> str:
        return f"{self._name}/entries/{entry_name(number)}"

    def _segment(self, digest: str) -> str:
        return f"{self._name}/segments/{digest}"

    def _document(self, digest: str) -> str:
        return f"{self._name}/evidence/{digest[:2]}/{digest}"

    def _require_conditions(self) -> None:
        """Create an object that is there, which must fail. Once per object of this class."""
        if self._honours_conditions:
            return
        path = f"{self._name}/conditions"
        if self._put_once(path, b"") and self._put_once(path, b""):
            raise UsageError(f"{self._where} ignores the condition of a write (If-None-Match)", _WITHOUT_CONDITIONS)
        self._honours_conditions = True

    def _put_once(self, path: str, data: bytes) -> bool:
        with self._mapped("written"):
            try:
                obstore.put(self._bucket, path, data, mode="create", use_multipart=False)
            except _EXISTS:
                return False
        return True

    def _put(self, path: str, data: bytes) -> None:
        with self._mapped("written"):
            obstore.put(self._bucket, path, data)

    def _get(self, path: str, most_bytes: int) -> bytes | None:
        with self._mapped("read"):
            try:
                found = obstore.get(self._bucket, path)
                if found.meta["size"] > most_bytes:
                    raise StoreError(f"{path} in {self._where} is too large to be planner's", "Remove it.")
                return bytes(found.bytes())
            except FileNotFoundError:
                return None

    def _delete(self, paths: Sequence[str]) -> None:
        """Delete objects. Some services report one that is not there as an error; then the others are still there."""
        with self._mapped("written"):
            try:
                obstore.delete(self._bucket, paths)
            except FileNotFoundError:
                if len(paths) > 1:
                    for path in paths:
                        self._delete([path])

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
