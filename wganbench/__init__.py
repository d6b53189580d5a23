"""A reproduction benchmark suite for the Wasserstein GAN papers: every claim a command, every number a record."""
