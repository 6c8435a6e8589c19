"""`judge` of `planner.yaml`: which language model is asked, where, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from urllib.parse import urlsplit

from planner.checks.base import Expectation
from planner.diagnostics import Span
from planner.planfile.grammar.fields import absent, read_nested
from planner.planfile.grammar.judge_models import JudgeFields, TokenPriceFields
from planner.planfile.model import JudgePrice, JudgeSettings, Plan
from planner.planfile.project.this_machine import is_this_machine
from planner.planfile.reporter import Reporter
from planner.planfile.text import shorten
from planner.planfile.yaml.document import Document, Mapping

_ADDED = "/chat/completions"
_EXAMPLES = {"base_url": "https://api.openai.com/v1", "model": "gpt-4o-mini"}


def read_judge(document: Document, reporter: Reporter) -> JudgeSettings | None:
    """None where there is none, or it has a fault."""
    nested = read_nested(JudgeFields, document, document.root, "judge", reporter)
    if nested is None:
        return None
    errors = reporter.errors
    written, fields = nested
    for key in absent(JudgeFields, written, ["base_url", "model"]):
        detail = f"`{key}` is required, such as {key}: {_EXAMPLES[key]}"
        reporter.error("missing-key", detail, document.key(document.root, "judge"))
    if fields.base_url is not None and (problem := _problem_with(fields.base_url)):
        reporter.error("bad-value", problem, document.value(written, "base_url"))
    price = _price(document, written, fields, reporter)
    if reporter.errors > errors or fields.model is None:
        return None
    return JudgeSettings(
        base_url=(fields.base_url or "").rstrip("/"),
        model=fields.model,
        price=price,
        max_concurrent=fields.max_concurrent,
        timeout_seconds=fields.timeout_seconds,
        max_output_tokens=fields.max_output_tokens,
        answers_as=tuple(fields.answers_as),
    )


def warn_of_unasked_model(plans: Iterable[Plan], reporter: Reporter) -> None:
    """The first expectation of each plan that needs a language model, where `planner.yaml` names none."""
    for plan in plans:
        place = _first_that_asks(plan)
        if place is not None:
            detail = (
                "this asks a language model, and planner.yaml names none under `judge`: `planner run` refuses such a plan, and "
                "with --sandbox only answers recorded in the world decide it"
            )
            reporter.warning("judge-not-configured", detail, place)


def _first_that_asks(plan: Plan) -> Span | None:
    kinds = {kind for case in plan.cases for kind in map(type, case.expectations)}
    for case in plan.cases if any(map(_may_ask, kinds)) else ():
        for expectation, place in zip(case.expectations, case.expectation_places, strict=True):
            if expectation.asks_model:
                return place.span
    return None


@cache
def _may_ask(kind: type[Expectation]) -> bool:
    return kind.rubrics is not Expectation.rubrics


def _price(document: Document, written: Mapping, fields: JudgeFields, reporter: Reporter) -> JudgePrice:
    """Never taken for 0 where it is not said: a vote of unknown price could not be consented to."""
    tokens = read_nested(TokenPriceFields, document, written, "cents_per_million_tokens", reporter)
    if fields.cents_per_vote is not None and tokens is not None:
        detail = "votes are priced one way: keep `cents_per_vote`, or this"
        reporter.error("bad-value", detail, document.key(written, "cents_per_million_tokens"))
    if tokens is not None:
        for key in absent(TokenPriceFields, tokens[0], ["input", "output"]):
            detail = f"`{key}` is required: what a million tokens of {key} cost, in cents"
            reporter.error("missing-key", detail, document.key(written, "cents_per_million_tokens"))
        return JudgePrice(0.0, tokens[1].input or 0.0, tokens[1].output or 0.0)
    priced = {"cents_per_vote", "cents_per_million_tokens"}
    if not priced & set(written) and absent(JudgeFields, written, priced):
        detail = (
            "what a vote costs is required: `cents_per_vote: 0.2`, or `cents_per_million_tokens: {input: 15, output: 60}`; "
            "`cents_per_vote: 0` for a model of your own"
        )
        reporter.error("missing-key", detail, document.key(document.root, "judge"))
    return JudgePrice(fields.cents_per_vote or 0.0)


def _problem_with(base_url: str) -> str:
    """Why this is no place to send transcripts and a key to; empty where it is."""
    shown = f"`{shorten(base_url)}`"
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{shown} is no web address"
    if parts.scheme not in ("http", "https") or not host or port == 0 or not base_url.isprintable() or " " in base_url:
        return f"{shown} is no web address: write https://host/v1"
    if parts.username is not None or parts.password is not None:
        return "an address with a name or a password in it would be shown in reports: the key is PLANNER_JUDGE_API_KEY"
    if parts.query or parts.fragment:
        return f"{shown} has a part after `?` or `#`, where `/chat/completions` could not be added"
    if parts.path.rstrip("/").endswith(_ADDED):
        return f"`{_ADDED}` is added to it: write {shorten(base_url.rstrip('/').removesuffix(_ADDED))}"
    if parts.scheme == "http" and not is_this_machine(host):
        return "over http everybody on the way could read transcripts and key: write https"
    return ""
