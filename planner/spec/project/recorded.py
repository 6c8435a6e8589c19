"""`judge.recorded` of `planner.yaml`: whether the file with a model's answers is there, told where it is named."""

from __future__ import annotations

from pathlib import Path

from planner.diagnostics import Diagnostics
from planner.spec.document import Mapping, start_of
from planner.spec.faults.reporting import Reporter
from planner.spec.files import PROJECT_FILE, FileFault, display_name, expect_file, read_authored
from planner.spec.model import Project
from planner.spec.yaml.decoding import MAX_BYTES, decode
from planner.spec.yaml.parser import parse


def missing_answers(root: Path, project: Project, *, cwd: Path) -> Diagnostics:
    """One fault where `project`, of planner.yaml at `root`, names a file of answers that cannot be read."""
    diagnostics = Diagnostics()
    recorded = project.judge.recorded if project.judge is not None else None
    if recorded is None:
        return diagnostics
    try:
        expect_file(root / recorded, recorded)
    except FileFault as fault:
        detail = fault.detail
        if "did you mean" not in detail:
            detail += (
                f"; write it with `planner recheck --record-votes {recorded}` where the model can be asked, "
                "without `recorded` here, and commit it"
            )
        _report(root, fault.code, detail, Reporter(diagnostics), cwd)
    return diagnostics


def _report(root: Path, code: str, detail: str, reporter: Reporter, cwd: Path) -> None:
    """Nothing keeps where the settings were written: planner.yaml is read once more."""
    file = display_name(root / PROJECT_FILE, cwd)
    source = decode(read_authored(root / PROJECT_FILE, file, MAX_BYTES), file, reporter)
    document = parse(source, reporter) if source is not None else None
    if document is None:  # pragma: no cover - it was read a moment ago
        return
    judge = document.root.get("judge")
    place = document.value(judge, "recorded") if isinstance(judge, Mapping) else start_of(document)
    reporter.error(code, detail, place)
