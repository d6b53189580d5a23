"""What a critic should be under an optimal coupling of real and fake rows (Gulrajani et al. 2017, Prop. 1, Cor. 1).

The penalty is soft. With rows coupled in training at one distance d, the gain ``s·d − λ(s − 1)²`` of a slope s along
the pairs is greatest at ``s = 1 + d/(2λ)``, so the gap to compare with is ``d(1 + d/(2λ))``, not d. Where the distances
differ and the gradient points along the pairs, its mean norm on them still is ``1 + W/(2λ)``: the gain along f* itself,
``W − 2λ E[‖∇f‖ − 1]``, vanishes at the optimum. The gap then has no such law.

Row i of ``fake`` is what the fixed generator makes of row i of ``real``.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from wganbench.data.closed_form import ClosedForm
from wganbench.data.fixed_generators import Data, Fixed
from wganbench.errors import DataError
from wganbench.measures.critic import wasserstein_estimate
from wganbench.measures.transport import exact_wasserstein

Critic = Callable[[Tensor], Tensor]


def segment_norm_excess(
    critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator, penalty_weight: float
) -> float:
    """Mean of ``‖∇f‖ − (1 + d/(2λ))``, ∇f at a uniform point between the rows of a pair, d their distance.

    Args:
        critic: Maps ``(n, *sample_shape)`` to ``(n,)``; must not mix rows.
        real, fake: One shape, ``(n, *sample_shape)``.
        rng: Stream for the points.
        penalty_weight: λ of the two-sided squared penalty.

    Returns:
        Any sign, in critic units per unit of the samples; 0 is the law, nearer is better. NaN if a fake sample or λ is
        not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    gradient, way = _along_segments(critic, real, fake, rng)
    law = 1 + way.norm(dim=1) / (2 * penalty_weight)
    return (gradient.norm(dim=1) - law).mean().item()


def segment_cosine(critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator) -> float:
    """Mean cosine between ∇f at a uniform point between the rows of a pair and the way from fake to real (Prop. 1).

    Args:
        critic: Maps ``(n, *sample_shape)`` to ``(n,)``; must not mix rows.
        real, fake: One shape, ``(n, *sample_shape)``; pairs at distance 0 are left out.
        rng: Stream for the points.

    Returns:
        −1 to 1, higher is better, 1 is the proposition; a gradient of 0 counts as cosine 0. NaN if a fake sample is not
        finite or every distance is 0.
    """
    if not fake.isfinite().all():
        return math.nan
    gradient, way = _along_segments(critic, real, fake, rng)
    apart = way.norm(dim=1) > 0
    return (_unit(gradient) * _unit(way)).sum(dim=1)[apart].mean().item()


def gap_over_distance(critic: Critic, real: Tensor, fake: Tensor, data: Data, fixed: Fixed) -> float:
    """The critic's gap over the true distance, ``(E f(real) − E f(fake)) / W``.

    Args:
        critic: Maps ``(n, *sample_shape)`` to ``(n,)``.
        real, fake: Shape ``(n, *sample_shape)`` each.
        data: The real distribution.
        fixed: What made ``fake`` of it.

    Returns:
        Any sign, in critic units per unit of the samples; 1 for a critic as good as any 1-Lipschitz one. NaN if a fake
        sample is not finite, or W is 0 or has no closed form.
    """
    return _ratio(wasserstein_estimate(critic, real, fake), fixed.distance(data))


def gap_law_ratio(critic: Critic, real: Tensor, fake: Tensor, data: Data, fixed: Fixed, penalty_weight: float) -> float:
    """The critic's gap over `wasserstein_law`, the gap under a penalty of weight λ; for pairs all at one distance.

    Args:
        critic: Maps ``(n, *sample_shape)`` to ``(n,)``.
        real, fake: Shape ``(n, *sample_shape)`` each.
        data: The real distribution.
        fixed: What made ``fake`` of it.
        penalty_weight: λ of the two-sided squared penalty.

    Returns:
        Any sign, without a unit; 1 is the law, nearer is better. NaN if a fake sample or λ is not finite, or W is 0 or
        has no closed form.
    """
    return _ratio(wasserstein_estimate(critic, real, fake), wasserstein_law(data, fixed, penalty_weight))


def closed_form_distance(data: Data, fixed: Fixed) -> float:
    """Wasserstein-1 distance W between the data and what the fixed generator makes of it, by formula.

    Returns:
        At least 0, in the units of the samples, neither better nor worse; NaN where there is no formula.
    """
    return fixed.distance(data)


def gradient_norm_law(data: Data, fixed: Fixed, penalty_weight: float) -> float:
    """Mean gradient norm along the pairs under a two-sided squared penalty of weight λ: ``1 + W/(2λ)``.

    Returns:
        At least 1, neither better nor worse; NaN where W has no formula or there is no λ.
    """
    return 1 + fixed.distance(data) / (2 * penalty_weight)


def wasserstein_law(data: Data, fixed: Fixed, penalty_weight: float) -> float:
    """The best critic's gap under a two-sided squared penalty of weight λ, ``W(1 + W/(2λ))``, for one distance W.

    Returns:
        At least 0, in critic units, neither better nor worse; NaN where W has no formula or there is no λ.
    """
    return fixed.distance(data) * gradient_norm_law(data, fixed, penalty_weight)


def transport_distance(data: Data, fixed: Fixed, *, samples: int = 1000) -> float:
    """Exact Wasserstein-1 distance between points that stand for the data and what the fixed generator makes of them.

    Args:
        data: The real distribution; one with a closed form.
        fixed: A generator without noise.
        samples: Number of points, as given to `exact_wasserstein`.

    Returns:
        At least 0, in the units of the samples, neither better nor worse; `closed_form_distance` up to how well the
        points stand for the data. NaN if the solver stopped short of the optimum.
    """
    real, fake = even_pairs(data, fixed, samples)
    return exact_wasserstein(fake, real, samples=samples)


def transport_error(data: Data, fixed: Fixed, *, samples: int = 1000) -> float:
    """How far `transport_distance` is from `closed_form_distance`; arguments as there.

    Returns:
        At least 0, in the units of the samples, lower is better; NaN if the solver stopped short of the optimum.
    """
    return abs(transport_distance(data, fixed, samples=samples) - fixed.distance(data))


def even_pairs(data: Data, fixed: Fixed, samples: int) -> tuple[Tensor, Tensor]:
    """Points that stand for the data and what a fixed generator makes of them, coupled row by row, without randomness.

    Returns:
        Real and fake, each ``(samples, dim)``, float64, on the CPU.
    """
    if not isinstance(data, ClosedForm) or math.isnan(fixed.distance(data)):
        raise DataError(f"even points: need data and a fixed generator with a closed form, got {data} and {fixed}")
    real = data.even(samples)
    return real, fixed(real, torch.zeros_like(real))


def _along_segments(critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """∇f at one uniform point of each segment, and the way from fake to real, each ``(n, size)``, float64."""
    part = torch.rand(len(real), *[1] * (real.ndim - 1), generator=rng, device=rng.device)
    points = (fake + part * (real - fake)).detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(critic(points).sum(), points)  # rows do not mix: each row's own gradient
    return gradient.double().flatten(1), (real.double() - fake.double()).flatten(1)


def _unit(vectors: Tensor) -> Tensor:
    """Rows of length 1; 0 where a row is 0."""
    length = vectors.norm(dim=1, keepdim=True)
    return vectors / length.where(length > 0, 1)


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
