"""What a language model reads in a judge call, and what one answers that follows its instructions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any


@dataclass
class Asked:
    """One request, as a model understands it."""

    body: dict[str, Any]
    headers: dict[str, str]
    path: str

    @property
    def system(self) -> str:
        return self.body["messages"][0]["content"]

    @property
    def user(self) -> str:
        return self.body["messages"][1]["content"]

    @property
    def seal(self) -> str:
        found = re.search(r'"seal": "([0-9a-f]+)"', self.system)
        assert found
        return found[1]

    @property
    def statements(self) -> dict[str, str]:
        return dict(re.findall(r"^(s-[0-9a-f]+-\d+): (.*)$", self.system, re.MULTILINE))

    @property
    def turns(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.user.splitlines() if line.startswith('{"turn"')]

    @property
    def rubrics(self) -> dict[str, str]:
        """By name, those that are no control statements."""
        return {name: text for name, text in self.statements.items() if not _CONTROL.fullmatch(text)}

    @property
    def rubric_name(self) -> str:
        (name,) = self.rubrics
        return name

    def control(self, text: str) -> str:
        """The right answer to a control statement."""
        found = _CONTROL.fullmatch(text)
        assert found
        speaker = {turn["turn"]: turn["speaker"] for turn in self.turns}[int(found[1])]
        return "holds" if speaker == found[2] else "does_not_hold"


_CONTROL = re.compile(r"Turn (\d+) was spoken by the (agent|caller)\.")


def completion(content: str | None, **fields: Any) -> dict[str, Any]:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": content, **fields.pop("message", {})}
    return {
        "choices": [{"index": 0, "finish_reason": fields.pop("finish_reason", "stop"), "message": message}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100},
        **fields,
    }


def honest(asked: Asked, verdict: str = "holds", turn: int = 1, quote: str | None = None, **changes: Any) -> str:
    """What a model writes that follows its instructions: controls answered right, a quote that was said."""
    said = {item["turn"]: item["said"] for item in asked.turns}
    answers = []
    for name, text in asked.statements.items():
        answer = {
            "statement": name,
            "verdict": verdict,
            "turn": turn,
            "quote": quote or said[turn],
            "reason": "So it is.",
        }
        if name not in asked.rubrics:
            answer["verdict"] = asked.control(text)
        answers.append(answer)
    return json.dumps({"seal": asked.seal, "answers": answers, **changes})
