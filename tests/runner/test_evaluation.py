"""What measures and pictures are given, and what is kept of a run for its figures."""

import math
import sys

import numpy as np
import pytest
import torch

from tests.runner.test_run_all import execute
from wganbench.errors import ExtensionError, SpecError
from wganbench.records.store import Store
from wganbench.runner.evaluation import schedule, snapshots
from wganbench.spec import load

FIXED = """
[variants.fixed]
fixed_generator = { name = "translated", by = 2.0 }
constraint = { name = "gradient_penalty", penalty_weight = 7.0 }
"""
PICTURES = """
[pictures]
layer_norms = {}
weights = { name = "weight_histogram", bins = 5 }
"""
SEEN = """
seen = []

def look(fake, real, data, fixed, critic, network, rng, penalty_weight, curves):
    curves = {label: (list(steps), list(values)) for label, (steps, values) in curves.items()}
    seen.append({**locals(), "scores": critic(real), "copied": network(real)})
    return len(curves)
"""


@pytest.fixture
def look(tmp_path, monkeypatch):
    (tmp_path / "looking.py").write_text(SEEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield '[measures."looking:look"]\npoints = 2\n'
    sys.modules.pop("looking", None)


def seen():
    return sys.modules["looking"].seen


def test_a_fixed_generator_makes_each_fake_of_the_real_in_its_row(tiny, tmp_path, look):
    (record,) = execute(tiny(look + FIXED), Store(tmp_path / "results"), seeds=[0], variants=["fixed"])
    assert record.status == "finished", record.note
    assert set(record.curves) == {"critic_loss", "modes_covered", "sectors_occupied", "looking:look"}
    for given in seen():
        assert torch.equal(given["fake"], given["real"] + torch.tensor([2.0, 0.0]))
        assert given["fixed"].distance(given["data"]) == 2.0
        assert given["penalty_weight"] == 7.0


def test_measures_see_the_critic_in_both_forms_and_the_curves_so_far(tiny, tmp_path, look):
    (record,) = execute(tiny(look), Store(tmp_path / "results"), seeds=[0], variants=["clip"])
    first, last = seen()
    assert torch.equal(first["scores"], first["copied"])
    assert not torch.equal(first["scores"], last["scores"])
    assert math.isnan(first["penalty_weight"])
    assert first["fixed"] is None
    assert last["curves"]["modes_covered"][0] == [0, 1, 4]
    assert record.measures["looking:look"] == 5  # two measures before it, itself, and two losses


def test_where_the_generator_is_averaged_measures_see_the_average(tiny, tmp_path, look):
    """An average that keeps all but nothing of its past shows the first generator, and the losses are those without."""
    losses = []
    for place, extra in enumerate(("", "generator_average = 0.9999999999\n", "generator_optimizer.lr = 1e-30\n")):
        path = tiny(f"{look}\n[variants.plain]\n{extra}", f"tiny{place}")
        (record,) = execute(path, Store(tmp_path / str(place)), seeds=[0], variants=["plain"])
        losses.append((record.curves["critic_loss"].values, record.curves["generator_loss"].values))
    _, trained, _, averaged, _, still = (given["fake"] for given in seen())
    assert losses[0] == losses[1] != losses[2]
    torch.testing.assert_close(averaged, still, rtol=1e-6, atol=1e-7)
    assert (trained - still).abs().max() > 1e-4


def test_every_seed_keeps_its_pictures_and_the_first_its_samples(tiny, tmp_path):
    store = Store(tmp_path / "results")
    records = execute(tiny(PICTURES), store, seeds=[3, 5], variants=["gp"])
    kept = []
    for record in records:
        with np.load(store.path(record).parent / record.artefacts[0].file) as arrays:
            kept.append({name: arrays[name] for name in arrays})
    pictures = {"steps", "picture.layer_norms", "picture.weights"}
    assert [set(arrays) for arrays in kept] == [pictures | {"fake", "real"}, pictures]
    for arrays in kept:
        assert arrays["steps"].tolist() == [0, 4]
        assert arrays["picture.layer_norms"].shape == (2, 3)
        assert arrays["picture.layer_norms"].dtype == np.float64  # norms lie below what float32 holds
        assert arrays["picture.weights"].shape == (2, 5, 3)
        assert arrays["picture.weights"][1, :, 2].sum() == pytest.approx(1)
    assert not np.array_equal(kept[0]["picture.layer_norms"], kept[1]["picture.layer_norms"])


def test_pictures_change_no_number(tiny, tmp_path):
    plain = execute(tiny(), Store(tmp_path / "a"), seeds=[3, 5])
    pictured = execute(tiny(PICTURES), Store(tmp_path / "b"), seeds=[3, 5])
    assert [record.curves for record in plain] == [record.curves for record in pictured]
    assert [record.id for record in plain] == [record.id for record in pictured]


def test_a_critic_that_diverges_ends_its_run(tiny, tmp_path):
    extra = FIXED + "critic_optimizer = { name = 'rmsprop', lr = 1e38 }\n"
    (record,) = execute(tiny(extra), Store(tmp_path / "results"), seeds=[0], variants=["fixed"])
    assert record.status == "diverged"


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        (
            "[measures.gradient_slope]\npoints = 1\n[variants.flat.critic]\nhidden = []\n",
            "measures.gradient_slope: needs a critic of at least 2 hidden layers, got 0",
        ),
        (
            "[measures.gradient_slope]\npoints = 1\n",
            "measures.gradient_slope: needs a critic of at least 2 hidden layers, got 1",
        ),
        (
            "[measures.exact_wasserstein]\nsamples = 50_000\n",
            "measures.exact_wasserstein: samples: 50,000 need 95 GiB; at most 10,000 (4 GiB)",
        ),
        (
            "[measures.exact_wasserstein]\nsamples = 61\n",
            "measures.exact_wasserstein.samples: must be at most measured_samples (60), got 61",
        ),
        (
            FIXED.replace("7.0", "0.0"),
            "variants.fixed, constraint: penalty_weight: must be greater than 0, got 0.0",
        ),
        (FIXED.replace("2.0", "inf"), "variants.fixed.fixed_generator.by: must be a finite number, got inf"),
        (
            FIXED.replace("translated", "transported"),
            "variants.fixed, fixed_generator: unknown fixed generator 'transported'",
        ),
        ("[pictures]\nsurface = {}\n", "pictures.surface: unknown picture 'surface'"),
    ],
)
def test_what_cannot_be_measured_is_reported_before_any_training(tiny, extra, line):
    with pytest.raises(SpecError) as caught:
        load(tiny(extra))
    assert any(line in each for each in str(caught.value).splitlines()), caught.value


def test_a_picture_that_takes_what_nobody_gives_is_refused(tiny, tmp_path, monkeypatch):
    (tmp_path / "odd.py").write_text("def odd(weather):\n    return [1.0]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ExtensionError, match=r"picture 'odd:odd': takes weather; its positional parameters must be"):
        execute(tiny('[pictures]\n"odd:odd" = {}\n'), Store(tmp_path / "results"), seeds=[0])


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        (
            "[measures.transport_error]\npoints = 1\n",
            "measures.transport_error: reads a fixed generator, and the setting has none; set fixed_generator",
        ),
        (
            "fixed_generator = 'noised'\n[measures.fixed_wasserstein]\n[measures.transport_error]\n",
            "measures.transport_error: there is no formula for the distance from 'gaussian_ring' to 'noised' of it; "
            "use fixed_wasserstein",
        ),
        (
            "fixed_generator = { name = 'scaled', factor = 2.0 }\n[measures.gap_law_ratio]\n",
            "measures.gap_law_ratio: there is no formula for the distance from 'gaussian_ring' to 'scaled' of it; "
            "use fixed_wasserstein",
        ),
    ],
)
def test_a_measure_that_the_fixed_generator_cannot_serve_is_reported_before_any_training(tiny, tmp_path, extra, line):
    top, brackets, measures = extra.partition("[")
    path = tiny(brackets + measures)
    path.write_text(path.read_text().replace("steps = 4\n", f"steps = 4\n{top}", 1))
    with pytest.raises(SpecError) as caught:
        execute(path, Store(tmp_path / "results"), seeds=[0])
    assert str(caught.value) == line
    assert not (tmp_path / "results").exists()


def test_a_custom_fixed_generator_needs_no_formula(tiny, tmp_path, monkeypatch):
    text = "class Same:\n    independent = False\n\n    def __call__(self, real, noise):\n        return real\n"
    (tmp_path / "same.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = tiny("[variants.same]\nfixed_generator = 'same:Same'\nconstraint = 'gradient_penalty'\n")
    (record,) = execute(path, Store(tmp_path / "results"), seeds=[0], variants=["same"])
    assert record.status == "finished", record.note


# ---- steps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 3, 10, 1_500, 50_000])
@pytest.mark.parametrize("points", [1, 2, 3, 10, 20, 200])
def test_a_schedule_ends_on_the_last_step_and_keeps_to_its_size(steps, points):
    chosen = schedule(steps, points)
    assert len(chosen) <= points
    assert chosen == sorted(set(chosen))
    assert chosen[-1] == steps
    assert points == 1 or chosen[0] == 0


def test_half_of_a_schedule_is_regular_and_half_logarithmic():
    chosen = schedule(50_000, 100)
    regular = [round(k * 50_000 / 49) for k in range(50)]
    assert set(regular) <= set(chosen)
    assert sum(step < 1000 for step in chosen) >= 25  # most decades lie before the second regular point


@pytest.mark.parametrize("steps", [3, 40, 1_500, 100_000])
def test_an_even_schedule_is_all_regular_and_lies_in_one_of_ten_times_the_points(steps):
    few, many = (schedule(steps, points, even=True) for points in (20, 191))
    assert set(few) <= set(many)
    assert few == sorted({round(k * steps / 19) for k in range(20)})
    assert schedule(steps, 1, even=True) == [steps]


def test_snapshots_are_at_the_write_ups_epochs():
    assert snapshots(50_000, [0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0]) == [0, 500, 2500, 5000, 10_000, 25_000, 50_000]
    assert snapshots(3, [0.0, 0.01, 0.1, 1.0]) == [0, 3]
