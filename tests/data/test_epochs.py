import io

import pytest
import torch

from wganbench.data.epochs import Epochs
from wganbench.errors import DataError
from wganbench.rng import generator


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


def test_epochs_are_shuffled_anew():
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
