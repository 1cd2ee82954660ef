"""Studies of readers: their protocol from the draft to the report."""
