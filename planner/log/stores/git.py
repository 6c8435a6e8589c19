"""A log in a git ref: a commit for each entry. Work tree, index, branches and configuration are untouched.

`push --force-with-lease` compares, and creates an entry and its documents at once, in one connection. A fetch gets the
commits since the last one. A checkpoint is a commit without a parent, so that the commits before it are fetched no
more; the tree of every later commit has its segments.

Documents are in refs of their own, one for each writer: who reads the log does not fetch them, a checkpoint does not
write them again, and only they are written anew when one is deleted. Entries name their objects, which are fetched one
at a time. A checkpoint joins these refs to one, since every push lists all refs of the remote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from planner.bounds import MAX_DOCUMENT_BYTES
from planner.errors import PlannerError, StoreError, UsageError
from planner.log.stores.chain import ChainedStore, NewSegment
from planner.log.stores.entries import DIGEST, Content, DamagedEntryError, Entry, Header, Position, parse_entry
from planner.log.stores.store import MAX_EVIDENCE_BYTES
from planner.stores.git_objects import Base, GitObjects, GitRunner
from planner.values import frozen

_ENTRY: Final = "entry"
"""The file of a commit's tree that has its entry."""
_SEGMENTS: Final = "segments"
_JOINED: Final = "joined-"
"""Refs of documents that a checkpoint has joined."""
_IDENTITY: Final = {"user.name": "planner", "user.email": "planner@localhost"}

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s']*@")
_NO_SUCH_REF: Final = "couldn't find remote ref"
_NO_RIGHTS: Final = re.compile(
    r"\b40[13]\b|Permission|denied|Authentication|could not read (?:Username|Password)|Repository not found"
    r"|does not appear to be a git repository|not permitted|dubious ownership|Read-only|Could not read from remote",
    re.IGNORECASE,
)
_FORBIDDEN: Final = re.compile(
    r"hook declined|protected|prohibited|deny|denied|not allowed|rule violation|GH0\d\d", re.IGNORECASE
)
_SOMEBODY_WAS_FIRST: Final = re.compile(r"stale info|fetch first|non-fast-forward")
_BUSY: Final = re.compile(r"cannot lock ref|failed to lock|\.lock'|shallow file has changed|unable to update local ref")
_ATTEMPTS: Final = 20
"""While another git holds the lock of a ref, for an instant."""
_FETCHING: Final = (
    *("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance"),
)
_PUSHING: Final = (
    *("--porcelain", "--atomic", "--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no"),
)
_FOREIGN: Final = "Somebody else wrote to this ref: choose another store, or delete the ref and run planner reconcile."
_RIGHTS_HINT: Final = (
    "The job needs permission to read and push {ref}: in GitHub Actions, `permissions: contents: write` and a "
    "checkout that keeps its credentials. Or choose another store."
)


@frozen
class _Tip:
    """The last commit of the log and the header of its entry; no commit: the log is empty."""

    commit: str = ""
    header: Header | None = None

    @property
    def number(self) -> int:
        return self.header.number if self.header else 0


@frozen
class _Update:
    """Of a ref; "" stands for no commit."""

    ref: str
    old: str
    new: str


class GitStore(ChainedStore):
    """The log in `ref`, whose name ends with `/log`. `remote` shares it; None: only in this repository."""

    def __init__(self, git: GitRunner, ref: str, remote: str | None, writer: str) -> None:
        self._git = git
        self._ref = ref
        self._remote = remote
        self._documents_folder = ref.removesuffix("log") + "evidence"
        self._objects = GitObjects(git)
        self._attempt = 0
        """How many tracking refs could not be locked, perhaps because a git was killed."""
        self._tip: _Tip | None = None
        self._queued: dict[str, bytes] = {}
        """Documents that the next append takes along."""
        self._documents_tip = _Update("", "", "")
        """The ref of this writer's documents, if there is one."""
        self._indexed = Position()
        self._index: dict[str, str] = {}
        """The objects of documents, by digest, as entries up to `_indexed` name them."""
        where = f"{ref} of the remote {remote}" if remote else ref
        super().__init__(f"the log in {where}", writer)

    # Entries and segments

    def _numbers(self, first: int) -> Sequence[int]:
        return self._known_numbers(self._refresh(), first)

    def _known_numbers(self, tip: _Tip, first: int) -> Sequence[int]:
        return range(max(first, tip.header.start), tip.number + 1) if tip.header else []

    def _load(self, numbers: Sequence[int]) -> Sequence[bytes | None]:
        tip = self._tip or self._refresh()
        back = tip.number - min(numbers) + 1
        commits: list[str] = []
        if tip.commit and back > 0:
            commits = self._run("read", "rev-list", "--first-parent", f"--max-count={back}", tip.commit).split()
        commit_of = dict(zip(range(tip.number, 0, -1), commits, strict=False))
        found = self._read_blobs([f"{commit}:{_ENTRY}" for commit in commit_of.values()], MAX_DOCUMENT_BYTES)
        data_of = dict(zip(commit_of, found, strict=True))
        return [data_of.get(number) for number in numbers]

    def _create(self, entry: Entry, segment: NewSegment | None) -> bool:
        number = entry.header.number
        for _ in range(_ATTEMPTS):
            tip = self._tip or self._refresh()
            if tip.number != number - 1:
                tip = self._refresh()
            if tip.number != number - 1:
                arrived = self._load([number])[0] == entry.data  # a push whose answer was lost
                return arrived and self._stored(entry)
            updates = [_Update(self._ref, tip.commit, self._commit(tip, entry, segment))]
            if entry.header.documents:
                updates.append(self._commit_documents(number))
            self._tip = None
            refused = self._swap(updates)
            if refused is None:
                self._tip = _Tip(updates[0].new, entry.header)
                self._documents_tip = updates[-1] if entry.header.documents else self._documents_tip
                return self._stored(entry)
            if _SOMEBODY_WAS_FIRST.search(refused):
                self._documents_tip = _Update("", "", "")  # a checkpoint may have joined it
                return False
            if not _BUSY.search(refused) and self._refresh().number < number:
                raise self._failed("written", refused)
        raise self._failed("written", "the ref stays locked")

    def _stored(self, entry: Entry) -> bool:
        for digest in entry.header.documents:
            self._queued.pop(digest, None)
        return True

    def _commit(self, tip: _Tip, entry: Entry, segment: NewSegment | None) -> str:
        writes = {_ENTRY: entry.data}
        base = Base(self._like(), parent=tip.commit)
        if segment is not None:
            writes[f"{_SEGMENTS}/{segment.digest}"] = segment.data
            tree = self._run("read", "rev-parse", f"{tip.commit}^{{tree}}")
            base = Base(self._like(), tree=tree)
        return self._make_commit(base, writes, f"planner: entry {entry.header.number}\n")

    def _counts(self, entry: Entry, known: Position) -> bool:
        """The push has compared."""
        del entry, known
        return True

    def _load_segment(self, digest: str) -> bytes | None:
        tip = self._tip or self._refresh()
        return self._read_blobs([f"{tip.commit}:{_SEGMENTS}/{digest}"], MAX_DOCUMENT_BYTES)[0]

    def _remove_before(self, number: int) -> None:
        """The entries went with their commits. Join the refs of documents."""
        tips = {ref: tip for ref, tip in self._fetch_document_refs().items() if f"/{_JOINED}" not in ref}
        if len(tips) < 2:
            return
        parents = [word for tip in tips.values() for word in ("-p", tip)]
        joined = self._commit_tree(b"", *parents)
        updates = [_Update(f"{self._documents_folder}/{_JOINED}{number}", "", joined)]
        updates += [_Update(ref, tip, "") for ref, tip in tips.items()]
        refused = self._swap(updates)
        if refused is not None and not _SOMEBODY_WAS_FIRST.search(refused):  # else the next checkpoint joins them
            raise self._failed("written", refused)
        self._documents_tip = _Update("", "", "")

    def _withdraw(self, number: int) -> None:
        """Never needed: the push has compared."""

    # Documents

    def _content(self, content: Content) -> Content:
        if not self._queued:
            return content
        like = self._like()
        objects = {digest: self._objects.blob_id(data, like) for digest, data in self._queued.items()}
        return Content(content.lines, content.segments, objects)

    def _put_document(self, digest: str, document: bytes) -> None:
        self._queued[digest] = document

    def _commit_documents(self, number: int) -> _Update:
        """Add the queued documents to the ref of this writer."""
        ref, tip = self._documents_tip.ref, self._documents_tip.new
        if not ref:
            ref = f"{self._documents_folder}/{re.sub(r'[^A-Za-z0-9-]', '-', self._writer)}-{number}"
        base = Base(self._like(), parent=tip)
        return _Update(ref, tip, self._make_commit(base, self._queued, "planner: documents\n"))

    def _get_document(self, digest: str) -> bytes | None:
        if digest in self._queued:
            return self._queued[digest]
        oid = self._find_document(digest)
        if oid is None:
            return None
        found = self._read_blobs([oid], MAX_EVIDENCE_BYTES)[0]
        if found is None and self._remote is not None:
            fetched = self._git("fetch", *_FETCHING, self._remote, oid)
            if fetched.code != 0 and "not our ref" not in fetched.said:
                raise self._failed("read", fetched.said)
            found = self._read_blobs([oid], MAX_EVIDENCE_BYTES)[0]
        return found

    def _find_document(self, digest: str) -> str | None:
        tip = self._tip or self._refresh()
        if tip.number != self._indexed.number:
            entries = self._entries_after(self._indexed, self._known_numbers(tip, self._indexed.number))
            for entry in entries or ():
                self._index.update(entry.header.documents)
                for deleted in entry.header.deleted:
                    self._index.pop(deleted, None)
                self._indexed = entry.position
        return self._index.get(digest)

    def _delete_documents(self, digests: Sequence[str]) -> None:
        """Name them as deleted in the log, then write the refs that have them anew. If the process dies between, do it
        again. Objects that no ref has remain until the repository is pruned."""
        for digest in digests:
            self._queued.pop(digest, None)
        for _ in range(_ATTEMPTS):
            at = self._end()
            if self._append(at, Content(deleted=digests)) is not None:
                break
        else:
            raise self._failed("written", "other jobs write to it at the same time")
        for _ in range(_ATTEMPTS):
            refused = self._swap(self._without(frozenset(digests)))
            if refused is None:
                return
            if not _SOMEBODY_WAS_FIRST.search(refused) and not _BUSY.search(refused):
                raise self._failed("written", refused)
        raise self._failed("written", "other jobs write to it at the same time")

    def _end(self) -> Position:
        tip = self._refresh()
        if tip.number == 0:
            return Position()
        return self._parse(tip.number, self._load([tip.number])[0] or b"").position

    def _without(self, digests: frozenset[str]) -> list[_Update]:
        """The refs that have one of these documents, each with one commit that has its others."""
        updates: list[_Update] = []
        for ref, tip in self._fetch_document_refs().items():
            listed = self._run("read", "rev-list", "--objects", tip).splitlines()
            objects = {name: oid for oid, _, name in (line.partition(" ") for line in listed) if DIGEST.fullmatch(name)}
            if digests.isdisjoint(objects):
                continue
            tree = "".join(f"100644 blob {oid}\t{name}\n" for name, oid in objects.items() if name not in digests)
            updates.append(_Update(ref, tip, self._commit_tree(tree.encode())))
            if ref == self._documents_tip.ref:
                self._documents_tip = _Update("", "", "")
        return updates

    def _fetch_document_refs(self) -> dict[str, str]:
        """The commit of each ref with documents, all of which are fetched."""
        folder = self._documents_folder
        if self._remote is not None:
            folder = f"{self._tracking}-documents"
            spec = f"+{self._documents_folder}/*:{folder}/*"
            fetched = self._git("fetch", *_FETCHING, "--prune", self._remote, spec)
            if fetched.code != 0:
                raise self._failed("read", fetched.said)
        listed = self._run("read", "for-each-ref", "--format=%(objectname) %(refname)", f"{folder}/").splitlines()
        pairs = (line.split(" ", 1) for line in listed)
        tips = {self._documents_folder + ref.removeprefix(folder): tip for tip, ref in pairs}
        if self._remote is not None:  # so that git prunes them here some day
            deletions = "".join(f"delete {folder}{ref.removeprefix(self._documents_folder)}\n" for ref in tips)
            self._git("update-ref", "--stdin", stdin=deletions.encode())
        return tips

    # Refs

    @property
    def _tracking(self) -> str:
        """Where the remote's ref is fetched to."""
        return f"refs/planner-tracking/{self._remote}/{self._ref.removeprefix('refs/')}"

    @property
    def _tracked(self) -> str:
        if self._remote is None:
            return self._ref
        return f"{self._tracking}-{self._attempt}" if self._attempt else self._tracking

    def _refresh(self) -> _Tip:
        """Read the end of the log."""
        before, self._tip = self._tip, None
        if self._remote is not None and not self._fetch(self._remote):
            self._tip = _Tip()
            return self._tip
        found = self._git("rev-parse", "--verify", "--quiet", f"{self._tracked}^{{commit}}")
        if found.code != 0:
            self._like()  # raises if there is no repository
            self._tip = _Tip()
            return self._tip
        commit = found.out.decode().strip()
        if before is None or before.commit != commit:
            data = self._read_blobs([f"{commit}:{_ENTRY}"], MAX_DOCUMENT_BYTES)[0]
            with self._naming("the last entry"):
                if data is None:
                    raise DamagedEntryError("its commit has no entry")
                before = _Tip(commit, parse_entry(data).header)
        self._tip = before
        return before

    def _fetch(self, remote: str) -> bool:
        """Fetch the log; False if the remote has none."""
        for _ in range(_ATTEMPTS):
            fetched = self._git("fetch", *_FETCHING, remote, f"+{self._ref}:{self._tracked}")
            if fetched.code == 0:
                return True
            if _NO_SUCH_REF in fetched.said:
                return False
            if not _BUSY.search(fetched.said):
                raise self._failed("read", fetched.said)
            self._attempt += 1
        raise self._failed("read", "its copy in this repository stays locked")

    def _swap(self, updates: Sequence[_Update]) -> str | None:
        """Update all refs if none has changed, or none. Returns why not. Raises if nobody may."""
        if not updates:
            return None
        if self._remote is None:
            zero = "0" * len(self._like())
            wanted = (f"update {each.ref} {each.new or zero} {each.old or zero}\n" for each in updates)
            done = self._git("update-ref", "--stdin", stdin="".join(wanted).encode())
            if re.search(r"already exists|but expected", done.said):
                return f"stale info: {done.said}"
            return None if done.code == 0 else done.said
        leases = [f"--force-with-lease={each.ref}:{each.old}" for each in updates]
        specs = [f"{each.new}:{each.ref}" for each in updates]
        pushed = self._git("push", *_PUSHING, *leases, self._remote, *specs)
        if pushed.code == 0:
            if updates[0].ref == self._ref:
                self._git("update-ref", self._tracked, updates[0].new)  # if this fails, the next fetch does it
            return None
        answers = pushed.out.decode(errors="replace").splitlines()
        rejected = "\n".join(line for line in answers if line.startswith("!"))
        if forbidden := _FORBIDDEN.search(rejected):
            line = next(line for line in rejected.splitlines() if forbidden[0] in line)
            raise UsageError(
                f"the remote {self._remote} rejects pushes to {self._ref}: {_last_line(line)}",
                f"Allow {self._ref} in its rules. " + _RIGHTS_HINT.format(ref=self._ref),
            )
        if not rejected and _NO_RIGHTS.search(pushed.said):
            raise self._failed("written", pushed.said)
        return rejected or pushed.said or "git gave no reason"

    # Objects

    def _like(self) -> str:
        """An id in the format of this repository."""
        if self._tip is not None and self._tip.commit:
            return self._tip.commit
        return self._run("written", "hash-object", "--stdin")

    def _make_commit(self, base: Base, writes: Mapping[str, bytes], message: str) -> str:
        made = self._objects.commit(base, writes, message)
        if made.code != 0:
            raise self._failed("written", made.said)
        return made.out.decode().strip()

    def _commit_tree(self, entries: bytes, *parents: str) -> str:
        """A commit whose tree has these entries, in the format of `git mktree`."""
        tree = self._git("mktree", stdin=entries)
        if tree.code != 0:
            raise self._failed("written", tree.said)
        words = ("commit-tree", "-m", "planner: documents", *parents, tree.out.decode().strip())
        made = self._git(*words, config=_IDENTITY)
        if made.code != 0:
            raise self._failed("written", made.said)
        return made.out.decode().strip()

    def _read_blobs(self, names: Sequence[str], most_bytes: int) -> list[bytes | None]:
        """The content of these objects; None for one that this repository does not have."""
        if not names:
            return []
        asked = "".join(f"{name}\n" for name in names).encode()
        checked = self._git("cat-file", "--batch-check=%(objecttype) %(objectsize)", "--buffer", stdin=asked)
        answers = [line.split() for line in checked.out.decode(errors="replace").splitlines()]
        if checked.code != 0 or len(answers) != len(names):
            raise self._failed("read", checked.said)
        sizes = {name: int(size) for name, (kind, size) in zip(names, answers, strict=True) if kind == "blob"}
        if sum(answer[-1] == "missing" for answer in answers) + len(sizes) < len(names):
            raise StoreError(f"{self._where} has something that is not a file", _FOREIGN)
        if max(sizes.values(), default=0) > most_bytes or sum(sizes.values()) > MAX_DOCUMENT_BYTES:
            raise StoreError(f"{self._where} has a file that is too large to be planner's", _FOREIGN)
        read = self._git(
            "cat-file", "--batch=%(objecttype)", "--buffer", stdin="".join(f"{name}\n" for name in sizes).encode()
        )
        found: dict[str, bytes] = {}
        at = len("blob\n")
        for name, size in sizes.items():
            found[name] = read.out[at : at + size]
            at += size + len("\nblob\n")
        if read.code != 0 or at != len(read.out) + len("blob\n"):
            raise self._failed("read", read.said)
        return [found.get(name) for name in names]

    # Asking git

    def _run(self, done: str, *arguments: str) -> str:
        answer = self._git(*arguments)
        if answer.code != 0:
            raise self._failed(done, answer.said)
        return answer.out.decode(errors="replace").strip()

    def _failed(self, done: str, said: str) -> PlannerError:
        if "not a git repository" in said or "cannot use bare repository" in said:
            return UsageError(
                f"the store git:{self._ref} needs a git repository",
                "Run the command inside a repository, or choose another store.",
            )
        message = f"{self._where} cannot be {done}: {_last_line(said)}"
        if _NO_RIGHTS.search(said):
            return UsageError(message, _RIGHTS_HINT.format(ref=self._ref))
        return StoreError(message, "Check the network and the repository, then run the same command again.")


def _last_line(said: str) -> str:
    """Git's most relevant message, without credentials in addresses."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    shown = [line for line in lines if re.match(r"(fatal|error|remote|!)", line)] or lines[-1:]
    text = _CREDENTIALS.sub("", next(iter(shown), "git gave no reason"))
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
