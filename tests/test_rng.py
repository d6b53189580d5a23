import torch

from wganbench.rng import Streams, generator


def test_a_seed_draws_the_same_whatever_it_is_stacked_with():
    together, alone = Streams([7, 8, 9], "latent"), Streams([8], "latent")
    for _ in range(3):
        assert torch.equal(together.normal(4, 2)[1], alone.normal(4, 2)[0])
        assert torch.equal(together.uniform(5)[1], alone.uniform(5)[0])
        assert torch.equal(together.integers(9, 5)[1], alone.integers(9, 5)[0])


def test_purposes_and_seeds_have_streams_of_their_own():
    draws = [Streams([seed], purpose).normal(8) for seed in (0, 1) for purpose in ("latent", "data")]
    assert all(not torch.equal(a, b) for i, a in enumerate(draws) for b in draws[:i])


def test_streams_are_the_same_on_every_machine():
    assert generator(3, "latent").initial_seed() == 2267818183238352107
