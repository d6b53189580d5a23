"""Scores of generated images by a network that classifies images: Inception score, Fréchet and kernel distance.

There are two score networks. ``inception`` is the Inception graph of 2015, whose scores are comparable with published
ones; its weights are not part of the suite. ``classifier`` is a small network that the suite trains on a data set and
keeps beside the records that it scored; its scores are comparable with each other and with nothing that is published.

``formulas`` computes scores from a network's outputs, ``sampling`` and ``network_outputs`` produce these outputs, and
``wganbench.measures.image_scores`` has the measures that a spec names. torch-fidelity takes seconds to import, so it is
imported only where it is used.
"""
