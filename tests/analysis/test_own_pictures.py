"""Runs on a folder of the user's, of a spec that leaves its pictures to the user."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tests.analysis import factory
from wganbench.analysis.figures import drawings_of
from wganbench.analysis.own_pictures import data_option, with_folder, with_folders
from wganbench.analysis.results import Results
from wganbench.analysis.tables.published import other_runs_of
from wganbench.analysis.verdict import judge
from wganbench.cli import cli
from wganbench.records.record import Record
from wganbench.spec import Experiment, load

HEAD = factory.SPEC.partition("[measures]")[0].replace('"gaussian_ring"', '{ name = "images", size = 16 }')
SPEC = f"""{HEAD}
[measures]
wasserstein_estimate = {{}}

[profiles.quick]
says = "ten steps"
data = "shapes10"
steps = 10

[profiles.paper]
says = "a hundred steps"

[variants.gp]
[variants.clip]

[[claims]]
id = "gp-is-low"
says = "the estimate ends below 1"
test = "sign"
measure = "wasserstein_estimate"
variant = "gp"
at_most = 1.0

[[figures]]
id = "curves"
kind = "curves"
measures = ["wasserstein_estimate"]
"""
CATS, DOGS = ({"folder": name, "digest": digit * 64} for name, digit in (("cats", "c"), ("dogs", "d")))


@pytest.fixture
def spec(tmp_path):
    return factory.made(tmp_path, spec=SPEC)


def runs(
    spec: Experiment, folder: dict[str, str], n: int = 8, *more: str, size: int = 16, month: int = 1
) -> dict[str, Record]:
    """Records of ``n`` runs on a folder, as ``run --data images=FOLDER`` makes them; ``more`` is set as well."""
    data = f'{{ name = "images", size = {size}, folder = "{folder["folder"]}", digest = "{folder["digest"]}" }}'
    given = load(spec.path, [*more, f'profiles."paper".data={data}'])
    made = factory.PROVENANCE.model_copy(update={"started": f"2026-0{month}-01T00:00:00+00:00"})
    about = {"provenance": made, "data_checksum": folder["digest"]}
    found = [factory.record(given, "gp", seed, {"wasserstein_estimate": 0.5}, **about) for seed in range(n)]
    return {record.id: record for record in found}


def test_runs_on_a_folder_are_those_that_the_spec_plans(spec):
    records = runs(spec, CATS)
    assert Results(spec, records).of("gp", "paper") == []  # the spec alone does not know the folder
    results = Results(with_folder(spec, records), records)
    assert results.of("gp", "paper") == [*records.values()]
    assert [verdict.outcome for verdict in judge(results)] == ["reproduced"]
    assert [drawing.used.keys() for drawing in drawings_of(results)] == [{"gp"}]
    assert not other_runs_of(results).rows


def test_the_folder_is_named_in_what_the_profile_says_and_in_commands(spec):
    found = with_folder(spec, runs(spec, CATS))
    assert found.says("paper") == "a hundred steps; pictures: cats, digest cccccccccc"
    assert found.says("quick") == spec.says("quick") == "ten steps"
    assert spec.says("paper") == "a hundred steps"
    assert data_option(found, "paper") == ["--data", "images=cats"]
    assert data_option(spec, "paper") == ["--data", "images=FOLDER"]
    assert data_option(spec, "quick") == []


def test_of_two_folders_the_one_with_more_runs_counts_and_the_other_runs_stay_apart(spec):
    records = runs(spec, CATS, 3) | runs(spec, DOGS, 5)
    results = Results(with_folder(spec, records), records)
    assert results.experiment.says("paper").endswith("pictures: dogs, digest dddddddddd")
    assert len(results.of("gp", "paper")) == 5
    (row,) = other_runs_of(results).rows
    assert (row.data["n_runs"], row.cells["variant"]) == (3, "gp at paper with images→cats [1]")


@pytest.mark.parametrize(("first", "last"), [(CATS, DOGS), (DOGS, CATS)])
def test_of_two_folders_with_as_many_runs_the_last_one_counts(spec, first, last):
    found = with_folder(spec, runs(spec, last, month=2) | runs(spec, first, month=1))
    assert f"pictures: {last['folder']}," in found.says("paper")


@pytest.mark.parametrize(("more", "size"), [(["steps=50"], 16), ([], 32)])
def test_a_run_that_changes_more_than_the_folder_stays_apart(spec, more, size):
    records = runs(spec, CATS, 8, *more, size=size)
    found = with_folder(spec, records)
    assert (found, Results(found, records).of("gp", "paper")) == (spec, [])
    assert len(other_runs_of(Results(found, records)).rows) == 1


def test_a_spec_with_data_of_its_own_is_left_as_it_is(tmp_path, spec):
    toys = factory.made(tmp_path, name="toys")
    assert with_folders([toys, spec], runs(spec, CATS))[0] is toys
    assert with_folder(spec, {}) is spec


def test_from_a_folder_of_pictures_to_a_verdict_and_figures(spec, tmp_path, monkeypatch):
    """As a user would: two folders, one after the other, into one results folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WGANBENCH_DATA", "data")
    for shade, name in enumerate(("cats", "dogs")):
        (tmp_path / name).mkdir()
        for number in range(6):
            Image.fromarray(np.full((20, 16, 3), 100 * shade + 20 * number, np.uint8)).save(f"{name}/{number}.png")
    (tmp_path / "short.toml").write_text(
        SPEC.replace("steps = 100", "steps = 2").replace("at_most = 1.0", "at_most = 1e6")
    )

    def wganbench(*arguments: str) -> str:
        found = CliRunner().invoke(cli, [*arguments], catch_exceptions=False)
        assert found.exit_code == 0, found.output
        return found.output

    selected = ("short.toml", "--profile", "paper", "--variant", "gp")
    planned = (*selected, "--data", "images=cats", "--seeds", "0-7")
    assert "claim gp-is-low: can reach a verdict" in wganbench("plan", *planned)
    wganbench("run", *planned)
    wganbench("run", *selected, "--data", "images=dogs", "--seeds", "0-2")
    wganbench("report", "short.toml")
    page = (tmp_path / "runs/short/README.md").read_text()
    assert "1 claim: 1 reproduced." in page
    assert "pictures: cats, digest" in page
    assert "wganbench run short.toml --profile paper --data images=cats\n" in page
    assert "images→dogs" in page.partition("## Other runs")[2]
    assert (tmp_path / "runs/short/figures/curves.png").exists()
    assert "0 findings" in wganbench("check", "short.toml", "--results", "runs")
    explained = wganbench("explain", "short.toml:gp-is-low")
    assert "verdict      reproduced" in explained
    assert "pictures: cats, digest" in explained
    assert "--set or --data changes gp" in wganbench("plan", *planned, "--set", "data.size=8")
