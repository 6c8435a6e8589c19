"""Cases of a matrix that are one and the same call: a value that changes nothing is paid for again.

An axis that no template uses is an error. One whose name is used can change as little: `{% if mood == 'frious' %}` is true
for no value of `mood`.
"""

from __future__ import annotations

from collections.abc import Sequence

from planner.planfile.matrix.matrix import Matrix
from planner.planfile.model import Case
from planner.planfile.reporter import Reporter
from planner.planfile.templates.prompts import Prompt
from planner.planfile.templates.templates import Interpolation


def warn_of_same_calls(prompt: Prompt | None, matrix: Matrix, cases: Sequence[Case], reporter: Reporter) -> None:
    """One warning for a scenario. `cases` are all of it; it has no error."""
    if not cases or len(matrix.points) == 1 or _shows_each_axis(prompt, matrix):
        return
    cases = cases[:: len(cases) // len(matrix.points)]  # those of one target
    first: dict[tuple[str, tuple[int, ...]], Case] = {}
    repeated: list[tuple[Case, Case]] = []
    for case in cases:  # equal expectations are one object
        other = first.setdefault((case.prompt, tuple(map(id, case.expectations))), case)
        if other is not case:
            repeated.append((other, case))
    if not repeated:
        return
    other, case = repeated[0]
    more = f", and in {len(repeated) - 1:,} more" if len(repeated) > 1 else ""
    detail = (
        f"the same call is made in {_shown(case)} as in {_shown(other)}{more}; "
        "exclude such cases, or let the prompt depend on the axis (`runs` repeats a call)"
    )
    reporter.warning("same-call", detail, case.span)


def _shows_each_axis(prompt: Prompt | None, matrix: Matrix) -> bool:
    """Whether the prompt has each axis's value, so that no two points can be one call."""
    template = prompt.template if prompt is not None else None
    if not isinstance(template, Interpolation):
        return False
    shown = {route[0] for route in template.routes if len(route) == 1}
    return all(axis.name in shown for axis in matrix.axes)


def _shown(case: Case) -> str:
    return f"`[{','.join([f'{name}={token}' for name, token in case.point])}]`"
