"""Two parties on one line: who speaks when, for how long, and how the call ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from planner.sandbox.agents.actions import KEYS, Action, HangUp, Say, Think, Transfer, UseTool
from planner.sandbox.agents.agent import Agent, AgentOnCall
from planner.sandbox.callers.caller import Caller, Reply
from planner.sandbox.callers.listening import is_open
from planner.sandbox.callers.prompt import read_prompt
from planner.sandbox.conversation import Conversation, Turn
from planner.sandbox.conversations.endpoint import ModelError
from planner.sandbox.draws import Draws, seed_of
from planner.sandbox.state.records import Direction

_MAX_TURNS = 80
_MAX_MS = 10 * 60_000
"""Calls are cut here: `end_reason` timeout."""
_AGENT_WORDS_PER_MINUTE = 165
_RING_MS = (400, 1500)
_TTFA_MS = (420, 1400)
_REACTION_MS = (280, 950)
_OVERLAP_MS = (150, 700)
_KEY_MS = 260
_LETTERS_A_WORD = 12
"""Text without spaces takes its time, too."""
_TAIL_MS = (350, 900)


class _Recording:
    """Turns laid out in time. The two have draws of their own, so that a change of words does not change every pause."""

    def __init__(self, seed: int, caller_words_per_minute: int) -> None:
        self._draws = Draws(seed_of(seed, "time"))
        self._agent_pace = _AGENT_WORDS_PER_MINUTE * self._draws.between(0.92, 1.08)
        self._caller_pace = caller_words_per_minute * self._draws.between(0.92, 1.08)
        self.turns: list[Turn] = []
        self.now_ms = 0
        self._thinking_ms = 0
        self.end_reason = ""
        self.transferred_to = ""

    def _speech_ms(self, text: str, words_per_minute: float) -> int:
        pauses = text.count(",") * 120 + sum(text.count(mark) for mark in ".?!") * 220
        words = max(len(text.split()), len(text) // _LETTERS_A_WORD)
        return max(350, round(words / words_per_minute * 60_000 * self._draws.between(0.94, 1.08)) + pauses)

    def agent_says(self, text: str) -> None:
        ttfa_ms = round(self._draws.skewed(*_TTFA_MS)) + self._thinking_ms
        self._thinking_ms = 0
        start = self.now_ms + ttfa_ms
        self.now_ms = start + self._speech_ms(text, self._agent_pace)
        self.turns.append(Turn("agent", text, start, self.now_ms, ttfa_ms))

    def caller_says(self, text: str, *, interrupts: bool) -> None:
        """An interruption comes over the agent's last words; a question that wanted nothing in particular is then not finished."""
        agent = self.turns[-1] if self.turns and self.turns[-1].role == "agent" else None
        if interrupts and agent is not None:
            room = max(0, (agent.end_ms - agent.start_ms) // 3)
            start = self.now_ms - min(room, round(self._draws.between(*_OVERLAP_MS)))
            self._break_off(agent, start)
        else:
            start = self.now_ms + round(self._draws.skewed(*_REACTION_MS))
        keys = KEYS.fullmatch(text)
        speech_ms = len(keys[1]) * _KEY_MS if keys else self._speech_ms(text, self._caller_pace)
        self.now_ms = max(self.now_ms, start + speech_ms)
        self.turns.append(Turn("user", text, start, self.now_ms))

    def _break_off(self, agent: Turn, at_ms: int) -> None:
        told, _, rest = str(agent.content).rpartition(". ")
        words = rest.split()
        kept = int(len(words) * (1 - (agent.end_ms - at_ms) * self._agent_pace / 60_000 / max(1, len(words))))
        if told and rest.endswith("?") and is_open(rest) and 1 <= kept < len(words):
            end = max(at_ms, agent.end_ms - _OVERLAP_MS[0])
            self.turns[-1] = replace(agent, content=f"{told}. {' '.join(words[:kept])}—", end_ms=end)
            self.now_ms = end

    def cut_in(self, text: str) -> str:
        """The caller speaks up in the middle of what the agent says; what of it was heard."""
        agent = self.turns[-1]
        words = str(agent.content).split()
        share = self._draws.between(0.35, 0.65)
        kept = f"{' '.join(words[: max(2, round(len(words) * share))]).rstrip('.,;:')}—"
        end = agent.start_ms + round((agent.end_ms - agent.start_ms) * share)
        self.turns[-1] = replace(agent, content=kept, end_ms=end)
        start = end - min((end - agent.start_ms) // 3, round(self._draws.between(*_OVERLAP_MS)))
        self.now_ms = max(end, start + self._speech_ms(text, self._caller_pace))
        self.turns.append(Turn("user", text, start, self.now_ms))
        return kept

    def wait(self, milliseconds: int) -> None:
        self.now_ms += milliseconds

    def tool(self, use: UseTool) -> None:
        at = self.now_ms + round(self._draws.between(30, 120))
        self.turns.append(Turn("tool_call", {"name": use.name, "arguments": dict(use.arguments)}, at, at))
        self.now_ms = at + use.latency_ms
        self.turns.append(Turn("tool_response", use.result, self.now_ms, self.now_ms))

    def silence(self, low_ms: int, high_ms: int) -> None:
        self.now_ms += round(self._draws.between(low_ms, high_ms))

    def act(self, actions: list[Action]) -> str:
        """The agent's actions in order, sentences in a row as one turn. What the caller heard; sets `end_reason` when it ended the call."""
        heard: list[str] = []
        words: list[str] = []

        def speak() -> None:
            if words:
                self.agent_says(" ".join(words))
                heard.extend(words)
                words.clear()

        for action in actions:
            match action:
                case Say():
                    words.append(action.text)
                case Think():
                    self._thinking_ms += action.milliseconds
                case UseTool():
                    speak()
                    self.tool(action)
                case Transfer():
                    speak()
                    self.end_reason, self.transferred_to = "transfer", action.number
                case HangUp():
                    speak()
                    self.end_reason = "agent_end"
        speak()
        return " ".join(heard)


class AgentParty(Protocol):
    """The agent's side of one call."""

    @property
    def slots(self) -> dict[str, str]: ...
    @property
    def misunderstandings(self) -> int: ...
    @property
    def patience_ms(self) -> int: ...
    def greet(self, answered: str, *, outbound: bool) -> list[Action]: ...
    def hear(self, text: str) -> list[Action]: ...
    def hear_nothing(self) -> list[Action]: ...


class CallerParty(Protocol):
    """The test bot's side of one call."""

    @property
    def goals(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def words_per_minute(self) -> int: ...
    def interrupts(self) -> bool: ...
    def pick_up(self) -> Reply: ...
    def hear(self, text: str) -> Reply: ...
    def left(self, last_words: str, *, transferred: bool) -> None: ...


def script_agent(agent: Agent, seed: int) -> AgentParty:
    return AgentOnCall(agent, Draws(seed_of(seed, "agent")), Draws(seed_of(seed, "flaws")))


def script_caller(prompt: str, seed: int, caller_number: str) -> CallerParty:
    return Caller(read_prompt(prompt), Draws(seed_of(seed, "caller")), Draws(seed_of(seed, "whims")), caller_number)


def converse(agent: Agent, prompt: str, seed: int, direction: Direction, caller_number: str = "", /) -> Conversation:
    """The whole call between two scripts: a pure function of its arguments."""
    return talk(script_agent(agent, seed), script_caller(prompt, seed, caller_number), seed, direction)


def talk(
    on_call: AgentParty, caller: CallerParty, seed: int, direction: Direction, max_turns: int = _MAX_TURNS
) -> Conversation:
    """The whole call. `direction` outbound: the bot calls the agent; inbound: the agent calls the bot."""
    recording = _Recording(seed, caller.words_per_minute)
    recording.silence(*_RING_MS)
    error = ""
    try:
        _take_turns(recording, on_call, caller, direction, max_turns)
    except ModelError as failure:
        recording.end_reason, error = "error", str(failure)
    recording.silence(*_TAIL_MS)
    return Conversation(
        turns=tuple(recording.turns),
        duration_ms=recording.now_ms,
        end_reason=recording.end_reason,
        transferred_to=recording.transferred_to,
        collected=dict(on_call.slots),
        goals=caller.goals,
        misunderstandings=on_call.misunderstandings,
        error=error,
    )


def _take_turns(
    recording: _Recording, on_call: AgentParty, caller: CallerParty, direction: Direction, max_turns: int
) -> None:
    """Until `end_reason` says why it is over."""
    outbound = direction == "inbound"
    answered = caller.pick_up().text if outbound else ""
    if answered:
        recording.caller_says(answered, interrupts=False)
    heard = recording.act(on_call.greet(answered, outbound=outbound))
    while not recording.end_reason:
        reply = caller.hear(heard)
        heard = _keep_silent(recording, on_call, reply)
        if recording.end_reason:
            break
        if reply.cuts_in:
            recording.cut_in(reply.text)
        elif reply.text:
            recording.caller_says(reply.text, interrupts=caller.interrupts())
        if reply.hangs_up:
            recording.end_reason = "caller_hangup"
        elif recording.now_ms >= _MAX_MS or len(recording.turns) >= max_turns:
            recording.end_reason = "timeout"
        elif reply.text:
            heard = recording.act(on_call.hear(reply.text))
    if recording.end_reason in ("transfer", "agent_end"):
        caller.left(heard, transferred=recording.end_reason == "transfer")


def _keep_silent(recording: _Recording, on_call: AgentParty, reply: Reply) -> str:
    """The caller's silence before it speaks: an agent that waits long enough asks whether anybody is there, and may hang up.

    What it said last.
    """
    left_ms, heard = reply.pause_ms, ""
    while left_ms > 0 and not recording.end_reason:
        if left_ms < on_call.patience_ms and reply.text:
            recording.wait(left_ms)
            break
        recording.wait(on_call.patience_ms)
        left_ms -= on_call.patience_ms
        heard = recording.act(on_call.hear_nothing())
    return heard
