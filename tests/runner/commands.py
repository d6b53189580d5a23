"""What the tests of disturbed runs share: specs that take their time, commands as processes, and what these leave."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from wganbench.record import Record, Store

ROOT = Path(__file__).resolve().parents[2]

STRANGER = """
import os, pathlib, time

import torch
from wganbench.networks.mlp import Mlp

NAP = float(os.environ.get("NAP", "0"))

def sleepy(critic, real):
    time.sleep(NAP)
    return real.new_zeros(len(real))

class Counted(Mlp):
    def __init__(self, *shapes, hidden, init_scale=1.0):
        super().__init__(*shapes, hidden=hidden, init_scale=init_scale)
        if "COUNTED" in os.environ:
            with open(os.environ["COUNTED"], "a") as file:
                file.write(f"{init_scale} {torch.initial_seed()}\\n")
"""
"""``NAP`` is how long a step sleeps; each critic that is made leaves a line in ``COUNTED``."""


def sleepy_spec(tiny: Callable[..., Path], variants: int, steps: int, name: str = "tiny") -> Path:
    """A spec of ``variants`` variants beside a module of a stranger's."""
    text = "".join(
        f'[variants.v{i}]\nconstraint = "{name}_stranger:sleepy"\n'
        f'critic = {{ name = "{name}_stranger:Counted", hidden = [4], init_scale = {1 + i / 8} }}\n'
        for i in range(variants)
    )
    path = tiny(text, name)
    (path.parent / f"{name}_stranger.py").write_text(STRANGER)
    path.write_text(path.read_text().replace("steps = 4\n", f"steps = {steps}\n").replace(WITHOUT, ""))
    return path


WITHOUT = (
    '[variants.clip]\nconstraint = { name = "clip", clip_value = 0.1 }\n'
    '[variants.gp]\nconstraint = "gradient_penalty"\n'
)


class Command:
    """A ``wganbench run`` in a process of its own, which leads a session, as one in a terminal does its group.

    Args:
        environment: Beside this process's.
        before: Called in the new process before it becomes the command.
    """

    def __init__(
        self,
        spec: Path,
        results: Path,
        *options: str | Path,
        environment: dict[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ):
        self.mark = uuid.uuid4().hex
        line = [sys.executable, "-m", "wganbench", "run", spec, "--profile", "smoke", "--results", results, *options]
        self.process = subprocess.Popen(
            [str(part) for part in line],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=before,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
                "MARK": self.mark,
                **(environment or {}),
            },
        )

    def end(self, seconds: float = 120.0) -> tuple[int, str, str]:
        """Its exit code, and what it wrote on stdout and stderr."""
        try:
            out, err = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            for process in self.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"no end within {seconds:g} s; it wrote\n{out}\n{err}") from None
        return self.process.returncode, out, err

    def workers(self) -> list[psutil.Process]:
        """Those that train: the children of the fork server, which is a child of the command."""
        try:
            servers = psutil.Process(self.process.pid).children()
            return [worker for server in servers for worker in server.children()]
        except psutil.NoSuchProcess:
            return []

    def processes(self) -> list[psutil.Process]:
        """All that it has started, whoever their parent is by now, and itself."""
        return [process for process in psutil.process_iter() if _mark(process) == self.mark]

    def strays(self, seconds: float = 15.0) -> list[psutil.Process]:
        """What of it has not ended by itself within ``seconds`` from now."""
        until(lambda: not self.processes(), seconds)
        return self.processes()


def _mark(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("MARK") if process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, OSError):
        return None


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
    return {run_id: told(record) for run_id, record in Store(results).load().items()}


def told(record: Record) -> tuple[Any, ...]:
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
