"""The cosine is computed from the optimiser's state; here it is compared with the step that the parameters took."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cosine_similarity

from wganbench.networks.mlp import Mlp
from wganbench.training.rmsprop_tf import RmspropTf
from wganbench.training.stack import Stack, build
from wganbench.training.step_cosine import step_cosines

SEEDS = [0, 1, 2]
OPTIMISERS = {
    "adam": lambda own: torch.optim.Adam(own, lr=1e-2, betas=(0.9, 0.99), fused=True),
    "adam, eps": lambda own: torch.optim.Adam(own, lr=1e-2, betas=(0.9, 0.99), eps=1e-3),
    "rmsprop": lambda own: torch.optim.RMSprop(own, lr=1e-2, alpha=0.5, foreach=True),
    "rmsprop_tf": lambda own: RmspropTf(own, lr=1e-2),
}


def flat(tensors) -> torch.Tensor:
    return torch.cat([tensor.detach().double().flatten(1) for tensor in tensors], dim=1)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_it_is_the_cosine_of_the_step_that_was_taken(name):
    stack = Stack(build(lambda: Mlp((2,), (), hidden=[8]), SEEDS, "critic"))
    weights = list(stack.parameters.values())
    optimizer = OPTIMISERS[name](weights)
    assert step_cosines(stack, optimizer).isnan().all()
    signs = set()
    for step in range(6):
        x = torch.randn(len(SEEDS), 4, 2, generator=torch.Generator().manual_seed(step))
        before = flat(weights)
        optimizer.zero_grad()
        ((-1) ** (step // 2) * stack(x).sum()).backward()  # momentum is wrong after each turn
        gradient = flat([each.grad for each in weights])
        optimizer.step()
        expected = cosine_similarity(flat(weights) - before, -gradient)
        found = step_cosines(stack, optimizer)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)
        signs |= set(found.sign().tolist())
    assert signs == ({-1.0, 1.0} if name.startswith("adam") else {1.0})


def test_of_an_optimiser_that_is_not_known_there_is_none():
    stack = Stack(build(lambda: Mlp((2,), (), hidden=[8]), SEEDS, "critic"))
    optimizer = torch.optim.SGD(list(stack.parameters.values()), lr=0.1, momentum=0.9)
    stack(torch.ones(len(SEEDS), 4, 2)).sum().backward()
    optimizer.step()
    assert step_cosines(stack, optimizer).isnan().all()
