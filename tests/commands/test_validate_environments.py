"""`planner validate` of plans that list aliases, in every environment."""

from __future__ import annotations

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]


def test_without_a_name_every_environment_counts(project: Project) -> None:
    """A missing alias is reported once."""
    project.edit("plans/hours.yaml", "targets:\n  clinic: {agent: 12}", "targets: [clinic]")
    project.write("planner.yaml", "environments:\n  staging: {clinic: {agent: 12}}\n  live: {clinic: {agent: 40}}\n")
    ran = project.planner("validate")
    assert (ran.code, ran.out) == (0, "1 plan valid · 3 cases · 5 runs\n")
    project.write("planner.yaml", "environments:\n  staging: {clinic: {agent: 12}}\n  live: {hotline: {agent: 40}}\n")
    ran = project.planner("validate")
    assert ran.code == 2
    assert ran.err.count("[unknown-target]") == 1
    assert project.planner("validate", "--environment", "staging").code == 0
    assert project.planner("validate", "--environment", "live").code == 2


def test_plans_still_need_one_to_be_called(project: Project) -> None:
    """Which environment is meant is not guessed where money may follow."""
    project.edit("plans/hours.yaml", "targets:\n  clinic: {agent: 12}", "targets: [clinic]")
    project.write("planner.yaml", "environments:\n  staging: {clinic: {agent: 12}}\n")
    ran = project.planner("plan")
    assert (ran.code, "[environment-needed]" in ran.err) == (2, True)


def test_an_alias_that_several_do_not_define_is_one_error(project: Project) -> None:
    project.edit("plans/hours.yaml", "targets:\n  clinic: {agent: 12}", "targets: [clinic, clinc, night]")
    project.write(
        "planner.yaml",
        "environments:\n  staging: {clinic: {agent: 12}, night: {agent: 7}}\n  live: {clinic: {agent: 40}}\n"
        "  canary: {clinic: {agent: 41}}\n",
    )
    ran = project.planner("validate", "--format", "json")
    assert ran.code == 2
    found = [(item["code"], item["line"], item["column"]) for item in ran.json["diagnostics"]]
    assert found == [("unknown-target", 3, 19), ("unknown-target", 3, 26)]
