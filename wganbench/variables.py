"""Names of the environment variables that say where files are on this machine; they are passed on to workers too."""

DATA = "WGANBENCH_DATA"
INCEPTION_WEIGHTS = "WGANBENCH_INCEPTION_WEIGHTS"
