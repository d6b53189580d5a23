"""Real batches of each seed: draws of points, and images in shuffled epochs with their labels."""

import torch

from wganbench.data.images import Images
from wganbench.data.toy import gaussian_ring
from wganbench.rng import Streams
from wganbench.training.batches import Batches, ShuffledBatches, images_of

SEEDS, BATCH = (3, 9), 4


def images(n=10):
    """Image i has the pixel 20·i and the label i."""
    pixels = 20 * torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1)
    return Images("dots", pixels, torch.arange(n), "0" * 64, "unit")


def test_points_are_drawn_from_each_seeds_own_stream():
    data = gaussian_ring()
    first, second = Batches(data, Streams(SEEDS, "data"), BATCH).draw(2)
    alone = [data.draw(2 * BATCH, Streams([seed], "data").generators[0]) for seed in SEEDS]
    assert torch.equal(torch.cat([first, second], dim=1), torch.stack(alone))
    assert Batches(data, Streams(SEEDS, "data"), BATCH).labels(2) == [None, None]


def test_an_epoch_of_images_has_none_twice_and_each_with_its_label():
    batches = ShuffledBatches(images(), Streams(SEEDS, "data"), BATCH, Streams(SEEDS, "dequantisation"))
    batches.host_step(2)
    found = torch.cat(list(batches.draw(2)), dim=1).flatten(1)
    labels = torch.cat(list(batches.labels(2)), dim=1)
    torch.testing.assert_close(found, 20 * labels / 255)
    assert all(len(set(own)) == 2 * BATCH for own in labels.tolist())
    assert labels[0].tolist() != labels[1].tolist()


def test_indices_stay_at_one_address_and_batches_are_the_same_until_the_next_host_step():
    batches = ShuffledBatches(images(), Streams(SEEDS, "data"), BATCH, Streams(SEEDS, "dequantisation"))
    batches.host_step(1)
    place, (before,) = batches._indices[1].data_ptr(), batches.draw(1)
    assert torch.equal(before, batches.draw(1)[0])
    batches.host_step(1)
    assert batches._indices[1].data_ptr() == place
    assert not torch.equal(before, batches.draw(1)[0])


def test_a_warm_up_draws_other_numbers_of_batches_from_the_same_epoch_and_leaves_a_steps_indices_in_place():
    batches = ShuffledBatches(images(20), Streams(SEEDS, "data"), BATCH, Streams(SEEDS, "dequantisation"))
    batches.host_step(2)
    place, drawn = batches._indices[2].data_ptr(), batches.labels(2)
    for _ in range(2):
        batches.host_step(1)
        drawn = [*drawn, *batches.labels(1)]
    batches.host_step(2)
    assert batches._indices[2].data_ptr() == place
    assert all(len(set(own)) == 4 * BATCH for own in torch.cat(drawn, dim=1).tolist()), "none twice in an epoch"


def test_only_a_set_of_images_has_images():
    data = images()
    assert images_of(data) is data
    assert images_of(gaussian_ring()) is None
