"""`action.yml`: its steps run as GitHub runs them, with inputs that try to be more than inputs."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from repositories import program
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
ACTION: dict[str, Any] = YAML(typ="safe").load(ROOT / "action.yml")
STEPS: dict[str, dict[str, Any]] = {step["id"]: step for step in ACTION["runs"]["steps"] if "id" in step}
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")

PrepareStep = Callable[..., "subprocess.Popen[str]"]
RunStep = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def start_step(tmp_path: Path) -> PrepareStep:
    """Starts a step's script with the action's inputs, as the runner does. `program` replaces the installed planner."""

    def start(step: str, program: str, **inputs: str) -> subprocess.Popen[str]:
        installed = tmp_path / "runner/phone-test-planner/bin/planner"
        installed.parent.mkdir(parents=True, exist_ok=True)
        installed.write_text(program, encoding="utf-8")
        installed.chmod(installed.stat().st_mode | stat.S_IXUSR)
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        defaults = {name: spec.get("default", "") for name, spec in ACTION["inputs"].items()}
        assert given.keys() <= defaults.keys()
        values = {**defaults, **given, "github.token": "token"}
        env = {
            name: EXPRESSION.sub(lambda found: values[found[1].removeprefix("inputs.")], expression)
            for name, expression in STEPS[step]["env"].items()
        }
        script = tmp_path / "step.sh"
        script.write_text(STEPS[step]["run"], encoding="utf-8")
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        return subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=work,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "RUNNER_TEMP": str(tmp_path / "runner"),
                "GITHUB_ACTION_PATH": os.environ.get("GITHUB_ACTION_PATH", ""),
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_ACTOR": "ana",
                "GITHUB_OUTPUT": str(tmp_path / f"{step}.output"),
                "GITHUB_STEP_SUMMARY": str(tmp_path / f"{step}.md"),
                "GITHUB_WORKSPACE": str(work),
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def run_step(start_step: PrepareStep) -> RunStep:
    """The same, to its end."""

    def run(step: str, program: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        with start_step(step, program, **inputs) as process:
            stdout, stderr = process.communicate(timeout=600)
        return subprocess.CompletedProcess(step, process.returncode, stdout, stderr)

    return run


ECHO = """\
#!/usr/bin/env bash
printf '%s\\n' "$@"
exit 3
"""


def arguments(completed: subprocess.CompletedProcess[str]) -> list[str]:
    """What the program was called with; its exit code, here always 3, is the step's."""
    assert (completed.returncode, completed.stderr) == (3, "")
    return completed.stdout.splitlines()


def test_every_input_reaches_the_commands_it_is_for(run_step: RunStep) -> None:
    """Lists are written one a line; blank lines and the spaces around a line mean nothing."""
    inputs = {
        "paths": "plans/a b.yaml\n\n  more/\n",
        "select": "refunds/*\nhours/*\n",
        "environment": "staging",
        "sandbox": "true",
        "consent_to_charge": "true",
        "max_cost": "2.40",
        "digest": "sha256:9f",
        "report_dir": "out dir",
        "api_key": "sk_live_1",
        "base": "none",
        "rerun": "failed",
        "start_over": "the tool was fixed",
        "results": "results.json",
        "publication": "out.json",
        "pull_request": "7",
        "commit": "c" * 40,
        "name": "nightly",
    }
    shared = ["--environment=staging", "--base=none", "--sandbox"]
    paths = ["--", "plans/a b.yaml", "more/"]
    limits = ["--max-cost=2.40", "--digest=sha256:9f", "--rerun=failed", "--start-over=the tool was fixed"]
    selected = ["--select=refunds/*", "--select=hours/*"]
    expected = {
        "run": [
            *("--report-dir=out dir", "--name=nightly", *selected, *shared, "--consent-to-charge", *limits, *paths)
        ],
        "gate": ["--name=nightly", *shared, "--publication=out.json", "--results=results.json", *paths],
        "publish": [f"--commit={'c' * 40}", "--name=nightly", "--pull-request=7", "--", "out.json"],
        "promote": ["--environment=staging", "--sandbox"],
        "record": ["--issue", "--name=nightly", "--environment=staging", "--sandbox", *paths],
    }
    assert {step: arguments(run_step(step, ECHO, **inputs)) for step in expected} == {
        step: ["ci", step, *words] for step, words in expected.items()
    }


@pytest.fixture
def put_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in place of uv."""

    def put(script: str) -> None:
        program(tmp_path / "bin/uv", script)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        monkeypatch.setenv("GITHUB_ACTION_PATH", "/action")

    return put


def test_an_unknown_mode_is_refused(run_step: RunStep, put_uv: Callable[[str], None]) -> None:
    """No step would run, and the job would be green."""
    put_uv("true")
    assert run_step("install", ECHO, mode="Gate").returncode == 2
    for mode in ("run", "gate", "publish", "promote", "record"):
        assert run_step("install", ECHO, mode=mode).returncode == 0


@pytest.mark.parametrize(
    "hostile",
    ["$(touch owned)", "`touch owned`", '"; touch owned; "', "*", "--consent-to-charge", "a && touch owned", "~", "-"],
)
def test_no_input_becomes_an_option_or_a_command(run_step: RunStep, tmp_path: Path, hostile: str) -> None:
    """An input of the action, such as a branch name, contains shell code or an option.

    Before: unquoted, the shell would run it, or planner would take `--consent-to-charge` as an option.
    Now: it stays one argument, after `--` or after the `=` of its option.
    """
    called = arguments(run_step("run", ECHO, paths=hostile, select=hostile, environment=hostile))
    assert called[4:] == [f"--select={hostile}", f"--environment={hostile}", "--", hostile]
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("word", ["false", "", "True", "1", "yes"])
def test_only_the_word_true_is_true(run_step: RunStep, word: str) -> None:
    """What is almost a yes is a no; so is no word at all."""
    called = arguments(run_step("run", ECHO, sandbox=word, consent_to_charge=word))
    assert {"--sandbox", "--consent-to-charge"}.isdisjoint(called)
    assert "--consent-to-charge" not in arguments(run_step("run", ECHO))


def outputs_of(path: Path) -> dict[str, str]:
    """The outputs a step has set, as the runner reads them."""
    return dict(re.findall(r"^([a-z-]+)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))


PLANNER = f'#!/usr/bin/env bash\nexec {sys.executable} -m planner "$@"\n'


def write_plan(folder: Path) -> None:
    path = folder / "work/plans/tiny.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "version: 1\nplan: tiny\ntargets: {support: {agent: 14}}\nscenarios:\n  hello:\n"
        "    prompt: You are a calm caller. Ask where your order 12345 is.\n"
        "    expect: [{check: duration, max_seconds: 600}]\n",
        encoding="utf-8",
    )


def test_with_consent_the_action_calls_judges_and_reports(run_step: RunStep, tmp_path: Path) -> None:
    """The real program in the sandbox: the output that the action's own is made of, and the summary."""
    write_plan(tmp_path)
    completed = run_step("run", PLANNER, sandbox="true", consent_to_charge="true")
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert outputs_of(tmp_path / "run.output") == {"outcome": "passed"}
    assert "tiny/hello@support" in (tmp_path / "run.md").read_text(encoding="utf-8")
    assert (tmp_path / "work/reports/report.md").exists()


@pytest.mark.parametrize("inputs", [{}, {"consent_to_charge": "true", "digest": "sha256:" + "0" * 64}])
def test_what_was_not_agreed_to_is_refused(run_step: RunStep, tmp_path: Path, inputs: dict[str, str]) -> None:
    """No consent, or consent to another change set: the step fails with 3, says so in its output, and nobody is called."""
    write_plan(tmp_path)
    completed = run_step("run", PLANNER, sandbox="true", **inputs)
    assert completed.returncode == 3, completed.stdout + completed.stderr
    assert outputs_of(tmp_path / "run.output") == {"outcome": "refused"}


def test_the_key_reaches_no_step_that_does_not_need_it() -> None:
    having = [name for name, step in STEPS.items() if "THUNDERPHONE_API_KEY" in step["env"]]
    assert having == ["run", "gate", "promote", "record", "previews"]
    assert [name for name, step in STEPS.items() if "PLANNER_JUDGE_API_KEY" in step["env"]] == ["run"]


def test_every_step_that_opens_the_store_has_the_token() -> None:
    """Of a private repository, nothing can be read without it."""
    assert {name for name, step in STEPS.items() if "GITHUB_TOKEN" not in step["env"]} == {"install"}


@pytest.mark.parametrize("step", ["run", "gate", "publish", "promote", "record", "previews"])
def test_a_cancelled_job_reaches_the_program(start_step: PrepareStep, step: str) -> None:
    """GitHub signals one process, the shell's: planner has taken its place, hears it and can report."""
    program = "#!/usr/bin/env bash\ntrap 'echo heard; exit 130' TERM\necho ready\nwhile :; do sleep 0.02; done\n"
    with start_step(step, program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=600)[0] == "heard\n"
    assert process.returncode == 130


def test_only_files_with_a_known_hash_are_installed(run_step: RunStep, put_uv: Callable[[str], None]) -> None:
    """A package index serves another file for a pinned version, or the input `extras` names a path or a command.

    Before: the file would be installed, and its code would run with the job's keys.
    Now: the action installs with `--require-hashes` and only wheels. An extra is a plain file name.
    """
    put_uv("printf '%s\\n' \"$@\"")
    hashed = ["pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r"]
    plain = [*hashed, "/action/requirements/planner.txt"]
    own = ["pip", "install", "--quiet", "--no-deps", "/action"]
    installed = run_step("install", ECHO, mode="run").stdout.splitlines()
    assert installed[-len(plain) - len(own) :] == [*plain, *own]
    asked = run_step("install", ECHO, mode="run", extras="language\n\n ../stores; rm -rf x\n").stdout.splitlines()
    extras = ["-r", "/action/requirements/language.txt", "-r", "/action/requirements/storesrmrfx.txt"]
    assert asked[-len(plain) - len(extras) - len(own) :] == [*plain, *extras, *own]


def test_no_file_of_the_checkout_configures_the_installation(
    run_step: RunStep, tmp_path: Path, put_uv: Callable[[str], None]
) -> None:
    """The checkout of a pull request contains a `uv.toml` that names a Python to download.

    Before: uv would obey it, and that Python would run with the job's keys.
    Now: planner is installed outside of the checkout.
    """
    put_uv("pwd")
    asked = run_step("install", ECHO, mode="run").stdout.splitlines()
    assert set(asked) == {str(tmp_path / "runner")}


def test_no_script_contains_an_expression() -> None:
    """What GitHub pastes into a script is code: inputs come as variables."""
    assert [step["name"] for step in ACTION["runs"]["steps"] if "${{" in step.get("run", "")] == []


def test_every_input_and_output_is_used() -> None:
    """By a step, and by a shipped workflow; none is used that is not declared."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\binputs\.([a-z-]+)", text)) == set(ACTION["inputs"])
    workflows = [YAML(typ="safe").load(path) for path in (ROOT / ".github/workflows").glob("*.yml")]
    steps = [step for workflow in workflows for job in workflow["jobs"].values() for step in job.get("steps", ())]
    given = {name for step in steps if step.get("uses") in ("$/.", "./") for name in step["with"]}
    assert given == set(ACTION["inputs"])
    read = {name for each in workflows for name in re.findall(r"steps\.\w+\.outputs\.(\w+)", str(each))}
    assert set(ACTION["outputs"]) <= read
