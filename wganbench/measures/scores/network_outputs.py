"""Images as a score network sees them, each brought before it once for all scores of a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from wganbench.data.images import Images, Scaling
from wganbench.errors import DataError
from wganbench.measures.scores.sampling import to_pixels
from wganbench.rng import generator


class Outputs(NamedTuple):
    """What a score network says of n images: ``logits`` (n, classes) and ``features`` (n, d), float32, on the CPU."""

    logits: Tensor
    features: Tensor


class ScoreNetwork(Protocol):
    """A network that scores come from.

    Attributes:
        protocol: Its name in records, by which scores are known to be comparable.
        device: Where it computes; images may be anywhere.
    """

    @property
    def protocol(self) -> str: ...

    @property
    def device(self) -> torch.device: ...

    def to(self, device: torch.device | str) -> ScoreNetwork:
        """Itself, moved to ``device``."""

    def __call__(self, images: Tensor) -> Outputs:
        """Of images ``(n, channels, height, width)`` uint8, row by row."""


class Seen:
    """A sequence of images before a score network; what was asked for once is kept, the longest of it.

    Args:
        network: What they are brought before.
        batches: Called with n, as often as need be, gives the first n images in batches: uint8, or floats out of a
            generator. An image that is not finite has outputs that are NaN.
        scaling: Of floats, as for ``to_pixels``.
    """

    def __init__(self, network: ScoreNetwork, batches: Callable[[int], Iterable[Tensor]], *, scaling: Scaling = "255"):
        self.network, self.batches, self.scaling = network, batches, scaling
        self._outputs: Outputs | None = None

    def outputs(self, n: int) -> Outputs:
        """Of the first ``n`` images.

        Raises:
            DataError: If there are fewer, or the network does not take them.
        """
        if self._outputs is None or len(self._outputs.logits) < n:
            self._outputs = self._look(n)
        return Outputs(*(each[:n] for each in self._outputs))

    def _look(self, n: int) -> Outputs:
        outputs = [self._of_batch(images) for images in self.batches(n)]
        found = sum(len(each.logits) for each in outputs)
        if found < n or n < 1:
            raise DataError(f"{self.network.protocol}: {n:,} images were asked for, there are {found:,}; ask for those")
        return Outputs(*(torch.cat(parts) for parts in zip(*outputs, strict=True)))

    def _of_batch(self, images: Tensor) -> Outputs:
        if images.dtype == torch.uint8:
            return self.network(images)
        finite = images.flatten(1).isfinite().all(dim=1).cpu()
        outputs = self.network(to_pixels(images, scaling=self.scaling))
        return Outputs(*(each.masked_fill(~finite[:, None], torch.nan) for each in outputs))


def images_in_batches(images: Tensor, batch: int = 500) -> Callable[[int], Iterator[Tensor]]:
    """What ``Seen`` takes, of images that are all there: ``(m, channels, height, width)`` uint8."""
    return lambda n: iter(images[:n].split(batch))


def real_in_batches(data: Images, batch: int = 500) -> Callable[[int], Iterator[Tensor]]:
    """What ``Seen`` takes, of a data set's own images: any first n of them stand for all.

    Where they are not ``shuffled`` they come in a random order that hangs on their number alone.
    """
    if data.shuffled:
        return images_in_batches(data.pixels, batch)
    order = torch.randperm(len(data), generator=generator(0, "order of real images")).to(data.pixels.device)
    return lambda n: (data.pixels[rows] for rows in order[:n].split(batch))
