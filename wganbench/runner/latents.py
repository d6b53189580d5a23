"""Latent vectors to look at a generator with: single ones, paths between two, sums and differences, closed walks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from wganbench.errors import SpecError

STOPS = 4
"""The number of latents on a closed walk."""


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Interpolates along the great circle, so that a point between two normal latents is as long as they are.

    On a straight line, the middle of two independent latents of d numbers would have length √(d/2), which hardly any
    latent that the generator was trained on has. If both have one direction, the line is straight.

    Args:
        start, end: Shape ``(..., dim)``.
        share: Shape ``(..., 1)``; 0 is ``start``, 1 is ``end``.
    """
    cosine = torch.nn.functional.cosine_similarity(start, end, dim=-1).clamp(-1, 1)[..., None]
    angle = cosine.arccos()
    is_flat = angle.sin() < 1e-4
    sine = torch.where(is_flat, 1.0, angle.sin())
    first = torch.where(is_flat, 1 - share, ((1 - share) * angle).sin() / sine)
    second = torch.where(is_flat, share, (share * angle).sin() / sine)
    return first * start + second * end


def paths(rows: int, columns: int, dim: int, rng: torch.Generator) -> Tensor:
    """Draws pairs of latents and the path from one to the other, a row each.

    Returns:
        Shape ``(rows, columns, dim)``: the first column holds the first latents, the last the second ones.
    """
    start, end = torch.randn(2, rows, 1, dim, generator=rng, device=rng.device)
    return slerp(start, end, torch.linspace(0, 1, columns, device=rng.device)[:, None])


def walks(cells: int, frames: int, dim: int, rng: torch.Generator) -> Tensor:
    """Draws closed walks through `STOPS` latents.

    Returns:
        Shape ``(frames, cells, dim)``; the frame after the last would be the first.
    """
    stops = torch.randn(cells, STOPS, dim, generator=rng, device=rng.device)
    at = torch.arange(frames, device=rng.device) * STOPS / frames
    here = at.long()
    start, end = stops[:, here], stops[:, (here + 1) % STOPS]
    return slerp(start, end, (at - here)[:, None]).transpose(0, 1)


def analogies(rows: int, dim: int, rng: torch.Generator) -> Tensor:
    """Draws three latents a row, followed by their `arithmetic`; shape ``(rows, 4, dim)``."""
    a, b, c = torch.randn(3, rows, dim, generator=rng, device=rng.device)
    return torch.stack([a, b, c, arithmetic(a, b, c)], dim=1)


def arithmetic(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Computes a − b + c, ``(..., dim)``, as Radford et al. (2016, § 6.3.2) combine latents of faces."""
    return a - b + c


def parse_cells(text: str) -> list[list[int]]:
    """Parses cells of a grid such as ``"3,17,42"``, or ``"1+4+9,2,7"``, where latents joined by + are averaged.

    Raises:
        SpecError: If the text has another form.
    """
    terms = [term.split("+") for term in text.split(",")]
    if len(terms) != 3 or not all(cell.strip().isdecimal() and len(cell) <= 9 for term in terms for cell in term):
        raise SpecError(
            f"--analogy {text!r}: must be three cells of the grid, counted from 0, such as 3,17,42 or 1+4,2,7"
        )
    return [[int(cell) for cell in term] for term in terms]


def analogy_of(terms: Sequence[Sequence[int]], latents: Tensor) -> Tensor:
    """Returns the means of the three terms' latents, and their `arithmetic`; shape ``(4, dim)``.

    Raises:
        SpecError: If there is no such cell.
    """
    highest = max(max(term) for term in terms)
    if highest >= len(latents):
        raise SpecError(f"--analogy: there is no cell {highest} among {len(latents)} samples; --n draws more")
    a, b, c = (latents[list(term)].mean(0) for term in terms)
    return torch.stack([a, b, c, arithmetic(a, b, c)])
