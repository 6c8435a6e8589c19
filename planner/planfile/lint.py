"""Valid but suspicious parts of a plan: a warning each."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import Any

from planner.checks.base import CheckSeverity
from planner.diagnostics import Related, Span
from planner.planfile.drafts import Draft
from planner.planfile.reporter import Reporter
from planner.planfile.text import shorten
from planner.planfile.yaml.document import Document, Items, Mapping

_WARNING, _ERROR = CheckSeverity.WARNING.value, CheckSeverity.ERROR.value


def warn_of_unused_targets(document: Document, called: Collection[str], reporter: Reporter) -> None:
    """Targets that the plan lists and no scenario calls."""
    written: Any = document.root.get("targets")
    if not called or not isinstance(written, (Mapping, Items)):
        return
    for index, alias in enumerate(written):
        if isinstance(alias, str) and alias not in called:
            place = document.key(written, alias) if isinstance(written, Mapping) else document.value(written, index)
            detail = f"no scenario of this plan calls `{shorten(alias, 40)}`; remove it"
            reporter.warning("unused-target", detail, place)


def has_used_anchor(document: Document, variables: Mapping, name: str) -> bool:
    """Whether an alias below stands for the variable or for a part of it: then it is used, and only `vars` can hold it."""
    text = document.source.text
    _, start, _, end = variables.mark(name)
    anchors = set(re.findall(r"[\s,\[{:]&([^\s,\[\]{}]+)", text[start - 1 : end]))
    return bool(anchors) and not anchors.isdisjoint(re.findall(r"[\s,\[{:]\*([^\s,\[\]{}]+)", text[end - 1 :]))


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
    """Expectations that are written alike; one of a library that is used twice is an error of its own."""
    first: dict[int, Draft] = {}
    for draft in drafts:
        other = first.setdefault(id(draft.shape), draft)
        if other is not draft and (other.container is not draft.container or other.key != draft.key):
            related = Related("the first time", other.span)
            reporter.warning("duplicate-item", "this is expected already; keep one", draft.span, related)


def cannot_fail(drafts: Sequence[Draft], min_pass_rate: float) -> bool:
    """Whether a scenario passes with any results of its expectations."""
    return bool(drafts) and all(_is_harmless(draft.written, min_pass_rate) for draft in drafts)


def _is_harmless(written: Mapping, min_pass_rate: float) -> bool:
    severity = written.get("severity", _ERROR)
    return severity == _WARNING or (severity == _ERROR and written.get("min_pass_rate", min_pass_rate) == 0)
