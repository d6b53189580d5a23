"""The real batches of a stack of seeds: drawn with replacement, or for images in shuffled epochs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wganbench.data.images import Epochs, Images
from wganbench.rng import Streams
from wganbench.training.method import DataSet


def images_of(data: DataSet) -> Images | None:
    """Returns the data set if its samples are images; None for points."""
    return data if isinstance(data, Images) else None


def packed(x: Tensor, pack: int, *, rows: int = 0) -> Tensor:
    """Joins each ``pack`` consecutive samples along their first axis, such as the channels of images (PacGAN).

    Args:
        x: Samples, with ``rows`` axes before that of the batch.
        pack: The number of samples to join; divides the batch.

    Returns:
        Shape ``(…, batch / pack, pack · shape[0], *shape[1:])``.
    """
    return x if pack == 1 else x.unflatten(rows, (-1, pack)).flatten(rows + 1, rows + 2)


class Batches:
    """Real batches that each seed draws with replacement from its own random stream.

    Attributes:
        epochs: The order of images of each seed; empty if there are no epochs.
    """

    def __init__(self, data: DataSet, streams: Streams, batch_size: int):
        self.data, self.streams, self.batch_size = data, streams, batch_size
        self.sample_shape = tuple(data.sample_shape)  # asked once: some compute it
        self.epochs: list[Epochs] = []

    def host_step(self, n: int) -> None:
        """Does what Python has to do before ``n`` batches are drawn."""

    def draw(self, n: int) -> Sequence[Tensor]:
        """Draws ``n`` batches, each ``(seeds, batch, *sample_shape)``."""
        shape = (n * self.batch_size, *self.sample_shape)

        def fill(rows: Tensor, rng: torch.Generator) -> None:
            samples = rows.flatten(0, -len(shape))
            samples.copy_(self.data.draw(len(samples), rng))

        return self._split(self.streams.draw(f"samples {shape}", shape, fill), n)

    def labels(self, n: int) -> Sequence[Tensor | None]:
        """Returns the labels of the batches that `draw` returns, each ``(seeds, batch)``, or None for points."""
        return [None] * n

    def _split(self, rows: Tensor, n: int) -> Sequence[Tensor]:
        return rows.unflatten(1, (n, self.batch_size)).unbind(1)


class ShuffledBatches(Batches):
    """Batches of images in epochs that each seed shuffles for itself.

    Args:
        images: The data set.
        streams: Streams for the order of images, used for nothing else.
        batch_size: Number of images per batch.
        noise: Streams for what `Images.take` draws.
    """

    def __init__(self, images: Images, streams: Streams, batch_size: int, noise: Streams):
        super().__init__(images, streams, batch_size)
        self.images, self.noise = images, noise
        self.epochs = [Epochs(len(images), batch_size, rng) for rng in streams.generators]
        self._indices: dict[int, Tensor] = {}  # by the number of batches, of which a warm-up has another than a step

    def host_step(self, n: int) -> None:
        """Sets the indices of the images of the next ``n`` batches."""
        indices = torch.stack([torch.cat([order.batch() for _ in range(n)]) for order in self.epochs])
        if n in self._indices:
            self._indices[n].copy_(indices)  # a CUDA graph reads them at the same address
        else:
            self._indices[n] = indices

    def draw(self, n: int) -> Sequence[Tensor]:
        pairs = zip(self._indices[n], self.noise.generators, strict=True)
        return self._split(torch.stack([self.images.take(order, rng) for order, rng in pairs]), n)

    def labels(self, n: int) -> Sequence[Tensor]:
        return self._split(self.images.labels[self._indices[n]], n)
