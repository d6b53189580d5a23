"""The moving average of the generator: its closed form, and that training knows nothing of it."""

from functools import partial

import pytest
import torch
from torch import nn

from wganbench.data.toy import gaussian_ring
from wganbench.losses import objectives
from wganbench.networks.mlp import Mlp
from wganbench.training.critic_trainer import Player
from wganbench.training.gan_trainer import GanTrainer
from wganbench.training.method import Method, Unroll
from wganbench.training.stack import Stack, build

SEEDS, DECAY = (3, 8), 0.75
ADAM = partial(torch.optim.Adam, lr=1e-2, betas=(0.5, 0.9), fused=True)


class Counting(nn.Module):
    """Its buffer counts the calls."""

    def __init__(self):
        super().__init__()
        self.inner = Mlp((3,), (2,), hidden=[4])
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls.add_(1)
        return self.inner(x)


def make(decay, unroll=None):
    generator, critic = Stack(build(Counting, SEEDS, "g")), Stack(build(lambda: Mlp((2,), (), hidden=[4]), SEEDS, "c"))
    optimizers = [ADAM(list(stack.parameters.values())) for stack in (generator, critic)]
    method = Method(objectives.NonSaturating(), unroll=unroll, generator_average=decay)
    networks = map(Player, (generator, critic), optimizers)
    return GanTrainer(SEEDS, *networks, method, gaussian_ring(), latent_dim=3, batch_size=8)


def copies(stack):
    return {name: tensor.detach().clone() for name, tensor in {**stack.parameters, **stack.buffers}.items()}


@pytest.mark.parametrize("unroll", [None, Unroll(2, "first"), Unroll(2, "second")])
def test_after_k_steps_it_is_the_weighted_sum_of_all_parameters_so_far(unroll):
    trainer = make(DECAY, unroll)
    assert all(map(torch.equal, copies(trainer.sampled).values(), copies(trainer.generator).values()))
    past = [copies(trainer.generator)]
    for _ in range(4):
        trainer.step()
        past.append(copies(trainer.generator))
    weights = [DECAY**4, *((1 - DECAY) * DECAY ** (4 - i) for i in range(1, 5))]
    assert sum(weights) == pytest.approx(1)
    for name in trainer.generator.parameters:
        expected = sum(weight * each[name].double() for weight, each in zip(weights, past, strict=True))
        assert not torch.equal(past[0][name], past[-1][name])
        torch.testing.assert_close(trainer.sampled.parameters[name].double(), expected, rtol=1e-5, atol=1e-7)
    assert torch.equal(trainer.sampled.buffers["calls"], past[-1]["calls"])


def test_training_is_to_the_last_bit_that_without_an_average():
    averaged, plain = make(DECAY), make(None)
    for _ in range(3):
        averaged.step()
        plain.step()
    assert plain.sampled is plain.generator
    for one, other in zip(averaged.networks.values(), plain.networks.values(), strict=True):
        assert all(map(torch.equal, copies(one).values(), copies(other).values()))


def test_it_goes_on_from_a_state_in_the_tensors_that_it_has():
    straight, resumed = make(DECAY), make(DECAY)
    for _ in range(3):
        straight.step()
    held = [tensor.data_ptr() for tensor in resumed.sampled.parameters.values()]
    resumed.restore(straight.state())
    for trainer in (straight, resumed):
        trainer.step()
    assert held == [tensor.data_ptr() for tensor in resumed.sampled.parameters.values()]
    assert all(map(torch.equal, copies(straight.sampled).values(), copies(resumed.sampled).values()))


def test_a_state_without_an_average_is_refused():
    with pytest.raises(ValueError, match=r"^state\.average\.\S+: not there, here float32 "):
        make(DECAY).restore(make(None).state())
