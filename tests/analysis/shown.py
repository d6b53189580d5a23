"""A results folder with a page of every kind of thing: claims, figures, images over training, a diverged run."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.analysis.factory import BAD, CLAIMS, FIGURES, GOOD, PUBLISHED, made, record
from wganbench.analysis.figures import drawings_of
from wganbench.analysis.html import Against, write_html
from wganbench.analysis.html.figures import path_of
from wganbench.analysis.results import Results
from wganbench.analysis.verdict import Verdict, judge
from wganbench.records.record import Artefact, Record, write_text
from wganbench.records.store import Store
from wganbench.spec import Experiment

MORE_CLAIMS = """
[[claims]]
id = "bad-is-close"
says = "bad comes within 1.0 of the data"
source = "somebody else 2019, § 3; 'A write-up' (2020)"
role = "secondary"
test = "sign"
measure = "exact_wasserstein"
variant = "bad"
at_most = 1.0

[[claims]]
id = "both-succeed"
says = "good is wide and close in most runs, and bad follows"
role = "secondary"
test = "binomial"
criteria = [{ measure = "sectors_occupied", at_least = 7 }]
checks = [{ id = "good-succeeds", variant = "good" }, { id = "bad-succeeds", variant = "bad" }]

[[claims]]
id = "good-is-quick"
says = "good is close after 10 steps"
profile = "quick"
test = "t"
measure = "exact_wasserstein"
variant = "good"
at_most = 1.0
"""
IMAGES = """
version = 1
title = "Images"
source = "nobody 2017, figure 3"
seeds = 1
data = { name = "shapes10", size = 16 }
latent_dim = 2
batch_size = 4
steps = 100
objective = "wasserstein"
generator = { name = "dcgan_generator", filters = 2 }
critic = { name = "dcgan_critic", filters = 2 }
generator_optimizer = { name = "adam", lr = 1e-3 }
critic_optimizer = { name = "adam", lr = 1e-3 }
measures = { wasserstein_estimate = {} }
clouds = [0, 1]
[profiles.paper]
[variants.whole]
[variants.short]
n_critic = 2
[[figures]]
id = "images"
kind = "grids"
title = "Images over training"
"""
STEPS = (0, 10, 100)
"""The steps at which ``whole`` kept images; ``short`` diverged before the last."""
SIZE = (1500, 700)
"""The size of the figures in pixels, which is wider than a screen."""
TONES = (40, 120, 200)
"""The grey of its images at each step."""


@dataclass(frozen=True)
class Shown:
    """A results folder with its page."""

    experiments: tuple[Experiment, ...]
    store: Store
    records: dict[str, Record]
    verdicts: dict[str, list[Verdict]]

    def write(self, *, self_contained: bool = False, against: Against | None = None) -> Path:
        here = (self.experiments, self.store, self.records, self.verdicts)
        return write_html(*here, self_contained=self_contained, against=against)

    def text(self) -> str:
        return self.write().read_text(encoding="utf-8")


def shown(folder: Path, *parts: str) -> Shown:
    """Eight seeds of both variants, of which seed 7 of ``bad`` diverged, and two runs that kept images.

    The figures are grey pictures, as drawing takes a second.

    Args:
        parts: More TOML for the spec.
    """
    experiment = made(folder, CLAIMS, MORE_CLAIMS, PUBLISHED, FIGURES, *parts)
    images = made(folder, name="images", spec=IMAGES)
    store = Store(folder / "results")
    found = [_of(experiment, "good", GOOD, seed) for seed in range(8)]
    found += [_of(experiment, "bad", BAD, seed) for seed in range(7)]
    ended = {"status": "diverged", "note": "the loss became infinite", "steps_done": 50}
    found.append(record(experiment, "bad", 7, {}, **ended))
    found.append(_with_images(store, record(images, "whole", 0, {}), STEPS))
    found.append(_with_images(store, record(images, "short", 0, {}, **ended), STEPS[:2]))
    for each in found:
        path = store.path(each)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(write_text(each), encoding="utf-8")
    records = {each.id: each for each in found}
    drawings = (each for one in (experiment, images) for each in drawings_of(Results(one, records)))
    for tone, drawing in enumerate(drawings):
        path = store.root / path_of(drawing)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", SIZE, 50 * tone).save(path)
    verdicts = {each.name: judge(Results(each, records)) for each in (experiment, images)}
    return Shown((experiment, images), store, records, verdicts)


def _of(experiment: Experiment, variant: str, values: dict[str, Sequence[float]], seed: int) -> Record:
    return record(experiment, variant, seed, {name: row[seed] for name, row in values.items()})


def _with_images(store: Store, plain: Record, kept: Sequence[int]) -> Record:
    """The record with a strip of one grey grid, 6 × 4 pixels, for each of these steps."""
    grids = [np.full((4, 6, 3), tone, dtype=np.uint8) for tone, _ in zip(TONES, kept, strict=False)]
    steps, out = PngInfo(), io.BytesIO()
    steps.add_text("steps", " ".join(map(str, kept)))
    Image.fromarray(np.concatenate(grids, axis=1)).save(out, "PNG", pnginfo=steps)
    file = f"artefacts/{plain.id}-grids.png"
    path = store.path(plain).parent / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out.getvalue())
    artefact = Artefact(file=file, sha256=hashlib.sha256(out.getvalue()).hexdigest())
    return plain.model_copy(update={"artefacts": [artefact]})
