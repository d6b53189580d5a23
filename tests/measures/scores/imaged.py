"""A spec of images that are scored, small enough to be trained within a second."""

CLASSIFIER = "shapes10-16-8c9f1cc8"
"""One of those that are committed."""

SPEC = f"""
version = 1
title = "small images"
source = "a test"
steps = 3
batch_size = 4
latent_dim = 3
measured_samples = 4
stack = 2
data = {{ name = "shapes10", size = 16 }}
objective = "wasserstein"
constraint = "gradient_penalty"
generator = {{ name = "dcgan_generator", filters = 2 }}
critic = {{ name = "dcgan_critic", filters = 2 }}
generator_optimizer = {{ name = "adam", lr = 1e-3 }}
critic_optimizer = {{ name = "adam", lr = 1e-3 }}
score = {{ name = "classifier", file = "{CLASSIFIER}" }}
measures = {{ inception_score = {{ samples = 20, splits = 2, points = 2 }} }}
[profiles.smoke]
says = "3 steps"
[variants.gp]
[variants.gp-again]
n_critic = 2
"""
