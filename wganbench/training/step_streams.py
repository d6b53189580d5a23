"""The random numbers of training steps, drawn for many steps at once.

A draw costs a few launches for each seed. If every step drew its own numbers, these would be more than half of all
launches of a stack of 64 small networks. Here a step's numbers are copied from a block, before the step and so outside
of a CUDA graph.

The numbers of a block depend on the seed, the purpose, what is drawn and the position of the block, and on nothing that
was drawn before. So a training can continue in the middle of a block, and a checkpoint holds nothing of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from wganbench.rng import Fill, Streams, generator, seed_of

MAX_STEPS = 256
"""The largest number of steps in a block."""
MAX_BYTES = 8 * 2**20
"""The largest size of a block for one seed, if it has several steps."""


@dataclass
class _Block:
    """What one call draws in each of several steps.

    Attributes:
        name: What is drawn, and how often it was drawn before in the same step.
        fill: Fills a tensor of any number of steps.
        numbers: Shape ``(seeds, steps, *shape)``.
        now: The numbers of the present step, ``(seeds, *shape)``; always the same tensor, as a CUDA graph reads it.
        index: The number of blocks before this one; -1 if nothing is drawn yet.
    """

    name: str
    fill: Fill
    numbers: Tensor
    now: Tensor
    index: int = -1


class StepStreams(Streams):
    """Streams whose draws within a step come from blocks; other draws are as those of `Streams`.

    The steps of a block do not depend on the number of seeds, so a seed draws the same numbers in each stack.

    Attributes:
        of_blocks: The stream that all blocks are drawn from; it is seeded again for each of them.
    """

    def __init__(self, seeds: Sequence[int], purpose: str, device: torch.device | str = "cpu"):
        super().__init__(seeds, purpose, device)
        self.seeds, self.purpose = seeds, purpose
        self.of_blocks = generator(0, purpose, device)
        self._step: int | None = None
        self._blocks: dict[str, _Block] = {}
        self._drawn: Counter[str] = Counter()

    def begin_step(self, step: int | None) -> None:
        """Gets the numbers of a step ready, counted from 0; with None, the next draws are outside of steps."""
        self._step = step
        self._drawn.clear()
        for block in self._blocks.values():
            self._move(block)

    def draw(self, what: str, shape: Sequence[int], fill: Fill, dtype: torch.dtype = torch.float32) -> Tensor:
        if self._step is None:
            return super().draw(what, shape, fill, dtype)
        name = f"{what} {self._drawn[what]}"
        self._drawn[what] += 1
        if name not in self._blocks:
            self._blocks[name] = self._block(name, shape, fill, dtype)
            self._move(self._blocks[name])
        return self._blocks[name].now

    def _block(self, name: str, shape: Sequence[int], fill: Fill, dtype: torch.dtype) -> _Block:
        steps = max(1, min(MAX_STEPS, MAX_BYTES // max(1, math.prod(shape) * dtype.itemsize)))
        numbers = torch.empty(len(self.seeds), steps, *shape, dtype=dtype, device=self.device)
        return _Block(name, fill, numbers, torch.empty_like(numbers[:, 0]))

    def _move(self, block: _Block) -> None:
        """Puts the numbers of the present step into ``block.now``, and draws the block that contains them if due."""
        if self._step is None:
            return
        index, position = divmod(self._step, block.numbers.shape[1])
        if index != block.index:
            for seed, rows in zip(self.seeds, block.numbers, strict=True):
                self.of_blocks.manual_seed(seed_of(seed, f"{self.purpose}: {block.name}, block {index}"))
                block.fill(rows, self.of_blocks)
            block.index = index
        block.now.copy_(block.numbers[:, position])


def draws_in_blocks(device: torch.device) -> bool:
    """Returns whether trainers draw in blocks: not on the CPU, where a launch costs nothing."""
    return device.type != "cpu"
