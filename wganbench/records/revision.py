"""The files of a git revision, and which of them differ from the work tree; reads through the ``git`` command."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wganbench.errors import RecordError

SHORT = 10
"""The number of digits of a commit in messages."""


@dataclass(frozen=True)
class Revision:
    """A commit of a repository.

    Attributes:
        name: The revision as it was asked for.
        commit: The full hash of the commit.
        root: The top folder of the repository's work tree.
        blobs: The hash of each file's content in the commit, by its path below ``root``.
    """

    name: str
    commit: str
    root: Path
    blobs: Mapping[str, str]

    @classmethod
    def find(cls, name: str, folder: Path) -> Revision:
        """Finds a revision in the repository that ``folder`` lies in.

        Raises:
            RecordError: If there is no git, no repository, or no such revision in it, as in a shallow clone.
        """
        root = Path(_git(folder, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
        try:
            commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        except RecordError:
            remedy = "'git fetch' gets it; a shallow clone needs 'git fetch --unshallow'"
            raise RecordError(f"--since {name}: no such revision in {root}; {remedy}") from None
        hash_ = commit.decode().strip()
        return cls(name, hash_, root, _blobs(_git(root, "ls-tree", "-r", "-z", hash_)))

    def __str__(self) -> str:
        digits = self.commit[:SHORT]
        return digits if self.commit.startswith(self.name) else f"{self.name} ({digits})"

    def path_of(self, path: Path) -> str | None:
        """Returns a path as the commit names it; None if it lies outside the repository."""
        resolved, root = path.resolve(), self.root.resolve()
        return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else None

    def files(self, folder: Path) -> dict[str, str]:
        """Returns the hashes of the commit's files in a folder, by their path below it."""
        prefix = self.path_of(folder)
        if prefix is None:
            return {}
        start = "" if prefix == "." else f"{prefix}/"
        return {path.removeprefix(start): blob for path, blob in self.blobs.items() if path.startswith(start)}

    def hashes(self, folder: Path, names: Iterable[str]) -> dict[str, str]:
        """Returns the hashes that the files ``names`` of a folder in the work tree would have in a commit."""
        present = [name for name in names if (folder / name).is_file() and "\n" not in name]
        paths = "".join(f"{(folder / name).resolve()}\n" for name in present)
        found = (
            _git(self.root, "hash-object", "--stdin-paths", stdin=paths.encode(errors="surrogateescape"))
            .decode()
            .split()
        )
        return dict(zip(present, found, strict=True))

    def extract(self, blobs: Mapping[str, str], into: Path) -> None:
        """Writes files of the commit into a folder.

        Args:
            blobs: The hash of each file, by the path below ``into`` that it gets.
        """
        wanted = list(dict.fromkeys(blobs.values()))
        text = _git(self.root, "cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in wanted).encode())
        contents, start = {}, 0
        for blob in wanted:
            end = text.index(b"\n", start)
            size = int(text[start:end].split()[-1])
            contents[blob] = text[end + 1 : end + 1 + size]
            start = end + size + 2  # the content is followed by a line break
        for name, blob in blobs.items():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            (into / name).write_bytes(contents[blob])


def _blobs(listing: bytes) -> dict[str, str]:
    """Parses the output of ``git ls-tree -r -z``: ``MODE TYPE HASH<tab>PATH``, each ended by a zero byte."""
    found = {}
    for entry in listing.split(b"\0")[:-1]:
        about, _, path = entry.partition(b"\t")
        kind, blob = about.decode().split()[1:]
        if kind == "blob":
            found[path.decode(errors="surrogateescape")] = blob
    return found


def _git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], input=stdin, capture_output=True, check=True)
    except FileNotFoundError:
        raise RecordError("--since: git is not installed; it reads the revision that is compared with") from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr.decode(errors="replace").strip() or "git failed").splitlines()[0]
        raise RecordError(f"--since: {folder}: {said}") from None
    return done.stdout
