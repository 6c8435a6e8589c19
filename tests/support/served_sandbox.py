"""A sandbox with faults, in a process of its own on a loopback port, for `planner` processes that may be killed."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import faulty_sandbox
import forked

WORLD = Path(__file__).with_name("any_prompt.yaml")


@dataclass
class ServedSandbox:
    """`settings` are fields of the world: time scale, limit, balance, seed."""

    folder: Path
    settings: Mapping[str, int]
    faults: Sequence[Mapping[str, Any]]
    url: str = ""
    process: forked.Forked = field(init=False)

    def __enter__(self) -> Self:
        world = self.folder / "world.yaml"
        lines = [f"{name}: {value}\n" for name, value in self.settings.items()]
        world.write_text(WORLD.read_text() + "".join(lines))
        options = ["--port", "0", "--world", str(world)]
        self.process = forked.started(faulty_sandbox.serve, options, cwd=self.folder)
        self.url = next(word for word in self.process.output.readline().split() if word.startswith("http"))
        self._control({"faults": self.faults})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()

    def faults_fired(self) -> list[int]:
        """How often each of the faults did something."""
        return list(self._control({})["fired"].values())

    def _control(self, wanted: Mapping[str, Any]) -> Any:
        body = json.dumps(wanted).encode()
        with urllib.request.urlopen(f"{self.url}{faulty_sandbox.CONTROL}", body) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def runs(self, story: int) -> list[dict[str, Any]]:
        """What the service has of the plan whose prompts say "of story NUMBER."."""
        with urllib.request.urlopen(f"{self.url}/_sandbox/ledger") as answer:  # noqa: S310 - loopback
            return [run for run in json.load(answer)["runs"] if f"of story {story}." in run["prompt"]]
