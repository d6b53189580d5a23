"""Writes event files for TensorBoard: the curves of a run while it trains, and its images at the end.

Event files are not part of any record. Each attempt writes a run's file from scratch, starting with the curves from its
checkpoint, so that no step appears twice.
"""

from __future__ import annotations

import contextlib
import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from wganbench.errors import RecordError, first_line
from wganbench.runner.import_path import import_extra
from wganbench.runner.trace import Trace

FLUSH_SECONDS = 5.0
"""The interval of flushing to disk, which may be slow; TensorBoard reloads at the same interval."""
GRID = "samples"
"""The tag of the images; the tag of a curve is its label."""


def prepare(folder: Path) -> None:
    """Creates the folder, and checks before any training that event files can be written.

    Raises:
        ExtensionError: If the package that writes them is not installed.
        RecordError: If the folder cannot be created.
    """
    _library("event_file_writer")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{folder}: cannot be written ({error.strerror}); name another with --tensorboard") from None


def _library(module: str) -> Any:
    """Imports a module of tensorboardX, without its ``SummaryWriter``, with which a process hangs if a write fails."""
    return import_extra(f"tensorboardX.{module}", "--tensorboard", "tensorboard")


class EventFiles:
    """The event files of the runs of one cohort, in one attempt.

    Args:
        folder: Folder in which each run has a folder named by its id; None writes nothing.
        runs: Ids of the runs, in the cohort's order.
        warn: Called with a line if something cannot be written, after which nothing more is written.
    """

    def __init__(self, folder: Path | None, runs: Sequence[str], warn: Callable[[str], None]):
        self.folder, self.runs, self.warn = folder, runs, warn
        self._writers: list[Any] = []
        self._written: list[dict[str, int]] = [{} for _ in runs]
        self._flushed = time.monotonic()

    def add(self, traces: Sequence[Trace], grids: Mapping[int, bytes]) -> None:
        """Writes the points added to each run's curves since the last call; values that are not finite become NaN.

        Args:
            traces: The traces of the runs, in the cohort's order.
            grids: PNGs by position in ``traces``, which exist once a run is at its end.
        """
        self._try(lambda: self._add(traces, grids))

    def close(self) -> None:
        """Writes everything to disk and closes the files."""
        self._try(self._close)

    def _try(self, write: Callable[[], None]) -> None:
        if self.folder is None:
            return
        try:
            write()
        except Exception as error:  # from the disk or anything else; no failure here may cost a record
            self.warn(f"nothing more is written for TensorBoard into {self.folder}: {first_line(error)}")
            self.folder = None
            for writer in self._writers:
                with contextlib.suppress(Exception):
                    writer.close()

    def _add(self, traces: Sequence[Trace], grids: Mapping[int, bytes]) -> None:
        self._open()
        for writer, written, trace in zip(self._writers, self._written, traces, strict=True):
            for label, (steps, values) in trace.curves.items():
                for step, value in list(zip(steps, values, strict=True))[written.get(label, 0) :]:
                    self._write(writer, step, tag=label, simple_value=math.nan if value is None else value)
                written[label] = len(steps)
        for index, png in grids.items():
            self._write(self._writers[index], traces[index].steps_done, tag=GRID, image=_image(png))
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            for writer in self._writers:
                writer.flush()
            self._flushed = time.monotonic()

    def _write(self, writer: Any, step: int, **value: Any) -> None:
        summary = {"value": [value]}
        writer.write_event(_library("proto.event_pb2").Event(wall_time=time.time(), step=step, summary=summary))

    def _open(self) -> None:
        if self._writers or self.folder is None:
            return
        events = _library("proto.event_pb2")
        for run in self.runs:
            folder = self.folder / run
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
            writer = _library("event_file_writer").EventsWriter(str(folder / "events"))
            self._writers.append(writer)
            # Makes a running TensorBoard discard what it has read from the old file.
            start = events.SessionLog(status="START")
            writer.write_event(events.Event(wall_time=time.time(), step=0, session_log=start))

    def _close(self) -> None:
        for writer in self._writers:
            writer.close()


def _image(png: bytes) -> dict[str, Any]:
    with Image.open(io.BytesIO(png)) as file:
        shape = {"height": file.height, "width": file.width, "colorspace": len(file.getbands())}
    return {**shape, "encoded_image_string": png}
