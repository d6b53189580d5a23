"""The draw of random architectures: its space, its order, and what becomes of an architecture under a method."""

from __future__ import annotations

import hashlib

import pytest

from wganbench.errors import SpecError
from wganbench.spec.architectures import TABLE_1, Architecture, Choice, Space, make_variant, sample_architectures

SMALL = Space(depths=(4, 8, 12), filters=(32, 64))


def test_the_space_is_that_of_table_1():
    points = list(TABLE_1.points())
    assert len(points) == len(set(points)) == 9216  # (4 · 4 · 3 · 2)², papers.md § 4
    assert all(point in TABLE_1 for point in points)


def test_the_first_points_of_a_seed_are_those_of_every_machine_and_version():
    assert [str(architecture) for architecture in sample_architectures(5, 0)] == [
        "tanh-20-128-norm/tanh-12-32-norm",
        "relu-12-32-norm/tanh-4-64-norm",
        "relu-8-128-none/relu-20-32-norm",
        "leaky_relu-12-32-none/relu-8-32-norm",
        "tanh-8-128-none/softplus-12-32-norm",
    ]
    expected = "e9a164a5d1c8ed27b976ac80bc516b63aceab5022daf5ad9af112388756015a2"
    every = "\n".join(map(str, sample_architectures(9216, 0)))
    assert hashlib.sha256(every.encode()).hexdigest() == expected


def test_fewer_are_the_first_of_more_and_none_comes_twice():
    many = sample_architectures(9216, 3)
    assert set(many) == set(TABLE_1.points())
    assert sample_architectures(200, 3) == many[:200]
    assert sample_architectures(0, 3) == []


def test_a_smaller_space_keeps_the_order_of_a_larger_one():
    many = sample_architectures(9216, 5)
    inside = [architecture for architecture in many if architecture in SMALL]
    assert len(inside) == (4 * 3 * 2 * 2) ** 2
    assert sample_architectures(100, 5, SMALL) == inside[:100]
    larger = sample_architectures(5000, 5, Space(nonlinearities=("relu", "elu", "leaky_relu", "softplus", "tanh")))
    from_table_1 = [architecture for architecture in larger if architecture in TABLE_1]
    assert from_table_1 == many[: len(from_table_1)]


def test_the_order_of_a_spaces_values_says_nothing_nor_does_one_named_twice():
    turned = Space(depths=(12, 4, 8, 4), filters=(64, 32), normalised=(False, True))
    assert sample_architectures(50, 1, turned) == sample_architectures(50, 1, SMALL)


def test_seeds_draw_different_lists_in_which_every_value_comes_about_as_often():
    first, second = sample_architectures(1000, 0), sample_architectures(1000, 1)
    assert 70 < len(set(first) & set(second)) < 150  # 1000²/9216 = 109
    for network in ("generator", "critic"):
        drawn = [getattr(architecture, network) for architecture in first]
        assert all(200 < sum(each.nonlinearity == one for each in drawn) < 300 for one in TABLE_1.nonlinearities)
        assert all(200 < sum(each.depth == one for each in drawn) < 300 for one in TABLE_1.depths)
        assert all(280 < sum(each.filters == one for each in drawn) < 390 for one in TABLE_1.filters)
        assert 450 < sum(each.normalised for each in drawn) < 550


def test_a_space_has_no_more_points_than_it_has():
    with pytest.raises(SpecError, match=r"^n: must be at most 9,216, the points of the space, got 9217$"):
        sample_architectures(9217, 0)


GAN = {"n_critic": 1, "normalised": {"critic": {"norm": "batch"}, "critic_optimizer": {"weight_decay": 1e-3}}}
PLAIN, NORMED = Choice("relu", 4, 32, False), Choice("softplus", 20, 128, True)


def test_an_architecture_is_a_generator_and_a_critic():
    assert make_variant(Architecture(NORMED, PLAIN), GAN) == {
        "n_critic": 1,
        "generator": {
            "name": "dcgan_generator",
            "filters": 128,
            "depth": 20,
            "activation": "softplus",
            "norm": "batch",
        },
        "critic": {"name": "dcgan_critic", "filters": 32, "depth": 4, "activation": "relu", "norm": "none"},
    }


def test_a_normalised_critic_has_the_fields_that_the_method_gives_it():
    made = make_variant(Architecture(PLAIN, NORMED), GAN)
    assert made["generator"]["norm"] == "none"
    assert made["critic"]["norm"] == "batch"
    assert made["critic_optimizer"] == {"weight_decay": 1e-3}
    plain = make_variant(Architecture(PLAIN, NORMED), {})
    assert plain["critic"]["norm"] == "layer"
    assert "critic_optimizer" not in plain
