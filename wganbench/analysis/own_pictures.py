"""Specs that leave their pictures to the user, completed with the folder that the recorded runs were given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from wganbench.analysis.profiles import settings_of
from wganbench.records.record import Record
from wganbench.spec import Component, Experiment, load
from wganbench.spec.catalogue.data import OWN_PICTURES
from wganbench.spec.substitute import supplied


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
    asked = {profile: data for profile in experiment.profiles if (data := _left_open(experiment, profile))}
    own = [each for each in records.values() if each.experiment == experiment.name and each.profile in asked]
    changes: list[str] = []
    for profile, data in asked.items():
        given = [each for each in own if each.profile == profile and _without_folder(each.setting.data) == data]
        changes += _supply(experiment, profile, given)
    return load(experiment.path, changes) if changes else experiment


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
    kept = {key: value for key, value in data.options.items() if key not in ("folder", "digest")}
    return data.model_copy(update={"options": kept})


def _supply(experiment: Experiment, profile: str, records: Sequence[Record]) -> list[str]:
    """Returns the changes to the spec that give the profile a folder; none if no record is of a planned run."""
    best, found = (0, ""), []
    for data in {json.dumps(each.setting.data.options): each.setting.data for each in records}.values():
        if data.options.get("digest") is None:
            continue
        change = supplied(profile, data)
        planned = settings_of(load(experiment.path, [change]), [profile])
        runs = [each for each in records if each.family in planned]
        rank = (len(runs), max((each.provenance.started for each in runs), default=""))
        if rank > best:
            best, found = rank, [change]
    return found
