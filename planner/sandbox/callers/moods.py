"""How callers sound: the moods a prompt may ask for, and what each does to wording, pace and patience."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mood:
    """`words_per_minute` of speech; `patience`: fruitless turns endured; `push_backs`: refusals not taken at once;
    `interrupts`, `disfluency`, `asks_again`: probabilities per turn."""

    name: str
    openings: tuple[str, ...]
    connectors: tuple[str, ...]
    closings: tuple[str, ...]
    grumbles: tuple[str, ...]
    """Said before pressing a goal again."""
    words_per_minute: int = 155
    patience: int = 6
    push_backs: int = 0
    interrupts: float = 0.03
    disfluency: float = 0.08
    asks_again: float = 0.0
    introduces: float = 0.4
    """How likely it opens with its name."""
    suffixes: tuple[str, ...] = ("",)
    """Said after the first goal."""
    asides: tuple[str, ...] = ()
    """Said between goals, about nothing the agent can help with."""
    hangs_up: bool = False
    """Whether it hangs up after its goodbye without waiting."""


CALM = Mood(
    "calm",
    openings=("Hi.", "Hello.", "Hi there.", "Yes, hello."),
    connectors=("And one more thing.", "Also,", "And then,", "One more thing."),
    closings=(
        "That's all, thank you. Bye.",
        "No, that's everything. Thanks, goodbye.",
        "Great, that's all I needed. Goodbye.",
    ),
    grumbles=("I understand, but still.", "Hm, but I'd still like to ask."),
)
_MOODS: tuple[tuple[str, Mood], ...] = (
    (
        r"furious|angry|angrily|irate|livid|enraged|outraged|rude|rudely|shout\w*|yell\w*|aggressive|hostile|fuming|mad\b|very upset",
        Mood(
            "furious",
            openings=("Finally, a human voice.", "Okay, listen.", "Right, listen to me.", "I am not happy at all."),
            connectors=("And another thing!", "And while we're at it,", "And you can answer me this, too."),
            closings=("Fine. Goodbye.", "Unbelievable. Bye.", "That's it, I'm done. Goodbye."),
            grumbles=("That's not good enough!", "No. I don't accept that.", "Are you even listening to me?"),
            words_per_minute=185,
            patience=4,
            push_backs=1,
            interrupts=0.25,
            disfluency=0.02,
            introduces=0.1,
            suffixes=("", "And don't give me the runaround.", "This is ridiculous."),
            hangs_up=True,
        ),
    ),
    (
        r"impatient\w*|in a (?:\w+ )?(?:hurry|rush)|hurried|rushed|frustrated|annoyed|irritated|curt|busy|short-tempered|pushy",
        Mood(
            "impatient",
            openings=("Yeah, hi.", "Hi, quick question.", "Hi, I don't have much time."),
            connectors=("And quickly,", "Next.", "Okay, also."),
            closings=("Okay, got it. Bye.", "That's all. Bye.", "Right, thanks, bye."),
            grumbles=("Come on.", "I don't have all day.", "Again, then."),
            words_per_minute=180,
            patience=3,
            interrupts=0.3,
            disfluency=0.03,
            introduces=0.15,
            suffixes=("", "Quickly, please."),
        ),
    ),
    (
        r"confused|forgetful|elderly|unsure|disoriented|hesitant|hard of hearing",
        Mood(
            "confused",
            openings=("Oh, hello?", "Um, hello.", "Hello, yes, um, hello."),
            connectors=("Oh, and, um,", "What else... oh yes.", "And, sorry, one more."),
            closings=(
                "Oh, good. That's all then, thank you, dear. Goodbye.",
                "All right, I think that's all. Thank you. Bye bye.",
            ),
            grumbles=("I'm sorry, I don't follow.", "Hm, I'm not sure I understand."),
            words_per_minute=128,
            patience=9,
            disfluency=0.35,
            asks_again=0.5,
        ),
    ),
    (
        r"anxious|worried|nervous|scared|panick\w*|distressed|crying|frightened|stressed|upset|desperate|in pain",
        Mood(
            "anxious",
            openings=("Hi, um, hello.", "Oh thank goodness, hello.", "Hello, I hope you can help me."),
            connectors=("And, um,", "There's one more thing, sorry.", "And I also wanted to ask."),
            closings=("Okay. Okay, thank you so much. Bye.", "Thank you, that's all. Goodbye."),
            grumbles=("But I really don't know what to do.", "Please, it matters to me."),
            words_per_minute=170,
            disfluency=0.25,
            push_backs=1,
        ),
    ),
    (
        r"chatty|talkative|rambl\w*|cheerful|jolly|bubbly",
        Mood(
            "chatty",
            openings=(
                "Hello there, how are you today?",
                "Oh hi, lovely to hear a friendly voice.",
                "Hey, hope you're having a good day.",
            ),
            connectors=("Oh, and while I have you.", "That reminds me.", "You know what, also,"),
            closings=(
                "Wonderful, that's all, you've been a star. Bye now!",
                "Perfect, thanks a million, that's everything. Bye bye!",
            ),
            grumbles=("Oh, go on.", "Well, I thought I'd ask anyway."),
            asides=(
                "My neighbour told me about you, she's been so happy.",
                "It's been raining here all week, would you believe it.",
                "I was just telling my daughter about this over coffee.",
                "The dog is barking again, never mind him.",
            ),
            words_per_minute=165,
            patience=8,
            disfluency=0.15,
            introduces=0.7,
        ),
    ),
    (
        r"polite|politely|friendly|kind\b(?! of)|courteous|warm|pleasant|nice|calm and polite|respectful",
        Mood(
            "polite",
            openings=(
                "Hello, thanks for picking up.",
                "Hi, thank you for taking my call.",
                "Hello, I hope you're well.",
            ),
            connectors=(
                "If I may, one more question.",
                "And, if you don't mind,",
                "Thank you. One more thing, please.",
            ),
            closings=(
                "No, that's all. Thank you very much for your help. Goodbye.",
                "That's everything, thank you so much. Goodbye.",
            ),
            grumbles=("I do understand, but may I ask once more?", "I'm sorry to insist."),
            patience=8,
            introduces=0.6,
        ),
    ),
    (
        r"terse|brief|laconic|quiet|shy|reserved|private person|monosyllabic",
        Mood(
            "terse",
            openings=("Hi.", "Yes, hello."),
            connectors=("Also.", "Next question."),
            closings=("That's all. Bye.", "Okay. Bye."),
            grumbles=("Still.",),
            words_per_minute=145,
            disfluency=0.0,
            introduces=0.0,
        ),
    ),
)
_PATTERNS = tuple((re.compile(rf"\b(?<!not )(?<!n't )(?:{pattern})", re.IGNORECASE), mood) for pattern, mood in _MOODS)


def mood_of(text: str) -> Mood:
    """The first mood the text names, else calm."""
    found = [(match.start(), mood) for pattern, mood in _PATTERNS if (match := pattern.search(text))]
    return min(found, key=lambda hit: hit[0])[1] if found else CALM


LANGUAGES: dict[str, str] = {
    "spanish": "Hola, buenos días. ¿Habla español?",
    "french": "Bonjour. Est-ce que vous parlez français ?",
    "german": "Guten Tag. Sprechen Sie Deutsch?",
    "portuguese": "Olá, bom dia. O senhor fala português?",
    "italian": "Buongiorno. Parla italiano?",
    "dutch": "Goedendag. Spreekt u Nederlands?",
    "polish": "Dzień dobry. Czy mówi pan po polsku?",
    "mandarin": "您好，请问您会说中文吗？",
    "chinese": "您好，请问您会说中文吗？",
    "hindi": "नमस्ते। क्या आप हिन्दी बोलते हैं?",
    "vietnamese": "Xin chào. Anh có nói tiếng Việt không?",
}
"""How a caller of that language opens; it goes on in English once it knows that nobody speaks it."""
_LANGUAGE = re.compile(
    rf"\b(?:speak(?:s|ing)?|talk|in|language(?: is)?:?|only)\s+(?:only\s+)?({'|'.join(LANGUAGES)})\b|\b({'|'.join(LANGUAGES)})[- ]speak",
    re.IGNORECASE,
)


def language_of(text: str) -> str | None:
    match = _LANGUAGE.search(text)
    return (match[1] or match[2]).lower() if match else None
