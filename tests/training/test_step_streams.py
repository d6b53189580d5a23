"""Numbers drawn for many steps at once: each step has its own, in every stack and wherever a training begins again."""

import pytest
import torch

from tests.training.test_cuda_graph import by_itself, same
from tests.training.test_state import CASES, by_file, make, seen, trained
from wganbench.data.toy import gaussian_ring
from wganbench.losses import constraints, objectives
from wganbench.rng import Streams
from wganbench.training import critic_trainer, step_streams
from wganbench.training.batches import Batches
from wganbench.training.cuda_graph import capture
from wganbench.training.method import Method, Warmup
from wganbench.training.step_streams import StepStreams

SEEDS, BLOCK = (3, 9), 4
WARMED = Method(
    objectives.Wasserstein(), penalty=constraints.gradient_penalty, n_critic=2, warmup=Warmup(4, first=2, every=3)
)


@pytest.fixture(autouse=True)
def four_steps_a_block(monkeypatch):
    monkeypatch.setattr(step_streams, "MAX_STEPS", BLOCK)
    monkeypatch.setattr(critic_trainer, "draws_in_blocks", lambda device: True)


def drawn_in(step, streams):
    """What a step draws: two like draws, and one of another shape."""
    streams.begin_step(step)
    return [each.clone() for each in (streams.normal(2, 5), streams.normal(2, 5), streams.integers(1000, 30))]


def test_no_two_steps_and_no_two_draws_of_a_step_have_the_same_numbers():
    streams = StepStreams(SEEDS, "latent")
    rows = [row for step in range(10) for each in drawn_in(step, streams)[:2] for row in each]
    assert rows[0].shape == (2, 5)
    assert len({tuple(row.flatten().tolist()) for row in rows}) == 10 * 2 * len(SEEDS)


@pytest.mark.parametrize("first", range(10))
def test_streams_that_begin_at_a_later_step_draw_what_the_others_draw_there(first):
    streams, later = StepStreams(SEEDS, "latent"), StepStreams(SEEDS, "latent")
    straight = [drawn_in(step, streams) for step in range(10)]
    for step in range(first, 10):
        assert all(map(torch.equal, drawn_in(step, later), straight[step]))
    assert all(map(torch.equal, drawn_in(0, later), straight[0])), "streams go back as well"


def test_a_seed_draws_the_same_numbers_in_each_stack():
    for one, of_two in zip(drawn_in(6, StepStreams(SEEDS[1:], "a")), drawn_in(6, StepStreams(SEEDS, "a")), strict=True):
        assert torch.equal(one[0], of_two[1])


def test_a_draw_does_not_depend_on_those_before_it():
    streams, other = StepStreams(SEEDS, "penalty"), StepStreams(SEEDS, "penalty")
    streams.begin_step(5)
    other.begin_step(5)
    other.normal(3)
    assert torch.equal(streams.uniform(7), other.uniform(7))
    assert not torch.equal(streams.uniform(7), StepStreams(SEEDS, "latent").uniform(7))


def test_numbers_have_the_moments_of_their_distributions():
    streams = StepStreams(range(20), "moments")
    streams.begin_step(0)
    normal, uniform, whole = streams.normal(4000), streams.uniform(4000), streams.integers(3, 4000)
    assert abs(normal.mean()) < 0.02 and abs(normal.var() - 1) < 0.03  # five standard errors
    assert abs(uniform.mean() - 1 / 2) < 0.006 and abs(uniform.var() - 1 / 12) < 0.002
    assert whole.unique().tolist() == [0, 1, 2] and whole.dtype == torch.int64
    assert abs(whole.float().mean() - 1) < 0.02


def test_outside_of_steps_draws_are_those_of_the_streams_without_blocks():
    streams, plain = StepStreams(SEEDS, "latent"), Streams(SEEDS, "latent")
    assert torch.equal(streams.normal(6), plain.normal(6))
    drawn_in(0, streams)
    streams.begin_step(None)
    assert torch.equal(streams.uniform(6), plain.uniform(6))


def test_numbers_stay_at_one_address_and_a_change_in_place_lasts_for_the_step_alone():
    streams, plain = StepStreams(SEEDS, "latent"), StepStreams(SEEDS, "latent")
    streams.begin_step(0)
    place = streams.normal(6).zero_().data_ptr()
    for step in (1, BLOCK):
        streams.begin_step(step)
        plain.begin_step(step)
        assert streams.normal(6).data_ptr() == place
        assert torch.equal(streams.normal(5), plain.normal(5))
    streams.begin_step(0)
    plain.begin_step(0)
    assert torch.equal(streams.normal(6), plain.normal(6))


def test_a_block_is_of_fewer_steps_where_these_are_large(monkeypatch):
    monkeypatch.setattr(step_streams, "MAX_BYTES", 100)
    steps = {}
    for n, expected in ((6, 4), (10, 2), (25, 1), (1000, 1)):  # numbers of 4 bytes
        streams = StepStreams(SEEDS, "latent")
        streams.begin_step(0)
        streams.normal(n)
        steps[n] = [block.numbers.shape[1] for block in streams._blocks.values()]
        assert steps[n] == [expected]


def test_points_of_a_block_are_drawn_at_once_and_in_order():
    data, streams = gaussian_ring(), StepStreams(SEEDS, "data")
    batches, calls = Batches(data, streams, 8), []

    class Counted:
        sample_shape = data.sample_shape

        def draw(self, n, rng):
            calls.append(n)
            return data.draw(n, rng)

    batches.data = Counted()
    found = []
    for step in range(BLOCK):
        streams.begin_step(step)
        found.append(torch.cat(list(batches.draw(2)), dim=1).clone())
    assert calls == [BLOCK * 16] * len(SEEDS)
    whole = next(iter(streams._blocks.values())).numbers
    assert torch.equal(torch.stack(found, dim=1), whole)
    assert (whole.flatten(0, 2).norm(dim=1) - 2).abs().max() < 0.3, "they lie on the ring"


# ---- trainings ------------------------------------------------------------------------------------------------------


def resumed_at(step, build, steps):
    """A training that another trainer continues from the state after ``step``."""
    first, second = trained(build(), step), build()
    second.restore(by_file(first.state()))
    return trained(second, steps - step)


@pytest.mark.parametrize("case", CASES)
def test_a_training_goes_on_in_the_middle_of_a_block_as_if_nothing_had_stopped(case):
    straight = seen(trained(make(case), 7))
    for step in (1, BLOCK - 1, BLOCK, BLOCK + 1):
        assert seen(resumed_at(step, lambda: make(case), 7)) == straight


def warmed():
    trainer = make("penalty")
    trainer.method = WARMED
    return trainer


@pytest.mark.parametrize("step", range(1, 8))
def test_so_does_one_with_critic_steps_beside_the_others(step):
    assert seen(resumed_at(step, warmed, 8)) == seen(trained(warmed(), 8))


def test_captured_steps_draw_what_eager_ones_do():
    eager, captured = make("penalty"), make("penalty")
    step = capture(captured, by_itself)
    for _ in range(2 * BLOCK + 1):
        eager.step()
        step()
        assert same(eager, captured)
    held = make("penalty")
    held.restore(captured.state())
    captured.restore(eager.state())
    for _ in range(BLOCK):
        held.step()
        step()
    assert same(held, captured)


def test_a_training_in_blocks_draws_from_no_generator_that_a_graph_would_hold():
    trainer = make("penalty")
    before = [rng.get_state() for own in trainer.streams.values() for rng in own.generators]
    trained(trainer, BLOCK + 1)
    after = [rng.get_state() for own in trainer.streams.values() for rng in own.generators]
    assert all(map(torch.equal, before, after))


def test_trainers_draw_in_blocks_on_every_device_but_the_cpu():
    assert not step_streams.draws_in_blocks(torch.device("cpu"))
    assert step_streams.draws_in_blocks(torch.device("cuda", 1))
