"""``wganbench sample``: draws samples of a generator whose weights were kept."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wganbench.cli.console import counted, echo
from wganbench.cli.options import COUNT, device_kind, grouped, results_folder
from wganbench.errors import SpecError
from wganbench.files import write_atomically

if TYPE_CHECKING:
    from wganbench.runner.samples import Gallery


@dataclass(frozen=True)
class Wanted:
    """The picture to be drawn.

    Attributes:
        interpolate: Draw paths between pairs of samples.
        analogy: Draw sums and differences: ``"random"``, or cells of the grid; None for none.
        gif: Draw closed walks as an animation.
        out: The file; None for a name by its kind.
    """

    interpolate: bool
    analogy: str | None
    gif: bool
    out: Path | None

    def file(self) -> Path:
        """Returns the file to write.

        Raises:
            SpecError: If two pictures are wanted, or the file's name has another suffix.
        """
        if self.interpolate + (self.analogy is not None) + self.gif > 1:
            raise SpecError("--interpolate, --analogy and --gif draw different pictures; choose one")
        suffix = ".gif" if self.gif else ".png"
        out = self.out or Path(f"samples{suffix}")
        if out.suffix.lower() != suffix:
            raise SpecError(f"--out {out}: must end in {suffix}")
        return out


@click.command(short_help="Draw samples of a kept generator.")
@click.argument("target", metavar="RUN|FILE")
@click.option("--n", type=COUNT, default=64, show_default=True, help="Number of samples.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the latents.")
@grouped(
    "wanted",
    Wanted,
    click.option("--interpolate", is_flag=True, help="Draw paths between pairs of samples, a row each."),
    click.option(
        "--analogy",
        is_flag=False,
        flag_value="random",
        metavar="[A,B,C]",
        help="Draw a, b, c and a − b + c: at random, or of cells of the grid of this seed, counted from 0.",
    ),
    click.option("--gif", is_flag=True, help="Draw an animation of walks through the latents."),
    click.option(
        "--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write [default: samples.png or .gif]."
    ),
)
@click.option("--step", type=click.IntRange(min=0), help="Use the weights after this step [default: the last kept].")
@device_kind
@results_folder
def sample(target: str, n: int, seed: int, wanted: Wanted, step: int | None, device: str, results: Path) -> None:
    """Draw samples of a generator whose weights 'run --keep-weights' has kept.

    RUN is a run's id, as 'run' prints it; FILE is a file of weights (.safetensors). Images are drawn as a grid, points
    of the plane as dots on the data. Nothing in FILE is run.
    """
    out = wanted.file()
    from wganbench.runner.kept_runs import weights_of  # imports torch
    from wganbench.runner.loop import choose_device
    from wganbench.runner.samples import Gallery

    gallery = Gallery(weights_of(target, results, step), n, seed, choose_device(device))
    what, content = _image(gallery, wanted) if gallery.are_images else _points(gallery, wanted)
    write_atomically(out, content, replace=True)
    weights = gallery.weights
    echo(f"{out}: {what} of {weights.run} after {counted(weights.step, 'step')}, seed {seed}")


def _image(gallery: Gallery, wanted: Wanted) -> tuple[str, bytes]:
    from wganbench.runner.samples import COLUMNS

    if wanted.gif:
        return f"walks of {counted(gallery.n, 'sample')}", gallery.animation()
    if wanted.interpolate:
        paths = gallery.paths()
        return counted(len(paths), "path"), gallery.sheet(paths.flatten(0, 1), paths.shape[1])
    if wanted.analogy is not None:
        rows = gallery.analogies(None if wanted.analogy == "random" else wanted.analogy)
        return f"a, b, c and a − b + c, {counted(len(rows), 'row')},", gallery.sheet(rows.flatten(0, 1), 4)
    return counted(gallery.n, "sample"), gallery.sheet(gallery.latents(), COLUMNS)


def _points(gallery: Gallery, wanted: Wanted) -> tuple[str, bytes]:
    """Draws points of the plane.

    Raises:
        SpecError: If the samples have another number of coordinates, or an animation is wanted.
    """
    from wganbench.analysis.figures import samples, style

    shape = gallery.weights.sample_shape
    if shape != (2,) or wanted.gif:
        what = "--gif draws images" if wanted.gif else "only images and points of the plane are drawn"
        raise SpecError(f"{gallery.weights.run}: its samples have the shape {shape}; {what}")
    real = gallery.real().numpy()
    about = f"step {gallery.weights.step:,}, seed {gallery.seed}; orange: the data"
    if wanted.analogy is not None:
        rows = gallery.analogies(None if wanted.analogy == "random" else wanted.analogy)
        made = gallery.samples(rows.flatten(0, 1)).numpy().reshape(len(rows), 4, 2)
        figure = samples.draw_analogies(made, real, gallery.weights.run, about)
        return f"a, b, c and a − b + c, {counted(len(rows), 'row')},", style.png(figure)
    latents = gallery.paths() if wanted.interpolate else gallery.latents()[:, None]
    made = gallery.samples(latents.flatten(0, 1)).numpy().reshape(*latents.shape[:2], 2)
    what = counted(len(made), "path") if wanted.interpolate else counted(gallery.n, "sample")
    return what, style.png(samples.draw_points(made, real, gallery.weights.run, about))
