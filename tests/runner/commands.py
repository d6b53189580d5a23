"""What the tests of disturbed runs share: specs that take their time, commands as processes, and what these leave."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.runner.forked import Forked
from wganbench.records.record import Record
from wganbench.records.store import Store

ROOT = Path(__file__).resolve().parents[2]

CUSTOM = """
import os, pathlib, time

import torch
from wganbench.networks.mlp import Mlp

NAP = float(os.environ.get("NAP", "0"))
AWAKE = os.environ.get("AWAKE", "")

def sleepy(critic, real):
    if real.shape[1] != 8:  # the checks before the training, in which nobody sleeps
        return critic(real).square().mean(1)
    if not os.path.exists(AWAKE):
        time.sleep(NAP)
    return real.new_zeros(len(real))

class Counted(Mlp):
    def __init__(self, *shapes, hidden, init_scale=1.0):
        super().__init__(*shapes, hidden=hidden, init_scale=init_scale)
        if "COUNTED" in os.environ:
            with open(os.environ["COUNTED"], "a") as file:
                file.write(f"{init_scale} {torch.initial_seed()}\\n")
"""
"""A step sleeps ``NAP`` seconds until ``AWAKE`` is a file; each critic that is made leaves a line in ``COUNTED``."""


def sleepy_spec(tiny: Callable[..., Path], variants: int, steps: int, name: str = "tiny") -> Path:
    """A spec of ``variants`` variants beside a custom module."""
    text = "".join(
        f'[variants.v{i}]\nconstraint = "{name}_custom:sleepy"\n'
        f'critic = {{ name = "{name}_custom:Counted", hidden = [4], init_scale = {1 + i / 8} }}\n'
        for i in range(variants)
    )
    path = tiny(text, name)
    (path.parent / f"{name}_custom.py").write_text(CUSTOM)
    path.write_text(path.read_text().replace("steps = 4\n", f"steps = {steps}\n").replace(WITHOUT, ""))
    return path


WITHOUT = (
    '[variants.clip]\nconstraint = { name = "clip", clip_value = 0.1 }\n'
    '[variants.gp]\nconstraint = "gradient_penalty"\n'
)


MAIN = "from wganbench.cli import main; main()"


class Command:
    """A ``wganbench run`` in a process of its own, which leads a session, as one in a terminal does its group.

    Its ``end`` is to be waited for.

    Args:
        environment: Beside this process's.
        before: Called in the new process before it becomes the command; can be pickled.
        fresh: Whether it is a new interpreter, with all its imports before it, and not a fork.
    """

    def __init__(
        self,
        spec: Path,
        results: Path,
        *options: str | Path,
        environment: dict[str, str] | None = None,
        before: Callable[[], object] | None = None,
        fresh: bool = False,
    ):
        given = ("run", spec, "--profile", "smoke", "--results", results, *options)
        line = [str(part) for part in given]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        here = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **(environment or {})}
        self.said = Path(tempfile.mkdtemp(prefix="command-"))
        out, err = self.said / "out", self.said / "err"
        self.process: Forked | subprocess.Popen[bytes]
        if fresh:
            whole = [sys.executable, "-m", "wganbench", *line]
            with out.open("wb") as stdout, err.open("wb") as stderr:
                self.process = subprocess.Popen(
                    whole, stdout=stdout, stderr=stderr, start_new_session=True, preexec_fn=before, env=here
                )
        else:
            self.process = Forked(MAIN, *line, environment=here, out=out, err=err, before=before)

    def end(self, seconds: float = 120.0) -> tuple[int, str, str]:
        """Its exit code, and what it wrote on stdout and stderr."""
        ended = True
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            ended = False
            for process in self.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.wait()
        out, err = ((self.said / name).read_text() for name in ("out", "err"))
        shutil.rmtree(self.said)
        assert ended, f"no end within {seconds:g} s; it wrote\n{out}\n{err}"
        return self.process.returncode, out, err

    def workers(self) -> list[psutil.Process]:
        """Those that train: the children of the fork server, which is a child of the command."""
        try:
            servers = psutil.Process(self.process.pid).children()
            return [worker for server in servers for worker in server.children()]
        except psutil.NoSuchProcess:
            return []

    def processes(self) -> list[psutil.Process]:
        """All that it has started, whoever their parent is by now, and itself: those of its session."""
        return [process for process in psutil.process_iter() if _is_of(self.process.pid, process)]

    def strays(self, seconds: float = 30.0) -> list[psutil.Process]:
        """What of it has not ended by itself within ``seconds`` from now."""
        until(lambda: not self.processes(), seconds)
        return self.processes()


def _is_of(session: int, process: psutil.Process) -> bool:
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def is_there(process: int) -> bool:
    """Whether a process has not ended; a killed one that nobody has waited for has."""
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def until(condition: Callable[[], Any], seconds: float = 60.0) -> bool:
    """Waits until ``condition`` holds, and says whether it does."""
    deadline = time.monotonic() + seconds
    while not (held := bool(condition())) and time.monotonic() < deadline:
        time.sleep(0.01)
    return held


def run(spec: Path, results: Path, *options: str | Path, **about: Any) -> tuple[int, str, str]:
    return Command(spec, results, *options, **about).end()


def numbers(results: Path) -> dict[str, tuple[Any, ...]]:
    """All of each record that does not depend on when and by how many attempts it was made.

    Raises RecordError if a record is damaged or doubled.
    """
    return {run_id: described(record) for run_id, record in Store(results).load().items()}


def described(record: Record) -> tuple[Any, ...]:
    about = (record.status, record.note, record.steps_done, record.measures, record.best, record.curves)
    return (*about, record.cohort, record.artefacts, record.profile, record.provenance.threads)


def left_behind(results: Path) -> list[str]:
    """Files that no command leaves whose work is done: all of the work folder but one, and what is half written."""
    found = (path.relative_to(results) for path in results.rglob("*") if not path.is_dir())
    return sorted(str(path) for path in found if any(part.startswith(".") for part in path.parts) and path != HIDING)


HIDING = Path(".work/.gitignore")


def lines(path: Path) -> Iterator[str]:
    """The lines of a file that need not be there."""
    with contextlib.suppress(FileNotFoundError):
        yield from path.read_text().splitlines()
