"""`planner.yaml`: its keys, types and bounds as pydantic models, and its reading into a `Project`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SkipValidation, StringConstraints
from pydantic_core import PydanticCustomError, PydanticKnownError

from planner.checks.patterns import compile_pattern, finds_everything
from planner.clock import age_of
from planner.diagnostics import Diagnostics
from planner.errors import UsageError
from planner.planfile.addresses import parse_store, problem_with_endpoint
from planner.planfile.fields import check_version, has_known_keys, read_fields, read_mapping, wrong_type
from planner.planfile.files import PROJECT_FILE, FileError, display_name, read_authored
from planner.planfile.grammar import (
    AGE,
    FORMAT_VERSION,
    MAX_ITEMS,
    Authored,
    ExecutionFields,
    Slug,
    TargetFields,
    Text,
)
from planner.planfile.model import (
    KNOWN_PRODUCTS,
    ConfigReference,
    JudgePrice,
    JudgeSettings,
    Keep,
    Project,
    Target,
)
from planner.planfile.policy import PolicyFields, read_policy
from planner.planfile.reporter import Reporter, TooManyErrors
from planner.planfile.targets import check_slug, config_reference, read_target
from planner.planfile.text import nearest, shorten
from planner.planfile.yaml.document import YamlMapping
from planner.planfile.yaml.reader import MAX_BYTES, decode, parse

Cents = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


def _endpoint(address: str) -> str:
    if problem := problem_with_endpoint(address):
        raise ValueError(problem)
    return address


def _store(address: str) -> str:
    try:
        parse_store(address)
    except UsageError as error:
        raise ValueError(str(error)) from error
    return address


def _few(written: dict[str, Any]) -> dict[str, Any]:
    """Checked before the items: pydantic keeps each one that is wrong."""
    if len(written) > MAX_ITEMS:
        context = {"field_type": "Dictionary", "max_length": MAX_ITEMS, "actual_length": len(written)}
        raise PydanticKnownError("too_long", context)
    return written


def _redacting(pattern: str) -> str:
    try:
        compiled = compile_pattern(pattern)
    except ValueError as error:
        raise PydanticCustomError("bad-regex", "{problem}", {"problem": str(error)}) from error
    if compiled.search("") or finds_everything(compiled):
        raise ValueError("this matches everything, so nothing would be shown")
    return pattern


class TokenPriceFields(Authored):
    """What the endpoint charges by length, in US cents per million tokens."""

    required = ("input", "output")
    input: Cents | None = Field(default=None, description="For what the model reads.", examples=[15])
    output: Cents | None = Field(default=None, description="For what the model writes.", examples=[60])


class JudgeFields(Authored):
    """The language model that `check: judge` asks. Its key comes from the environment only: PLANNER_JUDGE_API_KEY."""

    required = ("base_url", "model")
    base_url: Annotated[Text, AfterValidator(_endpoint)] | None = Field(
        default=None,
        description=(
            "Address of an OpenAI-compatible API, without `/chat/completions`. It must use https, or be on this "
            "machine."
        ),
        examples=["https://api.openai.com/v1", "http://127.0.0.1:11434/v1"],
    )
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="The model's name, as the endpoint knows it.", examples=["gpt-4o-mini"]
    )
    answers_as: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        default=[],
        description=(
            "Other names under which the same model answers, such as the model behind an alias; editions need not be "
            "listed. By default the name in the first answer is accepted."
        ),
        examples=[["gpt-4o"]],
    )
    check_callers: bool = Field(
        default=True,
        description=(
            "Whether the model is also asked, for every call, if the test bot followed its prompt. If not, the call "
            "counts for nothing."
        ),
    )
    labels: Text | None = Field(
        default=None,
        description=(
            "A file with labelled transcripts, which `planner judge label` writes. Reports say how well the model "
            "agrees with people."
        ),
        examples=["judge/labels.jsonl"],
    )
    cents_per_vote: Cents | None = Field(
        default=None,
        description="Price of one vote, in US cents. 0 for a model of your own, which then needs no consent.",
        examples=[0.2],
    )
    cents_per_million_tokens: SkipValidation[TokenPriceFields | None] = Field(
        default=None,
        description="Price by length, in US cents; instead of `cents_per_vote`.",
        examples=[{"input": 15, "output": 60}],
    )
    max_concurrent: Annotated[int, Field(ge=1, le=100)] = Field(
        default=4, description="Maximum number of requests at one time."
    )
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = Field(
        default=60, description="How long to wait for one answer, in seconds."
    )
    max_output_tokens: Annotated[int, Field(ge=200, le=100_000)] = Field(
        default=1_000, description="Maximum length of one answer; a reasoning model needs more."
    )


class SandboxFields(Authored):
    world: Text | None = Field(
        default=None,
        description="Its world, as `--world` names it; a file is relative to planner.yaml.",
        examples=["worlds/clinic.yaml"],
    )


class ProjectFields(Authored):
    """`planner.yaml`: what holds for all plans of a repository."""

    version: int | None = Field(
        default=None, description="Version of the format; may be left out.", examples=[FORMAT_VERSION]
    )
    name: Slug | None = Field(
        default=None,
        description=(
            "Which project of a repository it is, in a store that several share; otherwise the path of its folder."
        ),
        examples=["bookings"],
    )
    environments: SkipValidation[dict[str, dict[str, TargetFields]]] = Field(
        default_factory=dict,
        description="Each environment, its aliases and what they call; chosen with --environment.",
        examples=[{"staging": {"support": {"agent": 12}}, "production": {"support": {"agent": 40}}}],
    )
    execution: SkipValidation[ExecutionFields | None] = Field(default=None, description="How calls are made.")
    policy: SkipValidation[PolicyFields | None] = Field(default=None, description="Limits on every session.")
    rates: Annotated[dict[Slug, Annotated[float, Field(ge=0)]], BeforeValidator(_few)] = Field(
        default_factory=dict, description="Cents per minute, by product.", examples=[{"spark": 8}]
    )
    judge: SkipValidation[JudgeFields | None] = Field(
        default=None,
        description="The language model that `check: judge` asks.",
        examples=[{"base_url": "https://api.openai.com/v1", "model": "gpt-4o-mini", "cents_per_vote": 0.2}],
    )
    store: Annotated[Text, AfterValidator(_store)] | None = Field(
        default=None,
        description=(
            "Where results are stored: a folder (default .planner/), a git ref, or the address of an object store."
        ),
        examples=["git:refs/planner/results"],
    )
    keep: Annotated[str, StringConstraints(pattern=AGE)] | None = Field(
        default=None,
        description=(
            "How long `planner ci record` keeps stored calls that no result needs: a number and h (hours), d (days) or "
            "w (weeks), at least the longest `max_age`. By default, everything is kept."
        ),
        examples=["90d"],
    )
    store_public: bool = Field(
        default=False,
        description=(
            "Whether results may be stored in a git ref of a public repository, where everyone can read the "
            "transcripts."
        ),
    )
    sandbox: SkipValidation[SandboxFields | None] = Field(
        default=None, description="The simulated service that `--sandbox` calls."
    )
    redact: Annotated[list[Annotated[Text, AfterValidator(_redacting)]], Field(max_length=MAX_ITEMS)] = Field(
        default_factory=list,
        description="Regular expressions (RE2). Text that they match is masked in reports and shared stores.",
        examples=[["(?i)member number \\d+"]],
    )


def _judge(root: YamlMapping, fields: JudgeFields | None, reporter: Reporter) -> JudgeSettings | None:
    """None if there is none, or it has an error."""
    if fields is None:
        return None
    errors = reporter.errors
    price = _price(root, fields, reporter)
    if reporter.errors > errors or fields.base_url is None or fields.model is None:
        return None
    return JudgeSettings(
        base_url=fields.base_url.rstrip("/"),
        model=fields.model,
        price=price,
        max_concurrent=fields.max_concurrent,
        timeout_seconds=fields.timeout_seconds,
        max_output_tokens=fields.max_output_tokens,
        answers_as=tuple(fields.answers_as),
        check_callers=fields.check_callers,
        labels=fields.labels or "",
    )


def _price(root: YamlMapping, fields: JudgeFields, reporter: Reporter) -> JudgePrice:
    """The price is required, never 0 by default: nobody can consent to votes of unknown price."""
    written: YamlMapping = root["judge"]
    tokens = fields.cents_per_million_tokens
    if tokens is not None:
        if fields.cents_per_vote is not None:
            detail = "votes are priced one way: keep `cents_per_vote`, or this"
            reporter.error("bad-value", detail, written.key_span("cents_per_million_tokens"))
        return JudgePrice(0.0, tokens.input or 0.0, tokens.output or 0.0)
    priced = {"cents_per_vote", "cents_per_million_tokens"} & written.keys()
    if not priced and has_known_keys(JudgeFields, written):
        detail = "`cents_per_vote` is required, such as 0.2 (0 if votes are free), or `cents_per_million_tokens`"
        reporter.error("missing-key", detail, root.key_span("judge"))
    return JudgePrice(fields.cents_per_vote or 0.0)


_UNREADABLE = Project(readable=False)


def load_project(root: Path, *, cwd: Path) -> tuple[Project, Diagnostics]:
    """The project at `root`, or the defaults if it has no `planner.yaml`; defaults, too, for everything with an
    error."""
    diagnostics = Diagnostics()
    path = root / PROJECT_FILE
    file = display_name(path, cwd)
    try:
        if not path.exists():
            return Project(), diagnostics
        data = read_authored(path, file, MAX_BYTES + 1)  # `decode` reports a file with one byte too many
    except FileError as error:
        Reporter(diagnostics).file_error(file, error.code, error.detail)
        return _UNREADABLE, diagnostics
    except OSError as error:
        Reporter(diagnostics).file_error(file, "file-unreadable", f"{file} cannot be read: {error.strerror}")
        return _UNREADABLE, diagnostics
    project, diagnostics = read_project(data, file)
    return replace(project, root=root), diagnostics


def read_project(data: bytes, file: str) -> tuple[Project, Diagnostics]:
    """The project in these bytes, with `file` as its name in diagnostics."""
    diagnostics = Diagnostics()
    reporter = Reporter(diagnostics)
    try:
        source = decode(data, file, reporter)
        lines = source.text.splitlines() if source is not None else ()
        is_blank = all(not line.strip() or line.lstrip().startswith("#") for line in lines)
        root = None if source is None or is_blank else parse(source, reporter)
        if root is None or not check_version(root, reporter, required=False):
            return _UNREADABLE if reporter.errors else Project(), diagnostics
        return _project(root, reporter), diagnostics
    except TooManyErrors:
        return _UNREADABLE, diagnostics


def _project(root: YamlMapping, reporter: Reporter) -> Project:
    fields = read_fields(ProjectFields, root, reporter)
    for product, rate in fields.rates.items():
        meant = None if product in KNOWN_PRODUCTS else nearest(product, KNOWN_PRODUCTS)
        if meant is not None and meant not in fields.rates:  # its calls would be priced by the usual rate
            detail = f"the service has no known product `{shorten(product, 40)}`; did you mean `{meant}`?"
            reporter.warning("near-miss", detail, root["rates"].key_span(product))
        if 0 < rate < 1:  # a rate in dollars would make every budget useless
            detail = f"rates are cents per minute, and this is less than one: for ${rate:g} write {rate * 100:g}"
            reporter.warning("bad-value", detail, root["rates"].span(product))
    environments, agent_files = _environments(root, reporter)
    project = Project(
        name=fields.name,
        environments=environments,
        execution=fields.execution or ExecutionFields(),
        policy=read_policy(root, fields.policy, reporter),
        rates=tuple(fields.rates.items()),
        judge=_judge(root, fields.judge, reporter),
        redact=tuple(fields.redact),
        store=fields.store,
        keep=_keep(root, fields.keep),
        store_public=fields.store_public,
        sandbox_world=fields.sandbox.world if fields.sandbox else None,
        agent_files=agent_files,
    )
    return project if not reporter.errors else replace(project, readable=False)


def _keep(root: YamlMapping, written: str | None) -> Keep | None:
    age = age_of(written) if written is not None else None
    return None if age is None or written is None else Keep(age, written, root.span("keep"))


def _environments(
    root: YamlMapping, reporter: Reporter
) -> tuple[tuple[tuple[str, tuple[Target, ...]], ...], dict[tuple[str, str], ConfigReference]]:
    """The targets of each environment, and what their `config` names."""
    references: dict[tuple[str, str], ConfigReference] = {}
    written = read_mapping(root, "environments", "a mapping of environments", reporter) or YamlMapping()
    environments: list[tuple[str, tuple[Target, ...]]] = []
    for name in written:
        check_slug(name, written.key_span(name), reporter)
        aliases: Any = written[name]
        if not isinstance(aliases, YamlMapping):
            detail = wrong_type("a mapping such as {support: {agent: 12}}", aliases)
            reporter.error("wrong-type", detail, written.span(name))
            continue
        for alias in aliases:
            check_slug(alias, aliases.key_span(alias), reporter)
        targets: list[Target] = []
        for alias in aliases:
            target = read_target(aliases, alias, reporter)
            if target is not None:
                targets.append(target)
                if reference := config_reference(aliases, alias):
                    references[name, alias] = reference
        environments.append((name, tuple(targets)))
    return tuple(environments), references
