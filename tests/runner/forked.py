"""``python -c`` without its imports: processes that are forked from one that has all that a command needs.

To import torch and what it brings takes five seconds of CPU, to fork 25 ms. A fork leads a session, has an environment
of its own and no handler or blocked signal of whoever started it; where it starts a fork server, as with ``--executor
local``, that is a fork as well. What befalls a new interpreter amid its imports is left to tests marked slow.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import util
from pathlib import Path

import torch

from wganbench.runner.executors import local

CONTEXT = multiprocessing.get_context("forkserver")
PRELOADED = (*local.PRELOADED, "wganbench.cli", "pytest")
NAME = "forked"


class Forked:
    """``python -c CODE ARGUMENTS``, which has what of ``subprocess.Popen`` is needed.

    Args:
        environment: All of it.
        out, err: Files for what it writes.
        before: Called first in the new process; can be pickled.
    """

    def __init__(
        self,
        code: str,
        *arguments: str,
        environment: Mapping[str, str],
        out: Path,
        err: Path,
        before: Callable[[], object] | None = None,
    ):
        CONTEXT.set_forkserver_preload(list(PRELOADED))
        given = {"given": (code, arguments, dict(environment), out, err, before)}
        self._process = CONTEXT.Process(target=runpy.run_path, args=(__file__, given, NAME))
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._process.name, timeout or 0.0)
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()


def begin(
    code: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    out: Path,
    err: Path,
    before: Callable[[], object] | None,
) -> None:
    """What the new process does."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.environ.clear()
    os.environ.update(environment)
    torch.set_num_threads(int(environment.get("OMP_NUM_THREADS", "1")))
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    util.spawnv_passfds = spawn
    sys.argv = ["-c", *arguments]
    if before is not None:
        before()
    exec(code, {"__name__": "__main__"})


spawnv_passfds = util.spawnv_passfds


def spawn(path: str, arguments: Sequence[str], passed: Sequence[int]) -> int:
    """In place of multiprocessing's: its fork server is a fork, which has the modules that it would load."""
    code = arguments[-1]
    if "multiprocessing.forkserver" not in code:
        return spawnv_passfds(path, arguments, passed)
    if child := os.fork():
        return child
    try:
        kept = sorted({0, 1, 2, *passed})
        for last, following in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
            os.closerange(last + 1, following)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):
                signal.signal(number, signal.SIG_DFL)
        exec(code, {})
    finally:
        os._exit(0)


if __name__ == NAME:
    begin(*given)  # noqa: F821  # as run_path has put it here
