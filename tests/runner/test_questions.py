"""Each mistake that is planted in a penalty is named by the question that is meant to find it."""

import json

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from wganbench.cli import cli
from wganbench.runner.questions import QUESTIONS, Answer, Shapes, ask, ask_network
from wganbench.spec import Component, catalogue

CALLS = {"count": 0.0}
OPTIONS = {"clip": {"clip_value": 0.01}, "rescale": {"clip_value": 0.01}}
"""The options that a built-in constraint cannot do without."""


def slopes(critic, x):
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient.flatten(2)


def right(critic, real):
    return (torch.linalg.vector_norm(slopes(critic, real), dim=2) - 1).square().mean(1)


def one_number(critic, real):
    return right(critic, real).mean()


def mean_over_seeds(critic, real):
    return right(critic, real) * 0 + right(critic, real).mean()


def norm_over_batch(critic, real):
    return (torch.linalg.vector_norm(slopes(critic, real).flatten(1), dim=1) - 1).square()


def sum_over_rows(critic, real):
    return (torch.linalg.vector_norm(slopes(critic, real), dim=2) - 1).square().sum(1)


def gradient_of_mean(critic, real):
    x = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).mean(1).sum(), x, create_graph=True)
    return (torch.linalg.vector_norm(gradient.flatten(2), dim=2) - 1).square().mean(1)


def root_without_epsilon(critic, real):
    return (slopes(critic, real).square().sum(2).sqrt() - 1).square().mean(1)


def no_graph(critic, real):
    x = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x)
    return (torch.linalg.vector_norm(gradient.flatten(2), dim=2) - 1).square().mean(1) + 0 * critic(real).sum(1)


def detached_norm(critic, real):
    norm = torch.linalg.vector_norm(slopes(critic, real), dim=2)
    return ((norm - 1).detach() * norm).mean(1)


def global_random(critic, real):
    return right(critic, real + torch.rand_like(real))


def kept_from_call_to_call(critic, real):
    CALLS["count"] += 1
    return right(critic, real) * CALLS["count"]


def deviation_over_rows(critic, real):
    return slopes(critic, real).flatten(2).norm(dim=2).std(1)


def cancelling(critic, real):
    """A difference quotient over 1e-5, which has two digits left in float32."""
    return ((critic(real + 1e-5) - critic(real)) / 1e-5).square().mean(1)


def score_differences(critic, real):
    """A difference quotient over a thousandth, of which eight bits leave nothing."""
    return ((critic(real + 1e-3) - critic(real)) / 1e-3).square().mean(1)


def held_scores(critic, real):
    return critic(real).square().mean(1)


def float32_inside(critic, real):
    return right(critic, real.float()).float()


def on_the_first_row(critic, real):
    weights = torch.softmax(critic(real), 1)
    return (weights * slopes(critic, real).norm(dim=2)).sum(1)


MISTAKES = [
    (one_number, {"shape"}),
    (mean_over_seeds, {"seeds apart", "one seed moved"}),
    (norm_over_batch, {"batch size", "rows apart"}),
    (sum_over_rows, {"batch size"}),
    (gradient_of_mean, {"batch size"}),
    (root_without_epsilon, {"zero gradient"}),
    (no_graph, {"gradient"}),
    (detached_norm, {"whole gradient"}),
    (global_random, {"repeatable"}),
    (kept_from_call_to_call, {"repeatable"}),
    (deviation_over_rows, {"rows apart", "batch of 1"}),
    (cancelling, {"agreement"}),
    (score_differences, {"bf16"}),
    (held_scores, {"constant"}),
    (float32_inside, {"float64"}),
    (on_the_first_row, {"rows apart"}),
]


class MeanOverSeeds:
    def critic_loss(self, real, fake):
        return (fake - real).mean(1) + 0 * fake.sum(1) + (fake - real).mean()

    def generator_loss(self, fake):
        return -fake.mean(1)


class Standardised:
    """Divides by the deviation of the batch, which one row has none of."""

    def critic_loss(self, real, fake):
        return ((fake - real) / torch.cat([real, fake], 1).std(1, keepdim=True)).mean(1)

    def generator_loss(self, fake):
        return -(fake / fake.std(1, keepdim=True)).mean(1)


def named(function):
    return f"{__name__}:{function.__name__}"


def found(answers: list[Answer]) -> set[str]:
    return {answer.check for answer in answers if answer.outcome in ("fail", "warning")}


@pytest.mark.parametrize(("penalty", "checks"), MISTAKES, ids=lambda each: getattr(each, "__name__", ""))
def test_a_planted_mistake_is_named(penalty, checks):
    kind, answers = ask(named(penalty), {})
    assert kind == "penalty"
    assert checks <= found(answers), [answer for answer in answers if answer.text]
    assert all(answer.text for answer in answers if answer.outcome in ("fail", "warning"))


@pytest.mark.parametrize(
    ("objective", "checks"),
    [(MeanOverSeeds, {"seeds apart", "one seed moved"}), (Standardised, {"rows apart", "batch of 1"})],
)
def test_a_planted_mistake_of_an_objective_is_named(objective, checks):
    kind, answers = ask(named(objective), {})
    assert kind == "objective"
    assert checks <= found(answers), [answer for answer in answers if answer.text]


@pytest.mark.parametrize(("objective", "checks"), [("wasserstein", set()), ("relativistic_average", {"rows apart"})])
def test_of_built_in_objectives_one_that_averages_scores_alone_mixes_rows(objective, checks):
    assert found(ask(objective, {})[1]) == checks


def test_a_right_penalty_is_unsound_with_batch_normalisation_alone():
    answers = ask(named(right), {})[1]
    assert found(answers) == {"batch norm"}
    assert [answer.check for answer in answers] == list(QUESTIONS)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in ("objective", "constraint") for name in catalogue.NAMES[kind]]
)
def test_no_built_in_loss_or_constraint_fails_a_question(kind, name):
    answers = ask(name, OPTIONS.get(name, {}))[1]
    assert not [answer for answer in answers if answer.outcome in ("fail", "not reached")]


def test_after_an_error_what_follows_is_not_reached_and_what_does_not_depend_on_it_is_asked():
    outcomes = {answer.check: answer.outcome for answer in ask(named(gradient_of_mean), {})[1]}
    assert (outcomes["repeatable"], outcomes["batch size"], outcomes["float64"]) == ("pass", "fail", "not reached")
    assert outcomes["constant"] == "pass"


def test_nothing_is_asked_of_what_cannot_be_called():
    outcomes = [each.outcome for each in ask(named(broken), {})[1]]
    counts = {outcome: outcomes.count(outcome) for outcome in set(outcomes)}
    assert counts == {"fail": 1, "not reached": 17, "not applicable": 4}


def broken(critic, real):
    raise ArithmeticError("no")


def test_the_command_prints_a_line_a_question_and_exits_with_1_on_a_failure():
    told = CliRunner().invoke(cli, ["judge", named(root_without_epsilon), "--conformance"])
    assert told.exit_code == 1
    assert "they are finite where the critic is constant" in told.output
    told = CliRunner().invoke(
        cli, ["judge", "gradient_penalty", "--set", "penalty_weight=2.0", "--conformance", "--json"]
    )
    assert told.exit_code == 0
    answers = json.loads(told.output)[0]["answers"]
    assert len(answers) == len(QUESTIONS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gradient_penaltie"], "'gradient_penaltie': no built-in constraint"),
        (["clip"], "clip: clip_value: missing"),
        ([f"{__name__}:QUESTIONS"], "must be a class with critic_loss"),
        ([f"{__name__}:nowhere"], "has no attribute 'nowhere'"),
        (["clip", "--set", "clip_value"], "--set 'clip_value': must be OPTION=VALUE"),
    ],
)
def test_a_wrong_object_is_one_line(arguments, said):
    told = CliRunner().invoke(cli, ["judge", *arguments, "--conformance"])
    assert told.exit_code == 2
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


# ---- critics --------------------------------------------------------------------------------------------------------


class Critic(nn.Module):
    def __init__(self, input_shape, output_shape, *, width=4):
        super().__init__()
        n = torch.Size(input_shape).numel()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(n, width), nn.Tanh(), nn.Linear(width, 1))

    def forward(self, x):
        return self.body(x).squeeze(1)


class MixingRows(Critic):
    def forward(self, x):
        scores = super().forward(x)
        return scores - scores.mean(0)


class BatchNormed(Critic):
    def __init__(self, input_shape, output_shape, *, width=4):
        super().__init__(input_shape, output_shape, width=width)
        self.body.insert(2, nn.BatchNorm1d(width))


class Counting(Critic):
    def forward(self, x):
        CALLS["count"] += 1
        return super().forward(x) * CALLS["count"]


class BlindToItsInput(Critic):
    def forward(self, x):
        return super().forward(x.detach()) + 0 * x.flatten(1).sum(1)


@pytest.mark.parametrize(
    ("critic", "checks"),
    [
        (Critic, set()),
        (MixingRows, {"rows apart"}),
        (BatchNormed, {"rows apart", "batch of 1"}),
        (Counting, {"repeatable"}),
        (BlindToItsInput, {"twice"}),
    ],
)
def test_a_mistake_of_a_critic_is_named(critic, checks):
    component = Component(name=named(critic), options={"width": 6}, protocol=1)
    assert found(ask_network(component, Shapes((2,), (), "error"))) == checks


def test_a_generator_may_mix_rows_and_is_asked_nothing_about_it():
    class_named = f"{__name__}:{Widening.__name__}"
    answers = ask_network(Component(name=class_named, options={}, protocol=1), Shapes((3,), (2,), None))
    assert found(answers) == set()
    assert {each.check for each in answers if each.outcome == "not applicable"} >= {"rows apart", "twice"}


class Widening(nn.Module):
    def __init__(self, input_shape, output_shape):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(*input_shape, *output_shape), nn.BatchNorm1d(*output_shape))

    def forward(self, x):
        return self.body(x)
