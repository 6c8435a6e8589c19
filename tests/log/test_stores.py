"""What every store of a log promises: one suite for folder, bucket and git ref."""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from hashlib import sha256
from itertools import count
from pathlib import Path
from unittest.mock import patch

import pytest
from forked import Forked, started
from log_places import ALL_KINDS, KINDS, NAME, BucketPlace, FolderPlace, GitPlace, Place, entry_after, machine
from repositories import git

from planner.errors import StoreError, UsageError
from planner.log.stores.store import START, LogWentBackError, log_name


def filled(place: Place, wanted: int) -> list[str]:
    """The positions before and after each of the lines `line 1`, `line 2`, …"""
    store = place.open()
    positions = [START]
    for number in range(1, wanted + 1):
        end = store.append([f"line {number}"], positions[-1])
        assert end is not None
        positions.append(end)
    return positions


# Reading and appending


@pytest.mark.parametrize("place", ALL_KINDS, indirect=True)
def test_lines_are_read_as_they_were_appended(place: Place) -> None:
    here, there = place.open(), place.open()
    assert there.read() == ([], START)
    first = here.append(['{"a":"ä\u2028 \\n"}', "x\ry"], START)
    assert first is not None
    assert there.read() == (['{"a":"ä\u2028 \\n"}', "x\ry"], first)
    second = there.append(["z"], first)
    assert second is not None
    assert here.read(first) == (["z"], second)
    assert here.read(second) == ([], second)
    assert place.open().read(first) == (["z"], second)


def test_an_append_fails_if_somebody_else_appended(place: Place) -> None:
    here, there = place.open(), place.open()
    first = here.append(["a"], START)
    assert first is not None
    assert there.append(["b"], START) is None
    assert here.append(["c"], first) is not None
    assert there.append(["d"], first) is None
    assert place.open().append(["e"], first) is None
    assert there.read()[0] == ["a", "c"]


@pytest.mark.parametrize("place", [*KINDS, "alone"], indirect=True)
def test_an_append_may_be_repeated(place: Place) -> None:
    """Whoever did not get the answer asks again: with the same arguments, nothing is appended twice."""
    store = place.open()
    first = store.append(["a"], START)
    assert store.append(["a"], START) == first
    assert place.open().append(["a"], START) is None  # the same line of somebody else
    assert store.read() == (["a"], first)


@pytest.mark.parametrize("line", ["", "a\nb", "x" * 101])
def test_lines_that_cannot_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    monkeypatch.setattr("planner.log.stores.entries.MAX_LINE_BYTES", 100)
    store = FolderPlace(tmp_path).open()
    with pytest.raises(ValueError, match="a line of a log"):
        store.append(["good", line], START)
    assert store.read() == ([], START)


@pytest.mark.parametrize("position", ["1", "1.1.xyz", "0.1." + "a" * 64, "../1", "1.1." + "a" * 65])
def test_strange_positions(tmp_path: Path, position: str) -> None:
    with pytest.raises(ValueError, match="not a position"):
        FolderPlace(tmp_path).open().read(position)


def test_names_of_logs() -> None:
    assert log_name() == "_/log"
    assert log_name("plans/Shop", "42") == "plans%2F%53hop/pr-42/log"
    assert log_name("", "topic/x") == "_/branch-topic%2Fx/log"
    assert len({log_name("", name) for name in ("7", "07", "pr-7", "..", "_", "")}) == 6


def test_processes_that_append_at_the_same_time(place: Place) -> None:
    """Three processes append, one makes checkpoints: nothing is lost, nothing is there twice."""
    each = 8
    writers = [_start(place, f"writer-{number}", "append", each) for number in range(3)]
    checkpoints = _start(place, "checkpoints", "checkpoint", 4)
    appended = [line for writer in writers for line in _finish(writer)]
    _finish(checkpoints)
    assert [one.process.exitcode for one in (*writers, checkpoints)] == [0] * 4
    lines = place.open().read()[0]
    assert Counter(line for line in lines if line != "open") == Counter(appended)
    assert len(set(appended)) == 3 * each
    for number in range(3):
        own = [line for line in lines if line.startswith(f"writer-{number} ")]
        assert own == [f"writer-{number} {index}" for index in range(each)]


def test_processes_that_are_killed(place: Place) -> None:
    """What a process reported as appended is there after kill -9, once; the others go on."""
    appended: list[str] = []
    for attempt in range(4):
        doomed = [
            _start(place, f"doomed-{attempt}", "append", 1000),
            _start(place, f"saver-{attempt}", "checkpoint", 1000),
        ]
        appended += [doomed[0].output.readline().strip() for _ in range(attempt + 1)]
        for one in doomed:
            one.process.kill()
        appended += _finish(doomed[0])
        _finish(doomed[1])
    survivor = place.open("survivor")
    lines, end = survivor.read()
    assert survivor.append(["last"], end) is not None
    assert [line for line in lines if line in set(appended)] == appended
    assert max(Counter(line for line in lines if line != "open").values()) == 1
    assert place.open().read()[0] == [*lines, "last"]


@pytest.mark.parametrize("command", ["append", "checkpoint"])
def test_processes_that_are_killed_between_two_steps(place: Place, command: str) -> None:
    """All or nothing of what they appended; the next one goes on, also from every older position."""
    positions = filled(place, 3)
    expected = [f"line {number}" for number in range(1, 4)]
    reader, end = place.open(), positions[-1]
    is_done = False
    for step in count(1):
        if is_done:
            assert step > 2
            break
        doomed = _start(place, "doomed", command, 1, step, end)
        reported = _finish(doomed)
        is_done = doomed.process.exitcode == 0
        assert is_done or doomed.process.exitcode == -signal.SIGKILL
        lines, at = reader.read(end)
        new = ["doomed 0"] if command == "append" else ["open"]
        assert lines in ([new] if reported else [[], new])
        after = reader.append([f"after {step}"], at)
        assert after is not None
        expected += [*lines, f"after {step}"]
        end = after
    assert reader.checkpoint(end) is not None
    for number, position in enumerate(positions):
        assert place.open().read(position)[0] == expected[number:]


def _start(place: Place, writer: str, command: str, wanted: int, step: int = 0, at: str = "") -> Forked:
    return started(machine, place.spec(), writer, command, wanted, step, at, cwd=place.folder)


def _finish(process: Forked) -> list[str]:
    """What it printed until its end."""
    with process.output:
        said = process.output.read().splitlines()
    process.process.join()
    return said


# Lost lines


def test_lines_that_were_lost(place: Place) -> None:
    """An older copy that was put back, also one to which others have appended since, and a log that was deleted."""
    first = filled(place, 1)[-1]
    put_back = place.copy()
    other = place.open()
    second = other.append(["b"], first)
    assert second is not None
    third = other.append(["c"], second)
    assert third is not None

    def went_back(position: str) -> None:
        for reader in (place.open(), other):
            with pytest.raises(LogWentBackError) as caught:
                reader.read(position)
            assert caught.value.command == "planner reconcile"
            with pytest.raises(LogWentBackError):
                reader.append(["never"], position)
        assert "never" not in place.open().read()[0]

    put_back()
    went_back(third)
    assert place.open().read(first) == ([], first)
    new = place.open().append(["B"], first)  # as many lines as before
    assert new is not None
    went_back(second)
    went_back(third)
    assert place.open().append(["C"], new) is not None
    went_back(second)
    went_back(third)
    place.wipe()
    went_back(first)
    went_back(third)
    assert place.open().read() == ([], START)


@pytest.mark.parametrize("place", [*KINDS, "alone"], indirect=True)
def test_a_log_that_was_put_back_while_somebody_uses_it(place: Place) -> None:
    first = filled(place, 1)[-1]
    put_back = place.copy()
    store = place.open()
    second = store.append(["b"], first)
    assert second is not None
    put_back()
    with pytest.raises(LogWentBackError):
        _ = store.append(["c"], second) or store.read(second)
    reader = place.open()
    assert reader.read() == (["line 1"], first)
    assert reader.append(["d"], first) is not None


def test_a_copy_from_before_a_checkpoint(place: Place) -> None:
    positions = filled(place, 3)
    put_back = place.copy()
    store = place.open()
    end = store.checkpoint(positions[-1])
    assert end is not None
    put_back()
    with pytest.raises(LogWentBackError):
        store.read(end)
    assert store.read(positions[2]) == (["line 3"], positions[3])


# Checkpoints


@pytest.mark.parametrize("place", [*KINDS, "shallow", "alone"], indirect=True)
def test_a_checkpoint_replaces_entries_and_loses_nothing(place: Place) -> None:
    """Who knows the older chain goes on where it was; open lines are lines of the checkpoint, too."""
    positions = filled(place, 5)
    store = place.open()
    before = place.stored()[0]
    end = store.checkpoint(positions[-1], ["open 1", "open 2"])
    assert end is not None
    if isinstance(place, FolderPlace):
        assert before - place.stored()[0] == 5 - 2
    everything = [*(f"line {number}" for number in range(1, 6)), "open 1", "open 2"]
    for number, position in enumerate(positions):
        for reader in (place.open(), store):
            assert reader.read(position) == (everything[number:], end)
    assert place.open().read(end) == ([], end)


def test_several_checkpoints(place: Place) -> None:
    positions = filled(place, 2)
    store = place.open()
    for number in range(3, 8, 2):
        end = store.checkpoint(positions[-1], [f"open {number}"])
        assert end is not None
        after = place.open().append([f"line {number}"], end)
        assert after is not None
        more = place.open().append([f"line {number + 1}"], after)
        assert more is not None
        positions += [end, after, more]
    everything, last = place.open().read()
    assert last == positions[-1]
    assert [line for line in everything if line.startswith("line")] == [f"line {number}" for number in range(1, 9)]
    for number, position in enumerate(positions):
        assert place.open().read(position) == (everything[number:], last)


def test_positions_before_a_checkpoint_cannot_be_written_at(place: Place) -> None:
    """Although the numbers of the entries that it removed are free again."""
    positions = filled(place, 4)
    stale = place.open()
    stale.read(positions[2])
    end = place.open().checkpoint(positions[-1], ["open"])
    assert end is not None
    stored = place.stored()
    for position in positions:
        assert stale.append(["never"], position) is None
        assert place.open().append(["never"], position) is None
        assert place.open().checkpoint(position) in {None, START}
    assert place.open().read(end) == ([], end)
    assert "never" not in place.open().read()[0]
    if not isinstance(place, GitPlace):  # where unreachable objects may remain
        assert place.stored() == stored


def test_a_checkpoint_fails_if_somebody_else_appended(place: Place) -> None:
    positions = filled(place, 3)
    assert place.open().checkpoint(positions[-2]) is None
    assert place.open().read() == (["line 1", "line 2", "line 3"], positions[-1])
    assert place.open().checkpoint(START) == START


@pytest.mark.parametrize("place", [*KINDS, "alone"], indirect=True)
def test_a_log_that_is_removed(place: Place) -> None:
    """All of it, unless somebody appended meanwhile; whoever has read it does not go on as if nothing was."""
    positions = filled(place, 3)
    here, reader = place.open(), place.open()
    digest = here.put(b"evidence")
    end = here.append(["with evidence"], positions[-1])
    assert end is not None
    assert reader.read(positions[-1]) == (["with evidence"], end)
    assert not place.open().remove(positions[-1])
    assert reader.read(positions[-1])[0] == ["with evidence"]
    position = reader.read()[1]
    assert place.open().remove(position)
    assert place.open().read() == ([], START)
    assert place.open().get(digest) is None
    with pytest.raises(LogWentBackError):
        reader.read(position)
    with pytest.raises(LogWentBackError):
        reader.append(["late"], position)
    assert place.open().remove(START)
    assert place.open().append(["new"], START) is not None
    assert place.open().read()[0] == ["new"]


# Documents


@pytest.mark.parametrize("place", ALL_KINDS, indirect=True)
def test_documents(place: Place) -> None:
    """They are read by other machines, one at a time, until they are deleted; also after a checkpoint."""
    here, there = place.open(), place.open()
    documents = [b"", b"one", bytes(range(256)) * 100]
    digests = [here.put(document) for document in documents]
    assert digests == [sha256(document).hexdigest() for document in documents]
    assert [here.get(digest) for digest in digests] == documents
    end = here.append(["calls"], START)
    assert end is not None
    own = there.put(b"two")
    end = there.append(["more"], there.read()[1])
    assert end is not None
    for after in (end, here.checkpoint(end)):
        assert after is not None
        reader = place.open()
        assert [reader.get(digest) for digest in (*digests, own)] == [*documents, b"two"]
    assert place.open().get("0" * 64) is None
    there.delete([digests[1], "0" * 64])
    for reader in (place.open(), here, there):
        lines, _ = reader.read()
        assert lines == ["calls", "more"]
        assert [reader.get(digest) for digest in (*digests, own)] == [b"", None, documents[2], b"two"]
    again = here.put(b"one")
    assert here.append(["again"], here.read()[1]) is not None
    assert place.open().get(again) == b"one"


def test_documents_of_writers_that_go_on_after_a_checkpoint(place: Place) -> None:
    writers = [place.open(), place.open()]
    digests: list[str] = []
    position = START
    for number in range(6):
        writer = writers[number % 2]
        digests.append(writer.put(f"document {number}".encode()))
        for _ in range(3):
            _, position = writer.read(position)
            appended = writer.append([f"line {number}"], position)
            if appended is not None:
                break
        else:
            pytest.fail("the append fails again and again")
        position = appended
        if number in {2, 3}:
            saved = place.open().checkpoint(position)
            assert saved is not None
            position = saved
    reader = place.open()
    assert [reader.get(digest) for digest in digests] == [f"document {number}".encode() for number in range(6)]
    assert reader.read()[0] == [f"line {number}" for number in range(6)]


@pytest.mark.parametrize("place", ["git"], indirect=True)
def test_a_writer_has_one_ref_of_documents(place: Place) -> None:
    """Also if others were first; a checkpoint joins the refs of all. A push lists all refs of a remote."""
    assert isinstance(place, GitPlace)

    def refs() -> int:
        return len(
            git(
                place.bare, "for-each-ref", "refs/planner/results/_/evidence", "refs/planner/results/_/evidence-joined"
            ).split("\n")
        )

    here, there = place.open(), place.open()
    digests: list[str] = []
    position = START
    for number in range(4):
        digests.append(here.put(f"document {number}".encode()))
        other = there.append([f"other {number}"], there.read()[1])
        assert other is not None
        assert here.append([f"line {number}"], position) is None
        end = here.append([f"line {number}"], other)
        assert end is not None
        position = end
    assert refs() == 1
    digests.append(there.put(b"another"))
    end = there.append(["x"], there.read()[1])
    assert end is not None
    assert refs() == 2
    assert place.open().checkpoint(end) is not None
    assert refs() == 1
    assert None not in [place.open("reader").get(digest) for digest in digests]


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_digests_are_no_paths(tmp_path: Path, digest: str) -> None:
    place = FolderPlace(tmp_path)
    store = place.open()
    with pytest.raises(ValueError, match="not a SHA-256 digest"):
        store.get(digest)
    with pytest.raises(ValueError, match="not a SHA-256 digest"):
        store.delete([digest])


def test_documents_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = FolderPlace(tmp_path)
    monkeypatch.setattr("planner.log.stores.chain.MAX_EVIDENCE_BYTES", 10)
    with pytest.raises(ValueError, match="at most 10 bytes"):
        place.open().put(b"x" * 11)


# Hostile content


DAMAGED = {
    "no JSON": b"hello\n",
    "no end": b"{",
    "not UTF-8": b"\xff\xfe\n",
    "deep": b"[" * 100_000 + b"\n",
    "not an object": b"[]\n",
}


@pytest.mark.parametrize(
    ("place", "damage"),
    [
        *((kind, damage) for kind in KINDS for damage in ("empty", "cut")),
        *(
            ("folder", damage)
            for damage in (*DAMAGED, "longer", "changed", "number", "negative", "newer", "start", "two")
        ),
    ],
    indirect=["place"],
)
def test_damaged_entries(place: Place, damage: str) -> None:
    """Neither a traceback nor a part of an entry: the error says where, and what to do."""
    end = filled(place, 1)[-1]
    good = entry_after(end, "new", "lines")
    data = DAMAGED | {
        "empty": b"",
        "cut": good[:-3],
        "longer": good + b"more\n",
        "changed": good.replace(b"new", b"old"),
        "number": entry_after(end, "x", number=7, start=1),
        "negative": entry_after(end, "x", size=-1),
        "newer": entry_after(end, "x", planner_log=2),
        "start": entry_after(end, "x", start=2),
        "two": good + good,
    }
    place.write_entry(2, data[damage])
    for position in (START, end):
        with pytest.raises(StoreError, match="damaged") as caught:
            place.open().read(position)
        assert "planner reconcile" in caught.value.hint


def test_an_entry_that_does_not_follow(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path)
    end = filled(place, 1)[-1]
    place.write_entry(2, entry_after(end, "x", after="0" * 64))
    with pytest.raises(StoreError, match="does not follow"):
        place.open().read()
    with pytest.raises(LogWentBackError):
        place.open().read(end)


def test_strange_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read, so that facts can name them: bounded, and as text."""
    place = FolderPlace(tmp_path)
    monkeypatch.setattr("planner.log.stores.entries.MAX_LINE_BYTES", 100)
    end = filled(place, 1)[-1]
    body = b"\xff\xfe\n" + b"y" * 1000 + b"\n\n\x00\n"
    place.write_entry(2, entry_after(end, size=len(body), body=sha256(body).hexdigest()) + body)
    lines, position = place.open().read()
    assert lines == ["line 1", "\ufffd\ufffd", "y" * 100, "", "\x00"]
    assert place.open().append(["z"], position) is not None


def test_fields_that_this_version_does_not_know(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path)
    end = filled(place, 1)[-1]
    place.write_entry(2, entry_after(end, "x", colour="blue"))
    lines, position = place.open().read()
    assert lines == ["line 1", "x"]
    assert place.open().append(["y"], position) is not None
    assert place.open().read(end)[0] == ["x", "y"]


def test_a_checkpoint_without_its_segment(place: Place) -> None:
    end = filled(place, 1)[-1]
    segments = [{"digest": "a" * 64, "last": 1}]
    place.write_entry(2, entry_after(end, "x", start=2, segments=segments))
    with pytest.raises(StoreError, match="lacks"):
        place.open().read()
    assert place.open().read(end)[0] == ["x"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path)
    end = filled(place, 1)[-1]
    secret = tmp_path / "secret"
    secret.write_bytes(entry_after(end, "secret"))
    (place.entries / f"{2:012}").symlink_to(secret)
    with pytest.raises(StoreError, match="symbolic link"):
        place.open().read()
    place.entries.rename(tmp_path / "moved")
    place.entries.symlink_to(tmp_path / "moved")
    for use in (lambda: place.open().read(), lambda: place.open().append(["x"], end)):
        with pytest.raises(StoreError, match="symbolic link"):
            use()
    evidence = place.store_folder / NAME / "evidence"
    evidence.symlink_to(tmp_path)
    with pytest.raises(StoreError, match="symbolic link"):
        place.open().put(b"x")


def test_what_killed_writers_left(tmp_path: Path) -> None:
    """Also a part of a document that is to be forgotten."""
    place = FolderPlace(tmp_path)
    store = place.open()
    unfinished = place.store_folder / NAME / "unfinished"
    for delete in (lambda: store.delete([store.put(b"x")]), lambda: store.checkpoint(filled(place, 1)[-1])):
        store.put(b"y")
        for name in ("old", "new"):
            (unfinished / name).write_bytes(b"half a document")
        os.utime(unfinished / "old", (1_000_000_000, 1_000_000_000))
        delete()
        assert [path.name for path in unfinished.iterdir()] == ["new"]


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_entries_that_are_no_files(tmp_path: Path, kind: str) -> None:
    place = FolderPlace(tmp_path)
    filled(place, 1)
    (os.mkfifo if kind == "fifo" else os.mkdir)(place.entries / f"{2:012}")
    with pytest.raises(StoreError, match=r"not a file|Is a directory"):
        place.open().read()


@pytest.mark.parametrize("place", ["folder", "bucket"], indirect=True)
def test_strange_names(place: Place) -> None:
    """Names that planner does not give are not read."""
    end = filled(place, 1)[-1]
    for name in ("x", "2", "-00000000001", "00000000000x", ".unfinished-1", "٠٠٠٠٠٠٠٠٠٠٠٢", "2/000000000002"):
        if isinstance(place, BucketPlace):
            place.server.objects[f"/results/team/{NAME}/entries/{name}"] = b"strange"
        elif isinstance(place, FolderPlace):
            path = place.entries / name.replace("2/", "folder/")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"strange")
    assert place.open().read() == (["line 1"], end)
    assert place.open().append(["line 2"], end) is not None
    if isinstance(place, BucketPlace):
        place.server.objects[f"/results/team/{NAME}/entries/../secret"] = b"strange"
        with pytest.raises(StoreError, match=r"secret|\.\."):
            place.open().read()


@pytest.mark.parametrize("place", ["git"], indirect=True)
@pytest.mark.parametrize("kind", ["link", "folder", "submodule", "nothing"])
def test_commits_of_others(place: Place, kind: str) -> None:
    assert isinstance(place, GitPlace)
    filled(place, 1)
    blob = place.write_blob(b"/etc/passwd")
    tree = git(place.bare, "rev-parse", "main^{tree}")
    head = git(place.bare, "rev-parse", "main")
    place.write_tree(
        {
            "link": f"120000 blob {blob}\tentry\n",
            "folder": f"040000 tree {tree}\tentry\n",
            "submodule": f"160000 commit {head}\tentry\n",
            "nothing": f"100644 blob {blob}\tother\n",
        }[kind]
    )
    with pytest.raises(StoreError, match=r"damaged|not a file") as caught:
        place.open().read()
    assert caught.value.hint


def test_entries_are_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("objects", "git"):
        monkeypatch.setattr(f"planner.log.stores.{module}.MAX_DOCUMENT_BYTES", 1000)
    end = filled(place, 1)[-1]
    place.write_entry(2, entry_after(end, "x" * 1000))
    with pytest.raises(StoreError, match="too large"):
        place.open().read()


# Stores that cannot be used


@pytest.mark.parametrize("place", ["bucket"], indirect=True)
def test_a_bucket_that_ignores_conditions(place: Place) -> None:
    """It is refused before anything is written that somebody relies on."""
    assert isinstance(place, BucketPlace)
    place.server.ignores_conditions = True
    with pytest.raises(UsageError, match="ignores the condition"):
        place.open().append(["x"], START)
    assert place.open().read() == ([], START)


@pytest.mark.parametrize("place", ["bucket"], indirect=True)
def test_a_bucket_that_does_not_exist(place: Place) -> None:
    assert isinstance(place, BucketPlace)
    place.server.failing = 404, frozenset({"GET", "PUT"})
    for use in (place.open().read, lambda: place.open().append(["x"], START)):
        with pytest.raises(UsageError, match="cannot be") as caught:
            use()
        assert "must exist" in caught.value.hint


@pytest.mark.parametrize("place", ["bucket"], indirect=True)
def test_large_objects(place: Place) -> None:
    """They are sent in parts."""
    store = place.open()
    documents = [os.urandom(6_000_000), os.urandom(20_000_000)]
    digests = [store.put(document) for document in documents]
    assert [place.open().get(digest) for digest in digests] == documents


def test_a_file_system_without_hard_links(tmp_path: Path) -> None:
    with patch("os.link", side_effect=OSError(errno.EPERM, "")), pytest.raises(UsageError, match="hard links"):
        FolderPlace(tmp_path).open().append(["x"], START)


@pytest.mark.parametrize("place", ["git"], indirect=True)
def test_a_lock_that_a_killed_git_left(place: Place) -> None:
    assert isinstance(place, GitPlace)
    end = filled(place, 1)[-1]
    store = place.open("here")
    store.read()
    assert place.open().append(["x"], end) is not None
    lock = next((place.clone("here") / ".git/refs/planner-tracking").rglob("log"))
    lock.with_name("log.lock").write_bytes(b"")
    assert store.read(end)[0] == ["x"]
    assert place.open("here").read(end)[0] == ["x"]


@pytest.mark.parametrize(
    ("place", "how"),
    [
        *((kind, how) for kind in KINDS for how in ("away", "read-only", "full")),
        ("shallow", "away"),
        ("http", "away"),
        ("http", "read-only"),
        ("alone", "away"),
    ],
    indirect=["place"],
)
def test_a_store_that_cannot_be_used_for_a_while(place: Place, how: str) -> None:
    """The error says what to do, and afterwards the same append goes on."""
    end = filled(place, 1)[-1]
    store = place.open()
    store.read(end)
    digest = store.put(b"document" * 1000)
    with place.failing(how):
        for _ in range(2):
            with pytest.raises((StoreError, UsageError)) as caught:
                store.append(["new"], end)
            assert not isinstance(caught.value, LogWentBackError)
            assert caught.value.hint
        if how == "away":
            with pytest.raises((StoreError, UsageError)):
                store.read(end)
        else:
            assert place.open().read() == (["line 1"], end)
    after = store.append(["new"], end)
    assert after is not None
    assert place.open().read() == (["line 1", "new"], after)
    assert place.open().get(digest) == b"document" * 1000


# Costs


def test_an_append_costs_the_same_in_a_long_log(place: Place) -> None:
    """Stored things, their bytes, requests and processes."""
    store, reader = place.open(), place.open()
    position, costs = START, list[tuple[int, ...]]()
    for number in range(12):
        before = (*place.stored(), place.used())
        assert reader.read(position) == ([], position)
        end = store.append([f"{number:0500}"], position)
        assert end is not None
        assert reader.read(position)[0] == [f"{number:0500}"]
        position = end
        after = (*place.stored(), place.used())
        costs.append(tuple(now - earlier for now, earlier in zip(after, before, strict=True)))
    assert costs[10][0] == costs[2][0]
    assert costs[10][1] <= 1.02 * costs[2][1]
    assert costs[10][2] == costs[2][2]
