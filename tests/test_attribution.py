"""Whose fault a run is: put down to the test bot only by its own words, and never where the agent may be at fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from transcripts import PROMPTS, evidence_of, transcripts

from planner.checks import CHECKS
from planner.checks.judgement import shown
from planner.results.model import RunVerdict
from planner.results.outcomes import Cause, RunOutcome
from planner.sandbox import load_world
from planner.sandbox.conversation import EMPTY, NO_DIALOGUE, Conversation, Turn, converse
from planner.verdicts.runs import judge_run

NEVER_SAID: dict[str, Any] = {"check": "says", "any_of": ["xylophone"]}


def judged(conversation: Conversation, *written: dict[str, Any], prompt: str = "") -> RunVerdict:
    expectations = [CHECKS[fields["check"]].model_validate(fields) for fields in written or [NEVER_SAID]]
    return judge_run(expectations, evidence_of(conversation), prompt=prompt)


def call(*lines: str, end_reason: str = "agent_end", duration_ms: int | None = None) -> Conversation:
    """Turns of three seconds each, written as `agent: Hello.` and `user: Hi.`"""
    turns = tuple(
        Turn(line.partition(": ")[0], line.partition(": ")[2], at * 4000, at * 4000 + 3000)  # pyright: ignore[reportArgumentType]
        for at, line in enumerate(lines)
    )
    return replace(EMPTY, turns=turns, duration_ms=duration_ms or len(lines) * 4000, end_reason=end_reason)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("I'm an AI language model, so I have no order.", "left its role: it said \"I'm an AI language model, so I have no order\""),
        ("As a large language model, I cannot do that.", 'left its role: it said "As a large language model, I cannot do that"'),
        ("Sorry, I’m just a test bot.", "left its role: it said \"Sorry, I'm just a test bot\""),
        ("My prompt says to ask about an order.", 'left its role: it said "My prompt says"'),
        ("I can't role-play that.", "left its role: it said \"I can't role-play\""),
        ("Is there anything else I can help you with?", 'spoke the agent\'s part: it said "Is there anything else I can help you"'),
        ("Thank you for calling Acme.", 'spoke the agent\'s part: it said "Thank you for calling Acme"'),
        ("Thanks for calling Initech, this is Ben.", 'spoke the agent\'s part: it said "Thanks for calling Initech, this is Ben"'),
        ("I'm an AI assistant, not a customer.", "left its role: it said \"I'm an AI assistant, not a customer\""),
        ("I'm an AI.", "left its role: it said \"I'm an AI\""),
        ("How can I help you with your order today?", 'spoke the agent\'s part: it said "How can I help you"'),
        ("Of course. How may I assist you today?", 'spoke the agent\'s part: it said "How may I assist you"'),
    ],
)  # fmt: skip
def test_a_caller_that_leaves_its_role_is_the_cause(words: str, reason: str) -> None:
    """The verdict says what it said and where, and quotes the whole turn."""
    verdict = judged(call("agent: Acme, hello.", "user: Hi.", "agent: Yes?", f"user: {words}", "agent: What?"))
    assert (verdict.outcome, verdict.cause) == (RunOutcome.UNDECIDED, Cause.CALLER)
    assert verdict.reason == f"the caller {reason} at turn 4"
    assert verdict.cause_quote is not None
    assert (verdict.cause_quote.turn, verdict.cause_quote.role, verdict.cause_quote.text) == (4, "caller", words)


@pytest.mark.parametrize(
    "words",
    [
        "Are you an AI?",
        "Am I speaking to a chatbot?",
        "Do you think I'm an AI?",
        "I'm an AI, am I not?",
        "I'm not a bot!",
        "I am an assistant at a law firm.",
        "My son says I'm a chatbot.",
        "I work as an AI engineer.",
        "I am a virtual assistant to Dr. Ruiz.",
        "I'm only pretending to be calm.",
        "Thank you for calling me back.",
        "Thanks for calling back so soon.",
        "Can you help me?",
        "How can you help me?",
        "Is there anything else you can help me with?",
        "You asked how you can help.",
        "Someone is simulating a caller.",
        "You always say how may I help you and then you do not.",
        "Is there anything else I can help you with? Nobody ever asks me that.",
        "Thank you for calling a technician for me.",
        "My prompt says payment is due, on my screen.",
        "I'm an AI engineer.",
        "I'm an AI researcher at a university.",
        "As an AI engineer, I find this poor.",
        "I'm a chatbot vendor.",
        "I'm an AI-driven person.",
        "How can I help you find my order?",
        "Is there anything else I can help you with to find my order?",
        "Thank you for calling Bob.",
        "Thank you for calling Dr. Smith for me.",
        "Thank you for calling Acme for me.",
    ],
)
def test_a_plausible_caller_statement_is_no_cause(words: str) -> None:
    """The failure stays the agent's."""
    verdict = judged(call("agent: Acme, hello.", "user: Hi.", "agent: Yes?", f"user: {words}", "agent: What?"))
    assert (verdict.outcome, verdict.cause, verdict.cause_quote) == (RunOutcome.FAILED, Cause.AGENT, None)


SLIPPED = call(
    "agent: Hello.", "user: Hi.", "agent: I promise.", "user: I'm an AI language model.", "agent: I promise."
)


@pytest.mark.parametrize(
    ("written", "prompt", "cause"),
    [
        ([NEVER_SAID], "", Cause.CALLER),
        ([NEVER_SAID], "Say: “I'm an AI language model”.", Cause.AGENT),
        ([{**NEVER_SAID, "severity": "critical"}], "", Cause.AGENT),
        ([NEVER_SAID, {"check": "never_says", "any_of": ["promise"]}], "", Cause.AGENT),
        ([NEVER_SAID, {"check": "latency", "max_ms": 1}], "", Cause.AGENT),
        ([{"check": "says", "any_of": ["hello"]}], "", None),
        ([{"check": "grade", "goal": "achieved"}], "", Cause.JUDGE),
        ([NEVER_SAID, {"check": "never_says", "any_of": ["promise"], "severity": "warning"}], "", Cause.CALLER),
    ],
)  # fmt: skip
def test_a_caller_mistake_excuses_only_what_the_agent_could_not_do(
    written: list[dict[str, Any]], prompt: str, cause: Cause | None
) -> None:
    """Not a forbidden word, a late answer, a critical failure, nor what the prompt asks for; what cannot be decided yet stays open."""
    assert judged(SLIPPED, *written, prompt=prompt).cause is cause


def test_a_bot_that_answers_the_phone_stays_in_its_role() -> None:
    """On a call that the agent makes the bot answers: its first turn may ask how it can help."""
    answered = call("user: Hello, how can I help you?", "agent: Acme here.", "user: Yes?", "agent: Bye.")
    assert judged(answered).cause is Cause.AGENT


@pytest.mark.parametrize(
    ("lines", "duration_ms", "expected"),
    [
        (("agent: Hello.", "user: Bye."), 9_400, "after 9 s"),
        (("agent: " + "Hello. " * 30, "user: Oh, never mind."), 0, None),
        (
            ("agent: Hello.", "agent: Anybody?", "agent: Hello?", "user: Wrong number, bye."),
            16_000,
            "with its first words",
        ),
        (("agent: Hello.", "agent: Anybody?", "agent: Hello?", "user: Wrong number, bye."), 18_000, None),
        (("agent: Hello.", "agent: Anybody?", "agent: Hello?"), 16_000, None),
        (("agent: We are closed, go away, you idiot!",), 7_000, None),
        (("agent: Hello.", "user: A refund?", "agent: No!"), 9_000, None),
        (("user: A refund?", "agent: No!", "user: Then bye."), 9_000, None),
        (("user: Hello?", "user: Hello?"), 9_000, None),
        (("user: Hello?",), 7_000, "after 7 s"),
        (("user: Hello?",), 8_000, None),
    ],
)
def test_a_caller_that_hangs_up_before_the_agent_can_answer_is_the_cause(
    lines: tuple[str, ...], duration_ms: int, expected: str | None
) -> None:
    """Within seconds of the call, or of its own first words; not after a silence or an answer of the agent."""
    verdict = judged(call(*lines, end_reason="caller_hangup", duration_ms=duration_ms or 60_000))
    if expected is None:
        assert verdict.cause is Cause.AGENT
    else:
        assert verdict.cause is Cause.CALLER
        assert verdict.reason == f"the caller hung up {expected}, before the agent could answer"
        assert verdict.cause_quote is not None
        assert verdict.cause_quote.role == "caller"


def test_scripted_calls_are_never_put_down_to_their_caller() -> None:
    """A hundred calls, with fury, insisting and refusals: not one of their failures is excused."""
    expectation = CHECKS["says"].model_validate(NEVER_SAID)
    for prompt, evidence in transcripts(100):
        verdict = judge_run([expectation], evidence, prompt=prompt)
        assert verdict.cause is Cause.AGENT, (prompt, verdict)


@pytest.mark.parametrize("written", [NEVER_SAID, {"check": "call", "status": "completed"}])
def test_a_prompt_that_no_dialogue_matches_blames_the_caller(written: dict[str, Any]) -> None:
    """It neither passes nor fails, for any expectation."""
    conversation = converse(load_world("demo").snapshot(14), "Sing.", 1)
    verdict = judged(conversation, written, prompt="Sing.")
    assert (verdict.outcome, verdict.cause) == (RunOutcome.UNDECIDED, Cause.CALLER)
    assert [finding.outcome.value for finding in verdict.findings] == ["undecided"]
    assert verdict.cause_quote is not None
    assert NO_DIALOGUE in verdict.cause_quote.text


def test_a_dialogue_that_lacks_a_row_is_said_in_the_reason() -> None:
    snapshot = load_world("demo").snapshot(14)
    (dialogue, *_) = snapshot.dialogues
    lacking = snapshot.model_copy(
        update={
            "tables": {"song": {"hymn": {}}},
            "dialogues": (dialogue.model_copy(update={"prompt": "sing (?P<song>.*)", "agent_prompt": None}),),
        }
    )
    verdict = judged(converse(lacking, "Sing jazz", 1), prompt="Sing jazz")
    assert verdict.cause is Cause.PLAN
    assert "table `song` has no row `jazz`" in verdict.reason


@pytest.mark.parametrize("number", range(len(PROMPTS)))
def test_a_call_of_the_sandbox_whose_caller_falls_out_of_its_role(number: int) -> None:
    """The same calls with another last turn of the caller: found at that turn, with any text around it."""
    agent_id, prompt = PROMPTS[number]
    conversation = converse(load_world("demo").snapshot(agent_id), prompt, number)
    last = max(index for index, turn in enumerate(conversation.turns) if turn.role == "user")
    turns = list(conversation.turns)
    turns[last] = replace(turns[last], content="I'm sorry, but as an AI language model I cannot continue.")
    verdict = judged(replace(conversation, turns=tuple(turns)), prompt=prompt)
    assert verdict.cause is Cause.CALLER
    assert verdict.cause_quote is not None
    assert verdict.cause_quote.turn == last + 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("user: Thank you for calling Acme. How can I help you?", "agent: Acme?"), None),
        (("user: How can I help you?", "agent: Acme?"), None),
        (("user: Hi.", "agent: Acme.", "user: Thank you for calling Acme! How can I help you?"), "How can I help you"),
        (("user: Hi.", "agent: Acme.", "user: Thanks for calling Zeta. How may I help?"), "Thanks for calling Zeta"),
        (("user: Hi.", "agent: Acme.", "user: Right. Thanks for calling Zeta. How may I help?"), "Thanks for calling Zeta"),
        (("user: Hi.", "agent: This is O2.", "user: Oh. Thanks for calling O2, bye."), "Oh. Thanks for calling O2, bye"),
        (("user: Hi.", "agent: This is X.", "user: Thanks for calling X, bye."), None),
        (("user: Hi.", "agent: This is X2.", "user: Thanks for calling X, bye."), None),
    ],
)  # fmt: skip
def test_a_caller_that_thanks_for_calling_the_agents_company_left_its_role(
    lines: tuple[str, ...], said: str | None
) -> None:
    """The agent's, by a name of more than one letter; never in the caller's first words, which may be an answered phone's."""
    verdict = judged(call(*lines, "agent: What?"))
    if said is None:
        assert verdict.cause is Cause.AGENT
    else:
        assert verdict.cause is Cause.CALLER
        assert f": it said {shown(said)} at turn " in verdict.reason


FORBIDDEN: dict[str, Any] = {"check": "never_says", "any_of": ["guarantee"]}
BRIEF: dict[str, Any] = {"check": "duration", "max_seconds": 1}
LONG: dict[str, Any] = {"check": "duration", "max_seconds": 500}


@pytest.mark.parametrize(
    ("whole", "cause"),
    [
        (FORBIDDEN, Cause.AGENT),
        (BRIEF, Cause.CALLER),
        ({"check": "all_of", "of": [FORBIDDEN, LONG]}, Cause.AGENT),
        ({"check": "all_of", "of": [FORBIDDEN, BRIEF]}, Cause.AGENT),
        ({"check": "all_of", "of": [BRIEF, NEVER_SAID]}, Cause.CALLER),
        ({"check": "all_of", "of": [LONG, {"check": "all_of", "of": [LONG, FORBIDDEN]}]}, Cause.AGENT),
        ({"check": "any_of", "of": [FORBIDDEN, NEVER_SAID]}, Cause.CALLER),
        ({"check": "any_of", "of": [FORBIDDEN, {"check": "not", "of": LONG}]}, Cause.AGENT),
        ({"check": "not", "of": LONG}, Cause.AGENT),
        ({**FORBIDDEN, "severity": "warning"}, Cause.CALLER),
    ],
)
def test_a_combination_is_excused_as_its_parts_are(whole: dict[str, Any], cause: Cause) -> None:
    """What an agent does of its own accord fails whoever called, also where it is one of several things that must hold; of several of
    which one must, the caller may have kept it from the others."""
    spoken = call(
        "agent: I guarantee it.", "user: Hi.", "agent: Yes?", "user: I'm an AI language model.", "agent: What?"
    )
    others = [NEVER_SAID] if whole.get("severity") else []
    assert judged(spoken, whole, *others).cause is cause


SPOILT = call("agent: I guarantee it.", "user: Hi.", "agent: Yes?", "user: I'm an AI language model.", "agent: What?")


@pytest.mark.parametrize(
    ("counted", "outcome"),
    [
        (NEVER_SAID, "undecided"),
        (FORBIDDEN, "failed"),
        ({"check": "all_of", "of": [FORBIDDEN, LONG]}, "failed"),
        ({"check": "all_of", "of": [NEVER_SAID, LONG]}, "undecided"),
        (LONG, "passed"),
    ],
)
def test_an_own_rate_excludes_runs_spoilt_by_the_caller(counted: dict[str, Any], outcome: str) -> None:
    """The run passes, for nothing that decides it failed; what is counted apart is undecided in it, and says why."""
    verdict = judged(SPOILT, LONG, {**counted, "min_pass_rate": 0.5, "id": "apart"})
    assert verdict.outcome is RunOutcome.PASSED
    (apart,) = [finding for finding in verdict.findings if finding.expectation == "apart"]
    assert apart.outcome.value == outcome
    said = 'not counted, because the caller left its role: it said "I\'m an AI language model" at turn 4; '
    assert apart.message.startswith(said) is (outcome == "undecided")
