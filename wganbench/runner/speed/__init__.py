"""How fast steps are on this machine."""
