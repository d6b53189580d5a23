"""Leases, by which only one worker trains a run at a time, on one machine or on a shared file system.

A lease is a file that names its owner; its modification time is the heartbeat. The leases of a run are numbered, and
the highest number counts. A worker takes over from a dead one by creating the next number. The file system lets only
one of several workers do so, and a late one cannot take a lease that another has just taken. All leases are in one
folder that is never removed, since creating a file fails in a folder that is being removed. Leases only avoid
duplicate work. That each run is recorded once does not depend on them, but on the store, which never overwrites one
record with another unasked.

An `Owner` identifies the process that owns a file in the work folder, and tells whether it is still alive.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
from collections.abc import Collection, Container, Iterable
from functools import cache
from pathlib import Path

import psutil
from pydantic import PositiveInt, ValidationError

from wganbench.files import write_atomically
from wganbench.reading import read_bytes
from wganbench.spec import Line, Model

MAX_BYTES = 2**16
"""The largest file that names an owner."""
BIRTH_SLACK_SECONDS = 2.0
"""The largest difference between two readings of one process's start time, which is precise to the second at best."""


class Owner(Model):
    """A process, identified across machines.

    Attributes:
        host: The name of the machine, for people.
        system: The id of one boot of one machine and one process namespace, within which process ids can be looked up.
        process: The process id within that system.
        born: The start time in seconds since the system booted, which distinguishes the process from a later one with
            the same id.
    """

    host: Line
    system: Line
    process: PositiveInt
    born: float

    def is_alive(self) -> bool | None:
        """Returns whether the process is alive; None from another machine, where only the heartbeat can show that."""
        if self.system != _system():
            return None
        try:
            process = psutil.Process(self.process)
            is_same = abs(_born(process) - self.born) <= BIRTH_SLACK_SECONDS
            return is_same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return None

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


def myself() -> Owner:
    """Returns the owner that identifies this process."""
    return _owner(os.getpid())


@cache
def _owner(process: int) -> Owner:
    born = _born(psutil.Process(process))
    return Owner(host=platform.node(), system=_system(), process=process, born=born)


def _born(process: psutil.Process) -> float:
    """Returns the start time since boot, which unlike a time of day stays the same when the clock is changed."""
    system = psutil.boot_time()  # first: older versions of psutil reuse this value in create_time
    return process.create_time() - system


@cache
def _system() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{platform.node()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return f"{platform.node()}/{psutil.boot_time():.0f}"


BEAT_SECONDS = 10.0
LAPSE_SECONDS = 120.0
"""The age of a heartbeat from which on a lease is stale; well above the minute for which NFS may show old times. A time
that lies further in the future than this is no heartbeat either: a clock was wrong, or the file came from elsewhere."""
RELEASED = 0.0
"""The modification time of a lease that its owner has released."""


class Leases:
    """The leases under one folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def take(self, names: Iterable[str]) -> Lease | None:
        """Takes the leases on all of ``names``; returns None, and takes none, if another worker holds one of them.

        Raises:
            RecordError: If a lease cannot be written.
        """
        lease = Lease(self)
        try:
            for name in sorted(names):
                path = self._take(name)
                if path is None:
                    lease.release()
                    return None
                lease.paths.append(path)
        except BaseException:
            lease.release()
            raise
        return lease

    def _take(self, name: str) -> Path | None:
        last, now = self._last(name), self._now()
        if last is not None and _is_held(last, now):
            return None
        mine = self.folder / f"{name}.{1 if last is None else _number(last) + 1}"
        if not write_atomically(mine, myself().model_dump_json().encode(), durable=False):
            return None
        # Numbers start again at 1 once a lease is forgotten, so a worker that looked earlier may create an invalid one.
        numbered = self._numbered(name)
        is_last = max(numbered, key=_number, default=None) == mine
        if not is_last or (last is not None and (_time(last) is None or _is_held(last, now))):
            _remove(mine)
            return None
        for older in numbered:
            if _number(older) < _number(mine):
                _remove(older)
        return mine

    def holder(self, name: str) -> Owner | None:
        """Returns the owner that holds the lease on ``name``; None if nobody does or its file cannot be read."""
        return self.held([name]).get(name)

    def held(self, names: Collection[str] | None = None) -> dict[str, Owner | None]:
        """Returns every name whose lease is held, with the owner, or None where the file cannot be read.

        Args:
            names: The only names to look at; None for all.
        """
        now = self._now()
        return {name: owner_in(last) for name, last in self._lasts(names).items() if _is_held(last, now)}

    def stale(self) -> list[tuple[str, Owner | None]]:
        """Returns the names whose last lease is neither released nor held, with the owner that died."""
        return [(name, owner_in(last)) for name, last in self._free() if _time(last) not in (None, RELEASED)]

    def forget_free(self, names: Container[str]) -> None:
        """Deletes the leases on those of ``names`` that nobody holds, in one pass; to be called when all are done."""
        for name, last in self._free():
            if name in names:
                _remove(last)

    def _free(self) -> list[tuple[str, Path]]:
        now, lasts = self._now(), sorted(self._lasts().items())
        return [(name, last) for name, last in lasts if not _is_held(last, now)]

    def _now(self) -> float:
        """Returns the time by the clock that sets file times, which on a shared file system is the server's."""
        clock = self.folder / f".clock.{myself().host}.{myself().process}"
        try:
            clock.touch()
            return clock.stat().st_mtime
        except OSError:  # a full or read-only disk
            return time.time()
        finally:
            with contextlib.suppress(OSError):
                clock.unlink()

    def _last(self, name: str) -> Path | None:
        return max(self._numbered(name), key=_number, default=None)

    def _numbered(self, name: str) -> list[Path]:
        found = (entry for entry in self._entries() if entry.startswith(name))  # a path takes longer, of thousands
        return [self.folder / entry for entry in found if LEASE.fullmatch(entry) and entry.rpartition(".")[0] == name]

    def _lasts(self, names: Collection[str] | None = None) -> dict[str, Path]:
        found = (entry for entry in self._entries() if LEASE.fullmatch(entry))
        chosen = [entry for entry in found if names is None or entry.rpartition(".")[0] in names]
        return {_name(path): path for path in sorted((self.folder / entry for entry in chosen), key=_number)}

    def _entries(self) -> list[str]:
        try:
            with os.scandir(self.folder) as found:
                return [entry.name for entry in found]
        except OSError:
            return []


class Lease:
    """Leases that this process holds."""

    def __init__(self, leases: Leases):
        self.leases = leases
        self.paths: list[Path] = []

    def beat(self) -> bool:
        """Renews the heartbeat; returns False if another worker has taken over meanwhile."""
        lasts = self.leases._lasts({_name(path) for path in self.paths})
        for path in self.paths:
            if _is_gone(path) or lasts.get(_name(path), path) != path:
                return False
            with contextlib.suppress(OSError):  # such a disk also refuses the record, with an error
                os.utime(path)
        return True

    def release(self) -> None:
        """Releases the leases, except those that were forgotten or that another worker holds by now."""
        for path in self.paths:
            with contextlib.suppress(OSError):
                if _is_ours(path):
                    os.utime(path, (RELEASED, RELEASED))

    def forget(self) -> None:
        """Releases the leases and deletes their files, once their runs are recorded."""
        for path in self.paths:
            with contextlib.suppress(OSError):
                if _is_ours(path):
                    path.unlink()


LEASE = re.compile(r"([^.].*)\.([0-9]{1,18})")
"""The pattern of a lease's file name, with groups for the name and the number."""


def _name(path: Path) -> str:
    return path.name.rpartition(".")[0]


def _number(path: Path) -> int:
    return int(path.name.rpartition(".")[2])


def _is_ours(path: Path) -> bool:
    return owner_in(path) == myself()


def _is_gone(path: Path) -> bool:
    """Returns whether a lease of this process was deleted or replaced; a disk that gives no answer does not say so."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return content != myself().model_dump_json().encode()


def _is_held(path: Path, now: float) -> bool:
    beaten = _time(path)
    if beaten is None or beaten == RELEASED or abs(now - beaten) >= LAPSE_SECONDS:
        return False
    owner = owner_in(path)
    return owner is None or owner.is_alive() is not False


def _remove(path: Path) -> None:
    """Deletes a lease; one that cannot be deleted, such as a folder or another user's file, has the lower number."""
    with contextlib.suppress(OSError):
        path.unlink()


def owner_in(path: Path) -> Owner | None:
    """Returns the owner named in a file; None if the file cannot be read or does not name one."""
    try:
        return Owner.model_validate_json(read_bytes(path, MAX_BYTES))
    except (OSError, ValidationError):
        return None


def _time(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
