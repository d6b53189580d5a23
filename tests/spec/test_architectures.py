"""The draw of random architectures: its space, its order, and what becomes of an architecture under a method."""

from __future__ import annotations

import hashlib

import pytest

from wganbench.errors import SpecError
from wganbench.spec.architectures import TABLE_1, Architecture, Choice, Space, draw, named, parts

SMALL = Space(depths=(4, 8, 12), filters=(32, 64))


def test_the_space_is_that_of_table_1():
    points = list(TABLE_1.points())
    assert len(points) == len(set(points)) == 9216  # (4 · 4 · 3 · 2)², papers.md § 4
    assert all(point in TABLE_1 for point in points)


def test_the_first_points_of_a_seed_are_those_of_every_machine_and_version():
    assert [str(architecture) for architecture in draw(5, 0)] == [
        "tanh-20-128-norm/tanh-12-32-norm",
        "relu-12-32-norm/tanh-4-64-norm",
        "relu-8-128-none/relu-20-32-norm",
        "leaky_relu-12-32-none/relu-8-32-norm",
        "tanh-8-128-none/softplus-12-32-norm",
    ]
    expected = "e9a164a5d1c8ed27b976ac80bc516b63aceab5022daf5ad9af112388756015a2"
    every = "\n".join(map(str, draw(9216, 0)))
    assert hashlib.sha256(every.encode()).hexdigest() == expected


def test_fewer_are_the_first_of_more_and_none_comes_twice():
    many = draw(9216, 3)
    assert set(many) == set(TABLE_1.points())
    assert draw(200, 3) == many[:200]
    assert draw(0, 3) == []


def test_a_smaller_space_keeps_the_order_of_a_larger_one():
    many = draw(9216, 5)
    inside = [architecture for architecture in many if architecture in SMALL]
    assert len(inside) == (4 * 3 * 2 * 2) ** 2
    assert draw(100, 5, SMALL) == inside[:100]
    larger = draw(5000, 5, Space(nonlinearities=("relu", "elu", "leaky_relu", "softplus", "tanh")))
    from_table_1 = [architecture for architecture in larger if architecture in TABLE_1]
    assert from_table_1 == many[: len(from_table_1)]


def test_the_order_of_a_spaces_values_says_nothing_nor_does_one_named_twice():
    turned = Space(depths=(12, 4, 8, 4), filters=(64, 32), normalised=(False, True))
    assert draw(50, 1, turned) == draw(50, 1, SMALL)


def test_seeds_draw_different_lists_in_which_every_value_comes_about_as_often():
    first, second = draw(1000, 0), draw(1000, 1)
    assert 70 < len(set(first) & set(second)) < 150  # 1000²/9216 = 109
    for network in ("generator", "critic"):
        drawn = [getattr(architecture, network) for architecture in first]
        assert all(200 < sum(each.nonlinearity == one for each in drawn) < 300 for one in TABLE_1.nonlinearities)
        assert all(200 < sum(each.depth == one for each in drawn) < 300 for one in TABLE_1.depths)
        assert all(280 < sum(each.filters == one for each in drawn) < 390 for one in TABLE_1.filters)
        assert 450 < sum(each.normalised for each in drawn) < 550


def test_a_space_has_no_more_points_than_it_has():
    with pytest.raises(SpecError, match=r"^n: must be at most 9,216, the points of the space, got 9217$"):
        draw(9217, 0)


def test_names_are_places_in_the_list():
    assert list(named(draw(1001, 0)))[:2] == ["a000", "a001"]
    assert list(named(draw(1001, 0)))[-1] == "a1000"
    assert named(draw(9, 0))["a008"] == draw(9, 0)[8]


GAN = {"n_critic": 1, "normalised": {"critic": {"norm": "batch"}, "critic_optimizer": {"weight_decay": 1e-3}}}
PLAIN, NORMED = Choice("relu", 4, 32, False), Choice("softplus", 20, 128, True)


def test_an_architecture_is_a_generator_and_a_critic():
    method, networks, over = parts(Architecture(NORMED, PLAIN), GAN)
    assert method == {"n_critic": 1}
    assert networks == {
        "generator": {
            "name": "dcgan_generator",
            "filters": 128,
            "depth": 20,
            "activation": "softplus",
            "norm": "batch",
        },
        "critic": {"name": "dcgan_critic", "filters": 32, "depth": 4, "activation": "relu", "norm": "none"},
    }
    assert over == {}


def test_a_critic_that_is_normalised_has_what_the_method_says_of_it():
    _, networks, over = parts(Architecture(PLAIN, NORMED), GAN)
    assert networks["generator"]["norm"] == "none"
    assert networks["critic"]["norm"] == "layer"
    assert over == GAN["normalised"]
    assert parts(Architecture(PLAIN, NORMED), {})[2] == {}
