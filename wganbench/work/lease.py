"""Leases: who trains a run just now, so that no other worker does, on one machine or on a shared file system.

A lease is a file with its owner's name; its age is the heartbeat. The leases of a run are numbered, and the highest
number counts. A worker takes over from a dead one by creating the next number, which the file system lets only one of
several do; so a late-comer cannot take away what another has just taken. Leases save work. That a run is recorded once
does not hang on them, but on the store, which never puts a record in another's place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import ValidationError

from wganbench.record import write_atomically
from wganbench.work.owner import Owner, myself

BEAT_SECONDS = 10.0
LAPSE_SECONDS = 120.0
"""Without a heartbeat for so long, a lease is stale; well above the minute that NFS may show an old time for."""
RELEASED = 0.0
"""The file time of a lease that its owner gave back."""


class Leases:
    """The leases under one folder."""

    def __init__(self, folder: Path):
        self.folder = folder

    def take(self, names: Iterable[str]) -> Lease | None:
        """Leases on all of ``names``, or None where somebody else holds one of them.

        Raises:
            RecordError: If the disk refuses.
        """
        lease = Lease([])
        for name in sorted(names):
            path = self._take(name)
            if path is None:
                lease.release()
                return None
            lease.paths.append(path)
        return lease

    def _take(self, name: str) -> Path | None:
        folder = self.folder / name
        last = _highest(folder)
        if last is not None and self._is_held(last):
            return None
        mine = folder / str(1 if last is None else int(last.name) + 1)
        if not write_atomically(mine, myself().model_dump_json().encode(), durable=False):
            return None
        if _highest(folder) != mine:  # others took and gave back several numbers since the look
            mine.unlink(missing_ok=True)
            return None
        for older in _numbered(folder):
            if int(older.name) < int(mine.name):
                older.unlink(missing_ok=True)
        return mine

    def holder(self, name: str) -> Owner | None:
        """Who holds the lease on ``name``; None for nobody."""
        last = _highest(self.folder / name)
        return owner_in(last) if last is not None and self._is_held(last) else None

    def stale(self) -> list[tuple[str, Owner | None]]:
        """Names whose last lease was neither given back nor is held, with the owner that died."""
        found = []
        for folder in sorted(self.folder.glob("*/")):
            last = _highest(folder)
            if last is not None and not self._is_held(last) and _time(last) != RELEASED:
                found.append((folder.name, owner_in(last)))
        return found

    def _is_held(self, path: Path) -> bool:
        time = _time(path)
        if time is None or time == RELEASED:
            return False
        owner = owner_in(path)
        if owner is not None and owner.is_alive() is False:
            return False
        return self._now() - time < LAPSE_SECONDS

    def _now(self) -> float:
        """The time by the clock that file times are taken from, which on a shared file system is the server's."""
        clock = self.folder / f".clock.{myself().host}.{myself().process}"
        try:
            clock.touch()
            return clock.stat().st_mtime
        finally:
            clock.unlink(missing_ok=True)


class Lease:
    """Leases that this process holds."""

    def __init__(self, paths: list[Path]):
        self.paths = paths

    def beat(self) -> bool:
        """Shows that the owner lives; False where another worker has taken over meanwhile."""
        for path in self.paths:
            if _highest(path.parent) != path:
                return False
            with contextlib.suppress(OSError):  # a disk that refuses the time says so when a record is written
                os.utime(path)
        return True

    def release(self) -> None:
        """Gives the leases back."""
        for path in self.paths:
            with contextlib.suppress(OSError):
                os.utime(path, (RELEASED, RELEASED))

    def forget(self) -> None:
        """Gives the leases back and removes all trace of them, when their runs are recorded."""
        self.release()
        for path in self.paths:
            if _highest(path.parent) == path:
                shutil.rmtree(path.parent, ignore_errors=True)


def owner_in(path: Path) -> Owner | None:
    """The owner named in a file; None where the file cannot be read as one."""
    try:
        return Owner.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _numbered(folder: Path) -> Sequence[Path]:
    try:
        return [folder / entry.name for entry in os.scandir(folder) if entry.name.isdecimal()]
    except OSError:
        return []


def _highest(folder: Path) -> Path | None:
    return max(_numbered(folder), key=lambda path: int(path.name), default=None)


def _time(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
