"""Loads plan files: from paths to plans, libraries and diagnostics."""

from __future__ import annotations

import gc
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import NamedTuple

from planner.diagnostics import Diagnostics, Related
from planner.errors import UsageError
from planner.planfile.agent_files import AgentFileReader
from planner.planfile.expectations import Expectations
from planner.planfile.files import FileFault, Neighbours, display_name, plan_files
from planner.planfile.library import Libraries, is_library
from planner.planfile.matrix.axis_files import AxisFileReader
from planner.planfile.model import Plan, Project
from planner.planfile.plan import PlanReader
from planner.planfile.project.judge import warn_of_unasked_model
from planner.planfile.project.prices import report_price
from planner.planfile.reporter import EnoughFaults, Reporter
from planner.planfile.scenario import ScenarioReader
from planner.planfile.targets import TargetReader
from planner.planfile.templates.prompts import PromptReader
from planner.planfile.templates.templates import Templates
from planner.planfile.text import unknown
from planner.planfile.yaml.document import Document, start_of
from planner.planfile.yaml.reader import MAX_BYTES
from planner.planfile.yaml.reading import decode, parse
from planner.planfile.yaml.source import Place

_OF_PLANS = frozenset({"version", "plan", "scenarios", "kind"})
_OF_AGENTS = frozenset({"prompt", "prompt_file", "voice", "product", "primary_language", "tools"})


class LoadedFiles(NamedTuple):
    """Plans without any error, in the order of their files; the libraries' paths, the imported too; all faults of all files."""

    plans: tuple[Plan, ...]
    libraries: frozenset[str]
    diagnostics: Diagnostics


def load_plans(
    paths: Sequence[Path],
    *,
    cwd: Path,
    project: Project,
    environment: str | None = None,
    today: date | None = None,
) -> tuple[tuple[Plan, ...], Diagnostics]:
    """The valid plans in these files, and all diagnostics. Raises like `load_files`."""
    loaded = load_files(paths, cwd=cwd, project=project, environment=environment, today=today)
    return loaded.plans, loaded.diagnostics


def load_files(
    paths: Sequence[Path],
    *,
    cwd: Path,
    project: Project,
    environment: str | None = None,
    today: date | None = None,
    read_agents: bool = True,
) -> LoadedFiles:
    """Everything in these files, and in the libraries they import.

    `today` (UTC) decides which quarantines have expired; None to report none. Without `read_agents`, only the paths of
    agents' files are known.

    Raises `UsageError` for a missing path, a folder with no plans and an environment that the project does not have.
    """
    known = [name for name, _ in project.environments]
    if environment is not None and environment not in known:
        raise UsageError(
            unknown(f"planner.yaml has no environment `{environment}`", environment, known),
            "Environments are defined in planner.yaml, at the repository's root",
        )
    files = plan_files([path if path.is_absolute() else cwd / path for path in paths])
    diagnostics = Diagnostics()
    reporter = Reporter(diagnostics)
    templates = Templates()
    expectations = Expectations(reporter, templates)
    neighbours = Neighbours(cwd)
    axis_files = AxisFileReader(reporter, neighbours)
    agent_files = AgentFileReader(reporter, neighbours, read_agents)
    libraries = Libraries(reporter, templates, expectations, axis_files, agent_files)
    reader = PlanReader(
        reporter,
        templates,
        expectations,
        TargetReader(project, environment, agent_files),
        ScenarioReader(reporter, expectations, PromptReader(reporter, templates, neighbours), axis_files),
        libraries,
        today,
    )
    plans: list[Plan] = []
    names: dict[str, Place] = {}
    others: list[Path] = []
    with collector_paused():
        for path in files:
            try:
                plan = _load(path, reader, reporter, names, others)
            except EnoughFaults:
                continue
            if plan is not None:
                plans.append(plan)
        for path in others:
            if not agent_files.has(path.resolve()):
                with suppress(EnoughFaults):
                    _load(path, reader, reporter, names, None)
    if project.judge is None and project.readable:
        warn_of_unasked_model(plans, reporter)
    return LoadedFiles(tuple(plans), libraries.paths, diagnostics)


def _may_be_agent(document: Document) -> bool:
    root = document.root
    return not _OF_PLANS.intersection(root) and not _OF_AGENTS.isdisjoint(root)


@contextmanager
def collector_paused() -> Generator[None]:
    """Nearly all that loading makes is kept, so that the cyclic collector searches in vain; it takes half of the time.

    What was made is passed on as old, or the collector would search all of it as soon as it is back.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def _load(
    path: Path, reader: PlanReader, reporter: Reporter, names: dict[str, Place], others: list[Path] | None
) -> Plan | None:
    """The plan at this path; None: it has errors, is a library, or may be an agent's file and is noted in `others`."""
    libraries = reader.libraries
    file = display_name(path, libraries.neighbours.cwd)
    if libraries.has(path):
        return None  # imported by a plan before
    errors = reporter.errors
    try:
        # `decode` reports a file that is one byte too long.
        source = decode(libraries.neighbours.plan(path, file, MAX_BYTES + 1), file, reporter)
    except FileFault as fault:
        reporter.file_fault(file, fault.code, fault.detail)
        return None
    document = parse(source, reporter) if source is not None else None
    if document is None or is_library(document, reporter):
        libraries.read(document, path, errors)
        return None
    if "world" in document.root and "plan" not in document.root:
        detail = f"this is a world of the sandbox, not a plan: use it with `--sandbox --world {file}`"
        reporter.error("unknown-key", detail, document.key(document.root, "world"))
        return None
    if _may_be_agent(document):
        if others is not None:
            others.append(path)
            return None
        detail = "this looks like an agent's file, but no plan names it: write `config` and its path at a target"
        reporter.error("unknown-key", detail, start_of(document))
        return None
    plan = reader.read(document, path)
    if plan is not None:
        report_price(document, plan, reader.targets.project, reporter)
    name = document.root.get("plan")
    if isinstance(name, str):
        place = document.place(document.root, "plan")
        first = names.setdefault(name, place)
        if first is not place:
            related = Related("the first one", first.span)
            reporter.error("duplicate-plan", f"another plan is named `{name}`; rename one", place.span, related)
    return plan if reporter.errors == errors else None
