import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wganbench.data.resize import box_average, centre_crop
from wganbench.errors import DataError

FOUR = np.array([[0, 2, 10, 20], [4, 6, 30, 40], [255, 255, 0, 1], [255, 254, 0, 0]], np.uint8)


def test_halving_is_the_mean_of_blocks_of_four_rounded_with_halves_upwards():
    # (0+2+4+6)/4 = 3; 100/4 = 25; 1019/4 = 254.75; 1/4 = 0.25
    assert box_average(FOUR, 2).tolist() == [[3, 25], [255, 0]]
    assert box_average(np.array([[0, 1], [1, 0]], np.uint8), 1).tolist() == [[1]]
    assert box_average(np.array([[0, 0], [1, 0]], np.uint8), 1).tolist() == [[0]]


def test_from_three_to_two_a_pixel_on_the_border_counts_by_halves():
    image = np.array([[9, 0, 0], [0, 0, 0], [0, 0, 90]], np.uint8)
    # each new pixel covers 1.5 × 1.5 old ones: 9/2.25 = 4; 90/2.25 = 40
    assert box_average(image, 2).tolist() == [[4, 0], [0, 40]]
    middle = np.array([[0, 0, 0], [0, 90, 0], [0, 0, 0]], np.uint8)
    assert box_average(middle, 2).tolist() == [[10, 10], [10, 10]]


def test_an_image_of_the_right_size_is_left_as_it_is():
    assert box_average(FOUR, 4) is FOUR


def test_axes_before_the_last_two_are_kept_apart():
    stack = np.stack([FOUR, 255 - FOUR, FOUR.T])[None]
    found = box_average(stack, 2)
    assert found.shape == (1, 3, 2, 2)
    for image, averaged in zip(stack[0], found[0], strict=True):
        assert np.array_equal(averaged, box_average(image, 2))


@given(st.integers(1, 13), st.data())
def test_any_factor_agrees_with_repeating_pixels_and_averaging_blocks(side, data):
    size = data.draw(st.integers(1, side))
    image = np.random.default_rng(data.draw(st.integers(0, 9))).integers(0, 256, (side, side), np.uint8)
    larger = image.repeat(size, 0).repeat(size, 1).astype(np.int64)  # size · side: a multiple of both
    total = larger.reshape(size, side, size, side).sum((1, 3))
    assert np.array_equal(box_average(image, size), (total + side**2 // 2) // side**2)


@pytest.mark.parametrize("size", [0, 5])
def test_an_image_is_never_enlarged(size):
    with pytest.raises(
        DataError, match=f"^box_average, size: must be 1 to 4 and the images square, got {size} of 4×4$"
    ):
        box_average(FOUR, size)


def test_what_is_not_square_has_to_be_cropped_first():
    with pytest.raises(DataError, match="got 1 of 2×4"):
        box_average(FOUR[:2], 1)


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [((3, 7), slice(0, 3), slice(2, 5)), ((3, 6), slice(0, 3), slice(1, 4)), ((5, 3), slice(1, 4), slice(0, 3))],
)
def test_a_crop_is_about_the_centre(shape, rows, columns):
    image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    assert np.array_equal(centre_crop(image), image[rows, columns])
