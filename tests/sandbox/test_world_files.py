"""World files: what is in them, and where something is wrong with them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from planner.sandbox import WorldError, builtin_worlds, load_world
from planner.sandbox.worlds.files import world_schema

SHIPPED = Path(__file__).parents[2] / "planner" / "sandbox" / "worlds"
SMALL = """\
version: 1
world: small
agents:
  1:
    name: Echo
    revisions:
      1:
        updated_at: 2026-01-01T00:00:00Z
        prompt: You answer.
    dialogues:
      hours:
        prompt: 'open on (?P<day>\\w+)'
        turns:
          - {agent: "Hello."}
          - {caller: "Are you open on {day}?"}
          - {agent: "Always."}
"""


def _write(folder: Path, text: str, name: str = "world.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _error(path: Path) -> WorldError:
    with pytest.raises(WorldError) as caught:
        load_world(path)
    return caught.value


def test_shipped_worlds_load() -> None:
    assert builtin_worlds() == ("busy", "demo", "regressed")
    assert [load_world(name).world for name in builtin_worlds()] == list(builtin_worlds())
    assert [load_world(name).errors() for name in builtin_worlds()] == [[], [], []]
    assert load_world("demo") is load_world("demo")


def test_defaults(tmp_path: Path) -> None:
    world = load_world(_write(tmp_path, SMALL))
    assert (world.balance_cents, world.concurrency_limit, world.time_scale) == (50_000, 20, 60)
    assert (world.charge_multiplier, world.call_bill) == (2, "charged")
    assert world.snapshot(1).updated_at == 1_767_225_600


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("version: 1", "version: 2", "1:10: version"),
        ("world: small", "world: Small World", "2:8: world"),
        ("name: Echo", "nmae: Echo", "4:3: agents.1.name"),
        ("name: Echo", "name: Echo\n    product: bolt", "6:14: agents.1.product"),
        ("name: Echo", "name: Echo\n    tools: [x]", "6:13: agents.1.tools.0"),
        ("name: Echo", "name: Echo\n    active: 7", "5:5: agents.1"),
        ("'open on", "'(open on", "12:17: agents.1.dialogues.hours.prompt"),
        ("on {day}", "on {dya}", "15:13: agents.1.dialogues.hours.turns.1"),
        ("on {day}", "on {day.name}", "15:13: agents.1.dialogues.hours.turns.1"),
        ('{agent: "Always."}', "{tool: t}", "16:20: agents.1.dialogues.hours.turns.2.tool"),
        ('{agent: "Always."}', '{agent: A, end: "B"}', "16:13: agents.1.dialogues.hours.turns.2"),
        ('{agent: "Always."}', "{agent: A, with: {b: 1}}", "16:13: agents.1.dialogues.hours.turns.2"),
        ('{agent: "Always."}', "{agent: A, grade: {}}", "16:13: agents.1.dialogues.hours.turns.2"),
        (
            '{agent: "Always."}',
            "{choose: [{probability: 0.7}, {probability: 0.7}]}",
            "16:13: agents.1.dialogues.hours.turns.2",
        ),
        (
            '{agent: "Always."}',
            "{choose: [{turns: [{tool: t}]}]}",
            "16:39: agents.1.dialogues.hours.turns.2.choose.0.turns.0.tool",
        ),
        ("name: Echo", "name: Echo\n    name: Again", "6:5: "),
    ],
)
def test_where_something_is_wrong(tmp_path: Path, old: str, new: str, place: str) -> None:
    assert old in SMALL
    path = _write(tmp_path, SMALL.replace(old, new))
    assert str(_error(path)).startswith(f"{path}:{place}")


TOOLS = """\
tools:
  find_slots:
    answers: [{when: {day: Monday}, result: {slots: [nine, {at: ten}]}}, {result: {error: "{day}"}}]
"""
CALLING = SMALL.replace(
    '          - {caller: "Are you',
    '          - {tool: find_slots, with: {day: "{day}"}}\n          - {caller: "Are you',
).replace("    revisions:", "    tools: [find_slots]\n    revisions:")


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("slots.0", ""),
        ("slots.1.at", ""),
        ("error", ""),
        ("error.code", ""),  # only a call shows what it is
        ("slot.0", "did you mean 'slots'?"),
        ("slots.2", "no result has 'slots.2'"),
        ("slots.1.att", "no result has 'slots.1.att'"),
    ],
)
def test_a_misspelt_field_of_a_result(tmp_path: Path, field: str, message: str) -> None:
    """A world misspells a field of a tool's result, also in a branch, or of a result that the turn itself states.
    Before: it was an empty word, and the call could pass. Now: the world is refused."""
    for calling in (
        CALLING,
        CALLING.replace("find_slots, with", "find_slots, result: {slots: [nine, {at: ten}], error: '{day}'}, with"),
    ):
        for line in (
            f"{{agent: 'At {{find_slots.{field}}}.'}}",
            f"{{choose: [{{turns: [{{caller: '{{find_slots.{field}}}'}}]}}]}}",
        ):
            path = _write(tmp_path, TOOLS + calling.replace('{agent: "Always."}', line))
            if not message:
                assert load_world(path).world == "small"
                continue
            (fault,) = _error(path).problems
            assert message in fault.message
            assert fault.span.line == 21


@pytest.mark.parametrize(
    ("addition", "place"),
    [
        ('phone_numbers: {7: {number: "+14155550100", inbound_agent_id: 2}}', "phone_numbers.7.inbound_agent_id"),
        ("phone_numbers: {7: {number: 14155550100}}", "phone_numbers.7.number"),
    ],
)
def test_wrong_references(tmp_path: Path, addition: str, place: str) -> None:
    path = _write(tmp_path, f"{SMALL}{addition}\n")
    assert re.match(rf"{re.escape(str(path))}:17:\d+: {re.escape(place)}: ", str(_error(path)))


def test_a_world_overrides_only_what_it_names(tmp_path: Path) -> None:
    """Null removes."""
    _write(tmp_path, SMALL, "base.yaml")
    above = """\
version: 1
world: above
extends: base.yaml
balance_cents: 7
agents:
  1:
    revisions: {2: {prompt: You listen., updated_at: 2026-02-01T00:00:00}}
    dialogues:
      hours: null
      parking: {prompt: park, turns: [{agent: Outside.}]}
"""
    world = load_world(_write(tmp_path, above))
    assert (world.world, world.balance_cents) == ("above", 7)
    assert (world.snapshot(1).revision, world.snapshot(1).prompt) == (2, "You listen.")
    assert world.snapshot(1).updated_at == 1_769_904_000
    assert list(world.agents[1].dialogues) == ["parking"]


def test_an_error_in_the_file_below(tmp_path: Path) -> None:
    base = _write(tmp_path, SMALL.replace("on {day}", "on {dya}"), "base.yaml")
    path = _write(tmp_path, "version: 1\nworld: above\nextends: base.yaml\n")
    assert str(_error(path)).startswith(f"{base}:15:13: ")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("extends: nowhere\n", ":1:10: "),
        ("extends: [demo]\n", ":1:10: "),
        ("extends: world.yaml\n", ":1:10: "),
        ("- a\n- b\n", ":1:1: "),
        ("", ":1:1: "),
        ("a: b: c\n", ":1:5: "),
        ("agents: [1, 2]\n", "agents: "),
    ],
)
def test_other_errors(tmp_path: Path, text: str, place: str) -> None:
    head = "" if text.startswith("-") or not text else "version: 1\nworld: w\n"
    error = str(_error(_write(tmp_path, text + head)))
    assert place in error
    assert "\n" not in error


@pytest.mark.parametrize(("base", "column"), [("nowhere", 10), ("gone.yaml", 10), ("[demo]", 10)])
def test_a_bad_extends_hides_no_other_error(tmp_path: Path, base: str, column: int) -> None:
    path = _write(tmp_path, f"version: 1\nworld: w\nextends: {base}\ntypo: 1\nagents: {{1: {{nme: A}}}}\n")
    places = {(fault.span.line, fault.span.column) for fault in _error(path).problems}
    assert (3, column) in places


def test_unknown_names_and_unreadable_files(tmp_path: Path) -> None:
    for name in builtin_worlds():
        assert name in str(_error(Path("mars")))
    assert "No such file" in str(_error(tmp_path / "none.yaml"))
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"\xff\xfe\x00garbage")
    assert "bad.yaml" in str(_error(bad))


def test_the_worlds_of_the_documentation(tmp_path: Path) -> None:
    """Each example of docs/sandbox.md can be copied into a file of its own and used."""
    page = (Path(__file__).parents[2] / "docs/sandbox.md").read_text(encoding="utf-8")
    examples = [text for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "\nworld: " in text]
    assert len(examples) >= 2
    for number, text in enumerate(examples):
        name = re.findall(r"^world: (\S+)", text, re.MULTILINE)
        assert [load_world(_write(tmp_path, text, f"{number}.yaml")).world] == name


@pytest.mark.parametrize("name", builtin_worlds())
def test_shipped_worlds_fit_the_schema(name: str) -> None:
    document = _as_json(SHIPPED.joinpath(f"{name}.yaml").read_text(encoding="utf-8"))
    assert [error.message for error in Draft202012Validator(world_schema()).iter_errors(document)] == []


@pytest.mark.parametrize(
    ("old", "new"), [("name: Echo", "nmae: Echo"), ("{agent: ", "{agnt: "), ("version: 1", "version: 2")]
)
def test_the_schema_finds_mistakes(old: str, new: str) -> None:
    validator = Draft202012Validator(world_schema())
    assert validator.is_valid(_as_json(SMALL))
    assert not validator.is_valid(_as_json(SMALL.replace(old, new)))


def test_the_schema_describes_fields() -> None:
    schema = world_schema()
    assert schema["properties"]["time_scale"]["description"]
    assert schema["$defs"]["Turn"]["properties"]["with"]["description"]


def _as_json(text: str) -> Any:
    """As an editor sees it: every key is a string."""
    return json.loads(json.dumps(YAML(typ="safe").load(text), default=str))
