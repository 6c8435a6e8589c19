"""Opens the log that an address and a name mean."""

from __future__ import annotations

from pathlib import Path

from planner.errors import UsageError
from planner.log.stores.folder import FolderStore
from planner.log.stores.git import GitStore
from planner.log.stores.store import Store
from planner.planfile.addresses import Bucket, Folder, GitRef, StoreAddress
from planner.stores.git_objects import GitRunner
from planner.values import frozen


@frozen
class Access:
    """What a machine opens stores with: where relative folders are, git in the repository, and the remote that shares
    refs (None: none does). `allow_http`: a bucket's service may lack TLS."""

    root: Path
    git: GitRunner
    remote: str | None
    allow_http: bool = False


def open_store(address: StoreAddress, name: str, writer: str, access: Access) -> Store:
    """The log of this name (`log_name`). `writer` is unique to the object that is returned. Raises `UsageError`."""
    match address:
        case Folder():
            return FolderStore(access.root / address.path, name, writer)
        case GitRef():
            return GitStore(access.git, f"{address.ref}/{name}", access.remote, writer)
        case Bucket():
            try:
                from planner.log.stores.bucket import BucketStore, open_bucket
            except ImportError as error:
                raise UsageError(
                    "an object store needs the extra `stores`; in planner's clone: uv tool install '.[stores]'",
                    "Or name a folder, or git:refs/planner/results.",
                ) from error
            bucket = open_bucket(address.url, allow_http=access.allow_http)
            return BucketStore(bucket, address.url, name, writer)
