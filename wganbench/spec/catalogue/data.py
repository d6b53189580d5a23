"""Data sets and fixed generators, and what their options say about the samples."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt, model_validator

from wganbench.spec.catalogue.entry import Entry, Fraction, NonNegativeFloat, Options
from wganbench.spec.strict import LATER, omitted_if


class RingOptions(Options):
    modes: PositiveInt = 8
    radius: PositiveFloat = 2.0
    std: PositiveFloat = 0.04
    start_degrees: float = -90.0


class GridOptions(Options):
    side: PositiveInt = 5
    spacing: PositiveFloat = 2.0
    std: PositiveFloat = 0.05


class SwissRollOptions(Options):
    noise: NonNegativeFloat = 0.25
    scale: PositiveFloat = 7.5


class DimOptions(Options):
    dim: PositiveInt = 2


class GaussianOptions(Options):
    dim: PositiveInt = 1
    std: PositiveFloat = 1.0
    mean: Annotated[float, omitted_if(0)] = 0.0

    @model_validator(mode="after")
    def _check_mean(self) -> GaussianOptions:
        if self.mean and self.dim != 1:
            raise ValueError(f"mean must be 0 unless dim is 1, got {self.mean} at dim {self.dim}")
        return self


class CircleOptions(Options):
    radius: PositiveFloat = 1.0


class IntervalOptions(Options):
    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _check_order(self) -> IntervalOptions:
        if self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        return self


OWN_PICTURES = "images"
"""The data set that has no images of its own, but those of the folder that is named."""

OWN_TEXT = "text"
"""The data set that is any text of the user's, or that of the package."""

SONNETS = "Shakespeare's sonnets"
"""The text of the package."""

DIGITS = 10
"""The number of digits of a digest that are shown."""

FOLDER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


def _check_folder(folder: str) -> str:
    """Rejects a path, and a name of another set, such as ``CIFAR-10``, or of a part of a set, such as ``train``."""
    if not re.match(FOLDER_NAME, folder):
        raise ValueError(
            f"must be the name of a folder in the data folder, of up to 64 letters, digits, dots, - and _, got "
            f"{folder!r}; --data-dir or WGANBENCH_DATA names the folder above it"
        )
    taken = {re.sub("[^a-z0-9]", "", name) for name in (*DATA_SETS, "train", "test", "decoded")}
    if re.sub("[^a-z0-9]", "", folder.lower()) in taken:
        raise ValueError(f"{folder!r} names something else; rename the folder, as its name is the set's")
    return folder


FolderName = Annotated[str, Field(json_schema_extra={"pattern": FOLDER_NAME}), AfterValidator(_check_folder)]
"""The name of a folder of images, which is also the set's name and part of a file name."""
MAX_NGRAM = 5
"""The longest sequence of symbols that measures count, and the shortest sample of a text."""
Split = Literal["train", "test"]
Scaling = Literal["255", "256-dequantised", "unit"]
Flips = Annotated[bool, omitted_if(False)]


class PartOptions(Options):
    """Which of a set's images are trained on: the first ``limit`` of those that are not ``held_out``, its last."""

    limit: Annotated[PositiveInt | None, LATER] = None
    held_out: Annotated[PositiveInt | Annotated[float, Field(gt=0, lt=1)] | None, LATER] = None


class ImageOptions(PartOptions):
    flips: Flips = False
    split: Split = "train"
    size: Annotated[int, Field(ge=1, le=32)] = 32
    scaling: Scaling = "255"


class MnistOptions(ImageOptions):
    size: Annotated[int, Field(ge=1, le=28)] = 28
    scaling: Scaling = "unit"


class StackedMnistOptions(PartOptions):
    split: Split = "train"
    size: Annotated[int, Field(ge=1, le=28)] = 28
    scaling: Scaling = "255"


class ImageFolderOptions(PartOptions):
    flips: Flips = False
    folder: FolderName
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    split: Split = "train"
    size: PositiveInt | None = None
    channels: Literal[1, 3] = 3
    scaling: Scaling = "255"


class PicturesOptions(PartOptions):
    flips: Flips = False
    folder: FolderName | None = None
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    size: Annotated[int, Field(ge=8, le=1024)] = 64
    channels: Literal[1, 3] = 3
    scaling: Scaling = "255"


def _check_file(file: str) -> str:
    if not re.match(FOLDER_NAME, file):
        raise ValueError(
            f"must be the name of a file in the data folder, of up to 64 letters, digits, dots, - and _, got {file!r}; "
            f"--data-dir or WGANBENCH_DATA names the folder that it is in"
        )
    return file


FileName = Annotated[str, Field(json_schema_extra={"pattern": FOLDER_NAME}), AfterValidator(_check_file)]
"""The name of a text file in the data folder."""


class TextOptions(Options):
    file: FileName | None = None
    length: Annotated[int, Field(ge=MAX_NGRAM, le=4096)] = 32
    symbols: Annotated[int, Field(ge=2, le=4096)] = 64


def what_was_brought(name: str, options: Mapping[str, Any]) -> str:
    """Describes pictures or a text that the user may bring; empty for other data sets, and without pictures."""
    if name == OWN_PICTURES and options["digest"]:
        return f"pictures: {options['folder']}, digest {options['digest'][:DIGITS]}"
    if name == OWN_TEXT:
        return f"text: {options['file'] or SONNETS}"
    return ""


class NoisedOptions(Options):
    std: PositiveFloat = 1.0
    independent: bool = False


class TranslatedOptions(Options):
    by: float
    independent: bool = False


class PartTranslatedOptions(TranslatedOptions):
    part: Fraction


class ScaledOptions(Options):
    factor: PositiveFloat
    independent: bool = False


_CLOSED_FORM = "wganbench.data.closed_form"
_IMAGE_SETS = "wganbench.data.image_sets"

DATA_SETS = {
    "gaussian_ring": Entry("wganbench.data.toy:gaussian_ring", RingOptions),
    "gaussian_grid": Entry("wganbench.data.toy:gaussian_grid", GridOptions),
    "double_circle": Entry("wganbench.data.toy:double_circle", RingOptions),
    "swiss_roll": Entry("wganbench.data.toy:SwissRoll", SwissRollOptions),
    "point": Entry(f"{_CLOSED_FORM}:Point", DimOptions),
    "gaussian": Entry(f"{_CLOSED_FORM}:Gaussian", GaussianOptions),
    "circle": Entry(f"{_CLOSED_FORM}:Circle", CircleOptions),
    "interval": Entry(f"{_CLOSED_FORM}:Interval", IntervalOptions),
    "segment": Entry(f"{_CLOSED_FORM}:Segment"),
    "shapes10": Entry(f"{_IMAGE_SETS}:shapes10", ImageOptions, is_images=True, channels=3, classes=10),
    "cifar10": Entry(f"{_IMAGE_SETS}:cifar10", ImageOptions, is_images=True, channels=3, classes=10),
    "mnist": Entry(f"{_IMAGE_SETS}:mnist", MnistOptions, is_images=True, channels=1, classes=10),
    "stacked_mnist": Entry(
        f"{_IMAGE_SETS}:stacked_mnist", StackedMnistOptions, is_images=True, channels=3, classes=1000
    ),
    "imagenet32": Entry(f"{_IMAGE_SETS}:imagenet32", ImageOptions, is_images=True, channels=3, classes=1000),
    OWN_TEXT: Entry("wganbench.data.text:text", TextOptions),
    OWN_PICTURES: Entry(f"{_IMAGE_SETS}:images", PicturesOptions, is_images=True),
    "image_folder": Entry(f"{_IMAGE_SETS}:image_folder", ImageFolderOptions, protocol=2, is_images=True),
}

FIXED_GENERATORS = {
    "noised": Entry("wganbench.data.fixed_generators:Noised", NoisedOptions),
    "translated": Entry("wganbench.data.fixed_generators:Translated", TranslatedOptions),
    "part_translated": Entry("wganbench.data.fixed_generators:PartTranslated", PartTranslatedOptions),
    "scaled": Entry("wganbench.data.fixed_generators:Scaled", ScaledOptions),
}


def sample_shape(name: str, options: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Returns the shape of a data set's samples; None for a custom set, or if only the data determines it."""
    entry = DATA_SETS.get(name)
    if entry is None:
        return None
    if entry.is_images:
        channels, side = entry.channels or options.get("channels"), options.get("size")
        return (channels, side, side) if channels and side else None
    if name == "text":
        return options["symbols"], options["length"]
    return (1 if name == "interval" else options.get("dim", 2),)


def n_modes(name: str, options: Mapping[str, Any]) -> int | None:
    """Returns the number of modes of about equal weight of a data set; None for a custom set or one without modes."""
    modes: int | None = None
    if name in ("gaussian_ring", "double_circle"):
        modes = options.get("modes")
    elif name == "gaussian_grid" and "side" in options:
        modes = options["side"] ** 2
    elif name == "stacked_mnist":
        modes = DATA_SETS[name].classes
    return modes
