"""Generated images in the form that published scores use: in batches of 100, as integers from 0 to 255."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

import torch
from torch import Tensor

from wganbench.data.images import Scaling
from wganbench.errors import DataError

BATCH = 100
"""Images per batch. It is part of the protocol if a generator has batch normalisation, as the published ones do."""


def to_pixels(images: Tensor, *, scaling: Scaling = "255") -> Tensor:
    """Maps [−1, 1] to 0 … 255 by ``(x + 1) · 255.99 / 2``, truncated to integers (code of Gulrajani et al.).

    Args:
        images: Floats of any shape; values outside of the range are clamped, and NaN becomes 0.
        scaling: Scaling of the data set; with ``unit``, images are in [0, 1].

    Returns:
        Pixels of the same shape, uint8.
    """
    scaled = images * 255.99 if scaling == "unit" else (images + 1) * (255.99 / 2)
    return scaled.nan_to_num(0.0).clamp(0, 255).to(torch.uint8)


def label_batches(classes: int, rng: torch.Generator, *, batch: int = BATCH) -> Iterator[Tensor]:
    """Yields uniform labels for ``sample_batches``, ``(batch,)``, int64, endlessly."""
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
    """Yields unconverted outputs of the generator, ``(at most batch, channels, height, width)`` at a time.

    The first images do not depend on ``n``, because the last batch is generated in full, too, and then cut.

    Args:
        generate: Maps latent vectors ``(batch, latent_dim)``, and labels ``(batch,)`` if there are any, to images.
        n: Total number of images.
        rng: Stream for the latent vectors, standard normal, on the device of the generator.
        latent_dim: Length of a latent vector.
        batch: Number of images that are generated at a time.
        labels: Labels of each batch, such as ``label_batches``; None for a generator without classes.

    Raises:
        DataError: If ``generate`` returns another shape.
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
    """Returns the images of ``sample_batches`` as pixels, ``(n, channels, height, width)``, uint8, on the CPU."""
    batches = sample_batches(generate, n, rng, latent_dim=latent_dim, batch=batch, labels=labels)
    pixels = [to_pixels(images, scaling=scaling).cpu() for images in batches]
    if not pixels:
        raise DataError(f"sample_images, n: must be at least 1, got {n}")
    return torch.cat(pixels)
