"""Captures in one process, one after the other and side by side: their memory, and what a refused one leaves."""

from __future__ import annotations

import gc
import inspect
import re
import warnings

import pytest
import torch

from tests.fake_cuda import counters
from tests.fake_cuda.steps import CUDA
from tests.training import test_meta
from wganbench.rng import Streams
from wganbench.runner.build import make_trainer
from wganbench.runner.cohort import release_memory
from wganbench.runner.precision import numerics
from wganbench.spec import load
from wganbench.training import cuda_graph
from wganbench.training.critic_trainer import StackTrainer
from wganbench.training.cuda_graph import NotCapturedError, capture

pytestmark = pytest.mark.slow


def made(variant="wgan-gp", seeds=(0, 3)):
    return make_trainer(load("gaussians8").setting(variant, "smoke"), seeds, CUDA)


# ---- memory ---------------------------------------------------------------------------------------------------------


def memory_over(attempts, kept=None):
    """What is allocated after each of some attempts at a capture, and the graphs and side streams that exist then."""
    left = []
    with numerics(CUDA, 1):
        for _ in range(attempts):
            step = attempt()
            if kept is not None:
                kept.append(step)
            del step
            release_memory(CUDA)
            streams = len(cuda_graph.STREAMS._users)
            left.append([counters.memory_in_use(), counters.counts()["graphs"], streams])
    return left


def attempt():
    try:
        step = capture(made())
    except NotCapturedError:
        return None
    step()
    return step


def after_five_captures():
    return memory_over(5)


def test_memory_is_flat_over_five_captures(fake_cuda):
    first, *others = fake_cuda(after_five_captures)
    assert others == [first] * 4
    assert first[1:] == [0, 1], "a graph is freed with its trainer, and its stream is used again"


def after_three_captures_that_are_kept():
    return memory_over(3, [])


def test_a_graph_that_is_kept_takes_memory_and_a_stream(fake_cuda):
    """What the bounds above would notice."""
    memory, graphs, streams = zip(*fake_cuda(after_three_captures_that_are_kept), strict=True)
    assert memory[0] < memory[1] < memory[2]
    assert graphs == streams == (1, 2, 3)


def after_five_refusals():
    StackTrainer._critic_step = waits_for_all(StackTrainer._critic_step)
    return memory_over(5)


def waits_for_all(step):
    """Only the capture itself notices a call that waits for the whole device."""

    def and_waits(self, *inputs):
        result = step(self, *inputs)
        torch.cuda.synchronize()
        return result

    return and_waits


def test_memory_is_flat_over_five_refused_captures(fake_cuda):
    first, *others = fake_cuda(after_five_refusals)
    assert others == [first] * 4
    assert first[1:] == [0, 1]


def with_two_graphs(shared):
    if shared:
        stream = torch.cuda.Stream()
        cuda_graph.SideStreams.free = lambda self, device: stream
    with numerics(CUDA, 1):
        trainers = [made(seeds=(0,)), made(seeds=(3,))]
        steps = [capture(trainer) for trainer in trainers]
        del trainers[0], steps[0]
        gc.collect()
        torch.cuda.empty_cache()
        steps[0]()
    return counters.violations()


def test_a_graph_keeps_its_workspace_when_another_is_freed(fake_cuda):
    assert fake_cuda(with_two_graphs, False) == {}


@pytest.mark.skipif(
    not cuda_graph.TRACKS_GENERATORS, reason="torch frees a stream's workspaces with a graph since 2.13"
)
def test_two_graphs_of_one_stream_would_share_a_workspace(fake_cuda):
    assert list(fake_cuda(with_two_graphs, True)) == ["a graph whose workspace was freed"]


def captured_with(registered_generators):
    cuda_graph.TRACKS_GENERATORS = not registered_generators
    with numerics(CUDA, 1), warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer = made()
        trainer.streams["of each step"] = Streams(trainer.seeds, "of each step", CUDA)  # the others draw in blocks
        capture(trainer)()


def test_a_capture_prints_nothing(fake_cuda):
    fake_cuda(captured_with, not cuda_graph.TRACKS_GENERATORS)
    assert fake_cuda.written == ""


@pytest.mark.skipif(not cuda_graph.TRACKS_GENERATORS, reason="before 2.13, torch leaves generators to the caller")
def test_generators_that_are_registered_without_need_are_printed(fake_cuda):
    fake_cuda(captured_with, True)
    assert "register_generator_state" in fake_cuda.written


# ---- refusals -------------------------------------------------------------------------------------------------------

WAITING = {
    test_meta.scales_by_a_number,
    test_meta.branches_on_a_value,
    test_meta.weights_from_python,
    test_meta.draws_on_the_cpu,
    test_meta.selects_by_a_list,
    test_meta.goes_by_numpy,
    test_meta.logs_the_loss,
}
"""Faults for which the CPU waits for the device. Left out are those that go by a value before the
capture, which is garbage here, and those for which cuSOLVER is needed, which is not imitated."""
FAULTS = [each for each in test_meta.FAULTS if each[1] in WAITING]


def refusals():
    """Why a step with each fault is not captured, and then whether one without is."""
    return {fault.__name__: refusal(place(fault)) for place, fault, _ in FAULTS} | {"none": refusal(None)}


def refusal(planted):
    with pytest.MonkeyPatch.context() as patch, numerics(CUDA, 1):
        if planted is not None:
            patch.setattr(*planted)
        try:
            capture(made(seeds=(0,)))
        except NotCapturedError as reason:
            return str(reason)
    return None


def test_a_refusal_names_the_line_that_waits_for_the_device(fake_cuda):
    found = fake_cuda(refusals)
    assert found.pop("none") is None
    for name, reason in found.items():
        place = rf"called a synchronizing CUDA operation in test_meta\.py, line {line_of(name)}: \S.*"
        assert reason is not None and re.fullmatch(place, reason), (name, reason)


def where_a_capture_fails():
    StackTrainer._critic_step = waits_for_all(StackTrainer._critic_step)
    return refusal(None)


def test_a_refusal_names_the_line_that_only_a_capture_refuses(fake_cuda):
    reason = fake_cuda(where_a_capture_fails)
    expected = r"CUDA error: operation not permitted when stream is capturing in test_capturing\.py, line \d+: "
    assert re.fullmatch(expected + r"torch\.cuda\.synchronize\(\)", reason), reason


def steps_after_a_refusal():
    """Of a network whose steps leave nodes of autograd behind that only the garbage collector frees."""
    own = StackTrainer._critic_objective
    StackTrainer._critic_objective = waits_for_all(own)
    with numerics(CUDA, 1):
        trainer = make_trainer(load("table3").setting("wgan-gp", "smoke"), [0, 3], CUDA)
        with pytest.raises(NotCapturedError):
            capture(trainer)
        trainer.step()


def test_steps_after_a_refusal_wait_for_no_stream_of_the_capture(fake_cuda):
    fake_cuda(steps_after_a_refusal)
    assert fake_cuda.written == "", "torch warns of nodes that it has to wait for"


def line_of(name):
    """The numbers of the lines in a fault's body, as an alternative."""
    lines, first = inspect.getsourcelines(getattr(test_meta, name))
    return f"({'|'.join(str(first + i) for i in range(1, len(lines)))})"
