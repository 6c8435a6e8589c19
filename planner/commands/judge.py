"""`planner judge`: label stored calls, and compare the judge with what people say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final, Literal

from planner.checks.opinions import Question, Verdict, Vote, checked
from planner.ci.agreement import actor_of
from planner.errors import UsageError
from planner.evidence import Turn
from planner.judge.labels import Label, Labelled, question_id, read_labels
from planner.judge.votes import VoteCache
from planner.judging.project_judge import judging_of
from planner.planfile.model import JudgeSettings
from planner.quantities import count, shortened
from planner.reports.judge_phrasing import judge_facts, rubric_lines
from planner.reports.neutral import for_terminal, json_document
from planner.reports.redaction import redact_evidence
from planner.reports.terminal import Colour, painter, wrapped
from planner.shell import Shell, redactor_patterns
from planner.values import frozen
from planner.workspace.selection import Selection
from planner.workspace.stores import Workspace, open_workspace

_KEYS: Final = {"h": Verdict.HOLDS, "d": Verdict.DOES_NOT_HOLD, "c": Verdict.CANNOT_TELL}
_ASK: Final = "[h]olds  [d]oes not hold  [c]annot tell  [s]kip  [q]uit"
_SHOWN: Final = 20
_FIRST_WORDS: Final = 60


@frozen
class LabelOptions:
    """`by` is who labels. `read_key` returns one key; None without a terminal."""

    selection: Selection
    by: str | None = None
    read_key: Callable[[], str] | None = field(default=None, compare=False)


@frozen
class CalibrateOptions:
    selection: Selection
    output_format: Literal["text", "json"] = "text"


def label(shell: Shell, options: LabelOptions) -> int:
    """Show stored calls and rubrics, one after the other, and append each label to the file; return 0."""
    if options.read_key is None:
        raise UsageError("planner judge label needs a terminal to ask in", "Run it in a terminal, or edit the file.")
    work = open_workspace(shell, options.selection)
    settings, path = _label_file(work)
    by = options.by or actor_of(shell)
    known = {question_id(each.question) for each in _labels(path, settings) if each.by == by}
    waiting = [each for each in _questions(work) if question_id(each) not in known]
    if not waiting:
        shell.print("Every stored call with `check: judge` is labelled.")
        return 0
    written = 0
    for number, question in enumerate(waiting, 1):
        shell.print(_shown(question, shell, f"{number} of {len(waiting)}"))
        verdict = _asked(options.read_key)
        if verdict == "q":
            break
        if isinstance(verdict, Verdict):
            _append(path, Label.of(question.rubric, question.turns, verdict, by))
            written += 1
    shell.print(f"{count(written, 'label')} written to {path.relative_to(work.loaded.root).as_posix()}. Commit it.")
    return 0


def _asked(read_key: Callable[[], str]) -> Verdict | Literal["s", "q"]:
    """The verdict of the next valid key."""
    while True:
        key = read_key().lower()
        if key in _KEYS:
            return _KEYS[key]
        if key in ("q", "\x04", ""):
            return "q"
        if key == "s":
            return "s"


def _label_file(work: Workspace) -> tuple[JudgeSettings, Path]:
    settings, root = work.loaded.project.judge, work.loaded.root.resolve()
    name = "" if settings is None else settings.labels
    if settings is None or not name:
        raise UsageError(
            "planner.yaml names no file for labels", "Name one under `judge`, such as labels: judge/labels.jsonl."
        )
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise UsageError(f"{name} is outside the project", "Name a file in it under `judge` in planner.yaml.")
    return settings, path


def _labels(path: Path, settings: JudgeSettings) -> tuple[Label, ...]:
    try:
        return read_labels(path.read_bytes(), settings.labels) if path.exists() else ()
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read: {error.strerror}", "Check its permissions.") from error


def _append(path: Path, new: Label) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.exists() else b""
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write("\n" * bool(before and not before.endswith(b"\n")) + new.to_line())
    except OSError as error:
        raise UsageError(f"{path.name} cannot be written: {error.strerror}", "Check its permissions.") from error


def _questions(work: Workspace) -> list[Question]:
    """The rubrics on stored calls, newest first, each once. Those that hold and those that do not take turns, as the
    judge sees it, so that few labels have both kinds. Texts are redacted, since the file is shared."""
    cache = judging_of(work).cache
    by_verdict: dict[Verdict | None, list[Question]] = {Verdict.DOES_NOT_HOLD: [], Verdict.HOLDS: [], None: []}
    seen: set[str] = set()
    for original, shown in _asked_about_calls(work):
        if (name := question_id(shown)) not in seen:
            seen.add(name)
            verdict = _verdict(cache, original)
            by_verdict[verdict if verdict in by_verdict else None].append(shown)
    rows = zip_longest(*by_verdict.values())
    return [question for question in chain.from_iterable(rows) if question is not None]


def _asked_about_calls(work: Workspace) -> Iterator[tuple[Question, Question]]:
    """Each question to the judge: as it was asked, and redacted."""
    cases = {case.case_id: case for case in work.loaded.cases}
    patterns, selection = redactor_patterns(work.loaded.project), work.selection
    repository = work.place.repository
    for session in repository.sessions_of(selection.environment or "", sandbox=selection.sandbox):
        for result in session.cases:
            case = cases.get(result.case_id)
            expectations = () if case is None else case.expectations
            rubrics = [rubric for expectation in expectations for rubric, _ in expectation.rubrics()]
            for run in result.runs if rubrics else ():
                evidence = None if run.evidence is None else repository.load_evidence(run.evidence)
                if evidence is None or not evidence.turns:
                    continue
                shown = redact_evidence(evidence, patterns).turns or ()
                for rubric in rubrics:
                    yield Question(rubric, evidence.turns, 1), Question(rubric, shown, 1)


def _verdict(cache: VoteCache, question: Question) -> Verdict | None:
    vote = _vote(cache, question)
    return None if vote is None or vote.void else vote.verdict


def _vote(cache: VoteCache, question: Question) -> Vote | None:
    return next((checked(vote, question.turns) for vote in cache(question).votes), None)


def _shown(question: Question, shell: Shell, place: str) -> str:
    """Without the judge's verdict, which people should not copy."""
    paint = painter(color=shell.color)
    lines = [paint(f"── {place} ──", Colour.DIM)]
    for turn in question.turns:
        speaker = f"{turn.role.value:>7}  "
        lines += wrapped(for_terminal(turn.text), shell.width, indent=speaker, hanging=" " * len(speaker))
    lines += ["", *wrapped(for_terminal(f"Does this hold? {question.rubric}"), shell.width), paint(_ASK, Colour.DIM)]
    return "\n".join(lines)


def calibrate(shell: Shell, options: CalibrateOptions) -> int:
    """Print how well the judge agrees with the labels, from stored votes; return 0. Asks nobody."""
    judging = judging_of(open_workspace(shell, options.selection))
    document = judging.document
    if document is None or not judging.labels:
        raise UsageError(
            "there are no labels to compare the judge with",
            "Name a file under `judge` in planner.yaml (labels: judge/labels.jsonl), then run planner judge label.",
        )
    wrong = list(_disagreements(judging.labels, judging.cache))
    if options.output_format == "json":
        differing = [
            {"rubric": each.question.rubric, "people": each.verdict, "judge": vote.verdict, "reason": vote.reason}
            for each, vote in wrong
        ]
        shell.print(json_document({"judge": document, "disagreements": differing}))
        return 0
    lines = [judge_facts(document), "", *rubric_lines(document)]
    lines += [""] * bool(wrong) + [_disagreement(each, vote) for each, vote in wrong[:_SHOWN]]
    lines += [f"and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []
    if document.calibration is not None and document.calibration.missing:
        missing = count(document.calibration.missing, "label has", "labels have")
        lines += ["", f"{missing} no answer of this model yet: the next `planner run` that makes judge calls asks it."]
    indented = chain.from_iterable(wrapped(for_terminal(line), shell.width, hanging="    ") for line in lines)
    shell.print("\n".join(indented))
    return 0


def _disagreements(labels: Sequence[Labelled], cache: VoteCache) -> Iterator[tuple[Labelled, Vote]]:
    for each in labels:
        vote = _vote(cache, each.question)
        decided = (Verdict.HOLDS, Verdict.DOES_NOT_HOLD)
        if vote is None or vote.void or each.verdict not in decided or vote.verdict is each.verdict:
            continue
        yield each, vote


def _disagreement(each: Labelled, vote: Vote) -> str:
    """`People: holds; judge: does_not_hold (The agent sighs.) · The agent stays polite. · "Hello, I…"`."""
    assert each.verdict is not None
    first = shortened(_first_words(each.question.turns), _FIRST_WORDS)
    reason = f" ({vote.reason})" if vote.reason else ""
    return f'people: {each.verdict.value}; judge: {vote.verdict.value}{reason} · {each.question.rubric} · "{first}"'


def _first_words(turns: Sequence[Turn]) -> str:
    return next((turn.text for turn in turns if turn.text.strip()), "")
