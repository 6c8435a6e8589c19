"""The test bot: it pursues the goals of its prompt until each is answered or refused, answers questions from its facts, and hangs up.

It hears the agent's words and nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from planner.sandbox.draws import Draws, Wording
from planner.sandbox.facts import look_up, topic
from planner.sandbox.listening import Heard, listen
from planner.sandbox.moods import LANGUAGES
from planner.sandbox.persona import EMPTY, Goal, Persona

Outcome = Literal["open", "answered", "refused"]

_WHEN = re.compile(r"\b(?:what|which) day|when would", re.IGNORECASE)
_LET_DOWN = ("All right, never mind then. Goodbye.", "Okay. Then that's all. Bye.", "I see. Well, goodbye then.")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the caller says; `hangs_up` right after."""

    text: str
    hangs_up: bool = False


@dataclass(slots=True)
class _Pursuit:
    goal: Goal
    outcome: Outcome = "open"
    is_optional: bool = False
    """Small talk and greetings: not what the call is judged by."""


class Caller:
    def __init__(self, persona: Persona, draws: Draws) -> None:
        self._persona = persona if persona.goals else EMPTY
        self._mood = persona.mood
        self._draws = draws
        self._wording = Wording(draws)
        self._pursuits = [_Pursuit(goal) for goal in self._persona.goals]
        if persona.language in LANGUAGES:
            opening = LANGUAGES[persona.language]
            self._pursuits.insert(0, _Pursuit(Goal(f"speak {persona.language}", (opening,)), is_optional=True))
        self._at = 0
        self._stated = False
        self._spoke = False
        self._push_backs = persona.push_backs
        self._fruitless = 0
        self._asked_again = False
        self._refused_once = False
        self._asked: dict[str, int] = {}

    @property
    def goals(self) -> tuple[tuple[str, str], ...]:
        return tuple((pursuit.goal.label, pursuit.outcome) for pursuit in self._pursuits if not pursuit.is_optional)

    @property
    def words_per_minute(self) -> int:
        return self._mood.words_per_minute

    def interrupts(self) -> bool:
        return self._draws.chance(self._mood.interrupts)

    def pick_up(self) -> Reply:
        """When the agent calls: how the phone is answered."""
        return Reply(self._wording.pick(("Hello?", "Yes, hello?", "Hi, who's this?")))

    def hear(self, text: str) -> Reply:
        """What the caller answers to one turn of the agent."""
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

    def left(self, last_words: str, *, transferred: bool) -> None:
        """The agent has ended the call, or put the caller through: the goal at hand is in other hands, or was dealt with last."""
        if self._stated and self._at < len(self._pursuits):
            heard = listen(last_words)
            if transferred or (heard.told and not heard.refuses):
                self._pursuits[self._at].outcome = "answered"

    # Goals

    def _told(self, heard: Heard) -> Reply:
        """The agent has said something about the current goal."""
        pursuit = self._pursuits[self._at]
        if heard.refuses:
            if self._push_backs > 0 and not pursuit.is_optional:
                self._push_backs -= 1
                return self._again(self._wording.pick(self._mood.grumbles))
            pursuit.outcome = "refused"
            if not self._refused_once and not pursuit.is_optional:
                self._refused_once = True
                extra = [_Pursuit(goal) for goal in self._persona.when_refused]
                self._pursuits[self._at + 1 : self._at + 1] = extra
        else:
            pursuit.outcome = "answered"
            if not self._asked_again and not pursuit.is_optional and self._draws.chance(self._mood.asks_again):
                self._asked_again = True
                return Reply(
                    self._wording.pick(
                        ("Sorry, could you say that again?", "I'm sorry, I didn't catch that. Could you repeat that?")
                    )
                )
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
        self._spoke = self._spoke or not pursuit.is_optional
        self._stated = True
        return Reply(self._hesitating(_joined(words)))

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
        if self._persona is EMPTY:
            return self._gives_up()
        self._fruitless += 1
        if self._fruitless > self._mood.patience:
            return self._gives_up()
        return Reply(_joined([lead, self._wording.pick(self._pursuits[self._at].goal.say)]))

    def _gives_up(self) -> Reply:
        return Reply(
            self._wording.pick(
                ("This isn't getting me anywhere. Goodbye.", "Forget it. Goodbye.", "I'll try another time. Goodbye.")
            ),
            True,
        )

    # Questions

    def _answer(self, heard: Heard, question: str) -> Reply:
        times = self._asked[question] = self._asked.get(question, 0) + 1
        if times > 1:
            self._fruitless += 1
            if self._fruitless > self._mood.patience or times > 3:
                return self._gives_up()
        return Reply(self._answered(heard, question))

    def _answered(self, heard: Heard, question: str) -> str:
        persona, kind = self._persona, heard.kind
        if kind is None and len(heard.offers) > 1:
            return self._choose(heard.offers)
        if kind == "reason":
            return self._hesitating(self._reason())
        withheld = kind is not None and any(words <= topic(kind) for words in persona.unknown)
        value = None if withheld else look_up(persona.facts, persona.unknown, f"{question} {kind or ''}")
        if value is not None:
            return self._hesitating(self._given(kind, value))
        if kind is None and heard.wants_yes_or_no:
            return self._yes_or_no(question)
        if kind is None and persona.preferences:
            return self._preference()
        if kind is None and _WHEN.search(question):
            return self._wording.pick(("Any day is fine.", "Whatever is free first."))
        return self._wording.pick(
            ("I don't know, sorry.", "I don't have that with me.", "I'm afraid I don't know that.")
        )

    def _given(self, kind: str | None, value: str) -> str:
        lead = {
            "order": ("It's {}.", "Order number {}.", "{}.", "Sure, it's {}."),
            "birth": ("{}.", "It's {}.", "I was born on {}."),
        }.get(kind or "", ("It's {}.", "{}.", "Sure, it's {}."))
        return self._wording.pick(lead).format(value)

    def _reason(self) -> str:
        pursuit = self._pursuits[min(self._at, len(self._pursuits) - 1)]
        if pursuit.goal.reason:
            return f"{pursuit.goal.reason[0].upper()}{pursuit.goal.reason[1:]}."
        if self._persona.background:
            return self._persona.background[0]
        if self._persona.intro:
            return self._persona.intro
        return self._wording.pick(pursuit.goal.say)

    def _yes_or_no(self, question: str) -> str:
        asked = topic(question)
        known = next((so for words, so in self._persona.assertions if words & asked), None)
        if known is not None:
            return self._wording.pick(("Yes.", "Yes, it is.") if known else ("No.", "No, it isn't."))
        if self._persona.accepts:
            return self._wording.pick(("Yes, please.", "Yes.", "Yes, that's right.", "Sure, go ahead."))
        return self._wording.pick(("No, thank you.", "No, I'd rather not."))

    def _preference(self) -> str:
        days = [word.capitalize() for word in sorted(self._persona.preferences) if word.endswith("day")]
        times = [word for word in sorted(self._persona.preferences) if not word.endswith("day")]
        return self._wording.pick(("{} would be best.", "{}, please.", "{} works for me.")).format(
            " ".join([*days[:1], *times[:1]]).capitalize()
        )

    def _choose(self, offered: tuple[str, ...]) -> str:
        """The offer that shares most with what the prompt prefers; else the first."""
        preferences = self._persona.preferences
        if preferences & {"latest", "last", "later", "second"}:
            choice = offered[-1]
        else:
            choice = max(offered, key=lambda offer: sum(_fits(word, offer) for word in preferences))
        return self._wording.pick(("{} works for me.", "Let's do {}.", "I'll take {}.", "{}, please.")).format(choice)

    def _hesitating(self, text: str) -> str:
        """With an "um", sometimes, as people do."""
        if not self._draws.chance(self._mood.disfluency):
            return text
        lead = self._wording.pick(("Um, ", "Uh, ", "So, um, ", "Well, "))
        first = text.split(" ", 1)[0].strip(".,!?")
        is_name = first in (self._persona.name or "").split() or (first[1:] != first[1:].lower())
        keep = (
            first.startswith("I'")
            or first in ("I", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
            or is_name
        )
        return lead + (text if keep or not first[:1].isalpha() else text[0].lower() + text[1:])


def _fits(word: str, offer: str) -> bool:
    offer = offer.lower().replace(" ", "")
    if word in ("morning", "afternoon", "evening"):
        return offer.endswith("am") if word == "morning" else offer.endswith("pm")
    return word.replace(".", "") in offer.replace(".", "")


def _joined(words: list[str]) -> str:
    """Sentences in a row; a lead that ends with a comma takes the next one in."""
    text = ""
    for word in filter(None, words):
        taken_in = text.endswith(",") and not re.match(r"(?:I|I'm|I'd|I've|I'll)\b", word)
        text = f"{text} {word[0].lower() + word[1:] if taken_in else word}" if text else word
    return text
