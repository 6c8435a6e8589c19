"""For any history of calls: the view depends on no order, and a failing call never helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final, NamedTuple, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.changes.fingerprint import call_fingerprint, case_inputs, check_fingerprint
from planner.evidence import Evidence
from planner.records.facts import CallFact, Correction, Fact, SessionHead, StoredCall, VerdictFact
from planner.records.files import files_of, part_bytes, part_key
from planner.results.model import CallData, RunVerdict
from planner.verdicts.runs import judge_run
from tests.support.heard_calls import BAD, GOOD, HEARD, JUDGE, load
from tests.support.stored_calls import MemoryFiles, Session, Store, runs_after
from tests.support.stored_cases import NOW, make_case


class History(NamedTuple):
    """Calls of one case, by consent: (why, and how each call went)."""

    rounds: list[tuple[str, str]]

    def facts(self) -> list[Fact]:
        """Consents follow each other; a letter is the kind of evidence."""
        facts: list[Fact] = []
        for number, (reason, kinds) in enumerate(self.rounds):
            for index, kind in enumerate(kinds):
                run_id = 100 * number + index + 1
                data = CallData(
                    evidence=f"{kind}{run_id:063x}",
                    completed_at=NOW - timedelta(days=2, minutes=-run_id),
                    cost_cents=16,
                )
                facts += _facts_of(run_id, f"s{number}", reason, data)
        return facts


def _facts_of(run_id: int, session_id: str, reason: str, data: CallData) -> list[Fact]:
    call = CallFact(
        run_id=run_id,
        session_id=session_id,
        case_id=HEARD.case_id,
        plan=HEARD.plan,
        environment="",
        target_id=12,
        reason=reason,  # pyright: ignore[reportArgumentType]
        data=data,
    )
    run = StoredCall(call, "", data).run(judge_run(HEARD.expectations, cast("Evidence", load(data.evidence or ""))))
    verdict = VerdictFact(
        run_id=run_id,
        session_id=session_id,
        check_fingerprint=check_fingerprint(HEARD),
        evidence=data.evidence,
        outcome="passed",  # pyright: ignore[reportArgumentType]
        verdict=RunVerdict.model_construct(**{name: getattr(run, name) for name in RunVerdict.model_fields}),
    )
    bill = Correction(run_id=run_id, session_id=session_id, at=NOW, data=data.model_copy(update={"cost_cents": 17}))
    return [call, verdict, bill]


FINGERPRINT: Final = call_fingerprint(case_inputs(HEARD, None))
REASONS = st.sampled_from(["first", "missing", "retry", "again", "start_over"])
HISTORIES = st.builds(
    History, st.lists(st.tuples(REASONS, st.text(alphabet=GOOD + BAD, min_size=1, max_size=4)), min_size=1, max_size=4)
)


def in_files(facts: Sequence[Fact], places: Sequence[int], *, trusted: bool = True) -> Store:
    """The facts in files of these numbers, without heads."""
    parts: dict[int, list[Fact]] = {}
    for fact, place in zip(facts, places, strict=False):
        parts.setdefault(place, []).append(fact)
    files = {part_key(FINGERPRINT, f"f{place}", 1): part_bytes(own) for place, own in parts.items()}
    return Store(MemoryFiles(files, is_trusted=trusted))


HEARD_SESSION: Final = Session([HEARD], judge=JUDGE)


def view(store: Store) -> Any:
    return HEARD_SESSION.earlier(store)


def outcome(store: Store, session: Session = HEARD_SESSION) -> str:
    (found,) = session.earlier(store).cases.values()
    return "new" if found.prior is None else found.prior.outcome.value


@settings(deadline=None, max_examples=60)
@given(history=HISTORIES, data=st.data(), trusted=st.booleans())
def test_the_view_depends_on_no_order_and_no_file(history: History, data: st.DataObject, trusted: bool) -> None:
    """Nor on copies of facts."""
    facts = history.facts()
    whole = view(in_files(facts, [0] * len(facts), trusted=trusted))
    shuffled = data.draw(st.permutations([*facts, *data.draw(st.lists(st.sampled_from(facts), max_size=3))]))
    places = data.draw(st.lists(st.integers(0, 4), min_size=len(shuffled), max_size=len(shuffled)))
    assert view(in_files(shuffled, places, trusted=trusted)) == whole


@settings(deadline=None, max_examples=60)
@given(history=HISTORIES, data=st.data())
def test_a_failing_call_never_makes_a_case_pass(history: History, data: st.DataObject) -> None:
    """One more in the newest consent: what had not passed does not pass by it. One more in an older consent may, as the
    newer calls may then differ beyond chance."""
    *older, (reason, kinds) = history.rounds
    place = data.draw(st.integers(0, len(kinds)))
    worse = History([*older, (reason, kinds[:place] + BAD + kinds[place:])])
    before, after = (outcome(in_files(each.facts(), [0] * 999)) for each in (history, worse))
    assert after not in ("passed", "flaky") or before in ("passed", "flaky")


@settings(deadline=None, max_examples=60)
@given(history=HISTORIES, data=st.data())
def test_a_shortened_file_never_makes_a_case_pass(history: History, data: st.DataObject) -> None:
    """Its head says how many lines it had. Without a head, the facts say the same."""
    facts = history.facts()
    sessions = sorted({fact.session_id for fact in facts})
    files: dict[str, bytes] = {}
    for session_id in sessions:
        own = part_bytes(fact for fact in facts if fact.session_id == session_id)
        head = SessionHead(tool_version="1", session_id=session_id, environment="", started_at=NOW, ended_at=NOW)
        files |= files_of(head, {part_key(FINGERPRINT, session_id, 1): own})
    whole = Store(MemoryFiles(files))
    assert outcome(whole) == outcome(in_files(facts, [0] * len(facts)))
    key = data.draw(st.sampled_from([key for key in files if key.startswith("calls/")]))
    lines = files[key].splitlines(keepends=True)
    cut = data.draw(st.integers(0, len(lines) - 1))
    assert outcome(whole.with_files({key: b"".join(lines[:cut])})) == "unknown"


@settings(deadline=None, max_examples=40)
@given(
    rounds=st.lists(st.lists(st.sampled_from([None, "agent"]), min_size=1, max_size=3), min_size=1, max_size=4),
    data=st.data(),
)
def test_a_file_that_is_gone_never_makes_a_case_pass(rounds: list[list[str | None]], data: st.DataObject) -> None:
    """Each session calls again what the one before left, or everything."""
    case, store = make_case(runs=3, min_pass_rate=0.8), Store()
    for causes in rounds:
        rerun = data.draw(st.sampled_from(["needed", "failed", "all"])) if store.sessions else "needed"
        session = Session([case], asked={"rerun": rerun})
        _, store = session.finish(store, {case.case_id: runs_after(store, *causes)})
    before = outcome(store, Session([case]))
    key = data.draw(st.sampled_from([key for key in store.base.content if key.startswith("calls/")]))
    left = {name: content for name, content in store.base.content.items() if name != key}
    after = outcome(replace(store, base=MemoryFiles(left)), Session([case]))
    assert after not in ("passed", "flaky") or before in ("passed", "flaky")


def test_a_retry_names_what_it_counts_with() -> None:
    """Even without heads, the failures before it are missed."""
    case, store = make_case(runs=1, min_pass_rate=0.5), Store()
    for cause in ("agent", None):
        _, store = Session([case], asked={"rerun": "failed" if cause is None else "needed"}).finish(
            store, {case.case_id: runs_after(store, cause)}
        )
    parts = sorted(name for name in store.base.content if name.startswith("calls/"))
    left = replace(store, base=MemoryFiles({parts[1]: store.base.content[parts[1]]}))
    assert (outcome(store, Session([case])), outcome(left, Session([case]))) == ("flaky", "unknown")
