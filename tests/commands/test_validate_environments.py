"""`planner validate` of plans that list aliases: right in every environment, or told in which it is not."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.commands.conftest import Project  # pyright: ignore[reportMissingImports]


def test_without_a_name_every_environment_counts(project: Project) -> None:
    """A plan with aliases is valid where each environment defines them, and an alias that one lacks is told once."""
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


def test_an_alias_that_several_do_not_define_is_one_fault(project: Project) -> None:
    """It names the environments that lack it, or says that none has it; what is meant is told where one has it."""
    project.edit("plans/hours.yaml", "targets:\n  clinic: {agent: 12}", "targets: [clinic, clinc, night]")
    project.write(
        "planner.yaml",
        "environments:\n  staging: {clinic: {agent: 12}, night: {agent: 7}}\n  live: {clinic: {agent: 40}}\n"
        "  canary: {clinic: {agent: 41}}\n",
    )
    ran = project.planner("validate")
    assert ran.code == 2
    assert ran.err == snapshot("""\
plans/hours.yaml:3:19: error: no such target [unknown-target]
    3 | targets: [clinic, clinc, night]
      |                   ^^^^^
        no environment of planner.yaml defines `clinc`; did you mean `clinic`?

plans/hours.yaml:3:26: error: no such target [unknown-target]
    3 | targets: [clinic, clinc, night]
      |                          ^^^^^
        environments `live` and `canary` do not define `night`; known: `clinic`

2 errors in 1 file
`planner explain unknown-target` tells more, and shows an example mended
""")


def test_answers_of_a_model_that_are_not_there_are_told_where_they_are_named(project: Project) -> None:
    """Once, however many plans there are, and in each environment alike; a file that is there is no fault."""
    project.edit("plans/hours.yaml", "targets:\n  clinic: {agent: 12}", "targets: [clinic]")
    project.write(
        "plans/again.yaml", (project.root / "plans/hours.yaml").read_text().replace("plan: ", "plan: again-", 1)
    )
    project.write(
        "planner.yaml",
        "environments: {staging: {clinic: {agent: 12}}, live: {clinic: {agent: 40}}}\n"
        "judge:\n  model: gpt-4o-mini\n  recorded: votes/answer.jsonl\n",
    )
    project.write("votes/answers.jsonl", "")
    ran = project.planner("validate")
    assert ran.code == 2
    assert ran.err == snapshot("""\
planner.yaml:4:13: error: file does not exist [file-missing]
    4 |   recorded: votes/answer.jsonl
      |             ^^^^^^^^^^^^^^^^^^
        there is no file votes/answer.jsonl; did you mean votes/answers.jsonl?

1 error in 1 file
`planner explain file-missing` tells more, and shows an example mended
""")
    assert project.planner("validate", "--environment", "live").err == ran.err
    project.edit("planner.yaml", "answer.jsonl", "gpt.jsonl")
    assert "--record-votes votes/gpt.jsonl`" in " ".join(project.planner("validate").err.split())
    project.edit("planner.yaml", "gpt.jsonl", "answers.jsonl")
    assert project.planner("validate").code == 0
    project.edit("planner.yaml", "votes/answers.jsonl", "votes")
    assert "planner.yaml:4:13: error: file does not exist [file-missing]" in project.planner("validate").err
