"""Which critics take real and fake samples in one pass, and that they compute the same."""

import pytest
import torch
from torch import nn

from wganbench.networks.dcgan import DcganCritic
from wganbench.networks.mlp import Mlp
from wganbench.networks.resnet import ResnetCritic
from wganbench.train.rows import rows_are_apart
from wganbench.train.stack import Stack, build

IMAGE = (3, 16, 16)


class Flat(nn.Module):
    """Ends on zeros, whatever comes before."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(768), nn.Linear(768, 1))
        nn.init.zeros_(self.layers[2].weight)

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
    ],
    ids=["mlp", "dcgan", "layer norm", "batch norm", "resnet", "spectral norm", "a mean", "zeros"],
)
def test_rows_are_apart_unless_something_is_taken_over_the_batch(make, apart):
    critic = Stack(build(make, [0, 1], "critic"))
    before = torch.get_rng_state(), {name: buffer.clone() for name, buffer in critic.buffers.items()}
    assert rows_are_apart(critic, IMAGE) is apart
    assert torch.equal(torch.get_rng_state(), before[0])
    assert all(torch.equal(buffer, before[1][name]) for name, buffer in critic.buffers.items())
