"""The manifest of a submission: what was judged, with which versions and reference, and the digest of every file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from wganbench.errors import RecordError
from wganbench.files import write_atomically
from wganbench.reading import TooLargeError, read_bytes, read_text
from wganbench.records.record import Sha256, parse_json
from wganbench.spec import Model, Name, Text, mistakes
from wganbench.spec.judged import Budget
from wganbench.spec.judging import Candidate
from wganbench.spec.strict import Table, check_values, short

FILE, CONFORMANCE = "submission.json", "conformance.json"
"""The names of the manifest, and of the answers to questions, in the folder of a submission."""
RESULTS = "results"
"""The folder of the records in the folder of a submission."""
FOLDER = "judge"
"""The folder of submissions in a results folder."""
MAX_FILE = 2**32
"""The largest file of a submission."""
MAX_SIZE = 1_000_000
"""The most bytes of a manifest, or of the answers; both have some kilobytes."""

Outcome = Literal["fail", "not reached", "warning", "pass", "not applicable"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""The outcomes of a question, the gravest first."""

M = TypeVar("M", bound=BaseModel)


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or PurePosixPath(path).is_absolute() or "\\" in path:
        raise ValueError(f"must be a path inside the folder, got {short(path)}")
    return path


def _writable(change: Table) -> Table:
    problems = list(check_values(change))
    if problems:
        raise ValueError("\n".join(problems))
    return change


class Submission(Model):
    """A manifest.

    Attributes:
        version: The version of this format.
        budget: The budget that was trained.
        device: The kind of device, with whose committed records the candidates are compared.
        experiments: The names of the experiments.
        candidates: The fields of a variant that each candidate replaces, by its name.
        libraries: The version of each package when the folder was written last.
        reference: The checksum of each record of a replaced method that makes a pair, by run id.
        files: The SHA-256 of each file, by its path in the folder; without the records, which have checksums, and
            without the page for a browser.
    """

    version: Literal[1] = 1
    budget: Budget
    device: Literal["cpu", "cuda"]
    experiments: Annotated[list[Name], Field(min_length=1)]
    candidates: Annotated[dict[Name, Annotated[Table, AfterValidator(_writable)]], Field(min_length=1)]
    libraries: dict[Text, Text]
    reference: dict[Text, Sha256]
    files: dict[Annotated[Text, AfterValidator(_inside)], Sha256]

    @property
    def methods(self) -> list[Candidate]:
        """Returns the candidates in their order."""
        return [Candidate(name, change) for name, change in self.candidates.items()]


class Answered(Model):
    """The answer to a question about an object: ``pass``, ``fail`` and so on, with what was found."""

    question: Text
    check: Text
    outcome: Outcome
    text: str


class Asked(Model):
    """The answers about an object.

    Attributes:
        object: Its name, as a spec has it.
        kind: What it is: ``objective``, ``penalty``, ``projection``, ``critic`` or ``network``.
        options: Its options.
        answers: The answers, in the order of the questions.
    """

    object: Text
    kind: Text
    options: Table
    answers: list[Answered]

    def summary(self) -> str:
        """Returns how many answers there are of each outcome, the gravest first."""
        counts = {outcome: sum(each.outcome == outcome for each in self.answers) for outcome in OUTCOMES}
        return ", ".join(f"{n} {outcome}" for outcome, n in counts.items() if n)


class Conformance(Model):
    """The answers about all objects of the candidates."""

    objects: list[Asked]


def kept_in(results: Path) -> list[Path]:
    """Returns the folders of the submissions that are kept in a results folder."""
    return [path.parent for path in sorted(results.glob(f"{FOLDER}/*/{FILE}"))]


def read(folder: Path) -> Submission:
    """Returns the manifest of a folder.

    Raises:
        RecordError: If it is missing, damaged, or not a manifest.
    """
    return _read(folder / FILE, Submission)


def read_conformance(folder: Path) -> Conformance:
    """Returns the answers that a folder holds.

    Raises:
        RecordError: If they are missing or damaged.
    """
    return _read(folder / CONFORMANCE, Conformance)


def _read(path: Path, model: type[M]) -> M:
    try:
        content = parse_json(read_text(path, MAX_SIZE))
    except TooLargeError:
        raise RecordError(f"{path}: larger than {MAX_SIZE:,} bytes; restore it") from None
    except OSError as error:
        remedy = f"'wganbench judge --out {path.parent}' makes a submission"
        raise RecordError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except (ValueError, RecursionError):
        raise RecordError(f"{path}: not whole JSON; restore it") from None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise RecordError(f"{path}: {'; '.join(mistakes(error, model))}; restore it") from None


def write(folder: Path, file: str, content: Model) -> None:
    """Writes the manifest or the answers into a folder.

    Raises:
        RecordError: If the file cannot be written.
    """
    text = json.dumps(content.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    write_atomically(folder / file, text.encode(), replace=True)


def digests(folder: Path, files: Iterable[str]) -> dict[str, str]:
    """Returns the SHA-256 of each file that can be read, by its path in the folder."""
    found = {}
    for file in sorted(files):
        try:
            found[file] = hashlib.sha256(read_bytes(folder / file, MAX_FILE)).hexdigest()
        except OSError:
            continue
    return found


def changed(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Returns the files that are missing, or have another digest than in a manifest."""
    there = digests(folder, files)
    return [file for file, sha256 in files.items() if there.get(file) != sha256]
