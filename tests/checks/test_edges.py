"""Tests of exact limits."""

from __future__ import annotations

from typing import Any

import pytest

from planner.checks import CHECKS
from planner.checks.field import MAX_LENGTH, MAX_VALUES, compile_path, find_values
from planner.checks.judgement import LONGEST_VALUE, shown
from planner.checks.patterns import check_pattern
from planner.checks.phrases import PlacedPhrase, padded_words, phrase_finder
from planner.checks.redacted import judge_redacted
from planner.checks.utterances import Sought
from planner.evidence import Evidence, Role, ToolCall, Turn


def turn(number: int, role: str, text: str, *times: int | None) -> Turn:
    """Times: start, end, and to the first audio; in milliseconds."""
    start, end, first = (*times, None, None, None)[:3]
    return Turn(number=number, role=Role(role), text=text, start_ms=start, end_ms=end, ttfa_ms=first)


def call(*turns: Turn, tools: tuple[ToolCall, ...] | None = ()) -> Evidence:
    return Evidence(run_id=1, run_status="completed", turns=turns, tools=tools)


def test_bounds_of_paths() -> None:
    """Length and number of values."""
    longest = "$." + "a" * (MAX_LENGTH - 2)
    assert find_values(longest, {longest[2:]: 1}) == [(longest, 1)]
    with pytest.raises(ValueError, match="this one has 301"):
        compile_path(longest + "a")
    assert len(find_values("$.a[*]", {"a": [0] * MAX_VALUES}) or ()) == MAX_VALUES
    assert find_values("$.a[*]", {"a": [0] * (MAX_VALUES + 1)}) is None


def test_path_functions() -> None:
    """Those of RFC 9535 without patterns."""
    items = {"items": [{"name": "cup", "of": [1, 2]}, {"name": "pots", "of": [1]}]}
    assert [place for place, _ in find_values("$.items[?length(@.name) > 3]", items) or ()] == ["$.items[1]"]
    assert [place for place, _ in find_values("$.items[?count(@.of[*]) > 1]", items) or ()] == ["$.items[0]"]
    for name in ("match", "search"):
        with pytest.raises(ValueError, match="not a JSONPath"):
            compile_path(f"$.items[?{name}(@.name, 'c')]")


@pytest.mark.parametrize(
    ("score", "said"), [(1.5, "a score runs from 0 to 1: for 1.5 of 100 write 0.015"), (100, "write 1"), (101, "less than")]
)  # fmt: skip
def test_a_score_in_percent_is_rejected_with_a_fix(refusal: Any, score: float, said: str) -> None:
    """Between 1 and 100."""
    (((place,), message),) = refusal(check="grade", min_score=score)
    assert place == "min_score"
    assert said in message


@pytest.mark.parametrize(
    ("quote", "plain"),
    [
        ("don‘t", "don't"),
        ("don’t", "don't"),
        ("don‛t", "don't"),
        ("donʼt", "don't"),
        ("don´t", "don't"),
        ("don`t", "don't"),
        ("дон`т", "дон'т"),
        ("thirty\N{SOFT HYPHEN}day", "thirtyday"),
        ("Straße", "STRASSE"),
        ("ﬁne", "fine"),
        ("Acme™ shop", "acme shop"),
        ("ne\N{COMBINING ACUTE ACCENT}e", "née"),
        ("fami\N{ZERO WIDTH JOINER}лия", "famiлия"),
        ("1,000,000.50", "1000000.50"),
        ("9:30", "9:30"),
    ],
)  # fmt: skip
def test_words_however_they_are_written(quote: str, plain: str) -> None:
    """Kinds of quotes, invisible characters, ligatures and accents do not matter."""
    assert padded_words(quote, fold=True) == padded_words(plain, fold=True)
    assert padded_words(quote, fold=True)


def test_characters_of_scripts_without_spaces_are_words() -> None:
    """Each character is a word, among others too."""
    assert padded_words("我要30天 退款 ok", fold=True) == " 我  要  30  天  退  款  ok "
    assert padded_words("5\N{COMBINING GRAVE ACCENT}", fold=True) == " 5\N{COMBINING GRAVE ACCENT} "


def test_quotes_of_a_pattern_are_as_straight_as_the_texts(judge: Any) -> None:
    """Single and double ones of every kind."""
    said = call(turn(1, "agent", "It’s “here”, „there“"))
    for pattern in ("It's", "It‘s", '"here', "here”, „there", '"there"'):
        assert judge(said, check="says", matches=pattern)[0] == "passed"


def test_phrases_have_places_among_the_words() -> None:
    """From the first word to before the one after."""
    text = padded_words("We give, as said, thirty days.", fold=True)
    found = phrase_finder(("thirty days", "we"), fold=True).find(text)
    assert found == [PlacedPhrase("we", 0, 1), PlacedPhrase("thirty days", 4, 6)]
    sought = Sought((), "thirty|as", ignore_case=True)
    assert sought.find("We give, as said, Thirty days.") == [PlacedPhrase("as", 2, 3), PlacedPhrase("Thirty", 4, 5)]
    assert sought.find("As said") == [PlacedPhrase("As", 0, 1)]
    assert Sought(("30 days",), None, ignore_case=True, spoken=True).find("We give thirty days") == [
        PlacedPhrase("30 days", 2, 4)
    ]
    assert Sought(("30 days",), None, ignore_case=True).find("We give thirty days") == []


@pytest.mark.parametrize(
    "pattern", ["a$b", "(?m)a$b", "[^\\x00-\\x{10FFFF}]"],
)  # fmt: skip
def test_a_pattern_that_can_find_nothing_is_refused(pattern: str) -> None:
    """A `$` before a letter, and an empty class."""
    with pytest.raises(ValueError, match=r"matches no text at all|is never found"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern", ["a$", "^a", "(?m)a$", r"\ba", r"\Ba", r"a\B", r"\bé", "a" * 99, "a" * 100, "a" * 101, "a$b|c", "a|", "☃"],
)  # fmt: skip
def test_a_pattern_that_finds_something_is_taken(pattern: str) -> None:
    """At an edge, amid a word, beside one, of any length."""
    if pattern == "a|":
        with pytest.raises(ValueError, match="matches every text"):
            check_pattern(pattern)
    else:
        assert check_pattern(pattern) == pattern


def test_long_values_are_cut() -> None:
    """With an ellipsis."""
    fitting = "a" * (LONGEST_VALUE - 2)
    assert LONGEST_VALUE == 120
    assert shown(fitting) == f'"{fitting}"'
    cut = shown(fitting + "a")
    assert cut == '"' + "a" * (LONGEST_VALUE - 2) + "…"
    assert len(cut) == LONGEST_VALUE


TOOLS = (
    ToolCall(name="find", turn=1, arguments={"id": "A", "note": "x"}),
    ToolCall(name="refund", turn=2, arguments={"id": "A"}),
)


@pytest.mark.parametrize(
    ("steps", "outcome"),
    [
        ([{"tool": "find"}, {"tool": "refund"}], "passed"),
        ([{"tool": "refund"}, {"tool": "find"}], "failed"),
        ([{"tool": "refund"}, {"says": {"any_of": ["done"]}}], "passed"),
        ([{"tool": "refund"}, {"says": {"any_of": ["done"]}}, {"says": {"any_of": ["bye"]}}], "passed"),
        ([{"says": {"any_of": ["bye"]}}, {"says": {"any_of": ["done"]}}], "failed"),
        ([{"says": {"any_of": ["done"]}}, {"says": {"any_of": ["done"]}}], "failed"),
        ([{"says": {"matches": "(?i)done"}}, {"says": {"matches": ","}}, {"says": {"any_of": ["bye"]}}], "passed"),
        ([{"says": {"all_of": ["bye", "done"]}}, {"tool": "find"}], "failed"),
    ],
)
def test_adjacent_steps_of_a_sequence(judge: Any, steps: list[dict[str, Any]], outcome: str) -> None:
    """In neighbouring turns, or in one."""
    evidence = call(turn(1, "tool", "find()"), turn(2, "tool", "refund()"), turn(3, "agent", "Done, bye."), tools=TOOLS)
    assert judge(evidence, check="sequence", steps=steps)[0] == outcome


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "find", "arguments": {"id": "A"}}, "called find at turn 1"),
        ({"name": "find", "arguments": {"id": "A"}, "exact": True}, "called find 1 time, never in this way"),
        ({"name": "find", "after": "refund"}, "called find 1 time, never in this way"),
        ({"name": "refund", "before": "find"}, "called refund 1 time, never in this way"),
        ({"name": "find", "result": "ok"}, "the service gave no results: 1 call of find cannot be decided"),
        ({"name": "drop"}, "never called drop; tools called: find, refund"),
    ],
)
def test_other_calls_of_a_tool_are_described(judge: Any, fields: dict[str, Any], message: str) -> None:
    """Each field that narrows a call down."""
    evidence = call(turn(1, "tool", "find()"), turn(2, "tool", "refund()"), turn(3, "agent", "Done."), tools=TOOLS)
    assert judge(evidence, check="tool_not_called", **fields)[1].startswith(message)


def test_fingerprint_includes_parts_without_ids(read: Any) -> None:
    """Of combinators."""
    said = {"check": "says", "any_of": ["bye"]}
    plain = read(check="not", of=said).fingerprint_fields()
    assert plain == {"check": "not", "severity": "error", "version": 1, "of": read(**said).fingerprint_fields()}
    assert read(check="not", of={**said, "id": "ends"}, id="whole").fingerprint_fields() == plain
    assert read(check="not", of={**said, "any_of": ["ciao"]}).fingerprint_fields() != plain


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        ({"any_of": ["30 days", "30, days!"]}, [("any_of", 1)]),
        ({"all_of": ["bye", "Bye"]}, [("all_of", 1)]),
        ({"all_of": ["bye", "Bye"], "ignore_case": False}, []),
        ({"any_of": ["thirty days", "30 days"]}, []),
        ({"any_of": ["thirty days", "30 days"], "spoken": True}, [("any_of", 1)]),
    ],
)
def test_a_redundant_phrase_is_reported(read: Any, fields: dict[str, Any], places: list[tuple[str, int]]) -> None:
    """By the words that are compared."""
    assert [lint.route for lint in read(check="says", **fields).lints()] == places


@pytest.mark.parametrize(
    ("line", "fields", "outcome"),
    [
        ("caller: card 4242-4242-4242-4242", {}, "passed"),
        ("caller: my bank DE89-3704-0044-0532-0130-00", {"kinds": ["bank"]}, "passed"),
        ("caller: my bank DE89 3704 0044 0532 0130 00", {"kinds": ["bank"]}, "passed"),
        ("caller: hello", {"kinds": ["bank"]}, "failed"),
        ("caller: hello", {"kinds": ["bank"], "allow": ["DE89-3704-0044-0532-0130-00"]}, "passed"),
        ("caller: hello", {"kinds": ["bank"], "allow": ["de89 3704 0044 0532 0130 00"]}, "passed"),
        ("caller: hello", {"kinds": ["card"], "allow": ["4242-4242-4242-4242"]}, "passed"),
        ("caller: hello", {"kinds": ["card"], "allow": ["4242-4242-4242-4243"]}, "failed"),
    ],
)
def test_a_number_the_caller_gave_in_groups_may_be_repeated(
    talk: Any, judge: Any, line: str, fields: dict[str, Any], outcome: str
) -> None:
    """Spaces and hyphens are no part of a number, in what is allowed neither."""
    evidence = talk(line, "agent: 4242 4242 4242 4242, and DE89 3704 0044 0532 0130 00.")
    if not fields.get("kinds"):
        fields = {"kinds": ["card"]}
    assert judge(evidence, check="no_pii", **fields)[0] == outcome


def test_an_expression_ignores_unread_parts_it_does_not_name() -> None:
    """So it is decided."""
    evidence = call(turn(1, "agent", "Hi.")).model_copy(update={"unread": ("turns", "tools")})
    expression = CHECKS["expression"].model_validate({"check": "expression", "cel": "run.status == 'completed'"})
    assert judge_redacted(expression, evidence, lambda _: None).outcome.value == "passed"  # pyright: ignore[reportArgumentType]
