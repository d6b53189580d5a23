"""What a spec may say of the scores, beyond what tests/spec/test_catalogue.py shows of every name."""

import pytest
from pydantic import ValidationError

from wganbench.spec.catalogue import NAMES

SCORES = ("inception_score", "inception_score_spread", "frechet_distance", "kernel_distance")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("inception_score", {"samples": 9}, r"splits must be at most samples \(9\), got 10"),
        ("inception_score_spread", {"samples": 100, "splits": 101}, r"splits must be at most samples \(100\), got 101"),
        ("kernel_distance", {"samples": 999}, r"subset_size must be at most samples \(999\), got 1,000"),
    ],
)
def test_fewer_samples_than_the_score_needs_are_refused_before_training(name, options, message):
    with pytest.raises(ValidationError, match=message):
        NAMES["measure"][name].options.model_validate(options)


@pytest.mark.parametrize("name", SCORES)
def test_the_published_number_of_samples_is_the_default(name):
    assert NAMES["measure"][name].options().samples == 50_000


def test_a_diverged_run_has_the_lowest_score_and_the_farthest_distance():
    worst = {name: NAMES["measure"][name].scale.worst for name in SCORES if name != "inception_score_spread"}
    assert worst == {"inception_score": 1.0, "frechet_distance": float("inf"), "kernel_distance": float("inf")}
