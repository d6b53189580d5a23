"""Image files from anywhere: folders that lead back to themselves, bombs, other formats, and what is no file."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cpu import at_most
from tests.hostile.put import NO_FILES, little_memory, put, sparse
from wganbench.data import image_folder, pictures
from wganbench.data.image_folder import MAX_PIXELS, images_below
from wganbench.errors import DataError


@pytest.fixture
def faces(tmp_path) -> Path:
    """Two classes of two images."""
    for number, place in enumerate(("ape/0.png", "ape/1.png", "bee/0.png", "bee/1.png")):
        path = tmp_path / "faces" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((16, 16, 3), 9 * number, np.uint8)).save(path)
    return tmp_path / "faces"


def decoded(folder: Path) -> list[int]:
    """The level of each image of both classes, sorted."""
    recipe = image_folder.recipe(folder, "faces", image_folder.digest(folder), split="train", size=16)
    return sorted(int(image[0, 0, 0]) for images, _ in recipe.batches() for image in images)


def counted(folder: Path) -> str:
    """What is said of the folder as one of pictures."""
    tally = pictures.Tally()
    recipe = pictures.recipe(folder, "faces", pictures.digest(folder), size=16, tally=tally)
    assert sum(len(images) for images, _ in recipe.batches()) == tally.used
    return str(tally)


def refused(folder: Path, path: Path, said: str) -> None:
    with pytest.raises(DataError) as caught:
        decoded(folder)
    assert str(caught.value).startswith(f"{path}: ") and said in str(caught.value) and "\n" not in str(caught.value)


# ---- folders that are there more than once --------------------------------------------------------------------------


def test_links_that_lead_back_are_followed_once(faces):
    before = image_folder.digest(faces), pictures.digest(faces)
    for place in (faces, faces / "ape"):
        for name in ("a", "z"):
            (place / name).symlink_to(".")
    (faces / "bee" / "up").symlink_to("..")
    (faces / "bee" / "itself").symlink_to("itself")
    with at_most(2):
        assert pictures.digest(faces) == before[1]
        assert image_folder.samples(faces, "train")[:2] == [(faces / "ape" / f"{n}.png", 0) for n in (0, 1)]
    assert counted(faces).startswith("4 pictures used")


def test_a_lattice_of_links_costs_no_more_than_its_folders(tmp_path):
    for level in range(40):  # by every way there would be 2^40 folders
        folder = tmp_path / f"{level}"
        folder.mkdir()
        for name in ("a", "b"):
            (folder / name).symlink_to(tmp_path / f"{level + 1}")
    (tmp_path / "40").mkdir()
    (tmp_path / "40" / "x.png").touch()
    with at_most(2):
        assert [path.name for path in images_below(tmp_path / "0")] == ["x.png"]


def test_the_order_of_plain_folders_is_by_name(tmp_path):
    for place in ("b/2.png", "b/a/1.png", "a/9.png", "a/c/d/0.png", "0.png"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in images_below(tmp_path)]
    assert found == ["0.png", "a/9.png", "a/c/d/0.png", "b/2.png", "b/a/1.png"]


def test_a_folder_that_cannot_be_read_is_no_empty_one(faces, monkeypatch):
    def walk(folder, followlinks, onerror):
        onerror(PermissionError(13, "Permission denied", str(folder / "below")))
        yield from ()

    monkeypatch.setattr("os.walk", walk)
    with pytest.raises(DataError, match=r"ape/below: cannot be read \(Permission denied\)$"):
        image_folder.samples(faces, "train")


# ---- what is no image -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "said"), NO_FILES.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_what_is_no_file_is_refused_in_one_line(faces, how, said):
    path = faces / "ape" / "0.png"
    if how.__name__ == "folder":
        put(how, path)
        assert decoded(faces) == [9, 18, 27], "a folder is searched for images, whatever it is called"
        return
    put(how, path)
    with little_memory():
        refused(faces, path, f"cannot be read ({said}")
        with pytest.raises(DataError, match=f"{path}: cannot be read"):
            counted(faces)


def png(width: int, height: int) -> bytes:
    """A whole black PNG of one bit a pixel."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    row, packer = bytes(1 + (width + 7) // 8), zlib.compressobj(9)
    rows = b"".join([packer.compress(row * 100) for _ in range(height // 100)]) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("side", "is_whole"),
    [(8_200, False), (12_000, False), (60_000, False), pytest.param(13_000, True, marks=pytest.mark.slow)],
)
def test_a_small_file_of_very_many_pixels_is_refused_by_its_header(faces, side, is_whole):
    path = faces / "ape" / "0.png"
    path.write_bytes(png(side, side) if is_whole else png(100, 100).replace(*size_in_header(100, side)))
    assert path.stat().st_size < 40_000
    with little_memory(2**26), at_most(2):
        refused(faces, path, f"more than {MAX_PIXELS:,} pixels; make it smaller or remove it")
        assert "1 left out: 1 of more than 67,108,864 pixels, such as 0.png" in counted(faces)


def size_in_header(before: int, after: int) -> tuple[bytes, bytes]:
    old, new = (b"IHDR" + struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0) for side in (before, after))
    return old + struct.pack(">I", zlib.crc32(old)), new + struct.pack(">I", zlib.crc32(new))


@pytest.mark.slow
@pytest.mark.parametrize("size", [100, 128])
def test_the_largest_allowed_image_takes_seconds_and_a_gigabyte(faces, size):
    path = faces / "ape" / "0.png"
    path.write_bytes(png(8_100, 8_200))
    with little_memory(3 * 2**29), at_most(30):
        assert image_folder._decode(path, size, 3).shape == (3, size, size)


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\nshowpage\n%%EOF\n"


def other_format(form: str):
    def write(path: Path) -> None:
        Image.new("RGB", (16, 16)).save(path, form)

    return write


@pytest.mark.parametrize(
    "write",
    [lambda path: path.write_bytes(EPS), *map(other_format, ("GIF", "ICO", "PDF", "TGA", "PCX", "SGI", "DDS"))],
)
def test_another_format_is_not_opened_whatever_it_is_called(faces, monkeypatch, write):
    def start(*arguments, **options):
        raise AssertionError("a program was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    path = faces / "ape" / "0.png"
    write(path)
    refused(faces, path, "not a whole image (cannot identify it as one of JPEG, PNG, PPM, BMP, TIFF, WEBP)")
    assert "1 left out: 1 not whole images in JPEG, PNG, PPM, BMP, TIFF, WEBP, such as 0.png" in counted(faces)


@pytest.mark.parametrize("form", image_folder.FORMATS)
def test_an_allowed_format_is_opened_under_any_name_of_an_image_and_refused_when_it_is_cut(faces, form):
    path = faces / "ape" / "0.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(path, form)
    assert len(decoded(faces)) == 4
    path.write_bytes(path.read_bytes()[:-2000])
    refused(faces, path, "not a whole image (")
    assert "1 not whole images" in counted(faces)


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_of_an_animation_the_first_frame_counts(faces, form):
    first, second = (Image.new("RGB", (16, 16), (level,) * 3) for level in (100, 200))
    first.save(faces / "ape" / "0.png", form, save_all=True, append_images=[second], lossless=True)
    assert decoded(faces) == [9, 18, 27, 100]
    assert "1 animated: their first frame" in counted(faces)


def test_an_endless_file_is_not_hashed(faces):
    put(sparse, faces / "bee" / "9.png")
    with (
        little_memory(),
        at_most(2),
        pytest.raises(DataError, match=r"9.png: cannot be read \(1,099,511,627,776 bytes"),
    ):
        image_folder.digest(faces)
