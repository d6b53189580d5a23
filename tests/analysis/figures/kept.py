"""Records whose runs kept pictures, and the figure of the only drawing of their spec."""

from __future__ import annotations

import hashlib
import io

import numpy as np

from tests.analysis.factory import SPEC, made, record
from wganbench.analysis.figures import draw
from wganbench.analysis.report import write_report
from wganbench.records.record import Artefact

PICTURES = """
[pictures]
layer_norms = {}
weight_histogram = { bins = 2 }
critic_surface = { window = 3.0, grid = 4 }
"""
LAYERS = '[[figures]]\nid = "layers"\nkind = "layers"\npicture = "layer_norms"\n'
HISTOGRAMS = '[[figures]]\nid = "histograms"\nkind = "histograms"\npicture = "weight_histogram"\n'
SURFACES = '[[figures]]\nid = "surfaces"\nkind = "surfaces"\npicture = "critic_surface"\n'
FAKE, REAL = np.full((1, 5, 2), 0.5), np.full((7, 2), -0.5)


def pictured(folder, *parts):
    """Variants that keep every picture at their last step."""
    spec = SPEC.replace(
        'critic = { name = "mlp", hidden = [2] }', 'critic = { name = "mlp", hidden = [2, 2] }\nclouds = [1]'
    )
    return made(folder, PICTURES, *parts, spec=spec)


def write(store, experiment, variant, seed, *, steps=(100,), fake=None, real=None, **pictures):
    """A record, written, with an artefact of these arrays."""
    arrays = {f"picture.{label}": array for label, array in pictures.items()}
    arrays |= {} if fake is None else {"fake": fake.astype(np.float16), "real": real.astype(np.float16)}
    out = io.BytesIO()
    np.savez_compressed(out, steps=np.array(steps), **arrays)
    plain = record(experiment, variant, seed, {})
    artefact = Artefact(file=f"artefacts/{plain.id}.npz", sha256=hashlib.sha256(out.getvalue()).hexdigest())
    path = store.root / experiment.name / artefact.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(out.getvalue())
    found = plain.model_copy(update={"artefacts": [artefact]})
    store.write(found)
    return found


def figure_of(experiment, store):
    """The only figure, after the whole report has been written."""
    found = write_report([experiment], store, store.root)
    (drawing,) = found.drawings
    assert (store.root / "made" / "figures" / drawing.file).is_file()
    assert f"](figures/{drawing.file})" in found.pages["made/README.md"]
    return draw(drawing, store)


def subtitle(figure):
    return " ".join(figure.texts[1].get_text().split())


def packed(**arrays) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()
