"""Labels in the formats of other tools, as plain data: no rows, no settings, no clock."""
