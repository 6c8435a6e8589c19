"""A log in memory, as several machines share it: each machine has its journal, and each process its own state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from planner.errors import StoreError
from planner.log.facts import Fact
from planner.log.fold import State


@dataclass
class SharedLines:
    """What is appended is in the log of all machines."""

    facts: list[Fact] = field(default_factory=list[Fact])
    compares: bool = True
    """If not, an append succeeds whatever others appended."""

    def append(self, facts: Sequence[Fact], at: int) -> bool:
        if self.compares and at != len(self.facts):
            return False
        self.facts += facts
        return True


@dataclass
class Machine:
    """What survives the death of a process: its journal."""

    facts: dict[Fact, None] = field(default_factory=dict[Fact, None])
    unshared: dict[Fact, None] = field(default_factory=dict[Fact, None])


async def _at_once(step: str) -> None:
    del step


@dataclass
class MemoryLog:
    """The log as one process has it. `pause` is called before and after each use of the shared log: it may take long, or
    raise. Without `shared`, the machine's journal is the log."""

    machine: Machine
    shared: SharedLines | None = None
    pause: Callable[[str], Awaitable[None]] = _at_once
    on_note: Callable[[], None] = lambda: None
    on_lost: Callable[[Callable[[], object]], None] = lambda append: None  # noqa: ARG005
    """Called with an append that failed, which may still arrive later."""
    state: State = field(default_factory=State)
    _seen: int = 0
    """Facts of the journal that the state has."""
    _position: int = 0

    def __post_init__(self) -> None:
        self._catch_up()

    async def refresh(self) -> None:
        if self.shared is not None:
            await self.pause("read")
            position = len(self.shared.facts)
            new = self.shared.facts[self._position :]
            await self.pause("was read")
            self._add(new, is_shared=True)
            self._position = position
        self._catch_up()

    async def append(self, facts: Sequence[Fact]) -> bool:
        if self.shared is None:
            if self.machine_moved():
                self._catch_up()
                return False
            self.on_note()
            self._add(facts, is_shared=True)
            self._catch_up()
            self.on_note()
            return True
        at = self._position
        pending = list(self.machine.unshared)
        try:
            await self.pause("append")
        except StoreError:
            shared, lost = self.shared, [*pending, *facts]
            self.on_lost(lambda: shared.append(lost, at))
            raise
        is_appended = self.shared.append([*pending, *facts], at)
        position = len(self.shared.facts)
        await self.pause("was appended")
        if not is_appended:
            await self.refresh()
            return False
        self._add([*pending, *facts], is_shared=True)
        self._position = position
        if not self.shared.compares:
            self._position = at
        self._catch_up()
        return True

    def machine_moved(self) -> bool:
        return self._seen != len(self.machine.facts)

    def note(self, facts: Iterable[Fact]) -> None:
        self.on_note()
        self._add(list(facts), is_shared=self.shared is None)
        self._catch_up()
        self.on_note()

    async def share(self) -> None:
        while self.shared is not None and self.machine.unshared and not await self.append(()):
            pass

    def _add(self, facts: Iterable[Fact], *, is_shared: bool) -> None:
        for fact in facts:
            if is_shared:
                self.machine.unshared.pop(fact, None)
            elif fact not in self.machine.facts:
                self.machine.unshared[fact] = None
            self.machine.facts[fact] = None

    def _catch_up(self) -> None:
        new = list(self.machine.facts)[self._seen :] if self.machine_moved() else []
        self._seen = len(self.machine.facts)
        self.state.add_all(new)
