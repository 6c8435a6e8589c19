"""Shows the comment on a pull request as GitHub renders it, on a desktop and on a phone, for people to look at.

Usage: uv run --group browser python .ci/comment_pictures.py BROWSER CSS FOLDER

BROWSER is the path of Chromium; CSS that of github-markdown.css (`npm install github-markdown-css`); FOLDER gets the
Markdown and the pictures.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from markdown_it import MarkdownIt
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))

from fake_github import FakeGitHub, fake_github  # noqa: E402
from repositories import commit, git  # noqa: E402

WIDTHS = {"desktop": 1012, "phone": 390}
PAGE = """<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width"><style>{css}
body {{ margin: 0; padding: 16px; background: #f6f8fa }}
.comment {{ border: 1px solid #d0d7de; border-radius: 6px; padding: 16px; background: #fff; max-width: 860px }}
</style><div class="comment markdown-body">{html}</div>"""
PLAN = """\
version: 1
plan: first
targets: {{support: {{agent: 12}}}}
scenarios:
  hours:
    prompt: You are Ana, {mood}. Ask when the clinic is open on Saturday.
    runs: 2
    expect: [{expect}]
  cancel:
    prompt: You are Dora Diaz, polite. Cancel your appointment of Monday.
    expect: [{{check: call, status: completed}}]
"""
GOOD, BAD = "{check: call, status: completed}", "{check: never_says, who: any, any_of: [Saturday]}"
MANY = """\
version: 1
plan: first
targets: {support: {agent: 12}}
scenarios:
  hours:
    prompt: You are {{ name }}, {{ mood }}. Ask when the clinic is open on Saturday, for order {{ order }}.
    matrix:
      axes:
        name: [Ana, Bob, Dora, Eve, Finn]
        mood: [calm, angry, sad, hurried, polite, confused]
        order: [10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    expect: [{check: call, status: completed}]
"""
AGREED = ("--consent-to-charge", "--max-cost", "1.23")
WORLD = "extends: demo\nversion: 1\nworld: pictures\ntime_scale: 20\n"


@dataclass
class PullRequest:
    folder: Path
    fake: FakeGitHub
    service: str
    shown: dict[str, str] = field(default_factory=dict[str, str])

    def environ(self, event: str) -> dict[str, str]:
        head, base = git(self.folder, "rev-parse", "HEAD"), git(self.folder, "rev-parse", "main")
        payload: dict[str, object] = {"repository": {"default_branch": "main"}}
        sides = {"head": {"sha": head}, "base": {"sha": base, "ref": "main"}}
        self.fake.pulls[42] = sides
        if event == "pull_request_target":
            payload["pull_request"] = {"number": 42, **sides}
        elif event == "workflow_dispatch":
            payload["inputs"] = {"pull-request": "42"}
        file = self.folder.parent / "event.json"
        file.write_text(json.dumps(payload))
        return {
            **os.environ,
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(file),
            "GITHUB_REF": "refs/heads/main",
            "GITHUB_REPOSITORY": "acme/plans",
            "GITHUB_TOKEN": "writer",
            "GITHUB_API_URL": self.fake.url,
            "GITHUB_TRIGGERING_ACTOR": "maria",
            "GITHUB_RUN_ID": "7",
            "THUNDERPHONE_API_BASE_URL": self.service,
            "THUNDERPHONE_API_KEY": "sk_test_pictures",
        }

    def planner(self, *words: str, event: str = "pull_request_target") -> None:
        subprocess.run(
            [sys.executable, "-m", "planner", *words],
            cwd=self.folder,
            env=self.environ(event),
            check=False,
            stdout=subprocess.DEVNULL,
        )

    def push(self, plan: str, branch: str = "topic") -> None:
        known = git(self.folder, "branch", "--list", branch) or branch == "main"
        git(self.folder, "checkout", "-q", *([branch] if known else ["-b", branch]))
        (self.folder / "plans").mkdir(exist_ok=True)
        (self.folder / "plans/first.yaml").write_text(plan)
        commit(self.folder)

    def show(self, name: str, event: str = "pull_request_target") -> None:
        """Gate and publish, and keep the comment."""
        file = self.folder.parent / "publication.json"
        self.planner("ci", "gate", "--base", "main", "--publication", str(file), event=event)
        head = git(self.folder, "rev-parse", "HEAD")
        self.planner("ci", "publish", str(file), "--pull-request", "42", "--commit", head)
        self.keep(name)

    def keep(self, name: str) -> None:
        self.shown[name] = self.fake.comments[42][0]["body"]

    def call(self, *words: str) -> None:
        reports = ("--report-dir", str(self.folder.parent / "reports"))
        self.planner("ci", "run", "--base", "main", *AGREED, *reports, *words, event="workflow_dispatch")

    def show_ended(self, name: str) -> None:
        """Gate and publish after calls, and keep the comment and the reply."""
        file = self.folder.parent / "publication.json"
        results = ("--results", str(self.folder.parent / "reports/results.json"))
        words = ("ci", "gate", "--base", "main", "--publication", str(file), *results)
        self.planner(*words, event="workflow_dispatch")
        head = git(self.folder, "rev-parse", "HEAD")
        self.planner("ci", "publish", str(file), "--pull-request", "42", "--commit", head)
        self.keep(name)
        self.shown[f"{name}-reply"] = self.fake.comments[42][-1]["body"]


def _cancelled(pull: PullRequest) -> None:
    """A session that is interrupted during its first call, with the comment that it wrote."""
    words = ["ci", "run", "--base", "main", *AGREED, "--comment-on", "42"]
    job = subprocess.Popen(
        [sys.executable, "-m", "planner", *words],
        cwd=pull.folder,
        env=pull.environ("workflow_dispatch"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert job.stderr is not None
    for line in job.stderr:
        if "in flight" in line:
            break
    while "⏳" not in pull.fake.comments[42][0]["body"]:
        time.sleep(0.2)
    pull.keep("running")
    job.send_signal(signal.SIGINT)
    job.stderr.read()
    job.wait()
    pull.show("cancelled", "workflow_dispatch")


def _comments(folder: Path, service: str) -> dict[str, str]:
    with fake_github() as fake:
        repository = folder / "repository"
        git(folder, "init", "-q", "-b", "main", str(repository))
        git(repository, "commit", "-q", "--allow-empty", "-m", "begin")
        pull = PullRequest(repository, fake, service)
        (repository / "planner.yaml").write_text("policy: {max_calls: 1000, max_cost_cents: 10000}\n")
        pull.push(PLAN.format(mood="calm", expect=GOOD), "main")
        pull.planner("run", "--consent-to-charge", event="push")
        pull.push(PLAN.format(mood="angry", expect=GOOD))
        pull.show("to-call")
        pull.push(PLAN.format(mood="furious", expect=GOOD))
        pull.show("superseded")
        _cancelled(pull)
        pull.call("--start-over", "the refund tool was fixed")
        pull.show_ended("passed")
        pull.push(PLAN.format(mood="sad", expect=GOOD))
        pull.call("--max-cost", "0.01")
        pull.show_ended("refused")
        pull.push(PLAN.format(mood="sad", expect=BAD))
        pull.call()
        pull.show_ended("failed")
        pull.push(PLAN.format(mood="sad", expect=BAD).replace("prompt:", "promt:"))
        pull.show("invalid")
        fake.comments.clear()
        pull.push(MANY)
        pull.show("300-cases")
        pull.push(MANY.replace(GOOD, BAD))
        pull.call("--max-cost", "90.00")
        pull.show_ended("300-failures")
        return pull.shown


def main(browser: str, css: str, folder: str) -> None:
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as name:
        folder_of_jobs = Path(name).resolve()
        (folder_of_jobs / "world.yaml").write_text(WORLD)
        words = [sys.executable, "-m", "planner", "sandbox", "--port", "0", "--world", "world.yaml"]
        with subprocess.Popen(words, cwd=name, stdout=subprocess.PIPE, text=True) as service:
            assert service.stdout is not None
            url = next(word for word in service.stdout.readline().split() if word.startswith("http://"))
            try:
                shown = _comments(folder_of_jobs, url)
            finally:
                service.terminate()
    renderer = MarkdownIt("gfm-like", {"html": True, "linkify": False})
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for name, markdown in shown.items():
            (target / f"{name}.md").write_text(markdown)
            html = re.sub(r"<!--.*?-->", "", renderer.render(markdown))
            page_text = PAGE.format(css=Path(css).read_text(), html=html)
            for device, width in WIDTHS.items():
                page = chromium.new_page(viewport={"width": width, "height": 600})
                page.set_content(page_text)
                page.screenshot(path=target / f"{name}-{device}.png", full_page=True)
                page.close()
        chromium.close()


if __name__ == "__main__":
    main(*sys.argv[1:4])
