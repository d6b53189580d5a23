"""One critic step's gradients in float32 against torch's own layers in float64: what is spared must have been zero."""

import pytest
import torch
from torch import nn

from wganbench.data.fixed_generators import Noised
from wganbench.data.toy import gaussian_ring
from wganbench.losses import constraints, objectives
from wganbench.networks.dcgan import DcganCritic
from wganbench.networks.mlp import Mlp
from wganbench.networks.nonlinearity import Nonlinearity
from wganbench.rng import Streams
from wganbench.training.critic_trainer import CriticTrainer, Player
from wganbench.training.method import Method
from wganbench.training.stack import Stack, build

BATCH = 33


def penalised(critic, real, fake, streams):
    objective = objectives.Wasserstein().critic_loss(critic(real), critic(fake))
    return objective + constraints.gradient_penalty(critic, real, fake, streams)


def plain_twin(module, nonlinearity):
    """The same weights in float64, with torch's own nonlinearity and, in a perceptron, its own linear layers."""
    twin = module.double()
    for index, layer in enumerate(twin.layers):
        if isinstance(layer, Nonlinearity):
            twin.layers[index] = nonlinearity
        elif isinstance(layer, nn.Linear):
            twin.layers[index] = nn.Linear(layer.in_features, layer.out_features).double()
            twin.layers[index].load_state_dict(layer.state_dict())
    return twin


CASES = {
    "relu": (lambda: Mlp((2,), (), hidden=[64, 64]), nn.ReLU(), (2,)),
    "relu, many inputs": (lambda: Mlp((40,), (), hidden=[64, 64]), nn.ReLU(), (40,)),
    "leaky": (lambda: Mlp((2,), (), hidden=[64, 64], activation="leaky_relu"), nn.LeakyReLU(0.2), (2,)),
    "steep": (lambda: Mlp((2,), (), hidden=[64, 64], activation="leaky_relu", leak=3.0), nn.LeakyReLU(3.0), (2,)),
    "dcgan": (lambda: DcganCritic((3, 16, 16), (), filters=4, norm="layer"), nn.LeakyReLU(0.2), (3, 16, 16)),
}


@pytest.mark.parametrize("seeds", [(5,), (5, 6)], ids=["alone", "stacked"])
@pytest.mark.parametrize("case", CASES)
def test_the_gradients_of_a_penalised_critic_are_those_of_a_plain_one_in_float64(case, seeds):
    make, nonlinearity, shape = CASES[case]
    rng = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(len(seeds), BATCH, *shape, generator=rng) for _ in range(2))
    stack = Stack(build(make, seeds, "critic"))
    penalised(stack, real, fake, Streams(seeds, "penalty")).sum().backward()
    for index, seed in enumerate(seeds):
        (module,) = build(make, [seed], "critic")
        twin = plain_twin(module, nonlinearity)
        given = (sample[index : index + 1].double() for sample in (real, fake))
        loss = penalised(lambda x, twin=twin: twin(x[0]).unsqueeze(0), *given, Streams([seed], "penalty"))
        loss.sum().backward()
        for mine, theirs in zip(stack.parameters.values(), twin.parameters(), strict=True):
            scale = theirs.grad.abs().max().item()
            torch.testing.assert_close(mine.grad[index].double(), theirs.grad, rtol=0, atol=max(5e-6 * scale, 1e-12))


def test_a_critic_step_makes_no_noise_of_a_gradient_that_is_zero():
    """The bias of a unit that every row activates: real and fake cancel exactly, where Adam would make steps of noise.

    In one pass over both, as of one batch, they would not: their rows are then summed in another order.
    """
    critic = Stack(build(lambda: Mlp((2,), (), hidden=[128]), [0], "critic"))
    with torch.no_grad():
        critic.parameters["layers.0.bias"].fill_(50.0)
    sgd = torch.optim.SGD(list(critic.parameters.values()), lr=1.0)
    method = Method(objectives.Wasserstein(), penalty=constraints.gradient_penalty)
    trainer = CriticTrainer([0], Player(critic, sgd), method, gaussian_ring(), Noised(), batch_size=BATCH)
    trainer.step()
    assert not critic.parameters["layers.0.bias"].grad.any()
    assert critic.parameters["layers.0.weight"].grad.any()
