"""Checkpoints of a cohort, from which the next attempt continues.

A file consists of a line with a mark and the SHA-256 of everything after it, a line of JSON that identifies the
training, and the state as written by ``torch.save``. The checksum detects damage; it is no signature, so a file is
never trusted: `wganbench.runner.payload` reads plain values only, and runs no code.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wganbench.errors import first_line
from wganbench.files import leftovers, write_atomically
from wganbench.reading import open_file
from wganbench.records.record import Provenance
from wganbench.runner.evaluation import LOSS_POINTS, due_steps, schedule
from wganbench.runner.payload import read_state
from wganbench.runner.provenance import training_code
from wganbench.spec import CONTROL, Setting
from wganbench.spec.plan import Cohort
from wganbench.training.state import State

MARK = b"wganbench checkpoint 2 "
"""The first bytes of a file; a change of format raises the number, and checkpoints with another number are skipped."""

MAX_BYTES = 2**34
"""The largest file that is read."""

MAX_LINE = 1500
"""The longest reason, in characters, why a file cannot be used."""

KEPT = 2
"""The number of checkpoints kept: the newest, and one before it in case the newest is damaged."""


@dataclass(frozen=True)
class Identity:
    """Identifies the training that a checkpoint belongs to; no other training can continue from it.

    Attributes:
        runs: Ids of the cohort's runs, in order.
        setting: The setting as canonical JSON, including what is kept for figures.
        made_by: Device, threads, precision, versions, digests of the code and so on by name: everything that may change
            the last bits. The commit is not among them, as most commits leave the training code alone.
        drawn: Id of the cohort's run whose samples are kept; None if no run of the cohort is drawn.
    """

    runs: tuple[str, ...]
    setting: str
    made_by: dict[str, str]
    drawn: str | None = None

    @classmethod
    def of(cls, cohort: Cohort, provenance: Provenance, drawn: str | None = None) -> Identity:
        runs = tuple(run.id for run in cohort.runs)
        setting = json.dumps(cohort.runs[0].setting.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        others = ("started", "commit", "dirty", "captured")  # the last is known only after the search for a checkpoint
        about = {name: getattr(provenance, name) for name in type(provenance).model_fields if name not in others}
        apart = {**about.pop("libraries"), **about.pop("custom_code"), "training code": training_code()}
        made_by = {name: str(value) for name, value in {**about, **apart}.items()}
        return cls(runs, setting, made_by, drawn if drawn in runs else None)

    def texts(self) -> dict[str, str]:
        """Returns every single value as JSON, by a name for messages."""
        whole = {"run": list(self.runs), "drawn": self.drawn, "setting": json.loads(self.setting), **self.made_by}
        return dict(_texts(whole))


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    items = dict(enumerate(value)) if isinstance(value, list) else value
    if not isinstance(items, dict) or not items:
        yield place, json.dumps(value)
        return
    for key, item in items.items():
        yield from _texts(item, f"{place}.{key}" if place else str(key))


@dataclass
class Checkpoint:
    """The training of a cohort after a step.

    Attributes:
        step: The number of generator steps done.
        wall_seconds: The wall time of these steps, over all attempts.
        training_seconds: The time spent on training alone.
        trainer: The `state` of the trainer.
        traces: The `state` of each run's trace, in the cohort's order.
    """

    step: int
    wall_seconds: float
    training_seconds: float
    trainer: State
    traces: list[State]


class Checkpoints:
    """The checkpoints of one cohort.

    Args:
        folder: A folder for these checkpoints alone; it need not exist yet.
        identity: The training that the checkpoints must belong to.
        on_message: Called with one line for each file that cannot be used.
    """

    def __init__(self, folder: Path, identity: Identity, on_message: Callable[[str], None] = lambda line: None):
        self.folder, self.identity, self.on_message = folder, identity, on_message
        self._usable: list[Path] = []

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint atomically, then removes all others except the usable one before it.

        Raises:
            RecordError: If the file cannot be written; existing checkpoints are then intact.
        """
        path = self.folder / f"checkpoint-{checkpoint.step:08d}.pt"
        write_atomically(path, _pack(checkpoint, self.identity), replace=True)
        # Kept by known usability, not by step: an unusable file may be ahead of a training that starts from scratch.
        self._usable = [*(other for other in self._usable if other != path), path][-KEPT:]
        self._remove(other for other in self._paths() if other not in self._usable)

    def latest(self, find_problem: Callable[[Checkpoint], str | None] = lambda checkpoint: None) -> Checkpoint | None:
        """Returns the newest checkpoint that is intact and of this identity; None if there is none.

        Args:
            find_problem: Returns what else is wrong with a checkpoint; None if nothing is.
        """
        for path in self._paths():
            try:
                checkpoint = self._read(path)
                if wrong := _problem(checkpoint, find_problem):
                    raise _UnusableError(f"{wrong}, though its checksum is right")
            except _UnusableError as error:
                self.on_message(f"{path}: {_line(str(error))}; it is passed over")
                continue
            self._usable = [path]
            return checkpoint
        return None

    def _paths(self) -> list[Path]:
        """Returns all files named like a checkpoint, the newest first."""
        found = [path for path in self.folder.glob("*.pt") if re.fullmatch(r"checkpoint-[0-9]{8,18}\.pt", path.name)]
        return sorted(found, key=lambda path: int(path.stem.rpartition("-")[2]), reverse=True)

    def _remove(self, paths: Iterator[Path]) -> None:
        for path in (*paths, *leftovers(self.folder)):
            with contextlib.suppress(OSError):
                path.unlink()

    def _read(self, path: Path) -> Checkpoint:
        line, _, payload = _content(path).partition(b"\n")
        try:
            about = json.loads(line)
            step, theirs = int(about["step"]), dict(about["identity"])
            seconds = float(about["wall_seconds"]), float(about["training_seconds"])
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise _UnusableError("does not say which run it is of, though its checksum is right") from None
        found = list(_differences(theirs, self.identity.texts()))
        if found:
            more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
            raise _UnusableError(f"of another run, setting, machine or code ({'; '.join(found[:5])}{more})")
        return Checkpoint(step, *seconds, *_load(payload, len(self.identity.runs)))


def _line(text: str) -> str:
    """Returns a text, in which parts of a file may be, as one line that can be printed."""
    line = CONTROL.sub("?", " ".join(text.split()))
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…"


class _UnusableError(Exception):
    """Raised with the reason why a file cannot be used, worded as part of a line."""


def _pack(checkpoint: Checkpoint, identity: Identity) -> bytes:
    about = {name: getattr(checkpoint, name) for name in ("step", "wall_seconds", "training_seconds")}
    about["identity"] = identity.texts()
    buffer = io.BytesIO()
    torch.save({"trainer": checkpoint.trainer, "traces": checkpoint.traces}, buffer)
    content = json.dumps(about).encode() + b"\n" + buffer.getvalue()
    return _head(content) + content


def _head(content: bytes) -> bytes:
    return MARK + hashlib.sha256(content).hexdigest().encode() + b"\n"


def _content(path: Path) -> bytes:
    """Returns everything after the first line.

    Raises:
        _UnusableError: If the file cannot be read, or its content is not what was written.
    """
    try:
        with open_file(path) as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise _UnusableError(f"too large, at most {MAX_BYTES:,} bytes are read")
            head = file.readline(len(_head(b"")))
            if not head.startswith(MARK):
                raise _UnusableError("not a checkpoint of this version")
            content = file.read()
    except OSError as error:
        raise _UnusableError(f"cannot be read ({error.strerror})") from None
    if head != _head(content):
        raise _UnusableError("damaged, its content does not match its checksum")
    return content


def _load(payload: bytes, n_traces: int) -> tuple[State, list[State]]:
    """Returns the state of the trainer and the states of the traces.

    Raises:
        _UnusableError: If the payload is anything else.
    """
    try:
        content = read_state(payload)
        trainer, traces = content["trainer"], list(content["traces"])
    except ValueError as error:
        wrong = f"no state of a training ({first_line(error)[:200]})"
        raise _UnusableError(f"{wrong}, though its checksum is right") from None
    except Exception as error:  # bytes of unknown origin may cause any exception
        wrong = f"no state of a training ({type(error).__name__})"
        raise _UnusableError(f"{wrong}, though its checksum is right") from None
    if len(traces) != n_traces or not all(isinstance(state, dict) for state in (trainer, *traces)):
        raise _UnusableError("holds another kind of state, though its checksum is right")
    return trainer, traces


def _problem(checkpoint: Checkpoint, find_problem: Callable[[Checkpoint], str | None]) -> str | None:
    try:
        return find_problem(checkpoint)
    except Exception as error:  # a state may lack anything
        return f"holds another kind of state ({type(error).__name__})"


def _differences(theirs: dict[str, Any], ours: dict[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*ours, *theirs]):
        if theirs.get(name) != ours.get(name):
            yield f"{name} {_describe(theirs, name)}, here {_describe(ours, name)}"


def _describe(texts: dict[str, Any], name: str) -> str:
    return " ".join(str(texts[name]).split())[:200] if name in texts else "none"


def find_inconsistency(setting: Setting, losses: Iterable[str], saved: Checkpoint) -> str | None:
    """Returns why training cannot continue from a checkpoint; None if its parts agree.

    No checkpoint is made at the last step, after which there are records, nor if all runs have diverged. Each run has
    a value at every scheduled step of its measures and losses up to the checkpoint's step, and none beyond. A diverged
    run has only those before its divergence was detected.

    Args:
        setting: The setting of the runs.
        losses: Labels of the losses' curves.
        saved: The checkpoint to check.
    """
    if not 0 < saved.step < setting.steps:
        return f"its step is {saved.step}, must be from 1 to {setting.steps - 1}"
    trained = saved.trainer.get("steps_done")
    if trained != saved.step:
        return f"its trainer is at step {trained}, its first lines say {saved.step}"
    due = due_steps(setting) | {
        label: [step for step in schedule(setting.steps, LOSS_POINTS) if step > 0] for label in losses
    }
    if all(trace.get("status") == "diverged" for trace in saved.traces):
        return "all of its runs have diverged, which ends a training"
    return next(filter(None, (_find_in_trace(trace, due, saved.step) for trace in saved.traces)), None)


def _find_in_trace(trace: Mapping[str, Any], due: Mapping[str, list[int]], step: int) -> str | None:
    """Returns what is inconsistent in the trace of one run; None if nothing is."""
    status, done = trace["status"], trace["steps_done"]
    if status not in ("finished", "diverged") or done > step:
        return f"a run of it is {status!r} after {done!r} steps, at step {step}"
    last = step if status == "finished" else done - 1
    for label, steps in due.items():
        expected = [each for each in steps if each <= last]
        found, values = trace["curves"].get(label, ([], []))
        if found != expected or len(values) != len(found):
            had = "none" if not found else f"{len(values)} up to step {found[-1]}"
            return f"{label} has {had} of the {len(expected)} values due by step {last}"
    return None
