"""The comment on a pull request before and after calls. All text is neutralised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from planner.changes.consent import to_confirm
from planner.changes.model import Reason
from planner.changes.weakened import Weakened
from planner.planfile.files import PROJECT_FILE
from planner.quantities import count, moment, money, money_range, short_commit, shortened, some
from planner.reports.agents import agent_notes
from planner.reports.case_phrasing import cannot_fail
from planner.reports.change_set import PlanView, ShownChange, judged_otherwise, shown_changes
from planner.reports.neutral import (
    for_markdown,
    markdown_block,
    markdown_code,
    markdown_prose,
)
from planner.reports.phrasing import changes_of
from planner.reports.pull_request_failures import render_failures, render_undecided
from planner.reports.redaction import Redactor
from planner.results.model import CaseResult, StartOverDocument
from planner.results.outcomes import Action, CaseState, CheckState, RequiredCheck
from planner.values import frozen

_MAX_CHARACTERS: Final = 58_000
_LISTED: Final = (300, 100, 30, 5, 0)
"""Cases listed in each folded part: reduced until the text fits."""
_UNFOLDED: Final = 10
_FIRST: Final = 3
"""Of each kind of weakened test, these are never folded away."""
_REASON_CHARACTERS: Final = 300
_DIFF_CHARACTERS: Final = 30_000
"""Of the differences of all agents. They are never cut without saying so: somebody agrees to them."""
CALL_WORKFLOW: Final = "phone-plans-call.yml"
RECORD_WORKFLOW: Final = "phone-plans-main.yml"
NO_CEILING: Final = "DOLLARS"
"""Stands in a command for the ceiling, while the price is unknown."""
_FIX: Final = "**Fix the agent or the expectations, and push.**"
"""The way on if calls alone cannot help."""
_JUDGED_OTHERWISE: Final = (Reason.EXPECTATIONS_CHANGED, Reason.JUDGE_CHANGED)
"""Reasons of rechecks that say something; other stored runs were judged as they are."""
_NOT_READ: Final = "planner cannot read the commit where this branched off, or some of its plans"
SIGNS: Final = {CheckState.SUCCESS: "✅", CheckState.FAILURE: "❌", CheckState.PENDING: "⏳"}


@frozen
class PullRequest:
    """`number` and `commit` are "" if unknown; `actions_url` is the page of the workflow that makes the calls."""

    number: str = ""
    commit: str = ""
    base: str = ""
    default: str = ""
    """The default branch, whose results are the baseline of every pull request."""
    actions_url: str = ""
    run_url: str = ""
    """The job that made calls, which keeps the reports; "" for a job that makes none."""
    record_url: str = ""
    """The page of the workflow that records prices."""
    name: str = ""
    """Separates two uses in one repository; "" if there is only one."""
    workflow: str = CALL_WORKFLOW
    """The workflow that makes the calls."""

    @property
    def other_base(self) -> str:
        """The branch that it targets; "" if that is the default branch, or unknown."""
        return self.base if self.default not in ("", self.base) else ""


@frozen
class LastCalls:
    """The newest calls of the pull request, and what all sessions with their digest were billed so far."""

    by: str
    max_cost_cents: int | None
    cost_cents: int
    interrupted: str = ""
    """The digest of the newest session, if that was interrupted."""
    start_over: StartOverDocument | None = None
    """Set if earlier results of a called case were ignored."""


@frozen
class EndedSession:
    """The session that this job has just ended, if it did not make all calls. `problem` says why."""

    is_refused: bool
    problem: str


@frozen
class Offer:
    """Calls that a comment offers. `max_cost` is the ceiling in dollars, "" if the price is unknown; `options` are
    words of the command."""

    digest: str
    max_cost: str
    calls: int
    options: str = ""

    def command(self, pull: PullRequest) -> str:
        words = ["/planner run", pull.name, self.digest, f"up to {self.max_cost or NO_CEILING}", self.options]
        return " ".join(filter(None, words))


@frozen
class CommentFacts:
    """What a comment says in addition to the change set and the check."""

    pull: PullRequest
    last: LastCalls | None = None
    ended: EndedSession | None = None
    offer: Offer | None = None
    """What can be called, collected or judged; None if there is nothing, or it would be refused."""
    weakened: Weakened | None = Weakened()
    """None if it is unknown."""


def render_comment(
    preview: PlanView,
    check: RequiredCheck,
    judged: Sequence[CaseResult],
    names: Mapping[str, str],
    facts: CommentFacts,
) -> str:
    """Markdown below GitHub's limit for comments. `judged` are the results by today's expectations."""
    pull, last = facts.pull, facts.last
    cancelled = last is not None and check.needs_run and last.interrupted == check.digest
    agreed = _agreed(last)
    is_done = not (check.calls or cancelled)
    headline = _headline(preview, check, cancelled=cancelled) + (f" · {agreed}" if agreed and is_done else "")
    about = (_facts(preview, check, pull, last, judged), _last("" if is_done else agreed, last, pull))
    ended = facts.ended if preview.refused is None and not cancelled else None  # the same would be said twice
    if facts.weakened is not None and facts.weakened.ways:
        headline += f" · ⚠ {for_markdown(preview.redactor.text(facts.weakened.summary))}"
    head = [headline, _ended(ended), _forbidden(preview, pull), " ".join(filter(None, about))]
    head += [f"⚠️ {markdown_prose(preview.redactor.text(warning))}" for warning in preview.warnings]
    foot = _how_to_call(preview, check, facts)
    text = ""
    for listed in _LISTED:
        failures = list(render_failures(check, judged, names, preview.redactor, listed))
        of_base = list(_of_base(check, names, pull, listed))
        uncounted = _not_counted(preview, check, judged, names, listed)
        undecided = render_undecided(check, judged, names, preview.redactor, listed)
        changes = _changes(preview, listed)
        weakened = _weakened(facts.weakened, preview.redactor, listed)
        blocks = [*head, *weakened, *of_base, *uncounted, *failures, *undecided, *changes, *foot]
        text = "\n\n".join(filter(None, blocks)) + "\n"
        if len(text) <= _MAX_CHARACTERS:
            break
    return text


def _headline(preview: PlanView, check: RequiredCheck, *, cancelled: bool) -> str:
    if cancelled:
        return f"### ⏹ Cancelled · {for_markdown(check.description)}"
    if not check.calls:
        what = check.description
        sign = SIGNS[check.state] if preview.plans else "⚠️"
        return f"### {sign} {for_markdown(what[:1].upper() + what[1:])}"
    if preview.refused is not None:
        return f"### ✋ {count(check.calls, 'call')} to make, but planner.yaml forbids it"
    return f"### 📞 {count(check.calls, 'call')} to make{to_confirm(preview.change_set)} · {_price(preview)}"


def _ended(ended: EndedSession | None) -> str:
    if ended is None:
        return ""
    problem = markdown_prose(ended.problem.rstrip("."))
    if ended.is_refused:
        return f"✋ **Refused, so nothing was called:** {problem}."
    return f"✋ **The calls ended early:** {problem}. Calls that were made are not made again."


def _forbidden(preview: PlanView, pull: PullRequest) -> str:
    """Why the policy forbids these calls, and where it is; "" if it does not."""
    if preview.refused is None:
        return ""
    why = for_markdown(str(preview.refused).rstrip("."))
    where = f"{markdown_code(PROJECT_FILE)} of {markdown_code(pull.base or 'the base branch')}"
    return f"{why}.\n\n**To continue:** plan fewer calls here, or change {where}: changing it here has no effect yet."


def _price(preview: PlanView) -> str:
    estimate, votes = preview.change_set.estimate, preview.change_set.votes
    judge = f" plus {money(votes.expected_cents)} for judge calls" if votes is not None and votes.charged else ""
    if estimate.expected_cents is None:
        return for_markdown(f"cost unknown{judge}")
    spread = money_range(estimate.low_cents, estimate.high_cents)
    return for_markdown(f"{money(estimate.expected_cents)} expected ({spread}){judge}")


def _facts(
    preview: PlanView, check: RequiredCheck, pull: PullRequest, last: LastCalls | None, judged: Sequence[CaseResult]
) -> str:
    commit = f" for {markdown_code(short_commit(pull.commit))}" if pull.commit else ""
    parts = [f"Results{commit}."] if commit and preview.plans and not check.needs_run else []
    if parts and (changes := changes_of(judged)):
        parts.append(f"Against {markdown_code(pull.base or pull.default or 'the base branch')}: {', '.join(changes)}.")
    if check.open_calls:
        parts += _open_calls(preview, check)
    elif check.calls:
        parts.append(
            f"These calls{commit} have not been made yet." if last is not None else f"Nothing called yet{commit}."
        )
    if pull.other_base:
        base, default = markdown_code(pull.base), markdown_code(pull.default)
        parts.append(
            f"Cases without results of {base} are compared with those of {default}; failures there still count here."
        )
    return " ".join(parts)


def _open_calls(preview: PlanView, check: RequiredCheck) -> Iterator[str]:
    """Calls that have begun, and launches that the service did not answer."""
    unconfirmed = _unconfirmed(preview, check)
    cents = preview.reserved_cents
    if made := check.open_calls - unconfirmed:
        may_cost = f" and may still cost {for_markdown(money(cents))}" if cents else ""
        yield (
            f"{count(made, 'call')} already made: in progress, or ended without stored results{may_cost}. "
            "The next run collects the results and makes none of these calls again."
        )
    if unconfirmed:
        may_cost = f" It may cost {for_markdown(money(cents))}." if cents and not made else ""
        yield (
            f"The service did not answer when {count(unconfirmed, 'call')} started, so it may or may not have been "
            f"made.{may_cost} The next run checks this and makes only missing calls{_from(preview)}."
        )


def _from(preview: PlanView) -> str:
    return f", {for_markdown(moment(preview.again_at))} at the earliest" if preview.again_at else ""


def _unconfirmed(preview: PlanView, check: RequiredCheck) -> int:
    return min(sum(preview.unconfirmed.values()), check.open_calls)


def _agreed(last: LastCalls | None) -> str:
    """`$0.64, agreed by maria up to $1.23`."""
    if last is None or not last.by:
        return ""
    ceiling = f" up to {for_markdown(money(last.max_cost_cents))}" if last.max_cost_cents is not None else ""
    return f"{for_markdown(money(last.cost_cents))}, agreed by {markdown_code(last.by)}{ceiling}"  # no mention


def _last(agreed: str, last: LastCalls | None, pull: PullRequest) -> str:
    parts = [f"Last calls: {agreed}."] if agreed else []
    if pull.run_url:
        parts.append(f"[Job and reports]({pull.run_url})")
    if last is not None and (ignored := _ignored_results(last.start_over)):
        parts.append(f"\n\n{ignored}")
    return " ".join(parts)


def _ignored_results(start_over: StartOverDocument | None) -> str:
    """Who ignored earlier results, and why; "" if nobody did."""
    if start_over is None:
        return ""
    reason = for_markdown(start_over.reason[:_REASON_CHARACTERS])
    return f"Earlier results were ignored, as {markdown_code(start_over.by)} asked for: {reason}"


def _changes(preview: PlanView, listed: int) -> Iterator[str]:
    """What is said of agents, then what is called, rechecked and dropped; each part lists at most `listed` cases."""
    room = _DIFF_CHARACTERS
    for note in agent_notes(preview.agents, preview.change_set, preview.redactor):
        yield markdown_prose(note.sentence)
        lines = [*_fitting(note.lines, room)]
        room -= sum(map(len, lines))
        if lines:
            yield markdown_block("\n".join(lines), "diff")
        if len(lines) < len(note.lines):
            left_out = count(len(note.lines) - len(lines), "more line")
            yield f"✋ {left_out} of this change do not fit into a comment: {markdown_code('planner plan')} shows all."
    calls, rechecks, drops = (shown_changes(preview, action) for action in (Action.CALL, Action.RECHECK, Action.DROP))
    moved = [change for change in (*calls, *rechecks) if change.moved]
    blocks = [
        block
        for change in moved[:listed]
        for block in (markdown_code(change.name), markdown_block("\n".join(change.moved), "diff"))
    ]
    charged = preview.change_set.votes is not None and preview.change_set.votes.charged
    if calls and len(calls) <= min(_UNFOLDED, listed):
        yield from _list(calls, listed)
    else:
        yield from _folded("Why each case is called", calls, _list(calls, listed), listed)
    yield from _folded("What changed", moved, blocks, listed)
    if any(change.reason in _JUDGED_OTHERWISE for change in preview.change_set.with_action(Action.RECHECK)):
        recheck = "Stored runs to recheck" if charged else "Stored runs judged again, free"
        yield from _folded(recheck, rechecks, _list(rechecks, listed), listed)
    yield from _folded("Dropped", drops, _list(drops, listed), listed)


def _fitting(lines: Sequence[str], room: int) -> Iterator[str]:
    for line in lines:
        room -= len(line)
        if room < 0:
            return
        yield line


def _folded(title: str, changes: Sequence[ShownChange], content: list[str], listed: int) -> list[str]:
    if not changes:
        return []
    left_out = len(changes) - listed
    more = [f"*{left_out:,} more: `planner plan` shows all.*"] if left_out > 0 else []
    return [f"<details><summary>{title} ({len(changes):,})</summary>", *content, *more, "</details>"]


def _list(changes: Sequence[ShownChange], listed: int) -> list[str]:
    """A list and no table, of which a phone would show half."""
    lines: list[str] = []
    for change in changes[:listed]:
        calls = f" ({change.what})" if change.sign in ("+", "~") else ""
        lines.append(f"- {markdown_code(change.name)}: {for_markdown(change.why)}{calls}")
    return ["\n".join(lines)] if lines else []


def _weakened(weakened: Weakened | None, redactor: Redactor, listed: int) -> Iterator[str]:
    """Weakened tests and removed cases since this branched off: the first of each kind, then all of them, folded."""
    if weakened is None:
        yield f"⚠ Weakened tests are not listed: {_NOT_READ}."
        return
    kinds: dict[str, list[tuple[str, list[str]]]] = {}
    for what, cases in weakened.ways.items():
        text = for_markdown(shortened(redactor.text(what), _REASON_CHARACTERS))
        kinds.setdefault(what.partition(":")[0], []).append(
            (text, [markdown_code(redactor.name(id_)) for id_ in cases])
        )

    def lines(shown: int) -> Iterator[str]:
        for kind, ways in kinds.items():
            yield from (f"- ⚠ {' · '.join(filter(None, [what, some(cases, shown)]))}" for what, cases in ways[:shown])
            if len(ways) > shown:
                yield f"- ⚠ {for_markdown(kind)}: {len(ways) - shown:,} more"

    first, text = "\n".join(lines(_FIRST)), "\n".join(lines(max(listed, _FIRST)))
    yield first
    if text != first:
        yield from ("<details><summary>All weakened tests</summary>", text, "</details>")


def _of_base(check: RequiredCheck, names: Mapping[str, str], pull: PullRequest, listed: int) -> Iterator[str]:
    """The cases that concern the base branch, not this pull request."""
    where = markdown_code(pull.base) if pull.base else "the base branch"
    for case_state, what in (
        (CaseState.KNOWN_FAILING, f"Already failing on {where}"),
        (CaseState.BELOW_REQUIREMENT, f"Below the requirement, as on {where}"),
        (CaseState.LEFT_TO_BASE, f"To call on {where}, not here, since this pull request does not touch them"),
    ):
        if cases := [markdown_code(names[case_id]) for case_id in check.cases.get(case_state, ())]:
            yield f"{what}: {some(cases, listed)}"


def _not_counted(
    preview: PlanView, check: RequiredCheck, judged: Sequence[CaseResult], names: Mapping[str, str], listed: int
) -> Iterator[str]:
    """The failures that do not turn the check red: of cases that cannot fail, of quarantined and flaky ones, and by
    expectations that changed since."""
    counts = {case.case_id: case.counts for case in judged}
    earlier = {
        change.case_id: change.prior.counts
        for change in preview.change_set.with_action(Action.RECHECK)
        if change.prior and change.prior.outcome == "failed" and judged_otherwise(change) is change.prior
    }
    groups = {
        "Cannot fail": {case.case_id: case.counts for case in judged if cannot_fail(case)},
        "Quarantined": {case_id: counts[case_id] for case_id in check.cases.get(CaseState.QUARANTINED, ())},
        "Flaky": {case_id: counts[case_id] for case_id in check.flaky},
        "Failed before the expectations changed": earlier,
    }
    for label, cases in groups.items():
        shown = [
            f"{markdown_code(names[case_id])} ({passed} of {count(counted, 'run')} passed)"
            for case_id, (passed, counted) in cases.items()
        ]
        if shown:
            yield f"{label}: {some(shown, listed)}"


def _how_to_call(preview: PlanView, check: RequiredCheck, facts: CommentFacts) -> list[str]:
    """The comment to write next, which also works on a phone."""
    offer, pull = facts.offer, facts.pull
    if offer is None or not pull.number:
        return [_FIX] if check.state is CheckState.FAILURE else []
    blocks = [_what_to_do(preview, check, facts, offer), markdown_block(offer.command(pull))]
    if pull.actions_url:
        form = f"[run the workflow]({pull.actions_url})"
        blocks.append(f"or {form} with pull request `{pull.number}` and the same values.")
    if not offer.max_cost:
        record = f"[record prices]({pull.record_url})" if pull.record_url else "record prices"
        base = markdown_code(pull.base)
        of_base = f" If {base} also calls this agent, {record}, then push again." if pull.base else ""
        blocks.append(f"The price is unknown: no job with the key has read these agents yet.{of_base}")
    return blocks


def _what_to_do(preview: PlanView, check: RequiredCheck, facts: CommentFacts, offer: Offer) -> str:
    calls = count(offer.calls, "call")
    if check.calls and not offer.max_cost:
        return f"**To call**, post this as a comment, with a ceiling of your own for `{NO_CEILING}`, such as `2.00`:"
    if check.calls and facts.ended is not None and not facts.ended.is_refused:
        return "**After that**, post this as a comment:"
    if check.calls:
        return "**To call**, post this as a comment:"
    if check.needs_run and _unconfirmed(preview, check):
        after = f" after {for_markdown(moment(preview.again_at))}" if preview.again_at else ""
        return f"**To check and resume**, post this as a comment{after}:"
    if check.needs_run:
        return "**To collect the results**, post this as a comment. It makes no call:"
    if check.state is CheckState.FAILURE:
        return f"**Fix the agent and push.** If the fix is somewhere else, post this as a comment ({calls}):"
    return f"**To call the undecided cases again** ({calls}), post this as a comment:"
