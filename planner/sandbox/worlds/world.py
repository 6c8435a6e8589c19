"""The grammar of world files: one organization of the service, its agents, numbers, prices and limits."""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from planner.sandbox.worlds.dialogues import E164, Dialogue, Part, PlacedError, Table, Tool, compiled, meant

Cents = Annotated[int, Field(ge=0)]
Product = Literal[
    "spark",
    "bolt",
    "storm-base",
    "storm-base-with-ack",
    "storm-extra",
    "storm-extra-with-ack",
    "bolt-base-experimental",
    "bolt-extra-experimental",
]


def epoch_seconds(moment: datetime) -> float:
    """A time without a zone is UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def moment_of(text: str) -> float:
    """The epoch seconds of a day or an ISO 8601 time."""
    return epoch_seconds(datetime.fromisoformat(text.upper()))


class Snapshot(Part):
    """Everything that decides how an agent behaves on a call. Its runs store it without `tables` and `dialogues`."""

    agent_id: int
    name: str
    revision: int
    product: str
    voice: str
    primary_language: str
    thinking_level: str
    prompt: str
    fields: dict[str, JsonValue] = Field(default={})
    """The other fields, which change no scripted call."""
    updated_at: float
    """Seconds since the epoch."""
    tools: dict[str, Tool]
    variant_id: int | None = None
    variant_label: str | None = None
    tables: dict[str, Table] = Field(default={}, exclude=True)
    dialogues: tuple[Dialogue, ...] = Field(default=(), exclude=True)


class Revision(Part):
    """One deployed configuration of an agent."""

    updated_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    note: str = ""
    prompt: str


class Variant(Part):
    """One of several configurations that calls of an agent are split between."""

    label: str
    weight: Annotated[int, Field(ge=0)] = 1
    prompt: str | None = None
    voice: str | None = None

    @property
    def own(self) -> dict[str, str]:
        """What it has instead of the agent's."""
        return self.model_dump(include={"prompt", "voice"}, exclude_none=True)


class Agent(Part):
    name: str
    product: Product = "spark"
    voice: str = "aria"
    primary_language: str = "en"
    thinking_level: str = "base"
    tools: tuple[str, ...] = ()
    dialogues: dict[str, Dialogue] = Field(default={})
    """By name; the first that matches a prompt is played."""
    variants: dict[int, Variant] = Field(default={})
    """Calls are split between these, by their weights."""
    revisions: Annotated[dict[int, Revision], Field(min_length=1)]
    """Revision number → what was deployed; the highest answers calls."""
    draft_prompt: str | None = None
    """The prompt of an undeployed draft, which answers no call; null: there is none."""
    active: int | None = None
    """The revision that answers calls, if it is not the highest: after a roll-back."""

    @model_validator(mode="after")
    def _active(self) -> Self:
        if self.active is not None and self.active not in self.revisions:
            raise ValueError(f"active: there is no revision {self.active}")
        return self

    @property
    def current(self) -> int:
        return max(self.revisions) if self.active is None else self.active


class PhoneNumber(Part):
    number: E164
    label: str = ""
    inbound_agent_id: int | None = None
    outbound_agent_id: int | None = None
    status: Literal["provisioning", "active", "failed", "releasing", "released", "draft"] = "active"


class Organization(Part):
    id: int = 1
    name: str = "Sandbox"


class Delays(Part):
    """Seconds of conversation time (so divided by `time_scale` on the clock)."""

    dial_seconds: Annotated[float, Field(ge=0)] = 1.1
    """From the launch to `in_progress`."""
    grade_seconds: Annotated[float, Field(ge=0)] = 8
    """From the call's end until the grade is no longer `pending`."""


class RecordedAnswer(Part):
    """The answer of a judge to one rubric about one transcript of this world."""

    rubric: str
    transcript: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    """The digest of the transcript, as an undecided check reports it."""
    verdict: Literal["holds", "does_not_hold", "cannot_tell"]
    turn: int | None = None
    quote: str = ""
    reason: str = ""


class World(Part):
    version: Literal[1]
    world: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    description: str = ""
    seed: int = 1
    time_scale: Annotated[float, Field(gt=0)] = 60
    """How many seconds of conversation pass in one second of the clock."""
    organization: Organization = Organization.model_construct()
    balance_cents: int = 50_000
    test_call_budget_cents: Cents | None = None
    """0 or null: no budget is set."""
    concurrency_limit: Annotated[int, Field(ge=1)] = 20
    """The most concurrent test-call runs, queued ones included."""
    agent_limit: Annotated[int, Field(ge=1)] | None = None
    """The most agents of the organization; null: any number."""
    duplicates_copy_drafts: bool = False
    """Whether the copy of an agent has its undeployed draft too."""
    duplicates_leave_out: tuple[str, ...] = ()
    """Fields that the copy of an agent lacks, such as `tools`."""
    charge_multiplier: Annotated[int, Field(ge=1)] = 2
    call_bill: Literal["charged", "base"] = "charged"
    """Whether a call's `billing_total_cents` includes the multiplier. The account is always charged with it."""
    estimated_minutes: Annotated[int, Field(ge=1)] = 1
    """The length of a call that `estimated_cost_cents` and reservations assume."""
    regrade_cents: Cents = 4
    retry_after_seconds: Annotated[int, Field(ge=0)] | None = None
    """Sent with a 429 for concurrency; null sends none."""
    rates: dict[Product, Cents] = Field(default={"spark": 8})
    """Cents per started minute."""
    demo_number: E164 = "+14155550199"
    """The bot's caller id if the request names none."""
    assistant_role: Literal["agent", "assistant"] = "agent"
    """The role of the agent under test in transcripts."""
    delays: Delays = Delays.model_construct()
    tools: dict[str, Tool] = Field(default={})
    tables: dict[str, Table] = Field(default={})
    """A table with the name of a group of a pattern gives values for the text that the group matched."""
    agents: Annotated[dict[int, Agent], Field(min_length=1)]
    phone_numbers: dict[int, PhoneNumber] = Field(default={})
    judge_answers: tuple[RecordedAnswer, ...] = ()
    """Answers to `check: judge` for the world's own conversations."""

    @property
    def digest(self) -> str:
        """Of everything that all agents share. Agents have digests of their own, and judge answers change no call."""
        return sha256(self.model_dump_json(exclude={"agents", "judge_answers"}).encode()).hexdigest()

    @field_validator("agents")
    @classmethod
    def _named(cls, agents: dict[int, Agent]) -> dict[int, Agent]:
        return dict(sorted(agents.items()))

    def errors(self) -> list[PlacedError]:
        """Names of things that do not exist, and patterns that are not regular expressions."""
        found: list[PlacedError] = []

        def check(route: tuple[str | int, ...], what: str, name: str | int | None, known: Iterable[str | int]) -> None:
            if name is not None and name not in set(known):
                found.append((route, f"there is no {what} {name!r}{meant(name, known)}"))

        for agent_id, agent in self.agents.items():
            here = ("agents", agent_id)
            if agent.product not in self.rates:
                found.append(((*here, "product"), f"no rate is given for {agent.product!r}"))
            for index, tool in enumerate(agent.tools):
                check((*here, "tools", index), "tool", tool, self.tools)
            for name, dialogue in agent.dialogues.items():
                wrong = dialogue.errors(
                    {name: self.tools[name] for name in agent.tools if name in self.tools}, self.tables
                )
                found += [((*here, "dialogues", name, *route), what) for route, what in wrong]
        for number_id, number in self.phone_numbers.items():
            here = ("phone_numbers", number_id)
            check((*here, "inbound_agent_id"), "agent", number.inbound_agent_id, self.agents)
            check((*here, "outbound_agent_id"), "agent", number.outbound_agent_id, self.agents)
        return found

    def is_scripted(self, prompt: str) -> bool:
        """Whether any dialogue of any agent matches the prompt. False is certain: the call cannot be played."""
        text = " ".join(prompt.split())
        dialogues = (dialogue for agent in self.agents.values() for dialogue in agent.dialogues.values())
        return any(compiled(dialogue.prompt).search(text) for dialogue in dialogues)

    def snapshot(self, agent_id: int, number: int | None = None) -> Snapshot:
        """An agent in its current revision, or in another one; KeyError if there is none."""
        agent = self.agents[agent_id]
        chosen = agent.current if number is None else number
        revision = agent.revisions[chosen]
        same = ("name", "product", "voice", "primary_language", "thinking_level")
        return Snapshot.model_construct(
            **{name: getattr(agent, name) for name in same},
            agent_id=agent_id,
            revision=chosen,
            prompt=revision.prompt,
            updated_at=epoch_seconds(revision.updated_at),
            tools={name: self.tools[name] for name in agent.tools},
            tables=self.tables,
            dialogues=tuple(agent.dialogues.values()),
        )
