"""The losses and the angles of the critic's optimiser over the last steps before a measure that reads them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from wganbench.runner import resolve
from wganbench.spec import Setting
from wganbench.training.critic_trainer import StackTrainer
from wganbench.training.step_cosine import step_cosines

WINDOW = 101
"""The number of steps that a custom measure without an option ``window`` sees."""

COSINE = "step_cosine"
"""The name of the angles among the series; the others are losses."""

Series = Mapping[str, Sequence[float]]


class Recent:
    """Follows the losses of every step, and the step cosines, within the windows of a setting's measures.

    Args:
        setting: The setting of the runs.
        due: The steps at which each measure is taken, by label.
    """

    def __init__(self, setting: Setting, due: Mapping[str, Sequence[int]]):
        self._watched: set[int] = set()
        self._window, self._needs_cosines = 1, False
        for label, use in setting.measures.items():
            taken = {"recent_losses", "recent_cosines"} & set(resolve.inputs_of("measure", use.measure))
            if taken:
                window = int(use.measure.options.get("window", WINDOW))
                self._window = max(self._window, window)
                self._needs_cosines |= "recent_cosines" in taken
                self._watched |= {step for end in due[label] for step in range(max(1, end - window + 1), end + 1)}
        self._series: dict[str, deque[Tensor]] = {}

    def follow(self, trainer: StackTrainer, step: int) -> None:
        """Takes in the step that the trainer has just taken, if a measure reads it."""
        if step not in self._watched:
            return
        values = {name: loss.to(torch.float64, copy=True) for name, loss in trainer.losses.items()}
        if self._needs_cosines:
            values[COSINE] = step_cosines(trainer.critic, trainer.critic_optimizer)
        for name, value in values.items():
            self._series.setdefault(name, deque(maxlen=self._window)).append(value)

    def of_seed(self, index: int) -> dict[str, list[float]]:
        """Returns one seed's values, oldest first, by name: at most as many as the longest window has steps."""
        return {name: torch.stack(list(rows))[:, index].tolist() for name, rows in self._series.items()}

    def restore(self, seeds: Sequence[Series], device: torch.device) -> None:
        """Continues from the values of each seed that `of_seed` returned."""
        self._series = {
            name: deque(
                torch.tensor([own[name] for own in seeds], dtype=torch.float64, device=device).unbind(1), self._window
            )
            for name in seeds[0]
        }
