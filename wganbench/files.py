"""Files that are written whole or not at all, whatever else writes them, and whenever it is killed."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import platform
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from wganbench.errors import RecordError


def write_atomically(path: Path, content: bytes, *, replace: bool = False, durable: bool = True) -> bool:
    """Puts ``content`` at ``path`` whole or not at all; an existing file stays unless ``replace``.

    Args:
        durable: Whether it has to be there after a power cut as well, which takes milliseconds: the file and its entry
            in the folder are then on the disk.

    Returns:
        Whether it was written.

    Raises:
        RecordError: If the disk refuses.
    """
    try:
        make_folder(path.parent, durable=durable)
        with _beside(path) as temporary:
            with temporary.open("wb") as file:
                file.write(content)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            is_put = _put(temporary, path, replace)
            if durable and is_put:
                sync_folder(path.parent)
            return is_put
    except OSError as error:
        raise RecordError(f"{path}: cannot be written ({error.strerror}); free the disk or use --results") from None


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of ``path`` once it is written, if nothing is raised until then.

    Raises:
        OSError: If the disk refuses.
    """
    make_folder(path.parent, durable=False)
    with _beside(path) as temporary:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)


def make_folder(folder: Path, *, durable: bool = True) -> None:
    """Makes a folder, and those above it, unless it is there.

    Raises:
        OSError: If the disk refuses.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing if durable else []):
        sync_folder(each.parent)


UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF}
"""What systems answer that do not open or sync folders, Windows and some network disks among them."""


def sync_folder(folder: Path) -> None:
    """Has the disk keep which files the folder holds, where the system can do so.

    Raises:
        OSError: If the disk fails.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A path of this process alone in the folder of ``path``; what lies there in the end is removed."""
    # The process id is last, for leftovers. It says little where containers of one host name share a disk.
    temporary = path.parent / f".{path.name}.{platform.node()}.{secrets.token_hex(4)}.{os.getpid()}"
    try:
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _put(temporary: Path, path: Path, replace: bool) -> bool:
    if not replace:
        try:
            os.link(temporary, path)  # unlike rename, refuses to take the place of a file that another writer made
            return True
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise
        if path.exists():  # on a disk without hard links, such as a FAT stick, a look has to do
            return False
    temporary.replace(path)
    return True


def leftovers(folder: Path) -> list[Path]:
    """What writers of this machine that were killed have left half written in ``folder``."""
    found = sorted(folder.rglob(f".*.{glob.escape(platform.node())}.*"))
    processes = [(path, path.name.rpartition(".")[2]) for path in found]
    return [path for path, process in processes if re.fullmatch("[0-9]{1,9}", process) and not _is_alive(int(process))]


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
