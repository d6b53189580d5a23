"""What is wrong with custom objects ends `plan` and `run` before any training, in one line for all runs that use it."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from wganbench.cli import cli
from wganbench.records.custom_code import import_folders
from wganbench.records.store import Store
from wganbench.runner.cohort import train_cohort
from wganbench.spec import load
from wganbench.spec.plan import cohorts, expand

MODULE = """
import torch
from torch import nn
from wganbench.networks.mlp import Mlp


def zero_centred(critic, real, *, penalty_weight=1.0):
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(real).sum(), real, create_graph=True)
    return penalty_weight / 2 * gradient.flatten(2).square().sum(2).mean(1)


def without_graph(critic, real, *, penalty_weight=1.0):
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(real).sum(), real)
    return penalty_weight / 2 * gradient.flatten(2).square().sum(2).mean(1)


def weighed(critic, real, *, weight):
    return weight * critic(real).square().mean(1)


def raises(critic, real):
    raise ArithmeticError("no such thing")


def summed(critic, real):
    return critic(real).square().sum(1)


class Hinge:
    def __init__(self, *, margin=1.0):
        self.margin = margin

    def critic_loss(self, real, fake):
        return (self.margin - real).relu().mean(1) + (self.margin + fake).relu().mean(1)

    def generator_loss(self, fake):
        return -fake.mean(1)


class Both(Hinge):
    def generator_loss(self, fake, scale):
        return -scale * fake.mean(1)


class Scalar(Hinge):
    def critic_loss(self, real, fake):
        return fake.mean() - real.mean()


class Half:
    def critic_loss(self, real, fake):
        return fake.mean(1) - real.mean(1)


class Normalised(nn.Module):
    def __init__(self, input_shape, output_shape):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(*input_shape, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))

    def forward(self, x):
        return self.layers(x).squeeze(1)


class Grid9:
    sample_shape = (2,)

    def draw(self, n, rng):
        return torch.randn(n, 2, generator=rng)

    def to(self, device):
        return self


def spread(fake, *, power=2):
    return fake.abs().pow(power).mean()


def broken_spread(fake):
    return fake.absolute_value().mean()


def outline(fake, *, bins=3):
    return fake[:bins]


class Shifted:
    independent = False

    def __init__(self, *, by):
        self.by = by

    def __call__(self, real, noise):
        return real + self.by


class Flipped(Shifted):
    def __call__(self, real, noise):
        return real.flip(-2)
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "custom_mine.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("custom_mine", None)


def line_of(definition: str) -> int:
    return 1 + MODULE.splitlines().index(definition)


def lines(command: str, spec: Path, *options: str) -> list[str]:
    """The lines that a command which must fail ends in; nothing is recorded."""
    arguments = [command, str(spec), "--profile", "smoke", "--seeds", "3", "--results", "results", *options]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert not list(Path().glob("results/*/*.json"))
    found = [line for line in result.stderr.splitlines() if line.startswith("wganbench: ")]
    assert found == result.stderr.splitlines()
    return [line.removeprefix("wganbench: ") for line in found]


PLAN_AND_RUN = pytest.mark.parametrize("command", ["plan", "run"])


# ---- options and signatures, by plan and by run ---------------------------------------------------------------------


@PLAN_AND_RUN
@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            'constraint = { name = "custom_mine:zero_centred", penalty_wieght = 0.5 }',
            "variants.odd.constraint: constraint 'custom_mine:zero_centred' (custom_mine.py:{zero_centred}) takes no "
            "option 'penalty_wieght'; did you mean 'penalty_weight'?",
        ),
        (
            'constraint = "custom_mine:weighed"',
            "variants.odd.constraint: constraint 'custom_mine:weighed' (custom_mine.py:{weighed}) needs the option "
            "'weight'; set it beside the name",
        ),
        (
            'constraint = "custom_mine:zero_centered"',
            "variants.odd.constraint: constraint 'custom_mine:zero_centered': module 'custom_mine' has no attribute "
            "'zero_centered'; did you mean 'zero_centred'?",
        ),
        (
            'objective = { name = "custom_mine:Hinge", margins = 2 }',
            "variants.odd.objective: objective 'custom_mine:Hinge' (custom_mine.py:{Hinge}) takes no option 'margins'; "
            "did you mean 'margin'?",
        ),
        (
            'objective = "custom_mine:Both"',
            "variants.odd.objective: objective 'custom_mine:Both' (custom_mine.py:{Both}) has "
            "generator_loss(fake, scale); it is called as generator_loss(fake) or as generator_loss(fake, real)",
        ),
        (
            'objective = "custom_mine:Half"',
            "variants.odd.objective: objective 'custom_mine:Half' (custom_mine.py:{Half}) has no generator_loss; must "
            "have generator_loss(fake)",
        ),
        (
            'critic = { name = "custom_mine:Normalised", filters = 3 }',
            "variants.odd.critic: network 'custom_mine:Normalised' (custom_mine.py:{Normalised}) takes no option "
            "'filters'; it has none",
        ),
        (
            'data = { name = "custom_mine:Grid9", std = 1.0 }',
            "variants.odd.data: data set 'custom_mine:Grid9' (custom_mine.py:{Grid9}) takes no option 'std'; it has "
            "none",
        ),
        (
            'fixed_generator = { name = "custom_mine:Shifted", buy = 1.0 }',
            "variants.odd.fixed_generator: fixed generator 'custom_mine:Shifted' (custom_mine.py:{Shifted}) takes no "
            "option 'buy'; did you mean 'by'?",
        ),
        (
            'measures.spread = { name = "custom_mine:spread", pwer = 3 }',
            "variants.odd.measures.spread: measure 'custom_mine:spread' (custom_mine.py:{spread}) takes no option "
            "'pwer'; did you mean 'power'?",
        ),
        (
            'pictures.outline = { name = "custom_mine:outline", bin = 3 }',
            "variants.odd.pictures.outline: picture 'custom_mine:outline' (custom_mine.py:{outline}) takes no option "
            "'bin'; did you mean 'bins'?",
        ),
        (
            'critic_optimizer = { name = "torch.optim:SGD", lr = 0.1, momentun = 0.9 }',
            "did you mean 'momentum'?",
        ),
    ],
)
def test_an_option_or_a_signature_that_does_not_fit_is_one_line(tiny, command, extra, said):
    places = {name: line_of(f"class {name}:") for name in ("Hinge", "Half", "Grid9", "Shifted")}
    places |= {"Both": line_of("class Both(Hinge):"), "Normalised": line_of("class Normalised(nn.Module):")}
    for line, text in enumerate(MODULE.splitlines(), 1):
        if text.startswith("def "):
            places[text[4:].partition("(")[0]] = line
    (line,) = lines(command, tiny(f"[variants.odd]\n{extra}\n"))
    assert line.startswith("tiny.toml, variants.odd.")
    assert line.endswith(said.format(**places))


@PLAN_AND_RUN
def test_a_dot_for_the_colon_is_one_line_with_the_right_name(tiny, command):
    (line,) = lines(command, tiny('[variants.odd]\nconstraint = "custom_mine.zero_centred"\n'))
    said = "unknown constraint 'custom_mine.zero_centred'; did you mean 'custom_mine:zero_centred'?"
    assert line.startswith("tiny.toml, variants.odd") and line.endswith(said)


def test_a_file_for_a_module_is_one_line_with_the_right_name(tiny):
    (line,) = lines("plan", tiny('[variants.odd]\nconstraint = "custom_mine.py:zero_centred"\n'))
    assert line.endswith("; did you mean custom_mine:zero_centred?")


@PLAN_AND_RUN
def test_mistakes_of_all_variants_are_lines_of_one_answer_and_each_is_said_once(tiny, command):
    wrong = 'constraint = { name = "custom_mine:zero_centred", penalty_wieght = 0.5 }'
    extra = (
        f"[variants.a]\n{wrong}\n[variants.b]\n{wrong}\nlatent_dim = 2\n[variants.c]\nobjective = 'custom_mine:Both'\n"
    )
    first, second = lines(command, tiny(extra))
    assert first.startswith("tiny.toml, variants.a and 1 more, constraint: ")
    assert second.startswith("tiny.toml, variants.c.objective: ")


def test_plan_calls_nothing_but_constructors_of_objectives(tiny):
    spec = tiny('[variants.odd]\nconstraint = "custom_mine:raises"\n')
    result = CliRunner().invoke(cli, ["plan", str(spec), "--profile", "smoke", "--seeds", "1", "--results", "results"])
    assert result.exit_code == 0, result.output


# ---- values, by run -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "place", "said"),
    [
        (
            'constraint = { name = "custom_mine:without_graph", penalty_weight = 0.5 }',
            "constraint: constraint 'custom_mine:without_graph' (custom_mine.py:{def without_graph(critic, real, *, "
            "penalty_weight=1.0):})",
            "has a value that depends on the critic's parameters, and a gradient that does not reach them, so that it "
            "trains nothing: give torch.autograd.grad create_graph=True, and return no .item(), .detach(), rounded or "
            "counted value",
        ),
        (
            'constraint = "custom_mine:raises"',
            "constraint: constraint 'custom_mine:raises' (custom_mine.py:{def raises(critic, real):})",
            'raises ArithmeticError: no such thing (custom_mine.py:{    raise ArithmeticError("no such thing")})',
        ),
        (
            'objective = "custom_mine:Scalar"',
            "objective: objective 'custom_mine:Scalar' (custom_mine.py:{class Scalar(Hinge):})",
            "critic_loss returns shape () for 2 seeds; must be a tensor of shape (2,), as .mean(1) over the batch "
            "gives",
        ),
        (
            'critic = "custom_mine:Normalised"\nconstraint = "gradient_penalty"',
            "critic: network 'custom_mine:Normalised' (custom_mine.py:{class Normalised(nn.Module):})",
            "mixes the rows of a batch in training, and a penalty is about each row's own gradient; normalise over "
            "each row, as LayerNorm does",
        ),
        (
            'fixed_generator = { name = "custom_mine:Flipped", by = 1.0 }',
            "fixed_generator: fixed generator 'custom_mine:Flipped' (custom_mine.py:{class Flipped(Shifted):})",
            "makes a fake from other rows than its own; row i must be made from row i of real and noise",
        ),
        (
            'measures.spread = { name = "custom_mine:broken_spread", points = 1 }',
            "measures.spread: measure 'custom_mine:broken_spread' (custom_mine.py:{def broken_spread(fake):})",
            "raises AttributeError: 'Tensor' object has no attribute 'absolute_value' "
            "(custom_mine.py:{    return fake.absolute_value().mean()})",
        ),
        (
            'data = "custom_mine:Grid9"',
            "data: data set 'custom_mine:Grid9' (custom_mine.py:{class Grid9:})",
            "will not do: Grid9, centres: missing; must be a tensor of the modes' centres, (modes, dim)",
        ),
    ],
)
def test_a_value_that_does_not_conform_is_one_line_before_any_training(tiny, extra, place, said):
    for text in MODULE.splitlines():
        place, said = (part.replace(f"{{{text}}}", str(line_of(text))) if text else part for part in (place, said))
    found = lines("run", tiny(f"[variants.odd]\n{extra}\n"))
    assert found[0] == f"tiny.toml, variants.odd.{place} {said}"
    assert len(found) == (2 if "Grid9" in extra else 1)  # it lacks std as well


def test_a_data_set_without_centres_serves_measures_that_read_none(tiny):
    extra = '[variants.odd]\ndata = "custom_mine:Grid9"\n'
    spec = tiny(extra)
    spec.write_text(spec.read_text().replace("modes_covered = { points = 3 }\n", ""))
    result = CliRunner().invoke(cli, ["run", str(spec), "--profile", "smoke", "--seeds", "1", "--variant", "odd"])
    assert result.exit_code == 0, result.output


def test_what_may_be_meant_is_a_warning_and_is_trained(tiny):
    spec = tiny('[variants.odd]\nconstraint = "custom_mine:summed"\n')
    options = ("--profile", "smoke", "--seeds", "2", "--variant", "odd", "--results", "results", "--device", "cpu")
    result = CliRunner().invoke(cli, ["run", str(spec), *options])
    assert result.exit_code == 0, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        "wganbench: tiny.toml, variants.odd.constraint: constraint 'custom_mine:summed' (custom_mine"
    )
    assert "depends on the number of rows: " in line
    assert len(Store("results").load()) == 2


def test_checks_change_no_number_of_the_training_after_them(tiny):
    extra = """
        [variants.mine]
        constraint = "custom_mine:zero_centred"
        objective = { name = "custom_mine:Hinge", margin = 0.5 }
        critic = "custom_mine:Normalised"
        [variants.mine.measures.spread]
        name = "custom_mine:spread"
        """
    spec = tiny(textwrap.dedent(extra))
    options = ("--profile", "smoke", "--seeds", "2", "--variant", "mine", "--results", "results", "--device", "cpu")
    result = CliRunner().invoke(cli, ["run", str(spec), *options])
    assert result.exit_code == 0, result.output
    assert import_folders(str(spec))[0] in sys.path
    experiment = load(str(spec))
    (cohort,) = cohorts(expand(experiment, "smoke", [0, 1], ["mine"]), 2)
    unchecked = {each.record.id: each.record for each in train_cohort(cohort)}
    checked = Store("results").load()
    assert checked.keys() == unchecked.keys()
    for name, record in checked.items():
        assert (record.measures, record.curves) == (unchecked[name].measures, unchecked[name].curves)
