"""From a spec to runs: ids, seeds and cohorts."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from tests.cpu import at_most
from wganbench.errors import SpecError
from wganbench.spec import RECORDED, Experiment, Setting, load, parse_seeds
from wganbench.spec.plan import Run, cohorts, expand, family, step_flops
from wganbench.spec.setting import TRAINED


@pytest.fixture(scope="module")
def ring() -> Experiment:
    return load("gaussians8")


def ids(experiment: Experiment, profile: str = "paper", *variants: str) -> list[str]:
    return [run.id for run in expand(experiment, profile, [0], variants)]


# ---- ids ------------------------------------------------------------------------------------------------------------

RECORDED_FAMILIES = {
    ("gaussians8", "paper"): {
        "gan": "c8c07e62dc",
        "gan-z16": "108ae35d57",
        "unrolled": "cf10f4c965",
        "unrolled-second-order": "2c0a08b9a6",
        "wgan-clip": "661f3783ee",
        "wgan-rescale": "013a3b827f",
        "wgan-gp": "404449e1dc",
        "wgan-gp-one-sided": "f7216025e2",
        "lsgan": "a7582bfc03",
    },
    ("gaussians8", "reduced"): {
        "gan": "4ef59f69a6",
        "wgan-clip": "fc29fd2593",
        "wgan-gp": "6dea967d45",
        "unrolled-second-order": "5b18d1d0cb",
    },
    ("gaussians25", "reduced"): {
        "gan": "40ad298002",
        "wgan-clip": "77b75b1b2a",
        "wgan-gp": "75080fcf84",
        "unrolled-second-order": "5ad18ff320",
    },
}
"""Families of committed records. An id that changes orphans them: only a change of numbers may do that."""


@pytest.mark.parametrize(("name", "profile"), RECORDED_FAMILIES)
def test_the_ids_of_committed_records_stay(name, profile):
    experiment, expected = load(name), RECORDED_FAMILIES[name, profile]
    found = {variant: family(variant, experiment.setting(variant, profile)) for variant in expected}
    assert found == {variant: f"{variant}-{digits}" for variant, digits in expected.items()}


def test_an_id_is_readable_and_ends_in_the_seed(ring):
    (run,) = expand(ring, "paper", [7], ["gan"])
    assert (run.family, run.id) == ("gan-c8c07e62dc", "gan-c8c07e62dc-s7")


def test_equal_content_has_one_id_whatever_the_experiment_says_about_it(ring, tmp_path):
    text = Path(ring.path).read_text(encoding="utf-8")
    about, _, _ = text.partition("# ---- claims")
    about = about.replace("version = 1", "version = 2").replace('title = "', 'title = "another ')
    path = tmp_path / "other.toml"
    path.write_text(about.replace("profiles.paper", "profiles.whole").replace("clouds = [0.0,", "clouds = [0.5,"))
    assert ids(load(path), "whole") == ids(ring)


CHANGES: dict[str, Any] = {
    "data": "gaussian_grid",
    "generator.hidden": [128],
    "critic.leak": 0.1,
    "objective": "minimax",
    "constraint": {"name": "clip", "clip_value": 0.02},
    "project": "after",
    "n_critic": 4,
    "critic_warmup": {"steps": 100, "first": 25, "every": 500},
    "unroll": {"steps": 3, "order": "first"},
    "generator_optimizer.eps": 1e-7,
    "critic_optimizer.alpha": 0.6,
    "lr_decay": "linear",
    "generator_average": 0.999,
    "instance_noise": 0.2,
    "pack": 2,
    "updates": "generator_first",
    "latent_dim": 16,
    "batch_size": 99,
    "generator_batch_size": 200,
    "steps": 49_999,
    "precision": "tf32",
    "measured_samples": 2501,
    "score": "inception",
    "measures.kde_peaks.points": 19,
}


@pytest.mark.parametrize("path", CHANGES)
def test_every_value_that_matters_changes_the_id(ring, path):
    value = json.dumps(CHANGES[path]).replace('": ', '" = ')
    changed = load("gaussians8", [f"variants.wgan-clip.{path}={value}"])
    assert changed.setting("wgan-clip", "paper") != ring.setting("wgan-clip", "paper")
    assert set(ids(changed, "paper", "wgan-clip")).isdisjoint(ids(ring, "paper", "wgan-clip"))


def test_the_changes_above_touch_every_field_but_those_that_change_no_number():
    touched = {path.partition(".")[0] for path in CHANGES}
    others = {"fixed_generator", "auxiliary_classifier"}  # which change more than themselves
    assert Setting.model_fields.keys() - touched == {*others, "band", "clouds", "pictures"}


def test_a_fixed_generator_changes_the_id_and_leaves_nothing_of_a_trained_one():
    settings = [
        load(
            "gaussians8",
            [
                f"variants.unrolled.fixed_generator={{name='noised', std={std}}}",
                "variants.unrolled.generator_batch_size=9",
            ],
        ).setting("unrolled", "paper")
        for std in (1.0, 2.0)
    ]
    assert family("x", settings[0]) != family("x", settings[1])
    for setting in settings:
        assert [getattr(setting, field) for field in TRAINED] == [None] * len(TRAINED)


@pytest.mark.parametrize("kind", ["data", "generator", "critic", "objective", "constraint", "critic_optimizer"])
def test_a_raised_protocol_changes_the_id(ring, kind):
    setting = ring.setting("wgan-clip", "paper")
    table = json.loads(setting.model_dump_json())
    table[kind]["protocol"] += 1
    assert family("x", Setting.model_validate(table, context=RECORDED)) != family("x", setting)


def test_what_is_kept_for_a_figure_does_not_change_the_id(ring):
    assert ids(load("gaussians8", ["clouds=[0.5]"])) == ids(ring)
    assert ids(load("gaussians8", ["pictures={weight_histogram={bins=10}}"])) == ids(ring)


def test_the_variants_name_is_part_of_the_id(ring):
    setting = ring.setting("gan", "paper")
    assert family("gan", setting)[3:] == family("nag", setting)[3:]
    assert family("gan", setting) != family("nag", setting)


def test_a_value_of_none_is_as_good_as_no_field(ring):
    class Later(Setting):
        later: int | None = None

    setting = ring.setting("gan", "paper")
    content = {name: getattr(setting, name) for name in Setting.model_fields}
    assert family("gan", Later(**content)) == family("gan", setting)
    assert family("gan", Later(**content, later=1)) != family("gan", setting)


# ---- runs -----------------------------------------------------------------------------------------------------------


def test_runs_come_by_variant_then_seed_each_once(ring):
    runs = expand(ring, "smoke", [3, 0, 3], ["wgan-gp", "gan", "wgan-gp"])
    assert [(run.variant, run.seed) for run in runs] == [("wgan-gp", 0), ("wgan-gp", 3), ("gan", 0), ("gan", 3)]


def test_all_variants_run_where_none_is_named(ring):
    assert [run.variant for run in expand(ring, "smoke", [0])] == list(ring.variants)


def test_a_run_says_what_made_it():
    experiment = load("gaussians8", ["variants.gan.latent_dim=16", "objective=minimax", "critic.hidden=[3, 4]"])
    (run,) = expand(experiment, "quick", [0], ["gan"])
    assert (run.experiment, run.profile) == ("gaussians8", "quick")
    assert run.overrides == ("variants.gan.latent_dim=16", 'objective="minimax"', "critic.hidden=[3, 4]")
    assert [name for name, _ in run.claims] == [check.id for claim in experiment.claims for check in claim.checks]
    assert load("gaussians8", run.overrides).setting("gan", "quick") == run.setting


@pytest.mark.parametrize(
    ("profile", "seeds", "variants", "line"),
    [
        ("papre", [0], [], "gaussians8.toml: no profile 'papre'; did you mean 'paper'?"),
        ("paper", [0], ["gna"], "gaussians8.toml: no variant 'gna'; did you mean 'gan'?"),
        ("paper", [], [], "gaussians8.toml: no seeds; ask for at least one, such as --seeds 5"),
        ("paper", [0, -1], [], "gaussians8.toml: seeds start at 0, got -1"),
    ],
)
def test_what_cannot_be_planned_is_reported(ring, profile, seeds, variants, line):
    with pytest.raises(SpecError) as caught:
        expand(ring, profile, seeds, variants)
    assert str(caught.value) == line


# ---- seeds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("1", [0]),
        ("5", [0, 1, 2, 3, 4]),
        ("005", [0, 1, 2, 3, 4]),
        ("0,3,7-9", [0, 3, 7, 8, 9]),
        ("9,1-3,2", [1, 2, 3, 9]),
        ("0-3, 7", [0, 1, 2, 3, 7]),
        ("7-7", [7]),
        ("3,3", [3]),
        ("2147483647,0", [0, 2**31 - 1]),
        ("10000", list(range(10_000))),
    ],
)
def test_seeds_are_a_count_or_a_list(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text",
    [
        *(
            "0",
            "000",
            "",
            " ",
            ",",
            "1,",
            ",1",
            "1,,2",
            "-1",
            "1-",
            "-",
            "5-3",
            "1-2-3",
            "+5",
            "1_0",
            " 3",
            "3 ",
            "3\n",
        ),
        *("٣", "５", "0,٣", "five", "1.5", "1e3", "0x5", "nan", "2147483648", "9" * 5000, "0,4294967296-4294967299"),
    ],
)
def test_what_names_no_seed_is_reported(text):
    with pytest.raises(
        SpecError, match=r"^--seeds .*: must be a count of at least 1 or a list such as 0,3,7-9$"
    ) as caught:
        parse_seeds(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "text", ["10001", "999999999", "0-10000", "0-9999,10000", "0-2147483647", "0-9999," * 9999 + "0"]
)
def test_more_seeds_than_anyone_runs_are_refused_at_once(text):
    with at_most(0.5), pytest.raises(SpecError, match=r"^--seeds .*: more than 10,000 seeds$"):
        parse_seeds(text)


# ---- cohorts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seeds", "stack", "blocks"),
    [
        (range(8), 8, [(0, 1, 2, 3, 4, 5, 6, 7)]),
        (range(10), 4, [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]),
        ([3, 4, 5, 12], 4, [(3,), (4, 5), (12,)]),
        (range(3), 1, [(0,), (1,), (2,)]),
    ],
)
def test_cohorts_are_blocks_of_consecutive_seeds_of_one_family(ring, seeds, stack, blocks):
    found = cohorts(expand(ring, "smoke", list(seeds), ["gan", "lsgan"]), stack)
    assert [cohort.seeds for cohort in found] == blocks * 2
    assert [len({run.family for run in cohort.runs}) for cohort in found] == [1] * len(found)
    gan = expand(ring, "smoke", [0], ["gan"])[0].family
    assert found[0].id == f"{gan}-s{blocks[0][0]}-{blocks[0][-1]}"


def test_a_seeds_cohort_is_the_same_whatever_else_is_asked_for(ring):
    few = cohorts(expand(ring, "smoke", [9], ["gan"]), 4)
    many = cohorts(expand(ring, "smoke", range(16), ["gan"]), 4)
    assert few[0].runs[0] in many[2].runs
    assert [cohort.seeds[0] // 4 for cohort in many] == [0, 1, 2, 3]


@pytest.mark.parametrize("stack", [0, -1, 257])
def test_a_stack_has_bounds(ring, stack):
    with pytest.raises(SpecError, match=rf"^--stack {stack}: must be between 1 and 256$"):
        cohorts(expand(ring, "smoke", [0]), stack)


# ---- cost -----------------------------------------------------------------------------------------------------------


def flops(*overrides: str, variant: str = "gan") -> float | None:
    sizes = ["generator.hidden=[10]", "critic.hidden=[20]", "latent_dim=3", "batch_size=8"]
    return step_flops(load("gaussians8", [*sizes, *overrides]).setting(variant, "paper"))


def test_a_steps_cost_is_counted_by_hand():
    generator, critic = 3 * 10 + 10 * 2, 2 * 20 + 20 * 1
    fake, real_and_fake, update = 2 * generator, 12 * critic, 6 * generator + 4 * critic
    assert flops() == 8 * (fake + real_and_fake + update)
    assert flops("n_critic=5") == 8 * (5 * (fake + real_and_fake) + update)
    assert flops(variant="unrolled") == 8 * (5 * (fake + real_and_fake) + update)
    assert flops(variant="unrolled-second-order") == 8 * (10 * (fake + real_and_fake) + update)
    assert flops("n_critic=1", variant="wgan-gp") == 8 * (fake + 20 * critic + update)
    assert flops("n_critic=1", "critic.activation='tanh'", variant="wgan-gp") == 8 * (fake + 24 * critic + update)


def test_the_toy_step_has_the_operations_that_it_needs_at_least():
    setting = load("penalties").setting("ring-two-sided", "paper")
    assert step_flops(setting) == pytest.approx(16.1e9, rel=0.005)


def test_a_penalty_under_layer_norm_has_a_second_derivative():
    found = [load("table3", [f"critic.norm='{norm}'"]).setting("wgan-gp", "paper") for norm in ("none", "layer")]
    critic = found[0].costs()["critic"].flops
    assert step_flops(found[1]) - step_flops(found[0]) == 64 * 5 * 2 * critic


def test_a_custom_network_has_no_known_cost(ring):
    assert flops("critic=a.b:c") is None


def test_the_largest_sizes_that_a_spec_may_have_have_a_finite_cost():
    biggest = 2**63 - 1
    fields = ("latent_dim", "batch_size", "n_critic")
    setting = load("gaussians8", [f"variants.gan.{field}={biggest}" for field in fields]).setting("gan", "paper")
    assert 0 < float(step_flops(setting) or 0) < float("inf")


def test_a_run_is_the_same_after_a_pickle(ring):
    (run,) = expand(ring, "smoke", [0], ["gan"])
    assert isinstance(run, Run)
    assert pickle.loads(pickle.dumps(run)).id == run.id


def test_as_many_runs_as_a_plan_may_have_are_planned_within_a_second(ring):
    with at_most(1):
        runs = [run.id for cohort in cohorts(expand(ring, "paper", range(1_000)), 1) for run in cohort.runs]
    assert len(set(runs)) == 1_000 * len(ring.variants)


def test_more_runs_than_a_plan_may_have_are_refused_at_once():
    experiment = load("optimal-critic")
    n_runs = 10_000 * len(experiment.variants)
    with pytest.raises(SpecError, match=rf"{n_runs:,} runs, at most 20,000; ask for fewer seeds or variants"):
        expand(experiment, "paper", range(10_000))
