"""A small client of GitHub's REST API. Messages never contain the token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self, cast

import httpx

from planner.errors import CredentialError, IncompleteError, NotFoundError, PlannerError, UsageError
from planner.reports.neutral import one_line

DEFAULT_API: Final = "https://api.github.com"
_PAGE: Final = 100
_MAX_PAGES: Final = 30
_TRIES: Final = 4
_LONGEST_WAIT_SECONDS: Final = 60.0
_TIMEOUT_SECONDS: Final = 20.0
_MESSAGE_CHARACTERS: Final = 200


class NotPermittedError(PlannerError):
    """403: the message names the missing permission."""

    exit_code = 2


@dataclass(slots=True)
class GitHub:
    """`repository` is `owner/name`. `pause` waits for seconds."""

    repository: str
    token: str
    pause: Callable[[float], None]
    api_url: str = DEFAULT_API
    _http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            self._http = httpx.Client(base_url=self.api_url.rstrip("/"), headers=headers, timeout=_TIMEOUT_SECONDS)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise UsageError(
                "GITHUB_API_URL or GITHUB_TOKEN is invalid", "Pass the values that GitHub sets in its jobs."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def get(self, path: str, permission: str, **query: Any) -> dict[str, Any]:
        """Read an object. `permission` is what the token needs, such as `issues: read`."""
        found = self._json("GET", path, permission, True, params=query)
        if not isinstance(found, dict):
            raise IncompleteError(f"GitHub's answer is not an object (GET {path})", "Try again later.")
        return cast("dict[str, Any]", found)

    def get_list(self, path: str, permission: str, **query: Any) -> list[dict[str, Any]]:
        """Read a list of objects; what is none is left out."""
        found = self._json("GET", path, permission, True, params=query)
        if not isinstance(found, list):
            raise IncompleteError(f"GitHub's answer is not a list (GET {path})", "Try again later.")
        return [cast("dict[str, Any]", item) for item in cast("list[Any]", found) if isinstance(item, dict)]

    def pages(self, path: str, permission: str, **query: str) -> Iterator[dict[str, Any]]:
        """All items of a list."""
        for number in range(1, _MAX_PAGES + 1):
            page = self.get_list(path, permission, per_page=_PAGE, page=number, **query)
            yield from page
            if len(page) < _PAGE:
                return

    def send(
        self, method: str, path: str, permission: str, body: Mapping[str, Any], *, repeatable: bool = False
    ) -> Any:
        """Write. Only what GitHub refused to process is sent again: another failure may have done its work, which is
        harmless if the request is `repeatable`."""
        return self._json(method, path, permission, repeatable, json=dict(body))

    def _json(self, method: str, path: str, permission: str, repeatable: bool, **content: Any) -> Any:
        answer = self._answer(method, f"/repos/{self.repository}/{path}", repeatable, **content)
        if answer.status_code < 300:
            try:
                return answer.json() if answer.content else None
            except (ValueError, RecursionError) as error:
                raise IncompleteError("GitHub's answer is not JSON", "Try again later.") from error
        raise _error(answer, permission, f"{method} {path}")

    def _answer(self, method: str, path: str, repeatable: bool, **content: Any) -> httpx.Response:
        for left in reversed(range(_TRIES)):
            try:
                answer = self._http.request(method, path, **content)
            except httpx.HTTPError as error:
                if not left or not repeatable:
                    raise IncompleteError(
                        f"GitHub cannot be reached: {type(error).__name__}", "Try again later."
                    ) from error
                self.pause(1.0)
                continue
            again = _is_throttled(answer) or (answer.status_code >= 500 and repeatable)
            if not again or not left:
                return answer
            self.pause(_wait_seconds(answer))
        raise AssertionError


def _is_throttled(answer: httpx.Response) -> bool:
    """Whether it is over a rate limit: of a short time (`Retry-After`), or of an hour."""
    is_used_up = "Retry-After" in answer.headers or answer.headers.get("X-RateLimit-Remaining") == "0"
    return answer.status_code == 429 or (answer.status_code == 403 and is_used_up)


def _wait_seconds(answer: httpx.Response) -> float:
    named = answer.headers.get("Retry-After", "")
    return min(float(named), _LONGEST_WAIT_SECONDS) if named.isdigit() else 1.0


def _error(answer: httpx.Response, permission: str, what: str) -> PlannerError:
    status, said = answer.status_code, _message(answer)
    if status == 401:
        return CredentialError(f"GitHub refused the token (401){said}", "Pass the job's token: github-token.")
    if _is_throttled(answer):
        return IncompleteError(f"GitHub's rate limit is used up ({what}){said}", "Try again later.")
    if status == 403:
        return NotPermittedError(
            f"the GitHub token may not do this ({what}){said}",
            f"Give the job this permission: `{permission}`. An archived repository cannot be written to.",
        )
    if status in (404, 410):
        return NotFoundError(
            f"GitHub does not know this, or the token may not see it ({what}){said}",
            f"The job needs the permission `{permission}`.",
        )
    if status == 422:
        return UsageError(f"GitHub rejected the content ({what}){said}", "Report this with the text of the comment.")
    if 300 <= status < 400:
        return IncompleteError(
            f"the repository was renamed ({what})",
            "Start the job again: it gets the new name.",
        )
    return IncompleteError(f"GitHub answered {status} ({what}){said}", "Try again later.")


def _message(answer: httpx.Response) -> str:
    """What GitHub says of its refusal, after a colon; "" if it says nothing."""
    try:
        found: Any = answer.json()
    except (ValueError, RecursionError):
        return ""
    said = cast("dict[str, Any]", found).get("message") if isinstance(found, dict) else None
    return f": {one_line(said)[:_MESSAGE_CHARACTERS].rstrip('.')}" if isinstance(said, str) and said else ""


def github_of(environ: Mapping[str, str], pause: Callable[[float], None]) -> GitHub:
    """The client of this job. Raises `UsageError` outside of GitHub Actions, or without a token."""
    repository, token = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_TOKEN", "")
    if not repository or not token:
        missing = "GITHUB_TOKEN" if repository else "GITHUB_REPOSITORY"
        raise UsageError(f"{missing} is not set", "Run this in GitHub Actions, with the input github-token.")
    return GitHub(repository, token, pause, environ.get("GITHUB_API_URL", "") or DEFAULT_API)
