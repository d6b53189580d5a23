import pytest
import torch
from torch import Tensor

from wganbench.training.method import Warmup, unrolled_adam


def optimizer_with_history(weight: Tensor, steps: int) -> torch.optim.Adam:
    optimizer = torch.optim.Adam([weight], lr=0.1, betas=(0.5, 0.9))
    for k in range(steps):
        weight.grad = torch.cos(weight.detach() + k)
        optimizer.step()
    weight.grad = None
    return optimizer


@pytest.mark.parametrize("history", [0, 4])
def test_unrolled_steps_are_adams_own_steps(history):
    weight = torch.tensor([[0.3, -1.2]], dtype=torch.float64, requires_grad=True)
    optimizer = optimizer_with_history(weight, history)
    before = weight.detach().clone()
    ahead = unrolled_adam({"w": weight}, lambda p: p["w"].pow(4).sum(1), optimizer, 3)["w"]
    assert torch.equal(weight.detach(), before)
    for _ in range(3):
        optimizer.zero_grad()
        weight.pow(4).sum().backward()
        optimizer.step()
    torch.testing.assert_close(ahead.detach(), weight.detach())


def test_the_gradient_flows_through_every_step():
    """Against finite differences of the whole unrolled computation, in float64."""

    def unrolled(target: Tensor) -> Tensor:
        weight = torch.tensor([[0.5, -0.7]], dtype=torch.float64, requires_grad=True)
        optimizer = optimizer_with_history(weight, 2)
        return unrolled_adam({"w": weight}, lambda p: (p["w"] - target).pow(4).sum(1), optimizer, 4)["w"]

    target = torch.tensor([[1.0, 0.4]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(unrolled, [target])


def test_a_parameter_without_gradient_stays_finite():
    weight = torch.tensor([[0.3, 0.5]], requires_grad=True)
    scale = torch.tensor(2.0, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=0.1)
    ahead = unrolled_adam({"w": weight}, lambda p: (scale * p["w"][:, :1]).square().sum(1), optimizer, 2)["w"]
    ahead.sum().backward()
    assert ahead[0, 1].item() == 0.5
    assert scale.grad.isfinite()


def test_a_warm_up_is_due_at_the_first_steps_and_after_each_so_many():
    due = Warmup(100, first=25, every=500).is_due
    assert [step for step in range(1201) if due(step)] == [*range(25), 500, 1000]
