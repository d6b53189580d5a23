"""A folder of images in the place of a published set: in the setting, in the ids, and on the command line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from wganbench.cli import cli
from wganbench.data import shapes10
from wganbench.data.image_folder import digest
from wganbench.errors import DataError, SpecError
from wganbench.records.store import Store
from wganbench.spec import Component, load
from wganbench.spec.plan import expand
from wganbench.spec.substitute import overrides, parse, substitute

SPEC = """
title = "Images"
source = "a test"
version = 1
data = {{ name = "{data}", size = 4, scaling = "256-dequantised" }}
fixed_generator = "noised"
critic = {{ name = "mlp", hidden = [4] }}
objective = "wasserstein"
critic_optimizer = {{ name = "adam", lr = 1e-3 }}
batch_size = 2
measured_samples = 2
steps = 2
seeds = 1
measures = {{ wasserstein_estimate = {{ points = 1 }} }}
profiles = {{ quick = {{ }} }}

[variants."wgan.1"]

[variants.toy]
data = {{ name = "gaussian_ring" }}
"""


@pytest.fixture
def folder(tmp_path):
    """Two classes of two images."""
    for number, place in enumerate(("ape/0.png", "ape/1.png", "bee/0.png", "bee/1.png")):
        path = tmp_path / "pictures" / "cifar10-jpeg75" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * number, np.uint8)).save(path)
    return tmp_path / "pictures" / "cifar10-jpeg75"


@pytest.fixture
def spec(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    path = tmp_path / "images.toml"
    path.write_text(SPEC.format(data="cifar10"))
    return str(path)


def cifar10(**options):
    return Component.resolve("data set", {"name": "cifar10", **options})


def test_it_has_the_folders_name_and_digest_the_originals_size_and_scaling_and_no_path(folder):
    found = substitute(cifar10(size=4, scaling="256-dequantised", split="test"), folder)
    assert found.name == "image_folder"
    assert found.options == {
        "folder": "cifar10-jpeg75",
        "digest": digest(folder),
        "split": "test",
        "size": 4,
        "channels": 3,
        "scaling": "256-dequantised",
    }
    assert str(folder.parent) not in found.model_dump_json()


def test_it_is_flipped_where_the_original_is(spec, folder):
    flipped = load(spec, ['variants."wgan.1".data.flips=true'])
    (text,) = overrides(flipped, {"cifar10": folder}, "quick")
    data = load(spec, [text]).setting("wgan.1", "quick").data
    assert data == substitute(cifar10(size=4, scaling="256-dequantised", flips=True), folder)
    assert data.options["flips"] is True


def test_in_the_place_of_digits_it_is_grey(folder):
    found = substitute(Component.resolve("data set", "mnist"), folder)
    assert {key: found.options[key] for key in ("size", "channels", "scaling")} == {
        "size": 28,
        "channels": 1,
        "scaling": "unit",
    }


@pytest.mark.parametrize("name", ["cifar10", "CIFAR-10", "imagenet32", "train"])
def test_it_cannot_have_the_name_of_an_original(folder, name):
    renamed = folder.rename(folder.parent / name)
    with pytest.raises(DataError, match=rf"^{renamed}: folder: '{name}' names something else; rename the folder"):
        substitute(cifar10(), renamed)


@pytest.mark.parametrize("name", ["my photos", "ラーメン", "-photos", "p" * 65])
@pytest.mark.parametrize("data", ["cifar10", "images"])
def test_a_folder_needs_a_name_that_a_record_can_keep(folder, data, name):
    moved = folder.rename(folder.parent / name)
    with pytest.raises(
        DataError, match=rf"{name}: records keep the folder's name, which must be .*; rename the folder"
    ):
        substitute(Component.resolve("data set", {"name": data, "size": 8}), moved)


def test_a_folder_of_the_original_itself_is_pointed_to_the_data_folder(tmp_path):
    for file in ("MNIST/raw/train-images-idx3-ubyte", "MNIST/raw/train-labels-idx1-ubyte"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(
        DataError, match=rf"^{tmp_path}: holds mnist itself \(train\); --data-dir {tmp_path} takes it so$"
    ):
        substitute(Component.resolve("data set", "mnist"), tmp_path)


def test_its_runs_have_ids_of_their_own_that_hang_on_the_content_and_not_on_the_place(spec, folder, tmp_path):
    def ids(*given):
        texts = list(overrides(load(spec), parse(given), "quick", ["wgan.1"]))
        return [run.id for run in expand(load(spec, texts), "quick", [0], ["wgan.1"])]

    elsewhere = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, elsewhere)
    original, first = ids(), ids(f"cifar10={folder}")
    assert first != original
    assert ids(f"cifar10={elsewhere}") == first
    (elsewhere / "ape" / "0.png").write_bytes((elsewhere / "bee" / "0.png").read_bytes())
    assert ids(f"cifar10={elsewhere}") not in (first, original)


def test_it_stands_in_where_the_original_is_used_and_nowhere_else(spec, folder):
    texts = list(overrides(load(spec), parse([f"cifar10={folder}"]), "quick"))
    changed = load(spec, texts)
    assert changed.setting("wgan.1", "quick").data == substitute(load(spec).setting("wgan.1", "quick").data, folder)
    assert changed.setting("toy", "quick") == load(spec).setting("toy", "quick")


def test_where_all_variants_of_a_profile_share_their_data_one_override_is_enough(spec, folder):
    path = Path(spec)
    text = path.read_text().replace("quick = { }", 'quick = { }, shapes = { data = "shapes10" }')
    path.write_text(text.replace('data = { name = "gaussian_ring" }', "n_critic = 2"))
    (only,) = overrides(load(spec), parse([f"cifar10={folder}"]), "quick", ["toy"])
    changed = load(spec, [only])
    assert {changed.setting(variant, "quick").data.name for variant in ("wgan.1", "toy")} == {"image_folder"}
    assert changed.setting("toy", "shapes") == load(spec).setting("toy", "shapes")


def test_a_folder_that_a_profile_names_is_decoded_and_changes_nothing(spec, folder, tmp_path):
    own = f'{{ name = "image_folder", folder = "{folder.name}", digest = "{digest(folder)}", size = 4 }}'
    path = Path(spec)
    path.write_text(path.read_text().replace("quick = { }", f"quick = {{ data = {own} }}"))
    assert list(overrides(load(spec), parse([f"cifar10={folder}"]), "quick")) == []
    arguments = ["run", spec, "--profile", "quick", "--variant", "wgan.1", "--data", f"cifar10={folder}"]
    found = CliRunner().invoke(cli, [*arguments, "--device", "cpu"])
    assert found.exit_code == 0, found.output
    (record,) = Store(tmp_path / "runs").load().values()
    assert (record.status, record.overrides) == ("finished", [])
    assert record.family == load(spec).family("wgan.1", "quick")


def test_a_folder_of_that_name_with_other_images_is_reported(spec, folder):
    own = f'{{ name = "image_folder", folder = "{folder.name}", digest = "{"0" * 64}", size = 4 }}'
    path = Path(spec)
    path.write_text(path.read_text().replace("quick = { }", f"quick = {{ data = {own} }}"))
    found = CliRunner().invoke(cli, ["run", spec, "--profile", "quick", "--data", f"cifar10={folder}"])
    assert found.exit_code == 2
    assert "other images than those asked for" in found.output


def test_a_folder_for_a_set_that_is_not_used_is_reported(spec, folder):
    with pytest.raises(SpecError, match=rf"^--data mnist={folder}: images uses no mnist, but cifar10, gaussian_ring$"):
        list(overrides(load(spec), parse([f"mnist={folder}"]), "quick"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cifar10", r"^--data 'cifar10': must be NAME=FOLDER, such as cifar10=photos/cifar10-jpeg75$"),
        ("cifar10=", "must be NAME=FOLDER"),
        ("cifar=x", r"no image set 'cifar'; did you mean 'cifar10'\?$"),
        ("gaussian_ring=x", "no image set 'gaussian_ring'"),
    ],
)
def test_what_is_no_substitution_is_reported(text, message):
    with pytest.raises(SpecError, match=message):
        parse([text])


# ---- on the command line --------------------------------------------------------------------------------------------


def play(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def test_show_and_plan_have_the_substitute(spec, folder):
    shown = play("show", spec, "--profile", "quick", "--data", f"cifar10={folder}")
    data = json.loads(shown.output)["variants"]["wgan.1"]["data"]
    assert data["options"]["folder"] == "cifar10-jpeg75"
    plans = [play("plan", spec, *more).output for more in ((), ("--data", f"cifar10={folder}"))]
    assert ["but for cifar10→cifar10-jpeg75" in plan for plan in plans] == [False, True]


def test_a_run_trains_on_the_substitute_and_its_record_says_so(spec, folder, tmp_path):
    outcome = play(
        *("run", spec, "--variant", "wgan.1", "--results", tmp_path / "results", "--device", "cpu"),
        *("--data", f"cifar10={folder}", "--data-dir", tmp_path / "other"),
    )
    assert outcome.exit_code == 0, outcome.output
    (record,) = Store(tmp_path / "results").load().values()
    assert record.status == "finished"
    assert record.setting.data.options["folder"] == "cifar10-jpeg75"
    assert "cifar10-jpeg75" in " ".join(record.overrides)
    stem = f"cifar10-jpeg75-train-3x4x4-v2-{digest(folder)[:16]}"
    assert sorted(path.name for path in (tmp_path / "other" / "decoded").iterdir()) == [
        *(f"{stem}{suffix}" for suffix in (".json", ".npy"))
    ]
    assert os.environ["WGANBENCH_DATA"] == str(tmp_path / "data")


def test_a_run_without_its_data_says_what_is_missing_and_trains_nothing(spec, tmp_path):
    outcome = play("run", spec, "--variant", "wgan.1", "--results", tmp_path / "results", "--device", "cpu")
    assert outcome.exit_code == 2
    assert "wganbench: cifar10: no cifar-10-batches-py/data_batch_1 and 6 more in" in outcome.output
    assert Store(tmp_path / "results").load() == {}


@pytest.fixture
def few_shapes(monkeypatch):
    monkeypatch.setattr(shapes10, "COUNTS", {"train": 30, "test": 20})


def test_data_is_fetched_listed_and_verified(spec, tmp_path, few_shapes):
    there = ("--data-dir", tmp_path / "there")
    fetched = play("data", "fetch", "shapes10", *there)
    assert fetched.output.startswith("shapes10 train: 30 images, SHA-256 ")
    listed = play("data", "list", *there)
    assert listed.exit_code == 0
    assert fetched.output.split()[5][:12] in listed.output
    assert "cifar10" in listed.output and "missing" in listed.output
    verified = play("data", "verify", *there)
    assert (verified.exit_code, verified.output.splitlines()[-1]) == (0, "verified 2: 2 whole, 0 damaged")
    damaged = next((tmp_path / "there").glob("decoded/*-train-*.npy"))
    damaged.write_bytes(b"")
    verified = play("data", "verify", "shapes10", *there)
    assert (verified.exit_code, verified.output.splitlines()[-1]) == (1, "verified 2: 1 whole, 1 damaged")
    assert not Path(tmp_path / "data").exists()


def test_what_cannot_be_fetched_is_reported_in_one_line(spec):
    outcome = play("data", "fetch", "imagenet32")
    assert outcome.exit_code == 2
    assert outcome.output.startswith("wganbench: imagenet32: no train_data_batch_1.npz and 9 more in ")
    assert len(outcome.output.splitlines()) == 1
