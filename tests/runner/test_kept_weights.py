"""Weights that are kept, sampled and measured again: the same numbers as in training, and one line for all else."""

from __future__ import annotations

import json
import math

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save

from wganbench.cli import cli
from wganbench.records.store import Store
from wganbench.records.weights import WeightsFolder
from wganbench.runner.latents import analogies, analogy_of, parse_cells, slerp, walks
from wganbench.runner.weights import unpack

RUN = ("run", "gaussians8", "--profile", "smoke", "--seeds", "1", "--variant", "wgan-clip", "--device", "cpu")
RUN += ("--set", "measures.drift={ points = 1 }")  # which reads another measure


def invoke(*arguments: object):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def one_line(*arguments: object) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    return line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A results folder with one run whose weights were kept, and the same run without them in ``without``."""
    root = tmp_path_factory.mktemp("kept")
    assert invoke(*RUN, "--results", root / "runs", "--keep-weights").exit_code == 0
    assert invoke(*RUN, "--results", root / "without").exit_code == 0
    return root


def record_in(results):
    (record,) = Store(results).load().values()
    return record


def test_a_record_names_its_weights_by_their_digests_and_without_them_says_nothing(folder):
    kept, without = record_in(folder / "runs"), record_in(folder / "without")
    assert [(each.network, each.step) for each in kept.weights] == [("generator", 10), ("critic", 10)]
    assert (kept.measures, kept.curves) == (without.measures, without.curves)
    assert "weights" not in json.loads(Store(folder / "without").path(without).read_text())
    assert (folder / "runs" / ".weights" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("label", ["wasserstein_estimate", "exact_wasserstein"])
def test_a_measure_of_kept_weights_is_that_of_the_training_and_leaves_the_record_alone(folder, label):
    record = record_in(folder / "runs")
    before = Store(folder / "runs").path(record).read_bytes()
    assert invoke("measure", record.id, "--measure", label, "--results", folder / "runs").exit_code == 0
    (found,) = [
        each
        for each in json.loads((folder / f"runs/gaussians8/measured/{record.id}.json").read_text())["measured"]
        if each["label"] == label
    ]
    assert found["value"] == record.measures[label]
    assert Store(folder / "runs").path(record).read_bytes() == before
    assert invoke("results", "verify", "--results", folder / "runs").exit_code == 0


def test_samples_of_a_run_and_of_its_file_are_the_same(folder):
    record, pictures = record_in(folder / "runs"), [folder / "run.png", folder / "file.png"]
    file = WeightsFolder(folder / "runs").path(record, record.weights[0])
    for target, out in zip((record.id, file), pictures, strict=True):
        assert invoke("sample", target, "--n", 20, "--out", out, "--results", folder / "runs").exit_code == 0
    first, second = (Image.open(path).tobytes() for path in pictures)
    assert unpack(file.read_bytes(), file).run == record.id
    assert first == second


def test_what_cannot_be_sampled_is_one_line(folder):
    record, runs = record_in(folder / "runs"), folder / "runs"
    weights = WeightsFolder(runs)
    generator, critic = (weights.path(record, kept) for kept in record.weights)
    about = unpack(generator.read_bytes(), generator)
    cut, foreign, odd = (folder / f"{name}.safetensors" for name in ("cut", "foreign", "odd"))
    cut.write_bytes(generator.read_bytes()[:-9])
    foreign.write_bytes(save({"w": torch.zeros(2)}))
    content = generator.read_bytes()
    metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    state = {name: tensor[..., :1].contiguous() for name, tensor in about.state.items()}
    odd.write_bytes(save(state, metadata))
    assert "holds the critic of" in one_line("sample", critic)
    assert "not a whole safetensors file" in one_line("sample", cut)
    assert "not a safetensors file of wganbench" in one_line("sample", foreign)
    assert "; must be (" in one_line("sample", odd)
    assert "no such file" in one_line("sample", folder / "none.safetensors")
    assert "no weights were kept" in one_line("sample", record.id, "--results", folder / "without")
    assert "no weights of step 2" in one_line("sample", record.id, "--step", 2, "--results", runs)
    assert "choose one" in one_line("sample", record.id, "--gif", "--interpolate", "--results", runs)
    assert "which only a training has" in one_line(
        "measure", record.id, "--measure", "training_seconds", "--results", runs
    )
    assert "--score names one" in one_line("measure", record.id, "--measure", "frechet_distance", "--results", runs)


# ---- latents --------------------------------------------------------------------------------------------------------


def test_a_great_circle_keeps_the_length_and_divides_the_angle():
    start, end = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0])
    found = slerp(start, end, torch.tensor([[0.0], [1 / 3], [1.0]]))
    assert torch.allclose(found, torch.tensor([[2.0, 0.0], [math.sqrt(3), 1.0], [0.0, 2.0]]), atol=1e-6)


def test_a_closed_walk_goes_through_its_stops_and_no_step_is_longer_than_the_others():
    found = walks(1, 400, 50, torch.Generator().manual_seed(0))[:, 0]
    steps = (found - found.roll(1, 0)).norm(dim=1)
    assert steps.max() < 0.25  # a quarter of the walk is about π/2 · √50 = 11 long, in 100 steps


def test_sums_and_differences():
    a, b, c, made = analogies(3, 5, torch.Generator().manual_seed(1)).unbind(1)
    assert torch.equal(made, a - b + c)
    latents = torch.arange(6.0)[:, None]
    assert analogy_of(parse_cells("1+5,2,4"), latents).flatten().tolist() == [3, 2, 4, 5]


def test_a_generator_of_text_is_not_drawn(tmp_path):
    run = ("run", "language", "--profile", "smoke", "--seeds", "1", "--variant", "gan", "--device", "cpu")
    assert invoke(*run, "--results", tmp_path, "--keep-weights").exit_code == 0
    name = record_in(tmp_path).id
    line = one_line("sample", name, "--results", tmp_path, "--out", tmp_path / "grid.png")
    assert f"{name}: its samples are neither images nor points but text, which 'sample' does not draw" in line
    assert not (tmp_path / "grid.png").exists()
