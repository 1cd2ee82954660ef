"""Label efficiency: how many answers each strategy needs for what random sampling reaches, on the same folds."""
