"""Every spec that ships: whole, sourced, and planned at every profile."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import torch

from tests.claims import read_by as variants_of
from wganbench.analysis.profiles import shown
from wganbench.losses.constraints import clip
from wganbench.measures.critic_layers import edge_share
from wganbench.runner.build import make_trainer
from wganbench.spec import Check, Claim, Experiment, Setting, Success, available, load
from wganbench.spec.plan import cohorts, expand

NAMES = list(available())
PROFILES = ("smoke", "quick", "reduced", "paper")
OTHERS = {
    "estimate-quality": {"longer"},
    "fig3": {"photographs"},
    "penalties": {"settled"},
    "theorem2": {"settled"},
    "table2": {"calibration", "deep"},
    "dirac-gan": {"starts"},
}
"""Profiles beside these."""
UNREDUCED = {"dirac-gan"}
"""What takes seconds."""


@pytest.fixture(scope="module", params=NAMES)
def experiment(request: pytest.FixtureRequest) -> Experiment:
    return load(request.param)


def settings(experiment: Experiment) -> dict[tuple[str, str], Setting]:
    return {(v, p): experiment.setting(v, p) for p in experiment.profiles for v in experiment.variants_of(p)}


def read_by(experiment: Experiment, judged: Claim | Check) -> list[Setting]:
    return [experiment.setting(variant, judged.profile) for variant in variants_of(experiment, judged)]


def live_checks(experiment: Experiment) -> list[Check]:
    return [check for claim in experiment.live_claims for check in claim.checks]


def test_it_says_what_it_is_where_it_is_from_and_how_it_differs(experiment):
    assert len(experiment.title) > 10
    assert any(character.isdigit() for character in experiment.source), "a source has its year"
    assert experiment.deviations
    assert experiment.extends is None


def test_it_has_every_profile_and_says_what_each_is(experiment):
    own = OTHERS.get(experiment.name, set())
    expected = [profile for profile in PROFILES if profile != "reduced" or experiment.name not in UNREDUCED]
    assert [profile for profile in experiment.profiles if profile not in own] == expected
    assert own <= set(experiment.profiles)
    for profile in experiment.profiles:
        assert len(experiment.says(profile)) > 10


def test_every_profile_can_be_planned(experiment):
    for profile in experiment.profiles:
        runs = expand(experiment, profile, experiment.planned_seeds)
        assert len({run.id for run in runs}) == len(experiment.variants_of(profile)) * len(experiment.planned_seeds)
        assert sum(len(cohort.runs) for cohort in cohorts(runs, experiment.stack)) == len(runs)


def test_smoke_enters_no_report(experiment):
    assert "smoke" not in shown(experiment)


def test_shorter_profiles_take_fewer_steps(experiment):
    for variant in experiment.variants:
        known = [profile for profile in experiment.profiles if profile not in OTHERS.get(experiment.name, ())]
        own = [profile for profile in known if variant in experiment.variants_of(profile)]
        steps = [experiment.setting(variant, profile).steps for profile in own]
        assert steps == sorted(set(steps))
        assert own[0] != "smoke" or steps[0] <= 20, "smoke takes seconds"


def test_every_claim_reads_what_its_variants_measure(experiment):
    assert experiment.live_claims
    for claim in experiment.live_claims:
        for check in claim.checks:
            for setting in read_by(experiment, check):
                assert set(check.measured()) <= setting.measures.keys()
        n_units = (
            len(read_by(experiment, claim)) // len(claim.methods())
            if claim.methods()
            else len(experiment.seeds_of(claim))
        )
        assert n_units >= 5, "fewer units reach no verdict"


def test_claims_differ_from_each_other(experiment):
    said = [claim.says for claim in experiment.live_claims]
    assert len(said) == len(set(said))


def test_every_variant_stands_for_something(experiment):
    judged = {variant for claim in experiment.live_claims for variant in variants_of(experiment, claim)}
    beside = {row.variant for row in experiment.published}
    drawn = {name for figure in experiment.figures for name in figure.named_variants()}
    drawn |= set(experiment.ablations.factors) if experiment.ablations else set()
    own = " ".join(experiment.deviations)
    assert [name for name in experiment.variants if name not in judged | beside | drawn and name not in own] == []


def test_every_published_number_has_a_source_and_its_spread_a_unit(experiment):
    for row in experiment.published:
        assert any(character.isdigit() for character in row.source)
        assert (row.spread is None) == (row.spread_over is None)
        assert row.variant in experiment.variants or row.configuration, "context says how it differs"


def test_a_claim_of_coverage_asks_for_more_than_coverage(experiment):
    """A diffuse cloud covers all modes, but few of its samples lie within one, and its density has no peaks."""
    for claim in experiment.live_claims:
        if "modes_covered" in claim.measured():
            assert {"share_within", "kde_peaks"} & {*claim.measured()}


def test_exact_transport_is_measured_rarely_and_the_rest_at_most_200_times(experiment):
    for setting in settings(experiment).values():
        for label, use in setting.measures.items():
            assert use.points <= (20 if label in ("exact_wasserstein", "wasserstein_floor", "kde_peaks") else 200)
            assert use.points == 1 or not use.measure.name.startswith("fixed_wasserstein")


def test_figures_draw_from_profiles_that_are_run(experiment):
    assert experiment.figures
    assert {figure.profile for figure in experiment.figures} <= {"paper", "reduced", "photographs", "longer", "deep"}
    for figure in experiment.figures:
        assert figure.kind != "clouds" or all(
            experiment.setting(variant, figure.profile).clouds for variant in figure.variants or experiment.variants
        )


def test_critics_that_are_trained_to_optimality_are_judged_only_once_they_converged(experiment):
    """Where the generator is fixed, the critic's gap settles; in a game it need not. A share of runs is one of all."""
    exact = {"transport_error", "discrete_js", "discrete_tv", "missing_mass"}
    for check in live_checks(experiment):
        settings = read_by(experiment, check)
        fixed = all(setting.fixed_generator for setting in settings)
        compares_with_a_discriminator = any(setting.objective.name == "non_saturating" for setting in settings)
        needed = fixed and not set(check.measured()) <= exact and not compares_with_a_discriminator
        needed = needed and not isinstance(check, Success)
        assert (check.drift_at_most == 0.02) == needed, check.id


def test_a_critic_beside_an_exact_distance_is_judged_only_once_its_gap_is_the_distance(experiment):
    """A drift alone lets a critic pass that has not begun to learn."""
    for check in live_checks(experiment):
        alone = [setting for setting in read_by(experiment, check) if setting.seeks_the_distance]
        needed = any("gap_over_exact" in setting.measures for setting in alone)
        assert (check.gap_at_least == 0.97) == needed, check.id


def test_a_penalty_of_a_law_is_squared(experiment):
    """The slope 1 + d/2λ is above 1, where both squares agree; of a linear penalty it is no law."""
    laws = {"segment_norm_excess", "gap_law_ratio", "gradient_norm_law", "wasserstein_law"}
    for setting in settings(experiment).values():
        if laws & {use.measure.name for use in setting.measures.values()}:
            assert setting.constraint is not None
            assert setting.constraint.name in ("gradient_penalty", "one_sided_penalty")


def leaves(setting: Setting) -> dict[str, object]:
    """Each value of a setting by its path."""

    def walk(node: object, place: str) -> Iterator[tuple[str, object]]:
        if isinstance(node, dict):
            for key, item in node.items():
                yield from walk(item, f"{place}.{key}" if place else key)
        else:
            yield place, node

    return dict(walk(setting.model_dump(mode="json"), ""))


def test_an_ablation_changes_one_thing_under_every_profile(experiment):
    """The first moment of both optimisers is one thing."""
    if experiment.ablations is None:
        return
    for profile in experiment.profiles:
        base = leaves(experiment.setting(experiment.ablations.baseline, profile))
        for factor in set(experiment.ablations.factors) & set(experiment.variants_of(profile)):
            changed = leaves(experiment.setting(factor, profile))
            paths = {path for path in base.keys() | changed.keys() if base.get(path) != changed.get(path)}
            assert len({path.replace("generator_optimizer", "critic_optimizer") for path in paths}) == 1, factor


def test_table_3_has_the_official_networks_and_every_published_row():
    table3 = load("table3")
    counts = {
        variant: [cost.parameters for cost in (table3.setting(variant, "paper").costs() or {}).values()]
        for variant in ("wgan-gp", "wgan-gp-conditional", "wgan-gp-dcgan")
    }
    assert counts == {
        "wgan-gp": [1_204_483, 1_053_825],
        "wgan-gp-conditional": [1_218_307, 1_055_115],
        "wgan-gp-dcgan": [5_179_907, 4_114_689],
    }
    rows = [(row.value, row.spread) for row in table3.published if row.source == "Gulrajani et al. 2017, table 3"]
    unsupervised = [(5.34, 0.05), (5.62, None), (6.16, 0.07), (6.86, 0.06), (7.07, 0.1), (7.72, 0.13), (7.86, 0.07)]
    supervised = [(6.35, None), (6.58, None), (8.09, 0.07), (8.25, 0.07), (8.37, 0.08), (8.42, 0.1), (8.59, 0.12)]
    assert sorted(rows, key=str) == sorted([*unsupervised, *supervised], key=str)


@pytest.mark.parametrize("variant", ["wgan-clip", "wgan-gp-rmsprop", "wgan-gp-adam", "dcgan"])
def test_figure_3_has_the_official_networks(variant):
    costs = load("fig3").setting(variant, "paper").costs() or {}
    critic = 4_114_689 + (0 if "gp" in variant else 2 * (256 + 512))  # batch normalisation, but under the penalty
    assert [cost.parameters for cost in costs.values()] == [5_179_907, critic]


@pytest.mark.parametrize(("variant", "inside"), [("clip-0.01-inside", True), ("clip-0.01", False)])
def test_weights_of_the_swiss_roll_start_inside_the_clip_value_where_the_variant_says_so(variant, inside):
    """The first clipping changes none of them, and leaves 96 % of the others at the edge."""
    setting = load("swissroll").setting(variant, "reduced")
    critic = make_trainer(setting, [0], torch.device("cpu")).critic.module_of_seed(0)
    before = edge_share(critic)
    matrices = [weights for weights in critic.parameters() if weights.ndim == 2]
    drawn = [weights.detach().clone() for weights in matrices]
    with torch.no_grad():
        clip(matrices, clip_value=0.01)
    assert all(torch.equal(*pair) for pair in zip(matrices, drawn, strict=True)) == inside
    if inside:
        assert before == edge_share(critic) == pytest.approx(0.05, abs=0.002)
    else:
        assert edge_share(critic) > 0.95


def test_the_ring_stands_beside_every_published_number_of_it():
    """VEEGAN's and PacGAN's tables: modes, share within 3 std, and reverse KL where there is one."""
    found = {
        (row.source.split("(")[1].split(")")[0], row.row, row.measure): (row.value, row.spread)
        for row in load("gaussians8").published
        if row.variant is None
    }
    veegan = {"GAN": (1, 99.3), "ALI": (2.8, 0.13), "Unrolled GAN, 5 steps": (7.6, 35.6), "VEEGAN": (8, 52.9)}
    pacgan = {
        "GAN": ((6.3, 0.5), (98.2, 0.2), (0.45, 0.09)),
        "ALI": ((6.6, 0.3), (97.6, 0.4), (0.36, 0.04)),
        "PacGAN2": ((7.9, 0.1), (95.6, 2.0), (0.07, 0.03)),
        "PacGAN3": ((7.8, 0.1), (97.7, 0.3), (0.1, 0.02)),
        "PacGAN4": ((7.8, 0.1), (95.9, 1.4), (0.07, 0.02)),
    }
    expected = {}
    for name, (modes, percent) in veegan.items():
        expected["VEEGAN", name, "modes_covered"] = (modes, None)
        expected["VEEGAN", name, "share_within"] = (pytest.approx(percent / 100), None)
    for name, (modes, percent, divergence) in pacgan.items():
        expected["PacGAN", name, "modes_covered"] = modes
        expected["PacGAN", name, "share_within"] = tuple(pytest.approx(each / 100) for each in percent)
        expected["PacGAN", name, "reverse_kl"] = divergence
    assert found == expected


def test_the_claims_of_table_2_follow_from_its_published_counts():
    """The share above each threshold, the area between the curves, and the successes of one method alone."""
    table2 = load("table2")
    assert table2.success_table is not None
    thresholds, rows = table2.success_table.thresholds, table2.success_table.published
    says = {check.id: claim.says for claim in table2.live_claims for check in claim.checks}
    checks = {check.id: check for check in live_checks(table2)}
    gan, penalty = ([(row[place] + row[2]) / 200 for row in rows] for place in (0, 1))
    for name, shares in (("gan", gan), ("wgan-gp", penalty)):
        curve = checks[f"{name}-succeeds-within-15-points"]
        assert (curve.thresholds, curve.published, curve.published_n) == (thresholds, pytest.approx(shares), 200)
    area = 0.5 * sum(high - low for low, high in zip(gan, penalty, strict=True))
    assert area == pytest.approx(3.57)
    assert checks["wgan-gp-scores-higher-by-3"].margin < area
    for threshold in (3, 5, 7):
        check = checks[f"wgan-gp-trains-what-gan-cannot-above-{threshold}"]
        only_gan, only_penalty, _, _ = rows[thresholds.index(check.threshold)]
        assert f"{only_penalty} against {only_gan}" in says[check.id]


def test_optimisers_are_those_of_the_sources():
    """TensorFlow's RMSProp where the source is the official code of WGAN-GP; LSGAN's learning rate is twice clip's."""
    for name, variant, lr in (
        ("fig3", "wgan-clip", 5e-5),
        ("fig3", "wgan-gp-rmsprop", 5e-5),
        ("table3", "wgan-clip", 5e-5),
        ("table3", "wgan-rescale", 5e-5),
        ("table3", "lsgan", 1e-4),
    ):
        setting = load(name).setting(variant, "paper")
        for optimizer in (setting.generator_optimizer, setting.critic_optimizer):
            assert optimizer is not None
            assert (optimizer.name, optimizer.options["lr"]) == ("rmsprop_tf", lr)


def test_the_generators_batch_on_imagenet_is_that_of_the_authors_script():
    for name, variants in (("table2", ("a000-gan", "a199-wgan-gp", "dcgan")), ("elu", ("softplus",))):
        experiment = load(name)
        for variant in variants:
            setting = experiment.setting(variant, "paper")
            assert (setting.data.name, setting.batch_size, setting.generator_batch_size) == ("imagenet32", 64, 128)
        assert experiment.setting(variants[-1], "smoke").generator_batch_size is None


def test_table_3_stands_beside_all_that_is_known_of_the_official_re_run():
    rows = [row for row in load("table3").published if row.source.startswith("improved_wgan_training, issue 33")]
    assert {row.variant for row in rows} == {"wgan-gp-conditional"}
    assert sorted((row.measure, row.value) for row in rows) == [
        ("class_accuracy", 0.999),
        ("class_accuracy_fake", 0.917),
        ("inception_score", 8.15),
        ("inception_score", 8.31),
    ]


def test_the_grid_of_25_has_every_published_row_of_veegan_and_pacgan():
    """Modes, share within 3 std, reverse KL, each with its standard error where there is one."""
    measures = ("modes_covered", "share_within", "reverse_kl")
    veegan = {
        "GAN": ((3.3, None), (0.005, None)),
        "ALI": ((15.8, None), (0.016, None)),
        "Unrolled GAN, 5 steps": ((23.6, None), (0.16, None)),
        "VEEGAN": ((24.6, None), (0.4, None)),
    }
    pacgan = {
        "GAN": ((17.3, 0.8), (0.948, 0.007), (0.70, 0.07)),
        "ALI": ((24.1, 0.4), (0.957, 0.006), (0.14, 0.03)),
        "PacGAN2": ((23.8, 0.7), (0.913, 0.008), (0.13, 0.04)),
        "PacGAN3": ((24.6, 0.4), (0.942, 0.004), (0.06, 0.02)),
        "PacGAN4": ((24.8, 0.2), (0.936, 0.006), (0.04, 0.01)),
    }
    expected = {
        (source, row, measure, *number)
        for source, table in (("VEEGAN", veegan), ("PacGAN", pacgan))
        for row, numbers in table.items()
        for measure, number in zip(measures, numbers, strict=False)
    }
    rows = load("gaussians25").published
    found = {(row.source.split("(")[1].split(")")[0], row.row, row.measure, row.value, row.spread) for row in rows}
    assert (found, len(rows)) == (expected, len(expected))


def test_stacked_mnist_has_the_rows_of_both_tables_and_says_which_are_from_memory():
    """Modes and KL of VEEGAN's and PacGAN's tables 2."""
    veegan = {"DCGAN": (99, 3.4), "ALI": (16, 5.4), "Unrolled GAN": (48.7, 4.32), "VEEGAN": (150, 2.95)}
    pacgan = {"DCGAN": (78.9, 4.5), "PacDCGAN2": (1000, 0.06), "PacDCGAN3": (1000, 0.06), "PacDCGAN4": (1000, 0.07)}
    tables = {"Srivastava et al. 2017 (VEEGAN), table 2": veegan, "Lin et al. 2018 (PacGAN), table 2": pacgan}
    expected = {
        (source, row, *found)
        for source, table in tables.items()
        for row, (modes, kl) in table.items()
        for found in (("modes", modes), ("kl", kl))
    }
    rows = load("stacked-mnist").published
    assert {(row.source, row.row, row.measure, row.value) for row in rows if row.source in tables} == expected
    remembered = {row.row: row.value for row in rows if "from memory" in row.configuration and row.measure == "modes"}
    assert remembered == {"WGAN-GP": 959, "PacGAN": 992, "StyleGAN2": 940, "R3GAN": 1000}


def test_a_model_of_another_text_is_said_to_be_of_that_text_alone(tmp_path):
    path = tmp_path / "diary.toml"
    path.write_text('version = 1\ntitle = "A diary"\nsource = "mine"\nextends = "language"\ndata.file = "diary.txt"\n')
    spec, shipped = load(path), load("language")
    assert shipped.says("quick").endswith("; text: Shakespeare's sonnets")
    assert shipped.says("paper").endswith("; text: billion-words.txt")
    texts = [spec.says(profile) for profile in spec.profiles if profile != "paper"]
    assert all(text.endswith("; text: diary.txt") for text in texts)
    assert not [text for text in (*texts, *(each.title for each in spec.figures)) if "sonnets" in (text or "").lower()]


def test_no_title_of_a_figure_names_data_or_a_score_that_another_profile_replaces():
    """A figure is drawn of the longest profile with runs; the line below its title says on what they were trained."""
    replaced = re.compile("MNIST|CIFAR|ImageNet|LSUN|shapes10|Shakespeare|digits|photographs|Inception")
    titles = {(name, each.id): each.title or "" for name in available() for each in load(name).figures}
    assert {where: title for where, title in titles.items() if replaced.search(title)} == {}
