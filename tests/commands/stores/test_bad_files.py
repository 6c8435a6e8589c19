"""Files of a store that are damaged, lost, newer, hostile or another project's: the cases concerned are unknown, others go on, and
nothing is paid for twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

FAR: Final = "2199-01-01T00:00:00Z"


def newer(data: bytes) -> bytes:
    return b'{"kind":"opinion","run_id":1}\n' + data


def as_if_later(data: bytes) -> bytes:
    facts = [json.loads(line) for line in data.splitlines()]
    for fact in facts:
        if fact["kind"] == "call":
            fact["data"]["completed_at"] = FAR
    return b"".join(json.dumps(fact).encode() + b"\n" for fact in facts)


SPOILS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "cut": lambda data: data[: len(data) // 2],
    "empty": lambda _: b"",
    "newer": newer,
    "deep": lambda _: b"[" * 100_000 + b"\n",
    "no text": lambda _: bytes(range(256)),
    "many numbers": lambda data: data.replace(b'"run_id":', b'"run_id":' + b"9" * 400),
    "later": as_if_later,
}


def part_of(project: Any, case_id: str) -> Path:
    """The file of the case's calls."""
    wanted = f'"case_id":"{case_id}"'.encode()
    (found,) = [path for path in (project.root / ".planner/calls").rglob("*.jsonl") if wanted in path.read_bytes()]
    return found


def test_a_spoilt_file_concerns_its_case_only(project: Any, service: Any) -> None:
    """Also one that is gone, and a copy under another name changes nothing."""
    assert project.planner("run", "--consent-to-charge").code == 0
    calls, whole = len(service.own_runs()), project.actions()
    case_id = next(iter(whole))
    part = part_of(project, case_id)
    data = part.read_bytes()
    part.with_name("20990101T000000000-00000001-1.jsonl").write_bytes(data)
    assert project.actions() == whole
    part.with_name("20990101T000000000-00000001-1.jsonl").unlink()
    for name, spoil in {**SPOILS, "gone": None}.items():
        part.unlink()
        if spoil is not None:
            part.write_bytes(spoil(data))
        found = project.actions()
        assert found.pop(case_id)[:2] == ("reuse", "unreadable"), name
        assert set(found.values()) == {each for other, each in whole.items() if other != case_id}, name
        ran = project.planner("run", "--consent-to-charge")
        assert (ran.code, len(service.own_runs())) == (4, calls), (name, ran)
        part.write_bytes(data)
    assert project.actions() == whole
