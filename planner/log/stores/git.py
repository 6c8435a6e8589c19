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
from collections.abc import Sequence
from typing import Final

from planner.bounds import MAX_DOCUMENT_BYTES
from planner.errors import PlannerError, StoreError, UsageError
from planner.log.stores.chain import ChainedStore
from planner.log.stores.entries import DIGEST, Content, Entry, Position
from planner.log.stores.store import MAX_EVIDENCE_BYTES
from planner.stores.git_objects import Base, GitAnswer, GitObjects, GitRunner
from planner.values import frozen

_ENTRY: Final = "entry"
"""The file of a commit's tree that has its entry."""
_SEGMENTS: Final = "segments"
_IDENTITY: Final = {"user.name": "planner", "user.email": "planner@localhost"}
_THIS_REPOSITORY: Final = "."
"""What git calls it as a remote."""

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s']*@")
_NO_SUCH_REF: Final = "couldn't find remote ref"
_NO_SUCH_OBJECT: Final = "not our ref"
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
    """The last commit of the log and its entry; no commit: the log is empty."""

    commit: str = ""
    entry: Entry | None = None

    @property
    def position(self) -> Position:
        return self.entry.position if self.entry else Position()


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
        self._remote = remote or _THIS_REPOSITORY
        self._tracking = f"refs/planner-tracking/{remote or 'here'}/{ref.removeprefix('refs/')}"
        """Where the remote's refs are fetched to."""
        self._tracked = self._tracking
        self._documents_folder = ref.removesuffix("log") + "evidence"
        self._objects = GitObjects(git)
        self._tip: _Tip | None = None
        self._queued: dict[str, bytes] = {}
        """Documents that the next append takes along."""
        self._documents_tip = _Update("", "", "")
        """The ref of this writer's documents, if there is one."""
        self._indexed = Position()
        self._index: dict[str, str] = {}
        """The objects of documents, by digest, as entries up to `_indexed` name them."""
        super().__init__(f"the log in {ref}" + (f" of the remote {remote}" if remote else ""), writer)

    # Entries and segments

    def _numbers(self, first: int) -> Sequence[int]:
        end = self._refresh().position
        return range(max(first, end.start), end.number + 1)

    def _load(self, numbers: Sequence[int]) -> Sequence[bytes | None]:
        tip = self._tip or self._refresh()
        if tip.position.number < max(numbers):
            tip = self._refresh()
        last = tip.position.number
        if tip.entry is not None and list(numbers) == [last]:
            return [tip.entry.data]
        back = last - min(numbers) + 1
        if back <= 0:
            return [None for _ in numbers]
        commits = self._run("read", "rev-list", "--first-parent", f"--max-count={back}", tip.commit).split()
        found = self._read_blobs([f"{commit}:{_ENTRY}" for commit in commits], MAX_DOCUMENT_BYTES)
        data_of = dict(zip(range(last, 0, -1), found, strict=False))
        return [data_of.get(number) for number in numbers]

    def _create(self, entry: Entry, segment: bytes | None) -> bool:
        number = entry.header.number
        for _ in range(_ATTEMPTS):
            tip = self._tip or self._refresh()
            if tip.position.number != number - 1:
                tip = self._refresh()
            if tip.position.number != number - 1:
                # Our own, if the answer to the push was lost.
                return self._load([number])[0] == entry.data and self._was_stored(entry)
            commit = self._commit(tip, entry, segment)
            documents = self._commit_documents(number) if entry.header.documents else self._documents_tip
            before, self._documents_tip = self._documents_tip, _Update("", "", "")
            self._tip = None
            updates = [_Update(self._ref, tip.commit, commit), *([documents] if entry.header.documents else [])]
            refused = self._push(updates)
            if refused is None:
                self._git("update-ref", self._tracked, commit)  # if this fails, the next fetch does it
                self._tip, self._documents_tip = _Tip(commit, entry), documents
                return self._was_stored(entry)
            if _SOMEBODY_WAS_FIRST.search(refused):
                stale = [line for line in refused.splitlines() if _SOMEBODY_WAS_FIRST.search(line)]
                if not any(f":{before.ref}\t" in line for line in stale):  # else a checkpoint has joined it
                    self._documents_tip = before
                return False
            if not _BUSY.search(refused) and self._refresh().position.number < number:
                raise self._failed("written", refused)
        raise self._failed("written", "the ref stays locked")

    def _was_stored(self, entry: Entry) -> bool:
        for digest in entry.header.documents:
            self._queued.pop(digest, None)
        return True

    def _commit(self, tip: _Tip, entry: Entry, segment: bytes | None) -> str:
        writes = {_ENTRY: entry.data}
        base = Base(self._like(), parent=tip.commit)
        if segment is not None:
            writes[f"{_SEGMENTS}/{entry.header.segments[-1].digest}"] = segment
            base = Base(self._like(), tree=self._run("read", "rev-parse", f"{tip.commit}^{{tree}}"))
        made = self._objects.commit(base, writes, f"planner: entry {entry.header.number}\n")
        return self._output(made, "written")

    def _counts(self, entry: Entry, known: Position) -> bool:
        """The push has compared."""
        del entry, known
        return True

    def _load_segment(self, digest: str) -> bytes | None:
        tip = self._tip or self._refresh()
        return self._read_blobs([f"{tip.commit}:{_SEGMENTS}/{digest}"], MAX_DOCUMENT_BYTES)[0]

    def _remove_before(self, number: int) -> None:
        """The entries went with their commits. Join the refs of documents."""
        tips = self._fetch_documents("/*")
        if len(tips) < 2:
            return
        parents = [word for tip in tips.values() for word in ("-p", tip)]
        updates = [_Update(f"{self._documents_folder}-joined/{number}", "", self._commit_tree(b"", *parents))]
        updates += [_Update(ref, tip, "") for ref, tip in tips.items()]
        refused = self._push(updates)
        if refused is not None and not _SOMEBODY_WAS_FIRST.search(refused):  # else the next checkpoint joins them
            raise self._failed("written", refused)
        self._documents_tip = _Update("", "", "")

    def _remove(self, known: Position) -> bool:
        tip = self._refresh()
        if (tip.position.number, tip.position.digest) != (known.number, known.digest):
            return False
        refs = {self._ref: tip.commit, **self._fetch_documents("*")}
        updates = [_Update(ref, commit, "") for ref, commit in refs.items() if commit]
        refused = self._push(updates) if updates else None
        if refused is not None and not _SOMEBODY_WAS_FIRST.search(refused):
            raise self._failed("written", refused)
        self._tip, self._documents_tip = None, _Update("", "", "")
        return refused is None

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
        made = self._objects.commit(Base(self._like(), parent=tip), self._queued, "planner: documents\n")
        return _Update(ref, tip, self._output(made, "written"))

    def _get_document(self, digest: str) -> bytes | None:
        if digest in self._queued:
            return self._queued[digest]
        if digest not in self._index:
            self._update_index()
        oid = self._index.get(digest)
        if oid is None:
            return None
        found = self._read_blobs([oid], MAX_EVIDENCE_BYTES)[0]
        if found is None:
            fetched = self._git("fetch", *_FETCHING, self._remote, oid)
            if fetched.code != 0 and _NO_SUCH_OBJECT not in fetched.said:
                raise self._failed("read", fetched.said)
            found = self._read_blobs([oid], MAX_EVIDENCE_BYTES)[0]
        return found

    def _update_index(self) -> None:
        for entry in self._read(self._indexed):
            self._index.update(entry.header.documents)
            for deleted in entry.header.deleted:
                self._index.pop(deleted, None)
            self._indexed = entry.position

    def _delete_documents(self, digests: Sequence[str]) -> None:
        """Name them as deleted in the log, then write the refs that have them anew. If the process dies between, do it
        again. Objects that no ref has remain until the repository is pruned."""
        for digest in digests:
            self._queued.pop(digest, None)
        for _ in range(_ATTEMPTS):
            if self._append(self._refresh().position, Content(deleted=digests)) is not None:
                break
        else:
            raise self._failed("written", "other jobs write to it at the same time")
        self._update_index()
        for _ in range(_ATTEMPTS):
            updates = self._without(frozenset(digests))
            refused = self._push(updates) if updates else None
            if refused is None:
                return
            if not _SOMEBODY_WAS_FIRST.search(refused) and not _BUSY.search(refused):
                raise self._failed("written", refused)
        raise self._failed("written", "other jobs write to it at the same time")

    def _without(self, digests: frozenset[str]) -> list[_Update]:
        """The refs that have one of these documents, each with one commit that has its others."""
        updates: list[_Update] = []
        for ref, tip in self._fetch_documents("*").items():
            listed = self._run("read", "rev-list", "--objects", tip).splitlines()
            objects = {name: oid for oid, _, name in (line.partition(" ") for line in listed) if DIGEST.fullmatch(name)}
            if digests.isdisjoint(objects):
                continue
            tree = "".join(f"100644 blob {oid}\t{name}\n" for name, oid in objects.items() if name not in digests)
            updates.append(_Update(ref, tip, self._commit_tree(tree.encode())))
            if ref == self._documents_tip.ref:
                self._documents_tip = _Update("", "", "")
        return updates

    def _fetch_documents(self, pattern: str) -> dict[str, str]:
        """The commit of each ref with documents, all of which are fetched. `pattern`: `/*` those of writers, `*` also
        the joined ones."""
        folder = f"{self._tracking}-documents"
        spec = f"+{self._documents_folder}{pattern}:{folder}{pattern}"
        self._run("read", "fetch", *_FETCHING, "--prune", self._remote, spec)
        listing = ("for-each-ref", "--format=%(objectname) %(refname)", f"{folder}/", f"{folder}-joined/")
        fetched = [line.split(" ", 1) for line in self._run("read", *listing).splitlines()]
        # Git prunes their objects here some day.
        self._git("update-ref", "--stdin", stdin="".join(f"delete {ref}\n" for _, ref in fetched).encode())
        return {self._documents_folder + ref.removeprefix(folder): tip for tip, ref in fetched}

    # Refs

    def _refresh(self) -> _Tip:
        """Read the end of the log."""
        before, self._tip = self._tip, None
        if not self._fetch():
            self._tip = _Tip()
            return self._tip
        commit = self._run("read", "rev-parse", "--verify", f"{self._tracked}^{{commit}}")
        if before is None or before.commit != commit:
            data = self._read_blobs([f"{commit}:{_ENTRY}"], MAX_DOCUMENT_BYTES)[0] or b""
            entries = self._parse_all("the last entry", data)
            if len(entries) != 1:
                raise self._damaged("the last entry", "it is not one entry")
            before = _Tip(commit, entries[0])
        self._tip = before
        return before

    def _fetch(self) -> bool:
        """Fetch the log; False if the remote has none."""
        for attempt in range(1, _ATTEMPTS):
            fetched = self._git("fetch", *_FETCHING, self._remote, f"+{self._ref}:{self._tracked}")
            if fetched.code != 0 and _NO_SUCH_REF in fetched.said:
                return False
            if fetched.code == 0 or not _BUSY.search(fetched.said):
                self._check(fetched, "read")
                return True
            # Another process fetches, or was killed and left its lock.
            self._tracked = f"{self._tracking}-{attempt}"
        raise self._failed("read", "its copies in this repository stay locked")

    def _push(self, updates: Sequence[_Update]) -> str | None:
        """Update all refs if none has changed, or none. Returns why not. Raises if nobody may."""
        leases = [f"--force-with-lease={each.ref}:{each.old}" for each in updates]
        specs = [f"{each.new}:{each.ref}" for each in updates]
        pushed = self._git("push", *_PUSHING, *leases, self._remote, *specs)
        if pushed.code == 0:
            return None
        answers = pushed.out.decode(errors="replace").splitlines()
        rejected = "\n".join(line for line in answers if line.startswith("!"))
        if forbidden := _FORBIDDEN.search(rejected):
            line = next(line for line in rejected.splitlines() if forbidden[0] in line)
            raise UsageError(
                f"{self._where} rejects pushes: {_last_line(line)}",
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

    def _commit_tree(self, entries: bytes, *parents: str) -> str:
        """A commit whose tree has these entries, in the format of `git mktree`."""
        tree = self._output(self._git("mktree", stdin=entries), "written")
        words = ("commit-tree", "-m", "planner: documents", *parents, tree)
        return self._output(self._git(*words, config=_IDENTITY), "written")

    def _read_blobs(self, names: Sequence[str], most_bytes: int) -> list[bytes | None]:
        """The content of these objects; None for one that this repository does not have."""
        checked = self._read_objects("--batch-check=%(objecttype) %(objectsize)", names)
        answers = [line.split() for line in checked.decode(errors="replace").splitlines()]
        if any(answer[0] != "blob" and answer[-1] != "missing" for answer in answers):
            raise StoreError(f"{self._where} has something that is not a file", _FOREIGN)
        sizes = {name: int(size) for name, (kind, size) in zip(names, answers, strict=True) if kind == "blob"}
        if max(sizes.values(), default=0) > most_bytes or sum(sizes.values()) > MAX_DOCUMENT_BYTES:
            raise StoreError(f"{self._where} has a file that is too large to be planner's", _FOREIGN)
        data = self._read_objects("--batch=", list(sizes))
        found: dict[str, bytes] = {}
        at = len("\n")
        for name, size in sizes.items():
            found[name] = data[at : at + size]
            at += size + len("\n\n")
        return [found.get(name) for name in names]

    def _read_objects(self, form: str, names: Sequence[str]) -> bytes:
        asked = "".join(f"{name}\n" for name in names).encode()
        answer = self._git("cat-file", form, "--buffer", stdin=asked)
        self._check(answer, "read")
        return answer.out

    # Asking git

    def _run(self, done: str, *arguments: str) -> str:
        return self._output(self._git(*arguments), done)

    def _output(self, answer: GitAnswer, done: str) -> str:
        self._check(answer, done)
        return answer.out.decode(errors="replace").strip()

    def _check(self, answer: GitAnswer, done: str) -> None:
        if answer.code != 0:
            raise self._failed(done, answer.said)

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
