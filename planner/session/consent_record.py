"""Who agrees to charged calls: a person, and in a job of a pull request one whom the CI system names."""

from __future__ import annotations

from planner.session.ci import namespace_of
from planner.session.shell import Shell, actor_of


def who_agrees(shell: Shell, *, sandbox: bool) -> str:
    """The person to record as the one who agreed; "" if none is known, so that charged calls are refused.

    Outside of jobs of a pull request or branch: the user, or whoever started the job.
    """
    if sandbox or not namespace_of(shell.environ):
        return actor_of(shell)
    from planner.github.client import github_of
    from planner.github.consent import approvers, dispatcher

    environ = shell.environ
    if named := dispatcher(environ):
        return named
    if environ.get("GITHUB_ACTIONS") != "true":
        return ""
    return approvers(environ, lambda: github_of(environ, shell.pause), shell.log)
