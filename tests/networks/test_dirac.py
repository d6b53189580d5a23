import pytest
import torch

from wganbench.networks import cost
from wganbench.networks.dirac import DiracCritic, DiracGenerator
from wganbench.training.stack import Stack, build


def test_every_latent_vector_becomes_the_same_point():
    assert DiracGenerator((3,), (1,), start=2.5)(torch.randn(4, 3)).tolist() == [[2.5]] * 4


def test_the_critic_is_linear_without_an_offset():
    critic = DiracCritic((1,), (), start=-1.5)
    assert critic(torch.tensor([[0.0], [2.0]])).tolist() == [0.0, -3.0]


def test_each_seed_starts_elsewhere_by_its_spread_around_the_start():
    seeds = range(400)
    theta = Stack(build(lambda: DiracGenerator((1,), (1,), start=3.0, spread=2.0), seeds, "generator")).parameters
    drawn = theta["theta"].detach().flatten()
    assert drawn.mean().item() == pytest.approx(3.0, abs=4 * 2 / 400**0.5)
    assert drawn.std().item() == pytest.approx(2.0, rel=0.15)


@pytest.mark.parametrize(("name", "make"), [("dirac_generator", DiracGenerator), ("dirac_critic", DiracCritic)])
def test_each_has_one_parameter(name, make):
    shapes = ((3,), (1,)) if make is DiracGenerator else ((1,), ())
    assert cost.of_network(name, {}, *shapes).parameters == sum(each.numel() for each in make(*shapes).parameters())
    assert cost.of_network(name, {}, *shapes).parameters == 1
