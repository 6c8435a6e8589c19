"""`planner deploy`: put an agent's file into production, if exactly this configuration was tested and passed."""

from __future__ import annotations

import shlex
from collections.abc import Callable

import anyio

from planner.changes.effective import EffectiveTarget
from planner.errors import RefusedError, UsageError
from planner.execution.journal import Journal
from planner.quantities import count
from planner.reports.agents import field_lines
from planner.reports.neutral import for_terminal
from planner.reports.required_check import render_text
from planner.results.outcomes import RequiredCheck, State
from planner.session.checking import checked_cases
from planner.session.ci import namespace_of
from planner.session.configurations import record_agents
from planner.session.deploying import Deployment, check_draft, deploy_file, save_deployment
from planner.session.interruption import interruptible
from planner.session.locking import locked
from planner.session.preparing import Preparation, open_journal, prepare
from planner.session.reporting import print_diagnostics, redactor_of
from planner.session.selection import Loaded, Selection, load
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
        UsageError: no such target, or a job of a pull request.
        RefusedError: nobody agreed, or the agent's draft holds something else.
        IncompleteError: the agent was changed meanwhile, or the service did not do it.
    """
    if namespace_of(shell.environ):
        raise UsageError(
            "only the default branch deploys", "Merge the pull request, then deploy from the default branch."
        )
    selection = options.selection
    loaded = load(shell, selection)
    print_diagnostics(shell, loaded.diagnostics)
    place = place_of(shell, loaded.root, selection, loaded.project)
    with locked(shell, place, shlex.join(["planner", "deploy", options.target])):
        journal = open_journal(shell, place, loaded.cases)
        try:
            return anyio.run(_deploy, shell, options, loaded, place, journal)
        finally:
            if journal:
                journal.close()


async def _deploy(shell: Shell, options: DeployOptions, loaded: Loaded, place: Place, journal: Journal | None) -> int:
    async with interruptible(), open_client(shell, place, options.selection) as client:
        states = await read_targets(client, loaded.cases)
        prepared = prepare(shell, options.selection, loaded, place, targets=states, journal=journal)
        target = _target(options.target, loaded, prepared)
        if target.deployed is None:
            raise UsageError(f"agent {target.agent_id} cannot be read", "Check what the API key may read.")
        if not target.changes:
            shell.print(f"agent {target.agent_id} already matches {target.file.file}: there is nothing to deploy")
            return 0
        _show(shell, target, loaded)
        check_draft(target, target.deployed)
        check = _checked(shell, loaded, place, prepared, target, journal)
        if check.state is not State.SUCCESS and options.force is None:
            names = redactor_of(loaded.project).names(case.case_id for case in loaded.cases)
            shell.print(render_text(check, names))
            next_step = shlex.join(["planner", "plan", *options.selection.words()])
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


def _target(alias: str, loaded: Loaded, prepared: Preparation) -> EffectiveTarget:
    """The agent with a file that plans call by this alias."""
    called = {case.target for case in loaded.cases if case.target.alias == alias}
    found = {(target.id, target.config) for target in called if target.config is not None}
    if not called:
        known = sorted({case.target.alias for case in loaded.cases if case.target.config is not None})
        listed = f"Targets with a file: {', '.join(known)}." if known else "No target of the plans has `config`."
        raise UsageError(f"no plan calls a target {alias!r}", listed)
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


def _show(shell: Shell, target: EffectiveTarget, loaded: Loaded) -> None:
    """What would be deployed."""
    redactor = redactor_of(loaded.project)
    shell.print(f"agent {target.agent_id} (target {target.alias}), changes in {target.file.file}:")
    for line in field_lines(target.changes, redactor):
        shell.print(f"  {for_terminal(line)}")


def _checked(
    shell: Shell, loaded: Loaded, place: Place, prepared: Preparation, target: EffectiveTarget, journal: Journal | None
) -> RequiredCheck:
    """Whether every case that calls this agent is proven for exactly this configuration."""
    called = {
        case.case_id for case in loaded.cases if (case.target.id, case.target.config) == (target.agent_id, target.file)
    }
    cases = [case for case in checked_cases(shell, place, prepared, journal) if case.change.case_id in called]
    judged = [case.judged for case in cases if case.judged is not None]
    return decide(cases, prepared.change_set.digest, Gate(EVERYTHING, suite_of(judged)), shell.clock.now())


def _agree(options: DeployOptions, target: EffectiveTarget) -> None:
    """Raises `RefusedError` if nobody says yes."""
    changes = count(len(target.changes), "change")
    if options.yes:
        return
    if options.confirm is None:
        words = ["planner", "deploy", options.target, *options.selection.words(), "--yes"]
        raise RefusedError(
            f"nobody agreed to deploy {changes} of agent {target.agent_id}, and there is no terminal to ask",
            f"To deploy exactly this: {shlex.join(words)}",
        )
    if not options.confirm(f"Deploy {changes} to agent {target.agent_id}?"):
        raise RefusedError("not deployed: you said no", "Nothing was changed.")
