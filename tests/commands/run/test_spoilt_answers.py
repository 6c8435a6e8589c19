"""A service or proxy that sends garbage: it is reported, retried or worked around, and nothing is charged twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import pytest
from spoiling import ENDLESS, SPOILS, Request, Spoil, Spoiler, spoiling

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT  # pyright: ignore[reportMissingImports]

EVERY = [*SPOILS.values(), ENDLESS]


@pytest.fixture
def spoiler(service: Served, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spoiler]:
    with spoiling(service.url) as between:
        monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", between.url)
        yield between
        assert between.heard_elsewhere == []
        assert {request.authorization for request in between.requests} == {"Bearer sk_test_commands"}


def test_a_launch_whose_answer_is_garbage_is_paid_for_once(project: Project, service: Served, spoiler: Spoiler) -> None:
    """Carried out, and answered in every wrong way: each is found at the service, and none is sent again."""
    wanted = len(EVERY) // 2 + 1
    project.edit("plans/hours.yaml", "runs: 2", f"runs: {wanted}")
    waiting = iter(EVERY)
    spoiler.choose = lambda request: next(waiting, None) if request.method == "POST" else None
    project.limit_calls(1)
    ran = project.planner("run", CONSENT)
    assert ran.code == 0, ran.err + ran.out
    assert Counter(Counter(run["prompt"] for run in service.own_runs()).values()) == {wanted: 2, 1: 1}
    runs = [run for case in project.results()["cases"] for run in case["runs"]]
    assert sum(run["adopted"] for run in runs) == len(EVERY)
    assert sum(run["cost_cents"] for run in runs) == service.ledger()["total_cents"]
    assert next(waiting, None) is None


def test_every_second_answer_to_a_read_is_garbage(project: Project, service: Served, spoiler: Spoiler) -> None:
    """Each kind of garbage in each response is retried; the final result counts and no call is repeated."""
    project.edit("plans/hours.yaml", "runs: 2", f"runs: {len(EVERY) // 2 + 3}")
    waiting: defaultdict[str, Iterator[Spoil]] = defaultdict(lambda: iter(EVERY))
    asked: Counter[str] = Counter()

    def choose(request: Request) -> Spoil | None:
        asked[request.path] += 1
        return None if request.method == "POST" or asked[request.path] % 2 == 0 else next(waiting[request.route], None)

    spoiler.choose = choose
    ran = project.planner("run", CONSENT, "-v")
    assert ran.code == 0, ran.err + ran.out
    assert "\x1b" not in ran.err + ran.out
    assert sorted(route for route, left in waiting.items() if next(left, None) is None) == [
        "GET /v1/calls/{id}",
        "GET /v1/calls/{id}/grade",
        "GET /v1/calls/{id}/history",
        "GET /v1/calls/{id}/transcript",
    ]
    runs = [run for case in project.results()["cases"] for run in case["runs"]]
    assert {(run["outcome"], tuple(run["missing"])) for run in runs} == {("passed", ())}
    assert sorted(run["run_id"] for run in runs) == sorted(run["run_id"] for run in service.own_runs())
    assert sum(run["cost_cents"] for run in runs) == service.ledger()["total_cents"]
