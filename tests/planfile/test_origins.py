"""Where the parts of a case are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from planner.diagnostics import Span
from planner.planfile.load import load_plans
from planner.planfile.model import Project
from planner.planfile.origins import SETTINGS, Origin, OriginReader, Source

ROOT = Path(__file__).parents[2]


def test_every_case_of_the_examples_has_origins() -> None:
    """Expectations have the case's own places; each setting, axis, tag and variable has a place or the format's default."""
    plans, _ = load_plans([ROOT / "plans"], cwd=ROOT, project=Project())
    reader = OriginReader(ROOT)
    cases = [case for plan in plans for case in plan.cases]
    assert len(cases) > 50
    for case in cases:
        origins = reader.of(case)
        assert [origin.used or origin.span for origin in origins.expectations] == list(case.expectation_spans)
        assert set(origins.axes) == {name for name, _ in case.point}
        assert set(origins.tags) == case.tags
        assert set(origins.settings) == set(SETTINGS)
        found = [origins.prompt, origins.target, *origins.axes.values(), *origins.tags.values()]
        found += [variable.origin for variable in origins.variables]
        assert all(origin.span is not None and origin.source is not Source.FORMAT for origin in found)


def test_parts_of_libraries_and_environments(workspace: Any) -> None:
    """An imported target that only a scenario names, a mapping-valued axis of a library, and tags of the defaults."""
    workspace.write(
        "lib.yaml", "version: 1\nkind: library\ntargets: {t: {agent: 1}}\naxes: {callers: [{id: ana, n: Ana}]}\n"
    )
    (case, _) = workspace.cases(
        """\
version: 1
plan: p
imports: [lib.yaml]
targets: {own: {agent: 2}}
defaults: {tags: [nightly], expect: [{check: call, status: completed}]}
scenarios:
  s:
    targets: [t]
    prompt: You are {{ who.n }}.
    matrix: {axes: {who: {use: callers}}}
  t: {targets: [own], prompt: Hello.}
"""
    )
    origins = OriginReader(workspace.root).of(case)
    assert origins.target == Origin(Source.LIBRARY, Span("lib.yaml", 3, 11, 3, 12))
    assert origins.axes == {
        "who": Origin(Source.LIBRARY, Span("lib.yaml", 4, 18, 4, 35), Span("plan.yaml", 10, 26, 10, 40))
    }
    assert origins.tags == {"nightly": Origin(Source.DEFAULTS, Span("plan.yaml", 5, 19, 5, 26))}
