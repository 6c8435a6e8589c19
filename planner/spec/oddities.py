"""What can be called and judged, and was hardly meant: a warning each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from planner.checks.base import CheckSeverity
from planner.diagnostics import Related, Span
from planner.spec.document import Document, Items, Mapping
from planner.spec.drafts import Draft
from planner.spec.reporting import Reporter
from planner.spec.wording import shorten


def warn_of_unused_targets(document: Document, called: Collection[str], reporter: Reporter) -> None:
    """Targets that the plan lists and no scenario calls."""
    written: Any = document.root.get("targets")
    if not called or not isinstance(written, (Mapping, Items)):
        return
    places: Iterable[tuple[Any, Span]] = (
        [(alias, document.key(written, alias)) for alias in written]
        if isinstance(written, Mapping)
        else [(alias, document.item(written, index)) for index, alias in enumerate(written)]
    )
    for alias, place in places:
        if isinstance(alias, str) and alias not in called:
            reporter.warning(
                "unused-target", f"no scenario of this plan calls `{shorten(alias, 40)}`; remove it", place
            )


def warn_of_shadowed_variables(document: Document, axes: Mapping, reporter: Reporter) -> None:
    """Axes that have the name of one of the plan's own variables."""
    variables: Any = document.root.get("vars")
    for name in axes if isinstance(variables, Mapping) else ():
        if name in variables:
            detail = f"templates of this scenario see this axis, not the variable `{shorten(name, 40)}`; rename one"
            first = Related("the variable", document.key(variables, name))
            reporter.warning("shadowed-variable", detail, document.key(axes, name), first)


def cannot_fail(drafts: Sequence[Draft], min_pass_rate: float) -> bool:
    """Whether a scenario passes whatever its expectations find."""
    return bool(drafts) and all(_is_harmless(draft, min_pass_rate) for draft in drafts)


def _is_harmless(draft: Draft, min_pass_rate: float) -> bool:
    severity = draft.written.get("severity", CheckSeverity.ERROR.value)
    own = draft.written.get("min_pass_rate", min_pass_rate)
    return severity == CheckSeverity.WARNING.value or (own == 0 and severity == CheckSeverity.ERROR.value)
