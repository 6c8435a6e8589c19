"""Loads plan files: from paths to plans, libraries and diagnostics."""

from __future__ import annotations

import gc
from collections.abc import Generator, Sequence
from collections.abc import Mapping as Lookup
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from planner.diagnostics import Diagnostics, Related
from planner.errors import UsageError
from planner.planfile.agent_files import AgentFileReader
from planner.planfile.axes import AxisFileReader
from planner.planfile.expand import Allowance
from planner.planfile.expectations import Expectations
from planner.planfile.fields import check_version, missing, read_fields, read_mapping, wrong_type
from planner.planfile.files import FileError, Neighbours, display_name, plan_files
from planner.planfile.grammar import PlanFields, ScenarioDefaults
from planner.planfile.imports import UNREADABLE, Imports
from planner.planfile.library import Libraries, is_library, read_variables
from planner.planfile.lint import has_used_anchor, report_price, warn_of_same_calls, warn_of_unasked_model
from planner.planfile.model import Case, Keep, Plan, Project
from planner.planfile.prompts import PromptReader
from planner.planfile.reporter import Reporter, TooManyErrors, Unresolved
from planner.planfile.scenario import ScenarioReader
from planner.planfile.settings import read_quarantine, settings_of
from planner.planfile.targets import TargetReader
from planner.planfile.templates import Templates, corrected_name, is_name
from planner.planfile.text import shorten, unknown
from planner.planfile.yaml.document import YamlMapping, YamlPlace, start_of
from planner.planfile.yaml.reader import MAX_BYTES, decode, parse

MAX_CASES = 10_000
"""Cases of a plan, unless policy.max_calls is larger: each is at least one call."""


class PlanReader:
    """Reads plans; one for all plans loaded together. `today` is in UTC, None if unknown."""

    def __init__(
        self, cwd: Path, project: Project, environment: str | None, today: date | None, *, read_agents: bool = True
    ) -> None:
        self.reporter = reporter = Reporter(Diagnostics())
        self.templates = Templates(reporter.budget)
        self.expectations = Expectations(reporter, self.templates)
        self.neighbours = Neighbours(cwd)
        self.prompts = PromptReader(reporter, self.templates, self.neighbours)
        self.axis_files = AxisFileReader(reporter, self.neighbours, max(MAX_CASES, project.policy.max_calls))
        self.agent_files = AgentFileReader(reporter, self.neighbours, read_agents)
        self.libraries = Libraries(reporter, self.templates, self.expectations, self.neighbours)
        self.targets = TargetReader(project, environment, self.agent_files)
        self.today = today

    def read(self, root: YamlMapping, path: Path) -> Plan | None:
        """The plan; None if it has errors, which are reported."""
        errors = self.reporter.errors
        if not check_version(root, self.reporter, required=True):
            return None
        fields = read_fields(PlanFields, root, self.reporter)
        if missing(PlanFields, root, "plan") and not root.incomplete:
            detail = "`plan` is required: the plan's name, such as plan: refunds"
            self.reporter.error("missing-key", detail, start_of(root))
        context = PlanContext(self, root, path, fields)
        cases = self._cases(context)
        if self.reporter.errors > errors:
            return None
        return Plan(
            name=context.name,
            file=root.source.file,
            description=fields.description.strip(),
            owners=tuple(fields.owners),
            tags=context.tags,
            max_cost_cents=fields.budget.max_cost_cents if fields.budget else None,
            cases=tuple(cases),
        )

    def _cases(self, plan: PlanContext) -> list[Case]:
        root = plan.root
        if "scenarios" not in root and missing(PlanFields, root, "scenarios"):
            detail = "`scenarios` is required: what callers do, and what is expected"
            self.reporter.error("no-scenarios", detail, start_of(root))
        scenarios = read_mapping(root, "scenarios", "a mapping of names to scenarios", self.reporter)
        if scenarios is None:
            return []
        if not scenarios:
            self.reporter.error(
                "no-scenarios", "this plan has no scenario; write one, or delete the file", root.span("scenarios")
            )
        cases: list[Case] = []
        used: set[str] = set()
        complete = True
        for name in scenarios:
            if not isinstance(scenarios[name], YamlMapping):
                detail = wrong_type("a mapping with a prompt and expectations", scenarios[name])
                self.reporter.error("wrong-type", detail, scenarios.span(name))
                complete = False
                continue
            scenario = ScenarioReader(plan, scenarios, name).read()
            cases.extend(scenario.cases)
            used.update(scenario.names)
            complete = complete and scenario.complete
        plan.unresolved.report()
        if complete:
            own: Any = root.get("vars", ()) if plan.variables_readable else ()
            for name in own:
                if name not in used and is_name(name) and not has_used_anchor(root, own, name):
                    detail = f"no template of this plan uses `{shorten(name, 40)}`; remove it"
                    self.reporter.warning("unused-variable", detail, own.key_span(name))
        return cases


class PlanContext:
    """What scenarios use of their plan."""

    def __init__(self, reader: PlanReader, root: YamlMapping, path: Path, fields: PlanFields) -> None:
        self.reader = reader
        self.root = root
        self.path = path
        self.name = fields.plan or ""
        self.tags = frozenset(fields.tags)
        self.imports = Imports(reader.libraries, root, path, fields.imports)
        reader.expectations.new_plan()
        self.defaults = fields.defaults or ScenarioDefaults()
        written = root.get("defaults")
        self.defaults_written = written if isinstance(written, YamlMapping) else YamlMapping()
        self.default_expected = UNREADABLE
        if isinstance(written, YamlMapping) or missing(PlanFields, root, "defaults"):
            self.default_expected = self.imports.expected(ScenarioDefaults, self.defaults_written)
        self.settings = settings_of(vars(self.defaults))
        """Of the defaults."""
        self.quarantine = read_quarantine(
            self.defaults_written, self.defaults.quarantine, reader.reporter, reader.today
        )
        """Of the defaults."""
        variables = self._variables()
        self.variables: Lookup[str, Any] = {} if variables is None else variables
        self.own_variables_readable = variables is not None
        """False if `vars` has errors, so that names may be missing."""
        self.variables_readable = variables is not None and self.imports.complete
        """False if `vars` or an import has errors, so that names may be missing."""
        self.corrected_names = frozenset(self.variables).union(map(corrected_name, self.variables))
        """The names of variables; for invalid names, the suggested ones."""
        self.aliases = reader.targets.read(root, path)
        self.unresolved = Unresolved(reader.reporter)
        self.allowance = Allowance(reader.axis_files.max_cases)

    def _variables(self) -> Lookup[str, Any] | None:
        """The plan's variables and imported ones; None if they cannot be read, which is reported."""
        own = read_variables(PlanFields, self.root, self.reader.reporter)
        imported = self.imports.variables
        if own is None or not imported:
            return own
        return {**imported, **own}


_OF_PLANS = frozenset({"version", "plan", "scenarios", "kind"})
_OF_AGENTS = frozenset({"prompt", "prompt_file", "voice", "product", "primary_language", "tools"})


class LoadedFiles(NamedTuple):
    """Plans without any error, in the order of their files; the libraries' paths, the imported too; all errors of all
    files; the other files that were read, because one of these names them."""

    plans: tuple[Plan, ...]
    libraries: frozenset[str]
    diagnostics: Diagnostics
    named_files: tuple[Path, ...] = ()


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
    reader = PlanReader(cwd, project, environment, today, read_agents=read_agents)
    plans: list[Plan] = []
    names: dict[str, YamlPlace] = {}
    others: list[Path] = []
    with collector_paused():
        for path in files:
            try:
                plan = _load(path, reader, names, others)
            except TooManyErrors:
                continue
            if plan is not None:
                plans.append(plan)
        for path in others:
            if not reader.agent_files.has(path.resolve()):
                with suppress(TooManyErrors):
                    _load(path, reader, names, None)
    if project.judge is None and project.readable:
        warn_of_unasked_model(plans, reader.reporter)
    warn_of_same_calls(plans, reader.reporter)
    _check_keep(plans, project.keep, reader.reporter)
    named = reader.neighbours.read_files
    return LoadedFiles(tuple(plans), reader.libraries.paths, reader.reporter.diagnostics, named)


def _check_keep(plans: Sequence[Plan], keep: Keep | None, reporter: Reporter) -> None:
    """A result that still counts must not lose its calls."""
    ages = [(case.max_age, plan.file) for plan in plans for case in plan.cases if case.max_age is not None]
    longest, file = max(ages, default=(None, ""))
    if keep is not None and longest is not None and keep.age < longest:
        days = -(-longest // timedelta(days=1))
        detail = f"`keep` is shorter than a `max_age` in {file}: write at least {days}d"
        reporter.error("bad-value", detail, keep.span)


@contextmanager
def collector_paused() -> Generator[None]:
    """Loading creates objects that are nearly all kept: collection would find nothing, and take half of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _load(path: Path, reader: PlanReader, names: dict[str, YamlPlace], others: list[Path] | None) -> Plan | None:
    """The plan at this path; None: it has errors, is a library, or may be an agent's file and is noted in `others`."""
    libraries, reporter = reader.libraries, reader.reporter
    file = display_name(path, reader.neighbours.cwd)
    if libraries.has(path):
        return None  # imported by a plan before
    errors = reporter.errors
    try:
        # `decode` reports a file that is one byte too long.
        source = decode(reader.neighbours.plan(path, file, MAX_BYTES + 1), file, reporter)
    except FileError as error:
        reporter.file_error(file, error.code, error.detail)
        return None
    root = parse(source, reporter) if source is not None else None
    reporter.budget.start()
    if root is None or is_library(root, reporter):
        libraries.read(root, path, errors)
        return None
    if "world" in root and "plan" not in root:
        detail = f"this is a world of the sandbox, not a plan: use it with `--sandbox --world {file}`"
        reporter.error("unknown-key", detail, root.key_span("world"))
        return None
    if _OF_PLANS.isdisjoint(root) and not _OF_AGENTS.isdisjoint(root):
        if others is not None:
            others.append(path)
            return None
        detail = "this looks like an agent's file, but no plan names it: set `config` of a target to its path"
        reporter.error("unknown-key", detail, start_of(root))
        return None
    plan = reader.read(root, path)
    if plan is not None:
        report_price(root, plan, reader.targets.project, reporter)
    name = root.get("plan")
    if isinstance(name, str):
        place = root.place("plan")
        first = names.setdefault(name, place)
        if first is not place:
            related = Related("the first one", first.span)
            reporter.error("duplicate-plan", f"another plan is named `{name}`; rename one", place.span, related)
    return plan if reporter.errors == errors else None
