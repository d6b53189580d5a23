"""R3GAN's loss (Huang et al. 2024), as somebody would write it who has never opened wganbench."""

import torch
from torch.nn.functional import softplus


class Paired:
    """Each fake is compared with a real sample: which of the two is real?"""

    def critic_loss(self, real, fake):
        return softplus(fake - real).mean(1)

    def generator_loss(self, fake, real):
        return softplus(real - fake).mean(1)


def gradient_at(critic, x):
    """The mean squared norm of the critic's gradient at x, one number a seed."""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient.flatten(2).square().sum(2).mean(1)


def both_sides(critic, real, fake, *, gamma=1.0):
    """R1 + R2."""
    return gamma / 2 * (gradient_at(critic, real) + gradient_at(critic, fake))
