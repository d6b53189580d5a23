"""How good generated images look to a network that classifies images: Inception score, Fréchet and kernel distance.

Two networks give them. ``inception``: the Inception graph of 2015, whose scores may be set against published ones; its
weights are not part of the suite. ``classifier``: a small one that the suite trains on a data set, which lies beside
the records that it scored; its scores are compared with each other and with nothing that is published.

``formulas`` are the numbers as functions of what a network says, ``samples`` and ``seen`` bring images before it,
``measures`` are what a spec names. torch-fidelity takes seconds to import, so only what uses it does.
"""
