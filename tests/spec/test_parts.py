"""Parts of a set of images: which are trained on, which are held out, and what reads the latter."""

from __future__ import annotations

import pytest

from wganbench.errors import SpecError
from wganbench.spec import load


@pytest.mark.parametrize("held_out", ["0", "0.0", "1.0", "-3", "true", "'half'"])
def test_a_held_out_part_is_some_of_the_images_and_not_all(held_out):
    with pytest.raises(SpecError) as caught:
        load("overfit", [f"data.held_out={held_out}"])
    assert all("held_out" in line and len(line.splitlines()) == 1 for line in caught.value.mistakes)


@pytest.mark.parametrize("limit", ["0", "0.5"])
def test_a_limit_is_a_number_of_images(limit):
    with pytest.raises(SpecError, match="limit"):
        load("overfit", [f"variants.gp.data.limit={limit}"])


def test_parts_belong_to_the_id_only_where_they_are_asked_for():
    spec = load("overfit")
    gp, control = (spec.setting(variant, "reduced") for variant in ("gp", "gp-all"))
    assert (gp.data.options["limit"], gp.data.options["held_out"]) == (1_000, 10_000)
    assert "limit" not in control.model_dump(mode="json")["data"]["options"]
    assert spec.family("gp", "reduced")[-10:] != spec.family("gp-all", "reduced")[-10:]


def test_a_measure_of_held_out_images_needs_some():
    with pytest.raises(
        SpecError, match=r"measures\.held_out_estimate: reads images kept from training; set data\.held"
    ):
        load("fig3", ["measures.held_out_estimate.points=3"])
