"""The example plans: good enough to copy, passed by the built-in world in every repetition, failed by the broken agent."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from planner.checks.base import CheckSeverity
from planner.checks.judgement import FindingOutcome, Judgement
from planner.evidence import Evidence
from planner.planfile.load import load_files
from planner.planfile.model import Case, Plan, Project
from planner.providers.thunderphone.evidence import evidence_from_wire
from planner.providers.thunderphone.wire import WireCall, WireGrade, WireRun, WireTranscript
from planner.sandbox import Sandbox, World, load_world

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "plans"
EDITOR_LINE = "# yaml-language-server: $schema=../schemas/plan.schema.json"
COMMON_CHECKS = "says never_says call duration cost latency tool_called tool_not_called grade judge"


@dataclass
class Clock:
    seconds: float = 1_795_608_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass(frozen=True)
class Called:
    """What became of all runs of a world: by case, each run's evidence and duration."""

    evidence: dict[str, list[Evidence]]

    def findings(self) -> list[tuple[str, str, Judgement]]:
        """(case id, expectation id, judgement) of everything that did not pass, including warnings."""
        return [
            (case.case_id, expectation.id or expectation.check, judgement)
            for plan in plans()
            for case in plan.cases
            for evidence in self.evidence[case.case_id]
            for expectation in case.expectations
            if not expectation.asks_model
            if (judgement := expectation.judge(evidence)).outcome is not FindingOutcome.PASSED
        ]


@cache
def plans() -> tuple[Plan, ...]:
    loaded, _, diagnostics, _ = load_files([FOLDER], cwd=ROOT, project=Project())
    assert [diagnostic.code for diagnostic in diagnostics] == ["judge-not-configured"]
    return loaded


def _all_cases() -> list[Case]:
    return [case for plan in plans() for case in plan.cases]


@cache
def called(world_name: str) -> Called:
    """Every run of every case, called on the sandbox over its API; time is moved, not waited for."""
    import anyio

    return anyio.run(_call_all, load_world(world_name))


async def _call_all(world: World) -> Called:
    clock = Clock()
    sandbox = Sandbox(world.model_copy(update={"balance_cents": 1_000_000}), now=clock)
    transport = httpx.ASGITransport(app=cast("Callable[..., Any]", sandbox.app))
    results: dict[str, list[Evidence]] = {}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://sandbox", headers={"Authorization": "Bearer sk_test_plans"}
    ) as http:
        for case in _all_cases():
            response = await http.post("/v1/test-call-batches", json=_request(case))
            assert response.status_code == 201, response.text
            clock.seconds += 60
            runs = {run["id"]: run for run in (await http.get("/v1/test-calls")).json()}
            results[case.case_id] = [await _collect(http, runs[run_id]) for run_id in response.json()["run_ids"]]
    return Called(results)


def _request(case: Case) -> dict[str, Any]:
    return {
        "target_type": case.target.kind,
        "target_id": case.target.id,
        "direction": case.direction,
        "mode": case.mode,
        "run_count": case.runs,
        "scenario_prompts": [case.prompt],
        "consent_to_charge": True,
    }


async def _collect(http: httpx.AsyncClient, run: dict[str, Any]) -> Evidence:
    path = f"/v1/calls/{run['call_id']}"
    call = (await http.get(path)).json()
    transcript = WireTranscript.model_validate((await http.get(f"{path}/transcript")).json())
    history = (await http.get(f"{path}/history")).json()
    grade = WireGrade.model_validate((await http.get(f"{path}/grade")).json())
    return evidence_from_wire(
        WireRun.model_validate(run).plain(),
        (WireCall.model_validate(call), call),
        transcript.transcripts,
        history,
        grade,
    )


def test_there_is_something_to_copy() -> None:
    """Three suites, at least forty cases, agents and numbers, matrices cut and extended, repeated runs, tags, a prompt file."""
    texts = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.yaml"))}
    everything = "\n".join(texts.values())
    cases = _all_cases()
    assert list(texts) == ["after-hours.yaml", "clinic.yaml", "orders.yaml"]
    assert len(cases) >= 40
    assert {case.target.kind for case in cases} == {"agent", "phone_number"}
    assert {case.direction for case in cases} == {"outbound", "inbound"}
    assert {case.runs for case in cases} == {2, 3}
    assert all(case.tags for case in cases)
    assert all(plan.description and plan.owners and plan.max_cost_cents for plan in plans())
    words = ("include:", "exclude:", "prompt_file:", "defaults:", "vars:", "imports:", "- use:")
    assert all(word in everything for word in words)


def test_the_library_is_used_whole() -> None:
    """Two plans import it, and all that it defines is in one of them; it carries the line for editors as well."""
    library = (FOLDER / "lib" / "voice.yaml").read_text()
    assert library.splitlines()[0] == "# yaml-language-server: $schema=../../schemas/library.schema.json"
    texts = [path.read_text() for path in sorted(FOLDER.glob("*.yaml"))]
    assert sum("imports: [lib/voice.yaml]" in text for text in texts) == 2
    names = re.findall(r"^  ([a-z-]+):", library, re.MULTILINE)
    assert {"on-the-line", "no-dose"} <= {*names}
    assert [name for name in names if not re.search(rf"use: {name}\b", "\n".join(texts))] == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_plan_carries_the_line_for_editors(path: Path) -> None:
    """Editors find the schema by the first line; every scenario says what it is about."""
    text = path.read_text()
    scenarios = re.findall(r"^  [a-z-]+:\n((?:    .*\n|\n)+)", text.split("\nscenarios:\n")[1] + "\n", re.MULTILINE)
    assert text.splitlines()[0] == EDITOR_LINE
    assert scenarios
    assert all(scenario.startswith("    description: ") for scenario in scenarios)


def test_the_common_checks_are_shown() -> None:
    """The examples use at least these."""
    used = {expectation.check for case in _all_cases() for expectation in case.expectations}
    assert used >= {*COMMON_CHECKS.split()}


def test_the_demo_world_passes() -> None:
    """Every expectation, warnings included, holds in every run of every case."""
    assert called("demo").findings() == []


def test_repeated_runs_are_not_the_same_call() -> None:
    """Runs of one case differ in words or times, as those of a model do."""
    for runs in called("demo").evidence.values():
        assert len({tuple((turn.text, turn.start_ms) for turn in run.turns or ()) for run in runs}) == len(runs)


def test_the_broken_agent_is_caught() -> None:
    """`regressed` fails order-support cases for reasons that can be quoted; the other suites stay green."""
    findings = called("regressed").findings()
    failed = {case_id for case_id, _, _ in findings}
    reasons = {expectation for _, expectation, _ in findings}
    assert {case_id.split("/")[0] for case_id in failed} == {"orders"}
    assert {case_id.split("[")[0] for case_id in failed} == {"orders/refund-window", "orders/no-promises"}
    assert {"states-window", "no-guarantee", "looks-it-up"} <= reasons
    assert all(judgement.outcome is FindingOutcome.FAILED for _, _, judgement in findings)
    quotes = [
        judgement.quote.text
        for _, expectation, judgement in findings
        if expectation == "no-guarantee" and judgement.quote
    ]
    assert any("I guarantee" in quote for quote in quotes)


def test_a_guarantee_is_critical() -> None:
    """The expectation that catches the broken agent fails a case in any run."""
    severities = {
        expectation.severity
        for case in _all_cases()
        for expectation in case.expectations
        if expectation.id == "no-guarantee"
    }
    assert severities == {CheckSeverity.CRITICAL}


def test_the_main_job_is_short() -> None:
    """At twenty calls at once and 60 × real time the lower bound is well under forty seconds."""
    seconds = [run.duration_seconds or 0 for runs in called("demo").evidence.values() for run in runs]
    assert max(*seconds, sum(seconds) / 20) / 60 < 20


def test_budgets_are_ample_but_not_boundless() -> None:
    """Each plan costs less than its budget, even by the high estimate of three minutes a call, and more than a tenth of it."""
    for plan in plans():
        cost_cents = sum(run.cost_cents or 0 for case in plan.cases for run in called("demo").evidence[case.case_id])
        assert plan.max_cost_cents is not None
        assert plan.max_cost_cents / 10 < cost_cents < plan.max_cost_cents
