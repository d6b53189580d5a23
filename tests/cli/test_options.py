"""Options as objects: what a command gets, and what stays as it was."""

from __future__ import annotations

from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from tests.analysis import factory
from wganbench.cli.console import counted
from wganbench.cli.options import Selection, grouped


@dataclass(frozen=True)
class Size:
    width: int
    height: int


@click.command()
@click.argument("name")
@grouped("size", Size, click.option("--width", type=int), click.option("--height", type=int, default=3))
@click.option("--loud", is_flag=True)
def draw(name: str, size: Size, loud: bool) -> None:
    click.echo(f"{name} {size.width}x{size.height} {loud}")


def test_grouped_options_reach_the_command_as_one_object_beside_the_others():
    assert CliRunner().invoke(draw, ["box", "--width", "2", "--loud"]).output == "box 2x3 True\n"


def test_the_help_lists_grouped_options_in_their_order():
    assert [each.name for each in draw.params] == ["name", "width", "height", "loud"]


@pytest.mark.parametrize(("n", "text"), [(0, "0 runs"), (1, "1 run"), (1200, "1,200 runs")])
def test_a_number_has_its_noun(n, text):
    assert counted(n, "run") == text


def test_a_selection_has_the_runs_of_its_seeds_and_variants_in_cohorts(tmp_path):
    path = factory.made(tmp_path, factory.CLAIMS).path
    selection = Selection(path, "paper", ("good",), ("batch_size=5",), (), seeds="3", stack=2)
    assert [(run.variant, run.seed, run.setting.batch_size) for run in selection.runs] == [
        ("good", seed, 5) for seed in range(3)
    ]
    assert [len(cohort.runs) for cohort in selection.cohorts] == [2, 1]
    assert selection.folders == {}


def test_a_selection_without_seeds_has_those_of_the_spec(tmp_path):
    selection = Selection(factory.made(tmp_path).path, "paper", ("good",), (), ())
    assert [run.seed for run in selection.runs] == list(selection.spec.planned_seeds)
    assert len(selection.cohorts[0].runs) == selection.spec.stack
