"""Short transactions of the training app: long work, snapshots, models, promotions."""
