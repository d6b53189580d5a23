"""Finds the source files of custom objects, and those that have changed since runs were recorded.

Nothing is imported. A module's file is searched for where Python would find it with the import folders at the end of
its path, and the modules that the file imports from there are read from its syntax tree. Imports under a name computed
at run time, and files read as data, are therefore not detected.
"""

from __future__ import annotations

import ast
import hashlib
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path

from wganbench.reading import read_bytes
from wganbench.records.record import Record
from wganbench.spec import Component, Experiment, Setting, catalogue

MAX_FILES = 16
"""The most files that a record names; all further files share one digest, so that a record stays small."""
MAX_BYTES = 2**24
"""The largest file of source code that is read."""
OTHERS = "other files"
OURS = "wganbench"
"""This package; its files are not digested, since records hold its version and commit wherever it is installed."""

Read = Callable[[Path], bytes | None]


def import_folders(spec_path: str) -> list[str]:
    """Returns the folders that custom modules are imported from: the spec's own, and the working folder."""
    return list(dict.fromkeys([str(Path(spec_path).resolve().parent), str(Path.cwd())]))


def read_file(path: Path) -> bytes | None:
    """Returns the content of a file, or None if it does not exist or cannot be read."""
    try:
        return read_bytes(path, MAX_BYTES) if path.is_file() else None
    except OSError:
        return None


def custom_names(setting: Setting) -> list[str]:
    """Returns every ``package.module:object`` that a setting names, in the order of its fields."""
    components = [
        *(getattr(setting, field) for field in type(setting).model_fields),
        *(use.measure for use in setting.measures.values()),
        *(setting.pictures or {}).values(),
    ]
    found = (each.name for each in components if isinstance(each, Component) and catalogue.is_dotted(each.name))
    return list(dict.fromkeys(found))


def sources(setting: Setting, folders: Sequence[str], read: Read = read_file) -> dict[str, bytes]:
    """Returns the content of each file that defines custom objects of ``setting``, and of the files they import.

    Args:
        folders: The folders that ``import_folders`` returns; modules installed elsewhere are not followed.
        read: Returns the content of a file, or None.

    Returns:
        The content for each file's path in its folder, such as ``mine.py`` or ``package/module.py``; empty if the
        setting has no custom objects.
    """
    found: dict[str, bytes] = {}
    waiting = [name.partition(":")[0] for name in reversed(custom_names(setting))]
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen or is_installed(module.partition(".")[0], folders):
            continue
        seen.add(module)
        for file, content in _files(module, folders, read):
            if file not in found:
                found[file] = content
                waiting += _imports(content, file)
    return found


def digests(setting: Setting, folders: Sequence[str], read: Read = read_file) -> dict[str, str]:
    """Computes the SHA-256 of each file that ``sources`` returns for the same arguments; keys are the files' paths."""
    found = sources(setting, folders, read)
    digest = {file: hashlib.sha256(content).hexdigest() for file, content in sorted(found.items())}
    rest = list(digest.items())[MAX_FILES:]
    if rest:
        digest = dict(list(digest.items())[:MAX_FILES])
        digest[OTHERS] = hashlib.sha256("\n".join(f"{file} {sha256}" for file, sha256 in rest).encode()).hexdigest()
    return digest


def is_installed(package: str, folders: Sequence[str]) -> bool:
    """Returns whether a top-level module is Python's own, is ours, or is found on Python's path outside ``folders``."""
    if package in sys.stdlib_module_names or package == OURS:
        return True
    own = {Path(folder).resolve() for folder in folders}
    elsewhere = [place for place in sys.path if place and Path(place).resolve() not in own]
    spec = PathFinder.find_spec(package, elsewhere)
    return spec is not None and spec.loader is not None and spec.origin is not None


def shadowed(setting: Setting, folders: Sequence[str]) -> dict[str, Path]:
    """Returns the custom names that resolve to an installed module, each with the file that this module shadows."""
    found = {}
    for name in custom_names(setting):
        package = name.partition(":")[0].partition(".")[0]
        unused = [path for folder in folders for _, path in _candidates(package, folder) if path.is_file()]
        if unused and is_installed(package, folders):
            found[name] = unused[0]
    return found


def _candidates(module: str, folder: str) -> Iterator[tuple[str, Path]]:
    """Yields the relative and full paths that a module may have in a folder: first as a package, then as a file."""
    place = module.replace(".", "/")
    for file in (f"{place}/__init__.py", f"{place}.py"):
        yield file, Path(folder, file)


def _files(module: str, folders: Sequence[str], read: Read) -> Iterator[tuple[str, bytes]]:
    """Yields the files of the packages that contain a module, which are imported before it, and then its own file."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        places = (place for folder in folders for place in _candidates(".".join(parts[:length]), folder))
        for file, path in places:
            content = read(path)
            if content is not None:
                yield file, content
                break


def _imports(content: bytes, file: str) -> Iterator[str]:
    """Yields the names of the modules that a file may import; some are names of objects within modules instead."""
    try:
        with warnings.catch_warnings(action="ignore"):  # syntax warnings: Python shows them on import
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    package = file.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            yield from filter(None, [module, *(f"{module}.{alias.name}".strip(".") for alias in node.names)])


# ---- against records ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A file whose content has changed since runs were recorded.

    Attributes:
        file: The file's path, as ``digests`` returns it.
        n_runs: The number of recorded runs that used different content.
    """

    file: str
    n_runs: int

    def text(self, command: str = "--again") -> str:
        """Describes the change and the remedies; ``command`` is what trains the runs again."""
        return (
            f"changed since {self.n_runs} of these runs; {command} trains again, "
            f"protocol = 2 beside the object's name keeps both"
        )


def changes(records: Iterable[Record], folders: Sequence[str]) -> list[Change]:
    """Returns the files of custom objects that have changed since some of ``records`` were made.

    Records made before digests were stored, and files that are not found here, are ignored.
    """
    now: dict[str, Mapping[str, str]] = {}
    counts: dict[str, int] = {}
    for record in records:
        then = record.provenance.custom_code
        if not then:
            continue
        if record.family not in now:
            now[record.family] = digests(record.setting, folders)
        for file in then.keys() & now[record.family].keys():
            if then[file] != now[record.family][file]:
                counts[file] = counts.get(file, 0) + 1
    return [Change(file, n) for file, n in sorted(counts.items())]


def changes_since(experiment: Experiment, records: Iterable[Record]) -> list[Change]:
    """Returns the changed files, as ``changes`` does, for those of ``records`` whose settings ``experiment`` plans."""
    known = [record for record in records if record.provenance.custom_code]
    if not known:
        return []
    families = {
        experiment.family(variant, profile)
        for profile in experiment.profiles
        for variant in experiment.variants_of(profile)
    }
    return changes((record for record in known if record.family in families), import_folders(experiment.path))
