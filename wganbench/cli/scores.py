"""``wganbench classifier`` and ``wganbench inception``: manage the networks that image scores come from."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.table import Column, Table

from wganbench.cli.console import echo, print_tables, progress
from wganbench.cli.options import COUNT, FOLDER, data_dir, device_kind, grouped, inception_weights
from wganbench.errors import DataError
from wganbench.measures.scores import protocol


@click.group(short_help="List and train classifiers that score images.")
def classifier() -> None:
    """List and train the classifiers, which score images where the Inception network is not available."""


@classifier.command(name="list", short_help="List the classifiers and their accuracy.")
@data_dir
def list_classifiers() -> None:
    """List the classifiers that ship and those trained here; exit with 1 if the file of one is damaged."""
    columns = ("classifier", "data", "size", "test accuracy", "score of test images", "trained by")
    table = Table(*(Column(name, no_wrap=True) for name in columns), Column("place", overflow="fold"), box=None)
    damaged: list[str] = []
    for path in protocol.paths():
        try:
            about = protocol.read_about(path)
        except DataError as error:
            damaged.append(str(error))
            continue
        table.add_row(
            *(path.stem, about.data, f"{about.size}×{about.size}", f"{100 * about.test_accuracy:.4g} %"),
            f"{about.real_score:.2f} ± {about.real_score_spread:.2f} of {about.classes}",
            f"{about.recipe}, {about.epochs} epochs, seed {about.seed}",
            click.format_filename(path.parent),
        )
    print_tables(table)
    for line in damaged:
        echo(f"wganbench: {line}", err=True)
    if damaged:
        sys.exit(1)


@classifier.command(name="train", short_help="Train a classifier on labelled images.")
@click.argument("data")
@click.option("--size", type=COUNT, required=True, metavar="N", help="Side of the images in pixels.")
@grouped(
    "training",
    protocol.TrainingOptions,
    click.option("--accuracy", type=float, metavar="A", help="Test accuracy to reach, 0 to 1 [default: the recipe's]."),
    click.option("--recipe", metavar="R", help="drawn or photographs [default: the one that suits DATA]."),
    click.option("--epochs", type=COUNT, metavar="E", help="Passes over the training images [default: the recipe's]."),
    click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True),
    click.option(
        "--threads", type=COUNT, default=1, show_default=True, help="CPU threads; the last bits depend on their number."
    ),
    device_kind,
)
@click.option(
    "--out",
    type=FOLDER,
    metavar="FOLDER",
    help="Where its file goes [default: classifiers in the data folder, where 'run' finds it].",
)
@data_dir
def train_classifier(data: str, size: int, training: protocol.TrainingOptions, out: Path | None) -> None:
    """Train a classifier on DATA, an image set's name or a folder of images with 'train' and 'test'.

    A classifier that does not reach the stated accuracy is not kept.
    """
    from wganbench.runner.score_networks import train  # imports torch

    with progress("steps") as on_step:
        path, about = train(
            data,
            size,
            out or protocol.own_folder(),
            training,
            on_message=click.echo,
            on_step=on_step,
        )
    echo(
        f"{path}: test accuracy {100 * about.test_accuracy:.4g} %; the test images score {about.real_score:.2f} ± "
        f"{about.real_score_spread:.2f} of {about.classes}; in a spec it is score = "
        f'{{ name = "classifier", file = "{path.stem}" }}'
    )


@click.group(short_help="Verify the Inception network.")
def inception() -> None:
    """Verify the Inception network, which published scores come from."""


@inception.command(name="verify", short_help="Check its score of CIFAR-10.")
@inception_weights
@device_kind
@data_dir
def verify_inception(device: str) -> None:
    """Score CIFAR-10's training images, whose score is known, and keep the outcome for 'run'.

    Only if the known score comes out do scores with these weights, library versions and this kind of device count as
    scores by the published protocol.
    """
    from wganbench.runner.score_networks import calibrate  # imports torch

    echo(calibrate(device))
