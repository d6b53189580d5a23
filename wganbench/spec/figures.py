"""The figures of a spec: one model for each kind, with the fields and the checks of that kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from wganbench.spec.catalogue import sample_shape
from wganbench.spec.component import Component
from wganbench.spec.overrides import split
from wganbench.spec.setting import LOSSES, Setting
from wganbench.spec.strict import Model, Words, short, short_name, suggest

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"

Settings = Mapping[str, Setting]
"""The settings of the variants that a figure draws, under its profile."""


class Figure(Model):
    """The fields that figures of all kinds share.

    Attributes:
        id: The name of the figure, unique in its spec, and of its file: lower-case words with dashes between them. A
            figure without one is named ``figure-1`` and so on, by its place in the spec.
        kind: The kind of figure.
        profile: The profile whose records are drawn.
        variants: The variants that are drawn; all if none is named.
        title: The title above the figure.
    """

    id: Annotated[str, Field(pattern=SLUG)] = "figure"
    kind: str
    profile: str = "paper"
    variants: list[str] = Field(default_factory=list)
    title: str | None = None

    def named_variants(self) -> list[str]:
        """Returns the variants that the figure names; none stands for all."""
        return self.variants

    def measures_shown(self) -> list[str]:
        """Returns the labels of the measures that have a panel."""
        return []

    def measures_read(self) -> list[str]:
        """Returns the labels of all measures that the figure reads."""
        return self.measures_shown()

    def problems(self, variants: tuple[str, ...], settings: Settings) -> Iterator[str]:
        """Yields the reasons why the figure cannot be drawn.

        Args:
            variants: All variants of the spec.
        """
        yield from _unknown(self.variants, variants)


def _unknown(names: list[str], variants: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if name not in variants:
            yield f"no variant {short(name)}{suggest(name, variants)}"


class CloudsFigure(Figure):
    """Samples in the plane, methods × snapshots.

    Attributes:
        window: Half the width of the square that the samples are drawn in, in the data's unit.
    """

    kind: Literal["clouds"]
    window: PositiveFloat = 4.0


class CurvesFigure(Figure):
    """Measures over steps.

    Attributes:
        measures: The labels of the measures, each with a panel; those of the claims if none is named.
        against: The label of the measure on the x axis instead of the step, such as ``training_seconds``.
    """

    kind: Literal["curves"]
    measures: list[str] = Field(default_factory=list)
    against: str | None = None

    def measures_shown(self) -> list[str]:
        return self.measures

    def measures_read(self) -> list[str]:
        return [*self.measures, *filter(None, [self.against])]


class PictureFigure(Figure):
    """The fields of the figures that draw a picture.

    Attributes:
        picture: The label of the picture.
    """

    picture: str

    def problems(self, variants: tuple[str, ...], settings: Settings) -> Iterator[str]:
        yield from super().problems(variants, settings)
        for variant, setting in settings.items():
            pictures = tuple(setting.pictures or ())
            if self.picture not in pictures:
                near = suggest(self.picture, pictures)
                yield f"picture: variant {variant!r} keeps no {short(self.picture)}{near}"
            elif not setting.clouds:
                yield f"picture: variant {variant!r} keeps no {short(self.picture)}, as its clouds name no moments"


class LayersFigure(PictureFigure):
    """A picture with one number for each layer, and the seeds as a band."""

    kind: Literal["layers"]


class HistogramsFigure(PictureFigure):
    """A picture of the shares between bin edges, with one panel for each variant."""

    kind: Literal["histograms"]


class SurfacesFigure(PictureFigure):
    """The level sets of a picture of critic values, with the data on top.

    Attributes:
        columns: The number of variants in a row.
        window: Half the width of the square that a custom picture covers, in the data's unit; other pictures have it
            as an option.
    """

    kind: Literal["surfaces"]
    columns: PositiveInt = 3
    window: PositiveFloat = 4.0


class SlicesFigure(PictureFigure):
    """A picture of scores along a line: values and gradients, with the seeds as a band."""

    kind: Literal["slices"]


class ClassesFigure(PictureFigure):
    """A picture of the shares of classes, with one panel for each variant and the seeds as dots."""

    kind: Literal["classes"]


class LinesFigure(PictureFigure):
    """A picture of lines of text: real ones beside those of each variant."""

    kind: Literal["lines"]


class PointsFigure(Figure):
    """The final values of measures over a number of the setting.

    Attributes:
        x: The path of the number in the setting, such as ``"fixed_generator.by"``.
        measures: The labels of the measures, each with a panel.
        laws: For each of ``measures``, the label of the measure drawn behind it as a line, or "".
        x_label: The axis label that replaces the path.
        groups: The variants drawn in one colour, by their name in the legend; a single group of all variants if none
            is named.
    """

    kind: Literal["points"]
    x: str
    measures: Annotated[list[str], Field(min_length=1)]
    laws: list[str] = Field(default_factory=list)
    x_label: Words | None = None
    groups: dict[str, list[str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_a_law_for_each_measure(self) -> PointsFigure:
        if self.laws and len(self.laws) != len(self.measures):
            raise ValueError(f"laws: {len(self.laws)} for {len(self.measures)} measures; one each, or none")
        return self

    def named_variants(self) -> list[str]:
        return self.variants or [variant for members in self.groups.values() for variant in members]

    def measures_shown(self) -> list[str]:
        return self.measures

    def measures_read(self) -> list[str]:
        return [*self.measures, *filter(None, self.laws)]

    def problems(self, variants: tuple[str, ...], settings: Settings) -> Iterator[str]:
        yield from super().problems(variants, settings)
        yield from self._about_groups(variants)
        for label in self.measures_read():
            if label in LOSSES:
                yield f"{label!r} is a curve alone, and has no final value to draw as a point"
        wrong = [variant for variant, setting in settings.items() if number_at(setting, self.x) is None]
        if wrong:
            more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
            yield f"x: {short(self.x)} is no number in variant {wrong[0]!r}{more}"

    def _about_groups(self, variants: tuple[str, ...]) -> Iterator[str]:
        """Checks that ``variants`` and the groups agree; a variant in only one of them would silently not be drawn."""
        for name, members in self.groups.items():
            for text in _unknown(members, variants):
                yield f"groups.{short_name(name)}: {text}"
            for variant in members:
                if variant in variants and self.variants and variant not in self.variants:
                    yield f"groups.{short_name(name)}: {variant!r} is not among the figure's variants"
        for variant in self.variants:
            if self.groups and not any(variant in members for members in self.groups.values()):
                yield f"groups: variant {short(variant)} is in none"


class _ImagesFigure(Figure):
    """The checks of the figures that draw the images of generators."""

    def problems(self, variants: tuple[str, ...], settings: Settings) -> Iterator[str]:
        """Also yields why a variant keeps no images, as far as this is known before it is trained."""
        yield from super().problems(variants, settings)
        for variant, setting in settings.items():
            shape = sample_shape(setting.data.name, setting.data.options)
            if shape is not None and len(shape) != 3:
                data = setting.data.name
                yield f"a figure of kind {self.kind!r} draws images, and {data!r} of variant {variant!r} has none"
            elif setting.fixed_generator is not None:
                made = "draws what a generator makes"
                yield f"a figure of kind {self.kind!r} {made}, and variant {variant!r} trains none"
            elif not setting.clouds:
                yield f"variant {variant!r} keeps no images, as its clouds name no moments"


class GridsFigure(_ImagesFigure):
    """Generated images, methods × snapshots, which are also animated."""

    kind: Literal["grids"]


class SheetFigure(_ImagesFigure):
    """Generated images at the end, such as architectures × methods.

    Attributes:
        rows: The names of the rows.
        columns: For each column, by its name, the variants from the first row to the last; "" for an empty cell.
    """

    kind: Literal["sheet"]
    rows: Annotated[list[Words], Field(min_length=1)]
    columns: Annotated[dict[str, list[str]], Field(min_length=1)]

    @model_validator(mode="after")
    def _has_a_variant_for_each_row(self) -> SheetFigure:
        for name, column in self.columns.items():
            if len(column) != len(self.rows):
                counts = f"{len(column)} variants for {len(self.rows)} rows"
                raise ValueError(f"columns.{short_name(name)}: {counts}; one each, or ''")
        return self

    def named_variants(self) -> list[str]:
        return [variant for column in self.columns.values() for variant in column if variant]

    def problems(self, variants: tuple[str, ...], settings: Settings) -> Iterator[str]:
        """Also yields the names in the columns that are no variants."""
        yield from super().problems(variants, settings)
        for name, column in self.columns.items():
            for text in _unknown([variant for variant in column if variant], variants):
                yield f"columns.{short_name(name)}: {text}"
        if self.variants:
            yield "variants: the columns name those of a sheet; leave it out"


class PhasesFigure(Figure):
    """Two measures against each other over the steps of a run, one cell for each variant.

    Attributes:
        x: The label of the measure across.
        y: The label of the measure up.
        columns: The number of variants in a row.
        window: Half the width of the square that is drawn, around the origin.
    """

    kind: Literal["phases"]
    x: str
    y: str
    columns: PositiveInt = 5
    window: PositiveFloat = 2.0

    def measures_read(self) -> list[str]:
        return [self.x, self.y]


class SuccessFigure(Figure):
    """The share of random architectures above a threshold, for the methods of the success table."""

    kind: Literal["success"]


class FactorsFigure(Figure):
    """The measure of the success table for its methods, grouped by the properties of the random architectures."""

    kind: Literal["factors"]


AnyFigure = Annotated[
    CloudsFigure
    | CurvesFigure
    | LayersFigure
    | HistogramsFigure
    | SurfacesFigure
    | SlicesFigure
    | ClassesFigure
    | LinesFigure
    | PointsFigure
    | GridsFigure
    | SheetFigure
    | PhasesFigure
    | SuccessFigure
    | FactorsFigure,
    Field(discriminator="kind"),
]


def number_at(setting: Setting, path: str) -> float | None:
    """Returns the number at a dotted path, such as ``"batch_size"``, ``"fixed_generator.by"``, ``"critic.hidden.0"``.

    Below a component, the keys are those of its options.

    Returns:
        The number; None if the path does not exist or its value is not a number.
    """
    node: object = setting
    for key in split(path) or ("",):
        if isinstance(node, Component):
            node = node.options
        if isinstance(node, Model):
            node = getattr(node, key, None) if key in type(node).model_fields else None
        elif isinstance(node, Mapping):
            node = node.get(key)
        elif isinstance(node, list | tuple) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        else:
            return None
    return node if isinstance(node, int | float) and not isinstance(node, bool) else None
