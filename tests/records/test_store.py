"""One record of many, and what becomes of broken files: set aside with the reason, never lost, never counted."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from tests.analysis import factory
from tests.analysis.factory import GOOD, PROVENANCE, made
from wganbench.errors import DamagedError, RecordError
from wganbench.records import record
from wganbench.records.merge import merge_stores
from wganbench.records.record import Record, checksum_of, content_checksum, read_text, write_text
from wganbench.records.store import Store
from wganbench.spec.plan import expand

COMMITTED = Path(__file__).with_name("record_schema_1.json")


@pytest.fixture
def found(tmp_path) -> list[Record]:
    """Three seeds of one variant, which no folder holds."""
    return factory.records(made(tmp_path), "good", GOOD, n=3)


@pytest.fixture
def store(tmp_path, found) -> Store:
    """Holds the first two."""
    store = Store(tmp_path / "results")
    for each in found[:2]:
        store.write(each)
    return store


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---- one record -----------------------------------------------------------------------------------------------------


def test_one_record_is_found_without_a_look_at_the_others(store, found):
    store.path(found[1]).write_text("broken")
    assert store.find("made", found[0].id) == found[0]
    assert store.find("made", found[2].id) is None
    assert store.find("elsewhere", found[0].id) is None
    with pytest.raises(DamagedError, match="not whole JSON"):
        store.find("made", found[1].id)


def test_a_record_under_another_runs_name_is_not_found_but_reported(store, found):
    store.path(found[0]).rename(store.path(found[2]))
    with pytest.raises(RecordError, match=rf"-s2.json: holds the record of .*{found[0].id}.json; move the file there"):
        store.find("made", found[2].id)
    (store.root / "mine").mkdir()
    store.path(found[1]).rename(store.root / "mine" / f"{found[1].id}.json")
    with pytest.raises(RecordError, match="holds the record of"):
        store.find("mine", found[1].id)


def test_a_link_into_nothing_is_reported_since_no_record_could_be_put_there(store, found):
    store.path(found[2]).symlink_to("nowhere")
    with pytest.raises(RecordError, match=r"cannot be read \(No such file or directory\); move it away"):
        store.find("made", found[2].id)


def test_the_checksum_of_a_record_is_the_one_in_its_file(store, found):
    stated = json.loads(store.path(found[0]).read_text())["checksum"]
    assert checksum_of(found[0]) == checksum_of(store.find("made", found[0].id)) == stated
    assert checksum_of(found[1]) != stated
    text = COMMITTED.read_text(encoding="utf-8")
    assert checksum_of(read_text(text, "here")) == json.loads(text)["checksum"]


def test_a_run_that_was_trained_again_to_the_same_numbers_has_another_checksum(found):
    later = PROVENANCE.model_copy(update={"started": "2026-01-01T00:00:01+00:00"})
    assert checksum_of(found[0].model_copy(update={"provenance": later})) != checksum_of(found[0])
    assert checksum_of(found[0].model_copy(update={"wall_seconds": 1.0000001})) != checksum_of(found[0])


def test_the_checksum_of_an_older_schema_is_the_same_at_each_reading(monkeypatch, found):
    text = write_text(found[0])
    monkeypatch.setattr(record, "SCHEMA", 2)
    monkeypatch.setattr(record, "MIGRATIONS", {1: lambda content: {**content, "note": "from 1 to 2"}})
    first, second = read_text(text, "here"), read_text(text, "here")
    assert first.note == "from 1 to 2"
    assert checksum_of(first) == checksum_of(second)
    assert checksum_of(read_text(write_text(first), "here")) == checksum_of(first)


def test_the_plain_precision_is_not_written_and_another_comes_back(found):
    assert '"precision": "float32"' not in write_text(found[0])
    assert read_text(write_text(found[0]), "here").provenance.precision == "float32"
    coarse = found[0].model_copy(update={"provenance": PROVENANCE.model_copy(update={"precision": "tf32"})})
    assert read_text(write_text(coarse), "here") == coarse
    assert checksum_of(coarse) != checksum_of(found[0])


# ---- setting aside --------------------------------------------------------------------------------------------------


def test_a_damaged_file_is_set_aside_as_it_was_with_its_reason_and_counts_no_more(store, found):
    path = store.path(found[0])
    path.write_bytes(b"\xff broken")
    before = files(store.root)
    target = store.set_aside(path, f"{path}: not a text file;\nmove it")
    assert target == store.root / "made" / "damaged" / path.name
    assert files(store.root) == {
        f"made/{found[1].id}.json": before[f"made/{found[1].id}.json"],
        f"made/damaged/{path.name}": b"\xff broken",
        f"made/damaged/{path.name}.why": f"{path}: not a text file; move it\n".encode(),
    }
    assert store.load() == {found[1].id: found[1]}


def test_what_was_set_aside_before_keeps_its_place(store, found):
    path, folder = store.path(found[0]), store.root / "made" / "damaged"
    for number in (1, 2, 3):
        path.write_text(f"broken {number}")
        store.set_aside(path, f"reason {number}")
    assert {name: content.decode() for name, content in files(folder).items()} == {
        path.name: "broken 1",
        f"{path.name}.why": "reason 1\n",
        f"{path.name}.2": "broken 2",
        f"{path.name}.2.why": "reason 2\n",
        f"{path.name}.3": "broken 3",
        f"{path.name}.3.why": "reason 3\n",
    }
    assert store.held() == [
        (folder / path.name, "reason 1"),
        (folder / f"{path.name}.2", "reason 2"),
        (folder / f"{path.name}.3", "reason 3"),
    ]


def test_a_file_set_aside_by_hand_without_a_reason_keeps_its_place_too(store, found):
    path, folder = store.path(found[0]), store.root / "made" / "damaged"
    folder.mkdir()
    (folder / path.name).write_text("by hand")
    path.write_text("broken")
    assert store.set_aside(path, "reason") == folder / f"{path.name}.2"
    assert (folder / path.name).read_text() == "by hand"
    assert store.held()[0] == (folder / path.name, "no reason was kept")


def test_a_whole_record_that_came_in_the_place_of_a_broken_one_stays(store, found):
    before = files(store.root)
    assert store.set_aside(store.path(found[0]), "was broken a moment ago") is None
    assert store.set_aside(store.path(found[2]), "is gone") is None
    assert files(store.root) == before


def test_of_two_processes_that_set_one_file_aside_one_has_it_and_the_other_goes_on(store, found, monkeypatch):
    path, rename, answers = store.path(found[0]), Path.rename, []
    path.write_text("broken")

    def late(source: Path, target: Path) -> Path:
        if not answers:  # the other process begins and ends between this one's look and its move
            monkeypatch.setattr(Path, "rename", rename)
            answers.append(store.set_aside(path, "the other"))
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", late)
    answers.append(store.set_aside(path, "this one"))
    (target,) = (answer for answer in answers if answer)
    assert answers == [target, None]
    assert store.held() == [(target, "the other")]
    assert {path.name for path in target.parent.iterdir()} == {target.name, f"{target.name}.why"}


def test_many_that_set_one_file_aside_at_once_leave_it_once(store, found):
    path, answers = store.path(found[0]), []
    path.write_text("broken")
    barrier = threading.Barrier(8)

    def take(number: int) -> None:
        barrier.wait()
        answers.append(store.set_aside(path, f"reason {number}"))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    (target,) = (answer for answer in answers if answer)
    assert target.read_text() == "broken"
    assert {path.name for path in target.parent.iterdir()} == {target.name, f"{target.name}.why"}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["write_text", "rename"])
def test_a_disk_that_refuses_leaves_the_file_where_it_was(store, found, monkeypatch, step, error):
    def break_off(*args: object, **kwargs: object) -> None:
        raise error

    path = store.path(found[0])
    path.write_text("broken")
    before = files(store.root)
    monkeypatch.setattr(Path, step, break_off)
    with pytest.raises((RecordError, KeyboardInterrupt)) as caught:
        store.set_aside(path, "reason")
    monkeypatch.undo()
    assert files(store.root) == before
    if isinstance(error, OSError):
        expected = "cannot be set aside (No space left on device); move it to the folder damaged beside it"
        assert str(caught.value) == f"{path}: {expected}"


# ---- reading the whole ones -----------------------------------------------------------------------------------------


def test_the_whole_records_are_read_and_the_damaged_ones_set_aside_and_reported(store, found):
    path = store.path(found[0])
    path.write_text(path.read_text()[:-30])
    records, moved = store.load_whole()
    assert records == {found[1].id: found[1]}
    target = store.root / "made" / "damaged" / path.name
    assert moved == [(target, f"{path}: not whole JSON")]
    assert store.held() == moved
    assert store.load_whole() == (records, [])
    assert store.write(found[0])
    assert store.load_whole() == ({each.id: each for each in found[:2]}, [])


DAMAGE = {
    "empty": lambda text: "",
    "torn": lambda text: text[: len(text) // 2],
    "changed": lambda text: text.replace('"wall_seconds": 1.0', '"wall_seconds": 2.0'),
    "foreign": lambda text: '{"a": 1}',
    "odd schema": lambda text: text.replace('"schema_number": 1', '"schema_number": 0'),
    "deep": lambda text: "[" * 60_000,
    "huge": lambda text: text + " " * record.MAX_BYTES,
}
NOT_DAMAGE = {
    "newer": lambda text: text.replace('"schema_number": 1', '"schema_number": 99'),
    "of other fields": lambda text: signed(text, mood=3),
    "of another id": lambda text: signed(text, seed=7),
}


def signed(text: str, **changes: object) -> str:
    """A record's text with ``changes``, as a version that knows them would have written it."""
    content = {**json.loads(text), **changes}
    del content["checksum"]
    return json.dumps({"checksum": content_checksum(content), **content})


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_not_as_it_was_written_is_damaged(store, found, damage):
    path = store.path(found[0])
    broken = DAMAGE[damage](path.read_text())
    assert broken != path.read_text()
    path.write_text(broken)
    _, [(target, reason)] = store.load_whole()
    assert reason.startswith(f"{path}: ")
    assert "set-aside" not in reason
    assert store.held() == [(target, reason)]
    assert not path.exists()
    assert target.read_text() == broken


@pytest.mark.parametrize("change", NOT_DAMAGE)
def test_what_is_as_another_version_wrote_it_stays_and_is_an_error(store, found, change):
    path = store.path(found[1])
    path.write_text(NOT_DAMAGE[change](path.read_text()))
    store.path(found[0]).write_text("broken")
    before = files(store.root)
    with pytest.raises(RecordError) as caught:
        store.load_whole()
    assert len(str(caught.value).splitlines()) == 1
    assert not isinstance(caught.value, DamagedError)
    with pytest.raises(RecordError):
        store.set_aside(path, "reason")
    assert files(store.root) == before


def test_a_whole_record_in_the_wrong_place_or_there_twice_stays_and_is_an_error(store, found):
    (store.root / "mine").mkdir()
    astray, twice = store.root / "mine" / "astray.json", found[0].model_copy(update={"experiment": "mine"})
    astray.write_text(write_text(found[2]))
    store.write(twice)
    before = files(store.root)
    with pytest.raises(RecordError) as caught:
        store.load_whole()
    assert [line.partition(": ")[2].split()[0] for line in str(caught.value).splitlines()] == ["holds", "the"]
    assert files(store.root) == before


def test_a_file_that_another_process_takes_while_the_folder_is_read_is_no_problem(store, found, monkeypatch):
    paths = [*store.paths(), store.path(found[2])]
    monkeypatch.setattr(store, "paths", lambda: paths)
    assert store.load_whole() == ({each.id: each for each in found[:2]}, [])
    assert store.load() == {each.id: each for each in found[:2]}


def test_a_file_that_may_not_be_read_is_not_taken_for_damaged(store, found, monkeypatch):
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(RecordError, match="Permission denied") as caught:
        store.find("made", found[0].id)
    assert not isinstance(caught.value, DamagedError)
    with pytest.raises(RecordError, match="Permission denied"):
        store.load_whole()
    with pytest.raises(RecordError, match="Permission denied"):
        store.set_aside(store.path(found[0]), "reason")
    assert store.path(found[0]).exists()


# ---- folders with something set aside in them -----------------------------------------------------------------------


def test_what_was_set_aside_is_seen_by_no_reader_and_comes_along_in_no_merge(store, found, tmp_path):
    store.path(found[0]).write_text("broken")
    store.load_whole()
    whole = {found[1].id: found[1]}
    store.prepare(["made"])
    assert store.paths() == [store.path(found[1])]
    assert store.load() == whole
    ours = Store(tmp_path / "ours")
    assert merge_stores(ours, store) == (1, 0, [])
    assert merge_stores(store, ours) == (0, 1, [])
    assert ours.load() == whole
    assert not (ours.root / "made" / "damaged").exists()
    assert len(store.held()) == 1


def test_what_was_set_aside_keeps_no_run_from_being_recorded_again(store, found, tmp_path):
    store.path(found[0]).write_text("broken")
    store.load_whole()
    (run,) = expand(made(tmp_path), "paper", [0], ["good"])
    assert run.id == found[0].id
    assert store.find("made", run.id) is None
    assert store.write(found[0])
    assert store.find("made", run.id) == found[0]
