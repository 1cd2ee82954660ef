"""The pages of a study: reading room, overview, settings."""
