"""Two parties on one line: who speaks when, for how long, and how the call ends. A pure function of its arguments."""

from __future__ import annotations

from planner.sandbox.actions import Action, HangUp, Say, Transfer, UseTool
from planner.sandbox.agent import Agent, AgentOnCall
from planner.sandbox.caller import Caller, Reply
from planner.sandbox.conversation import Conversation, Turn
from planner.sandbox.draws import Draws, seed_of
from planner.sandbox.prompt import read_prompt
from planner.sandbox.records import Direction

_MAX_TURNS = 80
_MAX_MS = 10 * 60_000
"""Calls are cut here: `end_reason` timeout."""
_AGENT_WORDS_PER_MINUTE = 165
_RING_MS = (400, 1500)
_TTFA_MS = (420, 1400)
_REACTION_MS = (280, 950)
_OVERLAP_MS = (150, 700)
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
        self.end_reason = ""
        self.transferred_to = ""

    def _speech_ms(self, text: str, words_per_minute: float) -> int:
        pauses = text.count(",") * 120 + sum(text.count(mark) for mark in ".?!") * 220
        words = max(len(text.split()), len(text) // _LETTERS_A_WORD)
        return max(350, round(words / words_per_minute * 60_000 * self._draws.between(0.94, 1.08)) + pauses)

    def agent_says(self, text: str) -> None:
        ttfa_ms = round(self._draws.skewed(*_TTFA_MS))
        start = self.now_ms + ttfa_ms
        self.now_ms = start + self._speech_ms(text, self._agent_pace)
        self.turns.append(Turn("agent", text, start, self.now_ms, ttfa_ms))

    def caller_says(self, text: str, *, interrupts: bool) -> None:
        if interrupts and self.turns and self.turns[-1].role == "agent":
            agent = self.turns[-1]
            room = max(0, (agent.end_ms - agent.start_ms) // 3)
            start = self.now_ms - min(room, round(self._draws.between(*_OVERLAP_MS)))
        else:
            start = self.now_ms + round(self._draws.skewed(*_REACTION_MS))
        self.now_ms = max(self.now_ms, start + self._speech_ms(text, self._caller_pace))
        self.turns.append(Turn("user", text, start, self.now_ms))

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


def converse(agent: Agent, prompt: str, seed: int, direction: Direction) -> Conversation:
    """The whole call. `direction` outbound: the bot calls the agent; inbound: the agent calls the bot."""
    persona = read_prompt(prompt)
    caller = Caller(persona, Draws(seed_of(seed, "caller")))
    on_call = AgentOnCall(agent, Draws(seed_of(seed, "agent")))
    recording = _Recording(seed, caller.words_per_minute)
    recording.silence(*_RING_MS)
    if direction == "inbound":
        recording.caller_says(caller.pick_up().text, interrupts=False)
    heard = recording.act(on_call.greet(outbound=direction == "inbound"))
    while not recording.end_reason:
        reply: Reply = caller.hear(heard)
        recording.caller_says(reply.text, interrupts=caller.interrupts())
        if reply.hangs_up:
            recording.end_reason = "caller_hangup"
        elif recording.now_ms >= _MAX_MS or len(recording.turns) >= _MAX_TURNS:
            recording.end_reason = "timeout"
        else:
            heard = recording.act(on_call.hear(reply.text))
    if recording.end_reason in ("transfer", "agent_end"):
        caller.left(heard, transferred=recording.end_reason == "transfer")
    recording.silence(*_TAIL_MS)
    return Conversation(
        turns=tuple(recording.turns),
        duration_ms=recording.now_ms,
        end_reason=recording.end_reason,
        transferred_to=recording.transferred_to,
        collected=dict(on_call.slots),
        goals=caller.goals,
        misunderstandings=on_call.misunderstandings,
    )
