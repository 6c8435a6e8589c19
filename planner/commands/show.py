"""`planner show`: one case as it would be called and judged, and where its expectations are written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from planner.errors import PlanInvalidError, UsageError
from planner.planfile.model import Case
from planner.reports.case_page import page_document, render_page
from planner.reports.neutral import json_document
from planner.session.selection import Files, chosen_ids, read_files
from planner.session.shell import Shell, print_diagnostics


def show(
    shell: Shell,
    case: str,
    paths: Sequence[Path],
    *,
    environment: str | None,
    output_format: Literal["text", "json"],
) -> int:
    """Print the cases whose id is `case` or matches it; return 0."""
    files = read_files(shell, paths, environment)
    cases = _chosen(case, files)
    if files.diagnostics.has_errors:
        print_diagnostics(shell, files.diagnostics)
    if output_format == "json":
        document = {"schema_version": "1.0", "cases": [page_document(case) for case in cases]}
        shell.print(json_document(document))
    else:
        shell.print("\n\n".join(render_page(case, width=shell.width, color=shell.color) for case in cases))
    return 0


def _chosen(wanted: str, files: Files) -> list[Case]:
    cases = [case for plan in files.plans for case in plan.cases]
    try:
        ids = chosen_ids(wanted, [case.case_id for case in cases], "there is no case")
    except UsageError as error:
        if files.diagnostics.has_errors:
            raise PlanInvalidError(f"no valid plan has a case {wanted}", files.diagnostics) from error
        raise
    return [case for case in cases if case.case_id in ids]
