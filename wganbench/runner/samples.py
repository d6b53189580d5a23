"""Samples of a kept generator, as sheets of images or as points."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from PIL import Image
from torch import Tensor

from wganbench.data.images import Scaling
from wganbench.errors import SpecError
from wganbench.measures.scores.sampling import BATCH, to_pixels
from wganbench.rng import generator
from wganbench.runner import latents as latent_vectors
from wganbench.runner import resolve
from wganbench.runner.artefacts import grid
from wganbench.runner.weights import Weights

COLUMNS = 8
"""The number of images per row, and of steps of a path."""
LEAST_WIDTH = 640
"""The width in pixels from which on a sheet is not enlarged."""
FRAMES, FRAME_MS = 48, 80
"""The number of frames of an animation, and the milliseconds that each is shown."""
MAX_SAMPLES, N_REAL = 10_000, 1_000


@dataclass(frozen=True)
class Gallery:
    """The samples of one generator.

    Attributes:
        weights: The generator.
        n: The number of samples; paths and sums fill as many cells.
        seed: The seed of all latents.
        device: The device to compute on.
    """

    weights: Weights
    n: int
    seed: int
    device: torch.device

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MAX_SAMPLES:
            raise SpecError(f"--n {self.n}: must be between 1 and {MAX_SAMPLES:,}")
        if len(self.weights.sample_shape) not in (1, 3):
            raise SpecError(
                f"{self.weights.run}: its samples are neither images nor points but {self.weights.setting.data.name}, "
                f"which 'sample' does not draw; a figure of kind 'lines' shows texts"
            )

    @property
    def are_images(self) -> bool:
        return len(self.weights.sample_shape) == 3

    @property
    def dim(self) -> int:
        assert self.weights.setting.latent_dim is not None  # a setting with a generator has one
        return self.weights.setting.latent_dim

    def _stream(self, purpose: str) -> torch.Generator:
        return generator(self.seed, purpose, self.device)

    @cached_property
    def _generate(self) -> Callable[..., Tensor]:
        return self.weights.module(self.device)

    def latents(self) -> Tensor:
        """Draws the latents of the plain samples, ``(n, dim)``; the first ones do not depend on n."""
        rng = self._stream("sample latent")
        return torch.cat([torch.randn(1, self.dim, generator=rng, device=self.device) for _ in range(self.n)])

    def paths(self) -> Tensor:
        """Draws paths between pairs of latents, ``(rows, columns, dim)``."""
        rows = -(-self.n // COLUMNS)
        return latent_vectors.paths(rows, COLUMNS, self.dim, self._stream("sample path"))

    def analogies(self, cells: str | None) -> Tensor:
        """Returns rows of a, b, c and a − b + c: one of cells of the grid, or random ones for n samples.

        Returns:
            Shape ``(rows, 4, dim)``.

        Raises:
            SpecError: If the cells are not three of the n samples.
        """
        if cells is not None:
            return latent_vectors.analogy_of(latent_vectors.parse_cells(cells), self.latents())[None]
        return latent_vectors.analogies(-(-self.n // 4), self.dim, self._stream("sample analogy"))

    @torch.no_grad()
    def samples(self, latents: Tensor) -> Tensor:
        """Generates a sample for each latent, ``(m, dim)``, in whole batches if they are images.

        A generator with batch normalisation sees `BATCH` latents at a time, as in training and for scores: the last
        batch is filled up with others, which are the same each time.

        Returns:
            Shape ``(m, *sample_shape)``; images as pixels, uint8, on the CPU.
        """
        if not self.are_images:
            return self._generate(latents).cpu()
        spare = torch.randn(BATCH, self.dim, generator=self._stream("sample spare"), device=self.device)
        whole = torch.cat([latents, spare[: -len(latents) % BATCH]])
        made = torch.cat([self._of_batch(batch).cpu() for batch in whole.split(BATCH)])
        scaling: Scaling = self.weights.scaling or "255"  # type: ignore[assignment]  # checked when the images were opened
        return to_pixels(made, scaling=scaling)[: len(latents)]

    def _of_batch(self, latents: Tensor) -> Tensor:
        classes = self.weights.setting.classes
        if classes is None:
            return self._generate(latents)
        return self._generate(latents, torch.arange(len(latents), device=self.device) % classes)

    def sheet(self, latents: Tensor, columns: int) -> bytes:
        """Renders a sample for each latent, ``(m, dim)``, row after row, as a PNG file, enlarged if it is small."""
        return grid(_enlarged(self.samples(latents), columns), columns)

    def animation(self) -> bytes:
        """Renders closed walks through the latents, n at a time, as a GIF file."""
        walks = latent_vectors.walks(self.n, FRAMES, self.dim, self._stream("sample walk"))
        frames = []
        for latents in walks:
            with Image.open(io.BytesIO(self.sheet(latents, COLUMNS))) as sheet:
                frames.append(sheet.convert("RGB").quantize(256, dither=Image.Dither.NONE))
        out = io.BytesIO()
        frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=FRAME_MS, loop=0)
        return out.getvalue()

    def real(self) -> Tensor:
        """Draws points of the data set, ``(N_REAL, dim)``."""
        data = resolve.factory("data set", self.weights.setting.data)()
        points: Tensor = data.draw(N_REAL, generator(self.seed, "sample real"))
        return points


def _enlarged(images: Tensor, columns: int) -> Tensor:
    width = min(columns, len(images)) * images.shape[-1]
    zoom = max(1, -(-LEAST_WIDTH // width))
    return images.repeat_interleave(zoom, -1).repeat_interleave(zoom, -2)
