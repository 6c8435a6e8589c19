"""The test bot: it pursues the goals of its prompt until each is answered or refused, answers questions from its facts, and hangs up.

It hears the agent's words and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from planner.sandbox.agents.actions import keys_pressed
from planner.sandbox.callers.answering import Answering
from planner.sandbox.callers.listening import Heard, listen
from planner.sandbox.callers.moods import LANGUAGES
from planner.sandbox.callers.persona import EMPTY, Goal, Persona
from planner.sandbox.draws import Draws, Wording

Outcome = Literal["open", "answered", "refused"]

_LET_DOWN = ("All right, never mind then. Goodbye.", "Okay. Then that's all. Bye.", "I see. Well, goodbye then.")
_WRONG_NUMBER = (
    "Oh, I'm sorry, I must have dialled the wrong number. Goodbye.",
    "Oh, then I have the wrong number. Sorry to bother you. Bye.",
)
_GIVES_UP = ("This isn't getting me anywhere. Goodbye.", "Forget it. Goodbye.", "I'll try another time. Goodbye.")
_SAY_AGAIN = ("Sorry, could you say that again?", "I'm sorry, I didn't catch that. Could you repeat that?")
_CUTS_IN = (
    "Wait, hold on. Say that again?",
    "Sorry, let me stop you there. Could you repeat that?",
    "Hang on, hang on. Can you say that again?",
    "Stop, stop. One more time, can you repeat that?",
)
_MOST_CUTS = 2
_FOR_EVER_MS = 24 * 3_600_000
_ASIDE = 0.4
"""How likely a mood that has asides brings one between two goals."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the caller says, after `pause_ms` of silence and not at all when empty; `hangs_up` right after.

    `cuts_in`: it does not wait for the agent's end.
    """

    text: str
    hangs_up: bool = False
    pause_ms: int = 0
    cuts_in: bool = False


SILENCE = Reply("", pause_ms=_FOR_EVER_MS)
"""Never a word again."""


@dataclass(slots=True)
class _Pursuit:
    goal: Goal
    outcome: Outcome = "open"
    is_optional: bool = False
    """Small talk and greetings: not what the call is judged by."""


class Caller:
    """`whims` decides what the prompt leaves open, apart from the wording; `caller_number` is the bot's own, E.164."""

    def __init__(self, persona: Persona, draws: Draws, whims: Draws, caller_number: str) -> None:
        self._persona = persona if persona.goals else _without_goals(persona)
        self._mood = persona.mood
        self._draws = draws
        self._whims = whims
        self._wording = Wording(draws)
        self._answering = Answering(persona, draws, whims, self._wording, caller_number)
        self._behaviour = persona.behaviour
        self._pursuits = [_Pursuit(goal) for goal in self._persona.goals]
        if persona.language in LANGUAGES:
            opening = LANGUAGES[persona.language]
            self._pursuits.insert(0, _Pursuit(Goal(f"speak {persona.language}", (opening,)), is_optional=True))
        self._at = 0
        self._stated = False
        self._spoke = False
        self._keys = self._behaviour.keys
        self._pause_ms = round(self._behaviour.pause_seconds * 1000)
        self._cuts = _MOST_CUTS if self._behaviour.interrupts else 0
        self._push_backs = persona.push_backs
        self._arguments = list(persona.arguments)
        self._fruitless = 0
        self._asked_again = False
        self._refused_once = False
        self._asked: dict[str, int] = {}

    @property
    def goals(self) -> tuple[tuple[str, str], ...]:
        if self._behaviour.is_silent or self._behaviour.is_voicemail:
            return ()
        return tuple((pursuit.goal.label, pursuit.outcome) for pursuit in self._pursuits if not pursuit.is_optional)

    @property
    def words_per_minute(self) -> int:
        return self._mood.words_per_minute

    def interrupts(self) -> bool:
        return self._draws.chance(self._mood.interrupts)

    def pick_up(self) -> Reply:
        """When the agent calls: how the phone is answered."""
        if self._behaviour.is_voicemail:
            return self._voicemail()
        if self._behaviour.is_silent:
            return SILENCE
        return Reply(self._wording.pick(("Hello?", "Yes, hello?", "Hi, who's this?")))

    def hear(self, text: str) -> Reply:
        """What the caller answers to one turn of the agent."""
        if self._behaviour.is_voicemail:
            return self._voicemail()
        if self._behaviour.is_silent:
            return SILENCE
        if self._keys:
            keys, self._keys = self._keys, ""
            return Reply(keys_pressed(keys))
        objection = self._answering.objection(text)
        if objection:
            return Reply(objection)
        return self._after_a_pause(self._respond(text), listen(text))

    def left(self, last_words: str, *, transferred: bool) -> None:
        """The agent has ended the call, or put the caller through: the goal at hand is in other hands, or was dealt with last."""
        if self._stated and self._at < len(self._pursuits):
            heard = listen(last_words)
            if transferred or (heard.told and not heard.refuses):
                self._pursuits[self._at].outcome = "answered"

    def _respond(self, text: str) -> Reply:
        heard = listen(text)
        if heard.question is not None:
            return self._answer(heard, heard.question)
        if self._stated and heard.missed_it:
            return self._again("")
        if self._stated and heard.told:
            return self._told(heard)
        if self._stated:
            return self._again(self._wording.pick(self._mood.grumbles))
        return self._state()

    def _after_a_pause(self, reply: Reply, heard: Heard) -> Reply:
        if self._pause_ms and (heard.question is not None or not self._behaviour.pauses_at_question):
            pause_ms, self._pause_ms = self._pause_ms, 0
            return Reply(reply.text, reply.hangs_up, pause_ms)
        return reply

    def _voicemail(self) -> Reply:
        """A greeting, a tone, and then nothing."""
        if self._spoke:
            return SILENCE
        self._spoke = True
        who = f"you've reached {self._persona.name}" if self._persona.name else "you've reached my voicemail"
        return Reply(f"Hi, {who}. I can't take your call right now. Please leave a message after the tone. [tone]")

    # Goals

    def _told(self, heard: Heard) -> Reply:
        """The agent has said something about the current goal."""
        pursuit = self._pursuits[self._at]
        if self._cuts and not pursuit.is_optional:
            self._cuts -= 1
            return Reply(self._wording.pick(_CUTS_IN), cuts_in=True)
        if heard.refuses:
            if self._behaviour.has_wrong_number:
                pursuit.outcome = "refused"
                return Reply(self._wording.pick(_WRONG_NUMBER), hangs_up=True)
            if self._push_backs > 0 and not pursuit.is_optional:
                self._push_backs -= 1
                argument = self._arguments.pop(0) if self._arguments else self._wording.pick(self._mood.grumbles)
                return self._again(argument)
            pursuit.outcome = "refused"
            if not self._refused_once and not pursuit.is_optional:
                self._refused_once = True
                extra = [_Pursuit(goal) for goal in self._persona.when_refused]
                self._pursuits[self._at + 1 : self._at + 1] = extra
        else:
            pursuit.outcome = "answered"
            if not self._asked_again and not pursuit.is_optional and self._draws.chance(self._mood.asks_again):
                self._asked_again = True
                return Reply(self._wording.pick(_SAY_AGAIN))
        self._at += 1
        self._stated = False
        return self._state()

    def _state(self) -> Reply:
        """Say what is wanted next, or that this is all."""
        if self._at >= len(self._pursuits):
            let_down = self._pursuits[-1].outcome == "refused" and not self._mood.hangs_up
            return Reply(self._wording.pick(_LET_DOWN if let_down else self._mood.closings), self._mood.hangs_up)
        pursuit = self._pursuits[self._at]
        words = [self._wording.pick(pursuit.goal.say)]
        if pursuit.is_optional:
            pass
        elif not self._spoke:
            words = [*self._opening(), *words, self._wording.pick(self._mood.suffixes)]
        elif self._at and not self._pursuits[self._at - 1].is_optional:
            words.insert(0, self._wording.pick(self._mood.connectors))
            if self._mood.asides and self._whims.chance(_ASIDE):
                words.insert(0, self._whims.pick(self._mood.asides))
        self._spoke = self._spoke or not pursuit.is_optional
        self._stated = True
        return Reply(self._answering.hesitating(_joined(words)))

    def _opening(self) -> list[str]:
        words = [self._wording.pick(self._mood.openings)]
        if self._persona.language is not None:
            words = ["Okay, in English then."]
        name = self._persona.name
        if name is not None and self._draws.chance(self._mood.introduces):
            words.append(self._wording.pick((f"This is {name}.", f"My name is {name}.", f"{name} here.")))
        if self._persona.intro is not None:
            words.append(self._persona.intro)
        return words

    def _again(self, lead: str) -> Reply:
        """Press the same goal once more, until patience ends."""
        if self._persona.goals is EMPTY.goals:
            return self._gives_up()
        self._fruitless += 1
        if self._fruitless > self._mood.patience:
            return self._gives_up()
        return Reply(_joined([lead, self._wording.pick(self._pursuits[self._at].goal.say)]))

    def _gives_up(self) -> Reply:
        return Reply(self._wording.pick(_GIVES_UP), hangs_up=True)

    def _answer(self, heard: Heard, question: str) -> Reply:
        times = self._asked[question] = self._asked.get(question, 0) + 1
        if times > 1:
            self._fruitless += 1
            if self._fruitless > self._mood.patience or times > 3:
                return self._gives_up()
        pursued = self._pursuits[min(self._at, len(self._pursuits) - 1)].goal
        return Reply(self._answering.answer(heard, question, pursued))


def _without_goals(persona: Persona) -> Persona:
    """Somebody who wants nothing in particular still behaves as the prompt says."""
    return replace(persona, goals=EMPTY.goals, intro=None)


def _joined(words: list[str]) -> str:
    """Sentences in a row; a lead that ends with a comma takes the next one in."""
    text = ""
    for word in filter(None, words):
        taken_in = text.endswith(",") and not re.match(r"(?:I|I'm|I'd|I've|I'll)\b", word)
        text = f"{text} {word[0].lower() + word[1:] if taken_in else word}" if text else word
    return text
