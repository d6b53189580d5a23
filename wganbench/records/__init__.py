"""Records of finished runs and the results folder that holds them."""
