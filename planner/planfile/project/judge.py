"""`judge` of `planner.yaml`: which language model is asked, where, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from planner.planfile.grammar.fields import has_known_keys, read_nested
from planner.planfile.grammar.project_models import JudgeFields, TokenPriceFields
from planner.planfile.model import JudgePrice, JudgeSettings, Plan
from planner.planfile.project.addresses import is_this_machine
from planner.planfile.reporter import Reporter
from planner.planfile.text import shorten
from planner.planfile.yaml.document import Document, Mapping

_ADDED = "/chat/completions"


def read_judge(document: Document, reporter: Reporter) -> JudgeSettings | None:
    """None if there is none, or it has an error."""
    nested = read_nested(JudgeFields, document, document.root, "judge", reporter)
    if nested is None:
        return None
    errors = reporter.errors
    written, fields = nested
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
    """The first expectation of each plan that needs a language model, if `planner.yaml` names none."""
    detail = (
        "this needs a language model, and planner.yaml names none under `judge`: `planner run` refuses such a plan, and "
        "with --sandbox only answers recorded in the world decide it"
    )
    for plan in plans:
        places = (
            place
            for case in plan.cases
            for expectation, place in zip(case.expectations, case.expectation_places, strict=True)
            if expectation.asks_model
        )
        first = next(places, None)
        if first is not None:
            reporter.warning("judge-not-configured", detail, first.span)


def _price(document: Document, written: Mapping, fields: JudgeFields, reporter: Reporter) -> JudgePrice:
    """The price is required, never 0 by default: nobody can consent to votes of unknown price."""
    tokens = read_nested(TokenPriceFields, document, written, "cents_per_million_tokens", reporter)
    if tokens is not None:
        if fields.cents_per_vote is not None:
            detail = "votes are priced one way: keep `cents_per_vote`, or this"
            reporter.error("bad-value", detail, document.key(written, "cents_per_million_tokens"))
        return JudgePrice(0.0, tokens[1].input or 0.0, tokens[1].output or 0.0)
    priced = {"cents_per_vote", "cents_per_million_tokens"} & written.keys()
    if not priced and has_known_keys(JudgeFields, written, reporter):
        detail = "`cents_per_vote` is required, such as 0.2 (0 if votes are free), or `cents_per_million_tokens`"
        reporter.error("missing-key", detail, document.key(document.root, "judge"))
    return JudgePrice(fields.cents_per_vote or 0.0)


def _problem_with(base_url: str) -> str:
    """Why transcripts and a key cannot be sent to this address; empty if they can."""
    shown = f"`{shorten(base_url)}`"
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{shown} is not a web address"
    if parts.scheme not in ("http", "https") or not host or port == 0 or not base_url.isprintable() or " " in base_url:
        return f"{shown} is not a web address: write https://host/v1"
    if parts.username is not None or parts.password is not None:
        return "reports would show a name or a password in the address: put the key into PLANNER_JUDGE_API_KEY"
    if parts.query or parts.fragment:
        return f"{shown} has a part after `?` or `#`, where `/chat/completions` could not be added"
    if parts.path.rstrip("/").endswith(_ADDED):
        return f"`{_ADDED}` is added to it: write {shorten(base_url.rstrip('/').removesuffix(_ADDED))}"
    if parts.scheme == "http" and not is_this_machine(host):
        return "http would show transcripts and the key to everybody on the way: write https"
    return ""
