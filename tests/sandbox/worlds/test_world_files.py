"""World files: what is in them, what is wrong with them and where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from planner.sandbox import WorldError, builtin_worlds, load_world
from planner.sandbox.worlds.files import _BUILTIN, _builtin_document
from planner.sandbox.worlds.text import read

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
        script:
          greeting: ["Hello."]
          slots:
            order: {kind: digits, ask: ["Which order?"]}
          rules:
            hours:
              hears: ["open"]
              do:
                - {say: ["Always, {order}."]}
"""


def _write(folder: Path, text: str, name: str = "world.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_built_in_worlds_load() -> None:
    """Each shipped world is valid and bears its own name."""
    assert builtin_worlds() == ("busy", "demo", "faulty", "flaky", "regressed")
    assert [load_world(name).world for name in builtin_worlds()] == list(builtin_worlds())
    assert load_world("demo") is load_world("demo")


def test_built_in_worlds_mean_the_same_to_both_parsers() -> None:
    """They are read by another parser than a user's, of an older YAML: nothing in them may mean something else to it."""
    for path in _BUILTIN.glob("*.yaml"):
        assert _builtin_document(path) == read(path), path.name


def test_a_world_of_ones_own(tmp_path: Path) -> None:
    """A file by its path, with the defaults for what it does not say."""
    world = load_world(_write(tmp_path, SMALL))
    assert (world.balance_cents, world.concurrency_limit, world.time_scale, world.charge_multiplier) == (
        50_000,
        20,
        60,
        2,
    )
    assert world.snapshot(1).updated_at == 1_767_225_600


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("version: 1", "version: 2", "1:10: version: Input should be 1"),
        ("world: small", "world: Small World", "2:8: world: String should match pattern"),
        ("name: Echo", "nmae: Echo", "4:3: agents.1.name: Field required"),
        ("name: Echo", "name: Echo\n    colour: red", "6:5: agents.1.colour: Extra inputs are not permitted"),
        ("name: Echo", "name: Echo\n    product: bolt", "6:14: agents.1.product: no rate is given for 'bolt'"),
        ("name: Echo", "name: Echo\n    tools: [x]", "6:13: agents.1.tools.0: no tool is called 'x'"),
        ("name: Echo", "name: Echo\n    active: 7", "4:3: agents.1: active: there is no revision 7"),
        ('["open"]', '["(open"]', "16:15: agents.1.revisions.1.script.rules.hours.hears: not a regular expression"),
        ("{order}", "{oder}", "18:19: agents.1.revisions.1.script.rules.hours.do.0: nothing is called 'oder'"),
        ("kind: digits", "kind: choice", "13:13: agents.1.revisions.1.script.slots.order: a choice, and only a choice"),
        (
            "kind: digits",
            "kind: digits, near: ['[']",
            "13:35: agents.1.revisions.1.script.slots.order.near: not a regular",
        ),
        (
            "{say:",
            "{end: true, say:",
            "18:19: agents.1.revisions.1.script.rules.hours.do.0: a step does exactly one of",
        ),
        (
            "{say:",
            "{with: {a: 1}, say:",
            "18:19: agents.1.revisions.1.script.rules.hours.do.0: `with` belongs to `tool`",
        ),
        ('{say: ["Always, {order}."]}', "{tool: t}", "do.0: no tool is called 't'"),
        ('{say: ["Always, {order}."]}', "{need: t}", "do.0: no slot is called 't'"),
        ('hears: ["open"]', 'hears: ["open"]\n              needs: [t]', "needs.0: no slot is called 't'"),
        ('hears: ["open"]', 'hears: ["open"]\n              when: {t.x: 1}', "when: nothing is called 't'"),
        ('["Which order?"]', '["Which {t}?"]', "slots.order: nothing is called 't'"),
        ("name: Echo", "name: Echo\n    name: Again", '6:5: found duplicate key "name"'),
        ("greeting: [", "greeting: [[", "while parsing|expected"),
    ],
)
def test_what_is_wrong_and_where(tmp_path: Path, old: str, new: str, fault: str) -> None:
    """One line: file, line, column, and what is wrong there."""
    path = _write(tmp_path, SMALL.replace(old, new))
    with pytest.raises(WorldError) as caught:
        load_world(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:")
    assert "\n" not in message
    assert any(part in message for part in fault.split("|")), message


@pytest.mark.parametrize(
    ("addition", "fault"),
    [
        (
            'phone_numbers: {7: {number: "+14155550100", inbound_agent_id: 2}}',
            "phone_numbers.7.inbound_agent_id: there is no agent 2",
        ),
        ("phone_numbers: {7: {number: 14155550100}}", "phone_numbers.7.number: Input should be a valid string"),
        ("faults: [{kind: agent_edit, agent_id: 2}]", "faults.0.agent_id: there is no agent 2"),
        ("faults: [{kind: agent_edit, agent_id: 1, revision: 5}]", "faults.0.revision: agent 1 has no revision 5"),
        ("faults: [{kind: slow, agent_id: 1}]", "faults.0: agent_id belongs to agent_edit"),
        ("agents: 3", "duplicate key"),
    ],
)
def test_wrong_references(tmp_path: Path, addition: str, fault: str) -> None:
    """What names something that is not there is found while loading."""
    with pytest.raises(WorldError) as caught:
        load_world(_write(tmp_path, SMALL + addition + "\n"))
    assert fault in str(caught.value)


def test_choice_options_are_patterns(tmp_path: Path) -> None:
    """The patterns of a choice are checked, too."""
    text = SMALL.replace("kind: digits", "kind: choice, options: {a: ['(']}")
    with pytest.raises(WorldError, match="not a regular expression"):
        load_world(_write(tmp_path, text))


def test_extends_and_based_on(tmp_path: Path) -> None:
    """A world on top of another changes what it names, and a revision what it is based on; null takes away."""
    _write(tmp_path, SMALL, "base.yaml")
    above = """\
version: 1
world: above
extends: base.yaml
balance_cents: 7
agents:
  1:
    revisions:
      2:
        based_on: 1
        updated_at: 2026-02-01T00:00:00
        script:
          rules:
            hours: null
            parking: {hears: ["park"], do: [{say: ["Outside."]}]}
"""
    world = load_world(_write(tmp_path, above))
    snapshot = world.snapshot(1)
    assert (world.world, world.balance_cents, snapshot.revision) == ("above", 7, 2)
    assert list(snapshot.script.rules) == ["parking"]
    assert snapshot.script.greeting == ("Hello.",)
    assert list(world.snapshot(1, 1).script.rules) == ["hours"]


def test_fault_in_the_file_below(tmp_path: Path) -> None:
    """A fault that comes from the extended file is reported there."""
    base = _write(tmp_path, SMALL.replace("kind: digits", "kind: dice"), "base.yaml")
    path = _write(tmp_path, "version: 1\nworld: above\nextends: base.yaml\n")
    with pytest.raises(WorldError) as caught:
        load_world(path)
    assert str(caught.value).startswith(f"{base}:13:27: ")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("extends: nowhere\n", "1:10: no world is called 'nowhere'"),
        ("extends: [demo]\n", "1:1: `extends` names a built-in world or a file"),
        ("extends: world.yaml\n", "1:10: `extends` goes round in a circle"),
        ("- a\n- b\n", "1:1: a world is a mapping"),
        ("", "1:1: a world is a mapping"),
        ("a: b: c\n", "mapping values are not allowed"),
        ("agents: [1, 2]\n", "agents: Input should be a valid dictionary"),
        ("agents: {1: 2}\n", "agents.1: Input should be a valid dictionary"),
        ("agents: {1: {name: A, revisions: {1: 2}}}\n", "agents.1.revisions.1: Input should be a valid dictionary"),
        ("agents: {1: {revisions: {1: {based_on: 2}}}}\n", "1:40: based_on: there is no earlier revision 2"),
        ("agents: {1: {revisions: {1: {based_on: 2}, 2: {based_on: 1}}}}\n", "based_on: there is no earlier revision"),
        ("agents: {1: {name: A, revisions: {1: 5, 2: {based_on: 1}}}}\n", "agents.1.revisions.1: Input should be"),
    ],
)
def test_other_faults(tmp_path: Path, text: str, fault: str) -> None:
    """What is no world at all is said in one line, too."""
    head = "" if text.startswith("-") or not text else "version: 1\nworld: w\n"
    path = _write(tmp_path, text + head)
    with pytest.raises(WorldError) as caught:
        load_world(path)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("base", "column"), [("nowhere", 10), ("gone.yaml", 10), ("[demo]", 1)])
def test_what_cannot_be_extended_hides_no_other_fault(tmp_path: Path, base: str, column: int) -> None:
    """Both are said at their lines; what is missing may be in the world that was meant, so that nothing is said of it."""
    path = _write(tmp_path, f"version: 1\nworld: w\nextends: {base}\ntypo: 1\nagents: {{1: {{nme: A}}}}\n")
    with pytest.raises(WorldError) as caught:
        load_world(path)
    places = [(fault.line, fault.column) for fault in caught.value.faults]
    assert places == [(3, column), (4, 1), (5, 14)]


def test_names_that_are_none(tmp_path: Path) -> None:
    """A name that is no built-in world lists those there are; a path that does not exist says so."""
    with pytest.raises(
        WorldError, match="no world is called 'mars': built in are busy, demo, faulty, flaky, regressed"
    ):
        load_world("mars")
    with pytest.raises(WorldError, match="No such file"):
        load_world(tmp_path / "none.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"\xff\xfe\x00garbage")
    with pytest.raises(WorldError, match=r"bad\.yaml"):
        load_world(bad)


def test_the_worlds_of_the_documentation_are_worlds(tmp_path: Path) -> None:
    """Each that docs/sandbox.md shows can be copied into a file of its own and served."""
    page = (Path(__file__).parents[3] / "docs/sandbox.md").read_text(encoding="utf-8")
    written = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "world.yaml").write_text(written[0], encoding="utf-8")
    (tmp_path / "local.yaml").write_text(written[1], encoding="utf-8")
    assert len(written) == 2
    assert load_world(tmp_path / "world.yaml").snapshot(14) != load_world("demo").snapshot(14)
    assert load_world(tmp_path / "local.yaml").world == "local"
