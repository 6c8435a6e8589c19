"""A month of a team's life: forty commits, and for each the calls that a person would say are needed, with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]

WORLD = """\
extends: demo
version: 1
world: month
time_scale: 100000
balance_cents: 10000000
agents:
  12: {active: 2}
  14: {active: 3, revisions: {4: {updated_at: 2026-11-24T09:00:00Z, prompt: Be quick.}}}
"""
REFUNDS = """\
version: 1
plan: refunds
targets: {support: {agent: 14}}
vars: {order: "12345"}
scenarios:
  window:
    prompt: You are {{ mood }}. Ask how many days you have to return order {{ order }}.
    matrix: {axes: {mood: [calm, furious]}}
    runs: 2
    expect: [{check: call, status: completed}]
  person:
    prompt: Ask to speak with a person.
    expect: [{check: call, status: completed}]
"""
HOURS = """\
version: 1
plan: hours
targets: {clinic: {agent: 12}}
scenarios:
  saturday:
    prompt: You are Ana, calm. Ask when the clinic is open on Saturday.
    expect: [{check: call, status: completed}]
  sunday:
    prompt: You are Bob, calm. Ask whether the clinic is open on Sunday.
    expect: [{check: duration, max_seconds: 600}]
"""
CALM, FURIOUS, PERSON = (
    "refunds/window[mood=calm]@support",
    "refunds/window[mood=furious]@support",
    "refunds/person@support",
)
SATURDAY, SUNDAY = "hours/saturday@clinic", "hours/sunday@clinic"
REFUND_PLAN, HOUR_PLAN = "plans/refunds.yaml", "plans/hours.yaml"

Edit = Callable[[Project], None]


@dataclass(frozen=True)
class Commit:
    """`called` and `judged` (again, free) are case id → reason; every other case is kept, but those `dropped`."""

    says: str
    edit: Edit
    called: dict[str, str]
    judged: dict[str, str]
    dropped: tuple[str, ...] = ()


def _edit(name: str, old: str, new: str) -> Edit:
    return lambda project: project.edit(name, old, new)


def _all(*edits: Edit) -> Edit:
    def edit(project: Project) -> None:
        for one in edits:
            one(project)

    return edit


def _nothing(project: Project) -> None:
    del project


def _cut(name: str, scenario: str) -> Edit:
    """Take a scenario out."""

    def edit(project: Project) -> None:
        text = (project.root / name).read_text()
        project.write(name, re.sub(rf"  {scenario}:\n(?:    .*\n)+", "", text))

    return edit


def _add(name: str, text: str) -> Edit:
    return lambda project: project.edit(name, "scenarios:\n", f"scenarios:\n{text}")


def _append(name: str, text: str) -> Edit:
    def edit(project: Project) -> None:
        project.write(name, (project.root / name).read_text() + text)

    return edit


def _agent(number: int, revision: int) -> Edit:
    """Somebody deploys a revision, outside git."""

    def edit(project: Project) -> None:
        text = (project.root / "world.yaml").read_text()
        project.write("world.yaml", re.sub(rf"{number}: {{active: \d", f"{number}: {{active: {revision}", text))

    return edit


WINDOW = {CALM: "prompt_changed", FURIOUS: "prompt_changed"}
LATE = "  late:\n    prompt: Ask why order 61777 is late.\n    expect: [{check: call, status: completed}]\n"
DELAYED = LATE.replace("late:", "delayed:")
CHAT = "  chat:\n    prompt: Ask for the opening hours, and chat.\n    expect: [{check: call, status: completed}]\n"
POLITE = _edit(REFUND_PLAN, "Ask how many", "Ask politely how many")
RUDE = _edit(REFUND_PLAN, "Ask politely how many", "Ask how many")
DAY_FIRST, BACK = _edit(HOUR_PLAN, "on Saturday", "this Saturday"), _edit(HOUR_PLAN, "this Saturday", "on Saturday")

MONTH = (
    Commit(
        "First plans",
        _nothing,
        {CALM: "new", FURIOUS: "new", PERSON: "new", SATURDAY: "new", SUNDAY: "new"},
        {},
    ),
    Commit("A comment", _edit(REFUND_PLAN, "version: 1\n", "# Ours.\nversion: 1\n"), {}, {}),
    Commit("A description", _edit(REFUND_PLAN, "plan: refunds\n", "plan: refunds\ndescription: Returns.\n"), {}, {}),
    Commit("A clearer prompt", POLITE, WINDOW, {}),
    Commit("Owners", _edit(HOUR_PLAN, "plan: hours\n", 'plan: hours\nowners: ["@acme/clinic"]\n'), {}, {}),
    Commit(
        "A stricter expectation",
        _edit(HOUR_PLAN, "max_seconds: 600", "max_seconds: 500"),
        {},
        {SUNDAY: "expectations_changed"},
    ),
    Commit("Revert the prompt", RUDE, {}, {CALM: "called_before", FURIOUS: "called_before"}),
    Commit("The order support agent is edited", _agent(14, 4), dict.fromkeys((CALM, FURIOUS, PERSON), "agent_edited"), {}),
    Commit("Nothing", _nothing, {}, {}),
    Commit(
        "And rolled back",
        _agent(14, 3),
        {},
        dict.fromkeys((CALM, FURIOUS, PERSON), "called_before"),
    ),
    Commit("More runs", _edit(REFUND_PLAN, "runs: 2", "runs: 3"), {CALM: "runs_raised", FURIOUS: "runs_raised"}, {}),
    Commit("Fewer runs", _edit(REFUND_PLAN, "runs: 3", "runs: 2"), {}, {}),
    Commit("A budget", _edit(REFUND_PLAN, "plan: refunds\n", "plan: refunds\nbudget: {max_cost_cents: 900}\n"), {}, {}),
    Commit("A tag", _edit(HOUR_PLAN, "plan: hours\n", "plan: hours\ntags: [smoke]\n"), {}, {}),
    Commit("A new scenario", _add(REFUND_PLAN, LATE), {"refunds/late@support": "new"}, {}),
    Commit(
        "Renamed",
        _edit(REFUND_PLAN, "  late:\n", "  delayed:\n"),
        {},
        {"refunds/delayed@support": "renamed"},
    ),
    Commit("Deleted", _cut(REFUND_PLAN, "delayed"), {}, {}, ("refunds/delayed@support",)),
    Commit("Restored", _add(REFUND_PLAN, DELAYED), {}, {"refunds/delayed@support": "called_before"}),
    Commit("A new mood", _edit(REFUND_PLAN, "[calm, furious]", "[calm, furious, confused]"), {"refunds/window[mood=confused]@support": "new"}, {}),
    Commit("Moods in another order", _edit(REFUND_PLAN, "[calm, furious, confused]", "[confused, furious, calm]"), {}, {}),
    Commit(
        "A mood less", _edit(REFUND_PLAN, "[confused, furious, calm]", "[confused, calm]"), {}, {}, (FURIOUS,)
    ),
    Commit("A longer wait", _edit(HOUR_PLAN, "    expect: [{check: call", "    timeout_seconds: 600\n    expect: [{check: call"), {}, {}),
    Commit("The clinic's agent is edited", _agent(12, 1), dict.fromkeys((SATURDAY, SUNDAY), "agent_edited"), {}),
    Commit("Nothing again", _nothing, {}, {}),
    Commit("On a branch: Saturday", DAY_FIRST, {SATURDAY: "prompt_changed"}, {}),
    Commit(
        "On another branch, from before: Sunday",
        _all(BACK, _edit(HOUR_PLAN, "You are Bob, calm", "You are Bob, hurried")),
        {SUNDAY: "prompt_changed"},
        {SATURDAY: "called_before"},
    ),
    Commit("Merged", DAY_FIRST, {}, {SATURDAY: "called_before"}),
    Commit("Merged, and formatted", _edit(HOUR_PLAN, "targets: {clinic: {agent: 12}}", "targets:\n  clinic:\n    agent: 12"), {}, {}),
    Commit(
        "Another order number in the variables",
        _edit(REFUND_PLAN, 'order: "12345"', 'order: "20417"'),
        {CALM: "prompt_changed", "refunds/window[mood=confused]@support": "prompt_changed"},
        {},
    ),
    Commit("A scenario less", _cut(HOUR_PLAN, "sunday"), {}, {}, (SUNDAY,)),
    Commit("Chat", _add(HOUR_PLAN, CHAT), {"hours/chat@clinic": "new"}, {}),
    Commit("Chat calls in", _edit(HOUR_PLAN, "  chat:\n", "  chat:\n    direction: inbound\n"), {"hours/chat@clinic": "settings_changed"}, {}),
    Commit("It does not", _edit(HOUR_PLAN, "  chat:\n    direction: inbound\n", "  chat:\n"), {}, {"hours/chat@clinic": "called_before"}),
    Commit("Only half need pass", _edit(REFUND_PLAN, "    runs: 2\n", "    runs: 2\n    min_pass_rate: 0.5\n"), {}, {CALM: "expectations_changed", "refunds/window[mood=confused]@support": "expectations_changed"}),
    Commit(
        "A number for a person",
        _edit(REFUND_PLAN, "  person:\n", '  person:\n    target_number: "+14155550123"\n'),
        {PERSON: "settings_changed"},
        {},
    ),
    Commit("A description more", _edit(HOUR_PLAN, "plan: hours\n", "plan: hours\ndescription: When.\n"), {}, {}),
    Commit(
        "An expectation that a person must be reached",
        _edit(REFUND_PLAN, "person.\n    expect: [{check: call, status: completed}]", "person.\n    expect: [{check: call, status: completed}, {check: duration, max_seconds: 900}]"),
        {},
        {PERSON: "expectations_changed"},
    ),
    Commit("Two scenarios in another order", _all(_cut(REFUND_PLAN, "delayed"), _append(REFUND_PLAN, DELAYED)), {}, {}),
    Commit("Another agent for the clinic", _edit(HOUR_PLAN, "agent: 12", "agent: 17"), {SATURDAY: "settings_changed", "hours/chat@clinic": "settings_changed"}, {}),
    Commit("And back", _edit(HOUR_PLAN, "agent: 17", "agent: 12"), {}, {SATURDAY: "called_before", "hours/chat@clinic": "called_before"}),
)  # fmt: skip


def test_a_month(project: Project) -> None:
    """Forty commits need 34 calls, where calling everything again would have made 336: each call has its reason, and no other is made."""
    project.write("world.yaml", WORLD)
    project.write(REFUND_PLAN, REFUNDS)
    project.write(HOUR_PLAN, HOURS)
    made = everything = 0
    for commit in MONTH:
        commit.edit(project)
        ran = project.planner("run", "--sandbox", "--world", "world.yaml", "--consent-to-charge")
        assert ran.code == 0, (commit.says, ran.err, ran.out)
        results = project.results()
        acted = {case["case_id"]: (case["action"], case["reason"]) for case in results["cases"]}
        expected = dict.fromkeys(acted, ("keep", "passed"))
        expected |= {case_id: ("call", reason) for case_id, reason in commit.called.items()}
        expected |= {case_id: ("recheck", reason) for case_id, reason in commit.judged.items()}
        assert acted == expected, commit.says
        assert [dropped["case_id"] for dropped in results["dropped"]] == list(commit.dropped), commit.says
        mine = results["invocation_id"]
        made += sum(run["invocation_id"] == mine for case in results["cases"] for run in case["runs"])
        everything += sum(case["runs_required"] for case in results["cases"])
    assert len(MONTH) == 40
    assert (made, everything) == (34, 336)
