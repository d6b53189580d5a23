"""Finds the kept weights of a run or of a file, for the commands that sample and measure them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wganbench.errors import RecordError, SpecError
from wganbench.records.custom_code import import_folders
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.records.weights import SUFFIX, WeightsFolder, again, read
from wganbench.runner.import_path import add_import_folders
from wganbench.runner.weights import Role, Weights, check_built_in, unpack
from wganbench.spec import catalogue, load


@dataclass(frozen=True)
class KeptRun:
    """A run whose weights were kept.

    Attributes:
        record: The run's record.
        store: The results folder.
        step: The step of the weights to use; None for the last.
    """

    record: Record
    store: Store
    step: int | None = None

    def weights(self, network: Role) -> Weights:
        """Reads the weights of a network.

        Raises:
            RecordError: If they were not kept, or are missing or damaged.
        """
        record = self.record
        own = [kept for kept in record.weights if kept.network == network and self.step in (None, kept.step)]
        if not own:
            raise RecordError(f"{record.id}: {self._missing(network)}")
        folder, last = WeightsFolder(self.store.root), max(own, key=lambda kept: kept.step)
        return unpack(folder.read(record, last), folder.path(record, last))

    def _missing(self, network: Role) -> str:
        record = self.record
        steps = sorted({kept.step for kept in record.weights})
        if not steps and record.status != "finished":
            return f"no weights were kept, as the run {record.status} after {record.steps_done:,} steps"
        if not steps:
            return f"no weights were kept; {again(record)}"
        if self.step not in (None, *steps):
            return f"no weights of step {self.step:,}; those of {' and '.join(f'{step:,}' for step in steps)} were kept"
        return f"no {network} was trained, as the setting has the fixed generator {record.setting.fixed_generator}"


def find(run_id: str, results: Path, step: int | None = None) -> KeptRun:
    """Finds a run by its id, and puts the folders of its custom code, if it has any, on Python's path.

    Raises:
        RecordError: If no record has this id, or it is damaged.
    """
    store = Store(results)
    found = {path.stem: path for path in store.paths()}
    if run_id not in found:
        raise RecordError(f"{results}: no record of run {run_id!r}{catalogue.suggest(run_id, found)}")
    record = store.find(found[run_id].parent.name, run_id)
    if record is None:
        raise RecordError(f"{found[run_id]}: gone while it was read")
    add_import_folders(import_folders(_spec_path(record)))
    return KeptRun(record, store, step)


def _spec_path(record: Record) -> str:
    try:
        return load(record.experiment).path
    except SpecError:  # the user's own spec, which is not in the package; its code is then in the working folder
        return ""


def weights_of(target: str, results: Path, step: int | None = None) -> Weights:
    """Returns the generator of a run, by its id, or of a file of weights, by its path.

    Raises:
        RecordError: If there are no such weights, they are damaged, or they are a critic's.
        SpecError: If a file names custom code.
    """
    path = Path(target)
    if path.suffix != SUFFIX:
        return find(target, results, step).weights("generator")
    try:
        content = read(path)
    except FileNotFoundError:
        raise RecordError(f"{path}: no such file") from None
    weights = unpack(content, path)
    if step not in (None, weights.step):
        raise RecordError(f"{path}: holds the weights of step {weights.step:,}, not of {step:,}")
    if weights.network != "generator":
        raise RecordError(
            f"{path}: holds the critic of {weights.run}, which makes no samples; name its generator's file"
        )
    check_built_in(weights, path)
    return weights
