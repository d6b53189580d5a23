"""Specs, records, checkpoints, artefacts, weights and images with changed bytes or content, tens of thousands of them.

Each is read as what it says, or refused in one line: never another number, a traceback, a hang or much memory. The
default run takes a few, always the same ones. ``-m slow`` takes all that ``CASES`` states, times the environment
variable ``WGANBENCH_MUTATIONS``; ``WGANBENCH_MUTATION_SEED`` gives others. A case that fails is shown as small as it
can be, and fails again with the same seed. `tests.test_mutations` has every command read some of them.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import itertools
import json
import os
import signal
import tomllib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

from tests import mutations
from tests.analysis import factory
from tests.hostile.put import little_memory
from wganbench.analysis.figures import artefacts, grids
from wganbench.data import image_folder, pictures
from wganbench.errors import DataError, RecordError, SpecError, WganbenchError
from wganbench.measures.scores import classifier, protocol
from wganbench.records.record import SCHEMA, Record, read_text
from wganbench.records.store import Store, _read_file
from wganbench.runner import checkpoint as checkpoints
from wganbench.runner import weights
from wganbench.runner.build import make_trainer
from wganbench.runner.checkpoint import Checkpoint, Checkpoints, Identity, find_inconsistency
from wganbench.runner.jobs.job import JobFolder
from wganbench.runner.trace import Trace
from wganbench.spec import CONTROL, MAX_FLOAT, available, load
from wganbench.spec.plan import expand

RESULTS = Path(__file__).resolve().parents[2] / "results"
SHARE = float(os.environ.get("WGANBENCH_MUTATIONS", "1"))
SEED = int(os.environ.get("WGANBENCH_MUTATION_SEED", "0"))
SECONDS = 5.0
"""CPU time of a case, after which it counts as a hang."""
QUICK = ("elu", "fig2", "images", "language", "mnist", "overfit")
"""Specs that are read within 20 ms; the others are drawn less often."""


def hang(*_: object) -> None:
    raise AssertionError(f"a case took more than {SECONDS} s")


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Lets its body take so much CPU time."""
    old = signal.signal(signal.SIGPROF, hang)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, old)


def check_lines(text: str, most: int = 1) -> None:
    """Asserts that an error can be printed as it is, one mistake a line."""
    lines = text.split("\n")
    assert len(lines) <= most and all(lines) and not any(CONTROL.search(line) for line in lines), text
    assert max(map(len, lines)) < 2000, text


# ---- specs ----------------------------------------------------------------------------------------------------------


class Specs:
    """A folder for one spec, and the specs that are changed."""

    def __init__(self, folder: Path):
        factory.made(folder, factory.CLAIMS, factory.PUBLISHED, factory.FIGURES, name="small")
        self.small, self.path = folder / "small.toml", folder / "mutated.toml"
        shipped = available()
        often = [self.small] * 80 + [shipped[name] for name in QUICK] * 2
        self.bases = [path.read_bytes() for path in [*often, *shipped.values()]]
        self.tables = [tomllib.loads(base.decode()) for base in self.bases]
        self.others = tuple(path.read_bytes() for path in shipped.values())

    def bytes_(self, data: st.DataObject) -> None:
        base = data.draw(st.sampled_from(self.bases))
        self.read(data.draw(mutations.texts(base, self.others)))

    def content(self, data: st.DataObject) -> None:
        base = self.tables[data.draw(st.integers(0, len(self.tables) - 1))]
        often = ("claims", "figures", "published", "measures", "variants", "profiles")
        self.read(mutations.toml(data.draw(mutations.contents(base, often, mutations.MOMENTS))))

    def read(self, content: bytes) -> None:
        self.path.write_bytes(content)
        try:
            experiment = load(self.path)
            for profile in [*experiment.profiles][:2]:
                expand(experiment, profile, [0, 1])
        except SpecError as error:
            check_lines(str(error), most=50)


# ---- records --------------------------------------------------------------------------------------------------------


def signed(content: dict[str, Any]) -> str:
    """``content`` with the checksum that is right for it."""
    rest = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return json.dumps({**content, "checksum": hashlib.sha256(text.encode()).hexdigest()})


def bounded(value: Any) -> Any:
    """``value`` with None for numbers so large that they count as not finite in a record, and integers as floats."""
    if type(value) is int:
        return bounded(float(value)) if abs(value) < 2**1000 else None
    if isinstance(value, dict):
        return {key: bounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [bounded(item) for item in value]
    return None if isinstance(value, float) and abs(value) > MAX_FLOAT else value


class Records:
    """A few records of every experiment that has any, and some of a small spec, with and without changes."""

    def __init__(self, folder: Path):
        experiment = factory.made(folder, name="small")
        (folder / "results" / "small").mkdir(parents=True)
        factory.fill(Store(folder / "results"), experiment, n=2)
        made = sorted((folder / "results" / "small").glob("*.json"))
        committed = [sorted(each.glob("*-s[0-9]*.json"))[:2] for each in RESULTS.iterdir() if each.is_dir()]
        old = Path(__file__).parents[1] / "records" / "record_schema_1.json"
        self.bases = [path.read_bytes() for path in [*made, *itertools.chain(*committed), old]]
        self.tables = [json.loads(base) for base in self.bases]
        self.wholes = {read_text(base.decode(), "x").model_dump_json() for base in self.bases}
        self.path = folder / "x.json"

    def read(self, text: bytes) -> Record | None:
        """The record in a file of this content; None if a line refuses it."""
        self.path.write_bytes(text)
        try:
            return _read_file(self.path)
        except RecordError as error:
            check_lines(str(error))
            return None

    def bytes_(self, data: st.DataObject) -> None:
        found = self.read(data.draw(mutations.texts(data.draw(st.sampled_from(self.bases)), (self.bases[-1],))))
        assert found is None or found.model_dump_json() in self.wholes

    def content(self, data: st.DataObject) -> None:
        """With the checksum that is right for the changed content, which anybody can compute."""
        base = self.tables[data.draw(st.integers(0, len(self.tables) - 1))]
        often = ("measures", "best", "curves", "status", "setting", "artefacts", "steps_done")
        content = data.draw(mutations.contents(base, often, (None,)))
        text = signed(content)
        found = self.read(text.encode(errors="surrogatepass"))
        if found is None or content["schema_number"] != SCHEMA:
            return
        for key in ("measures", "best", "curves", "seed", "steps_done", "wall_seconds"):
            kept = found.model_dump(mode="json")[key]
            assert json.dumps(bounded(kept), sort_keys=True) == json.dumps(bounded(content[key]), sort_keys=True), key


# ---- checkpoints ----------------------------------------------------------------------------------------------------

TINY = """
version = 1
title = "tiny"
source = "a test"
steps = 8
batch_size = 4
latent_dim = 2
measured_samples = 10
data = "gaussian_ring"
objective = "wasserstein"
generator = { name = "mlp", hidden = [3] }
critic = { name = "mlp", hidden = [3] }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
[measures]
modes_covered = { points = 3 }
[profiles.smoke]
says = "8 steps"
[variants.clip]
constraint = { name = "clip", clip_value = 0.1 }
"""


class Saved:
    """A checkpoint of a short training."""

    def __init__(self, folder: Path):
        (folder / "tiny.toml").write_text(TINY)
        runs = expand(load(folder / "tiny.toml"), "smoke", [0, 1])
        self.setting, self.folder = runs[0].setting, folder / "cohort"
        self.trainer = make_trainer(self.setting, (0, 1), torch.device("cpu"))
        self.identity = Identity(tuple(run.id for run in runs), "{}", {"torch": "2"})
        self.writer = Checkpoints(self.folder, self.identity)
        for _ in range(2):
            self.trainer.step()
        self.state = self.trainer.state()
        self.writer.save(Checkpoint(2, 1.0, 1.0, self.state, [self.trace(), self.trace()]))
        self.path = self.folder / "checkpoint-00000002.pt"
        self.whole = self.path.read_bytes()
        assert self.latest(self.whole) is not None

    def trace(self) -> dict[str, Any]:
        """The state of a trace with every value that is due by step 2."""
        losses = [each for each in checkpoints.schedule(self.setting.steps, checkpoints.LOSS_POINTS) if each]
        due = checkpoints.due_steps(self.setting) | dict.fromkeys(self.trainer.losses, losses)
        trace = Trace(steps_done=2)
        for label, step in [(label, step) for label, steps in due.items() for step in steps if step <= 2]:
            trace.add(label, step, 0.5)
        return trace.state()

    def problem(self, found: Checkpoint) -> str | None:
        for state in found.traces:
            Trace().restore(state)
        wrong = find_inconsistency(self.setting, self.trainer.losses, found)
        return wrong or self.trainer.find_mismatch(found.trainer)

    def latest(self, content: bytes) -> Checkpoint | None:
        """The checkpoint in a file of this content; None if a line passes it over."""
        lines: list[str] = []
        self.path.write_bytes(content)
        found = Checkpoints(self.folder, self.identity, lines.append).latest(self.problem)
        assert len(lines) == (found is None)
        for line in lines:
            check_lines(line)
        return found

    def bytes_(self, data: st.DataObject) -> None:
        content = data.draw(mutations.texts(self.whole, (self.whole, b"\0" * 1000)))
        assert (self.latest(content) is not None) == (content == self.whole)

    def state_bytes(self, data: st.DataObject) -> None:
        """With the checksum that is right for the changed state."""
        line, _, payload = self.whole.partition(b"\n")[2].partition(b"\n")
        changed = data.draw(mutations.texts(payload, (payload, b"\0" * 1000)))
        self.latest(checkpoints._head(line + b"\n" + changed) + line + b"\n" + changed)

    def line_bytes(self, data: st.DataObject) -> None:
        """With the checksum that is right for the changed line before the state."""
        line, _, payload = self.whole.partition(b"\n")[2].partition(b"\n")
        changed = data.draw(mutations.texts(line, (line,))) + b"\n" + payload
        self.latest(checkpoints._head(changed) + changed)

    def content(self, data: st.DataObject) -> None:
        """With another state, written and signed as any other."""
        found = Checkpoint(2, 1.0, 1.0, copy.deepcopy(self.state), [self.trace(), self.trace()])
        held = {"trainer": found.trainer, "traces": found.traces}
        changed = data.draw(mutations.contents(held, ("trainer", "traces"), (None, (), torch.zeros(2))))
        found.trainer, found.traces = changed.get("trainer"), changed.get("traces")
        try:
            content = checkpoints._pack(found, self.identity)
        except (TypeError, ValueError, RuntimeError):
            return  # not what torch could write
        self.latest(content)


# ---- artefacts ------------------------------------------------------------------------------------------------------


@dataclass
class Kept:
    """A store in which every artefact has this content."""

    content: bytes = b""

    def artefact(self, *_: object) -> bytes:
        return self.content

    def path(self, *_: object) -> Path:
        return Path("results/x/x.json")


class Artefacts:
    def __init__(self, folder: Path):
        experiment = factory.made(folder, name="small")
        store = Store(folder / "results")
        self.record = factory.cloud_record(experiment, "good", store)
        self.npz = store.artefact(self.record, self.record.artefacts[0])
        out = io.BytesIO()
        about = pictures_about({"steps": "0 100"})
        Image.fromarray(np.arange(32 * 64 * 3, dtype=np.uint8).reshape(32, 64, 3)).save(out, "PNG", pnginfo=about)
        self.strip = out.getvalue()

    def arrays(self, data: st.DataObject) -> None:
        changed = data.draw(mutations.archives(self.npz) | mutations.texts(self.npz, (self.npz,)))
        try:
            found = artefacts.arrays_of(self.record, Kept(changed), "clouds")
            artefacts.are_planar(found.get("fake", np.zeros(0)), found.get("real", np.zeros(0)), found["steps"])
        except RecordError as error:
            check_lines(str(error))

    def grids(self, data: st.DataObject) -> None:
        changed = data.draw(mutations.texts(self.strip, (self.strip,)))
        with contextlib.suppress(Exception), warnings.catch_warnings(action="ignore"):  # as its caller does
            steps, sheets = grids._cut(changed)
            assert len(steps) == len(sheets)


def pictures_about(texts: dict[str, str]) -> Any:
    from PIL.PngImagePlugin import PngInfo

    about = PngInfo()
    for name, text in texts.items():
        about.add_text(name, text)
    return about


# ---- images ---------------------------------------------------------------------------------------------------------


class Pictures:
    """A picture of each allowed format and of several modes."""

    def __init__(self, folder: Path):
        self.path = folder / "x.png"
        pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 4), np.uint8)
        self.bases = []
        for form, mode in itertools.product(image_folder.FORMATS, ("RGB", "L", "RGBA", "P", "CMYK")):
            out = io.BytesIO()
            with contextlib.suppress(OSError):  # not every format has every mode
                Image.fromarray(pixels).convert(mode if mode != "CMYK" else "RGB").convert(mode).save(out, form)
                self.bases.append(out.getvalue())
        assert len(self.bases) > 15

    def decode(self, data: st.DataObject) -> None:
        base = data.draw(st.sampled_from(self.bases))
        self.path.write_bytes(data.draw(mutations.texts(base, tuple(self.bases[:3]))))
        with warnings.catch_warnings(action="ignore"):  # as both do
            try:
                found = image_folder._decode(self.path, 8, 3)
                assert found.shape == (3, 8, 8) and found.dtype == np.uint8
            except DataError as error:
                check_lines(str(error))
            used = pictures._decode(self.path, 8, 3)
        assert (used.pixels is None) == bool(used.reason)


# ---- weights --------------------------------------------------------------------------------------------------------


class Weights:
    """A classifier of those that ship, and kept weights of a small run."""

    def __init__(self, folder: Path):
        self.folder = folder
        (path,) = [path for path in protocol.paths() if path.stem == "shapes10-16-8c9f1cc8"]
        self.classifier = path.read_bytes()
        (folder / "tiny.toml").write_text(TINY)
        (run, *_) = expand(load(folder / "tiny.toml"), "smoke", [0])
        trainer = make_trainer(run.setting, (0,), torch.device("cpu"))
        self.kept = [content for _, content in weights.pack_trained(run, trainer, 1, weights.of_trainer(trainer, 0))]

    def of_classifier(self, data: st.DataObject) -> None:
        """Under the name that is right for the changed content."""
        content = data.draw(mutations.texts(self.classifier, (self.kept[0],)))
        path = self.folder / f"shapes10-16-{hashlib.sha256(content).hexdigest()[:8]}.safetensors"
        path.write_bytes(content)
        try:
            about, state = classifier.read_file(path)
            assert {tensor.dtype for tensor in state.values()} == {torch.float16}
            classifier.Classifier(path.stem, about, state)
        except DataError as error:
            check_lines(str(error))
        finally:
            path.unlink()

    def of_run(self, data: st.DataObject) -> None:
        content = data.draw(mutations.texts(data.draw(st.sampled_from(self.kept)), tuple(self.kept)))
        where = Path("x.safetensors")
        try:
            found = weights.unpack(content, where)
            weights.check_built_in(found, where)
            found.module(torch.device("cpu"))
        except WganbenchError as error:
            check_lines(str(error), most=50)


# ---- jobs -----------------------------------------------------------------------------------------------------------


class Jobs:
    def __init__(self, folder: Path):
        self.job = JobFolder(folder / "job")
        self.job.path.mkdir()
        (folder / "tiny.toml").write_text(TINY)
        (run, *_) = expand(load(folder / "tiny.toml"), "smoke", [0])
        content = {
            **{key: getattr(run, key) for key in ("experiment", "profile", "variant")},
            "seeds": [0],
            "setting": run.setting.model_dump(mode="json"),
            "overrides": [],
            "claims": {},
            "wanted": {run.id: None},
            "drawn": None,
            "import_folders": [],
            "device": "cpu",
            "threads": 1,
            "deterministic": True,
            "retries": 1,
            "timeout_seconds": None,
            "checkpoint_seconds": 60.0,
        }
        self.base = json.dumps(content).encode()

    def bytes_(self, data: st.DataObject) -> None:
        (self.job.path / "job.json").write_bytes(data.draw(mutations.texts(self.base, (self.base,))))
        (self.job.path / "log.jsonl").write_bytes(data.draw(mutations.texts(LOG, (self.base,))))
        try:
            job = self.job.read()
            assert job is not None and job.runs
        except RecordError as error:
            check_lines(str(error))
        self.job.history()


LOG = b"".join(
    json.dumps({"time": 1.0, "event": event, "step": step, "message": "x"}).encode() + b"\n"
    for event, step in [("start", 0), ("stop", 3), ("start", 3), ("start", 3), ("out of memory", 4), ("timed out", 5)]
)

# ---- all ------------------------------------------------------------------------------------------------------------

CASES: dict[str, tuple[type, Callable[[Any, st.DataObject], None], int]] = {
    "a spec's bytes": (Specs, Specs.bytes_, 15_000),
    "a spec's content": (Specs, Specs.content, 15_000),
    "a record's bytes": (Records, Records.bytes_, 7_000),
    "a record's content": (Records, Records.content, 4_000),
    "a checkpoint's bytes": (Saved, Saved.bytes_, 1_000),
    "a checkpoint's line": (Saved, Saved.line_bytes, 500),
    "a checkpoint's state in bytes": (Saved, Saved.state_bytes, 2_000),
    "a checkpoint's state": (Saved, Saved.content, 1_000),
    "an artefact": (Artefacts, Artefacts.arrays, 3_000),
    "a strip of grids": (Artefacts, Artefacts.grids, 1_000),
    "an image": (Pictures, Pictures.decode, 4_000),
    "a classifier": (Weights, Weights.of_classifier, 1_000),
    "kept weights": (Weights, Weights.of_run, 1_000),
    "a job": (Jobs, Jobs.bytes_, 1_000),
}
"""What is changed, how it is read, and how many of them there are."""


def mutate(what: str, n: int, folder: Path, **more: Any) -> None:
    make, read, _ = CASES[what]
    made = make(folder)

    @seed(SEED)
    @settings(max_examples=n, deadline=None, database=None, suppress_health_check=list(HealthCheck), **more)
    @given(data=st.data())
    def case(data: st.DataObject) -> None:
        with limited():
            read(made, data)

    with little_memory():
        case()


@pytest.mark.parametrize("what", CASES)
def test_a_few_are_read_or_refused_in_one_line(tmp_path, what):
    mutate(what, max(3, CASES[what][2] // 1000), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("what", CASES)
def test_tens_of_thousands_are_read_or_refused_in_one_line(tmp_path, what):
    mutate(what, round(CASES[what][2] * SHARE), tmp_path, print_blob=True)
