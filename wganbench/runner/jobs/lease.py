"""Leases: who trains a run just now, so that no other worker does, on one machine or on a shared file system.

A lease is a file with its owner's name; its age is the heartbeat. The leases of a run are numbered, and the highest
number counts. A worker takes over from a dead one by creating the next number, which the file system lets only one of
several do; so a late-comer cannot take away what another has just taken. All lie in one folder that is never removed,
since a file cannot be created in one that somebody is just removing. Leases save work. That a run is recorded once does
not hang on them, but on the store, which never puts a record in another's place.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from wganbench.files import write_atomically
from wganbench.runner.jobs.owner import Owner, myself

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
        last = self._last(name)
        if last is not None and self._is_held(last):
            return None
        mine = self.folder / f"{name}.{1 if last is None else _number(last) + 1}"
        if not write_atomically(mine, myself().model_dump_json().encode(), durable=False):
            return None
        # Numbers begin anew once a lease is forgotten: whoever looked long ago may have created one that means nothing.
        if self._last(name) != mine or (last is not None and (_time(last) is None or self._is_held(last))):
            mine.unlink(missing_ok=True)
            return None
        for older in self._numbered(name):
            if _number(older) < _number(mine):
                older.unlink(missing_ok=True)
        return mine

    def holder(self, name: str) -> Owner | None:
        """Who holds the lease on ``name``; None for nobody."""
        last = self._last(name)
        return owner_in(last) if last is not None and self._is_held(last) else None

    def held(self) -> dict[str, Owner | None]:
        """Every name whose lease somebody holds, and who, where the file can be read."""
        return {name: owner_in(last) for name, last in self._lasts().items() if self._is_held(last)}

    def stale(self) -> list[tuple[str, Owner | None]]:
        """Names whose last lease was neither given back nor is held, with the owner that died."""
        lasts = sorted(self._lasts().items())
        dead = [(name, last) for name, last in lasts if not self._is_held(last) and _time(last) not in (None, RELEASED)]
        return [(name, owner_in(last)) for name, last in dead]

    def _is_held(self, path: Path) -> bool:
        beaten = _time(path)
        if beaten is None or beaten == RELEASED:
            return False
        owner = owner_in(path)
        if owner is not None and owner.is_alive() is False:
            return False
        return self._now() - beaten < LAPSE_SECONDS

    def _now(self) -> float:
        """The time by the clock that file times are taken from, which on a shared file system is the server's."""
        clock = self.folder / f".clock.{myself().host}.{myself().process}"
        try:
            clock.touch()
            return clock.stat().st_mtime
        except OSError:  # a full disk, or one that may only be read
            return time.time()
        finally:
            with contextlib.suppress(OSError):
                clock.unlink()

    def _last(self, name: str) -> Path | None:
        return max(self._numbered(name), key=_number, default=None)

    def _numbered(self, name: str) -> list[Path]:
        return [path for path in self._paths() if _name(path) == name]

    def _lasts(self) -> dict[str, Path]:
        return {_name(path): path for path in sorted(self._paths(), key=_number)}

    def _paths(self) -> list[Path]:
        try:
            return [self.folder / entry.name for entry in os.scandir(self.folder) if LEASE.fullmatch(entry.name)]
        except OSError:
            return []


class Lease:
    """Leases that this process holds."""

    def __init__(self, leases: Leases):
        self.leases = leases
        self.paths: list[Path] = []

    def beat(self) -> bool:
        """Shows that the owner lives; False where another worker has taken over meanwhile."""
        for path in self.paths:
            if not _is_ours(path) or self.leases._last(_name(path)) != path:
                return False
            with contextlib.suppress(OSError):  # a disk that refuses the time says so when a record is written
                os.utime(path)
        return True

    def release(self) -> None:
        """Gives the leases back; does nothing to those that were forgotten, or that another worker holds by now."""
        for path in self.paths:
            with contextlib.suppress(OSError):
                if _is_ours(path):
                    os.utime(path, (RELEASED, RELEASED))

    def forget(self) -> None:
        """Gives the leases back and removes all trace of them, when their runs are recorded."""
        for path in self.paths:
            with contextlib.suppress(OSError):
                if _is_ours(path):
                    path.unlink()


LEASE = re.compile(r"([^.].*)\.([0-9]{1,18})")
"""Name and number of a lease's file."""


def _name(path: Path) -> str:
    return path.name.rpartition(".")[0]


def _number(path: Path) -> int:
    return int(path.name.rpartition(".")[2])


def _is_ours(path: Path) -> bool:
    return owner_in(path) == myself()


def owner_in(path: Path) -> Owner | None:
    """The owner named in a file; None where the file cannot be read as one."""
    try:
        return Owner.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _time(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
