"""Every error a user can meet, in one tree; the exit code is a property of the kind.

::

    PlannerError
    ├── UsageError              2    the command line, the working directory, the store
    │   ├── PlanInvalidError    2    carries the diagnostics
    │   ├── CredentialError     2    no key, or 401/403
    │   ├── NotFoundError       2    404: a target (or call) the service does not know
    │   └── ConflictError       4    409 to a change of an agent: it changed meanwhile, or a limit is reached
    ├── RefusedError            3    consent, ceiling, policy, balance or digest: nothing (more) is called
    ├── IncompleteError         4    something is unknown or unavailable now; running again resumes
    │   ├── ServiceError        4    5xx, garbage, an answer that makes no sense
    │   ├── UnreachableError    4    the request provably never left (DNS, connection refused)
    │   ├── LostAnswerError     4    the request may have arrived: timeout, reset
    │   ├── ThrottledError      4    429; carries `retry_after_seconds`
    │   └── StoreError          4    the results store cannot be read or written
    ├── InterruptedRunError   130    SIGINT, SIGTERM or SIGHUP
    └── BugError                5    an unexpected exception, which was written to a file

Anything else that reaches `cli` is a bug of this tool, too (exit 5).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from planner.diagnostics import Diagnostics


class PlannerError(Exception):
    """What went wrong in one line (`str(error)`), and how to fix it (`hint`, may be empty)."""

    exit_code = 5
    code = "bug"
    """Stable, for programs."""
    request_id = ""
    """The service's id of the request that failed, for its support; "" if it named none."""
    session_id = ""
    """Our session in which it was raised; reports name it, too."""

    def __init__(self, message: str, hint: str = "", *, command: str = "") -> None:
        """`hint` may introduce a command."""
        super().__init__(message)
        self.advice = hint
        self.command = command

    @property
    def hint(self) -> str:
        return f"{self.advice}: {self.command}" if self.command else self.advice

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} (request id {self.request_id})" if self.request_id else message

    @property
    def with_hint(self) -> str:
        return f"{self}. {self.hint}" if self.hint else str(self)


class UsageError(PlannerError):
    code = "usage"
    exit_code = 2
    status: int | None = None
    """The HTTP status, if the service rejected a request."""


class PlanInvalidError(UsageError):
    code = "plan_invalid"

    def __init__(self, message: str, diagnostics: Diagnostics, hint: str = "") -> None:
        super().__init__(message, hint)
        self.diagnostics = diagnostics


class CredentialError(UsageError):
    code = "credential"


class NotFoundError(UsageError):
    code = "not_found"


class ConflictError(UsageError):
    code = "conflict"
    exit_code = 4


class RefusedError(PlannerError):
    code = "refused"
    exit_code = 3


class IncompleteError(PlannerError):
    code = "incomplete"
    exit_code = 4


class ServiceError(IncompleteError):
    """`status` is the HTTP status, or None where the body, not the status, was the trouble."""

    code = "service"

    def __init__(self, message: str, hint: str = "", *, status: int | None = None) -> None:
        super().__init__(message, hint)
        self.status = status


class UnreachableError(IncompleteError):
    code = "unreachable"


class LostAnswerError(IncompleteError):
    code = "lost_answer"


class ThrottledError(IncompleteError):
    code = "throttled"

    def __init__(self, message: str, hint: str = "", *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after_seconds = retry_after_seconds


class StoreError(IncompleteError):
    code = "store"


class InterruptedRunError(PlannerError):
    code = "interrupted"
    exit_code = 130


class BugError(PlannerError):
    code = "bug"
    exit_code = 5


# Errors of tasks that ran at the same time

FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the `OSError` of a full disk, which is no bug."""
_FIRST: Final = (5, 130, 2, 3, 1, 4)
"""If errors have several exit codes, the first of these wins."""


def leading_error(error: BaseException) -> BaseException:
    """The error of a group that decides the exit code; an error that is no group is returned as it is."""
    return min(_members(error), key=lambda each: _FIRST.index(_exit_code(each)))


def _members(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            yield from _members(each)  # pyright: ignore[reportUnknownArgumentType]
    else:
        yield error


def _exit_code(error: BaseException) -> int:
    if isinstance(error, PlannerError):
        return error.exit_code
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return 4
    return 5 if isinstance(error, Exception) else 130
