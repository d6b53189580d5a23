"""Takes each measure of each seed when it is due, and keeps the samples and pictures that figures need."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import islice, repeat
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wganbench.data.images import Images
from wganbench.measures.scores.network_outputs import Seen, real_in_batches
from wganbench.measures.scores.sampling import BATCH, label_batches, sample_batches, sample_images
from wganbench.records.record import Status
from wganbench.rng import Streams, generator
from wganbench.runner import resolve
from wganbench.runner.artefacts import grid, strip
from wganbench.runner.schedule import LOSS_POINTS, moments, schedule
from wganbench.spec import Setting
from wganbench.training.critic_trainer import CriticTrainer
from wganbench.training.gan_trainer import Trainer
from wganbench.training.state import State, copy_plain

GRID_COLUMNS = GRID_ROWS = 8
"""The size of the grid of images that each run keeps for people to look at."""
GRID_CLASSES = 10
"""The largest number of columns in a grid of images with classes, which has one column per class."""
STRIP_ROWS = 4
"""The number of rows kept at each snapshot; they are the first rows of the grid."""


@dataclass
class Trace:
    """The results of one run so far.

    Attributes:
        curves: Steps and values by label; a value that is not finite is None.
        kept: The steps at which clouds or pictures were kept.
        clouds: Fake samples at the steps in ``kept``, for the run whose samples are kept; images are uint8 and made
            from the same latents each time.
        pictures: Arrays at the steps in ``kept``, by label.
        status: The status for the record.
        note: The note for the record; None for none.
        steps_done: The number of generator steps done.
        data_checksum: The checksum of the decoded images; None for points.
        score_protocol: The protocol of the score network; None if none is used.
    """

    curves: dict[str, tuple[list[int], list[float | None]]] = field(default_factory=dict)
    kept: list[int] = field(default_factory=list)
    clouds: list[Tensor] = field(default_factory=list)
    pictures: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)
    status: Status = "finished"
    note: str | None = None
    steps_done: int = 0
    data_checksum: str | None = None
    score_protocol: str | None = None

    def add(self, label: str, step: int, value: float) -> None:
        steps, values = self.curves.setdefault(label, ([], []))
        steps.append(step)
        values.append(float(f"{value:.6g}") if math.isfinite(value) else None)

    def state(self) -> State:
        """Copies the trace, in the form that `wganbench.training.state` describes."""
        held = {item.name: getattr(self, item.name) for item in fields(self)}
        pictures = {label: [_as_tensor(picture) for picture in kept] for label, kept in self.pictures.items()}
        copied = copy_plain({**held, "pictures": pictures}, "trace")
        assert isinstance(copied, dict)
        return copied

    def restore(self, state: State) -> None:
        """Restores a `state`.

        Raises:
            ValueError: If the state has other names than a trace; the trace is then unchanged.
        """
        names = {item.name for item in fields(self)}
        if names != state.keys():
            raise ValueError(f"trace: state of {', '.join(sorted(state))}; must be of {', '.join(sorted(names))}")
        copied = copy_plain(state, "trace")
        pictures = {label: [picture.numpy() for picture in kept] for label, kept in copied["pictures"].items()}
        for name, value in {**copied, "pictures": pictures}.items():
            setattr(self, name, value)


def _as_tensor(array: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(np.array(array, order="C"))  # torch accepts no reversed axis and no read-only memory


class Observer:
    """Evaluates a trainer with random streams of its own, so that measures do not change the training.

    Args:
        setting: The setting of the runs.
        seeds: The seeds of the runs.
        device: The device of the trainer.
        traces: The trace of each seed, to which results are added.
        drawn: Index of the seed whose samples are kept; None for none.

    Attributes:
        grids: PNG of images made at the last step, by index of the seed.
    """

    def __init__(
        self,
        setting: Setting,
        seeds: Sequence[int],
        device: torch.device,
        traces: Sequence[Trace],
        drawn: int | None = None,
    ):
        self.setting, self.seeds, self.device, self.traces, self.drawn = setting, seeds, device, traces, drawn
        self.measures = {label: resolve.measure(use.measure) for label, use in setting.measures.items()}
        self.pictures = {label: resolve.picture(component) for label, component in (setting.pictures or {}).items()}
        self.score = resolve.score(setting.score).to(device) if setting.score is not None else None
        self.in_batches = setting.classes is not None or _has_parted_batches(setting)
        self._training_seconds = 0.0
        self._real: Seen | None = None
        self.grids: dict[int, bytes] = {}  # made at the last step, after which no checkpoint needs them
        self.due = {
            label: set(schedule(setting.steps, use.points, even=use.spacing == "even"))
            for label, use in setting.measures.items()
        }
        self.moments = set(moments(setting.steps, setting.clouds)) if self.pictures or drawn is not None else set()
        self.loss_steps = set(schedule(setting.steps, LOSS_POINTS))
        for trace in traces:
            trace.score_protocol = self.score.protocol if self.score is not None else None
        self._any = set().union(self.moments, self.loss_steps, *self.due.values(), {setting.steps})

    def is_due(self, step: int) -> bool:
        return step in self._any

    @torch.no_grad()
    def look(self, trainer: Trainer | CriticTrainer, step: int, training_seconds: float = 0.0) -> None:
        """Takes everything that is due at ``step``, after ``training_seconds`` of training."""
        if not self.is_due(step):
            return
        self._training_seconds = training_seconds
        fakes = _Inputs({"fake": lambda: self._fakes(trainer, step)})  # made when a measure requests them
        for index, trace in enumerate(self.traces):
            if trace.status != "finished":
                continue
            if step in self.loss_steps and step > 0:
                for label, loss in trainer.losses.items():
                    trace.add(label, step, float(loss[index]))
            due = [label for label in self.measures if step in self.due[label]]
            if due or step in self.moments:
                self._look_at(trainer, index, step, due, self._inputs(trainer, fakes, index, step))
            if step == self.setting.steps and self.score is not None:
                self._keep_grid(trainer, index)

    def _look_at(
        self, trainer: Trainer | CriticTrainer, index: int, step: int, due: Sequence[str], given: _Inputs
    ) -> None:
        seed, trace = self.seeds[index], self.traces[index]
        for label in due:
            given["rng"] = generator(seed, f"measure {label} {step}", self.device)
            trace.add(label, step, self.measures[label](given))
        if step not in self.moments:
            return
        trace.kept.append(step)
        for label, picture in self.pictures.items():
            given["rng"] = generator(seed, f"picture {label} {step}", self.device)
            trace.pictures.setdefault(label, []).append(picture(given))
        if index == self.drawn and not isinstance(trainer.data, Images):
            trace.clouds.append(given["fake"].cpu())
        elif index == self.drawn and isinstance(trainer, Trainer):
            trace.clouds.append(self._grid_images(trainer, index, STRIP_ROWS))

    def _fakes(self, trainer: Trainer | CriticTrainer, step: int) -> Tensor | None:
        """Samples the generators of all seeds at once; None for a fixed generator or one that is sampled in batches."""
        if isinstance(trainer, CriticTrainer) or self.in_batches:
            return None
        streams = Streams(self.seeds, f"measured latent {step}", self.device)
        return trainer.sampled(streams.normal(self.setting.measured_samples, trainer.latent_dim))

    def _inputs(self, trainer: Trainer | CriticTrainer, fakes: _Inputs, index: int, step: int) -> _Inputs:
        """Returns the inputs of measures by name; with a fixed generator, row i of fake is made from row i of real."""
        seed, n = self.seeds[index], self.setting.measured_samples
        weight = self.setting.constraint.options.get("penalty_weight") if self.setting.constraint else None

        def fake() -> Tensor:
            if isinstance(trainer, Trainer):
                if self.in_batches:
                    return torch.cat(list(self._batches(trainer, index, "measured", step)(n)))
                made = fakes["fake"][index]
                assert isinstance(made, Tensor)
                return made
            rng = generator(seed, f"measured noise {step}", self.device)
            noise = torch.randn(given["real"].shape, generator=rng, device=self.device)
            return trainer.fixed(given["real"], noise)

        def fake_labels() -> Tensor:
            assert self.setting.classes is not None
            batches = self._labels(self.setting.classes, index, "measured", step)
            return torch.cat(list(islice(batches, -(-n // BATCH))))[:n]

        def real_labels() -> Tensor:
            assert isinstance(trainer.data, Images)
            return trainer.data.draw_labels(n, generator(seed, f"measured real {step}", self.device))

        critic = trainer.critic.of_seed(index)
        given = _Inputs(
            {
                "fake": fake,
                "real": lambda: trainer.data.draw(n, generator(seed, f"measured real {step}", self.device)),
                "data": lambda: trainer.data,
                "fixed": lambda: trainer.fixed if isinstance(trainer, CriticTrainer) else None,
                "real_labels": real_labels,
                "fake_labels": fake_labels,
                "critic": lambda: self._by_batches(critic),
                "classify": lambda: self._by_batches(lambda x: critic(x, with_logits=True)[1]),
                "network": lambda: trainer.critic.module_of_seed(index),
                "penalty_weight": lambda: math.nan if weight is None else float(weight),
                "curves": lambda: self.traces[index].curves,
                "seen": lambda: self._seen(trainer, index, step),
                "seen_real": lambda: self._seen_real(trainer),
                "training_seconds": lambda: self._training_seconds,
            }
        )
        return given

    def _by_batches(self, critic: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """Makes a critic work batch by batch, to save memory, if samples are made in batches."""
        if not self.in_batches:
            return critic
        return lambda x: torch.cat([critic(rows) for rows in x.split(BATCH)])

    def _seen(self, trainer: Trainer | CriticTrainer, index: int, step: int) -> Seen:
        """Returns the score network's outputs for one seed's generated images."""
        assert self.score is not None and isinstance(trainer, Trainer) and isinstance(trainer.data, Images)
        return Seen(self.score, self._batches(trainer, index, "scored", step), scaling=trainer.data.scaling)

    def _batches(self, trainer: Trainer, index: int, use: str, step: int) -> Callable[[int], Iterator[Tensor]]:
        """Returns a function that samples n images of one seed as in published work, from the streams of ``use``."""
        generate, classes = trainer.sampled.of_seed(index), self.setting.classes

        def batches(n: int) -> Iterator[Tensor]:
            rng = generator(self.seeds[index], f"{use} latent {step}", self.device)
            labels = None if classes is None else self._labels(classes, index, use, step)
            return sample_batches(generate, n, rng, latent_dim=trainer.latent_dim, labels=labels)

        return batches

    def _labels(self, classes: int, index: int, use: str, step: int) -> Iterator[Tensor]:
        return label_batches(classes, generator(self.seeds[index], f"{use} labels {step}", self.device))

    def _keep_grid(self, trainer: Trainer | CriticTrainer, index: int) -> None:
        if isinstance(trainer, Trainer) and isinstance(trainer.data, Images):
            self.grids[index] = grid(self._grid_images(trainer, index, GRID_ROWS), self.columns)

    @property
    def columns(self) -> int:
        """The number of columns of the grids; one per class if images have classes."""
        return GRID_COLUMNS if self.setting.classes is None else min(self.setting.classes, GRID_CLASSES)

    def _grid_images(self, trainer: Trainer, index: int, rows: int) -> Tensor:
        """Samples images of one seed, in whole numbers as for scores, from the same latents at each step."""
        assert isinstance(trainer.data, Images)
        generate, rng = trainer.sampled.of_seed(index), generator(self.seeds[index], "grid latent", self.device)
        has_classes = self.setting.classes is not None
        return sample_images(
            generate,
            rows * self.columns,
            rng,
            latent_dim=trainer.latent_dim,
            scaling=trainer.data.scaling,
            labels=repeat(torch.arange(BATCH, device=self.device) % self.columns) if has_classes else None,
        )

    def _seen_real(self, trainer: Trainer | CriticTrainer) -> Seen:
        """Returns the score network's outputs for the data set, computed once for all seeds and steps."""
        assert self.score is not None and isinstance(trainer.data, Images)
        self._real = self._real or Seen(self.score, real_in_batches(trainer.data))
        return self._real

    def real_cloud(self) -> Tensor:
        """Returns real samples to plot beside the fake ones."""
        assert self.drawn is not None
        data = resolve.factory("data set", self.setting.data)()
        cloud = data.draw(self.setting.measured_samples, generator(self.seeds[self.drawn], "drawn real"))
        assert isinstance(cloud, Tensor)
        return cloud

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
            arrays["real"] = self.real_cloud().numpy().astype(np.float16)
        if arrays:
            buffer = io.BytesIO()
            np.savez_compressed(buffer, steps=np.array(trace.kept), **arrays)  # type: ignore[arg-type]  # numpy's stub
            files[".npz"] = buffer.getvalue()
        if index in self.grids:
            files[".png"] = self.grids[index]
        if are_images:
            files["-grids.png"] = strip(torch.stack(trace.clouds), trace.kept, self.columns)
        return files


def _has_parted_batches(setting: Setting) -> bool:
    """Returns whether the generator normalises over parts of a batch, and so must be sampled in batches of fixed size.

    Other generators make all samples in one batch, as they did before the option existed.
    """
    return setting.generator is not None and "norm_batches" in setting.generator.options


def _small(array: NDArray[np.float64]) -> NDArray[np.floating]:
    """Converts large arrays to float32, which looks the same; small ones may hold norms beyond float32's range."""
    return array.astype(np.float32) if array[0].size > 1000 else array


class _Inputs(dict[str, Any]):
    """Inputs by name, each made when it is first requested."""

    def __init__(self, makers: Mapping[str, Callable[[], Any]]):
        super().__init__()
        self.makers = makers

    def __missing__(self, name: str) -> Any:
        self[name] = self.makers[name]()
        return self[name]
