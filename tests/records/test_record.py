"""Records: written whole or not at all, read with their checksum, merged without loss."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import resource
import shutil
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from wganbench.errors import DamagedError, RecordError
from wganbench.files import leftovers, write_atomically
from wganbench.records import record as module
from wganbench.records.merge import merge_stores
from wganbench.records.record import (
    MAX_BYTES,
    MIGRATIONS,
    SCHEMA,
    Artefact,
    Curve,
    Provenance,
    Record,
    checksum_of,
    gist,
    read_text,
    record_of,
    write_text,
)
from wganbench.records.store import Store
from wganbench.spec import RECORDED, Experiment, Setting, load, scale_of
from wganbench.spec.catalogue import CUSTOM
from wganbench.spec.plan import expand, family

COMMITTED = Path(__file__).with_name("record_schema_1.json")
MADE_BY = Provenance(
    device="cpu", threads=1, deterministic=False, commit="0" * 40, dirty=False, libraries={"torch": "2"}, started="2026"
)


@pytest.fixture(scope="module")
def ring() -> Experiment:
    return load("gaussians8")


Make = Callable[..., Record]


@pytest.fixture
def make(ring) -> Make:
    """A record of a run that never was; ``changes`` are fields of it."""

    def make(variant: str = "gan", seed: int = 0, profile: str = "smoke", **changes: Any) -> Record:
        (run,) = expand(ring, profile, [seed], [variant])
        content: dict[str, Any] = {
            "status": "finished",
            "note": None,
            "steps_done": run.setting.steps,
            "measures": {"modes_covered": 3.0, "reverse_kl": None},
            "best": {"modes_covered": 4.0, "reverse_kl": 0.1},
            "curves": {"modes_covered": Curve(steps=[0, 10], values=[4.0, 3.0])},
            "cohort": [run.id],
            "provenance": MADE_BY,
            "wall_seconds": 1.5,
        }
        return record_of(run, **{**content, **changes})

    return make


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, temporary files included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def reported(store: Store) -> list[str]:
    with pytest.raises(RecordError) as caught:
        store.load()
    return str(caught.value).splitlines()


def signed(content: dict[str, Any]) -> str:
    """``content`` with the checksum that is right for it."""
    content = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return json.dumps({"checksum": hashlib.sha256(text.encode()).hexdigest(), **content})


# ---- the file -------------------------------------------------------------------------------------------------------


def test_a_record_comes_back_as_it_was(make, store):
    record = make(
        "wgan-clip",
        seed=11,
        note="a note, é",
        curves={
            "critic_loss": Curve(steps=[1], values=[0.1 + 0.2]),
            "none": Curve(steps=[], values=[]),
            "gone": Curve(steps=[0, 1], values=[None, -1e-300]),
        },
        artefacts=[Artefact.of(make("wgan-clip", seed=11).id, ".npz", b"clouds")],
    )
    assert store.write(record)
    assert store.load() == {record.id: record}
    assert store.path(record) == store.root / "gaussians8" / f"{record.id}.json"
    assert read_text(write_text(record), "here") == record


def test_a_record_without_curves_comes_back(make):
    record = make(curves={})
    assert read_text(write_text(record), "here") == record


def test_a_committed_record_of_schema_1_is_read_and_written_unchanged():
    text = COMMITTED.read_text(encoding="utf-8")
    record = read_text(text, "here")
    assert (record.id, record.family) == ("gan-c8c07e62dc-s0", "gan-c8c07e62dc")
    assert (record.status, record.measures["modes_covered"]) == ("finished", 7.0)
    assert record.curves["critic_loss"].values[-1] == 0.520048
    assert json.loads(write_text(record)) == json.loads(text)


RESULTS = sorted((Path(__file__).resolve().parents[2] / "results").glob("*/*-s*.json"))


@pytest.mark.parametrize("path", RESULTS[:: max(1, len(RESULTS) // 40)], ids=lambda path: path.stem)
def test_committed_records_are_read_and_written_with_their_checksums(path):
    text = path.read_text(encoding="utf-8")
    record = read_text(text, "here")
    assert json.loads(write_text(record)) == json.loads(text)
    assert checksum_of(record) == json.loads(text)["checksum"]
    assert read_text(write_text(record), "here") == record


def test_a_file_is_json_with_a_field_per_line(make):
    lines = write_text(make()).splitlines()
    content = json.loads("\n".join(lines))
    always = [field for field in Record.model_fields if field != "weights"]  # which few runs keep
    assert list(content) == ["checksum", *always]
    assert [json.loads(f"{{{line.rstrip(',')}}}") for line in lines[1:-1]] == [{key: content[key]} for key in content]


@pytest.mark.parametrize("names", [["a b", "a"], ["ab!", "ab"], ["é", 'q"', "back\\slash"], ["a, b", "a: b"], []])
def test_curves_of_any_name_are_read(make, names):
    record = make(curves={name: Curve(steps=[0, 5], values=[None, 1e-7]) for name in names})
    assert read_text(write_text(record), "here") == record


def test_numbers_of_curves_are_read_to_the_last_bit(make):
    rng = random.Random(1)
    values = [rng.choice([-1, 1]) * rng.random() * 10.0 ** rng.randint(-90, 90) for _ in range(1000)]
    record = make(curves={"a": Curve(steps=list(range(1000)), values=values)})
    assert read_text(write_text(record), "here").curves["a"].values == values


def test_too_large_values_of_a_curve_become_none_and_the_others_stay():
    assert Curve(steps=[0, 1, 2, 3], values=[1e101, None, -1e101, -1e100]).values == [None, None, None, -1e100]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"curves": {', '"curves": {"more": {"steps": [1], "values": [2.0]}, '),
        ('"cohort"', '"curves": {},\n"cohort"'),
        ('"cohort"', '"setting": {},\n"cohort"'),
        ('"cohort"', '"zzz": 1,\n"cohort"'),
        ('{"steps": [', '{"steps": [], "steps": ['),
        ('"critic_loss": {"steps"', '"critic _loss": {"steps"'),
        ('{"steps": [0, ', '{"steps": [00, '),
        ('{"steps": [0, ', '{"steps": [0.0, '),
        ('"schema_number": 1', '"schema_number": true'),
        ('"checksum": "', '"checksum": 1, "other": "'),
    ],
)
def test_a_changed_text_is_damaged(make, old, new):
    text = write_text(make(curves={"critic_loss": Curve(steps=[0, 1], values=[0.0, 1.0])}))
    assert old in text
    with pytest.raises(DamagedError):
        read_text(text.replace(old, new, 1), "here")


def test_no_number_of_a_record_is_nan(make):
    with pytest.raises(ValidationError):
        make(measures={"modes_covered": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_text(make().model_copy(update={"measures": {"modes_covered": float("inf")}}))


def test_a_curve_has_a_value_a_step():
    with pytest.raises(ValidationError, match="2 steps with 1 values"):
        Curve(steps=[0, 1], values=[1.0])


@pytest.mark.parametrize(
    "file", ["x.npz", "/etc/passwd", "../x.npz", "artefacts/../../x", "artefacts/.x", "artefacts/"]
)
def test_an_artefact_lies_in_its_folder_and_nowhere_else(file):
    with pytest.raises(ValidationError):
        Artefact(file=file, sha256="0" * 64)


# ---- files that are no records --------------------------------------------------------------------------------------

SET_ASIDE = "'wganbench results verify --results results --set-aside' moves it out of the way"
COMMITTED_CONTENT: dict[str, Any] = json.loads(COMMITTED.read_text(encoding="utf-8"))


def with_setting(**changes: Any) -> dict[str, Any]:
    return {"setting": {**COMMITTED_CONTENT["setting"], **changes}}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", f"not whole JSON; {SET_ASIDE}, 'wganbench run' trains its run again"),
        (COMMITTED.read_text()[:-30], f"not whole JSON; {SET_ASIDE}, 'wganbench run' trains its run again"),
        ("\0\0\0", "not whole JSON"),
        (f'{{"a": {"9" * 9999}}}', "not whole JSON"),
        ("[" * 99999, f"nested too deeply to be a record; {SET_ASIDE}"),
        ('{"a":' * 99999, f"nested too deeply to be a record; {SET_ASIDE}"),
        ("[]", f"not a record of wganbench; {SET_ASIDE}"),
        ("3", "not a record of wganbench"),
        ("null", "not a record of wganbench"),
        ('"text"', "not a record of wganbench"),
        ('{"cells": [], "metadata": {}, "nbformat": 4}', "not a record of wganbench"),
        ('{"schema_number": 1, "id": "x", "checksum": "y"}', "not a record of wganbench"),
        (signed({**COMMITTED_CONTENT, "schema_number": True}), "unknown schema True"),
        (signed({**COMMITTED_CONTENT, "schema_number": 0}), "unknown schema 0"),
        (signed({**COMMITTED_CONTENT, "schema_number": -7}), "unknown schema -7"),
        (signed({**COMMITTED_CONTENT, "schema_number": 1.0}), "unknown schema 1.0"),
        (signed({**COMMITTED_CONTENT, "schema_number": [[1]]}), "unknown schema [[1]]"),
        (
            signed({**COMMITTED_CONTENT, "schema_number": 99}),
            "schema 99, this version reads up to 1; upgrade wganbench",
        ),
        (COMMITTED.read_text().replace("0.6376", "0.9376"), "content does not match its checksum '"),
        (json.dumps({**COMMITTED_CONTENT, "checksum": None}), f"content does not match its checksum None; {SET_ASIDE}"),
        (signed({**COMMITTED_CONTENT, "mood": 3}), "unknown field 'mood'; known: "),
        (
            signed({**COMMITTED_CONTENT, "status": "fine"}),
            "status: must be 'finished', 'diverged' or 'failed', got 'fine'",
        ),
        (signed({**COMMITTED_CONTENT, "wall_seconds": "9"}), "wall_seconds: must be a valid number, got '9'"),
        (signed({**COMMITTED_CONTENT, "wall_seconds": float("nan")}), "wall_seconds: must be a finite number, got nan"),
        (signed({**COMMITTED_CONTENT, "seed": -1}), "seed: must be at least 0, got -1"),
        (signed({**COMMITTED_CONTENT, "seed": 2**31}), "seed: must be less than 2147483648, got 2147483648"),
        (signed({**COMMITTED_CONTENT, "steps_done": 10**20}), "steps_done: must be at most 1000000000, got 1000"),
        (
            signed({**COMMITTED_CONTENT, "overrides": ["\x1b[2J"]}),
            "overrides.0: must have no control characters, got '\\x1b",
        ),
        (
            signed({**COMMITTED_CONTENT, "curves": {"x": {"steps": [10**20], "values": [1.0]}}}),
            "curves.x.steps.0: must be at most 1000000000, got 1000",
        ),
        (signed({**COMMITTED_CONTENT, "experiment": "../../tmp"}), "experiment: must match pattern"),
        (signed({**COMMITTED_CONTENT, "variant": []}), "variant: must be a valid string, got []"),
        (signed({**COMMITTED_CONTENT, "setting": 3}), "setting: must be a table"),
        (signed({**COMMITTED_CONTENT, **with_setting(steps="5")}), "setting: steps: must be a valid integer, got '5'"),
        (signed({**COMMITTED_CONTENT, **with_setting(objective="minimax")}), "setting: objective: must be a table"),
        (signed({**COMMITTED_CONTENT, **with_setting(steps=5)}), "id 'gan-c8c07e62dc-s0' is not that of its content"),
        (signed({**COMMITTED_CONTENT, "seed": 1}), "id 'gan-c8c07e62dc-s0' is not that of its content"),
        (signed({**COMMITTED_CONTENT, "variant": "nag"}), "id 'gan-c8c07e62dc-s0' is not that of its content"),
        (signed({**COMMITTED_CONTENT, "id": 3}), "id: must be a valid string, got 3"),
    ],
)
def test_what_is_no_record_is_reported_in_one_line_with_the_remedy(text, line):
    with pytest.raises(RecordError) as caught:
        read_text(text, "results/x/y.json")
    assert str(caught.value).replace(", setting", ": setting").startswith(f"results/x/y.json: {line}")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_setting_is_read_as_it_was_recorded_though_a_spec_may_not_say_it():
    content = {**COMMITTED_CONTENT, **with_setting(critic={"name": "mlp", "protocol": 9, "options": {}})}
    content["setting"]["measures"]["gone"] = {"measure": {"name": "gone", "protocol": 1, "options": {}}, "points": 1}
    setting = Setting.model_validate(content["setting"], context=RECORDED)
    content |= {"id": f"{family('gan', setting)}-s0", "artefacts": []}
    read = read_text(signed(content), "here")
    assert read.setting.critic.options == {}
    assert scale_of(read.setting.measures["gone"]) == CUSTOM


def test_a_number_too_large_for_statistics_counts_as_not_finite(make):
    record = make(measures={"a": 1e101, "b": -1e100}, curves={"a": Curve(steps=[0, 1], values=[-1e308, 1e-300])})
    assert record.measures == {"a": None, "b": -1e100}
    assert record.curves["a"].values == [None, 1e-300]


def test_a_number_that_json_does_not_have_is_no_traceback():
    content = {**COMMITTED_CONTENT, **with_setting(data={"name": "a.b:c", "protocol": 1, "options": {"x": 7}})}
    text = signed(content).replace('"x": 7', '"x": 1e999')
    checked = {key: value for key, value in json.loads(text).items() if key != "checksum"}
    with pytest.raises(RecordError, match=r"setting: data.options: x: must be a finite number, got inf"):
        read_text(signed(checked), "here")


def test_every_file_that_is_no_record_is_reported_and_all_at_once(make, store):
    store.write(make())
    store.write(make(seed=1))
    folder = store.root / "gaussians8"
    (folder / "empty.json").write_text("")
    (folder / "binary.json").write_bytes(b"\xff\xfe\x00" * 99)
    (folder / "huge.json").write_bytes(b" " * (MAX_BYTES + 1))
    (folder / "folder.json").mkdir()
    (folder / "other-name.json").write_text(write_text(make(seed=2)))
    (store.root / "elsewhere").mkdir()
    shutil.copy(store.path(make()), store.root / "elsewhere")
    remedy = f"'wganbench results verify --results {store.root} --set-aside' moves it out of the way"
    assert reported(store) == [
        f"{store.root}/elsewhere/{make().id}.json: holds the record of {store.path(make())}; move the file there",
        f"{folder}/binary.json: not a text file in UTF-8; {remedy}",
        f"{folder}/empty.json: not whole JSON; {remedy}, 'wganbench run' trains its run again",
        f"{folder}/folder.json: cannot be read (Is a directory); move it away",
        f"{folder}/huge.json: 65,537 bytes; a record has at most 65,536; {remedy}",
        f"{folder}/other-name.json: holds the record of {store.path(make(seed=2))}; move the file there",
    ]


def test_one_run_recorded_for_two_experiments_is_reported(make, store):
    for experiment in ("gaussians8", "mine"):
        store.write(make().model_copy(update={"experiment": experiment}))
    (line,) = reported(store)
    first, second = store.root / "gaussians8" / f"{make().id}.json", store.root / "mine" / f"{make().id}.json"
    assert line == f"{second}: the same run is recorded in {first}; keep one of them"


def test_only_the_files_that_should_be_records_are_read(make, store):
    store.write(make())
    for name in (
        "verdicts.json",
        "gaussians8/.hidden.json",
        "gaussians8/artefacts/x.json",
        ".git/config.json",
        "x/y.txt",
    ):
        (store.root / name).parent.mkdir(exist_ok=True)
        (store.root / name).write_text("not a record")
    assert store.load().keys() == {make().id}


def test_a_folder_that_is_not_there_holds_no_records(store):
    assert store.load() == {}
    assert not store.root.exists()


def test_a_file_in_the_folders_place_is_reported(store):
    store.root.write_text("in the way")
    assert reported(store) == [f"{store.root}: cannot be written or read (not a folder); choose another with --results"]


# ---- older and newer schemas ----------------------------------------------------------------------------------------


def test_every_older_schema_has_its_migration():
    assert list(MIGRATIONS) == list(range(1, SCHEMA))


def test_an_older_schema_is_read_through_its_migrations(monkeypatch, make):
    def name_retries(content: dict[str, Any]) -> dict[str, Any]:
        assert "checksum" not in content
        return {**{key: value for key, value in content.items() if key != "tries"}, "retries": content["tries"] - 1}

    record = make(retries=2)
    monkeypatch.setattr(module, "SCHEMA", 3)
    monkeypatch.setattr(module, "MIGRATIONS", {1: name_retries, 2: lambda content: {**content, "note": "2 to 3"}})
    old = json.loads(write_text(record))
    old["tries"] = old.pop("retries") + 1
    read = read_text(signed(old), "here")
    assert (read.retries, read.note, read.schema_number) == (2, "2 to 3", 3)
    assert read == record.model_copy(update={"note": "2 to 3", "schema_number": 3})


def test_an_older_record_is_checked_before_it_is_migrated(monkeypatch, make):
    monkeypatch.setattr(module, "SCHEMA", 2)
    monkeypatch.setattr(module, "MIGRATIONS", {1: lambda content: pytest.fail("migrated")})
    with pytest.raises(RecordError, match="does not match its checksum"):
        read_text(write_text(make()).replace("3.0", "5.0"), "here")


# ---- writing --------------------------------------------------------------------------------------------------------


def test_a_record_that_is_there_stays_unless_it_is_to_be_replaced(make, store):
    first, second = make(), make(measures={"modes_covered": 8.0})
    assert store.write(first)
    assert not store.write(second)
    assert store.load() == {first.id: first}
    assert store.write(second, replace=True)
    assert store.load() == {first.id: second}
    assert len(files(store.root)) == 1


def test_a_record_beyond_64_kb_is_refused(make, store):
    steps = list(range(9999))
    with pytest.raises(
        RecordError, match=r"json: 1\d\d,\d\d\d bytes; a record has at most 65,536; measure at fewer points"
    ):
        store.write(make(curves={"x": Curve(steps=steps, values=[0.123456] * 9999)}))
    assert not store.root.exists()


def test_a_record_of_as_many_points_as_a_setting_may_have_fits(make, store):
    lengths = {"a": 1000, "b": 1000, "critic_loss": 100, "generator_loss": 100}
    curves = {
        name: Curve(steps=[10**6 + step for step in range(n)], values=[-1.23456e-05] * n) for name, n in lengths.items()
    }
    assert store.write(make("unrolled-second-order", curves=curves, cohort=[make().id] * 64))


@contextmanager
def file_size_limit(n_bytes: int) -> Iterator[None]:
    """A disk that is full after so many bytes of a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("replace", [False, True])
def test_a_full_disk_leaves_what_was_there_whole_and_nothing_beside_it(make, store, replace):
    store.write(make())
    before = files(store.root)
    with file_size_limit(500), pytest.raises(RecordError, match=r"cannot be written \(File too large\); free the disk"):
        store.write(make(measures={}), replace=replace)
    assert files(store.root) == before


NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("error", [NO_SPACE, KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["os.fsync", "os.link", "pathlib.Path.replace", "pathlib.Path.open"])
def test_a_write_that_breaks_off_anywhere_leaves_all_as_it_was(make, store, monkeypatch, step, error):
    def break_off(*args: Any, **kwargs: Any) -> None:
        raise error

    store.write(make())
    before = files(store.root)
    monkeypatch.setattr(step, break_off)
    replace = step == "pathlib.Path.replace"
    with pytest.raises((RecordError, KeyboardInterrupt)):
        store.write(make(seed=0 if replace else 1), replace=replace)
    monkeypatch.undo()
    assert files(store.root) == before


def test_what_stands_in_the_folders_way_is_reported(make, store):
    store.root.write_text("in the way")
    with pytest.raises(RecordError, match=r"gaussians8: cannot be written \(Not a directory\); choose another folder"):
        store.prepare(["gaussians8"])
    with pytest.raises(
        RecordError, match=r"json: cannot be written \(Not a directory\); free the disk or use --results"
    ):
        store.write(make())
    assert store.root.read_text() == "in the way"


def test_a_folder_is_shown_to_be_writable_before_any_training(store):
    store.prepare(["one", "two"])
    assert (store.root / "two" / "artefacts").is_dir()
    assert files(store.root) == {}
    with file_size_limit(500), pytest.raises(RecordError, match="three: cannot be written"):
        store.prepare(["three"])


def test_two_writers_of_one_file_leave_one_of_them_whole(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    link = os.link

    def late(source: Path, target: Path) -> None:
        target.write_bytes(b"the other writer's")
        link(source, target)

    monkeypatch.setattr("os.link", late)
    assert not write_atomically(path, b"ours")
    assert files(tmp_path) == {"x.json": b"the other writer's"}


def test_a_disk_without_hard_links_takes_records(tmp_path, monkeypatch):
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    assert write_atomically(tmp_path / "x.json", b"first")
    assert not write_atomically(tmp_path / "x.json", b"second")
    assert files(tmp_path) == {"x.json": b"first"}


def test_what_killed_writers_left_is_swept_and_what_living_ones_write_is_not(store, monkeypatch):
    monkeypatch.setattr("platform.node", lambda: "a[1]b")
    folder = store.root / "x"
    folder.mkdir(parents=True)
    gone, here = 2**22 + 1, os.getpid()
    dead = [folder / f".r.json.a[1]b.{gone}", folder / f".r.json.a[1]b.01234567.{gone}"]
    living = [folder / f".r.json.a[1]b.{here}", folder / f".r.json.a[1]b.01234567.{here}"]
    others = [folder / ".r.json.elsewhere.1", folder / ".r.json.elsewhere.01234567.1"]
    odd = [folder / f".r.json.a[1]b.{'9' * 40}", folder / f".r.json.a[1]b.{gone}.json"]
    for path in (*dead, *living, *others, *odd):
        path.write_text("half")
    assert {*leftovers(store.root)} == {*dead}
    store.prepare(["x"])
    assert {*folder.glob(".*")} == {*living, *others, *odd}


def test_two_writers_of_one_host_name_and_process_id_have_two_temporary_files(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("os.fsync", lambda file: seen.extend(files(tmp_path)))
    for _ in range(2):
        write_atomically(tmp_path / "x.json", b"content", replace=True)
    first, second = (name for name in seen if name != "x.json")
    assert first != second
    assert first.endswith(f".{os.getpid()}")


# ---- artefacts and merging ------------------------------------------------------------------------------------------


@pytest.fixture
def theirs(tmp_path) -> Store:
    return Store(tmp_path / "theirs")


def put(store: Store, record: Record, content: bytes = b"") -> Record:
    """Writes a record, and its artefact where it has content."""
    if content:
        file = f"artefacts/{record.id}.npz"
        artefact = Artefact(file=file, sha256=hashlib.sha256(content).hexdigest())
        record = record.model_copy(update={"artefacts": [artefact]})
        write_atomically(store.path(record).parent / file, content, replace=True)
    store.write(record, replace=True)
    return record


def test_an_artefact_is_read_if_it_is_what_the_record_says(make, store):
    record = put(store, make(), b"clouds")
    (artefact,) = record.artefacts
    path = store.root / "gaussians8" / artefact.file
    assert store.artefact(record, artefact) == b"clouds"
    path.write_bytes(b"cloudz")
    with pytest.raises(RecordError, match=rf"npz: does not match {record.id}.json; restore it or run it again"):
        store.artefact(record, artefact)
    path.unlink()
    with pytest.raises(RecordError, match=r"npz: cannot be read \(No such file or directory\); restore it or run"):
        store.artefact(record, artefact)


def test_records_from_elsewhere_are_taken_in_with_their_artefacts(make, store, theirs):
    mine, other = put(store, make()), put(theirs, make(seed=1), b"clouds")
    assert merge_stores(store, theirs) == (1, 0, [])
    assert store.load() == {mine.id: mine, other.id: other}
    assert store.artefact(other, other.artefacts[0]) == b"clouds"


def test_records_of_equal_measures_and_curves_are_skipped(make, store, theirs):
    mine = put(store, make())
    put(theirs, make(wall_seconds=99.0, note="elsewhere"))
    before = files(store.root)
    for prefer in (None, "ours", "theirs"):
        assert merge_stores(store, theirs, prefer) == (0, 1, [])
    assert files(store.root) == before
    assert store.load() == {mine.id: mine}


@pytest.mark.parametrize(
    "change",
    [
        {"measures": {"modes_covered": 5.0, "reverse_kl": None}},
        {"curves": {}},
        {"status": "diverged"},
    ],
)
def test_records_that_differ_are_refused_naming_both_and_the_rest_is_merged(make, store, theirs, change):
    mine, other, more = put(store, make()), put(theirs, make(**change)), put(theirs, make(seed=1))
    taken, skipped, refusals = merge_stores(store, theirs)
    assert (taken, skipped) == (1, 0)
    assert refusals == [
        f"{store.path(mine)} and {theirs.path(other)} differ; choose with --prefer ours or --prefer theirs"
    ]
    assert store.load() == {mine.id: mine, more.id: more}


@pytest.mark.parametrize(("prefer", "counts"), [("ours", (0, 1, [])), ("theirs", (1, 0, []))])
def test_a_preference_settles_what_differs(make, store, theirs, prefer, counts):
    mine, other = put(store, make(), b"ours"), put(theirs, make(measures={"modes_covered": 5.0}), b"theirs")
    assert merge_stores(store, theirs, prefer) == counts
    kept = {"ours": mine, "theirs": other}[prefer]
    assert store.load() == {mine.id: kept}
    assert store.artefact(kept, kept.artefacts[0]) == prefer.encode()


@pytest.mark.parametrize("prefer", [None, "ours", "theirs"])
def test_a_failed_run_gives_way_on_whichever_side_it_is(make, store, theirs, prefer):
    failed, finished = make(status="failed", measures={}, curves={}, note="Traceback"), make()
    put(store, failed)
    put(theirs, finished)
    assert merge_stores(store, theirs, prefer) == (1, 0, [])
    assert store.load() == {finished.id: finished}
    put(theirs, failed)
    assert merge_stores(store, theirs, prefer) == (0, 1, [])
    assert store.load() == {finished.id: finished}


def test_a_run_recorded_there_for_another_experiment_is_kept_once(make, store, theirs):
    mine = put(store, make())
    other = put(theirs, make(measures={}).model_copy(update={"experiment": "mine"}))
    assert merge_stores(store, theirs, "theirs") == (1, 0, [])
    assert store.load() == {mine.id: other}
    assert not store.path(mine).exists()


@pytest.mark.parametrize("damage", ["changed", "missing", "folder"])
def test_a_record_whose_artefact_is_damaged_is_left_out_and_ours_stays(make, store, theirs, damage):
    mine = put(store, make(), b"ours")
    other, more = put(theirs, make(measures={}), b"theirs"), put(theirs, make(seed=1))
    path = theirs.root / "gaussians8" / other.artefacts[0].file
    path.unlink()
    if damage == "changed":
        path.write_bytes(b"thiers")
    elif damage == "folder":
        path.mkdir()
    taken, skipped, (refusal,) = merge_stores(store, theirs, "theirs")
    assert (taken, skipped) == (1, 0)
    assert refusal.startswith(f"{path}: ")
    assert refusal.endswith("; its record is left out")
    assert store.load() == {mine.id: mine, more.id: more}
    assert store.artefact(mine, mine.artefacts[0]) == b"ours"


def test_damaged_files_of_theirs_are_reported_and_the_rest_is_merged(make, store, theirs):
    more = put(theirs, make(seed=1))
    (theirs.root / "gaussians8" / "broken.json").write_text("{")
    taken, skipped, (refusal,) = merge_stores(store, theirs)
    assert (taken, skipped) == (1, 0)
    assert "broken.json: not whole JSON" in refusal
    assert store.load() == {more.id: more}


def test_nothing_is_merged_into_a_damaged_folder(make, store, theirs):
    put(theirs, make())
    (store.root / "gaussians8").mkdir(parents=True)
    (store.root / "gaussians8" / "broken.json").write_text("{")
    before = files(store.root)
    with pytest.raises(RecordError, match="not whole JSON"):
        merge_stores(store, theirs)
    assert files(store.root) == before


def test_a_full_disk_loses_no_record_of_ours(make, store, theirs):
    mine = put(store, make())
    put(theirs, make(measures={}))
    with file_size_limit(500), pytest.raises(RecordError, match="cannot be written"):
        merge_stores(store, theirs, "theirs")
    assert store.load() == {mine.id: mine}
    assert len(files(store.root)) == 1


def test_merging_twice_changes_nothing_more(make, store, theirs):
    put(store, make())
    put(theirs, make(seed=1), b"clouds")
    merge_stores(store, theirs)
    before = files(store.root)
    assert merge_stores(store, theirs) == (0, 1, [])
    assert merge_stores(store, store) == (0, 2, [])
    assert files(store.root) == before


# ---- anything at all ------------------------------------------------------------------------------------------------

BOUNDED = settings(max_examples=150, derandomize=True, deadline=None, database=None)


@BOUNDED
@given(data=st.data())
def test_a_record_with_its_text_changed_anyhow_is_read_or_refused(data):
    text = COMMITTED.read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(text)))
    end = start + data.draw(st.sampled_from([0, 1, 5, 99, 9999]))
    changed = text[:start] + data.draw(st.text(st.sampled_from('{}[]",:0-e.nul\\\ud800é\0'), max_size=4)) + text[end:]
    try:
        assert read_text(changed, "here") == read_text(text, "here")
    except RecordError as error:
        assert "\n" not in str(error)  # noqa: PT017


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2) | st.just(10**30),
    st.floats(),
    st.sampled_from(["", "x", "a.b:c", "\ud800", "../x"]),
    st.just([]) | st.just([[]]) | st.just({}) | st.just({"name": 3}) | st.just([None]),
)


@BOUNDED
@given(data=st.data())
def test_a_signed_record_with_its_content_changed_anyhow_is_read_or_refused(data):
    content = json.loads(COMMITTED.read_text(encoding="utf-8"))
    node, key = content, data.draw(st.sampled_from(sorted(content)))
    while isinstance(node[key], dict | list) and node[key] and data.draw(st.integers(0, 3)):
        node = node[key]
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
    if data.draw(st.integers(0, 3)):
        node[key] = data.draw(ODD)
    else:
        del node[key]
    try:
        read = read_text(signed(content), "here")
        assert read_text(write_text(read), "here") == read
    except RecordError as error:
        assert "\n" not in str(error)  # noqa: PT017


# ---- notes ----------------------------------------------------------------------------------------------------------

CUDA_ERROR = """CUDA error: an illegal memory access was encountered
Search for `cudaErrorIllegalAddress' in the CUDA Runtime API documentation for more information.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions."""


def traced(error: Exception) -> str:
    try:
        raise error
    except Exception:
        return traceback.format_exc()


def chained() -> str:
    try:
        try:
            raise ValueError("first")
        except ValueError:
            raise RuntimeError("second\nand advice") from None
    except RuntimeError:
        return traceback.format_exc()


@pytest.mark.parametrize(
    ("note", "line"),
    [
        pytest.param(
            traced(RuntimeError(CUDA_ERROR)),
            "RuntimeError: CUDA error: an illegal memory access was encountered",
            id="with advice",
        ),
        pytest.param(traced(KeyError("x")), "KeyError: 'x'", id="of one line"),
        pytest.param(traced(RuntimeError("at last\n  indented\n\nend")), "RuntimeError: at last", id="indented lines"),
        pytest.param(chained(), "RuntimeError: second", id="raised in place of another"),
        pytest.param("timed out, at step 3", "timed out, at step 3", id="no traceback"),
        pytest.param(
            'its worker died 3 times after step 4\nFatal Python error: Bus error\n\n  File "a.py", line 1 in f\n',
            "its worker died 3 times after step 4",
            id="a crash in C",
        ),
        pytest.param("", "", id="nothing"),
    ],
)
def test_of_a_note_the_line_is_shown_in_which_the_exception_says_what_happened(note, line):
    assert gist(note) == line
