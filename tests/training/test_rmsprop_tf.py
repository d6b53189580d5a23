"""TensorFlow 1's RMSProp against its formula, computed by hand in float64, and against torch's."""

import math

import pytest
import torch

from wganbench.spec import load
from wganbench.training.lr_decay import begin
from wganbench.training.rmsprop_tf import RmspropTf

LR, DECAY, EPS = 1e-2, 0.9, 1e-10
GRADIENTS = (3.0, -0.5, 1e-6)


def by_the_formula(w, gradients, steps, lr=LR, decay=DECAY, eps=EPS):
    mean_square = 1.0
    for g in gradients[:steps]:
        mean_square = decay * mean_square + (1 - decay) * g * g
        w -= lr * g / math.sqrt(mean_square + eps)
    return w


def stepped(weights, gradients, **options):
    """``weights`` after one step for each of ``gradients``, which are the same for all of them."""
    optimizer = RmspropTf(weights, lr=LR, **options)
    for g in gradients:
        for each in weights:
            each.grad = torch.full_like(each, g)
        optimizer.step()
    return optimizer


def doubles(*sizes):
    return [torch.full(size, 0.25, dtype=torch.float64, requires_grad=True) for size in sizes]


@pytest.mark.parametrize("g", [1.0, -2.0, 1e-3, 1e-6])
def test_the_first_step_is_that_of_a_mean_square_that_starts_at_one(g):
    (w,) = doubles((2, 3))
    stepped([w], [g])
    expected = 0.25 - LR * g / math.sqrt(DECAY + (1 - DECAY) * g * g + EPS)
    torch.testing.assert_close(w.detach(), torch.full_like(w, expected), rtol=1e-14, atol=0)


@pytest.mark.parametrize("options", [{}, {"foreach": False}, {"lr": torch.tensor(LR, dtype=torch.float64)}])
def test_each_step_is_that_of_the_formula(options):
    for steps in (1, 2, 3):
        weights = doubles((2, 3), (4,))
        optimizer = RmspropTf(weights, **{"lr": LR, **options})
        for g in GRADIENTS[:steps]:
            for each in weights:
                each.grad = torch.full_like(each, g)
            optimizer.step()
        for each in weights:
            expected = torch.full_like(each, by_the_formula(0.25, GRADIENTS, steps))
            torch.testing.assert_close(each.detach(), expected, rtol=1e-13, atol=0)


def test_epsilon_is_inside_the_root_so_that_tiny_gradients_end_in_tiny_steps():
    """A gradient of 1e-7, once the first mean square has died away: 1e-7 over √(1e-14 + 1e-10), about a hundredth."""
    (mine,), (torchs,) = doubles((1,)), doubles((1,))
    optimizer, other = RmspropTf([mine], lr=LR), torch.optim.RMSprop([torchs], lr=LR, alpha=DECAY, eps=EPS)
    for _ in range(600):
        before = mine.item(), torchs.item()
        for each, one in ((mine, optimizer), (torchs, other)):
            each.grad = torch.full_like(each, 1e-7)
            one.step()
    assert before[0] - mine.item() == pytest.approx(LR * 1e-7 / math.sqrt(1e-14 + 1e-10), rel=1e-6)
    assert before[1] - torchs.item() == pytest.approx(LR * 1e-7 / (1e-7 + 1e-10), rel=1e-6)


def test_the_options_of_the_spec_are_those_of_tensorflow():
    made = load("gaussians25").setting("wgan-clip", "paper").critic_optimizer
    assert (made.name, made.options) == ("rmsprop_tf", {"lr": 5e-5, "decay": 0.9, "eps": 1e-10})


def test_all_parameters_at_once_are_each_one_by_itself():
    together, apart = doubles((3, 2), (3,)), doubles((3, 2), (3,))
    stepped(together, GRADIENTS)
    for each in apart:
        stepped([each], GRADIENTS, foreach=False)
    assert all(torch.equal(a, b) for a, b in zip(together, apart, strict=True))


def test_a_parameter_without_a_gradient_stays_and_keeps_its_mean_square():
    moved, still = doubles((2,), (2,))
    optimizer = RmspropTf([moved, still], lr=LR)
    moved.grad = torch.ones_like(moved)
    optimizer.step()
    assert torch.equal(still, doubles((2,))[0])
    assert optimizer.state[still]["mean_square"].tolist() == [1.0, 1.0]
    assert optimizer.state[moved]["mean_square"].tolist() == [1.0, 1.0]
    assert moved[0].item() == pytest.approx(0.25 - LR, rel=1e-9)


def test_a_state_says_where_the_mean_squares_start():
    """What begins a graph's moments at zero finds them there already."""
    (w,) = doubles((2,))
    state = RmspropTf([w], lr=LR).state_dict()["state"]
    assert {name: tensor.tolist() for name, tensor in state[0].items()} == {"mean_square": [1.0, 1.0]}


def test_a_rate_in_a_tensor_is_read_at_each_step():
    (w,) = doubles((1,))
    optimizer = RmspropTf([w], lr=LR)
    begin(optimizer)
    (group,) = optimizer.param_groups
    assert isinstance(group["lr"], torch.Tensor)
    group["lr"].fill_(0.0)
    w.grad = torch.ones_like(w)
    optimizer.step()
    assert w.item() == 0.25
    group["lr"].fill_(0.5)
    optimizer.step()
    assert w.item() == pytest.approx(0.25 - 0.5, rel=1e-6)


def test_a_closure_is_evaluated_with_gradients():
    (w,) = doubles((1,))
    optimizer = RmspropTf([w], lr=LR)

    def closure():
        optimizer.zero_grad()
        loss = (3 * w).sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == pytest.approx(0.75)
    assert w.item() == pytest.approx(by_the_formula(0.25, GRADIENTS, 1), rel=1e-12)
