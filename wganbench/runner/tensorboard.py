"""Event files for TensorBoard: the curves of a run while it trains, its images at the end. No part of any record.

Each attempt writes a run's file anew, from the curves that its checkpoint holds, so that no step stands in it twice.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from wganbench.errors import ExtensionError, RecordError
from wganbench.runner.evaluation import Trace

FLUSH_SECONDS = 5.0
"""How often what was written is brought to the disk, which may take long there; TensorBoard looks as often."""
GRID = "samples"
"""The tag of the images; that of a curve is its label."""


def prepare(folder: Path) -> None:
    """Makes the folder, and shows that event files can be written, before any training.

    Raises:
        ExtensionError: If the package for them is not installed.
        RecordError: If the folder cannot be made.
    """
    try:
        _Library()
    except ImportError as error:
        raise ExtensionError(f"--tensorboard: {error}; pip install 'wganbench[tensorboard]'") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecordError(f"{folder}: cannot be written ({error.strerror}); name another with --tensorboard") from None


class _Library:
    """What is used of tensorboardX: not its ``SummaryWriter``, whose thread hangs where the disk refuses a line."""

    def __init__(self) -> None:
        self.writer: Any = importlib.import_module("tensorboardX.event_file_writer").EventsWriter
        self.events: Any = importlib.import_module("tensorboardX.proto.event_pb2")
        self.summaries: Any = importlib.import_module("tensorboardX.proto.summary_pb2")


class EventFiles:
    """Those of the runs of one cohort, in one attempt.

    Args:
        folder: Has a folder of each run's id; None writes none.
        runs: Ids, in the cohort's order.
        warn: Called with a line when something cannot be written; after it nothing is tried any more.
    """

    def __init__(self, folder: Path | None, runs: Sequence[str], warn: Callable[[str], None]):
        self.folder, self.runs, self.warn = folder, runs, warn
        self._writers: list[Any] = []
        self._written: list[dict[str, int]] = [{} for _ in runs]
        self._flushed = time.monotonic()

    def add(self, traces: Sequence[Trace], grids: Mapping[int, bytes]) -> None:
        """Writes the points that the curves of each run have had since the last time, ones that are not finite as NaN.

        Args:
            grids: PNGs by position in ``traces``, there once a run is at its end.
        """
        self._try(lambda: self._add(traces, grids))

    def close(self) -> None:
        """Brings it all to the disk."""
        self._try(self._close)

    def _try(self, write: Callable[[], None]) -> None:
        if self.folder is None:
            return
        try:
            write()
        except Exception as error:  # of the disk, or whatever else: nothing here is worth a record
            said = " ".join(str(error).split()) or type(error).__name__
            self.warn(f"nothing more is written for TensorBoard into {self.folder}: {said}")
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
            self._write(self._writers[index], traces[index].steps_done, tag=GRID, image=self._image(png))
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            for writer in self._writers:
                writer.flush()
            self._flushed = time.monotonic()

    def _image(self, png: bytes) -> Any:
        with Image.open(io.BytesIO(png)) as file:
            about = {"height": file.height, "width": file.width, "colorspace": len(file.getbands())}
        return self._library.summaries.Summary.Image(**about, encoded_image_string=png)

    def _write(self, writer: Any, step: int, **about: Any) -> None:
        summary = self._library.summaries.Summary(value=[self._library.summaries.Summary.Value(**about)])
        writer.write_event(self._library.events.Event(wall_time=time.time(), step=step, summary=summary))

    def _open(self) -> None:
        if self._writers or self.folder is None:
            return
        self._library = _Library()
        for run in self.runs:
            folder = self.folder / run
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("events.out.tfevents.*"):
                old.unlink()
            writer = self._library.writer(str(folder / "events"))
            self._writers.append(writer)
            # So that a TensorBoard that looks on forgets what it has seen of the old file.
            start = self._library.events.SessionLog(status="START")
            writer.write_event(self._library.events.Event(wall_time=time.time(), step=0, session_log=start))

    def _close(self) -> None:
        for writer in self._writers:
            writer.close()
