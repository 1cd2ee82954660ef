"""Short transactions of the imaging app: experiments, who may see them, and where pixels are kept."""
