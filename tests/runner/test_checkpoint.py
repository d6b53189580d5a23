"""Checkpoints: whole, damaged, of something else, malicious; and what is seen of a run that goes on from one."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import platform
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from wganbench.errors import RecordError
from wganbench.records.record import Provenance
from wganbench.runner import checkpoint as module
from wganbench.runner.build import make_trainer
from wganbench.runner.checkpoint import Checkpoint, Checkpoints, Identity, find_inconsistency
from wganbench.runner.cohort import Attempt, _Training
from wganbench.runner.evaluation import Evaluator, schedule
from wganbench.runner.trace import Trace
from wganbench.spec import load
from wganbench.spec.plan import Cohort, expand

CPU = torch.device("cpu")
MADE_BY = Provenance(
    device="cpu",
    threads=1,
    deterministic=False,
    commit="0" * 40,
    dirty=False,
    libraries={"python": "3.12.1", "torch": "2.11.0"},
    started="2026-01-01T00:00:00+00:00",
)
IDENTITY = Identity(
    runs=("a-s0", "a-s1"), setting='{"batch_size":8,"critic":{"hidden":[4]}}', made_by={"torch": "2.11.0"}
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cohort"


@pytest.fixture
def said():
    return []


def checkpoint(step):
    return Checkpoint(
        step, step / 8, step / 16, {"weight": torch.full((2, 3), float(step))}, [{"n": step}, {"n": -step}]
    )


def filled(folder, *steps, identity=IDENTITY):
    for step in steps:
        checkpoints = Checkpoints(folder, identity)
        checkpoints.latest()  # each by another process, which goes on from what it finds
        checkpoints.save(checkpoint(step))
    return folder / f"checkpoint-{steps[-1]:08d}.pt"


def steps_in(folder):
    return sorted(int(path.name[11:-3]) for path in folder.iterdir())


def latest_step(folder, said, identity=IDENTITY):
    found = Checkpoints(folder, identity, said.append).latest()
    return None if found is None else found.step


def signed(content):
    """A file of this content with the head that is right for it."""
    return module._head(content) + content


# ---- whole --------------------------------------------------------------------------------------------------------


def test_the_newest_comes_back_as_it_was_saved(folder, said):
    filled(folder, 3, 1500)
    found = Checkpoints(folder, IDENTITY, said.append).latest()
    assert (found.step, found.wall_seconds, found.training_seconds) == (1500, 187.5, 93.75)
    assert found.traces == [{"n": 1500}, {"n": -1500}]
    assert torch.equal(found.trainer["weight"], torch.full((2, 3), 1500.0))
    assert (folder / "checkpoint-00001500.pt").exists()
    assert said == []


def test_a_folder_that_does_not_exist_has_none(folder, said):
    checkpoints = Checkpoints(folder, IDENTITY, said.append)
    assert checkpoints.latest() is None
    assert said == []
    assert not folder.exists()


def test_the_newest_two_are_kept_by_one_process_and_by_several(folder):
    checkpoints = Checkpoints(folder, IDENTITY)
    for step in (1, 2, 9, 10, 100_000_000):
        checkpoints.save(checkpoint(step))
    assert steps_in(folder) == [10, 100_000_000]
    filled(folder, 100_000_001)
    assert steps_in(folder) == [100_000_000, 100_000_001]


def test_what_a_killed_writer_left_half_written_goes_with_the_next_checkpoint(folder):
    filled(folder, 1)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for process in (ended.pid, os.getpid()):
        (folder / f".checkpoint-00000002.pt.{platform.node()}.abcd.{process}").touch()
    filled(folder, 3)
    assert [path.name.rpartition(".")[2] for path in folder.glob(".*")] == [str(os.getpid())]


# ---- damaged ------------------------------------------------------------------------------------------------------

DAMAGED = "damaged, its content does not match its checksum; it is passed over"
NOT_ONE = "not a checkpoint of this version; it is passed over"


def places(whole):
    """All of the first lines and of the end, and of the rest one byte in nine."""
    ends = [*range(300), *range(len(whole) - 50, len(whole))]
    return sorted({*ends, *range(0, len(whole), 9)})


def test_cut_off_at_any_byte_the_one_before_is_used_and_a_line_says_so(folder, said):
    path = filled(folder, 1, 2)
    whole = path.read_bytes()
    head = len(module.MARK)
    for size in places(whole):
        path.write_bytes(whole[:size])
        assert latest_step(folder, said) == 1
        assert said == [f"{path}: {NOT_ONE if size < head else DAMAGED}"]
        said.clear()


def test_any_flipped_bit_is_seen(folder, said):
    path = filled(folder, 1, 2)
    whole = path.read_bytes()
    for place in places(whole):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        assert latest_step(folder, said) == 1
        assert len(said) == 1
        said.clear()


def test_something_appended_is_seen(folder, said):
    path = filled(folder, 1, 2)
    path.write_bytes(path.read_bytes() + b"\0")
    assert latest_step(folder, said) == 1
    assert said == [f"{path}: {DAMAGED}"]


def test_a_damaged_one_is_written_again_and_the_one_before_stays_until_then(folder, said):
    path = filled(folder, 1, 2)
    path.write_bytes(b"")
    checkpoints = Checkpoints(folder, IDENTITY, said.append)
    assert checkpoints.latest().step == 1
    checkpoints.save(checkpoint(2))
    assert steps_in(folder) == [1, 2]
    assert latest_step(folder, said) == 2
    checkpoints.save(checkpoint(3))
    assert steps_in(folder) == [2, 3]


def make_empty(path):
    path.touch()


def make_text(path):
    path.write_text("a note\n" * 1000)


def make_folder(path):
    path.mkdir()


def make_pipe(path):
    os.mkfifo(path)


def make_dangling(path):
    path.symlink_to("nowhere")


def make_loop(path):
    path.symlink_to(path)


def make_torch_file(path):
    torch.save({"trainer": {}, "traces": [{}, {}]}, path)


def make_newer(path):
    path.write_bytes(b"wganbench checkpoint 2 " + b"0" * 64 + b"\n")


@pytest.mark.parametrize(
    "put", [make_empty, make_text, make_folder, make_pipe, make_dangling, make_loop, make_torch_file, make_newer]
)
def test_what_is_no_checkpoint_is_passed_over_in_one_line(folder, said, put):
    filled(folder, 1)
    path = folder / "checkpoint-00000002.pt"
    put(path)
    assert latest_step(folder, said) == 1
    (line,) = said
    assert line.startswith(f"{path}: ")
    assert line.endswith("; it is passed over")
    assert len(line.splitlines()) == 1


def test_other_names_are_left_alone(folder, said):
    filled(folder, 1)
    others = ["checkpoint-2.pt", "checkpoint-00000002.pt.bak", "old-checkpoint-00000002.pt", "checkpoint-0000000²2.pt"]
    for name in others:
        (folder / name).touch()
    assert latest_step(folder, said) == 1
    assert said == []
    filled(folder, 2, 3)
    assert all((folder / name).exists() for name in others)


# ---- malicious ----------------------------------------------------------------------------------------------------


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def as_torch_file(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def nested(depth):
    value = {}
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "payload",
    [
        lambda flag: pickle.dumps(Bomb(flag)),
        lambda flag: as_torch_file(Bomb(flag)),
        lambda flag: as_torch_file({"trainer": {"weight": Bomb(flag)}, "traces": [{}, {}]}),
        lambda flag: b"",
        lambda flag: b"\0" * 1000,
        lambda flag: b"PK\x03\x04" + b"\0" * 100,
        lambda flag: as_torch_file(3),
        lambda flag: as_torch_file({"trainer": {}}),
        lambda flag: as_torch_file({"trainer": {}, "traces": [{}]}),
        lambda flag: as_torch_file({"trainer": torch.zeros(3), "traces": [{}, {}]}),
        lambda flag: as_torch_file({"trainer": {}, "traces": [{}, nested(100)]}),
    ],
)
def test_code_in_a_file_whose_checksum_is_right_never_runs(folder, said, tmp_path, payload):
    path, flag = filled(folder, 1, 2), tmp_path / "ran"
    line = module._content(path).partition(b"\n")[0]
    path.write_bytes(signed(line + b"\n" + payload(flag)))
    assert latest_step(folder, said) == 1
    assert len(said) == 1
    assert said[0].endswith(", though its checksum is right; it is passed over")
    assert not flag.exists()
    pickle.loads(pickle.dumps(Bomb(flag)))
    assert flag.exists(), "the bomb is a dud and showed nothing"


@pytest.mark.parametrize(
    "changes",
    [
        {"trainer": {}},
        {"trainer": {"networks": 3}},
        {"trainer": {"steps_done": torch.zeros(2)}},
        {"traces": [{}, {}]},
        {"traces": [{"status": "finished", "steps_done": None, "curves": {}}] * 2},
        {"traces": [{"status": [], "steps_done": 2, "curves": []}] * 2},
    ],
)
def test_a_state_that_is_not_of_this_training_is_passed_over_in_one_line(folder, said, tiny, changes):
    cohort = Cohort(tuple(expand(load(tiny()), "smoke", [3, 5], ["gp"])))
    identity, runs = Identity.of(cohort, MADE_BY), cohort.runs
    found = replace(checkpoint(2), **{"traces": [Trace(steps_done=2).state()] * 2, **changes})
    Checkpoints(folder, identity).save(found)
    attempt = Attempt(CPU, MADE_BY, checkpoints=lambda cohort: Checkpoints(folder, identity, said.append))
    training = _Training(cohort, attempt, None)
    assert training._resume(make_trainer(runs[0].setting, cohort.seeds, CPU)) == 0
    (line,) = said
    assert line.endswith(", though its checksum is right; it is passed over") and "\n" not in line


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b"3",
        b"[]",
        b"{}",
        b'{"step": 2, "wall_seconds": 1.0, "training_seconds": 1.0}',
        b'{"step": 2, "wall_seconds": 1.0, "training_seconds": null, "identity": {}}',
        b'{"step": null, "wall_seconds": 1.0, "training_seconds": 1.0, "identity": {}}',
        b'{"step": Infinity, "wall_seconds": 1.0, "training_seconds": 1.0, "identity": {}}',
        b'{"step": 2, "wall_seconds": 1.0, "training_seconds": 1.0, "identity": 5}',
        b'{"step": 2, "wall_seconds": 1.0, "training_seconds": 1.0, "identity": {}}',
        b'{"step": 2, "wall_seconds": 1.0, "training_seconds": 1.0, "identity": {"drawn": {"a": "b\\nc"}}}',
        b"[" * 100_000,
        b'{"step": ' + b"1" * 10_000 + b"}",
    ],
)
def test_a_file_that_tells_of_no_run_is_passed_over(folder, said, line):
    path = filled(folder, 1, 2)
    payload = module._content(path).partition(b"\n")[2]
    path.write_bytes(signed(line + b"\n" + payload))
    assert latest_step(folder, said) == 1
    assert len(said) == 1
    assert len(said[0].splitlines()) == 1


# ---- of something else --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "differences"),
    [
        ({"runs": ("a-s0", "a-s2")}, 'run.1 "a-s1", here "a-s2"'),
        ({"runs": ("a-s1", "a-s0")}, 'run.0 "a-s0", here "a-s1"; run.1 "a-s1", here "a-s0"'),
        ({"runs": ("a-s0",)}, 'run.1 "a-s1", here none'),
        ({"runs": ("a-s0", "a-s1", "a-s2")}, 'run.2 none, here "a-s2"'),
        ({"drawn": "a-s0"}, 'drawn null, here "a-s0"'),
        ({"made_by": {"torch": "2.12.0"}}, 'torch "2.11.0", here "2.12.0"'),
        ({"made_by": {"torch": "2.11.0", "commit": "f00"}}, 'commit none, here "f00"'),
        ({"made_by": {}}, 'torch "2.11.0", here none'),
        (
            {"setting": IDENTITY.setting.replace("8", "16").replace("[4]", "[4,4]")},
            "setting.batch_size 8, here 16; setting.critic.hidden.1 none, here 4",
        ),
        (
            {"setting": IDENTITY.setting.replace("[4]", "[]")},
            "setting.critic.hidden none, here []; setting.critic.hidden.0 4, here none",
        ),
        ({"setting": IDENTITY.setting.replace("8", "8.0")}, "setting.batch_size 8, here 8.0"),
        ({"setting": IDENTITY.setting.replace("8", "true")}, "setting.batch_size 8, here true"),
    ],
)
def test_one_of_something_else_is_refused_with_all_that_differs(folder, said, changes, differences):
    path = filled(folder, 1)
    assert latest_step(folder, said, replace(IDENTITY, **changes)) is None
    assert said == [f"{path}: of another run, setting, machine or code ({differences}); it is passed over"]
    assert latest_step(folder, said) == 1, "asking under another name has changed it"


def test_of_very_many_differences_the_first_are_told(folder, said):
    filled(folder, 1)
    many = {f"option{index}": 0 for index in range(100)} | {"batch_size": 8, "critic": {"hidden": [4]}}
    assert latest_step(folder, said, replace(IDENTITY, setting=json.dumps(many))) is None
    assert "; and 95 more)" in said[0]


def test_an_older_one_of_this_identity_is_used_where_the_newest_is_of_another(folder, said):
    other = replace(IDENTITY, made_by={"torch": "2.12.0"})
    filled(folder, 1)
    (folder / "checkpoint-00000005.pt").write_bytes(module._pack(checkpoint(5), other))
    assert latest_step(folder, said) == 1
    assert len(said) == 1


def test_one_of_another_setting_that_is_further_on_does_not_outlive_those_of_this(folder, said):
    filled(folder, 900, 1000, identity=replace(IDENTITY, setting="{}"))
    checkpoints = Checkpoints(folder, IDENTITY, said.append)
    assert checkpoints.latest() is None
    assert steps_in(folder) == [900, 1000]
    for step, left in ((10, [10]), (20, [10, 20]), (30, [20, 30])):
        checkpoints.save(checkpoint(step))
        assert steps_in(folder) == left
    assert latest_step(folder, said) == 30


def test_an_identity_has_the_whole_setting_and_all_of_the_provenance_known_before(tiny):
    runs = expand(load(tiny()), "smoke", [3, 5], ["gp"])
    identity = Identity.of(Cohort(tuple(runs)), MADE_BY, runs[1].id)
    assert identity.runs == (runs[0].id, runs[1].id)
    assert identity.drawn == runs[1].id
    assert Identity.of(Cohort((runs[0],)), MADE_BY, runs[1].id).drawn is None
    assert json.loads(identity.setting) == runs[0].setting.model_dump(mode="json")
    assert {"clouds", "measures", "batch_size", "constraint"} <= json.loads(identity.setting).keys()
    expected = {"device", "threads", "deterministic", "training code", "python", "torch"}
    assert expected <= identity.made_by.keys()
    assert all(type(value) is str for value in identity.made_by.values())
    about_later = {"started": "2027-01-01T00:00:00+00:00", "captured": True, "commit": "1" * 40, "dirty": True}
    later = MADE_BY.model_copy(update=about_later)
    assert Identity.of(Cohort(tuple(runs)), later, runs[1].id) == identity
    changes = {"threads": 2, "deterministic": True, "libraries": {"torch": "2.11.0"}}
    for name, value in changes.items():
        changed = MADE_BY.model_copy(update={name: value})
        assert Identity.of(Cohort(tuple(runs)), changed, runs[1].id) != identity


def test_other_training_code_is_another_identity(tiny, monkeypatch):
    cohort = Cohort(tuple(expand(load(tiny()), "smoke", [3], ["gp"])))
    identity = Identity.of(cohort, MADE_BY)
    monkeypatch.setattr(module, "training_code", lambda: "f00")
    assert Identity.of(cohort, MADE_BY) == replace(identity, made_by={**identity.made_by, "training code": "f00"})
    assert Identity.of(cohort, MADE_BY) != identity


# ---- the disk -----------------------------------------------------------------------------------------------------


def refuse(code):
    def refusing(*arguments):
        raise OSError(code, os.strerror(code))

    return refusing


@pytest.mark.parametrize(
    ("code", "reason"), [(errno.ENOSPC, "No space left on device"), (errno.EFBIG, "File too large")]
)
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_disk_that_refuses_leaves_the_older_ones_whole_and_nothing_else(
    folder, said, monkeypatch, code, reason, where
):
    filled(folder, 1, 2)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    checkpoints = Checkpoints(folder, IDENTITY, said.append)
    with monkeypatch.context() as patched:
        patched.setattr(os, where, refuse(code))
        with pytest.raises(RecordError, match=reason) as caught:
            checkpoints.save(checkpoint(3))
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith(f"{folder / 'checkpoint-00000003.pt'}: cannot be written")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert latest_step(folder, said) == 2


@contextmanager
def files_of_at_most(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_a_file_too_large_for_the_disk_is_reported_in_one_line(folder):
    filled(folder, 1, 2)
    with files_of_at_most(1000), pytest.raises(RecordError, match="File too large"):
        Checkpoints(folder, IDENTITY).save(checkpoint(3))
    assert steps_in(folder) == [1, 2]


def test_a_folder_in_the_place_of_a_checkpoint_is_reported_in_one_line(folder):
    filled(folder, 1)
    (folder / "checkpoint-00000002.pt").mkdir()
    with pytest.raises(RecordError, match=r"checkpoint-00000002\.pt: cannot be written \(Is a directory\)"):
        Checkpoints(folder, IDENTITY).save(checkpoint(2))
    filled(folder, 3)
    assert steps_in(folder) == [1, 2, 3]


def test_each_checkpoint_is_on_the_disk_before_it_has_its_name(folder, monkeypatch):
    names = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (names.append(sorted(folder.glob("*.pt"))), fsync(file)))
    filled(folder, 1)
    assert names[0] == []
    assert names[-1] == [folder / "checkpoint-00000001.pt"]  # the folder is synced too, or the name may be lost


# ---- traces -------------------------------------------------------------------------------------------------------

ARRAYS = [
    np.array(0.1 + 0.2),
    np.array([np.nan, -0.0, np.inf, 5e-324]),
    np.arange(6.0)[::-1].reshape(2, 3),
    np.arange(6, dtype=np.float32),
    np.zeros((0, 3)),
    np.broadcast_to(1.5, (2, 2)),
]


def test_a_trace_comes_back_bit_for_bit(folder):
    trace = Trace(
        curves={"loss": ([1, 2], [0.1, None]), "none": ([], [])},
        kept=[0, 7],
        clouds=[torch.tensor([[0.1, float("nan")]]), torch.ones(3, 2)[1:]],
        pictures={"surface": ARRAYS, "none": []},
        status="diverged",
        note="é\n",
        steps_done=7,
    )
    identity = replace(IDENTITY, runs=("a-s0",))
    Checkpoints(folder, identity).save(Checkpoint(7, 1.0, 0.5, {}, [trace.state()]))
    (state,) = Checkpoints(folder, identity).latest().traces
    other = Trace()
    other.restore(state)
    for name in ("curves", "kept", "status", "note", "steps_done"):
        assert getattr(other, name) == getattr(trace, name)
    for mine, theirs in zip(other.clouds, trace.clouds, strict=True):
        assert (mine.dtype, mine.shape, mine.numpy().tobytes()) == (
            theirs.dtype,
            theirs.shape,
            theirs.numpy().tobytes(),
        )
    assert other.pictures.keys() == trace.pictures.keys()
    for mine, theirs in zip(other.pictures["surface"], ARRAYS, strict=True):
        assert type(mine) is np.ndarray
        assert (mine.dtype, mine.shape, mine.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())


def test_a_trace_s_state_is_its_own(folder):
    trace = Trace(pictures={"p": [np.zeros(2)]}, clouds=[torch.zeros(2)])
    trace.add("loss", 1, 0.5)
    state = trace.state()
    trace.add("loss", 2, 0.5)
    trace.pictures["p"][0] += 1
    trace.clouds[0] += 1
    for _ in range(2):
        other = Trace()
        other.restore(state)
        assert other.curves == {"loss": ([1], [0.5])}
        assert not other.pictures["p"][0].any()
        assert not other.clouds[0].any()
        other.add("loss", 2, 0.5)
        other.pictures["p"][0] += 1
        other.clouds[0] += 1


def test_a_trace_refuses_the_state_of_something_else():
    state = Trace().state()
    state["weather"] = state.pop("note")
    with pytest.raises(ValueError, match=r"^trace: state of .*weather; must be of clouds, curves, .*kept, note"):
        Trace().restore(state)


MORE = """
[measures.wasserstein_estimate]
points = 12
[measures.settled]
name = "drift"
points = 1
[measures.ratio]
name = "quotient"
of = "modes_covered"
to = "sectors_occupied"
points = 3
[pictures]
layer_norms = {}
"""


def observed(cohort, steps, folder, stop_after=()):
    """What is packed of each seed, and its trace; with a new trainer and evaluator after each of these steps."""
    setting = cohort.runs[0].setting
    identity = Identity.of(cohort, MADE_BY, cohort.runs[0].id)
    first, ends = 0, [*stop_after, steps]
    for end in ends:
        trainer, traces = make_trainer(setting, cohort.seeds, CPU), [Trace() for _ in cohort.runs]
        evaluator, checkpoints = Evaluator(setting, cohort.seeds, CPU, traces, 0), Checkpoints(folder, identity)
        found = checkpoints.latest()
        assert (found is None) == (first == 0)
        if found is None:
            evaluator.evaluate(trainer, 0)
        else:
            trainer.restore(found.trainer)
            for trace, state in zip(traces, found.traces, strict=True):
                trace.restore(state)
        for step in range(first + 1, end + 1):
            trainer.step()
            evaluator.evaluate(trainer, step)
        checkpoints.save(Checkpoint(end, 0.0, 0.0, trainer.state(), [trace.state() for trace in traces]))
        first = end
    return [(trace.curves, trace.kept, evaluator.pack(index)) for index, trace in enumerate(traces)]


def test_an_evaluator_keeps_nothing_that_a_new_one_lacks(tiny, tmp_path):
    path = tiny(MORE)
    path.write_text(path.read_text().replace("steps = 4\n", "steps = 12\n").replace("[0.0, 1.0]", "[0.0, 0.5, 1.0]"))
    cohort = Cohort(tuple(expand(load(path), "smoke", [3, 5], ["gp"])))
    straight = observed(cohort, 12, tmp_path / "straight")
    assert observed(cohort, 12, tmp_path / "stopped", [1, 5, 6, 11]) == straight
    assert all(pack is not None and kept == [0, 6, 12] for _, kept, pack in straight)
    assert set(straight[0][0]) >= {"critic_loss", "generator_loss", "settled", "ratio"}


def test_measures_at_evenly_spaced_steps_leave_a_checkpoint_consistent():
    spec = load("estimate-quality")
    setting = spec.setting(spec.variants_of("paper")[0], "paper")
    trace, half = Trace(steps_done=setting.steps // 2), setting.steps // 2
    for label, use in setting.measures.items():
        for step in schedule(setting.steps, use.points, even=use.spacing == "even"):
            if step <= half:
                trace.add(label, step, 0.5)
    saved = Checkpoint(half, 1.0, 1.0, {"steps_done": half}, [trace.state()])
    assert any(use.spacing == "even" for use in setting.measures.values())
    assert find_inconsistency(setting, (), saved) is None
    trace.add(label, half + 1, 0.5)
    assert find_inconsistency(setting, (), replace(saved, traces=[trace.state()])).startswith(f"{label} has ")
