"""Which process a file under the work folder belongs to, and whether that process is still there."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

import psutil

from wganbench.spec import Model

BIRTH_SLACK_SECONDS = 2.0
"""By how much the start time of one process may be told differently, as the clock of the machine is set."""


class Owner(Model):
    """A process, known from any machine.

    Attributes:
        host: For people.
        system: One boot of one machine and one process namespace: within it, process ids can be looked up.
        process: Its id there.
        born: When it was started, in seconds since 1970; tells it from a later process with the same id.
    """

    host: str
    system: str
    process: int
    born: float

    def is_alive(self) -> bool | None:
        """Whether the process is there; None on another machine, where only its heartbeat can tell."""
        if self.system != _system():
            return None
        try:
            process = psutil.Process(self.process)
            is_same = abs(process.create_time() - self.born) <= BIRTH_SLACK_SECONDS
            return is_same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return None

    def __str__(self) -> str:
        return f"process {self.process} on {self.host}"


def myself() -> Owner:
    """This process."""
    return _owner(os.getpid())


@cache
def _owner(process: int) -> Owner:
    born = psutil.Process(process).create_time()
    return Owner(host=platform.node(), system=_system(), process=process, born=born)


@cache
def _system() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{platform.node()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return f"{platform.node()}/{psutil.boot_time():.0f}"
