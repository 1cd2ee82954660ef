"""Labels of a study as files that leave the house: for tables, for training elsewhere, for other tools."""
