"""``python -m wganbench``."""

from wganbench.cli import main

main()
