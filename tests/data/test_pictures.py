"""Folders of pictures as users have them: what is made of each kind, what is left out, and how both are counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wganbench.data import image_folder, image_sets, pictures
from wganbench.errors import DataError

RED, GREEN = (255, 0, 0), (0, 255, 0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WGANBENCH_DATA", str(tmp_path / "data"))
    made = tmp_path / "data" / "own"
    (made / "below" / "further").mkdir(parents=True)
    return made


def decoded(folder: Path, **options):
    """The pictures of a folder by their mean colour, sorted, and the line that counts them."""
    tally = pictures.Tally()
    recipe = pictures.recipe(folder, folder.name, pictures.digest(folder), size=8, tally=tally, **options)
    images = np.concatenate([images for images, _ in recipe.batches()])
    assert images.shape[1:] == (options.get("channels", 3), 8, 8) and images.dtype == np.uint8
    return sorted(tuple(int(value) for value in image.mean((1, 2))) for image in images), str(tally)


def plain(colour=RED, size=(8, 8), mode="RGB"):
    return Image.new(mode, size, colour)


def test_pictures_of_any_size_and_place_are_cropped_at_the_centre_and_averaged(folder):
    wide = np.zeros((16, 48, 3), np.uint8)
    wide[:, 16:32] = RED  # all that a square about the centre keeps
    Image.fromarray(wide).save(folder / "wide.png")
    plain(GREEN).save(folder / "below" / "further" / "deep.png")
    found, line = decoded(folder)
    assert found == [GREEN, RED] and line == "2 pictures used"


def test_grey_palette_transparent_and_rotated_pictures_are_made_plain_and_counted(folder):
    plain(77, mode="L").save(folder / "grey.png")
    plain(RED).quantize(4).save(folder / "palette.png")
    plain((0, 0, 0, 0), mode="RGBA").save(folder / "transparent.png")
    tall = np.zeros((8, 24, 3), np.uint8)
    tall[:, :8] = GREEN  # stored on its side: upright, the green part is at the top, and the centre is black
    exif = Image.Exif()
    exif[pictures.ORIENTATION] = 6
    Image.fromarray(tall).save(folder / "rotated.png", exif=exif)
    found, line = decoded(folder)
    assert found == [(0, 0, 0), (77, 77, 77), RED, (255, 255, 255)]
    assert line == (
        "4 pictures used (1 grey, 1 of a palette, 1 transparent: on white, 1 turned upright by their EXIF orientation)"
    )


def test_an_animation_counts_by_its_first_frame(folder):
    plain(RED).save(folder / "moving.webp", save_all=True, append_images=[plain(GREEN)], lossless=True)
    found, line = decoded(folder)
    assert found == [RED] and line == "1 picture used (1 animated: their first frame)"


def test_grey_sets_are_of_one_channel(folder):
    plain((50, 50, 50)).save(folder / "a.png")
    assert decoded(folder, channels=1)[0] == [(50,)]


def test_what_cannot_be_used_is_left_out_with_its_reason(folder, monkeypatch):
    plain().save(folder / "whole.png")
    whole = (folder / "whole.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "words.jpg").write_text("no picture", encoding="utf-8")
    plain(size=(1, 1)).save(folder / "pixel.png")
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(folder / "deep.png")
    for module in (pictures, image_folder):
        monkeypatch.setattr(module, "MAX_PIXELS", 1_000)
    plain(size=(40, 40)).save(folder / "large.png")
    plain(size=(400, 400)).save(folder / "bomb.png")
    found, line = decoded(folder)
    assert found == [RED]
    assert line.startswith("1 picture used; 6 left out: ")
    for reason in (
        "2 not whole images in JPEG, PNG, PPM, BMP, TIFF, WEBP, such as",
        "2 of more than 1,000 pixels, such as",
        "1 of more than 8 bits a channel, such as deep.png",
        "1 smaller than 8 pixels, such as pixel.png",
    ):
        assert reason in line


def test_a_folder_without_a_usable_picture_is_refused_in_one_line(folder):
    with pytest.raises(DataError, match=r"own: no pictures; must have some files such as"):
        pictures.digest(folder)
    plain(size=(1, 1)).save(folder / "pixel.png")
    with pytest.raises(
        DataError, match=r"own: no picture used; 1 left out: 1 smaller than 8 pixels.*must have some"
    ) as e:
        decoded(folder)
    assert "\n" not in str(e.value)
    with pytest.raises(DataError, match="no such folder"):
        pictures.digest(folder / "missing")


def test_a_database_of_lsun_is_recognised_and_a_line_says_how_to_export_it(folder):
    (folder / "data.mdb").write_bytes(b"")
    with pytest.raises(DataError, match=r"own: a database \(data.mdb\).*; 'wganbench data unpack own FOLDER' makes "):
        pictures.digest(folder)
    plain().save(folder / "1.webp")
    assert len(pictures.digest(folder)) == 64


def test_the_set_is_opened_by_its_folder_and_holds_a_part_out(folder):
    for number in range(10):
        plain((number, 0, 0)).save(folder / f"{number}.png")
    opened = image_sets.images(folder="own", size=8, held_out=0.2)
    assert (len(opened), len(opened.held_out), opened.name) == (8, 2, "own")
    assert opened.pixels[:, 0, 0, 0].tolist() != [*range(8)], "in a random order"


def test_without_a_folder_a_line_says_how_to_name_one():
    with pytest.raises(DataError, match="no folder is named; --data images=FOLDER names a folder of pictures"):
        image_sets.images()
