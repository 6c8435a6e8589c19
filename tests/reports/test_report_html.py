"""`report.html` in a browser."""

from __future__ import annotations

import os
import re
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from patience import PATIENCE_SECONDS

from planner.evidence import Evidence, Role, RunStatus, Turn
from planner.reports.html import grids, pieces
from planner.reports.redaction import redact, redact_evidence
from planner.results.model import CaseResult, RunResult

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

try:
    from playwright.sync_api import expect
except ImportError:  # then no test that uses it runs
    expect: Any = None

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(os.environ.get("PLANNER_NODE_MODULES", "node_modules"), "axe-core/axe.min.js")
in_browser = pytest.mark.skipif(
    CHROMIUM is None or expect is None, reason="needs chromium and the dependency group browser"
)

HOSTILE = '</script><img src=x onerror="document.title=1"><!-- \x1b[31m\u202e & {{ 7 * 7 }} call (415) 555-0199'
TALK = Evidence(
    run_id=802,
    run_status=RunStatus.COMPLETED,
    turns=(
        Turn(number=1, role=Role.AGENT, text="Thanks for calling.", start_ms=500, end_ms=2_500),
        Turn(number=2, role=Role.CALLER, text="How long do I have?", start_ms=4_000, end_ms=9_000),
        Turn(number=3, role=Role.TOOL, text='lookup_order({"order_id": "12345"})', start_ms=9_500),
        Turn(number=6, role=Role.AGENT, text=HOSTILE, start_ms=42_300, end_ms=61_000),
    ),
)


def _page(result: RunResult, evidence: Evidence | None = TALK) -> str:
    shown = None if evidence is None else redact_evidence(evidence)
    return "".join(pieces(redact(result), lambda _: shown, {"hours/opening@hotline": [1.0, 0.5, 0.75]}))


def test_the_policy_allows_this_script_and_no_other(canonical: RunResult) -> None:
    """The policy allows only this script and style, by digest."""
    page = _page(canonical)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    allowed = policy[1].replace("&#39;", "'")
    assert allowed.startswith("default-src 'none'; script-src 'sha256-")
    for element in ("script", "style"):
        (text,) = re.findall(rf"<{element}>(.*?)</{element}>", page, flags=re.DOTALL)
        assert f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in allowed
    assert "unsafe" not in allowed
    assert not re.search(
        r'\sstyle="|\son\w+="|src="|https?://(?!www\.w3\.org/2000/svg)',
        re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL),
    )


def test_transcripts_are_escaped_and_redacted(canonical: RunResult) -> None:
    """A transcript cannot close its script element, and is redacted."""
    page = _page(canonical)
    assert page.count("</script>") == len(canonical.cases) + 1
    assert "\\u003c/script\\u003e" in page
    assert "555-01" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_a_page_too_large_leaves_conversations_out(canonical: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    """Findings and quotes stay, and the page says what it omits."""
    monkeypatch.setattr(
        "planner.reports.html.MAX_CONVERSATION_BYTES", 1
    )  # the bound itself; 48 MiB of text would do as well
    page = _page(canonical)
    assert page.count('"text":"Thanks for calling."') == 1  # the first one that is met
    assert (
        page.count("is omitted: the page would be too large")
        == sum(run.call_id is not None for case in canonical.cases for run in case.runs) - 1
    )


def test_all_cases_at_a_glance(canonical: RunResult) -> None:
    """By target where a plan has several, else by its axis with the most values. A plan with one column has no grid."""
    base = canonical.cases[0]

    def case(case_id: str, target: str, line: int) -> CaseResult:
        plan, scenario = re.findall(r"^(.*?)/([^\[@]*)", case_id)[0]
        return base.model_copy(
            update={"case_id": case_id, "plan": plan, "scenario": scenario, "target": target, "line": line}
        )

    cases = [
        case('hours/late[day=Sunday,who="a, ] b"]@desk', "desk", 9),
        case("hours/opening@desk", "desk", 3),
        case("hours/opening@line", "line", 3),
        case('refunds/late[mood=calm,who="x, y"]@desk', "desk", 3),
        case("refunds/late[mood=calm,who=ana]@desk", "desk", 3),
        case("refunds/late[mood=calm,who=luis]@desk", "desk", 3),
        case("refunds/early@desk", "desk", 1),
        case("single/one@desk", "desk", 1),
    ]
    hours, refunds = grids(cases)
    assert (hours.plan, hours.by, hours.columns) == ("hours", "target", ["desk", "line"])
    assert {name: list(cells) for name, cells in hours.rows.items()} == {
        "opening": ["desk", "line"],
        'late[day=Sunday, who="a, ] b"]': ["desk"],
    }
    assert (refunds.by, refunds.columns) == ("who", ["", '"x, y"', "ana", "luis"])
    assert {name: [cell.row for cells in row.values() for cell in cells] for name, row in refunds.rows.items()} == {
        "early": [6],
        "late[mood=calm]": [3, 4, 5],
    }


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    expect.set_options(timeout=PATIENCE_SECONDS * 1000)
    with sync_playwright() as started:
        running = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"], timeout=PATIENCE_SECONDS * 1000
        )
        yield running
        running.close()


Opened = Callable[[str], "Page"]


@pytest.fixture
def scheme() -> Literal["light", "dark"]:
    """What the reader prefers."""
    return "light"


@pytest.fixture
def opened(browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"]) -> Iterator[Opened]:
    """Opens a page, and checks that it used no network and had no script error."""
    context = browser.new_context(color_scheme=scheme)
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    asked: list[str] = []
    errors: list[str] = []

    def open_page(text: str) -> Page:
        file = tmp_path / "report.html"
        file.write_text(text, encoding="utf-8")
        page = context.new_page()
        page.on("request", lambda asking: asked.append(asking.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(file.as_uri())
        return page

    yield open_page
    context.close()
    assert {url.partition("#")[0] for url in asked} == {(tmp_path / "report.html").as_uri()}
    assert errors == []


@in_browser
def test_the_list_is_filtered_searched_and_walked_by_keys(opened: Opened, canonical: RunResult) -> None:
    """Worst first; chips and words narrow it; `/`, `j`, Enter and Escape do without a mouse, and give the focus back."""
    page = opened(_page(canonical))
    rows = page.locator("#rows li:visible .name > b")
    assert rows.first.text_content() == "refunds/refund-window[mood=furious]@support"
    assert rows.count() == len(canonical.cases)
    page.get_by_role("checkbox", name="unknown").check()
    assert rows.all_text_contents() == ['hours/late[day="New Year\'s Eve | 31"]@hotline', "orders/status@support"]
    assert page.get_by_role("status").text_content() == f"2 of {len(canonical.cases)}"
    page.keyboard.press("/")
    page.keyboard.type("STATUS")
    assert rows.all_text_contents() == ["orders/status@support"]
    page.keyboard.type(" nowhere")
    assert page.get_by_text("No case matches.").is_visible()
    page.get_by_role("button", name="Clear the filter").click()
    assert rows.count() == len(canonical.cases)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    name = page.locator(":focus .name > b").text_content()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(name or "")
    expect(page.locator("#overview")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator(":focus .name > b")).to_have_text(name or "")
    assert page.locator("polyline").count() == 1


@in_browser
def test_a_case_shows_who_said_what_and_where_it_went_wrong(opened: Opened, canonical: RunResult) -> None:
    """The failed run opens, with its finding on its turn in lanes and text; hostile text stays text."""
    page = opened(_page(canonical))
    page.get_by_role("link", name="refund-window").click()
    run = page.locator("[aria-current=true]")
    expect(run).to_have_text("✗ run 802")
    said = page.locator("#turn-6")
    expect(said).to_contain_text("✗ no-guarantee: the agent said what it must never say")
    expect(said).to_contain_text('</script><img src=x onerror="document.title=1"><!--')
    expect(page.locator("img")).to_have_count(0)
    expect(page.locator(".lanes rect")).to_have_count(4)
    expect(page.locator(".lanes rect.marked")).to_have_count(1)
    page.get_by_role("link", name="turn 6, agent, 0:42").first.click()
    expect(said).to_be_focused()
    page.get_by_role("link", name="run 803").click()
    expect(page.locator("#case")).to_contain_text("adopted: its launch got no answer")
    page.go_back()
    expect(run).to_have_text("✗ run 802")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("refunds/refund-window[mood=furious]@support")
    page.get_by_role("link", name="All cases").click()
    expect(page.locator("#rows")).to_be_visible()
    assert page.title().startswith("✗ 1 failed")


@in_browser
def test_findings_come_before_call_settings(opened: Opened, canonical: RunResult) -> None:
    """On a phone, findings are on the first screen of a case."""
    page = opened(_page(canonical))
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("link", name="refund-window").click()
    expect(page.locator(".finding.failed").first).to_be_in_viewport()
    called = page.get_by_text("phone number 77 (support), inbound, sip")
    expect(called).to_be_hidden()
    page.get_by_text("Call settings and caller prompt").click()
    expect(called).to_be_visible()
    expect(page.get_by_text("You are a furious caller.", exact=True)).to_be_visible()


@in_browser
@pytest.mark.skipif(not AXE.is_file(), reason="needs PLANNER_NODE_MODULES with axe-core in it")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("place", ["", "#case-0", "#case-9"])
def test_accessibility(opened: Opened, canonical: RunResult, place: str) -> None:
    """axe-core finds no cause: names, roles, contrast in light and dark, order of headings."""
    page = opened(_page(canonical))
    page.evaluate(f"location.hash = {place!r}")
    expect(page.get_by_role("heading", level=2).first).to_be_visible()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((results) => results.violations)")
    assert [(violation["id"], [node["html"] for node in violation["nodes"]]) for violation in found] == []


@in_browser
def test_nothing_runs_out_of_a_narrow_screen(opened: Opened, canonical: RunResult) -> None:
    """The list and a case fit a narrow screen."""
    page = opened(_page(canonical))
    page.set_viewport_size({"width": 390, "height": 844})
    for place in ("", "#case-0"):
        page.evaluate(f"location.hash = '{place}'")
        assert page.evaluate("document.documentElement.scrollWidth") == 390


@in_browser
def test_thousands_of_cases_open_and_are_listed_on_demand(opened: Opened, many: Callable[[int], RunResult]) -> None:
    """A page of many cases lists the first thousand, and finds any."""
    page = opened(_page(many(1_500)))
    rows = page.locator("#rows li:visible")
    assert rows.count() == 1_000
    assert page.get_by_text("Showing the first 1,000").is_visible()
    page.locator("#words").fill("order=1499]")
    assert rows.count() == 1
    page.locator("#words").fill("")
    page.get_by_role("button", name="list all").click()
    assert rows.count() == 1_500
