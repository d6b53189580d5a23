"""Other images in the place of a published set: ``--data cifar10=FOLDER``. Imports no torch.

What stands in has the folder's name and a digest of its content in the setting, and no path: so its runs have ids of
their own, the same on every machine that has the same images, and no record of them passes for one of the original.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from wganbench.data import image_folder
from wganbench.data.cache import obtain
from wganbench.data.locations import IMAGE_SETS, decoded_folder
from wganbench.errors import DataError, SpecError
from wganbench.spec import Component, Experiment, short
from wganbench.spec.catalogue import suggest
from wganbench.spec.strict import Table

Substitutes = Mapping[str, Path]
"""Folders by the name of the set that they stand in for."""


def parse(texts: Iterable[str]) -> dict[str, Path]:
    """Of texts such as ``"cifar10=photos/cifar10-jpeg75"``.

    Raises:
        SpecError: If one is not like that, or no image set is called so.
    """
    found = {}
    for text in texts:
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            raise SpecError(f"--data {short(text)}: must be NAME=FOLDER, such as cifar10=photos/cifar10-jpeg75")
        if name not in IMAGE_SETS:
            raise SpecError(f"--data {short(text)}: no image set {short(name)}{suggest(name, IMAGE_SETS)}")
        found[name] = Path(folder).expanduser().absolute()
    return found


def substitute(component: Component, folder: Path, digest: str | None = None) -> Component:
    """The folder in the place of an image set: at its size and scaling, flipped as it is, under a name of its own.

    Args:
        component: One of ``IMAGE_SETS``.
        digest: Of the folder; None to take it now.

    Raises:
        DataError: If the folder is not laid out as one of images, holds the original itself, or has its name.
    """
    original = IMAGE_SETS[component.name]
    for split, files in original.files.items():
        if files and all((folder / file).exists() for file in files):
            raise DataError(f"{folder}: holds {component.name} itself ({split}); --data-dir {folder} takes it so")
    asked: Table = {
        **{key: component.options[key] for key in ("split", "size", "scaling", "flips") if key in component.options},
        "folder": folder.name,
        "channels": original.shape[0],
    }
    try:
        Component.resolve("data set", {"name": "image_folder", **asked})
    except ValueError as error:
        raise DataError(f"{folder}: {error}") from None
    return Component.resolve(
        "data set", {"name": "image_folder", **asked, "digest": digest or image_folder.digest(folder)}
    )


def overrides(spec: Experiment, given: Substitutes, profile: str, variants: Sequence[str] = ()) -> Iterator[str]:
    """What ``--set`` would have to be for the folders to stand in, for ``variants`` (all, where none is named).

    Where all variants of the profile have the same data it is one text, since records keep it.

    Raises:
        SpecError: If a folder is for a set that none of them uses.
        DataError: If one cannot stand in.
    """
    of_profile = {variant: spec.setting(variant, profile).data for variant in spec.variants_of(profile)}
    chosen = {variant: spec.setting(variant, profile).data for variant in variants} or of_profile
    for name, folder in given.items():
        using = {variant: data for variant, data in chosen.items() if data.name == name}
        named = [data for data in chosen.values() if data.options.get("folder") == folder.name]
        if not using and named:
            continue  # the spec has this folder already, with its digest, and ``prepare`` decodes it
        if not using:
            used = ", ".join(sorted({data.name for data in chosen.values()}))
            raise SpecError(f"--data {name}={folder}: {spec.name} uses no {name}, but {used}")
        digest, one = image_folder.digest(folder), next(iter(using.values()))
        if all(data == one for data in of_profile.values()):
            yield f"profiles.{json.dumps(profile)}.data={_as_toml(substitute(one, folder, digest))}"
        else:
            for variant, data in using.items():
                yield f"variants.{json.dumps(variant)}.data={_as_toml(substitute(data, folder, digest))}"


def _as_toml(component: Component) -> str:
    fields = {"name": component.name, **component.options}
    return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in fields.items() if value is not None) + "}"


def prepare(components: Iterable[Component], given: Substitutes) -> None:
    """Decodes the folders that stand in, so that wherever a run is executed it needs the data folder alone.

    Raises:
        DataError: If an image cannot be decoded, or the data folder not be written.
    """
    by_name = {folder.name: folder for folder in given.values()}
    wanted = {json.dumps(each.options): each.options for each in components if each.name == "image_folder"}
    for options in wanted.values():
        if options["folder"] in by_name and options["digest"] is not None:
            here = {key: options[key] for key in ("split", "size", "channels")}
            recipe = image_folder.recipe(by_name[options["folder"]], options["folder"], options["digest"], **here)
            obtain(recipe, decoded_folder())
