"""What a power cut may take: a durable write is on the disk with its entry in the folder before it is reported."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from wganbench.errors import RecordError
from wganbench.files import write_atomically


@pytest.fixture
def events(monkeypatch) -> list[tuple[str, str]]:
    """Everything that is synced or put in its place, in order; a temporary file counts under ``file``."""
    found: list[tuple[str, str]] = []
    folders: dict[int, str] = {}
    opened, fsync, link, replace = os.open, os.fsync, os.link, Path.replace

    def open_folder(path: Path, *flags: int) -> int:
        handle = opened(path, *flags)
        folders[handle] = Path(path).name
        return handle

    def synced(handle: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        found.append(("sync", folders[handle] if is_folder else "file"))
        fsync(handle)

    def linked(source: Path, target: Path) -> None:
        found.append(("put", target.name))
        link(source, target)

    def replaced(source: Path, target: Path) -> Path:
        found.append(("put", target.name))
        return replace(source, target)

    monkeypatch.setattr("os.open", open_folder)
    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr("os.link", linked)
    monkeypatch.setattr(Path, "replace", replaced)
    return found


@pytest.mark.parametrize("replace", [False, True])
def test_a_durable_write_syncs_the_file_puts_it_in_its_place_and_then_syncs_the_folder(tmp_path, events, replace):
    folder = tmp_path / "results"
    folder.mkdir()
    assert write_atomically(folder / "x.json", b"x", replace=replace)
    assert events == [("sync", "file"), ("put", "x.json"), ("sync", "results")]


def test_folders_that_a_durable_write_makes_are_synced_into_theirs_before_the_file(tmp_path, events):
    assert write_atomically(tmp_path / "results" / "made" / "x.json", b"x")
    made = [("sync", tmp_path.name), ("sync", "results")]
    assert events == [*made, ("sync", "file"), ("put", "x.json"), ("sync", "made")]


def test_a_write_that_need_not_last_syncs_nothing(tmp_path, events):
    assert write_atomically(tmp_path / "new" / "x.json", b"x", durable=False)
    assert events == [("put", "x.json")]


def test_a_file_that_stays_is_no_write_and_costs_no_sync_of_the_folder(tmp_path, events):
    (tmp_path / "x.json").write_bytes(b"ours")
    assert not write_atomically(tmp_path / "x.json", b"other")
    assert ("sync", tmp_path.name) not in events


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EACCES, errno.ENOTSUP])
def test_a_disk_that_cannot_sync_folders_takes_files_all_the_same(tmp_path, monkeypatch, number):
    fsync = os.fsync

    def refuse(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(handle)

    monkeypatch.setattr("os.fsync", refuse)
    assert write_atomically(tmp_path / "x.json", b"x")
    assert (tmp_path / "x.json").read_bytes() == b"x"


def test_a_disk_that_fails_while_it_syncs_the_folder_is_an_error_and_no_write(tmp_path, monkeypatch):
    fsync = os.fsync

    def fail(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(handle)

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(RecordError, match=r"x.json: cannot be written \(Input/output error\)"):
        write_atomically(tmp_path / "x.json", b"x")
