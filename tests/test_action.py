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

from planner.changes.model import ChangeSet, Estimate
from planner.ci.publish import change_set_outputs, required_check_outputs
from planner.results.outcomes import CheckState, RequiredCheck

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
        values = {**defaults, **given}
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


def test_by_default_the_plans_are_validated_and_priced(run_step: RunStep) -> None:
    """With no input at all, nobody is called and no key is needed."""
    assert arguments(run_step("validate", ECHO)) == ["validate", "--", "plans/"]
    assert arguments(run_step("plan", ECHO)) == ["ci", "plan", "--", "plans/"]


def test_every_input_reaches_the_commands_it_is_for(run_step: RunStep) -> None:
    """Lists are written one a line; blank lines and the spaces around a line mean nothing."""
    inputs = {
        "paths": "plans/a b.yaml\n\n  more/\n",
        "select": "refunds/*\nhours/*\n",
        "tag": "smoke",
        "environment": "staging",
        "sandbox": "true",
        "max_cost": "2.40",
        "digest": "sha256:9f",
        "report_dir": "out dir",
        "api_key": "sk_live_1",
        "base": "none",
        "rerun": "failed",
        "start_over": "the tool was fixed",
        "results": "results.json",
        "target": "support",
        "force": "urgent",
        "over_drift": "true",
        "publication": "out.json",
        "pull_request": "7",
        "commit": "c" * 40,
        "name": "nightly",
        "comment": "off",
    }
    shared = ["--select=refunds/*", "--select=hours/*", "--tag=smoke", "--environment=staging", "--sandbox"]
    shared_ci = [*shared[:4], "--base=none", shared[4]]
    paths = ["--", "plans/a b.yaml", "more/"]
    limits = ["--max-cost=2.40", "--digest=sha256:9f", "--rerun=failed", "--start-over=the tool was fixed"]
    expected = {
        "validate": paths,
        "plan": [*shared_ci, *paths],
        "judge": ["--offline", "--report-dir=out dir", *shared_ci, *paths],
        "run": ["--consent-to-charge", "--report-dir=out dir", *shared_ci, *limits, *paths],
        "gate": [
            "--name=nightly",
            *shared_ci,
            "--publication=out.json",
            "--results=results.json",
            *paths,
        ],
        "publish": [f"--commit={'c' * 40}", "--name=nightly", "--pull-request=7", "--no-comment", "--", "out.json"],
        "promote": ["--environment=staging", "--pull-request=7", "--sandbox"],
        "record": ["--name=nightly", "--environment=staging", "--sandbox", *paths],
        "deploy": ["--yes", "--force=urgent", "--over-drift", "--environment=staging", "--sandbox", "--", "support"],
    }
    groups = {"validate": ["validate"], "judge": ["ci", "run"], "deploy": ["agent", "deploy"]}
    assert {step: arguments(run_step(step, ECHO, **inputs)) for step in expected} == {
        step: [*groups.get(step, ["ci", step]), *words] for step, words in expected.items()
    }
    assert "--issue" in arguments(run_step("record", ECHO))
    shown = arguments(run_step("run", ECHO, **inputs | {"comment": "update"}))
    assert shown[shown.index("--start-over=the tool was fixed") + 1 :][:2] == ["--comment-on=7", "--name=nightly"]


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
    for mode in ("plan", "run", "gate", "publish", "promote", "record", "deploy"):
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
    assert arguments(run_step("validate", ECHO, paths=hostile)) == ["validate", "--", hostile]
    planned = arguments(run_step("plan", ECHO, paths=hostile, select=hostile, environment=hostile))
    assert planned == ["ci", "plan", f"--select={hostile}", f"--environment={hostile}", "--", hostile]
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize("sandbox", ["false", "", "True", "1", "yes"])
def test_only_the_word_true_is_true(run_step: RunStep, sandbox: str) -> None:
    """What is almost a yes is a no."""
    assert "--sandbox" not in arguments(run_step("plan", ECHO, sandbox=sandbox))


def outputs_of(path: Path) -> dict[str, str]:
    """The outputs a step has set, as the runner reads them."""
    found = re.findall(r"^([a-z-]+)<<(\S+)\n(.*?)\n\2$", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return {name: value for name, _, value in found}


PLANNER = f'#!/usr/bin/env bash\nexec {sys.executable} -m planner "$@"\n'


def write_plan(folder: Path, max_seconds: int = 600) -> None:
    path = folder / "work/plans/tiny.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "version: 1\nplan: tiny\ntargets: {support: {agent: 14}}\nscenarios:\n  hello:\n"
        "    prompt: You are a calm caller. Ask where your order 12345 is.\n"
        f"    expect: [{{check: duration, max_seconds: {max_seconds}}}]\n",
        encoding="utf-8",
    )


def test_with_consent_the_action_calls_judges_and_reports(run_step: RunStep, tmp_path: Path) -> None:
    """The real program, step after step in the sandbox: the outputs that the action's own are made of, and summaries."""
    write_plan(tmp_path)
    for step in ("validate", "plan", "run"):
        completed = run_step(step, PLANNER, sandbox="true")
        assert completed.returncode == 0, completed.stdout + completed.stderr
        assert outputs_of(tmp_path / f"{step}.output")["exit-code"] == "0"
    planned, called = outputs_of(tmp_path / "plan.output"), outputs_of(tmp_path / "run.output")
    assert (planned["calls"], called["outcome"], called["report-dir"]) == ("1", "passed", "reports")
    assert planned["digest"] == called["digest"]
    assert int(called["cost-cents"]) > 0
    assert called["unconfirmed-cents"] == "0"
    assert "tiny/hello@support" in (tmp_path / "plan.md").read_text(encoding="utf-8")
    assert "tiny/hello@support" in (tmp_path / "run.md").read_text(encoding="utf-8")
    assert (tmp_path / "work/reports/report.md").exists()


def test_every_output_of_a_step_reaches_whoever_uses_the_action() -> None:
    """What a run may still be billed, too: its bill alone would be taken for the whole."""
    outputs = {name for name, spec in ACTION["outputs"].items() if f"steps.run.outputs.{name}" in spec["value"]}
    assert outputs == {
        "outcome",
        "digest",
        "expected-cents",
        "cost-cents",
        "unconfirmed-cents",
        "report-dir",
        "exit-code",
    }


def test_another_change_set_than_the_approved_one_is_refused(run_step: RunStep, tmp_path: Path) -> None:
    """The step fails with 3, says so in the outputs, and nobody is called."""
    write_plan(tmp_path)
    completed = run_step("run", PLANNER, sandbox="true", digest="sha256:" + "0" * 64)
    assert completed.returncode == 3, completed.stdout + completed.stderr
    refused = outputs_of(tmp_path / "run.output")
    assert (refused["outcome"], refused["exit-code"], refused["cost-cents"]) == ("refused", "3", "0")


def test_calls_are_made_only_with_consent() -> None:
    """The step that may charge is skipped unless the consent is the word true, which is not the default."""
    assert STEPS["run"]["if"].startswith("inputs.consent-to-charge == 'true' && ")
    assert ACTION["inputs"]["consent-to-charge"]["default"] == "false"
    assert [name for name, step in STEPS.items() if "--consent-to-charge" in step["run"]] == ["run"]


def test_changed_expectations_are_rechecked_without_consent(run_step: RunStep, tmp_path: Path) -> None:
    """There is nothing to call, so no job that calls would ever judge them: the first one does, for free, and fails where they do."""
    assert STEPS["judge"]["if"] == (
        "inputs.mode == 'plan' && inputs.consent-to-charge != 'true'"
        " && steps.plan.outputs.calls == '0' && steps.plan.outputs.votes == '0' && steps.plan.outputs.rechecks != '0'"
    )
    write_plan(tmp_path)
    assert run_step("run", PLANNER, sandbox="true").returncode == 0
    write_plan(tmp_path, max_seconds=1)
    assert run_step("plan", PLANNER, sandbox="true").returncode == 0
    planned = outputs_of(tmp_path / "plan.output")
    assert (planned["calls"], planned["votes"], planned["rechecks"]) == ("0", "0", "1")
    completed = run_step("judge", PLANNER, sandbox="true")
    assert completed.returncode == 1, completed.stdout + completed.stderr
    judged = outputs_of(tmp_path / "judge.output")
    assert (judged["outcome"], judged["exit-code"], judged["cost-cents"]) == ("failed", "1", "0")
    assert (tmp_path / "judge.md").read_text(encoding="utf-8").startswith("# ❌ 1 failed · ")


def test_the_key_reaches_no_step_that_does_not_need_it() -> None:
    """Validating is for everybody."""
    assert [name for name, step in STEPS.items() if "THUNDERPHONE_API_KEY" in step["env"]] == [
        "plan",
        "run",
        "gate",
        "promote",
        "record",
        "previews",
        "deploy",
    ]
    assert [name for name, step in STEPS.items() if "PLANNER_JUDGE_API_KEY" in step["env"]] == ["run"]


def test_every_step_that_opens_the_store_has_the_token() -> None:
    """Of a private repository, nothing can be read without it."""
    assert {name for name, step in STEPS.items() if "GITHUB_TOKEN" not in step["env"]} == {"install", "validate"}


@pytest.mark.parametrize(
    "step", ["validate", "plan", "judge", "run", "gate", "publish", "promote", "record", "previews", "deploy"]
)
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
    installed = run_step("install", ECHO).stdout.splitlines()
    assert installed[-len(plain) - len(own) :] == [*plain, *own]
    asked = run_step("install", ECHO, extras="language\n\n ../stores; rm -rf x\n").stdout.splitlines()
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
    asked = run_step("install", ECHO).stdout.splitlines()
    assert set(asked) == {str(tmp_path / "runner")}


def test_no_script_contains_an_expression() -> None:
    """What GitHub pastes into a script is code: inputs come as variables."""
    assert [step["name"] for step in ACTION["runs"]["steps"] if "${{" in step.get("run", "")] == []


def test_every_input_is_used() -> None:
    """And none is used that is not declared."""
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"\binputs\.([a-z-]+)", text)) == set(ACTION["inputs"])


def test_outputs_are_ones_that_the_commands_write() -> None:
    """A name that differs by a letter would be empty without a word."""
    estimate = Estimate(calls=0, expected_cents=0, low_cents=0, high_cents=0, basis="")
    planned = change_set_outputs(ChangeSet(digest="", changes=(), estimate=estimate, prices={})).keys()
    checked = required_check_outputs(RequiredCheck(0, CheckState.SUCCESS, "", ""))
    ended = {"exit-code", "report-dir"}
    written = {
        "plan": planned | ended,
        "gate": checked.keys() | ended,
        **dict.fromkeys(("validate", "publish", "promote", "record", "deploy"), ended),
    }
    for output in ACTION["outputs"].values():
        for step, name in re.findall(r"steps\.(\w+)\.outputs\.([a-z-]+)", output["value"]):
            assert step in ("run", "judge") or name in written[step], output
