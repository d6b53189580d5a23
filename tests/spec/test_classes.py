"""What a spec says of classes and of a generator batch of its own: mistakes, ids, costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.test_resnet import RESNET
from wganbench.errors import SpecError
from wganbench.spec import RECORDED, Setting, load
from wganbench.spec.plan import family, step_flops

PAIR = """
[variants.conditional]
auxiliary_classifier = {}
generator = { name = "resnet_generator", norm_batches = 2, classes = 10 }
critic = { name = "resnet_critic", classes = 10 }
generator_batch_size = 128
"""
CONDITIONAL = "variants.conditional"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "resnet.toml"
    found.write_text(RESNET + PAIR, encoding="utf-8")
    return found


def conditional(path: Path, *overrides: str) -> Setting:
    return load(path, [f"{CONDITIONAL}.{each}" for each in overrides]).setting("conditional", "paper")


def test_the_weights_are_those_of_the_official_code_and_come_back_from_a_record(path):
    setting = conditional(path)
    assert setting.auxiliary_classifier is not None
    assert setting.auxiliary_classifier.model_dump() == {"critic": 1.0, "generator": 0.1}
    assert (setting.classes, setting.generator_batch_size) == (10, 128)
    text = setting.model_dump_json()
    assert Setting.model_validate_json(text, context=RECORDED) == setting


def test_a_setting_without_them_is_written_as_it_was_before_there_were_any(path):
    plain = load(path).setting("wgan-gp", "paper")
    assert plain.classes is None
    assert not {"auxiliary_classifier", "generator_batch_size"} & plain.model_dump().keys()


def test_each_weight_and_either_batch_changes_the_id(path):
    changes = ("auxiliary_classifier.critic=2.0", "auxiliary_classifier.generator=0.2", "generator_batch_size=64")
    found = {family("x", conditional(path, *each)) for each in ([], *([change] for change in changes))}
    assert len(found) == 4


def test_what_is_inherited_is_undone_by_none(path):
    text = RESNET.replace("latent_dim", "auxiliary_classifier = { critic = 2.0 }\nlatent_dim", 1)
    path.write_text(f'{text}auxiliary_classifier = "none"\n{PAIR}'.replace("auxiliary_classifier = {}\n", ""))
    spec = load(path)
    assert spec.setting("wgan-gp", "paper").auxiliary_classifier is None
    assert spec.setting("conditional", "paper").auxiliary_classifier.critic == 2.0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["generator.classes=5"],
            "generator.classes: must be the 10 of cifar10, got 5",
        ),
        (
            ["critic.classes=11"],
            "critic.classes: must be the 10 of cifar10, got 11",
        ),
        (
            ['data={name="image_folder", folder="mine", size=32}', "critic.classes=11"],
            "critic.classes: must be the generator's (10), got 11",
        ),
        (
            ['critic={name="dcgan_critic", filters=4}'],
            "critic.classes: must be set where there is an auxiliary_classifier, to those of the data set",
        ),
        (
            ["auxiliary_classifier=none"],
            "critic.classes: nothing trains them without auxiliary_classifier; set it, or leave them out",
        ),
        (
            ["data=gaussian_ring"],
            "auxiliary_classifier: needs images with labels, and 'gaussian_ring' has none",
        ),
        (
            ["fixed_generator=noised"],
            "auxiliary_classifier: needs a generator of classes, which a fixed one is not; use 'none'",
        ),
        (
            ["unroll={steps=2, order='second'}"],
            "auxiliary_classifier: is not written for unroll of second order; use order = 'first'",
        ),
        (
            ["auxiliary_classifier.critic=-1.0"],
            "auxiliary_classifier.critic: must be at least 0, got -1.0",
        ),
        (["auxiliary_classifier.real=1.0"], "auxiliary_classifier: unknown field 'real'"),
        (["auxiliary_classifier=true"], "auxiliary_classifier: "),
        (["generator_batch_size=0"], "generator_batch_size: must be greater than 0, got 0"),
        (["generator_batch_size=127"], "generator.norm_batches: must divide generator_batch_size (127), got 2"),
        (["batch_size=63"], "generator.norm_batches: must divide batch_size (63), got 2"),
    ],
)
def test_a_mistake_is_reported_with_its_place_in_one_line(path, overrides, message):
    with pytest.raises(SpecError) as caught:
        conditional(path, *overrides)
    lines = [line for line in caught.value.mistakes if message in line]
    assert lines and CONDITIONAL in lines[0], caught.value.mistakes
    assert all(len(line.splitlines()) == 1 for line in caught.value.mistakes)


def test_a_measure_of_classes_needs_some(path):
    assert conditional(path, "measures.class_accuracy.of=fake").measures["class_accuracy"].points == 100
    with pytest.raises(
        SpecError, match=r"measures\.class_accuracy: reads the critic's classes, and the setting has no"
    ):
        load(path, ["variants.wgan-gp.measures.class_accuracy.of=fake"])


def test_first_order_unrolling_goes_with_classes(path):
    assert conditional(path, "unroll={steps=2, order='first'}").unroll is not None


def test_a_step_costs_as_much_more_as_the_generator_has_samples_of_its_own(path):
    """Three times the generator's operations, forward and backward, and twice the critic's, as its weights stay."""
    both, one = (step_flops(conditional(path, f"generator_batch_size={n}")) for n in (128, 64))
    costs = conditional(path).costs()
    assert both is not None and one is not None and costs is not None
    assert both - one == 64 * (3 * costs["generator"].flops + 2 * costs["critic"].flops)
    # Without classes there is no layer of 128 × 10 in the critic, which a critic step is counted to pass 10 times.
    plain = step_flops(load(path, ["generator_batch_size=64"]).setting("wgan-gp", "paper"))
    assert plain is not None
    assert one - plain == 64 * (5 * 10 + 2) * 2 * 128 * 10
