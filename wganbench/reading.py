"""Reads files that may come from anyone: without blocking, only regular files, and never more than a stated size.

Opening a named pipe blocks until somebody writes to it, a link to a device may have no end, and a sparse file of a few
kilobytes on the disk fills the memory. Such a file is an OSError here; callers report it as they report any other.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
"""The kinds of files, other than folders, that are refused."""


class TooLargeError(OSError):
    """Raised for a file that has more bytes than it may have.

    Attributes:
        size: The size in words, such as ``"70,000 bytes"``.
    """

    def __init__(self, size: str, most: int):
        super().__init__(errno.EFBIG, f"{size}, at most {most:,} are read")
        self.size = size


def open_file(path: Path) -> io.BufferedReader:
    """Opens a regular file for reading.

    Raises:
        OSError: If it cannot be opened, or is a folder, a pipe, a socket or a device.
    """
    _check(path.stat().st_mode)  # before opening, since opening a device may already act on it
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        _check(os.fstat(handle).st_mode)  # it may have been replaced
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _check(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"{KINDS.get(stat.S_IFMT(mode), 'of an unknown kind')}, not a regular file")


def read_bytes(path: Path, most: int) -> bytes:
    """Returns the content of a regular file of at most ``most`` bytes.

    Raises:
        TooLargeError: If it has more.
        OSError: If it cannot be read, or is no regular file.
    """
    with open_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise TooLargeError(f"{size:,} bytes", most)
        content = file.read(size + 1) or b""  # None from a file of /proc that has nothing now
        while size < len(content) <= most:  # it grows, or states no size, as the files of /proc do
            size = len(content)
            content += file.read(size) or b""
    if len(content) > most:
        raise TooLargeError(f"more than {most:,} bytes", most)
    return content


def read_text(path: Path, most: int, *, errors: str = "strict") -> str:
    """Returns the text of a regular file in UTF-8 of at most ``most`` bytes, with every line ending as a line feed.

    Args:
        errors: What to do about bytes that are not UTF-8, as for ``bytes.decode``.

    Raises:
        TooLargeError: If it has more.
        OSError: If it cannot be read, or is no regular file.
        UnicodeDecodeError: If it is not UTF-8.
    """
    return io.TextIOWrapper(io.BytesIO(read_bytes(path, most)), encoding="utf-8", errors=errors).read()
