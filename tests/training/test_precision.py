"""Networks called in bfloat16: close to float32 where they are rounded, and nothing else is."""

import pytest
import torch
from torch import nn

from wganbench.losses import constraints
from wganbench.rng import Streams
from wganbench.runner.build import make_trainer
from wganbench.runner.precision import products
from wganbench.spec import load
from wganbench.training.stack import Stack, build

CPU = torch.device("cpu")
SHAPE = (3, 8, 8)


class Small(nn.Module):
    """A critic that keeps what its layers make."""

    made: list[torch.Tensor]

    def __init__(self):
        super().__init__()
        self.conv, self.linear = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 1)

    def forward(self, x):
        hidden = self.conv(x)
        scores = self.linear(torch.tanh(hidden).mean((2, 3))).squeeze(1)
        Small.made = [x, hidden, scores]
        return scores


def batch(seed):
    return torch.rand(1, 16, *SHAPE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def penalised(bf16):
    """Loss and gradients of a critic's step."""
    stack = Stack(build(Small, [0], "critic"), bf16=bf16)
    real, fake = batch(1), batch(2)
    loss = stack(fake).mean(1) - stack(real).mean(1)
    loss = loss + constraints.gradient_penalty(stack, real, fake, Streams([0], "penalty"))
    loss.sum().backward()
    return loss.item(), {name: tensor.grad for name, tensor in stack.parameters.items()}


def test_gradients_through_a_penalty_in_bfloat16_are_those_of_float32_within_three_percent():
    (exact, gradients), (loss, rounded) = penalised(False), penalised(True)
    assert loss == pytest.approx(exact, rel=0.03)
    assert loss != exact
    apart = sum((rounded[name] - gradients[name]).square().sum() for name in gradients).sqrt()
    assert apart <= 0.03 * sum(gradient.square().sum() for gradient in gradients.values()).sqrt()
    assert {gradient.dtype for gradient in rounded.values()} == {torch.float32}


@pytest.mark.parametrize(("bf16", "inside"), [(False, torch.float32), (True, torch.bfloat16)])
def test_layers_are_rounded_and_what_goes_in_and_comes_out_is_not(bf16, inside):
    stack = Stack(build(Small, [0], "critic"), bf16=bf16)
    scores = stack(batch(0))
    assert [tensor.dtype for tensor in Small.made] == [torch.float32, inside, inside]
    assert scores.dtype == torch.float32
    for plain, x in (
        (stack.of_seed(0), batch(0)[0]),
        (stack.module_of_seed(0), batch(0)[0]),
        (stack.in_float32(), batch(0)),
    ):
        plain(x)
        assert Small.made[1].dtype == torch.float32
    assert stack.in_float32().parameters is stack.parameters


def test_several_seeds_in_bfloat16_are_refused_in_a_line_that_says_why():
    with pytest.raises(ValueError, match=r"^vmap, by which seeds are stacked, has no convolutions in bfloat16; "):
        Stack(build(Small, [0, 1], "critic"), bf16=True)


def test_what_is_looked_at_is_in_float32():
    trainer = make_trainer(load("swissroll", ["precision='bf16'"]).setting("wgan-gp", "smoke"), [0], CPU)
    assert (trainer.generator.bf16, trainer.critic.bf16, trainer.sampled.bf16) == (True, True, False)
    trainer.step()
    assert all(map(torch.equal, trainer.sampled.parameters.values(), trainer.generator.parameters.values()))


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_on_cuda_sums_of_products_are_not_rounded_to_bfloat16_in_between(precision):
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_bf16_reduced_precision_reduction, torch.get_float32_matmul_precision()
    with products(torch.device("cuda"), precision):
        assert not matmul.allow_bf16_reduced_precision_reduction
        assert torch.get_float32_matmul_precision() == ("high" if precision == "tf32" else "highest")
    assert (matmul.allow_bf16_reduced_precision_reduction, torch.get_float32_matmul_precision()) == before
    assert before[0], "torch's default has changed, and this test sees no difference"


def test_on_the_cpu_tf32_is_float32_to_the_last_bit():
    settings = [load("swissroll", [f"precision='{each}'"]).setting("wgan-gp", "smoke") for each in ("fp32", "tf32")]
    trainers = [make_trainer(setting, [0, 1], CPU) for setting in settings]
    for trainer in trainers:
        trainer.step()
    for one, other in zip(*(trainer.networks.values() for trainer in trainers), strict=True):
        assert all(map(torch.equal, one.parameters.values(), other.parameters.values()))
