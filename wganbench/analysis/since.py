"""The changes between a git revision and the work tree, for those who review results: claims, records and verdicts.

The specs of the revision are read by the current loader, and its verdicts from its ``verdicts.json``. Records are
compared by their content. What was derived from them, that is pages and figures, is left to ``check``.
"""

from __future__ import annotations

import json
import tempfile
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from wganbench.analysis.finding import Change
from wganbench.analysis.ledger import CLASSIFIERS, FILE, SETTLED, Ledger, last, read
from wganbench.analysis.spec_changes import spec_changes
from wganbench.errors import RecordError, SpecError
from wganbench.reading import read_text
from wganbench.records import speeds
from wganbench.records.record import MAX_BYTES, Record
from wganbench.records.record import read_text as record_in
from wganbench.records.revision import Revision
from wganbench.records.store import MEASURED
from wganbench.spec import RESERVED, Experiment, available, listed, load

MOST_NAMED = 3
"""The most numbers of a changed record that its line names."""


@dataclass(frozen=True)
class Since:
    """The changes since a revision, those that weaken the evidence first."""

    revision: Revision
    changes: tuple[Change, ...]

    @property
    def weakening(self) -> list[Change]:
        """The changes that weaken the evidence."""
        return [change for change in self.changes if change.weakens]


def changes_since(
    name: str, experiments: Sequence[Experiment], results: Path, records: Mapping[str, Record], *, whole: bool
) -> Since:
    """Compares a results folder and its specs with a git revision.

    Args:
        name: The revision, as git understands it.
        results: The results folder.
        records: Its records, by run id.
        whole: Whether the whole folder is compared, and not only what belongs to these experiments.

    Raises:
        RecordError: If git, the repository or the revision is missing.
    """
    revision = Revision.find(name, results)
    with tempfile.TemporaryDirectory() as folder:
        then = _Then(revision, results, Path(folder))
        names = None if whole else {experiment.name for experiment in experiments}
        found = [*_specs(then, experiments, whole), *_records(then, records, names)]
        removed = {(change.experiment, change.subject) for change in found if change.check == "claim removed"}
        found += _verdicts(then, experiments, names, removed)
        found += _files(then) if whole else ()
    return Since(revision, tuple(sorted(dict.fromkeys(found), key=lambda change: not change.weakens)))


class _Then:
    """The results folder and the specs of the revision, as far as they are needed in files.

    Attributes:
        files: The hashes of all files of the results folder, by path.
        changed: The paths of the records, other JSON files and classifiers that have another content now, or none.
        folder: A temporary folder, with the files of the results folder that are compared in ``results``, and all TOML
            files of the repository in ``repository``.
    """

    def __init__(self, revision: Revision, results: Path, folder: Path):
        self.revision, self.root, self.folder = revision, results, folder
        self.files = revision.files(results)
        kept = [path for path in self.files if path.endswith(".json") or path.startswith(f"{CLASSIFIERS}/")]
        now = revision.hashes(results, kept)
        self.changed = {path for path in kept if now.get(path) != self.files[path]}
        wanted = {path for path in self.changed if path.endswith(".json")} | ({FILE} & self.files.keys())
        specs = {path: blob for path, blob in revision.blobs.items() if path.endswith(".toml")}
        here = {f"results/{path}": self.files[path] for path in wanted}
        revision.extract({**here, **{f"repository/{path}": blob for path, blob in specs.items()}}, folder)
        self.specs = frozenset(specs)

    def ledger(self) -> Ledger | None:
        """The revision's ledger; None if it has none that can be read."""
        try:
            return read(self.folder / "results" / FILE)
        except RecordError:
            return None

    def record(self, path: str) -> Record:
        """The record at a path; raises RecordError if this version cannot read it."""
        return record_in((self.folder / "results" / path).read_text(encoding="utf-8"), path)

    def path_of(self, experiment: Experiment) -> str | None:
        """The path of an experiment's spec in the repository; None if it lies outside."""
        return self.revision.path_of(Path(experiment.path))

    def is_spec(self, path: str) -> bool:
        """Whether a TOML file of the revision has the variants of a spec, or extends one."""
        try:
            content = tomllib.loads((self.folder / "repository" / path).read_text(encoding="utf-8"))
        except ValueError:
            return False
        return bool({"variants", "extends"} & content.keys())

    def load(self, path: str) -> Experiment:
        """The experiment in a spec of the revision; raises SpecError if this version cannot read it."""
        return load(self.folder / "repository" / path)


# ---- specs ----------------------------------------------------------------------------------------------------------


def _specs(then: _Then, experiments: Sequence[Experiment], whole: bool) -> Iterator[Change]:
    ledger = then.ledger() or Ledger()
    recorded = Counter(family for path in then.files if (family := _family(path)))
    for experiment in experiments:
        path = then.path_of(experiment)
        if path is None:
            text = "its spec is not in the repository of the results, so that its claims are not compared"
            yield Change("not compared", experiment.name, Path(experiment.path).name, text)
        elif path not in then.specs:
            yield Change("experiment added", experiment.name, path, f"{len(experiment.claims)} claims")
        else:
            try:
                before = then.load(path)
            except SpecError as error:
                text = f"cannot be read by this version, so that its claims are not compared: {error.mistakes[0]}"
                yield Change("spec of the revision", experiment.name, path, text, weakens=True)
                continue
            section = ledger.experiments.get(experiment.name)
            claims = section.claims if section else {}
            judged = {claim for claim, was in claims.items() if was.outcome != "not run"}
            yield from spec_changes(before, experiment, judged, recorded)
    if whole:
        yield from _removed_specs(then, experiments)


def _removed_specs(then: _Then, experiments: Sequence[Experiment]) -> Iterator[Change]:
    """Yields the specs that lay beside those that ship and are gone, if those are what is compared."""
    paths = {path for experiment in experiments if (path := then.path_of(experiment)) is not None}
    if {experiment.name for experiment in experiments} < available().keys():
        return
    folders = {PurePosixPath(path).parent for path in paths}
    for path in sorted(then.specs - paths):
        is_gone = PurePosixPath(path).parent in folders and not (then.revision.root / path).exists()
        if is_gone and then.is_spec(path):
            yield Change("experiment removed", PurePosixPath(path).stem, path, "with all of its claims", weakens=True)


def _family(path: str) -> str:
    """The setting id in the path of a record; empty for other files."""
    parts = PurePosixPath(path).parts
    is_record = len(parts) == 2 and path.endswith(".json") and parts[0] != RESERVED and not path.startswith(".")
    return parts[1].removesuffix(".json").rpartition("-s")[0] if is_record else ""


# ---- records --------------------------------------------------------------------------------------------------------


def _records(then: _Then, records: Mapping[str, Record], names: Collection[str] | None) -> Iterator[Change]:
    paths = {f"{record.experiment}/{record.id}.json": record for record in records.values()}
    for path in sorted(then.changed):
        experiment, _, file = path.partition("/")
        if not _family(path) or (names is not None and experiment not in names):
            continue
        run = file.removesuffix(".json")
        if path not in paths:
            yield Change("record removed", experiment, run, "restore it", weakens=True)
            continue
        try:
            before = then.record(path)
        except RecordError as error:
            yield Change("record changed", experiment, run, f"was one that cannot be read: {error}", weakens=True)
            continue
        differing = _differing(before, paths[path])
        if differing:
            yield Change("record changed", experiment, run, "; ".join(differing), weakens=True)
        else:
            yield Change("record changed", experiment, run, "written in another way, with the same content")
    added: dict[tuple[str, str, str], list[int]] = {}
    for path, record in paths.items():
        if path not in then.files and (names is None or record.experiment in names):
            added.setdefault((record.experiment, record.profile, record.variant), []).append(record.seed)
    for (experiment, profile, variant), seeds in sorted(added.items()):
        yield Change("records added", experiment, f"{variant}, {profile}", f"seeds {listed(seeds)}")


def _differing(before: Record, after: Record) -> list[str]:
    """Describes the fields in which two records of a run differ."""
    old, new = (record.model_dump(mode="json") for record in (before, after))
    found = []
    for field in old.keys() | new.keys():
        first, second = old.get(field), new.get(field)
        if first == second:
            continue
        if field in ("measures", "best", "provenance") and isinstance(first, dict) and isinstance(second, dict):
            found.append(f"{field}: {_pairs(first, second)}")
        elif isinstance(first, str | int | float) and isinstance(second, str | int | float):
            found.append(f"{field} was {first!r:.60}, now {second!r:.60}")
        else:
            found.append(field)
    return sorted(found)


def _pairs(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    shown = [f"{key} was {old.get(key)!r:.60}, now {new.get(key)!r:.60}" for key in keys[:MOST_NAMED]]
    return ", ".join(shown) + (f" and {len(keys) - MOST_NAMED} more" if len(keys) > MOST_NAMED else "")


# ---- verdicts -------------------------------------------------------------------------------------------------------


def _verdicts(
    then: _Then,
    experiments: Iterable[Experiment],
    names: Collection[str] | None,
    removed: Collection[tuple[str, str]],
) -> Iterator[Change]:
    """Yields the verdicts that differ in the two ledgers; ``check`` says whether the present one is right.

    Args:
        removed: The experiment and id of each claim that is known to be removed; a spec of the revision that cannot be
            read shows none.
    """
    known, now = then.ledger(), last(then.root)[0]
    if known is None or now is None:
        where = "revision" if known is None else "work tree"
        yield Change("not compared", "", FILE, f"the {where} has none that can be read, so no verdicts are compared")
        return
    specs = {experiment.name: {claim.id for claim in experiment.claims} for experiment in experiments}
    for experiment, section in known.experiments.items():
        if names is not None and experiment not in names:
            continue
        claims = now.experiments[experiment].claims if experiment in now.experiments else {}
        for claim, was in section.claims.items():
            outcome = claims[claim].outcome if claim in claims else None
            if claim not in specs.get(experiment, {claim}):
                if (experiment, claim) not in removed:
                    yield Change("claim removed", experiment, claim, f"was {was.outcome}", weakens=True)
            elif outcome is None:
                yield Change("verdict lost", experiment, claim, f"was {was.outcome}", was.outcome in SETTLED)
            elif outcome != was.outcome:
                text = f"was {was.outcome}, now {outcome}"
                yield Change("verdict changed", experiment, claim, text, was.outcome in SETTLED)


# ---- other files ----------------------------------------------------------------------------------------------------


def _files(then: _Then) -> Iterator[Change]:
    """Yields changes of classifiers, measured speeds, and numbers that were measured after the training."""
    for path in sorted(then.changed):
        parts = PurePosixPath(path).parts
        state = "changed" if (then.root / path).is_file() else "removed"
        if parts[0] == CLASSIFIERS:
            yield Change(f"classifier {state}", "", path, "records name it by its digest; restore it", weakens=True)
        elif parts[1:2] == (MEASURED,):
            lost = _lost_numbers(then.folder / "results" / path, then.root / path)
            text = f"{lost} numbers that were measured are {state}" if lost else "more numbers, the others as they were"
            yield Change(f"measured numbers {state}", parts[0], path, text, lost > 0)
    yield from _speeds(then)


def _lost_numbers(old: Path, new: Path) -> int:
    """The number of entries of the older file that are not in the newer one; 1 if one of them cannot be read."""
    try:
        before = json.loads(old.read_text(encoding="utf-8"))["measured"]
        after = json.loads(read_text(new, MAX_BYTES))["measured"] if new.is_file() else []
    except (OSError, ValueError, KeyError, TypeError):
        return 1
    return sum(entry not in after for entry in before)


def _speeds(then: _Then) -> Iterator[Change]:
    """Yields rows of measured speeds that are gone, or differ although they were measured at the same time."""
    now = {device.name: {row.key: row for row in device.rows} for device in speeds.scan(then.root)[0]}
    for device in speeds.scan(then.folder / "results")[0]:
        file = f"{speeds.FOLDER}/{speeds.slug(device.name)}.json"
        rows = now.get(device.name, {})
        for row in device.rows:
            text = f"{row.variant} at {row.profile}, {row.seeds} seeds"
            if row.key not in rows:
                yield Change("speed removed", row.experiment, file, text, weakens=True)
            elif rows[row.key] != row:
                again = rows[row.key].when != row.when
                what = "measured again" if again else "changed, though measured at the same time"
                yield Change("speed changed", row.experiment, file, f"{text}: {what}", not again)
