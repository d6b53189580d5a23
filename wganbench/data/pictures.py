"""A folder of pictures as a user has them: of any size and kind, in any arrangement, without classes.

What differs from a plain RGB picture is made one and counted. What cannot be used is left out and counted; nothing is
enlarged. Pictures are decoded in a fixed random order, as those of `wganbench.data.image_folder`.

This module needs only Pillow, so that a plan can describe a folder without loading torch.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image, ImageOps

from wganbench.data.cache import Batch, Recipe
from wganbench.data.image_folder import (
    FORMATS,
    MAX_PIXELS,
    MODES,
    by_batches,
    content_digest,
    images_below,
    open_image,
    shuffled,
)
from wganbench.data.resize import Pixels, box_average, centre_crop
from wganbench.errors import DataError

VERSION = 1
ORIENTATION = 0x0112
"""The EXIF tag of the orientation."""
LMDB = "data.mdb"
"""The file in which LSUN publishes the pictures of a category."""


class Found(NamedTuple):
    """A decoded picture, ``(channels, size, size)``, or None with the reason why it cannot be used; and what it was."""

    pixels: Pixels | None
    reason: str
    kinds: tuple[str, ...]


class Tally:
    """What the pictures of a folder were, counted as they are decoded."""

    def __init__(self) -> None:
        self.used = 0
        self.kinds: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def add(self, path: Path, found: Found) -> None:
        self.kinds.update(found.kinds)
        if found.pixels is not None:
            self.used += 1
            return
        self.reasons[found.reason] += 1
        self.examples.setdefault(found.reason, path.name)

    def __str__(self) -> str:
        kinds = ", ".join(f"{n:,} {kind}" for kind, n in sorted(self.kinds.items()))
        left = "; ".join(f"{n:,} {why}, such as {self.examples[why]}" for why, n in sorted(self.reasons.items()))
        return (
            f"{f'{self.used:,}' if self.used else 'no'} {'pictures' if self.used > 1 else 'picture'} used"
            + (f" ({kinds})" if kinds else "")
            + (f"; {self.reasons.total():,} left out: {left}" if left else "")
        )


def digest(folder: Path) -> str:
    """The SHA-256 of the names and contents of all pictures, 64 hexadecimal digits.

    Raises:
        DataError: If there is no such folder, it has no pictures, or a file cannot be read.
    """
    return content_digest(folder, _pictures(folder))


def recipe(
    folder: Path, name: str, key: str, *, size: int, channels: Literal[1, 3] = 3, tally: Tally | None = None
) -> Recipe:
    """The recipe that decodes all pictures below a folder.

    Args:
        folder: The folder; it may be missing if they are decoded already.
        name: Name of the image set.
        key: The folder's `digest`.
        size: Side to which each picture is centre-cropped and box-averaged.
        channels: 1 for grey, 3 for red, green and blue.
        tally: Counts what is decoded; None for nobody who asks.
    """
    counted = tally or Tally()

    def batches() -> Iterator[Batch]:
        paths = _pictures(folder)
        now = content_digest(folder, paths)
        if now != key:
            raise DataError(f"{folder}: other pictures than those asked for, digest {now[:16]}… for {key[:16]}…")
        ordered = [path for path, _ in shuffled([(path, 0) for path in paths], folder)]
        work = partial(_decode_all, size=size, channels=channels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of oversized and slightly damaged files; both are judged here
            for batch in by_batches(work, ordered):
                for path, found in batch:
                    counted.add(path, found)
                usable = [found.pixels for _, found in batch if found.pixels is not None]
                if usable:
                    yield np.stack(usable), np.zeros(len(usable), np.int64)
        if not counted.used:
            raise DataError(f"{folder}: {counted}; must have some that can be used")

    return Recipe(name, "train", f"{channels}x{size}x{size}", VERSION, key, batches)


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; must be a folder of pictures")
    found = list(images_below(folder))
    if not found and (folder / LMDB).is_file():
        raise DataError(
            f"{folder}: a database ({LMDB}), no pictures; 'wganbench data unpack {folder.name} FOLDER' makes a folder "
            "of them"
        )
    if not found:
        raise DataError(f"{folder}: no pictures; must have some files such as .jpg or .png in it or below")
    return found


def _decode_all(paths: list[Path], *, size: int, channels: Literal[1, 3]) -> list[tuple[Path, Found]]:
    return [(path, _decode(path, size, channels)) for path in paths]


def _decode(path: Path, size: int, channels: Literal[1, 3]) -> Found:
    try:
        with open_image(path) as image:
            if image.mode not in MODES:
                return Found(None, "of more than 8 bits a channel", ())
            if min(image.size) < size:
                return Found(None, f"smaller than {size} pixels", ())
            kinds = tuple(_kinds(image))
            upright = ImageOps.exif_transpose(image)
            pixels = np.asarray(_opaque(upright).convert("L" if channels == 1 else "RGB"))
    except Image.DecompressionBombError:
        return Found(None, f"of more than {MAX_PIXELS:,} pixels", ())
    except Exception:  # Pillow may raise any error for a damaged file
        return Found(None, f"not whole images in {', '.join(FORMATS)}", ())
    planes = pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
    return Found(box_average(centre_crop(planes), size), "", kinds)


def _kinds(image: Image.Image) -> Iterator[str]:
    if getattr(image, "n_frames", 1) > 1:
        yield "animated: their first frame"
    if image.getexif().get(ORIENTATION, 1) != 1:
        yield "turned upright by their EXIF orientation"
    if image.has_transparency_data:
        yield "transparent: on white"
    if image.mode in ("1", "L", "LA"):
        yield "grey"
    elif image.mode in ("P", "PA"):
        yield "of a palette"
    elif image.mode == "CMYK":
        yield "CMYK"


def _opaque(image: Image.Image) -> Image.Image:
    """Puts a picture with transparent parts on white."""
    if not image.has_transparency_data:
        return image
    over = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over)
