import io

import numpy as np
import pytest
import torch
from PIL import Image

from wganbench.errors import DataError
from wganbench.runner.artefacts import GAP, grid, strip


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_stand_row_after_row_in_their_order(channels):
    images = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(5, channels, 4, 6) + 10
    sheet = opened(grid(images, columns=3))
    assert sheet.shape[:2] == (2 * 4 + GAP, 3 * 6 + 2 * GAP)
    corners = [(row * (4 + GAP), column * (6 + GAP)) for row in range(2) for column in range(3)]
    for value, (top, left) in zip([10, 11, 12, 13, 14, 255], corners, strict=True):
        assert (sheet[top : top + 4, left : left + 6] == value).all()
    assert (sheet[4 : 4 + GAP] == 255).all() and (sheet[:, 6 : 6 + GAP] == 255).all()


def test_colours_rows_and_columns_keep_their_places():
    image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    image[0, 0, 1, 2], image[0, 1, 3, 4], image[0, 2, 5, 6] = 255, 255, 255
    sheet = opened(grid(image, columns=10))
    assert [sheet[1, 2].tolist(), sheet[3, 4].tolist(), sheet[5, 6].tolist()] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_the_same_images_make_the_same_file():
    images = torch.randint(0, 256, (12, 3, 8, 8), dtype=torch.uint8)
    assert grid(images, 4) == grid(images.clone(), 4)


@pytest.mark.parametrize(
    "images",
    [torch.zeros(2, 3, 4, 4), torch.zeros(2, 2, 4, 4, dtype=torch.uint8), torch.zeros(0, 3, 4, 4, dtype=torch.uint8)],
)
def test_what_is_no_picture_is_refused(images):
    with pytest.raises(DataError, match=r"^grid, images: must be \(n, 1 or 3, height, width\) torch.uint8, got "):
        grid(images, 2)


def test_a_grid_without_columns_is_refused():
    with pytest.raises(DataError, match=r"^grid, columns: must be at least 1, got 0"):
        grid(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), 0)


def test_a_strip_is_the_grids_side_by_side_with_their_steps():
    grids = torch.randint(0, 256, (3, 4, 3, 5, 7), dtype=torch.uint8)
    file = Image.open(io.BytesIO(strip(grids, [0, 20, 1000], columns=2)))
    assert file.text == {"steps": "0 20 1000"}
    panels = np.split(np.asarray(file), 3, axis=1)
    for panel, images in zip(panels, grids, strict=True):
        assert np.array_equal(panel[:, :-GAP], opened(grid(images, 2)))
        assert (panel[:, -GAP:] == 255).all()


def test_the_largest_strip_of_images_of_32_pixels_is_as_large_as_stated():
    noise = torch.randint(0, 256, (16, 32, 1, 32, 32), dtype=torch.uint8)  # in grey, which is three times as fast
    assert 16 * 32 * 32 * 32 < len(strip(noise, range(16), 8)) < 1.7e6 / 3


@pytest.mark.parametrize("steps", [[], [1, 2]])
def test_a_strip_has_a_step_for_each_grid(steps):
    with pytest.raises(DataError, match=rf"must be as many as steps and at least 1, got 1 for {len(steps)}"):
        strip(torch.zeros(1, 2, 3, 4, 4, dtype=torch.uint8), steps, 2)
