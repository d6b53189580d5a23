import pytest
import torch

from wganbench.measures.scores.classifier import MAX_BYTES, Network, folded_state, shapes_of
from wganbench.measures.scores.train_classifier import RECIPES


def pixels(n, channels, size, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, size, size), generator=rng, dtype=torch.uint8)


def lived_in(channels=3, classes=10, width=12):
    """A network whose statistics are those of some images, so that folding has something to fold."""
    torch.manual_seed(0)
    network = Network(channels, classes, width)
    for seed in range(3):
        network(pixels(64, channels, 16, seed))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return network.eval()


@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 32), (3, 16), (3, 8)])
@torch.no_grad()
def test_the_folded_network_says_what_the_trained_one_does_but_for_the_rounding(channels, size):
    network, folded = lived_in(channels), Network(channels, 10, 12, folded=True)
    folded.load_state_dict({name: tensor.float() for name, tensor in folded_state(network).items()})
    images = pixels(50, channels, size)
    expected, found = network(images), folded(images)
    assert (found - expected).abs().max() < 0.01 * expected.std()
    assert torch.equal(folded.train()(images), found)  # nothing in it tells training from evaluation


def test_folding_leaves_the_network_as_it_was():
    network = lived_in()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    folded_state(network)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_a_kept_state_is_of_the_stated_shapes_and_half_precision():
    state = folded_state(lived_in())
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == shapes_of(3, 10, 12)
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_has_a_network_of_at_most_a_million_parameters(recipe):
    parameters = sum(torch.Size(shape).numel() for shape in shapes_of(3, 10, recipe.width).values())
    assert parameters <= 10**6
    assert 2 * parameters < MAX_BYTES - 10_000
