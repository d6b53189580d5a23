"""Each mistake that a custom object may hold is found and named; what is right is never taken for one."""

from __future__ import annotations

import random
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import logsigmoid, softplus

from wganbench.data.fixed_generators import Noised, Scaled, Translated
from wganbench.losses import constraints, objectives
from wganbench.networks.dcgan import DcganCritic, DcganGenerator
from wganbench.networks.mlp import Mlp
from wganbench.runner import conformance
from wganbench.runner.conformance import (
    check_fixed_generator,
    check_network,
    check_objective,
    check_penalty,
    check_projection,
)

SHAPES = [(2,), (3, 8, 8)]


def errors(findings):
    return [finding.check for finding in findings if finding.is_error]


def only(findings):
    (finding,) = findings
    return finding


def input_gradient(critic, x, *, of=torch.Tensor.sum, create_graph=True):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(of(critic(x)), x, create_graph=create_graph)
    return gradient.flatten(2)


# ---- penalties that are right ---------------------------------------------------------------------------------------


def zero_centred(critic, real, *, penalty_weight=1.0):
    """README's."""
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    return penalty_weight / 2 * gradient.flatten(2).square().sum(2).mean(1)


def drift(critic, real):
    return 1e-3 * critic(real).square().mean(1)


def mean_score(critic, real):
    return critic(real).mean(1).square()


def drawn_from_rng(critic, real, fake, rng):
    alpha = rng.uniform(real.shape[1]).to(real.dtype).view(*real.shape[:2], *[1] * (real.ndim - 2))
    between = alpha * real + (1 - alpha) * fake
    return (input_gradient(critic, between).norm(dim=2) - 1).square().mean(1) + drift(critic, between)


def dragan(critic, real, rng):
    """Around the data, with the spread of the batch; Kodali et al. 2017."""
    spread = real.flatten(1).std(1).view(-1, *[1] * (real.ndim - 1))
    noise = 0.5 * spread * rng.normal(*real.shape[1:]).to(real.dtype)
    return 10 * (input_gradient(critic, real + noise).norm(dim=2) - 1).square().mean(1)


def between_pairs(critic, real, fake):
    """The Lipschitz quotient of pairs, whose distance may be 0 nowhere; Petzka et al. 2018."""
    distance = (real - fake).flatten(2).norm(dim=2)
    return ((critic(real) - critic(fake)).abs() / distance - 1).relu().square().mean(1)


def largest(critic, real):
    return input_gradient(critic, real).norm(dim=2).amax(1)


def only_below(critic, real):
    return (1 - input_gradient(critic, real).norm(dim=2)).relu().mean(1)


def rooted(critic, real):
    return ((input_gradient(critic, real).square().sum(2) + 1e-12).sqrt() - 1).square().mean(1)


def consistent(critic, real, rng):
    """The distance of scores of one point seen twice; Wei et al. 2018."""
    noise = 0.01 * rng.normal(*real.shape[1:]).to(real.dtype)
    return (critic(real + noise) - critic(real)).abs().mean(1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "penalty",
    [
        *(constraints.gradient_penalty, constraints.one_sided_penalty, constraints.one_sided_linear_penalty),
        *(
            zero_centred,
            drift,
            mean_score,
            drawn_from_rng,
            dragan,
            between_pairs,
            largest,
            only_below,
            rooted,
            consistent,
        ),
    ],
)
def test_a_penalty_that_is_right_passes_every_check(penalty, shape):
    assert check_penalty(adapted(penalty), shape) == []


def adapted(penalty):
    """As `resolve.constraint` calls it: with those of its inputs that it names."""
    taken = penalty.__code__.co_varnames[: penalty.__code__.co_argcount]
    return lambda critic, real, fake, rng: penalty(
        *({"critic": critic, "real": real, "fake": fake, "rng": rng}[name] for name in taken)
    )


# ---- penalties that are wrong ---------------------------------------------------------------------------------------


def of_a_mean(critic, real):
    return (input_gradient(critic, real, of=torch.Tensor.mean).norm(dim=2) - 1).square().mean(1)


def of_a_mean_a_seed(critic, real):
    return input_gradient(critic, real, of=lambda scores: scores.mean(1).sum()).square().sum(2).mean(1)


def one_sided_of_a_mean(critic, real, fake, rng):
    alpha = rng.uniform(real.shape[1]).view(*real.shape[:2], *[1] * (real.ndim - 2))
    gradient = input_gradient(critic, fake + alpha * (real - fake), of=torch.Tensor.mean)
    return (gradient.norm(dim=2) - 1).relu().square().mean(1)


def without_a_graph(critic, real):
    return (input_gradient(critic, real, create_graph=False).norm(dim=2) - 1).square().mean(1)


def through_item(critic, real):
    values = (input_gradient(critic, real).norm(dim=2) - 1).square().mean(1)
    return torch.tensor([value.item() for value in values])


def detached_with_a_graph(critic, real):
    gradient = input_gradient(critic, real).detach()
    return (gradient.norm(dim=2) - 1).square().mean(1) + 0 * critic(real).mean(1)


def counted(critic, real):
    return (input_gradient(critic, real).norm(dim=2) > 1).float().mean(1)


def a_scalar(critic, real):
    return (input_gradient(critic, real).norm(dim=2) - 1).square().sum()


def one_a_row(critic, real):
    return (input_gradient(critic, real).norm(dim=2) - 1).square()


def a_number(critic, real):
    return float(drift(critic, real).sum())


def in_float64(critic, real):
    return drift(critic, real).double()


def coupled(critic, real):
    return drift(critic, real) * len(real)


def coupled_by_its_gradient(critic, real):
    scores = critic(real)
    return scores.square().mean(1) + scores.sum() - scores.sum().detach()


def drawn_at_large(critic, real, fake):
    alpha = torch.rand(1, real.shape[1], *[1] * (real.ndim - 2))
    return (input_gradient(critic, fake + alpha * (real - fake)).norm(dim=2) - 1).square().mean(1)


def drawn_by_numpy(critic, real):
    return drift(critic, real * float(np.random.rand()))  # noqa: NPY002


def drawn_by_python(critic, real):
    return drift(critic, real * random.random())


def root_of_0(critic, real):
    return (input_gradient(critic, real).square().sum(2).sqrt() - 1).square().mean(1)


def divided_by_0(critic, real):
    return 1 / input_gradient(critic, real).square().sum(2).mean(1)


def calls_backward(critic, real):
    critic(real).sum().backward()
    return drift(critic, real)


def fails(critic, real):
    raise ArithmeticError("no such\nthing")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("penalty", "check", "said"),
    [
        (of_a_mean, "batch size", "takes the gradient of a mean over the batch"),
        (of_a_mean_a_seed, "batch size", "takes the gradient of a mean over the batch"),
        (one_sided_of_a_mean, "batch size", "differentiate critic(x).sum(), then take .mean(1) of the result"),
        (without_a_graph, "gradient", "torch.autograd.grad create_graph=True"),
        (through_item, "gradient", "no .item()"),
        (detached_with_a_graph, "gradient", ".detach()"),
        (counted, "gradient", "a gradient that does not reach them"),
        (a_scalar, "shape", "returns shape () for 2 seeds; must be a tensor of shape (2,)"),
        (one_a_row, "shape", "returns shape (2, 12) for 2 seeds; must be a tensor of shape (2,)"),
        (a_number, "shape", "returns a float for 2 seeds; must be a tensor of shape (2,)"),
        (in_float64, "dtype", "returns torch.float64 for torch.float32"),
        (coupled, "seeds apart", "for a seed when it is stacked than when it is alone; seeds share nothing"),
        (
            coupled_by_its_gradient,
            "seeds apart",
            "has another gradient for a seed when it is stacked than when it is alone",
        ),
        (drawn_at_large, "repeatable", "for the same arguments; draw from rng alone"),
        (drawn_by_numpy, "repeatable", "for the same arguments; draw from rng alone"),
        (drawn_by_python, "repeatable", "for the same arguments; draw from rng alone"),
        (root_of_0, "zero gradient", "has a gradient that is nan where the critic's gradient is 0"),
        (divided_by_0, "zero gradient", "is inf where the critic's gradient is 0"),
        (calls_backward, "gradient", "calls backward()"),
        (fails, "call", "raises ArithmeticError: no such"),
    ],
)
def test_a_penalty_that_is_wrong_is_an_error_of_one_line(penalty, check, said, shape):
    finding = next(finding for finding in check_penalty(adapted(penalty), shape) if finding.is_error)
    assert finding.check == check
    assert said in finding.text
    assert "\n" not in finding.text


@pytest.mark.parametrize("penalty", [of_a_mean, a_scalar, without_a_graph, root_of_0])
def test_one_mistake_is_one_error(penalty):
    assert len(errors(check_penalty(adapted(penalty), (2,)))) == 1


def a_sum_over_rows(critic, real):
    return 1e-3 * critic(real).square().sum(1)


def the_same_for_every_critic(real):
    return real.new_zeros(len(real))


def weighed_by_itself(critic, real):
    norm = input_gradient(critic, real).norm(dim=2)
    return (norm.detach() * norm).mean(1)


def of_float32_alone(critic, real):
    return critic(real.float()).square().mean(1)


@pytest.mark.parametrize(
    ("penalty", "check", "said"),
    [
        (a_sum_over_rows, "batch size", "depends on the number of rows"),
        (
            the_same_for_every_critic,
            "gradient",
            "is the same whatever the critic's parameters; it trains nothing",
        ),
        (weighed_by_itself, "whole gradient", "part of it is detached; right where that is meant"),
        (of_float32_alone, "float64", "cannot be called in float64 (RuntimeError: "),
    ],
)
def test_what_may_be_meant_is_a_warning(penalty, check, said):
    finding = only(check_penalty(adapted(penalty), (2,)))
    assert (finding.check, finding.is_error) == (check, False)
    assert said in finding.text


def test_an_error_of_the_objects_own_names_its_line():
    assert only(check_penalty(adapted(fails), (2,))).line == f"test_conformance.py:{fails.__code__.co_firstlineno + 1}"


def test_checks_change_no_stream_of_random_numbers_and_show_no_warning():
    def warns(critic, real):
        warnings.warn("odd", stacklevel=1)
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)  # noqa: NPY002
        return drift(critic, real) + 0 * torch.rand(1)

    def states():
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    before = states()
    assert check_penalty(adapted(warns), (2,)) == []
    assert states() == before


# ---- projections ----------------------------------------------------------------------------------------------------


def normalised(parameters):
    for tensor in parameters:
        tensor /= tensor.flatten(1).norm(dim=1).clamp_min(1).view(-1, *[1] * (tensor.ndim - 1))


@pytest.mark.parametrize(
    "projection",
    [
        *(normalised, partial(constraints.clip, clip_value=0.01)),
        *(partial(constraints.rescale, clip_value=0.01), partial(constraints.rescale, clip_value=100.0)),
    ],
)
def test_a_projection_that_is_right_passes_every_check(projection):
    assert check_projection(projection) == []


def divides_by_a_norm(parameters):
    for tensor in parameters:
        tensor /= tensor.flatten(1).norm(dim=1).view(-1, *[1] * (tensor.ndim - 1))


def divides_by_the_norm_of_all(parameters):
    for tensor in parameters:
        tensor /= tensor.norm().clamp_min(1)


def noisy(parameters):
    for tensor in parameters:
        tensor += torch.randn_like(tensor)


def returns_clipped(parameters):
    return [tensor.clamp(-1, 1) for tensor in parameters]


def rebinds(parameters):
    for tensor in parameters:
        tensor = tensor.clamp(-1, 1)


@pytest.mark.parametrize(
    ("projection", "check", "said"),
    [
        (divides_by_a_norm, "finite", "makes parameters that are 0, as biases begin, not finite"),
        (
            divides_by_the_norm_of_all,
            "seeds apart",
            "changes seed 0 in another way when it is stacked than when it is alone",
        ),
        (noisy, "repeatable", "gives two results for the same parameters"),
        (returns_clipped, "in place", "and returns a list; change them in place"),
        (rebinds, "in place", "leaves parameters of size 1e6 as they are; change them in place"),
    ],
)
def test_a_projection_that_is_wrong_is_an_error_of_one_line(projection, check, said):
    finding = only(check_projection(projection))
    assert (finding.check, finding.is_error) == (check, True)
    assert said in finding.text


# ---- objectives -----------------------------------------------------------------------------------------------------


class Right:
    def critic_loss(self, real, fake):
        return (1 - real).relu().mean(1) + (1 + fake).relu().mean(1)

    def generator_loss(self, fake):
        return -fake.mean(1)


class Relativistic(Right):
    """Takes means over a batch inside, as Jolicoeur-Martineau 2018 does."""

    def critic_loss(self, real, fake):
        return (softplus(fake.mean(1, keepdim=True) - real) + softplus(fake - real.mean(1, keepdim=True))).mean(1)


RIGHT = [
    *(objectives.Minimax, objectives.NonSaturating, objectives.LeastSquares, objectives.Wasserstein),
    *(Right, Relativistic),
]


@pytest.mark.parametrize("objective", RIGHT)
def test_an_objective_that_is_right_passes_every_check(objective):
    assert check_objective(objective()) == []


class Scalar(Right):
    def critic_loss(self, real, fake):
        return fake.mean() - real.mean()


class Coupled(Right):
    def critic_loss(self, real, fake):
        return fake.mean(1) - real.mean()


class Item(Right):
    def generator_loss(self, fake):
        return torch.tensor([-row.mean().item() for row in fake])


class Accuracy(Right):
    def critic_loss(self, real, fake):
        return (real < fake).float().mean(1)


class Constant(Right):
    def generator_loss(self, fake):
        return 0 * fake.mean(1)


class Smoothed(Right):
    def critic_loss(self, real, fake):
        return (real - torch.rand_like(real)).square().mean(1) + fake.square().mean(1)


class Logarithm(Right):
    def critic_loss(self, real, fake):
        return -real.log().mean(1) + fake.mean(1)


class Inverse(Right):
    def critic_loss(self, real, fake):
        return real.square().reciprocal().mean(1) + fake.mean(1)


class Fails(Right):
    def generator_loss(self, fake):
        return fake.mean(1) + self.absent


@pytest.mark.parametrize(
    ("objective", "check", "said"),
    [
        (Scalar, "shape", "critic_loss returns shape () for 2 seeds"),
        (Coupled, "seeds apart", "critic_loss has another value, ["),
        (Item, "gradient", "generator_loss has a value that depends on the scores, and a gradient that does not reach"),
        (Accuracy, "gradient", "critic_loss has a value that depends on the scores"),
        (Constant, "gradient", "generator_loss is the same whatever the scores; it trains nothing"),
        (Smoothed, "repeatable", "critic_loss gives ["),
        (Logarithm, "finite", "critic_loss is nan for scores about 1; must be finite"),
        (Inverse, "finite", "critic_loss is inf for scores of 0; must be finite"),
        (Fails, "call", "raises AttributeError: 'Fails' object has no attribute 'absent'"),
    ],
)
def test_an_objective_that_is_wrong_is_an_error_of_one_line(objective, check, said):
    finding = only(check_objective(objective()))
    assert (finding.check, finding.is_error) == (check, True)
    assert said in finding.text


def test_a_logarithm_that_large_scores_overflow_is_a_warning_and_its_stable_form_is_none():
    class Naive(Right):
        def generator_loss(self, fake):
            return -(1 - fake.sigmoid()).log().mean(1)

    class Stable(Right):
        def generator_loss(self, fake):
            return -logsigmoid(-fake).mean(1)

    finding = only(check_objective(Naive()))
    assert (finding.check, finding.is_error) == ("large scores", False)
    assert "generator_loss is inf for scores of about ±50, which training may reach" in finding.text
    assert check_objective(Stable()) == []


# ---- networks -------------------------------------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self, input_shape, output_shape, *layers):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(*input_shape, 4), *layers, nn.Tanh(), nn.Linear(4, 1))
        self.output_shape = output_shape

    def forward(self, x):
        return self.layers(x).reshape(len(x), *self.output_shape)


IMAGES = (3, 16, 16)


@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (lambda: Net((2,), ()), ((2,), ())),
        (lambda: Net((2,), (), nn.BatchNorm1d(4)), ((2,), ())),
        (lambda: Net((2,), (), nn.LayerNorm(4)), ((2,), ())),
        (lambda: Mlp((2,), (), hidden=[4]), ((2,), ())),
        (lambda: Mlp((3,), (2,), hidden=[4]), ((3,), (2,))),
        (lambda: DcganCritic(IMAGES, (), filters=2), (IMAGES, ())),
        (lambda: DcganGenerator((3,), IMAGES, filters=2), ((3,), IMAGES)),
    ],
)
def test_a_network_that_is_right_passes_every_check(make, shapes):
    assert check_network(make, *shapes) == []


def test_a_network_that_cannot_be_stacked_passes():
    class Peeking(Net):
        def forward(self, x):
            assert x.sum().item() == x.sum().item()
            return super().forward(x)

    assert check_network(lambda: Peeking((2,), ()), (2,), ()) == []


class Column(Net):
    def forward(self, x):
        return self.layers(x)


class Detached(Net):
    def forward(self, x):
        return super().forward(x).detach()


class DrawnByNumpy(Net):
    def __init__(self, *shapes):
        super().__init__(*shapes)
        self.layers[0].bias.data.fill_(np.random.rand())  # noqa: NPY002


class InFloat64(Net):
    def forward(self, x):
        return super().forward(x).double()


@pytest.mark.parametrize(
    ("make", "check", "said"),
    [
        (lambda: Column((2,), ()), "shape", "returns shape (12, 1) for (12, 2); must be (12,)"),
        (lambda: Detached((2,), ()), "gradient", "a gradient that does not reach them"),
        (lambda: Net((2,), (), nn.Dropout(0.5)), "repeatable", "leave out dropout and noise"),
        (lambda: DrawnByNumpy((2,), ()), "repeatable", "begins with other parameters each time; draw them with torch"),
        (lambda: InFloat64((2,), ()), "dtype", "returns torch.float64 for torch.float32"),
        (nn.Identity, "parameters", "has no parameters to train"),
        (lambda: print, "call", "makes a builtin_function_or_method; must be a torch.nn.Module"),
        (lambda: Net((5,), ()), "call", "raises RuntimeError: mat1 and mat2 shapes cannot be multiplied"),
    ],
)
def test_a_network_that_is_wrong_is_an_error_of_one_line(make, check, said):
    finding = only(check_network(make, (2,), ()))
    assert (finding.check, finding.is_error) == (check, True)
    assert said in finding.text


@pytest.mark.parametrize(("rows", "found"), [(None, []), ("warning", [False]), ("error", [True])])
def test_a_critic_that_mixes_rows_is_wrong_under_a_penalty_alone(rows, found):
    findings = check_network(lambda: Net((2,), (), nn.BatchNorm1d(4)), (2,), (), rows=rows)
    assert [finding.is_error for finding in findings] == found
    assert check_network(lambda: Net((2,), (), nn.LayerNorm(4)), (2,), (), rows=rows) == []


# ---- fixed generators -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fixed", [Noised(), Scaled(factor=2.0), Translated(by=1.0)])
def test_a_fixed_generator_that_is_right_passes_every_check(fixed):
    assert check_fixed_generator(fixed, (2,)) == []


class Same:
    independent = False

    def __call__(self, real, noise):
        return real


class Unsaid:
    def __call__(self, real, noise):
        return real


class Reversed(Same):
    def __call__(self, real, noise):
        return real.flip(0)


class OwnNoise(Same):
    def __call__(self, real, noise):
        return real + torch.randn_like(real)


class First(Same):
    def __call__(self, real, noise):
        return real[..., 0]


@pytest.mark.parametrize(
    ("fixed", "check", "said"),
    [
        (Unsaid, "call", "has no attribute 'independent'"),
        (Reversed, "rows apart", "row i must be made from row i of real and noise"),
        (OwnNoise, "repeatable", "draw from noise alone"),
        (First, "shape", "returns shape (12,) for (12, 2); must be the shape of real"),
    ],
)
def test_a_fixed_generator_that_is_wrong_is_an_error_of_one_line(fixed, check, said):
    finding = only(check_fixed_generator(fixed(), (2,)))
    assert (finding.check, finding.is_error) == (check, True)
    assert said in finding.text


def test_a_batch_of_the_checks_is_of_no_size_that_a_spec_is_likely_to_have():
    """Penalties that go wrong on purpose in other tests know a training by its batch of 8."""
    assert conformance.ROWS == 12
