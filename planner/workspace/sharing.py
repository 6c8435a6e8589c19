"""Connects a session to a shared store, which has its results masked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from planner.ci.git import Git, shared_remote
from planner.errors import UsageError
from planner.evidence import Evidence
from planner.key_redaction import KeyRedactor
from planner.planfile.addresses import Bucket, GitRef, SharedAddress
from planner.planfile.model import Project
from planner.reports.redaction import Pattern, Redactor, redact, redact_case, redact_evidence
from planner.results.model import CaseResult, RunResult
from planner.results.repository import Access, ResultsRepository
from planner.results.shared_store import SharedRepository, Tiers
from planner.shell import Shell, redactor_patterns
from planner.stores.git_ref import GitStore
from planner.stores.store import Backoff, Store, of_branches
from planner.values import frozen

_ADDRESS_WITH_QUERY: Final = re.compile(r"https?://[^\s\"'<>?]*\?[^\s\"'<>]+")
"""Signed URLs have their signature in the query."""


class SharedRedaction:
    """Redaction for shared stores: like reports, plus keys and URLs with a query."""

    def __init__(self, project: Project, keys: KeyRedactor) -> None:
        self._patterns: tuple[Pattern, ...] = (keys, _ADDRESS_WITH_QUERY, *redactor_patterns(project))
        self._redactor = Redactor(self._patterns)

    def result(self, result: RunResult) -> RunResult:
        return redact(result, self._patterns)

    def case(self, case: CaseResult) -> CaseResult:
        return redact_case(case, self._redactor)

    def evidence(self, evidence: Evidence) -> Evidence:
        return redact_evidence(evidence, self._patterns)

    def name(self, name: str) -> str:
        return self._redactor.name(name)

    def text(self, text: str) -> str:
        return self._redactor.text(text)


@frozen
class Shared:
    """A place's shared store and its redaction."""

    store: Store
    repository: SharedRepository
    redaction: SharedRedaction
    whole: Store
    """With the namespaces of all jobs."""


def open_shared(
    shell: Shell, project: Project, remote: Store, local: tuple[Store, Sequence[str], Access]
) -> tuple[Shared, Callable[[Sequence[str]], ResultsRepository]]:
    """The shared store, and a function that opens other namespaces of it.

    `local` are the store on this machine, the namespaces of this job, and the access.
    """
    folder, namespaces, access = local
    redaction = SharedRedaction(project, shell.keys)

    def opened(namespaces: Sequence[str], /) -> SharedRepository:
        tiers = Tiers(of_branches(folder, namespaces), of_branches(remote, namespaces))
        return SharedRepository(tiers, redaction, access)

    return Shared(of_branches(remote, namespaces), opened(namespaces), redaction, remote), opened


def remote_store(shell: Shell, git: Git, address: SharedAddress, *, sandbox: bool, offline: bool = False) -> Store:
    """The shared store of this address. Raises `UsageError`.

    Whoever can write to it is trusted: outcomes in `latest/` are used as they are. So it must never be a place that a
    commit can change, such as a file of the work tree.
    """
    backoff = Backoff(shell.chance, shell.pause)
    match address:
        case GitRef():
            ref = address.ref + ("-sandbox" if sandbox else "")
            remote = shared_remote(git, address.remote)
            return GitStore(git, ref, remote=remote, backoff=backoff, offline=offline)
        case Bucket():
            try:
                from planner.stores.object_store import ObjectStore, open_bucket
            except ImportError as error:
                raise UsageError(
                    "an object store needs the extra `stores`; in planner's clone: uv tool install '.[stores]'",
                    "Or name a folder, or git:refs/planner/results.",
                ) from error
            allow_http = shell.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true")
            bucket = open_bucket(address.url, allow_http=allow_http)
            return ObjectStore(bucket, address.url, folder="sandbox" if sandbox else "", backoff=backoff)
