"""A penalty that pulls the critic's gradient to zero between real and fake samples (Thanh-Tung et al. 2019)."""

import torch


def penalty(critic, real, fake, rng, *, gamma=1.0):
    """γ/2 times the mean squared norm of the gradient, at one point on the line from each real sample to its fake."""
    position = rng.uniform(real.shape[1]).to(real.dtype).reshape(*real.shape[:2], *[1] * (real.ndim - 2))
    x = (real + position * (fake.detach() - real)).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gamma / 2 * gradient.flatten(2).square().sum(2).mean(1)
