"""Opens the store of results and the journal: where they are, who may use them now, and whether the folder came with
the checkout."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from planner.ci.event import QUEUE_DEPTH, group_namespaces, is_public
from planner.ci.git import Git, repository_of, shared_remote
from planner.ci.target_branch import target_namespaces
from planner.errors import PlannerError, StoreError, UsageError
from planner.log.facts import Call, Fact, Intent, Outcome, Reader, Session
from planner.log.fold import LONGEST_RUN, Stage, State, facts_of, fold
from planner.log.stores.store import LogWentBackError, log_name
from planner.planfile.addresses import Bucket, Folder, GitRef, StoreAddress, parse_store
from planner.planfile.model import Project
from planner.quantities import count, moment
from planner.results.repository import Access, ResultsRepository, VerifiedDocuments
from planner.shell import Shell, print_diagnostics
from planner.stores.directory import OPENING, DirectoryStore, locked_file, locked_folder
from planner.stores.store import BRANCHES, UnverifiedKeys, of_branches, segment_for
from planner.values import frozen
from planner.workspace.selection import Loaded, Selection, is_run, job_namespace, load, load_current_project
from planner.workspace.sharing import open_shared, remote_store

if TYPE_CHECKING:
    from planner.log.local import LocalLog
    from planner.log.stores.store import Store
    from planner.workspace.sharing import Shared

STORE_NAMES: Final = (
    *("branches", "calls", "change-sets", "evidence", "intents", "originals", "runs", "sandbox", "sessions", "shared"),
    *("unshared", "unshared-files", "votes", "world", "log.db", "votes.sqlite"),
)
_MANY_FILES: Final = frozenset({"evidence", "originals", "runs", "votes"})
"""Folders with very many files; the store itself refuses links in them."""


# Folders that came with the checkout


def check_folder(shell: Shell, folder: Path, option: str, names: Sequence[str]) -> None:
    """Check a folder. `option` chooses another one. `names` are planner's files in it, which are all that matters if it
    is the whole repository.

    Raises `UsageError` if git tracks the folder, or it or something in it links outside the repository.
    """
    if not os.path.lexists(folder):
        return
    repository = repository_of(folder)
    if repository is None:
        return
    shown = os.path.relpath(folder, shell.cwd)
    whole = repository.is_relative_to(folder)
    for path in (folder, *_links(folder)) if not whole else (folder / name for name in names):
        if path.is_symlink() and not path.resolve().is_relative_to(repository):
            raise UsageError(
                f"{os.path.relpath(path, shell.cwd)} is a link to {path.resolve()}, outside the repository",
                f"Remove the link. To keep files elsewhere, use {option}.",
            )
    places = [folder / name for name in names] if whole else [folder, folder.resolve()]
    if tracked := _tracked(shell, repository, places):
        raise UsageError(
            f"git tracks {tracked}, so a commit can change {shown}, and planner does not trust it",
            f"Remove it from git (git rm -r --cached {tracked.partition('/')[0] if whole else shown}) and add it to "
            f".gitignore, or choose another folder with {option}.",
        )


def _links(folder: Path) -> Iterator[Path]:
    """All links in the folder, except in folders with very many files."""
    for at, folders, files in os.walk(folder):
        yield from (path for name in (*folders, *files) if (path := Path(at, name)).is_symlink())
        folders[:] = [name for name in folders if name not in _MANY_FILES]


def _tracked(shell: Shell, repository: Path, places: Sequence[Path]) -> str:
    """The first file in these places that git tracks, or "". Names are compared case-insensitively, as some file
    systems do."""
    wanted: dict[str, None] = {}
    for place in places:
        wanted[os.fspath(place)] = None
        if place.parent.is_dir():
            same = (entry for entry in place.parent.iterdir() if entry.name.casefold() == place.name.casefold())
            wanted.update(dict.fromkeys(os.fspath(entry) for entry in same))
    inside = [path for path in wanted if Path(path).parent.resolve().is_relative_to(repository)]
    if not inside:
        return ""
    listed = Git(repository, shell.environ)("ls-files", "-z", "--", *inside)
    if listed.code != 0:
        if "not a git repository" in listed.said:  # an invalid `.git`, which tracks nothing
            return ""
        raise UsageError(
            f"git cannot list the tracked files in {inside[0]}: "
            f"{(listed.said or 'git gave no reason').splitlines()[-1]}",
            "Check the repository, then run the same command again.",
        )
    return listed.out.partition(b"\0")[0].decode("utf-8", "replace")


def verified_documents(shell: Shell, root: Path) -> VerifiedDocuments:
    """The digests in the user's cache folder. A cache folder inside the repository is not used, since it may come with
    the tree under test."""
    environ = shell.environ
    named = environ.get("XDG_CACHE_HOME") or environ.get("LOCALAPPDATA") or ""
    folder = Path(named) if named else Path(environ.get("HOME", "")) / ".cache"
    top = (repository_of(root) or root).resolve()
    if not folder.is_absolute() or folder.resolve().is_relative_to(top):
        return VerifiedDocuments(None)
    return VerifiedDocuments(folder / "planner" / "verified")


# Opening a store

DEFAULT_STORE = ".planner"
SANDBOX = "sandbox"
DEFAULT_WORLD = "demo"
DEFAULT_ENVIRONMENT = "default"


@frozen
class OpenedStore:
    """A store. Sandbox results have a folder of their own and never mix with real ones. Only jobs of GitHub, which have
    no folder in common, share them.

    `directory` is on this machine: journal, lock and unredacted results. `shared` is where other machines see them.
    """

    directory: Path
    repository: ResultsRepository
    environment: str
    home: Path
    """`directory`, or its parent that was named or is the default."""
    verified: VerifiedDocuments
    namespace: str = ""
    """Where a job of a pull request or branch keeps its results; "" for the default branch and other machines."""
    shared: Shared | None = None
    base: ResultsRepository | None = None
    """What the default branch stored, in a job of a pull request; it is only read."""
    target: ResultsRepository | None = None
    """What the branch stored that the pull request targets: `base`, or the results of another branch; only read. None
    if the CI system does not name the branch."""
    unverified: Callable[[str], AbstractSet[str]] = lambda _: frozenset()
    """The keys with a prefix of merged pull requests that are not verified yet."""
    world: str = ""
    """The name or file of the sandbox's world; "" for real calls."""

    account: str = "unknown"
    """A digest of the service: facts of another one count for nothing."""
    open_log: Callable[[str], tuple[str, Store]] | None = None
    """Opens the store's log of a namespace, with what names it; None if the logs are on this machine only."""

    @property
    def journal_path(self) -> Path:
        return self.path_of(self.namespace)

    def path_of(self, namespace: str) -> Path:
        """Where this machine has the log of a namespace."""
        return self.directory / namespace / "log.db"

    def log_store(self, namespace: str) -> tuple[str, Store] | None:
        return None if self.open_log is None else self.open_log(namespace)

    def make(self) -> None:
        """Create its folders, private and ignored by git. Raises `StoreError`."""
        DirectoryStore(self.home).make(ours=self.home.name == DEFAULT_STORE)
        DirectoryStore(self.directory).make()


def place_of(
    shell: Shell, root: Path, selection: Selection, project: Project, *, only_promoted: bool = False
) -> OpenedStore:
    """Open the store of a selection. `only_promoted` leaves out merged pull requests that are not verified yet. Raises
    `UsageError` for an invalid store."""
    named = selection.store or project.store or DEFAULT_STORE
    environment = selection.environment or DEFAULT_ENVIRONMENT
    where = "--store" if selection.store else "`store` in planner.yaml"
    try:
        address = parse_store(named)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error
    if selection.sandbox and not isinstance(address, Folder) and not shell.environ.get("GITHUB_EVENT_NAME"):
        address = Folder(str(root / DEFAULT_STORE))
    if isinstance(address, Folder):
        home = directory = (shell.cwd if selection.store else root) / address.path
    else:
        home = root / DEFAULT_STORE
        directory = home / "shared" / segment_for(named)
    check_folder(shell, home, "--store", STORE_NAMES)
    if selection.sandbox:
        directory = directory / SANDBOX
    world = _world(shell, root, selection, project)
    folder, now, verified = DirectoryStore(directory), shell.clock.now(), verified_documents(shell, root)
    named_spaces = _namespaces(shell, root, selection)
    own = named_spaces[0] if named_spaces else ""
    targets = target_namespaces(shell) if named_spaces else ()
    namespaces = (
        () if only_promoted and not own else (own, *named_spaces[1:], *(each for each in targets or () if each))
    )
    access = Access(shell.keys.data, now, verified, lambda text: shell.log(f"warning: {text}"))
    if isinstance(address, Folder) or (selection.offline and isinstance(address, Bucket)):

        def here(namespaces: Sequence[str], /) -> ResultsRepository:
            return ResultsRepository(of_branches(folder, namespaces), access)

        others = (*_others(here, namespaces, targets), UnverifiedKeys([folder], own))
        opened_here = OpenedStore(directory, here(namespaces), environment, home, verified, own, None, *others, world)
        return replace(opened_here, account=account_of(shell))
    git = Git(root, shell.environ)
    # Sandbox results quote nobody.
    if isinstance(address, GitRef) and not (selection.sandbox or project.store_public) and is_public(shell.environ):
        raise UsageError(
            f"this repository is public: everyone could read the results and transcripts in {address.ref}",
            "Use a bucket, or agree to this with `store_public: true` in planner.yaml.",
        )
    try:
        remote = remote_store(shell, git, address, sandbox=selection.sandbox, offline=selection.offline)
    except UsageError as error:
        raise UsageError(f"{where}: {error}", error.hint) from error
    shared, opened = open_shared(shell, project, remote, (folder, namespaces, access))
    others = (*_others(opened, namespaces, targets), UnverifiedKeys([folder, remote], own))
    found = OpenedStore(directory, shared.repository, environment, home, verified, own, shared, *others, world)
    if not shares_log(selection):
        return replace(found, account=account_of(shell))
    project_folder = named_project(root, project)

    def open_log(namespace: str) -> tuple[str, Store]:
        name = log_name(project_folder, unquote(namespace.removeprefix(BRANCHES).rstrip("/")))
        return f"{named} {name}", _open_log(shell, git, address, name)

    return replace(found, account=account_of(shell), open_log=open_log)


def shares_log(selection: Selection) -> bool:
    """Whether the log is in the store, too. Each machine has a sandbox of its own, whose runs are counted from 1."""
    return not (selection.offline or selection.sandbox)


def _open_log(shell: Shell, git: Git, address: StoreAddress, name: str) -> Store:
    """The log of this name in a store. A ref's log is beside it, since git allows no ref below another one."""
    from planner.log.stores.opening import Access as LogAccess
    from planner.log.stores.opening import open_store

    remote = None
    if isinstance(address, GitRef):
        remote = shared_remote(git, address.remote)
        address = GitRef(f"{address.ref}-log", address.remote)
    allow_http = shell.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true")
    return open_store(address, name, shell.new_id(), LogAccess(git.folder, git, remote, allow_http))


def named_project(root: Path, project: Project) -> str:
    """`name` of planner.yaml, or its folder in the repository; "" for the top, and outside of a repository."""
    if project.name is not None:
        return project.name
    root, repository = root.resolve(), repository_of(root.resolve())
    return "" if repository in (None, root) else root.relative_to(repository).as_posix()


def account_of(shell: Shell) -> str:
    """A digest of the service that is called."""
    from planner.workspace.service import base_url_of

    return sha256(base_url_of(shell.environ).encode()).hexdigest()[:32]


def _world(shell: Shell, root: Path, selection: Selection, project: Project) -> str:
    """The name of the world, or its path from the working directory; "" for real calls."""
    if not selection.sandbox:
        return ""
    own = project.sandbox_world
    if selection.world is None and own is not None and (root / own).exists():
        return os.path.relpath(root / own, shell.cwd)
    return selection.world or own or DEFAULT_WORLD


def _others(
    opened: Callable[[Sequence[str]], ResultsRepository], namespaces: Sequence[str], targets: Sequence[str] | None
) -> tuple[ResultsRepository | None, ResultsRepository | None]:
    """What the default branch and the target branch stored, for a job of a branch."""
    if not namespaces or not namespaces[0]:
        return None, None
    base = opened(())
    return base, None if targets is None else opened(targets) if targets else base


def _namespaces(shell: Shell, root: Path, selection: Selection) -> Sequence[str]:
    """The namespaces of this job: its own, then those of the other pull requests of a merge group."""
    own = job_namespace(shell, selection)
    if not own or shell.environ.get("GITHUB_EVENT_NAME") != "merge_group":
        return (own,) if own else ()
    newest = ("log", "--first-parent", f"--max-count={QUEUE_DEPTH}", "--format=%s", "HEAD")
    subjects = Git(root, shell.environ)(*newest).out.decode(errors="replace").splitlines()
    return (own, *group_namespaces(subjects, own))


@frozen
class Workspace:
    """What most commands work with: the selected plans, and their store."""

    shell: Shell
    selection: Selection
    loaded: Loaded
    place: OpenedStore


def open_workspace(
    shell: Shell, selection: Selection, *, only_promoted: bool = False, may_be_empty: bool = False
) -> Workspace:
    """Load the plans, print their warnings, and open the store. Raises like `load` and `place_of`."""
    loaded = load_selected(shell, selection, may_be_empty=may_be_empty)
    print_diagnostics(shell, loaded.diagnostics)
    place = place_of(shell, loaded.root, selection, loaded.project, only_promoted=only_promoted)
    return Workspace(shell, selection, loaded, place)


def load_selected(shell: Shell, selection: Selection, *, may_be_empty: bool = False) -> Loaded:
    """Like `load`; `--select` may also name the id of a stored run or call, for its case."""
    select = tuple(case_of_run(shell, selection, each) or each for each in selection.select)
    return load(shell, replace(selection, select=select), may_be_empty=may_be_empty)


def case_of_run(shell: Shell, selection: Selection, wanted: str) -> str | None:
    """The case of the stored run or call with this id, by the newest session that has it."""
    if not wanted.isdecimal():
        return None
    _, place = open_results(shell, selection)
    sessions = place.repository.sessions_of(selection.environment or "", sandbox=selection.sandbox)
    cases = (case for session in sessions for case in session.cases)
    return next((case.case_id for case in cases if any(is_run(wanted, run) for run in case.all_runs)), None)


def open_results(shell: Shell, selection: Selection) -> tuple[Project, OpenedStore]:
    """The project and its store, for commands that read no plans. Raises like `load_current_project` and `place_of`."""
    root, project = load_current_project(shell, selection.base)
    return project, place_of(shell, root, selection, project)


@contextmanager
def opened_log(shell: Shell, place: OpenedStore, *, restores: bool = False) -> Generator[LocalLog]:
    """The log of this place, to be written under its lock; in a job of a pull request, it includes what the default
    branch's says. At the end, also of a body that fails, what was noted is shared. With `restores`, facts that the
    store lost are appended again.

    Raises `StoreError`, `UsageError` if it cannot be read, so no call is made.
    """
    from planner.log.local import LocalLog

    check_no_older(place.journal_path)
    log = LocalLog(
        place.journal_path,
        place.account,
        shell.clock.now,
        place.log_store(place.namespace),
        read_base=partial(_base_facts, shell, place) if place.namespace else None,
    )
    with closing(log):
        try:
            log.read()
        except LogWentBackError:
            if not restores:
                raise
            log.restore()
            log.read()
        warn_of_ignored(shell, log.state)
        try:
            yield log
        finally:
            try:
                log.publish()
                if place.shared is not None:
                    place.shared.repository.publish()
            except PlannerError as error:
                shell.log(error.with_hint)


def log_to_read(shell: Shell, place: OpenedStore) -> LocalLog | None:
    """The log of this place as `opened_log`, for a command that changes nothing. None if there is none."""
    log, base = read_log(shell, place, place.namespace), _base_facts(shell, place)
    if log is None and base:
        log = empty_log(shell, place)
    if log is not None:
        log.state.add_elsewhere(base)
    return log


def empty_log(shell: Shell, place: OpenedStore) -> LocalLog:
    from planner.log.journal import IN_MEMORY
    from planner.log.local import LocalLog

    return LocalLog(IN_MEMORY, place.account, shell.clock.now)


def read_log(shell: Shell, place: OpenedStore, namespace: str) -> LocalLog | None:
    """The log of one namespace, without changing anything: in memory if it cannot be written, or as a copy. None if
    there is none. Raises `StoreError`, `UsageError`."""
    from planner.log.journal import IN_MEMORY
    from planner.log.local import LocalLog

    path, store = place.path_of(namespace), place.log_store(namespace)
    check_no_older(path)
    exists = path.exists()
    if not exists and store is None:
        return None
    is_writable = exists and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    is_copied = exists and (store is not None or not is_writable)
    log = LocalLog(path if exists else IN_MEMORY, place.account, shell.clock.now, store, read_only=is_copied)
    if store is not None:
        log.read()
    return log


def check_no_older(path: Path) -> None:
    """Raises `UsageError` if an older version of planner kept its launches beside this log."""
    old = path.with_name(OLD_FILE)
    if old.exists():
        raise UsageError(
            f"{old} was written by an older version of planner, which this one cannot read",
            "Finish its calls with that version, then move the file away; or choose another --store.",
        )


def _base_facts(shell: Shell, place: OpenedStore) -> list[Fact]:
    """In a job of a pull request: the calls of the default branch's log, which are not made again, and which of them
    are in results. None of its consents is resumed, and none of its copies of agents deleted. A sandbox is left out:
    each machine's has the same run ids."""
    base = read_log(shell, place, "") if place.namespace and not place.world else None
    if base is None:
        return []
    with closing(base):
        return [
            replace(fact, consent_id="", done=()) if isinstance(fact, Session) else fact
            for fact in facts_of(base.state)
            if isinstance(fact, Intent | Outcome | Call | Session)
        ]


def remove_log(shell: Shell, place: OpenedStore, number: int) -> bool:
    """Remove the log of a pull request from a store. What it spent is in its reports and in the service's list. A log
    on this machine only is a file beside its results, and goes with them.

    False if that log has launches that are not settled: then nothing is removed.
    """
    namespace, now = f"{BRANCHES}{number}/", shell.clock.now()
    opened = place.log_store(namespace)
    if opened is None:
        log = read_log(shell, place, namespace)
        if log is None:
            return True
        with closing(log):
            return not _has_open_launches(log.state, now)
    lines, position = opened[1].read()
    return not _has_open_launches(fold(lines, Reader(place.account, now)), now) and opened[1].remove(position)


def _has_open_launches(state: State, now: datetime) -> bool:
    """Whether calls may be under way."""
    return any(intent.at > now - LONGEST_RUN for _, intent in state.at_stage(Stage.OPEN, Stage.UNREAD))


def warn_of_ignored(shell: Shell, state: State) -> None:
    """Name the lines of the log that count for nothing, by the reason, with an example."""
    by_reason: dict[str, list[str]] = {}
    for ignored in state.ignored.values():
        by_reason.setdefault(ignored.why.value, []).append(ignored.detail)
    for reason, details in by_reason.items():
        detail = f" ({details[0]})" if details[0] else ""
        shell.log(f"warning: {count(len(details), 'line')} of the log ignored: {reason}{detail}")


OLD_FILE: Final = "journal.sqlite"
"""Where versions before the log kept their launches."""
_BUSY = (errno.EAGAIN, errno.EACCES)
_LOCK = "lock"
_LONGEST_NAME = 500


# One session at a time


@contextmanager
def locked(shell: Shell, place: OpenedStore, command: str) -> Generator[None]:
    """Hold the lock while the body runs. `command` is what was typed. Raises `StoreError` if another session holds the
    lock (named in the message), or the folder cannot be written or locked."""
    path = place.directory / _LOCK
    with ExitStack() as stack:
        try:
            place.make()
            DirectoryStore(place.directory).check_writable(place.namespace)
            file = os.open(path, OPENING, 0o600)
        except OSError as error:
            raise StoreError(
                f"the store {place.directory} cannot be written: {error.strerror}",
                "Fix its permissions, or choose another --store.",
            ) from error
        stack.callback(os.close, file)
        try:
            stack.enter_context(locked_file(file, path, wait=False))
            stack.enter_context(locked_folder(place.directory))  # somebody may delete the file as a leftover
        except OSError as error:
            if error.errno in _BUSY:
                raise StoreError(
                    f"the store {place.directory} is in use by "
                    f"{os.read(file, _LONGEST_NAME).decode(errors='replace') or 'another process'}",
                    "Wait until it ends; its lock ends with it. To run at the same time, choose another --store.",
                ) from error
            raise StoreError(
                f"the store {place.directory} cannot be locked: {error.strerror}",
                "Choose a --store on a local disk: without a lock, two sessions could pay for the same calls.",
            ) from error
        with suppress(OSError):  # informational only, so a full disk does not matter
            os.ftruncate(file, 0)
            name = f"{shell.process} since {moment(shell.clock.now())}: {command}"
            os.write(file, name.encode(errors="replace")[:_LONGEST_NAME])
        yield
