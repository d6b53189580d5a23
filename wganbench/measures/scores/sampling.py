"""Images of a generator as the published scores take them: in batches of 100, in whole numbers from 0 to 255."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

import torch
from torch import Tensor

from wganbench.data.images import Scaling
from wganbench.errors import DataError

BATCH = 100
"""Images a batch. It is part of the protocol where a generator normalises by the batch, as the published ones do."""


def to_pixels(images: Tensor, *, scaling: Scaling = "255") -> Tensor:
    """From [−1, 1] to 0 … 255 by ``(x + 1) · 255.99 / 2``, cut to a whole number (Gulrajani et al., their code).

    Args:
        images: Any shape, floats; what lies outside of the range goes to the nearer end, what is not a number to 0.
        scaling: Of the data set that they are to resemble; with ``unit`` they are in [0, 1].

    Returns:
        The same shape, uint8.
    """
    scaled = images * 255.99 if scaling == "unit" else (images + 1) * (255.99 / 2)
    return scaled.nan_to_num(0.0).clamp(0, 255).to(torch.uint8)


def label_batches(classes: int, rng: torch.Generator, *, batch: int = BATCH) -> Iterator[Tensor]:
    """Uniform labels for ``sample_batches``, ``(batch,)`` int64 at a time, without end."""
    while True:
        yield torch.randint(classes, (batch,), generator=rng, device=rng.device)


def sample_batches(
    generate: Callable[..., Tensor],
    n: int,
    rng: torch.Generator,
    *,
    latent_dim: int,
    batch: int = BATCH,
    labels: Iterable[Tensor] | None = None,
) -> Iterator[Tensor]:
    """Generated images as they leave the generator, ``(at most batch, channels, height, width)`` at a time.

    The first n of more images are the same images. The last batch is generated whole as well, then cut.

    Args:
        generate: From latent vectors ``(batch, latent_dim)``, and labels ``(batch,)`` where there are some, to images.
        n: How many images there are in all.
        rng: Stream for the latent vectors, standard normal, on the device of the generator.
        labels: Those of each batch, such as ``label_batches``; None for a generator without classes.
    """
    for start, asked in zip(range(0, n, batch), repeat(None) if labels is None else labels, strict=False):
        with torch.no_grad():
            latent = torch.randn(batch, latent_dim, generator=rng, device=rng.device)
            images = generate(latent) if asked is None else generate(latent, asked)
        if images.ndim != 4 or len(images) != batch:
            shape = tuple(images.shape)
            raise DataError(f"sample_batches: images must have shape ({batch}, channels, height, width), got {shape}")
        yield images[: n - start]


def sample_images(
    generate: Callable[..., Tensor],
    n: int,
    rng: torch.Generator,
    *,
    latent_dim: int,
    batch: int = BATCH,
    scaling: Scaling = "255",
    labels: Iterable[Tensor] | None = None,
) -> Tensor:
    """The images of ``sample_batches`` by ``to_pixels``, ``(n, channels, height, width)`` uint8, on the CPU."""
    batches = sample_batches(generate, n, rng, latent_dim=latent_dim, batch=batch, labels=labels)
    pixels = [to_pixels(images, scaling=scaling).cpu() for images in batches]
    if not pixels:
        raise DataError(f"sample_images, n: must be at least 1, got {n}")
    return torch.cat(pixels)
