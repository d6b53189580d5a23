"""The outputs of a score network, computed once per image for all scores of a step."""

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
    """The outputs for n images: ``logits`` (n, classes) and ``features`` (n, d), float32, on the CPU."""

    logits: Tensor
    features: Tensor


class ScoreNetwork(Protocol):
    """A network whose outputs determine scores.

    Attributes:
        protocol: Name in records; scores with the same protocol are comparable.
        device: Device of the network; images may be on any device.
    """

    @property
    def protocol(self) -> str: ...

    @property
    def device(self) -> torch.device: ...

    def to(self, device: torch.device | str) -> ScoreNetwork:
        """Moves the network to ``device`` and returns the object itself."""

    def __call__(self, images: Tensor) -> Outputs:
        """Computes the outputs for images ``(n, channels, height, width)``, uint8, each independent of the others."""


class NetworkOutputs:
    """A score network's outputs for a sequence of images; the longest prefix computed so far is cached.

    Args:
        network: The score network.
        batches: Function that returns the first n images in batches: uint8, or floats from a generator. It may be
            called repeatedly. The outputs for an image that is not finite are NaN.
        scaling: Scaling of float images, as for ``to_pixels``.
    """

    def __init__(self, network: ScoreNetwork, batches: Callable[[int], Iterable[Tensor]], *, scaling: Scaling = "255"):
        self.network, self.batches, self.scaling = network, batches, scaling
        self._outputs: Outputs | None = None

    def outputs(self, n: int) -> Outputs:
        """Returns the outputs for the first ``n`` images.

        Raises:
            DataError: If there are fewer images, or the network does not accept them.
        """
        if self._outputs is None or len(self._outputs.logits) < n:
            self._outputs = self._compute(n)
        return Outputs(*(each[:n] for each in self._outputs))

    def _compute(self, n: int) -> Outputs:
        outputs = [self._of_batch(images) for images in self.batches(n)]
        found = sum(len(each.logits) for each in outputs)
        if found < n or n < 1:
            raise DataError(
                f"{self.network.protocol}: {n:,} images requested, must be from 1 to the {found:,} there are"
            )
        return Outputs(*(torch.cat(parts) for parts in zip(*outputs, strict=True)))

    def _of_batch(self, images: Tensor) -> Outputs:
        if images.dtype == torch.uint8:
            return self.network(images)
        finite = images.flatten(1).isfinite().all(dim=1).cpu()
        outputs = self.network(to_pixels(images, scaling=self.scaling))
        return Outputs(*(each.masked_fill(~finite[:, None], torch.nan) for each in outputs))


def images_in_batches(images: Tensor, batch: int = 500) -> Callable[[int], Iterator[Tensor]]:
    """Returns the batches of a tensor of all images, ``(m, channels, height, width)``, uint8, for `NetworkOutputs`."""
    return lambda n: iter(images[:n].split(batch))


def real_in_batches(data: Images, batch: int = 500) -> Callable[[int], Iterator[Tensor]]:
    """Returns the batches of a data set for `NetworkOutputs`, ordered so that any first n images are a fair sample.

    Images that are not ``shuffled`` come in a random order that depends only on their number.
    """
    if data.shuffled:
        return images_in_batches(data.pixels, batch)
    order = torch.randperm(len(data), generator=generator(0, "order of real images")).to(data.pixels.device)
    return lambda n: (data.pixels[rows] for rows in order[:n].split(batch))
