"""What ``wganbench results verify`` says of a folder, and what it moves."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.analysis import factory
from tests.analysis.factory import GOOD, made
from wganbench.cli import cli
from wganbench.errors import RecordError
from wganbench.records.record import Record, write_text
from wganbench.records.store import Store
from wganbench.records.verify import Findings, set_aside, verify
from wganbench.runner.jobs.status import left_behind

GONE = 2**22 + 1
"""A process id that Linux does not give."""


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def found(tmp_path, store) -> list[Record]:
    """Three whole records, the first with an artefact."""
    spec = made(tmp_path)
    records = [factory.cloud_record(spec, "good", store), *factory.records(spec, "good", GOOD, n=3)[1:]]
    for each in records:
        store.write(each)
    return records


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def command(store: Store, *options: str) -> Result:
    return CliRunner().invoke(cli, ["results", "verify", "--results", str(store.root), *options])


def test_a_whole_folder_has_no_findings(store, found):
    before = files(store.root)
    assert verify(store, left_behind(store)) == Findings(whole=[store.path(each) for each in found])
    result = command(store, "--set-aside")
    assert result.exit_code == 0
    assert result.output == "3 records whole, 0 damaged, 0 orphaned, 0 set aside, 0 stale\n"
    assert files(store.root) == before


def test_a_folder_that_is_not_there_is_an_error(store):
    with pytest.raises(RecordError, match="no such folder; 'wganbench run' makes it, --results names another"):
        verify(store, left_behind(store))
    assert command(store).exit_code == 2


def test_records_that_do_not_read_are_damaged(store, found):
    store.path(found[1]).write_text("broken")
    store.path(found[2]).write_text(write_text(found[2]).replace('"schema_number": 1', '"schema_number": 9'))
    findings = verify(store, left_behind(store))
    assert findings.whole == [store.path(found[0])]
    torn, newer = sorted(findings.damaged, key=lambda line: "upgrade" in line)
    command = f"'wganbench results verify --results {store.root} --set-aside'"
    assert torn.startswith(f"{store.path(found[1])}: not whole JSON; {command} moves it")
    assert newer == f"{store.path(found[2])}: schema 9, this version reads up to 1; upgrade wganbench"
    assert (findings.orphaned, findings.set_aside, findings.stale) == ([], [], [])


@pytest.mark.parametrize(("content", "says"), [(b"clouds", "does not match "), (None, "cannot be read (No such file")])
def test_artefacts_that_are_not_what_their_record_says_are_damaged(store, found, content, says):
    path = store.root / "made" / found[0].artefacts[0].file
    path.unlink()
    if content:
        path.write_bytes(content)
    findings = verify(store, left_behind(store))
    assert len(findings.whole) == 3
    (line,) = findings.damaged
    assert line.startswith(f"{path}: {says}")
    assert findings.orphaned == []
    assert command(store, "--set-aside").exit_code == 1
    assert len(store.load()) == 3


def test_artefacts_that_no_whole_record_names_are_orphaned(store, found):
    stray = store.root / "made" / "artefacts" / "stray.npz"
    stray.write_bytes(b"clouds")
    (store.root / ".work" / "artefacts").mkdir(parents=True)
    (store.root / ".work" / "artefacts" / "x.npz").write_bytes(b"of a worker")
    (stray.parent / ".x.npz.elsewhere.1").write_bytes(b"half")
    assert verify(store, left_behind(store)).orphaned == [
        f"{stray}: no whole record names it; remove it once its run is recorded"
    ]
    assert command(store).exit_code == 0
    store.path(found[0]).write_text("broken")
    named = store.root / "made" / found[0].artefacts[0].file
    assert [line.partition(":")[0] for line in verify(store, left_behind(store)).orphaned] == [str(named), str(stray)]


def test_whole_records_in_a_wrong_place_or_there_twice_are_orphaned_and_not_moved(store, found):
    astray = store.root / "made" / "astray.json"
    astray.write_text(write_text(found[1]))
    twice = found[2].model_copy(update={"experiment": "mine"})
    store.write(twice)
    before = files(store.root)
    assert verify(store, left_behind(store)).orphaned == [
        f"{astray}: holds the record of {store.path(found[1])}; move the file there",
        f"{store.path(twice)}: the same run is recorded in {store.path(found[2])}; keep one of them",
    ]
    assert command(store, "--set-aside").exit_code == 0
    assert files(store.root) == before


def test_damaged_records_are_moved_when_asked_and_those_of_another_version_never(store, found):
    newer = write_text(found[2]).replace('"schema_number": 1', '"schema_number": 9')
    store.path(found[1]).write_text("broken")
    store.path(found[2]).write_text(newer)
    set_aside(store)
    target = store.root / "made" / "damaged" / store.path(found[1]).name
    assert target.read_text() == "broken"
    assert store.path(found[2]).read_text() == newer
    findings = verify(store, left_behind(store))
    assert [line.partition(": ")[0] for line in findings.damaged] == [str(store.path(found[2]))]
    (line,) = findings.set_aside
    assert line == f"{target}: {store.path(found[1])}: not whole JSON"


def test_what_processes_that_are_gone_have_left_is_stale(store, found):
    gone = store.root / "made" / f".r.json.{platform.node()}.01234567.{GONE}"
    here = store.root / "made" / f".r.json.{platform.node()}.01234567.{os.getpid()}"
    gone.write_text("half")
    here.write_text("half")
    (line,) = verify(store, left_behind(store)).stale
    assert line.startswith(f"{gone}: half written by a process that is gone; ")
    assert command(store).exit_code == 0
    assert gone.exists()


def test_the_command_prints_a_line_a_finding_and_exits_with_1_until_the_damage_is_set_aside(store, found):
    path = store.path(found[1])
    path.write_text("broken")
    (store.root / "made" / "artefacts" / "stray.npz").write_bytes(b"clouds")
    before = files(store.root)
    first, second, third = command(store), command(store, "--set-aside"), command(store)
    assert (first.exit_code, second.exit_code, third.exit_code) == (1, 0, 0)
    assert [line.partition(": ")[0] for line in first.output.splitlines()] == [
        "damaged",
        "orphaned",
        "2 records whole, 1 damaged, 1 orphaned, 0 set aside, 0 stale",
    ]
    assert second.output == third.output
    assert [line.partition(": ")[0] for line in second.output.splitlines()] == [
        "orphaned",
        "set aside",
        "2 records whole, 0 damaged, 1 orphaned, 1 set aside, 0 stale",
    ]
    assert {*files(store.root)} - {*before} == {f"made/damaged/{path.name}", f"made/damaged/{path.name}.why"}
    assert {*before} - {*files(store.root)} == {f"made/{path.name}"}


def test_the_other_commands_lead_to_this_one(store, found):
    check = ["check", str(store.root.with_name("made.toml")), "--results", str(store.root)]
    store.path(found[1]).write_text("broken")
    result = CliRunner().invoke(cli, check)
    assert result.exit_code == 2
    assert f"wganbench results verify --results {store.root} --set-aside" in result.output
    assert command(store, "--set-aside").exit_code == 0
    assert CliRunner().invoke(cli, check).exit_code == 1
