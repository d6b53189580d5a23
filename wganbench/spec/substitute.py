"""Substitution of other images for a published set: ``--data cifar10=FOLDER``. Imports no torch.

The setting then has the folder's name and a digest of its content, but no path. Its runs therefore have their own ids,
equal on every machine that has the same images, and their records cannot be mistaken for those of the original set.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from wganbench.data import image_folder, pictures
from wganbench.data.cache import obtain
from wganbench.data.locations import IMAGE_SETS, decoded_folder
from wganbench.errors import DataError, SpecError
from wganbench.spec import Component, Experiment, short
from wganbench.spec.catalogue import suggest
from wganbench.spec.catalogue.data import FOLDER_NAME, OWN_PICTURES
from wganbench.spec.strict import Table

Substitutes = Mapping[str, Path]
"""Substitute folders, by the name of the set that they replace."""


def parse(texts: Iterable[str]) -> dict[str, Path]:
    """Parses texts such as ``"cifar10=photos/cifar10-jpeg75"``.

    Raises:
        SpecError: If a text has another form, or names an unknown image set or home folder.
    """
    found = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            raise SpecError(f"--data {short(text)}: must be NAME=FOLDER, such as cifar10=photos/cifar10-jpeg75")
        if name not in {*IMAGE_SETS, OWN_PICTURES}:
            raise SpecError(
                f"--data {short(text)}: no image set {short(name)}{suggest(name, {*IMAGE_SETS, OWN_PICTURES})}"
            )
        try:
            found[name] = Path(folder).expanduser().absolute()
        except RuntimeError:
            raise SpecError(f"--data {name}: no home folder for {folder!r}; give a path without '~'") from None
    return found


def substitute(component: Component, folder: Path, digest: str | None = None) -> Component:
    """Returns a folder as a replacement for an image set: same size, scaling and flips, but under its own name.

    Args:
        component: A data set among ``IMAGE_SETS``, or ``images``, which keeps its options and gets a folder.
        digest: The digest of the folder; None to compute it now.

    Raises:
        DataError: If the folder is not laid out as a folder of images, holds the original set itself, or has its name
            or one that records cannot take.
    """
    if not re.fullmatch(FOLDER_NAME, folder.name):
        raise DataError(
            f"{folder}: records keep the folder's name, which must be a letter or digit of ASCII and up to 63 more, "
            f"dots, - and _; rename the folder, or name a link to it"
        )
    if component.name == OWN_PICTURES:
        return _resolved(OWN_PICTURES, {**component.options, "folder": folder.name, "digest": digest}, folder)
    original = IMAGE_SETS[component.name]
    for split, files in original.files.items():
        if files and all((folder / file).exists() for file in files):
            raise DataError(f"{folder}: holds {component.name} itself ({split}); --data-dir {folder} takes it so")
    kept = ("split", "size", "scaling", "flips", "limit", "held_out")
    asked: Table = {
        **{key: component.options[key] for key in kept if key in component.options},
        "folder": folder.name,
        "channels": original.shape[0],
    }
    _resolved("image_folder", asked, folder)  # before the folder is read
    return _resolved("image_folder", {**asked, "digest": digest or image_folder.digest(folder)}, folder)


def _resolved(name: str, options: Table, folder: Path) -> Component:
    try:
        return Component.resolve("data set", {"name": name, **options})
    except ValueError as error:
        raise DataError(f"{folder}: {error}") from None


def overrides(spec: Experiment, given: Substitutes, profile: str, variants: Sequence[str] = ()) -> Iterator[str]:
    """Yields the ``--set`` texts that substitute the folders in ``variants``, or in all variants if none is named.

    If all variants of the profile have the same data, there is a single text per folder, since records keep the texts.

    Raises:
        SpecError: If a folder replaces a set that none of the variants uses.
        DataError: If a folder cannot be a substitute.
    """
    of_profile = {variant: spec.setting(variant, profile).data for variant in spec.variants_of(profile)}
    chosen = {variant: spec.setting(variant, profile).data for variant in variants} or of_profile
    for name, folder in given.items():
        using = {variant: data for variant, data in chosen.items() if data.name == name}
        named = [data for data in chosen.values() if data.options.get("folder") == folder.name]
        if not using and named:
            continue  # the spec already names this folder with its digest, and ``prepare`` decodes it
        if not using:
            used = ", ".join(sorted({data.name for data in chosen.values()}))
            raise SpecError(f"--data {name}={folder}: {spec.name} uses no {name}, but {used}")
        digest = pictures.digest(folder) if name == OWN_PICTURES else image_folder.digest(folder)
        one = next(iter(using.values()))
        if all(data == one for data in of_profile.values()):
            yield supplied(profile, substitute(one, folder, digest))
        else:
            for variant, data in using.items():
                yield f"variants.{json.dumps(variant)}.data={_as_toml(substitute(data, folder, digest))}"


def supplied(profile: str, data: Component) -> str:
    """Returns the ``--set`` text that gives all variants of a profile the data set ``data``."""
    return f"profiles.{json.dumps(profile)}.data={_as_toml(data)}"


def _as_toml(component: Component) -> str:
    fields = {"name": component.name, **component.options}
    return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in fields.items() if value is not None) + "}"


def prepare(components: Iterable[Component], given: Substitutes) -> Iterator[str]:
    """Decodes the substitute folders, so that a run needs only the data folder wherever it is executed.

    Yields:
        A line for each folder of pictures that is decoded now, which counts what they were.

    Raises:
        DataError: If an image cannot be decoded, or the data folder cannot be written.
    """
    by_name = {folder.name: folder for folder in given.values()}
    wanted = {json.dumps([each.name, each.options]): each for each in components if "folder" in each.options}
    for name, options in ((each.name, each.options) for each in wanted.values()):
        if options["folder"] not in by_name or options["digest"] is None:
            continue
        folder = by_name[options["folder"]]
        if name == OWN_PICTURES:
            tally = pictures.Tally()
            here = {key: options[key] for key in ("size", "channels")}
            obtain(pictures.recipe(folder, options["folder"], options["digest"], **here, tally=tally), decoded_folder())
            if tally.used:
                yield f"{folder}: {tally}"
        else:
            here = {key: options[key] for key in ("split", "size", "channels")}
            obtain(image_folder.recipe(folder, options["folder"], options["digest"], **here), decoded_folder())
