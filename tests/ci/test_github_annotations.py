"""Annotations: the worst nine, escaped, and a count of the others."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from planner.ci.annotations import Annotation, commands, of_diagnostics, of_result
from planner.diagnostics import Diagnostics, Span
from planner.results.model import CaseResult, JudgedRun, RunResult

FAILED, PASSED = ("failed", "error"), ("passed", "error")


def test_diagnostics_have_places_and_errors_come_first(diagnostics: Diagnostics) -> None:
    """The end column is exclusive here and inclusive at GitHub; the path starts at the repository's root."""
    assert commands(of_diagnostics(diagnostics, path_prefix="services/voice/")) == snapshot(
        [
            "::error file=services/voice/plans/a.yaml,line=9,endLine=9,col=5,endColumn=11,title=Unknown key [unknown-key]::scenario has no key prompts.",
            "::warning file=services/voice/plans/a.yaml,line=3,endLine=3,col=7,endColumn=17,title=Unused variable [unused-var]::policy_days is used nowhere.",
        ]
    )


def test_several_lines_have_no_columns() -> None:
    """GitHub rejects them."""
    found = Diagnostics()
    found.error("e", "S", "", Span("a.yaml", 2, 3, 5, 1))
    assert commands(of_diagnostics(found)) == ["::error file=a.yaml,line=2,endLine=5,title=S [e]::S"]


@pytest.mark.parametrize(
    ("annotation", "command"),
    [
        (Annotation("notice", "", "only words"), "::notice::only words"),
        (Annotation("error", "t", "no file, no line", line=3, column=2), "::error title=t::no file, no line"),
        (Annotation("error", "", "a file as such", "a.yaml"), "::error file=a.yaml::a file as such"),
        (
            Annotation("error", "", "empty span", "a.yaml", 1, 4, 1, 4),
            "::error file=a.yaml,line=1,endLine=1,col=4,endColumn=4::empty span",
        ),
        (
            Annotation("error", "50%: a,b", "100%\nof\r\n::set-output::x"),
            "::error title=50%25%3A a%2Cb::100%25%0Aof%0A::set-output::x",
        ),
    ],
)
def test_unknown_properties_are_omitted_and_others_escaped(annotation: Annotation, command: str) -> None:
    assert annotation.command() == command


@given(title=st.text(), message=st.text(), file=st.text())
def test_no_text_can_add_a_command_or_property(title: str, message: str, file: str) -> None:
    command = Annotation("error", title, message, file, 1).command()
    assert len(command.splitlines()) <= 1
    properties = re.fullmatch(r"::error ?(.*?)::.*", command, re.DOTALL)
    assert properties
    names = [part.partition("=")[0] for part in properties[1].split(",") if part]
    assert set(names) <= {"file", "line", "endLine", "title"}
    assert len(names) == len(set(names))


def test_nine_are_shown_and_the_others_are_counted() -> None:
    nine = [Annotation("error", "", str(number)) for number in range(9)]
    assert commands(nine) == [f"::error::{number}" for number in range(9)]
    assert commands([*nine, *nine])[9:] == ["::notice::9 more in the summary"]


def test_a_long_message_is_shortened() -> None:
    assert Annotation("error", "", "x" * 5000).command() == "::error::" + "x" * 3999 + "…"


def test_failures_of_one_line_share_an_annotation(
    make_case: Callable[..., CaseResult], make_run: Callable[..., JudgedRun], make_result: Callable[..., RunResult]
) -> None:
    """The first failure is quoted and all cases are named."""
    mixed = [make_run(1, states_window=PASSED), make_run(2, states_window=FAILED)]
    all_bad = [make_run(3, states_window=FAILED, text="::error::no\n<b>")]
    result = make_result(
        make_case("refunds/late-order[mood=calm]@support", outcome="failed", runs=mixed),
        make_case("refunds/late-order[mood=furious]@support", outcome="failed", runs=all_bad),
    )
    assert commands(of_result(result)) == snapshot(
        [
            '::error file=plans/refunds.yaml,line=21,title=states-window failed in 2 of 3 runs%3A refunds/late-order[mood=calm]@support and 1 other case::the agent never said it (run 2) agent, turn 4: "We never refund."%0Aalso refunds/late-order[mood=furious]@support'
        ]
    )


def test_hostile_quotes_are_neutralised(
    make_case: Callable[..., CaseResult], make_run: Callable[..., JudgedRun], make_result: Callable[..., RunResult]
) -> None:
    text = "\x1b[31m\n::set-output name=x::y\n##[error]z"
    result = make_result(make_case(outcome="failed", runs=[make_run(1, text=text, polite=FAILED)]))
    assert commands(of_result(result)) == snapshot(
        [
            '::error file=plans/refunds.yaml,line=22,title=polite failed in 1 of 1 run%3A refunds/late-order@support::the agent never said it (run 1) agent, turn 4: "�%0A::set-output name=x::y%0A# #[error]z"'
        ]
    )


def test_the_worst_come_first(
    make_case: Callable[..., CaseResult], make_run: Callable[..., JudgedRun], make_result: Callable[..., RunResult]
) -> None:
    """Critical, failed, unknown; then, as warnings, flaky cases and expectations with severity warning."""
    result = make_result(
        make_case("a/flaky@s", outcome="flaky", file="a.yaml", runs=[make_run(1, polite=FAILED)]),
        make_case("b/warned@s", outcome="passed", file="b.yaml", runs=[make_run(2, quick=("failed", "warning"))]),
        make_case("c/unknown@s", outcome="unknown", file="c.yaml", outcome_reason="no call was made"),
        make_case("d/failed@s", outcome="failed", file="d.yaml", runs=[make_run(3, polite=FAILED)]),
        make_case(
            "e/critical@s", outcome="failed", file="e.yaml", runs=[make_run(4, states_window=("failed", "critical"))]
        ),
        make_case("f/passed@s", outcome="passed", file="f.yaml", runs=[make_run(5, polite=PASSED)]),
    )
    assert [(found.level, found.file, found.line, found.title) for found in of_result(result)] == snapshot(
        [
            ("error", "e.yaml", 21, "states-window failed in 1 of 1 run: e/critical@s"),
            ("error", "d.yaml", 22, "polite failed in 1 of 1 run: d/failed@s"),
            ("error", "c.yaml", 10, "outcome unknown: c/unknown@s"),
            ("warning", "a.yaml", 22, "polite failed in 1 of 1 run: a/flaky@s"),
            ("warning", "b.yaml", 23, "quick failed in 1 of 1 run: b/warned@s"),
        ]
    )


def test_what_makes_a_session_red_is_an_error(
    make_case: Callable[..., CaseResult], make_run: Callable[..., JudgedRun], make_result: Callable[..., RunResult]
) -> None:
    """Also a flaky case that regressed, and a case that the platform failed."""
    silent = make_run(2).model_copy(update={"outcome": "undecided", "cause": "platform", "findings": []})
    flaky = make_case("a/x@s", outcome="flaky", compared="regressed", runs=[make_run(1, polite=FAILED)])
    result = make_result(flaky, make_case("b/y@s", outcome="failed", outcome_reason="0 of 1 run passed", runs=[silent]))
    assert [(found.level, found.title) for found in of_result(result)] == [
        ("error", "failed: b/y@s"),
        ("error", "polite failed in 1 of 1 run: a/x@s"),
    ]


def test_an_undecided_check_is_not_shown_as_a_failure(
    make_case: Callable[..., CaseResult], make_run: Callable[..., JudgedRun], make_result: Callable[..., RunResult]
) -> None:
    undecided = make_case(
        outcome="unknown", outcome_reason="polite: no transcript", runs=[make_run(1, polite=("undecided", "error"))]
    )
    assert [(found.title, found.message) for found in of_result(make_result(undecided))] == [
        ("outcome unknown: refunds/late-order@support", "polite: no transcript")
    ]


def test_a_case_without_a_place_is_annotated_without_one(
    make_case: Callable[..., CaseResult], make_run: Callable[..., JudgedRun], make_result: Callable[..., RunResult]
) -> None:
    """Older results may have no file, a run no quote, and an expectation no line."""
    run = make_run(1, gone=FAILED)
    bare = run.model_copy(update={"findings": [run.findings[0].model_copy(update={"quote": None})]})
    known = make_result(make_case(outcome="failed", runs=[bare]))
    unknown = make_result(make_case(outcome="unknown", file="", line=0))
    assert [*commands(of_result(known, path_prefix="v/")), *commands(of_result(unknown, path_prefix="v/"))] == snapshot(
        [
            "::error file=v/plans/refunds.yaml,line=10,title=gone failed in 1 of 1 run%3A refunds/late-order@support::the agent never said it (run 1)",
            "::error title=outcome unknown%3A refunds/late-order@support::too few runs say anything about the agent",
        ]
    )


def test_a_passed_result_has_no_annotations(
    make_case: Callable[..., CaseResult], make_result: Callable[..., RunResult]
) -> None:
    """Silence is what success looks like in a diff."""
    assert of_result(make_result(make_case())) == []


def test_what_was_refused_is_not_blamed_on_a_line(
    make_case: Callable[..., CaseResult], make_run: Callable[..., JudgedRun], make_result: Callable[..., RunResult]
) -> None:
    """Calls that were not made are reported once without a line. Failures keep their line; service failures are reported at the scenario."""
    not_run = [
        make_case(f"refunds/{name}@support", outcome="unknown", outcome_reason="no run was made: refused")
        for name in ("one", "two")
    ]
    failed = make_case("refunds/three@support", outcome="failed", runs=[make_run(3, polite=FAILED)])
    under_way = make_case("refunds/four@support", outcome="unknown", outcome_reason="under way", runs_under_way=2)
    output = [
        (found.file, found.line, found.title)
        for found in of_result(
            make_result(*not_run, failed, under_way).model_copy(update={"exit_code": 3}), path_prefix="v/"
        )
    ]
    assert output == [
        ("v/plans/refunds.yaml", 22, "polite failed in 1 of 1 run: refunds/three@support"),
        ("", 0, "outcome unknown: refunds/one@support and 1 other case"),
        ("v/plans/refunds.yaml", 10, "outcome unknown: refunds/four@support"),
    ]
    service = make_result(*not_run).model_copy(update={"exit_code": 4})
    assert [(found.file, found.line) for found in of_result(service)] == [("plans/refunds.yaml", 10)]


def test_a_run_that_the_test_bot_failed_does_not_count(
    make_case: Callable[..., CaseResult], make_run: Callable[..., JudgedRun], make_result: Callable[..., RunResult]
) -> None:
    aside = make_run(1, polite=FAILED).model_copy(update={"outcome": "undecided", "cause": "caller"})
    mixed = make_case("refunds/one@support", outcome="failed", runs=[aside, make_run(2, polite=FAILED)])
    alone = make_case(
        "refunds/two@support", outcome="unknown", outcome_reason="0 of 1 run can be counted", runs=[aside]
    )
    assert [(found.title, found.message) for found in of_result(make_result(mixed, alone))] == [
        (
            "polite failed in 1 of 1 run: refunds/one@support",
            'the agent never said it (run 2) agent, turn 4: "We never refund."',
        ),
        ("outcome unknown: refunds/two@support", "0 of 1 run can be counted"),
    ]
