"""Things that are no files, or no end of one, put where a file should be."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def listening(path: Path) -> None:
    with chdir(path.parent), socket.socket(socket.AF_UNIX) as made:  # the whole path may be too long for a socket
        made.bind(path.name)


def sparse(path: Path) -> None:
    """A terabyte that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(2**40)


def folder(path: Path) -> None:
    path.mkdir()


NO_FILES = {
    pipe: "a named pipe, not a regular file",
    endless_device: "a device, not a regular file",
    listening: "a socket, not a regular file",
    sparse: "1,099,511,627,776 bytes",
    folder: "Is a directory",
}
"""How each is put, and what is said of it."""


def put(how, path: Path) -> None:
    """Puts it at ``path``, in place of a file that may be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    how(path)


@contextmanager
def little_memory(more: int = 2**30) -> Iterator[None]:
    """Lets this process have no more than ``more`` bytes of memory beyond those that it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
