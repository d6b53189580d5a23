"""Runs functions of the tests in processes whose CUDA is the stand-in.

A test in this folder takes the fixture ``fake_cuda`` and calls it with a function of its own module, which then runs in
a new process, and with arguments that JSON can hold; it gets the function's result, which JSON can hold as well::

    def launches(name, variant):                      # in a process with the stand-in
        trainer = make_trainer(load(name).setting(variant, "smoke"), (0, 1), torch.device("cuda"))
        trainer.step()
        counters.reset()
        trainer.step()
        return counters.counts()

    @pytest.mark.slow
    def test_a_step_copies_nothing(fake_cuda):        # in pytest's own, which never uses CUDA
        assert fake_cuda(launches, "gaussians8", "gan")["copies_to_host"] == 0

What is launched, copied, allocated, refused and freed is as on a GPU; every number is garbage, and no test may ask for
one. `values` keeps garbage from decisions. Memory and time are limited, because a size may be read out of garbage too.

This file is also the program of the server: it imports what the tests need, and forks for each call. The import of
torch takes seconds, a fork some milliseconds.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MAX_BYTES = 26_000_000_000
"""The address space of a process. That of torch with CUDA takes 10 GB of it, which are reserved and not used."""
PRELOADED = ("wganbench.cli", "wganbench.runner.loop", "wganbench.runner.executors.preload", "tests.fake_cuda.values")


class FakeCuda:
    """Calls functions in processes with the stand-in.

    Args:
        library: The stand-in, as `build` makes it.
        folder: Where the processes write.

    Attributes:
        written: What the last function wrote on standard output and error.
    """

    written = ""

    def __init__(self, library: Path, folder: Path):
        self.library, self.folder = library, folder
        self._server: subprocess.Popen[str] | None = None
        self._calls = 0

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a new interpreter has the stand-in, as this process's has other variables."""
        own = {"LD_PRELOAD": str(self.library), "LD_LIBRARY_PATH": str(self.library.parent), "OMP_NUM_THREADS": "1"}
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        return {**os.environ, **own, "PYTHONPATH": path}

    def __call__(
        self, function: Callable[..., Any], *arguments: Any, seconds: int = 120, **environment: str | int
    ) -> Any:
        """Returns ``function(*arguments)``, called in a new process.

        Args:
            function: A function of a module of the tests, at its top level.
            seconds: Wall time after which the process is killed.
            environment: Variables of the process; ``FAKE_CUDA_DEVICES`` is the number of devices (1) and
                ``FAKE_CUDA_MEBIBYTES`` the memory of each (12,288).

        Raises:
            AssertionError: If the function raises, or its process dies; with all that it wrote.
        """
        self._calls += 1
        out, result = (self.folder / f"{self._calls}.{ending}" for ending in ("txt", "json"))
        call = {
            "function": [function.__module__, function.__qualname__],
            "arguments": arguments,
            "environment": {name: str(value) for name, value in environment.items()},
            "seconds": seconds,
            "files": [str(out), str(result)],
        }
        server = self._started()
        assert server.stdin is not None and server.stdout is not None
        server.stdin.write(json.dumps(call) + "\n")
        server.stdin.flush()
        code = server.stdout.readline().strip()
        self.written = out.read_text(errors="replace")[-6000:] if out.exists() else ""
        ending = f"{function.__qualname__}{arguments} ended with {code or 'its server'}"
        assert code == "0", f"{ending}, and wrote:\n{self.written or 'nothing'}"
        return json.loads(result.read_text())

    def _started(self) -> subprocess.Popen[str]:
        if self._server is None:
            command = [sys.executable, str(Path(__file__))]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            self._server = subprocess.Popen(command, env=self.environment, cwd=self.folder, text=True, **pipes)
        return self._server

    def end(self) -> None:
        if self._server is not None:
            self._server.communicate()  # ends its input


def serve() -> None:
    """Forks for each line of standard input, one after the other, and answers each with the fork's exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    package = types.ModuleType("tests")  # some distribution installs another package of this name
    package.__path__ = [str(ROOT / "tests")]
    sys.modules["tests"] = package
    for name in PRELOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _answer(json.loads(line))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _answer(call: dict[str, Any]) -> None:
    out, result = call["files"]
    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for number in (1, 2):
        os.dup2(file, number)
    code = 1
    try:
        faulthandler.enable(sys.__stderr__)
        signal.alarm(call["seconds"])
        os.environ.update(call["environment"])
        module, name = call["function"]
        importlib.import_module("tests.fake_cuda.values").replace_decisions()
        answer = getattr(importlib.import_module(module), name)(*call["arguments"])
        Path(result).write_text(json.dumps(answer))
        code = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
