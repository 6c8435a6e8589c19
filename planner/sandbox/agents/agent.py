"""The agent under test: it plays the script of a snapshot, turn by turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from planner.sandbox.agents.actions import KEYS, Action, HangUp, Say, Think, Transfer, UseTool
from planner.sandbox.agents.hearing import CORRECTION, understand
from planner.sandbox.agents.memory import Memory
from planner.sandbox.agents.slips import swapped
from planner.sandbox.draws import Draws, Wording
from planner.sandbox.worlds.script import Rule, Slot, Snapshot, Step

_GOODBYE = re.compile(r"\b(?:good ?bye|bye)\b", re.IGNORECASE)
_DONE = re.compile(
    r"\b(?:that's (?:all|it|everything)|that is (?:all|everything)|nothing else|no,? thanks?(?: you)?|i'm done|all set)\b",
    re.IGNORECASE,
)
_REPEAT = re.compile(
    r"\b(?:(?:say|tell me|repeat)(?: that| it)?(?: one more time| once more| again)|repeat (?:that|it|the|your|what|everything)|(?:didn't|did not|don't) (?:catch|hear|understand|follow)|pardon|"
    r"come again)\b",
    re.IGNORECASE,
)
_DOES_NOT_KNOW = re.compile(
    r"\b(?:(?:don't|do not|can't|cannot|didn't) (?:know|have|remember|recall|find|think i have)|no idea|not sure|rather not|"
    r"won't (?:tell|say|give)|not going to|forgot|lost it|isn't your business|none of your)\b",
    re.IGNORECASE,
)
_DOES_NOT_MIND = re.compile(
    r"\b(?:any(?:time| time| day)?|whatever|whichever|whenever|no preference|doesn't matter|don't mind|you choose)\b",
    re.IGNORECASE,
)
_VOICEMAIL = re.compile(
    r"\b(?:leave (?:me |us |a |your |your name and )?(?:a )?(?:short )?message|(?:after|at) the (?:tone|beep)|voice ?mail|can't (?:come to|take) (?:the phone|your call))\b",
    re.IGNORECASE,
)
_THANKS = re.compile(r"\b(?:thanks|thank you|great|perfect|okay|ok|all right|got it|wonderful)\b", re.IGNORECASE)
_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|good (?:morning|afternoon|evening)|hello there|yes|yeah|sure)\b[\s\w,]{0,25}[.!?]*\s*$",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"\b(?:help me with something|need (?:some )?help|have a question)\W*(?:please)?\W*$", re.IGNORECASE
)


_CORRECTABLE = ("digits", "phone", "date", "email", "weekday")
"""Kinds of slots that a bare value can put right: `No, it's 12345.`"""


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: Rule
    steps: tuple[Step, ...]
    pattern: re.Pattern[str]


class Agent:
    """A script ready to be played; one per snapshot, shared by its calls."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.rules = tuple(
            _Compiled(
                rule,
                (*(Step(need=slot) for slot in rule.needs), *rule.do),
                re.compile("|".join(f"(?:{pattern})" for pattern in rule.hears), re.IGNORECASE),
            )
            for rule in snapshot.script.rules.values()
        )


class AgentOnCall:
    """The agent's side of one call: what it knows, what it is waiting for."""

    def __init__(self, agent: Agent, draws: Draws, luck: Draws) -> None:
        """`luck` decides about flaws, so that an agent with some says all else in the same words."""
        self._agent = agent
        self._script = agent.snapshot.script
        self._draws = draws
        self._luck = luck
        self._flaws = agent.snapshot.script.flaws
        self._wording = Wording(draws)
        self._memory = Memory(code=str(10_000 + int(draws.between(0, 90_000))))
        self._steps: tuple[Step, ...] = ()
        self._step = 0
        self._rule: Rule | None = None
        self._asked: str | None = None
        self._times_asked = 0
        self._misses = 0
        self._silences = 0
        self._played: _Compiled | None = None
        """The rule last begun: what a correction is about."""
        self.misunderstandings = 0
        self._said: list[str] = []
        """What the rule being played has told so far: what a caller may want repeated."""
        self._called: dict[str, dict[str, JsonValue]] = {}
        """By tool, the arguments it was last called with."""
        self._last = ""
        self._out: list[Action] = []

    @property
    def slots(self) -> dict[str, str]:
        return self._memory.slots

    @property
    def patience_ms(self) -> int:
        """How long it bears silence."""
        return round(self._script.silence_seconds * 1000)

    def greet(self, answered: str, *, outbound: bool) -> list[Action]:
        """The first words. `outbound`: the agent calls, and `answered` is what it hears ("": nothing)."""
        if outbound and _VOICEMAIL.search(answered) and self._script.voicemail:
            self._out = []
            return self._leave_message(self._script.voicemail)
        lines = self._script.outbound_greeting if outbound and self._script.outbound_greeting else self._script.greeting
        return [Say(self._memory.fill(self._draws.pick(lines)))]

    def hear(self, text: str) -> list[Action]:
        """What the agent does about one turn of the caller."""
        self._out = []
        self._silences = 0
        if self._script.voicemail and _VOICEMAIL.search(text) and "[" in text:
            return self._leave_message(self._script.voicemail)
        if self._luck.chance(self._flaws.slow):
            self._out.append(Think(round(self._luck.between(*self._flaws.slow_ms))))
        if self._asked is not None and not _GOODBYE.search(text):
            self._hear_answer(self._asked, text)
        elif self._luck.chance(self._flaws.misses):
            self._miss()
        else:
            self._listen(text)
        return self._out

    def hear_nothing(self) -> list[Action]:
        """What the agent does about a silence that has lasted long enough."""
        self._out = []
        self._silences += 1
        if self._silences > self._script.silences:
            self._say(self._wording.pick(self._script.nobody))
            self._out.append(HangUp())
        else:
            self._say(self._wording.pick(self._script.silence))
        return self._out

    def _leave_message(self, lines: Sequence[str]) -> list[Action]:
        self._say(self._memory.fill(self._wording.pick(lines)))
        self._out.append(HangUp())
        return self._out

    # Understanding

    def _listen(self, text: str) -> None:
        """Nothing in particular was asked."""
        corrected = self._notice(text, except_for=None)
        if _GOODBYE.search(text):
            self._goodbye()
            return
        if self._last and _REPEAT.search(text):
            self._say(self._wording.pick(self._script.repeat).replace("{last}", self._last))
            return
        heard = self._heard(text)
        if corrected and self._played is not None and heard in (None, self._played):
            self._again(corrected)
        elif heard is not None:
            self._start(heard)
        elif KEYS.fullmatch(text):
            self._say(self._wording.pick(("How can I help you?", "What can I do for you?")))
        elif _DONE.search(text):
            self._goodbye()
        elif _GREETING.match(text) or _VAGUE.search(text):
            self._say(self._wording.pick(("How can I help you?", "What can I do for you?", "Sure, what is it about?")))
        elif _THANKS.search(text) and len(text.split()) <= 8:
            self._say(self._wording.pick(("You're welcome.", "My pleasure.", "Happy to help.")))
            self._say(self._wording.pick(self._script.follow_up))
        else:
            self._miss()

    def _miss(self) -> None:
        self._misses += 1
        self.misunderstandings += 1
        if self._misses >= self._script.misses:
            self._play(None, self._script.give_up)
            return
        self._last = self._memory.fill(self._wording.pick(self._script.otherwise))
        self._say(self._last)

    def _heard(self, text: str) -> _Compiled | None:
        return next(
            (rule for rule in self._agent.rules if rule.pattern.search(text) and self._memory.holds(rule.rule.when)),
            None,
        )

    def _hear_answer(self, name: str, text: str) -> None:
        slot = self._script.slots[name]
        corrected = self._notice(text, except_for=name)
        value = understand(slot, text, asked=True, options=self._options(slot))
        if value is not None and slot.kind == "digits" and self._luck.chance(self._flaws.mishears):
            value = swapped(value)
        if corrected and self._played is not None and (value is None or slot.kind == "text"):
            self._again(corrected)
            return
        if value is not None and not (slot.kind == "text" and _REPEAT.search(text)):
            self._memory.slots[name] = value
            self._asked = None
            self._go_on()
            return
        if _DOES_NOT_KNOW.search(text) or (slot.default is not None and _DOES_NOT_MIND.search(text)):
            self._give_up_on(name)
            return
        other = self._heard(text)
        if other is not None and other.rule is not self._rule:
            self._asked = None
            self._start(other)
            return
        self.misunderstandings += 1
        if self._times_asked >= slot.attempts:
            self._give_up_on(name)
            return
        if not _REPEAT.search(text):
            self._say(self._wording.pick(slot.again))
        self._ask(name)

    def _give_up_on(self, name: str) -> None:
        """Go on with the slot's default, or end the rule here, as far as it came."""
        slot = self._script.slots[name]
        self._asked = None
        if slot.default is not None:
            self._memory.slots[name] = slot.default
            self._go_on()
            return
        self._rule = None
        self._last = self._memory.fill(self._wording.pick(slot.without))
        self._say(self._last)
        self._say(self._wording.pick(self._script.follow_up))

    def _notice(self, text: str, *, except_for: str | None) -> str:
        """Remember whatever else is said plainly; the value that was corrected, "" when none was."""
        corrects, corrected = CORRECTION.search(text) is not None, ""
        for name, slot in self._script.slots.items():
            if name != except_for and slot.options_from is None:
                known = self._memory.slots.get(name)
                value = understand(slot, text, asked=corrects and known is not None and slot.kind in _CORRECTABLE)
                if value is not None:
                    self._memory.slots[name] = value
                    corrected = value if corrects and known not in (None, value) else corrected
        return corrected

    def _again(self, corrected: str) -> None:
        """Play the last rule once more, with what was put right."""
        assert self._played is not None
        self._asked = None
        lines = (f"Thanks, {corrected}.", f"Got it, {corrected}.", f"All right, {corrected} it is.")
        self._say(self._wording.pick(lines))
        self._play(self._played.rule, self._played.steps)

    def _options(self, slot: Slot) -> list[str]:
        value = self._memory.value(slot.options_from) if slot.options_from else None
        return [str(item) for item in value] if isinstance(value, list) else []

    # Acting

    def _start(self, heard: _Compiled) -> None:
        self._misses = 0
        self._rule = heard.rule
        self._played = heard
        if self._script.openers and heard.rule.opener and self._draws.chance(0.45):
            self._say(self._wording.pick(self._script.openers))
        self._play(heard.rule, heard.steps)

    def _play(self, rule: Rule | None, steps: tuple[Step, ...]) -> None:
        self._rule, self._steps, self._step, self._said = rule, steps, 0, []
        self._go_on()

    def _go_on(self) -> None:
        """Play the rule from where it stands until something has to be asked."""
        while self._step < len(self._steps):
            step = self._steps[self._step]
            if self._memory.holds(step.when) and not (step.unless and self._memory.holds(step.unless)):
                if step.need is not None:
                    if step.need not in self._memory.slots:
                        self._times_asked = 0
                        self._ask(step.need)
                        return
                elif not self._do(step):
                    return
            self._step += 1
        if self._said:
            self._last = " ".join(self._said)
        for blurt in self._flaws.blurts:
            if self._rule is not None and self._luck.chance(blurt.probability):
                self._say(self._memory.fill(self._wording.pick(blurt.say)))
        if self._rule is not None and self._rule.follow_up:
            self._say(self._wording.pick(self._script.follow_up))
        self._rule = None

    def _do(self, step: Step) -> bool:
        """One step that holds; False when it ended the call."""
        if step.say is not None:
            text = self._memory.fill(self._wording.pick(step.say))
            self._said.append(text)
            self._say(text)
        elif step.tool is not None:
            self._use(step.tool, step.with_)
        elif step.set_ is not None:
            for name, value in step.set_.items():
                if value is None:
                    self._memory.slots.pop(name, None)
                else:
                    self._memory.slots[name] = self._memory.fill(value)
        elif step.transfer is not None:
            self._out.append(Transfer(self._memory.fill(step.transfer)))
            return False
        else:
            self._out.append(HangUp())
            return False
        return True

    def _ask(self, name: str) -> None:
        self._asked = name
        self._times_asked += 1
        self._say(self._memory.fill(self._wording.pick(self._script.slots[name].ask)))

    def _use(self, name: str, given: dict[str, JsonValue]) -> None:
        tool = self._agent.snapshot.tools[name]
        skipped = self._luck.chance(self._flaws.skips_tools)
        arguments: dict[str, JsonValue] = {
            key: value for key, raw in given.items() if (value := self._memory.argument(raw)) is not None
        }
        if self._called.get(name) == arguments:
            return  # its answer is still known
        self._called[name] = arguments
        if tool.filler and not skipped and self._draws.chance(0.8):
            self._say(self._memory.fill(self._wording.pick(tool.filler)))
        result = self._memory.answer(tool, arguments)
        low, high = tool.latency_ms
        if not skipped:
            self._out.append(UseTool(name, arguments, result, round(self._draws.skewed(low, high))))
        self._memory.results[name] = result

    def _goodbye(self) -> None:
        self._say(self._memory.fill(self._wording.pick(self._script.goodbye)))
        self._out.append(HangUp())

    def _say(self, text: str) -> None:
        if text:
            self._out.append(Say(text))
