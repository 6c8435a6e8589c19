"""Reading a scenario prompt: who the caller is, what it wants, in which order, and how it behaves.

A prompt is free text. Each sentence is taken for what it looks like: who you are, a fact, something to ask, say or want, how to behave, what to
do when refused, or background. Whatever is none of these is background; when nothing is wanted, the background is what the caller says.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from planner.sandbox.callers.behaviour import BUT, WRONG_NUMBER, Behaviour, behave, take_slip
from planner.sandbox.callers.facts import facts_in, look_up, topic, unknown_in
from planner.sandbox.callers.goals import CALLING, LEAD, STAGE, THEN, goals_of, subject_of
from planner.sandbox.callers.moods import CALM, language_of, mood_of
from planner.sandbox.callers.persona import Goal, Persona
from planner.sandbox.callers.rephrase import first_person, sentence

_INTRO_WORDS = 24
"""Background longer than this is not told unasked."""
_SENTENCES = re.compile(
    r"(?<!\bDr)(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bSt)(?<!\bNo)([.!?]+[\"”')]*)\s+(?=[\"“'(]?[A-ZÀ-ÖØ-Þ0-9¿¡])|\s*\n[\s*•-]*|;\s+"
)
_ROLE = re.compile(
    r"^(?:role-?play(?:ing)?|act|pretend|play)\b(?: as| to be| the role of| like)? ?(?P<who>.*)$",
    re.IGNORECASE | re.DOTALL,
)
_DOING = re.compile(
    r"\b(?:who (?:is |are )?)?(?P<verb>asking|wanting|trying|calling|complaining|looking|requesting|demanding|inquiring|hoping|asks|wants|needs|"
    r"complains|requests|demands|calls|wishes) (?P<rest>.+)$",
    re.IGNORECASE | re.DOTALL,
)
_BASE_VERB = {
    "asking": "ask", "asks": "ask", "wanting": "want", "wants": "want", "trying": "try", "complaining": "complain", "complains": "complain",
    "looking": "look", "requesting": "request", "requests": "request", "demanding": "demand", "demands": "demand", "inquiring": "inquire",
    "hoping": "want", "needs": "need", "calling": "ask", "calls": "ask", "wishes": "want",
}  # fmt: skip
_YOU_ARE = re.compile(
    r"^(?:you are|you're|you sound|you speak|you were born|your name|the caller is|the customer is)\b", re.IGNORECASE
)
_MANNER = re.compile(
    r"^(?:be|stay|remain|sound|act|(?:speak|talk)(?! (?:about|to|with)\b)|keep (?:calm|it|your)|use|get|become|behave|language)\b(?! (?:an? (?:appointment|refund)|the|my|your (?:money|order)))",
    re.IGNORECASE,
)
_WHEN_REFUSED = re.compile(
    r"^(?:if|when|should) (?:they|the \w+|he|she|it|you are|you're)\b[^,]*?(?:refuse|declin|can't|cannot|can not|won't|says? no|not able|unable|"
    r"not possible|do(?:es)? not|don't|doesn't)[^,]*, (?:then )?(?P<rest>.+)$",
    re.IGNORECASE,
)
_CONDITIONAL = re.compile(
    r"^(?:but |and )?(?:if|when|once|unless|until)\b(?! (?:they|you) (?:are|were) open)|^make sure\b", re.IGNORECASE
)
_PUSHES = re.compile(
    r"\b(?:insist|keep (?:asking|pushing|insisting|pressing)|push back|press (?:them|the agent|hard|for)|do(?:n't| not) (?:accept|take)|"
    r"persist|repeatedly|argu(?:e|ing)|ask (?:again|twice)|three times|keep at it|demand)\b",
    re.IGNORECASE,
)
_REFUSES = re.compile(
    r"^(?:(?:if|when|should)\b[^,]*\boffer[^,]*, (?:you )?)?(?:decline|refuse|reject|turn down|say no to|do(?:n't| not) (?:accept|agree|take))\b"
    r"(?! to (?:give|share|tell|provide|say))",
    re.IGNORECASE,
)
_FACT = r"your (?!goal|aim|task|job)[a-z][\w' -]{1,40}? (?:is|are) (?=[^,;]*(?-i:[A-Z0-9@+]))(?:(?! and you )[^,;])+"
_FACT_ONLY = re.compile(rf"^{_FACT}(?:,? and {_FACT})?$", re.IGNORECASE)
"""`Your order number is 12345.`: something to know, not to tell."""
_ASSERTION = re.compile(r"^(?:it|this|that) (?:is|isn't|was|wasn't|can|cannot|can't) (?P<what>.+)$", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not|never|cannot|no)\b|n't\b", re.IGNORECASE)
_POSSESSION = re.compile(r"^your (?!goal|aim|task|job|objective|mission)", re.IGNORECASE)
_PUSHING = re.compile(
    r"^(?:(?:keep|push|press on|persist|argue|repeat|ask again|ask twice)\b|insist(?: until .*| on (?:it|this|that|an? \w+))?[.!]*$)",
    re.IGNORECASE,
)
_ARGUMENT = re.compile(
    r"^(?:keep |continue |start )?(?:argu(?:e|ing)|insist(?:ing)?|claim(?:ing)?|say(?:ing)?) that (?P<what>(?:the |this )?(?:agent|they|it|you)\b.+)$",
    re.IGNORECASE,
)
"""`Keep arguing that the agent should make an exception.`: said when a goal is pressed again."""
_TO_THE_AGENT = re.compile(
    r"^(?:ignore|forget|disregard) (?:all |any )?(?:of )?(?:your|the|previous|prior)\b.*\binstructions?\b|"
    r"^(?:tell|give|read|show|send|sing|write) me\b",
    re.IGNORECASE,
)
"""Said to the agent as it stands: nobody tells a caller to give *me* anything."""
_PREFERENCE = re.compile(
    r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b|\b(?:morning|afternoon|evening|noon|earliest|latest|first|second|last|later|soonest)\b|"
    r"\b\d{1,2}(?::\d\d)? ?[ap]\.?m\b|\b\d{1,2}:\d\d\b",
    re.IGNORECASE,
)


@lru_cache(maxsize=2048)
def read_prompt(prompt: str) -> Persona:
    """Never fails; an empty prompt gives a caller without goals."""
    text = prompt.strip()
    facts, unknown = facts_in(text), unknown_in(text)
    reading = _Reading()
    for part in _split(text):
        reading.take(part)
    goals = tuple(reading.goals)
    background = tuple(reading.background)
    if not goals and reading.subject is not None:
        goals = (reading.subject,)
    elif not goals and background:
        goals = (Goal(" ".join(background), (" ".join(background),)),)
    mood = mood_of(" ".join(reading.manner)) if reading.manner else CALM
    return Persona(
        name=look_up(facts, unknown, "name"),
        intro=_intro(reading),
        mood=mood,
        language=language_of(" ".join(reading.manner)),
        goals=goals,
        when_refused=tuple(reading.when_refused),
        facts=facts,
        unknown=unknown,
        background=background,
        assertions=tuple(reading.assertions),
        preferences=frozenset(match.lower().replace(" ", "") for match in _PREFERENCE.findall(text)),
        accepts=reading.accepts,
        push_backs=mood.push_backs + (2 if _PUSHES.search(text) else 0),
        arguments=tuple(reading.arguments),
        behaviour=reading.behaviour,
    )


def _intro(reading: _Reading) -> str | None:
    if not reading.goals:
        return None
    if reading.subject is not None:
        return reading.subject.say[-1]
    short = (text for text in reading.background if len(text.split()) <= _INTRO_WORDS)
    return next(short, None)


def _split(text: str) -> list[str]:
    """Sentences, each with its punctuation."""
    parts: list[str] = []
    start = 0
    for match in _SENTENCES.finditer(text):
        parts.append(text[start : match.end(1) if match[1] else match.start()].strip())
        start = match.end()
    parts.append(text[start:].strip())
    return [part for part in parts if part]


class _Reading:
    """What the sentences so far have given."""

    def __init__(self) -> None:
        self.goals: list[Goal] = []
        self.when_refused: list[Goal] = []
        self.background: list[str] = []
        self.manner: list[str] = []
        self.subject: Goal | None = None
        """What the call is said to be about."""
        self.accepts = True
        self.assertions: list[tuple[frozenset[str], bool]] = []
        self.behaviour = Behaviour()
        self.arguments: list[str] = []

    def take(self, part: str) -> None:
        part = self._behave(part)
        if not part:
            return
        misdialled = WRONG_NUMBER.search(part)
        if misdialled:
            self.behaviour = replace(self.behaviour, has_wrong_number=True)
            self.goals += goals_of(
                re.sub(r"^,?(?: and)?(?: you)?\s*", "", part[misdialled.end() :], flags=re.IGNORECASE)
            )
            return
        refused = _WHEN_REFUSED.match(part)
        if refused:
            self.when_refused += goals_of(refused["rest"])
            return
        bare = LEAD.sub("", part).strip()
        if _CONDITIONAL.match(bare):
            return
        if re.match(r"(?:politely|calmly|angrily|rudely|firmly|impatiently|nervously)\b", part, re.IGNORECASE):
            self.manner.append(part.split(maxsplit=1)[0])
        role = _ROLE.match(bare)
        if role or _YOU_ARE.match(bare):
            self._who(role["who"] if role else bare)
            return
        if _TO_THE_AGENT.match(bare):
            self.goals.append(Goal(bare.strip(" ."), (sentence(bare),)))
            return
        argument = _ARGUMENT.match(bare)
        if argument and self.goals:
            self.arguments.append(sentence(first_person(re.sub(r"\bthey\b", "the agent", argument["what"]))))
            return
        assertion = _ASSERTION.match(bare)
        if assertion:
            self.assertions.append((topic(assertion["what"]), _NEGATION.search(bare) is None))
            return
        if _REFUSES.match(part):
            self.accepts = False
            return
        if _MANNER.match(bare):
            self.manner.append(bare)
            return
        if _FACT_ONLY.match(bare) or _PUSHING.match(bare) or unknown_in(bare):
            return
        subject = subject_of(bare) if self.subject is None else None
        if subject is not None:
            self.subject = subject
            return
        if _POSSESSION.match(bare):
            statement, *wishes = THEN.split(bare)
            self.background.append(sentence(first_person(statement)))
            self.goals += [goal for wish in wishes for goal in goals_of(wish)]
            return
        goals = goals_of(bare)
        if goals:
            self.goals += goals
        elif not STAGE.match(bare):
            self.background.append(sentence(first_person(bare)))

    def _behave(self, part: str) -> str:
        """What is left of a sentence when clauses about behaviour are taken out."""
        part, self.behaviour = take_slip(part, self.behaviour)
        clauses = [clause for piece in THEN.split(part) for clause in BUT.split(piece)]
        left: list[str] = []
        for clause in clauses:
            behaviour = behave(LEAD.sub("", clause), self.behaviour)
            if behaviour is None:
                left.append(clause)
            else:
                self.behaviour = behaviour
        return part if len(left) == len(clauses) else ", then ".join(left)

    def _who(self, text: str) -> None:
        """`You are Ana, furious, calling about order 12345 and ask …`: manner first, then maybe what is wanted."""
        calling = CALLING.search(text)
        doing = None if calling else _DOING.search(text)
        hit = calling or doing
        self.manner.append(text[: hit.start()] if hit else text)
        if calling:
            self.subject = subject_of(calling[0])
            self.goals += goals_of(calling[0]) if self.subject is None else []
        elif doing:
            verb = _BASE_VERB.get(doing["verb"].lower(), doing["verb"].lower())
            self.goals += goals_of(f"{verb} {doing['rest']}")
