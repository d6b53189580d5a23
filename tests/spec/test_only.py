"""What a profile changes of one variant alone, and what is said of mistakes there."""

from __future__ import annotations

from pathlib import Path

import pytest

from wganbench.errors import SpecError
from wganbench.spec import load

TEXT = """
version = 1
title = "A test"
source = "nowhere"
data = { name = "cifar10", scaling = "256-dequantised" }
objective = "wasserstein"
latent_dim = 2
batch_size = 64
steps = 10
generator = { name = "dcgan_generator", filters = 4 }
critic = { name = "dcgan_critic", filters = 4 }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
[measures]
wasserstein_estimate = {}

[variants.plain]

[variants.coarse]
data.scaling = "255"

[variants.other]

[profiles.paper]

[profiles.quick]
variants = ["plain", "coarse"]
data = { name = "shapes10", size = 16, scaling = "256-dequantised" }
batch_size = 8
"""


@pytest.fixture
def loaded(tmp_path: Path):
    def of(*parts: str, overrides=()):
        path = tmp_path / "test.toml"
        path.write_text("\n".join([TEXT, *parts]), encoding="utf-8")
        return load(path, overrides)

    return of


def test_it_lies_over_the_profile_and_under_what_is_set(loaded):
    text = '[profiles.quick.only.coarse]\ndata.scaling = "255"\nbatch_size = 4'
    spec = loaded(text)
    plain, coarse = (spec.setting(variant, "quick") for variant in ("plain", "coarse"))
    assert (plain.data.name, plain.data.options["scaling"], plain.batch_size) == ("shapes10", "256-dequantised", 8)
    assert (coarse.data.name, coarse.data.options["scaling"], coarse.batch_size) == ("shapes10", "255", 4)
    assert coarse.data.options["size"] == 16
    assert spec.setting("coarse", "paper").batch_size == 64
    assert loaded(text, overrides=["batch_size=2"]).setting("coarse", "quick").batch_size == 2


def test_the_ids_of_the_others_are_those_without_it(loaded):
    before, after = loaded(), loaded("[profiles.quick.only.coarse]\nbatch_size = 4")
    assert before.family("plain", "quick") == after.family("plain", "quick")
    assert before.family("coarse", "quick") != after.family("coarse", "quick")


@pytest.mark.parametrize(
    ("addition", "line"),
    [
        ("only.corse.batch_size = 4", "profiles.quick.only.corse: no variant 'corse'; did you mean 'coarse'?"),
        ("only.other.batch_size = 4", "profiles.quick.only.other: profile 'quick' has no variant 'other'"),
        ("only = 3", "profiles.quick.only: must be a table of tables, one a variant, got 3"),
        ("only.coarse = 3", "profiles.quick.only: must be a table of tables, one a variant, got {'coarse': 3}"),
        ("only.coarse.batch = 4", "variants.coarse under profiles.quick, unknown field 'batch'; did you mean 'batch_"),
    ],
)
def test_a_mistake_is_reported_with_its_place(loaded, addition, line):
    with pytest.raises(SpecError) as caught:
        loaded(addition)
    assert f"test.toml, {line}" in str(caught.value)
