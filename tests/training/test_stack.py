"""A module with other tensors in place of its own, and a stack that takes real and fake samples in one pass.

The first is compared with torch's ``functional_call``, the second with two passes.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from wganbench.data.images import Images
from wganbench.losses.constraints import gradient_penalty
from wganbench.losses.objectives import Wasserstein
from wganbench.networks.dcgan import DcganCritic
from wganbench.networks.mlp import Mlp
from wganbench.networks.resnet import ResnetCritic
from wganbench.training.critic_trainer import Player, StackTrainer
from wganbench.training.method import Auxiliary, Method
from wganbench.training.stack import Functional, Stack, build, is_rowwise


class Looks(nn.Module):
    """Parameters at two depths, one of them in two places, and a buffer of each kind."""

    def __init__(self, shared: bool = False):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3, bias=False))
        self.scale = nn.Parameter(torch.randn(3))
        self.register_buffer("offset", torch.randn(3))
        self.register_buffer("left_out", torch.randn(3), persistent=False)
        if shared:
            self.layers[2].weight = self.layers[0].weight

    def forward(self, x: Tensor, *, times: float = 1.0) -> Tensor:
        return times * self.scale * self.layers(x + self.offset) + self.left_out


def drawn(shared: bool = False, n: int = 2) -> list[Looks]:
    torch.manual_seed(0)
    return [Looks(shared).double() for _ in range(n)]


X = torch.linspace(-1, 1, 12, dtype=torch.float64).view(4, 3)


def test_values_and_gradients_are_those_of_torchs_own():
    template, module = drawn()
    network = Functional(template)
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    ours, reference = network(state, X, times=2.0), functional_call(template, state, (X,), {"times": 2.0})
    assert torch.equal(ours, reference)
    assert torch.equal(ours, module(X, times=2.0))
    weights = list(module.parameters())
    pairs = zip(torch.autograd.grad(ours.sum(), weights), torch.autograd.grad(reference.sum(), weights), strict=True)
    assert all(torch.equal(own, other) and own.any() for own, other in pairs)


def test_under_vmap_each_of_a_stack_has_its_own():
    modules = drawn()
    parameters, buffers = stack_module_state(modules)
    made = vmap(Functional(modules[0]), in_dims=(0, None))({**parameters, **buffers}, X)
    torch.testing.assert_close(made, torch.stack([module(X) for module in modules]))


def test_it_keeps_nothing_of_a_call_even_of_one_that_fails():
    template, module = drawn()
    network = Functional(template)
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    network(state, X)
    with pytest.raises(RuntimeError, match="size of tensor"):
        network(state, X[:, :2])
    left = (*network.module.parameters(), *network.module.buffers())
    assert len(left) == len(state)
    assert {tensor.device.type for tensor in left} == {"meta"}
    assert torch.equal(template(X), drawn()[0](X))


def test_a_tensor_in_two_places_is_one_by_its_first_name():
    """Its gradient is the sum of what the two places give, which a network that does not share has one by one."""
    template, module = drawn(shared=True)
    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    assert "layers.2.weight" not in state
    shared = state["layers.0.weight"]
    (ours,) = torch.autograd.grad(Functional(template)(state, X).sum(), shared)
    apart = {**state, "layers.2.weight": shared.detach().clone().requires_grad_()}
    places = [apart["layers.0.weight"], apart["layers.2.weight"]]
    parts = torch.autograd.grad(functional_call(drawn()[0], apart, (X,)).sum(), places)
    torch.testing.assert_close(ours, sum(parts))
    assert all(part.abs().max() > 0.1 for part in parts)


@pytest.mark.parametrize("shared", [False, True])
def test_a_module_that_holds_the_tensors_has_copies_and_shares_what_was_shared(shared):
    modules = drawn(shared)
    stack = Stack(modules)
    module = stack.module_of_seed(1)
    assert torch.equal(module(X), modules[1](X))
    assert (module.layers[0].weight is module.layers[2].weight) == shared
    assert [name for name, _ in module.named_parameters()] == [name for name, _ in modules[1].named_parameters()]
    assert all(type(weight) is nn.Parameter and weight.requires_grad for weight in module.parameters())
    with torch.no_grad():
        module.scale.zero_()
    module.offset.zero_()
    torch.testing.assert_close(stack(X.expand(2, 4, 3))[1], modules[1](X))


def test_what_is_evaluated_is_apart_from_what_is_trained():
    network = Functional(nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5)).double())
    state = {"0.weight": torch.eye(3, dtype=torch.float64), "0.bias": torch.zeros(3, dtype=torch.float64)}
    assert torch.equal(network.evaluated()(state, X), X)
    torch.manual_seed(0)
    assert set((network(state, X) / X).flatten().round(decimals=6).tolist()) == {0.0, 2.0}


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
        (lambda: Mlp(IMAGE, (), hidden=[4], weight_norm=True), True),
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
        "weight norm",
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
def test_a_critic_is_rowwise_unless_something_is_taken_over_the_batch(make, apart):
    critic = Stack(build(make, [0, 1], "critic"))
    before = torch.get_rng_state(), {name: buffer.clone() for name, buffer in critic.buffers.items()}
    assert is_rowwise(critic, IMAGE) is apart
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
    for single_pass in (False, True):
        method = Method(Wasserstein(), penalty=gradient_penalty, single_pass=single_pass, auxiliary=auxiliary)
        critics = StackTrainer((0, 1), Player(critic, None), method, data, batch_size=4)
        loss = critics._critic_objective(critic.parameters, real, fake, labels)
        found.append((loss, *torch.autograd.grad(loss.sum(), list(critic.parameters.values()))))
    for apart, together in zip(*found, strict=True):
        torch.testing.assert_close(together, apart, rtol=1e-12, atol=1e-14)
