"""Attacks on keys: a server sends a key back, or a session sees launches of another key.

The attacker controls a server, or the words of a call, and knows the key that was sent there. In whichever form the server sends
the key back, no output, report, log or stored file contains it.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from lost_launches import account, note
from spoiling import Request, Spoiler, Whole, answer, spoiling

from planner.calls.model import prompt_key
from planner.changes.fingerprint import call_fingerprint, case_inputs
from planner.cli import run_guarded
from planner.cli.system import safe
from planner.key_redaction import KeyRedactor, keys_of
from planner.log.facts import Asked, Intent
from planner.log.local import LocalLog
from planner.planfile.load import load_files
from planner.planfile.project import load_project
from planner.providers.base import Line
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]

KEY = "sk_live_9fA+b/c-D3nRtEu=x7Qz"
CONSENT = "--consent-to-charge"

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a header": lambda key: f"Authorization: Bearer {key}, and more",
    "over two lines": lambda key: f"{key[:9]}\n    {key[9:]}",
    "over two rows of a table": lambda key: f"│ {key[:9]} │\n│ {key[9:]} │",
    "over lines of JSON": lambda key: json.dumps(f"{key[:9]}\n{key[9:]}"),
    "in a URL": lambda key: f"https://x.example/?key={quote(key, safe='')}&x=1",
    "in upper case": str.upper,
    "in lower case": str.lower,
    "in base64": lambda key: b64encode(key.encode()).decode(),
    "in base64, with a name": lambda key: b64encode(f"user:{key}".encode()).decode(),
    "in base64, with two bytes before": lambda key: b64encode(f"ab{key}cd".encode()).decode(),
    "in base64 of URLs": lambda key: urlsafe_b64encode(f"a{key}".encode()).decode(),
    "in base64 over lines": lambda key: "\n".join(
        b64encode(f"user:{key}:".encode()).decode()[start : start + 16] for start in range(0, 60, 16)
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_key_in_another_form(form: str) -> None:
    """A server sends the key back split over lines, URL-encoded, in base64, or in upper or lower case.

    Before: only the unchanged judge key was replaced.
    Now: every form is replaced, and the text around it is unchanged.
    """
    written = f"before {FORMS[form](KEY)} after"
    shown = KeyRedactor([KEY]).text(written)
    assert "[redacted]" in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    for part in (KEY[:12], KEY[-12:], b64encode(KEY.encode()).decode()[4:20], quote(KEY, safe="")[:16]):
        assert part.lower() not in shown.lower()


@pytest.mark.parametrize(
    "name",
    [
        "THUNDERPHONE_API_KEY",
        "PLANNER_JUDGE_API_KEY",
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "INPUT_GITHUB-TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "CI_JOB_TOKEN",
        "BUILDKITE_AGENT_ACCESS_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_CLIENT_SECRET",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
    ],
)
def test_each_key_of_the_environment(name: str) -> None:
    """A server sends back the key of another server: the store sends the service's key, the judge sends GitHub's.

    Before: each part of the program replaced only its own key, or none.
    Now: every key of the environment is replaced everywhere.
    """
    assert KEY not in keys_of({name: KEY}).text(f"x {KEY}")
    assert keys_of({"HOME": KEY, "GITHUB_ACTOR": KEY}).text(KEY) == KEY


@pytest.fixture
def echo(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> Iterator[Spoiler]:
    """A proxy between planner and the service. The environment contains the key."""
    monkeypatch.setenv("THUNDERPHONE_API_KEY", KEY)
    with spoiling(serve("--api-key", KEY).url) as between:
        monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", between.url)
        yield between


def traces_of_the_key(folder: Path) -> list[str]:
    """Names of files that contain any form of the key."""
    forms = [form(KEY).encode() for form in FORMS.values()]
    found: list[str] = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found += [path.name for form in forms if form in data]
            found += [path.name] if KeyRedactor([KEY]).data(data) != data and path.suffix != ".sqlite" else []
    return found


def test_server_that_echoes_the_key(
    project: Project, echo: Spoiler, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The server writes the key, in all forms, into transcripts, call objects and the agent.

    Before: the key was in `.planner/`, in all four reports, in the job summary and on the terminal.
    Now: it is in none of them.
    """
    said = " ; ".join(form(KEY) for form in FORMS.values())

    def spoil(whole: Whole) -> bytes:
        document = json.loads(whole.body)
        if isinstance(document, dict) and "transcripts" in document:
            document["transcripts"][-1]["content"] = said
        elif isinstance(document, list):
            for turn in document[-1:]:
                turn["content"] = said
        elif isinstance(document, dict):
            document |= {"updated_at": said, "summary": said, KEY: KEY}
        return answer(json.dumps(document, ensure_ascii=False).encode())

    def choose(request: Request) -> Callable[[Whole], bytes] | None:
        routes = ("GET /v1/calls/{id}", "GET /v1/calls/{id}/transcript", "GET /v1/agents/{id}")
        return spoil if request.route in routes else None

    echo.choose = choose
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "out/output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "out/summary"))
    project.write(
        "plans/hours.yaml",
        "version: 1\nplan: hours\ntargets: {clinic: {agent: 12}}\nscenarios:\n  s:\n"
        "    prompt: Ask when the clinic is open on Saturday.\n    expect: [{check: never_says, any_of: [sk_live, redacted]}]\n",
    )
    ran = project.planner("run", CONSENT, "-vv")
    assert ran.code in (0, 1, 4), ran.err
    for text in (
        ran.out,
        ran.err,
        *(project.planner(*words).out for words in (("plan", "--format", "json"), ("history",))),
    ):
        assert KeyRedactor([KEY]).text(text) == text
    assert (tmp_path / "out/summary").exists()
    assert traces_of_the_key(tmp_path) == []


@pytest.mark.parametrize(("status", "form"), [("401 Unauthorized", "in a header"), ("422 Unprocessable", "in base64")])
def test_error_that_quotes_the_key(project: Project, echo: Spoiler, status: str, form: str) -> None:
    """The server quotes the key in an error message.

    Before: `planner: the service rejects the key (401: Authorization: Bearer sk_live…)`.
    Now: the key is replaced on the terminal and in reports.
    """
    body = json.dumps({"detail": FORMS[form](KEY)}).encode()
    echo.choose = lambda request: (lambda _: answer(body, status)) if "agents" in request.path else None
    ran = project.planner("run", CONSENT)
    assert ran.code in (2, 4)
    assert KeyRedactor([KEY]).text(ran.err) == ran.err
    assert "[redacted]" in ran.err
    assert traces_of_the_key(project.root) == []


def test_key_in_an_exception(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library raises an unexpected exception that contains the request with its headers.

    The details on standard error, which users are asked to send, do not contain the key.
    """
    monkeypatch.setenv("THUNDERPHONE_API_KEY", KEY)

    def command() -> int:
        raise ZeroDivisionError(f"Bearer {KEY}")

    assert run_guarded(command) == 5
    shown = capsys.readouterr().err
    assert "ZeroDivisionError: Bearer" in shown
    assert KEY not in shown


def test_key_written_to_a_stream() -> None:
    """A part of the program prints a key without redaction.

    Before: the key was shown.
    Now: standard output and standard error replace keys themselves.
    """
    written: list[str] = []

    class Stream:
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    stream = safe(Stream(), KeyRedactor([KEY]))  # pyright: ignore[reportArgumentType]
    print(f"x {KEY}", file=stream)
    stream.writelines([KEY[:10], KEY[10:]])
    assert KEY not in "".join(written)


# Launches made with another key


def journal_of_another_key(project: Project) -> None:
    """An hour ago a session with another key sent one call of `hours/cancel@clinic` and got no answer."""
    spec, _ = load_project(project.root, cwd=project.root)
    (plan,) = load_files(
        [project.root / "plans/hours.yaml"],
        cwd=project.root,
        project=spec,
        environment=None,
        today=datetime.now(UTC).date(),
    ).plans
    case = next(case for case in plan.cases if "cancel" in case.case_id)
    key, prompt = call_fingerprint(case_inputs(case, None)), prompt_key(case.prompt)
    line = Line("agent", 12, "outbound", "bot", None)
    sent = datetime.now(UTC) - timedelta(hours=1)
    asked = (Asked(key, prompt, 1, 32, case.plan, case=case.case_id),)
    launch = Intent(sent, account(), "abc", "0-0", "20261124T115900000-00000001", line, asked, 5.0, "another-key")
    note(project.root / ".planner/log.db", launch)


def state_of(project: Project) -> str:
    with closing(LocalLog(project.root / ".planner/log.db", account(), lambda: datetime.now(UTC))) as log:
        launch = log.state.launches["abc"]
    return "open" if launch.outcome is None else launch.outcome.result.value


@pytest.mark.parametrize("selected", ["*cancel*", "*saturday*"], ids=["its case is called", "its case is not selected"])
def test_launch_of_another_key_is_not_declared_absent(project: Project, service: Served, selected: str) -> None:
    """The next session uses a key of another organization (an attacker's, or a rotated secret), which cannot see the
    earlier launch.

    Before: the launch was declared absent, and its call was made and charged again.
    Now: it stays open (exit code 4) until a person settles it.
    """
    journal_of_another_key(project)
    ran = project.planner("run", CONSENT, "--select", selected)
    assert ran.code == (4 if "cancel" in selected else 0), ran.out + ran.err
    assert len(project.results()["open_launches"]) == 1
    assert "another key" in project.results()["open_launches"][0]["detail"]
    assert state_of(project) == "open"
    assert not any("Dora Diaz" in run["prompt"] for run in service.own_runs())


def test_launch_of_another_key_is_not_adopted(project: Project, service: Served) -> None:
    """The organization of the new key has a run that looks like the earlier launch.

    Before: planner adopted the run and evaluated another user's call.
    Now: it adopts nothing. A person can settle the launch with `planner reconcile`.
    """
    journal_of_another_key(project)
    assert project.planner("run", CONSENT, "--select", "*saturday*").code == 0
    assert state_of(project) == "open"
    listed = project.planner("reconcile")
    assert listed.code == 4
    assert "another key" in listed.out
    assert project.planner("reconcile", "abc", "--assume-not-sent").code == 0
    assert state_of(project) == "abandoned"
