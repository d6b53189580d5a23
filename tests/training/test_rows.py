"""Which critics take real and fake samples in one pass, and that they compute the same."""

import pytest
import torch
from torch import nn

from wganbench.data.images import Images
from wganbench.losses.constraints import gradient_penalty
from wganbench.losses.objectives import Wasserstein
from wganbench.networks.dcgan import DcganCritic
from wganbench.networks.mlp import Mlp
from wganbench.networks.resnet import ResnetCritic
from wganbench.training.critic_trainer import Critics
from wganbench.training.method import Auxiliary, Method
from wganbench.training.rows import rows_are_apart
from wganbench.training.stack import Stack, build

IMAGE = (3, 16, 16)


class Flat(nn.Module):
    """Ends on zeros, whatever comes before."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(768), nn.Linear(768, 1))
        nn.init.zeros_(self.layers[2].weight)

    def forward(self, x):
        return self.layers(x).squeeze(1)


class Running(nn.Module):
    """Keeps statistics, by which batches are apart where it is only evaluated."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(768), nn.Linear(768, 1))

    def forward(self, x):
        return self.layers(x).squeeze(1)


class Compares(nn.Module):
    """Every score is about the batch's mean."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x):
        sums = x.flatten(1).sum(1) * self.weight
        return sums - sums.mean()


@pytest.mark.parametrize(
    ("make", "apart"),
    [
        (lambda: Mlp(IMAGE, (), hidden=[4]), True),
        (lambda: DcganCritic(IMAGE, (), filters=2), True),
        (lambda: DcganCritic(IMAGE, (), filters=2, norm="layer"), True),
        (lambda: DcganCritic(IMAGE, (), filters=2, norm="batch"), False),
        (lambda: ResnetCritic(IMAGE, (), dim=2), True),
        (lambda: ResnetCritic(IMAGE, (), dim=2, spectral_norm=True, classes=3), True),
        (Compares, False),
        (Flat, False),
        (Running, False),
    ],
    ids=[
        "mlp",
        "dcgan",
        "layer norm",
        "batch norm",
        "resnet",
        "spectral norm",
        "a mean",
        "zeros",
        "running statistics",
    ],
)
def test_rows_are_apart_unless_something_is_taken_over_the_batch(make, apart):
    critic = Stack(build(make, [0, 1], "critic"))
    before = torch.get_rng_state(), {name: buffer.clone() for name, buffer in critic.buffers.items()}
    assert rows_are_apart(critic, IMAGE) is apart
    assert torch.equal(torch.get_rng_state(), before[0])
    assert all(torch.equal(buffer, before[1][name]) for name, buffer in critic.buffers.items())


@pytest.mark.parametrize("classes", [None, 3])
def test_one_pass_over_real_and_fake_has_the_gradients_of_two(classes):
    modules = build(lambda: ResnetCritic(IMAGE, (), dim=2, classes=classes), (0, 1), "critic")
    critic = Stack([module.double() for module in modules])
    real, fake = torch.randn(2, 2, 4, *IMAGE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = None if classes is None else torch.tensor([[0, 1, 2, 0], [2, 2, 1, 0]])
    auxiliary = None if classes is None else Auxiliary(classes, 1.0, 0.1)
    data = Images("blank", torch.zeros(8, *IMAGE, dtype=torch.uint8), torch.arange(8) % 3, "0" * 64)
    found = []
    for joint in (False, True):
        method = Method(Wasserstein(), penalty=gradient_penalty, joint=joint, auxiliary=auxiliary)
        critics = Critics((0, 1), critic, None, method, data, batch_size=4, device="cpu")
        loss = critics._critic_objective(critic.parameters, real, fake, labels)
        found.append((loss, *torch.autograd.grad(loss.sum(), list(critic.parameters.values()))))
    for apart, together in zip(*found, strict=True):
        torch.testing.assert_close(together, apart, rtol=1e-12, atol=1e-14)
