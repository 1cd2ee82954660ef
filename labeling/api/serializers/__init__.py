"""What the labeling API takes and gives."""
