"""`planner ci publish`: write the comment and the commit status that `planner ci gate` prepared in a job without write
access."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from planner.changes.consented_calls import parse_consented
from planner.ci.client import GitHub, github_of
from planner.ci.comment import (
    DEFAULT_NAME,
    CommentPlace,
    Status,
    add_reply,
    context_of,
    decided,
    is_outdated,
    is_superseded,
    set_status,
    upsert_comment,
)
from planner.ci.git import Git
from planner.ci.pull_request import pull_request_of, run_url_of
from planner.commands.publication import Publication
from planner.errors import PlannerError, UsageError
from planner.planfile.addresses import Folder, parse_store
from planner.reports.problems import render_problem
from planner.results.repository import change_set_key
from planner.shell import Shell
from planner.stores.store import BRANCHES, BranchStore
from planner.values import frozen
from planner.workspace.sharing import remote_store

_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MAX_BYTES: Final = 1_000_000
_STATES: Final = ("success", "failure", "pending", "error")


@frozen
class PublishOptions:
    """`file` is what `planner ci gate --publication` wrote; a missing one turns the check red. Without `number`,
    as in a merge queue, only the status is written."""

    file: Path
    commit: str
    number: int | None = None
    name: str = DEFAULT_NAME


def publish(shell: Shell, options: PublishOptions) -> int:
    """Store the change set, write the comment, set the status. Only a status that cannot be set changes the exit
    code."""
    if not _COMMIT.fullmatch(options.commit):
        raise UsageError("--commit is not the id of a commit", "Name the head commit of the pull request.")
    try:
        found = Publication.model_validate(json.loads((shell.cwd / options.file).read_bytes()[:_MAX_BYTES]))
    except (OSError, ValueError, ValidationError):
        shell.log(f"{options.file} is missing, or planner ci gate did not write it: the status is set to error")
        found = _no_answer(shell, "planner gave no answer", "See the log of this job, and run it again.")
    if found.commit not in ("", options.commit):
        found = _no_answer(shell, "planner answered for another commit", "Run this job again.")
    state = found.state if found.state in _STATES else "error"
    try:
        _store_change_set(shell, options.number, found)
    except PlannerError as error:
        shell.log(f"the set of calls could not be stored, so --digest must match exactly when it is run: {error}")
    url, pull = "", pull_request_of(shell.environ, options.commit)
    with github_of(shell.environ, shell.pause) as github:
        is_old = False
        try:
            is_old = _is_outdated(shell, github, options, found)
            url = "" if is_old else _comment(github, options, found)
        except PlannerError as error:  # the check is what counts
            shell.log(f"the comment could not be written: {error}. {error.hint}")
        if is_old:
            shell.log("not published: there is a newer answer about this commit")
        else:
            link = url or run_url_of(shell.environ)
            set_status(
                github,
                options.commit,
                Status(state, found.description, link, context_of(options.name, pull.other_base)),
            )
        try:  # whoever agreed waits for it, even if the answer is old
            _reply(github, options, found, url)
        except PlannerError as error:
            shell.log(f"the reply could not be written: {error}. {error.hint}")
    return 0


def _no_answer(shell: Shell, why: str, fix: str) -> Publication:
    """An older comment must not contradict the status."""
    comment = render_problem(UsageError(why, fix), "", run_url_of(shell.environ))
    return Publication(state="error", description=why, digest="", comment=comment, worth_saying=True)


def _store_change_set(shell: Shell, number: int | None, found: Publication) -> None:
    """Store the set of calls: the job that planned has no write access. A set that does not match its digest is never
    used."""
    if number is None or found.change_set is None or not found.store:
        return
    data = found.change_set.model_dump_json().encode()
    if parse_consented(data, found.change_set.digest) is None:
        raise UsageError("its content does not match its digest", "Run planner ci gate again.")
    key = change_set_key(found.change_set.digest)
    address = parse_store(found.store)
    if isinstance(address, Folder):
        raise UsageError("its store is a folder, which other machines do not see", "Use a git ref or an object store.")
    store = remote_store(shell, Git(shell.cwd, shell.environ), address, sandbox=found.is_sandbox)
    BranchStore(store, f"{BRANCHES}{number}/").update(lambda _: {key: data})


def _is_outdated(shell: Shell, github: GitHub, options: PublishOptions, found: Publication) -> bool:
    if options.number is None or found.decided_at is None:
        return False
    place = CommentPlace(options.number, options.name)
    return is_outdated(github, place, options.commit, found.decided_at, shell.clock.now())


def _comment(github: GitHub, options: PublishOptions, found: Publication) -> str:
    """Write the comment; return its address, "" if there is none."""
    if not found.comment or options.number is None:
        return ""
    if is_superseded(github, options.number, options.commit):
        return ""  # a newer push has its own job, and the comment is about it
    place = CommentPlace(options.number, options.name)
    text = decided(options.commit, found.decided_at) + found.comment
    return upsert_comment(github, place, text, found.digest, worth_saying=found.worth_saying)


def _reply(github: GitHub, options: PublishOptions, found: Publication, url: str) -> None:
    """Notify the person who agreed to calls when they have ended."""
    if not found.reply or options.number is None:
        return
    details = f" · [details]({url})" if url else ""
    add_reply(github, options.number, f"{found.reply}{details}")
