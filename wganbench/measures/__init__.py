"""Measures: pure functions from samples to one number, whose positional parameters the runner fills by name.

Inputs are of one seed at one step. Where a measure does not say more of them, they are:

* ``fake``, ``real``: samples, ``(n, *sample_shape)`` each; points are ``(n, dim)``, and the two n may differ.
* ``data``: the real distribution. ``fixed``: the fixed generator, which makes row i of ``fake`` from row i of ``real``.
* ``critic``: maps ``(n, *sample_shape)`` to ``(n,)``. ``network``: the same critic as a module.
* ``rng``: the random stream for all that the measure draws.
* ``penalty_weight``: λ of the two-sided squared penalty; NaN if there is no such penalty.
* ``curves``: the steps and values of the run's measures so far, treated as those of the whole run.
* ``recent_losses``: the losses of the last steps, oldest first, by name: ``critic_loss``, ``generator_loss``; as many
  as the option ``window`` says, and fewer at the beginning of a run.
* ``recent_cosines``: the cosines between the critic optimiser's last steps and the negative gradients, one a step.

The measure of a diverged generator, whose samples are not finite, is NaN.
"""
