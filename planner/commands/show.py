"""`planner show`: one case as it would be called and judged, and where each part of it is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic_core import to_json

from planner.errors import PlanInvalidError, UsageError
from planner.planfile.model import Case
from planner.planfile.origins import OriginReader
from planner.reports.case_page import CasePage, page_document, render_page
from planner.reports.neutral import for_json_text
from planner.session.reporting import print_diagnostics
from planner.session.selection import Files, matches, read_files
from planner.session.shell import Shell
from planner.session.suggestions import suggest


def show(
    shell: Shell,
    wanted: str,
    paths: Sequence[Path],
    *,
    environment: str | None,
    output_format: Literal["text", "json"],
) -> int:
    """Print the cases whose id is `wanted` or matches it; return 0.

    Raises:
        UsageError: no case matches.
        PlanInvalidError: no case matches, and it may be in an invalid plan.
    """
    files = read_files(shell, paths, environment)
    cases = _chosen(wanted, files)
    if files.diagnostics.has_errors:
        print_diagnostics(shell, files.diagnostics)
    reader = OriginReader(shell.cwd)
    pages = [CasePage(case, reader.of(case), environment) for case in cases]
    if output_format == "json":
        document = {"schema_version": "1.0", "cases": [page_document(page) for page in pages]}
        shell.print(for_json_text(to_json(document, indent=2).decode()))
    else:
        shell.print("\n\n".join(render_page(page, width=shell.width, color=shell.color) for page in pages))
    return 0


def _chosen(wanted: str, files: Files) -> list[Case]:
    cases = [case for plan in files.plans for case in plan.cases]
    # An exact id wins, even if it contains a *.
    found = [case for case in cases if case.case_id == wanted] or [
        case for case in cases if matches(wanted, case.case_id)
    ]
    if found:
        return found
    if files.diagnostics.has_errors:
        raise PlanInvalidError(f"no valid plan has a case {wanted}", files.diagnostics)
    ids = [case.case_id for case in cases]
    near = suggest(wanted, ids)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(f"there is no case {wanted}", hint + "`*` and `?` match anything; `planner plan` lists the cases.")
