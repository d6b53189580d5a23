"""Artefacts belong to one run: their names say whose they are, and no moment leaves a record with another's."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.analysis import factory
from tests.analysis.factory import BAD, GOOD, made
from wganbench.errors import RecordError
from wganbench.records.merge import merge_stores
from wganbench.records.record import Artefact, Record, content_checksum, read_text, write_text
from wganbench.records.store import Store
from wganbench.records.verify import verify

OURS, THEIRS = b"our clouds", b"their clouds"


@pytest.fixture
def one(tmp_path) -> Record:
    (found,) = factory.records(made(tmp_path), "good", GOOD, n=1)
    return found


@pytest.fixture
def other(tmp_path) -> Record:
    """A run of another variant."""
    (found,) = factory.records(made(tmp_path), "bad", BAD, n=1)
    return found


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def with_artefact(record: Record, content: bytes, *, legacy: bool) -> Record:
    artefact = Artefact.of(record.id, ".npz", content)
    if legacy:
        artefact = Artefact(file=f"artefacts/{record.id}.npz", sha256=artefact.sha256)
    return record.model_copy(update={"artefacts": [artefact]})


def naming(record: Record, file: str, content: bytes = b"") -> str:
    """The text of the record with an artefact of any name, and the checksum that is right for it."""
    fields = record.model_dump(mode="json") | {"artefacts": [{"file": file, "sha256": sha256(content)}]}
    return json.dumps({"checksum": content_checksum(fields), **fields})


# ---- names ----------------------------------------------------------------------------------------------------------


def test_a_name_starts_with_the_run_and_carries_the_hash_of_the_content():
    artefact = Artefact.of("good-0123456789-s3", "-grids.png", b"abc")
    assert artefact.file == "artefacts/good-0123456789-s3-ba7816bf-grids.png"
    assert artefact.sha256 == sha256(b"abc")


@pytest.mark.parametrize("ending", [".npz", ".png", "-grids.png", "-{hash}.npz", "-{hash}.png", "-{hash}-grids.png"])
def test_names_of_the_run_itself_with_or_without_the_hash_are_read(one, ending):
    file = f"artefacts/{one.id}{ending.format(hash=sha256(b'x')[:8])}"
    text = naming(one, file, b"x")
    assert read_text(text, "here").artefacts == [Artefact(file=file, sha256=sha256(b"x"))]
    assert json.loads(write_text(read_text(text, "here"))) == json.loads(text)


FOREIGN = {
    "another run's": "artefacts/{other}.npz",
    "another seed's": "artefacts/{one}1.npz",
    "another content's": "artefacts/{one}-00000000.npz",
    "nobody's": "artefacts/x.npz",
    "of another kind": "artefacts/{one}.json",
}


@pytest.mark.parametrize("name", FOREIGN.values(), ids=FOREIGN)
def test_a_record_that_names_an_artefact_of_anything_else_is_refused_in_one_line(one, other, name):
    file = name.format(one=one.id, other=other.id)
    with pytest.raises(RecordError) as caught:
        read_text(naming(one, file), "here.json")
    right = f"'artefacts/{one.id}-e3b0c442' with .npz, .png or -grids.png"
    assert str(caught.value) == f"here.json: artefacts: must be named {right}, got {file!r}; move the file away"


# ---- keeping a record -----------------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


def keep(store: Store, record: Record, content: bytes, **options: bool) -> bool:
    return store.keep(record, {artefact.file: content for artefact in record.artefacts}, **options)


def put(store: Store, record: Record, content: bytes) -> None:
    """As an older version wrote them."""
    for artefact in record.artefacts:
        path = store.path(record).parent / artefact.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    store.path(record).write_text(write_text(record), encoding="utf-8")


def artefacts_in(store: Store) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.root.glob("*/artefacts/*")}


@pytest.mark.parametrize("legacy", [False, True])
def test_a_record_is_kept_with_its_artefact(store, one, legacy):
    kept = with_artefact(one, OURS, legacy=legacy)
    assert keep(store, kept, OURS)
    assert store.load() == {one.id: kept}
    assert artefacts_in(store) == {Path(kept.artefacts[0].file).name: OURS}
    assert verify(store).orphaned == []


def test_a_record_that_comes_second_leaves_the_first_with_its_artefact_and_nothing_beside_it(store, one):
    first, second = with_artefact(one, OURS, legacy=False), with_artefact(one, THEIRS, legacy=False)
    assert keep(store, first, OURS)
    assert not keep(store, second, THEIRS)
    assert not keep(store, first, OURS)
    assert store.load() == {one.id: first}
    assert artefacts_in(store) == {Path(first.artefacts[0].file).name: OURS}


@pytest.mark.parametrize("legacy", [False, True])
def test_a_record_that_replaces_another_takes_its_artefact_away(store, one, legacy):
    put(store, with_artefact(one, OURS, legacy=legacy), OURS)
    record = with_artefact(one, THEIRS, legacy=False)
    assert keep(store, record, THEIRS, replace=True)
    assert store.load() == {one.id: record}
    assert artefacts_in(store) == {Path(record.artefacts[0].file).name: THEIRS}


def test_a_damaged_artefact_is_made_whole_by_the_same_run(store, one):
    record = with_artefact(one, OURS, legacy=False)
    put(store, record, b"flipped")
    assert keep(store, record, OURS, replace=True)
    assert store.artefact(record, record.artefacts[0]) == OURS


# ---- kills ----------------------------------------------------------------------------------------------------------


class KilledError(BaseException):
    """The process is gone."""


@contextmanager
def killed_at(number: int, after: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Ends every call that changes the disk from the given one on: before it is made, or after."""
    calls: list[str] = []

    def dying(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            calls.append(name)
            if len(calls) == number and after:
                function(*arguments, **options)
            if len(calls) >= number:
                raise KilledError
            return function(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("fsync", "link", "replace", "unlink"):
            patch.setattr(os, name, dying(name, getattr(os, name)))
        yield calls


def every_kill(monkeypatch: pytest.MonkeyPatch, begin: Callable[[], None], work: Callable[[], object]) -> Iterator[str]:
    """Yields after each kill of ``work``, at each of its calls, until it comes to its end."""
    for number in range(1, 100):
        for after in (False, True):
            begin()
            try:
                with killed_at(number, after, monkeypatch) as calls:
                    work()
            except KilledError:
                yield f"call {number}, {'after' if after else 'before'} {calls[number - 1]}"
            else:
                assert number > 4
                return


def whole(store: Store, *allowed: Record) -> Record:
    """The one record that is there, whole with its artefact."""
    found = verify(store)
    assert found.damaged == []
    (record,) = store.load().values()
    assert record in allowed
    return record


@pytest.mark.parametrize("ours_is_legacy", [False, True])
@pytest.mark.parametrize("theirs_is_legacy", [False, True])
def test_merging_killed_at_any_moment_leaves_a_record_with_its_own_artefact(
    tmp_path, one, monkeypatch, ours_is_legacy, theirs_is_legacy
):
    ours, theirs = Store(tmp_path / "ours"), Store(tmp_path / "theirs")
    mine = with_artefact(one, OURS, legacy=ours_is_legacy)
    other = with_artefact(one.model_copy(update={"measures": {}}), THEIRS, legacy=theirs_is_legacy)
    put(theirs, other, THEIRS)

    def begin() -> None:
        shutil.rmtree(ours.root, ignore_errors=True)
        put(ours, mine, OURS)

    kept = []
    for moment in every_kill(monkeypatch, begin, lambda: merge_stores(ours, theirs, "theirs")):
        record = whole(ours, mine, other)
        assert ours.artefact(record, record.artefacts[0]) == (OURS if record == mine else THEIRS), moment
        kept.append(record == mine)
        merge_stores(ours, theirs, "theirs")
        assert whole(ours, other) == other, moment
    assert {*kept} == {True, False}
    assert artefacts_in(ours) == artefacts_in(theirs)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_run_made_again_and_killed_at_any_moment_leaves_a_record_with_its_own_artefact(
    store, one, monkeypatch, legacy
):
    before = with_artefact(one, OURS, legacy=legacy)
    again = with_artefact(one.model_copy(update={"wall_seconds": 2.0}), THEIRS, legacy=False)

    def begin() -> None:
        shutil.rmtree(store.root, ignore_errors=True)
        put(store, before, OURS)

    for moment in every_kill(monkeypatch, begin, lambda: keep(store, again, THEIRS, replace=True)):
        record = whole(store, before, again)
        assert store.artefact(record, record.artefacts[0]) == (OURS if record == before else THEIRS), moment
    assert artefacts_in(store) == {Path(again.artefacts[0].file).name: THEIRS}


# ---- merging --------------------------------------------------------------------------------------------------------


def test_a_foreign_record_that_names_our_artefact_is_refused_and_ours_stays(tmp_path, one, other):
    ours, theirs = Store(tmp_path / "ours"), Store(tmp_path / "theirs")
    mine = with_artefact(one, OURS, legacy=True)
    put(ours, mine, OURS)
    file = mine.artefacts[0].file
    put(theirs, with_artefact(one, THEIRS, legacy=True), THEIRS)
    theirs.path(one).unlink()
    theirs.path(other).write_text(naming(other, file, THEIRS))

    taken, skipped, (refusal,) = merge_stores(ours, theirs, "theirs")

    assert (taken, skipped) == (0, 0)
    assert refusal.startswith(f"{theirs.path(other)}: artefacts: must be named 'artefacts/{other.id}-")
    assert refusal.endswith(f"got {file!r}; move the file away")
    assert ours.load() == {one.id: mine}
    assert ours.artefact(mine, mine.artefacts[0]) == OURS


def test_a_run_taken_in_for_another_experiment_takes_the_place_of_ours_with_its_artefact(tmp_path, one):
    ours, theirs = Store(tmp_path / "ours"), Store(tmp_path / "theirs")
    put(ours, with_artefact(one, OURS, legacy=True), OURS)
    other = with_artefact(one.model_copy(update={"measures": {}, "experiment": "mine"}), THEIRS, legacy=True)
    put(theirs, other, THEIRS)
    assert merge_stores(ours, theirs, "theirs") == (1, 0, [])
    assert ours.load() == {one.id: other}
    assert artefacts_in(ours) == artefacts_in(theirs)


# ---- keys that stand twice ------------------------------------------------------------------------------------------

TWICE = {
    "at the top": lambda text: text.replace('"seed": 0', '"seed": 7,\n"seed": 0'),
    "the setting": lambda text: text.replace('\n"setting"', '\n"setting": {},\n"setting"'),
    "inside the setting": lambda text: text.replace('"steps": 100', '"steps": 5, "steps": 100', 1),
    "the curves": lambda text: text.replace('\n"curves"', '\n"curves": {},\n"curves"'),
    "a curve": lambda text: text.replace('"curves": {', '"curves": {"exact_wasserstein": {}, '),
    "inside a curve": lambda text: text.replace('{"steps": [0', '{"steps": [7], "steps": [0', 1),
    "the checksum": lambda text: text.replace('"checksum"', '"checksum": "0",\n"checksum"', 1),
    "in provenance": lambda text: text.replace('"threads": 1', '"threads": 9, "threads": 1'),
}


@pytest.mark.parametrize("twice", TWICE.values(), ids=TWICE)
def test_a_record_in_which_a_key_stands_twice_is_damaged_though_its_last_values_match_the_checksum(one, twice):
    text = write_text(one)
    changed = twice(text)
    assert changed != text
    assert json.loads(changed) == json.loads(text)
    with pytest.raises(RecordError, match=r"^here: the key '[a-z_]+' occurs twice in one table; 'wganbench results"):
        read_text(changed, "here")
