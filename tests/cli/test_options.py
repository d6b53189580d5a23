"""Options as objects: what a command gets, and what stays as it was."""

from __future__ import annotations

from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from tests.analysis import factory
from wganbench.cli.console import counted
from wganbench.cli.options import Selection, grouped, select
from wganbench.errors import SpecError


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


# ---- the runs of a claim --------------------------------------------------------------------------------------------


@pytest.fixture
def spec(tmp_path):
    """A spec with a claim on both variants and the spec's seeds, and one on one variant and seeds of its own."""
    return factory.made(tmp_path, factory.CLAIMS.replace('is-close"', 'is-close"\nseeds = "7-7"', 1)).path


def of_claim(text, profile=None, variants=(), seeds=None):
    return select(text, profile=profile, variants=variants, seeds=seeds, overrides=(), data=())


def test_a_claim_selects_its_variants_and_seeds_at_its_profile(spec):
    both = of_claim(f"{spec}:good-beats-bad")
    assert {(run.profile, run.variant, run.seed) for run in both.runs} == {
        ("paper", variant, seed) for variant in ("good", "bad") for seed in range(8)
    }
    one = of_claim(f"{spec}:good-is-close")
    assert [(run.variant, run.seed) for run in one.runs] == [("good", 7)], "a single seed is no count"
    assert (one.experiment, one.claim, one.anchor) == (spec, "good-is-close", f"{spec}:good-is-close")


def test_without_a_claim_nothing_is_taken_from_one(spec):
    plain = of_claim(spec)
    assert (plain.profile, plain.variants, plain.seeds, plain.claim, plain.anchor) == ("quick", (), None, None, spec)


def test_options_select_some_of_the_runs_of_a_claim(spec):
    some = of_claim(f"{spec}:good-beats-bad", profile="paper", variants=("bad",), seeds="2-3")
    assert [(run.variant, run.seed) for run in some.runs] == [("bad", 2), ("bad", 3)]


@pytest.mark.parametrize(
    ("claim", "options", "says"),
    [
        ("good-beats-bed", {}, "unknown claim 'good-beats-bed'; did you mean 'good-beats-bad'?"),
        ("", {}, "unknown claim ''; known: good-beats-bad, good-is-close"),
        ("good-is-close", {"profile": "quick"}, "--profile quick: {} is judged at profile paper alone"),
        ("good-is-close", {"variants": ("bad",)}, "--variant bad: {} is not judged on its runs; known: good"),
        ("good-is-close", {"seeds": "2"}, "--seeds 2: {} is judged on seeds 7 alone"),
        ("good-is-close", {"seeds": "x"}, "--seeds x: must be a count of at least 1 or a list such as 0,3,7-9"),
    ],
)
def test_runs_that_a_claim_is_not_judged_on_are_refused(spec, claim, options, says):
    with pytest.raises(SpecError) as error:
        of_claim(f"{spec}:{claim}", **options)
    assert str(error.value) == says.format(f"{spec}:{claim}")


def test_a_claim_that_no_longer_counts_names_the_one_in_its_place():
    with pytest.raises(SpecError) as error:
        of_claim("surfaces:gp-has-unit-gradient")
    assert str(error.value) == (
        "surfaces:gp-has-unit-gradient: superseded in version 2 of the spec; "
        "'surfaces:gp-has-unit-gradient-at-the-optimum' takes its place"
    )


def test_a_check_selects_the_runs_of_its_claim():
    of_check, of_its_claim = map(
        of_claim, ("gaussians8:r1-covers-more-than-gan", "gaussians8:zero-centred-penalties-cover-the-ring")
    )
    assert of_check.runs == of_its_claim.runs


def test_a_path_may_contain_a_colon(tmp_path):
    folder = tmp_path / "a:b"
    folder.mkdir()
    path = factory.made(folder, factory.CLAIMS).path
    assert of_claim(path).experiment == path
    assert of_claim(f"{path}:good-is-close").variants == ("good",)
