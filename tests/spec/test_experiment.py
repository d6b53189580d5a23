"""Specs: what they mean, and what is said of those that mean nothing."""

from __future__ import annotations

import copy
import json
import math
import os
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.cpu import at_most
from wganbench.errors import SpecError
from wganbench.spec import (
    RECORDED,
    Component,
    Criterion,
    Experiment,
    Level,
    MeasureUse,
    Published,
    Setting,
    available,
    check_digest,
    claim_digest,
    is_claim_key,
    load,
    scale_of,
)
from wganbench.spec.overrides import merge
from wganbench.spec.plan import cohorts, expand, step_flops
from wganbench.spec.strict import digest

RESULTS = Path(__file__).resolve().parents[2] / "results"
TEXT = """
version = 1
title = "A test"
source = "nowhere"
data = "gaussian_ring"
objective = "non_saturating"
latent_dim = 2
batch_size = 4
steps = 10
generator = { name = "mlp", hidden = [2] }
critic = { name = "mlp", hidden = [2] }
generator_optimizer = { name = "adam", lr = 1e-3, betas = [0.5, 0.9] }
critic_optimizer = { name = "adam", lr = 1e-3 }

[measures]
modes_covered = { points = 3 }
exact_wasserstein = { points = 2, samples = 10 }
wasserstein_estimate = {}

[profiles.smoke]
says = "few steps"
steps = 5
measures.exact_wasserstein.points = 1

[profiles.paper]

[variants.gan]

[variants.wgan]
objective = "wasserstein"
constraint = { name = "clip", clip_value = 0.01 }
n_critic = 5
critic_optimizer = { name = "rmsprop", lr = 1e-4 }

[[claims]]
id = "spreads"
says = "the one spreads over a mode more than the other"
test = "permutation"
measure = "modes_covered"
better = "wgan"
worse = "gan"
margin = 1.0
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes TEXT, with ``new`` for the first ``old``, or any other text or bytes."""

    def write(old: str = "", new: str = "", *, name: str = "mine.toml", content: str | bytes | None = None) -> Path:
        path = tmp_path / name
        if content is None:
            assert old in TEXT
            content = TEXT.replace(old, new, 1)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def mistakes_of(path: str | Path, *overrides: str) -> list[str]:
    """What is said of a wrong spec, a line each."""
    with pytest.raises(SpecError) as caught:
        load(path, overrides)
    assert str(caught.value).splitlines() == list(caught.value.mistakes)
    return list(caught.value.mistakes)


# ---- what a setting is made of --------------------------------------------------------------------------------------


def test_the_later_table_wins_top_level_variant_profile_set(write):
    path = write("[variants.wgan]\n", "[variants.wgan]\nlatent_dim = 3\nsteps = 7\n")
    plain, changed = load(path), load(path, ["steps=8", "variants.wgan.latent_dim=9"])
    assert [plain.setting("gan", profile).steps for profile in ("smoke", "paper")] == [5, 10]
    assert [plain.setting("wgan", profile).steps for profile in ("smoke", "paper")] == [5, 7]
    assert [changed.setting("wgan", profile).steps for profile in ("smoke", "paper")] == [8, 8]
    assert [plain.setting(variant, "paper").latent_dim for variant in ("gan", "wgan")] == [2, 3]
    assert [changed.setting(variant, "paper").latent_dim for variant in ("gan", "wgan")] == [2, 9]


def test_set_reaches_one_variant_one_profile_or_all_in_its_order(write):
    made = load(write(), ["batch_size=7", "profiles.smoke.batch_size=8", "variants.wgan.batch_size=9"])
    sizes = {(v, p): made.setting(v, p).batch_size for v in ("gan", "wgan") for p in ("smoke", "paper")}
    assert sizes == {("gan", "smoke"): 8, ("gan", "paper"): 7, ("wgan", "smoke"): 9, ("wgan", "paper"): 9}


@pytest.mark.parametrize(
    ("override", "see"),
    [
        ("latent_dim=16", lambda s: s.latent_dim == 16),
        ("objective=least_squares", lambda s: s.objective.name == "least_squares"),
        ("generator.hidden=[3, 4]", lambda s: s.generator.options["hidden"] == [3, 4]),
        ("measures.modes_covered.within=2.0", lambda s: s.measures["modes_covered"].measure.options == {"within": 2.0}),
        ("constraint={name='clip', clip_value=1}", lambda s: s.constraint.options == {"clip_value": 1.0}),
        ("unroll = {steps=2, order='first'}", lambda s: s.unroll.steps == 2),
        ("critic_warmup = {steps=100, first=25, every=500}", lambda s: s.critic_warmup.first == 25),
    ],
)
def test_set_reaches_every_kind_of_field(write, override, see):
    assert see(load(write(), [override]).setting("gan", "paper"))


def test_set_reaches_a_variant_whose_name_has_a_dot(write):
    made = load(write("[variants.gan]", '[variants."gan-0.5"]\n[variants.gan]'), ['variants."gan-0.5".latent_dim=7'])
    assert (made.setting("gan-0.5", "paper").latent_dim, made.setting("gan", "paper").latent_dim) == (7, 2)


def test_set_reaches_what_describes_the_experiment(write):
    assert load(write(), ["title=Another", "seeds=3"]).title == "Another"


@pytest.mark.parametrize(
    ("under", "over", "merged"),
    [
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"o": {"name": "adam", "lr": 1}}, {"o": {"lr": 2}}, {"o": {"name": "adam", "lr": 2}}),
        (
            {"o": {"name": "adam", "lr": 1}},
            {"o": {"name": "adam", "eps": 2}},
            {"o": {"name": "adam", "lr": 1, "eps": 2}},
        ),
        ({"o": {"name": "adam", "lr": 1}}, {"o": {"name": "sgd", "eps": 2}}, {"o": {"name": "sgd", "eps": 2}}),
        ({"o": "adam"}, {"o": {"lr": 2}}, {"o": {"name": "adam", "lr": 2}}),
        ({"o": "adam"}, {"o": {"name": "sgd", "lr": 2}}, {"o": {"name": "sgd", "lr": 2}}),
        ({"o": {"name": "adam", "lr": 1}}, {"o": "adam"}, {"o": {"name": "adam", "lr": 1}}),
        ({"o": {"name": "adam", "lr": 1}}, {"o": "sgd"}, {"o": {"name": "sgd"}}),
        (
            {"peaks": {"points": 3}},
            {"peaks": {"name": "peaks", "grid": 9}},
            {"peaks": {"points": 3, "name": "peaks", "grid": 9}},
        ),
        ({"peaks": {"points": 3}}, {"peaks": {"name": "modes"}}, {"peaks": {"name": "modes"}}),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 3}}}, {"a": {"b": {"c": 3, "d": 2}}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": 3}, {"a": 3}),
    ],
)
def test_tables_merge_key_by_key_and_one_whose_name_changes_is_replaced(under, over, merged):
    before = json.dumps([under, over])
    assert merge(under, over) == merged
    assert json.dumps([under, over]) == before


def test_a_component_is_replaced_when_its_name_changes_and_completed_when_it_does_not(write):
    made = load(write(), ["variants.gan.critic_optimizer.lr=5e-4"])
    assert made.setting("gan", "paper").critic_optimizer.options == {"lr": 5e-4, "betas": [0.9, 0.999], "eps": 1e-8}
    assert made.setting("wgan", "paper").critic_optimizer.options == {"lr": 1e-4, "alpha": 0.99, "eps": 1e-8}


@pytest.mark.parametrize("undone", ["constraint", "unroll", "lr_decay", "generator_average", "instance_noise"])
def test_none_undoes_what_is_inherited(write, undone):
    top = """
version = 1
unroll = { steps = 2, order = "first" }
constraint = { name = "clip", clip_value = 1 }
lr_decay = "linear"
generator_average = 0.5
instance_noise = 0.1
"""
    made = load(write("version = 1", top), [f"variants.gan.{undone}=none"])
    assert getattr(made.setting("gan", "paper"), undone) is None
    assert getattr(made.setting("wgan", "paper"), undone) is not None


@pytest.mark.parametrize(
    ("steps", "mean"),
    [
        (10, 100),  # all in the first 25
        (100, 5 + 95 * 25 / 100),
        (1_000, 5 + 95 * 26 / 1_000),  # and before step 501
        (1_001, 5 + 95 * 27 / 1_001),
    ],
)
def test_a_warm_up_counts_in_the_mean_number_of_critic_steps(write, steps, mean):
    fields = ["n_critic=5", f"steps={steps}", "critic_warmup={steps=100, first=25, every=500}"]
    assert load(write(), fields).setting("gan", "paper").mean_n_critic == pytest.approx(mean)


def test_a_setting_has_every_default_filled_in(write):
    setting = load(write()).setting("wgan", "smoke")
    assert setting.data == Component(
        name="gaussian_ring",
        protocol=1,
        options={"modes": 8, "radius": 2.0, "std": 0.04, "start_degrees": -90.0},
    )
    assert setting.measures["wasserstein_estimate"].points == 100
    assert setting.measures["exact_wasserstein"].model_dump() == {
        "measure": {"name": "exact_wasserstein", "protocol": 1, "options": {"samples": 10}},
        "points": 1,
    }
    assert setting.constraint == Component(name="clip", protocol=1, options={"clip_value": 0.01})
    assert (setting.project, setting.unroll) == ("after", None)


def test_a_label_names_a_measure_or_says_which_one_it_is(write):
    made = load(write("[measures]", '[measures]\nnear = { name = "modes_covered", within = 1.0 }'))
    measures = made.setting("gan", "paper").measures
    assert measures["near"].measure.options == {"within": 1.0}
    assert measures["modes_covered"].measure.options == {"within": 3.0}


def test_a_custom_objects_name_is_taken_with_its_options_and_protocol_and_not_imported(write, tmp_path, monkeypatch):
    (tmp_path / "mine_own.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    given = '{ name = "mine_own:penalty", protocol = 2, options = 3, weight = [1.5, "x"] }'
    path = write("version = 1", f'version = 1\nconstraint = {given}\nobjective = "mine_own:objective"')
    path.write_text(path.read_text().replace('objective = "non_saturating"\n', ""))
    with path.open("a") as file:
        file.write('[variants.other.measures."mine_own:score"]\npoints = 2\n')
    made = load(path)
    for profile in made.profiles:
        [(cohort.id, step_flops(cohort.runs[0].setting)) for cohort in cohorts(expand(made, profile, [0]), 8)]
    setting = made.setting("other", "paper")
    assert setting.constraint == Component(
        name="mine_own:penalty", protocol=2, options={"options": 3, "weight": [1.5, "x"]}
    )
    assert setting.objective == Component(name="mine_own:objective", protocol=1, options={})
    assert scale_of(setting.measures["mine_own:score"]).higher_is_better is None
    assert "mine_own" not in sys.modules


@pytest.mark.parametrize(
    ("data", "worst"),
    [
        ({"name": "gaussian_ring"}, math.log(8)),
        ({"name": "gaussian_grid", "side": 5}, math.log(25)),
        ({"name": "double_circle", "modes": 6}, math.log(6)),
        ("swiss_roll", math.inf),
        ("mine:ring", math.inf),
    ],
)
def test_the_worst_reverse_kl_is_that_of_samples_at_a_single_mode(data, worst):
    use = MeasureUse(measure=Component.resolve("measure", "reverse_kl"), points=1)
    scale = scale_of(use, Component.resolve("data set", data))
    assert scale == replace(scale_of(use), worst=worst)
    assert not scale.higher_is_better


def test_the_worst_of_other_measures_does_not_depend_on_the_data():
    for name in ("modes_covered", "exact_wasserstein"):
        use = MeasureUse(measure=Component.resolve("measure", name), points=1)
        assert scale_of(use, Component.resolve("data set", "gaussian_ring")) == scale_of(use)


def test_a_setting_comes_back_from_a_record_as_it_was(write):
    setting = load(write()).setting("wgan", "paper")
    assert Setting.model_validate(json.loads(setting.model_dump_json()), context=RECORDED) == setting


def test_a_record_of_another_day_may_name_what_this_table_does_not(write):
    table = json.loads(load(write()).setting("gan", "paper").model_dump_json())
    table["objective"] = {"name": "forgotten", "protocol": 3, "options": {"old": 1}}
    assert Setting.model_validate(table, context=RECORDED).objective.name == "forgotten"
    with pytest.raises(ValidationError, match="unknown field"):
        Setting.model_validate(table)


def test_a_spec_saved_by_another_editor_reads_the_same(write):
    plain = load(write()).setting("wgan", "paper")
    for content in (b"\xef\xbb\xbf" + TEXT.encode(), TEXT.replace("\n", "\r\n").encode()):
        assert load(write(content=content)).setting("wgan", "paper") == plain


def test_specs_are_found_by_name_or_by_path():
    name, path = next(iter(available().items()))
    assert load(name) == load(path) == load(str(path))
    assert load(name).name == name


def test_what_a_profile_is_and_what_is_unknown(write):
    made = load(write())
    assert (made.says("smoke"), made.says("paper")) == ("few steps", "")
    with pytest.raises(SpecError, match=r"^mine.toml: no profile 'smok'; did you mean 'smoke'\?$"):
        made.says("smok")
    with pytest.raises(SpecError, match=r"^mine.toml: no variant 'wgna'; did you mean 'wgan'\?$"):
        made.setting("wgna", "paper")


# ---- extends --------------------------------------------------------------------------------------------------------


def test_an_extending_spec_keeps_its_parents_runs_and_adds_to_them(write):
    parent = load(write())
    child = load(
        write(
            name="child.toml",
            content="""
            extends = "mine.toml"
            title = "Mine and more"
            deviations = ["one more"]
            [variants.lsgan]
            objective = "least_squares"
            [variants.wgan]
            n_critic = 3
            [profiles.quick]
            steps = 7
            [[claims]]
            id = "more"
            says = "least squares covers something"
            test = "sign"
            measure = "modes_covered"
            variant = "lsgan"
            at_least = 2.0
            """,
        )
    )
    assert [claim.id for claim in child.claims] == ["more"]
    assert (child.name, child.title, child.source) == ("child", "Mine and more", "child.toml")
    assert child.deviations == ["one more"]
    assert list(child.variants) == ["gan", "wgan", "lsgan"]
    assert list(child.profiles) == ["smoke", "paper", "quick"]
    for profile in parent.profiles:
        ids = [[run.id for run in expand(each, profile, range(2), ["gan"])] for each in (parent, child)]
        assert ids[0] == ids[1]
    assert child.setting("wgan", "paper").n_critic == 3
    assert child.setting("wgan", "paper").constraint == parent.setting("wgan", "paper").constraint


def test_a_parent_is_found_beside_the_child_wherever_one_stands(write, tmp_path, monkeypatch):
    (tmp_path / "specs" / "inner").mkdir(parents=True)
    write(name="specs/mine.toml")
    child = write(name="specs/inner/child.toml", content='extends = "../mine.toml"\n')
    monkeypatch.chdir(tmp_path)
    assert load(child).variants == load("specs/inner/child.toml").variants == load("specs/mine.toml").variants


def test_a_shipped_spec_is_extended_by_its_name(write):
    shipped = next(iter(available()))
    child, parent = load(write(content=f'extends = "{shipped}"\n')), load(shipped)
    variant, profile = next(iter(parent.variants)), next(iter(parent.profiles))
    assert child.setting(variant, profile) == parent.setting(variant, profile)
    assert child.published == parent.published
    assert child.figures == parent.figures


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("data.modes = 4\nprofiles.smoke.steps = 2", "as in mine but for data and steps: few steps"),
        ("profiles.paper.steps = 2", "few steps"),  # another profile
        ('variants.more = {}\nmeasures.modes_covered.points = 5\ntitle = "x"', "few steps"),  # trained as before
        ('steps = 2\nprofiles.smoke.says = "two steps"', "two steps"),
    ],
)
def test_an_inherited_description_says_what_an_extension_changes(write, change, says):
    write()
    child = load(write(name="child.toml", content=f'extends = "mine.toml"\n{change}\n'))
    assert (child.says("smoke"), child.says("paper")) == (says, "")


def test_a_second_extension_says_what_it_changes_of_the_first(write):
    write()
    write(name="child.toml", content='extends = "mine.toml"\nbatch_size = 2\n')
    grandchild = load(write(name="grandchild.toml", content='extends = "child.toml"\nlatent_dim = 3\n'))
    assert grandchild.says("smoke") == "as in child but for latent_dim: as in mine but for batch_size: few steps"


def test_a_child_that_says_nothing_of_itself_is_named_after_its_file_and_claims_nothing(write):
    write()
    child = load(write(name="child.toml", content='extends = "mine.toml"\n'))
    about = (child.title, child.source, child.version, child.deviations, child.claims)
    assert about == ("child, extending mine", "child.toml", 1, [], [])


def test_a_child_inherits_claims_only_where_it_asks_for_them(write):
    write()
    claim = TEXT[TEXT.index("[[claims]]") :].replace('id = "spreads"', 'id = "own"')
    for asked, ids in (
        ("", ["own"]),
        ("inherit_claims = false", ["own"]),
        ("inherit_claims = true", ["spreads", "own"]),
    ):
        child = write(name="child.toml", content=f'extends = "mine.toml"\n{asked}\n{claim}')
        assert [each.id for each in load(child).claims] == ids
    grandchild = load(write(name="grandchild.toml", content='extends = "child.toml"\ninherit_claims = true\n'))
    assert [each.id for each in grandchild.claims] == ["spreads", "own"]
    assert load(write(name="other.toml", content='extends = "child.toml"\n')).claims == []


def test_without_a_parent_there_are_no_claims_to_inherit(write):
    line = "inherit_claims: there is nothing to inherit from; name a spec in extends, or leave it out"
    assert mistakes_of(write(content="inherit_claims = true\n" + TEXT)) == [f"mine.toml, {line}"]


# ---- claims ---------------------------------------------------------------------------------------------------------


CLAIM = tomllib.loads(TEXT)["claims"][0]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"says": "in other words"}, True),
        ({"known_contradiction": "because"}, True),
        ({"margin": 1}, True),
        ({"margin": 2.0}, False),
        ({"profile": "smoke"}, False),
        ({"statistic": "best"}, False),
        ({"test": "paired"}, False),
        ({"better": "gan", "worse": "wgan"}, False),
        ({"id": "other"}, False),
    ],
)
def test_a_claims_digest_changes_with_all_that_decides_the_verdict(write, change, same):
    (before,) = load(write()).claims
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in {**CLAIM, **change}.items())
    (after,) = load(write(content=TEXT.partition("[[claims]]")[0] + f"[[claims]]\n{lines}\n")).claims
    assert (claim_digest(before) == claim_digest(after)) is same


@pytest.mark.parametrize("name", [name for name in available() if any((RESULTS / name).glob("*.json"))])
def test_the_digests_of_committed_checks_stay(name):
    """Records hold the digest of every check that was stated when they were made."""
    digests = {check.id: check_digest(check) for claim in load(name).claims for check in claim.checks}
    committed = [json.loads(path.read_bytes())["claims"] for path in sorted((RESULTS / name).glob("*.json"))[::7]]
    assert committed
    for claims in committed:
        of_checks = {key: of for key, of in claims.items() if not is_claim_key(key)}
        assert of_checks and of_checks.items() <= digests.items()


def test_claims_say_what_they_read(write):
    text = """
    [[claims]]
    id = "succeeds"
    says = "most runs succeed"
    test = "binomial"
    variant = "gan"
    criteria = [{ measure = "modes_covered", at_least = 2 }, { measure = "exact_wasserstein", at_most = 1 }]
    [[claims]]
    id = "equals"
    says = "it is what was published"
    test = "tost"
    variant = "wgan"
    measure = "exact_wasserstein"
    equals = 1
    within = 0.1
    """
    first, second, third = load(write(content=TEXT + text)).claims
    assert (first.variants(), first.measured()) == (("wgan", "gan"), ("modes_covered",))
    assert (second.variants(), second.measured()) == (("gan",), ("modes_covered", "exact_wasserstein"))
    assert (third.variants(), third.measured()) == (("wgan",), ("exact_wasserstein",))


@pytest.mark.parametrize("bounds", [{}, {"at_least": 1.0, "at_most": 2.0}])
def test_a_bound_is_one_sided(bounds):
    with pytest.raises(ValidationError, match="needs one of at_least, at_most"):
        Criterion(measure="x", **bounds)
    with pytest.raises(ValidationError, match="needs one of at_least, at_most"):
        Level(id="a", test="t", measure="x", variant="c", **bounds)


@pytest.mark.parametrize("wrong", [{"spread": 1.0}, {"spread_over": "5 runs"}, {"row": None}])
def test_a_published_number_says_where_it_stands_and_what_its_spread_is_over(wrong):
    with pytest.raises(ValidationError, match=r"spread and spread_over|needs variant"):
        Published(**{"measure": "x", "value": 1.0, "source": "y", "row": "z", **wrong})


def test_a_digest_is_the_same_everywhere():
    assert (
        digest({"b": [1, 2.5, None, "é"], "a": True}) == digest({"a": True, "b": [1, 2.5, None, "é"]}) == "9c4bfd7a7a"
    )


# ---- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        # names
        ('"wasserstein"', '"wasserstien"', "variants.wgan, objective: unknown objective 'wasserstien'; did you mean"),
        (
            '"gaussian_ring"',
            '"ring"',
            "data: unknown data set 'ring'; known: cifar10, circle, double_circle, gaussian,",
        ),
        ('"gaussian_ring"', "3", "data: must be the data set's name, or a table with one, got 3"),
        (
            '"gaussian_ring"',
            "{ modes = 3 }",
            "data: must be the data set's name, or a table with one, got {'modes': 3}",
        ),
        ('"gaussian_ring"', f'"{"x" * 999}"', f"data: unknown data set '{'x' * 56}…"),
        (
            "modes_covered =",
            "modes_coverd =",
            "measures.modes_coverd: unknown measure 'modes_coverd'; did you mean 'modes_covered'?",
        ),
        # fields
        ("latent_dim", "latent_dims", "unknown field 'latent_dims'; did you mean 'latent_dim'?"),
        ("steps = 5", "stepz = 5", "under profiles.smoke, unknown field 'stepz'; did you mean 'steps'?"),
        ("n_critic = 5", "n_critc = 5", "variants.wgan, unknown field 'n_critc'; did you mean"),
        ("clip_value", "clip_val", "variants.wgan, constraint: unknown field 'clip_val'; did you mean 'clip_value'?"),
        (
            "clip_value = 0.01",
            "clip_value = 1, protocol = 1",
            "variants.wgan, constraint: unknown field 'protocol'; known: clip_value",
        ),
        ("points = 3", "points = 3, windw = 1", "measures.modes_covered: unknown field 'windw'; known: within"),
        ("margin", "margn", "claims.spreads: unknown field 'margn'; did you mean 'margin'?"),
        ("version = 1", 'version = 1\n"a\\nb" = 1', "unknown field 'a\\nb'"),
        (
            "version = 1",
            "version = 1\nunroll = { steps = 1, order = 'first', k = 2 }",
            "unroll: unknown field 'k'; known: order, steps",
        ),
        # missing
        ('title = "A test"', "", "title: missing"),
        ("latent_dim = 2", "", "latent_dim: missing"),
        ('data = "gaussian_ring"', "", "data: missing"),
        ("hidden = [2]", "leak = 0.1", "generator: hidden: missing"),
        ('better = "wgan"', "", "claims.spreads.better: missing"),
        ('test = "permutation"', "", "claims.spreads.test: missing"),
        ("version = 1", "version = 1\nunroll = { steps = 1 }", "unroll.order: missing"),
        # sizes
        ("steps = 10", "steps = -1", "under profiles.paper, steps: must be greater than 0, got -1"),
        ("batch_size = 4", "batch_size = 0", "batch_size: must be greater than 0, got 0"),
        ("hidden = [2]", "hidden = [0]", "generator: hidden.0: must be greater than 0, got 0"),
        ("lr = 1e-4", "lr = -1e-4", "variants.wgan, critic_optimizer: lr: must be greater than 0, got -0.0001"),
        ("points = 3", "points = 0", "measures.modes_covered.points: must be at least 1, got 0"),
        ("points = 3", "points = 1001", "measures.modes_covered.points: must be at most 1000, got 1001"),
        (
            "{ points = 3 }",
            "{ points = 1000 }\nb = { name = 'kde_peaks', points = 999 }",
            "under profiles.paper, measures: 2,101 points together; a record",
        ),
        ("version = 1", "version = 1\nseeds = 10_001", "seeds: must be between 1 and 10,000, got 10001"),
        ("version = 1", "version = 1\nstack = 0", "stack: must be greater than 0, got 0"),
        ("version = 1", "version = 1\nclouds = [1.5]", "clouds.0: must be at most 1, got 1.5"),
        ("steps = 10", f"steps = 0x{'f' * 4000}", "steps: must be an integer of at most 64 bits"),
        # types
        ("batch_size = 4", "batch_size = true", "batch_size: must be a valid integer, got True"),
        ("batch_size = 4", 'batch_size = "4"', "batch_size: must be a valid integer, got '4'"),
        ("batch_size = 4", "batch_size = 4.0", "batch_size: must be a valid integer, got 4.0"),
        ("batch_size = 4", "batch_size = [4]", "batch_size: must be a valid integer, got [4]"),
        ("batch_size = 4", "batch_size = { n = 4 }", "batch_size: must be a valid integer, got {'n': 4}"),
        (
            "batch_size = 4",
            "batch_size = 1979-05-27",
            "batch_size: must be a number, a string, a list or a table, got the date",
        ),
        ("hidden = [2]", "hidden = [true]", "generator: hidden.0: must be a valid integer, got True"),
        ("hidden = [2]", "hidden = 2", "generator: hidden: must be a list, got 2"),
        ("lr = 1e-4", 'lr = "1e-4"', "variants.wgan, critic_optimizer: lr: must be a valid number, got '1e-4'"),
        ("lr = 1e-4", "lr = true", "variants.wgan, critic_optimizer: lr: must be a valid number, got True"),
        ("betas = [0.5, 0.9]", "betas = [0.5]", "generator_optimizer: betas.1: missing"),
        ("margin = 1.0", "margin = true", "claims.spreads.margin: must be a valid number, got True"),
        ("modes_covered = { points = 3 }", "modes_covered = 3", "measures.modes_covered: must be a table, got 3"),
        ("version = 1", "version = true", "version: must be a valid integer, got True"),
        ('title = "A test"', 'title = ""', "title: must have at least 1 character, got ''"),
        ('says = "few steps"', "says = 3", "profiles.smoke.says: must be a string, got 3"),
        ("[variants.gan]\n", "[variants]\ngan = 3\n", "variants.gan: must be a table, got 3"),
        (
            "[variants.gan]\n",
            "[variants.Gan]\n",
            "variants.Gan: must match pattern '^[a-z0-9][a-z0-9_.-]{0,63}$', got 'Gan'",
        ),
        ("version = 1", "version = 1\nproject = 'during'", "project: must be 'before' or 'after', got 'during'"),
        # numbers that are none
        ("lr = 1e-4", "lr = nan", "variants.wgan.critic_optimizer.lr: must be a finite number, got nan"),
        ("margin = 1.0", "margin = inf", "claims.margin: must be a finite number, got inf"),
        ("batch_size = 4", "batch_size = -inf", "batch_size: must be a finite number, got -inf"),
        ("margin = 1.0", "margin = 1e101", "claims.margin: must be 0 or between 1e-100 and 1e+100 in size, got 1e+101"),
        (
            "margin = 1.0",
            "margin = 5e-324",
            "claims.margin: must be 0 or between 1e-100 and 1e+100 in size, got 5e-324",
        ),
        # what a terminal would obey
        ('title = "A test"', 'title = "\\u001b[2J"', "title: must have no control characters, got '\\x1b[2J'"),
        (
            'says = "few steps"',
            'says = "\\u009b2J"',
            "profiles.smoke.says: must have no control characters, got '\\x9b2J'",
        ),
        ("version = 1", 'version = 1\n"\\u0007" = 2', "a key must have no control characters, got '\\x07'"),
        # claims
        ('"permutation"', '"permutatoin"', "claims.spreads.test: unknown value 'permutatoin'; did you mean"),
        ('"permutation"', '"welch"', "claims.spreads: 'modes_covered' is a count or bounded; use a permutation"),
        ('better = "wgan"', 'better = "wgna"', "claims.spreads: no variant 'wgna'; did you mean 'wgan'?"),
        (
            'better = "wgan"',
            'better = "gan"',
            "claims.spreads: better and worse are both 'gan'; a comparison needs two variants",
        ),
        ('measure = "modes_covered"', 'measure = "modes"', "claims.spreads: variant 'gan' does not measure 'modes'"),
        (
            'measure = "modes_covered"',
            'measure = "wasserstein_estimate"',
            "claims.spreads: 'wasserstein_estimate' is neither better high nor low, so nothing",
        ),
        ("margin = 1.0", 'profile = "papre"', "claims.spreads: no profile 'papre'; did you mean 'paper'?"),
        ('id = "spreads"', 'id = "Spreads!"', "claims.'Spreads!'.id: must match pattern"),
        # what does not go together
        (
            "n_critic = 5",
            "unroll = { steps = 1, order = 'second' }",
            "variants.wgan, unroll: second order is written for",
        ),
        (
            "n_critic = 5",
            "n_critic = 5\ncritic_warmup = { steps = 5, first = 25, every = 500 }",
            "variants.wgan, critic_warmup.steps: must be above n_critic (5), got 5",
        ),
        (
            "version = 1",
            "version = 1\ncritic_warmup = { steps = 9, first = 1, every = 5 }\nunroll = { steps = 2, order = 'first' }",
            "critic_warmup: goes with n_critic, which unroll replaces; set one of the two to 'none'",
        ),
        (
            "modes_covered = { points = 3 }",
            "modes_covered = { points = 3 }\nngram_js = { points = 3, n = 1 }",
            "measures.ngram_js: 'ngram_js' reads a text, and 'gaussian_ring' is none",
        ),
        (
            "version = 1",
            "version = 1\npictures = { text_lines = {} }",
            "pictures.text_lines: 'text_lines' reads a text, and 'gaussian_ring' is none",
        ),
        (
            "version = 1",
            "version = 1\npictures = { class_shares = {} }",
            "pictures.class_shares: reads a score network, and the setting has none; set score",
        ),
        (
            "version = 1",
            "version = 1\ninstance_noise = 0.0",
            "instance_noise: must be greater than 0, got 0.0",
        ),
        (
            "wasserstein_estimate = {}",
            "drop = { name = 'remaining', of = 'exact_wasserstein' }",
            "under profiles.smoke, measures.drop.of: 'exact_wasserstein' is taken at the last step alone; give it 2",
        ),
        (
            "wasserstein_estimate = {}",
            "drop = { name = 'remaining', of = 'exact_wassertein' }",
            "measures.drop.of: no measure 'exact_wassertein' before it; did you mean 'exact_wasserstein'?",
        ),
        ("version = 1", "version = 1\ngenerator_average = 1.0", "generator_average: must be less than 1, got 1.0"),
        ("version = 1", 'version = 1\nlr_decay = "cosine"', "lr_decay: must be 'linear', got 'cosine'"),
    ],
)
def test_a_mistake_is_reported_with_its_place_its_value_and_what_would_be_right(write, old, new, line):
    lines = mistakes_of(write(old, new))
    assert any(each.startswith(f"mine.toml, {line}") for each in lines), lines
    assert len(lines) <= 3


@pytest.mark.parametrize("test", ["t", "tost"])
def test_no_t_test_judges_a_count(write, test):
    bound = "at_least = 1.0" if test == "t" else "equals = 1.0\nwithin = 0.1"
    claim = f'[[claims]]\nid = "x"\nsays = "y"\ntest = "{test}"\nvariant = "gan"\nmeasure = "MEASURE"\n{bound}\n'
    (line,) = mistakes_of(write(content=TEXT + claim.replace("MEASURE", "modes_covered")))
    assert line.startswith("mine.toml, claims.x: 'modes_covered' is a count or bounded; use a permutation")
    assert len(load(write(content=TEXT + claim.replace("MEASURE", "exact_wasserstein"))).claims) == 2


def test_what_is_neither_better_high_nor_low_has_no_best(write):
    claim = '[[claims]]\nid = "x"\nsays = "y"\ntest = "t"\nvariant = "gan"\nat_most = 1.0\n'
    claim += 'measure = "wasserstein_estimate"\n'
    assert len(load(write(content=TEXT + claim)).claims) == 2
    (line,) = mistakes_of(write(content=TEXT + claim + 'statistic = "best"\n'))
    assert line.endswith(
        "'wasserstein_estimate' is neither better high nor low, so it has no best; use statistic = 'final'"
    )


@pytest.mark.parametrize(
    ("addition", "line"),
    [
        (
            '[[published]]\nmeasure="modes_covered"\nvalue=1\nsource="x"\nvariant="gna"',
            "published.gna: no variant 'gna'; did you mean 'gan'?",
        ),
        ('[[published]]\nmeasure="modes"\nvalue=1\nsource="x"\nrow="GAN"', "published.GAN: 'modes' is not measured"),
        (
            '[[published]]\nmeasure="modes_covered"\nvalue=1\nsource="x"\nrow="GAN"\nspread=1',
            "published.0: spread and spread_over go together",
        ),
        ('[[published]]\nmeasure="modes_covered"\nvalue=1\nsource="x"', "published.0: needs variant"),
        ('[[published]]\nmeasure="modes_covered"\nvalue=1\nrow="GAN"', "published.0.source: missing"),
        (
            '[[figures]]\nid="drawn"\nkind="clouds"\nvariants=["gna"]',
            "figures.drawn: no variant 'gna'; did you mean 'gan'?",
        ),
        (
            '[[figures]]\nid="drawn"\nkind="clouds"\nprofile="papre"',
            "figures.drawn: no profile 'papre'; did you mean 'paper'?",
        ),
        ('[[figures]]\nid="drawn"\nkind="curves"\nmeasures=["modes"]', "figures.drawn: 'modes' is not measured"),
        (
            '[[figures]]\nid="drawn"\nkind="cloud"',
            "figures.drawn.kind: unknown value 'cloud'; did you mean 'clouds'?",
        ),
    ],
)
def test_published_numbers_and_figures_speak_of_what_there_is(write, addition, line):
    (found,) = mistakes_of(write(content=f"{TEXT}\n{addition}\n"))
    assert found.startswith(f"mine.toml, {line}")


def test_the_losses_can_be_drawn_beside_the_measures(write):
    (figure,) = load(
        write(content=TEXT + '[[figures]]\nid="drawn"\nkind = "curves"\nmeasures = ["critic_loss"]\n')
    ).figures
    assert figure.measures == ["critic_loss"]


def test_all_mistakes_of_a_file_are_reported_together(write):
    text = (
        TEXT.replace("batch_size = 4", "batch_size = -4").replace("latent_dim", "latent").replace("lr = 1e-4", "lr = 0")
    )
    text = text.replace('"A test"', "3").replace('"few steps"', "4").replace("margin", "margn")
    assert mistakes_of(write(content=text)) == [
        "mine.toml, unknown field 'latent'; did you mean 'latent_dim'?",
        "mine.toml, title: must be a valid string, got 3",
        "mine.toml, claims.spreads: unknown field 'margn'; did you mean 'margin'?",
        "mine.toml, latent_dim: missing",
        "mine.toml, batch_size: must be greater than 0, got -4",
        "mine.toml, variants.wgan, critic_optimizer: lr: must be greater than 0, got 0",
        "mine.toml, profiles.smoke.says: must be a string, got 4",
    ]


def test_of_very_many_mistakes_some_are_reported(write):
    lines = mistakes_of(write("version = 1", "version = 1\n" + "".join(f"a{i} = 1\n" for i in range(99))))
    assert len(lines) == 21
    assert lines[-1] == "and 79 more mistakes"


@pytest.mark.parametrize("table", ["variants", "profiles"])
def test_a_spec_without_variants_or_profiles_is_none(write, table):
    text = "\n".join(f"{key} = {toml(value)}" for key, value in tomllib.loads(TEXT).items() if key != table)
    assert f"mine.toml, {table}: missing" in mistakes_of(write(content=text))
    (line,) = [line for line in mistakes_of(write(content=f"{text}\n{table} = {{}}\n")) if table in line]
    assert line == f"mine.toml, {table}: must have at least 1 item, got {{}}"


def test_a_claims_id_is_used_once_in_a_spec_and_among_what_it_inherits(write):
    claim = TEXT[TEXT.index("[[claims]]") :]
    line = "claims.spreads: the id is used 2 times; ids are unique among the claims of a spec"
    assert mistakes_of(write(content=TEXT + claim)) == [f"mine.toml, {line}"]
    write()
    inheriting = 'extends = "mine.toml"\ninherit_claims = true\n' + claim
    assert mistakes_of(write(name="child.toml", content=inheriting)) == [f"child.toml, {line}"]


@pytest.mark.parametrize(
    ("chain", "line"),
    [
        ("a", "a.toml, extends: circular (a.toml → a.toml); it must end at a spec that extends none"),
        ("ab", "a.toml, extends: circular (a.toml → b.toml → a.toml); it must end at a spec that extends none"),
        (
            "abc",
            "a.toml, extends: circular (a.toml → b.toml → c.toml → a.toml); it must end at a spec that extends none",
        ),
    ],
)
def test_a_circle_of_specs_is_reported_as_one(write, tmp_path, chain, line):
    for name, parent in zip(chain, chain[1:] + chain[0], strict=True):
        write(name=f"{name}.toml", content=f'extends = "./{parent}.toml"\n')
    assert mistakes_of(tmp_path / "a.toml") == [line]


@pytest.mark.parametrize(
    ("parent", "line"),
    [
        ('"nowhere.toml"', "nowhere.toml: no such file; 'wganbench list' names the experiments that ship"),
        ('"gaussian8"', "unknown experiment 'gaussian8'; did you mean 'gaussians8'?"),
        ("3", "must be the name or path of a spec, got 3"),
        ('"."', ".: not a file"),
    ],
)
def test_what_cannot_be_extended(write, parent, line):
    (found,) = mistakes_of(write(content=f"extends = {parent}\n"))
    assert found.startswith(f"mine.toml, extends: {line}")


# ---- --set ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("steps", "--set 'steps': must be path.to.field=value, such as variants.gan.latent_dim=16"),
        ("=5", "--set '=5': must be path.to.field=value"),
        ("a..b=5", "--set 'a..b=5': must be path.to.field=value"),
        ("a b=5", "--set 'a b=5': must be path.to.field=value"),
        ("a=3\nb=5", r"--set 'a=3\nb=5': must be one line"),
        ("a." * 999 + "a=5", "--set 'a.a.a"),
        ("stepz=5", "--set stepz: unknown field 'stepz'; did you mean 'steps'?"),
        ("name=other", "--set name: unknown field 'name'"),
        ("extends=other", "--set extends: unknown field 'extends'"),
        ("variants=3", "--set variants: must be variants.NAME.FIELD; known: gan, wgan"),
        ("variants.gan=3", "--set variants.gan: must be variants.gan.FIELD, such as variants.gan.steps"),
        ("variants.gna.steps=3", "--set variants.gna.steps: no variant 'gna'; did you mean 'gan'?"),
        ("variants.gan.step=3", "--set variants.gan.step: unknown field 'step'; did you mean 'steps'?"),
        ("profiles.papre.steps=3", "--set profiles.papre.steps: no profile 'papre'; did you mean 'paper'?"),
        ("steps=abc", "mine.toml with --set steps='abc', steps: must be a valid integer, got 'abc'"),
        ("steps=", "mine.toml with --set steps='', steps: must be a valid integer, got ''"),
        ("steps=true", "mine.toml with --set steps=True, steps: must be a valid integer, got True"),
        ("steps=5\ntitle='x'", r"--set \"steps=5\ntitle='x'\": must be one line"),
        ("steps=nan", "--set steps: must be a finite number, got nan"),
        ("steps=0x" + "f" * 9999, "--set steps: must be an integer of at most 64 bits"),
        ("steps=" + "[" * 99999, "mine.toml with --set steps='[[["),
        ("critic.hiden=[3]", "mine.toml with --set critic.hiden=[3], critic: unknown field 'hiden'; did"),
        ("variants.gan.latent_dim=0", "mine.toml with --set variants.gan.latent_dim=0, variants.gan, latent_dim: must"),
        ("claims.0.margin=3", "mine.toml with --set claims.0.margin=3, claims: must be a valid list"),
        ("title=3", "mine.toml with --set title=3, title: must be a valid string, got 3"),
    ],
)
def test_a_wrong_override_is_reported_as_one(write, override, line):
    lines = mistakes_of(write(), override)
    assert lines[0].startswith(line.replace('\\"', '"')), lines


def test_an_override_of_a_broken_spec_is_no_traceback(write):
    assert mistakes_of(write("[variants.gan]\n\n[variants.wgan]", "[[variants]]"), "variants.gan.steps=3") == [
        "--set variants.gan.steps: no variant 'gan'"
    ]


# ---- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "mine.toml: empty; a spec has at least title, source, version, data and variants"),
        ("# nothing\n", "mine.toml: empty;"),
        (bytes(range(256)), "mine.toml: not a text file in UTF-8; a spec is TOML"),
        (TEXT.encode("utf-16"), "mine.toml: not a text file in UTF-8; a spec is TOML"),
        ("\0" * 100, "mine.toml: not TOML: "),
        ('{"title": 1}', "mine.toml: not TOML: "),
        (TEXT + "steps = \n", "mine.toml: not TOML: Invalid value (at line "),
        (TEXT + "[profiles.paper]\n", "mine.toml: not TOML: "),
        (f"x = {'9' * 9999}", "mine.toml: not TOML: "),
        ("#" * 10_000_000, "mine.toml: 10,000,000 bytes; a spec has at most 200,000"),
        (f"x = {'[' * 9999}{']' * 9999}", "mine.toml: nested too deeply to be a spec"),
        (f"x = {'{a = ' * 9999}1{'}' * 9999}", "mine.toml: nested too deeply to be a spec"),
        (f"{'a.' * 9999}a = 1", "mine.toml: nested too deeply to be a spec"),
        (f"[{'a . ' * 9999}a]", "mine.toml: nested too deeply to be a spec"),
        ("a.a.a.a.a.a.a.a.a.a = { b.b.b.b.b.b.b.b = 1 }", "mine.toml, a: nested more than 16 deep"),
    ],
)
def test_a_file_that_is_no_spec_is_reported_in_one_line(write, content, line):
    (found,) = mistakes_of(write(content=content))
    assert found.startswith(line)
    assert len(found) < 200


@pytest.mark.parametrize("name", ["gaussian8", "", "nowhere", "x" * 5000])
def test_an_unknown_experiment_is_reported_with_those_there_are(name):
    (line,) = mistakes_of(name)
    assert line.startswith(f"unknown experiment {name[:20]!r}"[:30])
    assert "gaussians8" in line


@pytest.mark.parametrize("path", ["nowhere.toml", "no/where.toml", "no/where", "a\0b.toml", "/"])
def test_a_missing_file_is_reported_with_the_remedy(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (line,) = mistakes_of(path)
    assert line.endswith("'wganbench list' names the experiments that ship")
    assert len(line) < 200


def test_a_folder_or_a_pipe_in_a_files_place_is_reported(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    for name in ("folder.toml", "pipe.toml"):
        assert mistakes_of(tmp_path / name) == [
            f"{tmp_path / name}: not a file; 'wganbench list' names the experiments that ship"
        ]


def test_a_file_that_may_not_be_read_is_reported(write, monkeypatch):
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    path = write()
    monkeypatch.setattr(os, "open", refuse)
    assert mistakes_of(path) == ["mine.toml: cannot be read: Permission denied"]


def test_a_files_name_must_do_for_an_experiments(write):
    (line,) = mistakes_of(write(name="My Spec.toml"))
    assert line.startswith("'My Spec.toml': rename the file; its name is the experiment's")


MANY = {
    "fields": "".join(f"step{i} = 1\n" for i in range(9000)) + TEXT,
    "wrong variants": TEXT.partition("[[")[0]
    + "".join(f"[variants.v{i}]\ncritic.hidden=[0]\nx{i}=1\n" for i in range(900)),
    "settings": TEXT.partition("[[")[0] + "".join(f"[variants.v{i}]\n[profiles.p{i}]\n" for i in range(2000)),
    "claims": TEXT + "".join(f"[[claims]]\nid='c{i}'\ntest='t'\n" for i in range(4000)),
    "measures": TEXT.replace("[measures]", "[measures]\n" + "".join(f"m{i} = {{ x = 1 }}\n" for i in range(9000))),
    "items": TEXT.replace("hidden = [2]", f"hidden = [{'true,' * 30000}]", 1),
    "bytes": TEXT + "#" * 10_000_000,
}


@pytest.mark.parametrize("what", MANY)
def test_too_much_of_anything_is_refused_within_two_seconds(write, what):
    path = write(content=MANY[what])
    with at_most(2):
        lines = mistakes_of(path)
    assert len(lines) <= 21


# ---- anything at all ------------------------------------------------------------------------------------------------

BOUNDED = settings(max_examples=120, derandomize=True, deadline=None, database=None)
ODD_TEXT = st.sampled_from(
    ["=", "[", "]", "{", "}", '"', "'", "\n", ".", ",", "#", "-", "0", "nan", "é", "\0", "\\", "[["]
)
ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from(
        [2**63, 10**400, 1e308, float("nan"), float("inf"), "", "adam", "a.b:c", "none", "paper", "\n", [], {}]
    ),
    st.sampled_from([[[]], [{}], {"name": 3}, {"name": "clip"}, {"name": "a.b:c", "x": [1]}, {"points": -1}, ["gan"]]),
)


def toml(value: object) -> str:
    """``value`` as TOML in one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value)


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything inside ``value``."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*place, key)
        yield from places(item, (*place, key))


def use(path: Path) -> None:
    """All that reading and planning do with a spec; it raises SpecError or nothing."""
    try:
        experiment = load(path)
        for profile in experiment.profiles:
            for cohort in cohorts(expand(experiment, profile, [0, 1]), experiment.stack):
                assert cohort.id
                step_flops(cohort.runs[0].setting)
    except SpecError as error:
        if any(not line or len(line) > 2000 or "\n" in line for line in error.mistakes):
            raise AssertionError(error.mistakes) from error


@BOUNDED
@given(data=st.data())
def test_a_spec_with_its_text_changed_anyhow_is_read_or_refused(tmp_path_factory, data):
    text = TEXT
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        length = data.draw(st.sampled_from([0, 1, 2, 9, 60]))
        text = text[:start] + data.draw(st.just("") | ODD_TEXT) + text[start + length :]
    path = tmp_path_factory.getbasetemp() / "texts.toml"
    path.write_bytes(text.encode())
    use(path)


@BOUNDED
@given(data=st.data())
def test_a_spec_with_its_tables_changed_anyhow_is_read_or_refused(tmp_path_factory, data):
    table = tomllib.loads(TEXT)
    for _ in range(data.draw(st.integers(1, 3))):
        *outer, last = data.draw(st.sampled_from(list(places(table))))
        node: Any = table
        for key in outer:
            node = node[key]
        value = copy.deepcopy(data.draw(ODD_VALUES))
        if value is None:
            del node[last]
        elif isinstance(node, dict) and data.draw(st.integers(0, 4)) == 0:
            node[
                data.draw(st.sampled_from(["name", "points", "steps", "x", "", "a b", "\n", "unroll", "measures"]))
            ] = value
        else:
            node[last] = value
    path = tmp_path_factory.getbasetemp() / "tables.toml"
    path.write_text("".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in table.items()))
    use(path)


# ---- made by hand ---------------------------------------------------------------------------------------------------


def test_measure_uses_and_components_pass_as_they_are(write):
    setting = load(write()).setting("gan", "paper")
    use = MeasureUse(measure=Component(name="kde_peaks", protocol=1, options={}), points=2)
    content = {name: getattr(setting, name) for name in Setting.model_fields}
    assert Setting(**{**content, "measures": {"peaks": use}}).measures == {"peaks": use}


def test_an_experiment_made_by_hand_tells_its_mistakes_when_asked_for_a_setting():
    table = tomllib.loads(TEXT)
    about = {key: table.pop(key) for key in ("version", "title", "source", "profiles", "variants")}
    table.pop("claims")
    made = Experiment(name="mine", path="mine.toml", defaults={**table, "steps": 0}, **about)
    assert made.setting("gan", "smoke").steps == 5
    with pytest.raises(SpecError, match=r"mine.toml, under profiles.paper, steps: must be greater than 0, got 0"):
        made.setting("gan", "paper")
