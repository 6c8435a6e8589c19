"""Large documents are read in pieces, and nobody can tell but by the memory it takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from planner.errors import StoreError
from planner.results import chunked_reading
from planner.results.baselines import BaselineDocument, baselines_of
from planner.results.chunked_reading import read_cases, read_in_chunks
from planner.results.directory import DirectoryStore
from planner.results.model import RunResult
from planner.results.outline import outline_of, read_outline
from planner.results.repository import ResultsRepository, baseline_key, document_bytes, invocation_key

MakeResult = Callable[..., RunResult]
HOSTILE = (
    '},{"case_id":',
    '"},{"case_id":"p/x@t',
    '}],"suite":null,"repeated":[',
    ',"cases":[{"case_id":"p/x@t"}]',
    '\\"},{\\"case_id\\":\\"',
    "}]}",
    "\\",
    "“☎”",
)
"""What a prompt may say."""


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a dozen cases are many."""
    monkeypatch.setattr(chunked_reading, "_PIECE_BYTES", 1500)


@pytest.fixture
def result(make_result: MakeResult) -> RunResult:
    """Each case's prompt and reason is one of `HOSTILE`; some were dropped, too."""
    made = make_result(*(f"p/case{number}@t" for number in range(24)))
    cases = [
        case.model_copy(
            update={
                "outcome_reason": words,
                "inputs": case.inputs.model_copy(update={"prompt": f"{words} Ask.{words}"}),
            }
        )
        for case, words in zip(made.cases, HOSTILE * 3, strict=True)
    ]
    dropped = [{"case_id": f"p/gone{number}@t", "reason": words} for number, words in enumerate(HOSTILE)]
    return RunResult.model_validate(made.model_copy(update={"cases": cases}).model_dump() | {"dropped": dropped})


def pieces_read(data: bytes, kind: type[Any]) -> tuple[Any, list[int]]:
    """The document, and how many cases each piece had."""
    sizes: list[int] = []

    def noted(piece: bytes) -> list[Any]:
        cases = read_cases(piece)
        sizes.append(len(cases))
        return cases

    return read_in_chunks(data, kind, kind.model_validate_json, noted), sizes


def test_an_invocation_read_in_pieces_is_the_same(result: RunResult) -> None:
    """Whatever words stand in it: no word of a prompt is taken for the end of a case."""
    read, sizes = pieces_read(document_bytes(result), RunResult)
    assert read == result
    assert read.model_fields_set == RunResult.model_validate_json(document_bytes(result)).model_fields_set
    assert (sum(sizes), max(sizes) < 12) == (24, True)


def test_a_baseline_read_in_pieces_is_the_same(result: RunResult) -> None:
    """Its list of cases is the last that it says."""
    baseline = baselines_of(result, "eu")[0]
    read, sizes = pieces_read(document_bytes(baseline), BaselineDocument)
    assert read == baseline
    assert (sum(sizes), max(sizes) < 12) == (24, True)


def test_an_outline_read_in_pieces_is_the_same(result: RunResult) -> None:
    """Who was called, without what was found."""
    assert read_outline(document_bytes(result)) == outline_of(result.model_dump())


@pytest.mark.parametrize("indent", [None, 1])
def test_what_others_wrote_is_read_whole(result: RunResult, indent: int | None) -> None:
    """With white space between its fields it is not cut."""
    read, sizes = pieces_read(json.dumps(result.model_dump(mode="json"), indent=indent).encode(), RunResult)
    assert (read, sizes) == (result, [])


def test_fields_in_another_order_are_read_all_the_same(result: RunResult) -> None:
    """What comes after the cases is not what this version writes there."""
    fields = result.model_dump(mode="json")
    for order in (
        sorted(fields),
        sorted(fields, reverse=True),
        [*(name for name in fields if name != "cases"), "cases"],
    ):
        data = json.dumps({name: fields[name] for name in order}, separators=(",", ":"), ensure_ascii=False).encode()
        assert piecewise_or_whole(data) == result


def test_a_document_with_another_list_of_cases_is_read_whole(result: RunResult) -> None:
    """A part that a newer version added may hold cases, too: before the document's own, or after."""
    data = document_bytes(result)
    part = b'"part":{"of":1,"cases":[{"case_id":"p/other@t"}]},'
    for at in (data.index(b'"cases":['), data.index(b'"suite":')):
        assert piecewise_or_whole(data[:at] + part + data[at:]) == result


def piecewise_or_whole(data: bytes) -> RunResult:
    """As the repository reads it: what cannot be read in pieces is read whole."""
    try:
        return pieces_read(data, RunResult)[0]
    except ValueError:
        return RunResult.model_validate_json(data)


def test_damage_is_told_as_of_the_whole(
    repository: ResultsRepository, store: DirectoryStore, result: RunResult
) -> None:
    """Which case it is in is counted from the first, whichever piece that is in."""
    fields = baselines_of(result, "eu")[0].model_dump(mode="json")
    fields["cases"][20]["outcome"] = "odd"
    data = json.dumps(fields, separators=(",", ":")).encode()
    store.put(baseline_key("eu", "p"), data, expected=None)
    with pytest.raises(StoreError, match=r"cases\.20\.outcome: "):
        repository.baseline("eu", ["p"])
    store.put(invocation_key("i1"), document_bytes(result)[:-9], expected=None)
    with pytest.raises(StoreError, match="not JSON"):
        list(repository.outlines())


def test_findings_alike_are_one(result: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a baseline of a hundred thousand calls most say the same; what quotes a call is that call's own."""
    monkeypatch.setattr(chunked_reading, "_PIECE_BYTES", 12_000)
    finding = {"expectation": "call", "check": "call", "outcome": "passed", "severity": "error", "message": "it was so"}
    quoted = finding | {"quote": {"turn": 1, "role": "agent", "start_ms": None, "text": "Hello."}}
    fields = result.model_dump(mode="json")
    for case in fields["cases"]:
        case["runs"][0]["findings"] = [finding, quoted]
    read, sizes = pieces_read(document_bytes(RunResult.model_validate(fields)), RunResult)
    assert sizes[0] > 1
    assert read == RunResult.model_validate(fields)
    first, second = (case.runs[0].findings for case in read.cases[:2])
    assert (first[0] is second[0], first[1] is second[1]) == (True, False)
