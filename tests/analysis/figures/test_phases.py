"""Phase planes: the vector field against derivatives of the losses themselves, and what is drawn of which records."""

import numpy as np
import pytest
import torch

from tests.analysis.factory import made, record
from tests.analysis.figures.kept import subtitle
from wganbench.analysis.figures import draw, drawings_of
from wganbench.analysis.figures.phases import ARROWS, Cell, directions, draw_cell
from wganbench.records.record import Curve
from wganbench.rng import Streams
from wganbench.runner import resolve
from wganbench.spec import load

SPEC = load("dirac-gan")
METHODS = [variant for variant in SPEC.variants if variant.endswith("-simultaneous")]
POINTS = np.array([[0.5, 1.5], [-0.7, 0.4], [1.2, -0.3], [-1.1, -0.9]])


def steepest_descent(setting, theta, psi):
    """The negative gradients of both losses, by autograd, at a point inside any bound of ψ."""
    theta, psi = (torch.tensor([[value]], dtype=torch.float64, requires_grad=True) for value in (theta, psi))
    losses, (penalty, _) = resolve.objective(setting.objective), resolve.constraint(setting.constraints)

    def critic(x):
        return (x * psi).flatten(1)

    real, fake = torch.zeros(1, 1, 1, dtype=torch.float64), theta[None]
    own = (critic(real),) if losses.generator_reads_real else ()
    (of_theta,) = torch.autograd.grad(losses.generator_loss(critic(fake), *own).sum(), theta)
    loss = losses.critic_loss(critic(real), critic(fake.detach()))
    if penalty is not None:
        loss = loss + penalty(critic, real, fake.detach(), Streams([0], "penalty"))
    (of_psi,) = torch.autograd.grad(loss.sum(), psi)
    return np.array([-of_theta.item(), -of_psi.item()])


@pytest.mark.parametrize("variant", METHODS)
def test_arrows_point_down_both_losses(variant):
    setting = SPEC.setting(variant, "paper")
    bounded = any(each.name in ("clip", "rescale") for each in setting.constraints)
    points = POINTS[1:] if bounded else POINTS
    found = np.array(directions(setting, *points.T)).T
    expected = np.array([steepest_descent(setting, *point) for point in points])
    np.testing.assert_allclose(found, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-9)


def test_beyond_its_bound_a_clipped_slope_goes_back():
    field = directions(SPEC.setting("wgan-clip-simultaneous", "paper"), np.array([0.0]), np.array([1.5]))
    assert field[1][0] < 0


def test_a_player_at_the_equilibrium_rests():
    field = directions(SPEC.setting("gan-r1-simultaneous", "paper"), np.zeros(1), np.zeros(1))
    assert [part.tolist() for part in field] == [[0.0], [0.0]]


def test_other_networks_and_custom_losses_have_no_field():
    ring = load("gaussians8").setting("gan", "paper")
    custom = load("dirac-gan", ["variants.gan-simultaneous.objective='mine:loss'"])
    for setting in (ring, custom.setting("gan-simultaneous", "paper")):
        assert directions(setting, np.ones(1), np.ones(1)) is None


def test_a_cell_shows_each_path_from_its_start_to_its_end(axes):
    path = np.array([[1.0, -1.0], [0.5, -1.5], [np.nan, 0.0], [0.25, -0.5]])
    draw_cell(axes, Cell("gan", [path], SPEC.setting("gan-simultaneous", "paper")), 2.0)
    equilibrium, line, start, end = axes.lines
    np.testing.assert_array_equal(line.get_xydata(), path)
    assert [each.get_xydata().tolist() for each in (equilibrium, start, end)] == [[[0, 0]], [[1, -1]], [[0.25, -0.5]]]
    (arrows,) = axes.collections
    assert arrows.N == ARROWS**2


FIGURE = '[[figures]]\nkind = "phases"\nx = "sectors_occupied"\ny = "exact_wasserstein"\n'


def test_paths_are_drawn_from_the_records(tmp_path, store):
    experiment = made(tmp_path, FIGURE)
    for variant, end in (("good", 3.0), ("bad", 30.0)):
        for seed in range(2):
            curves = {
                "sectors_occupied": Curve(steps=[0, 50, 100], values=[1.0, 2.0, end]),
                "exact_wasserstein": Curve(steps=[0, 100], values=[0.0, 4.0 + seed]),
            }
            store.write(record(experiment, variant, seed, {}, curves=curves))
    store.write(record(experiment, "good", 2, {}))
    (drawing,) = drawings_of(experiment, store.load())
    assert {variant: len(used) for variant, used in drawing.used.items()} == {"good": 2, "bad": 2}
    figure = draw(drawing, store)
    good, bad = figure.axes
    assert good.lines[1].get_xydata().tolist() == [[1, 0], [3, 4]], "the steps at which both were taken"
    assert good.get_title(loc="center") == "good\n5 to 5.83"
    assert not bad.collections, "its networks have no vector field"
    assert "across: sectors_occupied, up: exact_wasserstein, ±2" in subtitle(figure)
    assert subtitle(figure).endswith("; lines join every 50 steps")
