"""Libraries: what plans import and use, and the errors about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.planfile.load import load_files
from planner.planfile.model import Case, Project

LIBRARY = """\
version: 1
kind: library
description: What every voice plan expects.
vars: {policy_days: 30}
expectations:
  polite:
    - {check: never_says, matches: "(?i)calm down"}
    - {check: says, id: states-window, any_of: ["{{ policy_days }} days"], severity: critical}
  quick: {check: duration, max_seconds: 180}
"""
PLAN = """\
version: 1
plan: p
imports: [lib/voice.yaml]
targets: {support: {agent: 12}}
scenarios:
  s:
    prompt: Speak {{ language }}.
    matrix: {axes: {language: [English, Spanish]}}
    expect:
      - {check: call, status: completed}
      - use: polite
      - {use: quick, severity: error, min_pass_rate: 0.5, id: fast}
"""
INLINE = """\
version: 1
plan: p
targets: {support: {agent: 12}}
vars: {policy_days: 30}
scenarios:
  s:
    prompt: Speak {{ language }}.
    matrix: {axes: {language: [English, Spanish]}}
    expect:
      - {check: call, status: completed}
      - {check: never_says, matches: "(?i)calm down"}
      - {check: says, id: states-window, any_of: ["{{ policy_days }} days"], severity: critical}
      - {check: duration, max_seconds: 180, severity: error, min_pass_rate: 0.5, id: fast}
"""


def prints(cases: tuple[Case, ...]) -> list[Any]:
    """Everything that decides whether a case is called or rechecked."""
    return [
        (
            case.case_id,
            [expectation.id for expectation in case.expectations],
            call_fingerprint(case_inputs(case, None)),
            check_fingerprint(case),
        )
        for case in cases
    ]


def test_moving_parts_into_a_library_changes_no_id(workspace: Any) -> None:
    """Case ids, ids of expectations and fingerprints, of which the digest is made, are those of the plan written in full."""
    workspace.write("lib/voice.yaml", LIBRARY)
    assert prints(workspace.cases(PLAN)) == prints(workspace.cases(INLINE))


CHECKS = st.sampled_from(
    [
        "{check: call, status: completed}",
        "{check: duration, max_seconds: 180}",
        '{check: says, any_of: ["{{ mood }}"]}',
        '{check: says, any_of: ["thirty days"], severity: warning}',
        '{check: never_says, matches: "(?i)not {{ mood }}"}',
        "{check: cost, max_cents: 40, id: cheap}",
    ]
)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(CHECKS, max_size=3), st.lists(CHECKS, min_size=1, max_size=3, unique=True), st.lists(CHECKS, max_size=3)
)
def test_any_stretch_of_expectations_can_be_moved(
    tmp_path_factory: pytest.TempPathFactory, before: list[str], moved: list[str], after: list[str]
) -> None:
    """Moving any part of a list into a library, under one name, does not change the cases."""
    everything = [*before, *moved, *after]
    if sum("id: cheap" in one for one in everything) > 1:
        return
    folder = tmp_path_factory.mktemp("plans")
    (folder / ".git").mkdir()
    library = ["version: 1", "kind: library", "expectations:", "  moved:", *(f"    - {one}" for one in moved)]
    (folder / "lib.yaml").write_text("\n".join(library))

    def cases(expected: list[str]) -> list[Any]:
        lines = [
            *("version: 1", "plan: p", "targets: {a: {agent: 1}}"),
            *(["imports: [lib.yaml]"] if "use: moved" in expected else []),
            *("scenarios:", "  s:", "    prompt: Be {{ mood }}.", "    matrix: {axes: {mood: [calm, sad]}}"),
            *("    expect:", *(f"      - {one}" for one in expected)),
        ]
        (folder / "plan.yaml").write_text("\n".join(lines))
        plans, _, diagnostics, _ = load_files([Path("plan.yaml")], cwd=folder, project=Project())
        assert not diagnostics.has_errors
        return prints(plans[0].cases)

    assert cases([*before, "use: moved", *after]) == cases(everything)


def test_overrides_replace_the_librarys_values(workspace: Any) -> None:
    """`severity` and `min_pass_rate` of a `use` apply to each expectation of the name, in this plan only."""
    workspace.write(
        "lib.yaml",
        "version: 1\nkind: library\nexpectations: {both: [{check: says, any_of: [a], severity: critical}, {check: call, status: completed}]}\n",
    )
    (one, other) = workspace.cases(
        """\
version: 1
plan: p
imports: [lib.yaml]
targets: {a: {agent: 1}}
scenarios:
  one: {prompt: Hello., expect: [{use: both, severity: error, min_pass_rate: 0.5}, {check: cost, max_cents: 9}]}
  other: {prompt: Howdy., expect: [{use: both}]}
"""
    )
    assert [(item.id, item.severity.value, item.min_pass_rate) for item in one.expectations[:2]] == [
        ("says", "error", 0.5),
        ("call", "error", 0.5),
    ]
    assert [(item.id, item.severity.value, item.min_pass_rate) for item in other.expectations] == [
        ("says", "critical", None),
        ("call", "error", None),
    ]


HEAD = """\
version: 1
plan: p
imports: [lib/voice.yaml]
targets: {support: {agent: 12}}
vars: {a: 1}
defaults: {expect: [{use: polite}]}
scenarios:
  s: {prompt: "Hello {{ a }}."}
"""
FAULTS = {
    "no such expectations": ("[{use: polite}]", "[{use: polit}]", snapshot("6:27 unknown-use")),
    "use as an axis": (
        'Hello {{ a }}."}',
        'Hello {{ a }} {{ b }}.", matrix: {axes: {b: {use: languages}}}}',
        snapshot("8:61 unknown-key"),
    ),
    "use with a key that it does not have": (
        "{use: polite}",
        "{use: polite, severe: warning, matches: x}",
        snapshot("6:35 unknown-key, 6:52 unknown-key"),
    ),
    "an override of the wrong kind": ("{use: polite}", "{use: polite, severity: fatal}", snapshot("6:45 not-a-choice")),
    "an id for several": ("{use: polite}", "{use: polite, id: kind}", snapshot("6:35 bad-value")),
    "an empty use": ("{use: polite}", "{use: }", snapshot("6:22 wrong-type")),
    "used twice": (
        "[{use: polite}]",
        "[{use: quick}, {use: polite}, {use: quick, id: again}]",
        snapshot("6:50 duplicate-item"),
    ),
    "an id that is taken": (
        "[{use: polite}]",
        "[{use: polite}, {use: quick, id: states-window}]",
        snapshot("6:53 duplicate-id"),
    ),
    "use inside a combinator": (
        "[{use: polite}]",
        "[{use: polite}, {check: not, of: {use: quick}}]",
        snapshot("6:54 misplaced-use"),
    ),
    "import of a file that is not there": ("[lib/voice.yaml]", "[lib/voices.yaml]", snapshot("3:11 file-missing")),
    "import of a plan": ("[lib/voice.yaml]", "[lib/voice.yaml, plan.yaml]", snapshot("3:27 not-a-library")),
    "import of something else": (
        "[lib/voice.yaml]",
        "[lib/voice.yaml, lib/config.yaml]",
        snapshot("3:27 not-a-library"),
    ),
    "import from outside": ("[lib/voice.yaml]", "[lib/voice.yaml, ../voice.yaml]", snapshot("3:27 file-outside")),
    "imported twice": (
        "[lib/voice.yaml]",
        "[lib/voice.yaml, ./lib/../lib/voice.yaml]",
        snapshot("3:27 duplicate-item"),
    ),
    "imports is a text": ("[lib/voice.yaml]", "lib/voice.yaml", snapshot("3:10 wrong-type")),
    "a variable of the plan and of the import": (
        "vars: {a: 1}",
        "vars: {a: 1, policy_days: 30}",
        snapshot("5:14 import-conflict"),
    ),
    "two imports with one name": (
        "[lib/voice.yaml]",
        "[lib/voice.yaml, lib/clash.yaml]",
        snapshot("3:27 import-conflict"),
    ),
    "kind mistyped in a plan": ("plan: p\n", "plan: p\nkind: plan\n", snapshot("3:7 not-a-choice")),
    "a plan that says it is a library": ("plan: p\n", "plan: p\nkind: library\n", snapshot("3:7 bad-value")),
}


@pytest.mark.parametrize(("old", "new", "said"), FAULTS.values(), ids=FAULTS)
def test_error_of_an_import(workspace: Any, old: str, new: str, said: str) -> None:
    """Errors of importing and using are reported at their place in the plan; the plan without the edit has no error."""
    workspace.write("lib/voice.yaml", LIBRARY)
    workspace.write("lib/config.yaml", "a: 1\n")
    workspace.write("lib/other.yaml", "version: 1\nkind: library\nvars: {b: 1}\n")
    workspace.write(
        "lib/clash.yaml", "version: 1\nkind: library\nexpectations: {polite: {check: call, status: completed}}\n"
    )
    assert workspace.diagnostics(HEAD) == ""
    assert old in HEAD
    assert workspace.diagnostics(HEAD.replace(old, new, 1)) == said


def test_use_without_imports(workspace: Any) -> None:
    """`use` without `imports` says what is missing."""
    plan = HEAD.replace("imports: [lib/voice.yaml]\n", "")
    assert workspace.diagnostics(plan) == snapshot("5:27 unknown-use")


BROKEN = """\
version: 1
kind: library
imports: [other.yaml]
vars: {days: 030, "my-var": 1}
targets: {support: {agent: 12}}
axes: {moods: [calm, sad]}
expectations:
  polite:
    - {check: says, any_of: ["{{ days }}"], sevrity: critical}
    - {check: duration, max_seconds: 3m}
    - {use: quick}
  empty: []
  quick: {check: says, any_of: ["{{ days"]}
  Bad Name: {check: cal, status: completed}
scenario: {}
"""


def test_library_alone_shows_all_its_errors(workspace: Any) -> None:
    """Every part is checked, even if nothing uses the library; templates only where no plan is needed."""
    workspace.write("lib.yaml", BROKEN)
    assert workspace.rendered(workspace.load("lib.yaml")[1]) == snapshot(
        "lib.yaml:3:1 nested-library, lib.yaml:4:14 warning number-rewritten, lib.yaml:4:19 not-a-name, "
        "lib.yaml:5:1 unknown-key, lib.yaml:6:1 unknown-key, lib.yaml:9:45 unknown-key, lib.yaml:10:38 wrong-type, "
        "lib.yaml:11:8 misplaced-use, lib.yaml:12:10 bad-value, lib.yaml:13:34 template-syntax, "
        "lib.yaml:14:3 not-a-slug, lib.yaml:14:21 unknown-check, lib.yaml:15:1 unknown-key"
    )


def test_errors_of_a_library_are_reported_once(workspace: Any) -> None:
    """Forty plans that import a broken library have one error, in the library; none of them is valid."""
    workspace.write(
        "lib.yaml", "version: 1\nkind: library\nexpectations: {quick: {check: duration, max_seconds: 3m}}\n"
    )
    for number in range(40):
        workspace.write(
            f"plans/{number:02}.yaml",
            f"version: 1\nplan: p{number}\nimports: [../lib.yaml]\ntargets: {{a: {{agent: 1}}}}\n"
            "scenarios: {s: {prompt: Hello., expect: [{use: quick}]}}\n",
        )
    plans, diagnostics = workspace.load("plans")
    assert plans == ()
    assert workspace.rendered(diagnostics) == snapshot("lib.yaml:3:54 wrong-type")


def test_error_that_a_plan_causes_shows_the_plan(workspace: Any) -> None:
    """A name that a library's template needs and the plan lacks is reported once, in the library, with those that use it."""
    workspace.write(
        "lib.yaml", 'version: 1\nkind: library\nexpectations: {order: {check: says, any_of: ["{{ order }}"]}}\n'
    )
    for number in range(5):
        workspace.write(
            f"plans/{number}.yaml",
            f"version: 1\nplan: p{number}\nimports: [../lib.yaml]\ntargets: {{a: {{agent: 1}}}}\n"
            "scenarios: {s: {prompt: Hello., expect: [{use: order}]}}\n",
        )
    good = "version: 1\nplan: good\nimports: [../lib.yaml]\ntargets: {a: {agent: 1}}\nvars: {order: 17}\n"
    workspace.write("plans/good.yaml", good + "scenarios: {s: {prompt: Hello., expect: [{use: order}]}}\n")
    plans, diagnostics = workspace.load("plans")
    assert [plan.name for plan in plans] == ["good"]
    assert workspace.rendered(diagnostics) == snapshot("lib.yaml:3:50 template-undefined")


def test_unreadable_library_is_reported_once(workspace: Any) -> None:
    """A library that is no YAML, or of another version, makes its importers invalid; their `use`s are not reported."""
    for broken in ("version: 1\nkind: library\nexpectations: [\n", "version: 2\nkind: library\n", "\xff"):
        workspace.write("lib.yaml", broken.encode("latin-1"))
        for name in ("a", "b"):
            workspace.write(
                f"plans/{name}.yaml",
                f"version: 1\nplan: {name}\nimports: [../lib.yaml]\ntargets: {{a: {{agent: 1}}}}\n"
                "scenarios: {s: {prompt: Hello., expect: [{use: quick}]}}\n",
            )
        for paths in (["plans"], ["plans", "lib.yaml"], ["lib.yaml", "plans"]):
            plans, diagnostics = workspace.load(*paths)
            assert plans == ()
            (diagnostic,) = diagnostics
            assert diagnostic.span.file == "lib.yaml"


def test_a_library_among_plans_is_not_a_plan(workspace: Any) -> None:
    """Loading a folder reads each library once, before or after the plans that import it."""
    workspace.write("plans/a/lib.yaml", "version: 1\nkind: library\nvars: {unused: 1}\n")
    workspace.write("plans/z/voice.yaml", LIBRARY)
    workspace.write("plans/p.yaml", PLAN.replace("lib/voice.yaml", "z/voice.yaml"))
    loaded = load_files([Path("plans")], cwd=workspace.root, project=Project())
    assert [plan.name for plan in loaded.plans] == ["p"]
    assert len(loaded.libraries) == 2
    assert len(loaded.diagnostics) == 0
