"""Takes each measure of each seed when it is due, and keeps the samples and pictures that figures need."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from itertools import islice, repeat
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wganbench.data.text import Text
from wganbench.errors import DataError
from wganbench.measures.scores.network_outputs import NetworkOutputs, real_in_batches
from wganbench.measures.scores.sampling import BATCH, label_batches, sample_batches, sample_images
from wganbench.rng import Streams, generator
from wganbench.runner import resolve
from wganbench.runner.artefacts import grid, strip
from wganbench.runner.pending import Pending
from wganbench.runner.recent import COSINE, Recent
from wganbench.runner.trace import Trace
from wganbench.spec import Setting
from wganbench.training.batches import packed
from wganbench.training.critic_trainer import StackTrainer

LOSS_POINTS = 100
"""The number of points in each loss curve."""
GRID_COLUMNS = GRID_ROWS = 8
"""The size of the grid of images that each run keeps for people to look at."""
GRID_CLASSES = 10
"""The largest number of columns in a grid of images with classes, which has one column per class."""
STRIP_ROWS = 4
"""The number of rows kept at each snapshot; they are the first rows of the grid."""


def schedule(steps: int, points: int, *, even: bool = False) -> list[int]:
    """Returns at most ``points`` generator steps from 0 to ``steps``, half evenly and half logarithmically spaced.

    Collapse and recovery happen early and convergence late, so both spacings are needed. A single point is the last
    step.

    Args:
        steps: The number of generator steps in the run.
        points: The largest number of steps to return.
        even: Whether to space all steps evenly, so that each part of a run is weighted by its length. The steps for p
            points are then among those for (p − 1)·m + 1 points.
    """
    if points == 1:
        return [steps]
    regular = points if even else max(2, points - points // 2)
    logarithmic = np.geomspace(1, steps, points - regular + 1)[:-1]
    chosen = {*np.linspace(0, steps, regular).round().astype(int), *logarithmic.round().astype(int)}
    return sorted(int(step) for step in chosen)


def snapshots(steps: int, fractions: list[float]) -> list[int]:
    """Returns the steps at these fractions of a run, sorted and without repetition."""
    return sorted({round(fraction * steps) for fraction in fractions})


def due_steps(setting: Setting) -> dict[str, list[int]]:
    """Returns the steps at which each measure of a setting is taken, by label."""
    return {
        label: schedule(setting.steps, use.points, even=use.spacing == "even")
        for label, use in setting.measures.items()
    }


class Evaluator:
    """Evaluates a trainer with random streams of its own, so that measures do not change the training.

    Args:
        setting: The setting of the runs.
        seeds: The seeds of the runs.
        device: The device of the trainer.
        traces: The trace of each seed, to which results are added.
        drawn: Index of the seed whose samples are kept; None for none.
        threads: The number of threads that compute measures which the catalogue calls ``threaded``. If there are
            several, `close` ends them.

    Attributes:
        grids: PNG of images made at the last step, by index of the seed.
        pending: The values of ``threaded`` measures that may not be known yet.
    """

    def __init__(
        self,
        setting: Setting,
        seeds: Sequence[int],
        device: torch.device,
        traces: Sequence[Trace],
        drawn: int | None = None,
        *,
        threads: int = 1,
    ):
        self.setting, self.seeds, self.device, self.traces, self.drawn = setting, seeds, device, traces, drawn
        threaded = {label: use.measure for label, use in setting.measures.items() if use.entry.threaded}
        self.threaded = {label: resolve.threaded_measure(component) for label, component in threaded.items()}
        self.pending = Pending(min(threads, len(seeds)))
        self.measures = {label: resolve.measure(use.measure) for label, use in setting.measures.items()}
        self.reading_curves = {
            label for label, use in setting.measures.items() if "curves" in resolve.inputs_of("measure", use.measure)
        }
        self.pictures = {label: resolve.picture(component) for label, component in (setting.pictures or {}).items()}
        self.score = resolve.score(setting.score).to(device) if setting.score is not None else None
        self.in_batches = setting.classes is not None or _has_split_batches(setting)
        self.training_seconds = 0.0
        self._real: NetworkOutputs | None = None
        self.grids: dict[int, bytes] = {}  # made at the last step, after which no checkpoint needs them
        due = due_steps(setting)
        self.due = {label: set(steps) for label, steps in due.items()}
        self.recent = Recent(setting, due)
        has_snapshots = bool(self.pictures) or drawn is not None
        self.snapshots = set(snapshots(setting.steps, setting.clouds)) if has_snapshots else set()
        self.loss_steps = set(schedule(setting.steps, LOSS_POINTS))
        for trace in traces:
            trace.score_protocol = self.score.protocol if self.score is not None else None
        self._any = set().union(self.snapshots, self.loss_steps, *self.due.values(), {setting.steps})

    def is_due(self, step: int) -> bool:
        return step in self._any

    def keep_recent(self) -> None:
        """Puts the values of the last steps into the traces, for a checkpoint."""
        for index, trace in enumerate(self.traces):
            trace.recent = self.recent.of_seed(index)

    def restore_recent(self) -> None:
        """Continues from the values of the last steps in the traces."""
        self.recent.restore([trace.recent for trace in self.traces], self.device)

    @torch.no_grad()
    def evaluate(self, trainer: StackTrainer, step: int, training_seconds: float = 0.0) -> None:
        """Takes everything that is due at ``step``, after ``training_seconds`` of training.

        The values of ``threaded`` measures are in the traces after ``pending.settle()``.
        """
        if not self.is_due(step):
            return
        self.pending.settle()
        self.training_seconds = training_seconds

        @cache
        def fakes() -> Tensor:
            assert trainer.sampled is not None
            streams = Streams(self.seeds, f"measured latent {step}", self.device)
            return trainer.sampled(streams.normal(self.setting.measured_samples, trainer.latent_dim))

        for index, trace in enumerate(self.traces):
            if trace.status != "finished":
                continue
            if step in self.loss_steps and step > 0:
                for label, loss in trainer.losses.items():
                    trace.add(label, step, float(loss[index]))
            given = Inputs(self, trainer, fakes, index, step)
            for label in self.measures:
                if step in self.due[label]:
                    self._take(label, given.with_stream(f"measure {label} {step}"), trace, step)
            if step in self.snapshots:
                self._keep_snapshot(trainer, given, index, step)
            if step == self.setting.steps and self.score is not None:
                self._keep_grid(trainer, index)

    def _take(self, label: str, given: Inputs, trace: Trace, step: int) -> None:
        if label in self.threaded:
            self.pending.add(trace, label, step, self.threaded[label](given))
            return
        if label in self.reading_curves:
            self.pending.settle()
        trace.add(label, step, self.measures[label](given))

    def _keep_snapshot(self, trainer: StackTrainer, given: Inputs, index: int, step: int) -> None:
        trace = self.traces[index]
        trace.kept.append(step)
        for label, picture in self.pictures.items():
            made = picture(given.with_stream(f"picture {label} {step}"))
            trace.pictures.setdefault(label, []).append(made)
        if isinstance(trainer.data, Text):
            return  # one-hot vectors are large, and a picture keeps lines
        if index == self.drawn and trainer.images is None:
            trace.clouds.append(given["fake"].cpu())
        elif index == self.drawn and trainer.sampled is not None:
            trace.clouds.append(self._grid_images(trainer, index, STRIP_ROWS))

    def _keep_grid(self, trainer: StackTrainer, index: int) -> None:
        if trainer.sampled is not None and trainer.images is not None:
            self.grids[index] = grid(self._grid_images(trainer, index, GRID_ROWS), self.columns)

    @property
    def columns(self) -> int:
        """The number of columns of the grids; one per class if images have classes."""
        return GRID_COLUMNS if self.setting.classes is None else min(self.setting.classes, GRID_CLASSES)

    def _grid_images(self, trainer: StackTrainer, index: int, rows: int) -> Tensor:
        """Samples images of one seed, in whole numbers as for scores, from the same latents at each step."""
        assert trainer.images is not None and trainer.sampled is not None
        has_classes = self.setting.classes is not None
        return sample_images(
            trainer.sampled.of_seed(index),
            rows * self.columns,
            generator(self.seeds[index], "grid latent", self.device),
            latent_dim=trainer.latent_dim,
            scaling=trainer.images.scaling,
            labels=repeat(torch.arange(BATCH, device=self.device) % self.columns) if has_classes else None,
        )

    def real_outputs(self, trainer: StackTrainer) -> NetworkOutputs:
        """Returns the score network's outputs for the data set, computed once for all seeds and steps."""
        assert self.score is not None and trainer.images is not None
        self._real = self._real or NetworkOutputs(self.score, real_in_batches(trainer.images))
        return self._real

    def pack(self, index: int) -> dict[str, bytes]:
        """Returns the files kept for one seed by their ending; there may be none.

        ``.npz``, compressed: ``steps`` (k,); ``picture.LABEL`` (k, *shape) for each picture; if samples are kept,
        ``fake`` (k, n, *s) and ``real`` (n, *s) in float16. ``.png``: a grid of images made at the last step.
        ``-grids.png``: if the kept samples are images, a ``strip`` in place of ``fake`` and ``real``.
        """
        trace = self.traces[index]
        arrays = {f"picture.{label}": _small(np.stack(each)) for label, each in trace.pictures.items()}
        files, are_images = {}, bool(trace.clouds) and trace.clouds[0].dtype == torch.uint8
        if trace.clouds and not are_images:
            arrays["fake"] = torch.stack(trace.clouds).numpy().astype(np.float16)
            assert self.drawn is not None
            data, rng = (
                resolve.factory("data set", self.setting.data)(),
                generator(self.seeds[self.drawn], "drawn real"),
            )
            arrays["real"] = data.draw(self.setting.measured_samples, rng).numpy().astype(np.float16)
        if arrays:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, steps=np.array(trace.kept), **arrays)  # type: ignore[arg-type]  # numpy's stub
            files[".npz"] = buffer.getvalue()
        if index in self.grids:
            files[".png"] = self.grids[index]
        if are_images:
            files["-grids.png"] = strip(torch.stack(trace.clouds), trace.kept, self.columns)
        return files


def _has_split_batches(setting: Setting) -> bool:
    """Returns whether the generator normalises over parts of a batch, and so must be sampled in batches of fixed size.

    Other generators make all samples in one batch, as they did before the option existed.
    """
    return setting.generator is not None and "norm_batches" in setting.generator.options


def _small(array: NDArray[np.float64]) -> NDArray[np.floating]:
    """Converts large arrays to float32, which looks the same; small ones may hold norms beyond float32's range."""
    return array.astype(np.float32) if array[0].size > 1000 else array


class Inputs:
    """The inputs of one seed's measures and pictures at one step, by name; most are made when first requested.

    With a fixed generator, row i of ``fake`` is made from row i of ``real``.
    """

    rng: torch.Generator

    def __init__(self, evaluator: Evaluator, trainer: StackTrainer, fakes: Callable[[], Tensor], index: int, step: int):
        self._evaluator, self._trainer, self._fakes, self._index, self._step = evaluator, trainer, fakes, index, step
        self._setting = evaluator.setting
        self.data: Any = trainer.data
        self.fixed = trainer.fixed
        self.curves = evaluator.traces[index].curves
        self.training_seconds = evaluator.training_seconds
        weights = (each.options.get("penalty_weight") for each in self._setting.constraints)
        self.penalty_weight = float(next((each for each in weights if each is not None), math.nan))

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)

    def with_stream(self, purpose: str) -> Inputs:
        """Sets the stream ``rng`` to that of a purpose, and returns the inputs."""
        self.rng = self._stream(purpose)
        return self

    def _stream(self, purpose: str) -> torch.Generator:
        return generator(self._evaluator.seeds[self._index], purpose, self._evaluator.device)

    @cached_property
    def fake(self) -> Tensor:
        if self.fixed is not None:
            rng = self._stream(f"measured noise {self._step}")
            return self.fixed(self.real, torch.randn(self.real.shape, generator=rng, device=rng.device))
        if self._evaluator.in_batches:
            return torch.cat(list(self.batches("measured")(self._setting.measured_samples)))
        return self._fakes()[self._index]

    def batches(self, use: str) -> Callable[[int], Iterator[Tensor]]:
        """Returns a function that samples n images of the seed as in published work, from the streams of ``use``."""
        assert self._trainer.sampled is not None
        generate, latent_dim = self._trainer.sampled.of_seed(self._index), self._trainer.latent_dim

        def batches(n: int) -> Iterator[Tensor]:
            rng = self._stream(f"{use} latent {self._step}")
            labels = None if self._setting.classes is None else self._labels(use)
            return sample_batches(generate, n, rng, latent_dim=latent_dim, labels=labels)

        return batches

    def _labels(self, use: str) -> Iterator[Tensor]:
        assert self._setting.classes is not None
        return label_batches(self._setting.classes, self._stream(f"{use} labels {self._step}"))

    @cached_property
    def real(self) -> Tensor:
        return self.data.draw(self._setting.measured_samples, self._stream(f"measured real {self._step}"))

    @cached_property
    def held_out(self) -> Tensor:
        """Images that are kept from training.

        Raises:
            DataError: If a custom data set holds out none.
        """
        part = getattr(self.data, "held_out", None)
        if part is None:
            raise DataError(f"{self._setting.data.name}: holds out no images, which a measure reads")
        return part.draw(self._setting.measured_samples, self._stream(f"measured held out {self._step}"))

    @cached_property
    def real_labels(self) -> Tensor:
        return self.data.draw_labels(self._setting.measured_samples, self._stream(f"measured real {self._step}"))

    @cached_property
    def fake_labels(self) -> Tensor:
        n = self._setting.measured_samples
        return torch.cat(list(islice(self._labels("measured"), -(-n // BATCH))))[:n]

    @cached_property
    def critic(self) -> Callable[[Tensor], Tensor]:
        critic, pack = self._trainer.critic.of_seed(self._index), self._setting.pack
        if pack is not None:
            return lambda x: critic(packed(x[: len(x) - len(x) % pack], pack))
        return self._by_batches(critic)

    @cached_property
    def recent_losses(self) -> dict[str, list[float]]:
        """The losses of the last steps, oldest first, by name."""
        return {name: values for name, values in self._recent.items() if name != COSINE}

    @property
    def recent_cosines(self) -> list[float]:
        """The cosines of the critic optimiser's last steps, one a generator step, oldest first."""
        return self._recent.get(COSINE, [])

    @cached_property
    def _recent(self) -> dict[str, list[float]]:
        return self._evaluator.recent.of_seed(self._index)

    @cached_property
    def classify(self) -> Callable[[Tensor], Tensor]:
        critic = self._trainer.critic.of_seed(self._index)
        return self._by_batches(lambda x: critic(x, with_logits=True)[1])

    def _by_batches(self, critic: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """Makes a critic work batch by batch, to save memory, if samples are made in batches."""
        if not self._evaluator.in_batches:
            return critic
        return lambda x: torch.cat([critic(rows) for rows in x.split(BATCH)])

    @cached_property
    def network(self) -> nn.Module:
        return self._trainer.critic.module_of_seed(self._index)

    @cached_property
    def seen(self) -> NetworkOutputs:
        """The score network's outputs for the seed's generated images."""
        assert self._evaluator.score is not None
        return NetworkOutputs(self._evaluator.score, self.batches("scored"), scaling=self.data.scaling)

    @property
    def seen_real(self) -> NetworkOutputs:
        return self._evaluator.real_outputs(self._trainer)
