"""LSUN's databases: what is unpacked, what is kept, and what is refused."""

from __future__ import annotations

import io
import re
import sys

import lmdb
import pytest
from click.testing import CliRunner
from PIL import Image

from wganbench.cli import cli
from wganbench.data import pictures
from wganbench.data.lsun import unpack
from wganbench.errors import DataError

KEYS = tuple(f"{7 * i:02x}" + f"{i:038x}" for i in range(6))


def content(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (16, 12), (255, 0, 0)).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def database(tmp_path):
    """Makes a database of these keys; a picture is WEBP, and of every third key JPEG."""

    def make(keys=KEYS):
        folder = tmp_path / "bedroom_train_lmdb"
        with lmdb.open(str(folder), map_size=2**22) as environment, environment.begin(write=True) as transaction:
            for i, key in enumerate(keys):
                transaction.put(key.encode(), content("JPEG" if i % 3 == 0 else "WEBP"))
        return folder

    return make


def test_pictures_are_unpacked_as_they_are_into_folders_by_their_keys(database, tmp_path):
    folder, seen = tmp_path / "bedroom", []
    assert unpack(database(), folder, on_progress=lambda *counts: seen.append(counts)) == (6, 0)
    names = {f"{key[:2]}/{key}.{'jpg' if i % 3 == 0 else 'webp'}" for i, key in enumerate(KEYS)}
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")} == names
    assert (folder / KEYS[0][:2] / f"{KEYS[0]}.jpg").read_bytes() == content("JPEG")
    assert seen == [(n, 6) for n in range(1, 7)]
    tally = pictures.Tally()
    list(pictures.recipe(folder, "bedroom", pictures.digest(folder), size=8, tally=tally).batches())
    assert str(tally) == "6 pictures used"


def test_a_repeated_command_goes_on_and_changes_no_file(database, tmp_path):
    folder = tmp_path / "bedroom"
    assert unpack(database(), folder, limit=2) == (2, 0)
    first = folder / KEYS[0][:2] / f"{KEYS[0]}.jpg"
    first.write_bytes(b"changed")
    assert unpack(database(), folder) == (6, 2)
    assert first.read_bytes() == b"changed"


def test_a_database_that_is_cut_short_is_refused_before_it_is_read(database, tmp_path):
    file = database() / "data.mdb"
    file.write_bytes(file.read_bytes()[:9000])
    with pytest.raises(DataError, match=r"data.mdb: 9,000 bytes of \d+,\d+; download and unzip it again$"):
        unpack(file.parent, tmp_path / "bedroom")
    assert not (tmp_path / "bedroom").exists()


@pytest.mark.parametrize("written", [b"", b"\0" * 5000, b"PK\3\4" * 2000])
def test_what_is_no_database_is_one_line(tmp_path, written):
    (tmp_path / "data.mdb").write_bytes(written)
    with pytest.raises(DataError, match=r"data.mdb: no whole database \(.*\); download") as e:
        unpack(tmp_path, tmp_path / "bedroom")
    assert "\n" not in str(e.value)


def test_without_a_database_the_line_names_the_file(tmp_path):
    with pytest.raises(DataError, match=r"data.mdb: cannot be read \(No such file or directory\); must be a database"):
        unpack(tmp_path, tmp_path / "bedroom")


def test_a_key_that_could_lead_out_of_the_folder_is_refused(database, tmp_path):
    with pytest.raises(DataError, match=r"key b'../../evil': must have letters and digits alone"):
        unpack(database(["../../evil"]), tmp_path / "bedroom")
    assert [path.name for path in tmp_path.iterdir()] == ["bedroom_train_lmdb"]


def test_a_file_that_cannot_be_written_is_one_line(database, tmp_path):
    (tmp_path / "bedroom").write_text("a file")
    with pytest.raises(DataError, match=r"\.jpg: cannot be written \(.*\); free the disk, then try again$"):
        unpack(database(), tmp_path / "bedroom")


def test_the_command_says_what_it_did(database, tmp_path):
    arguments = ["data", "unpack", str(database()), str(tmp_path / "bedroom")]
    assert CliRunner().invoke(cli, [*arguments, "--limit", "4"]).output == f"4 pictures in {tmp_path / 'bedroom'}\n"
    assert CliRunner().invoke(cli, arguments).output == f"6 pictures in {tmp_path / 'bedroom'}, 4 of which were there\n"


def test_without_the_extra_the_command_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    result = CliRunner().invoke(cli, ["data", "unpack", str(tmp_path), str(tmp_path / "bedroom")])
    assert result.exit_code == 2
    assert re.match(r"wganbench: data unpack: .*lmdb.*; pip install 'wganbench\[lsun\]'$", result.output.strip())
