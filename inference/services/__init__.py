"""Short transactions of the inference app: runs and their results."""
