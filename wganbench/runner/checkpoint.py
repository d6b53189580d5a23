"""Checkpoints of a cohort: what an attempt leaves behind for the next one to go on from.

A file is a line with a mark and the SHA-256 of all that follows it, a line of JSON that tells whose checkpoint it is,
and what ``torch.save`` made of the state. The sum shows damage; it is no signature, so a file is never trusted: torch
reads it with ``weights_only``, which runs no code.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from wganbench.files import leftovers, write_atomically
from wganbench.records.record import Provenance
from wganbench.spec.plan import Cohort
from wganbench.training.state import State

MARK = b"wganbench checkpoint 2 "
"""A change of what follows raises the number; checkpoints with another one are passed over."""

KEPT = 2
"""The newest, and one before it for when that is damaged."""


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to: a training of anything else cannot go on from it.

    Attributes:
        runs: Ids of the cohort's runs, in order.
        setting: As canonical JSON, with what is kept for figures.
        made_by: Device, threads, precision, versions, digests of custom code and the like, by name: all that may decide
            the last bits.
        drawn: Id of the run of the cohort whose samples are kept; None where it has none.
    """

    runs: tuple[str, ...]
    setting: str
    made_by: dict[str, str]
    drawn: str | None = None

    @classmethod
    def of(cls, cohort: Cohort, provenance: Provenance, drawn: str | None = None) -> Identity:
        runs = tuple(run.id for run in cohort.runs)
        setting = json.dumps(cohort.runs[0].setting.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        others = ("started", "captured")  # the latter comes out after a checkpoint was looked for
        about = {name: getattr(provenance, name) for name in type(provenance).model_fields if name not in others}
        apart = {**about.pop("libraries"), **about.pop("custom_code")}
        made_by = {name: str(value) for name, value in {**about, **apart}.items()}
        return cls(runs, setting, made_by, drawn if drawn in runs else None)

    def texts(self) -> dict[str, str]:
        """Every single value in it as JSON, by a name to tell of it."""
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
    """A cohort's training after a step.

    Attributes:
        step: Generator steps done.
        wall_seconds: That these took, over all attempts.
        training_seconds: Those of training alone.
        trainer: The trainer's `state`.
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
        folder: Theirs alone; need not exist yet.
        say: Called with one line for each file that cannot be gone on from.
    """

    def __init__(self, folder: Path, identity: Identity, say: Callable[[str], None] = lambda line: None):
        self.folder, self.identity, self.say = folder, identity, say
        self._usable: list[Path] = []

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint whole; then removes all but it and the usable one before it.

        Raises:
            RecordError: If the disk refuses; those that were there before are whole.
        """
        path = self.folder / f"checkpoint-{checkpoint.step:08d}.pt"
        write_atomically(path, _pack(checkpoint, self.identity), replace=True)
        # By what was seen to be usable, not by step: a refused file may be ahead of where the training starts anew.
        self._usable = [*(other for other in self._usable if other != path), path][-KEPT:]
        self._remove(other for other in self._paths() if other not in self._usable)

    def latest(self, doubt: Callable[[Checkpoint], str | None] = lambda checkpoint: None) -> Checkpoint | None:
        """The newest that is whole and of this identity; None where none is.

        Args:
            doubt: Says what else is wrong with one.
        """
        for path in self._paths():
            try:
                checkpoint = self._read(path)
                if wrong := doubt(checkpoint):
                    raise _UnusableError(f"{wrong}, though its checksum is right")
            except _UnusableError as error:
                self.say(f"{path}: {error}; it is passed over")
                continue
            self._usable = [path]
            return checkpoint
        return None

    def clear(self) -> None:
        """Removes them all, and the folder if nothing else is in it."""
        self._usable = []
        self._remove(iter(self._paths()))
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    def _paths(self) -> list[Path]:
        """Whatever is named as a checkpoint, the newest first."""
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
            raise _UnusableError("tells of no run, though its checksum is right") from None
        found = list(_differences(theirs, self.identity.texts()))
        if found:
            more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
            raise _UnusableError(f"of another run, setting or machine ({'; '.join(found[:5])}{more})")
        return Checkpoint(step, *seconds, *_load(payload, len(self.identity.runs)))


class _UnusableError(Exception):
    """Says in part of a line why a file cannot be gone on from."""


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
    """What follows the first line.

    Raises:
        _UnusableError: If that is not what was written.
    """
    try:
        if not path.is_file():  # opening a pipe would wait for ever
            raise _UnusableError("not a file")
        with path.open("rb") as file:
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
    """The state of the trainer, and those of the traces.

    Raises:
        _UnusableError: If there is something else.
    """
    try:
        content = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        trainer, traces = content["trainer"], list(content["traces"])
    except Exception as error:  # whatever comes of bytes that somebody else has written
        raise _UnusableError(f"torch cannot read it ({type(error).__name__}), though its checksum is right") from None
    if len(traces) != n_traces or not all(isinstance(state, dict) for state in (trainer, *traces)):
        raise _UnusableError("holds another kind of state, though its checksum is right")
    return trainer, traces


def _differences(theirs: dict[str, Any], ours: dict[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*ours, *theirs]):
        if theirs.get(name) != ours.get(name):
            yield f"{name} {_told(theirs, name)}, here {_told(ours, name)}"


def _told(texts: dict[str, Any], name: str) -> str:
    return " ".join(str(texts[name]).split())[:200] if name in texts else "none"
