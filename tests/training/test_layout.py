"""Filters with their channels last in memory: the same networks, gradients and steps, to rounding."""

from collections import Counter
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from wganbench.data.images import Images
from wganbench.losses import constraints, objectives
from wganbench.networks.dcgan import DcganCritic, DcganGenerator
from wganbench.networks.resnet import ResnetCritic, ResnetGenerator
from wganbench.runner.build import is_channels_last
from wganbench.training.critic_trainer import Player
from wganbench.training.gan_trainer import GanTrainer
from wganbench.training.method import Method
from wganbench.training.stack import Stack, build

SHAPE, LATENT = (3, 16, 16), 5
PAIRS = {
    "dcgan": (partial(DcganGenerator, filters=4), partial(DcganCritic, filters=4)),
    "resnet": (partial(ResnetGenerator, dim=6), partial(ResnetCritic, dim=6)),
}
ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.9), fused=True)


def make(pair, last):
    make_generator, make_critic = PAIRS[pair]
    generator = Stack(build(lambda: make_generator((LATENT,), SHAPE), [3], "generator"))
    critic = Stack(build(lambda: make_critic(SHAPE, ()), [3], "critic"))
    if last:
        generator.lay_channels_last()
        critic.lay_channels_last()
    optimizers = [ADAM(list(stack.parameters.values())) for stack in (generator, critic)]
    method = Method(objectives.Wasserstein(), penalty=constraints.gradient_penalty, n_critic=2)
    pixels = torch.randint(0, 256, (12, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    data = Images("dots", pixels, torch.zeros(12, dtype=torch.int64), "0" * 64)
    networks = map(Player, (generator, critic), optimizers)
    return GanTrainer([3], *networks, method, data, latent_dim=LATENT, batch_size=4)


def filters(stack):
    return [tensor for tensor in stack.parameters.values() if tensor.ndim == 5 and tensor.shape[-1] > 1]


@pytest.mark.parametrize("pair", PAIRS)
def test_filters_are_the_same_numbers_laid_out_otherwise_and_stay_leaves(pair):
    plain, laid_out = make(pair, False), make(pair, True)
    for one, other in zip(plain.networks.values(), laid_out.networks.values(), strict=True):
        assert all(map(torch.equal, one.parameters.values(), other.parameters.values()))
        assert len(filters(other)) >= 2
        for tensor in filters(other):
            assert tensor.is_leaf and tensor.requires_grad
            assert tensor[0].is_contiguous(memory_format=torch.channels_last)
            assert tensor.stride(2) == 1


@pytest.mark.parametrize("pair", PAIRS)
def test_a_step_has_equal_gradients_in_the_strides_of_their_parameters_and_so_have_the_moments(pair):
    plain, laid_out = make(pair, False), make(pair, True)
    for trainer in (plain, laid_out):
        trainer.step()
    for one, other, optimizer in zip(
        plain.networks.values(), laid_out.networks.values(), laid_out.optimizers, strict=True
    ):
        largest = max(float(tensor.grad.abs().max()) for tensor in one.parameters.values())
        for name, tensor in other.parameters.items():
            torch.testing.assert_close(tensor.grad, one.parameters[name].grad, rtol=1e-3, atol=1e-5 * largest)
            moments = [optimizer.state[tensor][moment] for moment in ("exp_avg", "exp_avg_sq")]
            for beside in (tensor.grad, *moments):
                assert beside[0].stride() == tensor[0].stride()


@pytest.mark.parametrize("pair", PAIRS)
def test_fused_adam_moves_each_weight_by_its_own_gradient(pair):
    trainer = make(pair, True)
    before = {name: tensor.detach().clone() for name, tensor in trainer.critic.parameters.items()}
    trainer.critic_optimizer.param_groups[0].update(betas=(0.0, 0.0), eps=1e-30)
    trainer.method = Method(objectives.Wasserstein(), penalty=constraints.gradient_penalty)
    trainer.step()
    for name, tensor in trainer.critic.parameters.items():
        torch.testing.assert_close(before[name] - tensor, 1e-3 * tensor.grad.sign(), rtol=1e-2, atol=1e-6)


class Relayouts(TorchDispatchMode):
    """Lists the operations on images in several layouts, by the shape of the first image.

    These are copies into another layout, and operations that have to read or make another, such as convolutions.

    Args:
        batches: The numbers of images in a batch; tensors of another length are filters.
    """

    def __init__(self, batches):
        super().__init__()
        self.batches, self.found = batches, []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        images = [each for each in tree_leaves((args, made)) if isinstance(each, Tensor) and each.ndim == 4]
        images = [each for each in images if len(each) in self.batches and each.shape[2] * each.shape[3] > 1]
        lasts = [each.is_contiguous(memory_format=torch.channels_last) or 0 in each.stride() for each in images]
        if any(lasts) and not all(lasts):
            self.found.append((operation.overloadpacket.__name__, tuple(images[0].shape[1:])))
        return made


def test_channels_of_a_resnet_stay_last_from_where_images_enter_a_network_on():
    """A batch size that is no number of channels tells images from filters."""
    trainer = make("resnet", True)
    trainer.step()
    with Relayouts({trainer.batch_size, 2 * trainer.batch_size}) as seen:
        trainer.step()
    critic_steps = trainer.method.n_critic
    scored = ("clone", SHAPE)  # the real and fake images, then the points of the penalty
    first = ("clone", (6, 4, 4))  # what the generator's linear layer makes, and its gradient
    assert Counter(seen.found) == {scored: 2 * critic_steps, first: critic_steps + 2}


def test_it_goes_on_from_a_state_bit_for_bit():
    straight, resumed = make("dcgan", True), make("dcgan", True)
    for _ in range(2):
        straight.step()
    resumed.restore(straight.state())
    for trainer in (straight, resumed):
        trainer.step()
    for one, other in zip(straight.networks.values(), resumed.networks.values(), strict=True):
        assert all(map(torch.equal, one.parameters.values(), other.parameters.values()))


def test_filters_of_several_seeds_stay_as_they_are():
    stack = Stack(build(lambda: DcganCritic(SHAPE, (), filters=4), [0, 1], "critic"))
    before = dict(stack.parameters)
    stack.lay_channels_last()
    assert all(stack.parameters[name] is tensor for name, tensor in before.items())


@pytest.mark.parametrize(
    ("device", "precision", "sample", "last"),
    [
        ("cuda", "tf32", SHAPE, True),
        ("cuda", "bf16", SHAPE, True),
        ("cuda", "fp32", SHAPE, False),
        ("cpu", "bf16", SHAPE, True),
        ("cpu", "fp32", SHAPE, True),
        ("cpu", "fp32", (2,), False),
        ("cuda", "tf32", (2,), False),
    ],
)
def test_only_images_on_a_cpu_or_on_tensor_cores_are_laid_out_so(device, precision, sample, last):
    assert is_channels_last(torch.device(device), precision, sample) == last
