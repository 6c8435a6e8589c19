"""The one comment and the commit status, against a REST API on a port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_github import FakeGitHub, Fault, fake_github

from planner.ci.client import GitHub, NotPermittedError
from planner.ci.comment import MAX_CHARACTERS, CommentPlace, Status, marker, set_status, upsert_comment
from planner.cli import main
from planner.errors import CredentialError, IncompleteError, PlannerError

OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
COMMIT = "c" * 40


@dataclass(frozen=True)
class Said:
    comment: str = "### 2 calls to make"
    digest: str = OLD
    worth_saying: bool = True


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with fake_github() as fake:
        yield fake


def client(fake: FakeGitHub, key: str = "writer") -> GitHub:
    return GitHub("acme/plans", key, lambda _: None, fake.url)


def write(fake: FakeGitHub, said: Said, key: str = "writer", name: str = "default") -> bool:
    """Return whether a comment was written or edited."""
    before = len(fake.written)
    with client(fake, key) as github:
        upsert_comment(github, CommentPlace(42, name), said.comment, said.digest, worth_saying=said.worth_saying)
    return len(fake.written) > before


def test_one_comment_is_edited(fake: FakeGitHub) -> None:
    """Repeated, and behind two pages of other comments."""
    for number in range(150):
        fake.add_comment(42, f"{number}", "ana")
    assert write(fake, Said())
    assert not write(fake, Said()), "nothing changed"
    assert write(fake, Said("### green", ""))
    assert len(fake.comments[42]) == 151
    assert "### green" in fake.comments[42][-1]["body"]


def test_only_the_newest_digest_is_in_the_comment(fake: FakeGitHub) -> None:
    """An older one is refused when it is run, so it is of no use to anybody."""
    write(fake, Said())
    write(fake, Said(digest=NEW))
    body = fake.comments[42][0]["body"]
    assert (f"<!-- digest:{NEW} -->" in body, OLD in body) == (True, False)


def test_a_marker_of_another_author_is_not_ours(fake: FakeGitHub) -> None:
    """Anybody can write the marker; only the job's own comment is edited."""
    theirs = fake.add_comment(42, f"{marker('default')}\nforged", "mallory")
    write(fake, Said())
    assert theirs["body"].endswith("forged")
    assert len(fake.comments[42]) == 2


def test_names_separate_two_uses(fake: FakeGitHub) -> None:
    write(fake, Said(), name="eu")
    write(fake, Said(), name="us")
    write(fake, Said("### changed"), name="eu")
    assert ["changed" in each["body"] for each in fake.comments[42]] == [True, False]
    assert marker("--> <b>") == marker("default")


def test_nothing_to_say(fake: FakeGitHub) -> None:
    """A new comment is not written; an older one is brought up to date."""
    quiet = Said("### green", "", worth_saying=False)
    assert not write(fake, quiet)
    write(fake, Said())
    assert write(fake, quiet)
    assert len(fake.comments[42]) == 1


def test_a_long_comment_is_cut(fake: FakeGitHub) -> None:
    write(fake, Said("### head\n\n" + "word é\n" * 20_000))
    body = fake.comments[42][0]["body"]
    assert "### head" in body
    assert len(body) <= MAX_CHARACTERS


@pytest.mark.parametrize(("listed", "is_cut"), [(300, False), (900, True)])
def test_a_long_comment_keeps_its_command(fake: FakeGitHub, listed: int, is_cut: bool) -> None:
    """GitHub counts characters, of which some have four bytes. The command is not in a section of its own."""
    rows = "".join(f"| `{number:04d}{'é😀' * 45}` |\n" for number in range(listed))
    write(fake, Said(f"### head\n\n<details>\n\n| case |\n|---|\n{rows}\n</details>\n\n```sh\ngh workflow run\n```\n"))
    body = fake.comments[42][0]["body"]
    assert ("### head" in body, "gh workflow run" in body, "| `0299" in body) == (True, True, not is_cut)
    assert len(body) <= MAX_CHARACTERS


@pytest.mark.parametrize("fault", [Fault("POST", 500), Fault("POST", 502, after_work=True), Fault("GET", 503, 2)])
def test_a_failing_api_writes_no_second_comment(fake: FakeGitHub, fault: Fault) -> None:
    """A write that failed is looked for; only reads are repeated."""
    fake.faults.append(fault)
    if fault.status == 500:
        with pytest.raises(IncompleteError):
            write(fake, Said())
    else:
        assert write(fake, Said())
    write(fake, Said())
    assert len(fake.comments[42]) == 1


@pytest.mark.parametrize("after_work", [False, True])
def test_an_edit_that_failed_is_repeated(fake: FakeGitHub, after_work: bool) -> None:
    """Else the comment would keep an older answer than the status."""
    write(fake, Said())
    fake.faults.append(Fault("PATCH", 502, 2, after_work=after_work))
    assert write(fake, Said("### green", ""))
    (comment,) = fake.comments[42]
    assert "### green" in comment["body"]


def test_throttled(fake: FakeGitHub) -> None:
    fake.faults.append(Fault("POST", 429, 2, headers={"Retry-After": "1"}))
    assert write(fake, Said())
    assert len(fake.comments[42]) == 1


@pytest.mark.parametrize("headers", [{"X-RateLimit-Remaining": "0"}, {"Retry-After": "60"}])
def test_a_rate_limit_is_no_missing_permission(fake: FakeGitHub, headers: dict[str, str]) -> None:
    fake.faults.append(Fault("POST", 403, 9, headers=headers))
    with pytest.raises(IncompleteError) as raised:
        write(fake, Said())
    assert "permission" not in raised.value.hint


@pytest.mark.parametrize(
    ("token", "error", "named"),
    [
        ("wrong", CredentialError, ""),
        ("nothing", NotPermittedError, "pull-requests: read"),
        ("reader", NotPermittedError, "pull-requests: write"),
    ],
)
def test_a_missing_permission_is_named(fake: FakeGitHub, token: str, error: type[PlannerError], named: str) -> None:
    """The message names the missing permission, and not the token."""
    with pytest.raises(error) as raised:
        write(fake, Said(), token)
    assert named in raised.value.hint
    assert token not in f"{raised.value}"
    assert fake.comments.get(42, []) == []


def test_unreachable() -> None:
    with GitHub("acme/plans", "writer", lambda _: None, "http://127.0.0.1:9") as github, pytest.raises(IncompleteError):
        set_status(github, COMMIT, Status("success", "x"))


def publish(
    fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, file: Path, key: str = "writer", commit: str = COMMIT
) -> int:
    for name, value in {"REPOSITORY": "acme/plans", "TOKEN": key, "API_URL": fake.url}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    return main(["ci", "publish", str(file), "--pull-request", "42", "--commit", commit])


def publication(folder: Path, **fields: object) -> Path:
    file = folder / "publication.json"
    content = {"state": "pending", "description": "2 calls to make", "digest": OLD, "comment": "### 2 calls"}
    file.write_text(json.dumps(content | {"worth_saying": True} | fields))
    return file


def test_publish_sets_status_and_comment(fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The link of the status leads to the comment."""
    assert publish(fake, monkeypatch, publication(tmp_path)) == 0
    (status,) = fake.statuses
    (comment,) = fake.comments[42]
    assert status == {
        "sha": COMMIT,
        "state": "pending",
        "description": "2 calls to make",
        "context": "phone-plans",
        "target_url": comment["html_url"],
    }


def test_without_a_comment_the_status_leads_to_the_job(
    fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.test")
    assert publish(fake, monkeypatch, publication(tmp_path, worth_saying=False)) == 0
    assert fake.statuses[0]["target_url"] == "https://github.test/acme/plans/actions/runs/77"


def test_each_session_ends_with_a_reply(fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A new comment each, since an edit notifies nobody. The comment that says the state is edited."""
    replies = ["@maria ⏳ 1 call to make", "@maria ✅ 2 passed"]
    for reply in replies:
        assert publish(fake, monkeypatch, publication(tmp_path, reply=reply)) == 0
    comment, *answers = fake.comments[42]
    assert [each["body"] for each in answers] == [f"{reply} · [details]({comment['html_url']})" for reply in replies]
    assert publish(fake, monkeypatch, publication(tmp_path)) == 0
    assert len(fake.comments[42]) == 3, "planning again mentions nobody"


def test_without_an_answer_the_status_is_no_success(
    fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The planning job was cancelled, or its file is damaged, or names a state of its own."""
    assert publish(fake, monkeypatch, tmp_path / "missing.json") == 0
    (tmp_path / "damaged.json").write_text("[]")
    assert publish(fake, monkeypatch, tmp_path / "damaged.json") == 0
    assert publish(fake, monkeypatch, publication(tmp_path, state="green")) == 0
    assert publish(fake, monkeypatch, publication(tmp_path, commit="d" * 40)) == 0
    assert [status["state"] for status in fake.statuses] == ["error"] * 4
    assert "another commit" in fake.comments[42][0]["body"], "an older answer does not stand beside it"


def test_a_failing_comment_does_not_change_the_exit_code(
    fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake.faults.append(Fault("GET", 500, 10))
    assert publish(fake, monkeypatch, publication(tmp_path)) == 0
    assert [status["state"] for status in fake.statuses] == ["pending"]


def test_a_status_that_cannot_be_set(fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert publish(fake, monkeypatch, publication(tmp_path), key="reader") == 2
    assert publish(fake, monkeypatch, publication(tmp_path), commit="HEAD") == 2
    assert fake.statuses == []


def test_a_status_is_set_although_an_answer_was_lost(fake: FakeGitHub) -> None:
    """Otherwise an older status of the commit stays, which may be green. Setting it twice is harmless."""
    fake.faults += [Fault("POST", 502), Fault("POST", 500, after_work=True)]
    with client(fake) as github:
        set_status(github, COMMIT, Status("failure", "x"))
    assert {status["state"] for status in fake.statuses} == {"failure"}


@pytest.mark.parametrize(
    ("commit", "minutes", "is_published"),
    [
        pytest.param(COMMIT, -1, False, id="older answer"),
        pytest.param("d" * 40, -1, True, id="other commit"),
        pytest.param(COMMIT, 0, True, id="the same again"),
        pytest.param(COMMIT, 1, True, id="newer answer"),
    ],
)
def test_an_outdated_answer_is_not_published(
    fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, commit: str, minutes: int, is_published: bool
) -> None:
    """A job that planned before the calls publishes after them, or is run again."""
    at = datetime(2026, 11, 20, 9, tzinfo=UTC)
    first = publication(tmp_path, state="failure", comment="### failed", decided_at=at.isoformat())
    assert publish(fake, monkeypatch, first) == 0
    answered = (at + timedelta(minutes=minutes)).isoformat()
    older = publication(tmp_path, state="success", reply="@maria ✅ 1 passed", decided_at=answered)
    assert publish(fake, monkeypatch, older, commit=commit) == 0
    assert [status["state"] for status in fake.statuses] == ["failure", "success"][: 1 + is_published]
    assert ("### failed" in fake.comments[42][0]["body"]) != is_published
    assert "@maria ✅ 1 passed" in fake.comments[42][1]["body"], "whoever agreed is told that the calls have ended"


def test_an_answer_from_the_future_blocks_nothing(
    fake: FakeGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The clock of one machine is wrong."""
    for state, year in (("pending", 2999), ("success", 2026)):
        assert publish(fake, monkeypatch, publication(tmp_path, state=state, decided_at=f"{year}-01-01T09:00:00Z")) == 0
    assert [status["state"] for status in fake.statuses] == ["pending", "success"]
