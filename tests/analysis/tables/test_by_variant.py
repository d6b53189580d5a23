import pytest

from tests.analysis import drawn
from tests.analysis.factory import CLAIMS, PUBLISHED, fill, made, record
from wganbench.analysis.results import Results
from wganbench.analysis.tables.by_variant import overview
from wganbench.analysis.tables.table import render, shown_cells
from wganbench.records.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def filled(tmp_path, store, *parts):
    experiment = made(tmp_path, CLAIMS, *parts)
    store.prepare(["made"])
    return experiment, fill(store, experiment)


def test_without_published_numbers_a_row_is_a_variant_and_a_column_a_measure(tmp_path, store):
    experiment, found = filled(tmp_path, store)
    table = overview(Results(experiment, found), "paper")
    cells = shown_cells(table)
    assert [each["variant"] for each in cells] == ["good", "bad"]
    assert list(cells[0]) == ["variant", "sectors_occupied ↑", "exact_wasserstein ↓ (distance)", "n"]
    good = {
        label: [each.measures[label] for each in found.values() if each.variant == "good"]
        for label in ("sectors_occupied", "exact_wasserstein")
    }
    assert cells[0]["sectors_occupied ↑"].startswith("median ")
    mean = sum(good["exact_wasserstein"]) / len(good["exact_wasserstein"])
    assert table.rows[0].data["exact_wasserstein_mean"] == pytest.approx(mean)
    assert table.rows[0].data["sectors_occupied_n"] == len(good["sectors_occupied"])
    assert len(render(table, "markdown").splitlines()[0].split("|")) == 6


def test_a_variant_without_runs_has_no_row_and_one_without_the_measure_a_dash(tmp_path):
    experiment = made(
        tmp_path,
        CLAIMS,
        "[variants.other]\nmeasures.kde_peaks = {}\n",
        "[[figures]]\nid = 'drawn'\nkind = 'curves'\nmeasures = ['kde_peaks']\n",
    )
    values = {"sectors_occupied": 3.0, "exact_wasserstein": 1.0, "wasserstein_floor": 0.1}
    some = [record(experiment, "good", seed, values) for seed in range(3)]
    some += [record(experiment, "other", seed, {**values, "kde_peaks": 5.0}) for seed in range(3)]
    table = overview(Results(experiment, {each.id: each for each in some}), "paper")
    cells = {row.cells["variant"]: row.cells["kde_peaks ↑"] for row in table.rows}
    assert cells == {"good": "–", "other": "median 5 [5, 5] at 75 %"}


def test_with_published_numbers_they_stand_beside_the_measured_ones(tmp_path, store):
    experiment, found = filled(tmp_path, store, PUBLISHED)
    assert "published" in overview(Results(experiment, found), "paper").rows[0].cells


def test_nothing_recorded_is_no_row(tmp_path):
    assert overview(Results(made(tmp_path, CLAIMS), {}), "paper").rows == ()


REFERENCE = """
[variants.dcgan]
objective = "non_saturating"
generator = { name = "dcgan_generator", filters = 64 }
critic = { name = "dcgan_critic", filters = 64 }
generator_optimizer = { name = "adam", lr = 2e-4 }
critic_optimizer = { name = "adam", lr = 2e-4 }
"""
CITED = """
[[published]]
variant = "dcgan"
measure = "inception_score"
value = 7.24
source = "somebody"
"""


@pytest.mark.parametrize("more", [(), (CITED,)], ids=["unpublished", "published"])
def test_random_architectures_have_no_row_as_their_success_table_is_shown(tmp_path, more):
    experiment = drawn.spec(tmp_path, REFERENCE, *more)
    found = [*drawn.runs(experiment, [(1.0, 6.0)] * 3), drawn.run(experiment, "dcgan", 7.0)]
    table = overview(Results(experiment, drawn.by_id(found)), "paper")
    assert [row.cells["variant"] for row in table.rows] == ["dcgan"]
