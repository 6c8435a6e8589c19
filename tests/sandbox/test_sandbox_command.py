"""`planner sandbox`: errors of a world are reported like those of a plan."""

from __future__ import annotations

import itertools
import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from patience import PATIENCE_SECONDS

from planner.cli import main
from tests.sandbox.conftest import KEY, single  # pyright: ignore[reportMissingImports]

WRONG = """\
version: 1
world: mine
extends: demo
concurency_limit: 3
balance_cents: lots
agents:
  14:
    dialogues:
      refunds:
        prompt: refund
        turns:
          - {end: agent_end, grade: {goal: achievd}}
"""


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `planner` in an empty folder: (exit code, standard error, its white space squeezed)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def run(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        return code, " ".join(capsys.readouterr().err.split())

    return run


def test_all_errors_of_a_world_have_places(ran: Any, tmp_path: Path) -> None:
    """All are reported at once, each with its line, in the words that plans use."""
    (tmp_path / "w.yaml").write_text(WRONG, encoding="utf-8")
    code, err = ran("sandbox", "--world", "w.yaml")
    assert code == 2
    assert "w.yaml:4:1: error: unknown key [unknown-key] 4 | concurency_limit: 3 " in err
    assert "did you mean `concurrency_limit`?" in err
    assert "w.yaml:5:16: error: wrong type of value [wrong-type]" in err
    assert 'this must be an integer, but it is the string "lots"' in err
    assert "w.yaml:12:44: error: value is not one of the choices [not-a-choice]" in err
    assert "3 errors in 1 file" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nworld: w\nextends: dmo\n", "w.yaml:3:10: error: value cannot be used [bad-value]"),
        ("a: 1\na: 2\n", "[duplicate-key]"),
        ("a: [1\n", "[yaml-syntax]"),
        ("a: \x00\n", "[control-character]"),
        ("a: " + "[" * 5000, "[too-much-nesting]"),
        ("extends: demo\nagents: {14: {tools: [lookup_oder]}}\nversion: 1\nworld: w\n", "did you mean 'lookup_order'?"),
    ],
)
def test_other_errors_of_a_world(ran: Any, tmp_path: Path, text: str, message: str) -> None:
    """Every error has a code that `planner explain` knows."""
    (tmp_path / "w.yaml").write_text(text, encoding="utf-8")
    code, err = ran("sandbox", "--world", "w.yaml")
    assert (code, message in err) == (2, True), err


def test_a_world_that_is_not_there(ran: Any, tmp_path: Path) -> None:
    """A name that is none lists those there are; so does a folder."""
    for name in ("mars", "mars.yaml"):
        code, err = ran("sandbox", "--world", name)
        assert code == 2
        assert f"there is no world '{name}'" in err
        assert "busy, demo, regressed" in err
    (tmp_path / "folder.yaml").mkdir()
    assert "Is a directory" in ran("sandbox", "--world", "folder.yaml")[1]


def test_the_examples_of_the_documentation_pass(ran: Any, tmp_path: Path) -> None:
    """Each world with a plan of its own, as docs/sandbox.md shows them."""
    page = (Path(__file__).parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")
    files = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    pairs = [(world, plan) for world, plan in itertools.pairwise(files) if "\nplan: " in plan]
    assert len(pairs) == 2
    for number, (world, plan) in enumerate(pairs):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "world.yaml").write_text(world, encoding="utf-8")
        (folder / "plan.yaml").write_text(plan, encoding="utf-8")
        where = ("--world", f"{number}/world.yaml", f"{number}/plan.yaml")
        code, err = ran("run", "--sandbox", "--consent-to-charge", *where)
        assert code == 0, err


def test_a_world_that_the_project_names(ran: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """planner.yaml names it relative to itself, and `--world` wins."""
    text = "version: 1\nworld: mine\nextends: demo\nagents: {41: {name: Shop, revisions: {1: {prompt: Sell.}}}}\n"
    (tmp_path / "w.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "planner.yaml").write_text("sandbox: {world: w.yaml}\n", encoding="utf-8")
    plan = "version: 1\nplan: p\ntargets: {t: {agent: 41}}\nscenarios: {s: {prompt: Sing., expect: [{check: call, status: completed}]}}\n"
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans/p.yaml").write_text(plan, encoding="utf-8")
    monkeypatch.chdir(tmp_path / "plans")
    assert ran("plan", "--sandbox", "p.yaml")[0] == 0
    code, err = ran("plan", "--sandbox", "--world", "demo", "p.yaml")
    assert (code, "the sandbox's world demo has no agent 41" in err) == (2, True), err


def test_a_prompt_without_a_dialogue_is_the_callers_problem(ran: Any, tmp_path: Path) -> None:
    """The case is unknown, and a check that would pass does not."""
    plan = "version: 1\nplan: p\ntargets: {t: {agent: 14}}\nscenarios: {s: {prompt: Sing., expect: [{check: call, status: completed}]}}\n"
    (tmp_path / "p.yaml").write_text(plan, encoding="utf-8")
    assert ran("run", "--sandbox", "--consent-to-charge", "p.yaml")[0] == 4
    (case,) = json.loads((tmp_path / "reports" / "results.json").read_text(encoding="utf-8"))["cases"]
    assert (case["outcome"], case["runs"][0]["outcome"], case["runs"][0]["cause"]) == ("unknown", "undecided", "caller")


def test_a_value_that_the_world_lacks_is_the_plans_problem(ran: Any, tmp_path: Path) -> None:
    """A repeat would lack it, too: no call is suggested, and none is planned."""
    (tmp_path / "w.yaml").write_text(
        "version: 1\nworld: mine\ntables: {song: {waltz: {bars: 3}}}\nagents: {1: {name: Bar, revisions: {1: {prompt: Sing.}}, "
        "dialogues: {sing: {prompt: 'Sing a (?P<song>.*)[.]', turns: [{agent: La.}, {end: agent_end}]}}}}\n",
        encoding="utf-8",
    )
    plan = "version: 1\nplan: p\ntargets: {t: {agent: 1}}\nscenarios: {s: {prompt: Sing a hymn., expect: [{check: call, status: completed}]}}\n"
    (tmp_path / "p.yaml").write_text(plan, encoding="utf-8")
    sandbox = ("--sandbox", "--world", "w.yaml", "p.yaml")
    assert ran("run", *sandbox, "--consent-to-charge")[0] == 4
    results = json.loads((tmp_path / "reports" / "results.json").read_text(encoding="utf-8"))
    assert results["cases"][0]["runs"][0]["cause"] == "plan"
    assert not any(step["charged"] for step in results["next_steps"])
    assert ran("run", *sandbox, "--consent-to-charge")[0] == 4
    again = json.loads((tmp_path / "reports" / "results.json").read_text(encoding="utf-8"))
    assert [run["run_id"] for run in again["cases"][0]["runs"]] == [results["cases"][0]["runs"][0]["run_id"]]


def test_a_port_in_use(ran: Any) -> None:
    """The address that cannot be had is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, err = ran("sandbox", "--port", str(port))
    assert (code, f"port {port} of 127.0.0.1 cannot be used" in err) == (2, True)


HALF_A_REQUEST = (
    "POST {path} HTTP/1.1\r\nHost: sandbox\r\nAuthorization: Bearer sk_test_death\r\n"
    'Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{{"target_type": "agent", '
)


def test_a_served_sandbox(tmp_path: Path) -> None:
    """A client that dies during its request launches nothing and is no error of the sandbox."""
    command = [sys.executable, "-m", "planner", "sandbox", "--port", "0"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[4]
        host, port = url.removeprefix("http://").split(":")
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_SECONDS) as http:
            assert http.post("/v1/test-calls", json=single()).status_code == 201
            for path in ("/v1/test-calls", "/v1/test-call-batches", "/v1/chat/completions"):
                with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as dying:
                    dying.sendall(HALF_A_REQUEST.format(path=path).encode())
            assert len(http.get("/_sandbox/ledger").json()["runs"]) == 1
        process.terminate()
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert err == ""
