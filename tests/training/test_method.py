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


def by_host_count(parameters, objective, optimizer, steps, count):
    """The same steps, with the number of steps done as a number of Python's."""
    (name, weight), (group,) = *parameters.items(), optimizer.param_groups
    state, (beta1, beta2) = optimizer.state[weight], group["betas"]
    first, second = state.get("exp_avg", torch.zeros_like(weight)), state.get("exp_avg_sq", torch.zeros_like(weight))
    for _ in range(steps):
        count += 1
        (gradient,) = torch.autograd.grad(objective({name: weight}).sum(), weight, create_graph=True)
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient.square()
        root = (second / (1 - beta2**count)).clamp_min(1e-30).sqrt()
        weight = weight - group["lr"] / (1 - beta1**count) * first / (root + group["eps"])
    return weight


@pytest.mark.parametrize("rate", [0.1, torch.tensor(0.1)], ids=["number", "tensor"])
@pytest.mark.parametrize("history", [0, 1, 40])
def test_a_count_on_the_device_gives_the_bits_of_a_count_in_python(history, rate):
    weight = torch.linspace(-2, 2, 30).reshape(1, 30).requires_grad_()
    target = torch.linspace(-1, 3, 30, requires_grad=True)
    optimizer = optimizer_with_history(weight, history)
    optimizer.param_groups[0]["lr"] = rate
    arguments = {"w": weight}, lambda p: (p["w"] - target).pow(4).sum(1), optimizer, 3
    ahead, reference = unrolled_adam(*arguments)["w"], by_host_count(*arguments, history)
    assert torch.equal(ahead, reference)
    gradients = [torch.autograd.grad(each.square().sum(), target)[0] for each in (ahead, reference)]
    assert torch.equal(*gradients)


def test_no_number_is_asked_of_the_device_for_the_unrolled_steps():
    weight = torch.zeros(1, 2, device="meta", requires_grad=True)  # which has none
    optimizer = torch.optim.Adam([weight], lr=0.1)
    optimizer.state[weight] = {
        "step": torch.zeros((), device="meta"),
        "exp_avg": torch.zeros_like(weight),
        "exp_avg_sq": torch.zeros_like(weight),
    }
    unrolled_adam({"w": weight}, lambda p: p["w"].pow(4).sum(1), optimizer, 2)["w"].sum().backward()
    assert weight.grad.shape == (1, 2)


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
