"""Which process a file under the work folder belongs to, and whether that process is still there."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

import psutil
from pydantic import PositiveInt

from wganbench.spec import Model, Text

BIRTH_SLACK_SECONDS = 2.0
"""By how much the start time of one process may be told differently: it is given to the second at best."""


class Owner(Model):
    """A process, known from any machine.

    Attributes:
        host: For people.
        system: One boot of one machine and one process namespace: within it, process ids can be looked up.
        process: Its id there.
        born: When it was started, in seconds since the system was; tells it from a later process with the same id.
    """

    host: Text
    system: Text
    process: PositiveInt
    born: float

    def is_alive(self) -> bool | None:
        """Whether the process is there; None on another machine, where only its heartbeat can tell."""
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
    """This process."""
    return _owner(os.getpid())


@cache
def _owner(process: int) -> Owner:
    born = _born(psutil.Process(process))
    return Owner(host=platform.node(), system=_system(), process=process, born=born)


def _born(process: psutil.Process) -> float:
    """Does not move when the machine's clock is set, as the time of day of either start would."""
    system = psutil.boot_time()  # first: older versions of psutil keep what it said for create_time
    return process.create_time() - system


@cache
def _system() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{platform.node()}/{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return f"{platform.node()}/{psutil.boot_time():.0f}"
