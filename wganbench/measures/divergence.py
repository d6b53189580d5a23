"""Divergences that saturate for disjoint lines, and their gradients (Arjovsky et al. 2017, Example 1).

The discrete divergences compare the ``even`` points of the data as atoms. They equal the divergences of the
distributions if the supports are disjoint or identical, as for two parallel segments; if these overlap in part, the
atoms need not coincide.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from wganbench.data.fixed_generators import Data, Fixed
from wganbench.measures.coupling import even_pairs

Critic = Callable[[Tensor], Tensor]


def discrete_js(data: Data, fixed: Fixed, *, samples: int = 1000) -> float:
    """The Jensen–Shannon divergence between the data's ``even`` points and their images by the fixed generator.

    Args:
        data: The real distribution; one with a closed form.
        fixed: A fixed generator without noise.
        samples: Number of points; points that agree to 9 decimals are one atom.

    Returns:
        Nats, 0 to log 2, neither better nor worse.
    """
    real, fake = _atoms(data, fixed, samples)
    middle = (real + fake) / 2  # above 0, as every atom belongs to at least one of the two
    return (torch.xlogy(real, real / middle).sum() + torch.xlogy(fake, fake / middle).sum()).item() / 2


def discrete_tv(data: Data, fixed: Fixed, *, samples: int = 1000) -> float:
    """The total variation between the data's ``even`` points and their images by the fixed generator.

    The arguments are those of `discrete_js`.

    Returns:
        0 to 1, neither better nor worse.
    """
    real, fake = _atoms(data, fixed, samples)
    return (real - fake).abs().sum().item() / 2


def missing_mass(data: Data, fixed: Fixed, *, samples: int = 1000) -> float:
    """The share of the data at points where the fixed generator has no mass; same arguments as `discrete_js`.

    KL(data‖generator) is infinite if and only if this is positive; a record cannot hold the infinity itself.

    Returns:
        0 to 1, neither better nor worse.
    """
    real, fake = _atoms(data, fixed, samples)
    return real[fake == 0].sum().item()


def js_bound(critic: Critic, real: Tensor, fake: Tensor) -> float:
    """A discriminator's lower bound of the Jensen–Shannon divergence (Arjovsky et al. 2017, § 2 and Fig. 4).

    The bound is ``log 2 + (E log D(real) + E log(1 − D(fake)))/2``.

    Args:
        critic: Maps ``(n, *sample_shape)`` to the logits of D, ``(n,)``.

    Returns:
        Nats, at most log 2, any sign; lower is better: the discriminator separates the two less. NaN if a fake sample
        is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    sure_real, sure_fake = logsigmoid(critic(real).double()), logsigmoid(-critic(fake).double())
    return math.log(2) + (sure_real.mean() + sure_fake.mean()).item() / 2


def js_bound_gradient(critic: Critic, fake: Tensor) -> float:
    """The derivative of `js_bound` as all fakes move along the first axis: the signal for the minimax generator.

    Args:
        critic: Maps ``(n, dim)`` to the logits of D, ``(n,)``; must not mix rows.

    Returns:
        Nats per unit of the samples, any sign, neither better nor worse; 0 if D is certain of every fake. NaN if a fake
        sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    scores, slopes = _first_slopes(critic, fake)
    # By hand in float64: if the discriminator is certain, this is about e⁻¹⁵⁰, which autograd in float32 rounds to 0.
    return -(scores.sigmoid() * slopes).mean().item() / 2


def estimate_gradient(critic: Critic, fake: Tensor) -> float:
    """The derivative of the Wasserstein estimate as all fakes move along the first axis, −E ∂f/∂x₁ (Theorem 3).

    Args:
        critic: Maps ``(n, dim)`` to ``(n,)``; must not mix rows.

    Returns:
        Critic units per unit of the samples, any sign, neither better nor worse. NaN if a fake sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    _, slopes = _first_slopes(critic, fake)
    return -slopes.mean().item()


def js_bound_gradient_size(critic: Critic, fake: Tensor) -> float:
    """The absolute value of `js_bound_gradient`; higher is better, as the generator can learn more from it."""
    return abs(js_bound_gradient(critic, fake))


def estimate_gradient_size(critic: Critic, fake: Tensor) -> float:
    """The absolute value of `estimate_gradient`; higher is better, as the generator can learn more from it."""
    return abs(estimate_gradient(critic, fake))


def _atoms(data: Data, fixed: Fixed, samples: int) -> tuple[Tensor, Tensor]:
    """The mass of the real and of the generated points on each atom of either, ``(atoms,)``, float64, summing to 1."""
    points = torch.cat(even_pairs(data, fixed, samples)).round(decimals=9)
    atoms, atom = points.unique(dim=0, return_inverse=True)
    real, fake = (rows.bincount(minlength=len(atoms)).double() / samples for rows in atom.split(samples))
    return real, fake


def _first_slopes(critic: Critic, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The scores of the fakes and their derivatives along the first axis, ``(n,)`` each, float64."""
    points = fake.detach().requires_grad_()
    with torch.enable_grad():
        scores = critic(points)
        (gradient,) = torch.autograd.grad(scores.sum(), points)  # rows do not mix: the gradient of each row
    return scores.detach().double(), gradient[:, 0].double()
