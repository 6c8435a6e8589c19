"""`planner.yaml`: what a project sets for all plans, what is wrong with one, and what its limits make of a plan."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from planner.planfile.addresses import BUCKETS
from planner.planfile.grammar import ExecutionFields
from planner.planfile.model import Policy, Project, Target
from planner.planfile.project import load_project, read_project


def test_project_that_is_not_there_has_the_defaults(workspace: Any) -> None:
    """Without `planner.yaml`, or with an empty one, everything has its default."""
    for content in (None, "", "# nothing yet\n"):
        if content is not None:
            workspace.write("planner.yaml", content)
        project, diagnostics = load_project(workspace.root, cwd=workspace.root)
        assert (project, len(diagnostics)) == (Project(), 0)


def test_everything_a_project_says(workspace: Any) -> None:
    """Each key has its place among the values others work with."""
    workspace.write(
        "planner.yaml",
        """\
version: 1
environments:
  staging: {support: {agent: 12}, hotline: {phone_number: 31}}
  production:
    support: {agent: 40}
execution: {settle_seconds: 30, linger_seconds: 0.5}
policy:
  max_cost_cents: 2000
  allowed_targets: [{agent: 12}, {phone_number: 31}]
  max_concurrent_runs: 4
  max_calls: 500
redact: ['(?i)member \\d+']
rates: {spark: 8, storm-base: 12.5}
""",
    )
    project, diagnostics = load_project(workspace.root, cwd=workspace.root)
    assert len(diagnostics) == 0
    assert project == Project(
        environments=(
            ("staging", (Target("support", "agent", 12), Target("hotline", "phone_number", 31))),
            ("production", (Target("support", "agent", 40),)),
        ),
        execution=ExecutionFields(settle_seconds=30, linger_seconds=0.5),
        policy=Policy(
            2000,
            frozenset({("agent", 12), ("phone_number", 31)}),
            4,
            500,
        ),
        redact=(r"(?i)member \d+",),
        rates=(("spark", 8.0), ("storm-base", 12.5)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("environment: {}\n", snapshot("planner.yaml:1:1 unknown-key")),
        (
            "store: [git]\njudge: {}\n",
            snapshot(
                "planner.yaml:1:8 wrong-type, planner.yaml:2:1 missing-key, "
                "planner.yaml:2:1 missing-key, planner.yaml:2:1 missing-key"
            ),
        ),
        (
            "policy: {quiet_hours: 22-6, max_calls: 0, max_concurrent: 4}\n",
            snapshot("planner.yaml:1:10 unknown-key, planner.yaml:1:40 out-of-range, planner.yaml:1:43 unknown-key"),
        ),
        (
            "redact: ['(?i)member \\d+', '(a', 5, 'x*']\n",
            snapshot("planner.yaml:1:28 bad-regex, planner.yaml:1:34 wrong-type, planner.yaml:1:37 bad-value"),
        ),
        ("redact: secret\n", snapshot("planner.yaml:1:9 wrong-type")),
        ("policy: []\n", snapshot("planner.yaml:1:9 wrong-type")),
        ("policy:\n", snapshot("planner.yaml:1:1 wrong-type")),
        ("policy: {allowed_targets: {agent: 12}}\n", snapshot("planner.yaml:1:27 wrong-type")),
        (
            "policy: {allowed_targets: [{agent: 12}, {agnt: 3}, 5]}\n",
            snapshot("planner.yaml:1:42 unknown-key, planner.yaml:1:52 wrong-type"),
        ),
        ("environments: [staging]\n", snapshot("planner.yaml:1:15 wrong-type")),
        (
            "environments: {Staging: {Support: {agent: 12}, hotline: {agent: x}}, production: 5}\n",
            snapshot(
                "planner.yaml:1:16 not-a-slug, planner.yaml:1:26 not-a-slug, "
                "planner.yaml:1:65 wrong-type, planner.yaml:1:82 wrong-type"
            ),
        ),
        (
            "execution: {settle_seconds: -1, linger_seconds: yes}\n",
            snapshot("planner.yaml:1:29 out-of-range, planner.yaml:1:49 wrong-type"),
        ),
        (
            "rates: {spark: eight, Bolt: 3, storm: -1}\n",
            snapshot("planner.yaml:1:16 wrong-type, planner.yaml:1:23 not-a-slug, planner.yaml:1:39 out-of-range"),
        ),
        (
            "rates: {sparc: 1000, storm-base-with-akc: 9, spark: 8, sparks: 8, storm: 7, own: 3}\n",
            snapshot("planner.yaml:1:22 warning near-miss"),
        ),
        (
            (
                "rates: {spark: 0.08, bolt: 1, own: 0}\n"
                "judge: {base_url: https://api.openai.com/v1/chat/completions/, model: m, cents_per_vote: 0}\n"
            ),
            snapshot("planner.yaml:1:16 warning bad-value, planner.yaml:2:19 bad-value"),
        ),
        ("rates: [spark]\n", snapshot("planner.yaml:1:8 wrong-type")),
        ("version: 2\n", snapshot("planner.yaml:1:10 version-unknown")),
        ("a: [\n", snapshot("planner.yaml:2:1 yaml-syntax")),
        (
            "[]: 1\n" * 1_200,
            snapshot(
                "planner.yaml:1:1 key-not-string, planner.yaml:2:1 key-not-string, "
                "planner.yaml:3:1 key-not-string, planner.yaml:4:1 key-not-string, "
                "planner.yaml:5:1 key-not-string, planner.yaml:6:1 key-not-string, "
                "planner.yaml:7:1 key-not-string, planner.yaml:8:1 key-not-string, "
                "planner.yaml:9:1 key-not-string, planner.yaml:10:1 key-not-string"
            ),
        ),
    ],
    ids=range(19),
)
def test_fault_of_a_project(workspace: Any, text: str, said: str) -> None:
    """Each diagnostic is at its place; what is sound is kept, so that reading plans can go on."""
    workspace.write("planner.yaml", text)
    _, diagnostics = load_project(workspace.root, cwd=workspace.root)
    assert ", ".join(workspace.rendered(diagnostics).split(", ")[:10]) == said


def test_valid_parts_of_an_invalid_project_are_kept(workspace: Any) -> None:
    """A limit is not lost because another key is wrong; an unreadable list of targets allows none."""
    workspace.write(
        "planner.yaml", "stor: x\npolicy: {max_cost_cents: 5, allowed_targets: 5}\nexecution: {settle_seconds: 9}\n"
    )
    project, diagnostics = load_project(workspace.root, cwd=workspace.root)
    assert diagnostics.has_errors
    assert project.policy == Policy(max_cost_cents=5, allowed_targets=frozenset())
    assert project.execution.settle_seconds == 9


def test_project_that_cannot_be_read_is_a_fault(workspace: Any) -> None:
    """A folder in its place is reported, not taken for a missing file; a file that is no text likewise."""
    (workspace.root / "planner.yaml").mkdir()
    _, diagnostics = load_project(workspace.root, cwd=workspace.root)
    assert [(item.code, item.detail) for item in diagnostics] == [("file-missing", "planner.yaml is not a file")]
    (workspace.root / "planner.yaml").rmdir()
    workspace.write("planner.yaml", b"\xff")
    _, diagnostics = load_project(workspace.root, cwd=workspace.root)
    assert [item.code for item in diagnostics] == ["not-utf8"]


def test_a_pattern_that_redacts_everything_is_refused(workspace: Any) -> None:
    """A pattern that matches every character is an error; a class of some characters is valid."""
    for pattern, refused in ((".", True), (r"\S+", True), (r"\d", False), ("[a-z0-9]+", False)):
        workspace.write("planner.yaml", f"redact: ['{pattern}']\n")
        _, diagnostics = load_project(workspace.root, cwd=workspace.root)
        assert [item.code for item in diagnostics] == (["bad-value"] if refused else [])


def priced(budget: int | None, runs: int = 5, matrix: str = "{axes: {mood: [calm, furious, confused]}}") -> str:
    """Fifteen calls, unless it is said otherwise."""
    return f"""\
version: 1
plan: p
targets: {{support: {{agent: 12}}}}
{f"budget: {{max_cost_cents: {budget}}}" if budget is not None else "tags: [a]"}
scenarios:
  one:
    prompt: You are {{{{ mood }}}}.
    matrix: {matrix}
    runs: {runs}
    expect: [{{check: says, any_of: [yes]}}]
"""


RATES = (("spark", 8.0), ("flash", 6.0))


def test_a_plan_that_is_sure_to_break_its_budget(workspace: Any) -> None:
    """The cheapest product's started minute, twice, for each call: less than that is not possible."""
    workspace.project = Project(rates=RATES)
    assert workspace.diagnostics(priced(15 * 12)) == ""
    assert workspace.diagnostics(priced(15 * 12 - 1)) == snapshot("4:26 warning over-budget")


def test_a_budget_that_allows_no_call_is_an_error(workspace: Any) -> None:
    """Up to the price of one call, part of the plan can be called; below it, nothing ever."""
    workspace.project = Project(rates=RATES)
    assert [code for code, *_ in workspace.codes(priced(12))] == ["over-budget"]
    assert len(workspace.load()[0]) == 1
    assert workspace.diagnostics(priced(11)) == snapshot("4:26 over-budget")
    assert workspace.load()[0] == ()


def test_limits_of_the_project(workspace: Any) -> None:
    """They are the policy's, so that the plan is only warned of: part of it can be called."""
    workspace.project = Project(rates=RATES, policy=Policy(max_cost_cents=100, max_calls=14))
    assert workspace.diagnostics(priced(None)) == snapshot("2:7 warning over-budget, 2:7 warning too-many-calls")
    assert len(workspace.load()[0]) == 1
    workspace.project = Project(rates=RATES, policy=Policy(max_cost_cents=180, max_calls=15))
    assert workspace.diagnostics(priced(None)) == ""


@pytest.mark.parametrize("rates", [(), (("flash", 0.0),)])
def test_nothing_is_reported_if_the_price_is_unknown(workspace: Any, rates: tuple[tuple[str, float], ...]) -> None:
    """Without rates the published one may be another product's; a product that costs nothing breaks no budget."""
    workspace.project = Project(rates=rates)
    assert workspace.diagnostics(priced(1)) == ""


def test_retries_count_as_calls_as_they_do_when_it_is_run(workspace: Any) -> None:
    """`planner run` reckons with a retry of each run, and so does the warning; it names what else can be lowered."""
    retried = priced(None, runs=3).replace("    runs: 3\n", "    runs: 3\n    retries: 2\n")
    workspace.project = Project(policy=Policy(max_calls=26))
    assert workspace.diagnostics(retried) == snapshot("2:7 warning too-many-calls")
    workspace.project = Project(policy=Policy(max_calls=27))
    assert workspace.diagnostics(retried) == ""


NO_STORES = [
    "refs/planner/results",
    "git",
    "ref:refs/planner/results",
    "git:refs/heads/main",
    "git:refs/tags/v1",
    "git:refs/remotes/origin/x",
    "git:refs/planner",
    "git:refs/planner/../x",
    "git:planner",
    "git:refs/planner/results?kept=3",
    "git:refs/planner/results?keep=3",
    "git://host.test/acme/plans",
    "s3:/bucket/planner",
    "s3//bucket/planner",
    "GS:bucket",
    "S3://bucket/planner",
    "s3://",
    "s3://bucket/results?keep=3",
    "s3://user:pw@bucket/results",
    "file:///tmp/results",
    "https://user:pw@host.test/planner",
    "~/.planner",
]


@pytest.mark.parametrize("written", NO_STORES)
def test_an_address_that_names_no_store_is_refused(written: str) -> None:
    """It is an error of planner.yaml at its place, which does not show the address; it never becomes a folder of that name."""
    _, diagnostics = read_project(f"store: {written}\n".encode(), "planner.yaml")
    assert [(item.code, item.span.column) for item in diagnostics] == [("bad-value", 8)]
    assert "user:pw" not in next(iter(diagnostics)).detail


@pytest.mark.parametrize(
    "written",
    [
        ".planner",
        "results/of/ci",
        "/var/lib/planner",
        "../shared",
        "./git",
        "./s3:bucket",
        "C:/planner",
        "git:refs/planner/results",
        "git:refs/planner/results?remote=none",
        *[f"{scheme}://bucket/planner" for scheme in BUCKETS],
    ],
)
def test_stores(written: str) -> None:
    """Folders, refs and buckets as docs/stores.md writes them."""
    project, diagnostics = read_project(f"store: {written}\n".encode(), "planner.yaml")
    assert not diagnostics.items
    assert project.store == written
