"""How runs with ``--set`` and ``--data`` are called in tables, and that their numbers show."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.analysis import drawn, factory
from tests.analysis.factory import made, record
from wganbench.analysis.results import Results
from wganbench.analysis.tables.notes import Changes
from wganbench.analysis.tables.published import other_runs_of
from wganbench.analysis.tables.success import overridden_tables
from wganbench.cli import cli
from wganbench.records.store import Store

DIGEST = "0123456789abcdef" * 4
FOLDER = f'{{name = "image_folder", folder = "cifar10-jpeg75", size = 32, digest = "{DIGEST}"}}'
LONG = f"critic.hidden=[{'64, ' * 12}64]"

IMAGES = (
    factory.SPEC.partition("[measures]")[0].replace('data = "gaussian_ring"', 'data = "cifar10"')
    + """
[measures]
wasserstein_estimate = {}
[profiles.paper]
[variants.good]
"""
)


@pytest.fixture
def images(tmp_path):
    return made(tmp_path, spec=IMAGES)


def changed(tmp_path, seed, *overrides, value=1.0):
    return record(made(tmp_path, spec=IMAGES, overrides=overrides), "good", seed, {"wasserstein_estimate": value})


def test_a_label_is_short_and_a_footnote_has_all_of_it(tmp_path, images):
    folder = changed(tmp_path, 0, f'profiles."paper".data={FOLDER}')
    much = changed(tmp_path, 0, f'profiles."paper".data={FOLDER}', "n_critic=9", LONG)
    changes = Changes([images])
    assert changes.label(changed(tmp_path, 0, "n_critic=9", "steps=7")) == "n_critic=9, steps=7"
    assert changes.label(folder) == "cifar10→cifar10-jpeg75 [1]"
    assert changes.label(much) == "cifar10→cifar10-jpeg75, n_critic=9, hidden=… [2]"
    assert changes.label(folder.model_copy(update={"seed": 3})) == "cifar10→cifar10-jpeg75 [1]"
    assert changes.label(changed(tmp_path, 0)) == ""
    first, second = changes.notes()
    assert first == f"[1] Changed by --set or --data: {folder.overrides[0]}."
    assert DIGEST in first
    assert all(text in second for text in much.overrides)


@pytest.mark.parametrize("gone", [{"variant": "gone"}, {"profile": "gone"}, {"experiment": "gone"}])
def test_where_the_spec_has_the_run_no_more_the_folder_is_named_alone(tmp_path, images, gone):
    odd = changed(tmp_path, 0, f"data={FOLDER}").model_copy(update=gone)
    assert Changes([images]).label(odd) == "data→cifar10-jpeg75 [1]"


def test_other_runs_are_pooled_by_setting_and_show_their_numbers(tmp_path, images):
    found = [changed(tmp_path, seed, f"data={FOLDER}", value=2.0 + seed) for seed in (0, 1)]
    found += [changed(tmp_path, 0, "n_critic=9", value=7.0), changed(tmp_path, 0, value=9.0)]
    table = other_runs_of(Results(images, {each.id: each for each in found}))
    shown = {row.cells["variant"]: (row.cells["mean [95 % interval]"], row.cells["n"]) for row in table.rows}
    assert shown.keys() == {
        "good at paper with n_critic=9",
        "good at paper with cifar10→cifar10-jpeg75 [1]",
    }
    assert shown["good at paper with n_critic=9"] == ("7", "1")
    mean, n = shown["good at paper with cifar10→cifar10-jpeg75 [1]"]
    assert (mean.partition(" ")[0], n) == ("2.5", "2")
    assert [row.data["overrides"] for row in table.rows if row.cells["variant"].endswith(" with n_critic=9")] == [
        "n_critic=9"
    ]
    assert table.notes[-1].startswith("[1] Changed by --set or --data: data=")


@pytest.mark.parametrize("form", [[], ["--format", "markdown"], ["--format", "csv"]])
def test_report_prints_the_runs_that_were_changed_by_an_option(tmp_path, images, form):
    store = Store(tmp_path / "results")
    store.write(changed(tmp_path, 0, "n_critic=9", value=7.125))
    arguments = ["report", images.path, "--results", str(store.root), *form]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "7.12" in result.output
    assert "n_critic=9" in result.output


def test_a_success_table_of_other_images_has_a_short_title(tmp_path):
    experiment = drawn.spec(tmp_path)
    path = Path(experiment.path)
    text = path.read_text()
    spec = drawn.spec(tmp_path, overrides=[f"data={FOLDER}"])
    path.write_text(text)
    found = drawn.by_id(drawn.runs(spec, [(1.0, 6.0)] * 3))
    (table,) = overridden_tables(Results(experiment, found))
    assert table.title == (
        "drawn, paper with imagenet32→cifar10-jpeg75 [1]: architectures that score above a threshold"
    )
    assert table.notes[-1].startswith("[1] Changed by --set or --data: data=")
