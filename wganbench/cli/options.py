"""Options that several commands share, and the objects that commands get from them.

Options for the location of files on this machine are not part of any setting: they are kept in environment variables,
for the command and the processes that it starts.
"""

from __future__ import annotations

import functools
import gc
import os
import tomllib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click

from wganbench.errors import RecordError, SpecError
from wganbench.files import DATA_VARIABLE, WEIGHTS_VARIABLE
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import Claim, Experiment, available, listed, load, parse_seeds
from wganbench.spec.catalogue import suggest
from wganbench.spec.catalogue.data import OWN_PICTURES
from wganbench.spec.plan import Cohort, Run, cohorts, expand
from wganbench.spec.seeds import seeds_option
from wganbench.spec.strict import short, short_name

F = TypeVar("F", bound=Callable[..., Any])

COUNT = click.IntRange(min=1)
POSITIVE = click.FloatRange(min=0, min_open=True)
FOLDER = click.Path(file_okay=False, path_type=Path)
DEVICES = click.Choice(["auto", "cpu", "cuda"])


def component_options(settings: Sequence[str], example: str) -> dict[str, Any]:
    """Parses the options of a component, texts such as ``"samples=500"``, whose values are TOML.

    Args:
        settings: The texts.
        example: A text that would be right, for the message.

    Raises:
        SpecError: If a text has another form.
    """
    found: dict[str, Any] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not key.isidentifier() or not equals or key == "points":
            raise SpecError(f"--set {text!r}: must be OPTION=VALUE with an option of the object, such as {example}")
        try:
            found[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key] = value
    return found


def grouped(name: str, make: Callable[..., object], *options: Callable[[F], F]) -> Callable[[F], F]:
    """Returns a decorator that adds options to a command, which gets their values as one object.

    Args:
        name: The parameter of the command that gets the object.
        make: Makes the object from the values of the options, by their names.
        options: Click's decorators; the help lists them in this order.
    """

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def call(**values: Any) -> Any:
            own = {key: values.pop(key) for key in names}
            return command(**values, **{name: make(**own)})

        n_others = len(getattr(command, "__click_params__", ()))
        for option in reversed(options):
            option(call)
        names = [each.name for each in call.__click_params__[n_others:]]  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate


# ---- results folders ------------------------------------------------------------------------------------------------

RUNS, REFERENCE = Path("runs"), Path("results")
"""Results folders: the user's own, which git ignores, and the committed reference that others are compared with."""

results_folder = click.option(
    "--results", type=FOLDER, default=RUNS, show_default=True, help="Folder of the records; created if missing."
)
results_or_runs = click.option(
    "--results", type=FOLDER, help=f"Folder of the records [default: {REFERENCE}; {RUNS} for what is not there]."
)
runs_or_results = click.option(
    "--results", type=FOLDER, help=f"Folder of the records [default: {RUNS}; {REFERENCE} for what is not there]."
)


def results_option(results: Path) -> str:
    """Returns the ``--results`` option that a printed command needs for this folder; empty for the default folder."""
    return "" if results == RUNS else f" --results {results}"


def has_records(results: Path, experiments: Collection[str] = ()) -> bool:
    """Returns whether a folder has records of any of these experiments, or any record at all if none is named."""
    return any(not experiments or path.parent.name in experiments for path in Store(results).paths())


def choose_folder(given: Path | None, experiments: Sequence[str], defaults: Sequence[Path]) -> Path:
    """Returns the given folder, else the first default with records of the experiments, else the first with any."""
    if given is not None:
        return given
    found = (each for names in (experiments, ()) for each in defaults if has_records(each, names))
    return next(found, defaults[0])


def load_records(results: Path) -> dict[str, Record]:
    """Returns all records of a folder, by run id.

    Raises:
        RecordError: If the folder is missing or has no records, or if a record is damaged.
    """
    check_folder(results)
    records = Store(results).load()
    gc.freeze()  # they stay until the command ends, so that no search for garbage has to look through them
    return records


def check_folder(results: Path) -> None:
    """Raises RecordError if the folder is missing or has no records."""
    if not has_records(results):
        what = "no records" if results.exists() else "no such folder"
        raise RecordError(f"{results}: {what}; 'wganbench run' makes records, --results names another folder")


# ---- experiments and runs -------------------------------------------------------------------------------------------

QUICK = "quick"
"""The profile of the runs that are selected without one."""


@dataclass(frozen=True)
class Selection:
    """The runs that a command is about, as EXPERIMENT and the options beside it select them.

    Attributes:
        experiment: The name of the experiment, or the path of its TOML file.
        variants: The names of the selected variants; empty for all.
        overrides: Changes to the spec, each as ``PATH=VALUE``.
        data: Folders to use in place of image sets, each as ``NAME=FOLDER``.
        seeds: A count or a list of seeds, as text; None for the spec's own.
        stack: The number of seeds trained in lockstep; None for the spec's own.
        results: The results folder.
        claim: The id of the claim whose runs these are; None if the runs are selected by the options alone.
    """

    experiment: str
    profile: str
    variants: tuple[str, ...]
    overrides: tuple[str, ...]
    data: tuple[str, ...]
    seeds: str | None = None
    stack: int | None = None
    results: Path = RUNS
    claim: str | None = None

    @cached_property
    def spec(self) -> Experiment:
        """The experiment, with all changes."""
        spec = load(self.experiment, self.overrides)
        if not self.data:
            return spec
        from wganbench.spec import substitute  # imports numpy and Pillow, which nothing else here needs

        changes = substitute.overrides(spec, self.folders, self.profile, self.variants)
        return load(self.experiment, [*self.overrides, *changes])

    @cached_property
    def published(self) -> Experiment:
        """The experiment without changes, but with the user's pictures where it leaves them to the user."""
        plain = load(self.experiment) if self.spec.overrides else self.spec
        data = self.runs[0].setting.data
        if OWN_PICTURES not in self.folders or data.name != OWN_PICTURES or self.profile not in plain.profiles:
            return plain
        from wganbench.analysis.own_pictures import on_pictures

        return on_pictures(plain, self.profile, data)

    @property
    def anchor(self) -> str:
        """The experiment with the claim, if there is one, as a command names them."""
        return self.experiment if self.claim is None else f"{self.experiment}:{self.claim}"

    @property
    def described(self) -> str:
        """The profile, and what ``--set`` and ``--data`` change in it; pictures left to the user are no change."""
        fields = (text if len(text) <= 60 else f"{text.partition('=')[0]}=…" for text in self.overrides)
        sets = (f"{name}→{folder.name}" for name, folder in self.folders.items() if name != OWN_PICTURES)
        changes = " and ".join([*fields, *sets])
        return f"profile {self.profile}" + (f" but for {changes}" if changes else "")

    @cached_property
    def folders(self) -> dict[str, Path]:
        """The folders of ``data``, by the name of the image set that each replaces."""
        if not self.data:
            return {}
        from wganbench.spec import substitute

        return substitute.parse(self.data)

    @cached_property
    def runs(self) -> list[Run]:
        seeds = self.spec.planned_seeds if self.seeds is None else parse_seeds(self.seeds)
        return expand(self.spec, self.profile, seeds, self.variants)

    @cached_property
    def cohorts(self) -> list[Cohort]:
        return cohorts(self.runs, self.stack or self.spec.stack)

    @property
    def store(self) -> Store:
        return Store(self.results)


def claims_named(specs: Sequence[Experiment], wanted: str) -> list[tuple[Experiment, Claim]]:
    """Returns the claims that have an id, or a check with this id, each with its spec.

    Raises:
        SpecError: If there is none.
    """
    ids = {(spec.name, one.id): {one.id, *(each.id for each in one.checks)} for spec in specs for one in spec.claims}
    found = [(spec, one) for spec in specs for one in spec.claims if wanted in ids[spec.name, one.id]]
    if not found:
        known = sorted(set().union(*ids.values()))
        raise SpecError(f"unknown claim {short(wanted)}{suggest(wanted, known)}")
    return found


def select(
    experiment: str, *, profile: str | None, variants: tuple[str, ...], seeds: str | None, **others: Any
) -> Selection:
    """Makes a selection of the options. With EXP:CLAIM it has the runs that the claim is judged on, or some of them.

    Raises:
        SpecError: If there is no such claim, it no longer counts, or an option asks for runs that it is not judged on.
    """
    where, _, wanted = experiment.rpartition(":")
    if not where or experiment.endswith(".toml"):
        return Selection(experiment, profile or QUICK, variants, seeds=seeds, **others)
    found = claims_named([load(where)], wanted)
    spec, claim = next((each for each in found if each[1].id == wanted), found[0])
    if claim.superseded:
        by = f"; '{where}:{claim.superseded.by[0]}' takes its place" if claim.superseded.by else ""
        raise SpecError(f"{experiment}: superseded in version {claim.superseded.version} of the spec{by}")
    judged_on, declared = spec.judged_variants(claim), spec.seeds_of(claim)
    if profile not in (None, claim.profile):
        raise SpecError(f"--profile {short_name(profile)}: {experiment} is judged at profile {claim.profile} alone")
    for variant in variants:
        if variant not in judged_on:
            known = suggest(variant, judged_on)
            raise SpecError(f"--variant {short_name(variant)}: {experiment} is not judged on its runs{known}")
    if seeds is not None and not declared.issuperset(parse_seeds(seeds)):
        raise SpecError(f"--seeds {short_name(seeds)}: {experiment} is judged on seeds {listed(declared)} alone")
    others |= {"seeds": seeds or seeds_option(declared), "claim": claim.id}
    return Selection(where, claim.profile, variants or tuple(judged_on), **others)


only_variants = click.option("--variant", "variants", multiple=True, help="Only this variant; repeatable.")
_experiment = click.argument("experiment")
_overrides = click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Set a field; repeatable.")
_data = click.option(
    "--data",
    multiple=True,
    metavar="NAME=FOLDER",
    help="Use the images in FOLDER in place of the image set NAME; repeatable.",
)

selection = grouped(
    "selection",
    select,
    _experiment,
    click.option("--seeds", metavar="N|LIST", help="A count, or a list such as 0,3,7-9 [default: the spec's]."),
    click.option("--profile", help=f"smoke, quick, reduced, paper, … [default: {QUICK}]"),
    only_variants,
    _data,
    _overrides,
    click.option("--stack", type=COUNT, help="Seeds trained in lockstep [default: the spec's]."),
    results_folder,
)
"""Adds EXPERIMENT and the options that select runs of it, or EXP:CLAIM for the runs that a claim is judged on."""
selection_of_settings = grouped(
    "selection",
    functools.partial(Selection, seeds="1"),
    _experiment,
    _overrides,
    _data,
    click.option("--profile", default="paper", show_default=True),
    only_variants,
)
"""Adds EXPERIMENT and the options that select settings of it, with a run of each."""


def covered(names: Sequence[str]) -> list[Experiment]:
    """Returns the experiments that a report covers: those named, or all that ship with the package."""
    return [load(name) for name in dict.fromkeys(names or available())]


# ---- this machine ---------------------------------------------------------------------------------------------------

device_kind = click.option("--device", type=DEVICES, default="auto", show_default=True, help="Where to compute.")
cpu_threads = click.option("--threads", type=COUNT, default=1, show_default=True, help="CPU threads per cohort.")


def _kept_in(variable: str) -> Callable[[click.Context, click.Parameter, Path | None], None]:
    def keep(context: click.Context, option: click.Parameter, path: Path | None) -> None:
        if path is not None:
            before = {key: value for key, value in os.environ.items() if key == variable}
            context.call_on_close(lambda: os.environ.update(before))
            context.call_on_close(lambda: os.environ.pop(variable))  # callbacks run in reverse order
            os.environ[variable] = str(path.absolute())

    return keep


data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    expose_value=False,
    callback=_kept_in(DATA_VARIABLE),
    help=f"Folder of the image sets [default: ${DATA_VARIABLE}, or wganbench in the user's cache].",
)
inception_weights = click.option(
    "--inception-weights",
    type=click.Path(dir_okay=False, path_type=Path),
    expose_value=False,
    callback=_kept_in(WEIGHTS_VARIABLE),
    help=(f"File of the Inception network's weights [default: ${WEIGHTS_VARIABLE}, or torch-fidelity's download]."),
)
