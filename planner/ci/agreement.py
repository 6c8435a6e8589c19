"""Who agrees to calls: a person, by an act that the CI system records (starting a job), not by a push."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from planner.changes.consent import Agreement, NoAgreement
from planner.ci.event import asked_by, is_command
from planner.ci.git import Git
from planner.errors import NotFoundError, PlannerError, UsageError
from planner.reports.reply import LOGIN
from planner.shell import Shell

ConsentWay: TypeAlias = Literal["terminal", "dispatch", "comment", "flag"]
"""How somebody agreed: typed the command, started the CI job by hand, wrote `/planner run` on the pull request; or the
CI job's definition agrees (a nightly job)."""


def actor_of(shell: Shell) -> str:
    """Who runs the command: whoever started the CI job; else this repository's author in git, or the user."""
    environ = shell.environ
    for name in ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"):
        if environ.get(name):
            return environ[name]
    return _git_email(shell) or environ.get("USER") or environ.get("LOGNAME") or shell.user


def _git_email(shell: Shell) -> str:
    try:
        answer = Git(shell.cwd, shell.environ)("config", "--get", "user.email")
    except PlannerError:
        return ""  # no git, or one that does not answer: the user's name will do
    return answer.out.decode(errors="replace").strip() if answer.code == 0 else ""


def who_agrees(shell: Shell, *, sandbox: bool, namespace: str, consent_by: str | None = None) -> Agreement:
    """The person who agrees to charged calls. If there is none, the calls are refused.

    On GitHub, in a job of a pull request or branch: the person whom GitHub names. In such a job of another CI system:
    `consent_by` (`--consent-by`). Elsewhere: the user, or whoever started the job. Raises `UsageError` for a
    `consent_by` on GitHub.
    """
    environ = shell.environ
    is_github = environ.get("GITHUB_ACTIONS") == "true" or bool(environ.get("GITHUB_EVENT_NAME"))
    if consent_by is not None and is_github:
        raise UsageError(
            "--consent-by is not for GitHub, whose API names who agreed",
            "Leave it out, and let a person start the workflow.",
        )
    if sandbox or not namespace:
        return Agreement(consent_by or actor_of(shell))
    if not is_github:
        return Agreement(consent_by or "")
    if environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch" or is_command(environ):
        named = asked_by(environ)
        no_agreement = _no_agreement(shell, named)
        return Agreement(named) if no_agreement is None else Agreement(no_agreement=no_agreement, named=named)
    return Agreement()


def how_agreed(environ: Mapping[str, str]) -> ConsentWay:
    """How somebody agrees in this environment."""
    if is_command(environ):
        return "comment"
    if environ.get("GITHUB_EVENT_NAME") == "workflow_dispatch":
        return "dispatch"
    return "flag" if environ.get("GITHUB_ACTIONS") or environ.get("CI") else "terminal"


def _no_agreement(shell: Shell, login: str) -> NoAgreement | None:
    """Why this person does not agree, because it is none, or GitHub does not confirm that they still have write
    access: a job may wait for days between its start and its calls. Without a token to ask with, the access at its
    start counts."""
    environ = shell.environ
    if environ.get("GITHUB_ACTIONS") != "true":
        return None
    if not LOGIN.fullmatch(login):
        shell.log(f"{login} started this job, but only a person can agree to calls")
        return NoAgreement.NOBODY
    if not environ.get("GITHUB_TOKEN"):
        return None
    from planner.ci.client import github_of  # late: the HTTP client takes a tenth of the start of `plan`

    try:
        with github_of(environ, shell.pause) as github:
            found = github.get(f"collaborators/{login}/permission", "metadata: read")
    except NotFoundError:
        return NoAgreement.NO_ACCESS  # no such user, any more
    except PlannerError as error:
        shell.log(f"the permission of {login} cannot be read, so their consent does not count: {error}. {error.hint}")
        return NoAgreement.NO_ANSWER
    permission = found.get("permission")
    if not isinstance(permission, str):
        return NoAgreement.NO_ANSWER
    return None if permission in ("write", "admin") else NoAgreement.NO_ACCESS  # as GitHub names custom roles here, too
