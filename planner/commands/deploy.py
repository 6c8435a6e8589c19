"""`planner agent deploy`: put an agent's file into production, if exactly this configuration was tested and passed."""

import shlex
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import anyio

from planner.agents.deployments import DeployedCase, Deployment, deployments, save_deployment, settle_deployments
from planner.agents.recorded import record_agents, record_deployment, stored_versions
from planner.changes.configuration import Configuration, EffectiveTarget, FieldChange, agree, differences
from planner.ci.agreement import actor_of
from planner.errors import CredentialError, IncompleteError, NotFoundError, PlannerError, RefusedError, UsageError
from planner.interruption import interruptible
from planner.log.fold import State
from planner.planfile.model import Case
from planner.providers.base import AgentProvider, AgentState
from planner.quantities import count, some
from planner.reports.agents import field_lines
from planner.reports.neutral import for_terminal
from planner.reports.required_check import render_text
from planner.results.outcomes import CaseState, CheckState, RequiredCheck
from planner.session.preparing import Preparation, checked_cases, prepare, stored_state
from planner.shell import Shell, redactor_of
from planner.values import frozen
from planner.verdicts.gate import CheckedCase, Gate, decide_check
from planner.workspace.selection import Loaded, Selection, require_default_branch, with_default_path
from planner.workspace.service import open_client, read_targets
from planner.workspace.stores import OpenedStore, Workspace, locked, open_workspace


@frozen
class DeployOptions:
    selection: Selection
    target: str
    """The alias."""
    yes: bool = False
    force: str | None = None
    """Why it is deployed although it is not proven."""
    over_drift: bool = False
    """Deploy although the agent was edited at the service meanwhile."""
    confirm: Callable[[str], bool] | None = None
    """Asks the person at the terminal; None: there is none."""


def deploy(shell: Shell, options: DeployOptions) -> int:
    """Deploy the file of a target; return 0, or the exit code of the required check if the configuration is not proven.

    Raises:
        UsageError: there is no such target, the service does not show a field, or this is a job of a pull request.
        RefusedError: nobody agreed, cases call the agent without the file, or its draft has other changes.
        IncompleteError: the agent was changed meanwhile, or the service did not deploy it.
    """
    require_default_branch(shell, options.selection, "deploys")
    selection = with_default_path(shell, options.selection)
    work = open_workspace(shell, selection, only_promoted=True)
    command = shlex.join(["planner", "agent", "deploy", options.target])
    with locked(shell, work.place, command), stored_state(work) as state:
        return anyio.run(_deploy, options, work, state)


async def _deploy(options: DeployOptions, work: Workspace, state: State | None) -> int:
    """`work` has all plans that count: the default folder's and the named ones."""
    shell, loaded, place = work.shell, work.loaded, work.place
    async with interruptible(), open_client(shell, place, work.selection) as client:
        states = await read_targets(client, loaded.cases, work.place)
        prepared = prepare(work, states, state)
        tested = _target(options.target, loaded.cases, prepared)
        target = tested.without_test_tools
        if target.deployed is None:
            raise UsageError(f"agent {target.agent_id} cannot be read", "Check what the API key may read.")
        if not target.changes:
            settle_deployments(place, loaded.project, target)
            shell.print(f"agent {target.agent_id} already matches {target.file.file}: there is nothing to deploy")
            return 0
        shell.print(f"agent {target.agent_id} (target {target.alias}), changes in {target.file.file}:")
        for line in field_lines(target.changes, redactor_of(loaded.project)):
            shell.print(f"  {for_terminal(line)}")
        check_shown(target, target.deployed)
        intended = _interrupted(place, target.agent_id)
        check_draft(target, target.deployed, intended)
        _check_drift(options, work, target)
        if options.force is None:
            _require_file(target, loaded)
        cases = _cases_of(work, prepared, tested)
        if tested.file.test_tools:
            names = ", ".join(for_terminal(name) for name, _ in tested.file.test_tools)
            shell.print(f"  tested with other addresses of these tools, which are not deployed: {names}")
        check = _checked(prepared, cases, shell.clock.now())
        if check.state is not CheckState.SUCCESS or check.cases.get(CaseState.QUARANTINED) or check.flaky:
            names = redactor_of(loaded.project).names(case.case_id for case in loaded.cases)
            shell.print(render_text(check, names))
        if check.state is not CheckState.SUCCESS and options.force is None:
            shell.log(f"not deployed: this configuration is not proven. {_next_step(work.selection, check)}")
            return check.exit_code
        _agree(options, target)
        deployment = Deployment(
            target=target.alias,
            agent_id=target.agent_id,
            file=target.file.file,
            configuration=target.digest or "",
            fields=tuple(change.name for change in target.changes),
            by=actor_of(shell),
            at=shell.clock.now(),
            check=check.state,
            cases=_known(work, cases),
            forced=options.force,
            lost=tuple(change.name for change in target.drift),
        )
        save_deployment(place, deployment)
        record_deployment(place, loaded.project, target, is_done=False)
        try:
            await deploy_file(client, target, intended)
        except PlannerError as error:
            save_deployment(place, deployment.model_copy(update={"state": "failed", "detail": str(error)}))
            raise
    save_deployment(place, deployment.model_copy(update={"state": "deployed"}))
    record_deployment(place, loaded.project, target, is_done=True)
    record_agents(place, loaded.project, (), prepared.configurations)
    shell.print(f"deployed: agent {target.agent_id} matches {target.file.file}")
    return 0


def _interrupted(place: OpenedStore, agent_id: int) -> list[Configuration]:
    """The fields of deployments that were begun, if the newest one was not carried out: its draft may be left."""
    newest = next(iter(deployments(place, agent_id)), None)
    if newest is None or newest.state == "deployed":
        return []
    return [version.fields for version in stored_versions(place, [agent_id])[agent_id] if version.is_intended]


def _check_drift(options: DeployOptions, work: Workspace, target: EffectiveTarget) -> None:
    """Show what somebody edited at the service since the last deployment. Raises `RefusedError` without
    `over_drift`."""
    if not target.drift:
        return
    edited_at = target.deployed.edited_at if target.deployed is not None else None
    when = f" (last edit: {edited_at})" if edited_at else ""
    work.shell.print(f"edited at the service since the last deployment{when}, and lost by this one:")
    for line in field_lines(target.drift, redactor_of(work.loaded.project)):
        work.shell.print(f"  {for_terminal(line)}")
    if not options.over_drift:
        names = some([f"`{change.name}`" for change in target.drift], 5)
        raise RefusedError(
            f"agent {target.agent_id} was edited at the service since it was deployed: {names} would be lost",
            f"Keep the edit: planner agent pull {target.alias}. Or undo it: repeat the command with --over-drift.",
        )


def _target(alias: str, cases: Iterable[Case], prepared: Preparation) -> EffectiveTarget:
    """The agent with a file that plans call by this alias."""
    files = [(case.target.alias, case.target.id, case.target.config) for case in cases if case.target.config]
    found = {(agent_id, file) for name, agent_id, file in files if name == alias}
    if not found:
        known = ", ".join(sorted({name for name, _, _ in files}))
        raise UsageError(
            f"no plan calls an agent with a file by the alias {alias!r}",
            f"Targets with a file: {known or 'none'}. To add one: `planner agent pull`, then `config` at the target.",
        )
    if len(found) > 1:
        raise UsageError(f"{alias!r} means {len(found)} different agents or files", "Give them different aliases.")
    (wanted,) = found
    return next(each for each in prepared.agents if (each.agent_id, each.file) == wanted)


def _require_file(target: EffectiveTarget, loaded: Loaded) -> None:
    """Raises `RefusedError` if cases call the agent without its file: they never test the configuration to deploy."""
    others = [
        case.case_id
        for case in loaded.cases
        if case.target.kind == "agent"
        and case.target.id == target.agent_id
        and (case.target.config is None or case.target.config.path != target.file.path)
    ]
    if others:
        names = redactor_of(loaded.project).names(others)
        cases = count(len(others), "case calls", "cases call")
        raise RefusedError(
            f"{cases} agent {target.agent_id} without {target.file.file}, so they never test this configuration:"
            f" {some([for_terminal(names[case_id]) for case_id in others], 3)}",
            "Give their targets the same `config`. To deploy anyway: --force REASON",
        )


def _cases_of(work: Workspace, prepared: Preparation, target: EffectiveTarget) -> list[CheckedCase]:
    """The cases that call this agent, judged for exactly this configuration."""
    wanted = (target.agent_id, target.file)
    called = {case.case_id for case in work.loaded.cases if (case.target.id, case.target.config) == wanted}
    return [case for case in checked_cases(work, prepared) if case.change.case_id in called]


def _checked(prepared: Preparation, cases: Sequence[CheckedCase], now: datetime) -> RequiredCheck:
    """Whether every case is proven."""
    judged = [case.judged for case in cases if case.judged is not None]
    _, suite = prepared.with_history(judged)
    return decide_check(cases, prepared.change_set.digest, Gate(suite, "strict"), now)


def _next_step(selection: Selection, check: RequiredCheck) -> str:
    """A command that brings the check nearer to green."""
    if check.calls:
        return f"See what to call: {selection.command('plan')}"
    if check.needs_run:  # `plan` does not show runs that are only to be collected or judged
        return f"Collect the results: {selection.command('run')}"
    by_outcome = check.cases.get(CaseState.FAILED) or check.cases.get(CaseState.UNDECIDED)
    again = replace(selection, rerun="failed" if by_outcome else "all")
    return f"After a fix, or to call these cases again (charged): {again.command('run')}"


def _known(work: Workspace, cases: Sequence[CheckedCase]) -> tuple[DeployedCase, ...]:
    """The counts and calls that the deployment rests on."""
    judged = [case.judged for case in cases if case.judged is not None]
    names = redactor_of(work.loaded.project).names(case.case_id for case in judged)
    return tuple(
        DeployedCase(
            case_id=names[case.case_id],
            runs_passed=case.counts[0],
            runs_counted=case.counts[1],
            call_ids=tuple(run.call_id for run in case.runs if run.call_id is not None),
        )
        for case in judged
    )


def _agree(options: DeployOptions, target: EffectiveTarget) -> None:
    changes = count(len(target.changes), "change")
    if options.yes:
        return
    if options.confirm is None:
        words = ["planner", "agent", "deploy", options.target, *options.selection.words(), "--yes"]
        words += [] if options.force is None else ["--force", options.force]
        raise RefusedError(
            f"deploying {changes} to agent {target.agent_id} needs a confirmation, and there is no terminal to ask",
            f"To deploy exactly this: {shlex.join(words)}",
        )
    if not options.confirm(f"Deploy {changes} to agent {target.agent_id}?"):
        raise RefusedError("not deployed: you did not confirm", "Nothing was changed.")


_AGAIN: Final = "Run the same command again: it shows the agent as it is now."


# Writing to the agent


def check_draft(target: EffectiveTarget, agent: AgentState, intended: Sequence[Configuration]) -> None:
    """Raises `RefusedError` if deploying would also deploy what somebody else left in the draft. `intended` are the
    fields of interrupted deployments: what one of them left in the draft is not foreign, and is written again."""
    ours = _left_by(intended, agent)
    foreign = [name for name in _differing(agent.draft, target.preview_fields) if name not in ours]
    if not foreign and agent.is_drafted and not agent.draft:
        foreign = ["fields that the service does not show"]
    if foreign:
        raise RefusedError(
            f"agent {agent.id} has an undeployed draft with {some(foreign, 5)}, and deploying would put it into "
            "production",
            f"Deploy or discard that draft at the service, or write it into {target.file.file}; then run this again.",
        )


def check_shown(target: EffectiveTarget, agent: AgentState) -> None:
    """Raises `UsageError` if the service does not show a field: it would stay unclear whether it is deployed."""
    known = agent.configuration.keys() | agent.draft.keys()
    if unshown := [f"`{name}`" for name in target.preview_fields if name not in known]:
        raise UsageError(
            f"the service does not show {some(unshown, 5)} of agent {agent.id}, so planner cannot check whether it is "
            "deployed",
            f"Check the name, or remove the field from {target.file.file}.",
        )


def _differing(fields: Configuration, others: Configuration) -> list[str]:
    """The fields that are missing or different in `others`."""
    return [f"`{name}`" for name, value in fields.items() if name not in others or not agree(value, others[name])]


def _left_by(intended: Sequence[Configuration], agent: AgentState) -> list[str]:
    """The fields that the draft has from interrupted deployments."""
    return [
        f"`{name}`"
        for name, value in agent.draft.items()
        if any(name in fields and agree(value, fields[name]) for fields in intended)
    ]


async def deploy_file(provider: AgentProvider, target: EffectiveTarget, intended: Sequence[Configuration] = ()) -> None:
    """Deploy the changes of `target`, as they were shown. `intended` is as in `check_draft`.

    Raises: UsageError: the service does not show a field. RefusedError: the draft has more than the shown changes.
        IncompleteError: the agent was changed since, or the service did not deploy it; the message says what is in the
        draft.
    """
    before = await provider.agent(target.agent_id)
    _require_unchanged(target, before)
    check_shown(target, before)
    check_draft(target, before, intended)
    deployed = {f"`{name}`": (name, value) for name, value in before.configuration.items()}
    undone = dict(deployed[name] for name in _left_by(intended, before) if name in deployed)
    fields = undone | target.preview_fields
    lost: PlannerError | None = None
    if _differing(fields, before.draft):  # a draft of ours may be left from an attempt that was interrupted
        lost = await _sent(provider.draft_agent(target.agent_id, fields))
    drafted = await provider.agent(target.agent_id)
    _require_unchanged(target, drafted, is_drafted=True)
    check_draft(target, drafted, [undone])
    if missing := _differing(fields, {**drafted.configuration, **drafted.draft}):
        why = f": {lost}" if lost else ""
        raise IncompleteError(f"the service did not keep {some(missing, 5)} in the draft{why}", _AGAIN)
    try:
        lost = await _sent(provider.deploy_agent(target.agent_id, drafted.edited_at))
    except (CredentialError, NotFoundError):
        raise
    except (UsageError, RefusedError) as error:
        raise await _conflict(provider, target, error) from error
    after = await provider.agent(target.agent_id)
    if remaining := _differing(fields, after.configuration):
        if lost is None:
            names = some(remaining, 5)
            raise IncompleteError(
                f"agent {after.id} was deployed, but the service shows other values of {names}", _AGAIN
            )
        raise IncompleteError(
            f"the answer was lost, and agent {after.id} is not deployed: {lost}", f"{_left(after)} {_AGAIN}"
        ) from lost


async def _sent(write: Awaitable[None]) -> PlannerError | None:
    """The error of a write whose answer was lost; reading the agent again shows whether it was carried out."""
    try:
        await write
    except IncompleteError as error:
        return error
    return None


def _require_unchanged(target: EffectiveTarget, now: AgentState, *, is_drafted: bool = False) -> None:
    """Raises `IncompleteError` if somebody changed what is deployed since it was shown. Our own draft may change
    the time of the last edit."""
    shown = target.deployed
    assert shown is not None, "deployed is known, as its changes were shown"
    changes = differences(shown.configuration, now.configuration)
    if changes or (not is_drafted and now.edited_at != shown.edited_at):
        raise IncompleteError(
            f"agent {now.id} was changed since it was read{_named(changes)}", f"{_left(now)} {_AGAIN}"
        )


async def _conflict(provider: AgentProvider, target: EffectiveTarget, error: PlannerError) -> IncompleteError:
    """The error for a refused deployment. It names what changed meanwhile and what the draft holds."""
    now = await provider.agent(target.agent_id)
    shown = target.deployed
    changes = differences(shown.configuration, now.configuration) if shown is not None else ()
    return IncompleteError(f"agent {now.id} was not deployed: {error}{_named(changes)}", f"{_left(now)} {_AGAIN}")


def _named(changes: tuple[FieldChange, ...]) -> str:
    return f": {some([f'`{change.name}`' for change in changes], 5)}" if changes else ""


def _left(agent: AgentState) -> str:
    if not agent.draft:
        return "There is no draft."
    return f"Its draft holds {some([f'`{name}`' for name in agent.draft], 8)}; calls do not use it."
