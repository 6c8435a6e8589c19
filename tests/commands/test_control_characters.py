"""No control character but newline and tab, and neither U+2028 nor U+2029, leaves the program, wherever it came from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rewriting import rewritten
from worlds import ANY_PROMPT

import planner.workspace.service
from planner.cli.system import safe
from planner.key_redaction import KeyRedactor
from planner.reports import FORMATS
from planner.reports.neutral import printable

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029) if chr(code) not in "\n\t"]
HOSTILE = "".join(f"a{control}" for control in CONTROLS) + "a"
FORBIDDEN = re.compile(f"[{re.escape(''.join(CONTROLS))}]")
ESCAPED = "".join(f"a\\u{ord(control):04x}" for control in CONTROLS) + "a"
"""As YAML and JSON write them."""
TAKEN = r"a\u0085a\u2028a\u2029a"
"""Those that a plan may have; the others are diagnostics."""
PLAN = f"""\
version: 1
plan: hours
description: "{TAKEN}"
targets: {{clinic: {{agent: 12}}}}
scenarios:
  saturday:
    description: "{TAKEN}"
    prompt: "You are {{{{ name }}}}, polite. Cancel your appointment of Monday. {TAKEN}"
    matrix: {{axes: {{name: ["Ana{TAKEN}", "Bob"]}}}}
    expect:
      - {{check: says, id: hours, any_of: ["zzz{TAKEN}"], description: "{TAKEN}"}}
      - {{check: call, status: completed}}
      - {{check: tool_called, name: find_appointment, arguments: {{day: "{TAKEN}"}}, severity: warning}}
"""
SANDBOX = ("--sandbox", "--world", str(ANY_PROMPT))
CONSENT = ("run", *SANDBOX, "--consent-to-charge")
_SAID = {"content", "arguments", "result", "detail", "message", "summary", "error_message", "end_reason", "title"}


def spoilt(value: Any, *, said: bool = False) -> Any:
    """Everything in an answer that somebody said, or that is a message, with every character in it."""
    match value:
        case dict():
            return {key: spoilt(item, said=said or key in _SAID) for key, item in value.items()}
        case list():
            return [spoilt(item, said=said) for item in value]
        case str() if said:
            return f"{value} {HOSTILE}"
        case _:
            return value


@pytest.fixture
def outputs(project: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a command against a service whose strings are hostile, and check both streams and every file that it wrote."""
    embedded = planner.workspace.service.embedded_app
    monkeypatch.setattr(planner.workspace.service, "embedded_app", lambda *args: hostile_app(embedded(*args)))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for variable, name in (("GITHUB_STEP_SUMMARY", "summary.md"), ("GITHUB_OUTPUT", "outputs.txt")):
        monkeypatch.setenv(variable, str(project.root / name))
    project.write("plans/hours.yaml", PLAN)

    def run(*arguments: str) -> Any:
        ran = project.planner(*arguments)
        assert clean(ran.out, "standard output")
        assert clean(ran.err, "standard error")
        for path in project.root.rglob("*"):
            if path.is_file() and not {".planner", "plans"} & set(path.relative_to(project.root).parts):
                assert clean(path.read_bytes().decode(), str(path))
        return ran

    return run


def clean(text: str, where: str) -> bool:
    found = FORBIDDEN.search(text)
    assert found is None, f"{where} has {found[0]!r}: {text[max(0, found.start() - 80) : found.end() + 20]!r}"
    return True


def _spoilt_body(status: int, body: bytes) -> bytes:
    del status
    return json.dumps(spoilt(json.loads(body))).encode() if body[:1] in (b"{", b"[") else body


def hostile_app(app: Any) -> Any:
    """The sandbox, with its answers spoilt."""

    async def spoiling(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, rewritten(send, _spoilt_body))

    return spoiling


def test_calls_and_their_reports(outputs: Callable[..., Any], project: Any) -> None:
    """The service puts every control character into names, transcripts, tool calls and messages.

    Before: each kind of output had its own escaping.
    Now: no stream, report or output file contains one, and results.json stays valid JSON.
    """
    for options in ((), ("--format", "json")):
        assert outputs("plan", *SANDBOX, *options).code == 0
    assert outputs(*CONSENT, "-vv").code == 1
    turns = [turn["text"] for path in project.root.glob(".planner/**/evidence/*/*.json") for turn in strings(path)]
    assert any(HOSTILE in text for text in turns)  # else nothing was shown
    assert len(json.loads((project.root / "reports/results.json").read_text("utf-8"))["cases"]) == 2
    for output_format in FORMATS:
        outputs("report", "reports/results.json", "--format", output_format)
        outputs("report", "reports/results.json", "--format", output_format, "--out", f"again.{output_format}")
    outputs("report", "reports/results.json", "reports/results.json")
    for options in ((), ("--format", "json")):
        outputs("history", "--sandbox", *options)
        outputs("transcript", "hours/*", "--sandbox", *options)
    outputs("run", "--offline", "--sandbox")


def strings(path: Path) -> list[Any]:
    return json.loads(path.read_text("utf-8")).get("turns") or []


def test_errors_of_the_service(outputs: Callable[..., Any], project: Any) -> None:
    """What it says of a target that it does not know is repeated."""
    project.write("plans/hours.yaml", PLAN.replace("agent: 12", "agent: 99999"))
    assert outputs(*CONSENT).code == 2


def test_diagnostics(outputs: Callable[..., Any], project: Any) -> None:
    """They quote the plan; so does what a wrong command line says."""
    project.write("plans/hours.yaml", PLAN.replace(TAKEN, ESCAPED).replace("completed", f'"{ESCAPED}"'))
    for output_format in ("text", "json", "github"):
        assert outputs("validate", "--format", output_format).code == 2
    assert outputs("validate", f"no such file {HOSTILE[2:]}".replace("\x00", "")).code == 2
    assert outputs("run", f"--max-cost={HOSTILE}").code == 2


def test_a_stream_passes_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever writes to it; a terminal keeps colours and cursor movements."""
    import sys

    stream = safe(sys.stdout, KeyRedactor([]))
    stream.write(HOSTILE + "\n")
    stream.writelines([HOSTILE])
    assert clean(capsys.readouterr().out, "the stream")
    assert printable("\x1b[31mred\x1b[0m\r\x9b2J", terminal=True) == "\x1b[31mred\x1b[0m\r�2J"
