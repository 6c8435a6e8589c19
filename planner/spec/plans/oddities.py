"""What was hardly meant: a warning each where it can be called and judged."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from planner.checks.base import CheckSeverity
from planner.checks.wording import listed
from planner.diagnostics import Related, Span
from planner.spec.authored.keys import MatrixFields, PlanFields, ScenarioFields
from planner.spec.document import Document, Items, Mapping
from planner.spec.expectations.drafts import Draft
from planner.spec.faults.reporting import Reporter
from planner.spec.faults.wording import mistyped, shorten
from planner.spec.yaml.mappings import keys_of

_ANCHOR = re.compile(r"(?<=[\s,\[{:])&([^\s,\[\]{}]+)")
_ALIAS = re.compile(r"(?<=[\s,\[{:])\*([^\s,\[\]{}]+)")
_PROMPTS = frozenset({"prompt", "prompt_file"})


def warn_of_unused_targets(document: Document, called: Collection[str], reporter: Reporter) -> None:
    """Targets that the plan lists and no scenario calls."""
    written: Any = document.root.get("targets")
    if not called or not isinstance(written, (Mapping, Items)):
        return
    for index, alias in enumerate(written):
        if isinstance(alias, str) and alias not in called:
            place = document.key(written, alias) if isinstance(written, Mapping) else document.item(written, index)
            reporter.warning(
                "unused-target", f"no scenario of this plan calls `{shorten(alias, 40)}`; remove it", place
            )


def holds_used_anchor(document: Document, variables: Mapping, name: str) -> bool:
    """Whether an alias elsewhere stands for the variable or for something in it: there is no other place to keep that."""
    text = document.source.text
    _, start, _, end = variables.marks[name]
    anchors = {found[1] for found in _ANCHOR.finditer(text, start, end)}
    if not anchors:
        return False
    return any(found[1] in anchors for found in _ALIAS.finditer(text, end))


def take_in_keys(document: Document, scenarios: Mapping, reporter: Reporter) -> bool:
    """Whether keys of a scenario stand where scenarios do, which is reported once: they are not indented, or a name is missing.

    They are put where they belong, so that the rest is read as it is meant, or else taken out.
    """
    known = keys_of(ScenarioFields)
    if known.isdisjoint(scenarios):
        return False
    names = list(scenarios)
    own = [name for name in names if name in known and not isinstance(scenarios[name], Mapping)]
    if not any(isinstance(scenarios[name], (str, list)) for name in own):
        return False  # such as a scenario that is named `runs`, and is wrong in another way
    own = [name for name in names if name in own or (name == "matrix" and "axes" in scenarios[name])]
    first = own[0]
    where = document.key(scenarios, first)
    above = names[names.index(first) - 1] if names.index(first) else None
    scenario: Any = scenarios[above] if above is not None else None
    if above is not None and (
        scenario is None or (isinstance(scenario, Mapping) and not {*own}.intersection(scenario))
    ):
        empty = ", which is empty," if scenario is None else ","
        detail = f"`{first}` is no scenario; if it belongs to `{shorten(above, 40)}`{empty} indent it more"
        reporter.error("unknown-key", detail, where)
        if scenario is None:
            scenario = scenarios[above] = Mapping()
        for key in own:
            scenario[key], scenario.marks[key] = scenarios[key], scenarios.marks[key]
    else:
        told = "is a key" if len(own) == 1 else "and what follows are keys"
        detail = (
            f"`{first}` {told} of a scenario, and no scenario's name is above; "
            "write one, such as `refund-window:`, and indent what belongs to it"
        )
        reporter.error("missing-key", detail, where)
    for key in own:
        scenarios.take_out(key)
    return True


def take_in_axes(document: Document, scenario: Mapping, reporter: Reporter) -> None:
    """Report axes that stand in a matrix without `axes`, once, and put them where they belong."""
    matrix: Any = scenario.get("matrix")
    if not isinstance(matrix, Mapping) or "axes" in matrix:
        return
    own = [
        name
        for name in matrix
        if isinstance(matrix[name], (Mapping, Items)) and not mistyped(name, MatrixFields.model_fields)
    ]
    own = [name for name in own if name not in MatrixFields.model_fields]
    if not own:
        return
    told = listed([f"`{shorten(name, 40)}`" for name in own[:3]])
    detail = f"the axes of a matrix stand under `axes`: write `axes:` above {told}, and indent {'it' if len(own) == 1 else 'them'}"
    reporter.error("missing-key", detail, document.key(matrix, own[0]))
    axes = Mapping()
    for name in own:
        axes[name], axes.marks[name] = matrix[name], matrix.marks[name]
        matrix.take_out(name)
    matrix["axes"], matrix.marks["axes"] = axes, axes.marks[own[0]]


def scenario_without_scenarios(document: Document, reporter: Reporter) -> bool:
    """Whether a scenario is written where `scenarios` is missing, which is reported. Its keys are taken out: once is enough."""
    root = document.root
    if "scenarios" in root:
        return False
    scenario, plan = keys_of(ScenarioFields), keys_of(PlanFields)
    keys = [key for key in root if key in scenario and key not in plan]
    if not _PROMPTS.intersection(keys):
        return False
    told = f"{listed([f'`{key}`' for key in keys])} {'is' if len(keys) == 1 else 'are'} a scenario's"
    detail = f"{told}: write `scenarios:`, below it a name such as `refund-window:`, and indent these below that"
    reporter.error("no-scenarios", detail, document.key(root, keys[0]))
    for key in keys:
        root.take_out(key)
    return True


def warn_of_shadowed_variables(
    document: Document, axes: Mapping, imported: Callable[[str], Span | None], reporter: Reporter
) -> None:
    """Axes that have the name of one of the plan's variables; `imported` says where an import defines one."""
    variables: Any = document.root.get("vars")
    for name in axes:
        is_own = isinstance(variables, Mapping) and name in variables
        place = document.key(variables, name) if is_own else imported(name)
        if place is not None:
            detail = f"templates of this scenario see this axis, not the variable `{shorten(name, 40)}`; rename one"
            reporter.warning("shadowed-variable", detail, document.key(axes, name), Related("the variable", place))


def warn_of_equal(drafts: Sequence[Draft], reporter: Reporter) -> None:
    """Expectations that say the same word for word; what a library has twice was told as an error."""
    first: dict[int, Draft] = {}
    for draft in drafts:
        other = first.setdefault(id(draft.shape), draft)
        if other is not draft and (other.container is not draft.container or other.key != draft.key):
            reporter.warning(
                "duplicate-item",
                "this is expected already; keep one",
                draft.span,
                Related("the first time", other.span),
            )


_WARNING, _ERROR = CheckSeverity.WARNING.value, CheckSeverity.ERROR.value


def cannot_fail(drafts: Sequence[Draft], min_pass_rate: float) -> bool:
    """Whether a scenario passes whatever its expectations find."""
    for draft in drafts:
        if not _is_harmless(draft, min_pass_rate):
            return False
    return bool(drafts)


def _is_harmless(draft: Draft, min_pass_rate: float) -> bool:
    severity = draft.written.get("severity", _ERROR)
    own = draft.written.get("min_pass_rate", min_pass_rate)
    return severity == _WARNING or (own == 0 and severity == _ERROR)
