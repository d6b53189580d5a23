"""Specs that leave their pictures to the user, completed with the folder that the recorded runs were given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wganbench.analysis.profiles import settings_of
from wganbench.records.record import Record
from wganbench.spec import Component, Experiment, load
from wganbench.spec.catalogue.data import OWN_PICTURES
from wganbench.spec.substitute import supplied

NAMED_BY = ("folder", "digest")
"""The options that name pictures."""


def with_folders(experiments: Iterable[Experiment], records: Mapping[str, Record]) -> list[Experiment]:
    """Returns the specs as ``with_folder`` does."""
    return [with_folder(experiment, records) for experiment in experiments]


def with_folder(experiment: Experiment, records: Mapping[str, Record]) -> Experiment:
    """Returns a spec with the pictures that its runs were given by ``--data images=FOLDER``.

    Where the data set is ``images`` without a folder, such a run changes nothing: it is one that the spec plans. The
    folder is named in what the profile says. Of several folders under one profile, that with the most runs is taken,
    and of several such that of the last run; runs on the others are other runs, which enter no claim.
    """
    if experiment.overrides:
        return experiment
    changes = [
        change
        for profile in experiment.profiles
        if (asked := _left_open(experiment, profile)) and (change := _most_used(experiment, profile, asked, records))
    ]
    return load(experiment.path, changes) if changes else experiment


def on_pictures(experiment: Experiment, profile: str, given: Component) -> Experiment:
    """Returns a spec with the folder of the data set ``given``, if the profile leaves its pictures to the user."""
    asked = _left_open(experiment, profile)
    return experiment if asked is None else load(experiment.path, [_supplied(profile, asked, given)])


def data_option(experiment: Experiment, profile: str) -> list[str]:
    """Returns the option that names the user's pictures in a command, if the profile is trained on such."""
    found = (experiment.setting(variant, profile).data for variant in experiment.variants_of(profile))
    folder = next((data.options["folder"] or "FOLDER" for data in found if data.name == OWN_PICTURES), "")
    return ["--data", f"{OWN_PICTURES}={folder}"] if folder else []


def _left_open(experiment: Experiment, profile: str) -> Component | None:
    """Returns the data set that all variants of a profile share if it has no pictures of its own."""
    first, *others = (experiment.setting(variant, profile).data for variant in experiment.variants_of(profile))
    is_open = first.name == OWN_PICTURES and first.options["folder"] is None and all(each == first for each in others)
    return _without_folder(first) if is_open else None


def _without_folder(data: Component) -> Component:
    kept = {key: value for key, value in data.options.items() if key not in NAMED_BY}
    return data.model_copy(update={"options": kept})


def _supplied(profile: str, asked: Component, given: Component) -> str:
    """Returns the change to a spec that gives the profile the folder of ``given``, and nothing else of it."""
    named = {key: given.options[key] for key in NAMED_BY}
    return supplied(profile, asked.model_copy(update={"options": {**asked.options, **named}}))


def _most_used(experiment: Experiment, profile: str, asked: Component, records: Mapping[str, Record]) -> str:
    """Returns the change that gives the profile the folder with the most runs; empty if none is one that it plans."""
    by_change: dict[str, list[Record]] = {}
    for each in records.values():
        data = each.setting.data
        is_own = (each.experiment, each.profile) == (experiment.name, profile) and _without_folder(data) == asked
        if is_own and data.options.get("digest"):
            by_change.setdefault(_supplied(profile, asked, data), []).append(each)
    ranks = {}
    for change, found in by_change.items():
        planned = settings_of(load(experiment.path, [change]), [profile])
        runs = [each for each in found if each.family in planned]
        if runs:
            ranks[change] = (len(runs), max(each.provenance.started for each in runs))
    return max(ranks, key=ranks.__getitem__, default="")
