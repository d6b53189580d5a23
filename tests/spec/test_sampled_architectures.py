"""Random architectures as a spec asks for them: variants, profiles, ids, and what is said of mistakes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wganbench.errors import SpecError
from wganbench.runner.build import make_trainer
from wganbench.spec import architectures, load
from wganbench.spec.plan import Cohort, expand, family, step_flops

TEXT = """
version = 1
title = "Random architectures"
source = "Gulrajani et al. 2017, table 2"
data = { name = "cifar10", size = 32 }
latent_dim = 128
batch_size = 64
steps = 100_000

[measures]
wasserstein_estimate = {}

[architectures]
n = 40
seed = 0

[architectures.methods.gan]
objective = "non_saturating"
generator_optimizer = { name = "adam", lr = 2e-4, betas = [0.5, 0.999] }
critic_optimizer = { name = "adam", lr = 2e-4, betas = [0.5, 0.999] }
normalised = { critic.norm = "batch", critic_optimizer.weight_decay = 1e-3 }

[architectures.methods.wgan-gp]
objective = "wasserstein"
constraint = { name = "gradient_penalty", penalty_weight = 10.0 }
n_critic = 5
generator_optimizer = { name = "adam", lr = 1e-4, betas = [0.0, 0.9] }
critic_optimizer = { name = "adam", lr = 1e-4, betas = [0.0, 0.9] }
normalised = { critic.norm = "layer", critic_optimizer.weight_decay = 1e-3 }

[profiles.paper]
says = "all of them"

[profiles.quick]
architectures = { n = 5, depths = [4, 8, 12] }
data.size = 16
generator.filters_divided_by = 8
critic.filters_divided_by = 8
batch_size = 32
steps = 10

[variants.dcgan]
objective = "non_saturating"
generator = { name = "dcgan_generator", filters = 64 }
critic = { name = "dcgan_critic", filters = 64, norm = "batch" }
generator_optimizer = { name = "adam", lr = 2e-4, betas = [0.5, 0.999] }
critic_optimizer = { name = "adam", lr = 2e-4, betas = [0.5, 0.999] }
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(old: str = "", new: str = "", *, name: str = "mine.toml", content: str = TEXT) -> Path:
        assert old in content
        path = tmp_path / name
        path.write_text(content.replace(old, new, 1), encoding="utf-8")
        return path

    return write


def mistakes_of(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(path, overrides)
    return list(caught.value.mistakes)


DRAWN = architectures.sample_architectures(40, 0)


def test_each_architecture_is_a_variant_with_each_method(write):
    spec = load(write())
    made = [f"a{place:03}-{method}" for place in range(40) for method in ("gan", "wgan-gp")]
    assert spec.variants_of("paper") == list(spec.variants) == [*made, "dcgan"]


def test_a_profile_skips_those_that_a_pilot_had_and_may_name_the_critics_depths(write):
    quick = "{ n = 5, depths = [4, 8, 12] }"
    deep = "{ n = 3, skip = 2, depths = [4, 8, 12], critic_depths = [12], methods = ['gan'] }"
    fits = [i for i, each in enumerate(DRAWN) if each.generator.depth < 20 and each.critic.depth == 12]
    assert len({DRAWN[i].generator.depth for i in fits}) > 1
    chosen = load(write(quick, deep)).variants_of("quick")
    assert chosen == [*(f"a{place:03}-gan" for place in fits[2:5]), "dcgan"]
    told = mistakes_of(write(quick, deep.replace("skip = 2", "skip = 99")))
    assert told == ["mine.toml, profiles.quick.architectures: none of the 40 drawn fits"]


def test_fresh_architectures_of_table2_are_none_of_the_pilots():
    spec = load("table2")
    pilot, fresh = (
        {name.partition("-")[0] for name in spec.variants_of(profile)} - {"dcgan"} for profile in ("reduced", "deep")
    )
    assert (len(pilot), len(fresh)) == (20, 16) and not pilot & fresh
    assert {spec.setting(f"{name}-gan", "deep").critic.options["depth"] for name in fresh} == {12}


@pytest.mark.parametrize("method", ["gan", "wgan-gp"])
def test_a_variant_is_its_architecture_with_the_methods_of_appendix_b(write, method):
    spec = load(write())
    for place, architecture in enumerate(DRAWN):
        setting = spec.setting(f"a{place:03}-{method}", "paper")
        generator, critic = setting.generator.options, setting.critic.options
        for options, choice in ((generator, architecture.generator), (critic, architecture.critic)):
            assert options["activation"] == choice.nonlinearity
            assert (options["depth"], options["filters"]) == (choice.depth, choice.filters)
        assert generator["norm"] == ("batch" if architecture.generator.normalised else "none")
        normalised = architecture.critic.normalised
        assert critic["norm"] == ({"gan": "batch", "wgan-gp": "layer"}[method] if normalised else "none")
        assert setting.critic_optimizer.options.get("weight_decay", 0) == (1e-3 if normalised else 0)
        assert "weight_decay" not in setting.generator_optimizer.options
        assert setting.critic_optimizer.options["lr"] == {"gan": 2e-4, "wgan-gp": 1e-4}[method]
        assert setting.n_critic == {"gan": 1, "wgan-gp": 5}[method]
        assert (setting.constraint is None) == (method == "gan")


def test_a_profile_has_the_first_that_fit_under_their_names_with_filters_divided(write):
    spec = load(write())
    fits = [place for place, one in enumerate(DRAWN) if max(one.generator.depth, one.critic.depth) <= 12][:5]
    assert fits != [0, 1, 2, 3, 4]  # some do not fit, or this would test nothing
    names = [f"a{place:03}-{method}" for place in fits for method in ("gan", "wgan-gp")]
    assert spec.variants_of("quick") == [*names, "dcgan"]
    assert [run.variant for run in expand(spec, "quick", [0])] == [*names, "dcgan"]
    for place in fits:
        setting = spec.setting(f"a{place:03}-wgan-gp", "quick")
        assert setting.generator.options["filters"] == DRAWN[place].generator.filters
        assert setting.generator.options["filters_divided_by"] == 8
        assert setting.data.options["size"] == 16


def test_every_variant_has_a_cost(write):
    spec = load(write())
    for profile in spec.profiles:
        for run in expand(spec, profile, [0]):
            assert step_flops(run.setting) > 1e6


def test_fewer_architectures_have_the_same_ids_and_another_seed_has_others(write):
    many, few = load(write()), load(write(), ["architectures.n=10"])
    assert few.variants_of("paper") == [*many.variants_of("paper")[:20], "dcgan"]
    for variant in few.variants_of("paper"):
        assert family(variant, few.setting(variant, "paper")) == family(variant, many.setting(variant, "paper"))
    other = load(write(), ["architectures.seed=1"])
    assert other.setting("a000-gan", "paper") != many.setting("a000-gan", "paper")


def test_one_variant_may_be_changed_by_the_file_and_by_set(write):
    changed = load(write("[variants.dcgan]", "[variants.a001-gan]\nn_critic = 2\n[variants.dcgan]"), ["batch_size=8"])
    assert changed.setting("a001-gan", "paper").n_critic == 2
    assert changed.setting("a001-gan", "paper").generator == load(write()).setting("a001-gan", "paper").generator
    assert list(changed.variants)[:3] == ["a000-gan", "a000-wgan-gp", "a001-gan"]
    changed = load(write(), ["variants.a001-gan.n_critic=3", "architectures.n=3"])
    assert changed.setting("a001-gan", "paper").n_critic == 3
    assert changed.setting("a000-gan", "paper").n_critic == 1
    assert len(changed.variants) == 7


def test_a_spec_may_extend_one_with_another_method(write):
    write()
    path = write(
        name="sides.toml",
        content="""
version = 1
title = "One-sided"
extends = "./mine.toml"
[architectures.methods.wgan-gp-one-sided]
objective = "wasserstein"
constraint = { name = "one_sided_penalty", penalty_weight = 10.0 }
n_critic = 5
generator_optimizer = { name = "adam", lr = 1e-4, betas = [0.0, 0.9] }
critic_optimizer = { name = "adam", lr = 1e-4, betas = [0.0, 0.9] }
""",
    )
    spec = load(path)
    inherited = load(path.with_name("mine.toml"))
    assert len(spec.variants) == 121
    assert spec.setting("a007-gan", "paper") == inherited.setting("a007-gan", "paper")
    assert spec.setting("a007-wgan-gp-one-sided", "paper").constraint.name == "one_sided_penalty"


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("n = 40", "n = 0", ["architectures.n: must be at least 1, got 0"]),
        ("n = 40\n", "", ["architectures.n: missing"]),
        ("seed = 0", "sead = 0", ["architectures: unknown field 'sead'; did you mean 'seed'?"]),
        (
            "n = 40",
            "n = 40\nfilters = [32]\ndepths = [4]\nnonlinearities = ['relu']",
            ["architectures.n: must be at most 4, the points of the space, got 40"],
        ),
        (
            "n = 40",
            "n = 40\nnonlinearities = ['selu']",
            ["architectures.nonlinearities.0: must be 'relu', 'leaky_relu'"],
        ),
        ("n = 5, depths = [4, 8, 12]", "n = '5'", ["profiles.quick.architectures.n: must be a valid integer, got '5'"]),
        ("depths = [4, 8, 12]", "depths = [5]", ["profiles.quick.architectures: none of the 40 drawn fits"]),
        (
            'normalised = { critic.norm = "batch", critic_optimizer.weight_decay = 1e-3 }',
            "normalised = 'batch'",
            ["architectures.methods.gan: normalised: must be a table, got 'batch'"],
        ),
        # what is wrong with the settings that come of it
        ('critic.norm = "layer"', 'critic.norm = "batch"', ["critic.norm: 'batch' mixes rows, and a penalty"]),
        ("filters_divided_by = 8", "filters_divided_by = 5", ["generator: filters_divided_by: must divide the"]),
        ("data.size = 16", "data.size = 8", ["under profiles.quick, generator: images of 8×8 are too small"]),
    ],
)
def test_a_mistake_is_reported_with_its_place(write, old, new, lines):
    found = mistakes_of(write(old, new))
    for line in lines:
        assert any(line in each and each.startswith("mine.toml") for each in found), found


# ---- profiles that have some of the variants ------------------------------------------------------------------------


def test_a_profile_may_name_its_variants(write):
    spec = load(write('says = "all of them"', "variants = ['dcgan', 'a000-gan']"))
    assert spec.variants_of("paper") == ["a000-gan", "dcgan"]
    assert [run.variant for run in expand(spec, "paper", [0, 1])] == ["a000-gan"] * 2 + ["dcgan"] * 2
    with pytest.raises(
        SpecError, match=r"^mine.toml: profile 'paper' has no variant 'a001-gan'; did you mean 'a000-gan'\?$"
    ):
        expand(spec, "paper", [0], ["a001-gan"])


@pytest.mark.parametrize(
    ("new", "line"),
    [
        ("variants = ['dcgam']", "profiles.paper.variants: no variant 'dcgam'; did you mean 'dcgan'?"),
        ("variants = []", "profiles.paper.variants: must be a list of names, got []"),
        ("variants = 3", "profiles.paper.variants: must be a list of names, got 3"),
        ("variants = [['dcgan']]", "profiles.paper.variants: must be a list of names, got [['dcgan']]"),
    ],
)
def test_a_profile_names_variants_that_are_there(write, new, line):
    assert f"mine.toml, {line}" in mistakes_of(write('says = "all of them"', new))


def test_a_claim_is_about_variants_of_its_profile(write):
    claim = """
[[claims]]
id = "level"
says = "it is"
test = "sign"
profile = "quick"
measure = "wasserstein_estimate"
variant = "a000-gan"
at_least = 0.0
"""
    assert mistakes_of(write("[variants.dcgan]", claim + "\n[variants.dcgan]")) == [
        "mine.toml, claims.level: profile 'quick' has no variant 'a000-gan'; did you mean 'a007-gan'?"
    ]


# ---- training -------------------------------------------------------------------------------------------------------


class Noise:
    sample_shape = (3, 16, 16)

    def to(self, device: Any) -> Noise:
        return self

    def draw(self, n: int, rng: torch.Generator) -> torch.Tensor:
        return torch.rand(n, *self.sample_shape, generator=rng) * 2 - 1


def test_drawn_variants_train_at_their_cost_and_their_weights_decay(write, monkeypatch):
    from wganbench.runner import resolve

    original = resolve.import_object
    monkeypatch.setattr(
        resolve, "import_object", lambda kind, name: Noise if kind == "data set" else original(kind, name)
    )
    spec = load(write(), ["profiles.quick.batch_size=4", "architectures.n=12"])
    for run in expand(spec, "quick", [0])[:4]:
        setting = run.setting.model_copy(update={"data": run.setting.data.model_copy(update={"options": {}})})
        trainer = make_trainer(setting, Cohort((run,)).seeds, torch.device("cpu"))
        decays = {group["weight_decay"] for group in trainer.critic_optimizer.param_groups}
        assert decays == {1e-3 if run.setting.critic.options["norm"] != "none" else 0}
        with FlopCounterMode(display=False) as counter:
            trainer.step()
        assert trainer.finite.all()
        # The estimate leaves nothing out, and counts some gradients that are not needed, as of the first layer.
        assert 0.75 < counter.get_total_flops() / step_flops(run.setting) <= 1.0
