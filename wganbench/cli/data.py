"""``wganbench data``: lists, fetches and verifies the image sets."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from wganbench.cli.console import echo, print_rows, progress
from wganbench.cli.options import COUNT, FOLDER, data_dir


@click.group(short_help="List, fetch and verify the image sets.")
def data() -> None:
    """List, fetch and verify the image sets.

    They are in the data folder: --data-dir, else $WGANBENCH_DATA, else wganbench in the user's cache.
    """


@data.command(name="list", short_help="List the image sets and their state.")
@data_dir
def list_data() -> None:
    """List the image sets with their state, checksum and place, also the place of those that are missing."""
    from wganbench.data.manage import inventory

    print_rows(
        [
            {
                "image set": held.name,
                "split": held.split,
                "images": f"{held.images:,}",
                "shape": held.shape,
                "state": held.state,
                "SHA-256": held.checksum[:12],
                "place": click.format_filename(held.place),
            }
            for held in inventory()
        ]
    )


@data.command(name="fetch", short_help="Download or draw an image set.")
@click.argument("name")
@data_dir
def fetch_data(name: str) -> None:
    """Download the image set NAME, or draw it, and decode it into the data folder.

    cifar10-jpeg75 is CIFAR-10 saved as JPEG, on which some reduced profiles are trained.
    """
    from wganbench.data.manage import fetch

    for line in fetch(name):
        echo(line)


@data.command(name="verify", short_help="Check image sets against their checksums.")
@click.argument("name", required=False)
@data_dir
def verify_data(name: str | None) -> None:
    """Check the image set NAME, or all that are there, against their checksums; exit with 1 if one is damaged."""
    from wganbench.data.manage import verify as verify_images

    findings = list(verify_images(name))
    for finding in findings:
        echo(finding.text)
    whole = sum(finding.whole for finding in findings)
    echo(f"verified {len(findings)}: {whole} whole, {len(findings) - whole} damaged")
    if whole < len(findings):
        sys.exit(1)


@data.command(name="unpack", short_help="Unpack an LSUN database into pictures.")
@click.argument("database", type=FOLDER)
@click.argument("folder", type=FOLDER)
@click.option("--limit", type=COUNT, help="Pictures to unpack, a fair sample of all.  [default: all]")
def unpack_data(database: Path, folder: Path, limit: int | None) -> None:
    """Unpack the pictures of DATABASE, a category of LSUN as published, into FOLDER.

    A repeated command goes on where the last one stopped. 'run EXP --data images=FOLDER' trains on the pictures. This
    needs the extra [lsun].
    """
    from wganbench.runner.import_path import import_extra

    import_extra("lmdb", "data unpack", "lsun")
    from wganbench.data.lsun import unpack

    with progress("pictures") as on_progress:
        done, kept = unpack(database, folder, limit=limit, on_progress=on_progress)
    there = f", {kept:,} of which were there" if kept else ""
    echo(f"{done:,} pictures in {click.format_filename(folder)}{there}")
