"""Files that are written completely or not at all, even with concurrent writers or if a writer is killed.

Also the names of the environment variables that say where files are on this machine.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import platform
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from wganbench.errors import DataError, RecordError

DATA_VARIABLE = "WGANBENCH_DATA"
"""Names the data folder."""
WEIGHTS_VARIABLE = "WGANBENCH_INCEPTION_WEIGHTS"
"""Names the file with the weights of the Inception network."""


def expanded(path: str, where: str) -> Path:
    """Returns an absolute path, with the home folder in place of ``~`` or ``~user``.

    Args:
        where: What names the path, for the message.

    Raises:
        DataError: If there is no such home folder.
    """
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError:
        raise DataError(f"{where}: no home folder for {path!r}; give a path without '~', or set HOME") from None


def write_atomically(path: Path, content: bytes, *, replace: bool = False, durable: bool = True) -> bool:
    """Writes ``content`` to ``path`` completely or not at all; keeps an existing file unless ``replace`` is true.

    Args:
        durable: Whether the file must survive a power cut, which takes milliseconds: the file and its entry in the
            folder are then synced to the disk.

    Returns:
        True if the file was written.

    Raises:
        RecordError: If the file cannot be written.
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
    """Opens a file that replaces ``path`` at the end of the block, unless the block raises.

    Raises:
        OSError: If the file cannot be written.
    """
    make_folder(path.parent, durable=False)
    with _beside(path) as temporary:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)


def make_folder(folder: Path, *, durable: bool = True) -> None:
    """Creates a folder and its parents where they do not exist.

    Raises:
        OSError: If a folder cannot be created.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing if durable else []):
        sync_folder(each.parent)


UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM, errno.EBADF}
"""Error numbers of systems that cannot open or sync folders, such as Windows and some network disks."""


def sync_folder(folder: Path) -> None:
    """Syncs a folder's list of entries to the disk, if the system supports it.

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
    """Yields a temporary path in the folder of ``path`` that no other writer uses; removes a file left there."""
    # The process id comes last, for leftovers(). It proves little if containers with one host name share a disk.
    temporary = path.parent / f".{path.name}.{platform.node()}.{secrets.token_hex(4)}.{os.getpid()}"
    try:
        yield temporary
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _put(temporary: Path, path: Path, replace: bool) -> bool:
    if not replace:
        try:
            os.link(temporary, path)  # unlike rename, fails if another writer has made the file in the meantime
            return True
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
                raise
        if path.exists():  # without hard links, as on FAT, only a check that is not atomic is possible
            return False
    temporary.replace(path)
    return True


def leftovers(folder: Path) -> list[Path]:
    """Returns the temporary files in ``folder`` that killed writers on this machine have left behind."""
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


def with_sorted_header(content: bytes) -> bytes:
    """Sorts the header of a safetensors file, which the library writes in arbitrary order."""
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + content[8 + length :]
