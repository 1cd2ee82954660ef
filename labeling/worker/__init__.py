"""Long work of the labeling app: rows and arrays together."""
