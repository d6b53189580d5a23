"""Files that may come from anyone: only regular ones are read, never without a bound."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hostile.put import NO_FILES, little_memory, put
from wganbench.reading import TooLargeError, open_file, read_bytes, read_text


@pytest.mark.parametrize(("how", "said"), NO_FILES.items())
@pytest.mark.parametrize("is_link", [False, True])
def test_what_is_no_file_is_refused_and_neither_waited_for_nor_read(tmp_path, how, said, is_link):
    path = tmp_path / "there"
    put(how, path)
    if is_link:
        (tmp_path / "link").symlink_to("there")
        path = tmp_path / "link"
    with little_memory(), pytest.raises(OSError, match=said):
        read_bytes(path, 1000)


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
def test_a_file_is_read_whole_up_to_the_bound(tmp_path, size):
    (tmp_path / "x").write_bytes(b"x" * size)
    assert read_bytes(tmp_path / "x", 1000) == b"x" * size


def test_a_larger_file_is_refused_with_its_size_and_the_bound(tmp_path):
    (tmp_path / "x").write_bytes(b"x" * 1001)
    with pytest.raises(TooLargeError, match="1,001 bytes, at most 1,000 are read"):
        read_bytes(tmp_path / "x", 1000)


@pytest.mark.parametrize("most", [1, 100, 1_000_000])
def test_a_file_that_states_no_size_is_read_to_its_end_or_to_the_bound(most):
    path = Path("/proc/self/environ" if os.environ else "/proc/self/cmdline")
    whole = path.read_bytes()
    assert path.stat().st_size == 0
    if len(whole) > most:
        with pytest.raises(TooLargeError, match=f"more than {most:,} bytes"):
            read_bytes(path, most)
    else:
        assert read_bytes(path, most) == whole


def test_a_file_that_is_replaced_by_a_pipe_when_it_is_opened_is_refused(tmp_path, monkeypatch):
    path, opened = tmp_path / "x", os.open
    path.write_bytes(b"x")

    def replaced(place, flags):
        put(os.mkfifo, path)
        return opened(place, flags)

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr("os.open", replaced)
    with pytest.raises(OSError, match="a named pipe"):
        open_file(path)
    monkeypatch.undo()
    assert len(list(Path("/proc/self/fd").iterdir())) == before, "a handle was left open"


def test_a_missing_file_is_told_from_others(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "x", 1000)


def test_text_is_read_as_python_reads_it(tmp_path):
    (tmp_path / "x").write_bytes("é\r\nü\rx\n".encode())
    assert read_text(tmp_path / "x", 1000) == (tmp_path / "x").read_text(encoding="utf-8") == "é\nü\nx\n"
    (tmp_path / "x").write_bytes(b"\xff")
    assert read_text(tmp_path / "x", 1000, errors="replace") == "\ufffd"
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "x", 1000)
