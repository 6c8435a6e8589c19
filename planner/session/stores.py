"""Opens the store of results and the journal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl

from planner.errors import UsageError
from planner.planfile.model import Project
from planner.planfile.project.load import load_project
from planner.planfile.project.stores import store_fault
from planner.results.directory import DirectoryStore
from planner.results.git_ref import GitStore
from planner.results.repository import Access, ResultsRepository
from planner.results.shared_store import SharedRepository, Tiers
from planner.results.store import Backoff, BranchStore, Store, segment_for
from planner.session.folder_checks import STORE_NAMES, check_folder
from planner.session.git import Git, shared_remote
from planner.session.namespaces import namespace_of
from planner.session.selection import Selection
from planner.session.sharing import Shared, SharedRedaction
from planner.session.shell import Shell
from planner.session.verified_documents import VerifiedDocuments, verified_documents

DEFAULT_STORE = ".planner"
DEFAULT_ENVIRONMENT = "default"
KEPT_INVOCATIONS: Final = 100
"""Default number of sessions kept in a shared store (`?keep=`)."""

_GIT: Final = "git:"


@dataclass(frozen=True, slots=True)
class Place:
    """A store. Sandbox results have a store of their own and never mix with real ones.

    `directory` is on this machine: journal, lock and unredacted results. `shared` is where other machines see them.
    """

    directory: Path
    repository: ResultsRepository
    environment: str
    home: Path
    """`directory`, or its parent that was named or is the default."""
    verified: VerifiedDocuments
    shared: Shared | None = None
    base: ResultsRepository | None = None
    """What the default branch stored, in a job of a pull request; it is only read."""

    @property
    def journal_path(self) -> Path:
        return self.directory / "journal.sqlite"

    def make(self) -> None:
        """Create its folders, private and ignored by git. Raises `StoreError`."""
        DirectoryStore(self.home).make(ours=self.home.name == DEFAULT_STORE)
        DirectoryStore(self.directory).make()


def place_of(shell: Shell, root: Path, selection: Selection, project: Project | None = None) -> Place:
    """Open the store of a selection. `project` is read if not given. Raises `UsageError` for an invalid store."""
    project = load_project(root, cwd=shell.cwd)[0] if project is None else project
    named = selection.store or project.store or DEFAULT_STORE
    environment = selection.environment or DEFAULT_ENVIRONMENT
    is_shared = named.startswith(_GIT) or "://" in named
    if is_shared:
        home = root / DEFAULT_STORE
        directory = home / "shared" / segment_for(named)
    else:
        home = directory = shell.cwd / named if selection.store else root / named
    check_folder(shell, home, "--store", STORE_NAMES)
    if selection.sandbox:
        directory = directory / "sandbox"
    folder, now, verified = DirectoryStore(directory), shell.clock.now(), verified_documents(shell, root)
    namespace = namespace_of(shell.environ)
    access = Access(shell.keys.data, now, verified)
    local = BranchStore(folder, namespace) if namespace else folder
    if selection.store and not is_shared and (fault := store_fault(named)):
        raise UsageError(f"--store: {fault.partition(';')[0]}", "To use a folder of this name, write ./ before it.")
    if not is_shared:
        repository = ResultsRepository(local, access)
        base = ResultsRepository(folder, access) if namespace else None
        return Place(directory, repository, environment, home, verified, base=base)
    try:
        address, options = _options(named)
        remote = _shared_store(shell, root, address, options, sandbox=selection.sandbox)
        store = BranchStore(remote, namespace) if namespace else remote
        # Nothing is pruned in a bucket: its content does not show what another job is about to use.
        keep = _keep(named, options) if address.startswith(_GIT) else None
    except UsageError as error:
        if selection.store:
            raise
        raise UsageError(str(error).replace("--store ", "`store` in planner.yaml: ", 1), error.hint) from error
    redaction = SharedRedaction(project, shell.keys)
    repository = SharedRepository(Tiers(local, store), redaction, access, keep=keep)
    base = SharedRepository(Tiers(folder, remote), redaction, access, keep=keep) if namespace else None
    return Place(directory, repository, environment, home, verified, Shared(store, repository, redaction), base)


def _shared_store(shell: Shell, root: Path, address: str, options: dict[str, str], *, sandbox: bool) -> Store:
    backoff = Backoff(shell.chance, shell.pause)
    if address.startswith(_GIT):
        git = Git(root, shell.environ)
        ref = address.removeprefix(_GIT) + ("-sandbox" if sandbox else "")
        return GitStore(git, ref, remote=shared_remote(git, options.get("remote")), backoff=backoff)
    try:
        from planner.results.object_store import ObjectStore, open_bucket
    except ImportError as error:
        raise UsageError(
            f"--store {address}: an object store needs the extra `stores`; in planner's clone: uv tool install '.[stores]'",
            "Or name a folder, or git:refs/planner/results.",
        ) from error
    allow_http = shell.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true")
    bucket = open_bucket(address, allow_http=allow_http)
    return ObjectStore(bucket, address, folder="sandbox" if sandbox else "", backoff=backoff)


def _options(named: str) -> tuple[str, dict[str, str]]:
    """`git:refs/planner/results?remote=upstream&keep=50`."""
    address, _, query = named.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = {"keep", "remote"} if address.startswith(_GIT) else set[str]()
    if strange := sorted(set(options) - known):
        may = f"Options after ?: {', '.join(sorted(known))}." if known else "Remove ? and what follows."
        raise UsageError(f"--store {address}: unknown option {', '.join(strange)}", may)
    return address, options


def _keep(named: str, options: dict[str, str]) -> int:
    written = options.get("keep", str(KEPT_INVOCATIONS))
    if not written.isascii() or not written.isdigit() or not 1 <= int(written) <= 1_000_000:
        raise UsageError(f"--store {named}: keep={written} is not a number of sessions", "Write it as keep=100.")
    return int(written)
