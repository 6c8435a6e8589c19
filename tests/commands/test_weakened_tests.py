"""What makes failing harder leads the comment of a pull request, before and after its calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from ci_jobs import Jobs

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]
from tests.commands.test_gate import comment_of, run  # pyright: ignore[reportMissingImports]

PROJECT = """\
store: git:refs/planner/results
judge: {base_url: "http://127.0.0.1:9/v1", model: small, check_callers: false, cents_per_vote: 0}
environments: {production: {clinic: {agent: 14, config: agents/clinic.yaml}}}
"""
SHORT = "      - {id: short, check: duration, max_seconds: 600}\n"
FAILING = """\
  sunday:
    prompt: You are Bob, calm. Ask when the clinic is open on Sunday.
    expect: [{check: duration, max_seconds: 1}]
"""
SATURDAY = f"""\
  saturday:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    runs: 2
    expect:
      - {{check: call, status: completed, severity: critical}}
{SHORT}"""
PLAN = f"""\
version: 1
plan: hours
targets: {{clinic: {{agent: 12}}}}
scenarios:
{SATURDAY}{FAILING}"""
OTHER = """\
version: 1
plan: other
targets: {desk: {agent: 14, config: ../agents/clinic.yaml}}
scenarios:
  monday:
    prompt: You are Eve, calm. Ask when the clinic is open on Monday.
    expect: [{check: call, status: completed}]
"""
HOURS = """\
  tuesday:
    prompt: You are Eve, calm. Ask when the clinic is open on Tuesday.
    expect: [{check: call, status: completed}]
"""
AGENT = "prompt: You are the desk of a clinic.\n"

WEAKENED, CASE = "1 test weakened", "`hours/saturday@clinic`"
WAYS = {
    "removed": (SHORT, "", WEAKENED, f"expectation removed: short (duration): max\\_seconds 600 · {CASE}"),
    "replaced by one of its kind": (
        "id: short, check: duration, max_seconds: 600",
        "id: brief, check: duration, max_seconds: 900",
        WEAKENED,
        f"expectation replaced: short (duration): max\\_seconds 600 → brief (duration): max\\_seconds 900 · {CASE}",
    ),
    "replaced under its id": (
        "check: duration, max_seconds: 600",
        "check: call, min_turns: 1",
        WEAKENED,
        f"expectation replaced: short (duration): max\\_seconds 600 → short (call): min\\_turns 1 · {CASE}",
    ),
    "severity": ("critical}", "warning}", WEAKENED, f"severity lowered: call, critical → warning · {CASE}"),
    "rate": (
        "runs: 2\n",
        "runs: 2\n    min_pass_rate: 0.5\n",
        WEAKENED,
        f"min\\_pass\\_rate lowered: 1 → 0.5 · {CASE}",
    ),
    "rate of an expectation": (
        "600}",
        "600, min_pass_rate: 0.5}",
        WEAKENED,
        f"min\\_pass\\_rate lowered: short, 1 → 0.5 · {CASE}",
    ),
    "runs": ("    runs: 2\n", "", WEAKENED, f"runs lowered: 2 → 1 · {CASE}"),
    "quarantine": (
        "runs: 2\n",
        "runs: 2\n    quarantine: {until: 2026-12-01, reason: slow}\n",
        WEAKENED,
        f"quarantined: until 2026-12-01, slow · {CASE}",
    ),
    "beside a copy as it was": (
        SATURDAY,
        f"{SATURDAY.replace('saturday', 'aaa')}{SATURDAY.replace(SHORT, '')}",
        WEAKENED,
        f"expectation removed: short (duration): max\\_seconds 600 · {CASE}",
    ),
    "failing scenario": (FAILING, "", "1 failing case removed", "failing case removed · `hours/sunday@clinic`"),
    "plan": (OTHER, "", "1 case removed", "case removed · `other/monday@desk`"),
    "agent file": (
        ", config: ../agents/clinic.yaml",
        "",
        WEAKENED,
        "agent file removed: target desk · `other/monday@desk`",
    ),
    "judge": (PROJECT[PROJECT.index("judge") : PROJECT.index("env")], "", "judge removed", "judge removed"),
    "agent file of an environment": (
        ", config: agents/clinic.yaml",
        "",
        "agent file removed: target clinic of production",
        "agent file removed: target clinic of production",
    ),
}


def begin(jobs: Jobs) -> None:
    jobs.begin(plans__hours=PLAN, plans__other=OTHER, agents__clinic=AGENT, planner=PROJECT)
    run(jobs.start(), "plans/hours.yaml")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("weakened") / "kept"


@pytest.mark.parametrize("way", WAYS)
def test_a_weakened_test_leads_the_comment(
    tmp_path: Path, kept: Path, project: Project, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Alone, and beside a changed prompt before and after its calls."""
    old, new, headline, line = WAYS[way]
    jobs, file = Jobs(tmp_path, project, monkeypatch), tmp_path / "publication.json"
    jobs.begin_as(kept, begin)
    files = {"plans__hours": PLAN, "plans__other": OTHER, "planner": PROJECT}
    changed = {name: text.replace(old, new) for name, text in files.items() if old in text}
    jobs.branch("topic")

    def push(prompt: str) -> None:
        texts = changed | {"plans__hours": changed.get("plans__hours", PLAN).replace("Ana, calm", prompt)}
        for name in [name for name, text in texts.items() if not text]:
            (jobs.work / f"{name.replace('__', '/')}.yaml").unlink(missing_ok=True)
        jobs.edit(**{name: text for name, text in texts.items() if text})

    def check(code: int) -> None:
        above = comment_of(jobs.start(7, branch="topic"), code, file).partition("<details>")[0]
        assert f" · ⚠ {headline}\n" in above
        assert f"\n- ⚠ {line}\n" in above

    done = 3 if way == "agent file" else 0
    push("Ana, calm")
    check(done)
    push("Ana, angry")
    check(3)
    run(jobs.start(7, branch="topic"), "plans/hours.yaml")
    check(done)


@pytest.mark.parametrize(
    ("before", "line"),
    [
        (OTHER, "- ⚠ severity lowered: call, error → warning · `other/monday@desk`"),
        (OTHER + "calls: adaptive\n", "⚠ Weakened tests are not listed: "),
    ],
    ids=["without planner.yaml", "of an invalid plan"],
)
def test_agent_files_are_read_where_the_pull_request_branched_off(
    tmp_path: Path, project: Project, monkeypatch: pytest.MonkeyPatch, before: str, line: str
) -> None:
    """Also without planner.yaml, which would say where the project is. Of plans that cannot be read there, the comment says so."""
    jobs = Jobs(tmp_path, project, monkeypatch)
    jobs.begin(plans__other=before, agents__clinic=AGENT)
    jobs.branch("topic")
    jobs.edit(plans__other=OTHER.replace("status: completed", "status: completed, severity: warning") + HOURS)
    above = comment_of(jobs.start(7, branch="topic"), 3, tmp_path / "publication.json").partition("<details>")[0]
    assert f"\n{line}" in above
    assert (WEAKENED in above.partition("\n")[0]) is (before == OTHER)
