"""What the service says that a call ran is compared with what was to be called."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from spoiling import Request, Spoil, Whole, answer, spoiling

from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.commands.run.test_run import CONSENT  # pyright: ignore[reportMissingImports]


def with_fields(**fields: Any) -> Spoil:
    """The service's answer, with other fields of the call."""

    def changed(whole: Whole) -> bytes:
        body = json.dumps(json.loads(whole.body) | fields).encode()
        return answer(body, Content_Type="application/json")

    return changed


OTHER_PROMPT = with_fields(prompt_snapshot="You sell boats.")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(OTHER_PROMPT, "ran other prompt of the agent"), (None, "")],
    ids=["prompt", "as planned"],
)
def test_snapshots(
    project: Project,
    serve: Callable[..., Served],
    monkeypatch: pytest.MonkeyPatch,
    spoil: Spoil | None,
    words: str,
) -> None:
    """The agent is the same before and after the calls, but one call shows that it ran another: that one does not count."""
    served = serve()
    project.edit("plans/hours.yaml", "runs: 2", "runs: 1")
    monkeypatch.setenv("THUNDERPHONE_API_KEY", "sk_test_commands")
    with spoiling(served.url) as between:
        monkeypatch.setenv("THUNDERPHONE_API_BASE_URL", between.url)
        first: list[str] = []

        def choose(request: Request) -> Spoil | None:
            if request.route != "GET /v1/calls/{id}":
                return None
            first.append(request.path)
            return spoil if request.path == first[0] else None

        between.choose = choose
        ran = project.planner("run", CONSENT)
        assert words in ran.err
        runs = [run for case in project.results()["cases"] for run in case["runs"]]
        excluded = [(run["outcome"], run["cause"]) for run in runs if run["excluded"] == "agent_edited"]
        assert (ran.code, excluded) == ((0, []) if spoil is None else (4, [("undecided", "platform")])), ran.err
        between.choose = lambda _: None
        assert project.planner("run", CONSENT).code == 0
        assert len(served.own_runs()) == len(runs) + len(excluded)
