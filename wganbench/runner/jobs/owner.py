"""Identifies the process that owns a file in the work folder, and checks whether it is still alive."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

import psutil
from pydantic import PositiveInt

from wganbench.spec import Model, Text

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

    host: Text
    system: Text
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
