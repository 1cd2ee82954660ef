"""What the grid shows: the ranked pool sorted, filtered and cut into pages, from memory-mapped files."""
