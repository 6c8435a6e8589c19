"""Canaries and labels: a judge that changes behind one name is noticed, and how well it agrees with people is reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from repositories import commit, git

from planner.checks.opinions import Verdict
from planner.errors import UsageError
from planner.judge.canaries import CanaryRecord, compare, newest_record, next_record, records_key
from planner.judge.labels import read_labels, settled
from tests.commands.conftest import Project, Served  # pyright: ignore[reportMissingImports]
from tests.judge.conftest import Asked, Model, Reply, completion, honest  # pyright: ignore[reportMissingImports]
from tests.judge.test_judged_runs import PLAN, config  # pyright: ignore[reportMissingImports]

RUBRIC = "The agent stays polite."
FRIENDLY = "Of course, I am glad to help you with that."
RUDE = "Are you deaf? Read the website."


def label(number: int, verdict: str, by: str = "ana") -> dict[str, Any]:
    said = FRIENDLY if verdict == "holds" else RUDE
    turns = [{"caller": f"Hello, it is about order {number}, please."}, {"agent": said}]
    return {"rubric": RUBRIC, "verdict": verdict, "by": by, "turns": turns}


LABELS = [label(number, "holds" if number % 2 else "does_not_hold") for number in range(12)]


def lines(labels: list[dict[str, Any]]) -> str:
    return "".join(f"{json.dumps(each)}\n" for each in labels)


def reading(rude: str = "does_not_hold", calls: str = "holds") -> Callable[[Asked], Reply]:
    """A model that is right about friendly agents, says this of rude ones, and that of phone calls."""

    def answer(asked: Asked) -> Reply:
        said = [turn["said"] for turn in asked.turns]
        verdict = "holds" if FRIENDLY in said else rude if RUDE in said else calls
        return Reply(completion(honest(asked, verdict), model="scripted-1"))

    return answer


def about_labels(model: Model) -> int:
    return sum("it is about order" in asked.user for asked in model.asked)


@pytest.fixture
def checked(project: Project, model: Model, monkeypatch: pytest.MonkeyPatch) -> Project:
    project.root.joinpath("plans/hours.yaml").unlink()
    project.write("plans/manners.yaml", PLAN)
    project.write("judge/canaries.jsonl", lines(LABELS))
    project.write("planner.yaml", config(model, canaries="judge/canaries.jsonl"))
    monkeypatch.setenv("PLANNER_JUDGE_API_KEY", "sk_judge_secret")
    model.script = reading()
    return project


def session(project: Project, code: int) -> Any:
    assert project.planner("run", "--consent-to-charge", "--rerun", "all").code == code
    return project.results()


def test_canaries_are_priced_and_consented(checked: Project, service: Served, model: Model) -> None:
    """Two calls with one vote each, twelve canaries, and twelve labels that the model has not answered."""
    estimate = checked.planner("plan", "--format", "json").json["estimate"]["judge"]
    assert (estimate["calls"], estimate["votes"], estimate["expected_cents"]) == (26, 26, 52)
    refused = checked.planner("run")
    assert (refused.code, len(model.asked)) == (3, 0)
    assert "plus 26 judge calls (scripted-1), expected $0.52" in refused.err
    document = session(checked, 0)
    assert (len(model.asked), document["cost"]["judge"]["this_session_cents"]) == (26, 52)
    assert document["judge"]["canaries"] == {
        "asked": 12, "compared": 0, "different": 0, "p_value": 1.0, "has_drifted": False,
    }  # fmt: skip
    assert checked.planner("run").code == 0, "a plan without judge calls asks no canary"
    assert len(model.asked) == 26
    assert "(12 of them to check the judge)" in checked.planner("plan", "--rerun", "all").out


def test_a_ceiling_holds_for_canaries(checked: Project, service: Served, model: Model) -> None:
    checked.write("planner.yaml", config(model, canaries="judge/canaries.jsonl") + "policy: {max_cost_cents: 20}\n")
    refused = checked.planner("run", "--consent-to-charge")
    assert (refused.code, len(model.asked)) == (3, 0)
    assert "$0.52 for judge calls" in refused.err


def test_a_session_killed_among_canaries_loses_no_bill(checked: Project, service: Served, model: Model) -> None:
    """Each answer costs two cents, also those that the killed session did not store; the ceiling holds for all."""

    def slow_after_three(asked: Asked) -> Reply:
        answer = reading()(asked)
        answer.seconds = 0 if len(model.asked) <= 3 else 30
        return answer

    model.script = slow_after_three
    checked.killed("run", "--consent-to-charge", when=lambda: len(model.asked) > 3)
    calls = len(service.own_runs())
    model.script = reading()
    assert checked.planner("run", "--consent-to-charge").code == 0
    document = checked.results()
    cost = document["cost"]["judge"]
    assert len(service.own_runs()) == calls
    assert document["judge"]["canaries"]["asked"] == 12
    assert cost["unconfirmed_cents"] >= 2
    assert cost["actual_cents"] + cost["unconfirmed_cents"] >= 2 * len(model.asked)
    assert cost["actual_cents"] + cost["unconfirmed_cents"] <= document["cost"]["ceiling_cents"]


def test_a_model_that_changed_behind_its_name_is_noticed_in_one_session(
    checked: Project, service: Served, model: Model
) -> None:
    """Its verdicts fail no case, and are not compared. Once labels show that it agrees with people, they count."""
    before = session(checked, 0)
    assert before["judge"]["only_warns"] is False
    model.script = reading(rude="holds", calls="does_not_hold")
    changed = session(checked, 0)
    assert changed["judge"]["canaries"]["different"] == 6
    assert changed["judge"]["canaries"]["has_drifted"]
    assert changed["judge"]["only_warns"]
    (case,) = changed["cases"]
    assert case["outcome"] == "passed"
    assert case["compared"] != "regressed"
    assert {run["judge_model"] for run in case["runs"]} == {"scripted-1 #2"}
    assert [(each["check"], each["outcome"], each["severity"]) for each in case["runs"][0]["findings"]] == [
        ("call", "passed", "error"), ("judge", "failed", "warning"),
    ]  # fmt: skip
    (warning,) = changed["warnings"]
    assert "6 of 12 canaries got a different answer than before" in warning
    assert "another model" in checked.root.joinpath("reports/report.md").read_text()

    again = session(checked, 0)  # asked about the labels, it calls everything polite
    assert (again["judge"]["canaries"]["different"], again["judge"]["calibration"]["kappa"]) == (0, 0.0)
    assert again["judge"]["only_warns"]
    assert "does not agree enough with the labels" in again["warnings"][0]


def test_a_changed_model_that_agrees_with_people_counts_again(checked: Project, service: Served, model: Model) -> None:
    """It is asked about the labels at once, with consent, and the stored calls are judged by its votes."""
    unclear = [each | {"turns": [each["turns"][0], {"agent": "Hm."}]} for each in LABELS[:7]]
    checked.write("judge/canaries.jsonl", lines([*unclear, *LABELS[7:]]))
    checked.write("judge/labels.jsonl", lines(LABELS))
    checked.write("planner.yaml", config(model, canaries="judge/canaries.jsonl", labels="judge/labels.jsonl"))
    assert session(checked, 0)["judge"]["only_warns"] is False
    model.script = reading(calls="does_not_hold")
    assert session(checked, 0)["judge"]["only_warns"]
    planned = checked.planner("plan")
    assert "Its verdicts are not compared and only warn" in " ".join(planned.out.split())
    assert "Judge: 12 calls to scripted-1 (12 of them to check the judge), expected $0.24" in planned.out
    asked, calls = len(model.asked), len(service.own_runs())
    assert checked.planner("run").code == 3, "it needs consent"
    assert checked.planner("run", "--consent-to-charge").code == 1
    confirmed = checked.results()
    assert (confirmed["judge"]["only_warns"], confirmed["judge"]["calibration"]["kappa"]) == (False, 1.0)
    assert (confirmed["warnings"], confirmed["cost"]["judge"]["this_session_cents"]) == ([], 24)
    assert (len(model.asked) - asked, len(service.own_runs())) == (12, calls)


def test_new_labels_do_not_confirm_a_model_in_the_session_that_found_the_change(
    checked: Project, service: Served, model: Model
) -> None:
    unclear = [each | {"turns": [each["turns"][0], {"agent": "Hm."}]} for each in LABELS]
    checked.write("judge/canaries.jsonl", lines(unclear))
    session(checked, 0)
    checked.write("judge/labels.jsonl", lines(LABELS))
    checked.write("planner.yaml", config(model, canaries="judge/canaries.jsonl", labels="judge/labels.jsonl"))
    model.script = reading(calls="does_not_hold")
    changed = session(checked, 0)
    assert (changed["judge"]["only_warns"], changed["judge"]["calibration"]["missing"]) == (True, 12)


def test_a_judge_that_answers_otherwise_each_time_fails_no_case(
    checked: Project, service: Served, model: Model
) -> None:
    session(checked, 0)
    for number, verdict in enumerate(("does_not_hold", "holds", "does_not_hold"), 2):
        model.script = lambda asked, verdict=verdict: honest(asked, verdict)
        document = session(checked, 0)
        assert document["judge"]["only_warns"]
        assert document["judge"]["model"] == f"scripted-1 #{number}"
        assert (document["cases"][0]["outcome"], document["judge"]["canaries"]["has_drifted"]) == ("passed", True)


def test_a_judge_that_rambles_decides_nothing(checked: Project, service: Served, model: Model) -> None:
    session(checked, 0)
    model.script = lambda _: "Well, it depends. Politeness has many faces."
    checked.edit("plans/manners.yaml", "stays polite", "remains polite")
    assert checked.planner("run", "--consent-to-charge").code == 4
    document = checked.results()
    assert (document["judge"]["canaries"]["compared"], document["judge"]["only_warns"]) == (0, False)
    assert {run["outcome"] for run in document["cases"][0]["runs"]} == {"undecided"}


def test_a_model_that_wavers_a_little_has_not_changed(checked: Project, service: Served, model: Model) -> None:
    session(checked, 0)
    model.script = lambda asked: reading(rude="holds" if "order 4," in asked.user else "does_not_hold")(asked)
    wavered = session(checked, 0)
    assert wavered["judge"]["canaries"]["different"] == 1
    assert not wavered["judge"]["canaries"]["has_drifted"]
    assert wavered["warnings"] == []


def test_labels_give_kappa_with_its_interval(checked: Project, service: Served, model: Model) -> None:
    """Contradictory labels are named and not counted."""
    people = [*LABELS, label(90, "holds", "ana"), label(90, "holds", "ben") | {"verdict": "does_not_hold"}]
    people.append(label(91, "holds") | {"verdict": "cannot_tell"})
    checked.write("judge/labels.jsonl", lines(people))
    checked.write("planner.yaml", config(model, labels="judge/labels.jsonl", min_kappa=0.7))
    model.script = lambda asked: reading(rude="holds" if "order 4," in asked.user else "does_not_hold")(asked)
    document = session(checked, 0)["judge"]
    (rubric,) = document["rubrics"]
    counted = ("compared", "right", "found", "missed", "false_alarms", "contradictory", "unclear", "missing")
    assert [rubric[name] for name in counted] == [12, 11, 5, 1, 0, 1, 1, 0]
    assert rubric["kappa"] == pytest.approx(0.8333, abs=1e-4)
    low, high = rubric["kappa_interval"]
    assert (low, high) == pytest.approx((0.401, 1.0), abs=0.05)
    assert "finds 5 of 6 failures" in checked.root.joinpath("reports/report.md").read_text()


def test_a_rubric_that_disagrees_with_people_only_warns(checked: Project, service: Served, model: Model) -> None:
    checked.write("planner.yaml", config(model, labels="judge/canaries.jsonl", min_kappa=0.7))
    model.script = reading(rude="holds", calls="does_not_hold")
    document = session(checked, 0)
    assert (document["judge"]["rubrics"][0]["only_warns"], document["cases"][0]["outcome"]) == (True, "passed")
    checked.write("planner.yaml", config(model, labels="judge/canaries.jsonl", min_kappa=0))
    asked = len(model.asked)
    assert checked.planner("run").code == 1, "a lower bar: the stored verdicts count, without a judge call"
    assert len(model.asked) == asked


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{}\n", "judge/canaries.jsonl:1 is not a label: rubric"),
        (lines(LABELS) + "oh\n", "judge/canaries.jsonl:13 is not a label"),
        (lines([LABELS[0] | {"turns": [{"tool": "lookup"}]}]), "judge/canaries.jsonl:1 has a transcript in which nobody"),
        (lines([LABELS[0] | {"turns": [{"agent": "Hi", "caller": "Hi"}]}]), "judge/canaries.jsonl:1 is not a label"),
        (lines([label(number, "holds") for number in range(51)]), "judge.canaries has 51 transcripts"),
    ],
)  # fmt: skip
def test_an_invalid_file_stops_before_any_call(
    checked: Project, service: Served, model: Model, content: str, problem: str
) -> None:
    checked.write("judge/canaries.jsonl", content)
    refused = checked.planner("run", "--consent-to-charge")
    assert (refused.code, model.asked, service.own_runs()) == (2, [], [])
    assert problem in " ".join(refused.err.split())


@pytest.mark.parametrize("name", ["../elsewhere.jsonl", "/etc/hostname", ".planner/journal.sqlite"])
def test_files_are_in_the_project(checked: Project, model: Model, name: str) -> None:
    checked.write("../elsewhere.jsonl", lines(LABELS))
    checked.write(".planner/journal.sqlite", "")
    checked.write("planner.yaml", config(model, canaries=name))
    assert checked.planner("plan").code == 2


def test_a_pull_request_cannot_make_the_judge_only_warn(checked: Project, service: Served, model: Model) -> None:
    """Its labels are those of the base commit."""
    checked.write("planner.yaml", config(model, labels="judge/canaries.jsonl", min_kappa=0.7))
    git(checked.root, "init", "-q", "-b", "main")
    base = commit(checked.root)
    wrong = [each | {"verdict": "holds" if each["verdict"] != "holds" else "does_not_hold"} for each in LABELS]
    checked.write("judge/canaries.jsonl", lines(wrong))
    commit(checked.root)
    planned = checked.planner("ci", "plan", "--base", base)
    assert planned.code == 0
    assert checked.planner("ci", "run", "--base", base, "--consent-to-charge", "--consent-by", "ana").code == 0
    (rubric,) = checked.results()["judge"]["rubrics"]
    assert (rubric["kappa"], rubric["only_warns"]) == (1.0, False)


def test_a_file_that_does_not_exist_is_named(checked: Project, service: Served, model: Model) -> None:
    checked.write("planner.yaml", config(model, labels="judge/none.jsonl"))
    planned = checked.planner("plan")
    assert planned.code == 0
    assert "judge/none.jsonl does not exist" in " ".join(planned.out.split())
    assert session(checked, 0)["warnings"][0].startswith("judge/none.jsonl does not exist")


# Values


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["holds"], Verdict.HOLDS),
        (["holds", "does_not_hold"], None),
        (["holds", "does_not_hold", "holds"], Verdict.HOLDS),
        (["cannot_tell", "cannot_tell"], Verdict.CANNOT_TELL),
    ],
)
def test_most_people_decide(verdicts: list[str], expected: Verdict | None) -> None:
    labels = [label(1, "holds", f"person {place}") | {"verdict": each} for place, each in enumerate(verdicts)]
    (one,) = settled(read_labels(lines(labels).encode(), "labels"))
    assert one.verdict is expected


def test_a_person_may_correct_a_label() -> None:
    labels = [label(1, "holds"), label(1, "holds") | {"verdict": "does_not_hold"}]
    (one,) = settled(read_labels(lines(labels).encode(), "labels"))
    assert one.verdict is Verdict.DOES_NOT_HOLD


def checks_until_noticed(sessions: int, different: int) -> bool:
    """Whether so many different answers of 20 are noticed after so many sessions without any."""
    record, usual = None, {f"canary {number}": "holds" for number in range(20)}
    for _ in range(sessions):
        record = next_record("0" * 64, record, usual, "m", compare(record, usual, "m"))
    today = usual | {f"canary {number}": "does_not_hold" for number in range(different)}
    return compare(record, today, "m").has_drifted


@pytest.mark.parametrize(("sessions", "least"), [(1, 7), (2, 5), (6, 3), (12, 2)])
def test_the_better_a_model_is_known_the_smaller_a_change_is_noticed(sessions: int, least: int) -> None:
    """The figures of docs/judge.md."""
    assert [checks_until_noticed(sessions, number) for number in (least - 1, least, 20)] == [False, True, True]


def test_another_model_is_not_compared() -> None:
    record = CanaryRecord(key="0" * 64, number=3, edition="one", answers={"canary": {"holds": 9}}, compared=8)
    found = compare(record, {"canary": "does_not_hold"}, "other")
    assert (found.compared, found.has_drifted) == (0, False)
    assert next_record("0" * 64, record, {"canary": "cannot_tell"}, "other", found) == CanaryRecord(
        key="0" * 64, number=4, edition="other", answers={"canary": {"cannot_tell": 1}}
    )


@pytest.mark.parametrize("sessions", [0, 1, 2, 3, 17, 200])
def test_the_newest_record_is_found_with_few_reads(sessions: int) -> None:
    key, reads = records_key("https://here.example/v1", "m"), list[int]()

    def load(key: str, number: int) -> bytes | None:
        reads.append(number)
        record = CanaryRecord(key=key, number=number, edition="m", answers={})
        return record.model_dump_json().encode() if number <= sessions else None

    newest = newest_record(load, key)
    assert (0 if newest is None else newest.number) == sessions
    assert len(reads) <= 20


def test_a_damaged_record_starts_anew() -> None:
    newest = newest_record(lambda _, number: b"damaged" if number == 1 else None, "0" * 64)
    assert newest is not None
    assert compare(newest, {"canary": "holds"}, "m").compared == 0
    with pytest.raises(UsageError):
        read_labels(b"damaged", "labels")
