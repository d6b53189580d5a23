"""What objectives and penalties of a spec are given, and that penalties add up."""

from __future__ import annotations

import pytest
import torch

from wganbench.data import toy
from wganbench.errors import SpecError
from wganbench.losses import objectives
from wganbench.rng import Streams
from wganbench.runner import conformance, preflight, resolve
from wganbench.runner.build import make_trainer
from wganbench.runner.evaluation import Evaluator, Inputs
from wganbench.runner.trace import Trace
from wganbench.spec import Component, catalogue, load
from wganbench.spec.plan import expand

REAL, FAKE = torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0, 7.0]])


class RealFirst:
    def critic_loss(self, fake, real):
        return (real - 10 * fake).sum(1)

    def generator_loss(self, real, fake, scale=2.0):
        return (scale * real - fake).sum(1)


class OtherNames:
    def critic_loss(self, of_real, of_fake):
        return (of_real - 10 * of_fake).sum(1)

    def generator_loss(self, scores):
        return scores.sum(1)


@pytest.mark.parametrize(
    ("made", "critic", "generator", "reads_real"),
    [(RealFirst, -117.0, -6.0, True), (OtherNames, -117.0, 12.0, False)],
)
def test_losses_are_given_the_scores_that_they_name(monkeypatch, made, critic, generator, reads_real):
    monkeypatch.setattr(resolve, "import_object", lambda kind, name: made)
    losses = resolve.objective(Component(name="mine:loss", protocol=1, options={}))
    assert losses.generator_reads_real is reads_real
    assert losses.critic_loss(REAL, FAKE).tolist() == [critic]
    assert losses.generator_loss(FAKE, REAL).tolist() == [generator]


def test_of_the_built_in_objectives_the_relativistic_ones_read_real_scores():
    names = catalogue.NAMES["objective"]
    losses = {name: resolve.objective(Component.resolve("objective", name)) for name in names}
    assert {name for name, each in losses.items() if each.generator_reads_real} == {
        "relativistic_paired",
        "relativistic_average",
    }
    for name, each in losses.items():
        assert (name, conformance.check_objective(each, reads_real=each.generator_reads_real)) == (name, [])


@pytest.mark.parametrize(
    "name", [each for each, entry in catalogue.NAMES["constraint"].items() if entry.role == "penalty"]
)
def test_built_in_penalties_conform(name):
    penalty, _ = resolve.constraint([Component.resolve("constraint", name)])
    assert conformance.check_penalty(penalty, (2,)) == []


def test_penalties_add_up_and_projections_follow_each_other():
    given = [{"name": "r1", "gamma": 2.0}, {"name": "clip", "clip_value": 3.0}, {"name": "r2", "gamma": 6.0}]
    given += [{"name": "rescale", "clip_value": 1.0}]
    penalty, project = resolve.constraint([Component.resolve("constraint", each) for each in given])
    real, fake = torch.randn(1, 4, 2), torch.randn(1, 4, 2)
    value = penalty(lambda x: 2 * x[..., 0], real, fake, Streams([0], "penalty"))
    torch.testing.assert_close(value, torch.tensor([(1 + 3) * 4.0]))
    weights = torch.tensor([[-6.0, 1.5]])
    project([weights])
    assert weights.tolist() == [[-1.0, 0.5]]


def test_a_run_trains_with_real_scores_two_penalties_and_packs():
    changes = ["objective='relativistic_paired'", "constraint=['r1', 'r2']", "pack=2", "critic.spectral_norm=true"]
    setting = load("gaussians8", [f"variants.gan.{change}" for change in changes]).setting("gan", "smoke")
    trainer = make_trainer(setting, [0, 1], torch.device("cpu"))
    assert isinstance(trainer.method.objective.objective, objectives.RelativisticPaired)
    assert (trainer.method.pack, trainer.method.generator_reads_real, trainer.method.single_pass) == (2, True, True)
    for _ in range(2):
        trainer.step()
    assert trainer.finite.all()
    assert isinstance(trainer.data, toy.Mixture)


def test_the_estimate_of_a_packed_critic_is_the_difference_of_its_mean_scores():
    changes = ["pack=3", "batch_size=99", "constraint='r1'"]
    setting = load("gaussians8", [f"variants.gan.{change}" for change in changes]).setting("gan", "smoke")
    trainer, trace = make_trainer(setting, [0], torch.device("cpu")), Trace()
    evaluator = Evaluator(setting, [0], torch.device("cpu"), [trace])
    given = Inputs(evaluator, trainer, lambda: None, 0, 0)
    points, network = torch.randn(250, 2), trainer.critic.module_of_seed(0)
    expected = network(points[:249].view(83, 6)).detach()
    torch.testing.assert_close(given.critic(points).detach(), expected)


@pytest.mark.parametrize("measure", ["segment_gradient_norm", "edge_share"])
def test_a_packed_critic_is_not_read_sample_by_sample(measure):
    spec = load("gaussians8", ["variants.gan.pack=2", f"variants.gan.measures.{measure}={{points=1}}"])
    with pytest.raises(SpecError, match=rf"^measures\.{measure}: reads the score of a sample, and pack = 2 joins"):
        preflight.check(expand(spec, "smoke", [0], ["gan"]))
