"""`planner.yaml`: what a project sets for all plans, and what is wrong with one."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from inline_snapshot import snapshot

from planner.reports.diagnostics import render_text
from planner.spec import load_project
from planner.spec.model import ExecutionSettings, Policy, Project, QuietHours, Target


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
execution: {settle_seconds: 30, linger_seconds: 0.5, mark_prompts: true}
policy:
  max_cost_cents: 2000
  allowed_targets: [{agent: 12}, {phone_number: 31}]
  max_concurrent_runs: 4
  max_calls: 500
  quiet_hours: {start: "20:00", end: "08:00", time_zone: Europe/Berlin}
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
        execution=ExecutionSettings(settle_seconds=30, linger_seconds=0.5, mark_prompts=True),
        policy=Policy(
            2000,
            frozenset({("agent", 12), ("phone_number", 31)}),
            4,
            500,
            QuietHours(time(20), time(8), ZoneInfo("Europe/Berlin")),
        ),
        redact=(r"(?i)member \d+",),
        rates=(("spark", 8.0), ("storm-base", 12.5)),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "environment: {}\n",
            snapshot("""\
planner.yaml:1:1: error: unknown key [unknown-key]
    1 | environment: {}
      | ^^^^^^^^^^^
        `environment` is not a key here; did you mean `environments`?

1 error in 1 file
"""),
        ),
        (
            "store: [git]\njudge: {}\n",
            snapshot("""\
planner.yaml:1:8: error: wrong type of value [wrong-type]
    1 | store: [git]
      |        ^^^^^
        this must be text, but it is a list; one stands here, without brackets

planner.yaml:2:1: error: required key is missing [missing-key]
    2 | judge: {}
      | ^^^^^
        `base_url` is required, such as base_url: https://api.openai.com/v1

planner.yaml:2:1: error: required key is missing [missing-key]
    2 | judge: {}
      | ^^^^^
        `model` is required, such as model: gpt-4o-mini

planner.yaml:2:1: error: required key is missing [missing-key]
    2 | judge: {}
      | ^^^^^
        what a vote costs is required: `cents_per_vote: 0.2`, or `cents_per_million_tokens: {input:
        15, output: 60}`; `cents_per_vote: 0` for a model of your own

4 errors in 1 file
"""),
        ),
        (
            "policy: {quiet_hours: 22-6, max_calls: 0, max_concurrent: 4}\n",
            snapshot("""\
planner.yaml:1:23: error: wrong type of value [wrong-type]
    1 | policy: {quiet_hours: 22-6, max_calls: 0, max_concurrent: 4}
      |                       ^^^^
        this must be a mapping such as {start: "20:00", end: "08:00", time_zone: Europe/Berlin}, but
        it is the text "22-6"

planner.yaml:1:40: error: value is out of range [out-of-range]
    1 | policy: {quiet_hours: 22-6, max_calls: 0, max_concurrent: 4}
      |                                        ^
        0 is out of range: it must be at least 1

planner.yaml:1:43: error: unknown key [unknown-key]
    1 | policy: {quiet_hours: 22-6, max_calls: 0, max_concurrent: 4}
      |                                           ^^^^^^^^^^^^^^
        `max_concurrent` is not a key here; did you mean `max_concurrent_runs`?

3 errors in 1 file
"""),
        ),
        (
            "policy: {quiet_hours: {start: 8 pm, end: '08:00'}}\n",
            snapshot("""\
planner.yaml:1:10: error: required key is missing [missing-key]
    1 | policy: {quiet_hours: {start: 8 pm, end: '08:00'}}
      |          ^^^^^^^^^^^
        `time_zone` is required, such as time_zone: Europe/Berlin

planner.yaml:1:31: error: value cannot be used [bad-value]
    1 | policy: {quiet_hours: {start: 8 pm, end: '08:00'}}
      |                               ^^^^
        this must be a time of the day, such as 08:00, but it is the text "8 pm"; write "20:00"

2 errors in 1 file
"""),
        ),
        (
            "policy: {quiet_hours: {start: '08:00', end: '08:00', time_zone: Europe/Berlni}}\n",
            snapshot("""\
planner.yaml:1:45: error: value cannot be used [bad-value]
    1 | policy: {quiet_hours: {start: '08:00', end: '08:00', time_zone: Europe/Berlni}}
      |                                             ^^^^^^^
        they end when they begin, so it is not clear whether that is always or never

planner.yaml:1:65: error: value cannot be used [bad-value]
    1 | policy: {quiet_hours: {start: '08:00', end: '08:00', time_zone: Europe/Berlni}}
      |                                                                 ^^^^^^^^^^^^^
        `Europe/Berlni` is not a name of the time zone database; did you mean `Europe/Berlin`?

2 errors in 1 file
"""),
        ),
        (
            "redact: ['(?i)member \\d+', '(a', 5, 'x*']\n",
            snapshot("""\
planner.yaml:1:28: error: regular expression is not valid [bad-regex]
    1 | redact: ['(?i)member \\d+', '(a', 5, 'x*']
      |                            ^^^^
        this is not a regular expression: a ( is not closed; close it, or write \\( for the character
        itself

planner.yaml:1:34: error: wrong type of value [wrong-type]
    1 | redact: ['(?i)member \\d+', '(a', 5, 'x*']
      |                                  ^
        this must be text, but it is the number 5; put it in quotes: "5"

planner.yaml:1:37: error: value cannot be used [bad-value]
    1 | redact: ['(?i)member \\d+', '(a', 5, 'x*']
      |                                     ^^^^
        this matches the empty text, so it would leave out everything

3 errors in 1 file
"""),
        ),
        (
            "redact: secret\n",
            snapshot("""\
planner.yaml:1:9: error: wrong type of value [wrong-type]
    1 | redact: secret
      |         ^^^^^^
        this must be a list, but it is the text "secret"; write ["secret"]

1 error in 1 file
"""),
        ),
        (
            "policy: []\n",
            snapshot("""\
planner.yaml:1:9: error: wrong type of value [wrong-type]
    1 | policy: []
      |         ^^
        this must be a mapping such as {max_cost_cents: 2000}, but it is a list

1 error in 1 file
"""),
        ),
        (
            "policy:\n",
            snapshot("""\
planner.yaml:1:1: error: wrong type of value [wrong-type]
    1 | policy:
      | ^^^^^^
        there is no value here; write one, or remove the key

1 error in 1 file
"""),
        ),
        (
            "policy: {allowed_targets: {agent: 12}}\n",
            snapshot("""\
planner.yaml:1:27: error: wrong type of value [wrong-type]
    1 | policy: {allowed_targets: {agent: 12}}
      |                           ^^^^^^^^^^^
        this must be a list such as [{agent: 12}], but it is a mapping

1 error in 1 file
"""),
        ),
        (
            "policy: {allowed_targets: [{agent: 12}, {agnt: 3}, 5]}\n",
            snapshot("""\
planner.yaml:1:42: error: unknown key [unknown-key]
    1 | policy: {allowed_targets: [{agent: 12}, {agnt: 3}, 5]}
      |                                          ^^^^
        `agnt` is not a key here; did you mean `agent`?

planner.yaml:1:52: error: wrong type of value [wrong-type]
    1 | policy: {allowed_targets: [{agent: 12}, {agnt: 3}, 5]}
      |                                                    ^
        this must be {agent: ID} or {phone_number: ID}, but it is the number 5

2 errors in 1 file
"""),
        ),
        (
            "environments: [staging]\n",
            snapshot("""\
planner.yaml:1:15: error: wrong type of value [wrong-type]
    1 | environments: [staging]
      |               ^^^^^^^^^
        this must be a mapping of environments, but it is a list

1 error in 1 file
"""),
        ),
        (
            "environments: {Staging: {Support: {agent: 12}, hotline: {agent: x}}, production: 5}\n",
            snapshot("""\
planner.yaml:1:16: error: name is not a slug [not-a-slug]
    1 | environments: {Staging: {Support: {agent: 12}, hotline: {agent: x}}, production: 5}
      |                ^^^^^^^
        "Staging" is not a slug: lower-case letters, digits, - and _; write `staging`

planner.yaml:1:26: error: name is not a slug [not-a-slug]
    1 | environments: {Staging: {Support: {agent: 12}, hotline: {agent: x}}, production: 5}
      |                          ^^^^^^^
        "Support" is not a slug: lower-case letters, digits, - and _; write `support`

planner.yaml:1:65: error: wrong type of value [wrong-type]
    1 | environments: {Staging: {Support: {agent: 12}, hotline: {agent: x}}, production: 5}
      |                                                                 ^
        this must be a whole number, but it is the text "x"

planner.yaml:1:82: error: wrong type of value [wrong-type]
    1 | environments: {Staging: {Support: {agent: 12}, hotline: {agent: x}}, production: 5}
      |                                                                                  ^
        this must be a mapping such as {support: {agent: 12}}, but it is the number 5

4 errors in 1 file
"""),
        ),
        (
            "execution: {settle_seconds: -1, mark_prompts: yes}\n",
            snapshot("""\
planner.yaml:1:29: error: value is out of range [out-of-range]
    1 | execution: {settle_seconds: -1, mark_prompts: yes}
      |                             ^^
        -1 is out of range: it must be at least 0

planner.yaml:1:47: error: wrong type of value [wrong-type]
    1 | execution: {settle_seconds: -1, mark_prompts: yes}
      |                                               ^^^
        this must be true or false, but it is the text "yes"; YAML 1.2 reads it as text, write true
        or false

2 errors in 1 file
"""),
        ),
        (
            "rates: {spark: eight, Bolt: 3, storm: -1}\n",
            snapshot("""\
planner.yaml:1:16: error: wrong type of value [wrong-type]
    1 | rates: {spark: eight, Bolt: 3, storm: -1}
      |                ^^^^^
        this must be a number, but it is the text "eight"

planner.yaml:1:23: error: name is not a slug [not-a-slug]
    1 | rates: {spark: eight, Bolt: 3, storm: -1}
      |                       ^^^^
        "Bolt" is not a slug: lower-case letters, digits, - and _; write `bolt`

planner.yaml:1:39: error: value is out of range [out-of-range]
    1 | rates: {spark: eight, Bolt: 3, storm: -1}
      |                                       ^^
        -1 is out of range: it must be at least 0

3 errors in 1 file
"""),
        ),
        (
            "rates: {sparc: 1000, storm-base-with-akc: 9, spark: 8, sparks: 8, storm: 7, own: 3}\n",
            snapshot("""\
planner.yaml:1:22: warning: word is nearly a known one [near-miss]
    1 | rates: {sparc: 1000, storm-base-with-akc: 9, spark: 8, sparks: 8, storm: 7, own: 3}
      |                      ^^^^^^^^^^^^^^^^^^^
        the service has no product `storm-base-with-akc` that is known; did you mean
        `storm-base-with-ack`?

1 warning in 1 file
"""),
        ),
        (
            (
                "rates: {spark: 0.08, bolt: 1, own: 0}\n"
                "judge: {base_url: https://api.openai.com/v1/chat/completions/, model: m, cents_per_vote: 0}\n"
            ),
            snapshot("""\
planner.yaml:1:16: warning: value cannot be used [bad-value]
    1 | rates: {spark: 0.08, bolt: 1, own: 0}
      |                ^^^^
        rates are cents a minute, and this is less than one: for $0.08 write 8

planner.yaml:2:19: error: value cannot be used [bad-value]
    2 | judge: {base_url: https://api.openai.com/v1/chat/completions/, model: m, cents_per_vote: 0}
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        `/chat/completions` is added to it: write https://api.openai.com/v1

1 error and 1 warning in 1 file
"""),
        ),
        (
            'policy: {quiet_hours: {start: 20, end: "8:30", time_zone: CEST}}\n',
            snapshot("""\
planner.yaml:1:31: error: wrong type of value [wrong-type]
    1 | policy: {quiet_hours: {start: 20, end: "8:30", time_zone: CEST}}
      |                               ^^
        this must be a time of the day, but it is the number 20; write "20:00"

planner.yaml:1:40: error: value cannot be used [bad-value]
    1 | policy: {quiet_hours: {start: 20, end: "8:30", time_zone: CEST}}
      |                                        ^^^^^^
        this must be a time of the day, such as 08:00, but it is the text "8:30"; write "08:30"

planner.yaml:1:59: error: value cannot be used [bad-value]
    1 | policy: {quiet_hours: {start: 20, end: "8:30", time_zone: CEST}}
      |                                                           ^^^^
        `CEST` is not a name of the time zone database; write a place that has this time, such as
        Europe/Berlin

3 errors in 1 file
"""),
        ),
        (
            'policy: {quiet_hours: {start: "20:00", end: "8", time_zone: Europe/Berln}}\n',
            snapshot("""\
planner.yaml:1:45: error: value cannot be used [bad-value]
    1 | policy: {quiet_hours: {start: "20:00", end: "8", time_zone: Europe/Berln}}
      |                                             ^^^
        this must be a time of the day, such as 08:00, but it is the text "8"; write "08:00"

planner.yaml:1:61: error: value cannot be used [bad-value]
    1 | policy: {quiet_hours: {start: "20:00", end: "8", time_zone: Europe/Berln}}
      |                                                             ^^^^^^^^^^^^
        `Europe/Berln` is not a name of the time zone database; did you mean `Europe/Berlin`?

2 errors in 1 file
"""),
        ),
        (
            "rates: [spark]\n",
            snapshot("""\
planner.yaml:1:8: error: wrong type of value [wrong-type]
    1 | rates: [spark]
      |        ^^^^^^^
        this must be a mapping of keys to values, but it is a list; write {spark: 8}, cents a minute
        by product: spark, bolt, storm-base or whichever your agents are

1 error in 1 file
"""),
        ),
        (
            "version: 2\n",
            snapshot("""\
planner.yaml:1:10: error: plan format version is not known [version-unknown]
    1 | version: 2
      |          ^
        planner 0.1.0 reads version 1 of the plan format, this file has version 2; upgrade planner
        to read it

1 error in 1 file
"""),
        ),
        (
            "a: [\n",
            snapshot("""\
planner.yaml:2:1: error: not valid YAML [yaml-syntax]
        the file ends here, but a bracket or brace is still open

1 error in 1 file
"""),
        ),
        (
            "[]: 1\n" * 1_200,
            snapshot("""\
planner.yaml:1:1: error: more faults than are shown [more-faults]
    1 | []: 1
      | ^
        reading stopped after 1,000 faults; mend those first

planner.yaml:1:1: error: key is not text [key-not-text]
    1 | []: 1
      | ^^
        a key is one text, not a mapping, a list or an alias of one

planner.yaml:2:1: error: key is not text [key-not-text]
    2 | []: 1
      | ^^
        a key is one text, not a mapping, a list or an alias of one

planner.yaml:3:1: error: key is not text [key-not-text]
    3 | []: 1
      | ^^
        a key is one text, not a mapping, a list or an alias of one

planner.yaml:4:1: error: key is not text [key-not-text]
    4 | []: 1
      | ^^
        a key is one text, not a mapping, a list or an alias of one

planner.yaml:5:1: error: key is not text [key-not-text]
    5 | []: 1
      | ^^
        a key is one text, not a mapping, a list or an alias of one

planner.yaml:6:1: error: key is not text [key-not-text]
    6 | []: 1
      | ^^
        a key is one text, not a mapping, a list or an alias of one

planner.yaml:7:1: error: key is not text [key-not-text]
    7 | []: 1
      | ^^
        a key is one text, not a mapping, a list or an alias of one

planner.yaml:8:1: error: key is not text [key-not-text]
    8 | []: 1
      | ^^
        a key is one text, not a mapping, a list or an alias of one

planner.yaml:9:1: error: key is not text [key-not-text]
    9 | []: 1
      | ^^
        a key is one text, not a mapping, a list or an alias of one\
"""),
        ),
    ],
    ids=range(23),
)
def test_fault_of_a_project(workspace: Any, text: str, said: str) -> None:
    """Each fault is at its place; what is sound is kept, so that reading plans can go on."""
    workspace.write("planner.yaml", text)
    _, diagnostics = load_project(workspace.root, cwd=workspace.root)
    rendered = render_text(diagnostics, read_source=workspace.read, width=100, color=False)
    assert rendered[:1_500] == said


@pytest.mark.parametrize(
    ("start", "end", "utc", "quiet"),
    [
        ("20:00", "08:00", "17:59", False),
        ("20:00", "08:00", "18:00", True),
        ("20:00", "08:00", "05:59", True),
        ("20:00", "08:00", "06:00", False),
        ("12:00", "14:00", "09:59", False),
        ("12:00", "14:00", "10:00", True),
        ("12:00", "14:00", "12:00", False),
    ],
)
def test_quiet_hours_are_on_the_clock_of_their_place(start: str, end: str, utc: str, *, quiet: bool) -> None:
    """In summer Berlin is two hours ahead. They may last over midnight; their end is not part of them."""
    hours = QuietHours(time.fromisoformat(start), time.fromisoformat(end), ZoneInfo("Europe/Berlin"))
    assert hours.at(datetime.fromisoformat(f"2026-07-01T{utc}:00+00:00")) is quiet


def test_what_is_sound_of_a_faulty_project_is_kept(workspace: Any) -> None:
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


def test_mistyped_keys_are_not_missing_besides(workspace: Any) -> None:
    """Three wrong names are three faults, not six."""
    workspace.write("planner.yaml", "policy: {quiet_hours: {from: '20:00', to: '08:00', timezone: UTC}}\n")
    _, diagnostics = load_project(workspace.root, cwd=workspace.root)
    assert [item.code for item in diagnostics] == ["unknown-key"] * 3


def test_what_would_leave_out_everything_is_refused(workspace: Any) -> None:
    """A pattern of any one character leaves no more than one of any number; a class of some is welcome."""
    for pattern, told in ((".", True), (r"\S+", True), (r"\d", False), ("[a-z0-9]+", False)):
        workspace.write("planner.yaml", f"redact: ['{pattern}']\n")
        _, diagnostics = load_project(workspace.root, cwd=workspace.root)
        details = [item.detail for item in diagnostics]
        assert details == (["this matches every character, so it would leave out everything"] if told else [])
