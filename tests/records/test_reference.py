"""Which records ``wganbench merge`` is to take in: a folder's, one experiment's in it, or the committed ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.analysis import factory
from wganbench.cli import cli
from wganbench.errors import RecordError
from wganbench.records.reference import reference_folder, source
from wganbench.records.store import Store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def theirs(tmp_path, monkeypatch) -> Store:
    """Two experiments in ``theirs``, with one record each, and a damaged one in the second."""
    monkeypatch.chdir(tmp_path)
    store = Store("theirs")
    for name in ("first", "second"):
        values = {measure: row[0] for measure, row in factory.GOOD.items()}
        store.write(factory.record(factory.made(tmp_path, name=name), "good", 0, values))
    (store.root / "second" / f"good-{'0' * 10}-s1.json").write_text("{")
    return store


def experiments(text: str) -> set[str]:
    return {path.parent.name for path in source(text).store.paths()}


def test_the_committed_records_are_those_of_the_clone():
    assert reference_folder() == ROOT / "results"
    assert source("reference").store.root == ROOT / "results"
    assert source("reference").has_artefacts
    assert experiments("elu") == {"elu"}


def test_a_results_folder_is_taken_whole_and_one_experiments_folder_alone(theirs, monkeypatch):
    assert experiments("theirs") == {"first", "second"}
    assert experiments("theirs/first") == experiments("theirs/first/") == {"first"}
    monkeypatch.chdir("theirs/second")
    assert experiments("../first") == {"first"}
    assert experiments(".") == {"second"}
    assert experiments("..") == {"first", "second"}


def test_a_folder_comes_before_an_experiment_of_the_same_name(theirs):
    Path("elu").mkdir()
    assert experiments("elu") == set()


def test_merge_takes_one_experiment_and_sees_nothing_of_the_one_beside_it(theirs):
    result = CliRunner().invoke(cli, ["merge", "theirs/first", "--results", "mine"])
    assert (result.exit_code, result.output) == (0, "theirs/first: 1 record taken in, 0 were here, 0 refused\n")
    assert [record.experiment for record in Store("mine").load().values()] == ["first"]


def test_what_names_no_records_is_one_line_and_nothing_is_taken_in_before_it(theirs):
    with pytest.raises(RecordError, match=r"^'gaussians9': no such folder, and no experiment that ships; did you mean"):
        source("gaussians9")
    result = CliRunner().invoke(cli, ["merge", "theirs/first", "gaussians9", "--results", "mine"])
    assert result.exit_code == 2
    assert not Path("mine").exists()
