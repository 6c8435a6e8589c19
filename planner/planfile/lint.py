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

_ANCHOR = re.compile(r"(?<=[\s,\[{:])&([^\s,\[\]{}]+)")
_ALIAS = re.compile(r"(?<=[\s,\[{:])\*([^\s,\[\]{}]+)")


def warn_of_unused_targets(document: Document, called: Collection[str], reporter: Reporter) -> None:
    """Targets that the plan lists and no scenario calls."""
    written: Any = document.root.get("targets")
    if not called or not isinstance(written, (Mapping, Items)):
        return
    for index, alias in enumerate(written):
        if isinstance(alias, str) and alias not in called:
            place = document.key(written, alias) if isinstance(written, Mapping) else document.value(written, index)
            reporter.warning(
                "unused-target", f"no scenario of this plan calls `{shorten(alias, 40)}`; remove it", place
            )


def holds_used_anchor(document: Document, variables: Mapping, name: str) -> bool:
    """Whether an alias elsewhere stands for the variable or for something in it: there is no other place to keep that."""
    text = document.source.text
    _, start, _, end = variables.mark(name)
    anchors = {found[1] for found in _ANCHOR.finditer(text, start, end)}
    if not anchors:
        return False
    return any(found[1] in anchors for found in _ALIAS.finditer(text, end))


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
