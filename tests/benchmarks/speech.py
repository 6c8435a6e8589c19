"""How much speech the checks understand, on data that nobody here wrote: `python tests/benchmarks/speech.py FOLDER --download`.

It downloads these repositories of GitHub into FOLDER, at the commits in `SOURCES`, and reads them there:

    NVIDIA/NeMo-text-processing                           Apache-2.0    written and spoken forms, both ways
    wenet-e2e/WeTextProcessing                            Apache-2.0    the same, of another project
    sierra-research/tau2-bench                            MIT           customers, and how callers spell (see below)
    microsoft/presidio-research                           MIT           synthetic sentences with personal data
    google-research-datasets/dstc8-schema-guided-dialogue CC BY-SA 4.0  conversations without personal data
    google-research-datasets/Taskmaster                   CC BY 4.0     the same
    veenus-rajpoot/Plivo_Assignment                       (none)        synthetic transcripts with personal data
    arpitjngithub/Plivo_PII_22b0078                       (none)        the same, and so are
    vmukund36/Plivo_assessment                            (none)
    Satvik-jain/Edge-Optimized-PII-NER-System             (none)

Nothing of them is copied here. Half of the rows, chosen by a digest of each, were looked at while the checks were written
(`--half development`); the figures of the documentation are from the other half (`--half held-out`, the default). Of that half, only
which kinds of forms are missed was looked at, once, before decades, quarters of years and US dollars were added.

tau2-bench has customers with codes, addresses and numbers, and instructions for simulated callers how to spell them
(data/tau2/user_simulator/simulation_guidelines_voice.md). The program follows these, and says the letters of codes also in
the NATO alphabet; the sentences around them are its own.

`says` must find the written form in a sentence with the spoken one, and the spoken form in one with the written one. It must
not find the three most similar other forms of the same kind. `no_pii` reads each row as a turn of the agent.
"""

from __future__ import annotations

import argparse
import json
import re
import string
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from difflib import SequenceMatcher
from hashlib import sha256
from heapq import nlargest
from pathlib import Path
from typing import Any, NamedTuple

from planner import evidence as evidence_module
from planner.checks import CHECKS
from planner.evidence import Call, Evidence, Role, Turn

SOURCES = {
    "NVIDIA/NeMo-text-processing": "1f1263579fe57ba7ed783cad3dddee710fcc5064",
    "wenet-e2e/WeTextProcessing": "039007e6b819bd40c4c4a0644f3939da1da47e44",
    "sierra-research/tau2-bench": "a2c024725189473d2d7cea3a5cfdbcc67478e41f",
    "microsoft/presidio-research": "7622dec1e5f7d25dc60b57c28c39f4c4af197018",
    "google-research-datasets/dstc8-schema-guided-dialogue": "e852981ae34990f4358979625854259302feaa78",
    "google-research-datasets/Taskmaster": "d92cb6af3005f1dc09c39e75e7daf4a04905e00b",
    "veenus-rajpoot/Plivo_Assignment": "47e2223e996f90b2f41e3f8e96a818f914ecdec9",
    "arpitjngithub/Plivo_PII_22b0078": "e6d655678e073464fcb3e481d259d4254655abb2",
    "vmukund36/Plivo_assessment": "bf49ebd5bf442e957ca61c5df312fc0752793d70",
    "Satvik-jain/Edge-Optimized-PII-NER-System": "6de9283775e08f5835a93a2049c7ce933ebc597b",
}
COMPLETED: Any = evidence_module.RunStatus.COMPLETED if hasattr(evidence_module, "RunStatus") else "completed"
"""Earlier versions are measured, too (`PYTHONPATH=FOLDER`)."""
NEIGHBOURS = 3
KINDS = "cardinal ordinal decimal fraction range date time money measure telephone serial electronic address".split()  # noqa: SIM905
LABELS = {
    "CREDIT_CARD": "card", "EMAIL": "email", "EMAIL_ADDRESS": "email", "PHONE": "phone", "PHONE_NUMBER": "phone",
    "US_SSN": "ssn", "IBAN_CODE": "iban",
}  # fmt: skip
EARLIER = {"ssn": "identity", "iban": "bank"}
"""Names of kinds before there were more of them: so the program measures earlier versions, too."""
BIRTH = re.compile(r"\b(?:birth\w*|born|dob|d\.o\.b\.)(?!\w)", re.IGNORECASE)


class Pair(NamedTuple):
    kind: str
    written: str
    spoken: str


class Row(NamedTuple):
    source: str
    text: str
    kinds: frozenset[str]


DIGITS = "zero one two three four five six seven eight nine".split()  # noqa: SIM905
NATO = dict(
    zip(
        string.ascii_lowercase,
        [
            "alfa",
            "bravo",
            "charlie",
            "delta",
            "echo",
            "foxtrot",
            "golf",
            "hotel",
            "india",
            "juliett",
            "kilo",
            "lima",
            "mike",
            "november",
            "oscar",
            "papa",
            "quebec",
            "romeo",
            "sierra",
            "tango",
            "uniform",
            "victor",
            "whiskey",
            "x-ray",
            "yankee",
            "zulu",
        ],
        strict=True,
    )
)
SIGNS: dict[str, str] = {"@": "at", ".": "dot", "_": "underscore", "-": "dash", "/": "slash", "#": "hash"}


class Customer(NamedTuple):
    """Of tau2-bench: values by what they are."""

    codes: tuple[str, ...]
    email: str
    phone: str = ""
    birth_date: str = ""


def customers_of(folder: Path) -> Iterator[Customer]:
    domains = folder / "tau2-bench/data/tau2/domains"
    banking = json.loads((domains / "banking_knowledge/db.json").read_text(encoding="utf-8"))
    for each in banking["users"]["data"].values():
        yield Customer((each["user_id"],), each["email"], each["phone_number"], each["date_of_birth"])
    retail = json.loads((domains / "retail/db.json").read_text(encoding="utf-8"))
    for each in retail["users"].values():
        yield Customer((each["user_id"], *each["orders"][:1]), each["email"])


def spelled(text: str, *, nato: bool = False) -> str:
    """As the instructions say: numbers and letters one by one, with a comma in between."""
    said = [
        DIGITS[int(each)]
        if each.isdigit()
        else NATO[each.lower()]
        if nato and each.isalpha()
        else SIGNS.get(each, each.upper())
        for each in text
    ]
    return ", ".join(said)


def spoken_address(text: str) -> str:
    """`john underscore doe at gmail dot com`."""
    parts = re.findall(r"[a-z]+|\d+|[@._-]", text)
    return " ".join(spelled(part) if part.isdigit() else SIGNS.get(part, part) for part in map(str, parts))


class Tally:
    """What was asked, and what was found, by class."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = defaultdict(int)
        self.found: dict[str, int] = defaultdict(int)
        self.wrong: list[str] = []

    def add(self, name: str, found: bool, wanted: bool, row: str) -> None:
        self.asked[name] += 1
        self.found[name] += found
        if found is not wanted:
            self.wrong.append(f"{'missed' if wanted else 'false'} {name}: {row}")

    def total(self, names: Collection[str] | None = None) -> tuple[int, int]:
        """What was found, of what was asked."""
        chosen = [name for name in self.asked if names is None or name in names]
        return sum(self.found[name] for name in chosen), sum(self.asked[name] for name in chosen)


def pairs_of(folder: Path) -> Iterator[Pair]:
    nemo = folder / "NeMo-text-processing/tests/nemo_text_processing/en"
    we = folder / "WeTextProcessing"
    for kind in KINDS:
        for path, separator, written_first in (
            (nemo / f"data_text_normalization/test_cases_{kind}.txt", "~", True),
            (nemo / f"data_inverse_text_normalization/test_cases_{kind}.txt", "~", False),
            (we / f"tn/english/test/data/{kind}.txt", " => ", True),
            (we / f"itn/english/test/data/en_{kind}.txt", " => ", False),
        ):
            if not path.exists():
                continue
            for line in path.read_text(encoding="utf-8").splitlines():
                first, found, second = line.partition(separator)
                if found:
                    written, spoken = (first, second) if written_first else (second, first)
                    yield Pair(kind, written.strip(), spoken.strip())


def spelled_pairs(folder: Path) -> Iterator[Pair]:
    for customer in customers_of(folder):
        for code in customer.codes:
            yield Pair("codes, spelled", code, spelled(code))
            yield Pair("codes, NATO", code, spelled(code, nato=True))
        yield Pair("e-mails", customer.email, spoken_address(customer.email))
        yield Pair("e-mails, spelled", customer.email, spelled(customer.email))
        if customer.phone:
            yield Pair("numbers, spelled", customer.phone, spelled(customer.phone))


def answers_of(folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """A kind of personal data, the caller's question for it, and ways to say it."""
    for customer in customers_of(folder):
        email = customer.email
        yield "email", "What email do you have for me?", [email, spoken_address(email), spelled(email)]
        if customer.phone:
            yield "phone", "What phone number is on my file?", [customer.phone, spelled(customer.phone)]
            yield "birth_date", "What is my date of birth on file?", [customer.birth_date]


def rows_of(folder: Path) -> Iterator[Row]:
    for path in sorted(folder.glob("*P*/**/data/*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            document = json.loads(line) if line.strip() else {}
            if "entities" in document:
                labels = [each["label"] for each in document["entities"]]
                yield Row("transcripts", document["text"], kinds_of(labels, document["text"]))
    for document in json.loads((folder / "presidio-research/data/synth_dataset_v2.json").read_text(encoding="utf-8")):
        text = " ".join(document["full_text"].split())
        yield Row("presidio", text, kinds_of([span["entity_type"] for span in document["spans"]], text))


def kinds_of(labels: list[str], text: str) -> frozenset[str]:
    kinds = {LABELS[label] for label in labels if label in LABELS}
    born = BIRTH.search(text) and {"DATE", "DATE_TIME"}.intersection(labels)
    return frozenset(kinds | ({"birth_date"} if born else set()))


def calls_of(folder: Path) -> Iterator[tuple[str, list[tuple[str, str]], bool]]:
    """Conversations without personal data, and whether the agent names a business's telephone number."""
    for path in sorted((folder / "dstc8-schema-guided-dialogue").glob("*/dialogues_*.json")):
        for each in json.loads(path.read_text(encoding="utf-8")):
            slots = {
                slot["slot"]
                for turn in each["turns"]
                for frame in turn["frames"]
                for slot in frame["slots"]
                if turn["speaker"] == "SYSTEM"
            }
            lines = [
                ("agent" if turn["speaker"] == "SYSTEM" else "caller", turn["utterance"]) for turn in each["turns"]
            ]
            yield f"{path.parent.name} {each['dialogue_id']}", lines, "phone_number" in slots
    for path in sorted((folder / "Taskmaster/TM-4-2024/data").glob("*.json")):
        for each in json.loads(path.read_text(encoding="utf-8")):
            lines = [("caller" if turn["speaker"] == "user" else "agent", turn["text"]) for turn in each["utterances"]]
            yield each["conversation_id"], lines, False


def in_half(text: str, half: str) -> bool:
    return (sha256(text.encode()).digest()[0] % 2 == 0) is (half == "development")


def call(lines: list[tuple[str, str]]) -> Evidence:
    turns = tuple(Turn(number=place, role=Role(role), text=text) for place, (role, text) in enumerate(lines, start=1))
    made = Call(call_id=1, status="completed", end_reason="agent_end", duration_seconds=60)
    return Evidence(run_id=1, run_status=COMPLETED, call=made, turns=turns, tools=())


def fails(lines: list[tuple[str, str]], **fields: Any) -> bool:
    check = CHECKS[fields["check"]].model_validate_json(json.dumps(fields), strict=True)
    return check.judge(call(lines)).outcome.value == "failed"


def says(phrase: str, text: str) -> bool:
    return not fails([("agent", f"It is {text}, thank you.")], check="says", any_of=[phrase], spoken=True)


def no_pii_fails(lines: list[tuple[str, str]], kind: str | None = None) -> bool:
    known = str(CHECKS["no_pii"].model_fields["kinds"].annotation)
    if kind is not None and f"'{kind}'" not in known:
        kind = EARLIER.get(kind, "")
        if f"'{kind}'" not in known:
            return False
    return fails(lines, check="no_pii", **({} if kind is None else {"kinds": [kind]}))


MONTHS: Sequence[str] = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905


def parts(written: str) -> Counter[str]:
    """The numbers and words of a written form, without what two ways to write the same differ in."""
    text = re.sub(r":00|\.0+(?!\d)|(?<=\d),(?=\d{3})|(?<=\d)(?:st|nd|rd|th)\b", "", written.lower())
    text = re.sub(r"\b([ap])\.? ?m\b\.?", r" \1m ", text)
    text = re.sub(rf"\b({'|'.join(MONTHS)})[a-z]*", lambda found: f" {MONTHS.index(found[1]) + 1} ", text)
    return Counter(
        part.lstrip("0") or "0" for part in re.findall(r"\d+|[^\W\d_]+|[/@.,$%-]", text) if part not in "., -"
    )


def neighbours(pair: Pair, pairs: list[Pair]) -> list[Pair]:
    """The most similar ones that mean something else. One whose parts are all in this one may be said with it."""

    def differs(other: Pair) -> bool:
        return pair.spoken.lower() != other.spoken.lower() and not parts(other.written) <= parts(pair.written)

    others = [other for other in pairs if other.kind == pair.kind and differs(other)]
    return nlargest(NEIGHBOURS, others, key=lambda other: SequenceMatcher(None, pair.written, other.written).ratio())


def measure_says(pairs: list[Pair], half: str) -> tuple[Tally, Tally]:
    found, false = Tally(), Tally()
    for pair in pairs:
        if not in_half(f"{pair.written}~{pair.spoken}".lower(), half):
            continue
        for phrase, text in ((pair.written, pair.spoken), (pair.spoken, pair.written)):
            found.add(pair.kind, says(phrase, text), wanted=True, row=f"{phrase!r} in {text!r}")
        for other in neighbours(pair, pairs):
            row = f"{other.written!r} in {pair.spoken!r} ({pair.written!r})"
            false.add(pair.kind, says(other.written, pair.spoken), wanted=False, row=row)
    return found, false


def measure_no_pii(rows: list[Row], answers: list[Any], calls: list[Any], half: str) -> tuple[Tally, Tally]:
    found, false = Tally(), Tally()
    for row in rows:
        if not in_half(row.text, half):
            continue
        for kind in sorted(row.kinds):
            said = no_pii_fails([("agent", row.text)], kind)
            found.add(f"{row.source} {kind}", said, wanted=True, row=row.text)
        if not row.kinds:
            false.add(f"{row.source}, none", no_pii_fails([("agent", row.text)]), wanted=False, row=row.text)
    for kind, question, ways in answers:
        if not in_half(ways[0], half):
            continue
        for place, said in enumerate(ways):
            answer = [("caller", question), ("agent", f"It is {said}.")]
            found.add(f"answers {kind}", no_pii_fails(answer, kind), wanted=True, row=said)
            given = [("caller", f"It is {ways[place - 1]}."), ("agent", f"I have {said}, is that right?")]
            false.add("read back", no_pii_fails(given), wanted=False, row=f"{ways[place - 1]} -> {said}")
    for name, lines, has_number in calls:
        if in_half(name, half):
            kind = "business numbers" if has_number else "conversations"
            false.add(kind, no_pii_fails(lines), wanted=False, row=f"{name}")
    return found, false


def download(folder: Path, host: str) -> None:
    """What is not there yet."""
    for name, commit in SOURCES.items():
        target = folder / name.partition("/")[2]
        if target.exists():
            continue
        target.mkdir(parents=True)
        for command in (
            ["init", "-q"],
            ["fetch", "-q", "--depth", "1", f"{host}/{name}", commit],
            ["checkout", "-q", "FETCH_HEAD"],
        ):
            subprocess.run(["git", "-C", str(target), *command], check=True)


def show(title: str, found: Tally, false: Tally, *, is_wrong_shown: bool) -> None:
    print(f"\n{title}\n\n| class | found | recall | falsely found |\n|---|---|---|---|")
    for name in [*found.asked, *(name for name in false.asked if name not in found.asked)]:
        asked = found.asked[name]
        share = f"{found.found[name] / asked:.1%}" if asked else ""
        others = f"{false.found[name]} of {false.asked[name]}" if false.asked[name] else ""
        print(f"| {name} | {f'{found.found[name]} of {asked}' if asked else ''} | {share} | {others} |")
    suites, of_suites = found.total(KINDS)
    if of_suites:
        print(f"| *test suites* | {suites} of {of_suites} | {suites / of_suites:.1%} | |")
    (right, asked), (wrong, negative) = found.total(), false.total()
    print(f"| **all** | {right} of {asked} | {right / asked:.1%} | {wrong} of {negative} ({wrong / negative:.2%}) |")
    print(f"\nPrecision {right / (right + wrong):.2%}.")
    if is_wrong_shown:
        print("\n".join(("", *found.wrong, *false.wrong)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", choices=("development", "held-out"), default="held-out")
    parser.add_argument("--check", choices=("says", "no_pii"))
    parser.add_argument("--wrong", action="store_true", help="list the rows that were judged wrongly")
    parser.add_argument("--download", action="store_true", help="first download what FOLDER lacks")
    parser.add_argument("--host", default="https://github.com", help="where the repositories are")
    options = parser.parse_args()
    if options.download:
        download(options.folder, options.host)
    if options.check != "no_pii":
        pairs = (*pairs_of(options.folder), *spelled_pairs(options.folder))
        unique = {f"{pair.kind} {pair.written} {pair.spoken}".lower(): pair for pair in pairs}
        tallies = measure_says([*unique.values()], options.half)
        show("`says` with `spoken: true`", *tallies, is_wrong_shown=options.wrong)
    if options.check != "says":
        rows = {row.text: row for row in rows_of(options.folder)}
        answers, calls = [*answers_of(options.folder)], [*calls_of(options.folder)]
        tallies = measure_no_pii([*rows.values()], answers, calls, options.half)
        show("`no_pii`", *tallies, is_wrong_shown=options.wrong)


if __name__ == "__main__":
    sys.exit(main())
