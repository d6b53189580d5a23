"""Files of a git revision, read from a small repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wganbench.errors import RecordError
from wganbench.records.revision import Revision

NAMES = ("a.json", "deep/b.json", "with space.json", "ümlaut.json")


def git(folder: Path, *arguments: str) -> str:
    settings = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", "-c", "gc.auto=0")
    command = ["git", *settings, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path) -> Path:
    folder = tmp_path / "repository"
    for name in NAMES:
        path = folder / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\nas it was\n", encoding="utf-8")
    (folder / "other.toml").write_bytes(b"\0binary\r\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


def test_files_that_are_as_they_were_have_the_hashes_of_the_commit(repository):
    found = Revision.find("HEAD", repository / "results")
    files = found.files(repository / "results")
    assert files.keys() == set(NAMES)
    assert found.hashes(repository / "results", files) == files
    (repository / "results" / "a.json").write_text("otherwise")
    (repository / "results" / "deep" / "b.json").unlink()
    now = found.hashes(repository / "results", files)
    assert now.keys() == set(NAMES) - {"deep/b.json"}
    assert now["a.json"] != files["a.json"]
    assert now["with space.json"] == files["with space.json"]


def test_files_are_extracted_as_they_were_in_the_commit(repository, tmp_path):
    (repository / "results" / "a.json").write_text("otherwise")
    git(repository, "commit", "-qam", "two")
    found = Revision.find("HEAD~1", repository)
    found.extract(found.files(repository), tmp_path / "then")
    assert (tmp_path / "then" / "results" / "a.json").read_text() == "a.json\nas it was\n"
    assert (tmp_path / "then" / "results" / "ümlaut.json").read_text(encoding="utf-8").startswith("ümlaut")
    assert (tmp_path / "then" / "other.toml").read_bytes() == b"\0binary\r\n"
    assert len(found.files(repository)) == len(NAMES) + 1


def test_a_folder_outside_the_repository_has_no_files(repository, tmp_path):
    found = Revision.find("HEAD", repository)
    assert found.path_of(tmp_path / "else" / "x.toml") is None
    assert found.files(tmp_path / "else") == {}
    assert found.path_of(repository / "results" / "a.json") == "results/a.json"


def test_a_revision_is_named_with_its_commit(repository):
    digits = git(repository, "rev-parse", "HEAD")
    assert str(Revision.find("HEAD", repository)) == f"HEAD ({digits[:10]})"
    assert str(Revision.find(digits, repository)) == digits[:10]


def refused(revision: str, folder: Path) -> str:
    with pytest.raises(RecordError) as caught:
        Revision.find(revision, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", "HEAD~9", "--all", "0" * 40])
def test_a_revision_that_is_not_there_is_one_line(repository, name):
    text = refused(name, repository)
    assert text.startswith(f"--since {name}: no such revision in ")
    assert text.endswith("; 'git fetch' gets it; a shallow clone needs 'git fetch --unshallow'")


def test_what_lies_before_a_shallow_clone_is_one_line(repository, tmp_path):
    git(repository, "commit", "-q", "--allow-empty", "-m", "two")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    assert Revision.find("HEAD", tmp_path / "shallow").files(tmp_path / "shallow" / "results").keys() == set(NAMES)
    assert "a shallow clone needs" in refused("HEAD~1", tmp_path / "shallow")


def test_a_folder_of_no_repository_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "not a git repository" in refused("HEAD", tmp_path)


def test_without_git_there_is_one_line(repository, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert refused("HEAD", repository) == "--since: git is not installed; it reads the revision that is compared with"
