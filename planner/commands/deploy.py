"""`planner deploy`: put an agent's file into production, if exactly this configuration was tested and passed."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable

import anyio

from planner.changes.effective import EffectiveTarget
from planner.errors import RefusedError, UsageError
from planner.execution.journal import Journal
from planner.planfile.files import PROJECT_FILE, display_name, plan_files
from planner.planfile.model import AgentFile, Case
from planner.quantities import count, some
from planner.reports.agents import field_lines
from planner.reports.neutral import for_terminal
from planner.reports.required_check import render_text
from planner.results.outcomes import RequiredCheck, State
from planner.session.checking import checked_cases
from planner.session.ci import namespace_of
from planner.session.configurations import record_agents
from planner.session.deploying import Deployment, check_draft, check_shown, deploy_file, save_deployment
from planner.session.interruption import interruptible
from planner.session.locking import locked
from planner.session.preparing import Preparation, open_journal, prepare
from planner.session.reporting import print_diagnostics, redactor_of
from planner.session.selection import Loaded, Selection, load, with_default_path
from planner.session.service import open_client, read_targets
from planner.session.shell import Shell, actor_of
from planner.session.stores import Place, place_of
from planner.values import frozen
from planner.verdicts.gate import EVERYTHING, Gate
from planner.verdicts.rates import suite_of
from planner.verdicts.required_check import decide


@frozen
class DeployOptions:
    selection: Selection
    target: str
    """The alias."""
    yes: bool = False
    force: str | None = None
    """Why it is deployed although it is not proven."""
    confirm: Callable[[str], bool] | None = None
    """Asks the person at the terminal; None: there is none."""


def deploy(shell: Shell, options: DeployOptions) -> int:
    """Deploy the file of a target; return 0, or the exit code of the required check if the configuration is not proven.

    Raises:
        UsageError: no such target, a field that the service does not show, or a job of a pull request.
        RefusedError: nobody agreed, cases call the agent without the file, or its draft holds something else.
        IncompleteError: the agent was changed meanwhile, or the service did not do it.
    """
    if namespace_of(shell.environ):
        raise UsageError(
            "only the default branch deploys", "Merge the pull request, then deploy from the default branch."
        )
    selection = with_default_path(shell, options.selection)
    loaded = load(shell, selection)
    print_diagnostics(shell, loaded.diagnostics)
    place = place_of(shell, loaded.root, selection, loaded.project)
    with locked(shell, place, shlex.join(["planner", "deploy", options.target])):
        journal = open_journal(shell, place, loaded.cases)
        try:
            return anyio.run(_deploy, shell, options, _Whole(selection, loaded, place, journal))
        finally:
            if journal:
                journal.close()


@frozen
class _Whole:
    """All plans that count: the default folder's and the named ones."""

    selection: Selection
    loaded: Loaded
    place: Place
    journal: Journal | None


async def _deploy(shell: Shell, options: DeployOptions, whole: _Whole) -> int:
    loaded, place = whole.loaded, whole.place
    async with interruptible(), open_client(shell, place, whole.selection) as client:
        states = await read_targets(client, loaded.cases)
        prepared = prepare(shell, whole.selection, loaded, place, targets=states, journal=whole.journal)
        target = _target(shell, options, loaded, prepared)
        if target.deployed is None:
            raise UsageError(f"agent {target.agent_id} cannot be read", "Check what the API key may read.")
        if not target.changes:
            shell.print(f"agent {target.agent_id} already matches {target.file.file}: there is nothing to deploy")
            return 0
        _show(shell, target, loaded)
        check_shown(target, target.deployed)
        check_draft(target, target.deployed)
        if options.force is None:
            _require_file(target, loaded)
        if by_number := sum(case.target.kind == "phone_number" for case in loaded.cases):
            cases = count(by_number, "case reaches an agent", "cases reach agents")
            them = "it is" if by_number == 1 else "they are"
            shell.log(f"{cases} through phone numbers; {them} called after the deployment")
        check = _checked(shell, whole, prepared, target)
        if check.state is not State.SUCCESS and options.force is None:
            names = redactor_of(loaded.project).names(case.case_id for case in loaded.cases)
            shell.print(render_text(check, names))
            next_step = shlex.join(["planner", "plan", *whole.selection.words()])
            shell.log(f"not deployed: this configuration is not proven. See what to call: {next_step}")
            return check.exit_code
        _agree(options, target)
        await deploy_file(client, target)
    deployment = Deployment(
        target=target.alias,
        agent_id=target.agent_id,
        file=target.file.file,
        configuration=target.digest or "",
        fields=tuple(change.name for change in target.changes),
        by=actor_of(shell),
        at=shell.clock.now(),
        check=check.state,
        forced=options.force,
    )
    save_deployment(place, deployment)
    record_agents(shell, place, loaded.project, prepared.agents, prepared.configurations)
    shell.print(f"deployed: agent {target.agent_id} matches {target.file.file}")
    return 0


def _target(shell: Shell, options: DeployOptions, loaded: Loaded, prepared: Preparation) -> EffectiveTarget:
    """The agent with a file that plans call by this alias. If there are several, the named plans decide."""
    alias = options.target
    called = {case.target for case in loaded.cases if case.target.alias == alias}
    found = _with_file(alias, loaded.cases)
    if len(found) > 1 and options.selection.paths:
        found = _with_file(alias, _named_cases(shell, options.selection, loaded)) or found
    if not called:
        known = sorted({case.target.alias for case in loaded.cases if case.target.config is not None})
        listed = f"Targets with a file: {', '.join(known)}." if known else "No target of the plans has `config`."
        raise UsageError(f"no plan calls a target {alias!r}", listed)
    if not found and any(target.kind == "phone_number" for target in called):
        raise UsageError(
            f"target {alias!r} is a phone number, and phone numbers have no file",
            "Deploy the agent that answers it: name a target with `agent` and `config`.",
        )
    if not found:
        raise UsageError(
            f"target {alias!r} has no file",
            "Write one with `planner agents pull`, and name it as `config` of the target.",
        )
    if len(found) > 1:
        raise UsageError(
            f"{alias!r} means {len(found)} different agents or files", "Add the path of a plan after the target."
        )
    agent_id, file = found.pop()
    return next(each for each in prepared.agents if (each.agent_id, each.file) == (agent_id, file))


def _with_file(alias: str, cases: Iterable[Case]) -> set[tuple[int, AgentFile]]:
    targets = (case.target for case in cases if case.target.alias == alias)
    return {(target.id, target.config) for target in targets if target.config is not None}


def _named_cases(shell: Shell, selection: Selection, loaded: Loaded) -> list[Case]:
    """The cases of the plans that PATH… names."""
    paths = [shell.cwd / path for path in selection.paths if path.name != PROJECT_FILE]
    files = {display_name(file, shell.cwd) for file in plan_files(paths)}
    return [case for plan in loaded.plans if plan.file in files for case in plan.cases]


def _require_file(target: EffectiveTarget, loaded: Loaded) -> None:
    """Raises `RefusedError` if cases call the agent without its file: they are never called with what is deployed."""
    others = [
        case.case_id
        for case in loaded.cases
        if case.target.kind == "agent" and case.target.id == target.agent_id and case.target.config != target.file
    ]
    if others:
        names = redactor_of(loaded.project).names(others)
        cases = count(len(others), "case calls", "cases call")
        raise RefusedError(
            f"{cases} agent {target.agent_id} without {target.file.file}, and so never this configuration:"
            f" {some([for_terminal(names[case_id]) for case_id in others], 3)}",
            "Give their targets the same `config`. To deploy anyway: --force REASON",
        )


def _show(shell: Shell, target: EffectiveTarget, loaded: Loaded) -> None:
    """What would be deployed."""
    redactor = redactor_of(loaded.project)
    shell.print(f"agent {target.agent_id} (target {target.alias}), changes in {target.file.file}:")
    for line in field_lines(target.changes, redactor):
        shell.print(f"  {for_terminal(line)}")


def _checked(shell: Shell, whole: _Whole, prepared: Preparation, target: EffectiveTarget) -> RequiredCheck:
    """Whether every case that calls this agent is proven for exactly this configuration."""
    wanted = (target.agent_id, target.file)
    called = {case.case_id for case in whole.loaded.cases if (case.target.id, case.target.config) == wanted}
    checked = checked_cases(shell, whole.place, prepared, whole.journal)
    cases = [case for case in checked if case.change.case_id in called]
    judged = [case.judged for case in cases if case.judged is not None]
    return decide(cases, prepared.change_set.digest, Gate(EVERYTHING, suite_of(judged)), shell.clock.now())


def _agree(options: DeployOptions, target: EffectiveTarget) -> None:
    """Raises `RefusedError` if nobody says yes."""
    changes = count(len(target.changes), "change")
    if options.yes:
        return
    if options.confirm is None:
        words = ["planner", "deploy", options.target, *options.selection.words(), "--yes"]
        words += [] if options.force is None else ["--force", options.force]
        raise RefusedError(
            f"nobody agreed to deploy {changes} of agent {target.agent_id}, and there is no terminal to ask",
            f"To deploy exactly this: {shlex.join(words)}",
        )
    if not options.confirm(f"Deploy {changes} to agent {target.agent_id}?"):
        raise RefusedError("not deployed: you said no", "Nothing was changed.")
