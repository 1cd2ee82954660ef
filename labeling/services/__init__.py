"""Short transactions of the labeling app: access, studies, the queue, answers, progress."""
