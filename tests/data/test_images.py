import io

import numpy as np
import pytest
import torch

from tests.values import of_values
from wganbench.data.cache import Decoded
from wganbench.data.images import Epochs, Images
from wganbench.errors import DataError
from wganbench.rng import generator

BYTES = np.array([0, 1, 127, 128, 254, 255], np.uint8)


def images(scaling="255", pixels=BYTES):
    """One pixel an image; its label is its position."""
    return Images.of("small", Decoded(pixels.reshape(-1, 1, 1, 1).copy(), np.arange(len(pixels)), "0" * 64), scaling)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def all_of(data, rng):
    return data.take(torch.arange(len(data)), rng).flatten()


@pytest.mark.parametrize(
    ("scaling", "low", "high", "middle"), [("255", -1.0, 1.0, 1 / 255), ("unit", 0.0, 1.0, 128 / 255)]
)
def test_scalings_without_noise_take_0_and_255_to_the_ends(scaling, low, high, middle):
    rng = seeded()
    before = rng.get_state()
    x = all_of(images(scaling), rng)
    assert (x[0], x[-1]) == (low, high)
    assert x[3] == pytest.approx(middle, abs=1e-7)
    assert torch.equal(rng.get_state(), before)


def test_dequantised_values_lie_uniformly_within_the_step_of_their_byte():
    x = images("256-dequantised", BYTES.repeat(20_000))
    offset = (all_of(x, seeded()).double() - torch.from_numpy(BYTES.repeat(20_000) / 128 - 1)) * 128
    assert offset.min() >= -1e-4 and offset.max() <= 1 + 1e-4  # float32 near 1 has steps of 6e-8, 1e-5 of 1/128
    assert offset.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * len(x)))
    assert (offset < 0.25).double().mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.1875 / len(x)))


def test_dequantised_values_span_minus_one_to_one_and_are_fresh_at_every_draw():
    data, rng = images("256-dequantised"), seeded()
    first, second = all_of(data, rng), all_of(data, rng)
    assert first.min() >= -1 and first.max() <= 1
    assert not (first == second).any()
    assert torch.equal(all_of(data, seeded()), first)


@pytest.mark.parametrize("scaling", ["255", "256-dequantised", "unit"])
def test_a_draw_depends_on_its_stream_alone(scaling):
    data, rng = images(scaling), seeded(1)
    torch.manual_seed(2)
    ambient = torch.get_rng_state()
    first, second = data.draw(50, rng), data.draw(50, rng)
    assert torch.equal(torch.get_rng_state(), ambient)
    assert torch.equal(data.draw(50, seeded(1)), first)
    assert not torch.equal(second, first)
    assert (first.shape, first.dtype) == ((50, *data.sample_shape), torch.float32)


def test_a_draw_is_uniform_and_with_replacement():
    n = 30_000
    x = images("unit").draw(n, seeded()).flatten().mul(255).round().to(torch.uint8)
    shares = torch.tensor([(x == int(value)).sum() for value in BYTES]) / n
    torch.testing.assert_close(shares, torch.full((6,), 1 / 6), rtol=0, atol=4 * np.sqrt(5 / 36 / n))


def test_taken_images_are_those_asked_for_in_that_order():
    data = images("unit")
    x = data.take(torch.tensor([5, 0, 5]), seeded()).flatten()
    assert x.tolist() == [1.0, 0.0, 1.0]
    assert data.labels[torch.tensor([5, 0, 5])].tolist() == [5, 0, 5]


def test_bytes_stay_bytes_and_shared_with_the_file_on_the_cpu():
    held = np.zeros((4, 3, 2, 5), np.uint8)
    data = Images.of("small", Decoded(held, np.array([0, 1, 1, 3]), "0" * 64), "255").to("cpu")
    held[:] = 255
    assert data.pixels.dtype == torch.uint8
    assert data.draw(2, seeded()).eq(1).all()
    assert (len(data), data.sample_shape, data.n_classes) == (4, (3, 2, 5), 4)


def test_an_unknown_scaling_is_refused():
    with pytest.raises(DataError, match=r"^small, scaling: must be one of 255, 256-dequantised, unit, got '256'$"):
        images("256")


def pairs(n, flips, scaling="unit"):
    """Images of two pixels, 0 and 255, which are never the same reversed."""
    pixels = np.tile(np.array([[[[0, 255]]]], np.uint8), (n, 1, 1, 1))
    return Images.of("pairs", Decoded(pixels, np.zeros(n, np.int64), "0" * 64), scaling, flips)


def test_half_of_what_training_takes_is_reversed_and_nothing_that_is_drawn():
    n = 10_000
    data, rng = pairs(n, flips=True), seeded()
    x = data.take(torch.arange(n), rng)[:, 0, 0]
    kept, mirrored = (x == torch.tensor([0.0, 1.0])).all(1), (x == torch.tensor([1.0, 0.0])).all(1)
    assert (kept | mirrored).all()
    assert mirrored.double().mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(n))
    assert not torch.equal(data.take(torch.arange(n), rng)[:, 0, 0], x), "the coins of two draws are the same"
    assert (data.draw(100, rng)[:, 0, 0] == torch.tensor([0.0, 1.0])).all()


def test_a_reversed_image_is_reversed_from_left_to_right_alone_and_noise_is_laid_over_it():
    pixels = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    data = Images.of("grid", Decoded(pixels, np.zeros(2, np.int64), "0" * 64), "255", flips=True)
    plain = 2 * (torch.from_numpy(pixels).float() / 255 - 0.5)
    seen = set()
    for seed in range(8):
        for image, original in zip(data.take(torch.arange(2), seeded(seed)), plain, strict=True):
            seen.add(torch.equal(image, original))
            assert torch.equal(image, original) or torch.equal(image, original.flip(2))
    assert seen == {True, False}
    noisy = pairs(50, flips=True, scaling="256-dequantised").take(torch.arange(50), seeded())
    offset = (noisy - torch.where(noisy > 0, 2 * (255 / 256 - 0.5), -1.0)) * 128
    assert offset.min() >= -1e-4 and offset.max() <= 1 + 1e-4
    assert len(offset.unique()) == offset.numel()


def test_without_flips_no_coin_is_thrown():
    data, rng = pairs(5, flips=False), seeded()
    before = rng.get_state()
    assert torch.equal(data.take(torch.arange(5), rng), data.draw(5, seeded(1)))
    assert torch.equal(rng.get_state(), before)


@pytest.mark.gpu
def test_on_a_gpu_bytes_lie_there_and_order_and_draws_are_made_there():
    data = images("256-dequantised").to("cuda")
    assert (data.pixels.device.type, data.labels.device.type, data.pixels.dtype) == ("cuda", "cuda", torch.uint8)
    order = Epochs(len(data), 4, torch.Generator("cuda").manual_seed(0))
    state, noise = order.state(), torch.Generator("cuda").manual_seed(1)
    indices = order.batch()
    x = data.take(indices, noise).flatten()
    assert x.device.type == "cuda"
    with of_values():
        assert 0 <= indices.min() and indices.max() < len(data)
        offset = (x.cpu().double() - torch.from_numpy(BYTES[indices.cpu().numpy()] / 128 - 1)) * 128
        assert offset.min() >= -1e-4 and offset.max() <= 1 + 1e-4
    order.restore({key: value.cpu() if isinstance(value, torch.Tensor) else value for key, value in state.items()})
    again = order.batch()
    with of_values():
        assert torch.equal(again, indices)
    assert data.draw(3, noise).shape == (3, 1, 1, 1)


# ---- the order of training -------------------------------------------------------------------------------------------


def epochs(n=10, batch_size=3, seed=0):
    return Epochs(n, batch_size, generator(seed, "data order"))


def drawn(order, n):
    return [order.batch().tolist() for _ in range(n)]


@pytest.mark.parametrize(("n", "batch_size"), [(10, 3), (9, 3), (5, 5), (7, 1), (1, 1)])
def test_an_epoch_sees_no_image_twice_and_drops_the_last_partial_batch(n, batch_size):
    order = epochs(n, batch_size)
    for _ in range(20):
        seen = [index for batch in drawn(order, n // batch_size) for index in batch]
        assert len(seen) == len(set(seen)) == n - n % batch_size
        assert set(seen) <= set(range(n))


def test_what_is_dropped_is_another_image_in_another_epoch():
    order = epochs(10, 3)
    dropped = {45 - sum(map(sum, drawn(order, 3))) for _ in range(60)}
    assert dropped == set(range(10))


def test_epochs_are_shuffled_again():
    order = epochs(100, 100)
    first, second = drawn(order, 2)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(100))


def test_the_order_depends_on_the_stream_alone():
    torch.manual_seed(1)
    first = drawn(epochs(), 9)
    torch.manual_seed(2)
    assert drawn(epochs(), 9) == first
    assert drawn(epochs(seed=1), 9) != first


@pytest.mark.parametrize("done", [0, 1, 2, 3, 4, 7])
def test_a_restored_order_goes_on_as_the_first_did_wherever_it_stopped(done):
    order = epochs()
    drawn(order, done)
    state = order.state()
    expected = drawn(order, 10)
    other = epochs(seed=5)
    drawn(other, 2)
    other.restore(state)
    assert drawn(other, 10) == expected
    assert other.state()["position"] == order.state()["position"]


def test_a_state_can_be_saved_as_plain_values_and_does_not_move_with_its_order():
    order = epochs()
    order.batch()
    file, state = io.BytesIO(), order.state()
    torch.save(state, file)
    expected = drawn(order, 20)
    file.seek(0)
    for saved in (state, torch.load(file, weights_only=True)):
        other = epochs(seed=9)
        other.restore(saved)
        assert drawn(other, 20) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"position": 4}, r"^position: must be a multiple of 3 of at most 10, got 4$"),
        ({"position": 12}, "got 12$"),
        ({"position": True}, "got True$"),
        ({"began": torch.zeros(3, dtype=torch.uint8)}, r"^began: must be a generator's state of \d+ bytes$"),
        ({"began": None}, "^began"),
    ],
)
def test_a_state_of_something_else_is_refused_and_changes_nothing(change, message):
    order = epochs()
    expected = drawn(epochs(), 3)
    with pytest.raises(ValueError, match=message):
        order.restore({**order.state(), **change})
    assert drawn(order, 3) == expected


@pytest.mark.parametrize("batch_size", [0, 11])
def test_a_batch_has_at_least_one_image_and_at_most_all(batch_size):
    with pytest.raises(DataError, match=f"^batch_size: must be between 1 and the data set's 10, got {batch_size}$"):
        epochs(10, batch_size)


# ---- parts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("held_out", [2, 1 / 3])
def test_the_last_images_are_held_out_and_the_first_of_the_others_trained_on(held_out):
    data = images().parted(3, held_out)
    assert (data.labels.tolist(), data.held_out.labels.tolist()) == ([0, 1, 2], [4, 5])
    assert data.pixels.flatten().tolist() == BYTES[:3].tolist()
    assert data.to("cpu").held_out.pixels.flatten().tolist() == BYTES[4:].tolist()


def test_without_a_limit_all_others_are_trained_on_and_without_either_nothing_changes():
    assert len(images().parted(None, 2)) == 4
    data = images()
    assert data.parted(None, None) is data
    assert images().parted(2, None).held_out is None


@pytest.mark.parametrize(
    ("limit", "held_out", "message"),
    [
        (None, 0.01, "small, held_out: 0.01 is 0 of 6 images; some must be left"),
        (None, 6, "small, held_out: 6 is 6 of 6 images; some must be left"),
        (None, 7, "small, held_out: 7 is 7 of 6 images"),
        (5, 2, "small, limit: must be at most the 4 images to train on, got 5"),
        (7, None, "small, limit: must be at most the 6 images to train on, got 7"),
    ],
)
def test_parts_that_leave_nothing_are_refused_in_one_line(limit, held_out, message):
    with pytest.raises(DataError, match=message) as caught:
        images().parted(limit, held_out)
    assert "\n" not in str(caught.value)
