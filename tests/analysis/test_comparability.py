"""What tables say of scores, and what they never set beside them."""

from __future__ import annotations

import shutil

import pytest

from tests.analysis import factory
from tests.measures.scores.imaged import CLASSIFIER, SPEC
from wganbench.analysis.comparability import may_stand_beside_published, protocol_of
from wganbench.analysis.figures import draw, drawings_of
from wganbench.analysis.report import compose
from wganbench.analysis.results import Results
from wganbench.analysis.tables import table
from wganbench.analysis.tables.against import compare
from wganbench.analysis.tables.by_variant import by_variant
from wganbench.analysis.tables.published import other_runs, results_table
from wganbench.analysis.tables.table import NONE
from wganbench.analysis.verdict import judge
from wganbench.errors import DataError
from wganbench.measures.scores.protocol import (
    PUBLISHED,
    classifier_in,
    of_classifier,
    of_stacked,
    path_of,
    paths,
    read_about,
    shipped_folder,
    with_counts,
)
from wganbench.records.store import Store
from wganbench.runner.evaluation import due_steps
from wganbench.spec import load, scale_of
from wganbench.spec.catalogue import CUSTOM

PUBLISHED_ROWS = """
[[published]]
variant = "gp"
measure = "inception_score"
value = 6.58
source = "table 3"
[[published]]
row = "DCGAN"
measure = "inception_score"
value = 6.16
source = "table 3"
[[figures]]
id = "scores"
kind = "curves"
measures = ["inception_score"]
"""
OURS = of_classifier(CLASSIFIER)
ABOUT = read_about(path_of(CLASSIFIER))


@pytest.fixture(autouse=True)
def own_data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))


def made(tmp_path, *, score=None, data=None, published=PUBLISHED_ROWS):
    spec = SPEC.replace("[profiles.smoke]", "[profiles.paper]")
    spec = spec if score is None else "\n".join(s for s in spec.splitlines() if not s.startswith("score =")) + "\n"
    spec = spec.replace("[profiles.paper]", f"[profiles.paper]\nscore = '{score}'") if score else spec
    if data:
        spec = spec.replace('{ name = "shapes10", size = 16 }', data)
    return factory.made(tmp_path, published, spec=spec)


def recorded(experiment, protocol, n=2, **changes):
    changes = {"data_checksum": ABOUT.train_checksum, **changes}
    found = [
        factory.record(experiment, "gp", seed, {"inception_score": 3.0 + seed}, score_protocol=protocol, **changes)
        for seed in range(n)
    ]
    return {record.id: record for record in found}


def texts(found):
    return [cell for row in found.rows for cell in row.cells.values()]


def about_scores(found):
    return [note for note in found.notes if note.startswith("Scores by ")]


# ---- the note -------------------------------------------------------------------------------------------------------


def test_a_table_says_how_accurate_the_classifier_is_and_what_real_images_score(tmp_path):
    experiment = made(tmp_path)
    records = recorded(experiment, OURS)
    (note,) = about_scores(results_table(Results(experiment, records), "paper"))
    assert note == (
        f"Scores by {OURS}: a classifier of this suite's, trained on shapes10 at 16×16 (test accuracy 99.99 %). The "
        f"test images themselves score 9.95 ± 0.01 (over splits), the most is 10. Its scores are compared with each "
        f"other and with nothing that is published."
    )
    assert about_scores(by_variant(Results(experiment, records), "paper")) == [note]
    assert about_scores(compare(Results(experiment, records), Results(experiment, records), "paper")) == [note]
    store = Store(tmp_path / "results")
    for record in records.values():
        store.write(record)
    assert note in compose([experiment], store, records, tmp_path / "results").pages[f"{experiment.name}/README.md"]


@pytest.mark.parametrize(
    ("data", "checksum", "said"),
    [
        ('{ name = "cifar10", size = 16 }', "a" * 64, "cifar10"),
        ('{ name = "image_folder", folder = "tiny-imagenet64", size = 16 }', "a" * 64, "tiny-imagenet64"),
        ('{ name = "shapes10", size = 16 }', "a" * 64, "shapes10"),  # other images under the same name
    ],
)
def test_a_classifier_of_other_data_is_told(tmp_path, data, checksum, said):
    experiment = made(tmp_path, data=data)
    (note,) = about_scores(
        results_table(Results(experiment, recorded(experiment, OURS, data_checksum=checksum)), "paper")
    )
    assert f" It was not trained on what it scores here: {said}. " in note


def test_runs_that_no_spec_plans_have_the_note_too(tmp_path):
    experiment = made(tmp_path)
    records = recorded(experiment, OURS)
    others = other_runs([], records)
    assert len(about_scores(others)) == 1
    assert others.rows[0].cells["measure"] == f"inception_score ↑ by {OURS}"


def test_a_classifier_that_is_not_here_is_named_and_a_damaged_one_stops_the_report(tmp_path):
    experiment = made(tmp_path)
    records = recorded(experiment, of_classifier("stripes-16-12345678"))
    (note,) = about_scores(results_table(Results(experiment, records), "paper"))
    assert "whose file is not here; stripes-16-12345678.safetensors says how accurate it is" in note
    own = tmp_path / "data" / "classifiers" / "stripes-16-12345678.safetensors"
    own.parent.mkdir(parents=True)
    shutil.copy(path_of(CLASSIFIER), own)
    with pytest.raises(DataError, match=rf"^{own}: its SHA-256 begins with 8c9f1cc8, its name says another"):
        results_table(Results(experiment, records), "paper")


def test_points_have_no_note(tmp_path):
    experiment = factory.made(tmp_path, factory.PUBLISHED)
    found = results_table(
        Results(experiment, {r.id: r for r in factory.records(experiment, "good", factory.GOOD)}), "paper"
    )
    assert about_scores(found) == []
    assert {row.data["protocol"] for row in found.rows} == {None}


# ---- what is published ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [OURS, "inception@12345678-uncalibrated", "mine@1"])
def test_a_published_score_never_stands_beside_another_network_s(tmp_path, protocol):
    experiment = made(tmp_path)
    records = recorded(experiment, protocol)
    for found in (
        results_table(Results(experiment, records), "paper"),
        compare(Results(experiment, records), Results(experiment, records), "paper"),
    ):
        assert not any("6.58" in cell or "6.16" in cell or "context" in cell for cell in texts(found))
        assert {row.data["published"] for row in found.rows} == {None}
        assert [note for note in found.notes if note.startswith("Published values of inception_score are left out")]
        assert f"inception_score ↑ by {protocol}" in texts(found)
        assert not any("table 3" in note for note in found.notes)


def test_it_does_where_the_inception_graph_itself_scores(tmp_path):
    experiment = made(tmp_path, score="inception")
    for records in (recorded(experiment, PUBLISHED), {}):
        found = results_table(Results(experiment, records), "paper")
        assert ["6.58 [1]", "–", "6.16 [1]"] == [row.cells["published"] for row in found.rows]
        assert not any("left out" in note for note in found.notes)
    assert about_scores(results_table(Results(experiment, recorded(experiment, PUBLISHED)), "paper"))


def test_before_any_run_the_planned_network_decides(tmp_path):
    found = results_table(Results(made(tmp_path), {}), "paper")
    assert {row.cells["published"] for row in found.rows} == {"–"}
    assert {row.cells["measure"] for row in found.rows} == {f"inception_score ↑ by {OURS}"}


def test_columns_name_the_protocol(tmp_path):
    experiment = made(tmp_path, published="")
    (cells,) = table.shown_cells(by_variant(Results(experiment, recorded(experiment, OURS)), "paper"))
    assert list(cells) == ["variant", f"inception_score ↑ by {OURS}", "inception_score, best (at step)", "n"]


def test_what_is_made_of_a_score_is_one_by_the_same_network():
    setting = load("fig3").setting("wgan-clip", "reduced")
    protocols = {label: protocol_of(use, setting) for label, use in setting.measures.items()}
    ours = of_classifier(setting.score.options["file"])
    assert {protocols[label] for label in ("inception_score", "late_mean", "late_spread_1k")} == {ours}
    assert protocols["training_seconds"] is None and protocols["wasserstein_estimate"] is None


def test_the_published_protocol_s_name_has_the_counts_of_the_score(tmp_path):
    setting = load("table3").setting("wgan-gp", "paper")
    runs = recorded(made(tmp_path), PUBLISHED).values()
    named = {label: protocol_of(use, setting, list(runs)) for label, use in setting.measures.items()}
    assert named["inception_score"] == named["frechet_distance"] == "inception@tf2015-10split-50k"
    assert named["inception_score_5k"] == "inception@tf2015-10split-5k"
    assert named["wasserstein_estimate"] is None
    assert all(may_stand_beside_published(name, scale_of(setting.measures[label])) for label, name in named.items())
    of_fig3 = load("fig3").setting("wgan-clip", "paper")
    assert protocol_of(of_fig3.measures["late_mean_1k"], of_fig3, list(runs)) == "inception@tf2015-10split-1k"


def test_no_other_protocol_s_name_has_counts():
    assert with_counts(PUBLISHED, 2_500, 5) == "inception@tf2015-5split-2500"
    for other in (OURS, "inception@12345678-uncalibrated", "inception"):
        assert with_counts(other, 2_500, 5) == other
    for other in (OURS, "inception@12345678-uncalibrated"):
        assert not may_stand_beside_published(other, CUSTOM)


def test_counts_of_labels_stand_beside_published_ones_and_other_scores_by_the_same_classifier_do_not(tmp_path):
    """On stacked MNIST every paper counts modes with a classifier of digits of its own."""
    experiment = load("stacked-mnist")
    file = experiment.setting("gan", "paper").score.options["file"]
    run = factory.record(experiment, "gan", 0, {"modes": 101.0, "distance": 3.0}, score_protocol=of_stacked(file))
    found = results_table(Results(experiment, {run.id: run}), "paper", measures=["modes", "distance"])
    modes = {row.cells["variant"]: row.cells["published"] for row in found.rows if row.data["measure"] == "modes"}
    assert modes["context: VEEGAN"].startswith("150 [") and modes["gan"] == NONE
    assert not [row for row in found.rows if row.data["measure"] == "distance" and "context" in row.cells["variant"]]
    (note,) = about_scores(found)
    about = "trained on mnist at 28×28 (test accuracy 99.65 %), "
    assert note.startswith(f"Scores by stacked@{file}: the classifier {file}, {about}")
    assert protocol_of(experiment.setting("gan", "paper").measures["kl"], run.setting) == of_stacked(file)


def test_between_its_scores_of_50_000_samples_table_3_has_a_score_of_5_000_at_200_steps():
    setting = load("table3").setting("wgan-gp", "paper")
    due = due_steps(setting)
    dear, cheap = due["inception_score"], due["inception_score_5k"]
    assert (len(dear), dear[-1]) == (20, setting.steps) and set(dear) < set(cheap) and due["frechet_distance"] == dear
    images = 50_000 * len(dear) + 5_000 * len(set(cheap) - set(dear))
    assert images < 200 * 50_000 / 5


def test_a_figure_s_axis_names_the_protocol(tmp_path):
    experiment = made(tmp_path)
    records = recorded(experiment, OURS)
    (drawing,) = drawings_of(Results(experiment, records))
    figure = draw(drawing, Store(tmp_path))
    assert f"score by\n{OURS}" in {axes.get_ylabel() for axes in figure.axes}


# ---- names and files ------------------------------------------------------------------------------------------------


def test_a_protocol_leads_to_its_classifier_and_one_trained_here_comes_first(tmp_path):
    assert classifier_in(OURS) == classifier_in(of_stacked(CLASSIFIER)) == CLASSIFIER
    assert classifier_in(PUBLISHED) is None
    shipped = shipped_folder() / f"{CLASSIFIER}.safetensors"
    assert path_of(CLASSIFIER) == shipped
    own = tmp_path / "data" / "classifiers" / shipped.name
    own.parent.mkdir(parents=True)
    shutil.copy(shipped, own)
    assert path_of(CLASSIFIER) == own
    assert own in paths() and shipped not in paths()
    assert read_about(own) == ABOUT


# ---- verdicts -------------------------------------------------------------------------------------------------------

AS_PUBLISHED = """
[[claims]]
id = "as-published"
says = "the mean score is the published one"
test = "tost"
measure = "inception_score"
variant = "gp"
equals = 5.0
within = 2.5
"""


@pytest.mark.parametrize("protocol", [OURS, "inception@1a2b3c4d-uncalibrated"])
def test_a_published_score_is_no_claim_about_another_networks(tmp_path, protocol):
    experiment = made(tmp_path, published=AS_PUBLISHED, score="inception")
    (verdict,) = judge(Results(experiment, recorded(experiment, protocol, n=5)))
    assert verdict.outcome == "inconclusive"
    assert verdict.why == f"the runs were scored by {protocol}, and the published value was not"
    (verdict,) = judge(Results(experiment, recorded(experiment, PUBLISHED, n=5)))
    assert verdict.outcome == "reproduced"
