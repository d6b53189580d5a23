"""Several constraints of one variant, packed samples and orders of updates, as a spec states them."""

from __future__ import annotations

import json

import pytest

from wganbench.errors import SpecError
from wganbench.spec import RECORDED, Setting, family, load
from wganbench.spec.plan import step_flops

R1 = "{ name = 'r1', gamma = 2.0 }"
CLIP = "{ name = 'clip', clip_value = 0.5 }"


def setting(*changes, variant="gan", experiment="gaussians8"):
    return load(experiment, [f"variants.{variant}.{change}" for change in changes]).setting(variant, "paper")


def test_several_constraints_are_read_in_order_and_recorded():
    several = setting(f"constraint=[{R1}, 'r2', {CLIP}]")
    assert [each.name for each in several.constraints] == ["r1", "r2", "clip"]
    assert [each.options for each in several.constraints] == [{"gamma": 2.0}, {"gamma": 10.0}, {"clip_value": 0.5}]
    assert several.is_penalised and several.n_penalised == 2
    recorded = json.loads(json.dumps(several.model_dump(mode="json")))
    assert Setting.model_validate(recorded, context=RECORDED) == several


def test_a_list_of_one_is_that_one_and_has_its_id():
    one, listed = setting(f"constraint={R1}"), setting(f"constraint=[{R1}]")
    assert listed == one
    assert family("gan", listed) == family("gan", one)


def test_what_is_not_asked_for_leaves_old_ids_as_they_are():
    plain = setting()
    assert plain == setting("constraint='none'", "pack='none'", "updates='alternating'")
    assert not {"pack", "updates"} & plain.model_dump(mode="json").keys()
    assert plain.constraints == [] and not plain.is_penalised


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("constraint=[]",), "constraint: a list of none; use 'none'"),
        (("constraint=['r1', 'dragon']",), "constraint: unknown constraint 'dragon'; did you mean 'dragan'?"),
        (("constraint=['r1', {name='r2', gama=1}]",), "constraint: unknown field 'gama'; did you mean 'gamma'?"),
        (("constraint=['r1']", "critic.norm='batch'"), "critic.norm: 'batch' mixes rows"),
        (("pack=1",), "pack: must be at least 2, got 1"),
        (("pack=3",), "pack: must divide batch_size (100), got 3"),
        (("pack=2", "generator_batch_size=5"), "pack: must divide generator_batch_size (5), got 2"),
        (("updates='simultaneous'", "n_critic=2"), "updates: 'simultaneous' is one update of each network"),
        (("updates='generator_first'", "unroll={steps=2, order='first'}"), "updates: 'generator_first' is for critic"),
        (("critic.spectral_norm=true", "unroll={steps=2, order='second'}"), "unroll: second order is written for a"),
    ],
)
def test_what_does_not_go_together_is_one_line(changes, said):
    with pytest.raises(SpecError) as error:
        setting(*changes)
    (line,) = [line for line in str(error.value).splitlines() if said in line]
    assert line.startswith("gaussians8.toml")


def test_the_critic_of_packed_samples_is_wider_and_called_less_often():
    plain, packed = setting(), setting("pack=4")
    assert packed.judged_shape((2,)) == (8,)
    assert packed.judged_shape((3, 32, 32)) == (12, 32, 32)
    assert packed.costs()["critic"].parameters - plain.costs()["critic"].parameters == 6 * 128
    assert step_flops(packed) < step_flops(plain)


def test_each_gradient_that_is_penalised_has_its_cost():
    costs = [step_flops(setting(f"constraint={given}")) for given in ("'none'", "'r1'", "['r1', 'r2']", "'r1_r2'")]
    assert costs[1] > costs[0]
    assert costs[2] == costs[3] == pytest.approx(2 * costs[1] - costs[0])
