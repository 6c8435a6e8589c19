"""`--shard I/N` and `planner merge`: several jobs carry out one change set, and what they found is one result."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from planner.results.model import RunResult
from planner.verdicts.merging import merged, parts_of

SHARDS = ("1/3", "2/3", "3/3")


def run_shards(project: Any, *options: str, shards: tuple[str, ...] = SHARDS) -> list[Any]:
    return [
        project.planner("run", "--consent-to-charge", "--shard", shard, "--report-dir", f"parts/{shard[0]}", *options)
        for shard in shards
    ]


def results(folder: Path) -> Any:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def same_for_both(result: Any) -> Any:
    """What does not depend on which calls they were."""
    cases = [
        {key: case[key] for key in ("case_id", "outcome", "runs_total", "action", "reason", "compared")}
        for case in result["cases"]
    ]
    return {
        "cases": cases,
        **{
            key: result[key]
            for key in ("outcome", "exit_code", "change_set_digest", "plans", "dropped", "partial", "finished")
        },
        "estimated": result["cost"]["estimated_cents"],
    }


def test_shards_joined_are_the_whole(project: Any, service: Any) -> None:
    """Three jobs make each call of the change set once; joined, they are what one run would have been: report, digest, baseline."""
    whole = project.planner("plan", "--format", "json").json
    for ran in run_shards(project, "--plan-digest", whole["digest"], "--max-cost", "20"):
        assert ran.code == 0, ran.out + ran.err
    assert len(service.own_runs()) == 5
    parts = [results(project.root / "parts" / shard[0]) for shard in SHARDS]
    assert [part["partial"] for part in parts] == [True] * 3
    assert sum(part["consent"]["max_cost_cents"] for part in parts) <= 2000
    assert {action for action, _, _ in project.actions().values()} == {"call"}, "a shard is no baseline"
    ran = project.planner("merge", "parts/3", "parts/1", "parts/2/results.json", "--out", "reports")
    assert ran.code == 0, ran.out + ran.err
    joined = project.results()
    assert sorted(path.name for path in (project.root / "reports").iterdir()) == [
        "junit.xml",
        "report.html",
        "report.md",
        "results.json",
    ]
    assert joined["change_set_digest"] == whole["digest"]
    assert joined["cost"]["actual_cents"] == sum(run["cost_cents"] for run in service.own_runs())
    assert {action for action, _, _ in project.actions().values()} == {"keep"}
    assert project.planner("run", "--rerun", "all", "--store", "other", "--consent-to-charge").code == 0
    alone = project.results()
    forced = {"reason": "new"}  # in the other store they are new as well
    assert [case | forced for case in same_for_both(joined)["cases"]] == same_for_both(alone)["cases"]
    keep = ("outcome", "exit_code", "plans", "dropped", "partial", "finished", "estimated")
    assert [same_for_both(joined)[key] for key in keep] == [same_for_both(alone)[key] for key in keep]
    assert len(service.own_runs()) == 10


def test_what_shards_called_is_not_gone_on_with(project: Any, service: Any) -> None:
    """Before they are joined, a run of the whole takes the shards' calls over, free; after, they stand in the baseline alone."""
    run_shards(project)
    assert project.planner("run", "--consent-to-charge").code == 0
    assert len(service.own_runs()) == 5
    assert project.planner("merge", "parts/1", "parts/2", "parts/3", "--out", "joined").code == 0
    assert project.planner("run", "--rerun", "all", "--consent-to-charge").code == 0
    assert len(service.own_runs()) == 10


def test_more_shards_than_cases(project: Any, service: Any) -> None:
    """A shard with nothing to do passes; a case that is gone from the plans is dropped by one of them alone."""
    assert project.planner("run", "--consent-to-charge").code == 0
    project.edit("plans/hours.yaml", "[Ana, Bob]", "[Ana]")
    shards = ("1/5", "2/5", "3/5", "4/5", "5/5")
    planned = [project.planner("plan", "--shard", shard) for shard in shards]
    leads = sorted(line for ran in planned for line in ran.out.splitlines() if line.startswith("Nothing"))
    update = "Nothing was called. To bring the stored results up to date, free of charge:"
    assert leads == ["Nothing to do."] * 4 + [update]
    assert [ran.code for ran in run_shards(project, shards=shards)] == [0] * 5
    ran = project.planner("merge", *(f"parts/{shard[0]}" for shard in shards), "--out", "joined")
    assert ran.code == 0, ran.err
    joined = results(project.root / "joined")
    assert [case["case_id"] for case in joined["dropped"]] == ["hours/saturday[name=Bob]@clinic"]
    assert [case["case_id"] for case in joined["cases"]] == ["hours/saturday[name=Ana]@clinic", "hours/cancel@clinic"]
    assert len(service.own_runs()) == 5
    assert project.actions() == {
        "hours/saturday[name=Ana]@clinic": ("keep", "passed", 0),
        "hours/cancel@clinic": ("keep", "passed", 0),
    }


def test_what_cannot_be_joined(project: Any) -> None:
    """A missing shard is exit 4, what is not of one whole exit 2; each says which, and an older report does not stand."""
    run_shards(project, "--sandbox")
    project.edit("plans/hours.yaml", "of Monday", "of Tuesday")
    run_shards(project, "--sandbox", shards=("3/3",))
    shutil.copytree(project.root / "parts/3", project.root / "parts/other")
    project.edit("plans/hours.yaml", "of Tuesday", "of Monday")
    run_shards(project, "--sandbox", shards=("3/3",))
    project.planner("run", "--sandbox", "--consent-to-charge")
    project.planner(
        "run",
        "--sandbox",
        "--shard",
        "2/3",
        "--consent-to-charge",
        "--select",
        "nothing",
        "--report-dir",
        "parts/early",
    )

    def refused(*parts: str) -> tuple[int, str]:
        ran = project.planner("merge", *parts, "--out", "joined")
        return ran.code, ran.err.splitlines()[0]

    assert refused("parts/1", "parts/3") == (4, "planner: shard 2 of 3 is missing")
    assert results(project.root / "joined")["outcome"] == "unknown"
    assert refused("parts/2") == (4, "planner: shards 1, 3 of 3 are missing")
    assert refused("parts/1", "parts/2", "parts/3", "parts/1") == (
        2,
        "planner: shard 1/3 is given twice: parts/1/results.json and parts/1/results.json",
    )
    assert refused("parts/1", "reports") == (2, "planner: reports/results.json is no shard's results")
    code, said = refused("parts/1", "parts/2", "parts/other")
    assert (code, said.partition(" by their")[0]) == (
        2,
        "planner: parts/1/results.json and parts/other/results.json are no shards of one whole,",
    )
    assert refused("parts/1", "parts/early", "parts/3") == (
        4,
        "planner: shard 2/3 has no results: --select nothing: no case matches",
    )
    assert refused("parts/nowhere") == (2, "planner: parts/nowhere cannot be read: No such file or directory")
    ran = project.planner("plan", "--shard", "1/3", "--out", "saved.json")
    assert (ran.code, ran.err.splitlines()[0]) == (
        2,
        "planner: a saved plan is carried out once, as a whole: it cannot be a shard",
    )


def test_a_ceiling_is_of_all_shards(project: Any, service: Any) -> None:
    """What one shard may spend is its part of the ceiling by its calls: where that is too little, nobody is called."""
    ran = project.planner("run", "--consent-to-charge", "--shard", "1/3", "--max-cost", "0.40")
    assert ran.code == 3, ran.out
    assert ran.err == (
        "shard 1/3: 2 of 5 calls, and that part of each ceiling\n"
        "planner: $0.64 expected, --max-cost allows $0.16\n"
        "  select fewer cases with --select, or raise the ceiling\n"
    )
    assert service.own_runs() == []


def shard_result(number: int, of: int, cases: list[dict[str, Any]]) -> RunResult:
    """Each case: its name, place, and passed runs of three, before and now."""
    documents, places = [], []
    for case in cases:
        passed = case["now"]
        runs = [
            {
                "run_id": case["place"] * 10 + n,
                "outcome": "passed" if n < passed else "failed",
                "fault": None if n < passed else "agent",
            }
            for n in range(3)
        ]
        outcome = "passed" if passed == 3 else "failed"
        documents.append(
            {
                "case_id": case["name"],
                "plan": "p",
                "scenario": "s",
                "target": "t",
                "action": "call",
                "reason": "forced",
                "outcome": outcome,
                "runs_required": 3,
                "runs_passed": passed,
                "runs_total": 3,
                "compared": case["alone"],
                "inputs": {
                    "prompt": "",
                    "target_kind": "agent",
                    "target_id": 1,
                    "direction": "outbound",
                    "mode": "bot",
                },
                "call_fingerprint": "",
                "check_fingerprint": "",
                "runs": runs,
            }
        )
        before = {
            "outcome": "passed" if case["before"] == 3 else "failed",
            "runs_passed": case["before"],
            "runs_countable": 3,
        }
        latest = {"outcome": outcome, "runs_passed": passed, "runs_countable": 3}
        documents[-1] |= {"before": before, "latest": latest}
        places.append({"position": case["place"], "before": before})
    code = 1 if any(document["outcome"] == "failed" for document in documents) else 0
    return RunResult.model_validate(
        {
            "tool_version": "0", "outcome": "failed" if code else "passed", "exit_code": code, "invocation_id": f"i{number}",
            "change_set_digest": f"sha256:{number}", "started_at": "2026-11-25T12:00:00Z", "ended_at": f"2026-11-25T12:0{number}:00Z",
            "consent": {"given": True, "by": "ana", "digest": f"sha256:{number}", "max_cost_cents": 100 * number},
            "partial": True, "plans": ["p"], "cases": documents,
            "cost": {"estimated_cents": 5, "actual_cents": 16 * number, "this_invocation_cents": 16, "ambiguous_cents": 0},
            "stats": {"requests": number},
            "shard": {"number": number, "of": of, "digest": "sha256:whole", "expected_cents": 77, "basis": "history", "cases": places},
        }
    )  # fmt: skip


def test_the_joined_suite_is_compared_as_one() -> None:
    """0 of 3 after 3 of 3 tells enough where it is the only case in doubt, and not beside others: that is judged over all shards."""
    alone = shard_result(1, 2, [{"name": "a", "place": 1, "before": 3, "now": 0, "alone": "regressed"}])
    others = [
        {"name": name, "place": place, "before": 3, "now": 0, "alone": "regressed"}
        for place, name in ((2, "c"), (0, "b"), (3, "d"))
    ]
    joined = merged(
        parts_of([("two", shard_result(2, 2, others)), ("one", alone)]), invocation_id="whole", tool_version="1"
    )
    assert [(case.case_id, case.compared) for case in joined.cases] == [
        ("b", "not_enough_evidence"),
        ("a", "not_enough_evidence"),
        ("c", "not_enough_evidence"),
        ("d", "not_enough_evidence"),
    ]
    assert joined.suite is not None
    assert (joined.suite.cases, joined.suite.passed_before, joined.suite.passed_now, joined.suite.compared) == (
        4,
        12,
        0,
        "worse",
    )
    assert (joined.exit_code, joined.outcome, joined.partial, joined.shard) == (1, "failed", False, None)
    assert (joined.consent.max_cost_cents, joined.consent.digest) == (300, "sha256:whole")
    assert (joined.cost.actual_cents, joined.cost.estimated_cents, joined.stats.requests) == (48, 77, 3)
    assert joined.stats.wall_seconds == 120
    alone_only = merged(
        parts_of([("one", shard_result(1, 1, [{"name": "a", "place": 0, "before": 3, "now": 0, "alone": "same"}]))]),
        invocation_id="w",
        tool_version="1",
    )
    assert [case.compared for case in alone_only.cases] == ["regressed"]
