"""What the test bot answers when it is asked something: from the facts of its prompt, or as people do who have none at hand."""

from __future__ import annotations

import re

from planner.sandbox.agents.actions import keys_pressed
from planner.sandbox.agents.slips import swapped
from planner.sandbox.callers.facts import look_up, topic
from planner.sandbox.callers.listening import Heard
from planner.sandbox.callers.persona import Goal, Persona
from planner.sandbox.draws import Draws, Wording

_WHEN = re.compile(r"\b(?:what|which) day|when would", re.IGNORECASE)
_CAN_YOU = re.compile(r"^(?:so,? |and |then )*(?:can|could|will|are) (?:you|somebody|someone)\b", re.IGNORECASE)
_DIGITS = re.compile(r"(?<![\w-])\d[\d-]{3,}\d(?![\w-])")
_NAMES = ("Alex Morgan", "Dana Novak", "Sam Keller", "Robin Hayes", "Kim Larsen", "Jo Bennett", "Chris Moreau")
_BIRTHS = ("May 17, 1988", "September 2, 1974", "January 29, 1995", "July 8, 1967", "November 21, 1981")
_GIVES_BACK = re.compile(r"\b(?:return|refund|money|back|cancel|exchange)\b", re.IGNORECASE)
_NO_REASON = ("It's just not what I expected.", "I've changed my mind, that's all.", "I'd rather not go into details.")
_UNKNOWN = ("I don't know, sorry.", "I don't have that with me.", "I'm afraid I don't know that.")
_SURE = {
    "order": ("It's {}.", "Order number {}.", "{}.", "Sure, it's {}."),
    "birth": ("{}.", "It's {}.", "I was born on {}."),
}


class Answering:
    """`whims` decides what the prompt leaves open (a name, a slip of the tongue), apart from the wording."""

    def __init__(self, persona: Persona, draws: Draws, whims: Draws, wording: Wording, caller_number: str) -> None:
        self._persona = persona
        self._draws = draws
        self._wording = wording
        self._slip = persona.behaviour.slip
        self._slip_waits = whims.chance(0.5)
        """Whether a slip is put right in the caller's next turn, not in the same breath."""
        self._invented = {"name": whims.pick(_NAMES), "birth": whims.pick(_BIRTHS), "phone": caller_number}
        self._put_right = ""
        self._objections = 2

    def objection(self, text: str) -> str:
        """What the caller says when the agent has a number wrong, be it its own slip or the agent's ears; "" when nothing is wrong."""
        right, self._put_right = self._put_right, ""
        if right:
            lines = ("Sorry, I mixed that up: I meant {}.", "No, sorry, it's {}.", "Wait, no, it's {}. I misread it.")
            return self._wording.pick(lines).format(right)
        if self._objections:
            for value in (match[0] for fact in self._persona.facts for match in _DIGITS.finditer(fact.value)):
                said = {match[0] for match in _DIGITS.finditer(text)}
                if value not in said and any(sorted(number) == sorted(value) for number in said):
                    self._objections -= 1
                    return self._wording.pick(
                        ("No, it's {}.", "No, sorry, it's {}.", "That's not right, it's {}.")
                    ).format(value)
        return ""

    def answer(self, heard: Heard, question: str, pursued: Goal) -> str:
        persona, kind = self._persona, heard.kind
        if kind is None and len(heard.offers) > 1:
            return self._choose(heard.offers)
        if kind == "reason":
            return self.hesitating(self._reason(pursued))
        withheld = any(words <= topic(f"{question} {kind or ''}") for words in persona.unknown)
        value = None if withheld else look_up(persona.facts, persona.unknown, f"{question} {kind or ''}")
        if value is None and not withheld:
            value = self._invented.get(kind or "") or None
        if value is not None:
            return self._given(kind, value)
        if kind is None and heard.wants_yes_or_no:
            return self._yes_or_no(question)
        if kind is None and persona.preferences:
            return self._preference()
        if kind is None and _WHEN.search(question):
            return self._wording.pick(("Any day is fine.", "Whatever is free first."))
        return self._wording.pick(_UNKNOWN)

    def _given(self, kind: str | None, value: str) -> str:
        """The value, in words or on the keypad; with a slip when the prompt asks for one."""
        number = re.sub(r"\D", "", value)
        if self._persona.behaviour.uses_keypad and number and kind != "birth":
            return keys_pressed(f"{number}#" if kind != "phone" else number)
        slip = self._slip
        wrong = (slip.wrong or swapped(value)) if slip is not None else value
        if slip is not None and wrong != value and (not slip.about or topic(kind or "") <= slip.about or kind is None):
            self._slip = None
            lead = self._wording.pick(_SURE.get(kind or "", ("It's {}.", "{}.", "Sure, it's {}.")))
            if self._slip_waits:
                self._put_right = value
                return lead.format(wrong)
            lines = ("No, wait, it's {}.", "No, sorry, {}.", "I mean {}.", "Wait, no, {}.")
            return f"{lead.format(wrong)} {self._wording.pick(lines).format(value)}"
        return self.hesitating(
            self._wording.pick(_SURE.get(kind or "", ("It's {}.", "{}.", "Sure, it's {}."))).format(value)
        )

    def _reason(self, pursued: Goal) -> str:
        if pursued.reason:
            return f"{pursued.reason[0].upper()}{pursued.reason[1:]}."
        if self._persona.background:
            return self._persona.background[0]
        if self._persona.intro:
            return self._persona.intro
        return self._wording.pick(_NO_REASON if _GIVES_BACK.search(pursued.label) else pursued.say)

    def _yes_or_no(self, question: str) -> str:
        asked = topic(question)
        known = next((so for words, so in self._persona.assertions if words & asked), None)
        if known is not None:
            return self._wording.pick(("Yes.", "Yes, it is.") if known else ("No.", "No, it isn't."))
        if self._persona.accepts:
            asks_me = _CAN_YOU.match(question) is not None
            return self._wording.pick(
                ("Yes, I can.", "Yes, okay.", "Okay, yes.")
                if asks_me
                else ("Yes, please.", "Yes.", "Yes, that's right.", "Sure, go ahead.")
            )
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

    def hesitating(self, text: str) -> str:
        """With an "um", sometimes, as people do."""
        if not self._draws.chance(self._persona.mood.disfluency):
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
