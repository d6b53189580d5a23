"""Variables of the environment that say where things lie on this machine; workers are given them too."""

DATA = "WGANBENCH_DATA"
INCEPTION_WEIGHTS = "WGANBENCH_INCEPTION_WEIGHTS"
