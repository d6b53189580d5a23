"""The results of one run so far, which checkpoints hold and records are made from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wganbench.records.record import Status
from wganbench.training.state import State, copy_plain


@dataclass
class Trace:
    """The results of one run so far.

    Attributes:
        curves: Steps and values by label; a value that is not finite is None.
        kept: The steps at which clouds or pictures were kept.
        clouds: Fake samples at the steps in ``kept``, for the run whose samples are kept; images are uint8 and made
            from the same latents each time.
        pictures: Arrays at the steps in ``kept``, by label.
        status: The status for the record.
        note: The note for the record; None for none.
        steps_done: The number of generator steps done.
        data_checksum: The checksum of the decoded images; None for points.
        score_protocol: The protocol of the score network; None if none is used.
        is_outside: Whether the run has ever left the setting's band.
        good: The last weights inside the band, by network; empty if none are held.
        good_step: The step of ``good``; 0 if there are none.
        recent: Losses and step cosines of the last steps, oldest first, by name; filled for a checkpoint alone.
    """

    curves: dict[str, tuple[list[int], list[float | None]]] = field(default_factory=dict)
    kept: list[int] = field(default_factory=list)
    clouds: list[Tensor] = field(default_factory=list)
    pictures: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    status: Status = "finished"
    note: str | None = None
    steps_done: int = 0
    data_checksum: str | None = None
    score_protocol: str | None = None
    is_outside: bool = False
    good: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    good_step: int = 0
    recent: dict[str, list[float]] = field(default_factory=dict)

    def add(self, label: str, step: int, value: float) -> int:
        """Adds a value to a curve, rounded to six digits, and returns its position there."""
        steps, values = self.curves.setdefault(label, ([], []))
        steps.append(step)
        values.append(None)
        self.put(label, len(values) - 1, value)
        return len(values) - 1

    def put(self, label: str, position: int, value: float) -> None:
        """Replaces a value of a curve."""
        self.curves[label][1][position] = float(f"{value:.6g}") if math.isfinite(value) else None

    def state(self) -> State:
        """Copies the trace, in the form that `wganbench.training.state` describes."""
        held = {item.name: getattr(self, item.name) for item in fields(self)}
        # Pictures are copied, since torch accepts no reversed axis and no read-only memory.
        pictures = {
            label: [torch.from_numpy(np.array(each, order="C")) for each in kept]
            for label, kept in self.pictures.items()
        }
        copied = copy_plain({**held, "pictures": pictures}, "trace")
        assert isinstance(copied, dict)
        return copied

    def restore(self, state: State) -> None:
        """Restores a `state`.

        Raises:
            ValueError: If the state has other names than a trace; the trace is then unchanged.
        """
        names = {item.name for item in fields(self)}
        state = {"recent": {}, **state}  # which older checkpoints lack
        if names != state.keys():
            raise ValueError(f"trace: state of {', '.join(sorted(state))}; must be of {', '.join(sorted(names))}")
        copied = copy_plain(state, "trace")
        pictures = {label: [picture.numpy() for picture in kept] for label, kept in copied["pictures"].items()}
        for name, value in {**copied, "pictures": pictures}.items():
            setattr(self, name, value)
