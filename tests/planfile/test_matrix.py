"""Matrices: the number of cases, their ids, and errors."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.planfile.axes import token
from planner.planfile.load import load_files
from planner.planfile.model import Policy, Project

quick = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)

values = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")), min_size=1, max_size=6),
    st.integers(-999, 999),
    st.booleans(),
    st.floats(-9, 9),
    st.fixed_dictionaries({"id": st.text("abc-", min_size=1, max_size=3), "more": st.integers(0, 3)}),
)
axis_values = st.lists(values, min_size=1, max_size=4, unique_by=token)
matrices = st.lists(axis_values, min_size=1, max_size=3).map(lambda axes: dict(zip("abc", axes, strict=False)))


def plan(matrix: dict[str, Any], targets: int = 1, **extra: Any) -> str:
    """A plan, as JSON, whose one scenario uses all axes of the matrix."""
    axes = matrix["axes"]
    used = "".join(f"{{{{ {name}.id if {name} is mapping else {name} }}}}" for name in axes)
    document = {
        "version": 1,
        "plan": "p",
        "targets": {f"t{number}": {"agent": number + 1} for number in range(targets)},
        "scenarios": {
            "s": {
                "prompt": f"Hello {used}",
                "matrix": matrix,
                "expect": [{"check": "duration", "max_seconds": 9}],
                **extra,
            }
        },
    }
    return json.dumps(document, ensure_ascii=False)


@quick
@given(matrices, st.integers(1, 3))
def test_full_matrix_has_every_combination_once(workspace: Any, axes: dict[str, list[Any]], targets: int) -> None:
    """Cases are the product of the axes' sizes and the targets, all with different ids, in the order written."""
    cases = workspace.cases(plan({"axes": axes}, targets))
    size = targets
    for found in axes.values():
        size *= len(found)
    assert len(cases) == size
    assert len({case.case_id for case in cases}) == size
    expected = [
        tuple(zip(axes, map(token, combination), strict=True))
        for combination in itertools.product(*axes.values())
        for _ in range(targets)
    ]
    assert [case.point for case in cases] == expected


@quick
@given(matrices, st.data())
def test_exclude_and_include_change_the_count_as_expected(
    workspace: Any, axes: dict[str, list[Any]], data: st.DataObject
) -> None:
    """The cases are the product without what any exclusion matches, followed by what is included."""
    points = list(itertools.product(*axes.values()))
    excluded = data.draw(
        st.lists(st.sampled_from(points), max_size=3, unique_by=lambda point: tuple(map(token, point)))
    )
    if len(excluded) == len(points):
        excluded = excluded[1:]
    new = ["brand new"] + [found[0] for found in list(axes.values())[1:]]
    if token("brand new") in map(token, axes["a"]) or all(isinstance(value, dict) for value in axes["a"]):
        return
    entries = [dict(zip(axes, point, strict=True)) for point in excluded]
    named = [
        {name: value["id"] if isinstance(value, dict) else value for name, value in entry.items()} for entry in entries
    ]
    matrix = {"axes": axes, "exclude": named, "include": [dict(zip(axes, new, strict=True))]}
    workspace.write("plan.yaml", plan(matrix))
    (made,), diagnostics = workspace.load()
    assert list(diagnostics) == []
    cases = made.cases
    gone = {tuple(map(token, point)) for point in excluded}
    left = [tuple(map(token, point)) for point in points if tuple(map(token, point)) not in gone]
    assert [tuple(value for _, value in case.point) for case in cases] == [*left, tuple(map(token, new))]


@quick
@given(matrices, st.randoms(use_true_random=False))
def test_case_ids_stay_when_unrelated_things_move(workspace: Any, axes: dict[str, list[Any]], random: Any) -> None:
    """Reordering keys, other scenarios, a description or more runs change no case id; nor does the order of values."""
    before = {case.case_id for case in workspace.cases(plan({"axes": axes}, 2))}
    document = json.loads(plan({"axes": axes}, 2, description="Other", runs=3))
    shuffled = {name: random.sample(found, len(found)) for name, found in axes.items()}
    document["scenarios"]["s"]["matrix"]["axes"] = shuffled
    document["scenarios"]["another"] = {"prompt": "Hi", "expect": [{"check": "duration", "max_seconds": 9}]}
    keys = random.sample(list(document), len(document))
    after = workspace.cases(json.dumps({key: document[key] for key in keys}, ensure_ascii=False))
    assert {case.case_id for case in after if case.scenario == "s"} == before


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("calm", "calm"),
        ("en-US", "en-US"),
        ("1.5+2_x", "1.5+2_x"),
        ("español", "español"),
        ("two words", '"two words"'),
        ("", '""'),
        ('say "hi"', '"say \\"hi\\""'),
        ("a/b", '"a/b"'),
        ("line\nbreak", '"line\\nbreak"'),
        ("\u202eevil", '"\\u202eevil"'),
        ("two  spaces,   three", '"two \\u0020spaces, \\u0020\\u0020three"'),
        ("::error::x", '":\\u003aerror:\\u003ax"'),
        (":::", '":\\u003a\\u003a"'),
        ("##[error]x", '"##\\u005berror]x"'),
        ("no\u00a0break", '"no\\u00a0break"'),
        ("filler\u3164", '"filler\\u3164"'),
        ("\u115f", '"\\u115f"'),
        (17, "17"),
        ("17", "17"),
        (-1, "-1"),
        (1.0, "1.0"),
        (1e3, "1000.0"),
        (True, "true"),
        (None, "null"),
        ({"id": "ana", "name": "Ana"}, "ana"),
        ({"id": "ana maria"}, '"ana maria"'),
    ],
    ids=repr,
)
def test_tokens(value: object, written: str) -> None:
    """How a case id shows each kind of value."""
    assert token(value) == written


def test_case_id_names_plan_scenario_axes_and_target(workspace: Any) -> None:
    """`plan/scenario[axis=value,…]@target`, without a matrix `plan/scenario@target`."""
    text = """\
version: 1
plan: refunds
targets: {support: {agent: 12}}
defaults: {expect: [{check: call, status: completed}]}
scenarios:
  window:
    prompt: "{{ mood }} {{ caller.name }}"
    matrix: {axes: {mood: ["very calm", 3], caller: [{id: ana, name: Ana}]}}
  hours:
    prompt: Ask when you open.
"""
    assert [case.case_id for case in workspace.cases(text)] == [
        'refunds/window[mood="very calm",caller=ana]@support',
        "refunds/window[mood=3,caller=ana]@support",
        "refunds/hours@support",
    ]


def test_axis_values_keep_their_type_for_templates(workspace: Any) -> None:
    """17 is a number and "17" a string, true a boolean, and a mapping has its keys."""
    text = """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  s:
    prompt: "{{ n }}{{ '!' if n is number else '?' }} {% if flag %}on{% else %}off{% endif %} {{ who.name }}"
    matrix:
      axes: {n: [17, "18"], flag: [true, false], who: [{id: a, name: Ana}]}
      include: [{n: 5, flag: true, who: {id: b, name: Bob}}]
    expect: [{check: call, status: completed}]
"""
    assert [case.prompt for case in workspace.cases(text)] == [
        "17! on Ana",
        "17! off Ana",
        "18? on Ana",
        "18? off Ana",
        "5! on Bob",
    ]


def test_axis_replaces_a_variable_of_its_name(workspace: Any) -> None:
    """A scenario's axis takes precedence over the plan's variable."""
    text = """\
version: 1
plan: p
targets: {support: {agent: 12}}
vars: {mood: neutral}
defaults: {expect: [{check: call, status: completed}]}
scenarios:
  s: {prompt: "{{ mood }}", matrix: {axes: {mood: [calm]}}}
  t: {prompt: "{{ mood }}"}
"""
    workspace.write("plan.yaml", text)
    (plan,), diagnostics = workspace.load()
    assert [case.prompt for case in plan.cases] == ["calm", "neutral"]
    assert list(diagnostics) == []


def test_exclude_finds_values_in_any_quotes(workspace: Any) -> None:
    """Exclude and include name values as case ids write them: "17" and 17 are the same, a mapping is its id."""
    text = """\
version: 1
plan: p
targets: {support: {agent: 12}}
scenarios:
  s:
    prompt: "{{ n }} {{ who.name }}"
    matrix:
      axes: {n: [17, 18], who: [{id: a, name: Ana}, {id: b, name: Bob}]}
      exclude: [{n: "17", who: {id: a}}, {who: b}]
      include: [{n: "17", who: b}]
    expect: [{check: call, status: completed}]
"""
    assert [case.prompt for case in workspace.cases(text)] == ["18 Ana", "17 Bob"]


BROKEN = {
    "axes missing": ("exclude: [{a: 1}]", snapshot("8:14 missing-key")),
    "no axis": ("axes: {}", snapshot("7:18 template-undefined, 8:20 bad-axis")),
    "axes is a list": ("axes: [a]", snapshot("8:20 wrong-type")),
    "matrix key mistyped": ("axis: {a: [1]}", snapshot("8:14 unknown-key")),
    "axes without a value": ("axes:", snapshot("8:14 unknown-key")),
    "axis name": ("axes: {a: [1], my-axis: [1]}", snapshot("8:29 not-a-name")),
    "axis name reserved": ("axes: {a: [1], loop: [1]}", snapshot("8:29 not-a-name")),
    "list as a value": ("axes: {a: [[1, 2]]}", snapshot("8:25 bad-axis")),
    "id is a number": ("axes: {a: [{id: 5}]}", snapshot("8:30 bad-axis")),
    "value too long for a case id": ("axes: {a: [" + "x" * 201 + "]}", snapshot("8:25 bad-axis")),
    "same value": ("axes: {a: [x, x]}", snapshot("8:28 duplicate-item")),
    "same mapping id": (
        "axes: {a: [{id: x, n: 1}, {id: x, n: 2}]}",
        snapshot("7:15 template-failed, 8:40 colliding-case-id"),
    ),
    "number and text": ('axes: {a: [true, "true"]}', snapshot("8:31 colliding-case-id")),
    "leading zero": (
        "axes: {a: [007, 1.10, 5]}",
        snapshot("8:25 warning number-rewritten, 8:30 warning number-rewritten"),
    ),
    "library axis": ("axes: {a: {use: moods}}", snapshot("8:25 unknown-key")),
    "axis as mapping": ("axes: {a: {x: 1}}", snapshot("8:24 wrong-type")),
    "exclude is a mapping": ("axes: {a: [1]}, exclude: {a: 1}", snapshot("8:39 wrong-type")),
    "exclude of a text": ("axes: {a: [1, 2]}, exclude: [x]", snapshot("8:43 wrong-type")),
    "exclude of nothing": ("axes: {a: [1, 2]}, exclude: [{}]", snapshot("8:43 bad-value")),
    "exclude of a list": ("axes: {a: [1, 2]}, exclude: [{a: [1]}]", snapshot("8:47 matches-nothing")),
    "exclude of a number not there": ("axes: {a: [1, 2]}, exclude: [{a: 3}]", snapshot("8:47 matches-nothing")),
    "include of a text": ("axes: {a: [1, 2]}, include: [x]", snapshot("8:43 wrong-type")),
    "include of a list": ("axes: {a: [1, 2]}, include: [{a: [1]}]", snapshot("8:47 bad-axis")),
    "include of a mapping without id": (
        "axes: {a: [{id: x}]}, include: [{a: {name: y}}]",
        snapshot("7:15 template-failed, 8:50 bad-axis"),
    ),
    "include of an unknown axis": ("axes: {a: [1, 2]}, include: [{a: 3, b: 4}]", snapshot("8:50 unknown-axis")),
    "include twice": ("axes: {a: [1, 2]}, include: [{a: 3}, {a: 3}]", snapshot("8:51 colliding-case-id")),
    "max_cases is zero": ("axes: {a: [1, 2]}, max_cases: 0", snapshot("8:44 out-of-range")),
    "axis used by nothing": ("axes: {a: [1, 2], b: [1]}", snapshot("8:32 unused-axis")),
    "more than 500": ("axes: {a: [" + ", ".join(map(str, range(501))) + "]}", snapshot("8:14 too-many-cases")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_error_of_a_matrix(workspace: Any, head: str, name: str) -> None:
    """Each error is at its own place, and there is no other."""
    matrix, said = BROKEN[name]
    written = matrix if matrix == "{}" else "{" + matrix + "}"
    text = f'{head}scenarios:\n  s:\n    prompt: "x{{{{ a }}}}"\n    matrix: {written}\n'
    assert workspace.diagnostics(text) == said


def test_enormous_matrix_is_not_walked(workspace: Any, head: str) -> None:
    """A product of billions is refused by arithmetic, with any exclusions."""
    numbers = "[" + ", ".join(map(str, range(2_000))) + "]"
    text = f"""{head}scenarios:
  s:
    prompt: "{{{{ a }}}}{{{{ b }}}}{{{{ c }}}}"
    matrix:
      axes:
        a: {numbers}
        b: {numbers}
        c: {numbers}
      exclude: [{{a: 1}}]
"""
    workspace.write("plan.yaml", text)
    _, diagnostics = workspace.load()
    (found,) = diagnostics
    assert found.detail.startswith(
        "this makes about 8,000,000,000 cases (a: 2,000 × b: 2,000 × c: 2,000), more than 500; "
    )


def test_exclusions_that_take_too_long_are_refused(workspace: Any, head: str) -> None:
    """A hundred thousand combinations are not each tried against dozens of kinds of exclusions."""
    names = "abcde"
    axes = ", ".join(f"{name}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]" for name in names)
    subsets = [subset for size in (1, 2, 3, 4) for subset in itertools.combinations(names, size)]
    exclude = ", ".join("{" + ", ".join(f"{name}: 0" for name in subset) + "}" for subset in subsets)
    prompt = "".join(f"{{{{ {name}.id if {name} is mapping else {name} }}}}" for name in names)
    matrix = f"{{max_cases: 100000, axes: {{{axes}}}, exclude: [{exclude}]}}"
    workspace.write("plan.yaml", f'{head}scenarios:\n  s:\n    prompt: "{prompt}"\n    matrix: {matrix}\n')
    _, diagnostics = workspace.load()
    assert [item.code for item in diagnostics] == ["too-many-cases"]


def test_cases_of_a_plan_are_bounded_together(workspace: Any, head: str) -> None:
    """Scenarios that are each allowed may not make more than 10,000 cases together, unless policy allows more calls."""
    axes = "{a: [" + ", ".join(map(str, range(80))) + "], b: [" + ", ".join(map(str, range(80))) + "]}"
    scenario = f'{{{{ a }}}} {{{{ b }}}}", matrix: {{max_cases: 100000, axes: {axes}}}'
    text = f"{head}scenarios:\n" + "".join(f'  {name}: {{prompt: "{name} {scenario}}}\n' for name in "stu")
    workspace.write("plan.yaml", text)
    _, diagnostics = workspace.load()
    assert [(item.code, item.span.line) for item in diagnostics] == [("too-many-cases", 7)]
    more = Project(policy=Policy(max_calls=20_000))
    loaded = load_files([Path()], cwd=workspace.root, project=more)
    assert ([len(plan.cases) for plan in loaded.plans], len(loaded.diagnostics)) == ([19_200], 0)


def test_text_of_a_plan_is_bounded_together(workspace: Any, head: str) -> None:
    """Prompts that are each allowed may not have more than 64 Mi characters together."""
    axes = "{a: [" + ", ".join(map(str, range(3_000))) + "]}"
    scenario = f'prompt: "{{{{ a }}}}{{{{ long }}}}", matrix: {{max_cases: 3000, axes: {axes}}}'
    workspace.write("plan.yaml", f"{head}vars: {{long: {'x' * 32_000}}}\nscenarios:\n  s: {{{scenario}}}\n")
    _, diagnostics = workspace.load()
    assert [(item.code, item.detail) for item in diagnostics] == [
        (
            "template-too-large",
            "the prompts and expectations of all cases of this plan are too long, or too many; split the plan",
        )
    ]
